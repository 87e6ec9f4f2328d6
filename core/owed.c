/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/owed.h"

#include <stdlib.h>
#include <string.h>

#include "core/ledger.h"
#include "core/watch.h"
#include "lib/clock.h"

#define OWED_MAX    16384U         /* pairs of rows */
#define OWED_KEEP   (60 * CLOCK_S)
#define OWED_PASSES 4U             /* over them, as some are paid of what others have paid */

/* Behind two keys and the rest of a row, which is what is owed. */
struct debt {
	uint64_t records; /* of how many it was, all in all */
	uint64_t since;   /* ns since 1970: when some was added last; its minute begins anew */
};

struct owed {
	const struct rowspec *rs;
	struct table debts;   /* the keys of who owes and who gets it, in bin 0 */
	struct table counted; /* scratch: what rows have counted of a slab, and not yet paid */
	uint64_t dropped;     /* records of debts that were forgotten, and nobody told yet */
	uint32_t *to;         /* scratch: new numbers of debts */
	uint8_t *part;        /* scratch: a row */
};

static uint32_t
debt_octets(const struct rowspec *rs)
{
	return rs->key_octets + rs->row_octets + (uint32_t)sizeof(struct debt);
}

static struct debt *
debt_of(const struct rowspec *rs, uint8_t *row)
{
	return (struct debt *)(void *)(row + rs->key_octets + rs->row_octets);
}

/* What is owed, as a row: its key is the one that gets it. */
static uint8_t *
debt_what(const struct rowspec *rs, uint8_t *row)
{
	return row + rs->key_octets;
}

struct owed *
owed_new(const struct rowspec *rs, struct err *e)
{
	struct owed *o = calloc(1, sizeof(*o));

	if (o != NULL) {
		o->rs = rs;
		o->to = calloc(OWED_MAX, sizeof(*o->to));
		o->part = calloc(1, rs->row_octets);
	}
	if (o != NULL && o->to != NULL && o->part != NULL &&
	    table_init(&o->debts, 2 * rs->key_octets, debt_octets(rs), OWED_MAX, e) == 0 &&
	    table_init(&o->counted, rs->key_octets, rs->row_octets, 2 * OWED_MAX, e) == 0)
		return o;
	owed_free(o);
	err_set(e, WEIR_ENOMEM, "no memory for what rows of a ledger owe");
	return NULL;
}

void
owed_free(struct owed *o)
{
	if (o == NULL)
		return;
	if (o->debts.rows != NULL)
		table_fini(&o->debts);
	if (o->counted.rows != NULL)
		table_fini(&o->counted);
	free(o->to);
	free(o->part);
	free(o);
}

void
owed_clear(struct owed *o)
{
	if (o == NULL)
		return;
	for (uint32_t i = 0; i < o->debts.n; i++)
		o->dropped += debt_of(o->rs, table_row(&o->debts, i))->records;
	table_clear(&o->debts);
}

uint64_t
owed_max_octets(const struct rowspec *rs)
{
	return table_max_octets(debt_octets(rs), OWED_MAX) +
	    table_max_octets(rs->row_octets, 2 * OWED_MAX);
}

/* Take over one move that a slab tells of. Returns how many records of it are given up. */
static uint64_t
debt_add(struct owed *o, const uint8_t *move, uint64_t now)
{
	const struct rowspec *rs = o->rs;
	uint64_t keys[2 * ROWSPEC_MAX_KEY / 8], records = moves_records(rs, move);
	uint8_t *row;

	memcpy(keys, move, 2 * (size_t)rs->key_octets);
	rowspec_bin_set(rs, (uint8_t *)keys, 0);
	rowspec_bin_set(rs, (uint8_t *)keys + rs->key_octets, 0);
	if (table_upsert(&o->debts, keys, 1, &row) != 0)
		return records;
	rowspec_merge(rs, debt_what(rs, row), move + rs->key_octets);
	debt_of(rs, row)->records += records;
	debt_of(rs, row)->since = now;
	return 0;
}

