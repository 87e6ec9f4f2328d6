/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * row: takes the values of a snapshot's rows to the parameters of prepared statements.
 * Rows come sorted, so a value is often that of the row before: it is then neither made
 * into text nor bound again. One thread at a time.
 */
#ifndef WEIR_SQL_ROW_H
#define WEIR_SQL_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/rowspec.h"
#include "flow/text.h"
#include "sql/driver.h"
#include "sql/schema.h"

#define ROW_TARGETS 2U

/* A statement that gets the values. */
struct row_target {
	struct sql_stmt *st;             /* owned by the caller */
	uint16_t param[SCHEMA_COLUMNS];  /* of each column; 0: none */
};

struct row_value {
	uint16_t offset;   /* in the row */
	uint8_t octets;
	bool bound;        /* `last` is what the parameters hold */
	uint8_t last[16];
	char text[TEXT_MAX]; /* parameters borrow it */
};

struct row {
	const struct sql_driver *driver;  /* borrowed, as the next */
	const struct sql_schema *schema;
	struct text_opts opts;
	unsigned n_targets;
	struct row_target targets[ROW_TARGETS];
	struct row_value values[SCHEMA_COLUMNS];
	uint64_t cut;                     /* of the batch, ns since 1970 */
};

/* Get ready for rows of `rs`, which has all fields of the schema. */
void row_init(struct row *r, const struct sql_driver *d, const struct sql_schema *s,
    const struct rowspec *rs, bool utc);

/* The statements are new: nothing is bound. Binds what is the same for all rows. */
void row_targets_set(struct row *r, const struct row_target *targets, unsigned n);

/* Bind the times of a batch: start of the bin, time of writing; ns since 1970. */
void row_bind_times(struct row *r, uint64_t bin, uint64_t cut);

/* Bind a snapshot's row. */
void row_bind(struct row *r, const uint8_t *row);

/* Bind `sums` instead of those of the row that is bound. */
void row_bind_sums(struct row *r, const struct sums *sums);

/*
 * Bind the sums of an other row of the batch; its key is what stands where there is no
 * value, but a log of flows has it at the time of writing.
 */
void row_bind_other(struct row *r, const struct sums *sums);

/* Copy `s` to `buf` (TEXT_MAX) with what is not UTF-8 made '?'. Returns the length. */
size_t row_text_clean(const char *s, char *buf);

#endif
