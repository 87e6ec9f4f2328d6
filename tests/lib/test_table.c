/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/err.h"
#include "lib/table.h"

#define MAX_KEY_WORDS 64U /* 512 octets */
#define FIRST_INDEX 576U /* rows at which the index doubles for the first time */

static uint64_t seed = 1;

/* Numerical Recipes' 64-bit generator: the same numbers on every run. */
static uint32_t
draw(uint32_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(seed >> 33) % below;
}

/* Key number `no`: keys differ in one octet only, at a place that wanders. */
static void
key_make(uint64_t *key, uint32_t words, uint64_t no)
{
	for (uint32_t i = 0; i < words; i++)
		key[i] = UINT64_C(0x0101010101010101) * (i + 1);
	key[no % words] ^= no << 8;
}

/* What is counted in a row after its key. */
static uint64_t *
row_count(const struct table *t, uint8_t *row)
{
	return (uint64_t *)(void *)(row + t->key_octets);
}

static const struct {
	const char *says;
	uint32_t key_words, more_words, max, universe, batches;
} models[] = {
	{ "a key of one word", 1, 3, 5000, 3000, 2000 },
	{ "five words, as a 5-tuple's", 5, 3, 5000, 4000, 2000 },
	{ "a row that is all key but one word", 6, 1, 2000, 1000, 500 },
	{ "a key of 264 octets", 33, 4, 2000, 1500, 500 },
	{ "a key of 512 octets", 64, 4, 1500, 1200, 300 },
	{ "a table that gets full", 3, 1, 1000, 4000, 2000 },
	{ "a table of a single row", 2, 1, 1, 10, 100 },
	{ "one key again and again", 2, 1, 100, 1, 100 },
	{ "exactly as many keys as rows", 2, 1, 700, 700, 500 },
	{ "growth over nine doublings", 2, 1, 300000, 300000, 8000 },
};

/* Count batches of drawn keys in `t` and in `model` (by key number), and compare. */
static void
feed(struct table *t, size_t i, uint64_t *model, uint64_t *refused_want)
{
	uint64_t keys[TABLE_BATCH * MAX_KEY_WORDS];
	uint8_t *rows[TABLE_BATCH], *looked[TABLE_BATCH];
	uint32_t numbers[TABLE_BATCH], rows_n = 0;
	uint64_t refused = 0;

	for (uint32_t b = 0; b < models[i].batches; b++) {
		unsigned n = draw(TABLE_BATCH) + 1, nulls = 0, got;

		for (unsigned k = 0; k < n; k++) {
			numbers[k] = draw(models[i].universe);
			key_make(keys + k * models[i].key_words, models[i].key_words,
			    numbers[k]);
		}
		got = table_upsert(t, keys, n, rows);
		table_look(t, keys, n, looked);
		assert_memory_equal(looked, rows, n * sizeof(*rows));
		for (unsigned k = 0; k < n; k++) {
			if (rows[k] == NULL) {
				nulls++;
				if (model[numbers[k]] != 0)
					fail_msg("%s: a key that is there was refused",
					    models[i].says);
				continue;
			}
			if (model[numbers[k]]++ == 0)
				rows_n++;
			if (memcmp(rows[k], keys + k * models[i].key_words,
				t->key_octets) != 0)
				fail_msg("%s: another key's row", models[i].says);
			if (++*row_count(t, rows[k]) != model[numbers[k]])
				fail_msg("%s: the row counts %llu, not %llu",
				    models[i].says,
				    (unsigned long long)*row_count(t, rows[k]),
				    (unsigned long long)model[numbers[k]]);
		}
		if (nulls != got || t->n != rows_n)
			fail_msg("%s: %u refused of %u, %u rows of %u", models[i].says,
			    got, nulls, t->n, rows_n);
		if (nulls > 0 && t->n < models[i].max)
			fail_msg("%s: refused with room left", models[i].says);
		refused += nulls;
	}
	*refused_want = refused;
}

