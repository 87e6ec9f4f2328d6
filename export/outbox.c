/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/outbox.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "proto/netflow.h"

#define V5_RECORDS  30U            /* of one datagram: Cisco's "NetFlow Services Solutions Guide" */
#define WAKE_AT     32U            /* datagrams that wake the sender; fewer do so at the next tick */
#define PATIENCE_NS (10 * CLOCK_S) /* at most, for a sender that waits itself */

static int
ring_init(struct parcel_ring *r, uint32_t n)
{
	r->mask = n - 1;
	r->list = calloc(n, sizeof(*r->list));
	return r->list != NULL ? 0 : -WEIR_ENOMEM;
}

/* There is always room: no more indexes exist than places. */
static void
ring_put(struct parcel_ring *r, uint16_t i)
{
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	r->list[tail & r->mask] = i;
	atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
}

static bool
ring_take(struct parcel_ring *r, uint16_t *i)
{
	uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	if (head == atomic_load_explicit(&r->tail, memory_order_acquire))
		return false;
	*i = r->list[head & r->mask];
	atomic_store_explicit(&r->head, head + 1, memory_order_release);
	return true;
}

static struct parcel *
parcel_at(const struct outbox *b, uint16_t i)
{
	return (struct parcel *)(void *)(b->memory + i * b->parcel_octets);
}

static uint16_t
parcel_index(const struct outbox *b, const struct parcel *p)
{
	return (uint16_t)((size_t)((const uint8_t *)p - b->memory) / b->parcel_octets);
}

int
outbox_init(struct outbox *b, const struct outbox_config *c, struct stats *stats,
    struct err *e)
{
	uint32_t n = 64;

	memset(b, 0, sizeof(*b));
	while (n < c->parcels)
		n *= 2;
	assert(n <= UINT16_MAX && c->lanes >= 1 && c->lanes <= OUTBOX_LANES_MAX);
	b->config = *c;
	b->stats = stats;
	atomic_init(&b->body_octets, c->body_octets);
	b->parcel_octets =
	    (sizeof(struct parcel) + MESSAGE_HEADER + c->body_octets + 63U) & ~(size_t)63U;
	/* Pages that no burst needs are never taken from the system. */
	b->memory = aligned_alloc(64, n * b->parcel_octets);
	if (b->memory == NULL || ring_init(&b->idle, n) != 0 || ring_init(&b->full, n) != 0)
		return err_set(e, WEIR_ENOMEM, "no memory for datagrams to send");
	for (uint32_t i = 0; i < n; i++)
		ring_put(&b->idle, (uint16_t)i);
	return 0;
}

void
outbox_fini(struct outbox *b)
{
	free(b->memory);
	free(b->idle.list);
	free(b->full.list);
	memset(b, 0, sizeof(*b));
}

bool
outbox_has_room(const struct outbox *b)
{
	return atomic_load_explicit(&b->idle.head, memory_order_relaxed) !=
	    atomic_load_explicit(&b->idle.tail, memory_order_acquire);
}

static bool
outbox_has_sets(const struct outbox *b)
{
	return !b->config.samples && b->config.version != ENCODE_V5;
}

/*
 * Begin a datagram, or one in which nothing is anew: the way may have become wider. Returns false
 * when there is no memory for it.
 */
static bool
parcel_open(struct outbox *b, unsigned lane, unsigned tmpl)
{
	struct parcel *p = b->open[lane][tmpl].parcel;
	struct wbuf *w = &b->open[lane][tmpl].w;
	uint16_t i;

	if (p == NULL) {
		if (!ring_take(&b->idle, &i))
			return false;
		p = parcel_at(b, i);
	}
	*p = (struct parcel){ .now = b->now, .lane = (uint8_t)lane };
	*w = wbuf_of(p->body + MESSAGE_HEADER,
	    atomic_load_explicit(&b->body_octets, memory_order_relaxed));
	if (outbox_has_sets(b))
		(void)wbuf_get(w, SET_HEADER);
	b->open[lane][tmpl].parcel = p;
	return true;
}

/* Tell a sender that sleeps; one that is awake looks again before it does. */
static void
sender_wake(const struct outbox *b)
{
	uint64_t one = 1;

	atomic_thread_fence(memory_order_seq_cst);
	if (b->config.asleep != NULL &&
	    atomic_load_explicit(b->config.asleep, memory_order_relaxed) &&
	    atomic_exchange(b->config.asleep, false))
		(void)!write(b->config.wake_fd, &one, sizeof(one));
}

