/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/encode.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "sql/tablename.h"

/* What sql_preprocess makes of the rows of a snapshot. */
struct judgement {
	struct sums *sums;
	bool *keep;
	uint64_t rejected;
};

/* The rows of a bin, which follow one another. */
struct bin_rows {
	uint64_t start;
	uint32_t first, end;
	const struct sums *other; /* NULL: there is none */
};

void
encoder_init(struct encoder *en, const struct rowspec *rs)
{
	row_init(&en->row, &batch_driver, &en->head.schema, rs, en->vars.utc);
}

/*
 * The first row of `s` whose bin starts at or (`after`) after `start`; they are sorted.
 */
static uint32_t
rows_bound(const struct snapshot *s, uint64_t start, bool after)
{
	uint32_t low = 0, high = s->n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		uint64_t t = snapshot_bin(s, snapshot_row(s, mid)).start;

		if (t < start || (after && t == start))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct bin_rows
bin_rows_of(const struct snapshot *s, uint16_t no)
{
	struct bin_rows b = { .start = snapshot_bin_no(s, no).start };
	const struct sums *other = snapshot_other(s, no);

	b.first = rows_bound(s, b.start, false);
	b.end = rows_bound(s, b.start, true);
	b.other = sums_equal(other, &(struct sums){ 0 }) ? NULL : other;
	return b;
}

uint64_t
encoder_rows(const struct snapshot *s)
{
	uint64_t n = s->n;

	for (uint16_t no = 0; no < snapshot_n_bins(s); no++)
		n += !sums_equal(snapshot_other(s, no), &(struct sums){ 0 });
	return n;
}

static void
judgement_free(struct judgement *j)
{
	free(j->sums);
	free(j->keep);
}

/* Have sql_preprocess judge all rows, each bin by itself. */
static int
judgement_make(
    struct judgement *j, struct encoder *en, const struct snapshot *s, struct err *e)
{
	memset(j, 0, sizeof(*j));
	if (!en->preprocess.on || s->n == 0)
		return 0;
	j->sums = malloc(s->n * sizeof(*j->sums));
	j->keep = malloc(s->n * sizeof(*j->keep));
	if (j->sums == NULL || j->keep == NULL) {
		judgement_free(j);
		return err_set(e, WEIR_ENOMEM, "no memory for sql_preprocess");
	}
	for (uint32_t i = 0; i < s->n; i++)
		memcpy(&j->sums[i], snapshot_row(s, i) + s->rs->sums_offset,
		    sizeof(j->sums[i]));
	for (uint16_t no = 0; no < snapshot_n_bins(s); no++) {
		struct bin_rows b = bin_rows_of(s, no);
		uint32_t n = b.end - b.first;

		j->rejected += n - preprocess_run(&en->preprocess, j->sums + b.first,
				       j->keep + b.first, n);
	}
	return 0;
}

static void
bin_write_other(struct encoder *en, const struct bin_rows *b, struct batch_writer *w)
{
	struct sums sums = *b->other;

	preprocess_act(&en->preprocess, &sums);
	row_bind_other(&en->row, &sums);
	batch_row(w);
}

/* Write the rows of a bin, those that are kept or (`rejected`) the others. */
static uint64_t
bin_write(struct encoder *en, const struct snapshot *s, const struct bin_rows *b,
    const struct judgement *j, bool rejected, struct batch_writer *w)
{
	uint64_t n = 0;

	row_bind_times(&en->row, b->start, s->cut);
	for (uint32_t i = b->first; i < b->end; i++) {
		if (j->keep != NULL && j->keep[i] == rejected)
			continue;
		row_bind(&en->row, snapshot_row(s, i));
		if (j->sums != NULL)
			row_bind_sums(&en->row, &j->sums[i]);
		batch_row(w);
		n++;
	}
	if (b->other == NULL || rejected)
		return n;
	bin_write_other(en, b, w);
	return n + 1;
}

/* All bins, to `w`. */
static int
bins_write(struct encoder *en, const struct snapshot *s, const struct judgement *j,
    bool rejected, struct batch_writer *w, uint64_t *n, struct err *e)
{
	struct row_target target = { .st = batch_stmt(w) };
	char table[TABLENAME_MAX + 1];

	for (unsigned i = 0; i < en->head.schema.n; i++)
		if (en->head.schema.columns[i].written)
			target.param[i] = (uint16_t)(i + 1);
	row_targets_set(&en->row, &target, 1);
	for (uint16_t no = 0; no < snapshot_n_bins(s); no++) {
		struct bin_rows b = bin_rows_of(s, no);
		int rc;

		en->vars.time = b.start;
		if ((rc = tablename_expand(en->table, &en->vars, table, e)) != 0)
			return rc;
		batch_bin(w, b.start, table);
		*n += bin_write(en, s, &b, j, rejected, w);
	}
	return 0;
}

/* Begin a file with the rows that are kept, or those that were rejected. */
static int
file_write(struct encoder *en, const struct snapshot *s, const struct judgement *j,
    bool rejected, struct spool *sp, struct spool_file **f, uint64_t *n, struct err *e)
{
	int rc;

	if ((*f = spool_begin(sp, &en->head, rejected ? "rejected" : "batch", e)) ==
	    NULL)
		return -WEIR_EIO;
	if ((rc = bins_write(en, s, j, rejected, (*f)->w, n, e)) == 0)
		return 0;
	spool_drop(*f);
	*f = NULL;
	return rc;
}

/* Keep what was rejected where `weir replay` finds it. A fault is said: it is lost. */
static void
rejected_write(struct encoder *en, const struct snapshot *s, const struct judgement *j,
    struct spool *sp)
{
	char *collector = en->head.collector;
	size_t len = strlen(collector);
	struct err e = ERR_INIT;
	struct spool_file *f;
	uint64_t n = 0;

	/* Or a database that has the others would take these for the same. */
	snprintf(collector + len, BATCH_WORD - len, " rejected");
	if (file_write(en, s, j, true, sp, &f, &n, &e) == 0 &&
	    spool_end(sp, f, n, &e) == 0)
		spool_add(sp, f);
	else
		log_err("%s: rows that sql_preprocess rejected are lost: %s",
		    en->head.plugin, e.text);
	collector[len] = '\0';
}

int
encoder_run(struct encoder *en, const struct snapshot *s, struct spool *sp,
    struct spool_file **f, struct encoded *out, struct err *e)
{
	struct judgement j;
	int rc;

	*f = NULL;
	memset(out, 0, sizeof(*out));
	out->rows = encoder_rows(s);
	if (out->rows == 0)
		return 0;
	if ((rc = judgement_make(&j, en, s, e)) != 0)
		return rc;
	en->head.seq = s->seq;
	en->head.cut = s->cut;
	out->rejected = j.rejected;
	if (out->rows > out->rejected)
		rc = file_write(en, s, &j, false, sp, f, &out->spooled, e);
	if (rc == 0 && j.rejected > 0 && en->preprocess.value[PREPROCESS_RECOVER] > 0)
		rejected_write(en, s, &j, sp);
	judgement_free(&j);
	return rc;
}
