/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What weir show asks, and what it is answered. */
#include "tests/report/query_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/stats.h"
#include "lib/clock.h"
#include "report/query.h"

static void
test_view_in_full(void **state)
{
	struct fixture *x = *state;
	struct answer a;
	const json_t *column;

	feed(x, 1, 100);
	feed(x, 2, 300);
	feed(x, 3, 200);
	feed(x, 1, 50);
	pass(x);
	a = ask(x, "{\"cmd\": \"view\", \"view\": \"talkers\"}");
	assert_int_equal(json_array_size(a.rows), 3);
	assert_row(&a, 0, 1, 150);
	assert_row(&a, 1, 2, 300);
	assert_row(&a, 2, 3, 200);
	assert_string_equal(text(json_array_get(a.rows, 0), "ip_proto"), "tcp");
	assert_int_equal(number(json_array_get(a.rows, 0), "flows"), 2);
	assert_int_equal(number(a.head, "total.bytes"), 650);
	assert_int_equal(number(a.head, "total.packets"), 4);
	assert_int_equal(number(a.head, "other.bytes"), 0);
	assert_int_equal(number(a.head, "rows"), 3);
	assert_string_equal(text(a.head, "updated"), "2023-11-14T22:13:21.000Z");
	assert_int_equal(json_array_size(json_object_get(a.head, "columns")), 5);
	column = json_array_get(json_object_get(a.head, "columns"), 0);
	assert_string_equal(text(column, "name"), "src_host");
	assert_string_equal(text(column, "json"), "ip_src");
	assert_string_equal(text(column, "title"), "SRC_IP");
	assert_string_equal(text(column, "kind"), "ip");
	answer_free(&a);
}

static void
test_view_sorted(void **state)
{
	struct fixture *x = *state;
	struct answer a;

	for (int i = 1; i <= 200; i++)
		feed(x, (uint8_t)i,
		    (uint64_t)(i * 37 % 201)); /* a permutation of 1..200 */
	feed(x, 5, 0);
	pass(x);
	for (int top = 1; top <= 200; top += 33) {
		char request[128];

		snprintf(request, sizeof(request),
		    "{\"cmd\":\"view\",\"view\":\"talkers\",\"sort\":\"bytes\",\"top\":%d}", top);
		a = ask(x, request);
		assert_int_equal(json_array_size(a.rows), top);
		assert_int_equal(number(a.head, "rows"), 200);
		for (int i = 0; i < top; i++)
			assert_int_equal(
			    number(json_array_get(a.rows, (size_t)i), "bytes"),
			    200 - i);
		answer_free(&a);
	}
	a = ask(x, "{\"cmd\":\"view\",\"view\":\"talkers\",\"sort\":\"packets\"}");
	assert_int_equal(json_array_size(a.rows), 200);
	assert_row(&a, 0, 5, 5 * 37 % 201);
	assert_row(&a, 1, 1, 37); /* of equals, the first that came */
	answer_free(&a);
}

static void
test_view_growth(void **state)
{
	struct fixture *x = *state;
	const char *request =
	    "{\"cmd\":\"view\",\"view\":\"talkers\",\"top\":2,\"delta\":true}";
	struct answer a;

	feed(x, 1, 1000);
	feed(x, 2, 500);
	feed(x, 3, 10);
	pass(x);
	a = ask(x, request);
	assert_int_equal(number(a.head, "interval"), 0);
	assert_row(&a, 0, 1, 1000);
	assert_int_equal(number(json_array_get(a.rows, 0), "d_bytes"), 0);
	answer_free(&a);

	/* The largest growth is not the largest total; a new row grew by all it has. */
	feed(x, 3, 70);
	feed(x, 4, 90);
	pass(x);
	a = ask(x, request);
	assert_int_equal(number(a.head, "interval"), 1000000000);
	assert_int_equal(json_array_size(a.rows), 2);
	assert_row(&a, 0, 4, 90);
	assert_int_equal(number(json_array_get(a.rows, 0), "d_bytes"), 90);
	assert_row(&a, 1, 3, 80);
	assert_int_equal(number(json_array_get(a.rows, 1), "d_bytes"), 70);
	assert_int_equal(number(json_array_get(a.rows, 1), "d_packets"), 1);
	answer_free(&a);

	a = ask(x, request); /* no round since */
	assert_int_equal(number(a.head, "interval"), 0);
	answer_free(&a);

	a = ask(x, "{\"cmd\":\"view\",\"view\":\"ports\",\"delta\":true}");
	assert_int_equal(number(a.head, "interval"), 0); /* another ledger */
	answer_free(&a);
}

