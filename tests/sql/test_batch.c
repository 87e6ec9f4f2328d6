/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of batches: what is written is read; every octet may be damaged, every length cut
 * off, and what is left is read, once and right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "sql/batch.h"
#include "sql/batch_block.h"
#include "tests/sql/rig.h"

#define COLUMNS 3U

static char path[256];

static void
head_make(struct batch_head *h)
{
	static const char *const names[COLUMNS] = { "ip_src", "packets", "label" };

	memset(h, 0, sizeof(*h));
	strcpy(h->collector, "host/plugin");
	strcpy(h->engine, "sqlite3");
	strcpy(h->db, "/tmp/x.db");
	strcpy(h->plugin, "plugin");
	h->boot = 77;
	h->seq = 5;
	h->cut = 123456789;
	h->schema.n = COLUMNS;
	for (unsigned i = 0; i < COLUMNS; i++) {
		struct sql_column *c = &h->schema.columns[i];

		strcpy(c->name, names[i]);
		c->role = i == 1 ? SQL_ADD : SQL_KEY;
		c->type = i == 1 ? SQL_BIGINT : SQL_TEXT;
		c->number = i == 1;
		c->written = c->made = true;
		c->filler = i == 0 ? "0.0.0.0" : NULL;
	}
}

/* Row `i` of bin `bin`: the source changes seldom, packets always. */
static void
row_texts(unsigned bin, unsigned i, char src[32], char label[64])
{
	snprintf(src, 32, "192.0.%u.%u", bin, i / 10);
	if (i % 7 == 0)
		label[0] = '\0';
	else
		snprintf(label, 64, "label %u of\tmany", i % 3);
}

/* A file of `bins` bins with `rows` rows each; packets of row i are i + 1. */
static uint64_t
file_make(unsigned bins, unsigned rows, uint64_t max, int *rc)
{
	static char src[2][32],
	    label[2][64]; /* values stay until they are bound anew */
	static struct batch_head h;
	struct err e = ERR_INIT;
	struct batch_writer *w;
	uint64_t octets = 0;

	head_make(&h);
	assert_non_null(w = batch_create(path, &h, max, &e));
	for (unsigned bin = 0; bin < bins; bin++) {
		char table[16];

		snprintf(table, sizeof(table), "acct_%u", bin);
		batch_bin(w, bin * 300 * CLOCK_S, table);
		for (unsigned i = 0; i < rows; i++) {
			unsigned at = i & 1;

			row_texts(bin, i, src[at], label[at]);
			if (i == 0 || strcmp(src[at], src[!at]) != 0)
				batch_driver.bind_text(
				    batch_stmt(w), 1, src[at], strlen(src[at]));
			else
				memcpy(src[at], src[!at], sizeof(src[at]));
			batch_driver.bind_int(batch_stmt(w), 2, i + 1);
			batch_driver.bind_text(
			    batch_stmt(w), 3, label[at], strlen(label[at]));
			batch_row(w);
		}
	}
	*rc = batch_commit(w, &octets, &e);
	return octets;
}

struct seen {
	unsigned bins, rows;
	uint64_t packets;
	bool wrong; /* a row that was not written so */
};

static struct seen
file_read(struct batch_reader *r)
{
	struct seen s = { 0 };

	while (batch_next_bin(r)) {
		unsigned bin = (unsigned)(r->start / (300 * CLOCK_S));
		char table[16], src[32], label[64];

		snprintf(table, sizeof(table), "acct_%u", bin);
		s.wrong |= strcmp(table, r->table) != 0;
		s.bins++;
		while (batch_next_row(r)) {
			const struct batch_value *v = r->values;

			row_texts(bin, (unsigned)v[1].number - 1, src, label);
			s.wrong |= v[0].text == NULL || v[0].len != strlen(src) ||
				   memcmp(v[0].text, src, v[0].len) != 0 ||
				   v[2].text == NULL || v[2].len != strlen(label) ||
				   memcmp(v[2].text, label, v[2].len) != 0;
			s.rows++;
			s.packets += (uint64_t)v[1].number;
		}
	}
	return s;
}

