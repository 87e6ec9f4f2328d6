/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/starts.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/table.h"

struct starts_key {
	ip16_t src, dst;
	uint16_t src_port, dst_port;
	uint8_t proto;
	uint8_t zero[3];
};
_Static_assert(sizeof(struct starts_key) % 8 == 0, "keys of a table are words");

struct starts_row {
	struct starts_key key;
	uint64_t seen;      /* time of the last packet and 1, so that 0 says: new row */
};

struct starts {
	struct table tables[2];
	unsigned current;   /* of the two */
	uint64_t lifetime;
	uint64_t swapped;   /* when they changed places */
};

struct starts *
starts_new(uint32_t max, uint64_t lifetime, struct err *e)
{
	struct starts *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for the starts of flows");
		return NULL;
	}
	s->lifetime = lifetime;
	for (unsigned i = 0; i < 2; i++) {
		if (table_init(&s->tables[i], sizeof(struct starts_key),
		        sizeof(struct starts_row), max, e) != 0) {
			starts_free(s);
			return NULL;
		}
	}
	return s;
}

void
starts_free(struct starts *s)
{
	if (s == NULL)
		return;
	for (unsigned i = 0; i < 2; i++)
		table_fini(&s->tables[i]);
	free(s);
}

/* Times may step back a little (packets out of order) or a lot (another capture). */
static bool
within(uint64_t a, uint64_t b, uint64_t distance)
{
	return (a > b ? a - b : b - a) <= distance;
}

/*
 * `now` is the oldest time that is still to come. Whatever the previous table holds was
 * last seen before the last swap, so a lifetime after that it is dead.
 */
static void
starts_age(struct starts *s, uint64_t now)
{
	if (within(now, s->swapped, s->lifetime))
		return;
	s->current ^= 1;
	s->swapped = now;
	table_clear(&s->tables[s->current]);
}

/* When the flow of a row that is new in the current table was last seen; 0: never. */
static uint64_t
starts_previous(const struct starts *s, const struct starts_key *key)
{
	const struct table *previous = &s->tables[s->current ^ 1];
	uint8_t *row = previous->n > 0 ? table_find(previous, key) : NULL;

	return row != NULL ? ((struct starts_row *)(void *)row)->seen : 0;
}

unsigned
starts_count(struct starts *s, struct flow *flows, unsigned n)
{
	struct starts_key keys[FLOW_BATCH] = { 0 };
	uint8_t *rows[FLOW_BATCH];
	unsigned refused;

	assert(n <= FLOW_BATCH && FLOW_BATCH <= TABLE_BATCH);
	if (n == 0)
		return 0;
	starts_age(s, flows[0].stamp);
	for (unsigned i = 0; i < n; i++) {
		keys[i].src = flows[i].src_host;
		keys[i].dst = flows[i].dst_host;
		keys[i].src_port = flows[i].src_port;
		keys[i].dst_port = flows[i].dst_port;
		keys[i].proto = flows[i].proto;
	}
	refused = table_upsert(&s->tables[s->current], keys, n, rows);
	for (unsigned i = 0; i < n; i++) {
		struct starts_row *row = (void *)rows[i];
		uint64_t seen;

		if (row == NULL)
			continue;
		seen = row->seen != 0 ? row->seen : starts_previous(s, &keys[i]);
		flows[i].flows = seen == 0 || !within(flows[i].stamp + 1, seen, s->lifetime);
		row->seen = flows[i].stamp + 1;
	}
	return refused;
}
