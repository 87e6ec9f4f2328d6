/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/alarms.h"

#include <assert.h>
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
#include "lib/thread.h"

#define RING 4096U        /* events that are remembered: more than in any second that matters */
#define ACT_BATCH 32U

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
	_Atomic uint64_t changes;
	_Atomic uint32_t n;          /* thresholds */
	struct place {
		struct threshold_config config; /* as it was put, which may be not active */
		struct crossing *crossing;      /* NULL: not active */
	} *places[THRESHOLDS_MAX];   /* by name */

	struct alarm_event *ring;    /* NULL until there is a threshold */
	_Atomic uint64_t serial;     /* of the last event */

	char kept[PATH_MAX];         /* file of non-volatile ones; "": none */
	bool unsaved;                /* they changed since they were written */
	struct alarm_act *act;
	pthread_t thread;
	bool started, running, stop;
};

/* Events */

static void
alarms_tell(void *arg, const struct crossing_event *x)
{
	struct alarms *a = arg;
	uint64_t serial = atomic_load(&a->serial) + 1;
	struct alarm_event *e = &a->ring[serial % RING];
	const struct threshold_config *c = x->config;

	*e = (struct alarm_event){ .serial = serial, .time = x->time, .raised = x->raised,
		.scope = c->scope, .metric = c->metric, .direction = c->direction,
		.window = c->window, .id = x->instance->id, .value = x->instance->value,
		.limit = x->limit, .notify = c->notify };
	if (c->scope <= SCOPE_TOP)
		snprintf(e->view, sizeof(e->view), "%s",
		    engine_view(a->engine, c->subject)->name);
	memcpy(e->name, c->name, sizeof(e->name));
	memcpy(e->subject, c->subject, sizeof(e->subject));
	memcpy(e->label, x->instance->label, sizeof(e->label));
	memcpy(e->exec, c->exec, sizeof(e->exec));
	memcpy(e->service, c->service, sizeof(e->service));
	atomic_store(&a->serial, serial);
	pthread_cond_signal(&a->changed);
}

size_t
alarm_event_text(const struct alarm_event *e, char *buf, size_t room)
{
	bool rows = e->scope == SCOPE_ENTRY || e->scope == SCOPE_TOP;
	int n = snprintf(buf, room, "%s%s%s: %llu %s, %s %llu", rows ? e->subject : "",
	    rows ? " " : "", e->label, (unsigned long long)e->value, threshold_unit(e->metric),
	    e->raised ? "alarm at" : "well again at", (unsigned long long)e->limit);

	return (size_t)n < room ? (size_t)n : room - 1;
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
	uint64_t last = atomic_load(&a->serial);
	unsigned n = 0;

	if (last == *cursor)
		return 0;
	pthread_mutex_lock(&a->lock);
	last = atomic_load(&a->serial);
	if (last - *cursor > RING) {
		*missed += last - RING - *cursor;
		*cursor = last - RING;
	}
	while (n < max && *cursor < last)
		out[n++] = a->ring[++*cursor % RING];
	pthread_mutex_unlock(&a->lock);
	return n;
}

uint64_t
alarms_serial(const struct alarms *a)
{
	return atomic_load(&a->serial);
}

/* Thresholds; all that follows is under the lock. */

