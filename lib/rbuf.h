/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rbuf: a bounded cursor over bytes that somebody else owns; the only way weir reads
 * what came from outside. A read past the end sets a sticky error and yields zero, so
 * that a decoder checks once per record (`rbuf_ok`), not once per field. Lengths that
 * the network supplies choose sub-readers (`rbuf_take`), never copy sizes.
 *
 * All integers on the wire are in network order. Any thread; no allocation.
 */
#ifndef WEIR_LIB_RBUF_H
#define WEIR_LIB_RBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct rbuf {
	const uint8_t *p;    /* next octet */
	const uint8_t *end;  /* one past the last */
	bool bad;            /* sticky: something was read past the end */
};

static inline struct rbuf
rbuf_of(const void *data, size_t len)
{
	const uint8_t *p = data;

	return (struct rbuf){ p, p + len, false };
}

static inline size_t
rbuf_left(const struct rbuf *r)
{
	return (size_t)(r->end - r->p);
}

static inline bool
rbuf_ok(const struct rbuf *r)
{
	return !r->bad;
}

/* Borrow the next `n` octets and step over them; NULL (and `bad`) when fewer are left. */
static inline const uint8_t *
rbuf_get(struct rbuf *r, size_t n)
{
	const uint8_t *p = r->p;

	if (rbuf_left(r) < n) {
		r->bad = true;
		r->p = r->end;
		return NULL;
	}
	r->p += n;
	return p;
}

/* Step over `n` octets. */
static inline void
rbuf_skip(struct rbuf *r, size_t n)
{
	(void)rbuf_get(r, n);
}

/* A reader of just the next `n` octets, which `r` steps over; `bad` in both when fewer are left. */
static inline struct rbuf
rbuf_take(struct rbuf *r, size_t n)
{
	const uint8_t *p = rbuf_get(r, n);

	if (p == NULL)
		return (struct rbuf){ r->end, r->end, true };
	return (struct rbuf){ p, p + n, false };
}

/* Copy the next `n` octets to `out`; zeroes when fewer are left. */
static inline void
rbuf_copy(struct rbuf *r, void *out, size_t n)
{
	const uint8_t *p = rbuf_get(r, n);

	if (p != NULL)
		memcpy(out, p, n);
	else
		memset(out, 0, n);
}

/* An unsigned integer of `n` octets (0 to 8), network order. */
static inline uint64_t
rbuf_uint(struct rbuf *r, size_t n)
{
	const uint8_t *p = rbuf_get(r, n);
	uint64_t v = 0;

	if (p != NULL)
		for (size_t i = 0; i < n; i++)
			v = v << 8 | p[i];
	return v;
}

static inline uint8_t
rbuf_u8(struct rbuf *r)
{
	const uint8_t *p = rbuf_get(r, 1);

	return p != NULL ? p[0] : 0;
}

static inline uint16_t
rbuf_u16(struct rbuf *r)
{
	const uint8_t *p = rbuf_get(r, 2);

	return (uint16_t)(p != NULL ? p[0] << 8 | p[1] : 0);
}

static inline uint32_t
rbuf_u32(struct rbuf *r)
{
	const uint8_t *p = rbuf_get(r, 4);

	return p != NULL ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	        (uint32_t)p[2] << 8 | p[3] : 0;
}

static inline uint64_t
rbuf_u64(struct rbuf *r)
{
	return rbuf_uint(r, 8);
}

#endif
