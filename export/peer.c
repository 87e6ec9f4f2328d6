/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/peer.h"

#include <string.h>
#include <sys/socket.h>

#include "export/announce.h"
#include "lib/clock.h"

#define RETELL_NS (100 * CLOCK_MS) /* between two tellings to a target that refuses */
#define RETRY_NS  (5 * CLOCK_S)    /* before one that refused is tried again, where another can
                                    * have the data */
#define ANSWER_NS CLOCK_S          /* for it to refuse that, too */

int
peer_init(struct peer *p, struct target *t, const struct target_options *o, bool stream,
    struct err *e)
{
	*p = (struct peer){ .target = t, .before = -1 };
	if (!stream)
		return 0;
	p->stream = stream_new(t, o, e);
	return p->stream != NULL ? 0 : -WEIR_ENOMEM;
}

void
peer_fini(struct peer *p)
{
	stream_free(p->stream);
	p->stream = NULL;
}

void
peer_become(struct peer *p, struct peer *before)
{
	*p = *before;
	before->stream = NULL;
}

/* A message: its header, which is the target's own, and its body. */
struct letter {
	uint8_t header[MESSAGE_HEADER];
	struct iovec parts[2];
	unsigned records;
};

static void
letter_write(struct peer *p, const struct sender_config *c, struct letter *l, uint64_t now,
    const uint8_t *body, size_t octets, unsigned records, unsigned data_records)
{
	const struct sender_sflow *sflow = c->sflow;
	size_t head;

	if (sflow != NULL) /* the first is 1 */
		head = message_sflow_head(&sflow->agent, sflow->sub_agent, c->message.boot, now,
		    ++p->sequence, records, l->header);
	else
		head = message_head(&c->message, now, p->sequence, octets, records, l->header);
	l->parts[0] = (struct iovec){ l->header, head };
	l->parts[1] = (struct iovec){ (void *)(uintptr_t)body, octets };
	l->records = data_records;
	if (sflow == NULL)
		p->sequence += c->message.version == ENCODE_V9 ? 1 : data_records;
}

/* Send `n` letters; returns how many did not go. Of UDP, adds what became of records to `r`. */
static unsigned
letters_send(struct peer *p, struct letter *l, unsigned n, struct output_result *r)
{
	struct mmsghdr m[PEER_BATCH];
	struct target_tally tally = { 0 };
	uint64_t sent = 0, lost = 0;
	unsigned missed = 0;

	p->since += n;
	for (unsigned i = 0; p->stream != NULL && i < n; i++)
		missed += !stream_send(p->stream, l[i].parts, l[i].records);
	if (p->stream != NULL)
		return missed;
	memset(m, 0, n * sizeof(m[0]));
	for (unsigned i = 0; i < n; i++) {
		m[i].msg_hdr.msg_iov = l[i].parts;
		m[i].msg_hdr.msg_iovlen = 2;
	}
	if (p->addressed)
		target_send(p->target, m, n, &tally);
	else /* not even where it has one by now: it has been told nothing */
		target_miss(p->target, TARGET_UNRESOLVED, n, &tally);
	for (unsigned i = 0; i < n; i++) {
		*(m[i].msg_len > 0 ? &sent : &lost) += l[i].records;
		missed += m[i].msg_len == 0;
	}
	r->rows += sent + lost;
	r->written += sent;
	r->refused += lost;
	return missed;
}

/* Send a body that is no data of flows. Returns false where it does not go: all is told again. */
static bool
announcement_send(struct peer *p, const struct sender_config *c,
    const struct announcement *a, uint64_t now)
{
	struct output_result nothing = { 0 }; /* options are no records of the books */
	struct letter l;
	bool went;

	/* v9's header counts templates, too: RFC 3954 s5.1. */
	letter_write(p, c, &l, now, a->body, a->octets, a->count, a->records);
	l.records = 0;
	went = letters_send(p, &l, 1, &nothing) == 0;
	p->stale |= !went;
	return went;
}

/* Name applications that records may tell of by now. */
static void
peer_name(struct peer *p, const struct sender_config *c, uint64_t now)
{
	uint8_t body[ANNOUNCE_NAMES_MAX];
	struct announcement a = { .body = body };

	while (c->applications != NULL && p->named < applications_count(c->applications)) {
		p->named = announce_applications(&a, c->message.version, c->message.domain,
		    c->applications, p->named, outbox_room(&c->outboxes[0], sizeof(body)));
		(void)announcement_send(p, c, &a, now);
	}
}

/* Tell all. Who was never told that is told again before the next data. */
static void
peer_tell_all(struct peer *p, const struct sender_config *c, uint64_t now, uint64_t mono)
{
	bool went = true;

	p->stale = false;
	p->named = 0;
	for (unsigned i = 0; went && i < c->n_announcements; i++)
		went = announcement_send(p, c, &c->announcements[i], now);
	if (went || p->told != 0)
		p->told = mono;
}

