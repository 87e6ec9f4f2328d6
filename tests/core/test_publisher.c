/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/output.h"
#include "core/publisher.h"
#include "lib/clock.h"
#include "tests/core/fake.h"

#define AGGREGATE "src_host,proto,tcpflags"
#define KEYS 100U
#define BINS 10U

/* Rounds are made by hand, at times that the test sets; no worker runs. */
struct rig {
	struct engine *en;
	struct traffic traffic;
	struct fake_out out;
	struct output *o;
	uint64_t now;
};

static void
rig_open(struct rig *g, const struct output_config *common, bool hold_open)
{
	setenv("TZ", "UTC", 1);
	tzset();
	memset(g, 0, sizeof(*g));
	g->now = TRAFFIC_START;
	clock_set(g->now);
	g->en = fake_engine(2, 5000);
	g->traffic = (struct traffic){ 1, KEYS, BINS };
	g->out.truth = truth_new(KEYS, common->history != NULL ? BINS : 1);
	g->out.hold_open = hold_open;
	g->o = fake_output_add(g->en, &fake_output, "a", common, &g->out);
	fake_prepare(g->en);
}

static void
rig_close(struct rig *g)
{
	engine_free(g->en);
	truth_free(g->out.truth);
	clock_set(0);
}

/* `n` flows to each worker, then a round `seconds` later. */
static void
rig_round(struct rig *g, unsigned n, unsigned seconds, bool last)
{
	for (unsigned w = 0; w < 2; w++)
		fake_feed(g->en, w, &g->traffic, g->out.truth, n);
	g->now += seconds * CLOCK_S;
	clock_set(g->now);
	publisher_round(g->en->publisher, g->now, last);
	fake_books_check(g->en, "after a round");
}

static const struct output_config plain = { .aggregate = AGGREGATE, .refresh = 60 };
static const struct output_config binned = {
	.aggregate = AGGREGATE, .refresh = 60, .history = "1m", .history_roundoff = "m"
};

static void
test_refresh(void **state)
{
	struct rig g;
	struct view *v;

	(void)state;
	rig_open(&g, &plain, false);
	v = g.o->view;
	for (unsigned second = 1; second < 60; second++) {
		rig_round(&g, 10, 1, false);
		assert_int_equal(g.out.writes, 0);
	}
	rig_round(&g, 10, 1, false); /* the minute is over */
	assert_int_equal(g.out.writes, 1);
	assert_int_equal(g.out.seen[0].seq, 1);
	assert_true(g.out.seen[0].cut == g.now && g.out.seen[0].horizon == g.now);
	assert_false(g.out.seen[0].last);
	truth_check(g.out.truth, false, "the first refresh");
	rig_round(&g, 10, 59, false);
	assert_int_equal(g.out.writes, 1);
	rig_round(&g, 10, 1, false);
	assert_int_equal(g.out.writes, 2);
	truth_check(g.out.truth, false, "the second");
	rig_round(
	    &g, 0, 60, false); /* nothing came: outputs are told so all the same */
	assert_int_equal(g.out.writes, 3);
	assert_int_equal(g.out.seen[2].rows, 0);
	assert_int_equal(v->seq, 3);
	rig_close(&g);
}

/* Who had nothing to do has not shown that he works again. */
static void
test_a_quiet_round_mends_nothing(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g, &plain, false);
	g.out.idles = true;
	rig_round(&g, 0, 60, false);
	assert_int_equal(atomic_load(&g.o->last_success), g.now);
	g.out.fail = true;
	rig_round(&g, 10, 60, false);
	g.out.fail = false;
	assert_int_equal(atomic_load(&g.o->state), OUTPUT_FAILING);
	rig_round(&g, 0, 60, false);
	assert_int_equal(g.out.writes, 3);
	assert_int_equal(atomic_load(&g.o->state), OUTPUT_FAILING);
	assert_int_equal(atomic_load(&g.o->last_success), g.now - 120 * CLOCK_S);
	rig_round(&g, 10, 60, false);
	assert_int_equal(atomic_load(&g.o->state), OUTPUT_OK);
	assert_int_equal(atomic_load(&g.o->last_success), g.now);
	rig_close(&g);
}

/* A round that comes late publishes once, and the next are in step again. */
static void
test_late_round(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g, &plain, false);
	rig_round(&g, 10, 60 * 5 + 17, false);
	assert_int_equal(g.out.writes, 1);
	rig_round(&g, 10, 42, false);
	assert_int_equal(g.out.writes, 1);
	rig_round(&g, 10, 1, false);
	assert_int_equal(g.out.writes, 2);
	truth_check(g.out.truth, false, "a late round");
	rig_close(&g);
}

