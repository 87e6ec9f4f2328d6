/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/nfprobe.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/engine.h"
#include "export/announce.h"
#include "export/nfrecord.h"
#include "export/probe.h"
#include "lib/clock.h"
#include "lib/intern.h"
#include "lib/log.h"
#include "proto/biflow.h"

#define DEFAULT_PORT  2100
#define PARCELS       512U          /* of each worker, beside those that are open */
#define STRANGERS_NS  (60 * CLOCK_S) /* between two lines about records that v5 cannot tell */
#define BOOT_BEFORE_S 86400U        /* uptime of a weir that has just started */

#define DEFAULT_AGGREGATE \
	"src_host,dst_host,src_port,dst_port,proto,tos,tcpflags,in_iface,out_iface"

struct nfprobe_worker {
	struct nfprobe *probe;
	struct outbox *outbox;
	struct flowcache *cache;     /* NULL: all goes on as it comes */
	const struct worker *of;
	bool reads_files;            /* nothing else: its datagrams have their time */
	uint64_t refused;            /* records, not yet counted */
	struct flow dressed[FLOW_BATCH];
};

struct nfprobe {
	struct probe probe;          /* first: output.priv is this */
	const struct nfprobe_config *config;
	struct nfprobe_meaning meaning;
	struct nfrecords records;
	_Atomic unsigned lanes;      /* that the receivers want by now */
	size_t flow_octets;          /* of struct flow that somebody needs */
	struct announcements announcements;
	_Atomic uint64_t strangers;  /* records that v5 cannot tell, not yet said; */
	uint64_t said;               /* when they were, mono ns; worker 0's; 0: never */
	struct nfprobe_worker *workers;
};

/* ---------------------------------------------------------------- feeding */

static const struct flow *
flows_dress(struct nfprobe_worker *w, const struct flow *flows, unsigned n)
{
	const struct nfprobe *p = w->probe;

	if (!dress_is_wanted(&p->meaning.dress))
		return flows;
	for (unsigned i = 0; i < n; i++) {
		memcpy(&w->dressed[i], &flows[i], p->flow_octets);
		dress_flow(&p->meaning.dress, &w->dressed[i]);
	}
	return w->dressed;
}

static void
nfprobe_feed(struct output *o, unsigned worker, const struct output_flows *f)
{
	struct nfprobe *p = o->priv;
	struct nfprobe_worker *w = &p->workers[worker];
	const struct flow *flows = flows_dress(w, f->flows, f->n);

	if (w->reads_files && f->n > 0)
		w->outbox->now = f->flows[f->n - 1].stamp;
	if (w->cache != NULL && (f->source != SOURCE_NETFLOW || p->config->cache_records)) {
		flowcache_feed(w->cache, flows, f->n);
		return;
	}
	for (unsigned i = 0; i < f->n; i++)
		w->refused += nfrecord_flow(&p->records, w->outbox, &flows[i]);
}

static void
nfprobe_learn(struct output *o, unsigned worker, const struct flow *flows, unsigned n)
{
	struct nfprobe *p = o->priv;
	struct nfprobe_worker *w = &p->workers[worker];

	if (w->cache != NULL)
		flowcache_learn(w->cache, flows_dress(w, flows, n), n);
}

/* A flow leaves the cache. */
static void
row_leave(void *arg, const struct flowcache_flow *f)
{
	struct nfprobe_worker *w = arg;

	w->refused += nfrecord_row(&w->probe->records, w->outbox, f);
}

/* One line for all workers, as of `worker`. */
static void
strangers_say(struct nfprobe *p, unsigned worker)
{
	struct outbox *b = p->workers[worker].outbox;
	uint64_t n, mono;

	if (b->strangers > 0)
		atomic_fetch_add_explicit(&p->strangers, b->strangers, memory_order_relaxed);
	b->strangers = 0;
	n = atomic_load_explicit(&p->strangers, memory_order_relaxed);
	if (worker != 0 || n == 0)
		return;
	mono = clock_mono();
	if (p->said != 0 && mono - p->said < STRANGERS_NS)
		return;
	p->said = mono;
	atomic_fetch_sub_explicit(&p->strangers, n, memory_order_relaxed);
	log_warn("nfprobe[%s]: %" PRIu64 " records of IPv6 were not sent: NetFlow v5 has no place for "
	         "their addresses; write nfprobe_version: 9 or 10", p->probe.output->name, n);
}

