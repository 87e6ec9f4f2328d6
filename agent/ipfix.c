/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipfix: what a collector can say of itself in IPFIX-MIB (RFC 6615), for managers that know
 * that module: its sessions, their statistics, and the templates that they have told, of all
 * that speak NetFlow or IPFIX to weir. An exporter (address and observation domain) stands
 * for a session. Everything else of the module is for exporters, or optional.
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
	v->n = *(const uint64_t *)(const void *)
	    ((const char *)((const S *)row)->exporter + arg);
}

static void
get_session_status(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	enum { INACTIVE = 1, ACTIVE = 2 };
	uint64_t seen = ((const S *)row)->exporter->last_seen;

	(void)arg;
	v->n = m->tree->cut_real > seen && m->tree->cut_real - seen > SILENT
	    ? INACTIVE : ACTIVE;
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

/* Templates, and what they consist of */

/* As sets of templates, or of options templates, are numbered: RFC 7011 s3.3.2. */
static void
get_set_id(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	enum { TEMPLATES = 2, OPTIONS_TEMPLATES = 3 };

	(void)m, (void)arg;
	v->n = ((const struct element_row *)row)->e.options ? OPTIONS_TEMPLATES : TEMPLATES;
}

/* `arg`: offset of a uint16_t. */
static void
get_u16(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	(void)m;
	v->n = *(const uint16_t *)(const void *)((const char *)row + arg);
}

/* BITS: scope is the first, flowKey the next, of which exporters tell in another way. */
static void
get_flags(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	uint8_t bits = ((const struct element_row *)row)->e.scope ? 0x80 : 0;

	(void)m, (void)arg;
	value_octets(v, &bits, sizeof(bits));
}

#define R struct element_row
static const struct column template_columns[] = {
	{ 3, VALUE_UNSIGNED, "ipfixTemplateSetId", get_set_id, 0 },
	DATE(4, "ipfixTemplateAccessTime", R, e.heard),
};
static const struct column definition_columns[] = {
	{ 2, VALUE_UNSIGNED, "ipfixTemplateDefinitionIeId", get_u16, offsetof(R, e.element) },
	{ 3, VALUE_UNSIGNED, "ipfixTemplateDefinitionIeLength", get_u16,
	    offsetof(R, e.octets) },
	{ 4, VALUE_UNSIGNED, "ipfixTemplateDefinitionEnterpriseNumber", get_u32,
	    offsetof(R, e.enterprise) },
	{ 5, VALUE_OCTETS, "ipfixTemplateDefinitionFlags", get_flags, 0 },
};

static const struct column template_stats_columns[] = {
	NUMBER(1, COUNTER64, "ipfixTemplateDataRecords", R, e.records),
	STAMP(2, "ipfixTemplateDiscontinuityTime", R, e.told),
};
#undef R

static uint32_t
template_count(const struct mib_tree *t)
{
	return t->elements != NULL ? t->elements->n_templates : 0;
}

static uint32_t
definition_count(const struct mib_tree *t)
{
	return t->elements != NULL ? t->elements->n : 0;
}

static const void *
definition_row(const struct mib_tree *t, uint32_t pos, struct entry *scratch)
{
	(void)scratch;
	return &t->elements->rows[pos];
}

/* That of its first element, as far as it says which template it is. */
static const void *
template_row(const struct mib_tree *t, uint32_t pos, struct entry *scratch)
{
	return definition_row(t, t->elements->firsts[pos], scratch);
}

static size_t
definition_index(const struct mib_tree *t, uint32_t pos, subid_t *out)
{
	const struct element_row *r = &t->elements->rows[pos];

	out[0] = r->session;
	out[1] = r->domain;
	out[2] = r->e.template;
	out[3] = r->e.no;
	return 4;
}

static size_t
template_index(const struct mib_tree *t, uint32_t pos, subid_t *out)
{
	return definition_index(t, t->elements->firsts[pos], out) - 1;
}

static const struct mib_table template_table = {
	"ipfixTemplateTable", 4, { 1, 1, 2, 1 }, COLUMNS(template_columns), template_count,
	template_index, template_row
};
static const struct mib_table template_stats_table = {
	"ipfixTemplateStatsTable", 4, { 1, 2, 2, 1 }, COLUMNS(template_stats_columns),
	template_count, template_index, template_row
};
static const struct mib_table definition_table = {
	"ipfixTemplateDefinitionTable", 4, { 1, 1, 3, 1 }, COLUMNS(definition_columns),
	definition_count, definition_index, definition_row
};

static const struct mib_table *const ipfix_tables[] = { &session_table, &template_table,
	&definition_table, &stats_table, &template_stats_table };
const struct mib ipfix_mib = { ipfix_tables, sizeof(ipfix_tables) / sizeof(ipfix_tables[0]) };
