/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What becomes of records whose class is told when their slab, or their bin, is gone; and
 * of what is held back so that it is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/watch.h"
#include "lib/clock.h"
#include "lib/intern.h"
#include "tests/core/class_sink.h"
#include "tests/core/fake.h"

#define BINS    8U
#define RECORDS 16U
#define START   (UINT64_C(1000) * 60 * CLOCK_S) /* of bin 0; they are of a minute */

static const char *const classes[] = { "unknown", "web", "mail" };
enum { UNKNOWN, WEB, MAIL, CLASSES };
#define SINK .classes = classes, .n_classes = CLASSES, .start = START, .n_bins = BINS

/* Records are called by letters, in the order of their coming. */
struct rig {
	struct engine *en;
	struct pipeline *p;
	struct collector *door;
	struct class_sink sink;
	uint64_t now; /* ns since 1970 */
	unsigned n;
	struct flow records[RECORDS];
	uint64_t batch[RECORDS], lost[RECORDS];
};

static void
rig_open(struct rig *g, bool hold_open, bool adds_up, enum view_unknown unknown)
{
	static const struct output_config common = { .aggregate = "class", .history = "1m",
		.refresh = 60 };
	static const struct fake_in none;
	struct err e = ERR_INIT;

	memset(g, 0, sizeof(*g));
	clock_set(START);
	g->now = START;
	g->sink = (struct class_sink){ SINK, .hold_open = hold_open, .adds_up = adds_up,
		.unknown = unknown };
	g->en = fake_engine(1, 100);
	assert_int_equal(engine_output(g->en, &class_sink_output, "a", &common,
	                     &(struct rules_config){ 0 }, &g->sink, &e), 0);
	fake_prepare(g->en);
	assert_int_equal(engine_collector(g->en, &fake_collector, &none, 1, &e), 0);
	g->door = g->en->workers[0].collectors[0];
	g->p = &g->en->workers[0].pipeline;
	pipeline_source(g->p, SOURCE_PACKETS);
}

static void
rig_close(struct rig *g)
{
	clock_set(0);
	engine_free(g->en);
}

/* A packet of unknown class, in bin `bin`. */
static void
rig_feed(struct rig *g, unsigned bin)
{
	struct flow *f = pipeline_slot(g->p);

	f->packets = f->flows = 1;
	f->bytes = 100;
	f->stamp = START + (60 * bin + 30) * CLOCK_S;
	g->records[g->n] = *f;
	g->batch[g->n++] = g->p->batches;
	stat_add(&g->p->stats, STAT_RECORDS, 1);
	stat_add(&g->p->stats, STAT_RECORDS_FED, 1);
	pipeline_commit(g->p);
}

static void
rig_move(struct rig *g, unsigned no, unsigned class)
{
	const char *name = classes[class];
	struct flow *f = &g->records[no];

	pipeline_flush(g->p);
	pipeline_move(g->p, SOURCE_PACKETS, f, g->batch[no], intern(name, strlen(name)),
	    &g->lost[no]);
	pipeline_moves_run(g->p, SOURCE_PACKETS);
	f->class_id = intern(name, strlen(name));
}

/*
 * Letters: `0` to `7` a packet in that bin; `aw`, `am` the class of the first packet, and so on;
 * `|` a minute later; `.` a round in between; `?` from now on classes are unsettled, `!` they are
 * not; `$` the end. What was written of the bins is compared with `want`, as numbers of packets
 * "bin:unknown,web,mail".
 */
static void
rig_play(struct rig *g, const char *script)
{
	for (const char *s = script; *s != '\0'; s++) {
		if (*s >= '0' && *s <= '7') {
			rig_feed(g, (unsigned)(*s - '0'));
		} else if (*s >= 'a' && *s < 'a' + (int)RECORDS) {
			rig_move(g, (unsigned)(*s - 'a'), s[1] == 'w' ? WEB : MAIL);
			s++;
		} else if (*s == '?' || *s == '!') {
			atomic_store(&g->door->unsettled, *s == '?' ? g->now : 0);
		} else if (*s != ' ') {
			g->now += *s == '|' ? 60 * CLOCK_S : 1;
			clock_set(g->now);
			publisher_round(g->en->publisher, g->now, *s == '$');
			fake_books_check(g->en, script);
		}
	}
}

static void
rig_want(const struct rig *g, const char *says, const char *want)
{
	for (const char *s = want; *s != '\0';) {
		unsigned bin = (unsigned)strtoul(s, (char **)&s, 10);

		for (unsigned i = 0; i < CLASSES; i++) {
			unsigned long n = strtoul(s + 1, (char **)&s, 10);

			if (g->sink.packets[bin][i] != n)
				fail_msg("%s: bin %u: %llu of %s, not %lu", says, bin,
				    (unsigned long long)g->sink.packets[bin][i], classes[i], n);
		}
		while (*s == ' ')
			s++;
	}
}

