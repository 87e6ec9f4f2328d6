/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collectors/class_engine.h"
#include "collectors/classes.h"
#include "lib/clock.h"
#include "lib/intern.h"
#include "tests/core/fake.h"

#define GIVE_UP 6U /* looks at a stream */

/*
 * An engine that reads the first octet of the payload: 'w' is web for sure, 'm' mail for
 * sure, 'p' perhaps web, 'q' perhaps mail, 'g' nothing but a guess at the end; others tell
 * nothing. It counts the streams that it keeps something of.
 */
static unsigned fake_streams;

static void *
class_open(const struct class_config *c, struct err *e)
{
	(void)c, (void)e;
	return &fake_streams;
}

static void
class_close(void *engine)
{
	assert_ptr_equal(engine, &fake_streams);
}

static void *
stream_new(void *engine)
{
	++*(unsigned *)engine;
	return calloc(1, 1);
}

static void
stream_free(void *engine, void *stream)
{
	--*(unsigned *)engine;
	free(stream);
}

static uint32_t
class_id(const char *name)
{
	return intern(name, strlen(name));
}

static enum class_answer
class_look(void *engine, void *stream, const struct packet_content *c, uint64_t time,
    uint32_t *id)
{
	uint8_t octet = rbuf_left(&c->payload) > 0 ? *c->payload.p : 0;

	(void)engine, (void)time;
	if (octet == 'g')
		*(uint8_t *)stream = octet;
	if (octet == 'w' || octet == 'p')
		*id = class_id("web");
	else if (octet == 'm' || octet == 'q')
		*id = class_id("mail");
	return octet == 'w' || octet == 'm' ? CLASS_FINAL : CLASS_MORE;
}

static uint32_t
class_give_up(void *engine, void *stream)
{
	(void)engine;
	return *(uint8_t *)stream == 'g' ? class_id("guess") : 0;
}

static const struct class_engine_ops fake_class = {
	.name = "fake",
	.open = class_open,
	.close = class_close,
	.stream_new = stream_new,
	.stream_free = stream_free,
	.look = class_look,
	.give_up = class_give_up,
};

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
	b->config = (struct class_config){ .max_flows = max_flows, .idle_ms = 600000,
		.idle_budget = 1024, .giveup_tcp = GIVE_UP, .giveup_udp = GIVE_UP,
		.giveup_other = GIVE_UP, .n = 1, .ops = { &fake_class } };
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
	assert_int_equal(fake_streams, 0);
	engine_free(b->en);
}

/* A UDP datagram of stream `no`, with one octet of payload. */
static void
send(struct bench *b, uint32_t no, bool back, char octet)
{
	uint8_t bytes[43] = { [12] = 8, [14] = 0x45, [17] = 29, [22] = 64, [23] = 17,
		[39] = 9, [42] = (uint8_t)octet };
	const struct packet_link *link = packet_link(1);
	const struct frame frame = { .octets = bytes, .caplen = sizeof(bytes),
		.wirelen = sizeof(bytes), .time = b->time, .linktype = 1 };
	struct packet_fragment fragment;
	struct flow *f = pipeline_slot(b->p);

	bytes[back ? 30 : 26] = 10;
	for (unsigned i = 0; i < 3; i++)
		bytes[(back ? 31 : 27) + i] = (uint8_t)(no >> (16 - 8 * i));
	bytes[back ? 26 : 30] = 192;
	bytes[back ? 37 : 35] = 99; /* ports: 99 of the first, 53 of the other */
	bytes[back ? 35 : 37] = 53;
	assert_int_equal(packet_dissect_more(link, bytes, sizeof(bytes), sizeof(bytes),
			     &b->wants, f, &fragment),
	    PACKET_OK);
	f->stamp = b->time;
	classes_take(b->cs, link, &frame, f);
	pipeline_commit(b->p);
	b->fed++;
}

/* A read of the door is over: nothing is lost, nothing is twice. */
static void
read_end(struct bench *b)
{
	static const char *const names[] = { "web", "mail", "guess", "unknown" };
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
	assert_int_equal(fake_streams, OPEN);
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
	b.time += 700 * CLOCK_S;
	(void)classes_age(b.cs, b.time);
	for (uint32_t no = 100; no < 150; no++)
		send(&b, no, false, '-');
	for (uint32_t no = 0; no < 50; no++)
		send(&b, no, true, '-');
	read_end(&b);
	assert_int_equal(packets_of(&b, "web"), 100);
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
	assert_int_equal(fake_streams, 3);
	b.time += 2 * CLOCK_S;
	read_end(&b);
	assert_int_equal(fake_streams, 1);
	assert_int_equal(packets_of(&b, "guess"), 2);
	read_end(&b);
	assert_int_equal(fake_streams, 0);
	assert_int_equal(packets_of(&b, "guess"), 3);
	send(&b, 0, true, 'w'); /* it has been judged */
	read_end(&b);
	assert_int_equal(packets_of(&b, "guess"), 4);
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

/* Of what the exporter has told the class, nobody asks. */
static void
test_told(void **state)
{
	struct bench b;
	struct flow *f;

	(void)state;
	bench_open(&b, 100);
	f = pipeline_slot(b.p);
	f->class_id = class_id("mail");
	f->packets = 1;
	classes_take(b.cs, NULL, NULL, f);
	pipeline_commit(b.p);
	b.fed = 1;
	read_end(&b);
	assert_int_equal(packets_of(&b, "mail"), 1);
	assert_int_equal(stat_of(&b, STAT_CLASS_STREAMS), 0);
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
	assert_true(fake_streams > 0);
	bench_close(&b);
}

static uint32_t
draw(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % below;
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
		uint32_t read = split == 0 ? PACKETS : 1 + draw(&cut, 700);
		uint32_t budget = split % 3 == 0 ? CLASSES_NO_BUDGET : read / 3 + draw(&cut, 400);
		struct bench b;
		uint64_t got[4];

		bench_open(&b, 1000);
		classes_budget(b.cs, budget);
		for (uint32_t i = 1; i <= PACKETS; i++) {
			uint32_t no = draw(&script, STREAMS);
			bool back = draw(&script, 2) == 1;

			send(&b, no, back, octets[draw(&script, sizeof(octets) - 1)]);
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
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_any_split),
	};

	return cmocka_run_group_tests_name("collectors/classes", tests, NULL, NULL);
}