static void
nfprobe_tick(struct output *o, unsigned worker, uint64_t now)
{
	struct nfprobe *p = o->priv;
	struct nfprobe_worker *w = &p->workers[worker];
	unsigned lanes = atomic_load_explicit(&p->lanes, memory_order_relaxed);
	bool over = w->reads_files &&
	    atomic_load_explicit(&w->of->finished, memory_order_relaxed);
	uint64_t one = 1;

	if (w->cache != NULL && flowcache_tick(w->cache, now))
		(void)!write(w->of->wake_fd, &one, sizeof(one)); /* more are to leave: no rest yet */
	if (lanes != w->outbox->config.lanes) {
		outbox_flush(w->outbox);
		w->outbox->config.lanes = lanes;
	}
	/*
	 * What is left of a file when it has been read is as old as its end: uptimes of NetFlow
	 * have no bits for the years since.
	 */
	outbox_tick(w->outbox, over ? w->outbox->now : now, over ? 0 : PROBE_LINGER_NS);
	probe_refuse(&p->probe, &w->refused);
	strangers_say(p, worker);
}

/* ---------------------------------------------------------------- life */

static int
nfprobe_plan(struct output *o, struct view_config *vc, struct err *e)
{
	static const enum field_no always[] = { F_TIMESTAMP_START, F_TIMESTAMP_END, F_PROTO,
		F_TCPFLAGS };
	const struct nfprobe_config *c = o->config;
	struct nfprobe_meaning m;
	int rc = nfprobe_config_read(c, &m, e);

	if (rc != 0)
		return rc;
	if (o->common.aggregate == NULL &&
	    (rc = field_set_parse(DEFAULT_AGGREGATE, &o->fields, e)) != 0)
		return rc;
	/* Ports without flags are of little use: pmacct sends them, too. */
	if (field_set_has(&o->fields, F_SRC_PORT) || field_set_has(&o->fields, F_DST_PORT))
		field_set_add(&o->fields, F_TCPFLAGS);
	if (c->direction != DRESS_NONE)
		field_set_add(&o->fields, F_SAMPLING_DIRECTION);
	if (c->ifindex != NULL) {
		field_set_add(&o->fields, F_IN_IFACE);
		field_set_add(&o->fields, F_OUT_IFACE);
	}
	for (int i = 0; c->biflow && i < FIELD_COUNT; i++)
		if (field_set_has(&o->fields, (enum field_no)i))
			field_set_add(&o->fields, biflow_mirror((enum field_no)i));
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		field_set_add(&vc->aggregate, always[i]);
	if (c->to.receivers != NULL || c->biflow) {
		field_set_add(&vc->aggregate, F_SRC_HOST);
		field_set_add(&vc->aggregate, F_DST_HOST);
		field_set_add(&vc->aggregate, F_EXPORTER_IP);
	}
	if (c->biflow) { /* which way a flow goes is told by all of these */
		field_set_add(&vc->aggregate, F_SRC_PORT);
		field_set_add(&vc->aggregate, F_DST_PORT);
	}
	dress_reads(&m.dress, &vc->aggregate);
	return 0;
}

/* What of the aggregate a record can tell; the rest is said to the operator. */
static void
told_find(struct nfprobe *p, struct problems *ps)
{
	const struct output *o = p->probe.output;
	struct field_set asked = { 0 };
	struct err e = ERR_INIT;

	if (o->common.aggregate != NULL)
		(void)field_set_parse(o->common.aggregate, &asked, &e); /* as in plan */
	for (int i = 0; i < FIELD_COUNT; i++) {
		enum field_no no = (enum field_no)i;

		if (!field_set_has(&o->fields, no))
			continue;
		if (encode_can(no, p->meaning.version, p->config->legacy_tags))
			field_set_add(&p->records.told, no);
		else if (field_set_has(&asked, no) && no != F_TCPFLAGS)
			problem_add(ps, PROBLEM_WARNING, NULL,
			    "nfprobe[%s]: %s: version %d has no element for it, so it is "
			    "not sent", o->name,
			    fields[i].config, (int)p->meaning.version);
	}
}

/* Whether a pool balances by `balance`. */
static bool
pools_balance(const struct receivers *r, enum balance balance)
{
	for (unsigned i = 0; i < r->n_pools; i++)
		if (r->pools[i].balance == balance)
			return true;
	return false;
}

/* Whether records are divided by their exporters; where they are not divided, by nothing. */
static bool
pools_by_agent(const struct receivers *r)
{
	return sender_lanes(r) > 1 && pools_balance(r, BALANCE_HASH_AGENT);
}

