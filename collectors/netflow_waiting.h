/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netflow_waiting: data sets that came before their template, over UDP anything but rare:
 * weir starts, and templates are told again every some minutes; datagrams overtake each
 * other. They wait here, with what their message said, until the template comes.
 *
 * A set waits only if its template was unknown when it came, so that none is read by a
 * template that replaced another. It is given up when it has waited too long, when the
 * exporter begins anew or withdraws templates (its ids then mean something else), and
 * when there are too many: the exporter's oldest, or the oldest of all. One room for each
 * decoder of a worker; that thread only. Memory comes and goes with each set, which is
 * no record's path, and is bounded.
 */
#ifndef WEIR_COLLECTORS_NETFLOW_WAITING_H
#define WEIR_COLLECTORS_NETFLOW_WAITING_H

#include "collectors/datagram.h"
#include "lib/clock.h"
#include "proto/template.h"

#define WAITING_SETS            1024U           /* of all exporters */
#define WAITING_OCTETS          (4U << 20)
#define WAITING_EXPORTER_SETS   64U             /* of one */
#define WAITING_EXPORTER_OCTETS (512U << 10)
#define WAITING_NS              (300 * CLOCK_S) /* by the arrival of datagrams */

struct waiting_set {
	uint64_t exporter;           /* its serial */
	enum template_kind kind;
	uint16_t id;
	uint16_t version;            /* of the message, and what else it said: */
	struct datagram datagram;    /* whose data is gone */
	struct template_clock clock;
	uint64_t header_ns, header_s;
	uint32_t number;
	size_t octets;
	uint8_t data[];
};

struct waiting;

struct waiting *waiting_new(void);
void waiting_free(struct waiting *w);

/* How many sets wait. */
unsigned waiting_count(const struct waiting *w);

/*
 * Let a copy of `set` wait, with the `octets` at `data`. Returns how many others were
 * given up for it, or -WEIR_ENOMEM.
 */
int waiting_add(struct waiting *w, const struct waiting_set *set, const uint8_t *data,
    size_t octets);

/*
 * The next set of exporter `serial` from place `*at` on, which is left at it; NULL when
 * there is none. Valid until the next call that changes anything.
 */
const struct waiting_set *waiting_next(const struct waiting *w, uint64_t serial,
    unsigned *at);

/* The set at place `at` waits no more; those behind it move up. */
void waiting_remove(struct waiting *w, unsigned at);

/* Give up what came before `now` - WAITING_NS. Returns how many. */
unsigned waiting_expire(struct waiting *w, uint64_t now);

/* Give up all of exporter `serial`. Returns how many. */
unsigned waiting_forget(struct waiting *w, uint64_t serial);

#endif
