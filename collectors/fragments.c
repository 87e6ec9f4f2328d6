/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/fragments.h"

#include <stdbool.h>
#include <stdlib.h>

#include "collectors/turns.h"
#include "lib/clock.h"

struct fragment_key {
	ip16_t src, dst;
	uint32_t id;
	uint8_t proto; /* of IPv4; later pieces of IPv6 do not know it */
	uint8_t zero[3];
};
_Static_assert(sizeof(struct fragment_key) % 8 == 0, "keys of a table are words");

/* What the transport header said. */
struct fragment_row {
	struct fragment_key key;
	uint16_t src_port, dst_port;
	uint8_t proto, icmp_type, icmp_code, zero;
};

struct fragments {
	struct turns turns;
};

struct fragments *
fragments_new(uint64_t octets, struct err *e)
{
	uint32_t rows = turns_rows(sizeof(struct fragment_row), octets);
	struct fragments *fs = calloc(1, sizeof(*fs));

	if (fs == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for fragments");
		return NULL;
	}
	if (turns_init(&fs->turns, sizeof(struct fragment_key),
		sizeof(struct fragment_row), rows, FRAGMENTS_LIFE_S * CLOCK_S,
		e) != 0) {
		free(fs);
		return NULL;
	}
	return fs;
}

void
fragments_free(struct fragments *fs)
{
	if (fs == NULL)
		return;
	turns_fini(&fs->turns);
	free(fs);
}

static void
fragments_keep(struct fragments *fs, const struct fragment_key *key,
    const struct flow *f, struct fragments_count *n)
{
	struct fragment_row *row;
	uint8_t *at;

	if (table_upsert(turns_current(&fs->turns), key, 1, &at) != 0) {
		n->evicted += turns_swap(&fs->turns, f->stamp);
		if (table_upsert(turns_current(&fs->turns), key, 1, &at) != 0) {
			n->evicted++; /* not even memory for the index */
			return;
		}
	}
	row = (void *)at;
	row->src_port = f->src_port;
	row->dst_port = f->dst_port;
	row->proto = f->proto;
	row->icmp_type = f->icmp_type;
	row->icmp_code = f->icmp_code;
}

void
fragments_take(struct fragments *fs, const struct packet_fragment *fragment,
    struct flow *f, struct fragments_count *n)
{
	bool v4 = ip_is_v4(&f->src_host);
	struct fragment_key key = { .src = f->src_host,
		.dst = f->dst_host,
		.id = fragment->id,
		.proto = v4 ? f->proto : 0 };
	const struct fragment_row *row;

	turns_age(&fs->turns, f->stamp);
	if (fragment->kind == PACKET_FRAGMENT_FIRST) {
		fragments_keep(fs, &key, f, n);
		return;
	}
	row = (const void *)table_find(turns_current(&fs->turns), &key);
	if (row == NULL)
		row = turns_previous(&fs->turns, &key);
	if (row == NULL) {
		n->unmatched++;
		return;
	}
	n->matched++;
	f->src_port = row->src_port;
	f->dst_port = row->dst_port;
	f->proto = row->proto;
	f->icmp_type = row->icmp_type;
	f->icmp_code = row->icmp_code;
}
