/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Get and GetNext of AgentX, octet by octet (RFC 2741 s5, s6.2.5, s6.2.6, s6.2.16). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/tables.h"
#include "agent/wire.h"
#include "lib/wbuf.h"

enum { GET = 5, GETNEXT = 6, NETWORK_ORDER = 0x10 };

/* A tree of two views, 3 and 7; the first has counted 2^32 + 2 octets and is called "in". */
static struct root root = { .mib = &weir_mib, .n_base = 7, .base = { 1, 3, 6, 1, 4, 1, 99999 } };

static struct mib_tree *
tree_small(void)
{
	const struct tree_size size = { .views = 2 };
	struct mib_tree *t = tree_new(&size);

	assert_non_null(t);
	for (uint32_t i = 0; i < 2; i++) {
		t->views[i].index = i == 0 ? 3 : 7;
		t->views[i].rows = calloc(1, sizeof(struct rows)); /* none */
		atomic_init(&t->views[i].rows->refs, 1);
	}
	strcpy(t->views[0].name, "in");
	t->views[0].n_rows = UINT64_C(1) << 40; /* more than a gauge holds */
	t->views[0].total.bytes = (UINT64_C(1) << 32) + 2;
	tree_seal(t);
	return t;
}

/* A PDU in either order of octets. */
struct pdu {
	bool little;
	uint8_t octets[1024];
	struct wbuf w;
};

static void
word(struct pdu *p, uint32_t n)
{
	for (unsigned i = 0; i < 4; i++)
		wbuf_u8(&p->w, (uint8_t)(n >> 8 * (p->little ? i : 3 - i)));
}

static void
two(struct pdu *p, uint16_t a, uint16_t b)
{
	for (unsigned i = 0; i < 4; i++)
		wbuf_u8(&p->w, (uint8_t)((i < 2 ? a : b) >> 8 * ((p->little ? i : 3 - i) % 2)));
}

static void
head(struct pdu *p, bool little, uint8_t type)
{
	p->little = little;
	p->w = wbuf_of(p->octets, sizeof(p->octets));
	wbuf_u8(&p->w, 1);
	wbuf_u8(&p->w, type);
	wbuf_u8(&p->w, little ? 0 : NETWORK_ORDER);
	wbuf_u8(&p->w, 0);
	wbuf_put(&p->w, "SESSTRANPACK", 12); /* comes back as it was */
	word(p, 0);
}

/* Its length is known now. */
static size_t
tail(struct pdu *p)
{
	size_t len = wbuf_len(&p->w);

	p->w = wbuf_of(p->octets + 16, 4);
	word(p, (uint32_t)(len - WIRE_HEADER));
	return len;
}

/* 1.3.6.1.4 is the prefix, behind it 1.99999 and what follows. */
static void
name(struct pdu *p, bool inclusive, unsigned n, ...)
{
	va_list list;

	wbuf_u8(&p->w, (uint8_t)(2 + n));
	wbuf_u8(&p->w, 4);
	wbuf_u8(&p->w, inclusive);
	wbuf_u8(&p->w, 0);
	word(p, 1);
	word(p, 99999);
	va_start(list, n);
	while (n-- > 0)
		word(p, va_arg(list, unsigned));
	va_end(list);
}

static void
null(struct pdu *p)
{
	wbuf_put(&p->w, "\0\0\0\0", 4);
}

static size_t
ask(const struct mib_tree *t, const struct pdu *p, size_t len, uint8_t *out, size_t room)
{
	const struct moment m = { t, 0, 0 };
	struct cell last = { 0 };

	assert_true(wire_asks(p->octets));
	assert_int_equal(wire_length(p->octets), len);
	return wire_answer(&root, 1, &m, &last, p->octets, len, out, room);
}

static void
expect(const struct mib_tree *t, const struct pdu *p, size_t len, const struct pdu *want,
    size_t want_len)
{
	uint8_t out[1024];

	assert_int_equal(ask(t, p, len, out, sizeof(out)), want_len);
	assert_memory_equal(out, want->octets, want_len);
}

/* What an answer begins with. */
static void
answer(struct pdu *p, bool little)
{
	head(p, little, 18);
	word(p, 0);
	two(p, 0, 0);
}

