/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "rules/valuelist.h"
#include "tests/lib/scratch.h"

static struct valuelist *
load(enum valuelist_kind kind, const char *text, struct problems *ps, struct err *e)
{
	scratch_write(text);
	memset(ps, 0, sizeof(*ps));
	memset(e, 0, sizeof(*e));
	return valuelist_load(kind, scratch_path, ps, e);
}

/* A flow that has `v` in all members that a list of any kind may change. */
static struct flow
flow_of(unsigned v)
{
	struct flow f;

	flow_clear(&f);
	f.src_port = f.dst_port = (uint16_t)v;
	f.proto = f.tos = (uint8_t)v;
	f.bytes = v;
	return f;
}

#define PORTS  VALUELIST_PORTS
#define PROTOS VALUELIST_PROTOS
#define TOS    VALUELIST_TOS

static const struct {
	const char *says;
	enum valuelist_kind kind;
	const char *text;
	unsigned yes[4], no[4]; /* to the first 0 behind the first */
} cases[] = {
	{ "ports that are listed stay", PORTS, "22\n80\n", { 22, 80 }, { 21, 23, 443, 65535 } },
	{ "a range of ports", PORTS, "6000-6063\n", { 6000, 6063, 6031 }, { 5999, 6064 } },
	{ "the least and the greatest port", PORTS, "1\n65535\n", { 1, 65535 }, { 2, 65534 } },
	{ "all ports", PORTS, "0-65535\n", { 1, 65535 }, { 0 } },
	{ "an empty list has no port", PORTS, "! none\n", { 0 }, { 1, 80, 65535 } },
	{ "ports in disorder, twice, with comments", PORTS, "80 ! web\n# x\n22\n80\n",
	    { 22, 80 }, { 81 } },
	{ "protocols by number", PROTOS, "6\n17\n", { 6, 17 }, { 1, 47, 254 } },
	{ "protocols by name", PROTOS, "tcp\nUDP\nipv6-icmp\n", { 6, 17, 58 }, { 1, 41 } },
	{ "a range of protocols", PROTOS, "50-51\n", { 50, 51 }, { 49, 52 } },
	{ "types of service", TOS, "0\n184\n", { 184 }, { 1, 183, 254 } },
	{ "types of service in hex", TOS, "0xb8\n0X28\n", { 184, 40 }, { 1, 28 } },
	{ "a range of types of service", TOS, "0x80-0xff\n", { 128, 255 }, { 127, 1 } },
};

static void
check(size_t i, const struct valuelist *l, const unsigned *v, bool stays)
{
	const unsigned other = cases[i].kind == VALUELIST_PORTS ? 0 : 255;

	for (size_t k = 0; k < 4 && v[k] != 0; k++) {
		struct flow f[3] = { flow_of(v[k]), flow_of(v[k]), flow_of(v[k]) };
		unsigned want = stays ? v[k] : other;

		valuelist_apply(l, f, 2);
		for (int side = 0; side < 2; side++)
			if ((cases[i].kind == VALUELIST_PORTS &&
				(f[side].src_port != want || f[side].dst_port != want)) ||
			    (cases[i].kind == VALUELIST_PROTOS && f[side].proto != want) ||
			    (cases[i].kind == VALUELIST_TOS && f[side].tos != want))
				fail_msg("%s: %u", cases[i].says, v[k]);
		/* Other members, and flows beyond, are as they were. */
		assert_int_equal(f[0].src_port == (uint16_t)v[k],
		    cases[i].kind != VALUELIST_PORTS || stays);
		assert_int_equal(f[0].bytes, v[k]);
		assert_int_equal(f[2].src_port, (uint16_t)v[k]);
		assert_int_equal(f[2].proto, (uint8_t)v[k]);
	}
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct problems ps;
		struct err e;
		struct valuelist *l = load(cases[i].kind, cases[i].text, &ps, &e);

		if (l == NULL || ps.n > 0)
			fail_msg("%s: %s", cases[i].says, l == NULL ? e.text : ps.list[0].text);
		check(i, l, cases[i].yes, true);
		check(i, l, cases[i].no, false);
		valuelist_free(l);
	}
}

static const struct {
	enum valuelist_kind kind;
	const char *line;
} bad[] = {
	{ PORTS, "http" }, { PORTS, "65536" }, { PORTS, "-1" }, { PORTS, "80-" },
	{ PORTS, "90-80" }, { PORTS, "80,443" }, { PORTS, "0x50" }, { PORTS, "080808080" },
	{ PORTS, "1-2-3" }, { PROTOS, "256" }, { PROTOS, "tcpp" }, { PROTOS, "17-6" },
	{ TOS, "256" }, { TOS, "0x" }, { TOS, "0x100" }, { TOS, "ef" }, { TOS, "0xg0" },
};

static void
test_bad_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[64];
		struct problems ps;
		struct err e;
		struct valuelist *l;

		snprintf(text, sizeof(text), "6\n%s\n", bad[i].line);
		l = load(bad[i].kind, text, &ps, &e);
		assert_non_null(l);
		if (ps.n != 1 || ps.list[0].level != PROBLEM_WARNING ||
		    strstr(ps.list[0].text, ":2: ") == NULL ||
		    strstr(ps.list[0].text, "write a ") == NULL ||
		    strstr(ps.list[0].text, valuelist_directive(bad[i].kind)) == NULL)
			fail_msg("'%s': '%s'", bad[i].line, ps.n > 0 ? ps.list[0].text : "");
		problems_free(&ps);
		valuelist_free(l);
		assert_null(load(bad[i].kind, strchr(text, '\n') + 1, &ps, &e));
		assert_int_equal(e.code, WEIR_EINVAL); /* not one line */
		problems_free(&ps);
	}
}

static void
test_changes(void **state)
{
	static const struct {
		const char *needed;
		bool want[VALUELIST_KINDS];
	} sets[] = {
		{ "src_host,vlan", { false, false, false } },
		{ "src_port", { [PORTS] = true } },
		{ "dst_port,proto", { [PORTS] = true, [PROTOS] = true } },
		{ "tos", { [TOS] = true } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		struct field_set needed;

		assert_int_equal(field_set_parse(sets[i].needed, &needed, NULL), 0);
		for (int k = 0; k < VALUELIST_KINDS; k++)
			assert_int_equal(
			    valuelist_changes((enum valuelist_kind)k, &needed), sets[i].want[k]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_changes),
	};

	return cmocka_run_group_tests_name("valuelist", tests, scratch_make, scratch_remove);
}
