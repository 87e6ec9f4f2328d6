/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/tee.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/engine.h"
#include "export/receivers.h"
#include "export/spoof.h"
#include "export/target.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "lib/rcu.h"

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
	           "ip=ADDRESS:PORT[,ADDRESS:PORT] and, as it may be, balance-alg=rr or "
	           "hash-agent (each datagram to one receiver of the pool; without it: to all), "
	           "src_port=PORT (to send from)." },
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
	struct spoof *spoof; /* NULL: not transparent */
};

struct tee {
	const struct tee_config *config;
	struct target_options options;
	_Atomic(struct receivers *) receivers;
	unsigned n_workers;
	struct tee_worker *workers;
};

/* Send datagrams number `which` (n) of the batch to `t`. */
static void
target_give(struct tee_worker *w, struct target *t, const uint8_t *which, unsigned n,
    struct target_tally *tally)
{
	const struct datagram *d[BATCH];
	struct mmsghdr m[BATCH];

	if (w->spoof != NULL) {
		for (unsigned i = 0; i < n; i++)
			d[i] = &w->datagrams[which[i]];
		spoof_send(w->spoof, t, d, n, tally);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		m[i] = w->messages[which[i]];
	target_send(t, m, n, tally);
}

/* Which receiver of a pool that balances gets datagram `i`; `turn` is that of the first. */
static uint32_t
pool_choose(const struct pool *p, const struct tee_worker *w, unsigned i, uint32_t turn)
{
	uint64_t h;

	if (p->balance == BALANCE_RR)
		return (turn + i) % p->n;
	/* The same after a restart, and on another host. */
	h = hash_frozen(&w->datagrams[i].from, sizeof(w->datagrams[i].from));
	return (uint32_t)(h % p->n);
}

/* To one receiver each. Those for one receiver go together, in their order. */
static void
pool_balance(struct pool *p, struct tee_worker *w, struct target_tally *tally)
{
	uint32_t turn = atomic_fetch_add_explicit(&p->turn, w->n, memory_order_relaxed);
	uint32_t chosen[BATCH];
	uint8_t which[BATCH];
	uint64_t left = UINT64_MAX >> (BATCH - w->n);

	for (unsigned i = 0; i < w->n; i++)
		chosen[i] = pool_choose(p, w, i, turn);
	while (left != 0) {
		uint32_t one = chosen[__builtin_ctzll(left)];
		unsigned n = 0;

		for (unsigned i = 0; i < w->n; i++)
			if ((left >> i & 1) != 0 && chosen[i] == one) {
				which[n++] = (uint8_t)i;
				left &= ~(UINT64_C(1) << i);
			}
		target_give(w, &p->targets[one], which, n, tally);
	}
}

static void
pool_give(struct pool *p, struct tee_worker *w, struct target_tally *tally)
{
	uint8_t which[BATCH];

	if (p->balance != BALANCE_NONE) {
		pool_balance(p, w, tally);
		return;
	}
	for (unsigned i = 0; i < w->n; i++)
		which[i] = (uint8_t)i;
	for (unsigned k = 0; k < p->n; k++)
		target_give(w, &p->targets[k], which, w->n, tally);
}

static void
tee_flush(struct output *o, unsigned worker)
{
	struct tee *t = o->priv;
	struct tee_worker *w = &t->workers[worker];
	const struct receivers *r =
	    atomic_load_explicit(&t->receivers, memory_order_acquire);
	struct target_tally tally = { 0 };

	if (w->n == 0)
		return;
	for (unsigned i = 0; i < r->n_pools; i++)
		if (r->pools[i].n > 0)
			pool_give(&r->pools[i], w, &tally);
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
	enum tee_protocol protocol = kind == COLLECTOR_SFLOW ? TEE_SFLOW : TEE_NETFLOW;

	if (t->config->protocol != TEE_ALL && t->config->protocol != (int)protocol)
		return;
	if (w->n == BATCH)
		tee_flush(o, worker);
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
}

static void
tee_close(struct output *o)
{
	struct tee *t = o->priv;

	receivers_free(atomic_load(&t->receivers));
	for (unsigned i = 0; t->workers != NULL && i < t->n_workers; i++)
		spoof_close(t->workers[i].spoof);
	free(t->workers);
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

	if (t->config->receivers == NULL || (fresh = receivers_of(t, ps)) == NULL)
		return;
	self = loop_find(o, fresh);
	if (self != NULL) {
		problem_add(ps, PROBLEM_ERROR, NULL,
		    "tee_receivers: %s is this weir itself: name another receiver", self->name);
		receivers_free(fresh);
		return;
	}
	if (receivers_start(fresh, &e) != 0) {
		problem_add(ps, PROBLEM_ERROR, NULL, "%s", e.text);
		receivers_free(fresh);
		return;
	}
	log_info("tee_receivers %s: read anew", t->config->receivers);
	rcu_enter();
	rcu_defer(receivers_drop, atomic_exchange(&t->receivers, fresh));
	rcu_leave();
}

static void
target_show(const struct pool *p, const struct target *t,
    void (*each)(void *arg, const struct output_target *t), void *arg)
{
	char reasons[TARGET_REASONS_TEXT];
	struct output_target s = {
		.name = t->name,
		.pool = p->id,
		.resolved = atomic_load(&t->fd) != -1,
		.sent = atomic_load(&t->sent),
		.octets = atomic_load(&t->octets),
		.refusals = atomic_load(&t->refusals),
		.reasons = reasons,
	};

	target_reasons(t, reasons);
	for (int i = 0; i < TARGET_N_REASONS; i++)
		s.unsent += atomic_load(&t->unsent[i]);
	each(arg, &s);
}

static void
tee_targets(const struct output *o,
    void (*each)(void *arg, const struct output_target *t), void *arg)
{
	struct tee *t = o->priv;
	const struct receivers *r;

	rcu_enter();
	r = atomic_load_explicit(&t->receivers, memory_order_acquire);
	for (unsigned i = 0; i < r->n_pools; i++)
		for (unsigned k = 0; k < r->pools[i].n; k++)
			target_show(&r->pools[i], &r->pools[i].targets[k], each, arg);
	rcu_leave();
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
