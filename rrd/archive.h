/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * archive: one RRD file, the history of one row. Three data sources of type ABSOLUTE
 * (bytes, packets, flows), fed with what a time bin counted and stamped with the END of
 * the bin. As bins are multiples of the step, each becomes exactly one primary data
 * point, and the sum of rate * step over what is fetched is what was counted.
 *
 * Only functions of librrd that are thread-safe (_r), and no at-style times. Times are
 * seconds since 1970. Any thread; one archive is one thread's at a time.
 */
#ifndef WEIR_RRD_ARCHIVE_H
#define WEIR_RRD_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/rowspec.h"
#include "lib/err.h"
#include "rrd/profile.h"

struct archive_shape {
	uint32_t step_s;
	uint32_t heartbeat_s;  /* a gap longer than this is unknown, not an average */
	enum profile_name profile;
	const char *custom;    /* of PROFILE_CUSTOM: see profile_rras; borrowed */
};

/* What one bin counted. */
struct archive_bin {
	int64_t end;      /* s since 1970; the bin is [end - step, end) */
	struct sums sums;
	bool unknown;     /* nobody measured from the last update to `end`; no sums */
};

/*
 * Make the archive `path`, empty, of which the first bin starts at `start`. A file that
 * is there already, and has anything in it, is left alone. Returns 0 or -WEIR_EIO with `e`.
 */
int archive_create(const char *path, const struct archive_shape *shape, int64_t start,
    struct err *e);

/*
 * Look at the archive `path` and give the time of its last update to `*last`. Returns
 * 0; -WEIR_ENOENT when there is no such file, or nothing in it; -WEIR_EUNSUPPORTED with
 * `e` when it is of another shape than ours (data sources, series, step), or no archive at
 * all; -WEIR_EIO.
 */
int archive_check(const char *path, const struct archive_shape *shape, int64_t *last,
    struct err *e);

/*
 * Write `n` bins, in ascending order and all after `*last`, which follows what is
 * written. Returns 0, or -WEIR_EIO with `e`: the bins up to `*last` are in the archive
 * then, those after it are not; -WEIR_EEXIST when that is as somebody else has got that far.
 */
int archive_update(const char *path, const struct archive_bin *bins, size_t n,
    int64_t *last, struct err *e);

/*
 * Wait until nobody updates the archive `path`, which librrd locks meanwhile and then can neither
 * read nor write: a millisecond and another, as long as `*patience_ms` lasts, which the next one
 * finds shorter. Returns 0; or with `e` -WEIR_ENOENT, -WEIR_EIO, -WEIR_EAGAIN: it is locked.
 */
#define ARCHIVE_PATIENCE_MS 2000U
int archive_wait(const char *path, unsigned *patience_ms, struct err *e);

/* Write `b` as an update has it, END:BYTES:PACKETS:FLOWS, to `text`. Returns its NUL. */
#define ARCHIVE_BIN_TEXT 96U /* four numbers of 20 digits */
char *archive_bin_format(const struct archive_bin *b, char text[ARCHIVE_BIN_TEXT]);

/* The time of the last update of archive `path`; -1 when it cannot be read. */
int64_t archive_last(const char *path);

/* No time of an update lies behind it: more is no time. */
#define ARCHIVE_TIME_MAX (INT64_C(1) << 40)

/*
 * The head of an archive is all in it but the values: what it is, how far each series is, what
 * has not become a value yet. librrd changes it in place, in many steps, so a process that is
 * killed over an update leaves one that counts a bin twice or puts later ones in wrong places.
 * With the head of before, the same bins can be written again.
 *
 * How many octets the head of `path` has; 0 when it cannot be read.
 */
size_t archive_head_octets(const char *path);

/*
 * Read the first `len` octets of `path`; `*file` is a number of the file itself, another when it
 * was replaced. Waits, and returns, as archive_wait.
 */
int archive_head_read(const char *path, void *head, size_t len, uint32_t *file,
    unsigned *patience_ms, struct err *e);

/*
 * Put a head back that was read. Where the file is another by now, or somebody has changed its
 * shape, data sources or limits (rrdtool restore, resize, tune), it is left alone:
 * -WEIR_EUNSUPPORTED. Else as archive_head_read.
 */
int archive_head_write(const char *path, const void *head, size_t len, uint32_t file,
    unsigned *patience_ms, struct err *e);

/* What the bins after `from` up to `to` hold in archive `path`. */
struct archive_sums {
	double bytes, packets, flows;
};

/*
 * Add the bins up, each of `step_s`. Returns 0; -WEIR_ENOENT when the archive does not keep single
 * bins for so long; -WEIR_EIO with `e`.
 */
int archive_sums(const char *path, uint32_t step_s, int64_t from, int64_t to,
    struct archive_sums *sums, struct err *e);

/* One of the series that an archive keeps. */
struct archive_series {
	uint32_t step_s; /* of its values */
	int64_t first;   /* s since 1970: what lies before is not kept */
};

/* Those of archive `path` whose function is `function`, to `out` (PROFILE_RRAS). Returns how many. */
size_t archive_series(const char *path, const char *function, struct archive_series *out);

/*
 * Make the archive `path` of one series of rates (not a row's): `n` values per second,
 * of which value i is that of (start + i * step, start + (i + 1) * step]; for `weir
 * graph`.
 */
int archive_create_rates(const char *path, int64_t start, uint32_t step_s,
    const double *rates, size_t n, struct err *e);

#endif
