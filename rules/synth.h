/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * synth: an Ethernet frame from a flow record, so that filters which look at frames can
 * look at records: addresses, an 802.1Q tag (if there is a vlan), MPLS labels (if there are
 * any), IPv4 or IPv6, and the first octets of the transport header: ports and flags, or
 * ICMP's type and code. What no record tells is 0; rules/spots.def says what stands where.
 *
 * The frame says that it was as long on the wire as the record's packets were on average,
 * and that IP's lengths were. Nothing in it depends on lengths from the wire. No state; any
 * thread.
 */
#ifndef WEIR_RULES_SYNTH_H
#define WEIR_RULES_SYNTH_H

#include <stdint.h>

#include "flow/field.h"
#include "flow/flow.h"
#include "flow/frame.h"

#define SYNTH_LABELS 10U /* of a stack; more are left out */

/* Ethernet, a tag, labels, IPv6, transport. */
#define SYNTH_MAX (14U + 4U + 4U * SYNTH_LABELS + 40U + 20U)

/* Add the fields that frames are made of. */
void synth_reads(struct field_set *reads);

/* Make the frame of `f` in `to` (SYNTH_MAX), and `frame`, which points there. */
void synth_frame(const struct flow *f, uint8_t *to, struct frame *frame);

#endif
