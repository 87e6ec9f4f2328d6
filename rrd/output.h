/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * output: the door to RRD archives, `plugins: rrd[name]`. One archive per row of the
 * view, bins of rrd_step seconds aligned to the epoch; only bins that are over arrive,
 * so each is written once, by the output's own thread.
 *
 *   snapshot -> rows: which archive, which bin   (rows.c)
 *            -> what each archive shall be told   (fill.c)
 *            -> the journal, on the disk          (journal.c)
 *            -> archives, or rrdcached            (delivery.c, archive.c, cached.c)
 *
 * Some archives at a time: while rrdcached is busy with those, the next are filled.
 *
 * Rows that have no archive of their own share one, as do the rows that the view itself
 * could not hold: the sum over all archives is what the view counted. What is in the
 * journal when weir or rrdcached is killed is told once more.
 */
#ifndef WEIR_RRD_OUTPUT_H
#define WEIR_RRD_OUTPUT_H

#include <stdint.h>

#include "core/output.h"
#include "lib/directive.h"

struct rrd_config {
	const char *path;          /* rrd_path */
	const char *default_path;  /* the daemon's: used when rrd_path is not given */
	uint32_t step;             /* s */
	uint32_t heartbeat;        /* s; 0: twice the step */
	int profile;               /* enum profile_name */
	const char *rra;           /* rrd_rra, of PROFILE_CUSTOM */
	uint32_t max_files;
	const char *create;        /* rrd_create; NULL: all */
	uint32_t expire;           /* s; 0: never */
	int expired;               /* enum rrd_expired */
	const char *daemon;        /* rrd_daemon; NULL: librrd */
	uint32_t daemon_flush;     /* s */
	uint64_t journal_max;      /* octets */
	int late;                  /* enum rrd_late */
	uint32_t round_archives;   /* that a round of the journal is for; 0: some 1000 */
};

enum rrd_late { RRD_LATE_NEXT, RRD_LATE_DROP };
enum rrd_expired { RRD_EXPIRED_KEEP, RRD_EXPIRED_REMOVE };

extern const struct directive_set rrd_directives;
extern const struct output_ops rrd_output;

/* How an output of this type has fared; of its thread, or when that has ended. */
struct rrd_counts {
	uint64_t late_rows;   /* came after their bin was written */
	uint32_t archives;    /* known */
	uint64_t expired;     /* archives that were removed */
};
struct rrd_counts rrd_output_counts(const struct output *o);

#endif
