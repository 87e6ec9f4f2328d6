/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/query.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <jansson.h>
#include <linux/sockios.h>

#include "report/query_config.h"
#include "report/query_memory.h"
#include "report/query_table.h"
#include "report/query_view.h"
#include "report/reply.h"

#define DEPTH_MAX 8 /* a request is a flat object; the parser recurses on our stack */

#define COMMANDS                                                                  \
	"view, memory, views, exporters, interfaces, collectors, outputs, targets, rules, " \
	"watches, thresholds, alarms, stats, books, classes, config, reload"

struct connection {
	struct engine *engine;
	const char *table; /* the memory table whose socket this is; NULL: all are asked here */
	int fd;
	struct reply reply;
	struct query_marks marks;
	struct catch_taken taken; /* by the last request */
	size_t len;
	char line[QUERY_LINE_MAX];
};

/* Whether objects and arrays lie deeper within each other than a request can mean. */
static bool
is_too_deep(const char *line, size_t len)
{
	bool quoted = false;
	int depth = 0;

	for (size_t i = 0; i < len; i++) {
		char c = line[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '{' || c == '['))
			depth++;
		else if (!quoted && (c == '}' || c == ']'))
			depth--;
		if (depth > DEPTH_MAX)
			return true;
	}
	return false;
}

static void __attribute__((format(printf, 2, 3)))
answer_error(struct connection *c, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	reply_error(&c->reply, text);
}

/* Fill `sort` from the request. Returns whether it can be meant. */
static bool
sort_get(struct connection *c, const json_t *request, enum query_sort *sort)
{
	static const char *const names[] = { [SORT_BYTES] = "bytes",
		[SORT_PACKETS] = "packets", [SORT_FLOWS] = "flows" };
	const json_t *v = json_object_get(request, "sort");

	if (v == NULL)
		return true;
	for (size_t i = 0; json_is_string(v) && i < sizeof(names) / sizeof(names[0]);
	     i++)
		if (strcmp(json_string_value(v), names[i]) == 0) {
			*sort = (enum query_sort)i;
			return true;
		}
	answer_error(c, "\"sort\" is none of \"bytes\", \"packets\", \"flows\"");
	return false;
}

static void
view_answer(struct connection *c, const json_t *request)
{
	const json_t *name = json_object_get(request, "view");
	const json_t *top = json_object_get(request, "top");
	const json_t *least = json_object_get(request, "least");
	struct query_view q = { .sort = SORT_NONE };

	if (!json_is_string(name)) {
		answer_error(
		    c, "\"view\" is missing: the name of a view, as in \"views\"");
		return;
	}
	if (top != NULL && (!json_is_integer(top) || json_integer_value(top) < 0 ||
	                       json_integer_value(top) > UINT32_MAX)) {
		answer_error(c, "\"top\" is no number of rows");
		return;
	}
	if (least != NULL && (!json_is_integer(least) || json_integer_value(least) < 0)) {
		answer_error(c, "\"least\" is no number of ns");
		return;
	}
	q.name = json_string_value(name);
	q.least = (uint64_t)json_integer_value(least);
	q.top = (uint32_t)json_integer_value(top);
	q.delta = json_is_true(json_object_get(request, "delta"));
	if (q.top != 0 || q.delta)
		q.sort = SORT_BYTES;
	if (sort_get(c, request, &q.sort))
		query_view(c->engine, &q, &c->marks, &c->reply);
}

