/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/ledger_file.h"
#include "lib/intern.h"
#include "lib/statefile.h"
#include "tests/core/traffic.h"

#define AGGREGATE "src_host,src_mac,label,proto,tcpflags,tag"
#define KEYS      300

static char path[] = "/tmp/weir-ledger-XXXXXX";

/* A ledger of `max` rows by `aggregate`. */
static struct ledger *
ledger_of(const char *aggregate, uint32_t max, struct rowspec *rs)
{
	struct field_set set;
	struct ledger *l;

	assert_int_equal(field_set_parse(aggregate, &set, NULL), 0);
	rowspec_compile(rs, &set);
	l = ledger_new(rs, max, NULL);
	assert_non_null(l);
	return l;
}

/* Count KEYS sources, each with a label of its own, at time `now`. */
static void
ledger_fill(struct ledger *l, struct truth *truth, uint64_t now)
{
	struct traffic traffic = { 7, KEYS, 1 };
	struct slab *slab = slab_new(l->rs, KEYS, NULL);
	uint64_t key[ROWSPEC_MAX_KEY / 8 + 1];
	uint16_t bin = 0;
	uint8_t *row;

	assert_int_equal(slab_bin(slab, BIN_ALL), 0);
	for (unsigned i = 0; i < 4 * KEYS; i++) {
		char label[32];
		struct flow f;
		int len;

		traffic_flow(&traffic, &f);
		len = snprintf(label, sizeof(label), "label of %u", f.src_host.b[15]);
		f.label = intern(label, (size_t)len);
		f.src_mac = (mac_t){ { 2, 0, 0, 0, 0, f.src_host.b[15] } };
		f.proto = 6;
		f.tag = UINT64_C(1) << 63;
		truth_feed(truth, &f);
		rowspec_pack(l->rs, &f, &bin, 1, (uint8_t *)key);
		assert_int_equal(table_upsert(&slab->table, key, 1, &row), 0);
		rowspec_add(l->rs, row, &f);
	}
	ledger_add(l, slab, now);
	slab_free(slab);
}

static void
what_is_written_is_read_again(void **state)
{
	struct rowspec rs, other_rs;
	struct ledger *l = ledger_of(AGGREGATE, 2 * KEYS, &rs);
	struct ledger *again = ledger_of(AGGREGATE, 2 * KEYS, &other_rs);
	struct truth *truth = truth_new(KEYS, 1);

	(void)state;
	ledger_fill(l, truth, 1000);
	l->other = (struct sums){ 1, 2, 3 };
	sums_add(&l->total, &l->other);
	l->resumed = 500;
	l->evictions = 9;
	assert_int_equal(ledger_save(l, path, "talkers", NULL), 0);
	assert_int_equal(ledger_load(again, path, "talkers", NULL), 0);

	assert_int_equal(again->table.n, l->table.n);
	assert_true(sums_equal(&again->total, &l->total));
	assert_true(sums_equal(&again->other, &l->other));
	assert_true(sums_equal(&again->restored, &l->total));
	assert_int_equal(again->cleared, 1000);
	assert_int_equal(again->resumed, 500);
	assert_int_equal(again->evictions, 9);
	for (uint32_t i = 0; i < l->table.n; i++)
		assert_memory_equal(table_find(&again->table, ledger_row(l, i)),
		    ledger_row(l, i), l->table.row_octets);

	/* And they go on: a row is the same row. */
	ledger_fill(again, truth, 2000);
	assert_int_equal(again->table.n, l->table.n);
	again->other = (struct sums){ 0 };
	truth_ledger(truth, again);
	truth_check(truth, false, "after going on");
	assert_int_equal(ledger_seen(again, ledger_row(again, 0))->first, 1000);
	assert_int_equal(ledger_seen(again, ledger_row(again, 0))->last, 2000);
	ledger_free(l);
	ledger_free(again);
	truth_free(truth);
}

static const struct {
	const char *says;
	const char *view, *aggregate;
	int want;
} others[] = {
	{ "the same", "talkers", AGGREGATE, 0 },
	{ "a view of another name", "listeners", AGGREGATE, -WEIR_EINVAL },
	{ "one field less", "talkers", "src_host,src_mac,label,proto,tcpflags",
	    -WEIR_EINVAL },
	{ "one more", "talkers", AGGREGATE ",vlan", -WEIR_EINVAL },
	{ "another of the same width", "talkers", "dst_host,src_mac,label,proto,tcpflags,tag",
	    -WEIR_EINVAL },
};

