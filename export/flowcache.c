/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/flowcache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "export/flowindex.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/pages.h"
#include "proto/biflow.h"

#define NONE       FLOWINDEX_NONE
#define LINE       64U               /* octets of a cache line */
#define SLOTS      512U              /* seconds that the wheel knows apart */
#define LOOKS      16U               /* rows that are looked at to find the oldest */
#define TICK_ROWS  8192U             /* that may leave in one tick */
#define AHEAD_NS   (3600 * CLOCK_S)  /* a flow that was seen that far ahead: the clock was set */

enum { FREE = SLOTS }; /* the slot of a row that is not in use */
enum { FIN_THERE = 1, FIN_BACK = 2, FIN_BOTH = 3, MIRRORED = 4 };
enum { TCP_FIN = 1, TCP_RST = 4 };
enum { PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_UDP = 17, PROTO_ICMP6 = 58 };

/* Which timeout holds. */
enum flow_class { CLASS_TCP, CLASS_RST, CLASS_FIN, CLASS_UDP, CLASS_ICMP, CLASS_GENERAL,
	CLASSES };

struct cached {
	uint32_t hash;
	uint32_t before, after; /* in its slot; `after`, too, among the free */
	uint16_t slot;
	uint8_t class;
	uint8_t flags;          /* FIN_..., as seen; MIRRORED: its first packet went back */
	uint64_t first, last;
	uint64_t row[];         /* then, of biflows, struct back; and then the class */
};

struct back {
	uint64_t packets, octets, first, last, flags;
};

struct list {
	uint32_t head, tail;
};

struct flowcache {
	struct flowcache_config config;
	uint64_t idle[CLASSES], maxlife; /* ns */
	uint8_t *rows;
	size_t row_octets, back_at, class_at;
	struct flowindex index;
	uint32_t n, top, unused;   /* rows in use, ever used; the free ones */
	struct list slots[SLOTS];
	uint64_t filled[SLOTS / 64]; /* a bit for each slot that is not empty */
	uint64_t now;              /* of the last tick */
	uint64_t second;           /* whose slot is looked at: those before it are done */
	unsigned n_pairs;
	struct {
		uint16_t a, b, octets;
	} pairs[32];               /* members that change places in the other direction */
	struct flow mirrored[FLOW_BATCH];
	bool turned[FLOW_BATCH];
	uint64_t keys[FLOW_BATCH * ROWSPEC_MAX_KEY / 8 + 1];
};

static struct cached *
cached_at(const struct flowcache *c, uint32_t i)
{
	return (struct cached *)(void *)(c->rows + (size_t)i * c->row_octets);
}

static void
cached_prefetch(const struct flowcache *c, uint32_t i)
{
	const uint8_t *row = (const uint8_t *)cached_at(c, i);

	for (size_t at = 0; at < c->row_octets; at += LINE)
		__builtin_prefetch(row + at, 1);
}

static uint32_t
cached_no(const struct flowcache *c, const struct cached *f)
{
	return (uint32_t)((size_t)((const uint8_t *)f - c->rows) / c->row_octets);
}

static struct back *
back_of(const struct flowcache *c, const struct cached *f)
{
	return (struct back *)(void *)((uint8_t *)(uintptr_t)f + c->back_at);
}

/* The class of `f`, where the cache keeps it. */
static uint32_t *
class_of_row(const struct flowcache *c, const struct cached *f)
{
	return (uint32_t *)(void *)((uint8_t *)(uintptr_t)f + c->class_at);
}

/* Which members of the key have a mirror in it. */
static void
pairs_find(struct flowcache *c)
{
	for (int i = 0; i < FIELD_COUNT; i++) {
		enum field_no no = (enum field_no)i, mirror = biflow_mirror(no);

		if (mirror <= no || !field_set_has(&c->config.rs->set, no))
			continue;
		assert(c->n_pairs < sizeof(c->pairs) / sizeof(c->pairs[0]));
		c->pairs[c->n_pairs].a = fields[no].offset;
		c->pairs[c->n_pairs].b = fields[mirror].offset;
		c->pairs[c->n_pairs++].octets = fields[no].octets;
	}
}

