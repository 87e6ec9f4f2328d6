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
#include "rules/mapindex.h"

#define RULES_MAX (1U << 20)

/* A rule of sampling_map. */
struct sampling_rule {
	struct prefix from;
	uint32_t rate, in, out;
	bool any_from, any_in, any_out, not_in, not_out;
};

/* Those of one file, in its order. */
struct sampling_rules {
	struct sampling_rule *list;
	uint32_t n, room;
	struct mapindex *index;
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
static const struct mapfile_key rule_keys[] = {
	[ROW_ID] = { "id", mapfile_u32, AT(rate), .min = 1,
	    .doc = "The rate, 1 in N." },
	[ROW_IP] = { "ip", mapfile_prefix, AT(from), .doc = "Whose records." },
	[ROW_IN] = { "in", mapfile_u32, AT(in), .negates = true,
	    .doc = "Input interface." },
	[ROW_OUT] = { "out", mapfile_u32, AT(out), .negates = true,
	    .doc = "Output interface." },
	{ .name = NULL },
};
#undef AT

/* Put the rule that comes next into the index, by what it asks for exactly. */
static int
rule_index(struct sampling_rules *s, const struct sampling_rule *r)
{
	const struct mapindex_key key = { r->from.addr, r->in, r->out };
	unsigned asks = 0;

	if (!r->any_from && r->from.len == 128)
		asks |= MAPINDEX_IP;
	if (!r->any_in && !r->not_in)
		asks |= MAPINDEX_IN;
	if (!r->any_out && !r->not_out)
		asks |= MAPINDEX_OUT;
	return mapindex_add(s->index, asks, &key);
}

static int
rule_take(void *arg, const struct mapfile_rule *r, const void *values,
    struct problems *ps, struct err *e)
{
	struct sampling_rules *s = arg;
	struct sampling_rule rule = *(const struct sampling_rule *)values;

	if (!mapfile_has(r, ROW_ID)) {
		problem_add(ps, PROBLEM_ERROR, &r->at,
		    "sampling_map: a rule without a rate; write id=RATE");
		return 0;
	}
	rule.any_from = !mapfile_has(r, ROW_IP);
	rule.any_in = !mapfile_has(r, ROW_IN);
	rule.any_out = !mapfile_has(r, ROW_OUT);
	rule.not_in = r->negated >> ROW_IN & 1;
	rule.not_out = r->negated >> ROW_OUT & 1;
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
	if (rule_index(s, &rule) != 0)
		return err_set(e, WEIR_ENOMEM, "sampling_map: no memory");
	s->list[s->n++] = rule;
	return 0;
}

static const struct mapfile sampling_map = { "sampling_map", rule_keys,
	sizeof(struct sampling_rule), rule_take };

static void
map_free(void *p)
{
	struct sampling_rules *rules = p;

	if (rules == NULL)
		return;
	mapindex_free(rules->index);
	free(rules->list);
	free(rules);
}

/* The rules in file `path`; NULL with `e` filled when it cannot be read. */
static struct sampling_rules *
map_load(const char *path, struct problems *ps, struct err *e)
{
	struct sampling_rules *rules = calloc(1, sizeof(*rules));

	if (rules == NULL || (rules->index = mapindex_new()) == NULL) {
		err_set(e, WEIR_ENOMEM, "sampling_map %s: no memory", path);
		map_free(rules);
		return NULL;
	}
	if (mapfile_read(&sampling_map, path, rules, ps, e) != 0) {
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
	field_set_add(needs, F_PEER_SRC_IP);
	field_set_add(needs, F_IN_IFACE);
	field_set_add(needs, F_OUT_IFACE);
}

static bool
rule_is_of(const struct sampling_rule *r, const ip16_t *exporter)
{
	return r->any_from || prefix_holds(&r->from, exporter);
}

static bool
rule_fits(const struct sampling_rule *r, const struct mapindex_key *record)
{
	return (r->any_in || (r->in == record->in) != r->not_in) &&
	       (r->any_out || (r->out == record->out) != r->not_out) &&
	       rule_is_of(r, &record->ip);
}

/* The rate that the map gives to records of `key`; 0: none. */
static uint32_t
map_rate(const struct sampling_rules *s, const struct mapindex_key *key)
{
	struct mapindex_walk w;
	uint32_t i;

	mapindex_begin(s->index, key, &w);
	while ((i = mapindex_next(s->index, &w)) != MAPINDEX_END)
		if (rule_fits(&s->list[i], key))
			return s->list[i].rate;
	return 0;
}

/* The map's rates over a batch, in which much is of one exporter and its interfaces. */
static void
map_apply(const struct sampling_rules *s, struct flow *flows, unsigned n)
{
	struct mapindex_key last = { { { 0 } }, 0, 0 };
	uint32_t rate = map_rate(s, &last);

	for (unsigned k = 0; k < n; k++) {
		struct flow *f = &flows[k];
		struct mapindex_key key = { f->peer_src_ip, f->in_iface, f->out_iface };

		if (memcmp(&key, &last, sizeof(key)) != 0) {
			last = key;
			rate = map_rate(s, &key);
		}
		if (rate != 0)
			f->sampling_rate = rate;
	}
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
		if (flows[k].sampling_rate == 0)
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

		*v = r->any_in && r->any_out
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