#define GOES  UNKNOWN_GOES
#define WAITS UNKNOWN_WAITS
#define BIN   UNKNOWN_HOLDS_BIN

static const struct {
	const char *says;
	bool hold_open, adds_up;
	enum view_unknown unknown;
	const char *script, *then; /* what was written by then */
	const char *rest, *end;    /* and in the end */
} cases[] = {
	{ "in its bin", true, true, GOES, "00aw|", "0:1,1,0", "$", "0:1,1,0" },
	{ "when its bin is gone", true, true, GOES, "00?|aw", "0:2,0,0", "|$", "0:2,0,0" },
	{ "finer, when its bin is gone", true, true, GOES, "00?|aw am 0 bw bm", "0:2,0,0", "|$",
	    "0:3,0,0" },
	{ "it waits", true, true, WAITS, "00?|", "0:0,0,0", "aw!|", "0:1,1,0" },
	{ "others do not", true, true, WAITS, "00?aw|", "0:0,1,0", "bm|", "0:0,1,1" },
	{ "it waits for a while", true, true, WAITS, "00?|||||", "0:0,0,0", "|aw", "0:2,0,0" },
	{ "too long: it takes nothing of others", true, true, WAITS, "00?||||||", "0:2,0,0",
	    "0aw am|$", "0:3,0,0" },
	{ "nothing more can become known", true, true, WAITS, "?00|!", "0:0,0,0", "|", "0:2,0,0" },
	{ "of that bin", true, true, WAITS, "00|?11|", "0:2,0,0 1:0,0,0", "!|", "1:2,0,0" },
	{ "two bins wait, and go by themselves", true, true, WAITS, "0?|1|2|", "0:0,0,0 1:0,0,0",
	    "aw|bm|cw!|", "0:0,1,0 1:0,0,1 2:0,1,0" },
	{ "first one thing, then another", true, true, WAITS, "00?|aw.|", "0:0,1,0", "bw.bm!|",
	    "0:0,1,1" },
	{ "the end leaves nothing behind", true, true, WAITS, "00?|1", "0:0,0,0", "aw$",
	    "0:1,1,0 1:1,0,0" },
	{ "all of the bin waits", true, false, BIN, "00?aw|", "0:0,0,0", "bw!|", "0:0,2,0" },
	{ "all of the bin waits for a while", true, false, BIN, "00?aw||||||", "0:1,1,0", "bw$",
	    "0:1,1,0" },
	{ "one behind the other, the last first", true, false, BIN, "00?aw|", "0:0,0,0", "am bw bm!|",
	    "0:0,0,2" },
	{ "what is added up is made up for", false, true, GOES, "00|", "0:2,0,0", "0aw$", "0:2,1,0" },
	{ "as far as others are there", false, true, GOES, "00|", "0:2,0,0", "0aw bw$", "0:2,1,0" },
	{ "what did not move takes nothing later", false, true, GOES, "00|", "0:2,0,0", "aw0cw am$",
	    "0:2,1,0" },
	{ "what is not stays", false, false, GOES, "00|", "0:2,0,0", "0aw$", "0:3,0,0" },
	{ "open bins wait, too", false, true, WAITS, "77?|", "7:0,0,0", "aw!$", "7:1,1,0" },
	{ "for a while", false, true, WAITS, "77?|||||", "7:0,0,0", "|", "7:2,0,0" },
};

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig g;

		rig_open(&g, cases[i].hold_open, cases[i].adds_up, cases[i].unknown);
		rig_play(&g, cases[i].script);
		rig_want(&g, cases[i].says, cases[i].then);
		rig_play(&g, cases[i].rest);
		rig_want(&g, cases[i].says, cases[i].end);
		rig_close(&g);
	}
}