struct flowcache *
flowcache_new(const struct flowcache_config *config, struct err *e)
{
	const struct flowcache_timeouts *t = &config->timeouts;
	struct flowcache *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for flows");
		return NULL;
	}
	c->config = *config;
	c->idle[CLASS_TCP] = t->tcp * CLOCK_S;
	c->idle[CLASS_RST] = t->tcp_rst * CLOCK_S;
	c->idle[CLASS_FIN] = t->tcp_fin * CLOCK_S;
	c->idle[CLASS_UDP] = t->udp * CLOCK_S;
	c->idle[CLASS_ICMP] = t->icmp * CLOCK_S;
	c->idle[CLASS_GENERAL] = t->general * CLOCK_S;
	c->maxlife = t->maxlife * CLOCK_S;
	c->back_at = sizeof(struct cached) + config->rs->row_octets;
	c->class_at = c->back_at + (config->biflow ? sizeof(struct back) : 0);
	/* In whole cache lines: a look touches as few as there can be. */
	c->row_octets = (c->class_at + (config->classes ? sizeof(uint64_t) : 0) + LINE - 1) /
	    LINE * LINE;
	c->rows = pages_get(c->row_octets * config->max_flows);
	if (flowindex_init(&c->index) != 0 || c->rows == NULL) {
		flowcache_free(c);
		err_set(e, WEIR_ENOMEM, "no memory for %u flows", config->max_flows);
		return NULL;
	}
	for (unsigned i = 0; i < SLOTS; i++)
		c->slots[i] = (struct list){ NONE, NONE };
	c->unused = NONE;
	if (config->biflow)
		pairs_find(c);
	return c;
}

void
flowcache_free(struct flowcache *c)
{
	if (c == NULL)
		return;
	flowindex_fini(&c->index);
	pages_free(c->rows, c->row_octets * c->config.max_flows);
	free(c);
}

uint32_t
flowcache_count(const struct flowcache *c)
{
	return c->n;
}

/* When it leaves if nothing comes any more. */
static uint64_t
cached_deadline(const struct flowcache *c, const struct cached *f)
{
	uint64_t idle = f->last + c->idle[f->class], active = f->first + c->maxlife;

	return idle < active ? idle : active;
}

static void
slot_add(struct flowcache *c, struct cached *f, unsigned slot)
{
	struct list *l = &c->slots[slot];
	uint32_t no = cached_no(c, f);

	f->slot = (uint16_t)slot;
	f->before = l->tail;
	f->after = NONE;
	if (l->tail != NONE)
		cached_at(c, l->tail)->after = no;
	else
		l->head = no;
	l->tail = no;
	c->filled[slot / 64] |= UINT64_C(1) << slot % 64;
}

static void
slot_remove(struct flowcache *c, const struct cached *f)
{
	struct list *l = &c->slots[f->slot];

	if (f->before != NONE)
		cached_at(c, f->before)->after = f->after;
	else
		l->head = f->after;
	if (f->after != NONE)
		cached_at(c, f->after)->before = f->before;
	else
		l->tail = f->before;
	if (l->head == NONE)
		c->filled[f->slot / 64] &= ~(UINT64_C(1) << f->slot % 64);
}

/* Put it where its time is; what is farther away than the wheel is long comes round again. */
static void
cached_wait(struct flowcache *c, struct cached *f)
{
	uint64_t second = cached_deadline(c, f) / CLOCK_S + 1;

	if (second <= c->second)
		second = c->second + 1;
	else if (second >= c->second + SLOTS)
		second = c->second + SLOTS - 1;
	slot_add(c, f, (unsigned)(second % SLOTS));
}

