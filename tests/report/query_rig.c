/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/report/query_rig.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/stats.h"
#include "lib/clock.h"
#include "report/memory.h"
#include "report/query.h"

static void *
server_main(void *arg)
{
	struct fixture *x = arg;

	query_serve(x->en, NULL, x->server_fd);
	close(x->server_fd);
	return NULL;
}

void
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

void
client_leave(struct fixture *x)
{
	(void)shutdown(x->fd, SHUT_RDWR);
	close(x->fd);
	fclose(x->in);
	pthread_join(x->server, NULL);
}

int
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

int
teardown(void **state)
{
	struct fixture *x = *state;

	client_leave(x);
	engine_free(x->en);
	clock_set(0);
	free(x);
	return 0;
}

void
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

void
pass(struct fixture *x)
{
	x->now += CLOCK_S;
	clock_set(x->now);
	publisher_round(x->en->publisher, x->now, false);
}

json_t *
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

void
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

struct answer
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

void
answer_free(struct answer *a)
{
	json_decref(a->head);
	json_decref(a->rows);
}

long long
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

const char *
text(const json_t *v, const char *name)
{
	assert_true(json_is_string(json_object_get(v, name)));
	return json_string_value(json_object_get(v, name));
}

void
assert_row(const struct answer *a, size_t i, int host, long long octets)
{
	const json_t *row = json_array_get(a->rows, i);
	char address[32];

	snprintf(address, sizeof(address), "192.0.2.%d", host);
	assert_string_equal(text(row, "ip_src"), address);
	assert_int_equal(number(row, "bytes"), octets);
}


