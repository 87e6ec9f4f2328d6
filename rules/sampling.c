/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/sampling.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/mapfile.h"
#include "lib/rcu.h"
#include "rules/batch.h"
#include "rules/classifier.h"

#define RULES_MAX (1U << 20)

/* A rule of sampling_map. */
struct sampling_rule {
	struct prefix from;
	uint32_t rate, in, out;
	bool any_from, any_iface;
};

/* Those of one file, in its order. */
struct sampling_rules {
	struct sampling_rule *list;
	uint32_t n, room;
	struct classifier *which;
};

struct sampling {
	struct sampling_config config;
	_Atomic(struct sampling_rules *) rules; /* NULL: no map */
	pthread_mutex_t judges; /* who is no worker reads `rules` under it */
};

/* clang-format off */
#define AT(member) .offset = offsetof(struct sampling_config, member)
#define ROWS(prefix, source, peer) \
	{ .name = prefix "_ext_sampling_rate", .type = DIRECTIVE_U32, AT(ext_rate[source]), \
	  .doc = "Sampling rate, 1 in N, of " peer " of which nothing else tells the rate; 0: none." }, \
	{ .name = prefix "_renormalize", .type = DIRECTIVE_BOOL, AT(renormalize[source]), \
	  .def = "false", .doc = "Multiply packets and bytes of " peer " by the sampling rate, " \
	  "which is then shown as 1." }
static const struct directive sampling_rows[] = {
	{ .name = "sampling_map", .type = DIRECTIVE_PATH, AT(map), .reload = DIRECTIVE_RELOAD,
	  .doc = "File of rules that decide sampling rates, whatever exporters announce. A line "
	         "is id=RATE and, as it may be, ip=ADDRESS[/LENGTH] of the exporter, in=IFINDEX, "
	         "out=IFINDEX ('-' before an interface: any other); the first that fits counts." },
	ROWS("nfacctd", SOURCE_NETFLOW, "NetFlow and IPFIX"),
	ROWS("sfacctd", SOURCE_SFLOW, "sFlow"),
	ROWS("pmacctd", SOURCE_PACKETS, "captured packets"),
	{ .name = NULL },
};
#undef ROWS
#undef AT
/* clang-format on */

const struct directive_set sampling_directives = { "sampling", sampling_rows,
	sizeof(struct sampling_config) };

enum { ROW_ID, ROW_IP, ROW_IN, ROW_OUT };

#define AT(member) .offset = offsetof(struct sampling_rule, member)
#define WITH(member) \
	.at = offsetof(struct flow, member), .octets = sizeof(((struct flow *)0)->member)
static const struct mapfile_key rule_keys[] = {
	[ROW_ID] = { "id", mapfile_u32, AT(rate), .min = 1,
	    .doc = "The rate, 1 in N." },
	[ROW_IP] = { "ip", mapfile_prefix, AT(from), WITH(exporter_ip), .prefix = true,
	    .doc = "Whose records." },
	[ROW_IN] = { "in", mapfile_u32, AT(in), WITH(in_iface), .negates = true,
	    .doc = "Input interface." },
	[ROW_OUT] = { "out", mapfile_u32, AT(out), WITH(out_iface), .negates = true,
	    .doc = "Output interface." },
	{ .name = NULL },
};
#undef WITH
#undef AT

static int rule_take(void *arg, const struct mapfile_rule *r, const void *values,
    struct problems *ps, struct err *e);

static const struct mapfile sampling_map = { "sampling_map", rule_keys,
	sizeof(struct sampling_rule), rule_take };

static int
rule_take(void *arg, const struct mapfile_rule *r, const void *values,
    struct problems *ps, struct err *e)
{
	struct sampling_rules *s = arg;
	struct sampling_rule rule = *(const struct sampling_rule *)values;
	struct term terms[MAPFILE_KEYS];

