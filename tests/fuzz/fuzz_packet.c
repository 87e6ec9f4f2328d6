/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target of the dissector of frames. The first octet chooses the link layer, the
 * second how much longer the frame was on the wire than what was captured of it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rbuf.h"
#include "proto/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int links[] = { 0, 1, 12, 101, 108, 113, 228, 229, 276, 6, 9, 10, 11, 50, 51,
		104, 105, 107, 109, 117, 119, 122, 127, 138, 163, 166, 192, 197, 204, 205, 206, 219,
		239, 240, 241, 258, 274, 100,
		8, 178, 226, 242, 281, 282, 284, 285 };
	struct rbuf in = rbuf_of(data, size);
	unsigned choice = rbuf_u8(&in) % (sizeof(links) / sizeof(links[0]));
	const struct packet_link *link = packet_link(links[choice]);
	size_t beyond = rbuf_u8(&in) * 8U, len = rbuf_left(&in);
	struct packet_fragment fragment;
	struct err e = ERR_INIT;
	struct packet_wants all;
	struct field_set every;
	struct rbuf payload;
	struct flow f;

	if (link == NULL || rbuf_left(&in) == 0)
		return 0;
	flow_clear(&f);
	(void)packet_dissect(link, in.p, len, len + beyond, &f);
	memset(&every, 0xff, sizeof(every));
	packet_wants_init(&all, &every);
	flow_clear(&f);
	(void)packet_dissect_more(link, in.p, len, len + beyond, &all, &f, &fragment);
	(void)packet_layers_parse("gtp;vxlan;geneve;l2tp", &all, &e);
	flow_clear(&f);
	(void)packet_dissect_more(link, in.p, len, len + beyond, &all, &f, &fragment);
	flow_clear(&f);
	if (packet_datagram(link, in.p, len, len + beyond, &f, &payload) == PACKET_OK &&
	    (payload.p < in.p || payload.end > in.end || payload.end < payload.p))
		abort();
	return 0;
}
