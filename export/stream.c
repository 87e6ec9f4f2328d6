/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"

#define BUFFER      (1U << 20)       /* octets that may wait for the kernel */
#define RETRY_MIN   CLOCK_S          /* between two tries to connect: doubles up to */
#define RETRY_MAX   (32 * CLOCK_S)
#define FINISH_MS   1000

struct stream {
	struct target *target;
	struct target_options options;
	int fd;                /* -1: none */
	bool open;             /* connected */
	bool said;             /* that it is not */
	unsigned made, asked;  /* connections: so far, when stream_is_new was asked */
	uint64_t next, wait;   /* when to try next, mono ns; how long to wait then */
	uint8_t *buffer;       /* what is left over of messages */
	size_t start, end;
};

struct stream *
stream_new(struct target *t, const struct target_options *o, struct err *e)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (s != NULL && (s->buffer = malloc(BUFFER)) != NULL) {
		s->target = t;
		s->options = *o;
		s->fd = -1;
		s->wait = RETRY_MIN;
		return s;
	}
	free(s);
	err_set(e, WEIR_ENOMEM, "%s: no memory for a connection", t->name);
	return NULL;
}

/* It has come to an end: try again after a while. */
static void
stream_lose(struct stream *s, int error)
{
	if (!s->said)
		log_warn("%s: no connection: %s (tried again after %u s and later)",
		    s->target->name, strerror(error), (unsigned)(s->wait / CLOCK_S));
	s->said = true;
	if (error == ECONNREFUSED)
		atomic_fetch_add_explicit(&s->target->refusals, 1, memory_order_relaxed);
	if (s->fd != -1)
		close(s->fd);
	s->fd = -1;
	s->open = false;
	s->start = s->end = 0;
	s->next = clock_mono() + s->wait;
	s->wait = s->wait * 2 < RETRY_MAX ? s->wait * 2 : RETRY_MAX;
}

void
stream_free(struct stream *s)
{
	if (s == NULL)
		return;
	if (s->fd != -1)
		close(s->fd);
	free(s->buffer);
	free(s);
}

bool
stream_is_open(const struct stream *s)
{
	return s->open;
}

bool
stream_is_new(struct stream *s)
{
	bool fresh = s->asked != s->made;

	s->asked = s->made;
	return fresh;
}

static void
stream_connect(struct stream *s)
{
	const struct target *t = s->target;
	int on = 1;

	if (atomic_load_explicit(&t->fd, memory_order_acquire) == -1)
		return; /* no address yet */
	s->fd = target_socket(t, SOCK_STREAM, &s->options);
	if (s->fd == -1) {
		stream_lose(s, errno);
		return;
	}
	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(s->fd, (const struct sockaddr *)&t->addr, t->addr_len) != 0 &&
	    errno != EINPROGRESS)
		stream_lose(s, errno);
}

/* Is the connection there by now? */
static void
stream_check(struct stream *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLOUT };
	int error = 0;
	socklen_t len = sizeof(error);

	if (poll(&p, 1, 0) <= 0)
		return;
	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
		stream_lose(s, error != 0 ? error : EIO);
		return;
	}
	s->open = true;
	s->made++;
	s->wait = RETRY_MIN;
	if (s->said)
		log_info("%s: connected", s->target->name);
	s->said = false;
}

/* A collector sends nothing; that it can be read from means that it has gone. */
static void
stream_listen(struct stream *s)
{
	char nothing[256];
	ssize_t n = recv(s->fd, nothing, sizeof(nothing), MSG_DONTWAIT);

	if (n == 0)
		stream_lose(s, ECONNRESET);
	else if (n == -1 && errno != EAGAIN && errno != EINTR)
		stream_lose(s, errno);
}

static void
stream_drain(struct stream *s)
{
	while (s->open && s->start < s->end) {
		ssize_t n = send(s->fd, s->buffer + s->start, s->end - s->start,
		    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno != EAGAIN)
				stream_lose(s, errno);
			return;
		}
		s->start += (size_t)n;
	}
	if (s->start == s->end)
		s->start = s->end = 0;
}

void
stream_turn(struct stream *s)
{
	if (s->fd == -1 && clock_mono() >= s->next)
		stream_connect(s);
	if (s->fd != -1 && !s->open)
		stream_check(s);
	if (s->open)
		stream_listen(s);
	if (s->open)
		stream_drain(s);
}

/* Room for `octets` more, moving what waits to the front where that helps. */
static bool
buffer_room(struct stream *s, size_t octets)
{
	if (BUFFER - s->end < octets && s->start > 0) {
		memmove(s->buffer, s->buffer + s->start, s->end - s->start);
		s->end -= s->start;
		s->start = 0;
	}
	return BUFFER - s->end >= octets;
}

void
stream_send(struct stream *s, struct mmsghdr *m, unsigned n, struct target_tally *tally)
{
	uint64_t octets = 0, sent = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct iovec *v = m[i].msg_hdr.msg_iov;
		size_t len = v[0].iov_len + v[1].iov_len;

		if (s->open && !buffer_room(s, len))
			stream_drain(s);
		if (!s->open || !buffer_room(s, len)) {
			target_miss(s->target, s->open ? TARGET_NO_ROOM : TARGET_UNCONNECTED, 1,
			    tally);
			continue;
		}
		memcpy(s->buffer + s->end, v[0].iov_base, v[0].iov_len);
		memcpy(s->buffer + s->end + v[0].iov_len, v[1].iov_base, v[1].iov_len);
		s->end += len;
		m[i].msg_len = (unsigned)len;
		octets += len;
		sent++;
	}
	atomic_fetch_add_explicit(&s->target->sent, sent, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->target->octets, octets, memory_order_relaxed);
	tally->sent += sent;
	if (s->open)
		stream_drain(s);
}

bool
stream_poll(const struct stream *s, struct pollfd *fd)
{
	*fd = (struct pollfd){ .fd = s->fd, .events = POLLIN };
	if (!s->open || s->start < s->end)
		fd->events |= POLLOUT;
	return s->fd != -1;
}

void
stream_finish(struct stream *s)
{
	uint64_t until = clock_mono() + FINISH_MS * CLOCK_MS;

	while (s->open && s->start < s->end && clock_mono() < until) {
		struct pollfd p = { .fd = s->fd, .events = POLLOUT };

		(void)poll(&p, 1, FINISH_MS);
		stream_drain(s);
	}
	if (s->fd != -1)
		close(s->fd);
	s->fd = -1;
	s->open = false;
}
