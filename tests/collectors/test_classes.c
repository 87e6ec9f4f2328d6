/* SPDX-License-Identifier: GPL-2.0-or-later */
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
#include "tests/core/fake.h"

/* Frames go to a view of classes and to one of all, as a door would have it. */
struct bench {
	struct class_config config;
	struct packet_wants wants;
	struct engine *en;
	struct fake_out out;
	struct pipeline *p;
	struct classes *cs;
	const struct shard *shard;
	uint64_t time, fed;
};

static void
bench_open(struct bench *b, uint32_t max_flows)
{
	static const struct output_config classes = { .aggregate = "class" },
	    all = { .aggregate = "none" };
	static const struct rules_config none;
	struct err e = ERR_INIT;

	memset(b, 0, sizeof(*b));
	b->config = class_rig_config(max_flows);
	assert_non_null(b->config.channels = channels_new());
	b->en = fake_engine(1, 100);
	assert_int_equal(
	    engine_output(b->en, &fake_output, "classes", &classes, &none, &b->out, NULL), 0);
	assert_int_equal(
	    engine_output(b->en, &fake_output, "all", &all, &none, &b->out, NULL), 0);
	fake_prepare(b->en);
	b->p = &b->en->workers[0].pipeline;
	b->shard = &b->en->workers[0].shards[0];
	packet_wants_init(&b->wants, &b->p->needs);
	pipeline_source(b->p, SOURCE_PACKETS);
	assert_true(classes_wanted(&b->config, b->p));
	assert_non_null(b->cs = classes_new(&b->config, &b->wants, b->p, &e));
	b->time = 1000 * CLOCK_S;
}

static void
bench_close(struct bench *b)
{
	classes_free(b->cs);
	assert_int_equal(class_rig_streams, 0);
	channels_free(b->config.channels);
	engine_free(b->en);
}

static void
send(struct bench *b, uint32_t no, bool back, char octet)
{
	class_send(b->p, b->cs, &b->wants, b->time, no, back, octet);
	b->fed++;
}

/* A read of the door is over: nothing is lost, nothing is twice. */
static void
read_end(struct bench *b)
{
	static const char *const names[] = { "web", "mail", "guess", "unknown", "SIP", "RTP" };
	uint64_t sum = 0;
	uint32_t n, rows = 0;

	(void)classes_age(b->cs, b->time);
	pipeline_flush(b->p);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		uint64_t packets = fake_class_packets(b->shard, names[i], &n);

		sum += packets;
		rows += packets > 0;
	}
	assert_int_equal(sum, b->fed);
	assert_int_equal(n, rows);
	assert_int_equal(b->shard->active->counted.packets, b->fed);
	assert_int_equal(b->shard[1].active->counted.packets, b->fed);
}

static uint64_t
packets_of(const struct bench *b, const char *class)
{
	uint32_t n;

	return fake_class_packets(b->shard, class, &n);
}

static uint64_t
stat_of(const struct bench *b, enum stat_no no)
{
	return stat_get(&b->p->stats, no);
}

/*
 * What is sent of a stream, uppercase: back; `|` ends a read. Then what it counts as.
 */
static const struct {
	const char *says, *sent;
	uint64_t web, mail, guess, unknown;
} cases[] = {
	{ "the first packet tells", "w--", 3, 0, 0, 0 },
	{ "the answer tells, within the batch", "-W-", 3, 0, 0, 0 },
	{ "beyond the batch", "--|--|W|-", 6, 0, 0, 0 },
	{ "perhaps web, then mail for sure", "-p|-|m-|-", 0, 6, 0, 0 },
	{ "perhaps web, and no more", "-p|-", 3, 0, 0, 0 },
	{ "first one thing, then the other", "p|q|p|Q|", 0, 4, 0, 0 },
	{ "perhaps web, told again", "p|p|w", 3, 0, 0, 0 },
	{ "what was told last before the giving up counts", "p----qw", 0, 7, 0, 0 },
	{ "nothing at all", "-----|----", 0, 0, 0, 9 },
	{ "what comes behind the last look tells nothing", "------|wm", 0, 0, 0, 8 },
	{ "a guess", "g|-", 0, 0, 2, 0 },
	{ "a guess at the last look", "-----|g--", 0, 0, 8, 0 },
};

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bench b;

		bench_open(&b, 1000);
		for (const char *s = cases[i].sent; *s != '\0'; s++) {
			if (*s == '|')
				read_end(&b);
			else
				send(&b, 1, *s < 'a' && *s != '-', *s == 'W' ? 'w' : *s == 'Q' ? 'q' : *s);
		}
		classes_finish(b.cs);
		read_end(&b);
		if (packets_of(&b, "web") != cases[i].web ||
		    packets_of(&b, "mail") != cases[i].mail ||
		    packets_of(&b, "guess") != cases[i].guess ||
		    packets_of(&b, "unknown") != cases[i].unknown)
			fail_msg("%s: %s", cases[i].says, cases[i].sent);
		assert_int_equal(stat_of(&b, STAT_CLASS_STREAMS), 1);
		assert_int_equal(stat_of(&b, STAT_CLASS_KNOWN), cases[i].unknown == 0);
		assert_int_equal(stat_of(&b, STAT_CLASS_UNKNOWN), cases[i].unknown != 0);
		bench_close(&b);
	}
}

