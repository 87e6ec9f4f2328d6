/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "flow/text.h"
#include "lib/clock.h"
#include "lib/intern.h"

#define SUMMER UINT64_C(1783598400) /* 2026-07-09 12:00:00 UTC */
#define WINTER UINT64_C(1768478400) /* 2026-01-15 12:00:00 UTC */

static const struct text_opts plain;

static int
zone_set(void **state)
{
	(void)state;
	setenv("TZ", "Europe/Berlin", 1);
	tzset();
	return 0;
}

static const struct {
	const char *says;
	enum field_no no;
	uint64_t number; /* of fields that are numbers, */
	const char *address; /* addresses, */
	const char *string; /* and strings */
	const char *text, *json;
} values[] = {
	{ "an IPv4 address", F_SRC_HOST, 0, "192.0.2.1", NULL, "192.0.2.1",
	    "\"192.0.2.1\"" },
	{ "an IPv6 address", F_DST_HOST, 0, "2001:DB8:0:0::1", NULL, "2001:db8::1",
	    "\"2001:db8::1\"" },
	{ "no address", F_SRC_HOST, 0, NULL, NULL, "0.0.0.0",
	    "\"0.0.0.0\"" },
	{ "an unknown network of IPv6", F_DST_NET, 0, NULL, NULL, "::", "\"::\"" },
	{ "a port", F_SRC_PORT, 65535, NULL, NULL, "65535", "65535" },
	{ "a number of one octet", F_TOS, 0, NULL, NULL, "0", "0" },
	{ "a number of four octets", F_SRC_AS, UINT32_MAX, NULL, NULL, "4294967295",
	    "4294967295" },
	{ "a number of eight octets", F_BYTES, UINT64_MAX, NULL, NULL,
	    "18446744073709551615", "18446744073709551615" },
	{ "a protocol with a name", F_PROTO, 6, NULL, NULL, "tcp",
	    "\"tcp\"" },
	{ "a protocol without", F_PROTO, 253, NULL, NULL, "253",
	    "\"253\"" },
	{ "TCP flags are a string in JSON", F_TCPFLAGS, 0x1b, NULL, NULL, "27",
	    "\"27\"" },
	{ "an EtherType in hex", F_ETYPE, 0x86dd, NULL, NULL, "86dd",
	    "\"86dd\"" },
	{ "an EtherType of three digits", F_ETYPE, 0x800, NULL, NULL, "800",
	    "\"800\"" },
	{ "no EtherType", F_ETYPE, 0, NULL, NULL, "0", "\"0\"" },
	{ "a label", F_LABEL, 0, NULL, "a \"b\"", "a \"b\"",
	    "\"a \\\"b\\\"\"" },
	{ "no label", F_LABEL, 0, NULL, "", "", "\"\"" },
	{ "a route distinguisher of type 0", F_MPLS_VPN_RD, 0x0000fde800011170, NULL,
	    NULL, "0:65000:70000", "\"0:65000:70000\"" },
	{ "a route distinguisher of type 1", F_MPLS_VPN_RD, 0x4001c00002010064, NULL,
	    NULL, "1:192.0.2.1:100", "\"1:192.0.2.1:100\"" },
	{ "a route distinguisher of type 2", F_MPLS_VPN_RD, 0x8002000111700064, NULL,
	    NULL, "2:70000:100", "\"2:70000:100\"" },
	{ "the number of a VRF", F_MPLS_VPN_RD, 0x7fff00000000000e, NULL, NULL,
	    "vrfid:14", "\"vrfid:14\"" },
	{ "no route distinguisher", F_MPLS_VPN_RD, 0, NULL, NULL, "0:0:0",
	    "\"0:0:0\"" },
	{ "a route distinguisher of no known type", F_MPLS_VPN_RD, 0x0003000000000001,
	    NULL, NULL, "unknown", "\"unknown\"" },
	{ "on the way in", F_SAMPLING_DIRECTION, DIRECTION_IN, NULL, NULL, "i",
	    "\"i\"" },
	{ "on the way out", F_SAMPLING_DIRECTION, DIRECTION_OUT, NULL, NULL, "e",
	    "\"e\"" },
	{ "no direction", F_SAMPLING_DIRECTION, 0, NULL, NULL, "u",
	    "\"u\"" },
	{ "a forwarding status is a string in JSON", F_FWD_STATUS, 130, NULL, NULL,
	    "130", "\"130\"" },
	{ "labels", F_MPLS_LABEL_STACK, 0, NULL, "100_200", "100_200",
	    "\"100_200\"" },
	{ "a list is an array in JSON", F_SRV6_SEG_IPV6_LIST, 0, NULL, "fc00::1_fc00::2",
	    "fc00::1_fc00::2", "[\"fc00::1\", \"fc00::2\"]" },
	{ "a list of one", F_SRV6_SEG_IPV6_LIST, 0, NULL, "fc00::1", "fc00::1",
	    "[\"fc00::1\"]" },
	{ "a list of nothing", F_SRV6_SEG_IPV6_LIST, 0, NULL, "", "",
	    "[]" },
	{ "no time", F_TIMESTAMP_START, 0, NULL, NULL, "0000-00-00 00:00:00.000000",
	    "\"0000-00-00 00:00:00.000000\"" },
	{ "a time", F_TIMESTAMP_END, SUMMER *CLOCK_S + 1500, NULL, NULL,
	    "2026-07-09 14:00:00.000001",
	    "\"2026-07-09 14:00:00.000001\"" },
};

