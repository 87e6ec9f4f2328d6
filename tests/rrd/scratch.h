/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of rrd/ share: folders that go away again, and what archives hold. */
#ifndef WEIR_TESTS_RRD_SCRATCH_H
#define WEIR_TESTS_RRD_SCRATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rrd/series.h"

#define STEP  300
#define START INT64_C(1500000000) /* a multiple of STEP */

static inline char *
scratch_new(void)
{
	/* In memory where that can be: what is tested syncs to the disk all the time. */
	char *dir = strdup(access("/dev/shm", W_OK) == 0 ? "/dev/shm/weir-test-rrd.XXXXXX" :
	    "/tmp/weir-test-rrd.XXXXXX");

	assert_non_null(dir);
	assert_non_null(mkdtemp(dir));
	return dir;
}

static inline int
scratch_remove(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

static inline void
scratch_free(char *dir)
{
	assert_int_equal(nftw(dir, scratch_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(dir);
}

/* What the archive `path` holds of `ds` from START to `end`. */
static inline uint64_t
archive_sum(const char *path, const char *ds, int64_t end)
{
	struct err e = ERR_INIT;
	struct series_sum sum;
	struct series s;

	series_init(&s, START, end);
	if (series_add(&s, path, ds, &sum, &e) != 0)
		fail_msg("%s", e.text);
	series_fini(&s);
	return (uint64_t)llround(sum.units);
}

/* A generator of its own, so that failures can be repeated. */
static inline uint64_t
dice(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif
