/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/alarms.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/alarm_act.h"
#include "core/engine.h"
#include "core/threshold_file.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/spawn.h"
#include "lib/thread.h"

#define ACT_BATCH 32U
#define SAVE_AGAIN (30 * CLOCK_S) /* after it failed */

#define AT(member) offsetof(struct alarm_config, member)
static const struct directive alarm_rows[] = {
	{ .name = "threshold_map", .type = DIRECTIVE_PATH, .offset = AT(map),
	    .reload = DIRECTIVE_RELOAD,
	    .doc = "File of what to be told of, a line each: name=NAME "
	           "scope=view|entry|top|watch|exporter|output|collector subject=WHICH "
	           "metric=bytes|packets|flows|lost|rows|seconds rising=N [falling=N] "
	           "[alarm=above|below] [window=60s] [hold=0] [startup=rising|falling|either] "
	           "[notify=true|false] [exec=PATH] [service=HOST;SERVICE] and, for entries, "
	           "conditions primitive=VALUE. Read anew on SIGHUP and SIGUSR2." },
	{ .name = "alarm_exec", .type = DIRECTIVE_PATH, .offset = AT(exec),
	    .doc = "Program to start for every alarm that is raised or cleared, of thresholds "
	           "that name none of their own. It has no arguments; what happened is in its "
	           "environment, in WEIR_..." },
	{ .name = "alarm_exec_rate", .type = DIRECTIVE_U32, .offset = AT(exec_rate), .min = 1,
	    .max = 100000, .def = "60", .unit = "per minute",
	    .doc = "How many programs are started for alarms in a minute; others are left out "
	           "and counted." },
	{ .name = "alarm_command_file", .type = DIRECTIVE_PATH, .offset = AT(command_file),
	    .doc = "Command file of Nagios or Icinga, to which results are written for "
	           "thresholds that name a service." },
	{ .name = NULL },
};
#undef AT

const struct directive_set alarm_directives = {
	"alarm", alarm_rows, sizeof(struct alarm_config)
};

struct alarms {
	struct engine *engine;
	const struct alarm_config *config;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct thresholds all;
	struct alarm_ring ring;      /* has room once there was a threshold */

	char kept[PATH_MAX];         /* file of non-volatile ones; "": none */
	struct threshold_config *spare; /* those in it that there is no place for; owned */
	uint32_t n_spare;
	uint64_t save_again;         /* by the monotonic clock: not before then; 0: at once */
	struct log_limit limit;
	struct alarm_act *act;
	pthread_t thread;
	bool started, running, stop;
};

/* Events */

static void
alarms_tell(void *arg, const struct crossing_event *x)
{
	struct alarms *a = arg;

	alarm_ring_add(&a->ring, a->engine, x);
	pthread_cond_signal(&a->changed);
}

size_t
alarm_row_text(const struct alarm_row *r, char *buf, size_t room)
{
	struct alarm_event e = { .raised = true, .scope = r->scope, .metric = r->metric,
		.value = r->value, .limit = r->limit };

	memcpy(e.subject, r->subject, sizeof(e.subject));
	memcpy(e.label, r->label, sizeof(e.label));
	return alarm_event_text(&e, buf, room);
}

unsigned
alarms_read(struct alarms *a, uint64_t *cursor, struct alarm_event *out, unsigned max,
    uint64_t *missed)
{
	unsigned n;

	if (atomic_load(&a->ring.serial) == *cursor)
		return 0;
	pthread_mutex_lock(&a->lock);
	n = alarm_ring_read(&a->ring, cursor, out, max, missed);
	pthread_mutex_unlock(&a->lock);
	return n;
}

uint64_t
alarms_serial(const struct alarms *a)
{
	return atomic_load(&a->ring.serial);
}

/* Saving and acting */

/* What shall outlive weir, to `*n`; NULL when memory is short. Under the lock. */
static struct threshold_config *
alarms_kept(const struct alarms *a, uint32_t *n)
{
	struct threshold_config *list = calloc(a->all.n + a->n_spare + 1, sizeof(*list));

	if (list == NULL)
		return NULL;
	*n = thresholds_kept(&a->all, list);
	for (uint32_t i = 0; i < a->n_spare && *n < THRESHOLDS_MAX; i++)
		if (!thresholds_get(&a->all, a->spare[i].name, NULL))
			list[(*n)++] = a->spare[i];
	return list;
}