static void
test_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		const struct field *f = &fields[values[i].no];
		struct text_line l = { NULL, 0, 0 };
		uint8_t octets[16] = { 0 };
		char buf[TEXT_MAX];
		size_t len;

		if (values[i].address != NULL)
			assert_int_equal(
			    ip_parse(values[i].address, (ip16_t *)octets), 0);
		else if (f->value != FIELD_IP)
			field_uint_set(octets, f->octets,
			    values[i].string == NULL
				? values[i].number
				: intern(values[i].string, strlen(values[i].string)));
		len = text_value(f, octets, &plain, buf);
		if (strcmp(buf, values[i].text) != 0 || len != strlen(buf))
			fail_msg("%s: '%s' (%zu)", values[i].says, buf, len);
		text_line_json_text(&l, f, buf, &plain);
		if (l.len != strlen(values[i].json) ||
		    memcmp(l.p, values[i].json, l.len) != 0)
			fail_msg("%s: %.*s", values[i].says, (int)l.len, l.p);
		text_line_free(&l);
	}
}

static const struct {
	const char *says;
	enum field_no no;
	uint64_t number;
	const char *string;
	struct text_opts opts;
	const char *json;
} encodings[] = {
	{ "flags by name", F_TCPFLAGS, 0x1b, NULL, { .flags_array = true },
	    "[\"ACK\", \"PSH\", \"SYN\", \"FIN\"]" },
	{ "all flags, and two that have no name here", F_TCPFLAGS, 0xff, NULL,
	    { .flags_array = true },
	    "[\"URG\", \"ACK\", \"PSH\", \"RST\", \"SYN\", \"FIN\"]" },
	{ "no flags", F_TCPFLAGS, 0, NULL, { .flags_array = true },
	    "[]" },
	{ "a status in words", F_FWD_STATUS, 129, NULL, { .status_names = true },
	    "\"DROPPED ACL deny\"" },
	{ "labels with their places", F_MPLS_LABEL_STACK, 0, "100_200",
	    { .labels_array = true },
	    "[\"0-100\", \"1-200\"]" },
	{ "a label as it is", F_LABEL, 0, "a%1,b%2", { 0 }, "\"a%1,b%2\"" },
	{ "a label as an object", F_LABEL, 0, "a%1,b%2", { .label_map = true },
	    "{\"a\": \"1\", \"b\": \"2\"}" },
	{ "no label is an empty object", F_LABEL, 0, "", { .label_map = true },
	    "{}" },
	{ "a key without a value", F_LABEL, 0, "gold,a%", { .label_map = true },
	    "{\"gold\": \"\", \"a\": \"\"}" },
	{ "of a key that stands twice the last counts", F_LABEL, 0, "a%1,ab%2,a%3",
	    { .label_map = true }, "{\"ab\": \"2\", \"a\": \"3\"}" },
	{ "empty parts, and a value with a %", F_LABEL, 0, ",,a%b%c,", { .label_map = true },
	    "{\"a\": \"b%c\"}" },
	{ "other texts are no labels", F_CLASS, 0, "a%1", { .label_map = true },
	    "\"a%1\"" },
	{ "no labels", F_MPLS_LABEL_STACK, 0, "", { .labels_array = true },
	    "[]" },
};

