/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wlan: frames of IEEE 802.11, and the headers that drivers write before them (radiotap,
 * Prism, AVS). Only data frames that are not encrypted carry something to count. Functions
 * are those of the table of link layers (link.h).
 */
#ifndef WEIR_PROTO_WLAN_H
#define WEIR_PROTO_WLAN_H

#include <stdint.h>

#include "flow/flow.h"
#include "lib/rbuf.h"
#include "proto/packet.h"

uint16_t wlan_frame(struct rbuf *r, struct flow *f, const struct packet_wants *w);
uint16_t wlan_radiotap(struct rbuf *r, struct flow *f, const struct packet_wants *w);
uint16_t wlan_prism(struct rbuf *r, struct flow *f, const struct packet_wants *w);
uint16_t wlan_avs(struct rbuf *r, struct flow *f, const struct packet_wants *w);

#endif
