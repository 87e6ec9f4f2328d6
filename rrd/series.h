/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * series: rates over time, read from archives and added up. The first archive that is
 * added decides the step; others, which may have been consolidated to another one, are
 * spread over it. Any thread; one series is one thread's at a time.
 */
#ifndef WEIR_RRD_SERIES_H
#define WEIR_RRD_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

struct series {
	int64_t start, end;  /* s since 1970: what was asked for, and what is covered */
	uint32_t step_s;     /* 0 until something was added */
	size_t n;
	double *rates;       /* per second; i is (start + i * step, start + (i + 1) * step] */
};

/* What one archive held in the time of a series. */
struct series_sum {
	double units;        /* bytes, packets or flows: sum of rate * time */
	double known_s;      /* time for which there are values */
};

/* An empty series from `start` to `end`. */
void series_init(struct series *s, int64_t start, int64_t end);
void series_fini(struct series *s);

/*
 * Read data source `ds` of the archive `path`, add it to `s`, and tell its sum (`sum`
 * may be NULL). Unknown times add nothing; those that no archive knows stay NAN.
 * Returns 0, or -WEIR_E... with `e`.
 */
int series_add(struct series *s, const char *path, const char *ds, struct series_sum *sum,
    struct err *e);

/* Whether anything is known of its time. */
bool series_known(const struct series *s);

#endif
