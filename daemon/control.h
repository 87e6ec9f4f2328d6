/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control: the UNIX socket that `weir show` and `weir top` talk to. The main thread
 * accepts; each client is served on a thread of its own, so that nobody who reads slowly
 * holds up anything. Bounded: CONTROL_CLIENTS at once.
 */
#ifndef WEIR_DAEMON_CONTROL_H
#define WEIR_DAEMON_CONTROL_H

#include "core/engine.h"
#include "lib/err.h"

#define CONTROL_CLIENTS 16

struct event_base;
struct control;

/*
 * Listen at `path`, for the owner and `group` (may be NULL); `table` (borrowed) is the
 * memory table that is shown there, or NULL for all that there is. A socket that nobody answers
 * on is removed first. NULL with `e` filled.
 */
struct control *control_open(struct event_base *base, struct engine *en, const char *path,
    const char *group, const char *table, struct err *e);

/* Stop listening, wait for clients to be served, remove the socket. NULL is fine. */
void control_close(struct control *c);

#endif
