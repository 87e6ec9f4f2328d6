/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/chunks.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void
chunks_init(struct chunks *c, size_t octets, uint32_t max)
{
	*c = (struct chunks){ .octets = (octets + 7) & ~(size_t)7, .max = max };
}

void
chunks_fini(struct chunks *c)
{
	for (uint32_t i = 0; i < c->n / CHUNK_THINGS; i++)
		free(c->list[i]);
	free(c->list);
	*c = (struct chunks){ 0 };
}

static bool
chunks_grow(struct chunks *c)
{
	uint32_t have = c->n / CHUNK_THINGS, end;
	uint8_t **list;

	if (c->n >= c->max)
		return false;
	list = realloc(c->list, (have + 1) * sizeof(*list));
	if (list == NULL)
		return false;
	c->list = list;
	if ((list[have] = malloc(CHUNK_THINGS * c->octets)) == NULL)
		return false;
	c->n += CHUNK_THINGS;
	end = c->n < c->max ? c->n : c->max;
	for (uint32_t no = end; no > c->n - CHUNK_THINGS; no--) {
		memcpy(chunks_at(c, no), &c->free, sizeof(c->free));
		c->free = no;
	}
	return true;
}

uint32_t
chunks_take(struct chunks *c)
{
	uint32_t no;

	if (c->free == 0 && !chunks_grow(c))
		return 0;
	no = c->free;
	memcpy(&c->free, chunks_at(c, no), sizeof(c->free));
	memset(chunks_at(c, no), 0, c->octets);
	c->in_use++;
	return no;
}

void
chunks_give(struct chunks *c, uint32_t no)
{
	memcpy(chunks_at(c, no), &c->free, sizeof(c->free));
	c->free = no;
	c->in_use--;
}