static void
test_encodings(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++) {
		const struct field *f = &fields[encodings[i].no];
		struct text_line l = { NULL, 0, 0 };
		uint8_t octets[16] = { 0 };
		char buf[TEXT_MAX];

		field_uint_set(octets, f->octets,
		    encodings[i].string == NULL
			? encodings[i].number
			: intern(encodings[i].string, strlen(encodings[i].string)));
		text_value(f, octets, &encodings[i].opts, buf);
		text_line_json_text(&l, f, buf, &encodings[i].opts);
		if (l.len != strlen(encodings[i].json) ||
		    memcmp(l.p, encodings[i].json, l.len) != 0)
			fail_msg("%s: %.*s", encodings[i].says, (int)l.len, l.p);
		text_line_free(&l);
	}
}

static void
test_origins(void **state)
{
	static const struct {
		const char *says;
		uint64_t rd;
		const char *want;
	} cases[] = {
		{ "none is unknown", 0, "unknown" },
		{ "of type 0, from nowhere", 0x0000fde800011170, "unknown" },
		{ "of type 1, from a flow", 0x4001c00002010064, "flow" },
		{ "of type 2, from a map", 0x8002000111700064, "map" },
		{ "the number of a VRF, from a flow", 0x7fff00000000000e, "flow" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t octets[8];

		field_uint_set(octets, sizeof(octets), cases[i].rd);
		if (strcmp(text_rd_origin(octets), cases[i].want) != 0)
			fail_msg("%s: %s", cases[i].says, text_rd_origin(octets));
	}
}

/* Every field has a text, whatever its octets are, that fits and is not cut. */
static void
test_every_field(void **state)
{
	char label[300];

	(void)state;
	memset(label, 'x', sizeof(label));
	for (size_t i = 0; i < FIELD_COUNT; i++)
		for (int fill = 0; fill < 256; fill += 51) {
			uint32_t id = intern(label, sizeof(label));
			struct text_opts o = { .num_protos = fill & 1,
				.since_epoch = fill & 2,
				.utc = fill & 4,
				.secs = fill & 8,
				.status_names = fill & 1 };
			uint8_t octets[16];
			char *buf = malloc(TEXT_MAX);
			size_t len;

			assert_non_null(buf);
			memset(octets, fill, sizeof(octets));
			if (field_is_interned(&fields[i]))
				memcpy(octets, &id, sizeof(id));
			len = text_value(&fields[i], octets, &o, buf);
			assert_true(len < TEXT_MAX && len == strlen(buf));
			if (field_is_interned(&fields[i]))
				assert_int_equal(len, INTERN_MAX_LEN);
			else
				assert_true(len > 0);
			free(buf);
		}
}

static void
assert_number(const struct field *f, uint64_t n)
{
	char want[32], got[TEXT_MAX];

	snprintf(want, sizeof(want), "%" PRIu64, n);
	assert_int_equal(text_value(f, &n, &plain, got), strlen(want));
	assert_string_equal(got, want);
}

static void
test_numbers(void **state)
{
	const struct field *f = &fields[F_BYTES];
	uint64_t v = 1;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		assert_number(f, i < 1100 ? (uint64_t)i : v >> i % 64);
		v = v * UINT64_C(6364136223846793005) + 1;
	}
	for (uint64_t n = 10; n < UINT64_MAX / 10; n *= 10) {
		assert_number(f, n - 1);
		assert_number(f, n);
	}
	for (uint32_t n = 0; n < 65536; n++) {
		uint16_t etype = (uint16_t)n;
		char want[32], got[TEXT_MAX];

		snprintf(want, sizeof(want), "%x", n);
		text_value(&fields[F_ETYPE], &etype, &plain, got);
		assert_string_equal(got, want);
	}
}

