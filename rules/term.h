/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * term: what a rule of a map asks of one member of struct flow: a value, a prefix of one,
 * or anything but that. Maps make terms of what their keys say (lib/mapfile.h); the
 * classifier finds the rules whose terms all hold. Plain values; any thread.
 */
#ifndef WEIR_RULES_TERM_H
#define WEIR_RULES_TERM_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "flow/flow.h"
#include "lib/mapfile.h"

struct term {
	uint16_t at; /* of the member in struct flow */
	uint16_t also; /* of another that may have the value instead; 0: none */
	bool stands_in; /* it counts where the member at `at` is zero, and there alone */
	uint8_t octets; /* of the member, 16 at most */
	bool negated; /* anything but the value; with `also`, neither has it */
	bool ip6; /* an address, of IPv6: not one of IPv4, nor none */
	uint8_t value[16]; /* as the member lies in memory, zero where the mask is */
	uint8_t mask[16]; /* the bits that count */
};

/*
 * The terms of rule `r` of map `m`, to terms[MAPFILE_KEYS]: of those of its keys that say
 * what is compared. A prefix holds addresses of its own family only. Returns how many.
 */
unsigned term_collect(const struct mapfile *m, const struct mapfile_rule *r,
    const void *values, struct term *terms);

/* A term as it is compared: one or two words, where the member is. */
struct check {
	uint64_t mask[2], value[2];
	uint16_t at, also;
	bool stands_in, negated, ip6;
};

struct check term_check(const struct term *t);

/* Whether the member at `at` has the value that `k` is about. */
static inline bool
check_equal(const struct check *k, const struct flow *f, size_t at)
{
	const char *p = (const char *)f + at;
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	if ((word & k->mask[0]) != k->value[0])
		return false;
	/* Behind a narrow member there may be no second word. */
	if (k->mask[1] != 0) {
		memcpy(&word, p + sizeof(word), sizeof(word));
		if ((word & k->mask[1]) != k->value[1])
			return false;
	}
	if (k->ip6) {
		ip16_t a = ip_from_v6(p);

		return !ip_is_v4(&a) && !ip_is_none(&a);
	}
	return true;
}

/* Whether the member at `at` is zero. */
static inline bool
check_zero(const struct check *k, const struct flow *f, size_t at)
{
	struct check zero = { .mask = { k->mask[0], k->mask[1] } };

	return check_equal(&zero, f, at);
}

/* Whether the term holds. */
static inline bool
check_holds(const struct check *k, const struct flow *f)
{
	bool equal;

	if (k->also == 0)
		equal = check_equal(k, f, k->at);
	else if (k->stands_in)
		equal = check_equal(k, f, check_zero(k, f, k->at) ? k->also : k->at);
	else
		equal = check_equal(k, f, k->at) || check_equal(k, f, k->also);
	return equal != k->negated;
}

#endif
