/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/sender.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "export/stream.h"
#include "export/target.h"
#include "lib/clock.h"
#include "lib/thread.h"
#include "lib/wbuf.h"
#include "proto/netflow.h"

#define BATCH       64U
#define IDLE_MS     1000
#define IP_UDP      (40U + 8U)       /* octets of headers of IPv6, the longer, and UDP */
#define RETELL_NS   (100 * CLOCK_MS) /* between two tellings to a target that refuses */
#define RETRY_NS    (5 * CLOCK_S)    /* before one that refused is sent data again, where
                                      * another can have them */

/* What is known of a target. */
struct peer {
	struct target *target;
	struct stream *stream;       /* NULL: UDP */
	uint32_t sequence;
	uint32_t since;              /* datagrams since templates were told */
	uint64_t told;               /* when; mono ns, 0: never */
	uint64_t refusals, too_long; /* of the target, when they were looked at last */
	uint64_t refused;            /* when it refused last; mono ns, 0: never */
	bool stale;                  /* what was told may be lost */
};

struct sender {
	struct output *output;
	struct sender_config config;
	struct peer *peers;          /* of all pools, in their order */
	unsigned n_peers;
	pthread_t thread;
	bool running;
	_Atomic bool stop;
	struct parcel *batch[BATCH];
	struct outbox *from[BATCH];
	unsigned n;
	struct output_result result; /* of the batch */
	bool works;                  /* some of it was sent */
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

uint32_t
sender_body_octets(enum encode_version version, uint32_t mtu)
{
	uint32_t header = version == ENCODE_IPFIX ? NETFLOW10_HEADER
	    : version == ENCODE_V9                ? NETFLOW9_HEADER
	                                          : NETFLOW5_HEADER;

	return (mtu - IP_UDP - header) & ~UINT32_C(3);
}

uint32_t
sender_sflow_octets(uint32_t mtu)
{
	return (mtu - IP_UDP - SFLOW_DATAGRAM_HEADER) & ~UINT32_C(3);
}

uint32_t
sender_mtu(const struct receivers *r, uint32_t mtu)
{
	for (unsigned i = 0; i < r->n_pools; i++)
		for (unsigned k = 0; k < r->pools[i].n; k++) {
			uint32_t one = target_mtu(&r->pools[i].targets[k]);

			if (one >= SENDER_MTU_MIN && one < mtu)
				mtu = one;
		}
	return mtu;
}

static size_t
sflow_header(const struct sender_config *c, uint64_t now, uint32_t sequence, unsigned records,
    uint8_t *p)
{
	/* A clock that is set back does not make it wrap. */
	uint64_t uptime = now > c->boot ? now - c->boot : 0;
	const struct sflow_head h = { .agent = c->sflow->agent,
		.sub_agent = c->sflow->sub_agent,
		.sequence = sequence,
		.uptime_ms = (uint32_t)(uptime / CLOCK_MS),
		.samples = records };

	return sflow_head_write(&h, p);
}

size_t
sender_header(const struct sender_config *c, uint64_t now, uint32_t sequence, size_t body,
    unsigned records, uint8_t *p)
{
	struct wbuf w = wbuf_of(p, OUTBOX_HEADROOM);
	uint64_t seconds = now / CLOCK_S;
	/* As of the whole second that the header tells, so that times are told to the ms. */
	uint32_t uptime =
	    (uint32_t)((int64_t)(seconds * CLOCK_S - c->boot) / (int64_t)CLOCK_MS);

	if (c->sflow != NULL)
		return sflow_header(c, now, sequence, records, p);
	wbuf_u16(&w, (uint16_t)c->version);
	if (c->version == ENCODE_IPFIX) {
		wbuf_u16(&w, (uint16_t)(NETFLOW10_HEADER + body));
		wbuf_u32(&w, (uint32_t)seconds);
		wbuf_u32(&w, sequence);
		wbuf_u32(&w, c->domain);
		return wbuf_len(&w);
	}
	wbuf_u16(&w, (uint16_t)records);
	wbuf_u32(&w, uptime);
	wbuf_u32(&w, (uint32_t)seconds);
	if (c->version == ENCODE_V5)
		wbuf_u32(&w, 0); /* ns beyond the second */
	wbuf_u32(&w, sequence);
	if (c->version == ENCODE_V9) {
		wbuf_u32(&w, c->domain);
	} else {
		wbuf_u16(&w, (uint16_t)c->domain);
		wbuf_u16(&w, c->v5_sampling);
	}
	return wbuf_len(&w);
}

/* A message: its header, which is the target's own, and its body. */
struct letter {
	uint8_t header[OUTBOX_HEADROOM];
	struct iovec parts[2];
	unsigned records;
};

static void
letter_write(const struct sender *s, struct peer *p, struct letter *l, uint64_t now,
    const uint8_t *body, size_t octets, unsigned records, unsigned data_records)
{
	size_t head;

	if (s->config.sflow != NULL)
		p->sequence++; /* the first is 1 */
	head = sender_header(&s->config, now, p->sequence, octets, records, l->header);
	l->parts[0] = (struct iovec){ l->header, head };
	l->parts[1] = (struct iovec){ (void *)(uintptr_t)body, octets };
	l->records = data_records;
	if (s->config.sflow == NULL)
		p->sequence += s->config.version == ENCODE_V9 ? 1 : data_records;
}

/* Send `n` letters to `p`; `m` is scratch. Counts records of data where `counted`. */
static void
letters_send(struct sender *s, struct peer *p, struct letter *l, unsigned n, bool counted)
{
	struct mmsghdr m[BATCH];
	struct target_tally tally = { 0 };
	uint64_t sent = 0, lost = 0;

	memset(m, 0, n * sizeof(m[0]));
	for (unsigned i = 0; i < n; i++) {
		m[i].msg_hdr.msg_iov = l[i].parts;
		m[i].msg_hdr.msg_iovlen = 2;
	}
	if (p->stream != NULL)
		stream_send(p->stream, m, n, &tally);
	else
		target_send(p->target, m, n, &tally);
	for (unsigned i = 0; i < n; i++)
		*(m[i].msg_len > 0 ? &sent : &lost) += l[i].records;
	p->since += n;
	if (!counted) { /* templates: those that did not go are told again soon */
		for (unsigned i = 0; i < n; i++)
			p->stale |= m[i].msg_len == 0;
		return;
	}
	s->result.rows += sent + lost;
	s->result.written += sent;
	s->result.refused += lost;
	s->works |= sent > 0;
}

/* Tell templates and options, if that is due. */
static void
peer_tell(struct sender *s, struct peer *p, uint64_t now, uint64_t mono)
{
	const struct sender_config *c = &s->config;
	bool due = p->told == 0 || (p->stale && mono - p->told >= RETELL_NS) ||
	    (p->stream == NULL &&
	        ((c->refresh_datagrams != 0 && p->since >= c->refresh_datagrams) ||
	            (c->refresh_s != 0 && mono - p->told >= c->refresh_s * CLOCK_S)));

	/* Nothing waits for a connection: it begins with all of this. */
	if (!due || c->n_announcements == 0 || (p->stream != NULL && !stream_is_open(p->stream)))
		return;
	p->told = mono;
	p->stale = false;
	for (unsigned i = 0; i < c->n_announcements; i++) {
		const struct announcement *a = &c->announcements[i];
		struct letter l;

		/* v9's header counts templates, too: RFC 3954 s5.1. */
		letter_write(s, p, &l, now, a->body, a->octets, a->count, a->records);
		letters_send(s, p, &l, 1, false);
	}
	p->since = 0;
}

/* Something was too long for the way there: what is begun from now on is not. */
static void
peer_shorten(struct sender *s, const struct peer *p)
{
	uint32_t mtu = target_mtu(p->target), body;

	if (mtu < SENDER_MTU_MIN)
		return;
	body = s->config.sflow != NULL ? sender_sflow_octets(mtu)
	                               : sender_body_octets(s->config.version, mtu);
	for (unsigned i = 0; i < s->config.n_outboxes; i++) {
		_Atomic uint32_t *octets = &s->config.outboxes[i].body_octets;

		if (atomic_load(octets) > body)
			atomic_store(octets, body);
	}
}

/* Did the target say since we looked last that nobody listens, the way that it is narrow? */
static void
peer_look(struct sender *s, struct peer *p, uint64_t mono)
{
	uint64_t too_long =
	    atomic_load_explicit(&p->target->unsent[TARGET_TOO_LONG], memory_order_relaxed);
	uint64_t refusals = atomic_load_explicit(&p->target->refusals, memory_order_relaxed);

	if (p->stream != NULL && stream_is_new(p->stream))
		p->told = p->sequence = 0; /* of a connection: RFC 7011 s10.4 */
	if (too_long != p->too_long)
		peer_shorten(s, p);
	p->too_long = too_long;
	if (refusals == p->refusals)
		return;
	p->refusals = refusals;
	p->refused = mono;
	p->stale = true;
}

/* Give `p` the datagrams of `mask`. */
static void
peer_give(struct sender *s, struct peer *p, uint64_t mask, uint64_t mono)
{
	static _Thread_local struct letter letters[BATCH];
	unsigned n = 0;

	peer_look(s, p, mono);
	peer_tell(s, p, s->batch[__builtin_ctzll(mask)]->now, mono);
	for (uint64_t left = mask; left != 0; left &= left - 1) {
		const struct parcel *d = s->batch[__builtin_ctzll(left)];

		letter_write(s, p, &letters[n++], d->now, d->body + OUTBOX_HEADROOM, d->octets,
		    d->records, d->records);
	}
	letters_send(s, p, letters, n, true);
	peer_look(s, p, mono);
}

static bool
peer_is_up(const struct peer *p, uint64_t mono)
{
	if (p->stream != NULL)
		return stream_is_open(p->stream);
	return atomic_load(&p->target->fd) != -1 &&
	    (p->refused == 0 || mono - p->refused >= RETRY_NS);
}

/* The first of `n` that is there; the first of all, where none is. */
static struct peer *
peer_first(struct peer *peers, unsigned n, uint64_t mono)
{
	for (unsigned i = 0; i < n; i++)
		if (peer_is_up(&peers[i], mono))
			return &peers[i];
	return peers;
}

static void
pool_give(struct sender *s, struct pool *pool, struct peer *peers, uint64_t mono)
{
	uint64_t all = UINT64_MAX >> (BATCH - s->n);
	uint64_t masks[OUTBOX_LANES_MAX] = { 0 };

	switch (pool->balance) {
	case BALANCE_NONE:
		for (unsigned k = 0; k < pool->n; k++)
			peer_give(s, &peers[k], all, mono);
		return;
	case BALANCE_FAILOVER:
		peer_give(s, peer_first(peers, pool->n, mono), all, mono);
		return;
	case BALANCE_RR:
	case BALANCE_HASH:
	case BALANCE_HASH_AGENT:
	case BALANCE_HASH_TAG: /* of datagrams alone */
		break;
	}
	if (pool->balance == BALANCE_RR) {
		unsigned turn = atomic_fetch_add_explicit(&pool->turn, 1, memory_order_relaxed);

		peer_give(s, &peers[turn % pool->n], all, mono);
		return;
	}
	for (unsigned i = 0; i < s->n; i++)
		masks[s->batch[i]->lane % pool->n] |= UINT64_C(1) << i;
	for (unsigned k = 0; k < pool->n; k++)
		if (masks[k] != 0)
			peer_give(s, &peers[k], masks[k], mono);
}

static void
batch_send(struct sender *s)
{
	const struct receivers *r = s->config.receivers;
	uint64_t mono = clock_mono();
	unsigned first = 0;

	s->result = (struct output_result){ 0 };
	s->works = false;
	for (unsigned i = 0; i < r->n_pools; first += r->pools[i].n, i++)
		pool_give(s, &r->pools[i], &s->peers[first], mono);
	output_count(s->output, &s->result);
	if (s->works)
		atomic_store_explicit(&s->output->last_success, clock_real(),
		    memory_order_relaxed);
	for (unsigned i = 0; i < s->n; i++)
		outbox_give_back(s->from[i], s->batch[i]);
	s->n = 0;
}

/* Send all that waits. Returns whether there was something. */
static bool
outboxes_empty(struct sender *s)
{
	bool some = false;
	uint32_t waiting = 0;

	for (unsigned i = 0; i < s->config.n_outboxes; i++) {
		struct outbox *b = &s->config.outboxes[i];
		struct parcel *p;

		waiting += outbox_waiting(b);
		while (s->n < BATCH && (p = outbox_take(b)) != NULL) {
			if (s->config.sflow != NULL)
				sflow_samples_number(&s->config.sflow->numbering,
				    p->body + OUTBOX_HEADROOM, p->octets, p->records);
			s->from[s->n] = b;
			s->batch[s->n++] = p;
		}
	}
	atomic_store_explicit(&s->output->queued, waiting, memory_order_relaxed);
	if (s->n > 0) {
		batch_send(s);
		some = true;
	}
	return some;
}

/* Connections come and go; what they could not take goes on. */
static void
streams_turn(struct sender *s)
{
	for (unsigned i = 0; i < s->n_peers; i++)
		if (s->peers[i].stream != NULL)
			stream_turn(s->peers[i].stream);
}

static void
sender_sleep(struct sender *s)
{
	struct pollfd fds[64] = { { .fd = s->config.wake_fd, .events = POLLIN } };
	nfds_t n = 1;
	uint64_t wakes;

	for (unsigned i = 0; i < s->n_peers && n < 64; i++)
		if (s->peers[i].stream != NULL &&
		    stream_poll(s->peers[i].stream, &fds[n]))
			n++;
	atomic_store(s->config.asleep, true);
	atomic_thread_fence(memory_order_seq_cst);
	for (unsigned i = 0; i < s->config.n_outboxes; i++)
		if (outbox_waiting(&s->config.outboxes[i]) > 0 || s->stop) {
			atomic_store(s->config.asleep, false);
			return;
		}
	(void)poll(fds, n, IDLE_MS);
	atomic_store(s->config.asleep, false);
	(void)!read(s->config.wake_fd, &wakes, sizeof(wakes));
}

static void *
sender_main(void *arg)
{
	struct sender *s = arg;

	for (;;) {
		bool stop = s->stop; /* nothing comes after that */
		bool some = outboxes_empty(s);

		streams_turn(s);
		if (!some && stop)
			break;
		if (!some)
			sender_sleep(s);
	}
	for (unsigned i = 0; i < s->n_peers; i++)
		if (s->peers[i].stream != NULL)
			stream_finish(s->peers[i].stream);
	return NULL;
}

struct sender *
sender_new(struct output *o, const struct sender_config *c, struct err *e)
{
	struct sender *s = calloc(1, sizeof(*s));
	const struct receivers *r = c->receivers;

	if (s == NULL || (s->peers = calloc(r->n_targets + 1, sizeof(*s->peers))) == NULL) {
		err_set(e, WEIR_ENOMEM, "%s: no memory", o->name);
		free(s);
		return NULL;
	}
	s->output = o;
	s->config = *c;
	for (unsigned i = 0; i < r->n_pools; i++)
		for (unsigned k = 0; k < r->pools[i].n; k++) {
			struct peer *p = &s->peers[s->n_peers++];

			p->target = &r->pools[i].targets[k];
			if (c->stream &&
			    (p->stream = stream_new(p->target, &r->pools[i].options, e)) == NULL) {
				sender_stop(s);
				return NULL;
			}
		}
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
	for (unsigned i = 0; i < s->n_peers; i++)
		stream_free(s->peers[i].stream);
	free(s->peers);
	free(s);
}
