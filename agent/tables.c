/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "agent/tables.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/clock.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "(unknown version)" /* of tests that are built by hand */
#endif

const struct mib_table *const mib_tables[N_MIB_TABLES] = {
	&general_table, &collector_table, &exporter_table, &view_table, &entry_table,
	&topn_control_table, &topn_table, &output_table, &threshold_table, &alarm_table,
	&watch_table, &interface_table,
};

const struct mib weir_mib = { mib_tables, N_MIB_TABLES };

/* TimeStamp counts hundredths of a second; before the start of sysUpTime it is 0. */
uint64_t
moment_timestamp(const struct moment *m, uint64_t ns)
{
	return ns > m->boot ? (ns - m->boot) / (10 * CLOCK_MS) : 0;
}

static const void *
member(const void *row, size_t offset)
{
	return (const char *)row + offset;
}

void
get_number(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	(void)m, (void)row;
	v->n = arg;
}

void
get_u64(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	(void)m;
	v->n = *(const uint64_t *)member(row, arg);
}

void
get_u32(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	(void)m;
	v->n = *(const uint32_t *)member(row, arg);
}

void
get_text(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	(void)m;
	value_text(v, member(row, arg));
}

void
get_date(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	(void)m;
	value_date(v, *(const uint64_t *)member(row, arg));
}

void
get_stamp(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	v->n = moment_timestamp(m, *(const uint64_t *)member(row, arg));
}

void
get_start_stamp(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	(void)row, (void)arg;
	v->n = moment_timestamp(m, m->tree->started);
}

/* weirGeneral */

static void
get_version(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	(void)m, (void)row, (void)arg;
	value_text(v, "weir " PACKAGE_VERSION);
}

static void
get_age(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	(void)row, (void)arg;
	if (m->mono > m->tree->cut_mono)
		v->n = (m->mono - m->tree->cut_mono) / CLOCK_S;
}

