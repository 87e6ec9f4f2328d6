/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flow/fwd_status.h"

#include <stddef.h>

static const char *const names[256] = {
	[64] = "FORWARDED Unknown",
	[65] = "FORWARDED Fragmented",
	[66] = "FORWARDED Not Fragmented",
	[128] = "DROPPED Unknown",
	[129] = "DROPPED ACL deny",
	[130] = "DROPPED ACL drop",
	[131] = "DROPPED Unroutable",
	[132] = "DROPPED Adjacency",
	[133] = "DROPPED Fragmentation and DF set",
	[134] = "DROPPED Bad header checksum",
	[135] = "DROPPED Bad total Length",
	[136] = "DROPPED Bad header length",
	[137] = "DROPPED bad TTL",
	[138] = "DROPPED Policer",
	[139] = "DROPPED WRED",
	[140] = "DROPPED RPF",
	[141] = "DROPPED For us",
	[142] = "DROPPED Bad output interface",
	[143] = "DROPPED Hardware",
	[192] = "CONSUMED Unknown",
	[193] = "CONSUMED Punt Adjacency",
	[194] = "CONSUMED Incomplete Adjacency",
	[195] = "CONSUMED For us",
};

/* The class stands in the two high bits. */
static const char *const others[4] = { "UNKNOWN Unclassified", "FORWARDED Unclassified",
	"DROPPED Unclassified", "CONSUMED Unclassified" };

const char *
fwd_status_name(uint8_t status)
{
	return names[status] != NULL ? names[status] : others[status >> 6];
}
