/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * root: a module that is served, and where; finds its objects by their whole names. Plain
 * arrays, without an SNMP library. The agent's thread.
 */
#ifndef WEIR_AGENT_ROOT_H
#define WEIR_AGENT_ROOT_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/tree.h"

#define OID_BASE_MAX 80U /* sub-identifiers of a root: 128 less the longest name below */
#define OID_MAX (OID_BASE_MAX + NAME_MAX_LEN)

struct requests;

struct root {
	struct requests *requests; /* whose it is */
	const struct mib *mib;
	size_t n_base;
	subid_t base[OID_BASE_MAX];
	bool writes;               /* SETs are handed on */
	bool registered;           /* the master has taken it */
	uint16_t refusal;          /* the error that it has answered instead; 0: none yet */
};

/* The object of `t` (NULL: there is none yet) called exactly `name`. */
enum tree_found root_get(const struct root *root, const struct mib_tree *t,
    const subid_t *name, size_t len, struct cell *c);

/* The first object of `root` after `name`, or that of its name if `inclusive`. */
bool root_next(const struct root *root, const struct mib_tree *t, const subid_t *name,
    size_t len, bool inclusive, struct cell *c);

/* The whole name of `c`, to `name` (OID_MAX); returns its length. */
size_t root_name(const struct root *root, const struct mib_tree *t, const struct cell *c,
    subid_t *name);

#endif
