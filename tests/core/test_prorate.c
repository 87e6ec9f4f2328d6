/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/prorate.h"
#include "lib/clock.h"
#include "tests/core/fake.h"

#define BASE UINT64_C(1700000040) /* a whole minute */
#define HUGE (UINT64_MAX - 5)

/* Times are seconds after BASE; bins have a minute. */
static const struct {
	const char *says;
	uint32_t stamp, start, end; /* end 0: none */
	uint64_t packets, bytes;
	const char
	    *want; /* stamp:packets/bytes/flows of each share; NULL: not divided */
} cases[] = {
	{ "all in one bin", 10, 10, 50, 8, 800, NULL },
	{ "to the end of the bin", 10, 10, 60, 8, 800, NULL },
	{ "of one moment", 10, 10, 10, 8, 800, NULL },
	{ "no end", 10, 10, 0, 8, 800, NULL },
	{ "an end before the start", 10, 10, 5, 8, 800, NULL },
	{ "a bin that is the arrival's", 110, 10, 90, 8, 800, NULL },
	{ "two halves", 30, 30, 90, 8, 800, "30:4/400/1 60:4/400/0" },
	{ "three bins, the middle one whole", 30, 30, 150, 8, 800,
	    "30:2/200/1 60:4/400/0 120:2/200/0" },
	{ "what does not divide goes to the later", 30, 30, 90, 3, 101,
	    "30:1/50/1 60:2/51/0" },
	{ "one packet is in one share, octets in both", 30, 30, 90, 1, 100,
	    "30:0/50/1 60:1/50/0" },
	{ "a share of nothing is none, but for the flow's", 30, 30, 270, 1, 1,
	    "30:0/0/1 240:1/1/0" },
	{ "a start cut to the second", 31, 30, 91, 60, 60, "31:29/29/1 60:31/31/0" },
	{ "ends where the next bin starts", 30, 30, 120, 9, 9, "30:3/3/1 60:6/6/0" },
	{ "counters as large as they get, to one in 10^9", 30, 30, 90, HUGE, 3,
	    "30:9223372034702655662/1/1 60:9223372039006895948/2/0" },
	{ "as many bins as may be", 30, 30, 30 + 60 * PRORATE_BINS - 1, 0, 0,
	    "30:0/0/1" },
	{ "one more", 30, 30, 30 + 60 * PRORATE_BINS, 8, 8, NULL },
};

static const struct bins minutes = { .seconds = 60, .base = BASE * CLOCK_S };

static struct flow
flow_of(uint64_t stamp, uint64_t start, uint64_t end, uint64_t packets, uint64_t bytes)
{
	struct flow f;

	flow_clear(&f);
	f.stamp = stamp;
	f.timestamp_start = start;
	f.timestamp_end = end;
	f.packets = packets;
	f.bytes = bytes;
	f.flows = 1;
	return f;
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct flow part,
		    f = flow_of((BASE + cases[i].stamp) * CLOCK_S,
			(BASE + cases[i].start) * CLOCK_S,
			cases[i].end != 0 ? (BASE + cases[i].end) * CLOCK_S : 0,
			cases[i].packets, cases[i].bytes);
		struct prorate p;
		char text[300] = "";
		size_t n = 0;

		f.in_iface = 77; /* all else is in each share */
		if (!prorate_begin(&p, &minutes, &f)) {
			if (cases[i].want != NULL)
				fail_msg("%s: not divided", cases[i].says);
			continue;
		}
		while (prorate_next(&p, &part)) {
			assert_int_equal(part.in_iface, 77);
			n += (size_t)snprintf(text + n, sizeof(text) - n,
			    "%s%llu:%llu/%llu/%llu", n > 0 ? " " : "",
			    (unsigned long long)(part.stamp / CLOCK_S - BASE),
			    (unsigned long long)part.packets,
			    (unsigned long long)part.bytes,
			    (unsigned long long)part.flows);
		}
		if (cases[i].want == NULL || strcmp(text, cases[i].want) != 0)
			fail_msg("%s: %s", cases[i].says, text);
	}
}

