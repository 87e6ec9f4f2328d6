/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzz target of the requests of an AgentX master: the octets are a PDU. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/tables.h"
#include "agent/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct root root = { .mib = &weir_mib, .n_base = 10,
	.base = { 1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 1777 } };

/* Some rows of each kind that needs no more than an index; made once. */
static const struct mib_tree *
tree_some(void)
{
	static const struct tree_size size = { .collectors = 2, .exporters = 3, .outputs = 1 };
	static struct mib_tree *t;

	if (t != NULL)
		return t;
	t = tree_new(&size);
	if (t == NULL)
		abort();
	t->collectors[1].index = t->exporters[1].collector = t->exporters[2].collector = 1;
	t->exporters[2].domain = 1;
	tree_seal(t);
	return t;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[1 << 16];
	static struct cell last;
	const struct moment m = { tree_some(), 0, 0 };
	size_t n;

	if (size < WIRE_HEADER || !wire_asks(data))
		return 0;
	n = wire_answer(&root, 1, &m, &last, data, size, out, sizeof(out));
	assert(n <= sizeof(out) && (n == 0 || wire_length(out) == n));
	return 0;
}