#define STATISTIC(no, name, stat) \
	NUMBER(no, COUNTER64, name, struct mib_tree, stats[STAT_SNMP_##stat])
static const struct column general_columns[] = {
	{ 1, VALUE_OCTETS, "weirVersion", get_version, 0 },
	DATE(2, "weirStartTime", struct mib_tree, started),
	DATE(3, "weirSnapshotTime", struct mib_tree, cut_real),
	NUMBER(4, COUNTER32, "weirSnapshotSerial", struct mib_tree, serial),
	{ 5, VALUE_UNSIGNED, "weirSnapshotAge", get_age, 0 },
	/* The configuration of the start is the only one: reloads do not change views. */
	CONSTANT(6, UNSIGNED, "weirConfigGeneration", 1),
	NUMBER(7, COUNTER32, "weirNotificationsSent", struct mib_tree, notified),
	NUMBER(8, COUNTER32, "weirNotificationsSuppressed", struct mib_tree, not_notified),
	NUMBER(9, COUNTER32, "weirActionsSuppressed", struct mib_tree, not_acted),
	NUMBER(10, INTEGER, "weirBooksBalance", struct mib_tree, books),
	STATISTIC(11, "weirAnswers", ANSWERED),
	STATISTIC(12, "weirAnswersOver100us", OVER_100US),
	STATISTIC(13, "weirAnswersOver1ms", OVER_1MS),
	STATISTIC(14, "weirAnswersOver10ms", OVER_10MS),
	STATISTIC(15, "weirAnswersOver100ms", OVER_100MS),
};

static uint32_t
general_count(const struct mib_tree *t)
{
	(void)t;
	return 1;
}

static size_t
general_index(const struct mib_tree *t, uint32_t pos, subid_t *out)
{
	(void)t, (void)pos;
	out[0] = 0;
	return 1;
}

static const void *
general_row(const struct mib_tree *t, uint32_t pos, struct entry *scratch)
{
	(void)pos, (void)scratch;
	return t;
}

const struct mib_table general_table = {
	"weirGeneral", 2, { 1, 1 }, COLUMNS(general_columns), general_count, general_index,
	general_row
};

/* weirCollectorTable */

static void
get_listen_address(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	const struct collector_row *c = row;

	(void)m, (void)arg;
	value_inet(v, &c->address, (enum inet_type)c->address_type);
}

#define C struct collector_row
static const struct column collector_columns[] = {
	TEXT(2, "weirCollectorName", C, name),
	NUMBER(3, INTEGER, "weirCollectorType", C, type),
	NUMBER(4, INTEGER, "weirCollectorAddressType", C, address_type),
	{ 5, VALUE_OCTETS, "weirCollectorAddress", get_listen_address, 0 },
	NUMBER(6, UNSIGNED, "weirCollectorPort", C, port),
	TEXT(7, "weirCollectorInterface", C, interface),
	CONSTANT(8, INTEGER, "weirCollectorAdminState", 1), /* enabled: others are not made */
	NUMBER(9, INTEGER, "weirCollectorOperState", C, oper_state),
	NUMBER(10, COUNTER64, "weirCollectorPackets", C, packets),
	NUMBER(11, COUNTER64, "weirCollectorBytes", C, octets),
	NUMBER(12, COUNTER64, "weirCollectorKernelDrops", C, drops),
	NUMBER(13, COUNTER64, "weirCollectorQueueDrops", C, crowded),
	NUMBER(14, COUNTER64, "weirCollectorDecodeErrors", C, errors),
	NUMBER(15, COUNTER64, "weirCollectorUnknownVersion", C, versions),
	NUMBER(16, UNSIGNED, "weirCollectorTemplatesActive", C, templates),
	NUMBER(17, COUNTER64, "weirCollectorNoTemplateRecords", C, no_template),
	NUMBER(18, UNSIGNED, "weirCollectorBuffered", C, waiting),
	DATE(19, "weirCollectorLastReceive", C, last_seen),
	START_STAMP(20, "weirCollectorDiscontinuityTime"),
};
#undef C

INDEXED_TABLE(collector, collectors)

const struct mib_table collector_table = {
	"weirCollectorTable", 3, { 1, 2, 1 }, COLUMNS(collector_columns), collector_count,
	collector_index, collector_row
};

/* weirExporterTable */

#define E struct exporter_row

void
exporter_name_write(const ip16_t *address, uint32_t domain, char *buf)
{
	size_t len = ip_format(address, buf);

	(void)snprintf(buf + len, EXPORTER_NAME - len, "/%" PRIu32, domain);
}

static void
get_exporter_name(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	const E *x = row;
	char text[EXPORTER_NAME];

	(void)m, (void)arg;
	exporter_name_write(&x->address, x->domain, text);
	value_text(v, text);
}

static void
get_silence(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	uint64_t seen = ((const E *)row)->last_seen;

	(void)arg;
	if (m->tree->cut_real > seen)
		v->n = (m->tree->cut_real - seen) / CLOCK_S;
}

#define COUNT(no, TYPE, name, count) NUMBER(no, TYPE, name, E, counts[EXPORTER_##count])
static const struct column exporter_columns[] = {
	NUMBER(4, INTEGER, "weirExporterProtocol", E, protocol),
	NUMBER(5, UNSIGNED, "weirExporterProtocolVersion", E, version),
	NUMBER(6, UNSIGNED, "weirExporterSamplingInterval", E, sampling),
	COUNT(7, COUNTER64, "weirExporterPackets", DATAGRAMS),
	COUNT(8, COUNTER64, "weirExporterBytes", OCTETS),
	COUNT(9, COUNTER64, "weirExporterRecords", RECORDS),
	COUNT(10, COUNTER64, "weirExporterSequenceLost", SEQUENCE_LOST),
	COUNT(11, COUNTER64, "weirExporterSequenceOutOfOrder", SEQUENCE_LATE),
	COUNT(12, COUNTER64, "weirExporterSequenceResets", SEQUENCE_RESETS),
	COUNT(13, COUNTER64, "weirExporterDuplicates", SEQUENCE_DUPLICATES),
	COUNT(14, UNSIGNED, "weirExporterTemplates", TEMPLATES),
	COUNT(15, COUNTER64, "weirExporterTemplateChanges", TEMPLATE_CHANGES),
	COUNT(16, COUNTER64, "weirExporterNoTemplateRecords", NO_TEMPLATE),
	COUNT(17, COUNTER64, "weirExporterDecodeErrors", MALFORMED),
	COUNT(18, COUNTER64, "weirExporterDroppedSamples", SAMPLES_DROPPED),
	NUMBER(19, INTEGER, "weirExporterClockSkew", E, skew_ms),
	DATE(20, "weirExporterLastReceive", E, last_seen),
	STAMP(21, "weirExporterDiscontinuityTime", E, first_seen),
	{ 22, VALUE_OCTETS, "weirExporterName", get_exporter_name, 0 },
	{ 23, VALUE_UNSIGNED, "weirExporterSecondsSinceReceive", get_silence, 0 },
};
#undef COUNT
#undef E

ARRAY_TABLE(exporter, exporters)

/* An address has its length before it: its size is not fixed (RFC 2578 s7.7). */
size_t
exporter_index_write(uint32_t collector, const ip16_t *address, uint32_t domain,
    subid_t *out)
{
	bool v4 = ip_is_v4(address);
	size_t len = 0;

	out[len++] = collector;
	out[len++] = v4 ? INET_IPV4 : INET_IPV6;
	out[len++] = v4 ? 4 : 16;
	for (size_t i = v4 ? 12 : 0; i < 16; i++)
		out[len++] = address->b[i];
	out[len++] = domain;
	return len;
}

static size_t
exporter_index(const struct mib_tree *t, uint32_t pos, subid_t *out)
{
	const struct exporter_row *x = &t->exporters[pos];

	return exporter_index_write(x->collector, &x->address, x->domain, out);
}

const struct mib_table exporter_table = {
	"weirExporterTable", 3, { 1, 3, 1 }, COLUMNS(exporter_columns), exporter_count,
	exporter_index, exporter_row
};

/* weirViewTable */

#define V struct view_row
static const struct column view_columns[] = {
	TEXT(2, "weirViewName", V, name),
	TEXT(3, "weirViewKeySpec", V, key_spec),
	NUMBER(4, UNSIGNED, "weirViewInterval", V, interval),
	NUMBER(5, UNSIGNED, "weirViewRows", V, n_rows),
	NUMBER(6, UNSIGNED, "weirViewRowsHidden", V, hidden),
	NUMBER(7, UNSIGNED, "weirViewCapacity", V, capacity),
	NUMBER(8, COUNTER64, "weirViewBytes", V, total.bytes),
	NUMBER(9, COUNTER64, "weirViewPackets", V, total.packets),
	NUMBER(10, COUNTER64, "weirViewFlows", V, total.flows),
	NUMBER(11, COUNTER64, "weirViewOtherBytes", V, other.bytes),
	NUMBER(12, COUNTER64, "weirViewOtherPackets", V, other.packets),
	NUMBER(13, COUNTER64, "weirViewOtherFlows", V, other.flows),
	NUMBER(14, COUNTER64, "weirViewFilteredBytes", V, filtered.bytes),
	NUMBER(15, COUNTER64, "weirViewFilteredPackets", V, filtered.packets),
	NUMBER(16, COUNTER64, "weirViewFilteredFlows", V, filtered.flows),
	NUMBER(17, COUNTER64, "weirViewEvictions", V, evictions),
	NUMBER(18, COUNTER64, "weirViewLateRecords", V, late),
	STAMP(19, "weirViewDiscontinuityTime", V, cleared),
	DATE(20, "weirViewLastCommit", V, last_commit),
};
#undef V

INDEXED_TABLE(view, views)

const struct mib_table view_table = {
	"weirViewTable", 3, { 1, 4, 1 }, COLUMNS(view_columns), view_count, view_index,
	view_row
};

/* weirOutputTable */

static void
get_success_age(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	const struct output_row *o = row;
	uint64_t last = o->last_success != 0 ? o->last_success : m->tree->started;

	(void)arg;
	if (o->writes && m->tree->cut_real > last)
		v->n = (m->tree->cut_real - last) / CLOCK_S;
}

static void
get_waiting_age(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	const struct output_row *o = row;

	(void)arg;
	if (o->waiting_since != 0 && m->tree->cut_real > o->waiting_since)
		v->n = (m->tree->cut_real - o->waiting_since) / CLOCK_S;
}

#define O struct output_row
static const struct column output_columns[] = {
	TEXT(2, "weirOutputName", O, name),
	TEXT(3, "weirOutputType", O, type),
	TEXT(4, "weirOutputView", O, view),
	NUMBER(5, INTEGER, "weirOutputOperState", O, oper_state),
	DATE(6, "weirOutputLastSuccess", O, last_success),
	{ 7, VALUE_UNSIGNED, "weirOutputSecondsSinceSuccess", get_success_age, 0 },
	NUMBER(8, UNSIGNED, "weirOutputQueued", O, queued),
	NUMBER(9, COUNTER64, "weirOutputRows", O, rows),
	NUMBER(10, COUNTER64, "weirOutputWritten", O, written),
	NUMBER(11, COUNTER64, "weirOutputSpooled", O, spooled),
	NUMBER(12, COUNTER64, "weirOutputRefused", O, refused),
	NUMBER(13, COUNTER64, "weirOutputErrors", O, errors),
	START_STAMP(14, "weirOutputDiscontinuityTime"),
	NUMBER(15, UNSIGNED, "weirOutputWaiting", O, waiting),
	NUMBER(16, COUNTER64, "weirOutputWaitingBytes", O, waiting_octets),
	{ 17, VALUE_UNSIGNED, "weirOutputSecondsWaiting", get_waiting_age, 0 },
	TEXT(18, "weirOutputLastError", O, failure),
	DATE(19, "weirOutputLastErrorTime", O, failed_at),
};
#undef O

INDEXED_TABLE(output, outputs)

const struct mib_table output_table = {
	"weirOutputTable", 3, { 1, 8, 1 }, COLUMNS(output_columns), output_count,
	output_index, output_row
};
