/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/sfprobe.h"

#include <stdlib.h>
#include <string.h>

#include "core/engine.h"
#include "export/dress.h"
#include "export/ifpoll.h"
#include "export/probe.h"
#include "export/sfencode.h"
#include "export/sfprobe_config.h"
#include "lib/log.h"
#include "proto/sflow_write.h"

#define DEFAULT_PORT  6343
#define DEFAULT_SPEED UINT64_C(100000000) /* bit/s, of interfaces that tell none */
#define PARCELS       512U                /* of each worker, beside the one that is open */
#define SAMPLE_OCTETS 4096U               /* more than any sample has */

struct sfprobe_worker {
	struct sfprobe *probe;
	struct outbox *outbox;
	uint64_t pool;      /* packets that its samples were taken from, so far, */
	uint64_t untold;    /* and those of them that no sample has told yet */
	uint32_t drops;     /* samples that had no room, and that no sample has told yet */
	uint64_t refused;   /* samples, not yet counted */
	struct flow dressed;
};

struct sfprobe {
	struct probe probe;          /* first: output.priv is this */
	const struct sfprobe_config *config;
	struct dress dress;
	struct sfencode_config encode;
	size_t flow_octets;          /* of struct flow that somebody needs */
	char names[IFPOLL_MAX][IF_NAMESIZE]; /* of interfaces that are captured from */
	unsigned n_names;
	struct ifpoll *ifpoll;       /* NULL: no counters */
	struct ifpoll_entry entries[IFPOLL_MAX]; /* worker 0's */
	struct sender_sflow sflow;   /* the sender's */
	struct sfprobe_worker *workers;
};

/* ---------------------------------------------------------------- samples */

/* Hand the sample in `w` to the sender. Returns whether there was room. */
static bool
sample_hand(struct sfprobe_worker *w, const struct wbuf *b)
{
	outbox_wait(w->outbox);
	if (outbox_append(w->outbox, b->start, wbuf_len(b)))
		return true;
	w->refused++;
	return false;
}

static void
sample_put(struct sfprobe_worker *w, const struct output_flows *f, unsigned i,
    const struct flow *flow, const struct sfencode_part *part, uint64_t pool)
{
	const struct frame *frame = f->frames != NULL ? &f->frames[i] : NULL;
	uint8_t octets[SAMPLE_OCTETS];
	struct wbuf b = wbuf_of(octets, outbox_room(w->outbox, sizeof(octets)));

	/* A sample that cannot go was taken all the same: the next one tells of its pool. */
	w->untold += pool;
	if (!sfencode_write(&b, &w->probe->encode, flow, frame, f->source, part,
	        (uint32_t)w->untold, w->drops)) {
		stat_add(w->outbox->stats, STAT_EXPORT_TOO_LONG, 1);
		w->refused++;
	} else if (sample_hand(w, &b)) {
		w->drops = 0;
		w->untold = 0;
	} else {
		w->drops++;
	}
}

/* What samples of captured packets stand for together, since the last ones. */
static uint64_t
pool_grow(struct sfprobe_worker *w, const struct output_flows *f)
{
	const struct output *o = w->probe->probe.output;
	uint32_t own = o->sampling_rate != 0 ? o->sampling_rate : 1;
	uint32_t rate = f->flows[0].sampling_rate;
	uint64_t grown = f->pool - w->pool;

	w->pool = f->pool;
	/* A rate beyond ours is that of who sampled before. */
	return rate > own ? grown * (rate / own) : grown;
}

static void
sfprobe_feed(struct output *o, unsigned worker, const struct output_flows *f)
{
	struct sfprobe *p = o->priv;
	struct sfprobe_worker *w = &p->workers[worker];
	uint64_t grown = pool_grow(w, f);

	for (unsigned i = 0; i < f->n; i++) {
		const struct flow *flow = &f->flows[i];
		struct sfencode_part parts[SFENCODE_PARTS];
		unsigned n = sfencode_divide(flow, f->frames != NULL ? &f->frames[i] : NULL,
		    f->source, parts);
		uint64_t share = grown / (f->n - i);

		if (n == 0) {
			stat_add(w->outbox->stats, STAT_EXPORT_TOO_LARGE, 1);
			w->refused++;
			continue;
		}
		if (dress_is_wanted(&p->dress)) {
			memcpy(&w->dressed, flow, p->flow_octets);
			dress_flow(&p->dress, &w->dressed);
			flow = &w->dressed;
		}
		grown -= share;
		for (unsigned k = 0; k < n; k++)
			sample_put(w, f, i, flow, &parts[k],
			    f->source == SOURCE_PACKETS && n == 1 ? share : parts[k].rate);
	}
	if (f->source == SOURCE_PACKETS)
		w->untold += grown; /* of the last, if they became no samples */
}

