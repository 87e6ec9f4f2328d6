/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * picture: archives drawn as stacked areas in bits/s, with a legend. Not thread-safe,
 * as librrd's drawing is not: for short-lived processes only.
 */
#ifndef WEIR_RRD_PICTURE_H
#define WEIR_RRD_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/err.h"

#define PICTURE_ROWS_MAX 30U

struct picture_row {
	const char *file;  /* below the folder */
	const char *key;   /* any octets: the legend shows what can be shown */
};

struct picture {
	const char *file;        /* to write, "-": stdout; SVG when it ends in .svg, else PNG */
	const char *title;
	const char *folder;
	const char *total_path;  /* archive_create_rates: bytes per second, of all rows */
	int64_t start, end;      /* s since 1970 */
	unsigned width, height;  /* of the plot, pixels */
	size_t n;
	struct picture_row rows[PICTURE_ROWS_MAX]; /* from the bottom of the stack up */
	size_t rest;             /* how many more rows are in the total */
	bool empty;              /* nobody knows anything of that time: no rows, and no figures */
	uint32_t step_s;         /* of what there is for it */
	FILE *legend;            /* where the text below the plot goes, too; NULL: nowhere */
};

/* "no data from TIME to TIME in steps of N s", local ones, of an empty picture, to `text`. */
#define PICTURE_NO_DATA 128U
void picture_no_data(const struct picture *p, char text[PICTURE_NO_DATA]);

/*
 * Draw `p`. Returns 0; or -WEIR_E... with `e`: what was in the place of the file is as it was.
 */
int picture_draw(const struct picture *p, struct err *e);

#endif
