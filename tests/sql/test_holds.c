/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sql/holds.h"

static const struct {
	const char *says;
	const char *text;
	size_t chars, want;
} cuts[] = {
	{ "shorter text stays", "abc", 5, 3 },
	{ "as long as may be stays", "abc", 3, 3 },
	{ "longer text is cut", "abc", 2, 2 },
	{ "characters count, not octets", "\xc3\xbc\xc3\xbc\xc3\xbc", 2, 4 },
	{ "no character is cut in two", "a\xe6\x97\xa5" "b", 2, 4 },
	{ "any length may be", "abc", 0, 3 },
};

static void
test_cuts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		struct holds h = { .name = "class_id", .chars = cuts[i].chars };
		size_t len = strlen(cuts[i].text);
		size_t got = holds_text(&h, cuts[i].text, len, "here");

		if (got != cuts[i].want || h.warned != (got < len))
			fail_msg("%s: got %zu", cuts[i].says, got);
	}
}

/* What a column's type has not becomes the largest that it has. */
static void
test_numbers_that_fit(void **state)
{
	struct holds any = { .max = 0 }, small = { .name = "packets", .max = INT32_MAX };

	(void)state;
	assert_true(holds_number(&any, INT64_MAX, "here") == INT64_MAX);
	assert_true(holds_number(&small, INT32_MAX, "here") == INT32_MAX);
	assert_false(small.warned);
	assert_true(holds_number(&small, INT64_C(1) << 31, "here") == INT32_MAX);
	assert_true(small.warned);
	assert_true(holds_number(&small, -5, "here") == -5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_numbers_that_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
