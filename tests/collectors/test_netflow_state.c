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

#include "collectors/netflow_state.h"
#include "lib/statefile.h"
#include "tests/collectors/netflow_bench.h"

static char folder[64], path[96];

/* Templates of all four kinds of 192.0.2.1, and records of them. */
static void
tell(struct bench *b)
{
	struct wbuf w;

	v9_header(&w, 0, 7);
	v9_template(&w, 256);
	WORDS(&w, 1, 24, 257, 4, 8, 1, 4, 34, 4, 35, 1, 0);
	WORDS(&w, 256, 24);
	v9_record(&w, 0x0a000001, 100);
	assert_int_equal(bench_feed(b, &w), 1);
	ipfix_header(&w, 0, 8);
	WORDS(&w, 2, 16, 300, 2, 82, 65535, 1, 4);
	WORDS(&w, 3, 26, 258, 3, 1, 0x8000 | 138, 4, 0, 32473, 41, 2, 42, 2);
	WORDS(&w, 300, 12, 0x0361, 0x6263, 0, 0x0044);
	ipfix_end(&w);
	assert_int_equal(bench_feed(b, &w), 1);
}

/* Records alone: are they decoded? */
static void
check_records(struct bench *b, bool known)
{
	uint64_t options = bench_stat(b, STAT_RECORDS_NOT_FLOW);
	struct wbuf w;

	v9_header(&w, 1, 7);
	WORDS(&w, 256, 24);
	v9_record(&w, 0x0a000001, 100);
	WORDS(&w, 257, 16, 0, 1, 0, 100, 0x0100, 0);
	assert_int_equal(bench_feed(b, &w), known);
	ipfix_header(&w, 1, 8);
	WORDS(&w, 300, 12, 0x0361, 0x6263, 0, 0x0044);
	WORDS(&w, 258, 12, 0, 1, 345, 10201);
	ipfix_end(&w);
	assert_int_equal(bench_feed(b, &w), known);
	assert_int_equal(bench_stat(b, STAT_RECORDS_NOT_FLOW) - options, known ? 2 : 0);
	assert_int_equal(bench_stat(b, STAT_SETS_WAITING), known ? 0 : 4);
	bench_books(b, "records alone");
}

static void
test_after_a_restart(void **state)
{
	struct err e = ERR_INIT;
	struct bench b;
	uint64_t changes;

	(void)state;
	bench_open(&b, false);
	changes = netflow_state_changes();
	tell(&b);
	assert_int_equal(netflow_state_changes() - changes, 4);
	check_records(&b, true);
	assert_int_equal(netflow_state_changes() - changes, 4);
	assert_int_equal(netflow_state_save(b.exporters, path, &e), 0);
	bench_close(&b);

	bench_open(&b, false);
	check_records(&b, false);
	bench_close(&b);

	bench_open(&b, false);
	assert_int_equal(netflow_state_load(&b.cache, &b.pipeline.needs, path, &e), 4);
	assert_int_equal(exporters_count(b.exporters), 2);
	assert_true(exporters_at(b.exporters, 0)->known_before);
	check_records(&b, true);
	assert_int_equal(bench_stat(&b, STAT_TEMPLATES), 0);
	/* What was read is written again, word for word. */
	assert_int_equal(netflow_state_save(b.exporters, path, &e), 0);
	bench_close(&b);
	bench_open(&b, false);
	assert_int_equal(netflow_state_load(&b.cache, &b.pipeline.needs, path, &e), 4);
	check_records(&b, true);
	bench_close(&b);
}

/* Who told templates and never sent a record is not written. */
static void
test_of_no_use(void **state)
{
	struct err e = ERR_INIT;
	struct bench b;
	struct wbuf w;

	(void)state;
	bench_open(&b, false);
	v9_header(&w, 0, 7);
	v9_template(&w, 256);
	bench_feed(&b, &w);
	assert_int_equal(netflow_state_save(b.exporters, path, &e), 0);
	bench_close(&b);
	bench_open(&b, false);
	assert_int_equal(netflow_state_load(&b.cache, &b.pipeline.needs, path, &e), 0);
	assert_int_equal(exporters_count(b.exporters), 0);
	bench_close(&b);
}

/* A body that somebody else made: cut anywhere, any octet changed, checksums right. */
static void
test_hostile(void **state)
{
	static const uint8_t masks[] = { 0x01, 0x80, 0xff };
	struct err e = ERR_INIT;
	uint8_t *body, copy[512];
	struct bench b;
	size_t len;

	(void)state;
	bench_open(&b, false);
	tell(&b);
	assert_int_equal(netflow_state_save(b.exporters, path, &e), 0);
	bench_close(&b);
	assert_int_equal(statefile_read(path, "templates", 1, 512, &body, &len, &e), 0);
	for (size_t cut = 0; cut < len; cut++) {
		assert_int_equal(
		    statefile_write(path, "templates", 1, body, cut, &e), 0);
		bench_open(&b, false);
		assert_in_range(
		    netflow_state_load(&b.cache, &b.pipeline.needs, path, &e), 0, 3);
		bench_close(&b);
	}
	for (size_t i = 0; i < len; i++)
		for (size_t k = 0; k < sizeof(masks); k++) {
			memcpy(copy, body, len);
			copy[i] ^= masks[k];
			assert_int_equal(
			    statefile_write(path, "templates", 1, copy, len, &e), 0);
			bench_open(&b, false);
			assert_in_range(
			    netflow_state_load(&b.cache, &b.pipeline.needs, path, &e),
			    0, 4);
			tell(&b);
			bench_books(&b, "after hostile templates");
			bench_close(&b);
		}
	free(body);
	/* One that is damaged, or none, is no state at all. */
	assert_int_equal(truncate(path, 20), 0);
	bench_open(&b, false);
	assert_int_equal(netflow_state_load(&b.cache, &b.pipeline.needs, path, &e),
	    -WEIR_EMALFORMED);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(
	    netflow_state_load(&b.cache, &b.pipeline.needs, path, &e), -WEIR_ENOENT);
	bench_close(&b);
}

static int
enter(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/weir-test-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/templates", folder);
	return bench_enter(state);
}

static int
leave(void **state)
{
	(void)unlink(path);
	(void)rmdir(folder);
	return bench_leave(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_after_a_restart),
		cmocka_unit_test(test_of_no_use),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
