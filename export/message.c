/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/message.h"

#include "lib/clock.h"
#include "lib/wbuf.h"
#include "proto/netflow.h"
#include "proto/sflow_write.h"

#define IP_UDP (40U + 8U) /* octets of headers of IPv6, the longer, and UDP */

uint32_t
message_room(enum encode_version version, uint32_t mtu)
{
	uint32_t header = version == ENCODE_IPFIX ? NETFLOW10_HEADER
	    : version == ENCODE_V9                ? NETFLOW9_HEADER
	                                          : NETFLOW5_HEADER;

	return (mtu - IP_UDP - header) & ~UINT32_C(3);
}

uint32_t
message_sflow_room(uint32_t mtu)
{
	return (mtu - IP_UDP - SFLOW_DATAGRAM_HEADER) & ~UINT32_C(3);
}

size_t
message_sflow_head(const ip16_t *agent, uint32_t sub_agent, uint64_t boot, uint64_t now,
    uint32_t sequence, unsigned samples, uint8_t *p)
{
	/* A clock that is set back does not make it wrap. */
	uint64_t uptime = now > boot ? now - boot : 0;
	const struct sflow_head h = { .agent = *agent,
		.sub_agent = sub_agent,
		.sequence = sequence,
		.uptime_ms = (uint32_t)(uptime / CLOCK_MS),
		.samples = samples };

	return sflow_head_write(&h, p);
}

size_t
message_head(const struct message_sender *s, uint64_t now, uint32_t sequence, size_t body,
    unsigned records, uint8_t *p)
{
	struct wbuf w = wbuf_of(p, MESSAGE_HEADER);
	uint64_t seconds = now / CLOCK_S;
	/* As of the whole second that the header tells, so that times are told to the ms. */
	uint32_t uptime =
	    (uint32_t)((int64_t)(seconds * CLOCK_S - s->boot) / (int64_t)CLOCK_MS);

	wbuf_u16(&w, (uint16_t)s->version);
	if (s->version == ENCODE_IPFIX) {
		wbuf_u16(&w, (uint16_t)(NETFLOW10_HEADER + body));
		wbuf_u32(&w, (uint32_t)seconds);
		wbuf_u32(&w, sequence);
		wbuf_u32(&w, s->domain);
		return wbuf_len(&w);
	}
	wbuf_u16(&w, (uint16_t)records);
	wbuf_u32(&w, uptime);
	wbuf_u32(&w, (uint32_t)seconds);
	if (s->version == ENCODE_V5)
		wbuf_u32(&w, 0); /* ns beyond the second */
	wbuf_u32(&w, sequence);
	if (s->version == ENCODE_V9) {
		wbuf_u32(&w, s->domain);
	} else {
		wbuf_u16(&w, (uint16_t)s->domain);
		wbuf_u16(&w, s->v5_sampling);
	}
	return wbuf_len(&w);
}
