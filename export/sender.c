/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/sender.h"

#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/delivery.h"
#include "export/peer.h"
#include "export/target.h"
#include "lib/clock.h"
#include "lib/thread.h"

#define BATCH        PEER_BATCH
#define BATCH_OCTETS (STREAM_BUFFER / 4)
#define IDLE_MS      1000
#define AWAIT_MS     100             /* between two looks at what is awaited */
#define MEASURE_NS   CLOCK_S         /* between two looks at how wide the ways are */
#define PATIENCE_NS  (3 * CLOCK_S)   /* for a connection where nothing moves, or a name */

/* Receivers, and a peer for each, in their order. */
struct peers {
	struct receivers *receivers; /* borrowed */
	unsigned n;
	struct peer *list;
	struct pollfd *fds;          /* scratch: one for each, and one */
};

struct sender {
	struct output *output;
	struct sender_config config;
	struct peers peers;
	struct peers *_Atomic renewed; /* those to take from now on, of the main thread */
	sem_t taken;                 /* they are */
	pthread_t thread;
	bool running;
	_Atomic bool stop, patient;
	uint64_t began;              /* mono ns */
	uint64_t looked;             /* when delivery was looked at last, mono ns */
	uint64_t measured;           /* when the ways were measured last, mono ns; 0: never */
	_Atomic uint64_t until;      /* nothing is awaited later, mono ns; 0: always */
	struct parcel *batch[BATCH];
	struct outbox *from[BATCH];
	unsigned n;
	unsigned turn;               /* the outbox to begin with */
	struct output_result result; /* not yet counted */
};

unsigned
sender_copies(const struct receivers *r)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n_pools; i++)
		n += r->pools[i].balance == BALANCE_NONE ? r->pools[i].n : 1;
	return n;
}

unsigned
sender_lanes(const struct receivers *r)
{
	unsigned lanes = 1;

	for (unsigned i = 0; i < r->n_pools; i++) {
		unsigned n = r->pools[i].n, times = 1;

		if (r->pools[i].balance != BALANCE_HASH_AGENT &&
		    r->pools[i].balance != BALANCE_HASH)
			continue;
		if (n == 0 || n > OUTBOX_LANES_MAX)
			return 0;
		while (lanes * times % n != 0)
			times++;
		lanes *= times;
		if (lanes > OUTBOX_LANES_MAX)
			return 0;
	}
	return lanes;
}

static void
give(struct sender *s, struct peer *p, uint64_t mask, uint64_t mono)
{
	peer_give(p, &s->config, s->batch, mask, mono, &s->result);
}

static void
pool_give(struct sender *s, struct pool *pool, struct peer *peers, uint64_t mono)
{
	uint64_t all = UINT64_MAX >> (BATCH - s->n);
	uint64_t masks[OUTBOX_LANES_MAX] = { 0 };

	switch (pool->balance) {
	case BALANCE_NONE:
		for (unsigned k = 0; k < pool->n; k++)
			give(s, &peers[k], all, mono);
		return;
	case BALANCE_FAILOVER:
		peers_failover(peers, pool->n, &s->config, s->batch, all, mono, &s->result);
		return;
	case BALANCE_RR:
	case BALANCE_HASH:
	case BALANCE_HASH_AGENT:
	case BALANCE_HASH_TAG: /* of datagrams alone */
		break;
	}
	if (pool->balance == BALANCE_RR) {
		unsigned turn = atomic_fetch_add_explicit(&pool->turn, 1, memory_order_relaxed);

		give(s, &peers[turn % pool->n], all, mono);
		return;
	}
	for (unsigned i = 0; i < s->n; i++)
		masks[s->batch[i]->lane % pool->n] |= UINT64_C(1) << i;
	for (unsigned k = 0; k < pool->n; k++)
		if (masks[k] != 0)
			give(s, &peers[k], masks[k], mono);
}

