/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipfix: what a collector can say of itself in IPFIX-MIB (RFC 6615), for managers that know
 * that module: its sessions and their statistics, of all that speak NetFlow or IPFIX to
 * weir. An exporter (address and observation domain) stands for a session. Everything else
 * of the module is for exporters, or optional.
 */
#include "agent/tables.h"
#include "lib/clock.h"

#define SILENT (300 * CLOCK_S) /* then it is no longer active */

#define S struct session_row
static void
get_source_type(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	const S *s = row;

	(void)m, (void)arg;
	v->n = value_inet_type(&s->exporter->address);
}

static void
get_source(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	const S *s = row;

	(void)m, (void)arg;
	value_inet(v, &s->exporter->address, value_inet_type(&s->exporter->address));
}

static void
get_destination_type(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	const S *s = row;

	(void)m, (void)arg;
	v->n = s->collector->address_type;
}

static void
get_destination(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	const S *s = row;

	(void)m, (void)arg;
	value_inet(v, &s->collector->address, (enum inet_type)s->collector->address_type);
}

static void
get_destination_port(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	(void)m, (void)arg;
	v->n = ((const S *)row)->collector->port;
}

/* `arg`: offset of a uint64_t in the exporter's row. */
static void
get_exporter(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	(void)m;
	v->n = *(const uint64_t *)(const void *)((const char *)((const S *)row)->exporter + arg);
}

static void
get_session_status(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	enum { INACTIVE = 1, ACTIVE = 2 };
	uint64_t seen = ((const S *)row)->exporter->last_seen;

	(void)arg;
	v->n = m->tree->cut_real > seen && m->tree->cut_real - seen > SILENT ? INACTIVE : ACTIVE;
}

static void
get_first_seen(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	(void)arg;
	v->n = moment_timestamp(m, ((const S *)row)->exporter->first_seen);
}
#undef S

#define N "ipfixTransportSession"
#define EXPORTER(no, TYPE, name, member) \
	{ no, VALUE_##TYPE, N name, get_exporter, offsetof(struct exporter_row, member) }
static const struct column session_columns[] = {
	CONSTANT(2, UNSIGNED, N "Protocol", 17), /* UDP; what comes by TCP is not told apart */
	{ 3, VALUE_INTEGER, N "SourceAddressType", get_source_type, 0 },
	{ 4, VALUE_OCTETS, N "SourceAddress", get_source, 0 },
	{ 5, VALUE_INTEGER, N "DestinationAddressType", get_destination_type, 0 },
	{ 6, VALUE_OCTETS, N "DestinationAddress", get_destination, 0 },
	CONSTANT(7, UNSIGNED, N "SourcePort", 0), /* exporters may use many */
	{ 8, VALUE_UNSIGNED, N "DestinationPort", get_destination_port, 0 },
	CONSTANT(9, UNSIGNED, N "SctpAssocId", 0),
	CONSTANT(10, INTEGER, N "DeviceMode", 2), /* collecting */
	CONSTANT(11, UNSIGNED, N "TemplateRefreshTimeout", 0), /* the exporter knows */
	CONSTANT(12, UNSIGNED, N "OptionsTemplateRefreshTimeout", 0),
	CONSTANT(13, UNSIGNED, N "TemplateRefreshPacket", 0),
	CONSTANT(14, UNSIGNED, N "OptionsTemplateRefreshPacket", 0),
	EXPORTER(15, UNSIGNED, "IpfixVersion", version),
	{ 16, VALUE_INTEGER, N "Status", get_session_status, 0 },
};

static const struct column stats_columns[] = {
	EXPORTER(1, UNSIGNED, "Rate", rate),
	EXPORTER(2, COUNTER64, "Packets", counts[EXPORTER_DATAGRAMS]),
	EXPORTER(3, COUNTER64, "Bytes", counts[EXPORTER_OCTETS]),
	EXPORTER(4, COUNTER64, "Messages", counts[EXPORTER_DATAGRAMS]), /* one in each */
	EXPORTER(5, COUNTER64, "DiscardedMessages", counts[EXPORTER_MALFORMED]),
	EXPORTER(6, COUNTER64, "Records", counts[EXPORTER_RECORDS]),
	EXPORTER(7, COUNTER64, "Templates", counts[EXPORTER_TEMPLATES]),
	CONSTANT(8, COUNTER64, N "OptionsTemplates", 0), /* counted among the templates */
	{ 9, VALUE_TIMETICKS, N "DiscontinuityTime", get_first_seen, 0 },
};
#undef N

INDEXED_TABLE(session, sessions)

static const struct mib_table session_table = {
	"ipfixTransportSessionTable", 4, { 1, 1, 1, 1 }, COLUMNS(session_columns),
	session_count, session_index, session_row
};
static const struct mib_table stats_table = {
	"ipfixTransportSessionStatsTable", 4, { 1, 2, 1, 1 }, COLUMNS(stats_columns),
	session_count, session_index, session_row
};

static const struct mib_table *const ipfix_tables[] = { &session_table, &stats_table };
const struct mib ipfix_mib = { ipfix_tables, 2 };
