/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * message: headers of what is exported (NetFlow v5, v9, IPFIX, sFlow), and how much room they
 * leave behind them. No state; any thread.
 */
#ifndef WEIR_EXPORT_MESSAGE_H
#define WEIR_EXPORT_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/ip.h"
#include "proto/encode.h"

#define MESSAGE_HEADER  40U    /* octets of the longest: sFlow's, of an IPv6 agent */
#define MESSAGE_MTU_MIN 576U
#define MESSAGE_MTU_MAX 65535U

/* Who sends, as the headers of a version tell it. */
struct message_sender {
	enum encode_version version;
	uint32_t domain;      /* v9's source id, IPFIX's domain; v5: engine type and id */
	uint16_t v5_sampling; /* of v5's header */
	uint64_t boot;        /* ns since 1970: where uptimes count from; whole seconds */
};

/* Room for the body of a message in an IP packet of `mtu` octets, MESSAGE_MTU_MIN at least. */
uint32_t message_room(enum encode_version version, uint32_t mtu);

/* The same of sFlow's. */
uint32_t message_sflow_room(uint32_t mtu);

/*
 * Write the header of a message of `body` octets with `records` records, sent at `now` (ns
 * since 1970), to `p` (MESSAGE_HEADER octets). Returns how long it is.
 */
size_t message_head(const struct message_sender *s, uint64_t now, uint32_t sequence,
    size_t body, unsigned records, uint8_t *p);

/* The same of sFlow's, with `samples`, of sub-agent `sub_agent` of `agent`. */
size_t message_sflow_head(const ip16_t *agent, uint32_t sub_agent, uint64_t boot, uint64_t now,
    uint32_t sequence, unsigned samples, uint8_t *p);

#endif
