/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/census.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/books.h"
#include "lib/clock.h"
#include "lib/hash.h"

#define INTERFACES_EVERY (5 * CLOCK_S)

/* One row: a collector's instances in all workers. */
struct door {
	struct collector_row row;    /* what does not change; counters are 0 */
	const struct collector **instances;
	unsigned n_instances;
	enum exporter_kind speaks;   /* exporters of that kind come through it; */
	bool has_exporters;          /* if any do */
};

/* One row: an output. */
struct desk {
	uint32_t index;
	struct output *output;
};

struct census {
	const struct engine *engine;
	struct door *doors;          /* by index */
	uint32_t n_doors;
	unsigned n_instances;        /* of all doors together */
	struct desk *desks;          /* by index; as many as the engine has outputs */
	uint32_t home[EXPORTER_KINDS]; /* index of the collector that they come through; 0: none */
	struct exporter **exporters; /* in the order of their rows; with references */
	uint32_t n_exporters;
	struct pace {                /* how fast each sends; as many as exporters */
		uint64_t octets, rate;
	} *paces;
	uint64_t paced;              /* by the monotonic clock: when that was last seen */
	uint64_t changes;            /* of the registry, when they were taken */
	struct interface_set *interfaces; /* a reference; NULL: none */
	struct element_set *elements;     /* likewise */
};

/* Split "[::]:2100" or "192.0.2.1:2100"; returns whether `where` is of that form. */
static bool
where_parse(const char *where, ip16_t *address, uint64_t *port)
{
	const char *colon = strrchr(where, ':');
	char host[IP_STRLEN], *end;
	size_t len;

	if (colon == NULL || colon[1] == '\0')
		return false;
	*port = strtoul(colon + 1, &end, 10);
	len = (size_t)(colon - where);
	if (len >= 2 && where[0] == '[' && colon[-1] == ']') {
		where++;
		len -= 2;
	}
	if (*end != '\0' || *port > UINT16_MAX || len >= sizeof(host))
		return false;
	memcpy(host, where, len);
	host[len] = '\0';
	return ip_parse(host, address) == 0;
}

static void
door_describe(struct door *d, const struct collector *c)
{
	static const uint64_t types[] = { [COLLECTOR_PCAP] = 1, [COLLECTOR_NETFLOW] = 2,
		[COLLECTOR_IPFIX] = 3, [COLLECTOR_SFLOW] = 4 };
	struct collector_row *r = &d->row;

	r->type = types[c->ops->kind];
	d->has_exporters = c->ops->kind != COLLECTOR_PCAP;
	d->speaks = c->ops->kind == COLLECTOR_SFLOW ? EXPORTER_SFLOW : EXPORTER_NETFLOW;
	if (d->has_exporters && where_parse(c->where, &r->address, &r->port))
		r->address_type = ip_is_v4(&r->address) ? INET_IPV4 : INET_IPV6;
	else
		snprintf(r->interface, sizeof(r->interface), "%s", c->where);
}

/* The door that `c` is an instance of, made when it is the first. */
static struct door *
census_door(struct census *c, const struct collector *instance)
{
	char name[sizeof(c->doors->row.name)];
	struct door *d;

	snprintf(name, sizeof(name), "%s %s", instance->ops->name, instance->where);
	for (uint32_t i = 0; i < c->n_doors; i++)
		if (strcmp(c->doors[i].row.name, name) == 0)
			return &c->doors[i];
	d = &c->doors[c->n_doors];
	d->instances = calloc(c->engine->n_workers * WORKER_COLLECTORS,
	    sizeof(*d->instances));
	if (d->instances == NULL)
		return NULL;
	memcpy(d->row.name, name, sizeof(name));
	d->row.index = hash_index(name);
	door_describe(d, instance);
	c->n_doors++;
	return d;
}

static int
door_compare(const void *a, const void *b)
{
	const struct door *x = a, *y = b;

	return x->row.index < y->row.index ? -1 : x->row.index > y->row.index;
}

