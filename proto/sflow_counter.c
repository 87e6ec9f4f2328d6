/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/sflow_counter.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "proto/sflow.h"

/* How a counter reads. */
enum member_kind {
	U32,
	U64,
	PERCENT, /* hundredths of a percent, -1: unknown */
};

struct member {
	const char *name;
	enum member_kind kind;
};

/* https://sflow.org/sflow_version_5.txt, in the order of the wire. */
static const struct member generic[] = {
	{ "ifIndex", U32 },
	{ "ifType", U32 },
	{ "ifSpeed", U64 },
	{ "ifDirection", U32 },
	{ "ifStatus", U32 },
	{ "ifInOctets", U64 },
	{ "ifInUcastPkts", U32 },
	{ "ifInMulticastPkts", U32 },
	{ "ifInBroadcastPkts", U32 },
	{ "ifInDiscards", U32 },
	{ "ifInErrors", U32 },
	{ "ifInUnknownProtos", U32 },
	{ "ifOutOctets", U64 },
	{ "ifOutUcastPkts", U32 },
	{ "ifOutMulticastPkts", U32 },
	{ "ifOutBroadcastPkts", U32 },
	{ "ifOutDiscards", U32 },
	{ "ifOutErrors", U32 },
	{ "ifPromiscuousMode", U32 },
};
static const struct member ethernet[] = {
	{ "dot3StatsAlignmentErrors", U32 },
	{ "dot3StatsFCSErrors", U32 },
	{ "dot3StatsSingleCollisionFrames", U32 },
	{ "dot3StatsMultipleCollisionFrames", U32 },
	{ "dot3StatsSQETestErrors", U32 },
	{ "dot3StatsDeferredTransmissions", U32 },
	{ "dot3StatsLateCollisions", U32 },
	{ "dot3StatsExcessiveCollisions", U32 },
	{ "dot3StatsInternalMacTransmitErrors", U32 },
	{ "dot3StatsCarrierSenseErrors", U32 },
	{ "dot3StatsFrameTooLongs", U32 },
	{ "dot3StatsInternalMacReceiveErrors", U32 },
	{ "dot3StatsSymbolErrors", U32 },
};
static const struct member token_ring[] = {
	{ "dot5StatsLineErrors", U32 },
	{ "dot5StatsBurstErrors", U32 },
	{ "dot5StatsACErrors", U32 },
	{ "dot5StatsAbortTransErrors", U32 },
	{ "dot5StatsInternalErrors", U32 },
	{ "dot5StatsLostFrameErrors", U32 },
	{ "dot5StatsReceiveCongestions", U32 },
	{ "dot5StatsFrameCopiedErrors", U32 },
	{ "dot5StatsTokenErrors", U32 },
	{ "dot5StatsSoftErrors", U32 },
	{ "dot5StatsHardErrors", U32 },
	{ "dot5StatsSignalLoss", U32 },
	{ "dot5StatsTransmitBeacons", U32 },
	{ "dot5StatsRecoverys", U32 },
	{ "dot5StatsLobeWires", U32 },
	{ "dot5StatsRemoves", U32 },
	{ "dot5StatsSingles", U32 },
	{ "dot5StatsFreqErrors", U32 },
};
static const struct member vg[] = {
	{ "dot12InHighPriorityFrames", U32 },
	{ "dot12InHighPriorityOctets", U64 },
	{ "dot12InNormPriorityFrames", U32 },
	{ "dot12InNormPriorityOctets", U64 },
	{ "dot12InIPMErrors", U32 },
	{ "dot12InOversizeFrameErrors", U32 },
	{ "dot12InDataErrors", U32 },
	{ "dot12InNullAddressedFrames", U32 },
	{ "dot12OutHighPriorityFrames", U32 },
	{ "dot12OutHighPriorityOctets", U64 },
	{ "dot12TransitionIntoTrainings", U32 },
	{ "dot12HCInHighPriorityOctets", U64 },
	{ "dot12HCInNormPriorityOctets", U64 },
	{ "dot12HCOutHighPriorityOctets", U64 },
};
static const struct member vlan[] = {
	{ "vlan", U32 },
	{ "octets", U64 },
	{ "ucastPkts", U32 },
	{ "multicastPkts", U32 },
	{ "broadcastPkts", U32 },
	{ "discards", U32 },
};
static const struct member processor[] = {
	{ "5s_cpu", PERCENT },
	{ "1m_cpu", PERCENT },
	{ "5m_cpu", PERCENT },
	{ "total_memory", U64 },
	{ "free_memory", U64 },
};