/* Files are read by the main thread; we wait for it. */
static void
reload_answer(struct connection *c)
{
	static const struct reply_column columns[] = {
		{ "level", "level", "LEVEL", "str" },
		{ "text", "text", "TEXT", "str" },
	};
	static const char *const levels[] = { [PROBLEM_NOTICE] = "notice",
		[PROBLEM_WARNING] = "warning", [PROBLEM_ERROR] = "error" };
	struct engine *en = c->engine;
	struct problems ps = { 0 };

	if (en->reload == NULL || en->reload(en->reload_arg, &ps) != 0) {
		answer_error(c, "files cannot be read anew now");
	} else {
		reply_start(&c->reply, "reload");
		reply_columns(&c->reply, columns, sizeof(columns) / sizeof(columns[0]));
		for (size_t i = 0; i < ps.n; i++) {
			reply_row_start(&c->reply);
			reply_text(&c->reply, "level", levels[ps.list[i].level]);
			reply_text(&c->reply, "text", ps.list[i].text);
			reply_row_end(&c->reply);
		}
		reply_end(&c->reply);
	}
	problems_free(&ps);
}

static void
request_answer(struct connection *c, const json_t *request)
{
	const json_t *cmd = json_object_get(request, "cmd");

	reply_taken(&c->reply);
	query_memory_settle(request, &c->taken);
	publisher_refresh(c->engine->publisher);
	if (!json_is_string(cmd))
		answer_error(c, "\"cmd\" is missing: one of " COMMANDS);
	else if (strcmp(json_string_value(cmd), "view") == 0)
		view_answer(c, request);
	else if (strcmp(json_string_value(cmd), "memory") == 0)
		query_memory(c->engine, request, c->table, &c->reply, &c->taken);
	else if (strcmp(json_string_value(cmd), "config") == 0)
		query_config(c->engine, json_is_true(json_object_get(request, "all")),
		    &c->reply);
	else if (strcmp(json_string_value(cmd), "reload") == 0)
		reload_answer(c);
	else if (!query_table(c->engine, json_string_value(cmd), &c->reply))
		answer_error(c, "no command '%.64s'; there are: " COMMANDS,
		    json_string_value(cmd));
}

static void
line_answer(struct connection *c, const char *line, size_t len)
{
	json_error_t fault;
	json_t *request;

	if (is_too_deep(line, len)) {
		answer_error(c, "a request is a flat object");
		return;
	}
	request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &fault);
	if (request == NULL)
		answer_error(
		    c, "not JSON, column %d: %.160s", fault.column, fault.text);
	else if (!json_is_object(request))
		answer_error(c, "a request is an object, as {\"cmd\": \"views\"}");
	else
		request_answer(c, request);
	json_decref(request);
}

/* Answer the whole lines that have come and move what is left to the front. */
static void
lines_answer(struct connection *c)
{
	char *from = c->line, *end = c->line + c->len, *nl;

	while (!c->reply.broken &&
	       (nl = memchr(from, '\n', (size_t)(end - from))) != NULL) {
		line_answer(c, from, (size_t)(nl - from));
		from = nl + 1;
	}
	c->len = (size_t)(end - from);
	memmove(c->line, from, c->len);
}

/*
 * Whether the client has read all that it was sent, now that recv said `n`: one that closes its
 * end with something unread there breaks the connection (unix(7)).
 */
static bool
has_read_all(int fd, ssize_t n)
{
	int unread = 0;

	return n >= 0 || (errno == EAGAIN && ioctl(fd, SIOCOUTQ, &unread) == 0 && unread == 0);
}

void
query_serve(struct engine *en, const char *table, int fd)
{
	struct connection *c = calloc(1, sizeof(*c));
	ssize_t n = 0;

	if (c == NULL)
		return;
	c->engine = en;
	c->table = table;
	c->fd = fd;
	reply_init(&c->reply, fd);
	while (!c->reply.broken) {
		n = recv(fd, c->line + c->len, sizeof(c->line) - c->len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) /* gone, or quiet for longer than the caller allows */
			break;
		c->len += (size_t)n;
		lines_answer(c);
		if (c->len == sizeof(c->line)) {
			answer_error(c, "a request is one line of fewer than %u octets",
			    QUERY_LINE_MAX);
			break;
		}
	}
	catch_settle(&c->taken, !c->taken.by_word && !c->reply.broken && has_read_all(fd, n));
	query_marks_fini(&c->marks);
	reply_fini(&c->reply);
	free(c);
}