/* Streams without room among those that are looked at end the one silent for longest. */
static void
test_evicted(void **state)
{
	enum { OPEN = 65536, MORE = 500 };
	struct bench b;

	(void)state;
	bench_open(&b, 2 * OPEN);
	for (uint32_t no = 0; no < OPEN + MORE; no++)
		send(&b, no, false, no == 0 ? 'g' : '-');
	read_end(&b);
	assert_int_equal(stat_of(&b, STAT_CLASS_EVICTED), MORE);
	assert_int_equal(stat_of(&b, STAT_CLASS_REFUSED), 0);
	assert_int_equal(class_rig_streams, OPEN);
	assert_int_equal(packets_of(&b, "guess"), 1);
	send(&b, 1, true, 'w'); /* too late */
	send(&b, MORE, true, 'w');
	classes_finish(b.cs);
	read_end(&b);
	assert_int_equal(packets_of(&b, "web"), 2);
	assert_int_equal(stat_of(&b, STAT_CLASS_STREAMS),
	    stat_of(&b, STAT_CLASS_KNOWN) + stat_of(&b, STAT_CLASS_UNKNOWN));
	bench_close(&b);
}

/* What finds no room in the table is unknown, until the table forgets. */
static void
test_refused(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, 50);
	for (uint32_t no = 0; no < 60; no++)
		send(&b, no, false, 'w');
	read_end(&b);
	assert_int_equal(packets_of(&b, "web"), 50);
	assert_int_equal(stat_of(&b, STAT_CLASS_REFUSED), 10);
	/* The table is full of others: those that were known before still are. */
	b.time += 300 * CLOCK_S;
	for (uint32_t no = 0; no < 50; no++)
		send(&b, no, true, '-');
	b.time += 301 * CLOCK_S;
	(void)classes_age(b.cs, b.time);
	b.time += CLOCK_S;
	for (uint32_t no = 100; no < 150; no++)
		send(&b, no, false, '-');
	for (uint32_t no = 0; no < 50; no++)
		send(&b, no, true, '-');
	read_end(&b);
	assert_int_equal(packets_of(&b, "web"), 150);
	assert_int_equal(stat_of(&b, STAT_CLASS_REFUSED), 10);
	classes_finish(b.cs);
	bench_close(&b);
}

/* Silent streams end after a minute, a few at a time; a guess still moves. */
static void
test_idle(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, 1000);
	b.config.idle_budget = 2;
	for (uint32_t no = 0; no < 3; no++)
		send(&b, no, false, 'g');
	read_end(&b);
	b.time += 59 * CLOCK_S;
	read_end(&b);
	assert_int_equal(class_rig_streams, 3);
	b.time += 2 * CLOCK_S;
	read_end(&b);
	b.time += CLOCK_S;
	read_end(&b);
	assert_int_equal(class_rig_streams, 1);
	assert_int_equal(packets_of(&b, "guess"), 2);
	read_end(&b);
	assert_int_equal(class_rig_streams, 0);
	assert_int_equal(packets_of(&b, "guess"), 3);
	send(&b, 0, true, 'w'); /* it has been judged */
	read_end(&b);
	assert_int_equal(packets_of(&b, "guess"), 4);
	bench_close(&b);
}

/*
 * A packet whose time is far off, and what it does to others: nothing, at first, in between or
 * at the end of a read; nor does its own stream stay for ever.
 */
