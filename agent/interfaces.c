/* SPDX-License-Identifier: GPL-2.0-or-later */
/* weirInterfaceTable: what sFlow agents tell of their interfaces (core/iftable.h). */
#include "agent/tables.h"

#include <inttypes.h>
#include <stdio.h>

#define I struct interface_row
#define COUNTERS(member) offsetof(I, counters.member)

/* A number at `arg`, 0 where the exporter does not know. */
static void
get_known(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	uint64_t n = *(const uint64_t *)(const void *)((const char *)row + arg);

	(void)m;
	v->n = n == INTERFACE_UNKNOWN ? 0 : n;
}

static void
get_direction(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	enum { UNKNOWN = 5 };
	uint64_t n = ((const I *)row)->counters.direction;

	(void)m, (void)arg;
	v->n = n >= INTERFACE_FULL_DUPLEX && n <= INTERFACE_OUT ? n : UNKNOWN;
}

/* `arg`: the bit of the status. */
static void
get_status(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	enum { UP = 1, DOWN = 2, UNKNOWN = 3 };
	uint64_t status = ((const I *)row)->counters.status;

	(void)m;
	v->n = status == INTERFACE_UNKNOWN ? UNKNOWN : (status & arg) != 0 ? UP : DOWN;
}

static void
get_name(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	const I *i = row;
	char exporter[EXPORTER_NAME], text[EXPORTER_NAME + 12];

	(void)m, (void)arg;
	exporter_name_write(&i->address, i->domain, exporter);
	snprintf(text, sizeof(text), "%s:%" PRIu32, exporter,
	    (uint32_t)(i->counters.index & UINT32_MAX));
	value_text(v, text);
}

#define KNOWN(no, TYPE, name, member) \
	{ no, VALUE_##TYPE, "weirInterface" name, get_known, COUNTERS(member) }
static const struct column interface_columns[] = {
	KNOWN(2, UNSIGNED, "Type", type),
	KNOWN(3, COUNTER64, "Speed", speed),
	{ 4, VALUE_INTEGER, "weirInterfaceDirection", get_direction, 0 },
	{ 5, VALUE_INTEGER, "weirInterfaceAdminStatus", get_status, INTERFACE_ADMIN_UP },
	{ 6, VALUE_INTEGER, "weirInterfaceOperStatus", get_status, INTERFACE_OPER_UP },
	KNOWN(7, COUNTER64, "InOctets", in_octets),
	KNOWN(8, COUNTER32, "InUcastPkts", in_unicast),
	KNOWN(9, COUNTER32, "InMulticastPkts", in_multicast),
	KNOWN(10, COUNTER32, "InBroadcastPkts", in_broadcast),
	KNOWN(11, COUNTER32, "InDiscards", in_discards),
	KNOWN(12, COUNTER32, "InErrors", in_errors),
	KNOWN(13, COUNTER32, "InUnknownProtos", in_unknown_protos),
	KNOWN(14, COUNTER64, "OutOctets", out_octets),
	KNOWN(15, COUNTER32, "OutUcastPkts", out_unicast),
	KNOWN(16, COUNTER32, "OutMulticastPkts", out_multicast),
	KNOWN(17, COUNTER32, "OutBroadcastPkts", out_broadcast),
	KNOWN(18, COUNTER32, "OutDiscards", out_discards),
	KNOWN(19, COUNTER32, "OutErrors", out_errors),
	DATE(20, "weirInterfaceLastReceive", I, counters.updated),
	{ 21, VALUE_OCTETS, "weirInterfaceName", get_name, 0 },
};
#undef I

static uint32_t
interface_count(const struct mib_tree *t)
{
	return t->n_interfaces;
}

static size_t
interface_index(const struct mib_tree *t, uint32_t pos, subid_t *out)
{
	const struct interface_row *i = &t->interfaces->rows[pos];
	size_t len = exporter_index_write(i->collector, &i->address, i->domain, out);

	out[len] = i->counters.index & UINT32_MAX;
	return len + 1;
}

static const void *
interface_row(const struct mib_tree *t, uint32_t pos, struct entry *scratch)
{
	(void)scratch;
	return &t->interfaces->rows[pos];
}

const struct mib_table interface_table = {
	"weirInterfaceTable", 3, { 1, 12, 1 }, COLUMNS(interface_columns), interface_count,
	interface_index, interface_row
};