/* Find the doors among the collectors of all workers. */
static int
census_doors(struct census *c, struct err *e)
{
	const struct engine *en = c->engine;

	c->doors = calloc(en->n_workers * WORKER_COLLECTORS, sizeof(*c->doors));
	if (c->doors == NULL)
		return err_set(e, WEIR_ENOMEM, "no memory for the SNMP census");
	for (unsigned w = 0; w < en->n_workers; w++)
		for (unsigned i = 0; i < en->workers[w].n_collectors; i++) {
			const struct collector *one = en->workers[w].collectors[i];
			struct door *d = census_door(c, one);

			if (d == NULL)
				return err_set(e, WEIR_ENOMEM,
				    "no memory for the SNMP census");
			d->instances[d->n_instances++] = one;
			c->n_instances++;
		}
	qsort(c->doors, c->n_doors, sizeof(*c->doors), door_compare);
	for (uint32_t i = 1; i < c->n_doors; i++)
		if (c->doors[i - 1].row.index == c->doors[i].row.index)
			return err_set(e, WEIR_EEXIST,
			    "snmp: collectors '%s' and '%s' have the same index %u",
			    c->doors[i - 1].row.name, c->doors[i].row.name,
			    c->doors[i].row.index);
	return 0;
}

static int
desk_compare(const void *a, const void *b)
{
	const struct desk *x = a, *y = b;

	return x->index < y->index ? -1 : x->index > y->index;
}

static int
census_desks(struct census *c, struct err *e)
{
	const struct engine *en = c->engine;

	c->desks = calloc(en->n_outputs + 1, sizeof(*c->desks));
	if (c->desks == NULL)
		return err_set(e, WEIR_ENOMEM, "no memory for the SNMP census");
	for (unsigned i = 0; i < en->n_outputs; i++)
		c->desks[i] = (struct desk){ hash_index(en->outputs[i]->name),
			en->outputs[i] };
	qsort(c->desks, en->n_outputs, sizeof(*c->desks), desk_compare);
	for (unsigned i = 1; i < en->n_outputs; i++)
		if (c->desks[i - 1].index == c->desks[i].index)
			return err_set(e, WEIR_EEXIST,
			    "snmp: plugins '%s' and '%s' have the same index %u: rename one",
			    c->desks[i - 1].output->name, c->desks[i].output->name,
			    c->desks[i].index);
	return 0;
}

struct census *
census_new(const struct engine *en, struct err *e)
{
	struct census *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for the SNMP census");
		return NULL;
	}
	c->engine = en;
	if (census_doors(c, e) != 0 || census_desks(c, e) != 0) {
		census_free(c);
		return NULL;
	}
	/* An exporter does not tell its port: where several collectors could be meant, it is
	 * the one with the lowest index, whatever the order of the configuration. */
	for (uint32_t i = c->n_doors; i-- > 0;)
		if (c->doors[i].has_exporters)
			c->home[c->doors[i].speaks] = c->doors[i].row.index;
	return c;
}

void
census_free(struct census *c)
{
	if (c == NULL)
		return;
	for (uint32_t i = 0; i < c->n_doors; i++)
		free(c->doors[i].instances);
	free(c->doors);
	free(c->desks);
	exporters_give(c->exporters, c->n_exporters);
	interface_set_unref(c->interfaces);
	element_set_unref(c->elements);
	free(c->paces);
	free(c);
}

bool
census_is_stale(const struct census *c)
{
	unsigned n = 0;

	for (unsigned w = 0; w < c->engine->n_workers; w++)
		n += c->engine->workers[w].n_collectors;
	return n != c->n_instances;
}

/* The order of exporters' indexes: IPv4 before IPv6, as their types are numbered. */
static int
exporter_compare(const void *a, const void *b, void *arg)
{
	const struct census *c = arg;
	const struct exporter *x = *(struct exporter *const *)a;
	const struct exporter *y = *(struct exporter *const *)b;
	uint32_t p = c->home[x->kind], q = c->home[y->kind];
	bool x6 = !ip_is_v4(&x->addr), y6 = !ip_is_v4(&y->addr);
	int order;

	if (p != q)
		return p < q ? -1 : 1;
	if (x6 != y6)
		return x6 ? 1 : -1;
	order = memcmp(&x->addr, &y->addr, sizeof(x->addr));
	if (order != 0)
		return order;
	return x->domain < y->domain ? -1 : x->domain > y->domain;
}

