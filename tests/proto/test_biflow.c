/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/biflow.h"

/* Swapped twice, everything is where it was; and what is swapped is of one kind. */
static void
test_mirror(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FIELD_COUNT; i++) {
		enum field_no other = biflow_mirror((enum field_no)i);

		if (biflow_mirror(other) != i)
			fail_msg("%s does not come back", fields[i].config);
		if (fields[other].octets != fields[i].octets ||
		    fields[other].value != fields[i].value)
			fail_msg("%s and %s differ", fields[i].config,
			    fields[other].config);
	}
	assert_int_equal(biflow_mirror(F_SRC_HOST), F_DST_HOST);
	assert_int_equal(biflow_mirror(F_PROTO), F_PROTO);
}

/* Every primitive that names a side has its other side: none was forgotten. */
static void
test_no_side_is_forgotten(void **state)
{
	static const char *const sides[] = { "src", "dst", "in_", "out_", "ingress",
		"egress" };

	(void)state;
	for (unsigned i = 0; i < FIELD_COUNT; i++)
		for (size_t s = 0; s < sizeof(sides) / sizeof(sides[0]); s++) {
			const char *at = strstr(fields[i].config, sides[s]);
			bool names_side = at != NULL &&
			    (at == fields[i].config || at[-1] == '_');

			if (names_side && biflow_mirror((enum field_no)i) == i &&
			    i != F_PEER_SRC_IP && !biflow_is_measured((enum field_no)i))
				fail_msg("%s has no other side", fields[i].config);
		}
}

static void
test_measured(void **state)
{
	(void)state;
	assert_true(biflow_is_measured(F_BYTES));
	assert_true(biflow_is_measured(F_TCPFLAGS));
	assert_false(biflow_is_measured(F_SRC_HOST));
	assert_false(biflow_is_measured(F_TIMESTAMP_START));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mirror),
		cmocka_unit_test(test_no_side_is_forgotten),
		cmocka_unit_test(test_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
