/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sFlow on the wire: the numbers of version 5 (https://sflow.org/sflow_version_5.txt).
 * Everything is XDR: big-endian words, opaque data padded to a multiple of four. A datagram
 * is a header and samples; a sample is a header and records; samples and records each say
 * their format (enterprise << 12 | number; the standard's enterprise is 0) and length.
 */
#ifndef WEIR_PROTO_SFLOW_H
#define WEIR_PROTO_SFLOW_H

enum {
	SFLOW_V2 = 2,
	SFLOW_V4 = 4,
	SFLOW_V5 = 5,
};

/* Kinds of address: what follows is 0, 4 or 16 octets. */
enum {
	SFLOW_ADDRESS_UNKNOWN = 0,
	SFLOW_ADDRESS_IPV4 = 1,
	SFLOW_ADDRESS_IPV6 = 2,
};

enum {
	SFLOW_SAMPLE_FLOW = 1,
	SFLOW_SAMPLE_COUNTERS = 2,
	SFLOW_SAMPLE_FLOW_EXPANDED = 3,
	SFLOW_SAMPLE_COUNTERS_EXPANDED = 4,
};

/* Octets of a flow sample's header, up to and with the number of its records. */
enum {
	SFLOW_FLOW_OCTETS = 32,
	SFLOW_FLOW_EXPANDED_OCTETS = 44,
};

/* Records of flow samples. */
enum {
	SFLOW_RECORD_HEADER = 1,    /* the start of the frame itself */
	SFLOW_RECORD_ETHERNET = 2,
	SFLOW_RECORD_IPV4 = 3,
	SFLOW_RECORD_IPV6 = 4,
	SFLOW_RECORD_SWITCH = 1001,
	SFLOW_RECORD_ROUTER = 1002,
	SFLOW_RECORD_GATEWAY = 1003,
};

/* What the frame of a SFLOW_RECORD_HEADER starts with. */
enum {
	SFLOW_HEADER_ETHERNET = 1,
	SFLOW_HEADER_PPP = 7,
	SFLOW_HEADER_IPV4 = 11,
	SFLOW_HEADER_IPV6 = 12,
	SFLOW_HEADER_MPLS = 13,
};

/* In the two top bits of an interface number that is not expanded. */
enum {
	SFLOW_INTERFACE_INDEX = 0,     /* the rest is an ifIndex */
	SFLOW_INTERFACE_DISCARDED = 1, /* the rest says why */
	SFLOW_INTERFACE_MULTIPLE = 2,  /* the rest says how many */
};

#endif
