/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DOC: an exporter's connection is a row of IPFIX messages, each as long as its header
 * says (RFC 7011 s10.4.3). The collector's fd is an epoll set that holds the listening
 * socket and all connections of this worker, so that the worker waits for all of them at
 * once. What has come of a message that is not whole yet waits in the connection's buffer,
 * which holds the longest message that there can be, and no more; whole messages go to the
 * decoder as if they were datagrams from the connection's peer.
 *
 * Where a header cannot be meant, the next message's start is unknown: one malformed
 * datagram is counted and the connection ends (RFC 7011 s9.1). A message that decodes badly
 * inside its own bounds does not end it.
 *
 * Connections are bounded. Beyond the bound the one that has sent no whole message for the
 * longest time makes room, if that time is TCP_IDLE_S at least (octets that complete no
 * message do not count, or dripping would hold a place for ever); if there is none, the
 * newcomer is turned away.
 *
 * Templates last for a connection (RFC 7011 s8.1); here they stay with the exporter, as
 * over UDP. An exporter has to send them anew on each connection, before their data, and
 * new ones take the place of old ones.
 */
#include "collectors/tcp.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collectors/intake.h"
#include "collectors/listen.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/rbuf.h"
#include "proto/netflow.h"

#define BACKLOG      128
#define ACCEPTS      32U      /* at once */
#define SERVES       16U      /* connections at once, each one buffer full */
#define IPFIX        10U      /* version, RFC 7011 s3.1 */
#define MAX_MESSAGE  65536U   /* more than 16 bits of length can say */

struct connection {
	TAILQ_ENTRY(connection) link;
	int fd;
	ip16_t from;
	uint16_t from_port;
	uint64_t whole_at;   /* monotonic, ns: of the last whole message, or of the beginning */
	uint32_t used;       /* octets of a message that is not whole yet */
	uint8_t octets[MAX_MESSAGE];
};

struct tcp {
	struct intake intake;
	int listener;
	bool paused;         /* the listener is out of the set: descriptors ran out */
	unsigned n, max;     /* connections */
	TAILQ_HEAD(connections, connection) list; /* by whole_at, the oldest first */
	struct log_limit limit;
};