/* The datagram is complete: its set gets a header, and it goes to the sender. */
static void
parcel_close(struct outbox *b, unsigned lane, unsigned tmpl)
{
	struct parcel *p = b->open[lane][tmpl].parcel;
	struct wbuf *w = &b->open[lane][tmpl].w;

	if (outbox_has_sets(b)) {
		struct wbuf head = wbuf_of(w->start, SET_HEADER);

		/* RFC 3954 s5.3: to a border of four octets, where there is room. */
		while (b->config.version == ENCODE_V9 && wbuf_len(w) % 4 != 0 &&
		    wbuf_left(w) > 0)
			wbuf_u8(w, 0);
		wbuf_u16(&head, outbox_template_id(tmpl));
		wbuf_u16(&head, (uint16_t)wbuf_len(w));
	}
	p->octets = (uint16_t)wbuf_len(w);
	p->now = b->now;
	b->open[lane][tmpl].parcel = NULL;
	ring_put(&b->full, parcel_index(b, p));
	if (outbox_waiting(b) >= WAKE_AT)
		sender_wake(b);
}

bool
outbox_put(struct outbox *b, unsigned lane, unsigned tmpl, const struct encode *layout,
    const uint8_t *from, const struct encode_env *env)
{
	struct parcel *p = b->open[lane][tmpl].parcel;
	struct wbuf *w = &b->open[lane][tmpl].w;

	if (p != NULL && p->records > 0 && encode_record(layout, from, env, w)) {
		if (++p->records == V5_RECORDS && b->config.version == ENCODE_V5)
			parcel_close(b, lane, tmpl);
		return true;
	}
	if (p != NULL && p->records > 0)
		parcel_close(b, lane, tmpl);
	if (!parcel_open(b, lane, tmpl)) {
		stat_add(b->stats, STAT_EXPORT_NO_ROOM, 1);
		return false;
	}
	if (!encode_record(layout, from, env, w)) { /* not even into an empty one */
		stat_add(b->stats, STAT_EXPORT_TOO_LONG, 1);
		return false;
	}
	b->open[lane][tmpl].parcel->records = 1;
	return true;
}

size_t
outbox_room(const struct outbox *b, size_t most)
{
	size_t room = atomic_load_explicit(&b->body_octets, memory_order_relaxed);

	return room < most ? room : most;
}

bool
outbox_append(struct outbox *b, const uint8_t *octets, size_t n)
{
	const struct parcel *p = b->open[0][0].parcel;
	bool fresh = p == NULL || p->records == 0;

	if (!fresh && wbuf_left(&b->open[0][0].w) < n) {
		parcel_close(b, 0, 0);
		fresh = true;
	}
	if (fresh && !parcel_open(b, 0, 0)) {
		stat_add(b->stats, STAT_EXPORT_NO_ROOM, 1);
		return false;
	}
	if (wbuf_left(&b->open[0][0].w) < n) { /* the way has become narrower just now */
		stat_add(b->stats, STAT_EXPORT_TOO_LONG, 1);
		return false;
	}
	wbuf_put(&b->open[0][0].w, octets, n);
	b->open[0][0].parcel->records++;
	return true;
}

void
outbox_wait(struct outbox *b)
{
	uint64_t until = 0;

	if (!b->config.patient)
		return;
	while (!outbox_has_room(b)) {
		uint64_t now = clock_mono();

		until = until != 0 ? until : now + PATIENCE_NS;
		b->weary |= now >= until;
		if (b->weary || (b->deadline != 0 && now >= b->deadline))
			return;
		nanosleep(&(struct timespec){ 0, 100000 }, NULL);
	}
	b->weary = false;
}

void
outbox_tick(struct outbox *b, uint64_t now, uint64_t linger)
{
	b->now = now;
	for (unsigned lane = 0; lane < b->config.lanes; lane++)
		for (unsigned t = 0; t < OUTBOX_TEMPLATES; t++) {
			const struct parcel *p = b->open[lane][t].parcel;

			/* A clock that was set back makes nothing wait. */
			if (p != NULL && p->records > 0 &&
			    (now < p->now || now - p->now >= linger))
				parcel_close(b, lane, t);
		}
	if (outbox_waiting(b) > 0)
		sender_wake(b);
}

void
outbox_flush(struct outbox *b)
{
	outbox_tick(b, b->now, 0);
}

struct parcel *
outbox_take(struct outbox *b)
{
	uint16_t i;

	return ring_take(&b->full, &i) ? parcel_at(b, i) : NULL;
}

void
outbox_give_back(struct outbox *b, struct parcel *p)
{
	ring_put(&b->idle, parcel_index(b, p));
}

void
outbox_fit(struct outbox *b, uint32_t octets)
{
	atomic_store_explicit(&b->body_octets,
	    octets < b->config.body_octets ? octets : b->config.body_octets,
	    memory_order_relaxed);
}

uint32_t
outbox_waiting(const struct outbox *b)
{
	return atomic_load_explicit(&b->full.tail, memory_order_relaxed) -
	    atomic_load_explicit(&b->full.head, memory_order_relaxed);
}
