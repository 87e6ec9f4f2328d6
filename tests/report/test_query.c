/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control protocol over a socketpair, against an engine without threads: flows are
 * fed by hand and rounds of the publisher run when a test says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "core/engine.h"
#include "core/stats.h"
#include "lib/clock.h"
#include "report/catch.h"
#include "report/memory.h"
#include "report/print.h"
#include "report/query.h"

#define T0 (UINT64_C(1700000000) * CLOCK_S)

struct fixture {
	struct engine *en;
	struct output_config talkers, ports, history;
	struct rules_config rules;
	struct print_config print;
	uint64_t now;
	int fd;              /* the client's end */
	int server_fd;
	pthread_t server;
	FILE *in;
};

static void *
server_main(void *arg)
{
	struct fixture *x = arg;

	query_serve(x->en, NULL, x->server_fd);
	close(x->server_fd);
	return NULL;
}

static void
client_connect(struct fixture *x)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	x->fd = fds[0];
	x->server_fd = fds[1];
	x->in = fdopen(dup(x->fd), "r");
	assert_non_null(x->in);
	assert_int_equal(pthread_create(&x->server, NULL, server_main, x), 0);
}

static void
client_leave(struct fixture *x)
{
	(void)shutdown(x->fd, SHUT_RDWR);
	close(x->fd);
	fclose(x->in);
	pthread_join(x->server, NULL);
}

/* Talkers and ports keep ledgers (ports for three rows only); history keeps none. */
static int
setup(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));
	struct engine_config c = {
		.workers = 1, .max_entries = 1000, .max_exporters = 8
	};
	struct problems ps = { 0 };
	struct err e = ERR_INIT;

	x->now = T0;
	clock_set(x->now);
	x->en = engine_new(&c, &e);
	assert_non_null(x->en);
	x->talkers.aggregate = "src_host,proto,flows";
	x->ports.aggregate = "dst_port";
	x->ports.max_entries = 3;
	x->history.aggregate = "dst_host";
	x->history.refresh = 60;
	x->print.file = "/dev/null";
	x->print.separator = ",";
	assert_int_equal(engine_output(x->en, &memory_output, "talkers", &x->talkers,
	                     &x->rules, NULL, &e), 0);
	assert_int_equal(engine_output(x->en, &memory_output, "ports", &x->ports,
			     &x->rules, NULL, &e),
	    0);
	assert_int_equal(engine_output(x->en, &print_output, "history", &x->history,
	                     &x->rules, &x->print, &e), 0);
	assert_int_equal(engine_prepare(x->en, &ps, &e), 0);
	for (unsigned i = 0; i < x->en->n_outputs; i++)
		if (x->en->outputs[i]->ops == &memory_output)
			assert_int_equal(memory_output.open(x->en->outputs[i], &e), 0);
	client_connect(x);
	*state = x;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *x = *state;

	client_leave(x);
	engine_free(x->en);
	clock_set(0);
	free(x);
	return 0;
}

/* One packet of `octets` from 192.0.2.`host`. */
static void
feed(struct fixture *x, uint8_t host, uint64_t octets)
{
	struct pipeline *p = &x->en->workers[0].pipeline;
	struct flow *f = pipeline_slot(p);

	f->src_host = ip_from_v4((const uint8_t[]){ 192, 0, 2, host });
	f->dst_port = host;
	f->proto = 6;
	f->packets = 1;
	f->flows = 1;
	f->bytes = octets;
	f->stamp = x->now;
	pipeline_commit(p);
	stat_add(&p->stats, STAT_FRAMES, 1);
	stat_add(&p->stats, STAT_FRAMES_FED, 1);
}

/* A second goes by, and the publisher does its round. */
static void
pass(struct fixture *x)
{
	x->now += CLOCK_S;
	clock_set(x->now);
	publisher_round(x->en->publisher, x->now, false);
}

