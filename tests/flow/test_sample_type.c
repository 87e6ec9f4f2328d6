/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "flow/sample_type.h"

#define FLOW (SAMPLE_NETFLOW | SAMPLE_FLOW)

static const struct {
	const char *text;
	uint32_t type;
	unsigned bits;
} names[] = {
	{ "none", 0, 32 },
	{ "0:1", 1, 32 },
	{ "0:3", 3, 32 },
	{ "43874:2", 43874U << 12 | 2, 32 },
	{ "1048574:4095", 0xffffefff, 32 },
	{ "flow", FLOW, 28 },
	{ "flow-ipv4", FLOW | SAMPLE_IPV4, 32 },
	{ "flow-ipv6", FLOW | SAMPLE_IPV6, 32 },
	{ "flow-mpls", FLOW | SAMPLE_MPLS, 32 },
	{ "flow-mpls-ipv4", FLOW | SAMPLE_MPLS | SAMPLE_IPV4, 32 },
	{ "flow-mpls-ipv6", FLOW | SAMPLE_MPLS | SAMPLE_IPV6, 32 },
	{ "event", SAMPLE_NETFLOW | SAMPLE_EVENT, 32 },
	{ "option", SAMPLE_NETFLOW | SAMPLE_OPTION, 32 },
};

static void
test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char text[SAMPLE_TYPE_TEXT];
		struct err e = ERR_INIT;
		uint32_t type;
		unsigned bits;

		assert_int_equal(
		    sample_type_text(names[i].type, text), strlen(names[i].text));
		assert_string_equal(text, names[i].text);
		assert_int_equal(sample_type_parse(names[i].text, &type, &bits, &e), 0);
		assert_int_equal(type, names[i].type);
		assert_int_equal(bits, names[i].bits);
	}
}

/* What "flow" asks for is true of all kinds of traffic, and of nothing else. */
static void
test_any_flow(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal((names[i].type ^ FLOW) >> (32 - SAMPLE_FLOW_BITS) == 0,
		    strncmp(names[i].text, "flow", 4) == 0);
}

static void
test_longest(void **state)
{
	char text[SAMPLE_TYPE_TEXT];

	(void)state;
	assert_int_equal(sample_type_text(UINT32_MAX, text), strlen("1048575:4095"));
}

static void
test_refused(void **state)
{
	static const char *const texts[] = { "", "flows", "Flow", "flow-", "1",
		"1:", ":1", "1:2:3", "1:2 ", " 1:2", "-1:2", "0x1:2", "0:4096",
		"1048575:1", "4294967296:1", "1:18446744073709551616" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct err e = ERR_INIT;
		uint32_t type;
		unsigned bits;

		if (sample_type_parse(texts[i], &type, &bits, &e) != -WEIR_EINVAL)
			fail_msg("'%s' is taken", texts[i]);
		assert_non_null(strstr(e.text, "ENTERPRISE:FORMAT"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_any_flow),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
