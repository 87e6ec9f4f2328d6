/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/netflow_fixed.h"

#include "lib/clock.h"
#include "proto/netflow.h"

#define ETHERTYPE_IPV4 0x0800U

/*
 * Which ports of a v5 record are meant, by protocol: of those that have ports, both; of
 * ICMP the destination port, where Cisco puts type and code.
 */
enum { PORT_SRC = 1, PORT_DST = 2, PORTS = PORT_SRC | PORT_DST };
static const uint8_t v5_ports[256] = {
	[1] = PORT_DST,
	[6] = PORTS,
	[17] = PORTS,
	[33] = PORTS,
	[58] = PORT_DST,
	[132] = PORTS,
	[136] = PORTS,
};

/*
 * The start of a v5 flow as far as bins go: seconds alone, each of the three times cut
 * to them, like pmacct, so that both put a record into the same bin.
 */
static inline uint64_t
v5_start(const struct message *m, uint32_t first)
{
	uint32_t uptime = m->clock.uptime_ms;
	uint64_t seconds = m->header_s + first / 1000;

	if (first > uptime) /* the uptime wrapped meanwhile, or was read late */
		return netflow_uptime_ns(m->header_s * CLOCK_S, uptime, first);
	return seconds > uptime / 1000 ? (seconds - uptime / 1000) * CLOCK_S : 0;
}

/* What a record has beyond that which every flow has, for views that ask for it. */
static inline void
v5_record_more(const struct message *m, const uint8_t *p, struct flow *f)
{
	f->nexthop = ip_from_v4(p + NETFLOW5_NEXTHOP);
	f->in_iface = wire_u16(p + NETFLOW5_INPUT);
	f->out_iface = wire_u16(p + NETFLOW5_OUTPUT);
	f->src_as = wire_u16(p + NETFLOW5_SRC_AS);
	f->dst_as = wire_u16(p + NETFLOW5_DST_AS);
	f->src_mask = p[NETFLOW5_SRC_MASK];
	f->dst_mask = p[NETFLOW5_DST_MASK];
	f->etype = ETHERTYPE_IPV4;
	f->timestamp_end = netflow_uptime_ns(
	    m->clock.export_ns, m->clock.uptime_ms, wire_u32(p + NETFLOW5_LAST));
}

static inline void
v5_record(
    const struct netflow *nf, const struct message *m, const uint8_t *p, struct flow *f)
{
	uint8_t proto = p[NETFLOW5_PROTO], ports = v5_ports[proto];
	uint32_t first = wire_u32(p + NETFLOW5_FIRST);

	f->src_host = ip_from_v4(p + NETFLOW5_SRC);
	f->dst_host = ip_from_v4(p + NETFLOW5_DST);
	f->src_port = (ports & PORT_SRC) != 0 ? wire_u16(p + NETFLOW5_SRC_PORT) : 0;
	f->dst_port = (ports & PORT_DST) != 0 ? wire_u16(p + NETFLOW5_DST_PORT) : 0;
	f->proto = proto;
	f->tos = p[NETFLOW5_TOS];
	f->tcp_flags = p[NETFLOW5_TCP_FLAGS];
	f->packets = wire_u32(p + NETFLOW5_PACKETS);
	f->bytes = wire_u32(p + NETFLOW5_OCTETS);
	f->timestamp_start =
	    netflow_uptime_ns(m->clock.export_ns, m->clock.uptime_ms, first);
	if (pipeline_needs_more(nf->pipeline))
		v5_record_more(m, p, f);
	f->stamp = message_stamp(nf, m, v5_start(m, first));
}

void
netflow5_decode(struct netflow *nf, struct message *m)
{
	const uint8_t *h = rbuf_get(&m->in, NETFLOW5_HEADER), *p;
	uint32_t count = wire_u16(h + NETFLOW5_COUNT), sampling;
	size_t there = rbuf_left(&m->in) / NETFLOW5_RECORD;

	if (!message_exporter(nf, m, wire_u16(h + NETFLOW5_ENGINE)))
		return;
	m->header_s = wire_u32(h + NETFLOW5_SECONDS);
	m->header_ns = m->header_s * CLOCK_S;
	if (m->header_ns != 0 && wire_u32(h + NETFLOW5_NANOSECONDS) < CLOCK_S)
		m->header_ns += wire_u32(h + NETFLOW5_NANOSECONDS);
	m->clock.export_ns = m->header_ns;
	m->clock.uptime_ms = wire_u32(h + NETFLOW5_UPTIME);
	sampling = wire_u16(h + NETFLOW5_SAMPLING) & NETFLOW5_RATE_MASK;
	m->sampling = sampling;
	if (atomic_load_explicit(&m->exporter->sampling, memory_order_relaxed) !=
	    sampling)
		atomic_store_explicit(
		    &m->exporter->sampling, sampling, memory_order_relaxed);
	message_sequence(nf, m, wire_u32(h + NETFLOW5_SEQUENCE), count, "records");

	/*
	 * The count rules: what follows the last record is padding, or no flows at all.
	 */
	if (count > there) {
		message_fault(m, STAT_BAD_SHORT);
		message_log(nf, m, "%u records announced, %zu there", count, there);
		count = (uint32_t)there;
	}
	p = rbuf_get(&m->in, (size_t)count * NETFLOW5_RECORD);
	for (uint32_t i = 0; i < count; i++, p += NETFLOW5_RECORD) {
		v5_record(nf, m, p, message_slot(nf, m));
		pipeline_commit(nf->pipeline);
	}
	m->records = m->fed = count;
}