/* Less time than is asked for has no growth of its own: it is told with what comes. */
static void
test_view_growth_over_at_least(void **state)
{
	struct fixture *x = *state;
	static const struct { const char *least; long long interval, grown; } cases[] = {
		{ "3000000000", 0, 0 },          /* the first */
		{ "3000000000", 0, 0 },          /* one second */
		{ "3000000000", 0, 0 },          /* two */
		{ "3000000000", 3000000000, 6 },
		{ "1000000000", 1000000000, 2 },
		{ "0", 1000000000, 2 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char request[160];
		struct answer a;

		feed(x, 1, 2);
		pass(x);
		snprintf(request, sizeof(request), "{\"cmd\":\"view\",\"view\":\"talkers\","
		    "\"delta\":true,\"least\":%s}", cases[i].least);
		a = ask(x, request);
		assert_int_equal(number(a.head, "interval"), cases[i].interval);
		assert_int_equal(number(json_array_get(a.rows, 0), "d_bytes"), cases[i].grown);
		answer_free(&a);
	}
}

static void
test_view_that_is_full(void **state)
{
	struct fixture *x = *state;
	struct answer a;

	for (uint8_t i = 1; i <= 5; i++)
		feed(x, i, i);
	pass(x);
	a = ask(x, "{\"cmd\":\"view\",\"view\":\"ports\"}");
	assert_int_equal(json_array_size(a.rows), 3);
	assert_int_equal(number(a.head, "total.bytes"), 15);
	assert_int_equal(number(a.head, "other.bytes"), 4 + 5);
	answer_free(&a);
}

static void
test_tables(void **state)
{
	struct fixture *x = *state;
	struct exporter *ex;
	ip16_t from = ip_from_v4((const uint8_t[]){ 203, 0, 113, 9 });
	const struct interface_counters interfaces[] = {
		{ .index = 4,
		    .direction = INTERFACE_UNKNOWN,
		    .status = INTERFACE_UNKNOWN },
		{ .index = 3,
		    .direction = INTERFACE_HALF_DUPLEX,
		    .status = INTERFACE_ADMIN_UP,
		    .in_octets = 1000,
		    .out_octets = INTERFACE_UNKNOWN },
	};
	struct answer a;
	const json_t *row;

	feed(x, 1, 100);
	ex = exporter_get(&x->en->workers[0].exporters, EXPORTER_NETFLOW, &from, 256);
	exporter_add(ex, 0, EXPORTER_DATAGRAMS, 7);
	assert_true(exporter_interface(ex, &interfaces[0]));
	assert_true(exporter_interface(ex, &interfaces[1]));
	pass(x);

	a = ask(x, "{\"cmd\":\"views\"}");
	assert_int_equal(json_array_size(a.rows), 3);
	row = json_array_get(a.rows, 0);
	assert_string_equal(text(row, "view"), "talkers");
	assert_string_equal(text(row, "aggregate"), "src_host,proto");
	assert_int_equal(number(row, "rows"), 1);
	assert_int_equal(number(row, "bytes"), 100);
	assert_true(json_is_null(json_object_get(json_array_get(a.rows, 2), "rows")));
	answer_free(&a);

	a = ask(x, "{\"cmd\":\"exporters\"}");
	assert_int_equal(json_array_size(a.rows), 1);
	row = json_array_get(a.rows, 0);
	assert_string_equal(text(row, "address"), "203.0.113.9");
	assert_string_equal(text(row, "kind"), "netflow");
	assert_int_equal(number(row, "domain"), 256);
	assert_int_equal(number(row, "datagrams"), 7);
	answer_free(&a);

	a = ask(x, "{\"cmd\":\"interfaces\"}");
	assert_int_equal(json_array_size(a.rows), 2);
	row = json_array_get(a.rows, 0);
	assert_string_equal(text(row, "address"), "203.0.113.9");
	assert_int_equal(number(row, "index"), 3);
	assert_int_equal(number(row, "in_octets"), 1000);
	assert_true(json_is_null(json_object_get(row, "out_octets")));
	assert_string_equal(text(row, "duplex"), "half");
	assert_string_equal(text(row, "admin"), "up");
	assert_string_equal(text(row, "oper"), "down");
	row = json_array_get(a.rows, 1);
	assert_int_equal(number(row, "index"), 4);
	assert_string_equal(text(row, "duplex"), "unknown");
	assert_string_equal(text(row, "oper"), "unknown");
	answer_free(&a);

	a = ask(x, "{\"cmd\":\"outputs\"}");
	assert_int_equal(json_array_size(a.rows), 3);
	row = json_array_get(a.rows, 2);
	assert_string_equal(text(row, "output"), "history");
	assert_string_equal(text(row, "type"), "print");
	assert_string_equal(text(row, "state"), "ok");
	answer_free(&a);

	a = ask(x, "{\"cmd\":\"collectors\"}");
	assert_int_equal(json_array_size(a.rows), 0);
	answer_free(&a);

	a = ask(x, "{\"cmd\":\"stats\"}");
	assert_int_equal(json_array_size(a.rows), STAT_COUNT);
	row = json_array_get(a.rows, STAT_FRAMES_FED);
	assert_string_equal(text(row, "name"), "frames_fed");
	assert_string_equal(text(row, "unit"), "frames");
	assert_int_equal(number(row, "value"), 1);
	answer_free(&a);
}

/* The rate in use, and where it comes from: the map, the exporter, or the default. */
static void
test_sampling_from(void **state)
{
	static const struct {
		const char *says;
		uint32_t announced;
		enum exporter_rate by;
		uint32_t ext;
		long long rate;
		const char *from;
	} cases[] = {
		{ "nothing is known", 0, EXPORTER_RATE_NONE, 0, 0, "none" },
		{ "the header", 100, EXPORTER_RATE_HEADER, 0, 100, "header" },
		{ "options, and a default that is not used", 200, EXPORTER_RATE_OPTIONS,
		    50, 200, "options" },
		{ "records", 300, EXPORTER_RATE_RECORD, 0, 300, "record" },
		{ "the default", 0, EXPORTER_RATE_NONE, 50, 50, "ext_sampling_rate" },
	};
	struct fixture *x = *state;
	ip16_t from = ip_from_v4((const uint8_t[]){ 203, 0, 113, 9 });
	struct exporter *ex;

	ex = exporter_get(&x->en->workers[0].exporters, EXPORTER_NETFLOW, &from, 256);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sampling_config c = { .ext_rate = {
						 [SOURCE_NETFLOW] = cases[i].ext } };
		struct problems ps = { 0 };
		struct answer a;
		const json_t *row;

		assert_int_equal(sampling_new(&c, &x->en->sampling, &ps, NULL), 0);
		exporter_rate_set(ex, cases[i].announced, cases[i].by);
		a = ask(x, "{\"cmd\":\"exporters\"}");
		row = json_array_get(a.rows, 0);
		if (number(row, "sampling") != cases[i].rate ||
		    strcmp(text(row, "sampling_from"), cases[i].from) != 0)
			fail_msg("%s: %lld from %s", cases[i].says,
			    (long long)number(row, "sampling"),
			    text(row, "sampling_from"));
		answer_free(&a);
		sampling_free(x->en->sampling);
		x->en->sampling = NULL;
	}
}

