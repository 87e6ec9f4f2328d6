/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "flow/custom.h"
#include "flow/flow.h"
#include "flow/text.h"
#include "lib/intern.h"

static char path[] = "/tmp/weir-custom-XXXXXX";

/* Load `text` as the file. Returns how many errors it has; the first goes to `first`. */
static size_t
load(const char *text, char *first, size_t room)
{
	struct problems ps = { 0 };
	struct err e = ERR_INIT;
	FILE *f = fopen(path, "w");
	size_t n;

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
	custom_clear();
	assert_int_equal(custom_load(path, &ps, &e), 0);
	n = ps.n_errors;
	snprintf(first, room, "%s", ps.n > 0 ? ps.list[0].text : "");
	problems_free(&ps);
	return n;
}

static const struct {
	const char *says, *line;
	const char *error; /* NULL: taken */
	uint32_t enterprise;
	uint16_t element;
	enum custom_semantics semantics;
} lines[] = {
	{ "an element of IANA's", "name=lab field_type=460 len=4 semantics=u_int", NULL, 0,
	    460, CUSTOM_UINT },
	{ "one of an enterprise", "name=Lab field_type=9999:1001 len=vlen semantics=str",
	    NULL, 9999, 1001, CUSTOM_STR },
	{ "one of v9 above the enterprise bit",
	    "name=lab field_type=40000 len=20 semantics=raw", NULL, 0, 40000, CUSTOM_RAW },
	{ "without a length", "name=lab field_type=1 semantics=hex", NULL, 0, 1,
	    CUSTOM_HEX },
	{ "in any order", "semantics=ip len=4 name=lab field_type=8", NULL, 0, 8,
	    CUSTOM_IP },
	{ "without a name", "field_type=1 semantics=hex", "name and semantics", 0, 0, 0 },
	{ "without semantics", "name=lab field_type=1", "name and semantics", 0, 0, 0 },
	{ "of a packet", "name=lab packet_ptr=payload+1 len=1 semantics=hex",
	    "not looked into", 0, 0, 0 },
	{ "of nothing", "name=lab len=1 semantics=hex", "no field_type", 0, 0, 0 },
	{ "unknown semantics", "name=lab field_type=1 semantics=float", "u_int, hex", 0, 0,
	    0 },
	{ "an element that is none", "name=lab field_type=1x semantics=hex",
	    "number of an element", 0, 0, 0 },
	{ "an enterprise without element", "name=lab field_type=9: semantics=hex",
	    "number of an element", 0, 0, 0 },
	{ "no enterprise before the colon", "name=lab field_type=:9 semantics=hex",
	    "number of an element", 0, 0, 0 },
	{ "a negative element", "name=lab field_type=-1 semantics=hex",
	    "number of an element", 0, 0, 0 },
	{ "an enterprise's element beyond fifteen bits",
	    "name=lab field_type=9:32768 semantics=hex", "number of an element", 0, 0, 0 },
	{ "a name with a blank", "name='a b' field_type=1 semantics=hex", "letters", 0, 0,
	    0 },
	{ "a key that is unknown", "name=lab field_typ=1 semantics=hex", "field_type", 0, 0,
	    0 },
};

static void
test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char error[512];
		size_t n = load(lines[i].line, error, sizeof(error));
		const struct field *f = field_find("lab", 3);
		const struct custom *c = f != NULL ? custom_of(field_no(f)) : NULL;

		if (lines[i].error != NULL) {
			if (n == 0 || strstr(error, lines[i].error) == NULL)
				fail_msg("%s: '%s'", lines[i].says, error);
			if (strstr(error, ":1") == NULL)
				fail_msg("%s: '%s' has no line", lines[i].says, error);
			assert_null(c);
			continue;
		}
		if (n != 0 || c == NULL || c->enterprise != lines[i].enterprise ||
		    c->element != lines[i].element || c->semantics != lines[i].semantics)
			fail_msg("%s: '%s'", lines[i].says, error);
		assert_string_equal(f->json, "lab");
	}
}

/* What is a primitive of weir's stays that: with a warning. */
static void
test_built_in(void **state)
{
	struct problems ps = { 0 };
	struct err e = ERR_INIT;
	FILE *f = fopen(path, "w");

	(void)state;
	assert_non_null(f);
	fputs("name=VRF_name field_type=236 len=32 semantics=str\n", f);
	assert_int_equal(fclose(f), 0);
	custom_clear();
	assert_int_equal(custom_load(path, &ps, &e), 0);
	assert_int_equal(ps.n, 1);
	assert_int_equal(ps.n_errors, 0);
	assert_non_null(strstr(ps.list[0].text, "'VRF_name' already"));
	assert_ptr_equal(field_find("vrf_name", 8), &fields[F_VRF_NAME]);
	assert_null(custom_of(F_CUSTOM_1));
	problems_free(&ps);
}

