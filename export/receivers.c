/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/receivers.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "export/self.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/mapfile.h"
#include "lib/rcu.h"
#include "lib/thread.h"
#include "rules/tagfilter.h"

#define RECEIVERS_SAID 10U /* names without an address that are said one by one */

enum { ROW_ID, ROW_IP, ROW_TAG, ROW_BALANCE, ROW_SRC_PORT };

struct receivers_line {
	const char *list, *tags;
	uint32_t id, src_port;
	int balance;
};

static const struct {
	const char *word;
	enum balance balance;
} balances[] = {
	{ "hash-tag", BALANCE_HASH_TAG }, /* this one of datagrams alone */
	{ "rr", BALANCE_RR },
	{ "hash-agent", BALANCE_HASH_AGENT },
	{ "hash-crc32", BALANCE_HASH_AGENT }, /* of the exporter's address, too */
	{ "hash", BALANCE_HASH }, /* this and what follows: of flows alone */
	{ "failover", BALANCE_FAILOVER },
};

#define BALANCES_ALL (sizeof(balances) / sizeof(balances[0]))
#define BALANCES_OF_DATAGRAMS 4U
#define BALANCES_NOT_OF_FLOWS 1U

static int
balance_find(const char *text, size_t from, size_t to, void *at)
{
	for (size_t i = from; i < to; i++)
		if (strcmp(balances[i].word, text) == 0) {
			int balance = (int)balances[i].balance;

			memcpy(at, &balance, sizeof(balance));
			return 0;
		}
	return -WEIR_EINVAL;
}

static int
balance_parse(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	(void)k;
	if (balance_find(text, 0, BALANCES_OF_DATAGRAMS, at) == 0)
		return 0;
	return err_set(why, WEIR_EINVAL, "'%s' is no way to balance; write rr, hash-agent or "
	    "hash-tag", text);
}

static int
flows_balance_parse(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	(void)k;
	if (balance_find(text, BALANCES_NOT_OF_FLOWS, BALANCES_ALL, at) == 0)
		return 0;
	return err_set(why, WEIR_EINVAL,
	    "'%s' is no way to balance; write rr, hash, hash-agent or failover", text);
}

static int
flows_tag_parse(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	(void)k, (void)text, (void)at;
	return err_set(why, WEIR_EINVAL,
	    "pools of flows take no tags; write pre_tag_filter for the plugin");
}

#define AT(member) .offset = offsetof(struct receivers_line, member)
#define LINE_KEYS(parse, ways, ...) { \
	[ROW_ID] = { "id", mapfile_u32, AT(id), .min = 1, .max = UINT32_MAX, \
	    .doc = "Number of the pool." }, \
	[ROW_IP] = { "ip", mapfile_text, AT(list), \
	    .doc = "Comma list of its receivers, each ADDRESS:PORT." }, \
	__VA_ARGS__ \
	[ROW_BALANCE] = { "balance-alg", parse, AT(balance), \
	    .doc = "Give each to one receiver: " ways "." }, \
	[ROW_SRC_PORT] = { "src_port", mapfile_u32, AT(src_port), .min = 1, .max = UINT16_MAX, \
	    .doc = "Port to send from." }, \
	{ .name = NULL }, \
}
static const struct mapfile_key tee_keys[] = LINE_KEYS(balance_parse,
    "rr, hash-agent or hash-tag",
    [ROW_TAG] = { "tag", mapfile_text, AT(tags),
        .doc = "Only what pre_tag_map gives these tags; a list as of pre_tag_filter." },);
static const struct mapfile_key flows_keys[] = LINE_KEYS(flows_balance_parse,
    "rr, hash, hash-agent or failover",
    [ROW_TAG] = { "tag", flows_tag_parse, AT(tags), .doc = "Of tee alone." },);
#undef AT

struct load {
	struct receivers *r;
	uint16_t port;
	const struct target_options *base;
};

static struct pool *
pool_add(struct receivers *r)
{
	struct pool *pools = reallocarray(r->pools, r->n_pools + 1, sizeof(*pools));

	if (pools == NULL)
		return NULL;
	r->pools = pools;
	memset(&pools[r->n_pools], 0, sizeof(*pools));
	return &pools[r->n_pools++];
}