struct sflow_counter {
	uint32_t format;
	const char *type;
	unsigned octets;
	const struct member *members;
	size_t n;
};
#define ROW(format, name, octets) \
	{ format, "sflow_cnt_" #name, octets, name, sizeof(name) / sizeof(name[0]) }
static const struct sflow_counter counters[] = {
	ROW(SFLOW_COUNTER_GENERIC, generic, 88),
	ROW(SFLOW_COUNTER_ETHERNET, ethernet, 52),
	ROW(SFLOW_COUNTER_TOKEN_RING, token_ring, 72),
	ROW(SFLOW_COUNTER_VG, vg, 80),
	ROW(SFLOW_COUNTER_VLAN, vlan, 28),
	ROW(SFLOW_COUNTER_PROCESSOR, processor, 28),
};
#undef ROW

/* FDDI and WAN have no block of their own. */
static const uint32_t old_kinds[][SFLOW_COUNTER_BLOCKS] = {
	[SFLOW_OLD_COUNTER_GENERIC] = { SFLOW_COUNTER_GENERIC },
	[SFLOW_OLD_COUNTER_ETHERNET] = { SFLOW_COUNTER_GENERIC, SFLOW_COUNTER_ETHERNET },
	[SFLOW_OLD_COUNTER_TOKEN_RING] = { SFLOW_COUNTER_GENERIC, SFLOW_COUNTER_TOKEN_RING },
	[SFLOW_OLD_COUNTER_FDDI] = { SFLOW_COUNTER_GENERIC },
	[SFLOW_OLD_COUNTER_VG] = { SFLOW_COUNTER_GENERIC, SFLOW_COUNTER_VG },
	[SFLOW_OLD_COUNTER_WAN] = { SFLOW_COUNTER_GENERIC },
	[SFLOW_OLD_COUNTER_VLAN] = { SFLOW_COUNTER_VLAN },
};

const struct sflow_counter *
sflow_counter_find(uint32_t format)
{
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		if (counters[i].format == format)
			return &counters[i];
	return NULL;
}

const uint32_t *
sflow_counter_old(uint32_t kind)
{
	if (kind == 0 || kind >= sizeof(old_kinds) / sizeof(old_kinds[0]))
		return NULL;
	return old_kinds[kind];
}

uint32_t
sflow_counter_format(const struct sflow_counter *c)
{
	return c->format;
}

unsigned
sflow_counter_octets(const struct sflow_counter *c)
{
	return c->octets;
}

void
sflow_counter_json(
    const struct sflow_counter *c, const uint8_t *octets, struct text_line *l)
{
	struct rbuf r = rbuf_of(octets, c->octets);
	char text[96];

	text_line_put(l, text,
	    (size_t)snprintf(text, sizeof(text), "\"sf_cnt_type\": \"%s\"", c->type));
	for (size_t i = 0; i < c->n; i++) {
		const struct member *m = &c->members[i];
		uint64_t v = m->kind == U64 ? rbuf_u64(&r) : rbuf_u32(&r);
		int n;

		if (m->kind == PERCENT)
			n = snprintf(text, sizeof(text), ", \"%s\": %" PRId32, m->name,
			    (int32_t)v);
		else
			n = snprintf(text, sizeof(text), ", \"%s\": %" PRIu64, m->name, v);
		text_line_put(l, text, (size_t)n);
	}
}