static void
test_mac(void **state)
{
	mac_t m = { { 0, 0x1a, 0x2b, 0xff, 0x0e, 5 } };
	char buf[TEXT_MAX];

	(void)state;
	assert_int_equal(text_value(&fields[F_SRC_MAC], &m, &plain, buf), 17);
	assert_string_equal(buf, "00:1a:2b:ff:0e:05");
}

static void
test_protocol_as_number(void **state)
{
	struct text_opts o = { .num_protos = true };
	uint8_t tcp = 6;
	char buf[TEXT_MAX];

	(void)state;
	text_value(&fields[F_PROTO], &tcp, &o, buf);
	assert_string_equal(buf, "6");
}

static const struct {
	const char *says;
	uint64_t ns;
	struct text_opts o;
	const char *want;
} times[] = {
	{ "local time in summer", SUMMER *CLOCK_S, { 0 },
	    "2026-07-09 14:00:00.000000" },
	{ "local time in winter", WINTER *CLOCK_S, { 0 },
	    "2026-01-15 13:00:00.000000" },
	{ "UTC", SUMMER *CLOCK_S, { .utc = true }, "2026-07-09 12:00:00.000000" },
	{ "whole seconds", SUMMER *CLOCK_S + 999999999, { .secs = true },
	    "2026-07-09 14:00:00" },
	{ "microseconds are cut, not rounded", SUMMER *CLOCK_S + 999999999, { 0 },
	    "2026-07-09 14:00:00.999999" },
	{ "seconds since 1970", SUMMER *CLOCK_S, { .since_epoch = true },
	    "1783598400.000000" },
	{ "seconds since 1970, whole", SUMMER *CLOCK_S + 5,
	    { .since_epoch = true, .secs = true }, "1783598400" },
	{ "seconds since 1970 know no zone", SUMMER *CLOCK_S,
	    { .since_epoch = true, .secs = true, .utc = true }, "1783598400" },
	{ "no time", 0, { .secs = true }, "0000-00-00 00:00:00" },
	{ "no time since 1970", 0, { .since_epoch = true, .secs = true }, "0" },
	{ "RFC 3339, local time", SUMMER *CLOCK_S, { .rfc3339 = true },
	    "2026-07-09T14:00:00.000000+02:00" },
	{ "RFC 3339, UTC", SUMMER *CLOCK_S, { .rfc3339 = true, .utc = true, .secs = true },
	    "2026-07-09T12:00:00Z" },
	{ "RFC 3339 of no time", 0, { .rfc3339 = true, .secs = true }, "0000-00-00T00:00:00Z" },
	{ "seconds since 1970 are no RFC 3339", SUMMER *CLOCK_S,
	    { .rfc3339 = true, .since_epoch = true, .secs = true }, "1783598400" },
	{ "the last time there is", UINT64_MAX, { .utc = true },
	    "2554-07-21 23:34:33.709551" },
};

static void
test_times(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		char buf[TEXT_MAX];
		size_t len = text_time(times[i].ns, &times[i].o, buf);

		if (strcmp(buf, times[i].want) != 0 || len != strlen(buf))
			fail_msg("%s: %s", times[i].says, buf);
	}
}

static const struct {
	const char *says, *text, *want;
} jsons[] = {
	{ "a word", "abc", "\"abc\"" },
	{ "nothing", "", "\"\"" },
	{ "a quote", "a\"b", "\"a\\\"b\"" },
	{ "a backslash", "a\\b", "\"a\\\\b\"" },
	{ "control characters", "\x01\n\x1f\x7f", "\"\\u0001\\u000a\\u001f\\u007f\"" },
	{ "UTF-8 of two, three and four octets", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x8c\x8a",
	    "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x8c\x8a\"" },
	{ "octets that are no UTF-8", "a\xff\x80z", "\"a??z\"" },
	{ "a character that breaks off", "\xe2\x82", "\"??\"" },
	{ "a character that breaks off before a quote", "\xe2\x82\"", "\"??\\\"\"" },
	{ "an overlong slash", "\xc0\xaf", "\"??\"" },
	{ "half a surrogate pair", "\xed\xa0\x80", "\"???\"" },
	{ "beyond Unicode", "\xf4\x90\x80\x80", "\"????\"" },
};