/* The last receivers that have it close it. */
static void
target_unref(struct target *t)
{
	if (atomic_fetch_sub(&t->refs, 1) > 1)
		return;
	target_close(t);
	free(t);
}

/* Open `text` as one more target of `p`, which has room for it. */
static int
pool_open(struct pool *p, const char *text, uint16_t port, struct err *e)
{
	struct target *t = calloc(1, sizeof(*t));
	int rc;

	if (t == NULL)
		return err_set(e, WEIR_ENOMEM, "receivers: no memory");
	rc = target_open(t, text, port, &p->options, e);
	atomic_init(&t->refs, 1);
	if (rc == 0)
		p->targets[p->n++] = t;
	else
		target_unref(t);
	return rc;
}

/* Open the receivers of `list`. One with a fault goes to `ps`. */
static int
pool_fill(struct pool *p, const struct load *l, const struct config_line *at, char *list,
    struct problems *ps, struct err *e)
{
	size_t errors = ps->n_errors;
	unsigned n = 1;
	char *save = NULL;

	for (const char *c = list; *c != '\0'; c++)
		n += *c == ',';
	p->targets = calloc(n, sizeof(*p->targets));
	if (p->targets == NULL)
		return err_set(e, WEIR_ENOMEM, "receivers: no memory");
	for (char *one = strtok_r(list, ",", &save); one != NULL;
	     one = strtok_r(NULL, ",", &save)) {
		struct err why = ERR_INIT;

		if (pool_open(p, one, l->port, &why) != 0)
			problem_add(ps, PROBLEM_ERROR, at, "%s: %s", l->r->directive, why.text);
	}
	if (p->n == 0 && ps->n_errors == errors)
		problem_add(ps, PROBLEM_ERROR, at,
		    "%s: pool %u has no receiver; write ip=ADDRESS:PORT[,ADDRESS:PORT]",
		    l->r->directive, p->id);
	l->r->n_targets += p->n;
	return 0;
}

static int
line_take(void *arg, const struct mapfile_rule *rule, const void *values,
    struct problems *ps, struct err *e)
{
	const struct load *l = arg;
	const struct receivers_line *line = values;
	struct pool *p;
	struct err why = ERR_INIT;
	char *list;
	int rc;

	if (!mapfile_has(rule, ROW_ID) || !mapfile_has(rule, ROW_IP)) {
		problem_add(ps, PROBLEM_ERROR, &rule->at,
		    "%s: a pool needs a number and receivers; write "
		    "id=NUMBER ip=ADDRESS:PORT[,ADDRESS:PORT]", l->r->directive);
		return 0;
	}
	for (unsigned i = 0; i < l->r->n_pools; i++)
		if (l->r->pools[i].id == line->id) {
			problem_add(ps, PROBLEM_ERROR, &rule->at,
			    "%s: pool %u is there already; give this one another id",
			    l->r->directive, line->id);
			return 0;
		}
	list = strdup(line->list);
	p = pool_add(l->r);
	if (list == NULL || p == NULL) {
		free(list);
		return err_set(e, WEIR_ENOMEM, "receivers: no memory");
	}
	p->id = line->id;
	p->balance = (enum balance)line->balance;
	p->options = *l->base;
	if (mapfile_has(rule, ROW_SRC_PORT))
		p->options.source_port = (uint16_t)line->src_port;
	if (mapfile_has(rule, ROW_TAG) &&
	    (p->tags = tagfilter_new(F_TAG, line->tags, &why)) == NULL)
		problem_add(ps, PROBLEM_ERROR, &rule->at, "%s: tag: %s",
		    l->r->directive, why.text);
	l->r->tagged |= p->tags != NULL || p->balance == BALANCE_HASH_TAG;
	rc = pool_fill(p, l, &rule->at, list, ps, e);
	free(list);
	return rc;
}

