/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/core/traffic.h"

const struct bins traffic_bins = { .seconds = 60, .base = TRAFFIC_START };

uint32_t
traffic_draw(struct traffic *t, uint32_t below)
{
	t->seed =
	    t->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(t->seed >> 33) % below;
}

void
traffic_flow(struct traffic *t, struct flow *f)
{
	uint32_t key = traffic_draw(t, t->keys);
	uint8_t quad[4] = { (uint8_t)(key >> 24), (uint8_t)(key >> 16),
		(uint8_t)(key >> 8), (uint8_t)key };

	memset(f, (int)traffic_draw(t, 256), sizeof(*f));
	f->src_host = ip_from_v4(quad);
	f->proto = key % 2 == 0 ? 6 : 17;
	f->tcp_flags = (uint16_t)(1U << traffic_draw(t, 8));
	f->packets = traffic_draw(t, 10) + 1;
	f->bytes = f->packets * (40 + traffic_draw(t, 1460));
	f->flows = traffic_draw(t, 2);
	f->stamp = TRAFFIC_START + traffic_draw(t, t->bins) * TRAFFIC_BIN +
		   traffic_draw(t, 60000) * UINT64_C(1000000);
}

static void *
must(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

struct truth *
truth_new(uint32_t keys, uint32_t bins)
{
	struct truth *t = must(calloc(1, sizeof(*t)));
	size_t n = (size_t)keys * bins;

	t->keys = keys;
	t->bins = bins;
	t->fed = must(calloc(n, sizeof(*t->fed)));
	t->got = must(calloc(n, sizeof(*t->got)));
	t->fed_flags = must(calloc(n, sizeof(*t->fed_flags)));
	t->got_flags = must(calloc(n, sizeof(*t->got_flags)));
	t->other = must(calloc(bins, sizeof(*t->other)));
	return t;
}

void
truth_free(struct truth *t)
{
	free(t->fed);
	free(t->got);
	free(t->fed_flags);
	free(t->got_flags);
	free(t->other);
	free(t);
}

void
truth_reset(struct truth *t)
{
	size_t n = (size_t)t->keys * t->bins;

	memset(t->got, 0, n * sizeof(*t->got));
	memset(t->got_flags, 0, n * sizeof(*t->got_flags));
	memset(t->other, 0, t->bins * sizeof(*t->other));
}

static uint32_t
key_of(const ip16_t *a)
{
	return (uint32_t)a->b[12] << 24 | (uint32_t)a->b[13] << 16 |
	       (uint32_t)a->b[14] << 8 | a->b[15];
}

static uint32_t
bin_of(const struct truth *t, uint64_t time)
{
	uint64_t bin = time < TRAFFIC_START ? 0 : (time - TRAFFIC_START) / TRAFFIC_BIN;

	if (t->bins == 1)
		return 0;
	if (bin >= t->bins)
		fail_msg("bin %llu is beyond the last", (unsigned long long)bin);
	return (uint32_t)bin;
}

/* Where the sums of (bin, key) stand. */
static size_t
place(const struct truth *t, uint64_t time, const ip16_t *a)
{
	if (key_of(a) >= t->keys)
		fail_msg("key %u is beyond the last", key_of(a));
	return (size_t)bin_of(t, time) * t->keys + key_of(a);
}

void
truth_feed(struct truth *t, const struct flow *f)
{
	size_t at = place(t, f->stamp, &f->src_host);

	sums_add(&t->fed[at], &(struct sums){ f->packets, f->bytes, f->flows });
	t->fed_flags[at] |= f->tcp_flags;
}

struct sums
truth_sum(const struct truth *t)
{
	struct sums sum = { 0 };

	for (size_t i = 0; i < (size_t)t->keys * t->bins; i++)
		sums_add(&sum, &t->fed[i]);
	return sum;
}

void
truth_row(struct truth *t, const struct rowspec *rs, const uint8_t *row, uint64_t start)
{
	ip16_t a;
	size_t at;

	memcpy(&a, rowspec_value(rs, row, &fields[F_SRC_HOST]), sizeof(a));
	at = place(t, start, &a);
	sums_add(&t->got[at], rowspec_sums_get(rs, row));
	if (field_set_has(&rs->set, F_TCPFLAGS))
		t->got_flags[at] |= (uint16_t)field_uint(
		    rowspec_value(rs, row, &fields[F_TCPFLAGS]), 2);
}

void
truth_other(struct truth *t, const struct sums *s, uint64_t start)
{
	if (s->packets != 0)
		sums_add(&t->other[bin_of(t, start)], s);
}

/* No key may stand twice among the rows of one slab. */
static void
check_unique(const struct rowspec *rs, const struct table *rows)
{
	struct table seen;
	uint8_t *row;

	assert_int_equal(
	    table_init(&seen, rs->key_octets, rs->key_octets, rows->n + 1, NULL), 0);
	for (uint32_t i = 0; i < rows->n; i++)
		assert_int_equal(table_upsert(&seen, table_row(rows, i), 1, &row), 0);
	assert_int_equal(seen.n, rows->n);
	table_fini(&seen);
}

void
truth_slab(struct truth *t, const struct rowspec *rs, const struct slab *s)
{
	check_unique(rs, &s->table);
	for (uint32_t i = 0; i < s->table.n; i++) {
		const uint8_t *row = table_row(&s->table, i);

		assert_true(rowspec_bin(rs, row) < s->n_bins);
		truth_row(t, rs, row, s->bins[rowspec_bin(rs, row)].start);
	}
	for (uint16_t i = 0; i < s->n_bins; i++)
		truth_other(t, &s->other[i], s->bins[i].start);
}

void
truth_snapshot(struct truth *t, const struct snapshot *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		const uint8_t *row = snapshot_row(s, i);

		truth_row(t, s->rs, row, snapshot_bin(s, row).start);
	}
	for (uint16_t i = 0; i < snapshot_n_bins(s); i++)
		truth_other(t, snapshot_other(s, i), snapshot_bin_no(s, i).start);
}

