/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets on loopback for the tests of export/: receivers, and who connects to them. */
#ifndef WEIR_TESTS_EXPORT_SOCKETS_H
#define WEIR_TESTS_EXPORT_SOCKETS_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define SOCKETS_WAIT_MS 10000

/*
 * A socket of `type` at a free port of 127.0.0.1, which listens where it is SOCK_STREAM; its
 * connections buffer `octets` (0: what the system likes). `name` gets "127.0.0.1:PORT".
 */
static inline int
socket_at(int type, int octets, char name[32])
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_int_not_equal(fd, -1);
	if (octets > 0)
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof(octets)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 8), 0);
	snprintf(name, 32, "127.0.0.1:%u", ntohs(a.sin_port));
	return fd;
}

/* Wait until `fd` can be read. */
static inline void
socket_wait(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, SOCKETS_WAIT_MS), 1);
}

/* The next datagram of `fd`; `from` gets the port that it came from. Returns its length. */
static inline size_t
datagram_take(int fd, uint8_t *to, size_t room, uint16_t *from)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	ssize_t n;

	socket_wait(fd);
	n = recvfrom(fd, to, room, 0, (struct sockaddr *)&a, &len);
	assert_true(n >= 0);
	if (from != NULL)
		*from = ntohs(a.sin_port);
	return (size_t)n;
}

/*
 * Be in a network of our own, where nothing is up, until network_leave gets what this returns;
 * -1: we may have none.
 */
static inline int
network_enter(void)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (home != -1 && unshare(CLONE_NEWNET) == 0)
		return home;
	print_message("no network namespace of our own: %s\n", strerror(errno));
	if (home != -1)
		close(home);
	return -1;
}

static inline void
network_leave(int home)
{
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	close(home);
}

static inline uint32_t
u16_at(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t
u32_at(const uint8_t *p)
{
	return u16_at(p) << 16 | u16_at(p + 2);
}

#endif