/* Tell templates and options, as far as that is due. */
static void
peer_tell(struct peer *p, const struct sender_config *c, uint64_t now, uint64_t mono)
{
	bool due = p->told == 0 || (p->stale && mono - p->told >= RETELL_NS) ||
	    (p->stream == NULL &&
	        ((c->refresh_datagrams != 0 && p->since >= c->refresh_datagrams) ||
	            (c->refresh_s != 0 && mono - p->told >= c->refresh_s * CLOCK_S)));

	/* Nothing waits for a connection: it begins with all of this. */
	if (c->n_announcements == 0 || (p->stream != NULL && !stream_is_open(p->stream)))
		return;
	if (due)
		peer_tell_all(p, c, now, mono);
	peer_name(p, c, now);
	if (due)
		p->since = 0;
}

bool
peer_was_too_long(struct peer *p)
{
	uint64_t now =
	    atomic_load_explicit(&p->target->unsent[TARGET_TOO_LONG], memory_order_relaxed);
	bool some = now != p->too_long;

	p->too_long = now;
	return some;
}

/* Did the target say since we looked last that nobody listens? */
static void
peer_look(struct peer *p, uint64_t mono)
{
	uint64_t refusals = atomic_load_explicit(&p->target->refusals, memory_order_relaxed);
	unsigned moves = atomic_load(&p->target->moves);

	p->addressed = atomic_load_explicit(&p->target->fd, memory_order_acquire) != -1;
	if (p->stream != NULL && stream_is_new(p->stream))
		p->told = p->sequence = 0; /* of a connection: RFC 7011 s10.4 */
	if (p->stream == NULL && p->moves != moves) {
		/* Somebody else listens there, who has refused nothing yet. */
		p->told = p->refused = p->tried = 0;
		p->refusals = refusals;
	}
	p->moves = moves;
	if (refusals == p->refusals)
		return;
	p->refusals = refusals;
	p->refused = mono;
	p->tried = 0;
	p->stale = true;
}

void
peer_give(struct peer *p, const struct sender_config *c, struct parcel *const *batch,
    uint64_t mask, uint64_t mono, struct output_result *r)
{
	static _Thread_local struct letter letters[PEER_BATCH];
	unsigned n = 0;

	peer_look(p, mono);
	peer_tell(p, c, batch[__builtin_ctzll(mask)]->now, mono);
	for (; mask != 0; mask &= mask - 1) {
		const struct parcel *d = batch[__builtin_ctzll(mask)];

		letter_write(p, c, &letters[n++], d->now, d->body + MESSAGE_HEADER, d->octets,
		    d->records, d->records);
	}
	(void)letters_send(p, letters, n, r);
	peer_look(p, mono);
}

static void
peer_settle(struct peer *p, struct output_result *r)
{
	struct stream_result s = stream_settle(p->stream);

	r->rows += s.written + s.refused;
	r->written += s.written;
	r->refused += s.refused;
}

void
peer_turn(struct peer *p, struct output_result *r)
{
	if (p->stream == NULL)
		return;
	stream_turn(p->stream);
	peer_settle(p, r);
}

void
peer_close(struct peer *p, struct output_result *r)
{
	if (p->stream == NULL)
		return;
	stream_close(p->stream);
	peer_settle(p, r);
}

/* Whether it can be sent to, as far as is known. */
static bool
peer_is_up(const struct peer *p)
{
	if (p->stream != NULL)
		return stream_is_open(p->stream);
	return atomic_load(&p->target->fd) != -1 && p->refused == 0;
}

/* Find out whether it has refused what it was sent last, or has not for a second and is up. */
static void
peer_see(struct peer *p, uint64_t mono)
{
	if (p->stream != NULL)
		return;
	target_listen(p->target);
	peer_look(p, mono);
	if (p->tried != 0 && mono - p->tried >= ANSWER_NS)
		p->refused = p->tried = 0;
}

/* It was sent something: the answer is awaited, if that was not refused at once. */
static void
peer_await(struct peer *p, uint64_t mono)
{
	peer_look(p, mono);
	if (p->refused != 0 && p->refused != mono && p->tried == 0)
		p->tried = mono;
}

/*
 * Now and then try one that refused, and gets no data: by what `c` tells, or where that is nothing
 * by a copy of `d`, which is in no books.
 */
static void
peer_try(struct peer *p, const struct sender_config *c, const struct parcel *d, uint64_t mono)
{
	struct output_result nothing = { 0 };
	struct letter l;

	if (p->stream != NULL || p->refused == 0 || p->tried != 0 ||
	    mono - p->refused < RETRY_NS)
		return;
	if (c->n_announcements > 0) {
		peer_tell_all(p, c, d->now, mono);
	} else {
		letter_write(p, c, &l, d->now, d->body + MESSAGE_HEADER, d->octets, d->records,
		    d->records);
		(void)letters_send(p, &l, 1, &nothing);
	}
	peer_await(p, mono);
}

void
peers_failover(struct peer *peers, unsigned n, const struct sender_config *c,
    struct parcel *const *batch, uint64_t mask, uint64_t mono, struct output_result *r)
{
	const struct parcel *d = batch[__builtin_ctzll(mask)];
	struct peer *first = peers;
	unsigned before = 0; /* those that are not up */

	for (; before < n; before++) {
		peer_see(&peers[before], mono);
		if (peer_is_up(&peers[before]))
			break;
	}
	if (before < n)
		first = &peers[before];
	for (struct peer *p = peers; p < peers + before; p++)
		if (p != first)
			peer_try(p, c, d, mono);
	peer_give(first, c, batch, mask, mono, r);
	peer_await(first, mono);
}