void
truth_ledger(struct truth *t, const struct ledger *l)
{
	check_unique(l->rs, &l->table);
	for (uint32_t i = 0; i < l->table.n; i++) {
		assert_int_equal(rowspec_bin(l->rs, ledger_row(l, i)), 0);
		truth_row(t, l->rs, ledger_row(l, i), 0);
	}
	truth_other(t, &l->other, 0);
}

void
truth_check(const struct truth *t, bool others, const char *says)
{
	for (uint32_t b = 0; b < t->bins; b++) {
		struct sums fed = { 0 }, got = t->other[b];

		for (uint32_t k = 0; k < t->keys; k++) {
			size_t at = (size_t)b * t->keys + k;

			sums_add(&fed, &t->fed[at]);
			sums_add(&got, &t->got[at]);
			if (t->got[at].bytes > t->fed[at].bytes ||
			    t->got[at].packets > t->fed[at].packets)
				fail_msg(
				    "%s: bin %u key %u: more than was fed", says, b, k);
			if (!others && !sums_equal(&t->got[at], &t->fed[at]))
				fail_msg("%s: bin %u key %u: %llu octets, not %llu",
				    says, b, k, (unsigned long long)t->got[at].bytes,
				    (unsigned long long)t->fed[at].bytes);
			if (!others && t->got_flags[at] != t->fed_flags[at])
				fail_msg("%s: bin %u key %u: other flags", says, b, k);
		}
		if (!sums_equal(&fed, &got))
			fail_msg(
			    "%s: bin %u: rows and other make %llu octets, not %llu",
			    says, b, (unsigned long long)got.bytes,
			    (unsigned long long)fed.bytes);
	}
}

struct rowspec
traffic_rowspec(const char *aggregate)
{
	struct field_set set;
	struct rowspec rs;

	assert_int_equal(field_set_parse(aggregate, &set, NULL), 0);
	rowspec_compile(&rs, &set);
	return rs;
}
