/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/rbuf.h"
#include "lib/wbuf.h"

static const uint8_t octets[] = { 0x81, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
    0x09 };

static const struct {
	const char *says;
	size_t have, width;
	uint64_t want;
	size_t left;
	bool ok;
} reads[] = {
	{ "nothing from nothing is zero and fine", 0, 0, 0, 0, true },
	{ "an octet from nothing is past the end", 0, 1, 0, 0, false },
	{ "no octets leave all of them", 9, 0, 0, 9, true },
	{ "one octet to the exact end", 1, 1, 0x81, 0, true },
	{ "two octets, network order", 9, 2, 0x8102, 7, true },
	{ "two octets, one short", 1, 2, 0, 0, false },
	{ "three octets", 9, 3, 0x810203, 6, true },
	{ "four octets to the exact end", 4, 4, 0x81020304, 0, true },
	{ "four octets, one short", 3, 4, 0, 0, false },
	{ "five octets", 9, 5, 0x8102030405, 4, true },
	{ "six octets", 9, 6, 0x810203040506, 3, true },
	{ "seven octets", 9, 7, 0x81020304050607, 2, true },
	{ "eight octets keep the top bit", 9, 8, 0x8102030405060708, 1, true },
	{ "eight octets to the exact end", 8, 8, 0x8102030405060708, 0, true },
	{ "eight octets, one short", 7, 8, 0, 0, false },
};

/* The named reader of a width, or rbuf_uint. */
static uint64_t
read_width(struct rbuf *r, size_t width)
{
	switch (width) {
	case 1:
		return rbuf_u8(r);
	case 2:
		return rbuf_u16(r);
	case 4:
		return rbuf_u32(r);
	case 8:
		return rbuf_u64(r);
	default:
		return rbuf_uint(r, width);
	}
}

static void
test_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++)
		for (int named = 0; named <= 1; named++) {
			struct rbuf r = rbuf_of(octets, reads[i].have);
			uint64_t v = named ? read_width(&r, reads[i].width)
			                   : rbuf_uint(&r, reads[i].width);

			if (v != reads[i].want || rbuf_left(&r) != reads[i].left ||
			    rbuf_ok(&r) != reads[i].ok)
				fail_msg("%s: got %#llx, %zu left, %s", reads[i].says,
				    (unsigned long long)v, rbuf_left(&r),
				    rbuf_ok(&r) ? "ok" : "bad");
		}
}

static void
test_read_error_sticks(void **state)
{
	struct rbuf r = rbuf_of(octets, 3);

	(void)state;
	assert_int_equal(rbuf_u32(&r), 0);
	assert_false(rbuf_ok(&r));
	/* The three octets are gone: no field is read from half a record. */
	assert_int_equal(rbuf_left(&r), 0);
	assert_int_equal(rbuf_u8(&r), 0);
	assert_null(rbuf_get(&r, 1));
	rbuf_skip(&r, 0);
	assert_non_null(rbuf_get(&r, 0));
	assert_false(rbuf_ok(&r));
}

static void
test_read_huge_length(void **state)
{
	struct rbuf r = rbuf_of(octets, sizeof(octets));

	(void)state;
	assert_null(rbuf_get(&r, SIZE_MAX));
	assert_false(rbuf_ok(&r));

	r = rbuf_of(octets, sizeof(octets));
	rbuf_skip(&r, SIZE_MAX);
	assert_false(rbuf_ok(&r));
}

static void
test_get_and_copy(void **state)
{
	struct rbuf r = rbuf_of(octets, sizeof(octets));
	uint8_t out[4] = { 0xee, 0xee, 0xee, 0xee };

	(void)state;
	assert_ptr_equal(rbuf_get(&r, 2), octets);
	assert_ptr_equal(rbuf_get(&r, 2), octets + 2);
	rbuf_copy(&r, out, 3);
	assert_memory_equal(out, octets + 4, 3);
	assert_int_equal(out[3], 0xee);
	rbuf_copy(&r, out, 2);
	assert_memory_equal(out, octets + 7, 2);
	assert_true(rbuf_ok(&r));

	/* One past the end: zeroes, not what was there before. */
	rbuf_copy(&r, out, 1);
	assert_int_equal(out[0], 0);
	assert_int_equal(out[1], octets[8]);
	assert_false(rbuf_ok(&r));
}

static const struct {
	const char *says;
	size_t have, take, sub_left, left;
	bool ok;
} takes[] = {
	{ "an empty sub-reader of nothing", 0, 0, 0, 0, true },
	{ "an empty sub-reader", 9, 0, 0, 9, true },
	{ "a part", 9, 4, 4, 5, true },
	{ "everything", 9, 9, 9, 0, true },
	{ "one more than there is fails both", 9, 10, 0, 0, false },
	{ "far more than there is fails both", 9, SIZE_MAX, 0, 0, false },
};

static void
test_take(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(takes) / sizeof(takes[0]); i++) {
		struct rbuf r = rbuf_of(octets, takes[i].have);
		struct rbuf sub = rbuf_take(&r, takes[i].take);

		if (rbuf_left(&sub) != takes[i].sub_left ||
		    rbuf_left(&r) != takes[i].left || rbuf_ok(&sub) != takes[i].ok ||
		    rbuf_ok(&r) != takes[i].ok)
			fail_msg("%s: %zu and %zu left", takes[i].says, rbuf_left(&sub),
			    rbuf_left(&r));
	}
}