/* The longest IP packet that all receivers get, as far as is known. */
static uint32_t
ways_mtu(const struct receivers *r)
{
	uint32_t mtu = MESSAGE_MTU_MAX;

	for (unsigned i = 0; i < r->n_pools; i++)
		for (unsigned k = 0; k < r->pools[i].n; k++) {
			uint32_t one = target_mtu(r->pools[i].targets[k]);

			if (one >= MESSAGE_MTU_MIN && one < mtu)
				mtu = one;
		}
	return mtu;
}

/*
 * What is begun from now on fits into the narrowest way, as far as is known: the kernel learns
 * of it by ICMP, divides what is too long without a word, and forgets what it learnt after a
 * while, when longer ones are tried again (RFC 1191 s6.3). TCP sees to that itself.
 */
static void
ways_measure(struct sender *s, uint64_t mono)
{
	const struct sender_config *c = &s->config;
	bool due = s->measured == 0 || mono - s->measured >= MEASURE_NS;
	uint32_t mtu, room;

	for (unsigned i = 0; i < s->peers.n; i++)
		due |= peer_was_too_long(&s->peers.list[i]);
	if (c->stream || !due)
		return;
	s->measured = mono;
	mtu = ways_mtu(s->peers.receivers);
	room = c->sflow != NULL ? message_sflow_room(mtu)
	                        : message_room(c->message.version, mtu);
	for (unsigned i = 0; i < c->n_outboxes; i++)
		outbox_fit(&c->outboxes[i], room);
}

static void
batch_send(struct sender *s)
{
	const struct receivers *r = s->peers.receivers;
	uint64_t mono = clock_mono();
	unsigned first = 0;

	for (unsigned i = 0; i < r->n_pools; first += r->pools[i].n, i++)
		if (r->pools[i].n > 0)
			pool_give(s, &r->pools[i], &s->peers.list[first], mono);
	ways_measure(s, mono);
	for (unsigned i = 0; i < s->n; i++)
		outbox_give_back(s->from[i], s->batch[i]);
	s->n = 0;
}

/* Count what became of records. */
static void
result_count(struct sender *s)
{
	if (s->result.rows == 0)
		return;
	output_count(s->output, &s->result);
	if (s->result.written > 0)
		atomic_store_explicit(&s->output->last_success, clock_real(),
		    memory_order_relaxed);
	s->result = (struct output_result){ 0 };
}

/* Once a second, or `now`, see whether what is sent reaches anybody. */
static void
sender_look(struct sender *s, bool now)
{
	uint64_t mono = clock_mono();

	if (!now && mono - s->looked < DELIVERY_NS)
		return;
	s->looked = mono;
	delivery_look(s->output, s->peers.receivers);
}

/* Whether `p` may go before `earlier`, which is shorter, and have its number. */
static bool
parcel_overtakes(const struct parcel *p, const struct parcel *earlier)
{
	/* Headers tell the second, which does not go back. */
	return p->octets > earlier->octets && p->now / CLOCK_S == earlier->now / CLOCK_S;
}

/*
 * Let those of one length stand together, as they go together then (train.h): a datagram
 * holds records of one template, and those of another are of another length.
 */
static void
batch_sort(struct sender *s)
{
	for (unsigned i = 1; i < s->n; i++) {
		struct parcel *p = s->batch[i];
		struct outbox *from = s->from[i];
		unsigned k = i;

		for (; k > 0 && parcel_overtakes(p, s->batch[k - 1]); k--) {
			s->batch[k] = s->batch[k - 1];
			s->from[k] = s->from[k - 1];
		}
		s->batch[k] = p;
		s->from[k] = from;
	}
}

/* Take a batch out of the outboxes, each time from another one first, and send it. */
static bool
outboxes_empty(struct sender *s)
{
	uint32_t waiting = 0, octets = 0;

	for (unsigned i = 0; i < s->config.n_outboxes; i++) {
		struct outbox *b = &s->config.outboxes[(s->turn + i) % s->config.n_outboxes];
		struct parcel *p;

		waiting += outbox_waiting(b);
		while (s->n < BATCH && octets < BATCH_OCTETS && (p = outbox_take(b)) != NULL) {
			octets += p->octets;
			if (s->config.sflow != NULL)
				sflow_samples_number(&s->config.sflow->numbering,
				    p->body + MESSAGE_HEADER, p->octets, p->records);
			s->from[s->n] = b;
			s->batch[s->n++] = p;
		}
	}
	s->turn++;
	atomic_store_explicit(&s->output->queued, waiting, memory_order_relaxed);
	if (s->n == 0)
		return false;
	if (s->config.sflow == NULL) /* its samples have their numbers */
		batch_sort(s);
	batch_send(s);
	return true;
}

