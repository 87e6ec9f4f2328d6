/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * background: going to the background (daemonize). The process that the operator started
 * waits for the outcome of the start, and its exit status tells it; until then standard
 * error stays the operator's. Main thread, before there are others.
 */
#ifndef WEIR_DAEMON_BACKGROUND_H
#define WEIR_DAEMON_BACKGROUND_H

#include <stdbool.h>

#include "lib/err.h"

/*
 * Fork. Returns in the child alone, with the descriptor that background_started takes; the
 * parent waits there and ends: with 0 when the child has started, else with the status
 * that the child ended with. Returns -WEIR_EIO with `e` filled where there is no child.
 */
int background_enter(struct err *e);

/* The start went well: let the parent go, and give up its terminal and standard error. */
void background_started(int fd);

#endif