/* Each member that "columns" lists is in every row, and nothing else is. */
static void
test_columns_say_what_rows_hold(void **state)
{
	static const char *const requests[] = { "{\"cmd\":\"views\"}",
		"{\"cmd\":\"exporters\"}", "{\"cmd\":\"interfaces\"}",
		"{\"cmd\":\"collectors\"}",
		"{\"cmd\":\"outputs\"}", "{\"cmd\":\"watches\"}",
		"{\"cmd\":\"thresholds\"}", "{\"cmd\":\"alarms\"}", "{\"cmd\":\"stats\"}", "{\"cmd\":\"books\"}",
		"{\"cmd\":\"view\",\"view\":\"talkers\"}",
		"{\"cmd\":\"view\",\"view\":\"ports\",\"delta\":true}" };
	struct fixture *x = *state;
	ip16_t from = ip_from_v4((const uint8_t[]){ 203, 0, 113, 9 });
	struct exporter *ex;

	feed(x, 1, 100);
	ex = exporter_get(&x->en->workers[0].exporters, EXPORTER_SFLOW, &from, 0);
	assert_true(exporter_interface(ex, &(struct interface_counters){ .index = 1 }));
	pass(x);
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		struct answer a = ask(x, requests[i]);
		json_t *columns = json_object_get(a.head, "columns"), *column, *row;
		size_t r, c;

		json_array_foreach(a.rows, r, row) {
			assert_int_equal(
			    json_object_size(row), json_array_size(columns));
			json_array_foreach(columns, c, column)
			    assert_non_null(json_object_get(row, text(column, "json")));
		}
		answer_free(&a);
	}
}

