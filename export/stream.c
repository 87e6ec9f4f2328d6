/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"

#define MESSAGES    4096U            /* that may wait for the kernel; a power of two */
#define RETRY_MIN   CLOCK_S          /* between two tries to connect: doubles up to */
#define RETRY_MAX   (32 * CLOCK_S)
#define SILENCE_MS  30000            /* who takes nothing for so long is gone, or as good as that */

struct stream {
	struct target *target;
	struct target_options options;
	int fd;                /* -1: none */
	bool open;             /* connected */
	bool said;             /* that it is not */
	unsigned made, asked;  /* connections: so far, when stream_is_new was asked */
	uint64_t next, wait;   /* when to try next, mono ns; how long to wait then */
	uint64_t opened;       /* when it connected, mono ns */
	uint64_t moved;        /* when it last began to connect, connected or sent; mono ns */
	uint8_t *buffer;       /* what is left over of messages */
	size_t start, end;
	uint32_t first, last;  /* of them, the first and the one behind the last; wrap */
	struct {
		uint32_t octets;   /* of it that are left */
		uint32_t records;
	} messages[MESSAGES];
	struct stream_result result;
};

struct stream *
stream_new(struct target *t, const struct target_options *o, struct err *e)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (s != NULL && (s->buffer = malloc(STREAM_BUFFER)) != NULL) {
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

void
stream_close(struct stream *s)
{
	struct target_tally tally = { 0 };

	for (; s->first != s->last; s->first++) {
		s->result.refused += s->messages[s->first % MESSAGES].records;
		target_miss(s->target, TARGET_UNCONNECTED, 1, &tally);
	}
	if (s->fd != -1)
		close(s->fd);
	s->fd = -1;
	s->open = false;
	s->start = s->end = 0;
}

/* It has come to an end: try again after a while. */
static void
stream_lose(struct stream *s, int error)
{
	uint32_t left = s->last - s->first;
	struct err e = ERR_INIT;
	uint64_t mono = clock_mono();

	/* One that takes connections and breaks them off is not asked for more and more. */
	if (s->open && mono - s->opened >= s->wait)
		s->wait = RETRY_MIN;
	err_set(&e, WEIR_EIO, "%s: no connection: %s", s->target->name, strerror(error));
	target_failed(s->target, e.text);
	if (!s->said)
		log_warn("%s (%u messages were left; tried again after %u s and later)",
		    e.text, left, (unsigned)(s->wait / CLOCK_S));
	s->said = true;
	if (error == ECONNREFUSED)
		atomic_fetch_add_explicit(&s->target->refusals, 1, memory_order_relaxed);
	stream_close(s);
	s->next = mono + s->wait;
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
	const struct target_address *to;
	unsigned silence = SILENCE_MS; /* the system's own is a quarter of an hour, of losses */
	int on = 1;

	if (atomic_load_explicit(&t->fd, memory_order_acquire) == -1)
		return; /* no address yet */
	s->fd = target_socket(t, SOCK_STREAM, &s->options);
	if (s->fd == -1) {
		stream_lose(s, errno);
		return;
	}
	to = target_address(t);
	s->moved = clock_mono();
	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence, sizeof(silence));
	if (connect(s->fd, (const struct sockaddr *)&to->addr, to->len) != 0 &&
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
	s->opened = s->moved = clock_mono();
	s->made++;
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

/* The kernel has taken `n` octets more. */
static void
stream_account(struct stream *s, size_t n)
{
	uint64_t sent = 0;

	s->start += n;
	s->moved = clock_mono();
	while (n > 0 && n >= s->messages[s->first % MESSAGES].octets) {
		n -= s->messages[s->first % MESSAGES].octets;
		s->result.written += s->messages[s->first % MESSAGES].records;
		s->first++;
		sent++;
	}
	if (n > 0)
		s->messages[s->first % MESSAGES].octets -= (uint32_t)n;
	atomic_fetch_add_explicit(&s->target->sent, sent, memory_order_relaxed);
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
		stream_account(s, (size_t)n);
		atomic_fetch_add_explicit(&s->target->octets, (uint64_t)n,
		    memory_order_relaxed);
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
	if (STREAM_BUFFER - s->end < octets && s->start > 0) {
		memmove(s->buffer, s->buffer + s->start, s->end - s->start);
		s->end -= s->start;
		s->start = 0;
	}
	return STREAM_BUFFER - s->end >= octets;
}

bool
stream_send(struct stream *s, const struct iovec parts[2], unsigned records)
{
	size_t len = parts[0].iov_len + parts[1].iov_len;
	struct target_tally tally = { 0 };

	if (s->open && (!buffer_room(s, len) || s->last - s->first == MESSAGES))
		stream_drain(s);
	if (!s->open || !buffer_room(s, len) || s->last - s->first == MESSAGES) {
		target_miss(s->target, s->open ? TARGET_NO_ROOM : TARGET_UNCONNECTED, 1,
		    &tally);
		s->result.refused += records;
		return false;
	}
	for (int i = 0; i < 2; i++) {
		memcpy(s->buffer + s->end, parts[i].iov_base, parts[i].iov_len);
		s->end += parts[i].iov_len;
	}
	s->messages[s->last % MESSAGES].octets = (uint32_t)len;
	s->messages[s->last % MESSAGES].records = records;
	s->last++;
	return true;
}

struct stream_result
stream_settle(struct stream *s)
{
	struct stream_result r = s->result;

	s->result = (struct stream_result){ 0 };
	return r;
}

bool
stream_poll(const struct stream *s, struct pollfd *fd)
{
	*fd = (struct pollfd){ .fd = s->fd, .events = POLLIN };
	if (!s->open || s->start < s->end)
		fd->events |= POLLOUT;
	return s->fd != -1;
}

size_t
stream_waiting(const struct stream *s)
{
	return s->end - s->start;
}

bool
stream_is_awaited(const struct stream *s, size_t octets, uint64_t mono, uint64_t patience)
{
	bool behind =
	    stream_waiting(s) > octets || s->last - s->first > MESSAGES / 2 || !s->open;

	return s->fd != -1 && behind && mono < s->moved + patience;
}
