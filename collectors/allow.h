/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * allow: who may send to us. A file names addresses and prefixes, one a line; workers ask
 * once for each datagram, without a lock. The main thread opens, reloads and closes it; a
 * reload swaps the whole list, and only for one without faults. Longest match plays no
 * part: who stands in any of the prefixes is allowed.
 */
#ifndef WEIR_COLLECTORS_ALLOW_H
#define WEIR_COLLECTORS_ALLOW_H

#include <stdbool.h>

#include "lib/directive.h"
#include "lib/ip.h"

struct allow;

/*
 * Load `path` (borrowed), which directive `key` names. A line is an address or
 * address/length; '!' and '#' begin comments. A file of no such line allows nobody.
 * NULL with errors in `ps`, with file:line, when anything in it cannot be read.
 */
struct allow *allow_open(const char *key, const char *path, struct problems *ps);

/*
 * Load the file anew. With any fault, which goes to `ps`, the list stays as it is. Workers
 * may be reading meanwhile.
 */
void allow_reload(struct allow *a, struct problems *ps);

/* Free it (NULL is fine), when no worker reads it any more. */
void allow_close(struct allow *a);

/* May `who` send? A worker's thread, between two calls of rcu_quiet. */
bool allow_holds(const struct allow *a, const ip16_t *who);

#endif