static void
objects_are_got_by_their_names(void **state)
{
	struct mib_tree *t = tree_small();

	(void)state;
	for (int little = 0; little < 2; little++) {
		struct pdu p, want;
		size_t len;

		head(&p, little, GET);
		name(&p, false, 5, 1, 4, 1, 8, 3), null(&p); /* weirViewBytes.3 */
		name(&p, false, 5, 1, 4, 1, 2, 3), null(&p); /* weirViewName.3 */
		name(&p, false, 5, 1, 4, 1, 5, 3), null(&p); /* weirViewRows.3 */
		name(&p, false, 5, 1, 4, 1, 8, 4), null(&p);
		name(&p, false, 4, 1, 4, 1, 99), null(&p);
		null(&p), null(&p);
		len = tail(&p);

		answer(&want, little);
		two(&want, 70, 0);
		name(&want, false, 5, 1, 4, 1, 8, 3);
		word(&want, little ? 2 : 1), word(&want, little ? 1 : 2);
		two(&want, 4, 0);
		name(&want, false, 5, 1, 4, 1, 2, 3);
		word(&want, 2), wbuf_put(&want.w, "in\0\0", 4);
		two(&want, 66, 0);
		name(&want, false, 5, 1, 4, 1, 5, 3);
		word(&want, UINT32_MAX);
		two(&want, 129, 0); /* noSuchInstance */
		name(&want, false, 5, 1, 4, 1, 8, 4);
		two(&want, 128, 0); /* noSuchObject */
		name(&want, false, 4, 1, 4, 1, 99);
		two(&want, 128, 0);
		null(&want);
		expect(t, &p, len, &want, tail(&want));
	}
	tree_free(t);
}

static void
what_follows_is_found_within_bounds(void **state)
{
	struct mib_tree *t = tree_small();

	(void)state;
	for (int little = 0; little < 2; little++) {
		struct pdu p, want;
		size_t len;

		head(&p, little, GETNEXT);
		name(&p, false, 5, 1, 4, 1, 8, 3), null(&p);
		name(&p, true, 5, 1, 4, 1, 8, 7), null(&p);
		name(&p, false, 5, 1, 4, 1, 8, 3), name(&p, false, 5, 1, 4, 1, 8, 7);
		name(&p, false, 5, 1, 4, 1, 8, 3), name(&p, false, 5, 1, 4, 1, 8, 8);
		name(&p, false, 1, 2), null(&p); /* beyond all of it */
		len = tail(&p);

		answer(&want, little);
		for (int i = 0; i < 2; i++) {
			two(&want, 70, 0);
			name(&want, false, 5, 1, 4, 1, 8, 7);
			word(&want, 0), word(&want, 0);
		}
		two(&want, 130, 0); /* endOfMibView, and the name that was asked for */
		name(&want, false, 5, 1, 4, 1, 8, 3);
		two(&want, 70, 0);
		name(&want, false, 5, 1, 4, 1, 8, 7);
		word(&want, 0), word(&want, 0);
		two(&want, 130, 0);
		name(&want, false, 1, 2);
		expect(t, &p, len, &want, tail(&want));
	}
	tree_free(t);
}

/* Cut, or with an octet of another value: there is an answer or none, and no more. */
static void
what_is_no_request_has_no_answer(void **state)
{
	struct mib_tree *t = tree_small();
	struct pdu p;
	uint8_t out[4096];
	size_t len;

	(void)state;
	head(&p, false, GETNEXT);
	name(&p, false, 5, 1, 4, 1, 8, 3), null(&p);
	len = tail(&p);
	assert_int_equal(ask(t, &p, len, out, sizeof(out)), 20 + 8 + 4 + 4 + 28 + 8);
	for (size_t cut = WIRE_HEADER + 1; cut < len; cut++) {
		const struct moment m = { t, 0, 0 };
		struct cell last = { 0 };
		uint8_t *copy = malloc(cut); /* so that a sanitizer sees its end */

		memcpy(copy, p.octets, cut);
		assert_int_equal(wire_answer(&root, 1, &m, &last, copy, cut, out, sizeof(out)), 0);
		free(copy);
	}
	for (size_t room = 0; room < 72; room++)
		assert_int_equal(ask(t, &p, len, out, room), 0);
	assert_int_equal(ask(t, &p, len, out, 72), 72);
	/* A name is of 128 sub-identifiers at most, those of the prefix among them. */
	p.octets[WIRE_HEADER] = 124;
	assert_int_equal(ask(t, &p, len, out, sizeof(out)), 0);
	p.octets[WIRE_HEADER] = 7;
	/* Neither contexts, nor other PDUs or versions. */
	p.octets[2] |= 0x08;
	assert_false(wire_asks(p.octets));
	p.octets[2] = NETWORK_ORDER;
	p.octets[1] = 7;
	assert_false(wire_asks(p.octets));
	p.octets[1] = GET;
	p.octets[0] = 2;
	assert_false(wire_asks(p.octets));
	tree_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_got_by_their_names),
		cmocka_unit_test(what_follows_is_found_within_bounds),
		cmocka_unit_test(what_is_no_request_has_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