/* What rows of a bin tell of their packets' times is within it. */
static void
test_spans(void **state)
{
	static const uint32_t want[][2] = { { 30, 60 }, { 60, 120 }, { 120, 150 } };
	struct flow part, f = flow_of((BASE + 31) * CLOCK_S, (BASE + 30) * CLOCK_S,
			      (BASE + 150) * CLOCK_S, 800, 800);
	struct prorate p;
	size_t n = 0;

	(void)state;
	f.timestamp_min = f.timestamp_start;
	f.timestamp_max = f.timestamp_end;
	assert_true(prorate_begin(&p, &minutes, &f));
	for (; prorate_next(&p, &part); n++) {
		assert_true(n < sizeof(want) / sizeof(want[0]));
		assert_int_equal(part.timestamp_min, (BASE + want[n][0]) * CLOCK_S);
		assert_int_equal(part.timestamp_max, (BASE + want[n][1]) * CLOCK_S);
		assert_int_equal(part.timestamp_start, f.timestamp_start);
		assert_int_equal(part.timestamp_end, f.timestamp_end);
	}
	assert_int_equal(n, sizeof(want) / sizeof(want[0]));
}

/* Octets of frames are divided, too; those of a share of nothing go with the next. */
static void
test_link_bytes(void **state)
{
	static const uint32_t want[][2] = { { 30, 9 }, { 120, 36 }, { 240, 36 },
		{ 300, 19 } };
	struct flow part, f = flow_of((BASE + 30) * CLOCK_S, (BASE + 30) * CLOCK_S,
			      (BASE + 360) * CLOCK_S, 0, 3);
	struct prorate p;
	size_t n = 0;

	(void)state;
	f.link_bytes = 100;
	assert_true(prorate_begin(&p, &minutes, &f));
	for (; prorate_next(&p, &part); n++) {
		assert_true(n < sizeof(want) / sizeof(want[0]));
		assert_int_equal(part.stamp, (BASE + want[n][0]) * CLOCK_S);
		assert_int_equal(part.link_bytes, want[n][1]);
	}
	assert_int_equal(n, sizeof(want) / sizeof(want[0]));
}

/* Whatever the times and counters, the shares are the whole, each in a bin of its own. */
static void
test_conserved(void **state)
{
	uint64_t seed = 1, divided = 0;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t start = BASE * CLOCK_S + (seed >> 20) % (100 * CLOCK_S);
		uint64_t length = (seed >> 13) % (UINT64_C(1) << (i % 43));
		uint64_t last_bin = UINT64_MAX;
		struct flow part, sum = flow_of(0, 0, 0, 0, 0),
				  f = flow_of(start, start, start + length,
				      seed >> (i % 64), seed * 3 >> (i % 60));
		struct prorate p;

		seed = seed * UINT64_C(6364136223846793005) +
		       UINT64_C(1442695040888963407);
		if (!prorate_begin(&p, &minutes, &f))
			continue;
		divided++;
		sum.flows = 0;
		while (prorate_next(&p, &part)) {
			uint64_t bin = bins_find(&minutes, part.stamp).start;

			assert_true(last_bin == UINT64_MAX || bin > last_bin);
			assert_in_range(part.stamp, f.stamp, f.timestamp_end);
			last_bin = bin;
			sum.packets += part.packets;
			sum.bytes += part.bytes;
			sum.flows += part.flows;
		}
		assert_int_equal(sum.packets, f.packets);
		assert_int_equal(sum.bytes, f.bytes);
		assert_int_equal(sum.flows, 1);
	}
	assert_true(divided > 1000);
}

/* A batch of flows that all divide: the shard counts what it is fed. */
static void
test_shard(void **state)
{
	struct output_config common = { .aggregate = "src_host",
		.history = "1m",
		.pro_rating = true,
		.refresh = 60 };
	struct engine *en = fake_engine(1, 10000);
	struct fake_out out = { 0 };
	struct pipeline *p = &en->workers[0].pipeline;
	const struct slab *slab;

	(void)state;
	fake_output_add(en, &fake_output, "a", &common, &out);
	fake_prepare(en);
	assert_true(field_set_has(&p->needs, F_TIMESTAMP_END));
	for (uint64_t i = 0; i < 2 * FLOW_BATCH; i++) {
		uint64_t start = (BASE + 30) * CLOCK_S;
		struct flow *f = pipeline_slot(p);

		*f =
		    flow_of(start, start, start + i % 7 * 60 * CLOCK_S, 700 + i, 77777);
		pipeline_commit(p);
	}
	pipeline_flush(p);
	slab = en->workers[0].shards[0].active;
	assert_int_equal(slab->table.n, 7); /* a row for each minute */
	assert_int_equal(slab->counted.packets, p->fed.packets);
	assert_int_equal(slab->counted.bytes, p->fed.bytes);
	assert_int_equal(slab->counted.flows, 2 * FLOW_BATCH);
	engine_free(en);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_link_bytes),
		cmocka_unit_test(test_conserved),
		cmocka_unit_test(test_shard),
	};

	return cmocka_run_group_tests_name("prorate", tests, NULL, NULL);
}
