/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of batches: what is written is read; every octet may be damaged and every length
 * cut off, and what is left is used once; files of former runs, of newer weirs, of nobody.
 */
#include <fcntl.h>
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
#include "lib/hash.h"
#include "sql/batch.h"
#include "sql/batch_block.h"
#include "sql/spool.h"
#include "sql/writer.h"
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

static uint8_t *
octets_load(size_t *len)
{
	FILE *f = fopen(path, "r");
	uint8_t *p;

	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	*len = (size_t)ftell(f);
	rewind(f);
	assert_non_null(p = malloc(*len));
	assert_int_equal(fread(p, 1, *len, f), *len);
	fclose(f);
	return p;
}

static void
octets_store(const uint8_t *p, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, len, f), len);
	fclose(f);
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
	p = octets_load(&len);
	for (size_t i = 0; i < len; i++) {
		bool whole;
		struct seen s;

		p[i] ^= (uint8_t)(1 + i % 255);
		octets_store(p, len);
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
	p = octets_load(&len);
	for (size_t i = 0; i < len; i++) {
		bool whole;
		struct seen s;

		octets_store(p, i);
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
	p = octets_load(&len);
	assert_non_null(copy = malloc(2 * len));
	for (size_t i = 0; i < len; i++)
		if (len - i >= 8 && memcmp(p + i, BLOCK_MAGIC, 8) == 0)
			at[n++] = i;
	assert_int_equal(n, 6); /* head, four bins, end */
	/* Without the third: seen, and its rows only are missing. */
	memcpy(copy, p, at[2]);
	memcpy(copy + at[2], p + at[3], len - at[3]);
	octets_store(copy, len - (at[3] - at[2]));
	assert_int_equal(any_read(&whole).rows, 15);
	assert_false(whole);
	/* Something behind the end. */
	memcpy(copy, p, len);
	memcpy(copy + len, p + at[1], at[2] - at[1]);
	octets_store(copy, len + at[2] - at[1]);
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

/* Put the sum right of a head that was changed. */
static void
head_seal(uint8_t *p)
{
	size_t len =
	    (size_t)p[16] << 24 | (size_t)p[17] << 16 | (size_t)p[18] << 8 | p[19];
	uint64_t sum;

	memset(p + BLOCK_SUM_AT, 0, 8);
	sum = hash_frozen(p, BLOCK_HEAD + len);
	for (unsigned i = 0; i < 8; i++)
		p[BLOCK_SUM_AT + i] = (uint8_t)(sum >> (56 - 8 * i));
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
	p = octets_load(&len);
	for (size_t i = 0; i < N(cases); i++) {
		uint8_t *at = memmem(p, len, cases[i].from, strlen(cases[i].from));
		struct batch_reader r;
		struct err e = ERR_INIT;

		assert_non_null(at);
		memcpy(at, cases[i].to, strlen(cases[i].from));
		head_seal(p);
		octets_store(p, len);
		if (batch_open(&r, path, &e) != cases[i].rc)
			fail_msg("%s: %s", cases[i].says, e.text);
		batch_close(&r);
		memcpy(at, cases[i].from, strlen(cases[i].from));
	}
	/* The version is the head's first word. */
	p[BLOCK_HEAD + 1] = BATCH_VERSION + 1;
	head_seal(p);
	octets_store(p, len);
	{
		struct batch_reader r;
		struct err e = ERR_INIT;

		assert_int_equal(batch_open(&r, path, &e), -WEIR_EUNSUPPORTED);
		assert_non_null(strstr(e.text, "newer"));
	}
	free(p);
}

/* ---- the folder, through a plugin ---- */

static const struct output_config five = { .aggregate = "src_host", .history = "5m" };

/* Two rows of 1 and 2 packets in each of two bins, left in a spool. */
static void
spool_make(void)
{
	struct rig g = { .o.common = five };
	struct flow f[4];

	for (unsigned i = 0; i < 4; i++) {
		f[i] = rig_flow(i % 2 == 0 ? "192.0.2.1" : "192.0.2.2", NULL, 0, 0, 6,
		    1 + i % 2, 10);
		f[i].stamp += i / 2 * 300 * CLOCK_S;
	}
	rig_open(&g);
	/* Now it fits nobody: */
	rig_run("DROP TABLE acct; CREATE TABLE acct (none INT)");
	assert_int_not_equal(rig_try(&g, f, 4), 0);
	rig_close(&g);
	assert_int_equal(g.r.spooled, 4);
	assert_int_equal(rig_files("batch"), 1);
	rig_run("DROP TABLE acct");
	snprintf(path, sizeof(path), "%s", rig_file);
}

/* Another run writes what is there. */
static void
spool_run(struct rig *g)
{
	*g = (struct rig){ .o.common = five };
	rig_open(g);
	rig_close(g);
}

static void
test_table_that_does_not_fit_is_waited_for(void **state)
{
	struct rig g;

	(void)state;
	spool_make();
	spool_run(&g);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct"), "6");
	assert_int_equal(rig_files("batch"), 0);
	assert_int_equal(g.r.written, 4);
}

static void
test_damaged_file_is_used_and_kept(void **state)
{
	struct rig g;
	size_t len;
	uint8_t *p;

	(void)state;
	spool_make();
	p = octets_load(&len);
	p[len - BLOCK_HEAD - 20] ^= 0x40; /* in the last bin's block */
	octets_store(p, len);
	free(p);
	spool_run(&g);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct"), "3");
	assert_int_equal(rig_files("batch"), 0);
	assert_int_equal(rig_files("damaged"), 1);
	assert_int_equal(g.r.written, 2);
	assert_int_equal(g.r.refused, 2); /* its end tells how many there were */
	spool_run(&g);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct"), "3");
}

static void
test_unfinished_file_is_used(void **state)
{
	struct rig g;
	size_t len;
	uint8_t *p;

	(void)state;
	spool_make();
	p = octets_load(&len);
	octets_store(p, len - BLOCK_HEAD - 12 - 10); /* without its end, and more */
	free(p);
	spool_run(&g);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct"), "3");
	assert_int_equal(rig_files("batch") + rig_files("damaged"), 0);
}

static void
test_file_of_nothing_is_set_aside(void **state)
{
	struct rig g;

	(void)state;
	spool_make();
	octets_store((const uint8_t *)"this is no batch", 16);
	spool_run(&g);
	assert_int_equal(rig_files("damaged"), 1);
	assert_int_equal(rig_files("batch"), 0);
	octets_store((const uint8_t *)"", 0);
	spool_run(&g);
	assert_int_equal(rig_files("batch"), 0);
}

static void
test_file_of_a_newer_weir_is_left(void **state)
{
	struct rig g;
	size_t len;
	uint8_t *p;

	(void)state;
	spool_make();
	p = octets_load(&len);
	p[BLOCK_HEAD + 1] = BATCH_VERSION + 1;
	head_seal(p);
	octets_store(p, len);
	spool_run(&g);
	assert_int_equal(rig_files("batch"), 1);
	assert_string_equal(rig_rows("SELECT count(*) FROM acct"), "0");
	p[BLOCK_HEAD + 1] = BATCH_VERSION;
	head_seal(p);
	octets_store(p, len);
	free(p);
	spool_run(&g);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct"), "6");
}

/* A copy of a file that is in already: as after a power failure that undid its removal. */
static void
test_file_that_comes_again(void **state)
{
	struct rig g;
	size_t len;
	uint8_t *p;

	(void)state;
	spool_make();
	p = octets_load(&len);
	spool_run(&g);
	octets_store(p, len);
	free(p);
	spool_run(&g);
	assert_string_equal(rig_rows("SELECT sum(packets), count(*) FROM acct"), "6|4");
	assert_int_equal(rig_files("batch"), 0);
}

/* Somebody removed what waits. */
static void
test_file_that_is_gone(void **state)
{
	struct rig g = { .o.common = five };
	struct flow f = rig_flow("192.0.2.1", NULL, 0, 0, 6, 1, 10);

	(void)state;
	rig_open(&g);
	rig_run("DROP TABLE acct; CREATE TABLE acct (none INT)");
	assert_int_not_equal(rig_try(&g, &f, 1), 0);
	assert_int_equal(rig_files("batch"), 1);
	assert_int_equal(unlink(rig_file), 0);
	rig_run("DROP TABLE acct");
	rig_write(&g, &f, 1);
	rig_close(&g);
	assert_int_equal(g.r.written, 1);
	assert_int_equal(g.r.refused, 1);
	assert_int_equal(g.o.waiting, 0);
}

static void
test_names_that_are_no_file_names(void **state)
{
	struct rig g = { .o.common = five, .o.name = "../../etc/x %" };
	struct flow f = rig_flow("192.0.2.1", NULL, 0, 0, 6, 1, 10);

	(void)state;
	rig_open(&g);
	rig_write(&g, &f, 1);
	rig_close(&g);
	snprintf(path, sizeof(path), "%s/spool/%%2E.%%2F..%%2Fetc%%2Fx%%20%%25/lock",
	    rig_dir);
	assert_int_equal(access(path, F_OK), 0);
}

static void
test_folders(void **state)
{
	static const struct {
		const char *says, *at, *error; /* NULL: it works */
	} cases[] = {
		{ "a folder of the operator's choice", "mine", NULL },
		{ "a file, as pmacct's log was", "file", "is a file" },
		{ "below what is not there", "no/such", "No such file" },
	};
	char at[160];

	(void)state;
	snprintf(path, sizeof(path), "%s/file", rig_dir);
	octets_store((const uint8_t *)"log", 3);
	for (size_t i = 0; i < N(cases); i++) {
		struct rig g = { .o.common = five, .sc.spool_path = at };
		int rc;

		snprintf(at, sizeof(at), "%s/%s", rig_dir, cases[i].at);
		rc = rig_open_with(&g, NULL, 100);
		if ((rc == 0) != (cases[i].error == NULL) ||
		    (rc != 0 && strstr(g.e.text, cases[i].error) == NULL))
			fail_msg("%s: %s", cases[i].says, g.e.text);
		rig_close(&g);
	}
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
		RIG_TEST(test_bounds),
		RIG_TEST(test_hostile_heads),
		RIG_TEST(test_table_that_does_not_fit_is_waited_for),
		RIG_TEST(test_damaged_file_is_used_and_kept),
		RIG_TEST(test_unfinished_file_is_used),
		RIG_TEST(test_file_of_nothing_is_set_aside),
		RIG_TEST(test_file_of_a_newer_weir_is_left),
		RIG_TEST(test_file_that_comes_again),
		RIG_TEST(test_file_that_is_gone),
		RIG_TEST(test_folders),
		RIG_TEST(test_names_that_are_no_file_names),
	};

	return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
