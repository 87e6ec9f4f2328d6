/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chunks: things of one size that come and go, called by a number from 1 (0 is none).
 * Memory is taken for many at once and kept. One thread.
 */
#ifndef WEIR_COLLECTORS_CHUNKS_H
#define WEIR_COLLECTORS_CHUNKS_H

#include <stddef.h>
#include <stdint.h>

#define CHUNK_THINGS 256U /* that memory is taken for at once */

struct chunks {
	size_t octets; /* of one, a multiple of 8 */
	uint32_t max;
	uint32_t n;    /* there is memory for */
	uint32_t in_use;
	/* private */
	uint32_t free; /* the last one given back; its first word has the one before */
	uint8_t **list;
};

/* For `max` things of `octets`. Nothing is allocated. */
void chunks_init(struct chunks *c, size_t octets, uint32_t max);
void chunks_fini(struct chunks *c);

/* The number of a thing that is all 0; 0 when there are `max` or memory is short. */
uint32_t chunks_take(struct chunks *c);
void chunks_give(struct chunks *c, uint32_t no);

static inline void *
chunks_at(const struct chunks *c, uint32_t no)
{
	return c->list[(no - 1) / CHUNK_THINGS] + (no - 1) % CHUNK_THINGS * c->octets;
}

#endif
