/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "bench/gen_out.h"

#include "bench/gen.h"
#include "bench/gen_frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define OUT_BUFFER_OCTETS (1u << 20)
#define OUT_TICKS 1000  /* a second of sending is cut into so many bursts */

struct out {
	uint32_t sources;
	uint64_t sent;  /* frames or datagrams */

	int fd;  /* the pcap file; -1 with UDP */
	uint32_t snap;
	uint16_t src_port, dst_port;
	uint8_t *buffer;  /* OUT_BUFFER_OCTETS */
	size_t used;

	int *sockets;  /* one for each source; NULL with pcap */
	uint64_t rate;  /* datagrams a second; 0: unpaced */
	uint64_t burst;  /* datagrams between two looks at the clock */
	uint64_t start_ns;  /* monotonic, of the first datagram */
};

static void
out_flush(struct out *out)
{
	for (size_t done = 0; done < out->used;) {
		ssize_t n = write(out->fd, out->buffer + done, out->used - done);

		if (n < 0 && errno != EINTR)
			die("pcap file: %s", strerror(errno));
		done += n > 0 ? (size_t)n : 0;
	}
	out->used = 0;
}

/* Room for `octets` at the end of the buffer. */
static uint8_t *
out_room(struct out *out, size_t octets)
{
	uint8_t *p;

	if (out->used + octets > OUT_BUFFER_OCTETS)
		out_flush(out);
	p = out->buffer + out->used;
	out->used += octets;
	return p;
}

struct out *
out_pcap(const char *path, uint32_t snap, uint32_t sources, uint16_t src_port,
    uint16_t dst_port)
{
	/*
	 * The file header of pcap, in host order: readers know it by its magic number.
	 */
	const struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t zone, accuracy, snap, link;
	} header = { 0xa1b2c3d4, 2, 4, 0, 0, snap, 1 };
	struct out *out = die_calloc(1, sizeof(*out));

	out->snap = snap;
	out->sources = sources;
	out->src_port = src_port;
	out->dst_port = dst_port;
	out->buffer = die_calloc(1, OUT_BUFFER_OCTETS);
	out->fd = strcmp(path, "-") == 0
		      ? STDOUT_FILENO
		      : open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (out->fd < 0)
		die("%s: %s", path, strerror(errno));
	memcpy(out_room(out, sizeof(header)), &header, sizeof(header));
	return out;
}

static struct addrinfo *
out_resolve(const char *host_port)
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
out_socket(const struct addrinfo *to, uint32_t source)
{
	int fd = socket(to->ai_family, SOCK_DGRAM, 0);
	int octets = 4 << 20;

	if (fd < 0)
		die("socket %u: %s", source, strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &octets, sizeof(octets));
	if (to->ai_family == AF_INET) {
		const struct sockaddr_in *peer = (const void *)to->ai_addr;
		struct sockaddr_in self = { .sin_family = AF_INET };

		self.sin_addr.s_addr = htonl((UINT32_C(127) << 24) + 1 + source);
		if (ntohl(peer->sin_addr.s_addr) >> 24 == 127 &&
		    bind(fd, (const void *)&self, sizeof(self)) != 0)
			die("bind for source %u: %s", source, strerror(errno));
	}
	if (connect(fd, to->ai_addr, to->ai_addrlen) != 0)
		die("connect: %s", strerror(errno));
	return fd;
}

struct out *
out_udp(const char *host_port, uint32_t sources, uint64_t rate)
{
	struct out *out = die_calloc(1, sizeof(*out));
	struct addrinfo *to = out_resolve(host_port);

	out->fd = -1;
	out->sources = sources;
	out->rate = rate;
	out->burst = rate > OUT_TICKS ? rate / OUT_TICKS : 1;
	out->sockets = die_calloc(sources, sizeof(*out->sockets));
	for (uint32_t i = 0; i < sources; i++)
		out->sockets[i] = out_socket(to, i);
	freeaddrinfo(to);
	return out;
}

uint32_t
out_snap(const struct out *out)
{
	return out->snap;
}

uint32_t
out_sources(const struct out *out)
{
	return out->sources;
}

void
out_source_address(uint32_t source, uint8_t to[4])
{
	to[0] = 10;
	to[1] = 0;
	to[2] = (uint8_t)(source / 254);
	to[3] = (uint8_t)(1 + source % 254);
}

void
out_frame(struct out *out, uint64_t time_us, const uint8_t *octets, uint32_t captured,
    uint32_t wire)
{
	const uint32_t header[4] = { (uint32_t)(time_us / 1000000),
		(uint32_t)(time_us % 1000000), captured, wire };
	uint8_t *p = out_room(out, sizeof(header) + captured);

	memcpy(p, header, sizeof(header));
	memcpy(p + sizeof(header), octets, captured);
	out->sent++;
}

/* Sleep until the next burst is due. */
static void
out_pace(struct out *out)
{
	struct timespec t;
	uint64_t due;

	if (out->rate == 0 || out->sent % out->burst != 0)
		return;
	if (out->sent == 0) {
		clock_gettime(CLOCK_MONOTONIC, &t);
		out->start_ns = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
		return;
	}
	due = out->start_ns + out->sent * UINT64_C(1000000000) / out->rate;
	t.tv_sec = (time_t)(due / 1000000000);
	t.tv_nsec = (long)(due % 1000000000);
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		continue;
}

void
out_datagram(struct out *out, uint64_t time_us, uint32_t source, const uint8_t *payload,
    size_t octets)
{
	static const uint8_t collector[4] = { 192, 0, 2, 1 };
	uint8_t frame[FRAME_UDP_OCTETS + OUT_DATAGRAM_MAX];
	uint8_t address[4];

	if (out->sockets != NULL) {
		out_pace(out);
		/*
		 * Nobody listening (yet) shows as an error on the next send: RFC 1122
		 * s4.1.3.3.
		 */
		while (send(out->sockets[source], payload, octets, 0) < 0)
			if (errno != ECONNREFUSED && errno != ENOBUFS && errno != EINTR)
				die("send: %s", strerror(errno));
		out->sent++;
		return;
	}
	out_source_address(source, address);
	memcpy(frame + FRAME_UDP_OCTETS, payload, octets);
	frame_wrap_udp(frame + FRAME_UDP_OCTETS, octets, address, collector,
	    out->src_port, out->dst_port);
	out_frame(out, time_us, frame, (uint32_t)octets + FRAME_UDP_OCTETS,
	    (uint32_t)octets + FRAME_UDP_OCTETS);
}

uint64_t
out_close(struct out *out)
{
	uint64_t sent = out->sent;

	if (out->sockets != NULL) {
		for (uint32_t i = 0; i < out->sources; i++)
			close(out->sockets[i]);
	} else {
		out_flush(out);
		if (close(out->fd) != 0)
			die("pcap file: %s", strerror(errno));
	}
	free(out->sockets);
	free(out->buffer);
	free(out);
	return sent;
}