	if (!mapfile_has(r, ROW_ID)) {
		problem_add(ps, PROBLEM_ERROR, &r->at,
		    "sampling_map: a rule without a rate; write id=RATE");
		return 0;
	}
	rule.any_from = !mapfile_has(r, ROW_IP);
	rule.any_iface = !mapfile_has(r, ROW_IN) && !mapfile_has(r, ROW_OUT);
	if (s->n == s->room) {
		uint32_t room = s->room != 0 ? s->room * 2 : 64;
		struct sampling_rule *list =
		    s->n < RULES_MAX ? realloc(s->list, room * sizeof(*list)) : NULL;

		if (list == NULL)
			return err_set(e, WEIR_ENOMEM,
			    "sampling_map: no room for more than %u rules", s->n);
		s->list = list;
		s->room = room;
	}
	if (classifier_add(s->which, terms,
		term_collect(&sampling_map, r, values, terms)) != 0)
		return err_set(e, WEIR_ENOMEM, "sampling_map: no memory");
	s->list[s->n++] = rule;
	return 0;
}

static void
map_free(void *p)
{
	struct sampling_rules *rules = p;

	if (rules == NULL)
		return;
	classifier_free(rules->which);
	free(rules->list);
	free(rules);
}

/* The rules in file `path`; NULL with `e` filled when it cannot be read. */
static struct sampling_rules *
map_load(const char *path, struct problems *ps, struct err *e)
{
	struct sampling_rules *rules = calloc(1, sizeof(*rules));

	if (rules == NULL || (rules->which = classifier_new()) == NULL) {
		err_set(e, WEIR_ENOMEM, "sampling_map %s: no memory", path);
		map_free(rules);
		return NULL;
	}
	if (mapfile_read(&sampling_map, path, rules, ps, e) != 0) {
		map_free(rules);
		return NULL;
	}
	if (classifier_close(rules->which) != 0) {
		err_set(e, WEIR_ENOMEM, "sampling_map %s: no memory", path);
		map_free(rules);
		return NULL;
	}
	return rules;
}

int
sampling_new(const struct sampling_config *c, struct sampling **out,
    struct problems *ps, struct err *e)
{
	struct sampling *s;
	bool any = c->map != NULL;

	*out = NULL;
	for (int i = 0; i < SOURCE_COUNT; i++)
		any |= c->ext_rate[i] != 0 || c->renormalize[i];
	if (!any)
		return 0;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return err_set(e, WEIR_ENOMEM, "no memory for sampling rules");
	s->config = *c;
	pthread_mutex_init(&s->judges, NULL);
	if (c->map != NULL) {
		struct sampling_rules *rules = map_load(c->map, ps, e);

		if (rules == NULL) {
			sampling_free(s);
			return -WEIR_EIO;
		}
		atomic_init(&s->rules, rules);
	}
	*out = s;
	return 0;
}

void
sampling_free(struct sampling *s)
{
	if (s == NULL)
		return;
	map_free(atomic_load(&s->rules));
	pthread_mutex_destroy(&s->judges);
	free(s);
}

void
sampling_reload(struct sampling *s, struct problems *ps)
{
	size_t before = ps->n_errors;
	struct sampling_rules *rules;
	struct err e = ERR_INIT;

	if (s->config.map == NULL)
		return;
	rules = map_load(s->config.map, ps, &e);
	if (rules == NULL)
		problem_add(ps, PROBLEM_ERROR, NULL, "%s", e.text);
	if (ps->n_errors != before) {
		map_free(rules);
		return;
	}
	log_info("sampling_map %s: read anew: %u rules", s->config.map, rules->n);
	pthread_mutex_lock(&s->judges);
	rules = atomic_exchange(&s->rules, rules);
	pthread_mutex_unlock(&s->judges);
	rcu_enter();
	rcu_defer(map_free, rules);
	rcu_leave();
}

void
sampling_reads(const struct sampling_config *c, struct field_set *needs)
{
	for (int i = 0; i < SOURCE_COUNT; i++)
		if (c->renormalize[i])
			field_set_add(needs, F_SAMPLING_RATE);
	if (c->map == NULL || !field_set_has(needs, F_SAMPLING_RATE))
		return;
	field_set_add(needs, F_EXPORTER_IP);
	field_set_add(needs, F_IN_IFACE);
	field_set_add(needs, F_OUT_IFACE);
}

