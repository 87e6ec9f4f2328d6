/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * late: packets that wait to be looked at, in the order of their coming; a bounded number of
 * them, and of each as much as classifiers need. One thread.
 */
#ifndef WEIR_COLLECTORS_LATE_H
#define WEIR_COLLECTORS_LATE_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/class_streams.h"
#include "flow/frame.h"
#include "proto/packet.h"

#define LATE_MAX    1024U
#define LATE_OCTETS 2048U /* of a packet */

struct late_packet {
	struct class_key stream; /* that it is of */
	const struct packet_link *link;
	struct frame frame;
	uint8_t octets[LATE_OCTETS];
};

/* Empty as it is when all is zero. */
struct late {
	uint32_t first, n;
	struct late_packet *ring; /* NULL until it is needed */
};

/* Keep a copy of a packet. Returns false when there is no room for it. */
bool late_add(struct late *l, const struct class_key *stream, const struct packet_link *link,
    const struct frame *frame);

/* Take the first one out, which is good until the next late_add; NULL when none waits. */
const struct late_packet *late_take(struct late *l);

void late_fini(struct late *l);

#endif
