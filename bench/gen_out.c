/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "bench/gen_out.h"

#include "bench/gen.h"
#include "bench/gen_frame.h"
#include "bench/gen_udp.h"
#include "bench/gen_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUT_BUFFER_OCTETS (1u << 20)

struct out {
	uint32_t sources;
	uint64_t sent;  /* frames or datagrams */

	int fd;  /* the pcap file; -1: none */
	uint32_t snap;
	uint16_t src_port, dst_port;
	uint8_t *buffer;  /* OUT_BUFFER_OCTETS */
	size_t used;

	struct udp *udp;  /* NULL: none */
	struct wire *wire;  /* NULL: none */
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
out_pcap(const char *path, uint32_t link, uint32_t snap, uint32_t sources,
    uint16_t src_port, uint16_t dst_port)
{
	/*
	 * The file header of pcap, in host order: readers know it by its magic number.
	 */
	const struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t zone, accuracy, snap, link;
	} header = { 0xa1b2c3d4, 2, 4, 0, 0, snap, link };
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

struct out *
out_udp(const char *host_port, uint32_t sources, uint64_t rate, bool one_by_one)
{
	struct out *out = die_calloc(1, sizeof(*out));

	out->fd = -1;
	out->sources = sources;
	out->udp = udp_new(host_port, sources, rate, one_by_one);
	return out;
}

struct out *
out_wire(const char *name, uint64_t rate)
{
	struct out *out = die_calloc(1, sizeof(*out));

	out->fd = -1;
	out->snap = FRAME_MAX;
	out->sources = 1;
	out->wire = wire_new(name, rate);
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
	uint8_t *p;

	out->sent++;
	if (out->wire != NULL) {
		wire_send(out->wire, octets, captured);
		return;
	}
	p = out_room(out, sizeof(header) + captured);
	memcpy(p, header, sizeof(header));
	memcpy(p + sizeof(header), octets, captured);
}

void
out_datagram(struct out *out, uint64_t time_us, uint32_t source, const uint8_t *payload,
    size_t octets)
{
	static const uint8_t collector[4] = { 192, 0, 2, 1 };
	uint8_t frame[FRAME_UDP_OCTETS + OUT_DATAGRAM_MAX];
	uint8_t address[4];

	if (out->udp != NULL) {
		udp_send(out->udp, source, payload, octets);
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

	if (out->fd != -1) {
		out_flush(out);
		if (close(out->fd) != 0)
			die("pcap file: %s", strerror(errno));
	}
	udp_free(out->udp);
	wire_free(out->wire);
	free(out->buffer);
	free(out);
	return sent;
}
