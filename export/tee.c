/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/tee.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/engine.h"
#include "core/tagging.h"
#include "export/delivery.h"
#include "export/peek.h"
#include "export/receivers.h"
#include "export/self.h"
#include "export/spoof.h"
#include "export/target.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "lib/rcu.h"
#include "rules/tagfilter.h"

#define BATCH 64U
#define DEFAULT_PORT 2100

enum tee_protocol { TEE_ALL, TEE_NETFLOW, TEE_SFLOW };

struct tee_config {
	const char *receivers;   /* path of tee_receivers */
	const char *receiver;    /* one receiver, without a file */
	bool transparent;
	ip16_t source;
	uint64_t pipe_size;
	uint32_t ip_precedence;
	int protocol;            /* enum tee_protocol */
};

#define AT(member) offsetof(struct tee_config, member)
static const struct directive tee_rows[] = {
	{ .name = "tee_receivers", .type = DIRECTIVE_PATH, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(receivers), .reload = DIRECTIVE_RELOAD,
	    .doc = "File of pools of receivers. A line is id=NUMBER "
	           "ip=ADDRESS:PORT[,ADDRESS:PORT] and, as it may be, tag=LIST (only "
	           "datagrams to which pre_tag_map gives these tags; a list as of "
	           "pre_tag_filter), balance-alg=rr, hash-agent or hash-tag (each datagram "
	           "to one receiver of the pool; without it: to all), src_port=PORT (to "
	           "send from)." },
	{ .name = "tee_receiver", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(receiver), .doc = "One receiver, ADDRESS:PORT, without a file." },
	{ .name = "tee_transparent", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(transparent), .def = "false",
	    .doc = "Send with the address and port of the first sender. Needs CAP_NET_RAW, and "
	           "a way to the receiver on which others' addresses are let through." },
	{ .name = "tee_source_ip", .type = DIRECTIVE_IP, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(source), .doc = "Address to send from." },
	{ .name = "tee_pipe_size", .type = DIRECTIVE_OCTETS, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(pipe_size), .max = 1U << 30, .unit = "octets",
	    .doc = "Send buffer of the socket of each receiver." },
	{ .name = "tee_ipprec", .type = DIRECTIVE_U32, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(ip_precedence), .max = 7,
	    .doc = "IP precedence of what is sent, 0 to 7." },
	{ .name = "tee_protocol", .type = DIRECTIVE_ENUM, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(protocol), .words = "all|netflow|sflow", .def = "all",
	    .doc = "What is handed on: what comes in by nfacctd_port and nfacctd_tcp_port "
	           "(netflow: NetFlow and IPFIX), by sfacctd_port (sflow), or both." },
	{ .name = "tee_max_receiver_pools", .type = DIRECTIVE_NOTICE,
	    .scope = DIRECTIVE_PLUGIN, .doc = "There is no bound." },
	{ .name = "tee_max_receivers", .type = DIRECTIVE_NOTICE, .scope = DIRECTIVE_PLUGIN,
	    .doc = "There is no bound." },
	{ .name = "tee_kafka_config_file", .type = DIRECTIVE_REFUSED,
	    .scope = DIRECTIVE_PLUGIN, .doc = "weir writes to no message broker." },
	{ .name = NULL },
};
#undef AT

const struct directive_set tee_directives = { "tee", tee_rows, sizeof(struct tee_config) };

/* One worker's part: what it read and has not yet sent. */
struct tee_worker {
	unsigned n;
	struct datagram datagrams[BATCH];
	struct iovec vectors[BATCH];
	struct mmsghdr messages[BATCH];
	enum flow_source source; /* of all of them */
	struct flow *flows;  /* what is known of them, and their tags; NULL: nobody asks */
	struct spoof *spoof; /* NULL: not transparent */
};

struct tee {
	const struct tee_config *config;
	struct receivers_config where;
	_Atomic(struct receivers *) receivers;
	struct tagfilter *filter; /* pre_tag_filter; NULL: none */
	uint64_t looked;          /* when delivery was looked at last; worker 0's; ns since 1970 */
	struct log_limit families; /* of lines about those of the other one */
	unsigned n_workers;
	struct tee_worker *workers;
};

