/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "export/dress.h"

static void
test_directions_and_interfaces(void **state)
{
	static const struct {
		const char *says;
		struct dress dress;
		uint64_t tag, tag2;
		uint32_t in, out;               /* as it came, */
		uint8_t direction;
		uint32_t want_in, want_out;     /* and as it goes */
		uint8_t want_direction;
	} cases[] = {
		{ "nothing is given", { 0 }, 1, 2, 5, 0, DIRECTION_IN, 5, 0, DIRECTION_IN },
		{ "a direction", { .direction = DRESS_OUT }, 0, 0, 5, 0, DIRECTION_IN, 5, 0,
		    DIRECTION_OUT },
		{ "by tag", { .direction = DRESS_TAG }, 2, 1, 0, 0, DIRECTION_IN, 0, 0, DIRECTION_OUT },
		{ "by tag2", { .direction = DRESS_TAG2 }, 2, 1, 0, 0, DIRECTION_UNKNOWN, 0, 0,
		    DIRECTION_IN },
		{ "a tag that is neither", { .direction = DRESS_TAG }, 3, 0, 0, 0, DIRECTION_IN, 0, 0,
		    DIRECTION_IN },
		{ "an interface for who has none", { .ifindex = 9 }, 0, 0, 0, 0, DIRECTION_UNKNOWN, 9,
		    0, DIRECTION_UNKNOWN },
		{ "of the way out", { .ifindex = 9 }, 0, 0, 0, 0, DIRECTION_OUT, 0, 9, DIRECTION_OUT },
		{ "not for who has one", { .ifindex = 9 }, 0, 0, 5, 6, DIRECTION_IN, 5, 6,
		    DIRECTION_IN },
		{ "or for all", { .ifindex = 9, .overrides = true }, 0, 0, 5, 6, DIRECTION_IN, 9, 6,
		    DIRECTION_IN },
		{ "by tag", { .by_tag = true }, 7, 8, 0, 0, DIRECTION_IN, 7, 0, DIRECTION_IN },
		{ "a tag that is no interface's", { .by_tag2 = true }, 7, UINT64_C(1) << 32, 0, 0,
		    DIRECTION_IN, 0, 0, DIRECTION_IN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct flow f = { .tag = cases[i].tag, .tag2 = cases[i].tag2,
			.in_iface = cases[i].in, .out_iface = cases[i].out,
			.sampling_direction = cases[i].direction, .src_as = 64500 };

		dress_flow(&cases[i].dress, &f);
		if (f.in_iface != cases[i].want_in || f.out_iface != cases[i].want_out ||
		    f.sampling_direction != cases[i].want_direction || f.src_as != 64500)
			fail_msg("%s: %u %u %u", cases[i].says, f.in_iface, f.out_iface,
			    f.sampling_direction);
		assert_true(dress_is_wanted(&cases[i].dress) == (i > 0));
	}
}

static void
test_neighbouring_as(void **state)
{
	static const struct dress d = { .peer_as = true };
	struct flow f = { .src_as = 1, .dst_as = 2, .peer_src_as = 64500, .peer_dst_as = 64501,
		.in_iface = 3 };
	struct field_set reads = { { 0 } };

	(void)state;
	assert_true(dress_is_wanted(&d));
	dress_reads(&d, &reads);
	assert_true(field_set_has(&reads, F_PEER_SRC_AS) && field_set_has(&reads, F_PEER_DST_AS));
	assert_false(field_set_has(&reads, F_SAMPLING_DIRECTION));
	dress_flow(&d, &f);
	assert_int_equal(f.src_as, 64500);
	assert_int_equal(f.dst_as, 64501);
	assert_int_equal(f.in_iface, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_directions_and_interfaces),
		cmocka_unit_test(test_neighbouring_as),
	};

	return cmocka_run_group_tests_name("dress", tests, NULL, NULL);
}