static const struct mapfile receivers_maps[] = {
	[RECEIVERS_OF_DATAGRAMS] = { "tee_receivers", tee_keys, sizeof(struct receivers_line),
	    line_take },
	[RECEIVERS_OF_FLOWS] = { "nfprobe_receivers", flows_keys, sizeof(struct receivers_line),
	    line_take },
	[RECEIVERS_OF_SAMPLES] = { "sfprobe_receivers", flows_keys,
	    sizeof(struct receivers_line), line_take },
};

static const char *const single_directives[] = {
	[RECEIVERS_OF_DATAGRAMS] = "tee_receiver",
	[RECEIVERS_OF_FLOWS] = "nfprobe_receiver",
	[RECEIVERS_OF_SAMPLES] = "sfprobe_receiver",
};

/* The operator's own check of an address, which ends with receivers_free. */
static bool
receivers_refuse(const void *arg, const struct sockaddr_storage *a, socklen_t len)
{
	struct receivers *r = (struct receivers *)(uintptr_t)arg;
	bool refused;

	pthread_mutex_lock(&r->lock);
	refused = r->stop ||
	    (r->base.refuse != NULL && r->base.refuse(r->base.arg, a, len));
	pthread_mutex_unlock(&r->lock);
	return refused;
}

/* Say that `t` has no address, as `e` says, once; `unsaid` grows where others have been said. */
static void
unresolved_say(struct receivers *r, struct target *t, const struct err *e, unsigned *unsaid)
{
	if (t->said || r->stop)
		return;
	t->said = true;
	if (r->said++ < RECEIVERS_SAID)
		log_warn("%s: %s (nothing is sent there so far; tried again every %u s)",
		    r->directive, e->text, RECEIVERS_RETRY_S);
	else
		++*unsaid;
}

/* Whether the address of `t` is to be looked for. */
static bool
target_is_due(const struct target *t, uint64_t mono)
{
	if (atomic_load(&t->fd) == -1)
		return true;
	if (!t->named || (t->moved != 0 && mono - t->moved < CLOCK_S))
		return false;
	return atomic_load(&t->stale) || target_trouble(t) != t->trouble ||
	    mono - t->looked >= RECEIVERS_AGAIN_S * CLOCK_S;
}

/* Look for the address of `t`, if that is due. */
static void
receivers_resolve_one(struct receivers *r, struct target *t,
    const struct target_options *options, unsigned *unsaid)
{
	bool had = atomic_load(&t->fd) != -1;
	unsigned moves = atomic_load(&t->moves);
	uint64_t mono = clock_mono();
	struct target_options o = *options;
	struct err e = ERR_INIT;

	if (!target_is_due(t, mono))
		return;
	o.refuse = receivers_refuse;
	o.arg = r;
	t->trouble = target_trouble(t);
	t->looked = mono;
	atomic_store(&t->stale, false);
	if (!target_resolve(t, &o, &e)) {
		atomic_store(&t->stale, r->stop); /* it was told to stop, others were not */
		if (!had) {
			target_failed(t, e.text);
			unresolved_say(r, t, &e, unsaid);
		}
	} else if (!had) {
		log_info("%s: %s can be sent to now", r->directive, t->name);
	} else if (atomic_load(&t->moves) != moves) {
		t->moved = clock_mono();
		log_info("%s: %s has another address now", r->directive, t->name);
	}
}

/* Look for addresses that are not known, or may be others by now. */
static void
receivers_resolve(struct receivers *r)
{
	unsigned unsaid = 0;

	for (unsigned i = 0; i < r->n_pools; i++)
		for (unsigned k = 0; k < r->pools[i].n && !r->stop; k++) {
			struct target *t = r->pools[i].targets[k];

			/* Those before these, which have it, too, may be about to. */
			if (atomic_exchange(&t->looking, true))
				continue;
			receivers_resolve_one(r, t, &r->pools[i].options, &unsaid);
			atomic_store(&t->looking, false);
		}
	if (unsaid > 0)
		log_warn("%s: %u more have no address: weir show targets lists them",
		    r->directive, unsaid);
}

/* Whether some target has no address, or has it by its name. */
static bool
receivers_need_lookup(const struct receivers *r)
{
	bool some = false;

	for (unsigned i = 0; i < r->n_pools; i++)
		for (unsigned k = 0; k < r->pools[i].n; k++)
			some |= r->pools[i].targets[k]->named ||
			    atomic_load(&r->pools[i].targets[k]->fd) == -1;
	return some;
}