static void
test_sub_reader_is_bounded(void **state)
{
	struct rbuf r = rbuf_of(octets, sizeof(octets));
	struct rbuf sub = rbuf_take(&r, 3);

	(void)state;
	assert_int_equal(rbuf_u16(&sub), 0x8102);
	assert_int_equal(rbuf_u16(&sub), 0);
	assert_false(rbuf_ok(&sub));
	/* The outer reader has its own error and goes on after the sub-reader. */
	assert_true(rbuf_ok(&r));
	assert_int_equal(rbuf_u8(&r), 0x04);
}

static const struct {
	const char *says;
	size_t room, width;
	size_t len;
	bool ok;
} writes[] = {
	{ "nothing into nothing is fine", 0, 0, 0, true },
	{ "an octet into nothing does not fit", 0, 1, 0, false },
	{ "one octet to the exact end", 1, 1, 1, true },
	{ "two octets", 9, 2, 2, true },
	{ "two octets, one short, write nothing", 1, 2, 0, false },
	{ "three octets", 9, 3, 3, true },
	{ "four octets to the exact end", 4, 4, 4, true },
	{ "four octets, one short, write nothing", 3, 4, 0, false },
	{ "seven octets", 9, 7, 7, true },
	{ "eight octets to the exact end", 8, 8, 8, true },
	{ "eight octets, one short, write nothing", 7, 8, 0, false },
};

static void
write_width(struct wbuf *w, uint64_t v, size_t width)
{
	switch (width) {
	case 1:
		wbuf_u8(w, (uint8_t)v);
		break;
	case 2:
		wbuf_u16(w, (uint16_t)v);
		break;
	case 4:
		wbuf_u32(w, (uint32_t)v);
		break;
	case 8:
		wbuf_u64(w, v);
		break;
	default:
		wbuf_uint(w, v, width);
	}
}

static void
test_write(void **state)
{
	const uint64_t v = 0x8102030405060708;

	(void)state;
	for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
		uint8_t out[16];
		struct wbuf w = wbuf_of(out, writes[i].room);
		size_t n = writes[i].len;

		memset(out, 0xee, sizeof(out));
		write_width(&w, v, writes[i].width);
		if (wbuf_len(&w) != n || wbuf_ok(&w) != writes[i].ok ||
		    wbuf_left(&w) != writes[i].room - n || out[n] != 0xee)
			fail_msg("%s: %zu written, %s", writes[i].says, wbuf_len(&w),
			    wbuf_ok(&w) ? "ok" : "bad");
		/* The low octets of the value, the lowest last. */
		if (memcmp(out, octets + 8 - n, n) != 0)
			fail_msg("%s: wrong octets", writes[i].says);
	}
}

static void
test_write_error_sticks(void **state)
{
	uint8_t out[4] = { 0xee, 0xee, 0xee, 0xee };
	struct wbuf w = wbuf_of(out, 3);

	(void)state;
	wbuf_u8(&w, 1);
	wbuf_u32(&w, 0x02030405);
	assert_false(wbuf_ok(&w));
	/* There would be room for it, but the record is broken already. */
	wbuf_u8(&w, 9);
	wbuf_put(&w, octets, 1);
	assert_null(wbuf_get(&w, 0));
	assert_int_equal(wbuf_len(&w), 1);
	assert_int_equal(out[1], 0xee);
}

static void
test_put_and_get(void **state)
{
	uint8_t out[10];
	struct wbuf w = wbuf_of(out, 9);
	uint8_t *lent;

	(void)state;
	memset(out, 0xee, sizeof(out));
	wbuf_put(&w, octets, 5);
	lent = wbuf_get(&w, 4);
	assert_ptr_equal(lent, out + 5);
	memcpy(lent, octets + 5, 4);
	assert_memory_equal(out, octets, 9);
	assert_true(wbuf_ok(&w));
	assert_int_equal(wbuf_left(&w), 0);
	wbuf_put(&w, octets, 0);
	assert_true(wbuf_ok(&w));
	assert_null(wbuf_get(&w, SIZE_MAX));
	assert_false(wbuf_ok(&w));
	assert_int_equal(out[9], 0xee);
}

static void
test_round_trip(void **state)
{
	uint8_t out[8];

	(void)state;
	for (size_t width = 0; width <= 8; width++)
		for (unsigned bit = 0; bit < 64; bit++) {
			uint64_t v = UINT64_C(1) << bit;
			uint64_t kept = bit < 8 * width ? v : 0;
			struct wbuf w = wbuf_of(out, width);
			struct rbuf r = rbuf_of(out, width);

			write_width(&w, v, width);
			assert_true(wbuf_ok(&w));
			assert_true(read_width(&r, width) == kept);
			assert_true(rbuf_ok(&r));
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_read_error_sticks),
		cmocka_unit_test(test_read_huge_length),
		cmocka_unit_test(test_get_and_copy),
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_sub_reader_is_bounded),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_write_error_sticks),
		cmocka_unit_test(test_put_and_get),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests_name("rbuf and wbuf", tests, NULL, NULL);
}
