/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DOC: the collector's fd is an epoll set that holds the listening socket and all
 * connections of this worker, so that the worker waits for all of them at once. Each
 * connection is a stream of messages (stream.h). One whose octets begin no message ends; a
 * message that decodes badly inside its own bounds ends nothing.
 *
 * Connections are bounded. Beyond the bound the one that has sent no whole message for the
 * longest time makes room, if that time is TCP_IDLE_S at least (octets that complete no
 * message do not count, or dripping would hold a place for ever); if there is none, the
 * newcomer is turned away.
 *
 * Templates last for a connection (RFC 7011 s8.2); here they stay with the exporter and
 * its observation domain, as over UDP. An exporter has to send them anew on each
 * connection, before their data, and new ones take the place of old ones; so the
 * difference shows only where one exporter speaks for one domain over two connections at
 * once with two meanings of one template id, for which s10.4.4 sees no reason.
 */
#include "collectors/tcp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collectors/intake.h"
#include "collectors/listen.h"
#include "collectors/stream.h"
#include "lib/clock.h"
#include "lib/log.h"

#define BACKLOG 128
#define ACCEPTS 32U /* at once */
#define SERVES 16U /* connections at once, each one buffer full */

struct connection {
	TAILQ_ENTRY(connection) link;
	int fd;
	uint64_t whole_at; /* monotonic, ns: last whole message, or the beginning */
	struct stream stream;
};

struct tcp {
	struct intake intake;
	int listener;
	bool paused; /* the listener is out of the set: descriptors ran out */
	unsigned n, max; /* connections */
	TAILQ_HEAD(connections, connection) list; /* by whole_at, the oldest first */
};

static void
tcp_count(const struct tcp *t, enum stat_no i)
{
	stat_add(&t->intake.collector->pipeline->stats, i, 1);
}

static void
connection_free(struct tcp *t, struct connection *k)
{
	TAILQ_REMOVE(&t->list, k, link);
	t->n--;
	close(k->fd); /* leaves the epoll set with it */
	free(k);
}

static void
connection_end(struct tcp *t, struct connection *k)
{
	stream_end(&k->stream, &t->intake);
	tcp_count(t, STAT_CONNECTIONS_ENDED);
	connection_free(t, k);
}

/* The youngest now. */
static void
connection_touch(struct tcp *t, struct connection *k)
{
	k->whole_at = clock_mono();
	TAILQ_REMOVE(&t->list, k, link);
	TAILQ_INSERT_TAIL(&t->list, k, link);
}

/* Take what has come on `k`, one buffer full at most; the others have their turn then. */
static void
connection_serve(struct tcp *t, struct connection *k)
{
	size_t room;
	uint8_t *to = stream_room(&k->stream, &room);
	ssize_t n = recv(k->fd, to, room, 0);
	enum stream_state state = STREAM_ENDS;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		state = stream_take(&k->stream, &t->intake, (size_t)n);
	if (state == STREAM_ENDS)
		connection_end(t, k);
	else if (state == STREAM_MOVES)
		connection_touch(t, k);
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
	intake_log(&t->intake, &oldest->stream.from,
	    "connection closed to make room for another");
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
	k->stream.used = 0;
	k->whole_at = clock_mono();
	TAILQ_INSERT_TAIL(&t->list, k, link);
	t->n++;
	return k;
}

/* A place for the peer that was accepted as `fd`; NULL, and a line why, when it gets none. */
static struct connection *
tcp_place(
    struct collector *c, struct tcp *t, int fd, const struct sockaddr_storage *peer)
{
	struct connection *k;
	uint16_t port;
	ip16_t from = listen_sender(peer, &port);

	if (!intake_allows(&t->intake, &from))
		return NULL;
	if (!tcp_room(t)) {
		intake_log(&t->intake, &from,
		    "turned away: %u connections, none of them idle", t->n);
		return NULL;
	}
	k = connection_new(t, c->fd, fd);
	if (k == NULL) {
		intake_log(
		    &t->intake, &from, "turned away: no memory for a connection");
		return NULL;
	}
	k->stream.from = from;
	k->stream.from_port = port;
	return k;
}

static void
tcp_admit(
    struct collector *c, struct tcp *t, int fd, const struct sockaddr_storage *peer)
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
	log_limited(&t->intake.limit, "ipfix %s: no connection taken just now: %s",
	    c->where, strerror(errno));
	t->paused = epoll_ctl(c->fd, EPOLL_CTL_DEL, t->listener, NULL) == 0;
}

static void
tcp_accept(struct collector *c, struct tcp *t)
{
	for (unsigned i = 0; i < ACCEPTS; i++) {
		struct sockaddr_storage peer;
		socklen_t len = sizeof(peer);
		int fd = accept4(
		    t->listener, (void *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd != -1) {
			tcp_admit(c, t, fd, &peer);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM)
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
