/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/template_traits.h"

#include "flow/sample_type.h"
#include "proto/ie.h"
#include "proto/section.h"
#include "proto/template.h"

enum {
	HAS_COUNTERS = 1,
	HAS_IP4 = 2,
	HAS_IP6 = 4,
	HAS_LABELS = 8,
	HAS_INITIATOR = 16,
	HAS_RESPONDER = 32,
	HAS_NAT_EVENT = 64,
	HAS_FIREWALL_EVENT = 128,
};

/* What an element says by the primitive that it fills. */
static unsigned
row_has(const struct ie *row)
{
	switch (row->field) {
	case F_PACKETS:
	case F_BYTES:
		return HAS_COUNTERS;
	case F_SRC_HOST:
	case F_DST_HOST:
		return row->convert == IE_IP4 ? HAS_IP4 : HAS_IP6;
	case F_MPLS_LABEL_STACK:
		return HAS_LABELS;
	default:
		return 0;
	}
}

static unsigned
element_has(uint32_t enterprise, uint16_t id)
{
	static const struct {
		uint16_t id;
		uint8_t has;
	} meant[] = {
		{ IE_INITIATOR_OCTETS, HAS_INITIATOR },
		{ IE_RESPONDER_OCTETS, HAS_RESPONDER },
		{ IE_NAT_EVENT, HAS_NAT_EVENT },
		{ IE_FIREWALL_EVENT, HAS_FIREWALL_EVENT },
	};
	unsigned has = 0;

	for (size_t i = 0; i < IE_ROWS; i++)
		if (ies[i].id == id && ies[i].enterprise == enterprise)
			has |= row_has(&ies[i]);
	if (enterprise != 0)
		return has;
	for (size_t i = 0; i < sizeof(meant) / sizeof(meant[0]); i++)
		if (meant[i].id == id)
			has |= meant[i].has;
	/* What is sampled as it came is traffic, whatever is counted. */
	return section_kind(id) != SECTION_NONE ? has | HAS_COUNTERS : has;
}

static unsigned
elements_have(const struct template_def *d)
{
	struct rbuf r = rbuf_of(d->fields, d->fields_octets);
	unsigned has = 0;

	for (unsigned i = 0; i < d->n_fields; i++) {
		struct template_spec s = template_spec_read(&r, d->kind);

		/* Scopes of NetFlow v9 are no elements. */
		if (d->kind != TEMPLATE_V9_OPTIONS || i >= d->n_scope)
			has |= element_has(s.enterprise, s.id);
	}
	return has;
}

static uint32_t
sample_type_of(const struct template_def *d, unsigned has)
{
	uint32_t type = SAMPLE_NETFLOW;

	if (template_kind_is_options(d->kind))
		return type | SAMPLE_OPTION;
	/* As in pmacct, what tells of translation is an event even if it counts. */
	if ((has & HAS_COUNTERS) == 0 || (has & HAS_NAT_EVENT) != 0)
		return type | SAMPLE_EVENT;
	type |= SAMPLE_FLOW;
	if ((has & HAS_LABELS) != 0)
		type |= SAMPLE_MPLS;
	if ((has & (HAS_IP4 | HAS_IP6)) == HAS_IP4)
		type |= SAMPLE_IPV4;
	if ((has & (HAS_IP4 | HAS_IP6)) == HAS_IP6)
		type |= SAMPLE_IPV6;
	return type;
}

struct template_traits
template_traits_of(const struct template_def *d)
{
	const unsigned both = HAS_INITIATOR | HAS_RESPONDER;
	unsigned has = elements_have(d);
	uint32_t type = sample_type_of(d, has);

	return (struct template_traits){
		.sample_type = type,
		.by_host = (type & SAMPLE_FLOW) != 0 &&
			   (type & (SAMPLE_IPV4 | SAMPLE_IPV6)) == 0,
		.bi_flow = (has & both) == both,
		.nel = (has & HAS_NAT_EVENT) != 0,
		.nsel = (has & HAS_FIREWALL_EVENT) != 0,
	};
}