/* Connections come and go; what they could not take goes on. */
static void
peers_turn(struct sender *s)
{
	for (unsigned i = 0; i < s->peers.n; i++)
		peer_turn(&s->peers.list[i], &s->result);
}

/* What to poll of connections, into peers.fds from `n` on. Returns how many there are then. */
static nfds_t
peers_poll(struct sender *s, nfds_t n)
{
	for (unsigned i = 0; i < s->peers.n; i++)
		if (s->peers.list[i].stream != NULL &&
		    stream_poll(s->peers.list[i].stream, &s->peers.fds[n]))
			n++;
	return n;
}

/* Whether `p` has not yet an address, or is behind by more than `octets`, and may catch up. */
static bool
peer_is_awaited(const struct sender *s, const struct peer *p, size_t octets, uint64_t mono)
{
	if (atomic_load(&p->target->fd) == -1)
		return mono < s->began + PATIENCE_NS;
	return p->stream != NULL && stream_is_awaited(p->stream, octets, mono, PATIENCE_NS);
}

/* Wait, where that hurts nobody, until no peer is behind by more than `octets`. */
static void
peers_await(struct sender *s, size_t octets)
{
	for (;;) {
		uint64_t mono = clock_mono();
		bool behind = false;

		peers_turn(s);
		result_count(s);
		for (unsigned i = 0; i < s->peers.n; i++)
			behind |= peer_is_awaited(s, &s->peers.list[i], octets, mono);
		if (s->stop && s->until == 0)
			s->until = mono + SENDER_FINISH_NS;
		/* The main thread waits for those that are read anew. */
		if (!behind || atomic_load(&s->renewed) != NULL ||
		    (s->until != 0 && mono >= s->until))
			return;
		(void)poll(s->peers.fds, peers_poll(s, 0), AWAIT_MS);
	}
}

static void
sender_sleep(struct sender *s)
{
	nfds_t n;
	uint64_t wakes;

	s->peers.fds[0] = (struct pollfd){ .fd = s->config.wake_fd, .events = POLLIN };
	n = peers_poll(s, 1);
	atomic_store(s->config.asleep, true);
	atomic_thread_fence(memory_order_seq_cst);
	for (unsigned i = 0; i < s->config.n_outboxes; i++)
		if (outbox_waiting(&s->config.outboxes[i]) > 0 || s->stop) {
			atomic_store(s->config.asleep, false);
			return;
		}
	(void)poll(s->peers.fds, n, IDLE_MS);
	atomic_store(s->config.asleep, false);
	(void)!read(s->config.wake_fd, &wakes, sizeof(wakes));
}

/* The receivers are others from now on. What those that are gone had not taken is lost. */
static void
peers_renew(struct sender *s)
{
	struct peers *fresh = atomic_load(&s->renewed), before = s->peers;

	if (fresh == NULL)
		return;
	for (unsigned i = 0; i < fresh->n; i++)
		if (fresh->list[i].before != -1)
			peer_become(&fresh->list[i], &before.list[fresh->list[i].before]);
	s->peers = *fresh;
	s->measured = 0;
	*fresh = before;
	for (unsigned i = 0; i < fresh->n; i++)
		peer_close(&fresh->list[i], &s->result);
	atomic_store(&s->renewed, NULL);
	sem_post(&s->taken);
}

static void *
sender_main(void *arg)
{
	struct sender *s = arg;

	for (;;) {
		bool stop = s->stop; /* nothing comes after that */
		bool some;

		peers_renew(s);
		if (s->patient)
			peers_await(s, STREAM_BUFFER / 2);
		some = outboxes_empty(s);
		peers_turn(s);
		result_count(s);
		sender_look(s, false);
		if (!some && stop)
			break;
		if (!some)
			sender_sleep(s);
	}
	peers_await(s, 0);
	for (unsigned i = 0; i < s->peers.n; i++)
		peer_close(&s->peers.list[i], &s->result);
	result_count(s);
	sender_look(s, true);
	return NULL;
}

