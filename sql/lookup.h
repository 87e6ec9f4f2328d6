/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lookup: the addresses of a server by its name. A resolver that is silent makes
 * getaddrinfo(3) wait, which nobody can call off: a thread of its own does, and is left
 * behind where the attempt to connect is given up. Any thread.
 */
#ifndef WEIR_SQL_LOOKUP_H
#define WEIR_SQL_LOOKUP_H

#include "lib/err.h"
#include "sql/attempt.h"

struct addrinfo;

/*
 * The addresses of `host` for streams, to `*list`, for freeaddrinfo. Returns 0; or -WEIR_EIO
 * with `e`: there are none, or attempt `a` is over.
 */
int lookup_run(const char *host, struct attempt *a, struct addrinfo **list, struct err *e);

#endif
