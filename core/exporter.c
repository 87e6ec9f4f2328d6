/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/exporter.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/rcu.h"

/* The times in headers are rounded, and clocks are set: an exporter starts more slowly. */
#define BOOT_SLACK_MS 10000U

/* Who was there for less was passing by; who said nothing for so long is silent. */
#define PASSING_NS (60 * CLOCK_S)
#define SILENCE_NS (3600 * CLOCK_S)

#define FORGET_SHARE 16U /* one in so many is forgotten at once */

const char *const exporter_count_names[EXPORTER_N_COUNTS] = {
#define X(NAME, name) [EXPORTER_##NAME] = name,
	EXPORTER_COUNTS(X)
#undef X
};

const char *const exporter_rate_names[EXPORTER_N_RATES] = {
#define X(NAME, name) [EXPORTER_RATE_##NAME] = name,
	EXPORTER_RATES(X)
#undef X
};

struct exporters {
	pthread_mutex_t lock; /* for all but what is atomic */
	struct table by_key;
	struct exporter **list;
	_Atomic uint32_t n;
	_Atomic uint64_t changes;
	struct log_limit limit;
	uint64_t serial; /* the last one given */
	uint64_t full_until; /* monotonic: nobody needs to look before */
	uint32_t max;
	unsigned workers;
	void (*state_free[EXPORTER_KINDS])(void *);
	/* How often some were: caches are wrong then. Workers look at it all the time. */
	_Alignas(64) _Atomic uint64_t forgotten;
};

/* The key in both tables; a row is the key and the pointer. */
struct exporter_key {
	ip16_t addr;
	uint32_t domain;
	uint32_t kind;
};
struct exporter_row {
	struct exporter_key key;
	struct exporter *exporter;
};

struct exporters *
exporters_new(
    unsigned workers, uint32_t max, void (*const state_free[EXPORTER_KINDS])(void *))
{
	struct exporters *x = aligned_alloc(64, sizeof(*x));

	if (x == NULL)
		return NULL;
	memset(x, 0, sizeof(*x));
	x->limit = (struct log_limit)LOG_LIMIT_INIT;
	x->list = calloc(max, sizeof(*x->list));
	if (x->list == NULL || table_init(&x->by_key, sizeof(struct exporter_key),
				   sizeof(struct exporter_row), 2 * max, NULL) != 0) {
		free(x->list);
		free(x);
		return NULL;
	}
	x->max = max;
	x->workers = workers;
	memcpy(x->state_free, state_free, sizeof(x->state_free));
	pthread_mutex_init(&x->lock, NULL);
	return x;
}

static void
exporter_free(struct exporter *one)
{
	void *state = atomic_load(&one->state);

	if (state != NULL && one->state_free != NULL)
		one->state_free(state);
	if (one->first != one && one->first != NULL)
		exporter_unref(one->first);
	unknown_free(one->unknown);
	iftable_free(atomic_load(&one->interfaces));
	pthread_mutex_destroy(&one->lock);
	free(one);
}

void
exporter_unref(struct exporter *x)
{
	if (atomic_fetch_sub(&x->refs, 1) == 1)
		exporter_free(x);
}

void
exporters_free(struct exporters *x)
{
	if (x == NULL)
		return;
	for (uint32_t i = 0; i < exporters_count(x); i++)
		exporter_unref(x->list[i]);
	table_fini(&x->by_key);
	pthread_mutex_destroy(&x->lock);
	free(x->list);
	free(x);
}

int
exporter_cache_init(struct exporter_cache *c, struct exporters *x, struct err *e)
{
	c->shared = x;
	c->forgotten = atomic_load(&x->forgotten);
	c->worker = 0;
	c->stats = NULL;
	return table_init(&c->table, sizeof(struct exporter_key),
	    sizeof(struct exporter_row), x->max, e);
}

void
exporter_cache_fini(struct exporter_cache *c)
{
	table_fini(&c->table);
}

static struct exporter *
exporter_new(const struct exporters *x, const struct exporter_key *key)
{
	size_t octets =
	    sizeof(struct exporter) + x->workers * sizeof(struct exporter_part);
	struct exporter *one = aligned_alloc(64, octets);

	if (one == NULL)
		return NULL;
	memset(one, 0, octets);
	for (unsigned i = 0; i < x->workers; i++)
		one->parts[i].limit = (struct log_limit)LOG_LIMIT_INIT;
	one->n_parts = x->workers;
	one->state_free = x->state_free[key->kind];
	atomic_init(&one->refs, 1);
	one->kind = (enum exporter_kind)key->kind;
	one->addr = key->addr;
	one->domain = key->domain;
	one->first_seen = clock_real();
	pthread_mutex_init(&one->lock, NULL);
	return one;
}