static void
test_stray(void **state)
{
	static const uint64_t times[] = { 0, 1, 1000 * CLOCK_S + 7200 * CLOCK_S,
		UINT32_MAX * CLOCK_S };

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct bench b;

		bench_open(&b, 1000);
		for (uint32_t no = 0; no < 20; no++)
			send(&b, no, false, no < 10 ? 'w' : '-');
		for (unsigned round = 0; round < 5; round++) {
			uint64_t now = b.time + CLOCK_S;

			b.time = times[i];
			send(&b, 100, false, 'g'); /* the first that the list of the silent begins with */
			read_end(&b);
			b.time = now;
			for (uint32_t no = 0; no < 20; no++)
				send(&b, no, false, '-');
			assert_int_equal(stat_of(&b, STAT_CLASS_STREAMS), 21);
			b.time = times[i];
			send(&b, 100, false, 'g');
			read_end(&b);
			b.time = now;
			read_end(&b);
		}
		assert_int_equal(packets_of(&b, "web"), 10 + 5 * 10);
		for (unsigned n = 0; n < 2; n++) {
			b.time += 61 * CLOCK_S;
			read_end(&b);
		}
		assert_int_equal(class_rig_streams, 0);
		assert_int_equal(packets_of(&b, "guess"), 10);
		bench_close(&b);
	}
}

/* Whatever times packets have, nothing is lost, nothing is twice, and nothing stays for ever. */
static void
test_any_time(void **state)
{
	uint32_t seed = 11;
	struct bench b;

	(void)state;
	bench_open(&b, 300);
	for (unsigned i = 0; i < 20000; i++) {
		static const uint64_t steps[] = { 0, 1, CLOCK_S, 59 * CLOCK_S, 61 * CLOCK_S,
			601 * CLOCK_S, 86400 * CLOCK_S };
		uint64_t step = steps[class_draw(&seed, 7)], now = b.time;

		if (class_draw(&seed, 8) < 7) /* as it should be, or one packet */
			now = b.time += step / 64;
		else
			b.time = class_draw(&seed, 2) == 0 ? b.time + step : step;
		send(&b, class_draw(&seed, 400), false, "-------wmpqg"[class_draw(&seed, 12)]);
		if (class_draw(&seed, 50) == 0)
			read_end(&b);
		b.time = now;
	}
	for (unsigned i = 0; i < 3; i++) {
		b.time += 61 * CLOCK_S;
		read_end(&b);
	}
	assert_int_equal(class_rig_streams, 0);
	assert_int_equal(stat_of(&b, STAT_CLASS_STREAMS),
	    stat_of(&b, STAT_CLASS_KNOWN) + stat_of(&b, STAT_CLASS_UNKNOWN));
	bench_close(&b);
}

/* What is silent for longer than that is over, whenever that is looked at. */
static void
test_silent(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, 1000);
	send(&b, 1, false, 'g');
	send(&b, 2, false, 'g');
	b.time += 60 * CLOCK_S;
	send(&b, 1, false, 'w');
	b.time += 1;
	send(&b, 2, false, 'w'); /* it has been judged */
	assert_int_equal(stat_of(&b, STAT_CLASS_KNOWN), 2);
	read_end(&b);
	assert_int_equal(packets_of(&b, "web"), 2);
	assert_int_equal(packets_of(&b, "guess"), 2);
	b.time += 600 * CLOCK_S - 1;
	send(&b, 1, true, '-'); /* the same stream still, */
	send(&b, 2, true, '-');
	b.time += 600 * CLOCK_S + 1;
	send(&b, 1, true, 'm'); /* and by now another */
	read_end(&b);
	assert_int_equal(packets_of(&b, "web"), 3);
	assert_int_equal(packets_of(&b, "guess"), 3);
	assert_int_equal(packets_of(&b, "mail"), 1);
	assert_int_equal(stat_of(&b, STAT_CLASS_STREAMS), 3);
	classes_finish(b.cs);
	bench_close(&b);
}

/* Packets beyond the budget count at once, and are looked at in the next read. */
static void
test_budget(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, 10000);
	classes_budget(b.cs, 3);
	for (uint32_t no = 0; no < 10; no++)
		send(&b, no, false, 'w');
	read_end(&b);
	assert_int_equal(packets_of(&b, "web"), 3);
	assert_int_equal(packets_of(&b, "unknown"), 7);
	assert_int_equal(stat_of(&b, STAT_CLASS_LATE), 7);
	classes_budget(b.cs, 3);
	send(&b, 9, false, '-'); /* waits behind the others */
	read_end(&b);
	assert_int_equal(packets_of(&b, "web"), 6);
	classes_budget(b.cs, 100);
	read_end(&b);
	assert_int_equal(packets_of(&b, "web"), 11);
	classes_budget(b.cs, 0);
	for (uint32_t no = 0; no < 1100; no++)
		send(&b, 100 + no, false, 'w');
	read_end(&b);
	assert_int_equal(stat_of(&b, STAT_CLASS_UNSEEN), 1100 - 1024);
	classes_finish(b.cs);
	read_end(&b);
	assert_int_equal(packets_of(&b, "web"), 11 + 1024);
	bench_close(&b);
}