static void tcp_log(struct tcp *t, const ip16_t *from, uint16_t port, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* One line about a peer, no oftener than the bucket allows. */
static void
tcp_log(struct tcp *t, const ip16_t *from, uint16_t port, const char *fmt, ...)
{
	char text[256], addr[IP_STRLEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)ip_format(from, addr);
	log_limited(&t->limit, "ipfix %s port %u: %s", addr, port, text);
}

static void
tcp_count(const struct tcp *t, enum stat_no i)
{
	stat_add(&t->intake.collector->pipeline->stats, i, 1);
}

/* Octets of `k` as a datagram. */
static struct datagram
connection_datagram(const struct connection *k, const uint8_t *octets, size_t len,
    uint64_t arrival)
{
	return (struct datagram){ .data = octets, .len = len, .from = k->from,
		.from_port = k->from_port, .arrival = arrival };
}

static void
connection_free(struct tcp *t, struct connection *k)
{
	TAILQ_REMOVE(&t->list, k, link);
	t->n--;
	close(k->fd); /* leaves the epoll set with it */
	free(k);
}

/* End `k`; what there is of a message was never to be whole, and counts as malformed. */
static void
connection_end(struct tcp *t, struct connection *k)
{
	if (k->used > 0) {
		struct datagram d = connection_datagram(k, k->octets, k->used, clock_real());

		intake_book(&t->intake, &d, STAT_BAD_SHORT);
		tcp_log(t, &k->from, k->from_port, "ends %u octets into a message", k->used);
	}
	connection_free(t, k);
}

/* What a message header that has come says: go on, or why the stream cannot be read. */
static enum stat_no
header_fate(uint16_t version, uint16_t len)
{
	if (version != IPFIX)
		return STAT_BAD_VERSION;
	return len < NETFLOW10_HEADER ? STAT_BAD_LENGTH : STAT_DATAGRAMS_DECODED;
}

/* The rest of the stream begins with no header: book it. */
static void
connection_broken(struct tcp *t, struct connection *k, const struct rbuf *rest,
    enum stat_no fate)
{
	struct datagram d = connection_datagram(k, rest->p, rbuf_left(rest), clock_real());
	struct rbuf peek = *rest;
	uint16_t version = rbuf_u16(&peek), len = rbuf_u16(&peek);

	intake_book(&t->intake, &d, fate);
	tcp_log(t, &k->from, k->from_port,
	    "version %u, length %u begin no message: connection closed", version, len);
	k->used = 0; /* they are booked */
}

/* The youngest now. */
static void
connection_touch(struct tcp *t, struct connection *k)
{
	k->whole_at = clock_mono();
	TAILQ_REMOVE(&t->list, k, link);
	TAILQ_INSERT_TAIL(&t->list, k, link);
}

/* Hand whole messages to the decoder. False when the connection is to end. */
static bool
connection_messages(struct tcp *t, struct connection *k)
{
	struct rbuf in = rbuf_of(k->octets, k->used);
	uint64_t arrival = clock_real();
	bool goes_on = true;

	while (goes_on && rbuf_left(&in) >= 4) {
		struct rbuf peek = in;
		uint16_t version = rbuf_u16(&peek), len = rbuf_u16(&peek);
		enum stat_no fate = header_fate(version, len);
		struct datagram d;

		if (fate != STAT_DATAGRAMS_DECODED) {
			connection_broken(t, k, &in, fate);
			return false;
		}
		if (rbuf_left(&in) < len)
			break;
		d = connection_datagram(k, rbuf_get(&in, len), len, arrival);
		goes_on = intake_take(&t->intake, &d);
	}
	if (in.p == k->octets)
		return goes_on;
	connection_touch(t, k);
	/* What follows a refused message is as little read as what is still on its way. */
	k->used = goes_on ? (uint32_t)rbuf_left(&in) : 0;
	memmove(k->octets, in.p, k->used);
	return goes_on;
}

/* Take what has come on `k`, one buffer full at most; the others have their turn then. */
static void
connection_serve(struct tcp *t, struct connection *k)
{
	/* There is room: a message that fills the buffer is whole, and gone. */
	ssize_t n = recv(k->fd, k->octets + k->used, sizeof(k->octets) - k->used, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		k->used += (uint32_t)n;
		if (connection_messages(t, k))
			return;
	}
	connection_end(t, k);
}

/* Make room for one more connection. False when all places are in use. */
static bool
tcp_room(struct tcp *t)
{
	struct connection *oldest = TAILQ_FIRST(&t->list);

	if (t->n < t->max)
		return true;
	if (clock_mono() - oldest->whole_at < TCP_IDLE_S * CLOCK_S)
		return false;
	tcp_log(t, &oldest->from, oldest->from_port, "closed to make room for another");
	tcp_count(t, STAT_CONNECTIONS_IDLE);
	connection_end(t, oldest);
	return true;
}

static struct connection *
connection_new(struct tcp *t, int set, int fd)
{
	struct connection *k = malloc(sizeof(*k));
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = k };
	int on = 1;

	if (k == NULL || epoll_ctl(set, EPOLL_CTL_ADD, fd, &ev) != 0) {
		free(k);
		return NULL;
	}
	/* An exporter that lost its power says nothing more; the kernel finds out. */
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	k->fd = fd;
	k->used = 0;
	k->whole_at = clock_mono();
	TAILQ_INSERT_TAIL(&t->list, k, link);
	t->n++;
	return k;
}

/* A place for the peer that was accepted as `fd`; NULL, and a line why, when it gets none. */
static struct connection *
tcp_place(struct collector *c, struct tcp *t, int fd, const struct sockaddr_storage *peer)
{
	struct connection *k;
	uint16_t port;
	ip16_t from = listen_sender(peer, &port);

	if (!intake_allows(&t->intake, &from))
		return NULL;
	if (!tcp_room(t)) {
		tcp_log(t, &from, port, "turned away: %u connections, none of them idle", t->n);
		return NULL;
	}
	k = connection_new(t, c->fd, fd);
	if (k == NULL) {
		tcp_log(t, &from, port, "turned away: no memory for a connection");
		return NULL;
	}
	k->from = from;
	k->from_port = port;
	return k;
}