/* The row of `key` is that of `one`. With no room in the table it is just not found. */
static void
key_add(struct exporters *x, const struct exporter_key *key, struct exporter *one)
{
	uint8_t *at;

	if (table_upsert(&x->by_key, key, 1, &at) == 0)
		((struct exporter_row *)(void *)at)->exporter = one;
}

/*
 * The first exporter of the kind and address of `one`, which becomes it when there is
 * none yet. Such rows stand beside the exporters' own, under a kind that no exporter has.
 */
static struct exporter *
exporters_first(struct exporters *x, struct exporter *one)
{
	struct exporter_key key = { one->addr, 0,
		(uint32_t)one->kind + EXPORTER_KINDS };
	uint8_t *at = table_find(&x->by_key, &key);

	if (at != NULL) {
		struct exporter *first = ((struct exporter_row *)(void *)at)->exporter;

		atomic_fetch_add(&first->refs, 1);
		return first;
	}
	key_add(x, &key, one);
	return one;
}

/* What an exporter is worth: who is worth least is forgotten first. */
enum worth { NO_RECORDS, PASSED_BY, SILENT, WORTH_KEEPING };

static enum worth
exporter_worth(const struct exporter *one, uint64_t last_seen, uint64_t now)
{
	/* Who was known before may take his time after weir has started. */
	if (one->known_before)
		last_seen = last_seen > one->first_seen ? last_seen : one->first_seen;
	else if (exporter_sum(one, EXPORTER_RECORDS) == 0)
		return NO_RECORDS;
	else if (last_seen < one->first_seen + PASSING_NS)
		return PASSED_BY;
	return last_seen + SILENCE_NS < now ? SILENT : WORTH_KEEPING;
}

struct candidate {
	enum worth worth;
	uint32_t i; /* in the list */
	uint64_t last_seen;
};

static int
candidate_compare(const void *a, const void *b)
{
	const struct candidate *p = a, *q = b;

	if (p->worth != q->worth)
		return p->worth < q->worth ? -1 : 1;
	if (p->last_seen != q->last_seen)
		return p->last_seen < q->last_seen ? -1 : 1;
	return p->i < q->i ? -1 : 1; /* who came first */
}

/* Who may be forgotten, those worth least first. */
static uint32_t
candidates_find(const struct exporters *x, struct candidate *found)
{
	uint64_t now = clock_real();
	uint32_t n = 0;

	for (uint32_t i = 0; i < atomic_load(&x->n); i++) {
		uint64_t last_seen = exporter_last_seen(x->list[i]);
		enum worth worth = exporter_worth(x->list[i], last_seen, now);

		if (worth != WORTH_KEEPING)
			found[n++] = (struct candidate){ worth, i, last_seen };
	}
	qsort(found, n, sizeof(*found), candidate_compare);
	return n;
}

/* The table anew, from the list: a table forgets all or nothing. */
static void
keys_rebuild(struct exporters *x)
{
	table_clear(&x->by_key);
	for (uint32_t i = 0; i < atomic_load(&x->n); i++) {
		struct exporter *one = x->list[i];
		struct exporter_key key = { one->addr, one->domain,
			(uint32_t)one->kind };
		struct exporter_key first = { one->addr, 0,
			(uint32_t)one->kind + EXPORTER_KINDS };

		key_add(x, &key, one);
		key_add(x, &first, one->first);
	}
}

/*
 * Take some of those worth least out: many at once, since every worker must then look up
 * anew whom it knows. Under the lock; they are retired without. NULL when there are none.
 */
static struct exporter **
exporters_sift(struct exporters *x, uint32_t *n_gone)
{
	uint32_t n = atomic_load(&x->n), kept = 0, most = x->max / FORGET_SHARE + 1;
	struct candidate *found;
	struct exporter **gone;
	uint32_t n_found;

	*n_gone = 0;
	if (clock_mono() < x->full_until)
		return NULL;
	found = malloc(n * sizeof(*found));
	gone = malloc(n * sizeof(*gone));
	n_found = found != NULL && gone != NULL ? candidates_find(x, found) : 0;
	/* Looking at all of them for a few is not worth doing again at once. */
	if (n_found < most / 4)
		x->full_until = clock_mono() + (n_found != 0 ? CLOCK_S / 10 : CLOCK_S);
	if (n_found > most)
		n_found = most;
	*n_gone = n_found;
	if (n_found == 0) {
		free(found);
		free(gone);
		return NULL;
	}
	for (uint32_t i = 0; i < n_found; i++) {
		gone[i] = x->list[found[i].i];
		x->list[found[i].i] = NULL;
	}
	for (uint32_t i = 0; i < n; i++)
		if (x->list[i] != NULL)
			x->list[kept++] = x->list[i];
	atomic_store(&x->n, kept);
	atomic_fetch_add(&x->changes, 1);
	keys_rebuild(x);
	atomic_fetch_add(&x->forgotten, 1);
	log_limited(&x->limit,
	    "%u exporters forgotten to make room: they sent nothing "
	    "of use, or nothing for an hour",
	    n_found);
	free(found);
	return gone;
}

