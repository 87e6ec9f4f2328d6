/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/link.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/clock.h"

#define SEND_MAX (3 * CLOCK_S) /* that the master may take for all of what is sent at once */
#define PDU_MAX  (1U << 24)    /* octets: many times what a whole message of SNMP asks for */
#define LOOK_MS  1000          /* between looks whether the thread shall end */

/*
 * Wait until the master's connection has room again, at most until `until` by the monotonic
 * clock; false: it is not waited for any more. A master that cannot be rid of its own answers
 * takes nothing either, and Linux has room for no sender while a quarter of it is full: so
 * what comes meanwhile is read, for later.
 */
static bool
link_takes(struct link *l, uint64_t until)
{
	uint64_t now;

	while ((now = clock_mono()) < until && (l->over == NULL || !atomic_load(l->over))) {
		uint64_t left = (until - now + CLOCK_MS - 1) / CLOCK_MS;
		size_t room = sizeof(l->held) - l->n_held;
		struct pollfd wait = { .fd = l->fd,
			.events = (short)(room > 0 ? POLLIN | POLLOUT : POLLOUT) };
		ssize_t n;

		if (poll(&wait, 1, left < LOOK_MS ? (int)left : LOOK_MS) == 0)
			continue;
		if ((wait.revents & POLLIN) == 0 || (wait.revents & POLLOUT) != 0)
			return true; /* or it is over, which sending tells */
		n = recv(l->fd, l->held + l->n_held, room, MSG_DONTWAIT);
		if (n <= 0)
			return n == -1 && (errno == EAGAIN || errno == EINTR);
		l->n_held += (size_t)n;
	}
	return false;
}

bool
link_send(struct link *l, const uint8_t *p, size_t n)
{
	uint64_t until = clock_mono() + SEND_MAX;

	while (n > 0) {
		ssize_t sent = send(l->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent > 0) {
			p += sent;
			n -= (size_t)sent;
		} else if (errno != EINTR &&
		           (errno != EAGAIN || !link_takes(l, until))) {
			(void)shutdown(l->fd, SHUT_RDWR);
			return false;
		}
	}
	return true;
}

ssize_t
link_receive(struct link *l, void *buf, size_t room)
{
	size_t n = l->n_held < room ? l->n_held : room;
	ssize_t got;

	if (n > 0) {
		memcpy(buf, l->held, n);
		l->n_held -= n;
		memmove(l->held, l->held + n, l->n_held);
		return (ssize_t)n;
	}
	do
		got = recv(l->fd, buf, room, MSG_DONTWAIT);
	while (got == -1 && errno == EINTR);
	return got;
}

/* These octets follow the header of the PDU. */
static void
link_note(struct link *l, const uint8_t *p, size_t n)
{
	size_t room = WIRE_RESPONSE - l->n_body;
	size_t take = n < room ? n : room;

	memcpy(l->head + WIRE_HEADER + l->n_body, p, take);
	l->n_body += take;
	if (take > 0 && take == room && l->begins != NULL)
		l->begins(l->arg, l->head);
}

bool
link_follow(struct link *l, const uint8_t *p, size_t n)
{
	while (n > 0) {
		size_t want = l->owed > 0 ? l->owed : WIRE_HEADER - l->n_head;
		size_t take = n < want ? n : want;

		if (l->owed > 0) {
			link_note(l, p, take);
			l->owed -= take;
		} else {
			memcpy(l->head + l->n_head, p, take);
			l->n_head += take;
			if (l->n_head == WIRE_HEADER) {
				uint64_t len = wire_length(l->head);

				l->n_head = 0;
				l->n_body = 0;
				if (len > PDU_MAX)
					return false;
				l->owed = (size_t)len - WIRE_HEADER;
			}
		}
		p += take;
		n -= take;
	}
	return true;
}