static void
test_json(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(jsons) / sizeof(jsons[0]); i++) {
		struct text_line l = { NULL, 0, 0 };

		text_line_json(&l, jsons[i].text);
		if (l.len != strlen(jsons[i].want) ||
		    memcmp(l.p, jsons[i].want, l.len) != 0)
			fail_msg("%s: %.*s", jsons[i].says, (int)l.len, l.p);
		text_line_free(&l);
	}
}

static const struct {
	const char *says, *text;
	char sep;
	const char *want;
} csvs[] = {
	{ "nothing, as the first field of a line", "", ',', "" },
	{ "a word", "abc", ',', "abc" },
	{ "blanks need no quotes", " a b ", ',', " a b " },
	{ "a comma", "a,b", ',', "\"a,b\"" },
	{ "a comma where another separator divides", "a,b", ';', "a,b" },
	{ "that other separator", "a;b", ';', "\"a;b\"" },
	{ "a quote is doubled", "a\"b", ',', "\"a\"\"b\"" },
	{ "a newline", "a\nb", ',', "\"a\nb\"" },
	{ "a carriage return", "a\rb", ',', "\"a\rb\"" },
};

static void
test_csv(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(csvs) / sizeof(csvs[0]); i++) {
		struct text_line l = { NULL, 0, 0 };

		text_line_csv(&l, csvs[i].text, csvs[i].sep);
		if (l.len != strlen(csvs[i].want) ||
		    (l.len > 0 && memcmp(l.p, csvs[i].want, l.len) != 0))
			fail_msg("%s: %.*s", csvs[i].says, (int)l.len, l.p);
		text_line_free(&l);
	}
}

static void
test_lines_grow(void **state)
{
	struct text_line l = { NULL, 0, 0 };
	size_t room;

	(void)state;
	for (int i = 0; i < 10000; i++)
		text_line_put(&l, "0123456789", 10);
	assert_int_equal(l.len, 100000);
	for (size_t i = 0; i < l.len; i++)
		assert_int_equal(l.p[i], '0' + (int)(i % 10));
	room = l.room;
	l.len = 0; /* the next line uses the same memory */
	text_line_json(&l, "x");
	assert_int_equal(l.room, room);
	text_line_free(&l);
	assert_null(l.p);
}

static const struct {
	const char *says, *list, *want;
} keys[] = {
	{ "one field", "src_host", "src_host=192.0.2.1" },
	{ "several, in the order of ids", "dst_port,src_host,proto",
	    "src_host=192.0.2.1 dst_port=53 proto=udp" },
	{ "only what is part of the key", "src_host,tcpflags,flows",
	    "src_host=192.0.2.1" },
	{ "no field at all", "none", "total" },
	{ "an empty label", "label", "label=" },
};

/* The whole text, and in every smaller room as much of it as fits. */
static void
test_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		uint64_t row[(ROWSPEC_MAX_KEY + 512) / 8] = { 0 };
		struct field_set set;
		struct rowspec rs;
		struct flow f;
		uint16_t bin = 0;
		size_t whole = strlen(keys[i].want);

		flow_clear(&f);
		(void)ip_parse("192.0.2.1", &f.src_host);
		f.dst_port = 53;
		f.proto = 17;
		assert_int_equal(field_set_parse(keys[i].list, &set, NULL), 0);
		rowspec_compile(&rs, &set);
		rowspec_pack(&rs, &f, &bin, 1, (uint8_t *)row);
		for (size_t room = 1; room <= whole + 2; room++) {
			char *buf = malloc(room);
			size_t len =
			    text_key(&rs, (const uint8_t *)row, &plain, buf, room);
			size_t want = whole < room ? whole : room - 1;

			if (len != want || strlen(buf) != want ||
			    memcmp(buf, keys[i].want, want) != 0)
				fail_msg("%s: '%s' (%zu) in %zu octets", keys[i].says,
				    buf, len, room);
			free(buf);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_encodings),
		cmocka_unit_test(test_origins),
		cmocka_unit_test(test_every_field),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_mac),
		cmocka_unit_test(test_protocol_as_number),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_csv),
		cmocka_unit_test(test_lines_grow),
		cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests_name("text", tests, zone_set, NULL);
}