static void
exporter_drop(void *p)
{
	exporter_unref(p);
}

/* They are out of the registry; workers may still hold them until they are quiet. */
static void
exporters_retire(struct exporter_cache *c, struct exporter **gone, uint32_t n)
{
	if (gone == NULL)
		return;
	for (uint32_t i = 0; i < n; i++)
		rcu_defer(exporter_drop, gone[i]);
	free(gone);
	if (c->stats != NULL)
		stat_add(c->stats, STAT_EXPORTERS_FORGOTTEN, n);
}

void
exporters_forget(struct exporter_cache *c)
{
	struct exporter **gone;
	uint32_t n_gone;

	pthread_mutex_lock(&c->shared->lock);
	gone = exporters_sift(c->shared, &n_gone);
	pthread_mutex_unlock(&c->shared->lock);
	exporters_retire(c, gone, n_gone);
}

/* One more, which is not there. Under the lock. */
static struct exporter *
exporters_add(struct exporters *x, const struct exporter_key *key)
{
	uint32_t n = atomic_load(&x->n);
	struct exporter *one;

	if (n >= x->max || (one = exporter_new(x, key)) == NULL)
		return NULL;
	one->serial = ++x->serial;
	one->no = (uint32_t)(one->serial - 1);
	key_add(x, key, one);
	one->first = exporters_first(x, one);
	x->list[n] = one;
	atomic_store(&x->n, n + 1);
	atomic_fetch_add(&x->changes, 1);
	return one;
}

/* Look up in the registry, or add. The slow path: once per worker and exporter. */
static struct exporter *
exporters_get(struct exporter_cache *c, const struct exporter_key *key)
{
	struct exporters *x = c->shared;
	struct exporter *one, **gone = NULL;
	uint32_t n_gone = 0;
	uint8_t *at;

	pthread_mutex_lock(&x->lock);
	at = table_find(&x->by_key, key);
	if (at != NULL) {
		one = ((struct exporter_row *)(void *)at)->exporter;
	} else {
		if (atomic_load(&x->n) >= x->max)
			gone = exporters_sift(x, &n_gone);
		one = exporters_add(x, key);
	}
	pthread_mutex_unlock(&x->lock);
	exporters_retire(c, gone, n_gone);
	return one;
}

struct exporter *
exporter_get(struct exporter_cache *c, enum exporter_kind kind, const ip16_t *addr,
    uint32_t domain)
{
	struct exporter_key key = { *addr, domain, (uint32_t)kind };
	uint64_t forgotten =
	    atomic_load_explicit(&c->shared->forgotten, memory_order_acquire);
	const struct exporter_part *part;
	struct exporter *one;
	uint8_t *at;

	if (forgotten != c->forgotten) {
		table_clear(&c->table);
		c->forgotten = forgotten;
	}
	at = table_find(&c->table, &key);
	if (at != NULL) {
		one = ((struct exporter_row *)(void *)at)->exporter;
		/* Of ten thousand exporters none is in a cache: fetch all at once. */
		part = &one->parts[c->worker];
		__builtin_prefetch(one);
		__builtin_prefetch(one->room);
		__builtin_prefetch(part, 1);
		__builtin_prefetch(part->streams, 1);
		return one;
	}
	one = exporters_get(c, &key);
	if (one == NULL || table_upsert(&c->table, &key, 1, &at) != 0)
		return one;
	((struct exporter_row *)(void *)at)->exporter = one;
	return one;
}

uint32_t
exporters_count(const struct exporters *x)
{
	return atomic_load(&x->n);
}

struct exporter *
exporters_at(const struct exporters *x, uint32_t i)
{
	assert(i < exporters_count(x));
	return x->list[i];
}

uint64_t
exporters_changes(const struct exporters *x)
{
	return atomic_load(&x->changes);
}

struct exporter **
exporters_take(struct exporters *x, uint32_t *n)
{
	struct exporter **list;

	pthread_mutex_lock(&x->lock);
	*n = atomic_load(&x->n);
	list = malloc((*n + 1) * sizeof(*list));
	for (uint32_t i = 0; list != NULL && i < *n; i++) {
		list[i] = x->list[i];
		atomic_fetch_add(&list[i]->refs, 1);
	}
	pthread_mutex_unlock(&x->lock);
	return list;
}