static void
test_twice(void **state)
{
	char error[512];

	(void)state;
	assert_int_equal(load("name=lab field_type=1 semantics=hex\n"
			      "name=LAB field_type=2 semantics=hex\n",
			     error, sizeof(error)),
	    1);
	assert_non_null(strstr(error, ":2"));
	assert_int_equal(custom_of(F_CUSTOM_1)->element, 1);
	assert_null(custom_of(F_CUSTOM_2));
}

static void
test_too_many(void **state)
{
	char text[2048] = "", error[512];

	(void)state;
	for (unsigned i = 0; i <= CUSTOM_MAX; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "name=lab%u field_type=%u semantics=str\n", i, i);
	assert_int_equal(load(text, error, sizeof(error)), 1);
	assert_non_null(strstr(error, "no more than 16"));
	assert_int_equal(custom_of(F_CUSTOM_16)->element, 15);
	assert_null(custom_of(F_SRC_HOST));
}

static void
test_texts(void **state)
{
	static const struct {
		enum custom_semantics semantics;
		const char *text;
	} cases[] = {
		{ CUSTOM_UINT, "18446744073709551615" },
		{ CUSTOM_IP, "2001:db8::1" },
		{ CUSTOM_MAC, "02:00:00:00:00:a1" },
		{ CUSTOM_STR, "a \"b\"" },
		{ CUSTOM_HEX, "a1b2" },
		{ CUSTOM_RAW, "00-A1" },
	};

	(void)state;
	custom_clear();
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct custom c = { .semantics = cases[i].semantics };
		const struct text_opts plain = { 0 };
		const struct field *f = &fields[F_CUSTOM_1 + i];
		custom_t v = { { 0 } };
		mac_t mac = { { 2, 0, 0, 0, 0, 0xa1 } };
		char name[] = "lab0", buf[TEXT_MAX];

		name[3] = (char)('0' + i);
		assert_int_equal(custom_add(name, &c, NULL), 0);
		if (cases[i].semantics == CUSTOM_UINT)
			field_uint_set(&v, 8, UINT64_MAX);
		else if (cases[i].semantics == CUSTOM_IP)
			assert_int_equal(ip_parse(cases[i].text, (ip16_t *)(void *)&v), 0);
		else if (cases[i].semantics == CUSTOM_MAC)
			memcpy(&v, &mac, sizeof(mac));
		else
			field_uint_set(
			    &v, 4, intern(cases[i].text, strlen(cases[i].text)));
		assert_int_equal(
		    text_value(f, &v, &plain, buf), strlen(cases[i].text));
		assert_string_equal(buf, cases[i].text);
	}
}

/* Of a value that a record had not there is nothing, but a number is 0. */
static void
test_widths_and_nothing(void **state)
{
	static const struct {
		const char *line;
		size_t width;
		const char *nothing;
	} cases[] = {
		{ "name=lab field_type=460 len=1 semantics=u_int", 3, "0" },
		{ "name=lab field_type=460 len=2 semantics=hex", 5, "0" },
		{ "name=lab field_type=460 len=4 semantics=u_int", 10, "0" },
		{ "name=lab field_type=460 len=8 semantics=hex", 20, "0" },
		{ "name=lab field_type=460 len=3 semantics=u_int", 0, "0" },
		{ "name=lab field_type=460 len=65535 semantics=hex", 0, "0" },
		{ "name=lab field_type=460 len=4 semantics=ip", 46, NULL },
		{ "name=lab field_type=460 len=6 semantics=mac", 18, "00:00:00:00:00:00" },
		{ "name=lab field_type=460 len=12 semantics=str", 12, "" },
		{ "name=lab field_type=460 len=vlen semantics=str", 0, "" },
		{ "name=lab field_type=460 len=4 semantics=raw", 11, "" },
		{ "name=lab field_type=460 len=vlen semantics=raw", 0, "" },
	};
	const struct text_opts plain = { 0 };
	const custom_t none = { { 0 } };
	char error[256], buf[TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(load(cases[i].line, error, sizeof(error)), 0);
		if (custom_width(&fields[F_CUSTOM_1]) != cases[i].width)
			fail_msg("%s: %zu", cases[i].line, custom_width(&fields[F_CUSTOM_1]));
		text_value(&fields[F_CUSTOM_1], &none, &plain, buf);
		if (cases[i].nothing != NULL)
			assert_string_equal(buf, cases[i].nothing);
	}
	custom_clear();
	assert_int_equal(custom_width(&fields[F_CUSTOM_1]), 0);
}

static void
test_no_file(void **state)
{
	struct problems ps = { 0 };
	struct err e = ERR_INIT;

	(void)state;
	assert_true(custom_load("/nonexistent/file", &ps, &e) < 0);
	assert_non_null(strstr(e.text, "/nonexistent/file"));
	problems_free(&ps);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_built_in),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_widths_and_nothing),
		cmocka_unit_test(test_no_file),
	};
	int fd = mkstemp(path), rc;

	if (fd < 0)
		return 1;
	close(fd);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return rc;
}