/* Take the exporters anew when some have come or gone. Returns how many there are. */
static uint32_t
census_exporters(struct census *c)
{
	uint64_t changes = exporters_changes(c->engine->exporters);
	struct exporter **list;
	uint32_t n, kept = 0;

	if (changes == c->changes)
		return c->n_exporters;
	list = exporters_take(c->engine->exporters, &n);
	if (list == NULL)
		return c->n_exporters;
	exporters_give(c->exporters, c->n_exporters);
	for (uint32_t i = 0; i < n; i++) {
		if (c->home[list[i]->kind] != 0)
			list[kept++] = list[i];
		else
			exporter_unref(list[i]);
	}
	qsort_r(list, kept, sizeof(*list), exporter_compare, c);
	c->exporters = list;
	c->n_exporters = kept;
	/* Others have come or gone: rates begin anew. */
	free(c->paces);
	c->paces = calloc((size_t)kept + 1, sizeof(*c->paces));
	c->paced = 0;
	c->changes = changes;
	return kept;
}

void
census_count(struct census *c, struct tree_size *n)
{
	n->collectors = c->n_doors;
	n->exporters = census_exporters(c);
	n->outputs = c->engine->n_outputs;
}

/* As weirCollectorOperState: one broken instance is a broken collector. */
static uint64_t
door_state(const struct door *d)
{
	enum { RUNNING = 1, FAILED = 3, FINISHED = 4 };
	unsigned n_done = 0;

	for (unsigned i = 0; i < d->n_instances; i++) {
		if (!d->instances[i]->done)
			continue;
		if (!d->instances[i]->follows_file_time)
			return FAILED;
		n_done++;
	}
	return n_done == d->n_instances ? FINISHED : RUNNING;
}

static void
door_take(const struct door *d, struct collector_row *r)
{
	*r = d->row;
	r->oper_state = door_state(d);
	for (unsigned i = 0; i < d->n_instances; i++) {
		const struct collector *c = d->instances[i];
		uint64_t seen = atomic_load_explicit(&c->last_seen, memory_order_relaxed);

		r->packets += atomic_load_explicit(&c->units, memory_order_relaxed);
		r->octets += atomic_load_explicit(&c->octets, memory_order_relaxed);
		r->drops += atomic_load_explicit(&c->drops, memory_order_relaxed);
		r->errors += atomic_load_explicit(&c->errors, memory_order_relaxed);
		r->versions += atomic_load_explicit(&c->versions, memory_order_relaxed);
		r->crowded += atomic_load_explicit(&c->crowded, memory_order_relaxed);
		r->waiting += atomic_load_explicit(&c->waiting, memory_order_relaxed);
		r->last_seen = seen > r->last_seen ? seen : r->last_seen;
	}
}

static void
exporter_take(const struct exporter *x, uint32_t collector, struct exporter_row *r)
{
	enum { NETFLOW = 1, IPFIX = 2, SFLOW = 3 };

	r->collector = collector;
	r->address = x->addr;
	r->domain = x->domain;
	r->version = atomic_load_explicit(&x->version, memory_order_relaxed);
	r->sampling = atomic_load_explicit(&x->sampling, memory_order_relaxed);
	r->protocol = x->kind == EXPORTER_SFLOW ? SFLOW : r->version == 10 ? IPFIX : NETFLOW;
	r->first_seen = x->first_seen;
	r->last_seen = exporter_last_seen(x);
	r->skew_ms = (uint64_t)(int64_t)exporter_skew_ms(x);
	for (unsigned i = 0; i < EXPORTER_N_COUNTS; i++)
		r->counts[i] = exporter_sum(x, (enum exporter_count)i);
}

static void
output_take(const struct desk *d, struct output_row *r)
{
	enum { OK = 1, FAILING = 2 };
	struct output *o = d->output;

	r->index = d->index;
	snprintf(r->name, sizeof(r->name), "%s", o->name);
	snprintf(r->type, sizeof(r->type), "%s", o->ops->type);
	snprintf(r->view, sizeof(r->view), "%s", o->view != NULL ? o->view->name : "");
	r->writes = o->ops->wants != OUTPUT_LEDGER;
	r->oper_state = atomic_load(&o->state) == OUTPUT_OK ? OK : FAILING;
	r->last_success = atomic_load(&o->last_success);
	r->queued = atomic_load(&o->queued);
	r->rows = atomic_load(&o->rows);
	r->written = atomic_load(&o->written);
	r->spooled = atomic_load(&o->spooled);
	r->waiting = atomic_load(&o->waiting);
	r->waiting_octets = atomic_load(&o->waiting_octets);
	r->waiting_since = atomic_load(&o->waiting_since);
	r->refused = atomic_load(&o->refused);
	r->errors = atomic_load(&o->errors);
	r->failed_at = output_failure(o, r->failure, sizeof(r->failure));
}