/* The last one to know them closes them. */
static void
receivers_unref(struct receivers *r)
{
	if (atomic_fetch_sub(&r->refs, 1) > 1)
		return;
	for (unsigned i = 0; i < r->n_pools; i++) {
		for (unsigned k = 0; k < r->pools[i].n; k++)
			target_unref(r->pools[i].targets[k]);
		free(r->pools[i].targets);
		tagfilter_free(r->pools[i].tags);
	}
	free(r->pools);
	pthread_cond_destroy(&r->wake);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static void *
resolver_main(void *arg)
{
	struct receivers *r = arg;

	while (!r->stop && receivers_need_lookup(r)) {
		struct timespec until;

		receivers_resolve(r);
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += RECEIVERS_RETRY_S;
		pthread_mutex_lock(&r->lock);
		while (!r->stop && pthread_cond_timedwait(&r->wake, &r->lock, &until) == 0)
			continue;
		pthread_mutex_unlock(&r->lock);
	}
	receivers_unref(r);
	return NULL;
}

static struct receivers *
receivers_new(enum receivers_of of, const struct target_options *base, struct err *e)
{
	struct receivers *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		err_set(e, WEIR_ENOMEM, "receivers: no memory");
		return NULL;
	}
	r->base = *base;
	atomic_init(&r->refs, 1);
	r->directive = receivers_maps[of].directive;
	pthread_mutex_init(&r->lock, NULL);
	thread_cond_init(&r->wake);
	return r;
}

struct receivers *
receivers_load(enum receivers_of of, const char *path, uint16_t port,
    const struct target_options *base, struct problems *ps, struct err *e)
{
	struct load l = { receivers_new(of, base, e), port, base };
	const struct config_line top = { .file = path, .line = 1 };
	size_t errors = ps->n_errors;

	if (l.r == NULL)
		return NULL;
	if (mapfile_read(&receivers_maps[of], path, &l, ps, e) != 0) {
		receivers_free(l.r);
		return NULL;
	}
	if (l.r->n_pools == 0 && ps->n_errors == errors)
		problem_add(ps, PROBLEM_ERROR, &top,
		    "%s: there is no receiver; write id=NUMBER ip=ADDRESS:PORT[,ADDRESS:PORT]",
		    l.r->directive);
	return l.r;
}

struct receivers *
receivers_one(enum receivers_of of, const char *text, uint16_t port,
    const struct target_options *base, struct err *e)
{
	struct receivers *r = receivers_new(of, base, e);
	struct pool *p;

	if (r == NULL)
		return NULL;
	r->directive = single_directives[of];
	p = pool_add(r);
	if (p == NULL || (p->targets = calloc(1, sizeof(*p->targets))) == NULL) {
		err_set(e, WEIR_ENOMEM, "receivers: no memory");
		receivers_free(r);
		return NULL;
	}
	p->id = 1;
	p->options = *base;
	if (pool_open(p, text, port, e) != 0) {
		receivers_free(r);
		return NULL;
	}
	r->n_targets = 1;
	return r;
}

int
receivers_start(struct receivers *r, struct err *e)
{
	pthread_t resolver;
	int rc;

	if (!receivers_need_lookup(r))
		return 0;
	atomic_fetch_add(&r->refs, 1);
	rc = thread_start(&resolver, "weir-resolve", resolver_main, r, e);
	if (rc != 0) {
		atomic_fetch_sub(&r->refs, 1);
		return rc;
	}
	r->resolving = true;
	pthread_detach(resolver);
	return 0;
}

void
receivers_free(struct receivers *r)
{
	if (r == NULL)
		return;
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
	receivers_unref(r);
}

