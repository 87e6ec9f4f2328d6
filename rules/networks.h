/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * networks: the operator's list of prefixes (networks_file), each with its AS, peer AS and
 * next hop. Loaded once, then read by any number of workers.
 */
#ifndef WEIR_RULES_NETWORKS_H
#define WEIR_RULES_NETWORKS_H

#include <stdint.h>

#include "lib/directive.h"
#include "lib/err.h"
#include "lib/ip.h"

struct networks;

struct network {
	uint32_t as, peer_as;
	ip16_t nexthop;     /* all zero: none */
	uint8_t bits;       /* prefix length in its own family: IPv4 0-32, IPv6 0-128 */
};

/*
 * Load `path`: a line is [[nexthop,]AS,]net/len, where AS may be peerAS_AS; '!' and '#'
 * begin comments. A line that cannot be read goes to `ps` as a warning with file:line and
 * is left out; of networks that stand there twice the later counts. NULL with `e` filled
 * when the file cannot be read, or no line of it.
 */
struct networks *networks_load(const char *path, struct problems *ps, struct err *e);
void networks_free(struct networks *n);

/* The most specific network that holds `a`, or NULL. */
const struct network *networks_find(const struct networks *n, const ip16_t *a);

/* The same for `count` (to LPM_BATCH) addresses, which is several times as fast. */
void networks_find_many(const struct networks *n, const ip16_t *const *a, unsigned count,
    const struct network **found);

#endif
