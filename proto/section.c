/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/section.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "proto/packet.h"

#define LINK_RAW 12 /* begins with an IP header, of either version */

static const struct {
	uint16_t id;
	enum section_kind kind;
} sections[] = {
	{ 315, SECTION_FRAME }, /* dataLinkFrameSection */
	{ 104, SECTION_FRAME }, /* layer2PacketSectionData */
	{ 313, SECTION_IP }, /* ipHeaderPacketSection */
};

enum section_kind
section_kind(uint16_t id)
{
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		if (sections[i].id == id)
			return sections[i].kind;
	return SECTION_NONE;
}

static bool
is_zero(const uint8_t *p, unsigned octets)
{
	for (unsigned i = 0; i < octets; i++)
		if (p[i] != 0)
			return false;
	return true;
}

void
section_fill(enum section_kind kind, const uint8_t *p, unsigned octets, unsigned size,
    const struct field_set *needed, struct flow *f)
{
	const struct packet_link *link =
	    packet_link(kind == SECTION_FRAME ? PACKET_LINK_ETHERNET : LINK_RAW);
	struct packet_fragment fragment;
	struct packet_wants wants;
	struct flow seen;

	assert(link != NULL);
	flow_clear(&seen);
	packet_wants_init(&wants, needed);
	if (packet_dissect_more(link, p, octets, size > octets ? size : octets, &wants,
		&seen, &fragment) != PACKET_OK)
		return;
	for (unsigned i = 0; i < FIELD_COUNT; i++) {
		const struct field *d = &fields[i];
		const uint8_t *from = (const uint8_t *)&seen + d->offset;

		if (field_set_has(needed, (enum field_no)i) &&
		    !is_zero(from, d->octets))
			memcpy((uint8_t *)f + d->offset, from, d->octets);
	}
}
