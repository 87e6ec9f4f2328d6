/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/ie.h"

#include <stddef.h>

enum side { SIDE_ANY, SIDE_OUT };

const struct ie ies[IE_ROWS] = {
#define IE(enterprise_, id_, FIELD, CONVERT, rank_, SIDE, name_) \
	{ .enterprise = enterprise_, \
		.id = id_, \
		.rank = rank_, \
		.out = SIDE_##SIDE == SIDE_OUT, \
		.convert = IE_##CONVERT, \
		.field = F_##FIELD, \
		.name = name_ },
#include "proto/ie.def"
#undef IE
};

bool
ie_fits(enum ie_convert convert, unsigned octets)
{
	switch (convert) {
	case IE_UINT:
	case IE_LOW8:
		return octets >= 1;
	case IE_IP4:
		return octets == 4;
	case IE_IP6:
		return octets == 16;
	case IE_MAC:
		return octets == 6;
	case IE_UPTIME:
	case IE_S:
	case IE_MS:
	case IE_DELTA_US:
		return octets >= 1 && octets <= 8;
	case IE_NTP:
		return octets == 8;
	}
	return false;
}

const struct ie *
ie_find(uint32_t enterprise, uint16_t id)
{
	for (size_t i = 0; i < IE_ROWS; i++)
		if (ies[i].id == id && ies[i].enterprise == enterprise)
			return &ies[i];
	return NULL;
}