static void
test_what_is_written_is_read(void **state)
{
	static const struct {
		unsigned bins, rows;
	} sizes[] = { { 1, 1 }, { 1, 10 }, { 3, 50 }, { 2, 30000 } };
	struct batch_reader r;
	struct err e = ERR_INIT;

	(void)state;
	snprintf(path, sizeof(path), "%s/x.batch", rig_dir);
	for (size_t i = 0; i < N(sizes); i++) {
		int rc;
		uint64_t octets =
		    file_make(sizes[i].bins, sizes[i].rows, UINT64_MAX, &rc);
		struct stat st;
		struct seen s;

		assert_int_equal(rc, 0);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(octets, st.st_size);
		assert_int_equal(batch_open(&r, path, &e), 0);
		assert_string_equal(r.head.collector, "host/plugin");
		assert_string_equal(r.head.db, "/tmp/x.db");
		assert_int_equal(r.head.boot, 77);
		assert_int_equal(r.head.seq, 5);
		assert_int_equal(r.head.schema.n, COLUMNS);
		assert_string_equal(r.head.schema.columns[0].filler, "0.0.0.0");
		assert_null(r.head.schema.columns[1].filler);
		assert_int_equal(r.head.schema.columns[1].role, SQL_ADD);
		s = file_read(&r);
		assert_int_equal(s.bins, sizes[i].bins);
		assert_int_equal(s.rows, sizes[i].bins * sizes[i].rows);
		assert_false(s.wrong);
		assert_true(batch_is_whole(&r));
		batch_close(&r);
		/* What is skipped is not read, and comes out whole all the same. */
		assert_int_equal(batch_open(&r, path, &e), 0);
		assert_true(batch_is_whole(&r));
		assert_int_equal(r.rows, s.rows);
		batch_close(&r);
		unlink(path);
	}
}

/* A bin that is begun anew after some rows, as after a deadlock. */
static void
test_a_bin_again(void **state)
{
	struct batch_reader r;
	struct err e = ERR_INIT;
	unsigned n = 0;
	int rc;

	(void)state;
	snprintf(path, sizeof(path), "%s/x.batch", rig_dir);
	file_make(2, 30000, UINT64_MAX, &rc); /* several blocks each */
	assert_int_equal(batch_open(&r, path, &e), 0);
	for (unsigned i = 1; batch_next_bin(&r); i++) {
		strcpy(r.table, "elsewhere"); /* where who reads it writes it to */
		for (unsigned k = 0; k < 17 * i * i * i * i * i * i; k++)
			assert_true(batch_next_row(&r));
		batch_again(&r);
		for (n = 0; batch_next_row(&r); n++)
			assert_int_equal(r.values[1].number, n + 1);
		assert_int_equal(n, 30000);
		assert_int_equal(r.rows, i * 30000);
		batch_again(&r); /* and after all of them */
	}
	assert_true(batch_is_whole(&r));
	assert_int_equal(r.rows, 60000);
	batch_close(&r);
}

/* Read what may be anything: no row may be wrong or twice. */
static struct seen
any_read(bool *whole)
{
	struct batch_reader r;
	struct err e = ERR_INIT;
	struct seen s = { 0 };

	*whole = false;
	if (batch_open(&r, path, &e) != 0) {
		assert_true(e.code != 0);
		return s;
	}
	s = file_read(&r);
	*whole = batch_is_whole(&r);
	batch_close(&r);
	assert_false(s.wrong);
	return s;
}

static void
test_every_octet_may_be_damaged(void **state)
{
	size_t len;
	uint8_t *p;
	int rc;

	(void)state;
	snprintf(path, sizeof(path), "%s/x.batch", rig_dir);
	file_make(4, 5, UINT64_MAX, &rc);
	p = rig_load(path, &len);
	for (size_t i = 0; i < len; i++) {
		bool whole;
		struct seen s;

		p[i] ^= (uint8_t)(1 + i % 255);
		rig_store(path, p, len);
		p[i] ^= (uint8_t)(1 + i % 255);
		s = any_read(&whole);
		/* One block is lost: the head and all with it, a bin, or the end. */
		if (whole || (s.rows != 0 && s.rows != 15 && s.rows != 20))
			fail_msg("octet %zu: %u rows", i, s.rows);
	}
	free(p);
}

static void
test_every_length_may_be_cut(void **state)
{
	size_t len;
	uint8_t *p;
	int rc;
	unsigned before = 0;

	(void)state;
	snprintf(path, sizeof(path), "%s/x.batch", rig_dir);
	file_make(4, 5, UINT64_MAX, &rc);
	p = rig_load(path, &len);
	for (size_t i = 0; i < len; i++) {
		bool whole;
		struct seen s;

		rig_store(path, p, i);
		s = any_read(&whole);
		if (whole || s.rows < before || s.rows % 5 != 0)
			fail_msg("length %zu: %u rows", i, s.rows);
		before = s.rows;
	}
	assert_int_equal(before, 20); /* all but the end */
	free(p);
}

static void
test_blocks_twice_or_gone(void **state)
{
	size_t len, at[8] = { 0 };
	unsigned n = 0;
	uint8_t *p, *copy;
	bool whole;
	int rc;

	(void)state;
	snprintf(path, sizeof(path), "%s/x.batch", rig_dir);
	file_make(4, 5, UINT64_MAX, &rc);
	p = rig_load(path, &len);
	assert_non_null(copy = malloc(2 * len));
	for (size_t i = 0; i < len; i++)
		if (len - i >= 8 && memcmp(p + i, BLOCK_MAGIC, 8) == 0)
			at[n++] = i;
	assert_int_equal(n, 6); /* head, four bins, end */
	/* Without the third: seen, and its rows only are missing. */
	memcpy(copy, p, at[2]);
	memcpy(copy + at[2], p + at[3], len - at[3]);
	rig_store(path, copy, len - (at[3] - at[2]));
	assert_int_equal(any_read(&whole).rows, 15);
	assert_false(whole);
	/* Something behind the end. */
	memcpy(copy, p, len);
	memcpy(copy + len, p + at[1], at[2] - at[1]);
	rig_store(path, copy, len + at[2] - at[1]);
	assert_int_equal(any_read(&whole).rows, 20);
	assert_false(whole);
	free(copy);
	free(p);
}