static void
only_a_view_of_the_same_fields_takes_it(void **state)
{
	struct rowspec rs;
	struct ledger *l = ledger_of(AGGREGATE, 2 * KEYS, &rs);
	struct truth *truth = truth_new(KEYS, 1);

	(void)state;
	ledger_fill(l, truth, 1000);
	assert_int_equal(ledger_save(l, path, "talkers", NULL), 0);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct rowspec its;
		struct ledger *one = ledger_of(others[i].aggregate, KEYS, &its);
		struct err e = ERR_INIT;

		print_message("# %s\n", others[i].says);
		assert_int_equal(ledger_load(one, path, others[i].view, &e), others[i].want);
		assert_int_equal(one->table.n == 0, others[i].want != 0);
		ledger_free(one);
	}
	ledger_free(l);
	truth_free(truth);
}

static void
rows_without_room_are_in_the_other_row(void **state)
{
	struct rowspec rs, small_rs;
	struct ledger *l = ledger_of(AGGREGATE, 2 * KEYS, &rs);
	struct ledger *small = ledger_of(AGGREGATE, 100, &small_rs);
	struct truth *truth = truth_new(KEYS, 1);
	struct sums sum;

	(void)state;
	ledger_fill(l, truth, 1000);
	assert_int_equal(ledger_save(l, path, "talkers", NULL), 0);
	assert_int_equal(ledger_load(small, path, "talkers", NULL), 0);
	assert_int_equal(small->table.n, 100);
	sum = small->other;
	for (uint32_t i = 0; i < small->table.n; i++)
		sums_add(&sum, rowspec_sums_get(&small_rs, ledger_row(small, i)));
	assert_true(sums_equal(&sum, &small->total));
	ledger_free(l);
	ledger_free(small);
	truth_free(truth);
}

/* The sum of the file is right, but what is in it is not whole. */
static void
what_is_cut_or_too_long_changes_nothing(void **state)
{
	struct rowspec rs;
	struct ledger *l = ledger_of(AGGREGATE, 2 * KEYS, &rs);
	struct truth *truth = truth_new(KEYS, 1);
	struct sums none = { 0 };
	uint8_t *body;
	size_t len;

	(void)state;
	ledger_fill(l, truth, 1000);
	assert_int_equal(ledger_save(l, path, "talkers", NULL), 0);
	assert_int_equal(statefile_read(path, "ledger", 1, 1 << 20, &body, &len, NULL), 0);
	for (size_t keep = 0; keep <= len + 1; keep += keep < 400 || keep + 3 > len ? 1 : 97) {
		struct rowspec its;
		struct ledger *one = ledger_of(AGGREGATE, 2 * KEYS, &its);
		struct err e = ERR_INIT;
		int rc;

		body = realloc(body, len + 1);
		assert_int_equal(statefile_write(path, "ledger", 1, body, keep, NULL), 0);
		rc = ledger_load(one, path, "talkers", &e);
		if ((rc == 0) != (keep == len))
			fail_msg("%zu of %zu octets: %d", keep, len, rc);
		if (rc != 0) {
			assert_int_equal(one->table.n, 0);
			assert_true(sums_equal(&one->total, &none));
			assert_int_equal(one->cleared, 0);
			assert_true(e.text[0] != '\0');
		}
		ledger_free(one);
	}
	free(body);
	ledger_free(l);
	truth_free(truth);
}

static void
without_a_file_there_is_nothing(void **state)
{
	struct rowspec rs;
	struct ledger *l = ledger_of(AGGREGATE, 10, &rs);

	(void)state;
	assert_int_equal(ledger_load(l, "/nowhere/at/all", "talkers", NULL), -WEIR_ENOENT);
	assert_int_equal(ledger_save(l, "/nowhere/at/all", "talkers", NULL), -WEIR_EIO);
	ledger_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(only_a_view_of_the_same_fields_takes_it),
		cmocka_unit_test(rows_without_room_are_in_the_other_row),
		cmocka_unit_test(what_is_cut_or_too_long_changes_nothing),
		cmocka_unit_test(without_a_file_there_is_nothing),
	};
	int fd = mkstemp(path), rc;

	if (fd == -1)
		return 1;
	close(fd);
	rc = cmocka_run_group_tests_name("ledger_file", tests, NULL, NULL);
	unlink(path);
	return rc;
}