/* The place of `name`; `*found` tells whether it is there already. */
static uint32_t
place_seek(const struct alarms *a, const char *name, bool *found)
{
	uint32_t low = 0, high = a->n;

	*found = false;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int order = strcmp(a->places[mid]->config.name, name);

		if (order == 0) {
			*found = true;
			return mid;
		}
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Alarms of a threshold that goes are over. */
static void
crossing_end(struct alarms *a, struct crossing *x)
{
	if (x == NULL)
		return;
	for (uint32_t i = 0; i < x->instances.n; i++) {
		const struct instance *in = crossing_instance(x, i);
		const struct crossing_event event = { &x->config, in, false, x->falling,
			clock_real() };

		if (in->raised != 0)
			alarms_tell(a, &event);
	}
	crossing_free(x);
}

static void
alarms_changed(struct alarms *a, uint32_t storage)
{
	atomic_fetch_add(&a->changes, 1);
	a->unsaved |= storage == STORAGE_NONVOLATILE;
	pthread_cond_signal(&a->changed);
}

static void
place_remove(struct alarms *a, uint32_t at)
{
	struct place *p = a->places[at];

	crossing_end(a, p->crossing);
	alarms_changed(a, p->config.storage);
	free(p);
	memmove(&a->places[at], &a->places[at + 1],
	    (a->n - at - 1) * sizeof(a->places[0]));
	a->n--;
}

static int
ring_make(struct alarms *a, struct err *e)
{
	if (a->ring == NULL)
		a->ring = calloc(RING, sizeof(*a->ring));
	return a->ring != NULL ? 0 : err_set(e, WEIR_ENOMEM, "no memory for alarms");
}

static int
place_put(struct alarms *a, const struct threshold_config *c, struct err *e)
{
	bool found;
	uint32_t at = place_seek(a, c->name, &found);
	struct crossing *x = NULL;
	struct place *p;

	if (!found && a->n == THRESHOLDS_MAX)
		return err_set(e, WEIR_EFULL, "more than %u thresholds", THRESHOLDS_MAX);
	if (ring_make(a, e) != 0)
		return -WEIR_ENOMEM;
	if (c->status == STATUS_ACTIVE) {
		int rc = threshold_check(c, a->engine, e);

		if (rc != 0)
			return rc;
		x = crossing_new(c, a->engine, alarms_tell, a, clock_real(), e);
		if (x == NULL)
			return -WEIR_ENOMEM;
	}
	p = found ? a->places[at] : calloc(1, sizeof(*p));
	if (p == NULL) {
		crossing_free(x);
		return err_set(e, WEIR_ENOMEM, "no memory for threshold %s", c->name);
	}
	if (found) {
		crossing_end(a, p->crossing);
		/* What was kept must not come back. */
		a->unsaved |= p->config.storage == STORAGE_NONVOLATILE;
	} else {
		memmove(&a->places[at + 1], &a->places[at],
		    (a->n - at) * sizeof(a->places[0]));
		a->places[at] = p;
		a->n++;
	}
	p->config = *c;
	p->crossing = x;
	alarms_changed(a, c->storage);
	return 0;
}

/* Acting */

static void
alarms_save(struct alarms *a)
{
	struct threshold_config *list;
	uint32_t n = 0;

	pthread_mutex_lock(&a->lock);
	list = calloc(a->n + 1, sizeof(*list));
	for (uint32_t i = 0; list != NULL && i < a->n; i++)
		if (a->places[i]->config.storage == STORAGE_NONVOLATILE)
			list[n++] = a->places[i]->config;
	a->unsaved = false;
	pthread_mutex_unlock(&a->lock);
	if (list != NULL && a->kept[0] != '\0') {
		struct err e = ERR_INIT;

		if (threshold_file_write(a->kept, list, n, &e) != 0)
			log_warn("%s: thresholds set by SNMP will not outlive a restart", e.text);
	}
	free(list);
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
		if (!a->stop && !a->unsaved && atomic_load(&a->serial) == cursor)
			(void)pthread_cond_timedwait(&a->changed, &a->lock, &until);
		stop = a->stop;
		save = a->unsaved;
		pthread_mutex_unlock(&a->lock);
		if (save)
			alarms_save(a);
		while (alarms_act(a, &cursor))
			;
		alarm_act_tidy(a->act);
	}
	return NULL;
}

/* Start the thread when there is something for it to do. Under the lock. */
static int
alarms_run(struct alarms *a, struct err *e)
{
	int rc;

	if (!a->started || a->running || a->n == 0)
		return 0;
	rc = thread_start(&a->thread, "weir-alarms", alarms_main, a, e);
	a->running = rc == 0;
	return rc;
}

/* The outside */

