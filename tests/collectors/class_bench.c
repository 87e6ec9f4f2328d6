/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/collectors/class_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "tests/collectors/class_rig.h"

void
class_bench_open(struct class_bench *b, uint32_t max_flows)
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

void
class_bench_close(struct class_bench *b)
{
	classes_free(b->cs);
	assert_int_equal(class_rig_streams, 0);
	channels_free(b->config.channels);
	engine_free(b->en);
}

void
class_bench_send(struct class_bench *b, uint32_t no, bool back, char octet)
{
	class_send(b->p, b->cs, &b->wants, b->time, no, back, octet);
	b->fed++;
}

void
class_bench_announce(struct class_bench *b, uint32_t no, bool media)
{
	class_announce(b->p, b->cs, &b->wants, b->time, no, media);
	b->fed++;
}

void
class_bench_read(struct class_bench *b)
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

uint64_t
class_bench_packets(const struct class_bench *b, const char *class)
{
	uint32_t n;

	return fake_class_packets(b->shard, class, &n);
}

uint64_t
class_bench_stat(const struct class_bench *b, enum stat_no no)
{
	return stat_get(&b->p->stats, no);
}
