/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "bench/gen_udp.h"

#include "bench/gen.h"
#include "bench/gen_out.h"
#include "bench/gen_pace.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH_MAX 64
#define WAIT_MAX 4096 /* datagrams that wait, all sources together */
#define SEND_ROOM (4 << 20)
#define SEGMENTS_OCTETS 65000 /* one message to be cut has no more */

/* A source's socket, and its datagrams that wait. */
struct source {
	int fd;
	unsigned n;
	struct iovec *vectors; /* udp.batch */
	uint8_t *octets; /* OUT_DATAGRAM_MAX for each */
	bool one_by_one; /* the kernel cannot cut datagrams out of a message, or is not to */
};

struct udp {
	uint32_t n_sources;
	struct source *sources;
	unsigned batch; /* datagrams of a source sent at once */
	struct pace pace;
};

static struct addrinfo *
udp_resolve(const char *host_port)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_DGRAM };
	char host[256];
	const char *colon = strrchr(host_port, ':');
	size_t n = colon != NULL ? (size_t)(colon - host_port) : 0;
	struct addrinfo *to;
	int rc;

	if (n == 0 || n >= sizeof(host))
		die("--udp %s: want HOST:PORT", host_port);
	if (n > 2 && host_port[0] == '[' && host_port[n - 1] == ']') {
		host_port++;
		n -= 2;
	}
	memcpy(host, host_port, n);
	host[n] = '\0';
	rc = getaddrinfo(host, colon + 1, &hints, &to);
	if (rc != 0)
		die("--udp %s: %s", host, gai_strerror(rc));
	return to;
}

static int
source_socket(const struct addrinfo *to, uint32_t no)
{
	int fd = socket(to->ai_family, SOCK_DGRAM, 0);
	int octets = SEND_ROOM;

	if (fd < 0)
		die("socket %u: %s", no, strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &octets, sizeof(octets));
	if (to->ai_family == AF_INET) {
		const struct sockaddr_in *peer = (const void *)to->ai_addr;
		struct sockaddr_in self = { .sin_family = AF_INET };

		self.sin_addr.s_addr = htonl((UINT32_C(127) << 24) + 1 + no);
		if (ntohl(peer->sin_addr.s_addr) >> 24 == 127 &&
		    bind(fd, (const void *)&self, sizeof(self)) != 0)
			die("bind for source %u: %s", no, strerror(errno));
	}
	if (connect(fd, to->ai_addr, to->ai_addrlen) != 0)
		die("connect: %s", strerror(errno));
	return fd;
}

static void
source_open(struct source *s, const struct addrinfo *to, uint32_t no, unsigned batch)
{
	s->fd = source_socket(to, no);
	s->vectors = die_calloc(batch, sizeof(*s->vectors));
	s->octets = die_calloc(batch, OUT_DATAGRAM_MAX);
	for (unsigned i = 0; i < batch; i++)
		s->vectors[i].iov_base = s->octets + (size_t)i * OUT_DATAGRAM_MAX;
}

/* How many from `at` on are of one length and can go out as one message. */
static unsigned
source_run(const struct source *s, unsigned at)
{
	size_t len = s->vectors[at].iov_len, total = len;
	unsigned n = 1;

	while (!s->one_by_one && at + n < s->n && s->vectors[at + n].iov_len == len &&
	       total + len <= SEGMENTS_OCTETS) {
		total += len;
		n++;
	}
	return n;
}

/* One message of `run` datagrams, cut by the kernel (udp(7), UDP_SEGMENT). */
static bool
source_send(struct source *s, unsigned at, unsigned run)
{
	uint16_t len = (uint16_t)s->vectors[at].iov_len;
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(len))] = { 0 };
	struct msghdr m = { .msg_iov = &s->vectors[at], .msg_iovlen = run };

	if (run > 1) {
		struct cmsghdr *c = (void *)control;

		m.msg_control = control;
		m.msg_controllen = sizeof(control);
		c->cmsg_level = IPPROTO_UDP;
		c->cmsg_type = UDP_SEGMENT;
		c->cmsg_len = CMSG_LEN(sizeof(len));
		memcpy(CMSG_DATA(c), &len, sizeof(len));
	}
	return sendmsg(s->fd, &m, 0) >= 0;
}

/* Send all that waits. */
static void
source_flush(struct source *s)
{
	unsigned done = 0;

	while (done < s->n) {
		unsigned run = source_run(s, done);

		/*
		 * Nobody listening (yet) shows as an error on the next send: RFC 1122
		 * s4.1.3.3.
		 */
		if (source_send(s, done, run))
			done += run;
		else if (run > 1 && (errno == EINVAL || errno == EIO))
			s->one_by_one = true;
		else if (errno != ECONNREFUSED && errno != ENOBUFS && errno != EINTR)
			die("sendmsg: %s", strerror(errno));
	}
	s->n = 0;
}

static void
udp_flush(struct udp *u)
{
	for (uint32_t i = 0; i < u->n_sources; i++)
		source_flush(&u->sources[i]);
}

/* A descriptor for each source: take what the hard limit allows. */
static void
descriptors_want(uint32_t sources)
{
	struct rlimit l;
	rlim_t want = (rlim_t)sources + 64;

	if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur >= want)
		return;
	l.rlim_cur = l.rlim_max < want ? l.rlim_max : want;
	(void)setrlimit(RLIMIT_NOFILE, &l);
}

struct udp *
udp_new(const char *host_port, uint32_t sources, uint64_t rate, bool one_by_one)
{
	struct udp *u = die_calloc(1, sizeof(*u));
	struct addrinfo *to = udp_resolve(host_port);
	uint64_t batch = WAIT_MAX / sources;

	u->pace = pace_of(rate);
	if (rate != 0 && batch > u->pace.burst)
		batch = u->pace.burst;
	u->batch = batch > BATCH_MAX ? BATCH_MAX : batch < 1 ? 1 : (unsigned)batch;
	u->n_sources = sources;
	descriptors_want(sources);
	u->sources = die_calloc(sources, sizeof(*u->sources));
	for (uint32_t i = 0; i < sources; i++) {
		source_open(&u->sources[i], to, i, u->batch);
		u->sources[i].one_by_one = one_by_one;
	}
	freeaddrinfo(to);
	return u;
}

void
udp_free(struct udp *u)
{
	if (u == NULL)
		return;
	udp_flush(u);
	for (uint32_t i = 0; i < u->n_sources; i++) {
		struct source *s = &u->sources[i];

		close(s->fd);
		free(s->vectors);
		free(s->octets);
	}
	free(u->sources);
	free(u);
}

void
udp_send(struct udp *u, uint32_t source, const uint8_t *payload, size_t octets)
{
	struct source *s = &u->sources[source];

	if (pace_due(&u->pace)) {
		udp_flush(u);
		pace_wait(&u->pace);
	}
	memcpy(s->vectors[s->n].iov_base, payload, octets);
	s->vectors[s->n++].iov_len = octets;
	u->pace.sent++;
	if (s->n == u->batch)
		source_flush(s);
}
