/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/tally.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "core/engine.h"
#include "lib/log.h"

/* What an input has taken, in all workers. */
struct taken {
	uint64_t units, octets, drops, errors;
};

static bool
input_is(const struct collector *c, const struct collector *other)
{
	return c->ops == other->ops && strcmp(c->where, other->where) == 0;
}

/* Sum the instances of the input of `c`. Returns whether `c` is the first of them. */
static bool
input_sum(const struct engine *en, const struct collector *c, struct taken *sum)
{
	const struct collector *first = NULL;

	*sum = (struct taken){ 0 };
	for (unsigned w = 0; w < en->n_workers; w++)
		for (unsigned i = 0; i < en->workers[w].n_collectors; i++) {
			const struct collector *o = en->workers[w].collectors[i];

			if (!input_is(o, c))
				continue;
			first = first != NULL ? first : o;
			sum->units += atomic_load(&o->units);
			sum->octets += atomic_load(&o->octets);
			sum->drops += atomic_load(&o->drops);
			sum->errors += atomic_load(&o->errors);
		}
	return first == c;
}

static void
inputs_log(const struct engine *en)
{
	for (unsigned w = 0; w < en->n_workers; w++)
		for (unsigned i = 0; i < en->workers[w].n_collectors; i++) {
			const struct collector *c = en->workers[w].collectors[i];
			struct taken t;

			if (input_sum(en, c, &t))
				log_info("statistics: %s %s: %" PRIu64 " %s received, %" PRIu64
				         " octets; %" PRIu64 " dropped by the kernel, %" PRIu64
				         " not decoded",
				    c->ops->name, c->where, t.units,
				    c->ops->kind == COLLECTOR_PCAP ? "packets" : "datagrams",
				    t.octets, t.drops, t.errors);
		}
}

static void
view_log(struct view *v)
{
	struct view_books b;

	pthread_mutex_lock(&v->books_lock);
	b = v->books;
	pthread_mutex_unlock(&v->books_lock);
	log_info("statistics: view %s: %" PRIu64 " packets, %" PRIu64 " bytes, %" PRIu64
	         " flows counted; %" PRIu64 " flows filtered out",
	    v->name, b.counted.packets, b.counted.bytes, b.counted.flows, b.filtered.flows);
}

void
tally_log(const struct engine *en)
{
	uint64_t n[STAT_COUNT];

	inputs_log(en);
	engine_stats(en, n);
	log_info("statistics: %" PRIu64 " records of exporters, %" PRIu64 " of them without "
	         "template, %" PRIu64 " malformed, %" PRIu64 " lost on the way by their "
	         "sequence numbers; %" PRIu64 " flows to the views",
	    n[STAT_RECORDS], n[STAT_RECORDS_NO_TEMPLATE], n[STAT_RECORDS_MALFORMED],
	    n[STAT_SEQUENCE_LOST] - n[STAT_SEQUENCE_FOUND], n[STAT_FLOWS_FED]);
	for (unsigned i = 0; i < en->n_views; i++)
		view_log(en->views[i]);
	for (unsigned i = 0; i < en->n_outputs; i++) {
		const struct output *o = en->outputs[i];

		if (o->ops->wants != OUTPUT_LEDGER)
			log_info("statistics: output %s: %" PRIu64 " %s handed over, %" PRIu64
			         " written, %" PRIu64 " spooled, %" PRIu64 " refused",
			    o->name, atomic_load(&o->rows),
			    o->ops->wants == OUTPUT_DATAGRAMS ? "datagrams" : "rows",
			    atomic_load(&o->written), atomic_load(&o->spooled),
			    atomic_load(&o->refused));
	}
}
