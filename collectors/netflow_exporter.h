/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netflow_exporter: what the NetFlow decoder remembers of an exporter: `state` of struct
 * exporter. It comes with the first message that tells something worth remembering, and
 * goes with the exporter. Workers read without a lock what is shared (lib/rcu.h); who
 * writes holds the exporter's lock.
 */
#ifndef WEIR_COLLECTORS_NETFLOW_EXPORTER_H
#define WEIR_COLLECTORS_NETFLOW_EXPORTER_H

#include "collectors/optdata.h"
#include "core/exporter.h"
#include "proto/templates.h"

struct netflow_exporter {
	struct templates templates;
	_Atomic bool withdraws;      /* it has withdrawn templates: it says what is valid */
	_Atomic(struct optdata *) options; /* of x->first alone: told of its address, or NULL */
};

/* What is remembered of `x`, or NULL when that is nothing yet. */
static inline struct netflow_exporter *
netflow_exporter_of(const struct exporter *x)
{
	return atomic_load_explicit(&x->state, memory_order_acquire);
}

/* The exporter's templates, or NULL when it has told none yet. */
static inline const struct templates *
netflow_exporter_templates(const struct exporter *x)
{
	const struct netflow_exporter *nx = netflow_exporter_of(x);

	return nx != NULL ? &nx->templates : NULL;
}

/* What the exporter has told about itself, in whatever domain, or NULL: nothing yet. */
static inline const struct optdata *
netflow_exporter_options(const struct exporter *x)
{
	const struct netflow_exporter *nx = netflow_exporter_of(x->first);

	return nx != NULL ? atomic_load_explicit(&nx->options, memory_order_acquire)
	                  : NULL;
}

/*
 * Keep what `x` has told at `now` (ns since 1970). Takes the lock of x->first. Returns
 * how many facts found no room.
 */
unsigned netflow_exporter_told(struct exporter *x, const struct optdata_told *told,
    uint64_t now);

/*
 * Keep template `t`, taken on success, told at `now_s`, with `x`. Takes the lock. Returns
 * what templates_put does; on errors `t` is left to the caller.
 */
int netflow_exporter_template(struct exporter *x, struct template *t, uint32_t now_s);

/* A number that is another one when some exporter's templates are. Any thread. */
uint64_t netflow_exporter_changes(void);

/*
 * Forget what a withdrawal in a set of `kind` names (templates_withdraw). Takes the lock.
 * Returns how many templates that were, or -WEIR_ENOMEM.
 */
int netflow_exporter_withdraw(struct exporter *x, enum template_kind kind, uint16_t id);

#endif