static int
map_take(void *arg, const struct threshold_config *c, struct err *e)
{
	struct alarms *a = arg;
	bool found;

	(void)place_seek(a, c->name, &found);
	if (found)
		return err_set(e, WEIR_EINVAL, "two are called '%s'", c->name);
	return place_put(a, c, e);
}

int
alarms_new(struct engine *en, const struct alarm_config *c, struct alarms **out,
    struct problems *ps, struct err *e)
{
	struct alarms *a = calloc(1, sizeof(*a));
	pthread_condattr_t attr;
	int rc = 0;

	*out = NULL;
	if (a == NULL)
		return err_set(e, WEIR_ENOMEM, "no memory for alarms");
	a->engine = en;
	a->config = c;
	a->act = alarm_act_new(c);
	if (a->act == NULL)
		rc = err_set(e, WEIR_ENOMEM, "no memory for alarms");
	pthread_mutex_init(&a->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&a->changed, &attr);
	pthread_condattr_destroy(&attr);
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
	for (uint32_t i = 0; i < a->n; i++) {
		crossing_free(a->places[i]->crossing);
		free(a->places[i]);
	}
	alarm_act_free(a->act);
	free(a->ring);
	pthread_mutex_destroy(&a->lock);
	pthread_cond_destroy(&a->changed);
	free(a);
}

/* Put what was kept beside what the map says, which wins. */
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
	for (uint32_t i = 0; i < n; i++) {
		bool found;

		(void)place_seek(a, list[i].name, &found);
		if (found || place_put(a, &list[i], &e) != 0)
			log_warn("threshold %s, which SNMP had set, is not there: %s", list[i].name,
			    found ? "threshold_map has one of this name" : e.text);
	}
	a->unsaved = false;
	free(list);
}