static void
test_bounds(void **state)
{
	int rc;

	(void)state;
	snprintf(path, sizeof(path), "%s/x.batch", rig_dir);
	file_make(1, 1000, 2000, &rc);
	assert_int_equal(rc, -WEIR_EFULL);
	assert_int_not_equal(access(path, F_OK), 0); /* nothing half is left */
}

/* It has its name only when it is whole, whatever a try before has left. */
static void
test_name_at_the_end(void **state)
{
	static struct batch_head h;
	struct err e = ERR_INIT;
	struct batch_writer *w;
	char fresh[300];
	uint64_t octets;

	(void)state;
	snprintf(path, sizeof(path), "%s/x.batch", rig_dir);
	snprintf(fresh, sizeof(fresh), "%s" BATCH_WRITING, path);
	rig_store(fresh, (const uint8_t *)"of a try that failed", 20);
	head_make(&h);
	assert_non_null(w = batch_create(path, &h, UINT64_MAX, &e));
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(batch_commit(w, &octets, &e), 0);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_not_equal(access(fresh, F_OK), 0);
}

static void
test_flags_of_heads(void **state)
{
	static struct batch_head h;
	static struct batch_reader r;

	(void)state;
	snprintf(path, sizeof(path), "%s/x.batch", rig_dir);
	head_make(&h);
	for (unsigned i = 0; i < 4; i++) {
		struct err e = ERR_INIT;
		struct batch_writer *w;
		uint64_t octets;

		h.only_insert = (i & 1) != 0;
		h.utc = (i & 2) != 0;
		assert_non_null(w = batch_create(path, &h, UINT64_MAX, &e));
		assert_int_equal(batch_commit(w, &octets, &e), 0);
		assert_int_equal(batch_open(&r, path, &e), 0);
		assert_int_equal(r.head.only_insert, h.only_insert);
		assert_int_equal(r.head.utc, h.utc);
		batch_close(&r);
	}
}

static void
test_hostile_heads(void **state)
{
	static const struct {
		const char *says;
		const char *from, *to; /* of the same length */
		int rc;
	} cases[] = {
		{ "a name that would end the quotes", "packets", "pack\"ts",
		    -WEIR_EMALFORMED },
		{ "what stands for no value, with a quote", "0.0.0.0", "0.0.'.0",
		    -WEIR_EMALFORMED },
		{ "a name with a NUL in it", "packets", "pac\0ets", -WEIR_EMALFORMED },
		{ "another name is as good", "packets", "pockets", 0 },
	};
	size_t len;
	uint8_t *p;
	int rc;

	(void)state;
	snprintf(path, sizeof(path), "%s/x.batch", rig_dir);
	file_make(1, 5, UINT64_MAX, &rc);
	p = rig_load(path, &len);
	for (size_t i = 0; i < N(cases); i++) {
		uint8_t *at = memmem(p, len, cases[i].from, strlen(cases[i].from));
		struct batch_reader r;
		struct err e = ERR_INIT;

		assert_non_null(at);
		memcpy(at, cases[i].to, strlen(cases[i].from));
		rig_batch_seal(p);
		rig_store(path, p, len);
		if (batch_open(&r, path, &e) != cases[i].rc)
			fail_msg("%s: %s", cases[i].says, e.text);
		batch_close(&r);
		memcpy(at, cases[i].from, strlen(cases[i].from));
	}
	/* The version is the head's first word. */
	p[BLOCK_HEAD + 1] = BATCH_VERSION + 1;
	rig_batch_seal(p);
	rig_store(path, p, len);
	{
		struct batch_reader r;
		struct err e = ERR_INIT;

		assert_int_equal(batch_open(&r, path, &e), -WEIR_EUNSUPPORTED);
		assert_non_null(strstr(e.text, "newer"));
	}
	free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_what_is_written_is_read),
		RIG_TEST(test_a_bin_again),
		RIG_TEST(test_every_octet_may_be_damaged),
		RIG_TEST(test_every_length_may_be_cut),
		RIG_TEST(test_blocks_twice_or_gone),
		RIG_TEST(test_name_at_the_end),
		RIG_TEST(test_flags_of_heads),
		RIG_TEST(test_bounds),
		RIG_TEST(test_hostile_heads),
	};

	return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