/* It leaves. */
static void
cached_leave(struct flowcache *c, struct cached *f, enum flowcache_reason reason)
{
	struct flowcache_flow out = { .row = (const uint8_t *)f->row,
		.first = f->first,
		.last = f->last,
		.mirrored = (f->flags & MIRRORED) != 0,
		.reason = reason };

	if (c->config.biflow) {
		const struct back *b = back_of(c, f);

		out.back_packets = b->packets;
		out.back_octets = b->octets;
		out.back_first = b->first;
		out.back_last = b->last;
		out.back_flags = (uint16_t)b->flags;
	}
	if (c->config.classes)
		out.class_id = *class_of_row(c, f);
	if (rowspec_sums(c->config.rs, (uint8_t *)f->row)->flows == 0)
		rowspec_sums(c->config.rs, (uint8_t *)f->row)->flows = 1;
	slot_remove(c, f);
	flowindex_remove(&c->index, f->hash, cached_no(c, f));
	c->config.leave(c->config.arg, &out);
	f->slot = FREE;
	f->after = c->unused;
	c->unused = cached_no(c, f);
	c->n--;
}

static enum flowcache_reason
reason_of(const struct flowcache *c, const struct cached *f, uint64_t now)
{
	if (f->class == CLASS_RST || f->class == CLASS_FIN)
		return FLOWCACHE_ENDED;
	return now >= f->last + c->idle[f->class] ? FLOWCACHE_IDLE : FLOWCACHE_ACTIVE;
}

/* The first slot that comes round and is not empty; there is one. */
static unsigned
slot_first(const struct flowcache *c)
{
	unsigned from = (unsigned)(c->second % SLOTS);

	for (unsigned k = 0; k <= SLOTS / 64; k++) {
		unsigned word = (from / 64 + k) % (SLOTS / 64);
		uint64_t bits = c->filled[word];

		if (k == 0)
			bits &= UINT64_MAX << from % 64;
		if (bits != 0)
			return word * 64 + (unsigned)__builtin_ctzll(bits);
	}
	assert(false && "rows are in no slot");
	return 0;
}

/* Make room: of some that would leave first, the one that does. */
static void
oldest_leaves(struct flowcache *c)
{
	struct cached *oldest = NULL;

	for (unsigned k = 0; k < LOOKS; k++) {
		unsigned slot = slot_first(c);
		struct cached *f = cached_at(c, c->slots[slot].head);
		uint64_t deadline = cached_deadline(c, f);

		if (oldest == NULL || deadline < cached_deadline(c, oldest))
			oldest = f;
		if (deadline / CLOCK_S <= c->second || (deadline / CLOCK_S + 1) % SLOTS == slot)
			break; /* it stands where it belongs: none is older */
		slot_remove(c, f);
		cached_wait(c, f);
		if (f->slot == slot)
			break;
	}
	cached_leave(c, oldest, FLOWCACHE_FULL);
}

static enum flow_class
class_of(uint8_t proto)
{
	switch (proto) {
	case PROTO_TCP:
		return CLASS_TCP;
	case PROTO_UDP:
		return CLASS_UDP;
	case PROTO_ICMP:
	case PROTO_ICMP6:
		return CLASS_ICMP;
	default:
		return CLASS_GENERAL;
	}
}

/* A larger index, where memory allows. */
static void
index_grow(struct flowcache *c)
{
	if (!flowindex_double(&c->index))
		return;
	for (uint32_t i = 0; i < c->top; i++)
		if (cached_at(c, i)->slot != FREE)
			flowindex_put(&c->index, cached_at(c, i)->hash, i);
}

static struct cached *
cached_new(struct flowcache *c, const uint8_t *key, uint32_t hash)
{
	const struct rowspec *rs = c->config.rs;
	struct cached *f;

	if (flowindex_is_full(&c->index))
		index_grow(c);
	if (c->n == c->config.max_flows || c->n >= c->index.room)
		oldest_leaves(c);
	if (c->unused != NONE) {
		f = cached_at(c, c->unused);
		c->unused = f->after;
	} else {
		f = cached_at(c, c->top++);
	}
	c->n++;
	memset(f, 0, c->row_octets);
	f->hash = hash;
	memcpy(f->row, key, rs->key_octets);
	flowindex_put(&c->index, hash, cached_no(c, f));
	return f;
}

/* From when to when it was seen. */
static void
seen(const struct flow *x, uint64_t *start, uint64_t *end)
{
	*start = x->timestamp_start != 0 ? x->timestamp_start : x->stamp;
	*end = x->timestamp_end > *start ? x->timestamp_end : *start;
}