/* What the row of `key` has counted of `s`, in all bins, and not yet paid. NULL: no memory. */
static uint8_t *
counted_of(struct owed *o, const uint8_t *key, const struct slab *s)
{
	const struct rowspec *rs = o->rs;
	uint64_t own[ROWSPEC_MAX_KEY / 8];
	uint32_t known = o->counted.n;
	uint8_t *row;

	if (table_upsert(&o->counted, key, 1, &row) != 0)
		return NULL;
	if (o->counted.n == known)
		return row;
	memcpy(own, key, rs->key_octets);
	for (uint16_t bin = 0; bin < s->n_bins; bin++) {
		const uint8_t *of;

		rowspec_bin_set(rs, (uint8_t *)own, bin);
		if ((of = table_find(&s->table, own)) != NULL)
			rowspec_merge(rs, row, of);
	}
	return row;
}

/* Let those who watch see it: `from` has counted `part` less, `to` more. */
static void
pay_watched(struct owed *o, struct ledger *l, const uint8_t *from, const uint8_t *to)
{
	const struct rowspec *rs = o->rs;
	struct sums *sums = rowspec_sums(rs, o->part), paid = *sums;

	watch_lens_count(l->lens, ledger_row_no(l, to), o->part);
	memcpy(o->part, from, rs->key_octets);
	*sums = (struct sums){ 0 };
	sums_take_off(sums, &paid); /* of what the watch has just counted */
	watch_lens_count(l->lens, ledger_row_no(l, from), o->part);
}

/* Pay of the debt at `row` what its row has counted of `s`. Returns whether that was something. */
static bool
debt_pay(struct owed *o, struct ledger *l, uint8_t *row, const struct slab *s, uint64_t now)
{
	const struct rowspec *rs = o->rs;
	uint8_t *what = debt_what(rs, row), *from = table_find(&l->table, row), *to;
	uint8_t *has = from != NULL ? counted_of(o, row, s) : NULL, *gets;

	if (has == NULL)
		return false;
	memcpy(o->part, what, rs->row_octets);
	rowspec_limit(rs, o->part, has);
	if (rowspec_counts_nothing(rs, o->part) || (gets = counted_of(o, what, s)) == NULL ||
	    (to = ledger_row_take(l, what, now)) == NULL)
		return false;
	rowspec_take_off_row(rs, what, o->part);
	rowspec_take_off_row(rs, has, o->part);
	rowspec_merge(rs, gets, o->part);
	rowspec_take_off_row(rs, from, o->part);
	rowspec_merge(rs, to, o->part);
	if (l->lens != NULL)
		pay_watched(o, l, from, to);
	return true;
}

static bool
debts_pay(struct owed *o, struct ledger *l, const struct slab *s, uint64_t now)
{
	bool paid = false;

	for (uint32_t i = 0; i < o->debts.n; i++) {
		uint8_t *row = table_row(&o->debts, i);

		paid |= !rowspec_counts_nothing(o->rs, debt_what(o->rs, row)) &&
		    debt_pay(o, l, row, s, now);
	}
	return paid;
}

/* Let debts go that are paid, or too old. */
static void
debts_tidy(struct owed *o, uint64_t now, struct moves_told *told)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < o->debts.n; i++) {
		uint8_t *row = table_row(&o->debts, i);
		const struct debt *d = debt_of(o->rs, row);
		bool paid = rowspec_counts_nothing(o->rs, debt_what(o->rs, row));
		bool old = now < d->since || now - d->since > OWED_KEEP;

		told->moved += paid ? d->records : 0;
		told->stayed += !paid && old ? d->records : 0;
		o->to[i] = paid || old ? UINT32_MAX : left++;
	}
	if (left < o->debts.n)
		table_renumber(&o->debts, o->to, left);
}

struct moves_told
owed_settle(struct owed *o, struct ledger *l, const struct slab *s, uint64_t now)
{
	struct moves_told told = { 0, o->dropped };

	o->dropped = 0;
	for (uint32_t i = 0; i < s->moves.n; i++)
		told.stayed += debt_add(o, table_row(&s->moves, i), now);
	for (unsigned pass = 0; pass < OWED_PASSES && debts_pay(o, l, s, now); pass++)
		continue;
	table_clear(&o->counted);
	debts_tidy(o, now, &told);
	return told;
}