static void
test_books(void **state)
{
	struct fixture *x = *state;
	struct answer a;
	size_t i, seen = 0;
	json_t *row;

	for (uint8_t k = 1; k <= 5; k++)
		feed(x, k, k);
	pass(x);
	a = ask(x, "{\"cmd\":\"books\"}");
	assert_true(json_is_true(json_object_get(a.head, "balanced")));
	json_array_foreach(a.rows, i, row)
		if (strcmp(text(row, "subject"), "view ports bytes") == 0 &&
		    strcmp(text(row, "left"), "counted") == 0) {
			assert_int_equal(number(row, "value"), 15);
			assert_int_equal(number(row, "terms.ledger"), 15);
			assert_true(json_is_true(json_object_get(row, "balanced")));
			seen++;
		}
	assert_int_equal(seen, 1);
	answer_free(&a);

	/* A frame that went nowhere must show. */
	stat_add(&x->en->workers[0].pipeline.stats, STAT_FRAMES, 1);
	pass(x);
	a = ask(x, "{\"cmd\":\"books\"}");
	assert_true(json_is_false(json_object_get(a.head, "balanced")));
	assert_true(
	    json_is_false(json_object_get(json_array_get(a.rows, 0), "balanced")));
	answer_free(&a);
}

static const struct {
	const char *says, *request, *want;
} refused[] = {
	{ "garbage", "hello", "not JSON" },
	{ "an empty line", "", "not JSON" },
	{ "octets that are no UTF-8", "{\"cmd\": \"\xff\xfe\"}", "not JSON" },
	{ "half an object", "{\"cmd\": \"vi", "not JSON" },
	{ "two objects", "{\"cmd\":\"views\"} {\"cmd\":\"views\"}", "not JSON" },
	{ "a member twice", "{\"cmd\":\"views\",\"cmd\":\"stats\"}", "not JSON" },
	{ "an array", "[]", "a request is an object" },
	{ "deep arrays", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "flat object" },
	{ "deep objects", "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}}}}",
	    "flat object" },
	{ "no command", "{}", "\"cmd\" is missing: one of view, memory, views" },
	{ "a command that is no text", "{\"cmd\": 7}", "\"cmd\" is missing" },
	{ "an unknown command", "{\"cmd\": \"halt\"}", "no command 'halt'; there are: view" },
	{ "reloading, where nobody can", "{\"cmd\": \"reload\"}", "files cannot be read anew now" },
	{ "no view", "{\"cmd\": \"view\"}", "\"view\" is missing" },
	{ "an unknown view", "{\"cmd\": \"view\", \"view\": \"x\"}",
	    "no view 'x'; there are: talkers, ports" },
	{ "a view without a ledger", "{\"cmd\": \"view\", \"view\": \"history\"}",
	    "no running totals are kept for view 'history'; there are: talkers, ports" },
	{ "an unknown sort", "{\"cmd\": \"view\", \"view\": \"talkers\", \"sort\": \"size\"}",
	    "\"bytes\", \"packets\", \"flows\"" },
	{ "a sort that is no text", "{\"cmd\": \"view\", \"view\": \"talkers\", \"sort\": 1}",
	    "\"sort\" is none of" },
	{ "a negative top", "{\"cmd\": \"view\", \"view\": \"talkers\", \"top\": -1}",
	    "\"top\" is no number" },
	{ "a huge top", "{\"cmd\": \"view\", \"view\": \"talkers\", \"top\": 4294967296}",
	    "\"top\" is no number" },
	{ "a negative time", "{\"cmd\": \"view\", \"view\": \"talkers\", \"least\": -1}",
	    "\"least\" is no number" },
	{ "a top with a fraction", "{\"cmd\": \"view\", \"view\": \"talkers\", \"top\": 1.5}",
	    "\"top\" is no number" },
};

