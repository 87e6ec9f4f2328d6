/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames: those that are the traffic, and those that carry export datagrams in
 * a pcap file. Checksums and lengths are right for the whole frame, captured or not;
 * what follows the headers is zeros. No state.
 */
#ifndef WEIR_BENCH_GEN_FRAME_H
#define WEIR_BENCH_GEN_FRAME_H

#include "bench/gen.h"
#include "bench/gen_flows.h"
#include "bench/gen_wrap.h"

#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX (1500 + WRAP_OCTETS_MAX)  /* without FCS */
#define FRAME_HEADERS_MAX 84  /* IPv6, 24 octets of extensions, TCP */
#define FRAME_UDP_OCTETS 42  /* Ethernet, IPv4 and UDP headers before a datagram */

/* `--kind packets`: every record is a frame of its own. */
extern const struct encoder frame_encoder;

/*
 * Build the packet of `r` in `to`, which has room for `snap` octets or FRAME_MAX,
 * whichever is less; `snap` has room for what r->wrap puts before it and
 * FRAME_HEADERS_MAX. Nothing is written past
 * `snap`.
 *
 * Returns the length of the whole frame, without FCS.
 */
uint32_t frame_build(uint8_t *to, const struct record *r, uint32_t snap);

/*
 * Write the Ethernet, IPv4 and UDP headers of a datagram into the FRAME_UDP_OCTETS
 * before `payload`. Addresses are 4 octets, ports host order.
 */
void frame_wrap_udp(uint8_t *payload, size_t payload_octets, const uint8_t src[4],
    const uint8_t dst[4], uint16_t src_port, uint16_t dst_port);

#endif