static void
announce(struct bench *b, uint32_t no, bool media)
{
	class_announce(b->p, b->cs, &b->wants, b->time, no, media);
	b->fed++;
}

/* A stream that another announces: what it is, from the first look behind that on. */
static void
test_announced(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, 100);
	announce(&b, 1, true);
	for (uint32_t no = 1; no <= 2; no++)
		for (unsigned i = 0; i < 9; i++)
			send(&b, no, i % 2 == 1, '-');
	read_end(&b);
	assert_int_equal(packets_of(&b, "SIP"), 1);
	assert_int_equal(packets_of(&b, "RTP"), 9);
	assert_int_equal(packets_of(&b, "unknown"), 9);
	send(&b, 3, false, '-');
	announce(&b, 3, false);
	send(&b, 3, false, '-');
	read_end(&b);
	assert_int_equal(packets_of(&b, "RTP"), 9);
	announce(&b, 3, true); /* while it is looked at */
	send(&b, 3, false, '-');
	read_end(&b);
	assert_int_equal(packets_of(&b, "RTP"), 12);
	send(&b, 4, false, 'p'); /* perhaps web */
	announce(&b, 4, true);
	send(&b, 4, false, '-');
	announce(&b, 2, true); /* it is settled */
	send(&b, 2, false, '-');
	classes_finish(b.cs);
	read_end(&b);
	assert_int_equal(packets_of(&b, "web"), 2);
	assert_int_equal(packets_of(&b, "RTP"), 12);
	bench_close(&b);
}

/* What one of two that share the table is told, the other knows, also of what it looks at already. */
static void
test_announced_to_another(void **state)
{
	struct bench teller, other;
	struct channels *own;
	struct err e = ERR_INIT;

	(void)state;
	bench_open(&teller, 100);
	bench_open(&other, 100);
	classes_free(other.cs);
	own = other.config.channels;
	other.config.channels = teller.config.channels;
	assert_non_null(other.cs = classes_new(&other.config, &other.wants, other.p, &e));
	send(&other, 1, false, '-');
	announce(&teller, 1, true);
	announce(&teller, 2, true);
	for (uint32_t no = 1; no <= 3; no++)
		send(&other, no, true, '-');
	classes_finish(other.cs);
	read_end(&other);
	assert_int_equal(packets_of(&other, "RTP"), 3);
	assert_int_equal(packets_of(&other, "unknown"), 1);
	other.config.channels = own;
	bench_close(&other);
	bench_close(&teller);
}

/* More are announced than there is room for. */
static void
test_announced_evicted(void **state)
{
	enum { ROOM = CHANNELS_SETS * CHANNELS_ENDS };
	struct bench b;

	(void)state;
	bench_open(&b, 2 * ROOM);
	for (uint32_t no = 1; no <= 10; no++)
		announce(&b, no, true);
	assert_int_equal(stat_of(&b, STAT_CLASS_ENDS_EVICTED), 0);
	for (uint32_t no = 11; no <= ROOM; no++)
		announce(&b, no, true); /* media, and its reports */
	assert_in_range(stat_of(&b, STAT_CLASS_ENDS_EVICTED), ROOM, ROOM + ROOM / 8);
	classes_finish(b.cs);
	read_end(&b);
	assert_int_equal(packets_of(&b, "SIP"), ROOM);
	bench_close(&b);
}

/* Looks at streams that are settled, and announce others, are of the budget, and in their turn. */
static void
test_budget_of_announcements(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, 100);
	for (unsigned left = 0; left < 2; left++) { /* the stream that announces is settled late, too */
		uint32_t no = 1 + left;

		if (left == 0)
			announce(&b, no, false);
		classes_budget(b.cs, 0);
		if (left == 1)
			announce(&b, no, false);
		announce(&b, no, true);
		announce(&b, no, false);
		send(&b, no, false, '-');
		read_end(&b);
		assert_int_equal(packets_of(&b, "RTP"), left);
		for (unsigned looks = 0; looks < 2 + left; looks++) {
			classes_budget(b.cs, 1);
			read_end(&b);
			assert_int_equal(packets_of(&b, "RTP"), left);
		}
		classes_budget(b.cs, 1);
		read_end(&b);
		assert_int_equal(packets_of(&b, "RTP"), 1 + left);
		assert_int_equal(stat_of(&b, STAT_CLASS_LATE), 3 + 4 * left);
	}
	assert_int_equal(stat_of(&b, STAT_CLASS_UNSEEN), 0);
	bench_close(&b);
}

