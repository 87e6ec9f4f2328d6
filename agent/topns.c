/* SPDX-License-Identifier: GPL-2.0-or-later */
/* weirTopNControlTable and weirTopNTable (core/topn.h). */
#include "core/topn.h"

#include "agent/tables.h"

#define R struct topn_row
#define CONFIG(member) offsetof(R, config.member)
static const struct column topn_control_columns[] = {
	{ 2, VALUE_OCTETS, "weirTopNControlView", get_text, CONFIG(view) },
	{ 3, VALUE_INTEGER, "weirTopNControlMetric", get_u32, CONFIG(metric) },
	{ 4, VALUE_UNSIGNED, "weirTopNControlInterval", get_u32, CONFIG(interval) },
	{ 5, VALUE_UNSIGNED, "weirTopNControlRequestedSize", get_u32, CONFIG(size) },
	NUMBER(6, UNSIGNED, "weirTopNControlGrantedSize", R, granted),
	NUMBER(7, COUNTER32, "weirTopNControlSerial", R, serial),
	DATE(8, "weirTopNControlGeneratedAt", R, generated),
	{ 9, VALUE_OCTETS, "weirTopNControlOwner", get_text, CONFIG(owner) },
	{ 10, VALUE_UNSIGNED, "weirTopNControlLease", get_u32, CONFIG(lease) },
	{ 11, VALUE_INTEGER, "weirTopNControlStorageType", get_u32, CONFIG(storage) },
	{ 12, VALUE_INTEGER, "weirTopNControlRowStatus", get_u32, CONFIG(status) },
};
#undef R

ARRAY_TABLE(topn_control, topns)

static size_t
topn_control_index(const struct mib_tree *t, uint32_t pos, subid_t *out)
{
	out[0] = t->topns[pos].config.index;
	return 1;
}

const struct mib_table topn_control_table = {
	"weirTopNControlTable", 3, { 1, 6, 1 }, COLUMNS(topn_control_columns),
	topn_control_count, topn_control_index, topn_control_row
};

/* The halves of the index of an entry: `arg` is how far they are from the right. */
static void
get_half(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	const struct topn_entry *x = row;

	(void)m;
	v->n = x->id >> arg & 0x7fffffff;
}

#define X struct topn_entry
static const struct column topn_columns[] = {
	{ 2, VALUE_UNSIGNED, "weirTopNKeyHi", get_half, 31 },
	{ 3, VALUE_UNSIGNED, "weirTopNKeyLo", get_half, 0 },
	TEXT(4, "weirTopNKey", X, key),
	NUMBER(5, COUNTER64, "weirTopNValue", X, value),
	NUMBER(6, COUNTER64, "weirTopNRate", X, rate),
	NUMBER(7, UNSIGNED, "weirTopNShare", X, share),
};
#undef X

ARRAY_TABLE(topn, topn_entries)

static size_t
topn_index(const struct mib_tree *t, uint32_t pos, subid_t *out)
{
	out[0] = t->topn_entries[pos].index;
	out[1] = t->topn_entries[pos].rank;
	return 2;
}

const struct mib_table topn_table = {
	"weirTopNTable", 3, { 1, 7, 1 }, COLUMNS(topn_columns), topn_count, topn_index, topn_row
};
