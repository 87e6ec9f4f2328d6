/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * section: records that carry the start of a packet instead of telling what is in it:
 * dataLinkFrameSection, layer2PacketSectionData, ipHeaderPacketSection (RFC 5477 s8.5).
 * The section is dissected like a captured frame. No state; any thread.
 */
#ifndef WEIR_PROTO_SECTION_H
#define WEIR_PROTO_SECTION_H

#include <stdint.h>

#include "flow/field.h"
#include "flow/flow.h"

enum section_kind { SECTION_NONE, SECTION_FRAME, SECTION_IP };

/* What kind of section element `id` is, of no enterprise. */
enum section_kind section_kind(uint16_t id);

/*
 * Fill into `f` what of `needed` stands in the `octets` at `p`, the start of a frame that
 * had `size` octets on the wire (0: not told): members that the section has no value for
 * stay, and all of them where it is no IP packet.
 */
void section_fill(enum section_kind kind, const uint8_t *p, unsigned octets,
    unsigned size, const struct field_set *needed, struct flow *f);

#endif