/* TCP says that it ends: from now on another timeout holds, unless it holds already. */
static void
cached_end(struct flowcache *c, struct cached *f, const struct flow *x, bool back)
{
	uint8_t class = f->class;

	if ((x->tcp_flags & TCP_RST) != 0)
		class = CLASS_RST;
	if ((x->tcp_flags & TCP_FIN) != 0)
		f->flags |= back ? FIN_BACK : FIN_THERE;
	if (class == CLASS_TCP && ((f->flags & FIN_BOTH) == FIN_BOTH ||
	        ((f->flags & FIN_BOTH) != 0 && !c->config.biflow)))
		class = CLASS_FIN;
	if (class == f->class)
		return;
	f->class = class;
	slot_remove(c, f);
	cached_wait(c, f);
}

/* Whoever knows it has the last word. */
static void
cached_classify(const struct flowcache *c, struct cached *f, const struct flow *x)
{
	uint32_t *class_id = class_of_row(c, f);

	if (*class_id == 0 || x->class_id != c->config.unknown_class)
		*class_id = x->class_id;
}

static void
cached_count(struct flowcache *c, struct cached *f, const struct flow *x, bool turned,
    uint64_t start, uint64_t end)
{
	bool back = turned != ((f->flags & MIRRORED) != 0);

	if (end > f->last)
		f->last = end;
	if (start < f->first)
		f->first = start;
	if (c->config.classes)
		cached_classify(c, f, x);
	if (back) {
		struct back *b = back_of(c, f);

		b->packets += x->packets;
		b->octets += x->bytes;
		b->flags |= x->tcp_flags;
		b->first = b->first == 0 || start < b->first ? start : b->first;
		b->last = end > b->last ? end : b->last;
	} else {
		rowspec_add(c->config.rs, (uint8_t *)f->row, x);
	}
	if ((x->tcp_flags & (TCP_FIN | TCP_RST)) != 0 && x->proto == PROTO_TCP)
		cached_end(c, f, x, back);
}

static inline bool
key_equal(const void *a, const void *b, uint32_t octets)
{
	/* The 5-tuple: of a constant length it is a few wide comparisons. */
	return octets == 40 ? memcmp(a, b, 40) == 0 : memcmp(a, b, octets) == 0;
}

struct sought {
	const struct flowcache *cache;
	const uint8_t *key;
};

static bool
is_sought(const void *arg, uint32_t no)
{
	const struct sought *s = arg;

	return key_equal(cached_at(s->cache, no)->row, s->key, s->cache->config.rs->key_octets);
}

/* The row of `key`; `guess` is probably its number, or was when the batch began. */
static struct cached *
cached_find(const struct flowcache *c, const uint8_t *key, uint32_t hash, uint32_t guess)
{
	const struct sought sought = { c, key };
	struct cached *f = guess != NONE ? cached_at(c, guess) : NULL;

	if (f != NULL && f->slot != FREE && key_equal(f->row, key, c->config.rs->key_octets))
		return f;
	guess = flowindex_find(&c->index, hash, is_sought, &sought);
	return guess != NONE ? cached_at(c, guess) : NULL;
}

static void
flow_count(struct flowcache *c, const struct flow *x, bool turned, const uint8_t *key,
    uint32_t hash, uint32_t guess)
{
	struct cached *f = cached_find(c, key, hash, guess);
	uint64_t start, end;

	seen(x, &start, &end);
	/* Its time had come before this one did, though nobody has looked yet. */
	if (f != NULL && start >= f->last && start >= cached_deadline(c, f) &&
	    start > f->first) {
		cached_leave(c, f, reason_of(c, f, start));
		f = NULL;
	}
	if (f == NULL) {
		f = cached_new(c, key, hash);
		f->first = start;
		f->last = end;
		f->flags = turned ? MIRRORED : 0;
		f->class = (uint8_t)class_of(x->proto);
		cached_wait(c, f);
	}
	cached_count(c, f, x, turned, start, end);
}

static void
flow_turn(const struct flowcache *c, struct flow *f)
{
	uint8_t *at = (uint8_t *)f, other[sizeof(custom_t)];

	for (unsigned i = 0; i < c->n_pairs; i++) {
		memcpy(other, at + c->pairs[i].a, c->pairs[i].octets);
		memcpy(at + c->pairs[i].a, at + c->pairs[i].b, c->pairs[i].octets);
		memcpy(at + c->pairs[i].b, other, c->pairs[i].octets);
	}
}

