/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * grid: a table of text whose columns are as wide as what is in them. Filled cell by
 * cell, the titles first; then read line by line. Plain values; one thread.
 */
#ifndef WEIR_CLIENT_GRID_H
#define WEIR_CLIENT_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define GRID_COLUMNS 64U

struct grid {
	unsigned n_columns;
	bool right[GRID_COLUMNS];     /* numbers stand right */
	size_t width[GRID_COLUMNS];   /* characters of the widest cell, */
	size_t before[GRID_COLUMNS];  /* and before the last row */
	char *text;                   /* all cells, each with its NUL */
	size_t len, room;
	size_t *cells;                /* where each begins; titles are the first row */
	size_t n_cells, cells_room;
};

/* Forget all; memory is kept. A zeroed grid is an empty one. */
void grid_clear(struct grid *g);
void grid_fini(struct grid *g);

/* Add a column: before any cell. */
void grid_column(struct grid *g, const char *title, bool right);

/* Add the next cell; a row is full when it has as many as there are columns. */
void grid_cell(struct grid *g, const char *text);

/* Take the last whole row away again. */
void grid_drop(struct grid *g);

/* Rows, without the titles. */
size_t grid_rows(const struct grid *g);

/*
 * Write line `i`, 0 being the titles, to `buf` with its NUL, cut where there is no room
 * (at a whole character), without blanks at the end. Control characters become '?'.
 * Returns the length.
 */
size_t grid_line(const struct grid *g, size_t i, char *buf, size_t room);

/* Print titles and rows. */
void grid_print(const struct grid *g, FILE *to);

#endif
