/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Longest-prefix match over IPv4 and IPv6: prefixes are added, the trie is built of them
 * once, and then read by any number of threads. The families are apart: an IPv4 address
 * is found by IPv4 prefixes only, so ::/0 does not hold it. A full Internet table (1.25
 * million prefixes) is built in half a second, takes 30 octets a prefix, and answers in
 * twenty to thirty nanoseconds where many addresses are asked for at once.
 */
#ifndef WEIR_LIB_LPM_H
#define WEIR_LIB_LPM_H

#include <stdint.h>

#include "lib/err.h"
#include "lib/ip.h"

struct lpm;

#define LPM_MAX_VALUE 0x7ffffffeU
#define LPM_BATCH     64U /* addresses that lpm_find_many takes at once */

/* An empty trie; NULL when memory is short. Freed with lpm_free. */
struct lpm *lpm_new(void);
void lpm_free(struct lpm *l);

/*
 * Say that addresses in `p` have `value` (0 to LPM_MAX_VALUE), unless a longer prefix says
 * otherwise, whatever the order of adding. A prefix added twice keeps the later value.
 * IPv4 prefixes are v4-mapped: 10.0.0.0/8 has len 104. Before lpm_build only. Returns 0,
 * -WEIR_ENOMEM or -WEIR_EINVAL.
 */
int lpm_add(struct lpm *l, const struct prefix *p, uint32_t value);

/*
 * Build the trie of what was added; only then it can be asked. Returns 0 or -WEIR_ENOMEM,
 * after which `l` is good for lpm_free only.
 */
int lpm_build(struct lpm *l);

/* The value of the longest prefix that holds `a`, or -1. */
int64_t lpm_find(const struct lpm *l, const ip16_t *a);

/*
 * The same for the `n` (to LPM_BATCH) addresses that `a` points to: the memory that each
 * needs is fetched while others are worked on.
 */
void lpm_find_many(
    const struct lpm *l, const ip16_t *const *a, unsigned n, int64_t *values);

/* Octets of memory that `l` takes. */
size_t lpm_octets(const struct lpm *l);

#endif
