/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "bench/limits/pcapfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	/*
	 * A quarter of a usual second level cache or less: what was read is still
	 * there.
	 */
	PCAPFILE_BUFFER_OCTETS = 128 << 10,
	PCAPFILE_HEADER_OCTETS = 24,
	PCAPFILE_RECORD_OCTETS = 16,
	PCAPFILE_ETHERNET = 1,
};

static _Noreturn void
pcapfile_die(const char *what)
{
	fprintf(stderr, "pcapagg: %s\n", what);
	exit(1);
}

static uint32_t
pcapfile_u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

void
pcapfile_open(struct pcapfile *f, const char *path)
{
	uint32_t magic;

	memset(f, 0, sizeof(*f));
	f->fd = open(path, O_RDONLY);
	if (f->fd < 0)
		pcapfile_die(strerror(errno));
	f->buffer = malloc(PCAPFILE_BUFFER_OCTETS);
	if (f->buffer == NULL)
		pcapfile_die("out of memory");
	pcapfile_fill(f);
	if (f->used < PCAPFILE_HEADER_OCTETS)
		pcapfile_die("not a pcap file");
	magic = pcapfile_u32(f->buffer);
	if ((magic != 0xa1b2c3d4 && magic != 0xa1b23c4d) ||
	    pcapfile_u32(f->buffer + 20) != PCAPFILE_ETHERNET)
		pcapfile_die(
		    "not a pcap file of Ethernet in this machine's byte order");
	f->at = PCAPFILE_HEADER_OCTETS;
}

void
pcapfile_close(struct pcapfile *f)
{
	free(f->buffer);
	close(f->fd);
}

bool
pcapfile_fill(struct pcapfile *f)
{
	ssize_t n;

	if (f->at_end)
		return false;
	f->used -= f->at;
	memmove(f->buffer, f->buffer + f->at, f->used);
	f->at = 0;
	if (f->used == PCAPFILE_BUFFER_OCTETS)
		pcapfile_die("a record is larger than the buffer");
	do
		n = read(f->fd, f->buffer + f->used, PCAPFILE_BUFFER_OCTETS - f->used);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		pcapfile_die(strerror(errno));
	f->at_end = n == 0;
	f->used += (size_t)n;
	return n != 0;
}

bool
pcapfile_next(struct pcapfile *f, struct pcapfile_frame *frame)
{
	const uint8_t *p = f->buffer + f->at;
	size_t left = f->used - f->at;

	if (left < PCAPFILE_RECORD_OCTETS)
		return false;
	frame->captured = pcapfile_u32(p + 8);
	frame->wire = pcapfile_u32(p + 12);
	frame->octets = p + PCAPFILE_RECORD_OCTETS;
	if (left - PCAPFILE_RECORD_OCTETS < frame->captured)
		return false;
	f->at += PCAPFILE_RECORD_OCTETS + frame->captured;
	return true;
}
