/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pcap file (classic format, this machine's byte order, Ethernet) read by hand with
 * large read(2)s. One thread; the program ends when the file cannot be read.
 */
#ifndef WEIR_BENCH_LIMITS_PCAPFILE_H
#define WEIR_BENCH_LIMITS_PCAPFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pcapfile {
	int fd;
	bool at_end;  /* of the file; the buffer may hold more */
	size_t used;  /* octets in the buffer */
	size_t at;  /* of the next record in it */
	uint8_t *buffer;
};

struct pcapfile_frame {
	const uint8_t *octets;  /* good until the next pcapfile_fill */
	uint32_t captured;
	uint32_t wire;
};

void pcapfile_open(struct pcapfile *f, const char *path);
void pcapfile_close(struct pcapfile *f);

/* Read on. Returns false when there is nothing more to take. */
bool pcapfile_fill(struct pcapfile *f);

/* The next whole frame in the buffer; false: fill it. */
bool pcapfile_next(struct pcapfile *f, struct pcapfile_frame *frame);

#endif
