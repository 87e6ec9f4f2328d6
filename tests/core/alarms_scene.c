/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/core/alarms_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "tests/core/alarms_one.h"

const struct log_config scene_quiet = { .file = "/dev/null" };
char scene_dir[] = "/tmp/weir-alarms-XXXXXX";

const char *
in_dir(const char *name)
{
	static char paths[8][128];
	char path[sizeof(paths[0])];
	unsigned i = 0;

	snprintf(path, sizeof(path), "%s/%s", scene_dir, name);
	while (i < 8 && paths[i][0] != '\0' && strcmp(paths[i], path) != 0)
		i++;
	assert_true(i < 8);
	if (paths[i][0] == '\0')
		memcpy(paths[i], path, sizeof(path));
	return paths[i];
}

void
file_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

void
scene_begin(struct scene *s, uint32_t rows)
{
	static const struct output_config common = { .aggregate = "src_host,dst_port" };

	memset(s, 0, sizeof(*s));
	s->engine = fake_engine(1, rows);
	fake_output_add(s->engine, &fake_ledger, "talkers", &common, &s->out[0]);
	fake_prepare(s->engine);
	s->now = clock_real();
	s->config.exec_rate = 60;
	file_write(in_dir("watch.map"), "name=web view=talkers dst_port=443\n");
	s->watch.map = in_dir("watch.map");
	assert_int_equal(
	    watches_new(s->engine, &s->watch, &s->engine->watches, &s->problems, NULL), 0);
}

int
scene_alarms(struct scene *s)
{
	struct err e = ERR_INIT;

	return alarms_new(s->engine, &s->config, &s->engine->alarms, &s->problems, &e);
}

void
scene_end(struct scene *s)
{
	engine_free(s->engine);
	problems_free(&s->problems);
}

void
scene_send(struct scene *s, uint32_t no, uint16_t port, uint64_t octets)
{
	fake_send(s->engine, 0, no, port, octets);
}

void
scene_round(struct scene *s, uint64_t seconds)
{
	s->now += seconds * CLOCK_S;
	publisher_round(s->engine->publisher, s->now, false);
}

const char *
scene_events(struct scene *s)
{
	static char text[1024];
	struct alarm_event e;
	uint64_t missed = 0;
	size_t len = 0;

	text[0] = '\0';
	while (alarms_read(s->engine->alarms, &s->cursor, &e, 1, &missed) == 1)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%c%s(%s)",
		    e.raised ? '+' : '-', e.name, e.label);
	assert_int_equal(missed, 0);
	return text;
}

struct threshold_config
threshold(const char *name, enum threshold_scope scope, enum threshold_metric metric,
    const char *subject, uint32_t rising, uint32_t falling)
{
	struct threshold_config c;

	threshold_defaults(&c);
	snprintf(c.name, sizeof(c.name), "%s", name);
	snprintf(c.subject, sizeof(c.subject), "%s", subject);
	c.scope = scope;
	c.metric = metric;
	c.rising = rising;
	c.falling = falling;
	c.window = 10;
	return c;
}

void
put(struct scene *s, const struct threshold_config *c)
{
	struct err e = ERR_INIT;

	if (alarms_put(s->engine->alarms, c, &e) != 0)
		fail_msg("%s", e.text);
}

struct threshold_row
row_of(const struct scene *s, const char *name)
{
	uint32_t n;
	struct threshold_row *list = alarms_thresholds(s->engine->alarms, &n), row = { 0 };

	for (uint32_t i = 0; i < n; i++)
		if (strcmp(list[i].config.name, name) == 0)
			row = list[i];
	free(list);
	return row;
}

int
scene_setup(void **state)
{
	(void)state;
	return mkdtemp(scene_dir) == NULL || log_open(&scene_quiet, NULL) != 0 ? -1 : 0;
}

int
scene_teardown(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", scene_dir);
	return system(command) != 0 ? -1 : 0;
}