/* The number by which packets of interface `e` go, where that is not the kernel's. */
static uint32_t
interface_index(const struct sfprobe *p, const struct ifpoll_entry *e)
{
	return p->n_names == 1 && p->dress.ifindex != 0 ? p->dress.ifindex : e->generic.index;
}

static void
counters_put(struct sfprobe_worker *w, struct ifpoll_entry *e)
{
	const struct sfprobe *p = w->probe;
	uint8_t octets[SAMPLE_OCTETS];
	struct wbuf b = wbuf_of(octets, outbox_room(w->outbox, sizeof(octets)));
	struct sflow_open o;

	e->generic.index = interface_index(p, e);
	if (p->config->ifspeed != 0)
		e->generic.speed = p->config->ifspeed;
	else if (e->generic.speed == 0)
		e->generic.speed = DEFAULT_SPEED;
	o = sflow_counters_begin(&b, e->generic.index);
	sflow_write_interface(&b, &o, &e->generic);
	if (e->ethernet)
		sflow_write_ethernet(&b, &o, &e->errors);
	if (sflow_sample_end(&b, &o))
		(void)sample_hand(w, &b);
}

static void
sfprobe_tick(struct output *o, unsigned worker, uint64_t now)
{
	struct sfprobe *p = o->priv;
	struct sfprobe_worker *w = &p->workers[worker];
	unsigned n = worker == 0 && p->ifpoll != NULL ? ifpoll_take(p->ifpoll, p->entries) : 0;

	for (unsigned i = 0; i < n; i++)
		if (p->entries[i].found)
			counters_put(w, &p->entries[i]);
	outbox_tick(w->outbox, now, PROBE_LINGER_NS);
	probe_refuse(&p->probe, &w->refused);
}

/* ---------------------------------------------------------------- life */

/* What records can tell, where it is known. */
static const enum field_no told[] = { F_SRC_HOST, F_DST_HOST, F_SRC_PORT, F_DST_PORT, F_PROTO,
	F_TOS, F_TCPFLAGS, F_ETYPE, F_ICMP_TYPE, F_ICMP_CODE, F_SRC_MAC, F_DST_MAC, F_VLAN,
	F_COS, F_IN_VLAN, F_OUT_VLAN, F_NEXTHOP, F_SRC_MASK, F_DST_MASK, F_SRC_AS, F_DST_AS,
	F_PEER_SRC_AS, F_PEER_DST_AS, F_PEER_DST_IP, F_USER_NAME, F_POST_NAT_SRC_HOST,
	F_POST_NAT_DST_HOST, F_POST_NAT_SRC_PORT, F_POST_NAT_DST_PORT, F_IN_IFACE, F_OUT_IFACE,
	F_ENGINE_ID, F_SAMPLING_RATE, F_SAMPLING_DIRECTION };

static int
sfprobe_plan(struct output *o, struct view_config *vc, struct err *e)
{
	const struct sfprobe_config *c = o->config;
	struct dress dress = { .direction = c->direction };

	if (c->ifindex != NULL &&
	    dress_ifindex_read(&dress, "sfprobe_ifindex", c->ifindex, e) != 0)
		return -WEIR_EINVAL;
	o->frame_octets = c->header_octets;
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		field_set_add(&vc->aggregate, told[i]);
	dress_reads(&dress, &vc->aggregate);
	return 0;
}

/* Datagrams are numbered before it is known who gets them: all get the same. */
static void
pools_check(const struct output *o, const struct receivers *r, struct problems *ps)
{
	for (unsigned i = 0; i < r->n_pools; i++)
		if (r->pools[i].balance != BALANCE_NONE &&
		    r->pools[i].balance != BALANCE_FAILOVER)
			problem_add(ps, PROBLEM_ERROR, NULL,
			    "sfprobe[%s]: pool %u: samples of one data source go to one "
			    "receiver, or they would be missed; write "
			    "balance-alg=failover, or leave it out", o->name,
			    r->pools[i].id);
}

static void
sfprobe_load(struct output *o, struct problems *ps)
{
	const struct sfprobe_config *c = o->config;
	const struct receivers_config probe = { .of = RECEIVERS_OF_SAMPLES,
		.port = DEFAULT_PORT,
		.check = pools_check };
	struct sfprobe *p = calloc(1, sizeof(*p));
	struct err e = ERR_INIT;

	if (p == NULL) {
		problem_add(ps, PROBLEM_ERROR, NULL, "sfprobe[%s]: no memory", o->name);
		return;
	}
	o->priv = p;
	p->config = c;
	p->dress.direction = c->direction;
	p->dress.overrides = c->ifindex_override;
	if (c->ifindex != NULL)
		(void)dress_ifindex_read( /* as in plan */
		    &p->dress, "sfprobe_ifindex", c->ifindex, &e);
	p->encode = (struct sfencode_config){ .header_octets = c->header_octets,
		.tags = field_set_has(&o->fields, F_TAG) || field_set_has(&o->fields, F_TAG2),
		.class = field_set_has(&o->fields, F_CLASS),
		.peer_as = c->peer_as };
	probe_load(&p->probe, o, &c->to, &probe, ps);
}

