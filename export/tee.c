/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/tee.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/engine.h"
#include "core/tagging.h"
#include "export/peek.h"
#include "export/receivers.h"
#include "export/spoof.h"
#include "export/target.h"
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
	           "datagrams to which pre_tag_map gives these tags; a list as of pre_tag_filter), "
	           "balance-alg=rr, hash-agent or hash-tag (each datagram to one receiver of the "
	           "pool; without it: to all), src_port=PORT (to send from)." },
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
	struct target_options options;
	_Atomic(struct receivers *) receivers;
	struct tagfilter *filter; /* pre_tag_filter; NULL: none */
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
		target_give(w, &p->targets[one], its, tally);
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
		target_give(w, &p->targets[k], mask, tally);
}

/* The batch; tagged, if somebody `looks`, as far as the headers of datagrams say something. */
static struct batch
batch_tag(struct output *o, unsigned worker, bool looks)
{
	struct tee_worker *w = &((struct tee *)o->priv)->workers[worker];
	struct batch b = { .flows = w->flows, .n = w->n, .source = w->source, .worker = worker };

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

/* Whether `a` is an address of this host. */
static bool
address_is_ours(const struct sockaddr_storage *a, socklen_t len)
{
	struct sockaddr_storage any_port = *a;
	int fd = socket(a->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ours;

	target_port_set(&any_port, 0);
	ours = fd != -1 && bind(fd, (const struct sockaddr *)&any_port, len) == 0;
	if (fd != -1)
		close(fd);
	return ours;
}

/* Whether engine `arg` listens at `a`: what is sent there would come back for ever. */
static bool
is_this_weir(const void *arg, const struct sockaddr_storage *a, socklen_t len)
{
	const struct engine *en = arg;
	const struct worker *w = &en->workers[0];

	if (!address_is_ours(a, len))
		return false;
	for (unsigned i = 0; i < w->n_collectors; i++) {
		struct sockaddr_storage own;
		socklen_t own_len = sizeof(own);

		if (w->collectors[i]->ops->kind != COLLECTOR_PCAP &&
		    getsockname(w->collectors[i]->fd, (struct sockaddr *)&own, &own_len) == 0 &&
		    target_port(&own) == target_port(a))
			return true;
	}
	return false;
}

/* A receiver that is this weir, or NULL. */
static const struct target *
loop_find(const struct output *o, const struct receivers *r)
{
	for (unsigned i = 0; i < r->n_pools; i++)
		for (unsigned k = 0; k < r->pools[i].n; k++) {
			const struct target *t = &r->pools[i].targets[k];

			if (atomic_load(&t->fd) != -1 &&
			    is_this_weir(o->engine, &t->addr, t->addr_len))
				return t;
		}
	return NULL;
}

/* Read what the operator says. Faults go to `ps`; NULL when there are some. */
static struct receivers *
receivers_of(const struct tee *t, struct problems *ps)
{
	const struct tee_config *c = t->config;
	struct err e = ERR_INIT;
	size_t errors = ps->n_errors;
	struct receivers *r;

	if (c->receivers != NULL)
		r = receivers_load(c->receivers, DEFAULT_PORT, &t->options, ps, &e);
	else
		r = receivers_one(c->receiver, DEFAULT_PORT, &t->options, &e);
	if (r == NULL)
		problem_add(ps, PROBLEM_ERROR, NULL, "%s", e.text);
	if (ps->n_errors == errors)
		return r;
	receivers_free(r);
	return NULL;
}

/* See to it that tags are there where `r` or the plugin looks at them. */
static void
tags_want(struct output *o, const struct receivers *r, struct problems *ps)
{
	struct tee *t = o->priv;

	if (t->filter == NULL && !r->tagged)
		return;
	if (o->tags == NULL)
		problem_add(ps, PROBLEM_ERROR, NULL,
		    "tee[%s]: tags are looked at (%s), and no pre_tag_map gives any", o->name,
		    t->filter != NULL ? "pre_tag_filter" : "tee_receivers");
	else if (!o->tags->bare)
		tagging_bare(o->tags, ps);
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
		problem_add(ps, PROBLEM_ERROR, NULL, "tee[%s]: write tee_receivers: FILE, or one "
		    "tee_receiver: ADDRESS:PORT", o->name);
		return;
	}
	o->priv = t;
	t->config = c;
	t->n_workers = o->engine->n_workers;
	t->options = (struct target_options){ .source = c->source,
		.send_buffer = (uint32_t)c->pipe_size,
		.refuse = is_this_weir,
		.arg = o->engine,
		.ip_precedence = (uint8_t)c->ip_precedence };
	atomic_init(&t->receivers, receivers_of(t, ps));
	filter_load(o, ps);
	if (atomic_load(&t->receivers) != NULL)
		tags_want(o, atomic_load(&t->receivers), ps);
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
	const struct target *self = loop_find(o, r);

	if (self != NULL)
		return err_set(e, WEIR_EINVAL,
		    "tee[%s]: %s is this weir itself: name another receiver", o->name, self->name);
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
receivers_drop(void *r)
{
	receivers_free(r);
}

static void
tee_reload(struct output *o, struct problems *ps)
{
	struct tee *t = o->priv;
	struct receivers *fresh;
	const struct target *self;
	struct err e = ERR_INIT;
	size_t errors = ps->n_errors;

	if (t->config->receivers == NULL || (fresh = receivers_of(t, ps)) == NULL)
		return;
	tags_want(o, fresh, ps);
	self = loop_find(o, fresh);
	if (self != NULL)
		problem_add(ps, PROBLEM_ERROR, NULL,
		    "tee_receivers: %s is this weir itself: name another receiver", self->name);
	if (ps->n_errors == errors && receivers_start(fresh, &e) != 0)
		problem_add(ps, PROBLEM_ERROR, NULL, "%s", e.text);
	if (ps->n_errors != errors) {
		receivers_free(fresh);
		return;
	}
	log_info("tee_receivers %s: read anew", t->config->receivers);
	rcu_enter();
	rcu_defer(receivers_drop, atomic_exchange(&t->receivers, fresh));
	rcu_leave();
}

/* What people see of a target. */
struct shown {
	struct output_target target;
	char name[sizeof(((struct target *)0)->name)];
	char reasons[TARGET_REASONS_TEXT];
};

static void
target_copy(const struct pool *p, const struct target *t, struct shown *to)
{
	to->target = (struct output_target){
		.name = to->name,
		.pool = p->id,
		.resolved = atomic_load(&t->fd) != -1,
		.sent = atomic_load(&t->sent),
		.octets = atomic_load(&t->octets),
		.refusals = atomic_load(&t->refusals),
		.reasons = to->reasons,
	};
	memcpy(to->name, t->name, sizeof(to->name));
	target_reasons(t, to->reasons);
	for (int i = 0; i < TARGET_N_REASONS; i++)
		to->target.unsent += atomic_load(&t->unsent[i]);
}

/* All targets as they are now, for free(); NULL when memory is short. */
static struct shown *
targets_copy(struct tee *t, unsigned *n)
{
	const struct receivers *r;
	struct shown *list;

	*n = 0;
	rcu_enter();
	r = atomic_load_explicit(&t->receivers, memory_order_acquire);
	list = calloc(r->n_targets + 1, sizeof(*list));
	for (unsigned i = 0; list != NULL && i < r->n_pools; i++)
		for (unsigned k = 0; k < r->pools[i].n; k++)
			target_copy(&r->pools[i], &r->pools[i].targets[k], &list[(*n)++]);
	rcu_leave();
	return list;
}

/* `each` may wait for its client: not while we read RCU. */
static void
tee_targets(const struct output *o,
    void (*each)(void *arg, const struct output_target *t), void *arg)
{
	unsigned n;
	struct shown *list = targets_copy(o->priv, &n);

	for (unsigned i = 0; i < n; i++)
		each(arg, &list[i].target);
	free(list);
}

const struct output_ops tee_output = {
	.type = "tee",
	.wants = OUTPUT_DATAGRAMS,
	.directives = &tee_directives,
	.load = tee_load,
	.open = tee_open,
	.relay = tee_relay,
	.flush = tee_flush,
	.reload = tee_reload,
	.targets = tee_targets,
	.close = tee_close,
};
