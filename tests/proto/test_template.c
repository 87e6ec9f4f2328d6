/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/err.h"
#include "lib/wbuf.h"

#include "tests/proto/hex.h"
#include "tests/proto/template_rig.h"

enum { END = -WEIR_ENOENT, BAD = -WEIR_EMALFORMED };

static const struct {
	const char *says;
	enum template_kind kind;
	const char *octets;
	int rc[3]; /* of one call after the other, until END */
	uint16_t id, n_fields, n_scope;
	uint32_t min_octets; /* of the first */
} parses[] = {
	{ "a template of five fields", TEMPLATE_V9,
	    "0100 0005 00080004 000c0004 000f0004 00020004 00010004", { 0, END }, 256,
	    5, 0, 20 },
	{ "two templates", TEMPLATE_V9, "0100 0001 00080004 0101 0001 00010008",
	    { 0, 0, END }, 256, 1, 0, 4 },
	{ "the same element twice", TEMPLATE_V9, "0100 0002 00010004 00010004",
	    { 0, END }, 256, 2, 0, 8 },
	{ "nothing", TEMPLATE_V9, "", { END }, 0, 0, 0, 0 },
	{ "three octets of padding", TEMPLATE_V9, "0100 0001 00080004 000000",
	    { 0, END }, 256, 1, 0, 4 },
	{ "eight octets of padding", TEMPLATE_V9,
	    "0100 0001 00080004 00000000 00000000", { 0, END }, 256, 1, 0, 4 },
	{ "padding that goes on with something", TEMPLATE_V9,
	    "00000000 0100 0001 00080004", { BAD, END }, 0, 0, 0, 0 },
	{ "a number below 256", TEMPLATE_V9, "00ff 0001 00080004", { BAD, END }, 0, 0,
	    0, 0 },
	{ "a number below 256, then a sound one", TEMPLATE_V9,
	    "00ff 0001 00080004 0100 0001 00080004", { BAD, 0, END }, 0, 0, 0, 0 },
	{ "no fields", TEMPLATE_V9, "0100 0000", { BAD, END }, 0, 0, 0, 0 },
	{ "no fields, then a sound one", TEMPLATE_V9, "0100 0000 0101 0001 00080004",
	    { BAD, 0, END }, 0, 0, 0, 0 },
	{ "more fields than there are", TEMPLATE_V9, "0100 0002 00080004", { BAD, END },
	    0, 0, 0, 0 },
	{ "65535 fields", TEMPLATE_V9, "0100 ffff 00080004", { BAD, END }, 0, 0, 0, 0 },
	{ "cut within a field", TEMPLATE_V9, "0100 0001 000800", { BAD, END }, 0, 0, 0,
	    0 },
	{ "a field of no octets beside another", TEMPLATE_V9,
	    "0100 0002 00080000 00010004", { 0, END }, 256, 2, 0, 4 },
	{ "records of no octets", TEMPLATE_V9, "0100 0002 00080000 00010000",
	    { BAD, END }, 0, 0, 0, 0 },
	{ "the longest record", TEMPLATE_V9, "0100 0001 0008fffb", { 0, END }, 256, 1,
	    0, 65531 },
	{ "a record longer than any set", TEMPLATE_V9, "0100 0001 0008fffc",
	    { BAD, END }, 0, 0, 0, 0 },
	{ "a sum beyond sixteen bits", TEMPLATE_V9, "0100 0002 00088000 00018001",
	    { BAD, END }, 0, 0, 0, 0 },
	{ "v9 knows no variable length", TEMPLATE_V9, "0100 0001 0008ffff",
	    { BAD, END }, 0, 0, 0, 0 },
	{ "v9 knows no enterprise", TEMPLATE_V9, "0100 0002 80e80004 00010004",
	    { 0, END }, 256, 2, 0, 8 },
	{ "v9 options", TEMPLATE_V9_OPTIONS,
	    "0101 0004 0008 00020002 00220002 00240001", { 0, END }, 257, 3, 1, 5 },
	{ "v9 options with padding", TEMPLATE_V9_OPTIONS,
	    "0101 0004 0008 00020002 00220002 00240001 0000", { 0, END }, 257, 3, 1,
	    5 },
	{ "v9 options with four octets of padding", TEMPLATE_V9_OPTIONS,
	    "0101 0004 0004 00020002 00220002 00000000", { 0, END }, 257, 2, 1, 4 },
	{ "v9 options without scope", TEMPLATE_V9_OPTIONS, "0101 0000 0004 00220002",
	    { 0, END }, 257, 1, 0, 2 },
	{ "v9 options of a scope and a half", TEMPLATE_V9_OPTIONS,
	    "0101 0006 0004 00020002 00220002", { BAD, END }, 0, 0, 0, 0 },
	{ "v9 options of half a field", TEMPLATE_V9_OPTIONS,
	    "0101 0004 0002 00020002 0022", { BAD, END }, 0, 0, 0, 0 },
	{ "v9 options of nothing", TEMPLATE_V9_OPTIONS, "0101 0000 0000", { BAD, END },
	    0, 0, 0, 0 },
	{ "v9 options beyond the end", TEMPLATE_V9_OPTIONS, "0101 fffc fffc 00020002",
	    { BAD, END }, 0, 0, 0, 0 },
	{ "v9 options cut in the head", TEMPLATE_V9_OPTIONS, "0101 0004 ", { BAD, END },
	    0, 0, 0, 0 },
	{ "IPFIX with an enterprise's element", TEMPLATE_IPFIX,
	    "0100 0002 80010008 0000ab62 00010004", { 0, END }, 256, 2, 0, 12 },
	{ "IPFIX cut before the enterprise", TEMPLATE_IPFIX, "0100 0001 80010008",
	    { BAD, END }, 0, 0, 0, 0 },
	{ "IPFIX of variable length", TEMPLATE_IPFIX, "0100 0002 0052ffff 00010004",
	    { 0, END }, 256, 2, 0, 5 },
	{ "IPFIX withdraws", TEMPLATE_IPFIX, "0100 0000", { 0, END }, 256, 0, 0, 0 },
	{ "IPFIX withdraws what cannot be", TEMPLATE_IPFIX, "0010 0000", { BAD, END },
	    0, 0, 0, 0 },
	{ "IPFIX withdraws all templates", TEMPLATE_IPFIX, "0002 0000", { 0, END }, 2, 0, 0, 0 },
	{ "IPFIX withdraws all options in a set of templates", TEMPLATE_IPFIX, "0003 0000",
	    { BAD, END }, 0, 0, 0, 0 },
	{ "IPFIX withdraws all options templates", TEMPLATE_IPFIX_OPTIONS, "0003 0000",
	    { 0, END }, 3, 0, 0, 0 },
	{ "IPFIX options", TEMPLATE_IPFIX_OPTIONS, "0100 0002 0001 00950004 00290008",
	    { 0, END }, 256, 2, 1, 12 },
	{ "IPFIX options without scope", TEMPLATE_IPFIX_OPTIONS,
	    "0100 0001 0000 00950004", { BAD, END }, 0, 0, 0, 0 },
	{ "IPFIX options of more scope than fields", TEMPLATE_IPFIX_OPTIONS,
	    "0100 0001 0002 00950004", { BAD, END }, 0, 0, 0, 0 },
	{ "IPFIX withdraws options", TEMPLATE_IPFIX_OPTIONS, "0100 0000", { 0, END },
	    256, 0, 0, 0 },
};

