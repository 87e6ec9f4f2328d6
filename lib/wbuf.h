/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wbuf: a bounded cursor that writes into the caller's memory; the twin of rbuf. A write
 * past the end writes nothing and sets a sticky error: check once per record (`wbuf_ok`).
 * Integers go out in network order. Any thread; no allocation.
 */
#ifndef WEIR_LIB_WBUF_H
#define WEIR_LIB_WBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct wbuf {
	uint8_t *start;
	uint8_t *p;          /* next octet */
	const uint8_t *end;  /* one past the last */
	bool bad;            /* sticky: something did not fit */
};

static inline struct wbuf
wbuf_of(void *data, size_t len)
{
	uint8_t *p = data;

	return (struct wbuf){ p, p, p + len, false };
}

static inline size_t
wbuf_len(const struct wbuf *w)
{
	return (size_t)(w->p - w->start);
}

static inline size_t
wbuf_left(const struct wbuf *w)
{
	return (size_t)(w->end - w->p);
}

static inline bool
wbuf_ok(const struct wbuf *w)
{
	return !w->bad;
}

/* Step over `n` octets and lend them to the caller; NULL (and `bad`) when they do not fit. */
static inline uint8_t *
wbuf_get(struct wbuf *w, size_t n)
{
	uint8_t *p = w->p;

	if (w->bad || wbuf_left(w) < n) {
		w->bad = true;
		return NULL;
	}
	w->p += n;
	return p;
}

static inline void
wbuf_put(struct wbuf *w, const void *data, size_t n)
{
	uint8_t *p = wbuf_get(w, n);

	if (p != NULL)
		memcpy(p, data, n);
}

/* The low `n` octets (0 to 8) of `v`, network order. */
static inline void
wbuf_uint(struct wbuf *w, uint64_t v, size_t n)
{
	uint8_t *p = wbuf_get(w, n);

	if (p != NULL)
		for (size_t i = 0; i < n; i++)
			p[i] = (uint8_t)(v >> 8 * (n - 1 - i));
}

static inline void
wbuf_u8(struct wbuf *w, uint8_t v)
{
	wbuf_uint(w, v, 1);
}

static inline void
wbuf_u16(struct wbuf *w, uint16_t v)
{
	wbuf_uint(w, v, 2);
}

static inline void
wbuf_u32(struct wbuf *w, uint32_t v)
{
	wbuf_uint(w, v, 4);
}

static inline void
wbuf_u64(struct wbuf *w, uint64_t v)
{
	wbuf_uint(w, v, 8);
}

#endif
