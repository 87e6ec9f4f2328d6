/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * However a capture is cut into reads, however many workers share its streams, and whenever
 * slabs are taken from them: each interval has the same packets of each class, and as many of
 * all as a view has that asks for no class.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collectors/channels.h"
#include "lib/clock.h"
#include "lib/intern.h"
#include "tests/collectors/class_rig.h"
#include "tests/core/class_sink.h"
#include "tests/core/fake.h"

#define PACKETS   6000U
#define STREAMS   150U
#define BETWEEN   (CLOCK_S / 10) /* two packets */
#define INTERVALS 11U            /* of a minute */
#define START     (UINT64_C(1000) * 60 * CLOCK_S)
#define WORKERS   3U

static const char *const classes[] = { "web", "mail", "guess", "unknown", "RTP", "SIP" };
enum { CLASSES = sizeof(classes) / sizeof(classes[0]) };

/* A run over the capture. */
struct run {
	enum view_unknown unknown;
	const char *octets; /* the sort of payloads that there are, one drawn for each packet; */
	uint32_t announced; /* and in so many thousandths another stream announces this one */
	uint32_t idle_ms;
	unsigned workers;
	uint32_t read;  /* packets of a read */
	uint32_t round; /* and from one round of the publisher to the next; 0: none */
	struct class_sink of_classes, all;
	struct engine *en;
	struct class_config config;
	struct packet_wants wants;
	struct classes *cs[WORKERS];
};

static void
run_open(struct run *r)
{
	static const struct output_config by_class = { .aggregate = "class", .history = "1m",
		.refresh = 60 }, none = { .aggregate = "none", .history = "1m", .refresh = 60 };
	static const struct rules_config no_rules;
	static const struct fake_in in;
	struct err e = ERR_INIT;

	clock_set(START);
	r->all = r->of_classes = (struct class_sink){ .start = START, .n_bins = INTERVALS,
		.hold_open = true, .adds_up = true };
	r->of_classes.classes = classes;
	r->of_classes.n_classes = CLASSES;
	r->of_classes.unknown = r->unknown;
	r->config = class_rig_config(1000);
	r->config.idle_ms = r->idle_ms;
	assert_non_null(r->config.channels = channels_new());
	r->en = fake_engine(r->workers, 100);
	assert_int_equal(engine_output(r->en, &class_sink_output, "classes", &by_class, &no_rules,
	                     &r->of_classes, &e), 0);
	assert_int_equal(engine_output(r->en, &class_sink_output, "all", &none, &no_rules, &r->all, &e), 0);
	fake_prepare(r->en);
	assert_int_equal(engine_collector(r->en, &fake_collector, &in, 0, &e), 0);
	packet_wants_init(&r->wants, &r->en->workers[0].pipeline.needs);
	for (unsigned w = 0; w < r->workers; w++) {
		struct pipeline *p = &r->en->workers[w].pipeline;

		pipeline_source(p, SOURCE_PACKETS);
		assert_non_null(r->cs[w] = classes_new(&r->config, &r->wants, p, &e));
	}
}

/* A read of each worker's door ends. */
static void
run_read_end(struct run *r, uint64_t now)
{
	for (unsigned w = 0; w < r->workers; w++) {
		atomic_store(&r->en->workers[w].collectors[0]->unsettled,
		    classes_age(r->cs[w], now));
		pipeline_flush(&r->en->workers[w].pipeline);
	}
}

static void
run_round(struct run *r, uint64_t now, bool last)
{
	clock_set(now);
	publisher_round(r->en->publisher, now, last);
	for (unsigned i = 0; i < 2; i++) {
		const struct view_books *b = &r->en->views[i]->books;

		assert_true(b->collected.packets == b->rows.packets + b->held.packets);
	}
}