static json_t *
line_read(struct fixture *x)
{
	char *line = NULL;
	size_t room = 0;
	json_error_t e;
	json_t *v;

	if (getline(&line, &room, x->in) <= 0) {
		free(line);
		return NULL;
	}
	v = json_loads(line, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
	if (v == NULL)
		fail_msg("%s: %s", e.text, line);
	free(line);
	return v;
}

static void
send_text(struct fixture *x, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = send(x->fd, text, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

struct answer {
	json_t *head, *rows; /* rows: an array */
};

static struct answer
ask(struct fixture *x, const char *request)
{
	struct answer a = { NULL, json_array() };

	send_text(x, request, strlen(request));
	send_text(x, "\n", 1);
	a.head = line_read(x);
	assert_non_null(a.head);
	if (!json_is_true(json_object_get(a.head, "ok")))
		return a;
	for (;;) {
		json_t *row = line_read(x);

		assert_non_null(row);
		if (json_object_get(row, "end") != NULL) {
			assert_int_equal(
			    json_integer_value(json_object_get(row, "rows")),
			    json_array_size(a.rows));
			json_decref(row);
			return a;
		}
		json_array_append_new(a.rows, row);
	}
}

static void
answer_free(struct answer *a)
{
	json_decref(a->head);
	json_decref(a->rows);
}

/* Member `path` ("total.bytes") of `v` as a number. */
static long long
number(const json_t *v, const char *path)
{
	char word[64];
	const char *dot;

	while ((dot = strchr(path, '.')) != NULL) {
		snprintf(word, sizeof(word), "%.*s", (int)(dot - path), path);
		v = json_object_get(v, word);
		path = dot + 1;
	}
	v = json_object_get(v, path);
	assert_true(json_is_integer(v));
	return json_integer_value(v);
}

static const char *
text(const json_t *v, const char *name)
{
	assert_true(json_is_string(json_object_get(v, name)));
	return json_string_value(json_object_get(v, name));
}

/* Row `i` is of 192.0.2.`host` with `octets`. */
static void
assert_row(const struct answer *a, size_t i, int host, long long octets)
{
	const json_t *row = json_array_get(a->rows, i);
	char address[32];

	snprintf(address, sizeof(address), "192.0.2.%d", host);
	assert_string_equal(text(row, "ip_src"), address);
	assert_int_equal(number(row, "bytes"), octets);
}

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* What a client asks of `talkers`, and the lines of the answer, joined by '|'. */
static const struct {
	const char *says, *request, *want;
	bool refused; /* with `want` in the error */
} tables[] = {
	{ "CSV, in the order of coming", "'form': 'csv'",
	    "192.0.2.1,tcp,2,2,150|192.0.2.2,tcp,1,1,300|192.0.2.3,tcp,1,1,200", false },
	{ "JSON", "'form': 'json', 'top': 1",
	    "{'ip_src': '192.0.2.1', 'ip_proto': 'tcp', 'packets': 2, 'flows': 2, 'bytes': 150}", false },
	{ "events have no counters", "'form': 'event_csv', 'num_protos': true",
	    "192.0.2.1,6|192.0.2.2,6|192.0.2.3,6", false },
	{ "another separator", "'form': 'csv', 'separator': '\\\\t', 'top': 1",
	    "192.0.2.1\ttcp\t2\t2\t150", false },
	{ "the largest first", "'form': 'csv', 'sort': 'bytes', 'top': 2",
	    "192.0.2.2,tcp,1,1,300|192.0.2.3,tcp,1,1,200", false },
	{ "those of two lists, by list",
	    "'form': 'event_csv', 'fields': 'src_host', 'match': ['192.0.2.3', '192.0.2.1,x']",
	    "192.0.2.3,tcp|192.0.2.1,tcp", false },
	{ "who fits two lists is there twice",
	    "'form': 'event_csv', 'fields': 'proto,src_host', 'match': ['*,192.0.2.3', 'tcp,192.0.2.3']",
	    "192.0.2.3,tcp|192.0.2.3,tcp", false },
	{ "sums of each list",
	    "'ask': 'sums', 'fields': 'src_host', 'match': ['*', '192.0.2.2', '192.0.2.9']",
	    "{'packets': 4, 'bytes': 650, 'flows': 4, 'entries': 3}|"
	    "{'packets': 1, 'bytes': 300, 'flows': 1, 'entries': 1}|"
	    "{'packets': 0, 'bytes': 0, 'flows': 0, 'entries': 0}", false },
	{ "all columns: what is not counted is zero or empty",
	    "'form': 'csv', 'all': true, 'epoch': true, 'top': 1, 'sort': 'bytes'",
	    "0,0,unknown,,0,0,00:00:00:00:00:00,00:00:00:00:00:00,0,0,0,0,0,,,,,0,0,0,0,u,u,0,0,"
	    ",,0:0:0,0,192.0.2.2,,,,0,0,0,0,0,tcp,0,,,,,0.000000,0.000000,0.000000,0.000000,0,,"
	    ",,0,0,0,0,0,0,00:00:00:00:00:00,00:00:00:00:00:00,,,0,0,0,0,0,"
	    "0.000000,0.000000,0.000000,0.000000,0,0,0,1,1,300", false },
	{ "JSON has but its own", "'form': 'json', 'all': true, 'top': 1, 'sort': 'bytes'",
	    "{'ip_src': '192.0.2.2', 'ip_proto': 'tcp', 'packets': 1, 'flows': 1, 'bytes': 300}",
	    false },
	{ "no form", "'form': 'avro'", "there is no such form", true },
	{ "no question", "'ask': 'all'", "none of rows", true },
	{ "no order", "'sort': 'size'", "none of bytes", true },
	{ "no number", "'top': -1", "no number of rows", true },
	{ "no separator", "'form': 'csv', 'separator': 'ab'", "one character", true },
	{ "sums of nothing", "'ask': 'sums'", "what to match?", true },
	{ "nothing to match", "'fields': 'proto'", "what to match?", true },
	{ "no list at all", "'fields': 'proto', 'match': []", "", false },
	{ "sums of no list", "'ask': 'sums', 'fields': 'proto', 'match': []", "", false },
	{ "matches that are none", "'fields': 'proto', 'match': [6]", "no list of values", true },
	{ "a value that is none", "'fields': 'proto', 'match': ['x']", "proto: 'x'", true },
	{ "all is cleared, not reset", "'reset': true", "what is to be reset?", true },
	{ "no such table", "'view': 'history'", "there are: talkers, ports", true },
};

/* The answer's rows, or the error, with ' for \". */
static void
table_ask(struct fixture *x, const char *members, char *to, size_t room)
{
	char request[512];
	struct answer a;
	const json_t *row;
	size_t i, len = 0;

	snprintf(request, sizeof(request), "{'cmd': 'memory'%s, %s}",
	    strstr(members, "'view'") != NULL ? "" : ", 'view': 'talkers'", members);
	for (char *p = request; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	a = ask(x, request);
	to[0] = '\0';
	if (json_array_size(a.rows) == 0 && json_object_get(a.head, "error") != NULL)
		snprintf(to, room, "%s", text(a.head, "error"));
	json_array_foreach(a.rows, i, row) {
		char *dump = json_is_string(row) ? strdup(json_string_value(row))
		    : json_dumps(row, JSON_PRESERVE_ORDER);

		len += (size_t)snprintf(to + len, room - len, "%s%s", i > 0 ? "|" : "", dump);
		free(dump);
	}
	for (char *p = to; *p != '\0'; p++)
		if (*p == '"')
			*p = '\'';
	answer_free(&a);
}

static void
test_memory(void **state)
{
	struct fixture *x = *state;
	char got[2048];

	feed(x, 1, 100);
	feed(x, 2, 300);
	feed(x, 3, 200);
	feed(x, 1, 50);
	pass(x);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		table_ask(x, tables[i].request, got, sizeof(got));
		if (tables[i].refused ? strstr(got, tables[i].want) == NULL
		                      : strcmp(got, tables[i].want) != 0)
			fail_msg("%s: %s", tables[i].says, got);
	}
}

/*
 * Lists pick rows as often as they fit, but there is a bound to it: it is told, and nothing is
 * reset or cleared of what was not shown. Where it might be reached nothing is cleared.
 */
static void
test_memory_bound(void **state)
{
	static const char head[] = "{\"cmd\": \"memory\", \"view\": \"talkers\", \"form\": \"csv\", "
	    "\"fields\": \"proto\", \"%s\": true, \"top\": 1, \"match\": [\"*\"";
	static const struct {
		const char *what;
		unsigned lists;
		bool refused;
		size_t left;
	} cases[] = {
		{ "reset", 4096, true, 30 }, { "clear", 4096, true, 30 },
		{ "reset", 2000, false, 29 }, { "clear", 2000, false, 0 } };
	struct fixture *x = *state;

	for (uint8_t i = 1; i <= 30; i++)
		feed(x, i, 100);
	pass(x);
	for (size_t i = 0; i < 4; i++) { /* 4 times 30 rows and 65 536 is the bound */
		char *request = malloc(sizeof(head) + 4 * cases[i].lists + 16);
		size_t len = (size_t)sprintf(request, head, cases[i].what);
		struct answer a;

		for (unsigned k = 1; k < cases[i].lists; k++, len += 4)
			memcpy(request + len, ",\"*\"", 4);
		memcpy(request + len, "]}", 3);
		a = ask(x, request);
		if (cases[i].refused)
			assert_non_null(strstr(text(a.head, "error"), "ask for fewer at a time"));
		else
			assert_int_equal(json_array_size(a.rows), 1);
		answer_free(&a);
		free(request);
		a = ask(x, "{\"cmd\": \"memory\", \"view\": \"talkers\", \"form\": \"csv\"}");
		assert_int_equal(json_array_size(a.rows), cases[i].left);
		answer_free(&a);
	}
}

static void
fields_said(char *names, char *list, size_t room, unsigned said)
{
	static const char *const unset[] = { "src_port", "tos", "vlan", "src_as", "dst_as",
		"src_mask", "dst_mask", "tag", "tag2" };
	size_t at = 0, len = 0;

	for (unsigned k = 0; k < sizeof(unset) / sizeof(unset[0]); k++) {
		at += (size_t)snprintf(names + at, room - at, "%s%s", k > 0 ? "," : "", unset[k]);
		len += (size_t)snprintf(list + len, room - len, "%s%s", k > 0 ? "," : "",
		    (said >> k & 1) != 0 ? "0" : "*");
	}
}

/*
 * Of 200 rows that 512 lists fit, each by wildcards of its own, more are picked than may be; but
 * before that it is seen that the client has gone, or that weir ends.
 */
static void
test_memory_abandoned(void **state)
{
	struct fixture *x = *state;
	struct output *o = x->en->outputs[0];
	struct catch_taken taken = { 0 };
	struct catch_wish w = { .take = true };
	struct err e = ERR_INIT;
	struct query_match *m;
	char names[128], list[128];
	int fds[2];

	for (uint8_t i = 1; i <= 200; i++)
		feed(x, i, 100);
	pass(x);
	fields_said(names, list, sizeof(names), 0);
	m = query_match_new(names, &e);
	assert_non_null(m);
	for (unsigned said = 0; said < 512; said++) {
		fields_said(names, list, sizeof(names), said);
		assert_int_equal(query_match_add(m, list, &e), 0);
	}
	assert_int_equal(query_match_index(m), 0);
	w.match = m;
	for (int ends = 0; ends < 3; ends++) {
		struct catch c = { 0 };
		struct reply r;

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		reply_init(&r, fds[0]);
		if (ends == 1)
			close(fds[1]);
		else if (ends == 2)
			(void)shutdown(fds[0], SHUT_RDWR);
		else
			(void)shutdown(fds[1], SHUT_WR); /* it has no more to ask, but waits */
		assert_int_equal(catch_rows(&c, &w, o->priv, o->view->ledger, &r, &taken),
		    ends > 0 ? -WEIR_EIO : -WEIR_EFULL);
		assert_null(taken.memory);
		catch_fini(&c);
		reply_fini(&r);
		close(fds[0]);
		if (ends != 1)
			close(fds[1]);
	}
	query_match_free(m);
}

/*
 * Two copy the table before either takes: the second is shown what the first left of it, and what
 * either puts back is there again.
 */
static void
test_memory_taken_by_two(void **state)
{
	struct fixture *x = *state;
	struct output *o = x->en->outputs[0];
	struct memory *m = o->priv;
	struct sums old = { 1, 100, 1 }, now = { 3, 250, 2 }, got;

	got = memory_take(m, 5, &now);
	assert_true(sums_equal(&got, &now));
	got = memory_take(m, 5, &old); /* copied earlier */
	assert_true(sums_equal(&got, &(struct sums){ 0 }));
	now.packets = 10;
	got = memory_take(m, 5, &now);
	assert_true(sums_equal(&got, &(struct sums){ 7, 0, 0 }));
	memory_put_back(m, 5, &(struct sums){ 3, 250, 2 });
	got = memory_take(m, 5, &now);
	assert_true(sums_equal(&got, &(struct sums){ 3, 250, 2 }));
}

/* What a client has taken and not got, to be put back when weir looks at another client. */
static struct catch_taken *put_back;

int
poll(struct pollfd *p, nfds_t n, int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	if (put_back != NULL)
		catch_settle(put_back, false);
	put_back = NULL;
	return ppoll(p, n, ms >= 0 ? &t : NULL, NULL);
}

/*
 * One clears a table of which another has taken all, who has it put back then: it is not cleared
 * along, as nobody has been shown it.
 */
static void
test_memory_put_back_meanwhile(void **state)
{
	struct catch_wish reset = { .take = true };
	struct catch_wish clear = { .take = true, .clear = true };
	struct catch_taken one = { 0 }, other = { 0 };
	struct catch c = { 0 }, c2 = { 0 };
	struct fixture *x = *state;
	struct output *o = x->en->outputs[0];
	struct ledger *l = o->view->ledger;
	struct reply r;
	char got[256];
	int fds[2];

	feed(x, 1, 100);
	pass(x);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	reply_init(&r, fds[0]);
	assert_int_equal(catch_rows(&c, &reset, o->priv, l, &r, &one), 0);
	assert_int_equal(c.n_hits, 1);
	put_back = &one;
	assert_int_equal(catch_rows(&c2, &clear, o->priv, l, &r, &other), 0);
	assert_null(put_back);
	assert_int_equal(c2.n_hits, 0);
	catch_settle(&other, true);
	table_ask(x, "'form': 'csv'", got, sizeof(got));
	assert_string_equal(got, "192.0.2.1,tcp,1,1,100");
	catch_fini(&c);
	catch_fini(&c2);
	reply_fini(&r);
	close(fds[0]);
	close(fds[1]);
}

/* What is reset or cleared is not shown again; the running totals go on. */
static void
test_memory_reset(void **state)
{
	static const char *const all = "'form': 'csv'";
	struct fixture *x = *state;
	char got[1024];
	struct answer a;

	feed(x, 1, 100);
	feed(x, 2, 300);
	pass(x);
	table_ask(x, "'form': 'csv', 'reset': true, 'fields': 'src_host', "
	             "'match': ['192.0.2.1', '*,x']", got, sizeof(got));
	assert_string_equal(got,
	    "192.0.2.1,tcp,1,1,100|192.0.2.1,tcp,1,1,100|192.0.2.2,tcp,1,1,300");
	table_ask(x, all, got, sizeof(got));
	assert_string_equal(got, "");
	feed(x, 1, 11);
	feed(x, 3, 33);
	pass(x);
	table_ask(x, all, got, sizeof(got));
	assert_string_equal(got, "192.0.2.1,tcp,1,1,11|192.0.2.3,tcp,1,1,33");
	a = ask(x, "{\"cmd\": \"view\", \"view\": \"talkers\"}");
	assert_row(&a, 0, 1, 111);
	answer_free(&a);

	a = ask(x, "{\"cmd\": \"memory\", \"view\": \"talkers\", \"ask\": \"status\"}");
	assert_int_equal(number(a.head, "entries"), 2);
	assert_null(json_object_get(a.head, "cleared_s"));
	answer_free(&a);
	table_ask(x, "'ask': 'clear'", got, sizeof(got));
	x->now += 7 * CLOCK_S;
	clock_set(x->now);
	a = ask(x, "{\"cmd\": \"memory\", \"view\": \"talkers\", \"ask\": \"status\"}");
	assert_int_equal(number(a.head, "entries"), 0);
	assert_int_equal(number(a.head, "cleared_s"), 7);
	answer_free(&a);
	feed(x, 1, 5);
	pass(x);
	table_ask(x, all, got, sizeof(got));
	assert_string_equal(got, "192.0.2.1,tcp,1,1,5");
}

/*
 * A client that does not confirm what it resets and then says nothing more until weir hangs up:
 * it has what it has read, and all else is put back.
 */
static void
test_memory_reset_by_the_quiet(void **state)
{
	static const char reset[] = "{\"cmd\": \"memory\", \"view\": \"talkers\", \"form\": \"csv\", "
	    "\"fields\": \"proto\", \"match\": [\"*\"], \"reset\": true}";
	static const struct { bool reads; struct timeval patience; const char *left; } cases[] = {
		{ false, { 0, 50000 }, "192.0.2.1,tcp,1,1,100" },
		{ true, { 2, 0 }, "" },
	};
	struct fixture *x = *state;
	char got[256];

	feed(x, 1, 100);
	pass(x);
	for (size_t i = 0; i < 2; i++) {
		struct answer a;

		assert_int_equal(setsockopt(x->server_fd, SOL_SOCKET, SO_RCVTIMEO,
		    &cases[i].patience, sizeof(cases[i].patience)), 0);
		if (cases[i].reads) {
			a = ask(x, reset);
			assert_int_equal(json_array_size(a.rows), 1);
			answer_free(&a);
		} else {
			send_text(x, reset, sizeof(reset) - 1);
			send_text(x, "\n", 1);
		}
		pthread_join(x->server, NULL); /* it has hung up */
		close(x->fd);
		fclose(x->in);
		client_connect(x);
		table_ask(x, "'form': 'csv'", got, sizeof(got));
		assert_string_equal(got, cases[i].left);
	}
}

/*
 * A table that is cleared behind what is shown: whoever does not confirm clears nothing; of what
 * is confirmed the rows go, but not those of which more has come.
 */
static void
test_memory_cleared_when_shown(void **state)
{
	static const char clear[] = "{\"cmd\": \"memory\", \"view\": \"talkers\", \"form\": \"csv\", "
	    "\"top\": 1, \"sort\": \"bytes\", \"clear\": true, \"confirm\": true}";
	struct fixture *x = *state;
	char got[1024];
	struct answer a;

	for (int confirms = 0; confirms < 2; confirms++) {
		for (uint8_t i = 1; i <= 3; i++)
			feed(x, i, i);
		pass(x);
		a = ask(x, clear);
		assert_int_equal(json_array_size(a.rows), 1);
		answer_free(&a);
		feed(x, 2, 70);
		pass(x);
		table_ask(x, confirms ? "'ask': 'confirm'" : "'ask': 'status'", got, sizeof(got));
		table_ask(x, "'form': 'csv'", got, sizeof(got));
		assert_string_equal(got, confirms ? "192.0.2.2,tcp,1,1,70"
		    : "192.0.2.1,tcp,1,1,1|192.0.2.2,tcp,2,2,72|192.0.2.3,tcp,1,1,3");
		a = ask(x, "{\"cmd\": \"view\", \"view\": \"talkers\"}");
		assert_int_equal(number(a.head, "rows"), confirms ? 1 : 3);
		answer_free(&a);
	}
	a = ask(x, "{\"cmd\": \"memory\", \"view\": \"talkers\", \"ask\": \"status\"}");
	assert_int_equal(number(a.head, "cleared_s"), 0);
	answer_free(&a);
	feed(x, 3, 9); /* which has another number now */
	feed(x, 2, 5);
	pass(x);
	table_ask(x, "'form': 'csv', 'reset': true, 'fields': 'src_host', 'match': ['192.0.2.2']",
	    got, sizeof(got));
	assert_string_equal(got, "192.0.2.2,tcp,2,2,75");
	table_ask(x, "'form': 'csv'", got, sizeof(got));
	assert_string_equal(got, "192.0.2.3,tcp,1,1,9");
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
		TEST(test_memory),
		TEST(test_memory_bound),
		TEST(test_memory_abandoned),
		TEST(test_memory_put_back_meanwhile),
		TEST(test_memory_taken_by_two),
		TEST(test_memory_reset),
		TEST(test_memory_reset_by_the_quiet),
		TEST(test_memory_cleared_when_shown),
		TEST(test_refused),
		TEST(test_line_without_end),
		TEST(test_requests_in_pieces_and_in_bulk),
		TEST(test_client_that_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
