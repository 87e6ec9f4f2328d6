/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/term.h"

#include "flow/field.h"

/* The first `bits` of `octets` at `mask`. */
static void
mask_prefix(uint8_t *mask, unsigned bits)
{
	for (unsigned i = 0; i < bits / 8; i++)
		mask[i] = 0xff;
	if (bits % 8 != 0)
		mask[bits / 8] = (uint8_t)(0xff << (8 - bits % 8));
}

static void
term_prefix(struct term *t, const struct prefix *p)
{
	static const ip16_t mapped = { { [10] = 0xff, [11] = 0xff } };
	ip16_t net = ip_mask(&mapped, p->len);

	memcpy(t->value, p->addr.b, sizeof(t->value));
	mask_prefix(t->mask, p->len);
	t->ip6 = p->len < 96 && ip_equal(&net, &p->addr);
}

static void
term_value(struct term *t, const struct mapfile_key *k, const void *value)
{
	memcpy(t->value, value, k->octets);
	if (k->mask != 0)
		field_uint_set(t->mask, k->octets, k->mask);
	else
		memset(t->mask, 0xff, k->octets);
	for (unsigned i = 0; i < k->octets; i++)
		t->value[i] &= t->mask[i];
}

unsigned
term_collect(const struct mapfile *m, const struct mapfile_rule *r, const void *values,
    struct term *terms)
{
	unsigned n = 0;

	for (unsigned i = 0; m->keys[i].name != NULL; i++) {
		const struct mapfile_key *k = &m->keys[i];
		const char *value = (const char *)values + k->offset;
		struct term *t = &terms[n];

		if (k->octets == 0 || !mapfile_has(r, i))
			continue;
		*t = (struct term){ .at = (uint16_t)k->at,
			.also = (uint16_t)k->also,
			.stands_in = k->stands_in,
			.octets = k->octets,
			.negated = r->negated >> i & 1 };
		if (k->prefix)
			term_prefix(t, (const struct prefix *)(const void *)value);
		else
			term_value(t, k, value);
		n++;
	}
	return n;
}

struct check
term_check(const struct term *t)
{
	struct check k = { .at = t->at,
		.also = t->also,
		.stands_in = t->stands_in,
		.negated = t->negated,
		.ip6 = t->ip6 };

	memcpy(k.mask, t->mask, sizeof(k.mask));
	memcpy(k.value, t->value, sizeof(k.value));
	return k;
}