/* What moved is counted as such, what did not as the other. */
static void
test_counted(void **state)
{
	static const struct {
		const char *says, *script;
		bool hold_open, adds_up;
		enum view_unknown unknown;
		unsigned moved, stayed;
	} counted[] = {
		{ "in their slab", "00aw bw|$", true, true, GOES, 2, 0 },
		{ "of the class that it has", "00aw aw|$", true, true, GOES, 1, 0 },
		{ "late", "00?|aw bm!|$", true, true, WAITS, 2, 0 },
		{ "too late", "00?|||||||aw|$", true, true, WAITS, 0, 1 },
		{ "its row is gone", "00?aw|am|$", true, true, WAITS, 1, 1 },
		{ "and another is there", "00?aw|0cw am bw|!$", true, true, WAITS, 4, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++) {
		uint64_t stats[STAT_COUNT];
		struct rig g;

		rig_open(&g, counted[i].hold_open, counted[i].adds_up, counted[i].unknown);
		rig_play(&g, counted[i].script);
		engine_stats(g.en, stats);
		if (stats[STAT_CLASS_MOVED] != counted[i].moved ||
		    stats[STAT_CLASS_STAYED] != counted[i].stayed)
			fail_msg("%s: %u moved, %u stayed", counted[i].says,
			    (unsigned)stats[STAT_CLASS_MOVED], (unsigned)stats[STAT_CLASS_STAYED]);
		rig_close(&g);
	}
}

/*
 * While its bin is open a record can move, though nothing of the bin was there when others were
 * published.
 */
static void
test_open_bin(void **state)
{
	struct err e = ERR_INIT;
	struct rig g;

	(void)state;
	rig_open(&g, true, true, GOES);
	assert_int_equal(view_ledger_want(g.en->views[0], &e), 0); /* so that slabs go round */
	g.now += 50 * CLOCK_S;
	rig_play(&g, "0|1.aw bw.");
	rig_play(&g, "|$");
	rig_want(&g, "published, and open", "0:1,0,0 1:0,1,0");
	rig_close(&g);
}

/* Packets that a ledger has of each class: `n`. */
static void
ledger_packets(struct ledger *l, uint64_t n[CLASSES])
{
	memset(n, 0, CLASSES * sizeof(*n));
	ledger_lock(l);
	for (uint32_t i = 0; i < l->table.n; i++) {
		const uint8_t *row = ledger_row(l, i);
		uint32_t id;

		memcpy(&id, rowspec_value(l->rs, row, &fields[F_CLASS]), sizeof(id));
		n[class_sink_no(classes, CLASSES, id)] += rowspec_sums_get(l->rs, row)->packets;
	}
	ledger_unlock(l);
}

static void
ledger_want(const struct rig *g, const char *says, uint64_t unknown, uint64_t web, uint64_t mail)
{
	uint64_t n[CLASSES];

	ledger_packets(g->en->views[0]->ledger, n);
	if (n[UNKNOWN] != unknown || n[WEB] != web || n[MAIL] != mail)
		fail_msg("%s: the ledger has %llu, %llu, %llu", says, (unsigned long long)n[UNKNOWN],
		    (unsigned long long)n[WEB], (unsigned long long)n[MAIL]);
}

/*
 * A ledger that shares a view has slabs of a second: what is told later moves in those that the
 * publisher has, as long as the bin is open. In the ledger no row goes down: what belongs to
 * another it pays of what it counts next.
 */
static void
test_with_a_ledger(void **state)
{
	struct err e = ERR_INIT;
	struct rig g;

	(void)state;
	rig_open(&g, true, true, GOES);
	assert_int_equal(view_ledger_want(g.en->views[0], &e), 0);
	rig_play(&g, "000.");
	ledger_want(&g, "as they came", 3, 0, 0);
	rig_play(&g, "aw 1.");
	ledger_want(&g, "one for the other", 3, 1, 0);
	rig_play(&g, "am. bw.");
	ledger_want(&g, "nothing comes", 3, 1, 0);
	assert_int_equal(g.sink.writes, 0);
	rig_play(&g, "1111.");
	ledger_want(&g, "one pays, and is paid by the other", 6, 1, 1);
	rig_play(&g, "|");
	rig_want(&g, "rows of several slabs", "0:1,1,1");
	rig_play(&g, "dm. 2.");
	ledger_want(&g, "of another bin", 6, 1, 2);
	rig_play(&g, "|");
	rig_want(&g, "and of another bin", "1:4,0,1");
	rig_close(&g);
}

/* What is not paid within a minute stays; a ledger that was cleared owes nothing. */
static void
test_debts_end(void **state)
{
	struct err e = ERR_INIT;
	struct rig g;

	(void)state;
	rig_open(&g, true, true, GOES);
	assert_int_equal(view_ledger_want(g.en->views[0], &e), 0);
	rig_play(&g, "77. aw .|| 7.");
	ledger_want(&g, "too late", 3, 0, 0);
	rig_play(&g, "bw .");
	ledger_clear(g.en->views[0]->ledger, g.now);
	rig_play(&g, "7.");
	ledger_want(&g, "cleared", 1, 0, 0);
	rig_close(&g);
}

/*
 * A ledger with watches over it, and a view of its own, or one with what `sink` is written: whatever
 * moves, in the end all is where it belongs; no row goes down, what is watched is what the row has,
 * and the books balance. Rounds of 20 packets, of which some move, once or twice, a while later.
 */
static void
ledger_catches_up(struct class_sink *sink)
{
	enum { ROUNDS = 300, EACH = 20, PACKETS = ROUNDS * EACH };
	static const struct output_config common = { .aggregate = "class" },
					  written = { .aggregate = "class", .history = "1m", .refresh = 60 };
	static const struct rules_config no_rules;
	static const struct fake_in in;
	static struct flow records[PACKETS];
	static uint64_t batch[PACKETS], lost[PACKETS];
	char path[] = "/tmp/weir-moves-XXXXXX";
	const struct watch_config watched = { path };
	struct engine *en = fake_engine(1, 100);
	struct pipeline *p = &en->workers[0].pipeline;
	uint64_t now = START, stats[STAT_COUNT], was[CLASSES] = { 0 }, is[CLASSES], want[CLASSES] = { 0 };
	struct watch *list;
	struct fake_out out = { 0 };
	struct problems ps = { 0 };
	uint32_t ids[CLASSES], seed = 11;
	struct err e = ERR_INIT;
	FILE *f = fdopen(mkstemp(path), "w");

	memset(lost, 0, sizeof(lost));
	assert_non_null(f);
	fputs("name=web view=apps class=web\n", f);
	fclose(f);
	clock_set(START);
	for (unsigned i = 0; i < CLASSES; i++)
		ids[i] = intern(classes[i], strlen(classes[i]));
	if (sink != NULL)
		assert_int_equal(engine_output(en, &class_sink_output, "a", &written, &no_rules, sink, &e), 0);
	fake_output_add(en, &fake_ledger, "apps", &common, &out);
	assert_int_equal(en->n_views, 1);
	fake_prepare(en);
	assert_int_equal(engine_collector(en, &fake_collector, &in, 1, &e), 0);
	atomic_store(&en->workers[0].collectors[0]->unsettled, START);
	assert_int_equal(watches_new(en, &watched, &en->watches, &ps, &e), 0);
	pipeline_source(p, SOURCE_PACKETS);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = round * EACH; i < (round + 1) * EACH; i++) {
			struct flow *slot = pipeline_slot(p);

			slot->packets = 1 + i % 3, slot->bytes = 100, slot->flows = 1;
			slot->stamp = now;
			/* The last rounds pay for those before. */
			slot->class_id = ids[round < ROUNDS - 100 ? UNKNOWN : i % CLASSES];
			records[i] = *slot;
			batch[i] = p->batches;
			pipeline_commit(p);
		}
		stat_add(&p->stats, STAT_RECORDS, EACH);
		stat_add(&p->stats, STAT_RECORDS_FED, EACH);
		pipeline_flush(p);
		for (unsigned i = 0; i < EACH && round < ROUNDS - 100; i++) {
			seed = seed * 1664525 + 1013904223;
			unsigned no = seed / 65536 % ((round + 1) * EACH), class = seed / 8 % CLASSES;

			if (no + 10 * EACH < round * EACH || class == UNKNOWN)
				continue;
			pipeline_move(p, SOURCE_PACKETS, &records[no], batch[no], ids[class], &lost[no]);
			pipeline_moves_run(p, SOURCE_PACKETS);
			records[no].class_id = ids[class];
		}
		clock_set(now += CLOCK_S / 4);
		publisher_round(en->publisher, now, round == ROUNDS - 1);
		fake_books_check(en, "moves in a ledger");
		ledger_packets(en->views[0]->ledger, is);
		for (unsigned i = 0; i < CLASSES; i++)
			assert_true(is[i] >= was[i]);
		memcpy(was, is, sizeof(was));
		list = watches_copy(en->watches, &(uint32_t){ 0 });
		assert_int_equal(list[0].total.packets, is[WEB]);
		free(list);
	}
	for (unsigned i = 0; i < PACKETS; i++) {
		want[class_sink_no(classes, CLASSES, records[i].class_id)] += records[i].packets;
		assert_int_equal(lost[i], 0);
	}
	assert_memory_equal(is, want, sizeof(is));
	for (unsigned i = 0; sink != NULL && i < CLASSES; i++)
		assert_int_equal(sink->packets[0][i] + sink->packets[1][i], want[i]);
	engine_stats(en, stats);
	assert_true(stats[STAT_CLASS_MOVED] > 500);
	assert_int_equal(stats[STAT_CLASS_STAYED], 0);
	engine_free(en);
	problems_free(&ps);
	clock_set(0);
	unlink(path);
}

static void
test_ledgers_catch_up(void **state)
{
	struct class_sink sink = { SINK, .hold_open = true, .unknown = UNKNOWN_HOLDS_BIN };

	(void)state;
	ledger_catches_up(NULL);
	ledger_catches_up(&sink);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_counted),
		cmocka_unit_test(test_open_bin),
		cmocka_unit_test(test_with_a_ledger),
		cmocka_unit_test(test_debts_end),
		cmocka_unit_test(test_ledgers_catch_up),
	};

	return cmocka_run_group_tests_name("core/moves", tests, NULL, NULL);
}
