/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/rcu.h"

#include <stdlib.h>
#include <urcu-qsbr.h>

struct deferred {
	struct rcu_head head;
	void (*fn)(void *);
	void *p;
};

void
rcu_enter(void)
{
	urcu_qsbr_register_thread();
}

void
rcu_leave(void)
{
	urcu_qsbr_unregister_thread();
}

void
rcu_quiet(void)
{
	urcu_qsbr_quiescent_state();
}

void
rcu_idle(void)
{
	urcu_qsbr_thread_offline();
}

void
rcu_busy(void)
{
	urcu_qsbr_thread_online();
}

static void
deferred_run(struct rcu_head *head)
{
	struct deferred *d = (struct deferred *)(void *)head; /* head stands first */

	d->fn(d->p);
	free(d);
}

void
rcu_defer(void (*fn)(void *), void *p)
{
	struct deferred *d = malloc(sizeof(*d));

	if (d == NULL) {
		urcu_qsbr_synchronize_rcu();
		fn(p);
		return;
	}
	d->fn = fn;
	d->p = p;
	urcu_qsbr_call_rcu(&d->head, deferred_run);
}

void
rcu_drain(void)
{
	urcu_qsbr_barrier();
}