static void
test_next(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(parses) / sizeof(parses[0]); i++) {
		uint8_t octets[64];
		struct rbuf r =
		    rbuf_of(octets, hex_octets(parses[i].octets, octets, sizeof(octets)));
		struct template_def first = { 0 };

		for (int call = 0, rc = 0; rc != END; call++) {
			struct template_def d = { 0 };

			rc = template_next(&r, parses[i].kind, &d);
			if (call == 0)
				first = d;
			if (rc != parses[i].rc[call])
				fail_msg("%s: call %d returned %d", parses[i].says,
				    call, rc);
		}
		if (parses[i].rc[0] == 0 &&
		    (first.id != parses[i].id || first.n_fields != parses[i].n_fields ||
			first.n_scope != parses[i].n_scope ||
			first.min_octets != parses[i].min_octets))
			fail_msg("%s: id %u, %u fields, %u of scope, %u octets",
			    parses[i].says, first.id, first.n_fields, first.n_scope,
			    first.min_octets);
	}
}

/* A set full of zeroes but for its end takes no longer than its length. */
static void
test_next_is_linear(void **state)
{
	static uint8_t octets[65535];
	struct rbuf r = rbuf_of(octets, sizeof(octets));
	struct template_def d;

	(void)state;
	octets[sizeof(octets) - 1] = 1;
	assert_int_equal(template_next(&r, TEMPLATE_V9, &d), BAD);
	assert_int_equal(template_next(&r, TEMPLATE_V9, &d), END);
}