static void
tcp_admit(struct collector *c, struct tcp *t, int fd, const struct sockaddr_storage *peer)
{
	if (tcp_place(c, t, fd, peer) != NULL) {
		tcp_count(t, STAT_CONNECTIONS);
		return;
	}
	tcp_count(t, STAT_CONNECTIONS_REFUSED);
	close(fd);
}

/* Put the listener into the epoll set. */
static bool
tcp_listen(const struct collector *c, struct tcp *t)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL };

	t->paused = epoll_ctl(c->fd, EPOLL_CTL_ADD, t->listener, &ev) != 0;
	return !t->paused;
}

/*
 * Without descriptors a newcomer stays in the backlog and would wake us again and again:
 * look at the listener no more until tcp_tick.
 */
static void
tcp_pause(const struct collector *c, struct tcp *t)
{
	log_limited(&t->limit, "ipfix %s: no connection taken just now: %s", c->where,
	    strerror(errno));
	t->paused = epoll_ctl(c->fd, EPOLL_CTL_DEL, t->listener, NULL) == 0;
}

static void
tcp_accept(struct collector *c, struct tcp *t)
{
	for (unsigned i = 0; i < ACCEPTS; i++) {
		struct sockaddr_storage peer;
		socklen_t len = sizeof(peer);
		int fd = accept4(t->listener, (void *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd != -1) {
			tcp_admit(c, t, fd, &peer);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			tcp_pause(c, t);
		if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

static enum collector_state
tcp_read(struct collector *c)
{
	struct tcp *t = c->priv;
	struct epoll_event ready[SERVES];
	int n = epoll_wait(c->fd, ready, SERVES, 0);
	bool newcomers = false;

	pipeline_source(c->pipeline, t->intake.decoder->source);
	for (int i = 0; i < n; i++) {
		if (ready[i].data.ptr == NULL)
			newcomers = true;
		else
			connection_serve(t, ready[i].data.ptr);
	}
	/* Last, as they may take the place of one that was served. */
	if (newcomers)
		tcp_accept(c, t);
	return n == (int)SERVES ? COLLECTOR_BUSY : COLLECTOR_IDLE;
}

/* About once a second: descriptors may be free again. */
static void
tcp_tick(struct collector *c)
{
	struct tcp *t = c->priv;

	if (t->paused)
		(void)tcp_listen(c, t);
}

static void
tcp_close(struct collector *c)
{
	struct tcp *t = c->priv;

	while (!TAILQ_EMPTY(&t->list))
		connection_free(t, TAILQ_FIRST(&t->list));
	intake_close(&t->intake);
	if (t->listener != -1)
		close(t->listener);
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	free(t);
	c->priv = NULL;
}

/* A listening socket, and the epoll set that becomes the collector's fd. */
static int
tcp_sockets(struct collector *c, struct tcp *t, const struct datagram_config *config,
    struct err *e)
{
	int rc = listen_open(c, SOCK_STREAM, config->tcp_port, e);

	t->listener = c->fd;
	c->fd = -1;
	if (rc != 0)
		return rc;
	if (listen(t->listener, BACKLOG) == 0)
		c->fd = epoll_create1(EPOLL_CLOEXEC);
	if (c->fd == -1 || !tcp_listen(c, t))
		return err_set(e, WEIR_EIO, "ipfix %s: %s", c->where, strerror(errno));
	return 0;
}

static int
tcp_open(struct collector *c, struct err *e)
{
	const struct datagram_config *config = c->config;
	struct tcp *t = calloc(1, sizeof(*t));
	int rc;

	if (t == NULL)
		return err_set(e, WEIR_ENOMEM, "ipfix: no memory");
	c->priv = t;
	TAILQ_INIT(&t->list);
	t->max = config->tcp_connections;
	t->limit = (struct log_limit)LOG_LIMIT_INIT;
	rc = tcp_sockets(c, t, config, e);
	if (rc == 0)
		rc = intake_open(&t->intake, c, &netflow_decoder, e);
	if (rc != 0)
		tcp_close(c);
	return rc;
}

const struct collector_ops ipfix_tcp_collector = {
	.name = "ipfix",
	.kind = COLLECTOR_IPFIX,
	.open = tcp_open,
	.read = tcp_read,
	.poll_drops = tcp_tick,
	.close = tcp_close,
};
