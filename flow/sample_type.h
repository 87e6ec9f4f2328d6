/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sample_type: of which kind the record was that a flow was made of, as a number and in
 * pmacct's words. sFlow names its samples by enterprise and format, which make 32 bits;
 * kinds of NetFlow and IPFIX records stand under an enterprise that nobody can be given,
 * so that the two never meet. All records that tell of traffic have the first
 * SAMPLE_FLOW_BITS in common. Constant; any thread.
 */
#ifndef WEIR_FLOW_SAMPLE_TYPE_H
#define WEIR_FLOW_SAMPLE_TYPE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define SAMPLE_NETFLOW UINT32_C(0xfffff000)
#define SAMPLE_FLOW_BITS 28U

enum sample_type {
	SAMPLE_NONE = 0, /* a packet */
	SAMPLE_FLOW = 16, /* behind SAMPLE_NETFLOW: traffic, not known to be of IP, */
	SAMPLE_IPV4 = 1, /* or-ed to it: of IPv4, */
	SAMPLE_IPV6 = 2, /* of IPv6, */
	SAMPLE_MPLS = 4, /* with MPLS labels */
	SAMPLE_EVENT = 32, /* something happened, nothing is counted */
	SAMPLE_OPTION = 64 /* what the exporter tells about itself */
};

#define SAMPLE_TYPE_TEXT 16U /* the longest name, with its NUL */

/*
 * Write the name of `type` to `buf` (SAMPLE_TYPE_TEXT): "flow-ipv4", "event", "0:1",
 * "none". Returns the length without the NUL.
 */
size_t sample_type_text(uint32_t type, char *buf);

/*
 * The type that `text` names, and how many of its first bits say so: all 32, but of "flow"
 * alone, which is any traffic, SAMPLE_FLOW_BITS. Returns 0, or -WEIR_EINVAL with `why`
 * saying what may be written.
 */
int sample_type_parse(
    const char *text, uint32_t *type, unsigned *bits, struct err *why);

#endif
