/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/nfprobe.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/engine.h"
#include "export/announce.h"
#include "export/outbox.h"
#include "export/receivers.h"
#include "export/self.h"
#include "export/sender.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "proto/biflow.h"

#define DEFAULT_PORT  2100
#define LINGER_NS     (CLOCK_S / 4) /* a datagram that is not full waits so long */
#define PARCELS       512U          /* of each worker, beside those that are open */
#define SAMPLER       1U            /* its number */
#define V5_PARTS      16U           /* records of v5 that one with large counters becomes */
#define BOOT_BEFORE_S 86400U        /* uptime of a weir that has just started */

#define DEFAULT_AGGREGATE \
	"src_host,dst_host,src_port,dst_port,proto,tos,tcpflags,in_iface,out_iface"

/* Where a record comes from, and what is told of it. */
enum record_kind {
	RECORD_FLOW,         /* a struct flow */
	RECORD_ROW,          /* a row of the cache, */
	RECORD_TURNED,       /* whose first packet went the other way, */
	RECORD_BOTH,         /* with what came back, */
	RECORD_BOTH_TURNED,
	RECORD_KINDS
};

struct nfprobe_worker {
	struct nfprobe *probe;
	struct outbox *outbox;
	struct flowcache *cache;     /* NULL: all goes on as it comes */
	struct stats *stats;
	int wake_fd;                 /* of the worker */
	uint64_t refused;            /* records, not yet counted */
	struct flow dressed[FLOW_BATCH];
};

struct nfprobe {
	struct output *output;
	const struct nfprobe_config *config;
	struct nfprobe_meaning meaning;
	struct receivers *receivers;
	unsigned lanes, copies;
	bool by_agent;               /* lanes are the exporters' */
	uint64_t boot;
	size_t flow_octets;          /* of struct flow that somebody needs */
	struct field_set told;       /* what records tell */
	struct rowspec rs;           /* of the cache */
	struct encode layouts[RECORD_KINDS][ENCODE_FAMILIES];
	struct encode_addresses in_flow, in_row;
	struct announcements announcements;
	unsigned n_workers;
	struct outbox *outboxes;
	struct nfprobe_worker *workers;
	int wake_fd;
	_Atomic bool asleep;
	struct sender *sender;
};

/* ---------------------------------------------------------------- records */

static bool
kind_is_both(enum record_kind kind)
{
	return kind == RECORD_BOTH || kind == RECORD_BOTH_TURNED;
}

/* The number of the template of records of `kind`. */
static unsigned
template_of(enum record_kind kind, unsigned family)
{
	return family + (kind_is_both(kind) ? ENCODE_FAMILIES : 0);
}

static void
record_put(struct nfprobe_worker *w, enum record_kind kind, unsigned family, unsigned lane,
    const uint8_t *from, const struct encode_env *env)
{
	outbox_wait(w->outbox);
	w->refused += !outbox_put(w->outbox, lane, template_of(kind, family),
	    &w->probe->layouts[kind][family], from, env);
}

static uint64_t
parts_of(uint64_t n)
{
	return n / UINT32_MAX + (n % UINT32_MAX != 0);
}

/* v5 has 32 bits for each counter: what is more goes into several records. */
static void
record_put_v5(struct nfprobe_worker *w, enum record_kind kind, unsigned family,
    unsigned lane, const uint8_t *from, struct encode_env *env)
{
	uint64_t packets = env->packets, octets = env->octets;
	uint64_t parts = parts_of(octets);

	if ((family & ENCODE_IPV6_FLOW) != 0) {
		stat_add(w->stats, STAT_EXPORT_FAMILY, 1);
		w->refused++;
		return;
	}
	if (parts < parts_of(packets))
		parts = parts_of(packets);
	if (parts > V5_PARTS) {
		stat_add(w->stats, STAT_EXPORT_TOO_LARGE, 1);
		w->refused++;
		return;
	}
	for (uint64_t left = parts > 0 ? parts : 1; left > 0; left--) {
		env->packets = packets / left;
		env->octets = octets / left;
		packets -= env->packets;
		octets -= env->octets;
		record_put(w, kind, 0, lane, from, env);
	}
}