/* The clock is set back by an hour: rows still go out every minute. */
static void
test_clock_goes_back(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g, &plain, false);
	rig_round(&g, 10, 60, false);
	g.now -= 3600 * CLOCK_S;
	rig_round(&g, 10, 0, false);
	assert_int_equal(g.out.writes, 2);
	for (unsigned i = 0; i < 3; i++)
		rig_round(&g, 10, 60, false);
	assert_int_equal(g.out.writes, 5);
	truth_check(g.out.truth, false, "a clock that went back");
	rig_close(&g);
}

/* Times of writing: round-off of the start, whole refreshes later, and the delay. */
static const struct {
	const char *says;
	struct output_config common;
	unsigned start_s; /* seconds after noon */
	unsigned due_s;
} firsts[] = {
	{ "from the minute of the start", { .refresh = 60 }, 25, 60 },
	{ "in step with the hour",
	    { .refresh = 1800, .history = "1h", .history_roundoff = "m" }, 25 * 60,
	    1800 },
	{ "in step with the day, not at once",
	    { .refresh = 3600, .history = "1h", .history_roundoff = "mh" }, 25 * 60,
	    3600 },
	{ "some seconds later", { .refresh = 60, .startup_delay = 7 }, 25, 67 },
	{ "a delay longer than the refresh", { .refresh = 60, .startup_delay = 90 }, 25,
	    150 },
};

static void
test_first_refresh(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		struct engine *en;
		struct fake_out out = { 0 };
		struct output *o;

		setenv("TZ", "UTC", 1);
		tzset();
		clock_set(TRAFFIC_START + firsts[i].start_s * CLOCK_S);
		en = fake_engine(1, 100);
		o = fake_output_add(en, &fake_output, "a", &firsts[i].common, &out);
		fake_prepare(en);
		if (o->view->next_due != TRAFFIC_START + firsts[i].due_s * CLOCK_S)
			fail_msg("%s: %llu s after noon", firsts[i].says,
			    (unsigned long long)((o->view->next_due - TRAFFIC_START) /
						 CLOCK_S));
		publisher_round(en->publisher, o->view->next_due - 1, false);
		assert_int_equal(out.writes, 0);
		publisher_round(en->publisher, o->view->next_due, false);
		assert_int_equal(out.writes, 1);
		engine_free(en);
		clock_set(0);
	}
}

/* Without hold_open all goes at each refresh; rows of one bin may then come twice. */
static void
test_open_bins_go(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g, &binned, false);
	rig_round(&g, 2000, 60, false);
	assert_int_equal(g.out.writes, 1);
	truth_check(g.out.truth, false, "open bins, too");
	assert_null(g.o->view->held);
	rig_close(&g);
}

static void
test_open_bins_wait(void **state)
{
	struct rig g;
	struct truth *truth;

	(void)state;
	rig_open(&g, &binned, true);
	truth = g.out.truth;
	rig_round(
	    &g, 2000, 60, false); /* bin 0 is over; the flows are of bins 0 to 9 */
	assert_int_equal(g.out.writes, 1);
	for (uint32_t b = 0; b < BINS; b++)
		for (uint32_t k = 0; k < KEYS; k++) {
			struct sums want = { 0 };

			if (b == 0)
				want = truth->fed[k];
			assert_true(sums_equal(&truth->got[b * KEYS + k], &want));
		}
	for (unsigned minute = 2; minute < BINS; minute++) {
		rig_round(&g, 100, 60, false); /* some of them late */
		assert_non_null(g.o->view->held);
	}
	assert_int_equal(g.out.writes, BINS - 1);
	rig_round(&g, 0, 60, false);
	truth_check(truth, false, "every bin, once it was over");
	rig_close(&g);
}

/* The last round waits for nothing: open bins go, too, and say so. */
static void
test_last_round(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g, &binned, true);
	rig_round(&g, 500, 60, false);
	rig_round(&g, 500, 5, true);
	assert_int_equal(g.out.writes, 2);
	assert_true(g.out.seen[1].last);
	assert_true(g.out.seen[1].horizon == UINT64_MAX);
	truth_check(g.out.truth, false, "the last round");
	assert_null(g.o->view->held);
	rig_close(&g);
}

