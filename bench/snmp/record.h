/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * record: some columns of a table as they were read from weir, in a file: what the programs
 * that weir's agent is compared with serve, so that all serve the same octets. Numbers are
 * the host's: the file is made and read in one run of the benchmark. No file that weir
 * reads: what is wrong with it ends the program.
 */
#ifndef WEIR_BENCH_SNMP_RECORD_H
#define WEIR_BENCH_SNMP_RECORD_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define RECORD_INDEX   3U  /* sub-identifiers of a row's index */
#define RECORD_COLUMNS 16U
#define RECORD_BASE    64U

/* A value: BER's type, and the octets of a text, or a number in 8 octets. */
struct record_cell {
	uint8_t type, len;
	const uint8_t *octets;
};

struct record {
	uint32_t n_base, base[RECORD_BASE]; /* name of the table's entry */
	uint32_t n_columns, columns[RECORD_COLUMNS]; /* by number */
	uint32_t n_rows;
	/* private */
	uint8_t *octets;
	uint32_t (*index)[RECORD_INDEX]; /* by row, ascending */
	size_t *at;              /* of row and column: where its cell is */
};

/* Write: the head, with n_rows 0; then rows, cell after cell; then the number of rows. */
void record_begin(FILE *f, const struct record *r);
void record_row(FILE *f, const uint32_t *index);
void record_cell(FILE *f, uint8_t type, const void *octets, uint8_t len);
void record_end(FILE *f, const struct record *r, uint32_t n_rows);

void record_load(struct record *r, const char *path);

/* The first row whose index is not before the `n` sub-identifiers; `*exact`: it is that. */
uint32_t record_seek(const struct record *r, const uint32_t *index, size_t n, int *exact);

/* What is in column number `c` (from 0) of row `row`. */
struct record_cell record_get(const struct record *r, uint32_t row, uint32_t c);

/*
 * Where the object after, or with `exact` at, base.`rest` is (`n` sub-identifiers): its row
 * and column. Returns 0 where there is none.
 */
int record_find(const struct record *r, const uint32_t *rest, size_t n, int exact,
    uint32_t *row, uint32_t *column);

#endif