static void
test_refused(void **state)
{
	struct fixture *x = *state;
	struct answer a;

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		print_message("# %s\n", refused[i].says);
		a = ask(x, refused[i].request);
		assert_true(json_is_false(json_object_get(a.head, "ok")));
		if (strstr(text(a.head, "error"), refused[i].want) == NULL)
			fail_msg(
			    "'%s' lacks '%s'", text(a.head, "error"), refused[i].want);
		answer_free(&a);
	}
	a = ask(x, "{\"cmd\":\"views\"}"); /* the connection lives on */
	assert_true(json_is_true(json_object_get(a.head, "ok")));
	answer_free(&a);
}

static void
test_line_without_end(void **state)
{
	struct fixture *x = *state;
	size_t len = 1 << 20;
	char *line = malloc(len);
	json_t *head;

	memset(line, 'x', len);
	send_text(x, line, len);
	free(line);
	head = line_read(x);
	assert_non_null(strstr(text(head, "error"), "one line of fewer than 262144"));
	json_decref(head);
	assert_null(line_read(x)); /* and then it hangs up */
}

static void
test_requests_in_pieces_and_in_bulk(void **state)
{
	static const char two[] = "{\"cmd\":\"x\"}\n{\"cmd\":\"y\"}\n";
	struct fixture *x = *state;
	json_t *head;

	for (size_t i = 0; i < sizeof(two) - 1; i++)
		send_text(x, two + i, 1);
	send_text(x, two, sizeof(two) - 1);
	for (int i = 0; i < 4; i++) {
		head = line_read(x);
		assert_non_null(
		    strstr(text(head, "error"), i % 2 == 0 ? "'x'" : "'y'"));
		json_decref(head);
	}
}

/* Rows beyond any buffer, to a client that leaves in the middle. */
static void
test_client_that_leaves(void **state)
{
	static const char request[] = "{\"cmd\":\"stats\"}\n";
	struct fixture *x = *state;

	for (int i = 0; i < 200; i++)
		send_text(x, request, sizeof(request) - 1);
	client_leave(x); /* joins: the server must notice */
	client_connect(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_view_in_full),
		TEST(test_view_sorted),
		TEST(test_view_growth),
		TEST(test_view_growth_over_at_least),
		TEST(test_view_that_is_full),
		TEST(test_tables),
		TEST(test_sampling_from),
		TEST(test_columns_say_what_rows_hold),
		TEST(test_books),
		TEST(test_refused),
		TEST(test_line_without_end),
		TEST(test_requests_in_pieces_and_in_bulk),
		TEST(test_client_that_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