/* Files decide what the present is: bins close when the reader has passed them. */
static void
test_file_time(void **state)
{
	struct rig g;
	struct fake_in in = { 1, KEYS, BINS, 0, 1, 0 };
	struct collector *c;

	(void)state;
	rig_open(&g, &binned, true);
	assert_int_equal(engine_collector(g.en, &fake_collector, &in, 1, NULL), 0);
	c = g.en->workers[0].collectors[0];
	c->follows_file_time = true;
	rig_round(&g, 1000, 24 * 3600, false);
	assert_int_equal(
	    g.out.seen[0].rows, 0); /* the clock is far ahead, the file is not */
	assert_true(g.out.seen[0].horizon == 0);
	atomic_store(&c->horizon, TRAFFIC_START + 3 * TRAFFIC_BIN);
	rig_round(&g, 0, 60, false);
	assert_true(g.out.seen[1].rows > 0);
	assert_true(g.out.seen[1].horizon == TRAFFIC_START + 3 * TRAFFIC_BIN);
	for (uint32_t b = 0; b < BINS; b++)
		assert_true((g.out.truth->got[b * KEYS].packets != 0) == (b < 3));
	atomic_store(&c->horizon, UINT64_MAX); /* the file is at its end */
	rig_round(&g, 0, 60, false);
	truth_check(g.out.truth, false, "a file");
	rig_close(&g);
}

/* There is a slab for one worker only: bins that the other one fills are not over. */
static void
test_bins_of_a_shard_that_stays(void **state)
{
	struct rig g;
	struct slab *s, *taken = NULL;
	uint64_t horizon;

	(void)state;
	rig_open(&g, &binned, false);
	rig_round(&g, 100, 60, false);
	horizon = g.out.seen[0].horizon;
	assert_true(horizon == g.now);
	while ((s = view_slab_get(g.o->view)) != NULL) {
		s->next = taken;
		taken = s;
	}
	s = taken->next;
	view_slab_put(g.o->view, taken);
	rig_round(&g, 100, 60, false);
	assert_int_equal(g.out.writes, 2);
	assert_true(g.out.seen[1].horizon == horizon);
	for (; (taken = s) != NULL; view_slab_put(g.o->view, taken))
		s = s->next;
	rig_round(&g, 100, 60, false);
	assert_true(g.out.seen[2].horizon == g.now);
	rig_close(&g);
}

/* A worker that answered too late for one cut: its slab is not lost, nor the next. */
static void
test_late_worker(void **state)
{
	struct rig g;
	struct shard *sh;
	struct worker *w;

	(void)state;
	rig_open(&g, &plain, false);
	w = &g.en->workers[0];
	sh = &w->shards[0];
	for (int last = 0; last < 2; last++) {
		fake_feed(g.en, 0, &g.traffic, g.out.truth, 500);
		pipeline_flush(&w->pipeline);
		atomic_store(&sh->offered, view_slab_get(g.o->view));
		assert_true(
		    shard_rotate(sh, &w->pipeline.fed, 0)); /* nobody came for it */
		rig_round(&g, 500, 60, last != 0);
		truth_check(g.out.truth, false, "a late worker");
		assert_null(atomic_load(&sh->retired));
	}
	rig_close(&g);
}

/* An output that is stuck holds two snapshots; the rest waits, merged. */
static void
test_full_queue(void **state)
{
	struct rig g;
	sem_t entered, gate;
	struct err e = ERR_INIT;

	(void)state;
	sem_init(&entered, 0, 0);
	sem_init(&gate, 0, 0);
	rig_open(&g, &plain, false);
	g.out.entered = &entered;
	g.out.gate = &gate;
	assert_int_equal(output_start(g.o, &e), 0);
	rig_round(&g, 200, 60, false);
	sem_wait(&entered); /* the first is being written */
	rig_round(&g, 200, 60, false);
	assert_false(output_has_room(g.o));
	assert_int_equal(atomic_load(&g.o->queued), 2);
	for (unsigned i = 0; i < 20; i++) {
		rig_round(&g, 200, 60, false);
		assert_int_equal(g.o->view->seq, 2); /* no more snapshots are made */
		assert_non_null(g.o->view->held);
	}
	assert_true(g.o->view->slabs <= g.o->view->max_slabs);

	sem_post(&gate); /* it moves on */
	sem_wait(&entered);
	sem_post(&gate);
	while (atomic_load(&g.o->queued) > 0) /* a few microseconds */
		sched_yield();
	rig_round(&g, 200, 1, false); /* at once: what waited is overdue */
	assert_int_equal(g.o->view->seq, 3);
	sem_wait(&entered);
	sem_post(&gate);
	sem_post(&gate);
	rig_round(&g, 200, 1, true);
	output_stop(g.o);
	assert_int_equal(g.out.writes, 4);
	truth_check(g.out.truth, false, "a slow output");
	assert_int_equal(g.o->rows, g.o->written);
	fake_books_check(g.en, "a slow output");
	rig_close(&g);
	sem_destroy(&entered);
	sem_destroy(&gate);
}