/* Everything in the model is found, nothing else is; each row stands once. */
static void
check_found(const struct table *t, size_t i, const uint64_t *model)
{
	uint64_t key[MAX_KEY_WORDS], sum = 0, want = 0;

	for (uint32_t no = 0; no < models[i].universe; no++) {
		uint8_t *row;

		key_make(key, models[i].key_words, no);
		row = table_find(t, key);
		if ((row != NULL) != (model[no] != 0))
			fail_msg("%s: key %u %s", models[i].says, no,
			    row != NULL ? "was never counted" : "is lost");
		if (row != NULL && *row_count(t, row) != model[no])
			fail_msg("%s: key %u counts wrongly", models[i].says, no);
		want += model[no];
	}
	for (uint32_t r = 0; r < t->n; r++)
		sum += *row_count(t, table_row(t, r));
	if (sum != want)
		fail_msg("%s: rows sum to another number", models[i].says);
}

static void
test_models(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
		uint32_t words = models[i].key_words + models[i].more_words;
		uint64_t *model = calloc(models[i].universe, sizeof(*model)), refused;
		struct err e = ERR_INIT;
		struct table t;

		assert_non_null(model);
		assert_int_equal(table_init(&t, models[i].key_words * 8, words * 8,
				     models[i].max, &e),
		    0);
		feed(&t, i, model, &refused);
		check_found(&t, i, model);
		if ((models[i].universe > models[i].max) != (refused > 0))
			fail_msg("%s: %llu refused", models[i].says,
			    (unsigned long long)refused);

		/* A second life: what was there is gone, new rows begin at zero. */
		table_clear(&t);
		assert_int_equal(t.n, 0);
		memset(model, 0, models[i].universe * sizeof(*model));
		check_found(&t, i, model);
		feed(&t, i, model, &refused);
		check_found(&t, i, model);
		table_fini(&t);
		free(model);
	}
}

static void
test_duplicates_in_a_batch(void **state)
{
	uint64_t keys[TABLE_BATCH][2];
	uint8_t *rows[TABLE_BATCH];
	struct table t;

	(void)state;
	assert_int_equal(table_init(&t, 16, 24, 2, NULL), 0);
	for (unsigned i = 0; i < TABLE_BATCH; i++)
		key_make(keys[i], 2, 1 + i % 3);
	/* Three keys in turn, room for two: the third never gets a row. */
	assert_int_equal(table_upsert(&t, keys, TABLE_BATCH, rows), TABLE_BATCH / 3);
	for (unsigned i = 0; i < TABLE_BATCH; i++) {
		if (i % 3 == 2)
			assert_null(rows[i]);
		else
			assert_ptr_equal(rows[i], table_row(&t, i % 3));
	}
	assert_int_equal(table_upsert(&t, keys, 0, rows), 0);
	table_fini(&t);
}

static void
test_rows_stay_where_they_are(void **state)
{
	struct table t;
	uint64_t key[2];
	uint8_t *row, *first;

	(void)state;
	assert_int_equal(table_init(&t, 16, 24, 20000, NULL), 0);
	key_make(key, 2, 0);
	assert_int_equal(table_upsert(&t, key, 1, &first), 0);
	for (uint32_t i = 1; i < 20000; i++) {
		key_make(key, 2, i);
		assert_int_equal(table_upsert(&t, key, 1, &row), 0);
		assert_ptr_equal(row, table_row(&t, i));
	}
	key_make(key, 2, 0);
	assert_ptr_equal(table_find(&t, key), first);
	assert_ptr_equal(table_row(&t, 0), first);
	table_fini(&t);
}

/* Octets of address space that the process has. */
static uint64_t
address_space(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f == NULL || fscanf(f, "%lu", &pages) != 1)
		pages = 0;
	if (f != NULL)
		fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* The bound that weir states at start-up holds for every number of rows. */
