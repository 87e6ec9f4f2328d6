/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/memory.h"

/*
 * The publisher counts into the ledger, and report/query.c reads it: between them there
 * is nothing left to do. pmacct's sizes say nothing here, where max_entries bounds the
 * table and memory is taken as rows come.
 */
struct memory_config {
	char unused;
};

static const struct directive memory_rows[] = {
	{ .name = "imt_path",
	    .type = DIRECTIVE_NOTICE,
	    .scope = DIRECTIVE_PLUGIN,
	    .doc = "pmacct's client socket. Use weir show, over control_socket, "
		   "instead." },
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
	(void)o;
	(void)e;
	return 0;
}

static void
memory_close(struct output *o)
{
	(void)o;
}

const struct output_ops memory_output = {
	.type = "memory",
	.wants = OUTPUT_LEDGER,
	.directives = &memory_directives,
	.open = memory_open,
	.close = memory_close,
};
