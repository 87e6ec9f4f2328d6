/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/snapshot.h"
#include "core/view.h"
#include "tests/core/traffic.h"

static struct view *
view_make(bool history, uint32_t max_rows)
{
	struct view_config c;
	struct view *v;

	memset(&c, 0, sizeof(c));
	assert_int_equal(
	    field_set_parse("src_host,proto,tcpflags", &c.aggregate, NULL), 0);
	if (history)
		c.bins = traffic_bins;
	v = view_new("a", &c, max_rows, 1, NULL);
	assert_non_null(v);
	return v;
}

/* A snapshot of `n` drawn flows. */
static struct snapshot *
snapshot_make(struct view *v, struct traffic *t, struct truth *truth, unsigned n)
{
	struct snapshot *s;
	struct shard sh;

	assert_int_equal(shard_init(&sh, v, NULL), 0);
	for (unsigned i = 0; i < n; i++) {
		struct flow f;

		traffic_flow(t, &f);
		truth_feed(truth, &f);
		shard_feed(&sh, &f, 1);
	}
	s = snapshot_new(v, sh.active, true);
	assert_non_null(s);
	sh.active = NULL;
	shard_fini(&sh);
	return s;
}

static const struct {
	const char *says;
	bool history;
	uint32_t keys, bins, max_rows;
	unsigned flows;
	bool others;
} shots[] = {
	{ "nothing", true, 10, 3, 100, 0, false },
	{ "no history", false, 500, 1, 1000, 3000, false },
	{ "bins, in the order of time", true, 300, 9, 5000, 8000, false },
	{ "an other row in each bin", true, 300, 9, 50, 8000, true },
};

static void
test_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(shots) / sizeof(shots[0]); i++) {
		struct view *v = view_make(shots[i].history, shots[i].max_rows);
		struct traffic t = { i, shots[i].keys, shots[i].bins };
		struct truth *truth = truth_new(shots[i].keys, shots[i].bins);
		struct snapshot *s = snapshot_make(v, &t, truth, shots[i].flows);

		truth_snapshot(truth, s);
		truth_check(truth, shots[i].others, shots[i].says);
		for (uint32_t r = 1; r < s->n; r++) {
			const uint8_t *a = snapshot_row(s, r - 1),
				      *b = snapshot_row(s, r);
			uint64_t p = snapshot_bin(s, a).start,
				 q = snapshot_bin(s, b).start;

			if (p > q || (p == q && memcmp(a, b, s->rs->key_octets) >= 0))
				fail_msg(
				    "%s: row %u is out of order", shots[i].says, r);
		}
		if (!shots[i].history && s->n > 0)
			assert_true(
			    snapshot_bin(s, snapshot_row(s, 0)).end == UINT64_MAX);
		snapshot_unref(s);
		view_free(v);
		truth_free(truth);
	}
}

/* The memory goes back to the view with the last reference, not before. */
static void
test_references(void **state)
{
	struct view *v = view_make(true, 100);
	struct traffic t = { 1, 50, 2 };
	struct truth *truth = truth_new(50, 2);
	struct snapshot *s = snapshot_make(v, &t, truth, 500);

	(void)state;
	assert_ptr_equal(snapshot_ref(s), s);
	assert_null(v->pool);
	snapshot_unref(s);
	assert_null(v->pool);
	truth_snapshot(truth, s); /* still there */
	truth_check(truth, false, "one reference is left");
	snapshot_unref(s);
	assert_non_null(v->pool);
	assert_int_equal(v->pool->n_bins, 0);
	snapshot_unref(NULL);
	view_free(v);
	truth_free(truth);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_references),
	};

	return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