static void
test_field_count_is_bounded(void **state)
{
	static uint8_t octets[4 + 4 * (TEMPLATE_FIELDS_MAX + 1)];

	(void)state;
	for (unsigned more = 0; more <= 1; more++) {
		struct wbuf w = wbuf_of(octets, sizeof(octets));
		struct rbuf r;
		struct template_def d;

		wbuf_u16(&w, 256);
		wbuf_u16(&w, (uint16_t)(TEMPLATE_FIELDS_MAX + more));
		for (unsigned i = 0; i < TEMPLATE_FIELDS_MAX + more; i++) {
			wbuf_u16(&w, 999);
			wbuf_u16(&w, 1);
		}
		r = rbuf_of(octets, sizeof(octets) - (more ? 0 : 4));
		assert_int_equal(template_next(&r, TEMPLATE_V9, &d), more ? BAD : 0);
		assert_int_equal(rbuf_left(&r), 0);
	}
}

static void
test_only_what_is_needed(void **state)
{
	struct field_set none = { { 0 } }, all = rig_all_fields();
	struct template *t;

	(void)state;
	/* Addresses, ports, protocol, counters, start and end. */
	t = rig_template(TEMPLATE_V9,
	    "0100 0009 00080004 000c0004 00070002 000b0002 00040001 "
	    "00010004 00020004 00160004 00150004",
	    &none);
	assert_int_equal(t->n_steps, 3);
	assert_true(t->start_by_uptime);
	template_free(t);
	t = rig_template(TEMPLATE_V9,
	    "0100 0009 00080004 000c0004 00070002 000b0002 00040001 "
	    "00010004 00020004 00160004 00150004",
	    &all);
	assert_int_equal(t->n_steps, 9);
	template_free(t);
	t = rig_template(TEMPLATE_V9, "0100 0001 00980008", &all);
	assert_false(t->start_by_uptime);
	template_free(t);
	t = rig_template(
	    TEMPLATE_V9_OPTIONS, "0101 0004 0008 00010004 00220004 00010004", &all);
	assert_int_equal(t->n_steps, 2); /* 34 and 1: a scope is no element */
	assert_true(t->options);
	template_free(t);
}

static void
test_same(void **state)
{
	static const struct {
		const char *says;
		enum template_kind kind;
		const char *octets;
		bool same;
	} cases[] = {
		{ "itself", TEMPLATE_V9, "0100 0002 00080004 00010004", true },
		{ "another element", TEMPLATE_V9, "0100 0002 00080004 00020004",
		    false },
		{ "another length", TEMPLATE_V9, "0100 0002 00080004 00010008", false },
		{ "another order", TEMPLATE_V9, "0100 0002 00010004 00080004", false },
		{ "one field less", TEMPLATE_V9, "0100 0001 00080004", false },
		{ "the same fields as options", TEMPLATE_V9_OPTIONS,
		    "0100 0004 0004 00080004 00010004", false },
	};
	struct field_set all = rig_all_fields();
	struct template *t = rig_template(TEMPLATE_V9, cases[0].octets, &all);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t buf[64];
		struct rbuf r = rbuf_of(buf, hex_octets(cases[i].octets, buf, sizeof(buf)));
		struct template_def d;

		assert_int_equal(template_next(&r, cases[i].kind, &d), 0);
		if (template_same(t, &d) != cases[i].same)
			fail_msg("%s", cases[i].says);
	}
	template_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_next_is_linear),
		cmocka_unit_test(test_field_count_is_bounded),
		cmocka_unit_test(test_only_what_is_needed),
		cmocka_unit_test(test_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
