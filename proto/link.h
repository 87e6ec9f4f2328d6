/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link: the table of link layers, by libpcap's numbers. Constant data; any thread.
 */
#ifndef WEIR_PROTO_LINK_H
#define WEIR_PROTO_LINK_H

#include <stdint.h>

#include "flow/flow.h"
#include "lib/rbuf.h"
#include "proto/packet.h"

/*
 * Take a link header off the front of `r`, and what stands between it and the network
 * layer, as the functions of ether.h do.
 */
typedef uint16_t link_strip(
    struct rbuf *r, struct flow *f, const struct packet_wants *w);

struct packet_link {
	int type; /* DLT_... as pcap_datalink gives it, or LINKTYPE_... of files */
	link_strip *strip;
	uint8_t skip; /* octets that stand before what it takes, for the caller to skip */
};

#endif
