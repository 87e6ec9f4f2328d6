/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A door with classes (class_rig.h): frames go to a view of classes and to one of all. What
 * was sent is counted, so that the end of each read can see that nothing is lost or twice.
 */
#ifndef WEIR_TESTS_COLLECTORS_CLASS_BENCH_H
#define WEIR_TESTS_COLLECTORS_CLASS_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/channels.h"
#include "collectors/classes.h"
#include "tests/core/fake.h"

struct class_bench {
	struct class_config config;
	struct packet_wants wants;
	struct engine *en;
	struct fake_out out;
	struct pipeline *p;
	struct classes *cs;
	const struct shard *shard;
	uint64_t time, fed;
};

/* One for `max_flows` streams; it is 1000 s past 1970 there. close: no stream is left. */
void class_bench_open(struct class_bench *b, uint32_t max_flows);
void class_bench_close(struct class_bench *b);

/* class_send and class_announce of class_rig.h, at b->time. */
void class_bench_send(struct class_bench *b, uint32_t no, bool back, char octet);
void class_bench_announce(struct class_bench *b, uint32_t no, bool media);

/* A read of the door is over: nothing is lost, nothing is twice. */
void class_bench_read(struct class_bench *b);

/* Packets that count as `class`, and a counter of the worker's. */
uint64_t class_bench_packets(const struct class_bench *b, const char *class);
uint64_t class_bench_stat(const struct class_bench *b, enum stat_no no);

#endif
