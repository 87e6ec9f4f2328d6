/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/exporter.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"

/* A forward jump beyond this is taken for a restart of the exporter, not for loss. */
#define SEQUENCE_JUMP (1U << 24)

const char *const exporter_count_names[EXPORTER_N_COUNTS] = {
#define X(NAME, name) [EXPORTER_##NAME] = name,
	EXPORTER_COUNTS(X)
#undef X
};

struct exporters {
	pthread_mutex_t lock;            /* for writers of `by_key` and `list` */
	struct table by_key;
	struct exporter *_Atomic *list;
	_Atomic uint32_t n;
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
	        sizeof(struct exporter_row), max, NULL) != 0) {
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
		(void)table_upsert(&x->by_key, key, 1, &at);
		((struct exporter_row *)(void *)at)->exporter = one;
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

uint32_t
exporter_sequence(struct exporter *x, unsigned worker, uint32_t seq, uint32_t units)
{
	struct exporter_part *p = &x->parts[worker];
	uint32_t gap = seq - p->next_seq;
	uint32_t lost = 0;

	if (p->seq_known && gap != 0) {
		if (gap < SEQUENCE_JUMP) {
			lost = gap;
			exporter_add(x, worker, EXPORTER_SEQUENCE_LOST, gap);
		} else {
			exporter_add(x, worker, EXPORTER_SEQUENCE_RESETS, 1);
		}
	}
	p->seq_known = true;
	p->next_seq = seq + units;
	return lost;
}