/* Both directions have one key: that in which the lower address and port are the source. */
static const struct flow *
flows_turn(struct flowcache *c, const struct flow *flows, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct flow *f = &flows[i];
		int order = memcmp(&f->src_host, &f->dst_host, sizeof(f->src_host));

		c->turned[i] = order > 0 || (order == 0 && f->src_port > f->dst_port);
		memcpy(&c->mirrored[i], f, c->config.flow_octets);
		if (c->turned[i])
			flow_turn(c, &c->mirrored[i]);
	}
	return c->mirrored;
}

/* Put the keys of `flows` into c->keys. Returns the flows, turned as their rows are. */
static const struct flow *
flows_pack(struct flowcache *c, const struct flow *flows, unsigned n)
{
	static const uint16_t bins[FLOW_BATCH];

	assert(n <= FLOW_BATCH);
	if (c->config.biflow)
		flows = flows_turn(c, flows, n);
	rowspec_pack(c->config.rs, flows, bins, n, (uint8_t *)c->keys);
	return flows;
}

void
flowcache_learn(struct flowcache *c, const struct flow *flows, unsigned n)
{
	const struct rowspec *rs = c->config.rs;
	const uint8_t *keys = (const uint8_t *)c->keys;

	if (!c->config.classes)
		return;
	flows = flows_pack(c, flows, n);
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *key = keys + i * rs->key_octets;
		uint32_t hash = (uint32_t)hash_seeded(key, rs->key_octets);
		struct cached *f = cached_find(c, key, hash, NONE);

		if (f != NULL)
			cached_classify(c, f, &flows[i]);
	}
}

void
flowcache_feed(struct flowcache *c, const struct flow *flows, unsigned n)
{
	const struct rowspec *rs = c->config.rs;
	const uint8_t *keys = (const uint8_t *)c->keys;
	uint32_t hashes[FLOW_BATCH], guesses[FLOW_BATCH];

	flows = flows_pack(c, flows, n);
	hash_seeded_many(keys, rs->key_octets, n, hashes);
	for (unsigned i = 0; i < n; i++)
		flowindex_prefetch(&c->index, hashes[i]);
	for (unsigned i = 0; i < n; i++) {
		guesses[i] = flowindex_guess(&c->index, hashes[i]);
		if (guesses[i] != NONE)
			cached_prefetch(c, guesses[i]);
	}
	for (unsigned i = 0; i < n; i++)
		flow_count(c, &flows[i], c->turned[i], keys + i * rs->key_octets, hashes[i],
		    guesses[i]);
}

/* Whether the time of `f` has come. */
static bool
cached_is_due(const struct flowcache *c, const struct cached *f)
{
	return cached_deadline(c, f) <= c->now ||
	    (f->last > c->now && f->last - c->now > AHEAD_NS);
}

bool
flowcache_tick(struct flowcache *c, uint64_t now)
{
	uint64_t second = now / CLOCK_S;

	if (c->second == 0 || second < c->second || second - c->second > SLOTS)
		c->second = second > SLOTS ? second - SLOTS : 0; /* all slots come round once */
	c->now = now;
	for (unsigned rows = 0; rows < TICK_ROWS;) {
		struct list *l = &c->slots[c->second % SLOTS];
		struct cached *f;

		if (l->head == NONE) {
			if (c->second == second)
				return false;
			c->second++;
			continue;
		}
		f = cached_at(c, l->head);
		rows++;
		if (cached_is_due(c, f)) {
			cached_leave(c, f, reason_of(c, f, now));
			continue;
		}
		slot_remove(c, f);
		cached_wait(c, f);
	}
	return true;
}

void
flowcache_flush(struct flowcache *c)
{
	for (unsigned slot = 0; slot < SLOTS; slot++)
		while (c->slots[slot].head != NONE)
			cached_leave(c, cached_at(c, c->slots[slot].head), FLOWCACHE_FORCED);
}