static void
run_play(struct run *r)
{
	uint32_t seed = 7, n_octets = (uint32_t)strlen(r->octets);

	for (uint32_t i = 1; i <= PACKETS; i++) {
		uint64_t now = START + i * BETWEEN;
		uint32_t no = class_draw(&seed, STREAMS);
		bool back = class_draw(&seed, 2) == 1;
		unsigned w = no % r->workers;

		char octet = r->octets[class_draw(&seed, n_octets)];

		/* Whoever has the stream, another one has that. */
		if (class_draw(&seed, 1000) < r->announced)
			class_announce(&r->en->workers[(w + 1) % r->workers].pipeline,
			    r->cs[(w + 1) % r->workers], &r->wants, now, no, true);
		else
			class_send(&r->en->workers[w].pipeline, r->cs[w], &r->wants, now, no, back,
			    octet);
		bool round = r->round != 0 && i % r->round == 0;

		if (round || i % r->read == 0)
			run_read_end(r, now);
		if (round)
			run_round(r, now, false);
	}
	for (unsigned w = 0; w < r->workers; w++) {
		classes_finish(r->cs[w]);
		atomic_store(&r->en->workers[w].collectors[0]->unsettled, 0);
	}
	run_round(r, START + PACKETS * BETWEEN, true);
	for (unsigned w = 0; w < r->workers; w++)
		classes_free(r->cs[w]);
	channels_free(r->config.channels);
	assert_int_equal(class_rig_streams, 0);
	engine_free(r->en);
	clock_set(0);
}

static void
run_compare(const struct run *r, const struct run *want)
{
	for (unsigned k = 0; k < INTERVALS; k++) {
		uint64_t sum = 0;

		for (unsigned c = 0; c < CLASSES; c++) {
			uint64_t n = r->of_classes.packets[k][c];

			sum += n;
			if (n != want->of_classes.packets[k][c])
				fail_msg("idle %u ms, %u announced, %u workers, reads of %u, rounds of %u: %llu of %s "
				         "in interval %u, not %llu", r->idle_ms, r->announced, r->workers, r->read, r->round,
				    (unsigned long long)n, classes[c], k,
				    (unsigned long long)want->of_classes.packets[k][c]);
		}
		assert_int_equal(sum, r->all.packets[k][0]);
		assert_true(sum > 0);
	}
}

/*
 * Rows of unknown class wait, and have then the class that they are of; all of an interval waits,
 * where that may become another. Some 15 s are between two packets of a stream.
 */
static const struct {
	enum view_unknown unknown;
	const char *octets;
	uint32_t idle_ms;
	uint32_t announced;
} kinds[] = {
	{ UNKNOWN_WAITS, "----------------------------wmgg", 600000, 0 },
	{ UNKNOWN_HOLDS_BIN, "------------------------wmppqqgg", 600000, 0 },
	{ UNKNOWN_WAITS, "----------------------------wmgg", 5000, 0 },
	{ UNKNOWN_HOLDS_BIN, "------------------------wmppqqgg", 20000, 0 },
	{ UNKNOWN_WAITS, "----------------------------wmgg", 600000, 50 },
	{ UNKNOWN_HOLDS_BIN, "------------------------wmppqqgg", 20000, 50 },
};

static void
check_any_split(unsigned kind)
{
	struct run all = { .unknown = kinds[kind].unknown, .octets = kinds[kind].octets,
		.idle_ms = kinds[kind].idle_ms, .announced = kinds[kind].announced, .workers = 1,
		.read = PACKETS };
	struct run want = all;
	uint32_t seed = 3;

	run_open(&want);
	run_play(&want);
	for (unsigned c = 0; c < (all.announced > 0 ? CLASSES : CLASSES - 2); c++)
		assert_true(want.of_classes.packets[INTERVALS / 2][c] > 0);
	for (unsigned i = 0; i < 40; i++) {
		struct run r = all;

		r.workers = 1 + i % WORKERS;
		r.read = 1 + class_draw(&seed, 900);
		r.round = i % 4 == 0 ? 0 : 1 + class_draw(&seed, 1000);
		run_open(&r);
		run_play(&r);
		run_compare(&r, &want);
	}
}

static void
test_any_split(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		check_any_split(i);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_split),
	};

	return cmocka_run_group_tests_name("collectors/class_intervals", tests, NULL, NULL);
}
