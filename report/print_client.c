/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/print_client.h"

#include <assert.h>
#include <stddef.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

#define HAS(name) { .no = F_##name }
#define CSV(name) { .no = F_##name, .csv_only = true }
#define TEXT(name, formatted, csv) { .no = F_##name, .text = { formatted, csv } }
#define ADDRESS(name) TEXT(name, "0", "")
#define NONE(name, octets, formatted, csv) \
	{ .no = FIELD_COUNT, .title = name, .width = octets, .text = { formatted, csv } }

/*
 * In the order of the rows of 1.7.7, whose titles say less than is in them: there is none
 * for MPLS_VPN_RD, MPLS_PW_ID, SRC_NET, DST_NET and VXLAN, and in CSV LABEL stands before
 * CLASS, whose values come first.
 */
/* clang-format off */
static const struct print_client_column columns[] = {
	HAS(TAG), HAS(TAG2), TEXT(CLASS, "unknown", "unknown"), CSV(LABEL), HAS(IN_IFACE),
	HAS(OUT_IFACE), HAS(SRC_MAC), HAS(DST_MAC), HAS(VLAN), HAS(COS), HAS(ETYPE),
	HAS(SRC_AS), HAS(DST_AS),
	NONE("COMMS", 25, "0", ""), NONE("SRC_COMMS", 25, "0", ""),
	NONE("AS_PATH", 25, "^$", ""), NONE("SRC_AS_PATH", 25, "^$", ""),
	NONE("PREF", 9, "0", "0"), NONE("SRC_PREF", 9, "0", "0"),
	NONE("MED", 8, "0", "0"), NONE("SRC_MED", 8, "0", "0"),
	NONE("SRC_ROA", 8, "u", "u"), NONE("DST_ROA", 8, "u", "u"),
	HAS(PEER_SRC_AS), HAS(PEER_DST_AS), ADDRESS(PEER_SRC_IP), ADDRESS(PEER_DST_IP),
	HAS(MPLS_VPN_RD), HAS(MPLS_PW_ID), ADDRESS(SRC_HOST), ADDRESS(SRC_NET),
	ADDRESS(DST_HOST), ADDRESS(DST_NET), HAS(SRC_MASK), HAS(DST_MASK), HAS(SRC_PORT),
	HAS(DST_PORT), HAS(TCPFLAGS), HAS(PROTO), HAS(TOS),
	HAS(SRC_COUNTRY), HAS(DST_COUNTRY), HAS(SRC_POCODE), HAS(DST_POCODE),
	HAS(SRC_LAT), HAS(SRC_LON), HAS(DST_LAT), HAS(DST_LON),
	HAS(SAMPLING_RATE), TEXT(SAMPLING_DIRECTION, "", ""),
	ADDRESS(POST_NAT_SRC_HOST), ADDRESS(POST_NAT_DST_HOST), HAS(POST_NAT_SRC_PORT),
	HAS(POST_NAT_DST_PORT), HAS(NAT_EVENT),
	HAS(MPLS_LABEL_TOP), HAS(MPLS_LABEL_BOTTOM), NONE("MPLS_STACK_DEPTH", 18, "0", "0"),
	HAS(TUNNEL_SRC_MAC), HAS(TUNNEL_DST_MAC), ADDRESS(TUNNEL_SRC_HOST),
	ADDRESS(TUNNEL_DST_HOST), HAS(TUNNEL_PROTO), HAS(TUNNEL_TOS), HAS(TUNNEL_SRC_PORT),
	HAS(TUNNEL_DST_PORT), HAS(VXLAN),
	HAS(TIMESTAMP_START), HAS(TIMESTAMP_END), HAS(TIMESTAMP_ARRIVAL),
	HAS(TIMESTAMP_EXPORT),
	HAS(EXPORT_PROTO_SEQNO), HAS(EXPORT_PROTO_VERSION), HAS(EXPORT_PROTO_SYSID),
};
/* clang-format on */

/* The row of columns[] that field `no` has, or else that of the nearest field before it. */
static size_t
column_place(uint16_t no)
{
	uint16_t nearest = 0;
	size_t place = 0;

	for (size_t i = 0; i < N(columns); i++) {
		uint16_t id = columns[i].no != FIELD_COUNT ? fields[columns[i].no].id : 0;

		if (id > nearest && id <= fields[no].id) {
			nearest = id;
			place = i;
		}
	}
	return place;
}

unsigned
print_client_columns(
    const struct output *o, bool csv, bool all, struct print_client_column *to)
{
	unsigned n = 0;

	for (size_t i = 0; i < N(columns); i++) {
		const struct print_client_column *c = &columns[i];
		bool has = c->no != FIELD_COUNT && field_set_has(&o->fields, c->no);

		if (has || (all && (csv || !c->csv_only)))
			to[n++] = *c;
		for (uint16_t k = 0; k < o->n_columns; k++) {
			uint16_t no = o->columns[k];

			if (fields[no].merge == FIELD_SUM || no == c->no || column_place(no) != i)
				continue;
			to[n++] = (struct print_client_column){ .no = (enum field_no)no };
		}
		assert(n <= PRINT_CLIENT_MAX);
	}
	return n;
}
