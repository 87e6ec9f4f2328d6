/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/encode.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/judgement.h"
#include "lib/log.h"
#include "sql/tablename.h"

#define ROWS_AHEAD 16U /* rows in order lie anywhere in memory: these are on their way */

struct bin_rows {
	uint64_t start;
	struct snapshot_range range;
	const struct sums *other; /* NULL: there is none */
};

void
encoder_init(struct encoder *en, const struct rowspec *rs)
{
	row_init(&en->row, &batch_driver, &en->head.schema, rs, en->vars.utc);
}

static struct bin_rows
bin_rows_of(const struct snapshot *s, uint16_t no)
{
	struct bin_rows b = { .start = snapshot_bin_no(s, no).start };
	const struct sums *other = snapshot_other(s, no);

	b.range = snapshot_bin_rows(s, no);
	b.other = sums_equal(other, &(struct sums){ 0 }) ? NULL : other;
	return b;
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
	for (uint32_t i = b->range.first; i < b->range.end; i++) {
		if (i + ROWS_AHEAD < b->range.end)
			snapshot_fetch(s, i + ROWS_AHEAD);
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
	out->rows = snapshot_all_rows(s);
	if (out->rows == 0)
		return 0;
	if ((rc = judgement_make(&j, &en->preprocess, s, e)) != 0)
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