static void
pools_check(const struct output *o, const struct receivers *r, struct problems *ps)
{
	const struct nfprobe *p = o->priv;

	if (sender_lanes(r) == 0)
		problem_add(ps, PROBLEM_ERROR, NULL,
		    "nfprobe[%s]: %s: pools that balance by hash need numbers of receivers "
		    "whose least common multiple is %u at most", o->name, r->directive,
		    OUTBOX_LANES_MAX);
	/* Records are divided once for all pools. */
	if (pools_balance(r, BALANCE_HASH) && pools_balance(r, BALANCE_HASH_AGENT))
		problem_add(ps, PROBLEM_ERROR, NULL,
		    "nfprobe[%s]: %s: one pool balances by hash, another by hash-agent; "
		    "write one of them for all", o->name, r->directive);
	if (sender_lanes(r) > 1 && p->lanes != 0 && p->workers[0].cache != NULL &&
	    !nfrecords_divide(&p->records, pools_by_agent(r)))
		problem_add(ps, PROBLEM_ERROR, NULL,
		    "nfprobe[%s]: %s: rows of the cache do not have what they would be "
		    "balanced by; restart weir", o->name, r->directive);
}

static void
nfprobe_load(struct output *o, struct problems *ps)
{
	const struct nfprobe_config *c = o->config;
	const struct receivers_config probe = { .of = RECEIVERS_OF_FLOWS,
		.port = DEFAULT_PORT,
		.check = pools_check };
	struct nfprobe *p = calloc(1, sizeof(*p));
	struct err e = ERR_INIT;

	if (p == NULL || nfprobe_config_read(c, &p->meaning, &e) != 0) {
		problem_add(ps, PROBLEM_ERROR, NULL, "nfprobe[%s]: %s", o->name, e.text);
		free(p);
		return;
	}
	o->priv = p;
	p->config = c;
	p->records.version = p->meaning.version;
	probe_load(&p->probe, o, &c->to, &probe, ps);
	told_find(p, ps);
	if (p->probe.receivers == NULL)
		return;
	p->records.lanes = sender_lanes(p->probe.receivers);
	p->records.by_agent = pools_by_agent(p->probe.receivers);
}

/* The rate that others must know of, to make up for it; 0: none. */
static uint32_t
rate_told(const struct nfprobe *p)
{
	const struct output *o = p->probe.output;

	return o->engine->config.sampling.renormalize[SOURCE_PACKETS] ? 0 : o->sampling_rate;
}

/* Whether packets are captured here: then numbers of interfaces are this host's. */
static bool
engine_captures(const struct engine *en)
{
	const struct worker *w = &en->workers[0];

	for (unsigned i = 0; i < w->n_collectors; i++)
		if (w->collectors[i]->ops->kind == COLLECTOR_PCAP &&
		    !w->collectors[i]->follows_file_time)
			return true;
	return false;
}

static int
announcements_make(struct nfprobe *p, struct err *e)
{
	const struct field_set *told = &p->records.told;
	const char *name = p->probe.output->name;
	struct announce_config c = { .version = p->meaning.version,
		.body_octets = message_room(p->meaning.version, MESSAGE_MTU_MIN),
		.domain = p->meaning.domain,
		.address = p->config->to.source,
		.sampling_rate = rate_told(p),
		.sampler = NFRECORD_SAMPLER,
		.applications = p->records.applications != NULL,
		.interfaces = engine_captures(p->probe.output->engine) &&
		    (field_set_has(told, F_IN_IFACE) || field_set_has(told, F_OUT_IFACE)) };

	for (unsigned t = 0; t < OUTBOX_TEMPLATES; t++)
		c.layouts[t] = nfrecords_template(&p->records, t, p->config->biflow);
	if (announce_build(&p->announcements, &c, e) != 0)
		return -WEIR_ENOMEM;
	if (p->announcements.untold > 0)
		log_warn("nfprobe[%s]: this host has too many interfaces to tell them all: "
		         "of %u it tells no names", name, p->announcements.untold);
	return 0;
}

static int
worker_open(struct nfprobe *p, unsigned no, struct err *e)
{
	struct nfprobe_worker *w = &p->workers[no];
	const struct flowcache_config cache = { .rs = &p->records.rs,
		.max_flows = p->config->max_flows / p->probe.n_workers + 1,
		.timeouts = p->meaning.timeouts,
		.biflow = p->config->biflow,
		.classes = p->records.classes_beside,
		.unknown_class = intern("unknown", strlen("unknown")), /* as core/pipeline.c has it */
		.flow_octets = p->flow_octets,
		.leave = row_leave,
		.arg = w };

	w->probe = p;
	w->outbox = &p->probe.outboxes[no];
	w->of = &p->probe.output->engine->workers[no];
	w->reads_files = worker_reads_files(w->of);
	if (p->config->dont_cache)
		return 0;
	w->cache = flowcache_new(&cache, e);
	return w->cache != NULL ? 0 : -WEIR_ENOMEM;
}

