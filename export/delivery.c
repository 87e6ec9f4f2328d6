/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/delivery.h"

#include <inttypes.h>

/* What became of datagrams to a target, or to all of a pool, since the last look. */
struct since {
	uint64_t sent, unsent;
};

/* `*why`: the reason for most that were not sent; untouched where all were. */
static struct since
target_since(struct target *t, enum target_reason *why)
{
	uint64_t sent = atomic_load_explicit(&t->sent, memory_order_relaxed), most = 0;
	struct since since = { .sent = sent - t->seen.sent };

	t->seen.sent = sent;
	for (int i = 0; i < TARGET_N_REASONS; i++) {
		uint64_t now = atomic_load_explicit(&t->unsent[i], memory_order_relaxed);
		uint64_t more = now - t->seen.unsent[i];

		t->seen.unsent[i] = now;
		since.unsent += more;
		if (more > most) {
			most = more;
			*why = (enum target_reason)i;
		}
	}
	return since;
}

/* As target_since, of all targets; `*first` is the first that did not send all. */
static struct since
pool_since(const struct pool *p, const struct target **first, enum target_reason *why)
{
	struct since all = { 0 };

	*first = NULL;
	for (unsigned i = 0; i < p->n; i++) {
		enum target_reason its = TARGET_UNREACHABLE;
		struct since one = target_since(p->targets[i], &its);

		all.sent += one.sent;
		all.unsent += one.unsent;
		if (*first == NULL && one.unsent > 0) {
			*first = p->targets[i];
			*why = its;
		}
	}
	return all;
}

/* Pool `p` got nothing. What is wrong with names, connections and families is logged elsewhere. */
static void
pool_fails(struct output *o, const struct pool *p, const struct target *t,
    enum target_reason why)
{
	struct err fault = ERR_INIT, e = ERR_INIT;

	target_fault(t, why, &fault);
	if (p->n > 1)
		err_set(&e, WEIR_EIO, "%s; nor to the %u others of pool %" PRIu32, fault.text,
		    p->n - 1, p->id);
	else
		e = fault;
	if (why == TARGET_UNRESOLVED || why == TARGET_UNCONNECTED || why == TARGET_WRONG_FAMILY)
		output_failed(o, &e);
	else
		output_fails(o, &e);
}

void
delivery_look(struct output *o, const struct receivers *r)
{
	bool fails = false, sent = false;

	for (unsigned i = 0; i < r->n_pools; i++) {
		const struct target *first;
		enum target_reason why = TARGET_UNREACHABLE;
		struct since since = pool_since(&r->pools[i], &first, &why);

		sent |= since.sent > 0;
		if (since.sent > 0 || since.unsent == 0)
			continue;
		if (!fails)
			pool_fails(o, &r->pools[i], first, why);
		fails = true;
	}
	/* last_success is the sender's, as records go: templates alone are none. */
	if (sent && !fails && atomic_load(&o->state) == OUTPUT_FAILING)
		output_works(o);
}
