/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * counter_log: what counter samples of sFlow say, as lines of JSON in a file, or in a
 * file for each agent. Workers put entries into a ring each, which never waits; a thread
 * takes them out, writes them as text, and is the only one that touches files. What a full
 * ring cannot take is lost, and the worker counts it.
 *
 * Made with the configuration; the thread runs while some decoder has joined.
 */
#ifndef WEIR_COLLECTORS_COUNTER_LOG_H
#define WEIR_COLLECTORS_COUNTER_LOG_H

#include <stdint.h>

#include "lib/err.h"
#include "lib/ip.h"
#include "proto/sflow_counter.h"

/* One block of counters, as it came. */
struct counter_entry {
	uint64_t arrival;           /* ns since 1970 */
	ip16_t agent;
	ip16_t peer;                /* what peer_src_ip shows */
	const struct sflow_counter *counter;
	uint32_t source_class, source_index;
	uint32_t datagram, sample;  /* their numbers */
	uint8_t octets[SFLOW_COUNTER_OCTETS];
};

struct counter_log;
struct counter_ring;

/*
 * A log to the file `path`, in which $peer_src_ip stands for the address, with '_' in place
 * of dots and colons. NULL with `e` filled: memory, or another word behind a '$'.
 */
struct counter_log *counter_log_new(const char *path, struct err *e);
void counter_log_free(struct counter_log *g);

/*
 * A ring of this worker's own, which the log keeps; the first one starts the thread. Where
 * the file has one name, it is opened now. NULL with `e` filled. Main thread.
 */
struct counter_ring *counter_log_join(struct counter_log *g, struct err *e);

/*
 * Nothing more will come. The last one to leave waits until all is written, and ends the
 * thread. Main thread.
 */
void counter_log_leave(struct counter_ring *r);

/* Open files anew before the next line (SIGHUP). Any thread. */
void counter_log_reopen(struct counter_log *g);

/* Room for an entry, which counter_ring_commit then hands over; NULL: the ring is full. */
struct counter_entry *counter_ring_slot(struct counter_ring *r);
void counter_ring_commit(struct counter_ring *r);

/*
 * The same where the worker has nothing better to do, as when it reads a file: wait for
 * the thread, some seconds at most.
 */
struct counter_entry *counter_ring_slot_wait(struct counter_ring *r);

#endif