/* Send the datagrams of `mask` of the batch to `t`. */
static void
target_give(struct tee_worker *w, struct target *t, uint64_t mask, struct target_tally *tally)
{
	const struct datagram *d[BATCH];
	struct mmsghdr m[BATCH];
	unsigned n = 0;

	if (w->spoof != NULL) {
		while (mask != 0)
			d[n++] = &w->datagrams[batch_take(&mask)];
		spoof_send(w->spoof, t, d, n, tally);
		return;
	}
	if (mask == batch_first(w->n)) {
		target_send(t, w->messages, w->n, tally);
		return;
	}
	while (mask != 0)
		m[n++] = w->messages[batch_take(&mask)];
	target_send(t, m, n, tally);
}

/* Which receiver of a pool that balances gets datagram `i`; `turn` is its number. */
static uint32_t
pool_choose(const struct pool *p, const struct tee_worker *w, unsigned i, uint32_t turn)
{
	uint64_t h;

	if (p->balance == BALANCE_RR)
		return turn % p->n;
	if (p->balance == BALANCE_HASH_TAG)
		return w->flows != NULL ? (uint32_t)(w->flows[i].tag % p->n) : 0;
	/* The same after a restart, and on another host. */
	h = hash_frozen(&w->datagrams[i].from, sizeof(w->datagrams[i].from));
	return (uint32_t)(h % p->n);
}

/* To one receiver each. Those for one receiver go together, in their order. */
static void
pool_balance(struct pool *p, struct tee_worker *w, uint64_t mask, struct target_tally *tally)
{
	unsigned n = (unsigned)__builtin_popcountll(mask);
	uint32_t turn = atomic_fetch_add_explicit(&p->turn, n, memory_order_relaxed);
	uint32_t chosen[BATCH];

	for (uint64_t left = mask; left != 0;) {
		unsigned i = batch_take(&left);

		chosen[i] = pool_choose(p, w, i, turn++);
	}
	while (mask != 0) {
		uint32_t one = chosen[__builtin_ctzll(mask)];
		uint64_t its = 0;

		for (uint64_t left = mask; left != 0;) {
			unsigned i = batch_take(&left);

			its |= (uint64_t)(chosen[i] == one) << i;
		}
		mask &= ~its;
		target_give(w, p->targets[one], its, tally);
	}
}

static void
pool_give(struct pool *p, struct tee_worker *w, uint64_t mask, struct target_tally *tally)
{
	if (p->balance != BALANCE_NONE) {
		pool_balance(p, w, mask, tally);
		return;
	}
	for (unsigned k = 0; k < p->n; k++)
		target_give(w, p->targets[k], mask, tally);
}

/* The batch; tagged, if somebody `looks`, as far as the headers of datagrams say something. */
static struct batch
batch_tag(struct output *o, unsigned worker, bool looks)
{
	struct tee_worker *w = &((struct tee *)o->priv)->workers[worker];
	struct batch b = { .flows = w->flows, .n = w->n, .source = w->source,
	    .worker = worker };

	if (w->flows == NULL || !looks)
		return b;
	for (unsigned i = 0; i < w->n; i++)
		peek(w->source, &w->datagrams[i], &w->flows[i]);
	if (o->tags != NULL)
		tagmap_apply(tagging_map(o->tags), &b);
	return b;
}

static void
tee_flush(struct output *o, unsigned worker)
{
	struct tee *t = o->priv;
	struct tee_worker *w = &t->workers[worker];
	const struct receivers *r =
	    atomic_load_explicit(&t->receivers, memory_order_acquire);
	struct target_tally tally = { 0 };
	struct batch b;
	uint64_t all;

	if (w->n == 0)
		return;
	b = batch_tag(o, worker, t->filter != NULL || r->tagged);
	all = batch_all(&b);
	if (t->filter != NULL)
		all = tagfilter_run(t->filter, &b, all);
	for (unsigned i = 0; i < r->n_pools; i++) {
		struct pool *p = &r->pools[i];
		uint64_t mask = p->tags != NULL ? tagfilter_run(p->tags, &b, all) : all;

		if (p->n > 0 && mask != 0)
			pool_give(p, w, mask, &tally);
	}
	output_count(o, &(struct output_result){ .rows = tally.sent + tally.unsent,
	                    .written = tally.sent, .refused = tally.unsent });
	if (tally.sent > 0)
		atomic_store_explicit(&o->last_success, w->datagrams[w->n - 1].arrival,
		    memory_order_relaxed);
	w->n = 0;
}