static void
test_rows_close_up(void **state)
{
	enum { ROWS = 5000 };
	static uint32_t to[ROWS];
	struct table t;
	uint64_t key[2];
	uint32_t left = 0;
	uint8_t *row;

	(void)state;
	assert_int_equal(table_init(&t, 16, 32, ROWS, NULL), 0);
	for (uint32_t i = 0; i < ROWS; i++) {
		key_make(key, 2, i);
		assert_int_equal(table_upsert(&t, key, 1, &row), 0);
		memcpy(row + 16, &i, sizeof(i));
	}
	for (uint32_t i = 0; i < ROWS; i++)
		to[i] = i % 3 == 1 ? UINT32_MAX : left++;
	table_renumber(&t, to, left);
	assert_int_equal(t.n, left);
	for (uint32_t i = 0; i < ROWS; i++) {
		key_make(key, 2, i);
		row = table_find(&t, key);
		assert_true((row == NULL) == (to[i] == UINT32_MAX));
		if (row == NULL)
			continue;
		assert_ptr_equal(row, table_row(&t, to[i]));
		assert_memory_equal(row + 16, &i, sizeof(i));
	}
	/* Those that went may come anew, with nothing in them. */
	for (uint32_t i = 1; i < ROWS; i += 3) {
		uint64_t none[2] = { 0 };

		key_make(key, 2, i);
		assert_int_equal(table_upsert(&t, key, 1, &row), 0);
		assert_memory_equal(row + 16, none, sizeof(none));
	}
	assert_int_equal(t.n, ROWS);
	table_fini(&t);
}

static void
test_memory_is_bounded(void **state)
{
	static const uint32_t sizes[] = { 1, 575, 576, 577, 5000, 100000 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t before = address_space(), most;
		uint64_t bound = table_max_octets(32, sizes[i]) + 2 * 4096;
		struct table t;
		uint64_t key[2];
		uint8_t *row;

		assert_int_equal(table_init(&t, 16, 32, sizes[i], NULL), 0);
		for (uint32_t k = 0; k < sizes[i] + 10; k++) {
			key_make(key, 2, k);
			(void)table_upsert(&t, key, 1, &row);
		}
		assert_int_equal(t.n, sizes[i]);
		most = address_space();
		if (most > before + bound)
			fail_msg("%u rows: %llu octets, not %llu", sizes[i],
			    (unsigned long long)(most - before),
			    (unsigned long long)bound);
		table_fini(&t);
		assert_true(address_space() <= before);
	}
}

/*
 * When no memory is left for a bigger index, rows are refused before the index is full,
 * those that are there stay found, and table_fini gives everything back.
 */
static void
test_no_memory_to_grow(void **state)
{
	const uint32_t max = 1 << 20;
	uint64_t before = address_space(), key[2];
	struct rlimit old, none;
	uint32_t refused = 0;
	uint8_t *row;
	struct table t;

	(void)state;
	assert_int_equal(table_init(&t, 16, 32, max, NULL), 0);
	assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
	none = (struct rlimit){ 4096, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
	for (uint32_t i = 0; i < 2000; i++) {
		key_make(key, 2, i);
		refused += table_upsert(&t, key, 1, &row);
	}
	assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
	assert_true(t.n >= FIRST_INDEX && t.n < 2000);
	assert_int_equal(refused, 2000 - t.n);
	for (uint32_t i = 0; i < 2000; i++) {
		key_make(key, 2, i);
		row = table_find(&t, key);
		assert_true((row != NULL) == (i < t.n));
	}

	/* Memory may be there again: the next round may grow. */
	table_clear(&t);
	for (uint32_t i = 0; i < 2000; i++) {
		key_make(key, 2, i);
		assert_int_equal(table_upsert(&t, key, 1, &row), 0);
	}
	table_fini(&t);
	if (address_space() > before)
		fail_msg("%llu octets stay behind",
		    (unsigned long long)(address_space() - before));
}

static void
test_too_big(void **state)
{
	struct err e = ERR_INIT;
	struct table t;
	struct rlimit old, none;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
	none = (struct rlimit){ 4096, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
	assert_int_equal(table_init(&t, 8, 4096, UINT32_MAX, &e), -WEIR_ENOMEM);
	assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
	assert_non_null(strstr(e.text, "4294967295 rows"));
	table_fini(&t); /* harmless */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_models),
		cmocka_unit_test(test_duplicates_in_a_batch),
		cmocka_unit_test(test_rows_stay_where_they_are),
		cmocka_unit_test(test_rows_close_up),
		cmocka_unit_test(test_memory_is_bounded),
		cmocka_unit_test(test_no_memory_to_grow),
		cmocka_unit_test(test_too_big),
	};

	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