static void
peers_free(struct peers *p)
{
	for (unsigned i = 0; i < p->n; i++)
		peer_fini(&p->list[i]);
	free(p->list);
	free(p->fds);
}

/* Which of `old`, from number `from` on, and round, sends to `t`; -1: none. */
static int32_t
peer_find(const struct peers *old, unsigned from, const struct target *t)
{
	for (unsigned i = 0; i < old->n; i++) {
		unsigned k = (from + i) % old->n;

		if (old->list[k].target == t)
			return (int32_t)k;
	}
	return -1;
}

/*
 * A peer for each of `r`. Those whose targets are among those of `old` (NULL: none are) have its
 * number, and get no connection of their own. Returns 0, or -WEIR_ENOMEM with `e`.
 */
static int
peers_make(struct peers *to, struct receivers *r, const struct peers *old, bool stream,
    struct err *e)
{
	int rc = 0;

	*to = (struct peers){ .receivers = r };
	to->list = calloc(r->n_targets + 1, sizeof(*to->list));
	to->fds = calloc(r->n_targets + 1, sizeof(*to->fds));
	if (to->list == NULL || to->fds == NULL)
		rc = err_set(e, WEIR_ENOMEM, "no memory for receivers");
	for (unsigned i = 0; rc == 0 && i < r->n_pools; i++)
		for (unsigned k = 0; rc == 0 && k < r->pools[i].n; k++) {
			struct peer *p = &to->list[to->n];
			struct target *t = r->pools[i].targets[k];
			int32_t before = old != NULL ? peer_find(old, to->n, t) : -1;

			rc = peer_init(p, t, &r->pools[i].options, stream && before == -1, e);
			p->before = before;
			to->n++;
		}
	if (rc != 0)
		peers_free(to);
	return rc;
}

int
sender_renew(struct sender *s, struct receivers *r, struct err *e)
{
	uint64_t one = 1;
	struct peers fresh;
	int rc = peers_make(&fresh, r, &s->peers, s->config.stream, e);

	if (rc == 0 && (rc = receivers_start(r, e)) != 0)
		peers_free(&fresh);
	if (rc != 0)
		return rc;
	atomic_store(&s->renewed, &fresh);
	(void)!write(s->config.wake_fd, &one, sizeof(one));
	while (sem_wait(&s->taken) == -1 && errno == EINTR)
		continue;
	peers_free(&fresh); /* those before */
	return 0;
}

struct sender *
sender_new(struct output *o, const struct sender_config *c, struct err *e)
{
	struct sender *s = calloc(1, sizeof(*s));

	if (s == NULL || peers_make(&s->peers, c->receivers, NULL, c->stream, e) != 0) {
		err_set(e, WEIR_ENOMEM, "%s: no memory", o->name);
		free(s);
		return NULL;
	}
	s->output = o;
	s->config = *c;
	s->began = s->looked = clock_mono();
	ways_measure(s, s->began);
	atomic_init(&s->patient, c->patient);
	sem_init(&s->taken, 0, 0);
	return s;
}

int
sender_start(struct sender *s, struct err *e)
{
	char name[24];
	int rc;

	snprintf(name, sizeof(name), "weir-%.10s", s->output->name);
	rc = thread_start(&s->thread, name, sender_main, s, e);
	s->running = rc == 0;
	return rc;
}

void
sender_be_patient(struct sender *s, uint64_t until)
{
	atomic_store(&s->until, until);
	atomic_store(&s->patient, true);
}

void
sender_stop(struct sender *s)
{
	uint64_t one = 1;

	if (s == NULL)
		return;
	if (s->running) {
		atomic_store(&s->stop, true);
		(void)!write(s->config.wake_fd, &one, sizeof(one));
		pthread_join(s->thread, NULL);
	}
	peers_free(&s->peers);
	sem_destroy(&s->taken);
	free(s);
}
