/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/biflow.h"

#include <stddef.h>

static const enum field_no pairs[][2] = {
	{ F_SRC_HOST, F_DST_HOST },
	{ F_SRC_PORT, F_DST_PORT },
	{ F_SRC_MASK, F_DST_MASK },
	{ F_SRC_NET, F_DST_NET },
	{ F_SRC_COUNTRY, F_DST_COUNTRY },
	{ F_SRC_POCODE, F_DST_POCODE },
	{ F_SRC_LAT, F_DST_LAT },
	{ F_SRC_LON, F_DST_LON },
	{ F_SRC_AS_NAME, F_DST_AS_NAME },
	{ F_SRC_AS, F_DST_AS },
	{ F_SRC_MAC, F_DST_MAC },
	{ F_PEER_SRC_AS, F_PEER_DST_AS },
	{ F_IN_IFACE, F_OUT_IFACE },
	{ F_IN_IFACE_NAME, F_OUT_IFACE_NAME },
	{ F_IN_VLAN, F_OUT_VLAN },
	{ F_IN_CVLAN, F_OUT_CVLAN },
	{ F_INGRESS_VRF_ID, F_EGRESS_VRF_ID },
	{ F_INGRESS_VRF_NAME, F_EGRESS_VRF_NAME },
	{ F_POST_NAT_SRC_HOST, F_POST_NAT_DST_HOST },
	{ F_POST_NAT_SRC_PORT, F_POST_NAT_DST_PORT },
	{ F_TUNNEL_SRC_HOST, F_TUNNEL_DST_HOST },
	{ F_TUNNEL_SRC_PORT, F_TUNNEL_DST_PORT },
	{ F_TUNNEL_SRC_MAC, F_TUNNEL_DST_MAC },
};

static const enum field_no measured[] = { F_PACKETS, F_BYTES, F_LINK_BYTES,
	F_FLOWS, F_TCPFLAGS,
	F_TUNNEL_TCPFLAGS, F_TTL, F_ICMP_TYPE, F_ICMP_CODE, F_FLOW_LABEL,
	F_TUNNEL_FLOW_LABEL, F_FWD_STATUS, F_FLOW_END_REASON, F_MPLS_LABEL_TOP,
	F_MPLS_LABEL_BOTTOM, F_MPLS_LABEL_STACK, F_SRV6_SEG_IPV6_LIST, F_PEER_DST_IP,
	F_NEXTHOP, F_PATH_DELAY_AVG_USEC, F_PATH_DELAY_MIN_USEC,
	F_PATH_DELAY_MAX_USEC };

enum field_no
biflow_mirror(enum field_no no)
{
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		for (size_t k = 0; k < 2; k++)
			if (pairs[i][k] == no)
				return pairs[i][1 - k];
	return no;
}

bool
biflow_is_measured(enum field_no no)
{
	for (size_t i = 0; i < sizeof(measured) / sizeof(measured[0]); i++)
		if (measured[i] == no)
			return true;
	return false;
}
