/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * alarms_scene: an engine without threads, with a view `talkers` by source and port, a watch
 * `web` on port 443, and thresholds; and a folder for files, which are gone when the program
 * ends. What cannot be fails the test.
 */
#ifndef WEIR_TESTS_CORE_ALARMS_SCENE_H
#define WEIR_TESTS_CORE_ALARMS_SCENE_H

#include <stdint.h>

#include "core/alarms.h"
#include "lib/log.h"
#include "tests/core/fake.h"

struct scene {
	struct engine *engine;
	struct fake_out out[2];
	struct alarm_config config;
	struct watch_config watch;
	struct problems problems;
	uint64_t now, cursor;
};


extern char scene_dir[];
extern const struct log_config scene_quiet; /* nothing is logged: so it is at first */

/* Make the folder and remove it: of the group of tests. */
int scene_setup(void **state);
int scene_teardown(void **state);

/* The path of `name` in the folder; it stays, for configurations point to it. */
const char *in_dir(const char *name);
void file_write(const char *path, const char *text);

/* Begin with room for so many rows; s->config may be changed before scene_alarms. */
void scene_begin(struct scene *s, uint32_t rows);
int scene_alarms(struct scene *s);
void scene_end(struct scene *s);

void scene_send(struct scene *s, uint32_t no, uint16_t port, uint64_t octets);

/* So much time passes; the first window of a threshold, which begins when it is put, 11 s. */
void scene_round(struct scene *s, uint64_t seconds);

/* What crossed since the last time: "+NAME(LABEL)" or "-NAME(LABEL)" each. */
const char *scene_events(struct scene *s);

/* A threshold with a window of 10 s. */
struct threshold_config threshold(const char *name, enum threshold_scope scope,
    enum threshold_metric metric, const char *subject, uint32_t rising, uint32_t falling);
void put(struct scene *s, const struct threshold_config *c);

/* How the threshold called `name` stands. */
struct threshold_row row_of(const struct scene *s, const char *name);

#endif
