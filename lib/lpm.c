/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DOC: A trie that takes 16 bits of an address, then 8 at a time. Each family has a root of
 * 65536 cells: an answer, or the number of a node. A node has a place for each value of an
 * octet, 64 of them in a quarter: one bitmap says which places have a node below, another
 * at which places a new answer begins, for neighbours mostly have the same one. Children
 * of a quarter stand side by side, and so do its answers: how many bits are set before
 * the place is how far from the first they are. So a quarter (24 octets) and one answer are
 * all that a level asks of memory. Answers exist in leaves only: a look-up never goes back.
 * (The idea is the poptrie's: Asai and Ohara, SIGCOMM 2015.)
 *
 * Built from sorted prefixes: within a node shorter ones come first and paint the places that
 * they hold; those that end further down form runs with one place each.
 */
#include "lib/lpm.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#define ROOT       65536U
#define PLACES     256U
#define QUARTER    64U
#define BELOW      0x80000000U       /* cell: a node's number; else answer + 1 or 0 */
#define MAX_NODES  0x7fffffffU

struct quarter {
	uint64_t child, fresh;  /* bit of a place: a node is below, a new answer begins */
	uint32_t first_child, first_answer;
};

struct node {
	struct quarter q[PLACES / QUARTER];
};

struct added {
	struct prefix p;
	uint32_t value;  /* + 1 */
	uint32_t order;
};

/* Of one family. */
struct family {
	struct added *added;     /* until the trie is built */
	size_t n, room;
	uint32_t *root;          /* ROOT cells */
};

struct lpm {
	struct family family[2]; /* by ip_is_v4 */
	struct node *nodes;
	uint32_t *answers;       /* value + 1, or 0 */
	size_t n_nodes, nodes_room, n_answers, answers_room;
	bool built;
};

struct lpm *
lpm_new(void)
{
	struct lpm *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->family[0].root = calloc(ROOT, sizeof(uint32_t));
	l->family[1].root = calloc(ROOT, sizeof(uint32_t));
	if (l->family[0].root == NULL || l->family[1].root == NULL) {
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
	for (int v4 = 0; v4 < 2; v4++) {
		free(l->family[v4].added);
		free(l->family[v4].root);
	}
	free(l->nodes);
	free(l->answers);
	free(l);
}

/*
 * Room for `more` elements of `octets` behind the `n` of the array at `*at`. Returns 0 or
 * -WEIR_ENOMEM, and then the array is as it was.
 */
static int
array_grow(void *at, size_t octets, size_t n, size_t more, size_t *room)
{
	size_t want = *room + *room / 2;
	void *array;

	if (n + more <= *room)
		return 0;
	if (want < n + more)
		want = n + more + 64;
	if (want > MAX_NODES || want > SIZE_MAX / octets)
		return -WEIR_ENOMEM;
	memcpy(&array, at, sizeof(array));
	array = realloc(array, want * octets);
	if (array == NULL)
		return -WEIR_ENOMEM;
	memcpy(at, &array, sizeof(array));
	*room = want;
	return 0;
}

int
lpm_add(struct lpm *l, const struct prefix *p, uint32_t value)
{
	struct family *f;
	struct prefix masked;

	assert(!l->built);
	if (p->len > 128 || value > LPM_MAX_VALUE)
		return -WEIR_EINVAL;
	masked = (struct prefix){ ip_mask(&p->addr, p->len), p->len };
	f = &l->family[ip_is_v4(&masked.addr)]; /* so an IPv4 prefix has 96 bits at least */
	if (array_grow(&f->added, sizeof(*f->added), f->n, 1, &f->room) != 0)
		return -WEIR_ENOMEM;
	f->added[f->n] = (struct added){ masked, value + 1, (uint32_t)f->n };
	f->n++;
	return 0;
}

/* By address, shorter ones before longer ones, then as they were added. */
static int
added_compare(const void *a, const void *b)
{
	const struct added *x = a, *y = b;
	int by_addr = memcmp(&x->p.addr, &y->p.addr, sizeof(x->p.addr));

	if (by_addr != 0)
		return by_addr;
	if (x->p.len != y->p.len)
		return (int)x->p.len - (int)y->p.len;
	return (x->order > y->order) - (x->order < y->order);
}

/* Files are mostly sorted; qsort does not look. */
static void
added_sort(struct family *f)
{
	for (size_t i = 1; i < f->n; i++)
		if (added_compare(&f->added[i - 1], &f->added[i]) > 0) {
			qsort(f->added, f->n, sizeof(*f->added), added_compare);
			return;
		}
}

/* Prefixes that end below one place of a node. */
struct below {
	uint32_t place;
	const struct added *from, *to;
};

/*
 * Paint `cells` with the prefixes of [from, to), all of which begin alike up to bit
 * `start`, as far as they end within `bits` bits. Those that go on are put together by
 * place, to `below`. Returns how many places that are.
 */
static size_t
cells_paint(const struct added *from, const struct added *to, unsigned start, unsigned bits,
    uint32_t *cells, struct below *below)
{
	size_t n = 0;

	for (const struct added *a = from; a < to; a++) {
		const uint8_t *octet = &a->p.addr.b[start / 8];
		uint32_t place = bits == 16 ? (uint32_t)octet[0] << 8 | octet[1] : octet[0];

		if (a->p.len <= start + bits) {
			uint32_t end = place + (1U << (start + bits - a->p.len));

			while (place < end)
				cells[place++] = a->value;
		} else if (n > 0 && below[n - 1].place == place) {
			below[n - 1].to = a + 1;
		} else {
			below[n++] = (struct below){ place, a, a + 1 };
		}
	}
	return n;
}

/* Fill quarter `k` of node `no` with its answers. */
static int
quarter_answers(struct lpm *l, size_t no, unsigned k, const uint32_t *cells)
{
	struct quarter *q = &l->nodes[no].q[k];

	if (array_grow(&l->answers, sizeof(*l->answers), l->n_answers, QUARTER,
	        &l->answers_room) != 0)
		return -WEIR_ENOMEM;
	q->first_answer = (uint32_t)l->n_answers;
	q->fresh = 0;
	for (unsigned i = 0; i < QUARTER; i++) {
		/* What stands at a place with a node below is never looked at. */
		if (i > 0 && (cells[i] == l->answers[l->n_answers - 1] || q->child >> i & 1))
			continue;
		q->fresh |= UINT64_C(1) << i;
		l->answers[l->n_answers++] = cells[i];
	}
	return 0;
}

/* Make node `no` of [from, to), which begin alike up to bit `start`; `above` elsewhere. */
static int
node_build(struct lpm *l, size_t no, const struct added *from, const struct added *to,
    unsigned start, uint32_t above)
{
	uint32_t cells[PLACES];
	struct below below[PLACES];
	size_t n, first = l->n_nodes;
	int rc = 0;

	for (unsigned i = 0; i < PLACES; i++)
		cells[i] = above;
	n = cells_paint(from, to, start, 8, cells, below);
	if (array_grow(&l->nodes, sizeof(*l->nodes), first, n, &l->nodes_room) != 0)
		return -WEIR_ENOMEM;
	l->n_nodes += n;
	for (unsigned k = 0, i = 0; k < PLACES / QUARTER; k++) {
		l->nodes[no].q[k].first_child = (uint32_t)(first + i);
		l->nodes[no].q[k].child = 0;
		for (; i < n && below[i].place / QUARTER == k; i++)
			l->nodes[no].q[k].child |= UINT64_C(1) << below[i].place % QUARTER;
		if (quarter_answers(l, no, k, cells + k * QUARTER) != 0)
			return -WEIR_ENOMEM;
	}
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = node_build(l, first + i, below[i].from, below[i].to, start + 8,
		    cells[below[i].place]);
	return rc;
}

static int
family_build(struct lpm *l, struct family *f, unsigned start)
{
	struct below *below = malloc(ROOT * sizeof(*below));
	size_t n, first = l->n_nodes;
	int rc = 0;

	if (below == NULL)
		return -WEIR_ENOMEM;
	added_sort(f);
	n = cells_paint(f->added, f->n > 0 ? f->added + f->n : NULL, start, 16, f->root, below);
	rc = array_grow(&l->nodes, sizeof(*l->nodes), first, n, &l->nodes_room);
	l->n_nodes += rc == 0 ? n : 0;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		uint32_t *cell = &f->root[below[i].place];

		rc = node_build(l, first + i, below[i].from, below[i].to, start + 16, *cell);
		*cell = BELOW | (uint32_t)(first + i);
	}
	free(below);
	free(f->added);
	f->added = NULL;
	return rc;
}

/* Give back what an array has beyond its `n` elements. */
static void
array_trim(void *at, size_t octets, size_t n, size_t *room)
{
	void *array;

	memcpy(&array, at, sizeof(array));
	if (n == 0 || (array = realloc(array, n * octets)) == NULL)
		return;
	memcpy(at, &array, sizeof(array));
	*room = n;
}

int
lpm_build(struct lpm *l)
{
	assert(!l->built);
	l->built = true;
	if (family_build(l, &l->family[0], 0) != 0 || family_build(l, &l->family[1], 96) != 0)
		return -WEIR_ENOMEM;
	array_trim(&l->nodes, sizeof(*l->nodes), l->n_nodes, &l->nodes_room);
	array_trim(&l->answers, sizeof(*l->answers), l->n_answers, &l->answers_room);
	return 0;
}

/* How many bits of `v` are set; the instruction is not on every machine. */
static inline unsigned
bits_count(uint64_t v)
{
	v -= v >> 1 & UINT64_C(0x5555555555555555);
	v = (v & UINT64_C(0x3333333333333333)) + (v >> 2 & UINT64_C(0x3333333333333333));
	v = (v + (v >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	return (unsigned)(v * UINT64_C(0x0101010101010101) >> 56);
}

/* A look-up under way. */
struct probe {
	const uint8_t *octet; /* the next to take */
	uint32_t cell;        /* of the last node or root */
};

static inline struct probe
probe_start(const struct lpm *l, const ip16_t *a)
{
	bool v4 = ip_is_v4(a);
	const uint8_t *octet = a->b + (v4 ? 12 : 0);

	return (struct probe){ octet + 2,
		l->family[v4].root[(size_t)octet[0] << 8 | octet[1]] };
}

static inline const struct quarter *
probe_quarter(const struct lpm *l, const struct probe *p)
{
	return &l->nodes[p->cell & ~BELOW].q[*p->octet / QUARTER];
}

/*
 * Go one level down: to a node (true), or to the place of the answer in l->answers. Nodes of
 * the sixteenth octet have none below, so this ends inside the address.
 */
static inline bool
probe_step(const struct lpm *l, struct probe *p, const uint32_t **answer)
{
	const struct quarter *q = probe_quarter(l, p);
	unsigned place = *p->octet++ % QUARTER;
	uint64_t upto = (UINT64_C(2) << place) - 1; /* all ones for 63 */

	if ((q->child >> place & 1) != 0) {
		p->cell = BELOW | (q->first_child + bits_count(q->child & upto) - 1);
		return true;
	}
	*answer = &l->answers[q->first_answer + bits_count(q->fresh & upto) - 1];
	return false;
}

int64_t
lpm_find(const struct lpm *l, const ip16_t *a)
{
	struct probe p = probe_start(l, a);
	const uint32_t *answer = &p.cell;

	assert(l->built);
	if ((p.cell & BELOW) != 0)
		while (probe_step(l, &p, &answer))
			;
	return (int64_t)*answer - 1;
}

void
lpm_find_many(const struct lpm *l, const ip16_t *const *a, unsigned n, int64_t *values)
{
	struct probe probes[LPM_BATCH];
	const uint32_t *answers[LPM_BATCH];
	uint8_t busy[LPM_BATCH];
	unsigned n_busy = 0;

	assert(l->built && n <= LPM_BATCH);
	for (unsigned i = 0; i < n; i++) {
		probes[i] = probe_start(l, a[i]);
		answers[i] = &probes[i].cell;
		if ((probes[i].cell & BELOW) != 0) {
			__builtin_prefetch(probe_quarter(l, &probes[i]));
			busy[n_busy++] = (uint8_t)i;
		}
	}
	while (n_busy > 0) {
		unsigned still = 0;

		for (unsigned k = 0; k < n_busy; k++) {
			unsigned i = busy[k];

			if (probe_step(l, &probes[i], &answers[i])) {
				__builtin_prefetch(probe_quarter(l, &probes[i]));
				busy[still++] = (uint8_t)i;
			} else {
				__builtin_prefetch(answers[i]);
			}
		}
		n_busy = still;
	}
	for (unsigned i = 0; i < n; i++)
		values[i] = (int64_t)*answers[i] - 1;
}

size_t
lpm_octets(const struct lpm *l)
{
	size_t octets = sizeof(*l) + 2 * ROOT * sizeof(uint32_t);

	for (int v4 = 0; v4 < 2; v4++)
		if (l->family[v4].added != NULL)
			octets += l->family[v4].room * sizeof(struct added);
	return octets + l->nodes_room * sizeof(*l->nodes) +
	    l->answers_room * sizeof(*l->answers);
}
