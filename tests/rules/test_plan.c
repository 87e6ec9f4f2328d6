/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rules/plan.h"

#define NO_PLAN UINT32_MAX

/*
 * What is left of an expression on frames of a shape. What it says is test_filter's concern,
 * which compares with libpcap: here it is that usual expressions do have plans, short ones.
 */
static const struct {
	const char *text;
	enum shape shape;
	enum shape_origin origin;
	uint32_t steps;
} cases[] = {
	{ "ip", SHAPE_IPV4, SHAPE_SEEN, 0 },
	{ "ip6", SHAPE_IPV4, SHAPE_SEEN, 0 },
	{ "vlan", SHAPE_IPV4, SHAPE_SEEN, 0 },
	{ "tcp", SHAPE_IPV4_TAGGED, SHAPE_SEEN, 0 },
	{ "vlan and tcp", SHAPE_IPV4_TAGGED, SHAPE_SEEN, 1 },
	{ "vlan 7", SHAPE_IPV4_TAGGED, SHAPE_SEEN, 1 },
	{ "tcp", SHAPE_IPV4, SHAPE_SEEN, 1 },
	{ "tcp port 80", SHAPE_IPV4, SHAPE_SEEN, 3 },
	{ "port 80", SHAPE_IPV4, SHAPE_MADE, 5 },
	{ "port 80", SHAPE_IPV6, SHAPE_MADE, 5 },
	{ "src net 192.0.2.0/24", SHAPE_IPV4, SHAPE_SEEN, 1 },
	{ "src net 192.0.2.0/24", SHAPE_IPV6, SHAPE_SEEN, 0 },
	{ "host 2001:db8::1", SHAPE_IPV6, SHAPE_SEEN, 8 },
	{ "less 100", SHAPE_IPV4, SHAPE_MADE, 1 },
	{ "ip[6:2] & 0x1fff != 0", SHAPE_IPV4, SHAPE_SEEN, 0 },
	{ "ether[12:2] = 0x0800", SHAPE_IPV4, SHAPE_SEEN, 0 },
	{ "ip[0] & 0xf > 5", SHAPE_IPV4, SHAPE_SEEN, 0 },
	{ "ip[4:2] = 1", SHAPE_IPV4, SHAPE_MADE, 0 }, /* always 0 there */
	{ "ip[4:2] = 1", SHAPE_IPV4, SHAPE_SEEN, 1 },
	/* Whether the frame has the flags comes first where that is not certain. */
	{ "tcp[tcpflags] & tcp-syn != 0", SHAPE_IPV4, SHAPE_SEEN, 3 },
	{ "tcp[tcpflags] & tcp-syn != 0", SHAPE_IPV4, SHAPE_MADE, 2 },
	{ "tcp[20:4] = 0", SHAPE_IPV4, SHAPE_SEEN, NO_PLAN }, /* options */
	{ "tcp[20:4] = 0", SHAPE_IPV4, SHAPE_MADE, 1 }, /* there are none */
	{ "ip[2:2] - 20 > 100", SHAPE_IPV4, SHAPE_SEEN, NO_PLAN },
	{ "ip[8:4] = 0", SHAPE_IPV4, SHAPE_SEEN, NO_PLAN }, /* across members */
	{ "ip6 protochain 6", SHAPE_IPV6, SHAPE_SEEN, NO_PLAN },
	{ "ip6 protochain 6", SHAPE_IPV4, SHAPE_SEEN, 0 },
};

static void
test_steps(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = ERR_INIT;
		struct bpf *b = bpf_new(cases[i].text, FRAME_ETHERNET, &e);
		struct plan *p;
		uint32_t steps;

		if (b == NULL)
			fail_msg("%s: %s", cases[i].text, e.text);
		p = plan_new(b, cases[i].shape, cases[i].origin);
		steps = p != NULL ? plan_steps(p) : NO_PLAN;
		if (steps != cases[i].steps)
			fail_msg("%s (case %zu): %d steps", cases[i].text, i, (int)steps);
		plan_free(p);
		bpf_free(b);
	}
}

/* One that has more ways than there is room for has no plan, and does no harm. */
static void
test_too_long(void **state)
{
	enum { HOSTS = PLAN_STEPS + 10 };
	char *text = malloc(HOSTS * 32), *to = text;
	struct err e = ERR_INIT;
	struct bpf *b;

	(void)state;
	assert_non_null(text);
	for (unsigned i = 0; i < HOSTS; i++)
		to += sprintf(to, "%ssrc host 10.0.%u.%u", i > 0 ? " or " : "", i / 256, i % 256);
	b = bpf_new(text, FRAME_ETHERNET, &e);
	if (b == NULL)
		fail_msg("%s", e.text);
	assert_null(plan_new(b, SHAPE_IPV4, SHAPE_SEEN));
	bpf_free(b);
	free(text);
}

/* Fields are read where a comparison is left that needs them, and only there. */
static void
test_reads(void **state)
{
	static const struct {
		const char *text;
		enum shape shape;
		enum field_no field;
		bool reads;
	} reads[] = {
		{ "tcp port 80", SHAPE_IPV4, F_PROTO, true },
		{ "tcp port 80", SHAPE_IPV4, F_DST_PORT, true },
		{ "tcp port 80", SHAPE_IPV4, F_ICMP_TYPE, false },
		{ "tcp port 80", SHAPE_IPV4_TAGGED, F_PROTO, false },
		{ "ip[20:2] = 80", SHAPE_IPV4, F_ICMP_TYPE, true },
		{ "icmp[icmptype] = 8", SHAPE_IPV4, F_ICMP_TYPE, true },
		{ "ip[8] = 64", SHAPE_IPV4, F_TTL, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
		struct bpf *b = bpf_new(reads[i].text, FRAME_ETHERNET, NULL);
		struct field_set set = { { 0 } };
		struct plan *p;

		assert_non_null(b);
		p = plan_new(b, reads[i].shape, SHAPE_MADE);
		assert_non_null(p);
		plan_reads(p, &set);
		if (field_set_has(&set, reads[i].field) != reads[i].reads)
			fail_msg("%s: %s", reads[i].text, fields[reads[i].field].config);
		plan_free(p);
		bpf_free(b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