/* Save them, if they have changed; what fails is tried again. */
static void
alarms_save(struct alarms *a)
{
	struct threshold_config *list;
	struct err e = ERR_INIT;
	uint32_t n = 0;
	int rc;

	pthread_mutex_lock(&a->lock);
	list = alarms_kept(a, &n);
	a->all.unsaved = false;
	pthread_mutex_unlock(&a->lock);
	rc = list != NULL ? 0 : err_set(&e, WEIR_ENOMEM, "no memory");
	if (rc == 0 && a->kept[0] != '\0')
		rc = threshold_file_write(a->kept, list, n, &e);
	free(list);
	a->save_again = rc != 0 ? clock_mono() + SAVE_AGAIN : 0;
	if (rc == 0)
		return;
	log_limited(&a->limit, "%s: thresholds set by SNMP would not outlive a restart; "
	    "trying again", e.text);
	pthread_mutex_lock(&a->lock);
	a->all.unsaved = true;
	pthread_mutex_unlock(&a->lock);
}

/* Act on events up to now; returns whether there were any. */
static bool
alarms_act(struct alarms *a, uint64_t *cursor)
{
	struct alarm_event events[ACT_BATCH];
	uint64_t missed = 0;
	unsigned n = alarms_read(a, cursor, events, ACT_BATCH, &missed);

	alarm_act_missed(a->act, missed);
	for (unsigned i = 0; i < n; i++)
		alarm_act(a->act, &events[i]);
	return n > 0;
}

/* Whether there is something to save now. Under the lock. */
static bool
save_is_due(const struct alarms *a)
{
	return a->all.unsaved && (a->stop || clock_mono() >= a->save_again);
}

static void *
alarms_main(void *arg)
{
	struct alarms *a = arg;
	uint64_t cursor = 0;
	bool stop = false;

	while (!stop) {
		struct timespec until;
		bool save;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec++;
		pthread_mutex_lock(&a->lock);
		if (!a->stop && !save_is_due(a) && alarms_serial(a) == cursor)
			(void)pthread_cond_timedwait(&a->changed, &a->lock, &until);
		stop = a->stop;
		save = save_is_due(a);
		pthread_mutex_unlock(&a->lock);
		if (save)
			alarms_save(a);
		while (alarms_act(a, &cursor))
			;
		alarm_act_tidy(a->act);
	}
	return NULL;
}

/* Start the thread, if it is time to and it does not run. Under the lock. */
static int
alarms_run(struct alarms *a, struct err *e)
{
	int rc;

	if (!a->started || a->running)
		return 0;
	rc = thread_start(&a->thread, "weir-alarms", alarms_main, a, e);
	a->running = rc == 0;
	return rc;
}

/* Changes */

/* Under the lock. */
static struct threshold_batch *
batch_prepare(struct alarms *a, const struct threshold_change *list, unsigned n,
    struct err *e)
{
	if (alarm_ring_make(&a->ring, e) != 0)
		return NULL;
	return thresholds_prepare(&a->all, list, n, e);
}

/* Under the lock. */
static void
batch_commit(struct alarms *a, struct threshold_batch *b)
{
	thresholds_commit(&a->all, b);
	pthread_cond_signal(&a->changed);
}

/* One change. Under the lock. */
static int
alarms_change(struct alarms *a, const struct threshold_change *change, struct err *e)
{
	struct threshold_batch *b = batch_prepare(a, change, 1, e);

	if (b == NULL)
		return -e->code;
	batch_commit(a, b);
	return 0;
}

struct threshold_batch *
alarms_prepare(struct alarms *a, const struct threshold_change *list, unsigned n,
    struct err *e)
{
	struct threshold_batch *b;

	pthread_mutex_lock(&a->lock);
	b = batch_prepare(a, list, n, e);
	/* Without its thread nothing would be kept, or acted on. */
	if (b != NULL && alarms_run(a, e) != 0) {
		thresholds_abandon(&a->all, b);
		b = NULL;
	}
	pthread_mutex_unlock(&a->lock);
	return b;
}

void
alarms_commit(struct alarms *a, struct threshold_batch *b)
{
	pthread_mutex_lock(&a->lock);
	batch_commit(a, b);
	pthread_mutex_unlock(&a->lock);
}

void
alarms_abandon(struct alarms *a, struct threshold_batch *b)
{
	pthread_mutex_lock(&a->lock);
	thresholds_abandon(&a->all, b);
	pthread_mutex_unlock(&a->lock);
}

/* The map, and what was kept */

