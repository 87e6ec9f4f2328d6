/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "flow/fwd_status.h"

static void
test_names(void **state)
{
	static const struct {
		uint8_t status;
		const char *name;
	} cases[] = {
		{ 0, "UNKNOWN Unclassified" },
		{ 63, "UNKNOWN Unclassified" },
		{ 64, "FORWARDED Unknown" },
		{ 66, "FORWARDED Not Fragmented" },
		{ 67, "FORWARDED Unclassified" },
		{ 130, "DROPPED ACL drop" },
		{ 143, "DROPPED Hardware" },
		{ 144, "DROPPED Unclassified" },
		{ 193, "CONSUMED Punt Adjacency" },
		{ 255, "CONSUMED Unclassified" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(fwd_status_name(cases[i].status), cases[i].name);
}

/* Every status has a name, which begins with its class: the two high bits. */
static void
test_classes(void **state)
{
	static const char *const classes[] = { "UNKNOWN ", "FORWARDED ", "DROPPED ",
		"CONSUMED " };

	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		const char *class = classes[i >> 6];

		assert_memory_equal(fwd_status_name((uint8_t)i), class, strlen(class));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_classes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
