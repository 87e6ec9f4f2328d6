/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reload: reading the operator's files anew. It is the main thread's business, on a signal
 * or because a client (`weir reload maps`) asks; the client's thread then waits for what is
 * wrong with them.
 */
#ifndef WEIR_DAEMON_RELOAD_H
#define WEIR_DAEMON_RELOAD_H

#include "core/engine.h"
#include "daemon/settings.h"
#include "lib/err.h"

struct event_base;
struct reload;

/* Be asked in the loop of `base`; clients find it at the engine. NULL with `e` filled. */
struct reload *reload_new(
    struct event_base *base, struct settings *s, struct engine *en, struct err *e);

/* The loop has ended: nobody waits any longer. NULL is fine, also of reload_free. */
void reload_stop(struct reload *r);
void reload_free(struct reload *r);

#endif
