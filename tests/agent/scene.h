/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scene: a view's ledger for tests, fed by hand; one static function each, for there
 * are two test programs.
 */
#ifndef WEIR_TESTS_AGENT_SCENE_H
#define WEIR_TESTS_AGENT_SCENE_H

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/ledger.h"
#include "core/slab.h"
#include "flow/rowspec.h"
#include "lib/clock.h"

#define SCENE_START (UINT64_C(1767225600) * CLOCK_S) /* 2026-01-01 00:00:00 UTC */

struct scene {
	struct rowspec rs;
	struct ledger *ledger;
	struct slab *slab;      /* counted since the last commit */
	uint64_t now;
};

static inline void
scene_init(struct scene *s, const char *aggregate, uint32_t max_rows)
{
	struct field_set set;
	struct err e = ERR_INIT;
	int rc = field_set_parse(aggregate, &set, &e);

	assert(rc == 0);
	(void)rc;
	memset(s, 0, sizeof(*s));
	rowspec_compile(&s->rs, &set);
	s->ledger = ledger_new(&s->rs, max_rows, &e);
	s->slab = slab_new(&s->rs, max_rows, &e);
	assert(s->ledger != NULL && s->slab != NULL);
	(void)slab_bin(s->slab, BIN_ALL);
	s->now = SCENE_START;
}

static inline void
scene_fini(struct scene *s)
{
	ledger_free(s->ledger);
	slab_free(s->slab);
}

static inline void
scene_count(struct scene *s, const struct flow *f)
{
	uint64_t key[ROWSPEC_MAX_KEY / 8 + 1];
	uint16_t bin = 0;
	uint8_t *row;

	rowspec_pack(&s->rs, f, &bin, 1, (uint8_t *)key);
	(void)table_upsert(&s->slab->table, key, 1, &row);
	assert(row != NULL);
	rowspec_add(&s->rs, row, f);
}

/* Count `octets` for the source 10.x.y.z that has number `no`. */
static inline void
scene_source(struct scene *s, uint32_t no, uint64_t octets)
{
	struct flow f;
	uint8_t v4[4] = { 10, (uint8_t)(no >> 16), (uint8_t)(no >> 8), (uint8_t)no };

	flow_clear(&f);
	f.src_host = ip_from_v4(v4);
	f.packets = f.flows = 1;
	f.bytes = octets;
	scene_count(s, &f);
}

/* The number of the source in a row of a view by src_host. */
static inline uint32_t
scene_source_of(const struct rowspec *rs, const uint8_t *row)
{
	const uint8_t *a = rowspec_value(rs, row, &fields[F_SRC_HOST]);

	return (uint32_t)a[13] << 16 | (uint32_t)a[14] << 8 | a[15];
}

/* A second passes and the ledger takes what was counted. */
static inline void
scene_commit(struct scene *s)
{
	s->now += CLOCK_S;
	ledger_add(s->ledger, s->slab, s->now);
	slab_clear(s->slab);
	(void)slab_bin(s->slab, BIN_ALL);
}

#endif
