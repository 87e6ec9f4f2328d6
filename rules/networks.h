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
	uint8_t bits;       /* prefix length in its own family: IPv4 0-32, IPv6 0-128 */
	uint8_t bits16;     /* the same over the sixteen octets of ip16_t */
	uint32_t as, peer_as;
	ip16_t nexthop;     /* all zero: none */
};

/*
 * Load `path`: a line is [[nexthop,]AS,]net/len or peerAS_AS,net/len; '!' and '#' begin
 * comments. A line that cannot be read goes to `ps` as a warning with file:line and is left
 * out. NULL with `e` filled when the file cannot be read.
 */
struct networks *networks_load(const char *path, struct problems *ps, struct err *e);
void networks_free(struct networks *n);

/* The most specific network that holds `a`, or NULL. */
const struct network *networks_find(const struct networks *n, const ip16_t *a);

#endif