int
alarms_start(struct alarms *a, const char *state_dir, struct err *e)
{
	int rc;

	pthread_mutex_lock(&a->lock);
	if (state_dir != NULL && (size_t)snprintf(a->kept, sizeof(a->kept), "%s/thresholds",
	                             state_dir) < sizeof(a->kept))
		alarms_take_up(a);
	a->started = true;
	rc = alarms_run(a, e);
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
	struct alarms *alarms;
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

/* Make the thresholds of the map those of `r`. Those that are as they were go on. */
static void
alarms_replace(struct alarms *a, const struct rereading *r, struct problems *ps)
{
	for (uint32_t i = a->n; i-- > 0;) {
		const struct threshold_config *c = &a->places[i]->config;
		bool stays = c->storage != STORAGE_READONLY;

		for (uint32_t k = 0; k < r->n && !stays; k++)
			stays = strcmp(r->list[k].name, c->name) == 0;
		if (!stays)
			place_remove(a, i);
	}
	for (uint32_t k = 0; k < r->n; k++) {
		bool found;
		uint32_t at = place_seek(a, r->list[k].name, &found);
		struct err e = ERR_INIT;

		if (found && memcmp(&a->places[at]->config, &r->list[k], sizeof(r->list[k])) == 0)
			continue;
		if (place_put(a, &r->list[k], &e) != 0)
			problem_add(ps, PROBLEM_ERROR, NULL, "threshold_map: %s", e.text);
	}
}

void
alarms_reload(struct alarms *a, struct problems *ps)
{
	struct rereading r = { a, 0, NULL };
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
	(void)alarms_run(a, &e);
	pthread_mutex_unlock(&a->lock);
	free(r.list);
}

void
alarms_look(struct alarms *a, uint64_t now)
{
	if (a->n == 0)
		return;
	pthread_mutex_lock(&a->lock);
	for (uint32_t i = 0; i < a->n; i++)
		if (a->places[i]->crossing != NULL)
			crossing_look(a->places[i]->crossing, now);
	pthread_mutex_unlock(&a->lock);
}

int
alarms_put(struct alarms *a, const struct threshold_config *c, struct err *e)
{
	bool found;
	uint32_t at;
	int rc;

	pthread_mutex_lock(&a->lock);
	at = place_seek(a, c->name, &found);
	if (found && a->places[at]->config.storage == STORAGE_READONLY)
		rc = err_set(e, WEIR_EEXIST, "threshold %s is threshold_map's", c->name);
	else
		rc = place_put(a, c, e);
	if (rc == 0)
		rc = alarms_run(a, e);
	pthread_mutex_unlock(&a->lock);
	return rc;
}

int
alarms_remove(struct alarms *a, const char *name, struct err *e)
{
	bool found;
	uint32_t at;
	int rc = 0;

	pthread_mutex_lock(&a->lock);
	at = place_seek(a, name, &found);
	if (found && a->places[at]->config.storage == STORAGE_READONLY)
		rc = err_set(e, WEIR_EEXIST, "threshold %s is threshold_map's", name);
	else if (found)
		place_remove(a, at);
	pthread_mutex_unlock(&a->lock);
	return rc;
}

bool
alarms_get(struct alarms *a, const char *name, struct threshold_config *c)
{
	bool found;
	uint32_t at;

	pthread_mutex_lock(&a->lock);
	at = place_seek(a, name, &found);
	if (found)
		*c = a->places[at]->config;
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
	return atomic_load(&a->changes);
}

struct threshold_row *
alarms_thresholds(struct alarms *a, uint32_t *n)
{
	struct threshold_row *list;

	*n = 0;
	if (a->n == 0)
		return NULL;
	pthread_mutex_lock(&a->lock);
	list = calloc(a->n + 1, sizeof(*list));
	for (uint32_t i = 0; list != NULL && i < a->n; i++) {
		const struct crossing *x = a->places[i]->crossing;
		struct threshold_row *r = &list[(*n)++];

		r->config = a->places[i]->config;
		if (x == NULL)
			continue;
		r->value = x->value;
		r->last_transition = x->last_transition;
		r->transitions = x->transitions;
		r->raised = x->n_raised;
		r->looked = x->round > 0;
	}
	pthread_mutex_unlock(&a->lock);
	return list;
}

static int
raised_order(const void *x, const void *y)
{
	const struct alarm_row *p = x, *q = y;
	size_t m = strlen(p->name), n = strlen(q->name);
	int order;

	if (m != n)
		return m < n ? -1 : 1;
	order = strcmp(p->name, q->name);
	return order != 0 ? order : p->id < q->id ? -1 : p->id > q->id;
}

struct alarm_row *
alarms_raised(struct alarms *a, uint32_t *n)
{
	struct alarm_row *list = NULL;
	uint32_t room = 0;

	*n = 0;
	if (a->n == 0)
		return NULL;
	pthread_mutex_lock(&a->lock);
	for (uint32_t i = 0; i < a->n; i++)
		if (a->places[i]->crossing != NULL)
			room += a->places[i]->crossing->n_raised;
	if (room > 0)
		list = calloc(room, sizeof(*list));
	for (uint32_t i = 0; list != NULL && i < a->n; i++) {
		const struct crossing *x = a->places[i]->crossing;

		for (uint32_t k = 0; x != NULL && k < x->instances.n; k++) {
			const struct instance *in = crossing_instance(x, k);
			struct alarm_row *r = &list[*n];

			if (in->raised == 0)
				continue;
			assert(*n < room);
			memcpy(r->name, x->config.name, sizeof(r->name));
			memcpy(r->subject, x->config.subject, sizeof(r->subject));
			memcpy(r->label, in->label, sizeof(r->label));
			r->scope = x->config.scope;
			r->metric = x->config.metric;
			r->limit = x->config.direction == DIRECTION_ABOVE ? x->rising : x->falling;
			r->id = in->id;
			r->raised = in->raised;
			r->value = in->value;
			++*n;
		}
	}
	pthread_mutex_unlock(&a->lock);
	if (list != NULL)
		qsort(list, *n, sizeof(*list), raised_order);
	return list;
}

uint64_t
alarms_suppressed(const struct alarms *a)
{
	return alarm_act_suppressed(a->act);
}