static void
record_send(struct nfprobe_worker *w, enum record_kind kind, unsigned family, unsigned lane,
    const uint8_t *from, struct encode_env *env)
{
	if (w->probe->meaning.version == ENCODE_V5)
		record_put_v5(w, kind, family, lane, from, env);
	else
		record_put(w, kind, family, lane, from, env);
}

/* The lane of two hosts, whichever sends. */
static unsigned
lane_of(const struct nfprobe *p, const void *src, const void *dst)
{
	uint64_t h;

	if (p->lanes == 1)
		return 0;
	/* The same after a restart, and on another host. */
	h = hash_frozen(src, sizeof(ip16_t)) + hash_frozen(dst, sizeof(ip16_t));
	return (unsigned)((h ^ h >> 32) % p->lanes);
}

static unsigned
flow_lane(const struct nfprobe *p, const struct flow *f)
{
	if (p->lanes > 1 && p->by_agent)
		return (unsigned)(hash_frozen(&f->exporter_ip, sizeof(f->exporter_ip)) % p->lanes);
	return lane_of(p, &f->src_host, &f->dst_host);
}

/* `f` goes on as it came. */
static void
flow_pass(struct nfprobe_worker *w, const struct flow *f)
{
	const struct nfprobe *p = w->probe;
	struct encode_env env = { .packets = f->packets,
		.octets = f->bytes,
		.boot = p->boot,
		.end_reason = f->flow_end_reason,
		.sampler = SAMPLER };

	env.start = f->timestamp_start != 0 ? f->timestamp_start : f->stamp;
	env.end = f->timestamp_end != 0 ? f->timestamp_end : env.start;
	record_send(w, RECORD_FLOW, encode_family(&p->in_flow, (const uint8_t *)f),
	    flow_lane(p, f), (const uint8_t *)f, &env);
}

/* A flow leaves the cache. */
static void
row_leave(void *arg, const struct flowcache_flow *f)
{
	struct nfprobe_worker *w = arg;
	const struct nfprobe *p = w->probe;
	const struct sums *s = rowspec_sums_get(&p->rs, f->row);
	bool both = f->back_packets > 0;
	enum record_kind kind = f->mirrored ? (both ? RECORD_BOTH_TURNED : RECORD_TURNED)
	                                    : (both ? RECORD_BOTH : RECORD_ROW);
	struct encode_env env = { .start = f->first,
		.end = f->last,
		.packets = s->packets,
		.octets = s->bytes,
		.reverse_start = f->back_first,
		.reverse_end = f->back_last,
		.reverse_packets = f->back_packets,
		.reverse_octets = f->back_octets,
		.reverse_flags = f->back_flags,
		.boot = p->boot,
		.end_reason = (uint8_t)f->reason,
		.sampler = SAMPLER };
	unsigned lane = p->lanes > 1 ? lane_of(p, f->row + p->rs.offset[F_SRC_HOST],
	                                   f->row + p->rs.offset[F_DST_HOST])
	                             : 0;

	record_send(w, kind, encode_family(&p->in_row, f->row), lane, f->row, &env);
}

/* ---------------------------------------------------------------- feeding */

static const struct flow *
flows_dress(struct nfprobe_worker *w, const struct output_flows *f)
{
	const struct nfprobe *p = w->probe;

	if (!dress_is_wanted(&p->meaning.dress))
		return f->flows;
	for (unsigned i = 0; i < f->n; i++) {
		memcpy(&w->dressed[i], &f->flows[i], p->flow_octets);
		dress_flow(&p->meaning.dress, &w->dressed[i]);
	}
	return w->dressed;
}

static void
nfprobe_feed(struct output *o, unsigned worker, const struct output_flows *f)
{
	struct nfprobe *p = o->priv;
	struct nfprobe_worker *w = &p->workers[worker];
	const struct flow *flows = flows_dress(w, f);

	if (w->cache != NULL && (f->source != SOURCE_NETFLOW || p->config->cache_records)) {
		flowcache_feed(w->cache, flows, f->n);
		return;
	}
	for (unsigned i = 0; i < f->n; i++)
		flow_pass(w, &flows[i]);
}

