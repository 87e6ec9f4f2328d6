/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/intern.h"
#include "report/query_match.h"

/* The row of a flow from 192.0.2.1, port 443, TCP, tag 2^64 - 1, class "web", IPv4. */
static void
row_make(struct rowspec *rs, uint8_t *row)
{
	struct field_set set;
	struct err e = ERR_INIT;
	struct flow f = { .src_port = 443, .proto = 6, .etype = 0x800, .tag = UINT64_MAX };
	uint64_t keys[64] = { 0 };
	uint16_t bin = 0;

	assert_int_equal(
	    field_set_parse("src_host,src_port,proto,etype,tag,class,src_mac", &set, &e), 0);
	rowspec_compile(rs, &set);
	f.src_host = ip_from_v4((const uint8_t[]){ 192, 0, 2, 1 });
	f.src_mac.b[5] = 9;
	f.class_id = intern("web", 3);
	rowspec_pack(rs, &f, &bin, 1, (uint8_t *)keys);
	memcpy(row, keys, rs->key_octets);
}

static void
list_count(void *arg, uint32_t list)
{
	*(int *)arg += list == 0;
}

static const struct {
	const char *says, *names, *values;
	int fits; /* -1: the values are refused */
} cases[] = {
	{ "an address", "src_host", "192.0.2.1", 1 },
	{ "another", "src_host", "192.0.2.2", 0 },
	{ "no address", "src_host", "192.0.2", -1 },
	{ "anything", "src_host", "*", 1 },
	{ "what is not said is 0", "src_host,src_port", "192.0.2.1", 0 },
	{ "which is what the row has", "src_host,dst_port,dst_host", "192.0.2.1", 1 },
	{ "also in the middle", "src_host,dst_port,src_port", "192.0.2.1,,443", 1 },
	{ "a port", "src_port", "443", 1 },
	{ "a port that is none", "src_port", "65536", -1 },
	{ "a negative one", "src_port", "-1", -1 },
	{ "a service's name is no port", "src_port", "https", -1 },
	{ "the largest tag", "tag", "18446744073709551615", 1 },
	{ "one more", "tag", "18446744073709551616", -1 },
	{ "a protocol's name", "proto", "tcp", 1 },
	{ "its number", "proto", "6", 1 },
	{ "another name", "proto", "udp", 0 },
	{ "no protocol", "proto", "foo", -1 },
	{ "EtherTypes are hexadecimal", "etype", "800", 1 },
	{ "text", "class", "web", 1 },
	{ "other text", "class", "we", 0 },
	{ "a MAC address", "src_mac", "00:00:00:00:00:09", 1 },
	{ "all of two", "src_port,proto", "443,tcp", 1 },
	{ "one of two", "src_port,proto", "443,udp", 0 },
	{ "one of two, the other may be anything", "src_port,proto", "443,*", 1 },
	{ "more values than primitives", "proto", "tcp,9", 1 },
	{ "what the row has not is 0", "dst_port", "0", 1 },
	{ "and nothing else", "dst_port", "1", 0 },
	{ "an address that the row has not", "dst_host", "192.0.2.1", 0 },
};

static void
test_cases(void **state)
{
	struct rowspec rs;
	uint8_t row[512];

	(void)state;
	row_make(&rs, row);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = ERR_INIT;
		struct query_match *m = query_match_new(cases[i].names, &e);
		int got = -1;

		assert_non_null(m);
		if (query_match_add(m, cases[i].values, &e) == 0) {
			assert_int_equal(query_match_index(m), 0);
			got = 0;
			query_match_each(m, &rs, row, list_count, &got);
		}
		if (got != cases[i].fits)
			fail_msg("%s: %d (%s)", cases[i].says, got, e.text);
		assert_true(got >= 0 || strstr(e.text, cases[i].names) != NULL);
		query_match_free(m);
	}
}

static void
test_names(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_null(query_match_new("src_hots", &e));
	assert_non_null(strstr(e.text, "did you mean 'src_host'"));
	assert_null(query_match_new("", &e));
	assert_null(query_match_new("proto,", &e));
	assert_null(query_match_new("bytes", &e));
	assert_non_null(strstr(e.text, "counted"));
	query_match_free(NULL);
}

static void
test_bound(void **state)
{
	struct err e = ERR_INIT;
	struct query_match *m = query_match_new("class,src_port", &e);

	(void)state;
	for (unsigned i = 0; i < QUERY_MATCHES; i++)
		assert_int_equal(query_match_add(m, "a,1", &e), 0);
	assert_int_not_equal(query_match_add(m, "a,1", &e), 0);
	assert_int_equal(query_match_count(m), QUERY_MATCHES);
	query_match_free(m);
}

#define SEEN 64U

static void
list_see(void *arg, uint32_t list)
{
	bool *seen = arg;

	assert_in_range(list, 0, SEEN - 1);
	assert_false(seen[list]); /* once each */
	seen[list] = true;
}

/* Each of many lists at once picks what it picks alone, and each kind of lists is looked up once. */
static void
test_many_lists(void **state)
{
	struct err e = ERR_INIT;
	struct query_match *m = query_match_new("src_port,proto,class", &e);
	bool seen[SEEN] = { false };
	struct rowspec rs;
	uint8_t row[512];
	char list[64];

	(void)state;
	row_make(&rs, row);
	for (unsigned i = 0; i < SEEN; i++) {
		/* Lists 3, 19, 35 and 51 fit but for their wildcards, and 35 and 51 say "we". */
		snprintf(list, sizeof(list), "%u,%s,%s", 440 + i % 16, i & 1 ? "tcp" : "*",
		    i & 32 ? "we" : i & 16 ? "web" : "*");
		assert_int_equal(query_match_add(m, list, &e), 0);
	}
	assert_int_equal(query_match_index(m), 0);
	assert_int_equal(query_match_groups(m), 4);
	query_match_each(m, &rs, row, list_see, seen);
	for (unsigned i = 0; i < SEEN; i++)
		assert_int_equal(seen[i], i == 3 || i == 19);
	query_match_free(m);
}

/* Lists of the same values are each there, as often as they were given. */
static void
test_same_lists(void **state)
{
	struct err e = ERR_INIT;
	struct query_match *m = query_match_new("proto", &e);
	bool seen[SEEN] = { false };
	struct rowspec rs;
	uint8_t row[512];

	(void)state;
	row_make(&rs, row);
	for (unsigned i = 0; i < SEEN; i++)
		assert_int_equal(query_match_add(m, i % 3 == 0 ? "6" : i % 3 == 1 ? "tcp" : "udp", &e), 0);
	assert_int_equal(query_match_index(m), 0);
	assert_int_equal(query_match_groups(m), 1);
	query_match_each(m, &rs, row, list_see, seen);
	for (unsigned i = 0; i < SEEN; i++)
		assert_int_equal(seen[i], i % 3 != 2);
	query_match_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_many_lists),
		cmocka_unit_test(test_same_lists),
	};

	return cmocka_run_group_tests_name("query_match", tests, NULL, NULL);
}