/* Interfaces of one exporter, behind the rows that `s` has; NULL when memory is short. */
static struct interface_set *
interfaces_add(struct interface_set *s, const struct exporter *x, uint32_t collector)
{
	uint32_t n;
	struct interface_counters *list = exporter_interfaces(x, &n);
	struct interface_set *grown = s;

	if (list == NULL)
		return s;
	grown = realloc(s, sizeof(*s) + ((size_t)s->n + n) * sizeof(s->rows[0]));
	for (uint32_t i = 0; grown != NULL && i < n; i++)
		grown->rows[grown->n++] = (struct interface_row){ collector, x->domain, x->addr,
			list[i] };
	free(list);
	if (grown == NULL)
		free(s);
	return grown;
}

/* Take the interfaces of all exporters anew, if those that there are are old. */
static void
interfaces_take(struct census *c)
{
	uint64_t now = clock_mono();
	struct interface_set *s;

	if (c->interfaces != NULL && now - c->interfaces->taken < INTERFACES_EVERY)
		return;
	s = calloc(1, sizeof(*s));
	for (uint32_t i = 0; s != NULL && i < c->n_exporters; i++)
		s = interfaces_add(s, c->exporters[i], c->home[c->exporters[i]->kind]);
	if (s == NULL)
		return; /* older ones stand */
	atomic_init(&s->refs, 1);
	s->taken = now;
	interface_set_unref(c->interfaces);
	c->interfaces = s;
}

/* Likewise the elements of their templates. */
static void
elements_take(struct census *c)
{
	uint64_t now = clock_mono();
	struct element_set *s;

	if (c->engine->config.exporter_elements == NULL ||
	    (c->elements != NULL && now - c->elements->taken < INTERFACES_EVERY))
		return;
	s = element_set_new(c->exporters, c->n_exporters, c->engine->config.exporter_elements);
	if (s == NULL)
		return; /* older ones stand */
	s->taken = now;
	element_set_unref(c->elements);
	c->elements = s;
}

/* How fast exporters send, from one second to the next. */
static void
paces_take(struct census *c)
{
	uint64_t now = clock_mono(), span = now - c->paced;

	if (c->paces == NULL || (c->paced != 0 && span < CLOCK_S))
		return;
	for (uint32_t i = 0; i < c->n_exporters; i++) {
		uint64_t octets = exporter_sum(c->exporters[i], EXPORTER_OCTETS);
		struct pace *p = &c->paces[i];

		if (c->paced != 0)
			p->rate = (uint64_t)((double)(octets - p->octets) * 1e9 / (double)span);
		p->octets = octets;
	}
	c->paced = now;
}

void
census_take(struct census *c, struct mib_tree *t)
{
	paces_take(c);
	interfaces_take(c);
	t->books = books_balance(c->engine) ? 1 : 2;
	t->interfaces = interface_set_ref(c->interfaces);
	if (t->shows_elements)
		elements_take(c);
	t->elements = element_set_ref(c->elements);
	t->n_interfaces = t->interfaces != NULL ? t->interfaces->n : 0;
	for (uint32_t i = 0; i < c->n_doors; i++)
		door_take(&c->doors[i], &t->collectors[i]);
	for (uint32_t i = 0, d = 0; i < c->n_exporters; i++) {
		struct exporter_row *r = &t->exporters[i];

		exporter_take(c->exporters[i], c->home[c->exporters[i]->kind], r);
		r->rate = c->paces != NULL ? c->paces[i].rate : 0;
		while (t->collectors[d].index != r->collector)
			d++;
		t->collectors[d].templates += r->counts[EXPORTER_TEMPLATES];
		t->collectors[d].no_template += r->counts[EXPORTER_NO_TEMPLATE];
	}
	for (uint32_t i = 0; i < t->n_outputs; i++)
		output_take(&c->desks[i], &t->outputs[i]);
}
