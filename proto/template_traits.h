/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * template_traits: of which kind the records of a template are, as its elements tell:
 * traffic of which protocol, an event, options; and whether it is one of those that
 * NetFlow Event Logging, NetFlow Secure Event Logging and conversations in one record
 * have. Operators' rules ask for it. Worked out once, when a template is compiled.
 */
#ifndef WEIR_PROTO_TEMPLATE_TRAITS_H
#define WEIR_PROTO_TEMPLATE_TRAITS_H

#include <stdbool.h>
#include <stdint.h>

struct template_def;

struct template_traits {
	uint32_t sample_type; /* flow/sample_type.h */
	bool by_host; /* of IPv4 or IPv6 as each record's source address is */
	bool bi_flow; /* has octets of initiator and responder: 231 and 232 */
	bool nel; /* has natEvent: 230 */
	bool nsel; /* has firewallEvent: 233 */
};

/* The traits of the template that `d` defines. */
struct template_traits template_traits_of(const struct template_def *d);

#endif
