/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/starts.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "collectors/turns.h"

#define PROTO_TCP 6

struct starts_key {
	ip16_t src, dst;
	uint16_t src_port, dst_port;
	uint8_t proto;
	uint8_t zero[3];
};
_Static_assert(sizeof(struct starts_key) % 8 == 0, "keys of a table are words");

struct starts_row {
	struct starts_key key;
	uint64_t seen; /* time of the last packet and 1, so that 0 says: new row */
};

struct starts {
	struct turns turns;
	uint64_t life, tcp_life; /* ns */
};

struct starts *
starts_new(uint64_t octets, uint64_t life, uint64_t tcp_life, struct err *e)
{
	uint32_t rows = turns_rows(sizeof(struct starts_row), octets);
	struct starts *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for the starts of flows");
		return NULL;
	}
	s->life = life;
	s->tcp_life = tcp_life;
	if (turns_init(&s->turns, sizeof(struct starts_key), sizeof(struct starts_row),
		rows, life > tcp_life ? life : tcp_life, e) != 0) {
		free(s);
		return NULL;
	}
	return s;
}

void
starts_free(struct starts *s)
{
	if (s == NULL)
		return;
	turns_fini(&s->turns);
	free(s);
}

/* Times may step back a little (packets out of order) or a lot (another capture). */
static bool
within(uint64_t a, uint64_t b, uint64_t distance)
{
	return (a > b ? a - b : b - a) <= distance;
}

/* Whether packet `f` starts a flow that was last seen at `seen` and 1; 0: never. */
static bool
starts_is_one(const struct starts *s, const struct flow *f, uint64_t seen)
{
	uint64_t life = f->proto == PROTO_TCP ? s->tcp_life : s->life;

	return seen == 0 || !within(f->stamp + 1, seen, life);
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
	turns_age(&s->turns, flows[0].stamp);
	for (unsigned i = 0; i < n; i++) {
		keys[i].src = flows[i].src_host;
		keys[i].dst = flows[i].dst_host;
		keys[i].src_port = flows[i].src_port;
		keys[i].dst_port = flows[i].dst_port;
		keys[i].proto = flows[i].proto;
	}
	refused = table_upsert(turns_current(&s->turns), keys, n, rows);
	for (unsigned i = 0; i < n; i++) {
		struct starts_row *row = (void *)rows[i];
		const struct starts_row *previous;

		if (row == NULL)
			continue;
		if (row->seen == 0 &&
		    (previous = turns_previous(&s->turns, &keys[i])) != NULL)
			row->seen = previous->seen;
		flows[i].flows = starts_is_one(s, &flows[i], row->seen);
		row->seen = flows[i].stamp + 1;
	}
	return refused;
}
