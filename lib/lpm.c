/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DOC: A trie of blocks of 256 cells, all in one array and named by number. Each family
 * has a root of 256 blocks side by side, indexed by 16 bits (the first two octets, for
 * IPv4 of its four); below it every block takes 8 bits. A cell is empty, an answer, or
 * the number of the block below it: answers exist in leaves only, so a look-up never goes
 * back. How long the prefix was that gave an answer is kept beside the cell, for adding
 * only: a shorter prefix that comes later does not overwrite it.
 */
#include "lib/lpm.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#define BLOCK      256U
#define ROOT_V4    0U                /* first cell */
#define ROOT_V6    (256U * BLOCK)    /* first cell */
#define N_ROOT     512U              /* blocks of both roots */
#define BELOW      0x80000000U       /* cell: a block's number; else answer + 1 or 0 */
#define MAX_BLOCKS 0x7fffffffU

struct lpm {
	uint32_t *cells;
	uint8_t *lens;    /* beside each answer: bits of its prefix */
	size_t n_blocks;
	size_t room;      /* blocks allocated */
};

struct lpm *
lpm_new(void)
{
	struct lpm *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->n_blocks = l->room = N_ROOT;
	l->cells = calloc(N_ROOT * BLOCK, sizeof(*l->cells));
	l->lens = calloc(N_ROOT * BLOCK, sizeof(*l->lens));
	if (l->cells == NULL || l->lens == NULL) {
		lpm_free(l);
		return NULL;
	}
	return l;
}

void
lpm_free(struct lpm *l)
{
	if (l == NULL)
		return;
	free(l->cells);
	free(l->lens);
	free(l);
}

/* Make room for one more block. Returns 0 or -WEIR_ENOMEM; `l` is whole either way. */
static int
lpm_grow(struct lpm *l)
{
	size_t room = l->room + l->room / 2;
	uint32_t *cells;
	uint8_t *lens;

	if (l->n_blocks < l->room)
		return 0;
	if (room > MAX_BLOCKS || room > SIZE_MAX / BLOCK / sizeof(*cells))
		return -WEIR_ENOMEM;
	cells = realloc(l->cells, room * BLOCK * sizeof(*cells));
	if (cells == NULL)
		return -WEIR_ENOMEM;
	l->cells = cells;
	lens = realloc(l->lens, room * BLOCK * sizeof(*lens));
	if (lens == NULL)
		return -WEIR_ENOMEM;
	l->lens = lens;
	l->room = room;
	return 0;
}

/*
 * The first cell of the block below cell `at`, made when there was none: it starts out
 * with the cell's answer everywhere. Returns 0 when memory is short (a root's cell, so
 * never a block below).
 */
static size_t
lpm_below(struct lpm *l, size_t at)
{
	size_t first;

	if (l->cells[at] & BELOW)
		return (size_t)(l->cells[at] & ~BELOW) * BLOCK;
	if (lpm_grow(l) != 0)
		return 0;
	first = l->n_blocks * BLOCK;
	for (size_t i = first; i < first + BLOCK; i++) {
		l->cells[i] = l->cells[at];
		l->lens[i] = l->lens[at];
	}
	l->cells[at] = BELOW | (uint32_t)l->n_blocks++;
	return first;
}

/* Answer `cell` in `n` cells from `at` and all below, but not for longer prefixes. */
static void
lpm_fill(struct lpm *l, size_t at, size_t n, uint32_t cell, uint8_t len)
{
	for (size_t i = at; i < at + n; i++) {
		if (l->cells[i] & BELOW) {
			size_t first = (size_t)(l->cells[i] & ~BELOW) * BLOCK;

			lpm_fill(l, first, BLOCK, cell, len);
		} else if (len >= l->lens[i]) {
			l->cells[i] = cell;
			l->lens[i] = len;
		}
	}
}

int
lpm_add(struct lpm *l, const struct prefix *p, uint32_t value)
{
	ip16_t a = ip_mask(&p->addr, p->len);
	bool v4 = ip_is_v4(&a);                /* so p->len is 96 at least */
	unsigned octet = v4 ? 12 : 0;          /* the next one to take */
	unsigned end = octet * 8 + 16;         /* bits known at this level */
	size_t at = v4 ? ROOT_V4 : ROOT_V6;

	if (p->len > 128 || value > LPM_MAX_VALUE)
		return -WEIR_EINVAL;
	at += (size_t)a.b[octet] << 8 | a.b[octet + 1];
	for (octet += 2; p->len > end; octet++, end += 8) {
		at = lpm_below(l, at);
		if (at == 0)
			return -WEIR_ENOMEM;
		at += a.b[octet];
	}
	lpm_fill(l, at, (size_t)1 << (end - p->len), value + 1, p->len);
	return 0;
}

int64_t
lpm_find(const struct lpm *l, const ip16_t *a)
{
	bool v4 = ip_is_v4(a);
	const uint8_t *octet = a->b + (v4 ? 12 : 0);
	const uint32_t *cells = l->cells;
	size_t root = v4 ? ROOT_V4 : ROOT_V6;
	uint32_t cell = cells[root + ((size_t)octet[0] << 8 | octet[1])];

	/* Blocks of the sixteenth octet have none below, so this ends inside `a`. */
	for (octet += 2; cell & BELOW; octet++)
		cell = cells[(size_t)(cell & ~BELOW) * BLOCK + *octet];
	return (int64_t)cell - 1;
}

size_t
lpm_octets(const struct lpm *l)
{
	return sizeof(*l) + l->room * BLOCK * (sizeof(*l->cells) + sizeof(*l->lens));
}
