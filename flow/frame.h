/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frame: octets as they were captured, or the sampled header of a frame, and what is known
 * about them. Who hands one out says for how long its octets stay.
 */
#ifndef WEIR_FLOW_FRAME_H
#define WEIR_FLOW_FRAME_H

#include <stdint.h>

#define FRAME_ETHERNET      1U /* its linktype */
#define FRAME_SHAPE_UNKNOWN 0U

struct frame {
	const uint8_t *octets;
	uint32_t caplen;    /* octets there */
	uint32_t wirelen;   /* octets that it had on the wire */
	uint32_t linktype;  /* https://www.tcpdump.org/linktypes.html */
	uint32_t shape;     /* FRAME_SHAPE_UNKNOWN, or one more than enum shape (rules/shape.h) */
	uint64_t time;      /* ns since 1970 */
};

#endif
