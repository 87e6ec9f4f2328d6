/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan: what the operator says of an output (rrd_directives), and whether it can be meant. Main
 * thread, at load.
 */
#ifndef WEIR_RRD_PLAN_H
#define WEIR_RRD_PLAN_H

#include <limits.h>

#include "core/output.h"
#include "lib/directive.h"
#include "lib/err.h"
#include "rrd/rows.h"

/* As `plan` and `look` of output_ops. */
int plan_make(struct output *o, struct view_config *vc, struct err *e);
void plan_look(const struct output *o, struct problems *ps);

/*
 * The folder of all outputs to `root`, and which rows get archives, called how, to `rows`. Returns 0
 * or -WEIR_EINVAL with `e`.
 */
int plan_rows(const struct output *o, struct rows_config *rows, char root[PATH_MAX],
    struct err *e);

#endif
