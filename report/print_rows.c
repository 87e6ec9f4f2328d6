/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/print_rows.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_AHEAD 16U /* rows that are on their way from memory */

int
print_rows_init(struct print_rows *pr, const struct rowspec *rs,
    const struct field_set *split, struct err *e)
{
	memset(pr, 0, sizeof(*pr));
	for (uint16_t no = 0; no < FIELD_COUNT; no++) {
		if (!field_set_has(split, no))
			continue;
		assert(pr->n_split < sizeof(pr->offset) / sizeof(pr->offset[0]));
		pr->offset[pr->n_split] = rs->offset[no];
		pr->octets[pr->n_split++] = fields[no].octets;
	}
	pr->row = calloc(1, rs->row_octets);
	pr->other = calloc(1, rs->row_octets);
	if (pr->row == NULL || pr->other == NULL) {
		print_rows_fini(pr);
		return err_set(e, WEIR_ENOMEM, "no memory for print's rows");
	}
	return 0;
}

void
print_rows_fini(struct print_rows *pr)
{
	free(pr->at);
	free(pr->row);
	free(pr->other);
}

static const uint8_t *
row_values(const struct print_rows *pr, const struct snapshot *s, uint32_t number)
{
	return number < s->n ? snapshot_row(s, number) : pr->other;
}

/* Which of two rows goes to the file that comes first; 0: both to one. */
static int
files_compare(
    const struct print_rows *pr, const struct snapshot *s, uint32_t a, uint32_t b)
{
	const uint8_t *x = row_values(pr, s, a), *y = row_values(pr, s, b);
	int order = 0;

	for (unsigned i = 0; i < pr->n_split && order == 0; i++)
		order = memcmp(x + pr->offset[i], y + pr->offset[i], pr->octets[i]);
	return order;
}

static uint16_t
bin_of(const struct snapshot *s, uint32_t number)
{
	return number < s->n ? rowspec_bin(s->rs, snapshot_row(s, number))
			     : (uint16_t)(number - s->n);
}

struct sorting {
	const struct print_rows *pr;
	const struct snapshot *s;
};

static int
place_compare(const void *a, const void *b, void *arg)
{
	const struct sorting *so = arg;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int order = files_compare(so->pr, so->s, x, y);
	uint64_t p, q;

	if (order != 0)
		return order;
	p = snapshot_bin_no(so->s, bin_of(so->s, x)).start;
	q = snapshot_bin_no(so->s, bin_of(so->s, y)).start;
	if (p != q)
		return p < q ? -1 : 1;
	return x < y ? -1 : x > y; /* other rows last */
}

/* The numbers of the bins of `s` in the order of time: so are its rows. */
static uint16_t
bins_sort(const struct snapshot *s, uint16_t *order)
{
	uint16_t n = snapshot_n_bins(s);

	for (uint16_t i = 0; i < n; i++) {
		uint64_t start = snapshot_bin_no(s, i).start;
		uint16_t k = i;

		for (; k > 0 && snapshot_bin_no(s, order[k - 1]).start > start; k--)
			order[k] = order[k - 1];
		order[k] = i;
	}
	return n;
}

/* Note the rows of bin number `no` that are to be written. */
static void
bin_note(struct print_rows *pr, const struct snapshot *s, uint16_t no)
{
	struct snapshot_range r = snapshot_bin_rows(s, no);

	for (uint32_t i = r.first; i < r.end; i++)
		if (pr->judged.keep == NULL || pr->judged.keep[i])
			pr->at[pr->n++] = i;
	if (!sums_equal(snapshot_other(s, no), &(struct sums){ 0 }))
		pr->at[pr->n++] = s->n + no;
}

int
print_rows_make(struct print_rows *pr, const struct snapshot *s, struct preprocess *p,
    struct err *e)
{
	uint32_t need = s->n + snapshot_n_bins(s);
	uint16_t order[SLAB_BINS], n_bins = bins_sort(s, order);
	int rc;

	if (need > pr->room) {
		uint32_t *grown = realloc(pr->at, need * sizeof(*grown));

		if (grown == NULL)
			return err_set(e, WEIR_ENOMEM, "no memory for print's rows");
		pr->at = grown;
		pr->room = need;
	}
	if ((rc = judgement_make(&pr->judged, p, s, e)) != 0)
		return rc;
	pr->preprocess = p;
	pr->n = 0;
	pr->one = pr->n_split == 0 && n_bins <= 1;
	for (uint16_t i = 0; i < n_bins; i++)
		bin_note(pr, s, order[i]);
	if (pr->n_split > 0)
		qsort_r(pr->at, pr->n, sizeof(*pr->at), place_compare,
		    &(struct sorting){ pr, s });
	return 0;
}

const uint8_t *
print_rows_get(
    struct print_rows *pr, const struct snapshot *s, uint32_t i, uint16_t *bin)
{
	uint32_t number = pr->at[i];
	const uint8_t *row = row_values(pr, s, number);

	/* Rows lie in the order of their coming, not of the keys: fetch them ahead. */
	if (i + ROWS_AHEAD < pr->n)
		__builtin_prefetch(row_values(pr, s, pr->at[i + ROWS_AHEAD]));
	*bin = number < s->n ? rowspec_bin(s->rs, row) : (uint16_t)(number - s->n);
	if (number < s->n && pr->judged.sums == NULL)
		return row;
	memcpy(pr->row, row, s->rs->row_octets);
	if (number < s->n) {
		*rowspec_sums(s->rs, pr->row) = pr->judged.sums[number];
	} else { /* passes all checks, but is changed as the others are */
		*rowspec_sums(s->rs, pr->row) = *snapshot_other(s, *bin);
		preprocess_act(pr->preprocess, rowspec_sums(s->rs, pr->row));
	}
	return pr->row;
}

bool
print_rows_belong(const struct print_rows *pr, const struct snapshot *s, uint32_t i)
{
	return pr->one || (bin_of(s, pr->at[i - 1]) == bin_of(s, pr->at[i]) &&
			      files_compare(pr, s, pr->at[i - 1], pr->at[i]) == 0);
}

void
print_rows_drop(struct print_rows *pr)
{
	judgement_free(&pr->judged);
	memset(&pr->judged, 0, sizeof(pr->judged));
}
