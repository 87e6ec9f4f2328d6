/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/template_pool.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"

#define BUCKETS_MIN 64U

struct shared {
	struct shared *next; /* in its bucket */
	uint64_t hash;
	uint32_t users;
	struct field_set needed; /* as it was asked for */
	struct template *template;
};

static struct {
	pthread_mutex_t lock;
	struct shared **buckets;
	uint32_t n_buckets; /* a power of two, or 0 */
	uint32_t n;
	uint64_t octets;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER };

static uint64_t
shared_hash(unsigned kind, uint16_t id, const uint8_t *specs, size_t octets)
{
	return hash_seeded(specs, octets) ^
	       ((uint64_t)kind << 16 | id) * UINT64_C(0x9e3779b97f4a7c15);
}

static struct shared **
bucket_of(uint64_t hash)
{
	return &pool.buckets[hash & (pool.n_buckets - 1)];
}

static struct shared *
shared_find(const struct template_def *d, const struct field_set *needed, uint64_t hash)
{
	struct shared *s = pool.n_buckets != 0 ? *bucket_of(hash) : NULL;

	for (; s != NULL; s = s->next)
		if (s->hash == hash && s->template->id == d->id &&
		    template_same(s->template, d) &&
		    memcmp(&s->needed, needed, sizeof(*needed)) == 0)
			return s;
	return NULL;
}

/* As many buckets as there are templates, or fewer while memory is short. */
static void
buckets_grow(void)
{
	struct shared **old = pool.buckets, **wider;
	uint32_t n_old = pool.n_buckets, n = n_old != 0 ? n_old * 2 : BUCKETS_MIN;

	if (pool.n < n_old || (wider = calloc(n, sizeof(*wider))) == NULL)
		return;
	pool.buckets = wider;
	pool.n_buckets = n;
	for (uint32_t i = 0; i < n_old; i++) {
		while (old[i] != NULL) {
			struct shared *s = old[i], **bucket = bucket_of(s->hash);

			old[i] = s->next;
			s->next = *bucket;
			*bucket = s;
		}
	}
	free(old);
}

static struct shared *
shared_add(const struct template_def *d, const struct field_set *needed, uint64_t hash)
{
	struct shared *s = calloc(1, sizeof(*s));
	struct template *t = s != NULL ? template_new(d, needed) : NULL;

	buckets_grow();
	if (t == NULL || pool.n_buckets == 0 ||
	    pool.octets + t->octets > TEMPLATE_POOL_OCTETS) {
		template_free(t);
		free(s);
		return NULL;
	}
	s->hash = hash;
	s->needed = *needed;
	s->template = t;
	s->next = *bucket_of(hash);
	*bucket_of(hash) = s;
	pool.n++;
	pool.octets += t->octets;
	return s;
}

struct template *
template_pool_get(const struct template_def *d, const struct field_set *needed)
{
	uint64_t hash = shared_hash(d->kind, d->id, d->fields, d->fields_octets);
	struct shared *s;

	pthread_mutex_lock(&pool.lock);
	s = shared_find(d, needed, hash);
	if (s == NULL)
		s = shared_add(d, needed, hash);
	if (s != NULL)
		s->users++;
	pthread_mutex_unlock(&pool.lock);
	return s != NULL ? s->template : NULL;
}

/* Out of the pool with it, whose last user has gone. */
static void
shared_remove(struct shared **at)
{
	struct shared *s = *at;

	*at = s->next;
	pool.n--;
	pool.octets -= s->template->octets;
	template_free(s->template);
	free(s);
	if (pool.n == 0) {
		free(pool.buckets);
		pool.buckets = NULL;
		pool.n_buckets = 0;
	}
}

void
template_pool_put(struct template *t)
{
	struct shared **at;

	if (t == NULL)
		return;
	pthread_mutex_lock(&pool.lock);
	at = bucket_of(shared_hash(t->kind, t->id, t->fields, t->fields_octets));
	while (*at != NULL && (*at)->template != t)
		at = &(*at)->next;
	assert(*at != NULL);
	if (--(*at)->users == 0)
		shared_remove(at);
	pthread_mutex_unlock(&pool.lock);
}

uint64_t
template_pool_octets(void)
{
	uint64_t octets;

	pthread_mutex_lock(&pool.lock);
	octets = pool.octets;
	pthread_mutex_unlock(&pool.lock);
	return octets;
}