void
exporters_give(struct exporter **list, uint32_t n)
{
	for (uint32_t i = 0; list != NULL && i < n; i++)
		exporter_unref(list[i]);
	free(list);
}

bool
exporter_interface(struct exporter *x, const struct interface_counters *c)
{
	struct iftable *t = atomic_load_explicit(&x->interfaces, memory_order_acquire);

	if (t == NULL) {
		pthread_mutex_lock(&x->lock);
		t = atomic_load(&x->interfaces);
		if (t == NULL) {
			t = iftable_new();
			atomic_store_explicit(&x->interfaces, t, memory_order_release);
		}
		pthread_mutex_unlock(&x->lock);
	}
	return t != NULL && iftable_put(t, c);
}

struct interface_counters *
exporter_interfaces(const struct exporter *x, uint32_t *n)
{
	const struct iftable *t =
	    atomic_load_explicit(&x->interfaces, memory_order_acquire);

	*n = 0;
	return t != NULL ? iftable_take(t, n) : NULL;
}

uint64_t
exporter_sum(const struct exporter *x, enum exporter_count i)
{
	uint64_t sum = 0;

	for (unsigned w = 0; w < x->n_parts; w++)
		sum += atomic_load_explicit(&x->parts[w].n[i], memory_order_relaxed);
	return sum;
}

uint64_t
exporter_last_seen(const struct exporter *x)
{
	uint64_t last = 0;

	for (unsigned w = 0; w < x->n_parts; w++) {
		uint64_t t =
		    atomic_load_explicit(&x->parts[w].last_seen, memory_order_relaxed);

		last = t > last ? t : last;
	}
	return last;
}

int32_t
exporter_skew_ms(const struct exporter *x)
{
	const struct exporter_part *latest = &x->parts[0];

	for (unsigned w = 1; w < x->n_parts; w++)
		if (atomic_load_explicit(&x->parts[w].last_seen, memory_order_relaxed) >
		    atomic_load_explicit(&latest->last_seen, memory_order_relaxed))
			latest = &x->parts[w];
	return atomic_load_explicit(&latest->skew_ms, memory_order_relaxed);
}

struct exporter_stream *
exporter_stream(struct exporter *x, unsigned worker, uint32_t key)
{
	struct exporter_stream *streams = x->parts[worker].streams, found;
	unsigned i = 0;

	while (i < EXPORTER_STREAMS - 1 && streams[i].key != key)
		i++;
	if (i == 0)
		return &streams[0];
	found = streams[i];
	if (found.key != key)
		found = (struct exporter_stream){ .key = key };
	memmove(&streams[1], &streams[0], i * sizeof(streams[0]));
	streams[0] = found;
	return &streams[0];
}

bool
exporter_restarted(struct exporter_stream *stream, uint32_t clock_s, uint32_t uptime_ms)
{
	/* Modulo 2^32, like the uptime: its wrap is no restart. */
	uint32_t boot = clock_s * 1000 - uptime_ms, later = boot - stream->boot_ms;
	bool restarted =
	    stream->boot_known && later > BOOT_SLACK_MS && later < INT32_MAX;

	stream->boot_ms = boot;
	stream->boot_known = true;
	return restarted;
}

struct sequence_step
exporter_sequence(struct exporter *x, unsigned worker, struct stats *stats,
    struct exporter_stream *stream, enum sequence_verdict verdict, uint32_t seq,
    uint32_t units, bool vague)
{
	struct sequence_step step =
	    sequence_take(&stream->sequence, verdict, seq, units, vague);
	const struct {
		enum exporter_count count;
		enum stat_no stat;
		uint32_t n;
	} counts[] = {
		{ EXPORTER_SEQUENCE_LOST, STAT_SEQUENCE_LOST, step.lost },
		{ EXPORTER_SEQUENCE_FOUND, STAT_SEQUENCE_FOUND, step.found },
		{ EXPORTER_SEQUENCE_LATE, STAT_SEQUENCE_LATE,
		    step.verdict == SEQUENCE_LATE },
		{ EXPORTER_SEQUENCE_DUPLICATES, STAT_SEQUENCE_DUPLICATES,
		    step.verdict == SEQUENCE_DUPLICATE },
		{ EXPORTER_SEQUENCE_RESETS, STAT_SEQUENCE_RESETS,
		    step.verdict == SEQUENCE_RESET },
	};

	if (step.verdict == SEQUENCE_NEXT || step.verdict == SEQUENCE_FIRST)
		return step;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		if (counts[i].n == 0)
			continue;
		exporter_add(x, worker, counts[i].count, counts[i].n);
		stat_add(stats, counts[i].stat, counts[i].n);
	}
	return step;
}