static void
refused_count(struct nfprobe_worker *w)
{
	struct output_result r = { .rows = w->refused * w->probe->copies };

	if (w->refused == 0)
		return;
	r.refused = r.rows;
	output_count(w->probe->output, &r);
	w->refused = 0;
}

static void
nfprobe_tick(struct output *o, unsigned worker, uint64_t now)
{
	struct nfprobe *p = o->priv;
	struct nfprobe_worker *w = &p->workers[worker];
	uint64_t one = 1;

	if (w->cache != NULL && flowcache_tick(w->cache, now))
		(void)!write(w->wake_fd, &one, sizeof(one)); /* more are to leave: no rest yet */
	outbox_tick(w->outbox, now, LINGER_NS);
	refused_count(w);
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
	if (c->receivers != NULL || c->biflow) {
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
	const struct output *o = p->output;

	for (int i = 0; i < FIELD_COUNT; i++) {
		enum field_no no = (enum field_no)i;

		if (!field_set_has(&o->fields, no))
			continue;
		if (encode_can(no, p->meaning.version, p->config->legacy_tags))
			field_set_add(&p->told, no);
		else if (o->common.aggregate != NULL && no != F_TCPFLAGS)
			problem_add(ps, PROBLEM_WARNING, NULL,
			    "nfprobe[%s]: %s: version %d has no element for it, so it is not sent", o->name,
			    fields[i].config, (int)p->meaning.version);
	}
}

static struct receivers *
receivers_of(struct nfprobe *p, struct problems *ps)
{
	const struct nfprobe_config *c = p->config;
	struct target_options base = { .source = c->source,
		.send_buffer = (uint32_t)c->pipe_size,
		.refuse = self_listens,
		.arg = p->output->engine,
		.ip_precedence = (uint8_t)c->ip_precedence,
		.hop_limit = (uint8_t)c->hop_limit };
	struct err e = ERR_INIT;
	struct receivers *r;

	if (c->receivers != NULL)
		r = receivers_load(RECEIVERS_OF_FLOWS, c->receivers, DEFAULT_PORT, &base, ps, &e);
	else
		r = receivers_one(RECEIVERS_OF_FLOWS, c->receiver, DEFAULT_PORT, &base, &e);
	if (r == NULL)
		problem_add(ps, PROBLEM_ERROR, NULL, "nfprobe[%s]: %s", p->output->name, e.text);
	else if (sender_lanes(r) == 0)
		problem_add(ps, PROBLEM_ERROR, NULL,
		    "nfprobe[%s]: %s: pools that balance by hash need numbers of receivers whose least "
		    "common multiple is %u at most", p->output->name, r->directive, OUTBOX_LANES_MAX);
	return r;
}

static void
nfprobe_load(struct output *o, struct problems *ps)
{
	struct nfprobe *p = calloc(1, sizeof(*p));
	struct err e = ERR_INIT;

	if (p == NULL || nfprobe_config_read(o->config, &p->meaning, &e) != 0) {
		problem_add(ps, PROBLEM_ERROR, NULL, "nfprobe[%s]: %s", o->name, e.text);
		free(p);
		return;
	}
	o->priv = p;
	p->output = o;
	p->config = o->config;
	p->wake_fd = -1;
	told_find(p, ps);
	p->receivers = receivers_of(p, ps);
	if (p->receivers == NULL)
		return;
	p->lanes = sender_lanes(p->receivers);
	p->copies = sender_copies(p->receivers);
	for (unsigned i = 0; i < p->receivers->n_pools; i++)
		p->by_agent |= p->receivers->pools[i].balance == BALANCE_HASH_AGENT;
}

/* The rate that others must know of, to make up for it; 0: none. */
static uint32_t
rate_told(const struct nfprobe *p)
{
	const struct output *o = p->output;

	return o->engine->config.sampling.renormalize[SOURCE_PACKETS] ? 0 : o->sampling_rate;
}

/* Rows of the cache: what records tell, but for what the cache itself knows better. */
static void
rows_lay_out(struct nfprobe *p)
{
	struct field_set set = p->told;

	field_set_remove(&set, F_FLOW_END_REASON);
	for (int i = 0; i < FIELD_COUNT; i++)
		if (fields[i].value == FIELD_TIME)
			field_set_remove(&set, (enum field_no)i);
	if (p->lanes > 1) {
		field_set_add(&set, F_SRC_HOST);
		field_set_add(&set, F_DST_HOST);
	}
	rowspec_compile(&p->rs, &set);
}

static void
layouts_compile(struct nfprobe *p)
{
	rows_lay_out(p);
	encode_addresses_find(&p->in_flow, &p->told, NULL);
	encode_addresses_find(&p->in_row, &p->told, p->rs.offset);
	for (int k = 0; k < RECORD_KINDS; k++)
		for (unsigned family = 0; family < ENCODE_FAMILIES; family++) {
			const struct encode_options options = {
				.version = p->meaning.version,
				.times = p->meaning.times,
				.legacy = p->config->legacy_tags,
				.mirror = k == RECORD_TURNED || k == RECORD_BOTH_TURNED,
				.reverse = kind_is_both((enum record_kind)k),
				.end_reason = k != RECORD_FLOW,
				.sampler = rate_told(p) != 0,
				.family = family,
				.offsets = k == RECORD_FLOW ? NULL : p->rs.offset,
			};

			encode_compile(&p->layouts[k][family], &p->told, &options);
		}
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
	bool others = p->in_flow.n_other > 0, flow = p->in_flow.n_flow > 0;
	struct announce_config c = { .version = p->meaning.version,
		.body_octets = sender_body_octets(p->meaning.version, SENDER_MTU_MIN),
		.domain = p->meaning.domain,
		.address = p->config->source,
		.sampling_rate = rate_told(p),
		.sampler = SAMPLER,
		.interfaces = engine_captures(p->output->engine) &&
		    (field_set_has(&p->told, F_IN_IFACE) || field_set_has(&p->told, F_OUT_IFACE)) };

	for (unsigned family = 0; family < ENCODE_FAMILIES; family++) {
		if (((family & ENCODE_IPV6_OTHER) != 0 && !others) ||
		    ((family & ENCODE_IPV6_FLOW) != 0 && !flow))
			continue;
		c.layouts[family] = &p->layouts[RECORD_FLOW][family];
		if (p->config->biflow)
			c.layouts[template_of(RECORD_BOTH, family)] = &p->layouts[RECORD_BOTH][family];
	}
	return announce_build(&p->announcements, &c, e);
}

static int
worker_open(struct nfprobe *p, unsigned no, struct err *e)
{
	struct nfprobe_worker *w = &p->workers[no];
	struct worker *of = &p->output->engine->workers[no];
	const struct outbox_config box = { .version = p->meaning.version,
		.lanes = p->lanes,
		.body_octets = sender_body_octets(p->meaning.version,
		    sender_mtu(p->receivers, p->config->mtu)),
		.patient = worker_reads_files(of),
		.parcels = PARCELS + 2 * p->lanes * OUTBOX_TEMPLATES,
		.wake_fd = p->wake_fd,
		.asleep = &p->asleep };
	const struct flowcache_config cache = { .rs = &p->rs,
		.max_flows = p->config->max_flows / p->n_workers + 1,
		.timeouts = p->meaning.timeouts,
		.biflow = p->config->biflow,
		.flow_octets = p->flow_octets,
		.leave = row_leave,
		.arg = w };

	w->probe = p;
	w->outbox = &p->outboxes[no];
	w->stats = &of->pipeline.stats;
	w->wake_fd = of->wake_fd;
	if (outbox_init(w->outbox, &box, w->stats, e) != 0)
		return -WEIR_ENOMEM;
	w->outbox->now = clock_real();
	if (p->config->dont_cache)
		return 0;
	w->cache = flowcache_new(&cache, e);
	return w->cache != NULL ? 0 : -WEIR_ENOMEM;
}

static int
sender_open(struct nfprobe *p, struct err *e)
{
	enum { RANDOM = 2 };
	uint32_t rate = rate_told(p);
	const struct sender_config c = { .version = p->meaning.version,
		.domain = p->meaning.domain,
		/* The mode in two bits, the rate in fourteen. */
		.v5_sampling = (uint16_t)(rate != 0 ? RANDOM << 14 | (rate & 0x3fff) : 0),
		.boot = p->boot,
		.refresh_datagrams = p->config->refresh_datagrams,
		.refresh_s = p->config->refresh_s,
		.n_announcements = p->announcements.n,
		.announcements = p->announcements.list,
		.n_outboxes = p->n_workers,
		.outboxes = p->outboxes,
		.receivers = p->receivers,
		.stream = p->config->stream != 0,
		.wake_fd = p->wake_fd,
		.asleep = &p->asleep };

	p->sender = sender_new(p->output, &c, e);
	return p->sender != NULL ? sender_start(p->sender, e) : -WEIR_ENOMEM;
}

static int
nfprobe_open(struct output *o, struct err *e)
{
	struct nfprobe *p = o->priv;
	const struct target *self = self_find(o->engine, p->receivers);
	uint64_t now = clock_real();
	int rc;

	if (self != NULL)
		return err_set(e, WEIR_EINVAL,
		    "nfprobe[%s]: %s is this weir itself: name another receiver", o->name, self->name);
	p->boot = now - now % CLOCK_S - BOOT_BEFORE_S * CLOCK_S;
	p->flow_octets = o->engine->workers[0].pipeline.clear_octets;
	layouts_compile(p);
	p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	p->n_workers = o->engine->n_workers;
	p->workers = calloc(p->n_workers, sizeof(*p->workers));
	p->outboxes = aligned_alloc(64, p->n_workers * sizeof(*p->outboxes));
	if (p->wake_fd == -1 || p->workers == NULL || p->outboxes == NULL)
		return err_set(e, WEIR_ENOMEM, "nfprobe[%s]: no memory", o->name);
	memset(p->outboxes, 0, p->n_workers * sizeof(*p->outboxes));
	for (unsigned i = 0; i < p->n_workers; i++)
		if ((rc = worker_open(p, i, e)) != 0)
			return rc;
	if ((rc = announcements_make(p, e)) != 0 || (rc = receivers_start(p->receivers, e)) != 0)
		return rc;
	return sender_open(p, e);
}

/* All that is in the caches goes out; the workers have ended. */
static void
workers_empty(struct nfprobe *p)
{
	for (unsigned i = 0; p->sender != NULL && i < p->n_workers; i++) {
		struct nfprobe_worker *w = &p->workers[i];

		w->outbox->config.patient = true;
		if (w->cache != NULL)
			flowcache_flush(w->cache);
		outbox_flush(w->outbox);
		refused_count(w);
	}
}

static void
nfprobe_close(struct output *o)
{
	struct nfprobe *p = o->priv;

	workers_empty(p);
	sender_stop(p->sender);
	for (unsigned i = 0; p->workers != NULL && i < p->n_workers; i++)
		flowcache_free(p->workers[i].cache);
	for (unsigned i = 0; p->outboxes != NULL && i < p->n_workers; i++)
		outbox_fini(&p->outboxes[i]);
	announce_free(&p->announcements);
	receivers_free(p->receivers);
	if (p->wake_fd != -1)
		close(p->wake_fd);
	free(p->outboxes);
	free(p->workers);
	free(p);
	o->priv = NULL;
}

static void
nfprobe_targets(const struct output *o,
    void (*each)(void *arg, const struct output_target *t), void *arg)
{
	const struct nfprobe *p = o->priv;

	struct receivers_seen seen;

	receivers_see(p->receivers, &seen);
	receivers_show(&seen, each, arg);
}

const struct output_ops nfprobe_output = {
	.type = "nfprobe",
	.wants = OUTPUT_FLOWS,
	.directives = &nfprobe_directives,
	.plan = nfprobe_plan,
	.load = nfprobe_load,
	.open = nfprobe_open,
	.feed = nfprobe_feed,
	.tick = nfprobe_tick,
	.targets = nfprobe_targets,
	.close = nfprobe_close,
};
