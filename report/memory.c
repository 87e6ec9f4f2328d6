/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/memory.h"

#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"

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
	{ .name = "imt_passwd",
	    .type = DIRECTIVE_NOTICE,
	    .scope = DIRECTIVE_PLUGIN,
	    .doc = "Password that clients of old pmacct sent. Who may ask is a matter of the "
		   "socket's permissions: its owner, and control_group." },
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
memory_follow(struct memory *m, const struct ledger *l)
{
	if (m->ledger_cleared == l->cleared && m->sweeps == l->sweeps)
		return;
	m->n = 0; /* other rows have those numbers now */
	m->generation++;
	m->ledger_cleared = l->cleared;
	m->sweeps = l->sweeps;
}

/* Have room for what is taken of row `i` and those before it. */
static void
taken_grow(struct memory *m, uint32_t i)
{
	uint32_t n = i + i / 2 + 64;
	struct sums *grown;

	if (i < m->n)
		return;
	if ((grown = realloc(m->taken, n * sizeof(*grown))) == NULL)
		abort(); /* smaller than the table that is in memory already */
	memset(grown + m->n, 0, (n - m->n) * sizeof(*grown));
	m->taken = grown;
	m->n = n;
}

static uint64_t
left_of(uint64_t total, uint64_t taken)
{
	return total > taken ? total - taken : 0;
}

struct sums
memory_take(struct memory *m, uint32_t i, const struct sums *total)
{
	struct sums left;

	taken_grow(m, i);
	left = (struct sums){ left_of(total->packets, m->taken[i].packets),
		left_of(total->bytes, m->taken[i].bytes),
		left_of(total->flows, m->taken[i].flows) };
	sums_add(&m->taken[i], &left);
	return left;
}

void
memory_put_back(struct memory *m, uint32_t i, const struct sums *s)
{
	sums_take_off(&m->taken[i], s);
}

void
memory_clear(struct memory *m, struct ledger *l, bool alone)
{
	uint64_t now = clock_real();

	memory_follow(m, l);
	if (alone) {
		ledger_clear(l, now);
		memory_follow(m, l);
		m->n = 0;
	}
	m->generation++;
	m->cleared = now;
	for (uint32_t i = l->table.n; i-- > 0;)
		(void)memory_take(m, i, rowspec_sums_get(l->rs, ledger_row(l, i)));
}

struct tidying {
	const struct memory *m;
	const struct ledger *l;
};

static bool
row_is_taken(const void *arg, uint32_t row)
{
	const struct tidying *t = arg;

	return row < t->m->n &&
	    sums_equal(&t->m->taken[row], rowspec_sums_get(t->l->rs, ledger_row(t->l, row)));
}

void
memory_tidy(struct memory *m, struct ledger *l)
{
	const struct tidying t = { m, l };
	uint32_t before = l->table.n, left = 0;

	memory_follow(m, l);
	if (m->pending > 0 || ledger_drop(l, row_is_taken, &t) == 0)
		return;
	for (uint32_t i = 0; i < m->n && i < before; i++)
		if (l->moved[i] != LEDGER_GONE)
			m->taken[left++] = m->taken[i];
	m->n = left;
	m->generation++;
	m->sweeps = l->sweeps;
}

const struct output_ops memory_output = {
	.type = "memory",
	.wants = OUTPUT_LEDGER,
	.directives = &memory_directives,
	.open = memory_open,
	.close = memory_close,
};
