/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * output: the door to RRD archives, `plugins: rrd[name]`. One archive per row of the
 * view, bins of rrd_step seconds aligned to the epoch; only bins that are over arrive,
 * so each is written once, by the output's own thread.
 *
 *   snapshot -> items (archive, bin, sums) -> sorted by file -> fill_archive each
 *
 * Archives beyond rrd_max_files share one, as do the rows that the view itself could
 * not hold: the sum over all archives is what the view counted.
 *
 * rrdcached has no place yet: it would take over known_update and known_create (and let
 * graphs flush first), the rest stays as it is.
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
	int late;                  /* enum rrd_late */
};

enum rrd_late { RRD_LATE_NEXT, RRD_LATE_DROP };

extern const struct directive_set rrd_directives;
extern const struct output_ops rrd_output;

/* How an output of this type has fared; of its thread, or when that has ended. */
struct rrd_counts {
	uint64_t late_rows;   /* came after their bin was written */
	uint32_t archives;    /* known */
};
struct rrd_counts rrd_output_counts(const struct output *o);

#endif