/* Of what the exporter has told the class, nobody asks. */
static void
test_told(void **state)
{
	struct bench b;
	struct flow *f;

	(void)state;
	bench_open(&b, 100);
	f = pipeline_slot(b.p);
	f->class_id = intern("mail", 4);
	f->packets = 1;
	classes_take(b.cs, NULL, NULL, f);
	pipeline_commit(b.p);
	b.fed = 1;
	read_end(&b);
	assert_int_equal(packets_of(&b, "mail"), 1);
	assert_int_equal(stat_of(&b, STAT_CLASS_STREAMS), 0);
	bench_close(&b);
}

/* Two doors of one worker share its batches: each moves what is its own. */
static void
test_two_doors(void **state)
{
	struct bench b;
	struct classes *other;
	struct err e;

	(void)state;
	bench_open(&b, 100);
	assert_non_null(other = classes_new(&b.config, &b.wants, b.p, &e));
	for (unsigned round = 0; round < 2; round++) { /* the first door fills the batch */
		for (unsigned i = 0; i < FLOW_BATCH; i++, b.fed++)
			class_send(b.p, i % 4 == 1 ? other : b.cs, &b.wants, b.time, i, false,
			    round == 0 ? '-' : i % 4 == 1 ? 'w' : 'm');
		read_end(&b);
	}
	assert_int_equal(packets_of(&b, "web"), 2 * FLOW_BATCH / 4);
	assert_int_equal(packets_of(&b, "mail"), 2 * 3 * FLOW_BATCH / 4);
	classes_finish(b.cs);
	classes_finish(other);
	read_end(&b);
	assert_int_equal(stat_of(&b, STAT_CLASS_STREAMS),
	    stat_of(&b, STAT_CLASS_KNOWN) + stat_of(&b, STAT_CLASS_UNKNOWN));
	classes_free(other);
	bench_close(&b);
}

/* Closed in the midst of it, with packets that wait and moves that are due. */
static void
test_close(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b, 1000);
	for (uint32_t no = 0; no < 200; no++)
		send(&b, no, false, 'p');
	classes_budget(b.cs, 100);
	for (uint32_t no = 0; no < 200; no++)
		send(&b, no, false, no % 2 == 0 ? 'm' : 'q');
	assert_true(class_rig_streams > 0);
	bench_close(&b);
}

/* However it is cut into reads, whatever the budget, classes count the same at the end. */
static void
test_any_split(void **state)
{
	enum { PACKETS = 4000, STREAMS = 150 };
	static const char octets[] = "------------------------wmppqqgg";
	uint64_t want[4] = { 0 };

	(void)state;
	for (uint32_t split = 0; split < 30; split++) {
		uint32_t script = 7, cut = split;
		uint32_t read = split == 0 ? PACKETS : 1 + class_draw(&cut, 700);
		uint32_t budget = split % 3 == 0 ? CLASSES_NO_BUDGET : read / 3 + class_draw(&cut, 400);
		struct bench b;
		uint64_t got[4];

		bench_open(&b, 1000);
		classes_budget(b.cs, budget);
		for (uint32_t i = 1; i <= PACKETS; i++) {
			uint32_t no = class_draw(&script, STREAMS);
			bool back = class_draw(&script, 2) == 1;

			send(&b, no, back, octets[class_draw(&script, sizeof(octets) - 1)]);
			if (i % read != 0)
				continue;
			read_end(&b);
			classes_budget(b.cs, budget);
		}
		classes_finish(b.cs);
		read_end(&b);
		got[0] = packets_of(&b, "web"), got[1] = packets_of(&b, "mail");
		got[2] = packets_of(&b, "guess"), got[3] = packets_of(&b, "unknown");
		if (split == 0)
			memcpy(want, got, sizeof(want));
		assert_int_equal(stat_of(&b, STAT_CLASS_UNSEEN), 0);
		if (memcmp(want, got, sizeof(want)) != 0)
			fail_msg("reads of %u, budget of %u: %llu web, not %llu", read, budget,
			    (unsigned long long)got[0], (unsigned long long)want[0]);
		bench_close(&b);
	}
	for (unsigned i = 0; i < 4; i++)
		assert_true(want[i] > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_evicted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_stray),
		cmocka_unit_test(test_any_time),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_announced),
		cmocka_unit_test(test_announced_to_another),
		cmocka_unit_test(test_announced_evicted),
		cmocka_unit_test(test_budget_of_announcements),
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_two_doors),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_any_split),
	};

	return cmocka_run_group_tests_name("collectors/classes", tests, NULL, NULL);
}
