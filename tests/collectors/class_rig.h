/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tests of classes have in common: an engine that reads the first octet of the payload.
 * 'w' is web for sure, 'm' mail for sure, 'p' perhaps web, 'q' perhaps mail, 'g' nothing but
 * a guess at the end, 'I' SIP for sure; others tell nothing.
 */
#ifndef WEIR_TESTS_COLLECTORS_CLASS_RIG_H
#define WEIR_TESTS_COLLECTORS_CLASS_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/class_engine.h"
#include "collectors/classes.h"

#define CLASS_RIG_LOOKS 6U /* at a stream */

/* Streams that the engines keep something of. */
extern unsigned class_rig_streams;

/* That engine alone, for `max_flows` streams, which are forgotten after ten minutes. */
struct class_config class_rig_config(uint32_t max_flows);

/*
 * A UDP datagram of stream `no`, one way or back, with one octet of payload, at `time`, through
 * `cs` into `p`, as a door would have it.
 */
void class_send(struct pipeline *p, struct classes *cs, const struct packet_wants *wants,
    uint64_t time, uint32_t no, bool back, char octet);

/*
 * One of the control stream of stream `no`, which begins with 'I', and announces that that is RTP,
 * or, without `media`, nothing.
 */
void class_announce(struct pipeline *p, struct classes *cs, const struct packet_wants *wants,
    uint64_t time, uint32_t no, bool media);

/* A number below `below`, and the next seed. */
uint32_t class_draw(uint32_t *seed, uint32_t below);

#endif