/* Say it of the first receiver that did not get what is of the other family since the last look. */
static void
families_say(struct tee *t, const struct output *o, const struct receivers *r)
{
	for (unsigned i = 0; i < r->n_pools; i++)
		for (unsigned k = 0; k < r->pools[i].n; k++) {
			const struct target *to = r->pools[i].targets[k];
			uint64_t n = atomic_load_explicit(&to->unsent[TARGET_WRONG_FAMILY],
			    memory_order_relaxed) - to->seen.unsent[TARGET_WRONG_FAMILY];

			if (n == 0)
				continue;
			(void)log_limited(&t->families,
			    "tee[%s]: %s: %" PRIu64 " datagrams were not sent: tee_transparent keeps "
			    "the address of their senders, which are of the other family, IPv4 or "
			    "IPv6; write a receiver of theirs, or tee_transparent: false", o->name,
			    to->name, n);
			return;
		}
}

/* One worker looks for all: `receivers` stay while it is not quiet. */
static void
tee_tick(struct output *o, unsigned worker, uint64_t now)
{
	struct tee *t = o->priv;
	const struct receivers *r = atomic_load_explicit(&t->receivers, memory_order_acquire);

	if (worker != 0 || (now >= t->looked && now - t->looked < DELIVERY_NS))
		return;
	if (t->looked != 0) {
		if (t->config->transparent)
			families_say(t, o, r);
		delivery_look(o, r);
	}
	t->looked = now;
}

static void
tee_relay(struct output *o, unsigned worker, enum collector_kind kind,
    const struct datagram *d)
{
	struct tee *t = o->priv;
	struct tee_worker *w = &t->workers[worker];
	enum flow_source source = kind == COLLECTOR_SFLOW ? SOURCE_SFLOW : SOURCE_NETFLOW;
	enum tee_protocol protocol = kind == COLLECTOR_SFLOW ? TEE_SFLOW : TEE_NETFLOW;

	if (t->config->protocol != TEE_ALL && t->config->protocol != (int)protocol)
		return;
	if (w->n == BATCH || w->source != source)
		tee_flush(o, worker);
	w->source = source;
	w->datagrams[w->n] = *d;
	w->vectors[w->n] = (struct iovec){ (void *)(uintptr_t)d->data, d->len };
	w->n++;
}

/* See to it that tags are there where `r` or the plugin looks at them. */
static void
tags_want(const struct output *o, const struct receivers *r, struct problems *ps)
{
	const struct tee *t = o->priv;

	if (t->filter == NULL && !r->tagged)
		return;
	if (o->tags == NULL)
		problem_add(ps, PROBLEM_ERROR, NULL,
		    "tee[%s]: tags are looked at (%s), and no pre_tag_map gives any", o->name,
		    t->filter != NULL ? "pre_tag_filter" : "tee_receivers");
	else if (!o->tags->bare)
		tagging_bare(o->tags, ps);
}

/* Whether `t` is of a family that no datagram comes in by. */
static bool
target_is_barred(const struct engine_config *c, const struct target *t)
{
	ip16_t a;

	if (ip_parse(t->host, &a) != 0)
		return false;
	return ip_is_v4(&a) ? c->no_ipv4 : c->no_ipv6;
}

static void
families_check(const struct output *o, const struct receivers *r, struct problems *ps)
{
	const struct tee *tee = o->priv;

	for (unsigned i = 0; tee->config->transparent && i < r->n_pools; i++)
		for (unsigned k = 0; k < r->pools[i].n; k++) {
			const struct target *t = r->pools[i].targets[k];

			if (target_is_barred(&o->engine->config, t))
				problem_add(ps, PROBLEM_ERROR, NULL,
				    "tee_transparent[%s]: %s would get nothing: the address of "
				    "senders is kept, and those that can be heard are of the other "
				    "family; write a receiver of %s, or tee_transparent: false",
				    o->name, t->name,
				    o->engine->config.no_ipv4 ? "IPv6" : "IPv4");
		}
}

static void
tee_check(const struct output *o, const struct receivers *r, struct problems *ps)
{
	tags_want(o, r, ps);
	families_check(o, r, ps);
}

/* pre_tag_filter, which daemon/ has read before us: it has no fault. */
static void
filter_load(struct output *o, struct problems *ps)
{
	struct tee *t = o->priv;
	struct err e = ERR_INIT;

	if (o->rules.pre_tag_filter == NULL)
		return;
	t->filter = tagfilter_new(F_TAG, o->rules.pre_tag_filter, &e);
	if (t->filter == NULL)
		problem_add(ps, PROBLEM_ERROR, NULL, "pre_tag_filter[%s]: %s", o->name, e.text);
}

