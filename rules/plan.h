/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan: a program of libpcap's (bpf.h) as it reads on frames of one shape. There every
 * octet has its meaning, most tests are decided, and what is left compares values of
 * flows: so the plan runs over a whole batch at once, on columns instead of frames. It
 * says what the program says, for it is made of it, step by step. Constant once it is
 * made; any thread.
 */
#ifndef WEIR_RULES_PLAN_H
#define WEIR_RULES_PLAN_H

#include <stdint.h>

#include "flow/field.h"
#include "rules/batch.h"
#include "rules/bpf.h"
#include "rules/columns.h"
#include "rules/shape.h"

#define PLAN_STEPS 1024U

struct plan;

/*
 * The plan of `b` for frames of shape `s`, captured or made. NULL where there is none: the
 * program looks beyond the spots, computes with what it finds, or is too long.
 */
struct plan *plan_new(const struct bpf *b, enum shape s, enum shape_origin origin);
void plan_free(struct plan *p);

/* How many comparisons are left. */
unsigned plan_steps(const struct plan *p);

/* Add the fields that its values are made from. */
void plan_reads(const struct plan *p, struct field_set *reads);

/* Which flows of `mask`, all of this shape and origin, pass. */
uint64_t plan_run(
    const struct plan *p, struct columns *c, const struct batch *b, uint64_t mask);

#endif
