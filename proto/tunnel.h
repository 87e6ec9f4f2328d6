/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tunnel: what stands between the headers of a packet and those of the packet within:
 * GRE with what it carries, VXLAN, Geneve, GTP-U, L2TP and others, by IP protocol and UDP
 * port. No state; any thread.
 */
#ifndef WEIR_PROTO_TUNNEL_H
#define WEIR_PROTO_TUNNEL_H

#include <stdint.h>

#include "flow/flow.h"
#include "lib/err.h"
#include "lib/rbuf.h"
#include "proto/packet.h"

/*
 * Take the tunnel's header off `r`, which starts with what follows the IP header of
 * `outer`, and what stands before the network layer within, as ether.h has it. Fills what
 * link layer there is within into `in`, and vxlan and nvgre.
 *
 * Returns the EtherType of what is within; 0 where there is no tunnel, or no more of it.
 */
uint16_t tunnel_strip(const struct flow *outer, struct rbuf *r, struct flow *in,
    const struct packet_wants *w);

/* The same where `outer` is in the tunnel of layer `layer`; otherwise 0. */
uint16_t tunnel_strip_layer(const struct packet_layer *layer, const struct flow *outer,
    struct rbuf *r, struct flow *in, const struct packet_wants *w);

#endif
