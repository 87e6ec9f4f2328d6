/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/root.h"

#include <string.h>

static bool
root_holds(const struct root *root, const subid_t *name, size_t len)
{
	return len >= root->n_base &&
	       memcmp(name, root->base, root->n_base * sizeof(*name)) == 0;
}

enum tree_found
root_get(const struct root *root, const struct mib_tree *t, const subid_t *name, size_t len,
    struct cell *c)
{
	size_t n = root->n_base;

	if (t == NULL || !root_holds(root, name, len))
		return TREE_NO_OBJECT;
	return tree_get(root->mib, t, name + n, len - n, c);
}

bool
root_next(const struct root *root, const struct mib_tree *t, const subid_t *name, size_t len,
    bool inclusive, struct cell *c)
{
	size_t n = root->n_base, below = 0;

	if (t == NULL)
		return false;
	if (root_holds(root, name, len))
		below = len - n;
	else if (name_compare(name, len, root->base, n) > 0)
		return false;
	return tree_next(root->mib, t, name + (len - below), below, inclusive, c);
}

size_t
root_name(const struct root *root, const struct mib_tree *t, const struct cell *c,
    subid_t *name)
{
	memcpy(name, root->base, root->n_base * sizeof(*name));
	return root->n_base + cell_name(t, c, name + root->n_base);
}
