/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/trigger.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"

#define ARGUMENTS 32U
#define WAIT_MS 10

struct trigger {
	struct trigger_config c;
	char *words; /* the command, cut */
	char *argv[ARGUMENTS + 1];
	uint64_t last; /* period: start of the one that was seen last */
	struct spawn_pool *pool;
	_Atomic bool hurry;
	struct log_limit limit;
};

static int
command_cut(struct trigger *t, struct err *e)
{
	char *save = NULL;
	struct stat st;
	unsigned n = 0;

	if ((t->words = strdup(t->c.command)) == NULL)
		return err_set(e, WEIR_ENOMEM, "%s: no memory", t->c.directive);
	for (char *w = strtok_r(t->words, " \t", &save); w != NULL;
	     w = strtok_r(NULL, " \t", &save)) {
		if (n == ARGUMENTS)
			return err_set(e, WEIR_EINVAL, "%s: more than %u arguments",
			    t->c.directive, ARGUMENTS - 1);
		t->argv[n++] = w;
	}
	if (n > 0 && stat(t->argv[0], &st) == 0 && S_ISDIR(st.st_mode))
		return err_set(e, WEIR_EINVAL, "%s: %s is a folder: name a program",
		    t->c.directive, t->argv[0]);
	if (n > 0 && access(t->argv[0], X_OK) == 0)
		return 0;
	return err_set(e, WEIR_EINVAL, "%s: %s: %s", t->c.directive, t->c.command,
	    n > 0 ? strerror(errno) : "names no program");
}

int
trigger_check(const char *directive, const char *command, struct err *e)
{
	struct trigger t = { .c = { .directive = directive, .command = command } };
	int rc = command != NULL ? command_cut(&t, e) : 0;

	free(t.words);
	return rc;
}

struct trigger *
trigger_new(const struct trigger_config *c, struct err *e)
{
	struct trigger *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		err_set(e, WEIR_ENOMEM, "%s: no memory", c->directive);
		return NULL;
	}
	t->c = *c;
	t->limit = (struct log_limit)LOG_LIMIT_INIT;
	if (command_cut(t, e) == 0 && (t->pool = spawn_pool_new(c->limit_s)) == NULL)
		err_set(e, WEIR_ENOMEM, "%s: no memory", c->directive);
	if (t->pool == NULL) {
		trigger_free(t);
		return NULL;
	}
	if (!bins_are_none(&t->c.period)) {
		bins_start(&t->c.period, clock_real());
		t->last = bins_find(&t->c.period, clock_real()).start;
	}
	return t;
}

/* See to what runs. Returns how many do. */
static unsigned
runs_check(struct trigger *t)
{
	if (atomic_load(&t->hurry))
		spawn_hurry(t->pool, 1);
	return spawn_reap(t->pool);
}

static void
runs_wait(struct trigger *t)
{
	while (runs_check(t) > 0)
		nanosleep(&(struct timespec){ 0, WAIT_MS * 1000000L }, NULL);
}

static void
trigger_run(struct trigger *t, const void *batch)
{
	struct spawn_facts facts;
	struct err e = ERR_INIT;

	facts.n = 0;
	facts.used = 0;
	if (t->c.tell != NULL)
		t->c.tell(t->c.arg, batch, &facts);
	(void)runs_check(t);
	if (spawn_start_with(t->pool, t->argv, &facts, &e) != 0)
		log_limited(&t->limit, "%s: %s: %s", t->c.name, t->c.directive, e.text);
	else if (!t->c.async)
		runs_wait(t);
}

void
trigger_after(struct trigger *t, const void *batch)
{
	if (t != NULL && bins_are_none(&t->c.period))
		trigger_run(t, batch);
}

void
trigger_tick(struct trigger *t, uint64_t now)
{
	uint64_t start;

	if (t == NULL)
		return;
	(void)runs_check(t);
	if (bins_are_none(&t->c.period))
		return;
	start = bins_find(&t->c.period, now).start;
	if (start == t->last)
		return;
	t->last = start;
	trigger_run(t, NULL);
}

void
trigger_hurry(struct trigger *t)
{
	if (t != NULL)
		atomic_store(&t->hurry, true);
}

void
trigger_free(struct trigger *t)
{
	if (t == NULL)
		return;
	trigger_hurry(t);
	if (t->pool != NULL)
		runs_wait(t);
	spawn_pool_free(t->pool);
	free(t->words);
	free(t);
}
