/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flow/sample_type.h"

#include <stdio.h>
#include <string.h>

#define FORMAT_BITS 12U
#define FORMAT_MAX 0xfffU

static const struct {
	const char *name;
	uint32_t type;
} names[] = {
	{ "flow", SAMPLE_NETFLOW | SAMPLE_FLOW },
	{ "flow-ipv4", SAMPLE_NETFLOW | SAMPLE_FLOW | SAMPLE_IPV4 },
	{ "flow-ipv6", SAMPLE_NETFLOW | SAMPLE_FLOW | SAMPLE_IPV6 },
	{ "flow-mpls", SAMPLE_NETFLOW | SAMPLE_FLOW | SAMPLE_MPLS },
	{ "flow-mpls-ipv4", SAMPLE_NETFLOW | SAMPLE_FLOW | SAMPLE_MPLS | SAMPLE_IPV4 },
	{ "flow-mpls-ipv6", SAMPLE_NETFLOW | SAMPLE_FLOW | SAMPLE_MPLS | SAMPLE_IPV6 },
	{ "event", SAMPLE_NETFLOW | SAMPLE_EVENT },
	{ "option", SAMPLE_NETFLOW | SAMPLE_OPTION },
	{ "none", SAMPLE_NONE },
};

size_t
sample_type_text(uint32_t type, char *buf)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].type == type)
			return (size_t)snprintf(
			    buf, SAMPLE_TYPE_TEXT, "%s", names[i].name);
	return (size_t)snprintf(
	    buf, SAMPLE_TYPE_TEXT, "%u:%u", type >> FORMAT_BITS, type & FORMAT_MAX);
}

/* A decimal number up to `max` at `*at`, which is left behind it. */
static int
number_take(const char **at, uint32_t max, uint32_t *out)
{
	uint32_t v = 0;

	if (**at < '0' || **at > '9')
		return -WEIR_EINVAL;
	for (; **at >= '0' && **at <= '9'; (*at)++) {
		v = v * 10 + (uint32_t)(**at - '0');
		if (v > max)
			return -WEIR_EINVAL;
	}
	*out = v;
	return 0;
}

int
sample_type_parse(const char *text, uint32_t *type, unsigned *bits, struct err *why)
{
	uint32_t enterprise, format;
	const char *at = text;

	*bits = 32;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].name, text) == 0) {
			*type = names[i].type;
			if (*type == (SAMPLE_NETFLOW | SAMPLE_FLOW))
				*bits = SAMPLE_FLOW_BITS;
			return 0;
		}
	/* The highest enterprise is ours. */
	if (number_take(&at, (SAMPLE_NETFLOW >> FORMAT_BITS) - 1, &enterprise) != 0 ||
	    *at++ != ':' || number_take(&at, FORMAT_MAX, &format) != 0 || *at != '\0')
		return err_set(why, WEIR_EINVAL,
		    "write flow, flow-ipv4, flow-ipv6, flow-mpls-ipv4, flow-mpls-ipv6, "
		    "event or option for NetFlow, ENTERPRISE:FORMAT for sFlow");
	*type = enterprise << FORMAT_BITS | format;
	return 0;
}