struct receivers *
receivers_read(const struct receivers_config *c, const struct output *o, struct problems *ps)
{
	size_t errors = ps->n_errors;
	struct err e = ERR_INIT;
	struct receivers *r;

	if (c->file != NULL)
		r = receivers_load(c->of, c->file, c->port, &c->options, ps, &e);
	else
		r = receivers_one(c->of, c->one, c->port, &c->options, &e);
	if (r == NULL)
		problem_add(ps, PROBLEM_ERROR, NULL, "%s[%s]: %s",
		    c->file != NULL ? receivers_maps[c->of].directive
		                    : single_directives[c->of], o->name, e.text);
	else if (c->check != NULL)
		c->check(o, r, ps);
	if (ps->n_errors == errors)
		return r;
	receivers_free(r);
	return NULL;
}

int
receivers_refuse_self(const struct receivers *r, const struct output *o, struct err *e)
{
	const struct target *self = self_find(o->engine, r);

	if (self == NULL)
		return 0;
	return err_set(e, WEIR_EINVAL, "%s[%s]: %s is this weir itself: name another receiver",
	    r->directive, o->name, self->name);
}

/* A target, and the port that it is sent to from. */
struct route {
	struct target **target;
	uint16_t source_port;
};

/* All of `r`, in their order. NULL: no memory. */
static struct route *
routes_list(const struct receivers *r)
{
	struct route *list = calloc(r->n_targets + 1, sizeof(*list));
	unsigned n = 0;

	for (unsigned i = 0; list != NULL && i < r->n_pools; i++)
		for (unsigned k = 0; k < r->pools[i].n; k++)
			list[n++] = (struct route){ &r->pools[i].targets[k],
				r->pools[i].options.source_port };
	return list;
}

/* Which of the `n` of `old`, from `from` on, and round, is the same as `as`; NULL: none. */
static struct route *
route_find(struct route *old, unsigned n, unsigned from, const struct route *as)
{
	for (unsigned i = 0; i < n; i++) {
		struct route *o = &old[(from + i) % n];

		if (o->target != NULL && o->source_port == as->source_port &&
		    strcmp((*o->target)->name, (*as->target)->name) == 0)
			return o;
	}
	return NULL;
}

int
receivers_adopt(struct receivers *r, const struct receivers *before, struct err *e)
{
	struct route *fresh = routes_list(r), *old = routes_list(before);
	bool room = fresh != NULL && old != NULL;

	for (unsigned i = 0; room && i < r->n_targets; i++) {
		struct route *same = route_find(old, before->n_targets, i, &fresh[i]);

		if (same == NULL)
			continue;
		target_unref(*fresh[i].target);
		*fresh[i].target = *same->target;
		atomic_fetch_add(&(*same->target)->refs, 1);
		atomic_store(&(*same->target)->stale, true);
		same->target = NULL; /* it is no other's */
	}
	free(fresh);
	free(old);
	return room ? 0 : err_set(e, WEIR_ENOMEM, "%s: no memory", r->directive);
}

struct receivers *
receivers_reread(const struct receivers_config *c, const struct output *o,
    const struct receivers *before, struct problems *ps)
{
	struct receivers *r = c->file != NULL ? receivers_read(c, o, ps) : NULL;
	struct err e = ERR_INIT;

	if (r == NULL)
		return NULL;
	if (receivers_refuse_self(r, o, &e) == 0 && receivers_adopt(r, before, &e) == 0)
		return r;
	problem_add(ps, PROBLEM_ERROR, NULL, "%s", e.text);
	receivers_free(r);
	return NULL;
}

static void
receivers_free_later(void *r)
{
	receivers_free(r);
}

void
receivers_drop(struct receivers *r)
{
	rcu_enter();
	rcu_defer(receivers_free_later, r);
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

void
receivers_see(const struct receivers *r, struct receivers_seen *seen)
{
	seen->n = 0;
	seen->list = calloc(r->n_targets + 1, sizeof(*seen->list));
	for (unsigned i = 0; seen->list != NULL && i < r->n_pools; i++)
		for (unsigned k = 0; k < r->pools[i].n; k++)
			target_copy(&r->pools[i], r->pools[i].targets[k],
			    &seen->list[seen->n++]);
}

void
receivers_show(struct receivers_seen *seen,
    void (*each)(void *arg, const struct output_target *t), void *arg)
{
	for (unsigned i = 0; i < seen->n; i++)
		each(arg, &seen->list[i].target);
	free(seen->list);
}
