/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/exporter.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"

/* The times in headers are rounded, and clocks are set: an exporter starts more slowly. */
#define BOOT_SLACK_MS 10000U

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
	pthread_mutex_t lock;            /* for writers of `by_key` and `list` */
	struct table by_key;
	struct exporter *_Atomic *list;
	_Atomic uint32_t n;
	uint64_t serial;                 /* the last one given */
	uint32_t max;
	unsigned workers;
	void (*state_free[EXPORTER_KINDS])(void *);
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
exporters_new(unsigned workers, uint32_t max,
    void (*const state_free[EXPORTER_KINDS])(void *))
{
	struct exporters *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return NULL;
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
exporter_free(struct exporters *x, struct exporter *one)
{
	void *state = atomic_load(&one->state);

	if (state != NULL && x->state_free[one->kind] != NULL)
		x->state_free[one->kind](state);
	pthread_mutex_destroy(&one->lock);
	free(one->parts);
	free(one);
}

void
exporters_free(struct exporters *x)
{
	if (x == NULL)
		return;
	for (uint32_t i = 0; i < exporters_count(x); i++)
		exporter_free(x, exporters_at(x, i));
	table_fini(&x->by_key);
	pthread_mutex_destroy(&x->lock);
	free(x->list);
	free(x);
}

int
exporter_cache_init(struct exporter_cache *c, struct exporters *x, struct err *e)
{
	c->shared = x;
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
	struct exporter *one = calloc(1, sizeof(*one));

	if (one == NULL)
		return NULL;
	one->parts = aligned_alloc(64, x->workers * sizeof(*one->parts));
	if (one->parts == NULL) {
		free(one);
		return NULL;
	}
	memset(one->parts, 0, x->workers * sizeof(*one->parts));
	for (unsigned i = 0; i < x->workers; i++)
		one->parts[i].limit = (struct log_limit)LOG_LIMIT_INIT;
	one->n_parts = x->workers;
	one->kind = (enum exporter_kind)key->kind;
	one->addr = key->addr;
	one->domain = key->domain;
	one->first_seen = clock_real();
	pthread_mutex_init(&one->lock, NULL);
	return one;
}

/*
 * The first exporter of the kind and address of `one`, which becomes it when there is
 * none yet. Such rows stand beside the exporters' own, under a kind that no exporter has.
 */
static struct exporter *
exporters_first(struct exporters *x, struct exporter *one)
{
	struct exporter_key key = { one->addr, 0, (uint32_t)one->kind + EXPORTER_KINDS };
	uint8_t *at = table_find(&x->by_key, &key);

	if (at != NULL)
		return ((struct exporter_row *)(void *)at)->exporter;
	if (table_upsert(&x->by_key, &key, 1, &at) == 0)
		((struct exporter_row *)(void *)at)->exporter = one;
	return one;
}

/* Look up in the registry, or add. The slow path: once per worker and exporter. */
static struct exporter *
exporters_get(struct exporters *x, const struct exporter_key *key)
{
	struct exporter *one = NULL;
	uint8_t *at;
	uint32_t n;

	pthread_mutex_lock(&x->lock);
	n = atomic_load(&x->n);
	at = table_find(&x->by_key, key);
	if (at != NULL) {
		one = ((struct exporter_row *)(void *)at)->exporter;
	} else if (n < x->max && (one = exporter_new(x, key)) != NULL) {
		one->no = n;
		one->serial = ++x->serial;
		(void)table_upsert(&x->by_key, key, 1, &at);
		((struct exporter_row *)(void *)at)->exporter = one;
		one->first = exporters_first(x, one);
		atomic_store(&x->list[n], one);
		atomic_store(&x->n, n + 1);
	}
	pthread_mutex_unlock(&x->lock);
	return one;
}

struct exporter *
exporter_get(struct exporter_cache *c, enum exporter_kind kind, const ip16_t *addr,
    uint32_t domain)
{
	struct exporter_key key = { *addr, domain, (uint32_t)kind };
	uint8_t *at = table_find(&c->table, &key);
	struct exporter *one;

	if (at != NULL)
		return ((struct exporter_row *)(void *)at)->exporter;
	one = exporters_get(c->shared, &key);
	if (one == NULL || table_upsert(&c->table, &key, 1, &at) != 0)
		return NULL;
	((struct exporter_row *)(void *)at)->exporter = one;
	return one;
}

uint32_t
exporters_count(const struct exporters *x)
{
	return atomic_load(&x->n);
}

struct exporter *
exporters_at(const struct exporters *x, uint32_t no)
{
	assert(no < exporters_count(x));
	return atomic_load(&x->list[no]);
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
		uint64_t t = atomic_load_explicit(&x->parts[w].last_seen, memory_order_relaxed);

		last = t > last ? t : last;
	}
	return last;
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