static int
outboxes_open(struct nfprobe *p, struct err *e)
{
	const struct outbox_config box = { .version = p->meaning.version,
		.lanes = p->records.lanes,
		.body_octets = message_room(p->meaning.version, p->config->mtu),
		.parcels = PARCELS + 2 * p->records.lanes * OUTBOX_TEMPLATES };
	int rc = probe_open(&p->probe, &box, e);

	if (rc != 0)
		return rc;
	p->workers = calloc(p->probe.n_workers, sizeof(*p->workers));
	if (p->workers == NULL)
		return err_set(e, WEIR_ENOMEM, "nfprobe[%s]: no memory", p->probe.output->name);
	for (unsigned i = 0; i < p->probe.n_workers; i++)
		if ((rc = worker_open(p, i, e)) != 0)
			return rc;
	return 0;
}

static int
sender_open(struct nfprobe *p, struct err *e)
{
	enum { RANDOM = 2 };
	uint32_t rate = rate_told(p);
	const struct sender_config c = { .message = { .version = p->meaning.version,
		    .domain = p->meaning.domain,
		    /* The mode in two bits, the rate in fourteen. */
		    .v5_sampling = (uint16_t)(rate != 0 ? RANDOM << 14 | (rate & 0x3fff) : 0),
		    .boot = p->records.boot },
		.refresh_datagrams = p->config->refresh_datagrams,
		.refresh_s = p->config->refresh_s,
		.n_announcements = p->announcements.n,
		.announcements = p->announcements.list,
		.applications = p->records.applications,
		.stream = p->config->stream != 0 };

	return probe_start(&p->probe, &c, e);
}

/* Classes are told by numbers, unless others' are told. */
static bool
classes_have_numbers(const struct nfprobe *p)
{
	const struct field_set *told = &p->records.told;

	return p->meaning.version != ENCODE_V5 && field_set_has(told, F_CLASS) &&
	    !field_set_has(told, F_APPLICATION_ID);
}

static int
nfprobe_open(struct output *o, struct err *e)
{
	struct nfprobe *p = o->priv;
	const struct encode_options layouts = { .version = p->meaning.version,
		.times = p->meaning.times,
		.legacy = p->config->legacy_tags,
		.sampler = rate_told(p) != 0 };
	uint64_t now = clock_real();
	int rc;

	p->records.boot = now - now % CLOCK_S - BOOT_BEFORE_S * CLOCK_S;
	p->flow_octets = o->engine->workers[0].pipeline.clear_octets;
	if (classes_have_numbers(p) && (p->records.applications = applications_new(e)) == NULL)
		return -WEIR_ENOMEM;
	nfrecords_compile(&p->records, &layouts, p->config->biflow);
	p->lanes = p->records.lanes;
	if ((rc = outboxes_open(p, e)) != 0 || (rc = announcements_make(p, e)) != 0)
		return rc;
	return sender_open(p, e);
}

static void
nfprobe_reload(struct output *o, struct problems *ps)
{
	struct nfprobe *p = o->priv;

	if (!probe_renew(&p->probe, ps))
		return;
	p->records.by_agent = pools_by_agent(p->probe.receivers);
	p->lanes = sender_lanes(p->probe.receivers);
}

/* All that is in the caches goes out; the workers have ended. */
static void
workers_empty(struct nfprobe *p)
{
	probe_end(&p->probe);
	for (unsigned i = 0; p->probe.sender != NULL && i < p->probe.n_workers; i++) {
		struct nfprobe_worker *w = &p->workers[i];

		if (w->cache != NULL)
			flowcache_flush(w->cache);
		outbox_flush(w->outbox);
		probe_refuse(&p->probe, &w->refused);
	}
	for (unsigned i = p->probe.sender != NULL ? p->probe.n_workers : 0; i-- > 0;)
		strangers_say(p, i);
}

static void
nfprobe_close(struct output *o)
{
	struct nfprobe *p = o->priv;

	workers_empty(p);
	for (unsigned i = 0; p->workers != NULL && i < p->probe.n_workers; i++)
		flowcache_free(p->workers[i].cache);
	probe_close(&p->probe);
	announce_free(&p->announcements);
	applications_free(p->records.applications);
	free(p->workers);
	free(p);
	o->priv = NULL;
}

const struct output_ops nfprobe_output = {
	.type = "nfprobe",
	.wants = OUTPUT_FLOWS,
	.directives = &nfprobe_directives,
	.plan = nfprobe_plan,
	.load = nfprobe_load,
	.open = nfprobe_open,
	.reload = nfprobe_reload,
	.feed = nfprobe_feed,
	.learn = nfprobe_learn,
	.tick = nfprobe_tick,
	.targets = probe_targets,
	.close = nfprobe_close,
};
