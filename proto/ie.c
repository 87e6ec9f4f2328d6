/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/ie.h"

#include <stddef.h>

#include "flow/custom.h"
#include "proto/section.h"

enum side { SIDE_ANY, SIDE_OUT, SIDE_TUNNEL, SIDE_REVERSE, SIDE_PROBE };

const struct ie ies[IE_ROWS] = {
#define IE(enterprise_, id_, FIELD, CONVERT, rank_, SIDE, name_) \
	{ .enterprise = enterprise_, \
		.id = id_, \
		.rank = rank_, \
		.out = SIDE_##SIDE == SIDE_OUT, \
		.tunnel = SIDE_##SIDE == SIDE_TUNNEL, \
		.reverse = SIDE_##SIDE == SIDE_REVERSE, \
		.probe = SIDE_##SIDE == SIDE_PROBE, \
		.convert = IE_##CONVERT, \
		.field = F_##FIELD, \
		.name = name_ },
#include "proto/ie.def"
#undef IE
};

bool
ie_fits(enum ie_convert convert, unsigned octets)
{
	static const struct {
		uint16_t min, max;
	} lengths[IE_CONVERTS] = {
		[IE_UINT] = { 1, UINT16_MAX },
		[IE_LOW8] = { 1, UINT16_MAX },
		[IE_IP4] = { 4, 4 },
		[IE_IP6] = { 16, 16 },
		[IE_MAC] = { 6, 6 },
		[IE_UPTIME] = { 1, 8 },
		[IE_S] = { 1, 8 },
		[IE_MS] = { 1, 8 },
		[IE_NTP] = { 8, 8 },
		[IE_DELTA_US] = { 1, 8 },
		[IE_HIGH8] = { 2, UINT16_MAX },
		[IE_DSCP] = { 1, UINT16_MAX },
		[IE_DIRECTION] = { 1, UINT16_MAX },
		[IE_STR] = { 1, UINT16_MAX },
		[IE_HEX] = { 1, UINT16_MAX },
		[IE_RAW] = { 1, UINT16_MAX },
		[IE_RD] = { 8, 8 },
		[IE_LABEL] = { 3, 3 },
		[IE_BOTTOM] = { 3, 3 },
		[IE_PUSH] = { 3, 3 },
		[IE_VXLAN] = { 8, 8 },
		[IE_NVGRE] = { 8, 8 },
		[IE_SEGMENTS] = { 16, UINT16_MAX },
		[IE_IP6_LIST] = { 5 + 16, UINT16_MAX },
	};

	return octets >= lengths[convert].min && octets <= lengths[convert].max;
}

const struct ie *
ie_find(uint32_t enterprise, uint16_t id)
{
	for (size_t i = 0; i < IE_ROWS; i++)
		if (ies[i].id == id && ies[i].enterprise == enterprise)
			return &ies[i];
	return NULL;
}

bool
ie_is_known(uint32_t enterprise, uint16_t id)
{
	static const uint16_t others[] = { IE_FLOW_DIRECTION, IE_SYSTEM_INIT_MS,
		IE_PADDING, IE_FRAME_SIZE, IE_SECTION_OFFSET };

	if (enterprise == IE_REVERSE_PEN)
		enterprise = 0;
	if (ie_find(enterprise, id) != NULL)
		return true;
	for (size_t i = 0; enterprise == 0 && i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i] == id)
			return true;
	if (enterprise == 0 && section_kind(id) != SECTION_NONE)
		return true;
	for (unsigned f = 0; f < FIELD_COUNT; f++) {
		const struct custom *c = custom_of((enum field_no)f);

		if (c != NULL && c->enterprise == enterprise && c->element == id)
			return true;
	}
	return false;
}
