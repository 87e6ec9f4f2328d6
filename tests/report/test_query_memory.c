/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory tables as pmacct's client asks for them: rows, sums, resets, and clients that go. */
#include "tests/report/query_rig.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "report/catch.h"
#include "report/memory.h"

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
		TEST(test_memory),
		TEST(test_memory_bound),
		TEST(test_memory_abandoned),
		TEST(test_memory_put_back_meanwhile),
		TEST(test_memory_taken_by_two),
		TEST(test_memory_reset),
		TEST(test_memory_reset_by_the_quiet),
		TEST(test_memory_cleared_when_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