static int
map_take(void *arg, const struct threshold_config *c, struct err *e)
{
	const struct threshold_change change = { .config = *c, .of_map = true };
	struct alarms *a = arg;

	if (thresholds_get(&a->all, c->name, NULL))
		return err_set(e, WEIR_EINVAL, "two are called '%s'", c->name);
	return alarms_change(a, &change, e);
}

int
alarms_new(struct engine *en, const struct alarm_config *c, struct alarms **out,
    struct problems *ps, struct err *e)
{
	struct alarms *a = calloc(1, sizeof(*a));
	struct err why = ERR_INIT;
	int rc = 0;

	*out = NULL;
	if (a == NULL)
		return err_set(e, WEIR_ENOMEM, "no memory for alarms");
	a->engine = en;
	a->config = c;
	a->limit = (struct log_limit)LOG_LIMIT_INIT;
	thresholds_init(&a->all, en, alarms_tell, a);
	a->act = alarm_act_new(c);
	if (a->act == NULL)
		rc = err_set(e, WEIR_ENOMEM, "no memory for alarms");
	pthread_mutex_init(&a->lock, NULL);
	thread_cond_init(&a->changed);
	if (c->exec != NULL && spawn_check(c->exec, &why) != 0)
		problem_add(ps, PROBLEM_WARNING, NULL, "alarm_exec: %s: no alarm can start it",
		    why.text);
	if (rc == 0 && c->map != NULL)
		rc = threshold_map_read(c->map, en, true, map_take, a, ps, e);
	if (rc != 0) {
		alarms_free(a);
		return rc;
	}
	*out = a;
	return 0;
}

void
alarms_free(struct alarms *a)
{
	if (a == NULL)
		return;
	thresholds_fini(&a->all);
	alarm_ring_fini(&a->ring);
	alarm_act_free(a->act);
	free(a->spare);
	pthread_mutex_destroy(&a->lock);
	pthread_cond_destroy(&a->changed);
	free(a);
}

/*
 * Put one that was kept beside what the map says, which wins. What cannot be at present,
 * for want of its view, say, stands there as notReady, and is kept as it is for a start at
 * which it can. Returns whether there was no place for it.
 */
static bool
kept_take(struct alarms *a, const struct threshold_config *c)
{
	struct threshold_change change = { .config = *c };
	struct err e = ERR_INIT;

	if (thresholds_get(&a->all, c->name, NULL)) {
		log_warn("threshold %s, which SNMP had set, is gone: threshold_map has one "
		         "of this name", c->name);
		return false;
	}
	if (alarms_change(a, &change, &e) == 0)
		return false;
	log_warn("threshold %s, which SNMP had set, is not active: %s", c->name, e.text);
	change.dormant = true;
	return alarms_change(a, &change, &e) != 0;
}

static void
alarms_take_up(struct alarms *a)
{
	struct threshold_config *list = NULL;
	struct err e = ERR_INIT;
	uint32_t n = 0;
	int rc = threshold_file_read(a->kept, &list, &n, &e);

	if (rc != 0 && rc != -WEIR_ENOENT)
		log_warn("%s: thresholds that SNMP had set are not there", e.text);
	if (rc == -WEIR_EUNSUPPORTED)
		a->kept[0] = '\0';
	for (uint32_t i = 0; i < n; i++)
		if (kept_take(a, &list[i]))
			list[a->n_spare++] = list[i];
	a->all.unsaved = false;
	a->spare = list;
}

/* Where they are kept, if anywhere. */
static void
kept_in(struct alarms *a, const char *state_dir)
{
	if (state_dir == NULL)
		return;
	if ((size_t)snprintf(a->kept, sizeof(a->kept), "%s/thresholds", state_dir) <
	    sizeof(a->kept))
		return;
	a->kept[0] = '\0';
	log_warn("state_dir: the path is too long to keep thresholds in: those that SNMP "
	         "sets do not outlive a restart");
}

int
alarms_start(struct alarms *a, const char *state_dir, struct err *e)
{
	int rc;

	pthread_mutex_lock(&a->lock);
	kept_in(a, state_dir);
	if (a->kept[0] != '\0')
		alarms_take_up(a);
	a->started = true;
	rc = a->all.n > 0 ? alarms_run(a, e) : 0;
	pthread_mutex_unlock(&a->lock);
	return rc;
}

void
alarms_stop(struct alarms *a)
{
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	a->started = false;
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
	if (a->running)
		pthread_join(a->thread, NULL);
	a->running = false;
}