static void
tee_load(struct output *o, struct problems *ps)
{
	const struct tee_config *c = o->config;
	struct tee *t = calloc(1, sizeof(*t));

	if (t == NULL || (c->receivers == NULL) == (c->receiver == NULL)) {
		free(t);
		problem_add(ps, PROBLEM_ERROR, NULL,
		    "tee[%s]: write tee_receivers: FILE, or one "
		    "tee_receiver: ADDRESS:PORT", o->name);
		return;
	}
	o->priv = t;
	t->config = c;
	t->n_workers = o->engine->n_workers;
	t->families = (struct log_limit){ .burst = 1, .every_ns = 60 * CLOCK_S };
	t->where = (struct receivers_config){ .of = RECEIVERS_OF_DATAGRAMS,
		.file = c->receivers,
		.one = c->receiver,
		.port = DEFAULT_PORT,
		.options = { .source = c->source,
		    .send_buffer = (uint32_t)c->pipe_size,
		    .refuse = self_listens,
		    .arg = o->engine,
		    .ip_precedence = (uint8_t)c->ip_precedence },
		.check = tee_check };
	filter_load(o, ps);
	atomic_init(&t->receivers, receivers_read(&t->where, o, ps));
}

static void
tee_close(struct output *o)
{
	struct tee *t = o->priv;

	receivers_free(atomic_load(&t->receivers));
	for (unsigned i = 0; t->workers != NULL && i < t->n_workers; i++) {
		spoof_close(t->workers[i].spoof);
		free(t->workers[i].flows);
	}
	free(t->workers);
	tagfilter_free(t->filter);
	free(t);
	o->priv = NULL;
}

static int
tee_open(struct output *o, struct err *e)
{
	struct tee *t = o->priv;
	struct receivers *r = atomic_load(&t->receivers);

	if (receivers_refuse_self(r, o, e) != 0)
		return -WEIR_EINVAL;
	if (receivers_start(r, e) != 0)
		return -WEIR_EIO;
	t->workers = calloc(t->n_workers, sizeof(*t->workers));
	if (t->workers == NULL)
		return err_set(e, WEIR_ENOMEM, "tee: no memory");
	for (unsigned i = 0; i < t->n_workers; i++) {
		struct tee_worker *w = &t->workers[i];

		for (unsigned k = 0; k < BATCH; k++)
			w->messages[k].msg_hdr = (struct msghdr){ .msg_iov = &w->vectors[k],
				.msg_iovlen = 1 };
		if (o->tags != NULL && (w->flows = calloc(BATCH, sizeof(*w->flows))) == NULL)
			return err_set(e, WEIR_ENOMEM, "tee: no memory");
		if (!t->config->transparent)
			continue;
		w->spoof = spoof_open((uint8_t)t->config->ip_precedence, e);
		if (w->spoof == NULL)
			return -WEIR_EIO;
	}
	return 0;
}

static void
tee_reload(struct output *o, struct problems *ps)
{
	struct tee *t = o->priv;
	struct receivers *fresh = receivers_reread(&t->where, o, atomic_load(&t->receivers),
	    ps);
	struct err e = ERR_INIT;

	if (fresh == NULL)
		return;
	if (receivers_start(fresh, &e) != 0) {
		problem_add(ps, PROBLEM_ERROR, NULL, "%s", e.text);
		receivers_free(fresh);
		return;
	}
	log_info("%s %s: read anew", fresh->directive, t->where.file);
	receivers_drop(atomic_exchange(&t->receivers, fresh));
}

/* `each` may wait for its client: not while we read RCU. */
static void
tee_targets(const struct output *o,
    void (*each)(void *arg, const struct output_target *t), void *arg)
{
	const struct tee *t = o->priv;
	struct receivers_seen seen;

	rcu_enter();
	receivers_see(atomic_load_explicit(&t->receivers, memory_order_acquire), &seen);
	rcu_leave();
	receivers_show(&seen, each, arg);
}

const struct output_ops tee_output = {
	.type = "tee",
	.wants = OUTPUT_DATAGRAMS,
	.directives = &tee_directives,
	.load = tee_load,
	.open = tee_open,
	.relay = tee_relay,
	.flush = tee_flush,
	.tick = tee_tick,
	.reload = tee_reload,
	.targets = tee_targets,
	.close = tee_close,
};
