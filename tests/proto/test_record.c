/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/err.h"
#include "proto/record.h"

#include "tests/proto/hex.h"

#define VALUES_MAX 4U

/* A template and one record of it, followed by one octet that belongs to nobody. */
static const struct {
	const char *says;
	enum template_kind kind;
	const char *template, *record;
	struct {
		uint32_t enterprise;
		uint16_t id;
		bool scope;
		const char *octets;
	} want[VALUES_MAX + 1]; /* `octets` NULL behind the last */
} walks[] = {
	{ "v9: interface 5 is sampled 1 in 100, by type 2", TEMPLATE_V9_OPTIONS,
	    "0100 0004 0008 00020002 00220004 00230001", "0005 00000064 02",
	    { { 0, RECORD_SCOPE_INTERFACE, true, "0005" },
		{ 0, 34, false, "00000064" }, { 0, 35, false, "02" } } },
	{ "v9: without scope", TEMPLATE_V9_OPTIONS, "0100 0000 0004 00220002", "0064",
	    { { 0, 34, false, "0064" } } },
	{ "v9: a scope of no octets", TEMPLATE_V9_OPTIONS,
	    "0100 0004 0004 00010000 00220002", "0064",
	    { { 0, RECORD_SCOPE_SYSTEM, true, "" }, { 0, 34, false, "0064" } } },
	{ "v9: the highest bit is part of the number", TEMPLATE_V9_OPTIONS,
	    "0100 0004 0004 00010004 80540002", "0a000001 6162",
	    { { 0, RECORD_SCOPE_SYSTEM, true, "0a000001" },
		{ 0, 0x8054, false, "6162" } } },
	{ "IPFIX: two of scope, one of an enterprise", TEMPLATE_IPFIX_OPTIONS,
	    "0100 0003 0002 00950004 80010002 0000ab62 00290008",
	    "00000007 0102 0000000000000009",
	    { { 0, 149, true, "00000007" }, { 43874, 1, true, "0102" },
		{ 0, 41, false, "0000000000000009" } } },
	{ "IPFIX: names of variable length", TEMPLATE_IPFIX_OPTIONS,
	    "0100 0003 0001 000a0004 0052ffff 0053ffff",
	    "00000003 04 65746830 ff0002 7570",
	    { { 0, 10, true, "00000003" }, { 0, 82, false, "65746830" },
		{ 0, 83, false, "7570" } } },
	{ "IPFIX: an empty name", TEMPLATE_IPFIX_OPTIONS,
	    "0100 0002 0001 0052ffff 000a0004", "00 00000003",
	    { { 0, 82, true, "" }, { 0, 10, false, "00000003" } } },
	{ "a record that is a flow", TEMPLATE_IPFIX, "0100 0002 00080004 00010004",
	    "0a000001 00000009",
	    { { 0, 8, false, "0a000001" }, { 0, 1, false, "00000009" } } },
};

static struct template *
compile(enum template_kind kind, const char *text)
{
	uint8_t octets[64];
	struct rbuf r = rbuf_of(octets, hex_octets(text, octets, sizeof(octets)));
	struct field_set none = { { 0 } };
	struct template_def d;
	struct template *t;

	assert_int_equal(template_next(&r, kind, &d), 0);
	t = template_new(&d, &none);
	assert_non_null(t);
	return t;
}

static void
walk(size_t i, struct rbuf *r, const struct template *t)
{
	struct record_walk w = record_walk_of(t, r);
	struct record_value v;
	size_t n = 0;

	for (; record_walk_next(&w, &v); n++) {
		uint8_t want[16];
		size_t len;

		assert_true(n < VALUES_MAX && walks[i].want[n].octets != NULL);
		len = hex_octets(walks[i].want[n].octets, want, sizeof(want));
		if (v.enterprise != walks[i].want[n].enterprise ||
		    v.id != walks[i].want[n].id || v.scope != walks[i].want[n].scope ||
		    v.octets != len || memcmp(v.p, want, len) != 0)
			fail_msg("%s: value %zu is element %u of %u, %u octets",
			    walks[i].says, n, v.id, v.enterprise, v.octets);
	}
	if (rbuf_ok(r) && walks[i].want[n].octets != NULL)
		fail_msg("%s: only %zu values", walks[i].says, n);
}

static void
test_walk(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(walks) / sizeof(walks[0]); i++) {
		struct template *t = compile(walks[i].kind, walks[i].template);
		uint8_t octets[64];
		size_t len = hex_octets(walks[i].record, octets, sizeof(octets));

		for (size_t have = 0; have <= len + 1; have++) {
			/* A copy of just that length: a sanitizer sees the end. */
			uint8_t *copy = calloc(1, have + 1);
			struct rbuf r = rbuf_of(copy, have);

			memcpy(copy, octets, have < len ? have : len);
			walk(i, &r, t);
			if (rbuf_ok(&r) != (have >= len) ||
			    rbuf_left(&r) != (have > len))
				fail_msg("%s: with %zu octets of %zu", walks[i].says,
				    have, len);
			free(copy);
		}
		template_free(t);
	}
}

/* The same fields with another scope are about something else. */
static void
test_scope_is_part_of_the_template(void **state)
{
	static const char *const others[] = {
		"0100 0002 0002 00950004 00290008",
		"0100 0002 0001 00950004 00290008",
	};
	struct template *t = compile(TEMPLATE_IPFIX_OPTIONS, others[1]);

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		uint8_t octets[64];
		struct rbuf r =
		    rbuf_of(octets, hex_octets(others[i], octets, sizeof(octets)));
		struct template_def d;

		assert_int_equal(template_next(&r, TEMPLATE_IPFIX_OPTIONS, &d), 0);
		assert_int_equal(template_same(t, &d), i == 1);
	}
	template_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_scope_is_part_of_the_template),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