/* A map that is being read anew: thresholds of it, and where they go in the end. */
struct rereading {
	uint32_t n;
	struct threshold_config *list;
};

static int
reread_take(void *arg, const struct threshold_config *c, struct err *e)
{
	struct rereading *r = arg;

	if (r->n == THRESHOLDS_MAX)
		return err_set(e, WEIR_EFULL, "more than %u thresholds", THRESHOLDS_MAX);
	for (uint32_t i = 0; i < r->n; i++)
		if (strcmp(r->list[i].name, c->name) == 0)
			return err_set(e, WEIR_EINVAL, "two are called '%s'", c->name);
	r->list[r->n++] = *c;
	return 0;
}

/* Remove the thresholds of the map that are not in `r`. */
static void
alarms_weed(struct alarms *a, const struct rereading *r, struct problems *ps)
{
	for (uint32_t i = a->all.n; i-- > 0;) {
		struct threshold_change change = { .remove = true, .of_map = true };
		struct err e = ERR_INIT;
		bool stays;

		change.config = *thresholds_at(&a->all, i);
		stays = change.config.storage != STORAGE_READONLY;
		for (uint32_t k = 0; k < r->n && !stays; k++)
			stays = strcmp(r->list[k].name, change.config.name) == 0;
		if (!stays && alarms_change(a, &change, &e) != 0)
			problem_add(ps, PROBLEM_ERROR, NULL, "threshold_map: %s", e.text);
	}
}

/* Make the thresholds of the map those of `r`. Those that are as they were go on. */
static void
alarms_replace(struct alarms *a, const struct rereading *r, struct problems *ps)
{
	alarms_weed(a, r, ps);
	for (uint32_t k = 0; k < r->n; k++) {
		const struct threshold_change change = { .config = r->list[k], .of_map = true };
		struct threshold_config now;
		struct err e = ERR_INIT;

		if (thresholds_get(&a->all, r->list[k].name, &now) &&
		    memcmp(&now, &r->list[k], sizeof(now)) == 0)
			continue;
		if (alarms_change(a, &change, &e) != 0)
			problem_add(ps, PROBLEM_ERROR, NULL, "threshold_map: %s", e.text);
	}
}

void
alarms_reload(struct alarms *a, struct problems *ps)
{
	struct rereading r = { 0, NULL };
	struct err e = ERR_INIT;
	size_t errors = ps->n_errors;

	if (a->config->map == NULL)
		return;
	r.list = calloc(THRESHOLDS_MAX, sizeof(*r.list));
	if (r.list == NULL)
		return;
	if (threshold_map_read(a->config->map, a->engine, false, reread_take, &r, ps, &e) != 0)
		problem_add(ps, PROBLEM_ERROR, NULL, "%s", e.text);
	pthread_mutex_lock(&a->lock);
	if (ps->n_errors == errors)
		alarms_replace(a, &r, ps);
	if (a->all.n > 0)
		(void)alarms_run(a, &e);
	pthread_mutex_unlock(&a->lock);
	free(r.list);
}

void
alarms_look(struct alarms *a, uint64_t now)
{
	if (a->all.n == 0)
		return;
	pthread_mutex_lock(&a->lock);
	thresholds_look(&a->all, now);
	pthread_mutex_unlock(&a->lock);
}

bool
alarms_get(struct alarms *a, const char *name, struct threshold_config *c)
{
	bool found;

	pthread_mutex_lock(&a->lock);
	found = thresholds_get(&a->all, name, c);
	pthread_mutex_unlock(&a->lock);
	return found;
}

int
alarms_check(const struct alarms *a, const struct threshold_config *c, struct err *e)
{
	return threshold_check(c, a->engine, e);
}

uint64_t
alarms_changes(const struct alarms *a)
{
	return atomic_load(&a->all.changes);
}

struct threshold_row *
alarms_thresholds(struct alarms *a, uint32_t *n)
{
	struct threshold_row *list;

	pthread_mutex_lock(&a->lock);
	list = thresholds_rows(&a->all, n);
	pthread_mutex_unlock(&a->lock);
	return list;
}

struct alarm_row *
alarms_raised(struct alarms *a, uint32_t *n)
{
	struct alarm_row *list;

	pthread_mutex_lock(&a->lock);
	list = thresholds_raised(&a->all, n);
	pthread_mutex_unlock(&a->lock);
	return list;
}

uint64_t
alarms_suppressed(const struct alarms *a)
{
	return alarm_act_suppressed(a->act);
}