/* Add an interface to those that are captured from, each once. */
static void
name_add(struct sfprobe *p, const char *where)
{
	size_t len = strcspn(where, " "); /* a direction may follow */

	if (len == 0 || len >= IF_NAMESIZE || p->n_names == IFPOLL_MAX)
		return;
	for (unsigned i = 0; i < p->n_names; i++)
		if (strlen(p->names[i]) == len && memcmp(p->names[i], where, len) == 0)
			return;
	memcpy(p->names[p->n_names], where, len);
	p->names[p->n_names++][len] = '\0';
}

static void
names_find(struct sfprobe *p)
{
	const struct engine *en = p->probe.output->engine;

	for (unsigned k = 0; k < en->n_workers; k++)
		for (unsigned i = 0; i < en->workers[k].n_collectors; i++) {
			const struct collector *c = en->workers[k].collectors[i];

			if (c->ops->kind == COLLECTOR_PCAP && !c->follows_file_time)
				name_add(p, c->where);
		}
	/* Packets that tell no interface came by this one. */
	if (p->n_names == 1)
		p->encode.ifindex = if_nametoindex(p->names[0]);
}

/* The address by which the agent calls itself. */
static ip16_t
agent_find(const struct sfprobe *p)
{
	static const ip16_t loopback = { { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 } };
	const struct receivers *r = p->probe.receivers;
	ip16_t own;

	if (!ip_is_none(&p->config->agent))
		return p->config->agent;
	if (!ip_is_none(&p->config->to.source))
		return p->config->to.source;
	if (r->n_targets > 0 && target_own(r->pools[0].targets[0], &own))
		return own;
	log_warn("sfprobe[%s]: calls itself agent 127.0.0.1, as its own address is not known; "
	         "write sfprobe_agentip", p->probe.output->name);
	return loopback;
}

static int
outboxes_open(struct sfprobe *p, struct err *e)
{
	const struct outbox_config box = { .samples = true,
		.lanes = 1,
		.body_octets = message_sflow_room(p->config->mtu),
		.parcels = PARCELS };
	int rc = probe_open(&p->probe, &box, e);

	if (rc != 0)
		return rc;
	p->workers = calloc(p->probe.n_workers, sizeof(*p->workers));
	if (p->workers == NULL)
		return err_set(e, WEIR_ENOMEM, "sfprobe[%s]: no memory", p->probe.output->name);
	for (unsigned i = 0; i < p->probe.n_workers; i++) {
		p->workers[i].probe = p;
		p->workers[i].outbox = &p->probe.outboxes[i];
	}
	return 0;
}

static int
sfprobe_open(struct output *o, struct err *e)
{
	struct sfprobe *p = o->priv;
	const struct sender_config c = { .message.boot = clock_real(), .sflow = &p->sflow };
	int rc;

	p->flow_octets = o->engine->workers[0].pipeline.clear_octets;
	names_find(p);
	if ((rc = outboxes_open(p, e)) != 0)
		return rc;
	p->sflow.agent = agent_find(p);
	p->sflow.sub_agent = p->config->sub_agent;
	if ((rc = probe_start(&p->probe, &c, e)) != 0)
		return rc;
	if (p->n_names == 0 || p->config->counter_interval == 0)
		return 0;
	p->ifpoll = ifpoll_start(p->names, p->n_names, p->config->counter_interval, e);
	return p->ifpoll != NULL ? 0 : -WEIR_EIO;
}

static void
sfprobe_reload(struct output *o, struct problems *ps)
{
	struct sfprobe *p = o->priv;

	(void)probe_renew(&p->probe, ps);
}

static void
sfprobe_close(struct output *o)
{
	struct sfprobe *p = o->priv;

	ifpoll_stop(p->ifpoll);
	probe_end(&p->probe);
	for (unsigned i = 0; p->probe.sender != NULL && i < p->probe.n_workers; i++) {
		outbox_flush(p->workers[i].outbox);
		probe_refuse(&p->probe, &p->workers[i].refused);
	}
	probe_close(&p->probe);
	free(p->workers);
	free(p);
	o->priv = NULL;
}

const struct output_ops sfprobe_output = {
	.type = "sfprobe",
	.wants = OUTPUT_FLOWS,
	.directives = &sfprobe_directives,
	.plan = sfprobe_plan,
	.load = sfprobe_load,
	.open = sfprobe_open,
	.reload = sfprobe_reload,
	.feed = sfprobe_feed,
	.tick = sfprobe_tick,
	.targets = probe_targets,
	.close = sfprobe_close,
};
