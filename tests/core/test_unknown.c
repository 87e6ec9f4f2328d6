/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/unknown.h"

static void
test_list(void **state)
{
	struct unknown *list = NULL;
	char text[UNKNOWN_TEXT];

	(void)state;
	assert_int_equal(unknown_text(NULL, text), 0);
	assert_string_equal(text, "");
	unknown_add(&list, 0, 57590);
	unknown_add(&list, 35632, 110);
	unknown_add(&list, 0, 57590); /* once */
	unknown_add(&list, 35632, 57590); /* another one */
	assert_int_equal(unknown_text(list, text), strlen("57590 35632:110 35632:57590"));
	assert_string_equal(text, "57590 35632:110 35632:57590");
	unknown_free(list);
	unknown_free(NULL);
}

/* The longest there can be, and one more. */
static void
test_bound(void **state)
{
	struct unknown *list = NULL;
	char text[UNKNOWN_TEXT];
	size_t full;

	(void)state;
	for (uint16_t i = 0; i < UNKNOWN_MAX; i++)
		unknown_add(&list, UINT32_MAX, (uint16_t)(UINT16_MAX - i));
	full = unknown_text(list, text);
	assert_int_equal(full, UNKNOWN_MAX * strlen("4294967295:65535 ") - 1);
	unknown_add(&list, UINT32_MAX, UINT16_MAX); /* there already */
	assert_int_equal(unknown_text(list, text), full);
	unknown_add(&list, 0, 1);
	assert_int_equal(unknown_text(list, text), full + strlen(" ..."));
	assert_string_equal(text + full, " ...");
	unknown_free(list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests_name("core/unknown", tests, NULL, NULL);
}
