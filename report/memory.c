/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/memory.h"

#include <stdlib.h>
#include <string.h>

/*
 * The publisher counts into the ledger, and report/query.c reads it: between them there
 * is nothing left to do. pmacct's sizes say nothing here, where max_entries bounds the
 * table and memory is taken as rows come.
 */
static const struct directive memory_rows[] = {
	{ .name = "imt_path",
	    .type = DIRECTIVE_PATH,
	    .scope = DIRECTIVE_PLUGIN,
	    .offset = offsetof(struct memory_config, path),
	    .doc = "A socket that shows this table alone, for weir show -p, also when called "
		   "pmacct; who may use it is as for control_socket." },
	{ .name = "imt_buckets",
	    .type = DIRECTIVE_NOTICE,
	    .scope = DIRECTIVE_PLUGIN,
	    .doc = "Buckets of pmacct's hash table. The table grows by itself here." },
	{ .name = "imt_mem_pools_number",
	    .type = DIRECTIVE_NOTICE,
	    .scope = DIRECTIVE_PLUGIN,
	    .doc =
		"Memory pools of pmacct's. Bound the table with max_entries instead." },
	{ .name = "imt_mem_pools_size",
	    .type = DIRECTIVE_NOTICE,
	    .scope = DIRECTIVE_PLUGIN,
	    .doc = "Size of pmacct's memory pools. Bound the table with max_entries "
		   "instead." },
	{ .name = NULL },
};

const struct directive_set memory_directives = {
	"memory", memory_rows, sizeof(struct memory_config)
};

static int
memory_open(struct output *o, struct err *e)
{
	struct memory *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return err_set(e, WEIR_ENOMEM, "memory %s: no memory", o->name);
	pthread_mutex_init(&m->lock, NULL);
	o->priv = m;
	return 0;
}

static void
memory_close(struct output *o)
{
	struct memory *m = o->priv;

	pthread_mutex_destroy(&m->lock);
	free(m->taken);
	free(m);
}

void
memory_take_off(struct memory *m, const struct ledger *l, uint8_t *rows, uint32_t n)
{
	if (m->ledger_cleared != l->cleared || m->sweeps != l->sweeps)
		m->n = 0; /* other rows have those numbers now */
	m->ledger_cleared = l->cleared;
	m->sweeps = l->sweeps;
	for (uint32_t i = 0; i < m->n && i < n; i++)
		sums_take_off(rowspec_sums(l->rs, rows + (size_t)i * l->table.row_octets),
		    &m->taken[i]);
}

bool
memory_shows(const struct memory *m, uint32_t i, const struct sums *s)
{
	static const struct sums none;

	return i >= m->n || !sums_equal(s, &none) || sums_equal(&m->taken[i], &none);
}

void
memory_take(struct memory *m, uint32_t i, const struct sums *s)
{
	if (i >= m->n) {
		uint32_t n = i + i / 2 + 64;
		struct sums *grown = realloc(m->taken, n * sizeof(*grown));

		if (grown == NULL)
			abort(); /* smaller than the table that is in memory already */
		memset(grown + m->n, 0, (n - m->n) * sizeof(*grown));
		m->taken = grown;
		m->n = n;
	}
	sums_add(&m->taken[i], s);
}

const struct output_ops memory_output = {
	.type = "memory",
	.wants = OUTPUT_LEDGER,
	.directives = &memory_directives,
	.open = memory_open,
	.close = memory_close,
};