/*
 * A file's worker whose output is stuck: it asks for a round whenever one has ended, and has as
 * many bins as make it wait.
 */
static void
crowd(struct rig *g, unsigned first)
{
	struct shard *sh = &g->en->workers[0].shards[0];

	for (uint64_t i = first; sh->active->n_bins < SLAB_CROWDED; i++)
		slab_bin(sh->active, (struct bin){ i * 60 * CLOCK_S, (i + 1) * 60 * CLOCK_S });
	pipeline_crowded_see(&g->en->workers[0].pipeline);
}

/* Rounds that a file asks for, one behind the other, are few while an output stalls. */
static void
test_stalled_output(void **state)
{
	struct rig g;
	struct publisher *p;
	sem_t gate;
	struct err e = ERR_INIT;
	struct timespec began, ended;
	uint64_t before;

	(void)state;
	sem_init(&gate, 0, 0);
	rig_open(&g, &binned, false);
	p = g.en->publisher;
	g.out.gate = &gate;
	assert_int_equal(output_start(g.o, &e), 0);
	for (unsigned i = 0; i < 20 && (i == 0 || g.o->view->offered); i++) {
		crowd(&g, i * SLAB_CROWDED); /* one is written, one waits, and others are held */
		rig_round(&g, 200, 60, false);
	}
	assert_false(g.o->view->offered);
	assert_true(g.o->view->held->n_bins + SLAB_CROWDED < SLAB_BINS);
	assert_true(g.en->workers[0].shards[0].active->n_bins >= SLAB_CROWDED);

	assert_int_equal(publisher_start(p, &e), 0);
	clock_gettime(CLOCK_MONOTONIC, &began); /* not clock_mono: that one stands still */
	before = publisher_rounds(p);
	for (uint64_t last = before; last < before + 10; last = publisher_rounds(p)) {
		publisher_hurry(p);
		while (publisher_rounds(p) == last)
			sched_yield();
	}
	/* Of these the last at least have rested, however slow the machine is. */
	clock_gettime(CLOCK_MONOTONIC, &ended);
	assert_true((ended.tv_sec - began.tv_sec) * 1000 +
	        (ended.tv_nsec - began.tv_nsec) / 1000000 >= 3 * 50);
	publisher_stop(p);

	sem_post(&gate);
	sem_post(&gate);
	while (!output_has_room(g.o))
		sched_yield();
	rig_round(&g, 200, 1, false);
	assert_true(g.o->view->offered);
	for (unsigned i = 0; i < 3; i++)
		sem_post(&gate);
	rig_round(&g, 200, 1, true);
	output_stop(g.o);
	truth_check(g.out.truth, false, "a stalled output");
	rig_close(&g);
	sem_destroy(&gate);
}

/* At the end the publisher waits for a full queue, and nothing is left behind. */
static void
test_last_round_waits_for_room(void **state)
{
	struct rig g;
	sem_t gate;
	struct err e = ERR_INIT;

	(void)state;
	sem_init(&gate, 0, 0);
	rig_open(&g, &plain, false);
	g.out.gate = &gate;
	assert_int_equal(output_start(g.o, &e), 0);
	for (unsigned i = 0; i < 5; i++)
		rig_round(&g, 200, 60, false);
	for (unsigned i = 0; i < 3; i++)
		sem_post(&gate);
	rig_round(&g, 200, 1, true);
	output_stop(g.o);
	assert_int_equal(g.out.writes, 3);
	assert_true(g.out.seen[2].last);
	truth_check(g.out.truth, false, "the last round");
	rig_close(&g);
	sem_destroy(&gate);
}

/*
 * All slabs are out, say with outputs that try again and again: shards keep what they
 * have, and at the end it goes out all the same.
 */
static void
test_pool_is_empty(void **state)
{
	struct rig g;
	struct slab *out[32];
	unsigned n = 0;

	(void)state;
	rig_open(&g, &plain, false);
	while (n < 32 && (out[n] = view_slab_get(g.o->view)) != NULL)
		n++;
	assert_true(n < 32);
	for (unsigned i = 0; i < 5; i++)
		rig_round(&g, 200, 60, false);
	assert_int_equal(g.out.writes, 0);
	rig_round(&g, 200, 60, true);
	assert_int_equal(g.out.writes, 1);
	truth_check(g.out.truth, false, "an empty pool");
	while (n-- > 0)
		view_slab_put(g.o->view, out[n]);
	rig_close(&g);
}

