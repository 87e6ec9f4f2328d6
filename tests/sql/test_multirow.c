/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sql/multirow.h"

/* Rows for an INSERT of many: where their values stand, and the statement for so many. */
static void
test_many_rows(void **state)
{
	static const char *const columns[] = { "a", "b" };
	struct text_line sql = { 0 };
	struct multirow m;
	struct rowtext r;

	(void)state;
	assert_int_equal(rowtext_init(&r, 2), 0);
	r.plain = true;
	assert_int_equal(multirow_init(&m, "t", columns, 2, '`'), 0);
	assert_int_equal(multirow_room(&m), MULTIROW_PARAMS / 2);
	rowtext_text(&r, 0, "x\ty", 3);
	rowtext_int(&r, 1, 12);
	multirow_put(&m, &r);
	rowtext_int(&r, 1, 345);
	multirow_put(&m, &r);
	multirow_text(&m, m.rows, &sql);
	assert_string_equal(sql.p, "INSERT INTO `t` (`a`, `b`) VALUES (?, ?), (?, ?)");
	assert_int_equal(m.values[0].len, 3); /* no escape: these are parameters */
	assert_memory_equal(m.out.p + m.values[2].at, "x\ty", 3);
	assert_memory_equal(m.out.p + m.values[3].at, "345", 3);
	multirow_clear(&m);
	assert_int_equal(m.rows, 0);
	multirow_fini(&m);
	rowtext_fini(&r);
	text_line_free(&sql);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
