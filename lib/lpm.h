/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Longest-prefix match over IPv4 and IPv6: built once, then read by any number of
 * threads. A multibit trie (16 bits, then 8 at a time) with the answers pushed into the
 * leaves: an IPv4 look-up touches at most three cells. The families are apart: an IPv4
 * address is found by IPv4 prefixes only, so ::/0 does not hold it.
 */
#ifndef WEIR_LIB_LPM_H
#define WEIR_LIB_LPM_H

#include <stdint.h>

#include "lib/err.h"
#include "lib/ip.h"

struct lpm;

#define LPM_MAX_VALUE 0x7ffffffeU

/* An empty trie; NULL when memory is short. Freed with lpm_free. */
struct lpm *lpm_new(void);
void lpm_free(struct lpm *l);

/*
 * Say that addresses in `p` have `value` (0 to LPM_MAX_VALUE), unless a longer prefix says
 * otherwise, whatever the order of adding. A prefix added twice keeps the later value.
 * IPv4 prefixes are v4-mapped: 10.0.0.0/8 has len 104. Returns 0, -WEIR_ENOMEM or -WEIR_EINVAL.
 */
int lpm_add(struct lpm *l, const struct prefix *p, uint32_t value);

/* The value of the longest prefix that holds `a`, or -1. */
int64_t lpm_find(const struct lpm *l, const ip16_t *a);

/* Octets of memory that `l` takes. */
size_t lpm_octets(const struct lpm *l);

#endif