/* Ledgers are told every second, whatever the refresh of others on the view. */
static void
test_ledger(void **state)
{
	struct fake_out shots = { .truth = truth_new(KEYS, BINS) };
	struct fake_out listener = { .truth = truth_new(KEYS, 1) };
	struct engine *en = fake_engine(2, 5000);
	struct traffic t = { 1, KEYS, BINS }, copy;
	struct output *o, *l;
	uint64_t now = TRAFFIC_START;

	(void)state;
	clock_set(now);
	o = fake_output_add(en, &fake_output, "shots", &binned, &shots);
	l = fake_output_add(en, &fake_ledger, "listener", &binned, &listener);
	fake_prepare(en);
	assert_ptr_equal(o->view, l->view);
	for (unsigned second = 1; second <= 130; second++) {
		copy = t;
		fake_feed(en, second % 2, &t, listener.truth, 20);
		for (unsigned i = 0; i < 20; i++) {
			struct flow f;

			traffic_flow(&copy, &f);
			truth_feed(shots.truth, &f);
		}
		now += CLOCK_S;
		clock_set(now);
		publisher_round(en->publisher, now, second == 130);
		fake_books_check(en, "with a ledger");
		assert_int_equal(listener.ledger_calls, second);
		truth_check(listener.truth, false, "the ledger");
		assert_true(l->view->ledger->updated == now);
		if (second == 100) { /* somebody clears the totals */
			ledger_lock(l->view->ledger);
			ledger_clear(l->view->ledger, now);
			ledger_unlock(l->view->ledger);
			truth_free(listener.truth);
			listener.truth = truth_new(KEYS, 1);
		}
	}
	truth_check(shots.truth, false, "snapshots beside a ledger");
	engine_free(en);
	truth_free(shots.truth);
	truth_free(listener.truth);
	clock_set(0);
}

static void *
refresher(void *arg)
{
	for (int i = 0; i < 5; i++)
		publisher_refresh(arg);
	return NULL;
}

/* Who asks sees all that was counted before, however many ask; nobody waits for a thread
 * that does not run. */
static void
test_refresh_at_once(void **state)
{
	struct rig g;
	struct truth *truth;
	uint64_t stats[STAT_COUNT];
	pthread_t threads[4];
	struct fake_in in = { .seed = 1, .keys = KEYS, .bins = 1, .flows = 3000, .piece = 50 };

	(void)state;
	rig_open(&g, &plain, false);
	truth = g.out.truth;
	publisher_refresh(g.en->publisher);
	assert_int_equal(publisher_rounds(g.en->publisher), 0);
	assert_int_equal(engine_collector(g.en, &fake_collector, &in, 2, NULL), 0);
	assert_int_equal(engine_start(g.en, NULL), 0);
	while (!engine_finished(g.en))
		sched_yield();
	publisher_refresh(g.en->publisher);
	engine_stats(g.en, stats);
	assert_int_equal(stats[STAT_FLOWS_FED], 2 * in.flows);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, refresher, g.en->publisher), 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_true(publisher_rounds(g.en->publisher) >= 6);
	g.out.truth = NULL; /* what the workers drew themselves is not in it */
	engine_stop(g.en);
	publisher_refresh(g.en->publisher);
	g.out.truth = truth;
	rig_close(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refresh),
		cmocka_unit_test(test_a_quiet_round_mends_nothing),
		cmocka_unit_test(test_late_round),
		cmocka_unit_test(test_clock_goes_back),
		cmocka_unit_test(test_first_refresh),
		cmocka_unit_test(test_open_bins_go),
		cmocka_unit_test(test_open_bins_wait),
		cmocka_unit_test(test_last_round),
		cmocka_unit_test(test_file_time),
		cmocka_unit_test(test_bins_of_a_shard_that_stays),
		cmocka_unit_test(test_late_worker),
		cmocka_unit_test(test_full_queue),
		cmocka_unit_test(test_stalled_output),
		cmocka_unit_test(test_last_round_waits_for_room),
		cmocka_unit_test(test_pool_is_empty),
		cmocka_unit_test(test_ledger),
		cmocka_unit_test(test_refresh_at_once),
	};

	return cmocka_run_group_tests_name("publisher", tests, NULL, NULL);
}