static bool
rule_is_of(const struct sampling_rule *r, const ip16_t *exporter)
{
	return r->any_from || prefix_holds(&r->from, exporter);
}

static void
map_apply(const struct sampling_rules *s, struct flow *flows, unsigned n)
{
	uint32_t first[FLOW_BATCH];

	classifier_find(s->which, flows, batch_first(n), NULL, first);
	for (unsigned k = 0; k < n; k++)
		if (first[k] != CLASSIFIER_END)
			flows[k].sampling_rate = s->list[first[k]].rate;
}

/* `*counter` times `rate`; false when that is more than 64 bits hold. */
static bool
counter_scale(uint64_t *counter, uint32_t rate)
{
	bool fits = *counter <= UINT64_MAX / rate;

	*counter = fits ? *counter * rate : UINT64_MAX;
	return fits;
}

bool
sampling_scale(struct flow *f, uint32_t rate)
{
	bool packets_fit = counter_scale(&f->packets, rate);

	(void)counter_scale(&f->link_bytes, rate); /* not cleared where nobody reads it */
	return counter_scale(&f->bytes, rate) && packets_fit;
}

static unsigned
renormalize(struct flow *flows, unsigned n)
{
	unsigned saturated = 0;

	for (unsigned k = 0; k < n; k++) {
		struct flow *f = &flows[k];

		if (f->sampling_rate == 0)
			continue;
		saturated += !sampling_scale(f, f->sampling_rate);
		f->sampling_rate = 1;
	}
	return saturated;
}

unsigned
sampling_apply(
    const struct sampling *s, enum flow_source source, struct flow *flows, unsigned n)
{
	const struct sampling_rules *rules =
	    atomic_load_explicit(&s->rules, memory_order_acquire);
	uint32_t ext = s->config.ext_rate[source];

	if (rules != NULL && source != SOURCE_PACKETS)
		map_apply(rules, flows, n);
	for (unsigned k = 0; ext != 0 && k < n; k++)
		if (flows[k].sampling_rate == 0 || source == SOURCE_PACKETS)
			flows[k].sampling_rate = ext;
	return s->config.renormalize[source] ? renormalize(flows, n) : 0;
}

bool
sampling_renormalizes(const struct sampling *s, enum flow_source source)
{
	return s != NULL && s->config.renormalize[source];
}

/* What the map says of all of the exporter's records; false: nothing. */
static bool
map_judge(struct sampling *s, const ip16_t *exporter, struct sampling_verdict *v)
{
	const struct sampling_rules *rules;
	uint32_t i = 0;
	bool found;

	pthread_mutex_lock(&s->judges);
	rules = atomic_load(&s->rules);
	while (rules != NULL && i < rules->n && !rule_is_of(&rules->list[i], exporter))
		i++;
	found = rules != NULL && i < rules->n;
	if (found) {
		const struct sampling_rule *r = &rules->list[i];

		*v = r->any_iface
			 ? (struct sampling_verdict){ r->rate, SAMPLING_MAP }
			 : (struct sampling_verdict){ 0, SAMPLING_MAP_INTERFACE };
	}
	pthread_mutex_unlock(&s->judges);
	return found;
}

struct sampling_verdict
sampling_judge(struct sampling *s, enum flow_source source, const ip16_t *exporter,
    uint32_t announced)
{
	struct sampling_verdict v;

	if (s != NULL && map_judge(s, exporter, &v))
		return v;
	if (announced != 0)
		return (struct sampling_verdict){ announced, SAMPLING_ANNOUNCED };
	if (s != NULL && s->config.ext_rate[source] != 0)
		return (struct sampling_verdict){ s->config.ext_rate[source],
			SAMPLING_EXT };
	return (struct sampling_verdict){ 0, SAMPLING_NONE };
}
