/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The NetFlow decoder on a bench: a pipeline that nobody listens to, so that the flows of
 * the last datagram stay in the batch, and datagrams written octet by octet.
 */
#ifndef WEIR_TESTS_COLLECTORS_NETFLOW_BENCH_H
#define WEIR_TESTS_COLLECTORS_NETFLOW_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collectors/datagram.h"
#include "lib/clock.h"
#include "lib/wbuf.h"

#define NOW_S     UINT64_C(1700000000)    /* the time in headers */
#define ARRIVAL   ((NOW_S + 2) * CLOCK_S)
#define UPTIME_MS UINT32_C(3600500)       /* the uptime in headers */

struct bench {
	struct exporters *exporters;
	struct exporter_cache cache;
	struct pipeline pipeline;
	struct collector collector;
	struct datagram_config config;
	void *decoder;
	uint64_t arrival;   /* of the datagrams to come */
	bool connected;     /* they come over a connection */
};

/* A decoder for at most four exporters; `time_new` as in the configuration. */
void bench_open(struct bench *b, bool time_new);
void bench_close(struct bench *b);

/* Begin anew with what b->config says now. */
void bench_reopen(struct bench *b);

uint64_t bench_stat(const struct bench *b, enum stat_no i);

/* Fails unless the identities of the books hold. `says` names the case. */
void bench_books(const struct bench *b, const char *says);

/* 192.0.2.1, from which bench_feed sends */
extern const uint8_t bench_sender[4];

/*
 * Decode the `len` octets at `data` from 192.0.2.`host`, copied so that a sanitizer
 * sees their end. Returns how many flows the batch has grown by.
 */
unsigned bench_feed_from(struct bench *b, uint8_t host, const void *data, size_t len);
unsigned bench_feed(struct bench *b, const struct wbuf *w);

/*
 * Decode `data` cut at every length, and with every octet changed: nothing crashes, the
 * books balance, and the whole of it has at least `flows` flows afterwards.
 */
void bench_hurt(const uint8_t *data, size_t len, unsigned flows);

/* Begin a datagram, in memory that the next begins in again. */
void v5_header(struct wbuf *w, uint16_t count, uint32_t sequence);
void v9_header(struct wbuf *w, uint32_t sequence, uint32_t source_id);
void ipfix_header(struct wbuf *w, uint32_t sequence, uint32_t domain);

/* Write the length of an IPFIX message into its header. */
void ipfix_end(struct wbuf *w);

void v5_record(struct wbuf *w, uint8_t proto, uint32_t first, uint32_t last);

/* A v9 template set with `id`: source, destination, packets, bytes, first; 20 octets. */
void v9_template(struct wbuf *w, uint16_t id);
void v9_record(struct wbuf *w, uint32_t src, uint32_t bytes);

/* Octets in network order, 16 bits each: headers of sets, templates. */
void words(struct wbuf *w, const uint16_t *v, size_t n);
#define WORDS(w, ...) \
	words(w, (const uint16_t[]){ __VA_ARGS__ }, \
	    sizeof((const uint16_t[]){ __VA_ARGS__ }) / 2)

/* Group set-up and tear-down: no log, and this thread reads templates. */
int bench_enter(void **state);
int bench_leave(void **state);

#endif
