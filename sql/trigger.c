/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/trigger.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/spawn.h"

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
	unsigned n = 0;

	if ((t->words = strdup(t->c.command)) == NULL)
		return err_set(e, WEIR_ENOMEM, "sql_trigger_exec: no memory");
	for (char *w = strtok_r(t->words, " \t", &save); w != NULL;
	     w = strtok_r(NULL, " \t", &save)) {
		if (n == ARGUMENTS)
			return err_set(e, WEIR_EINVAL,
			    "sql_trigger_exec: more than %u arguments", ARGUMENTS - 1);
		t->argv[n++] = w;
	}
	if (n > 0 && access(t->argv[0], X_OK) == 0)
		return 0;
	return err_set(e, WEIR_EINVAL, "sql_trigger_exec: %s: %s", t->c.command,
	    n > 0 ? strerror(errno) : "names no program");
}

struct trigger *
trigger_new(const struct trigger_config *c, struct err *e)
{
	struct trigger *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		err_set(e, WEIR_ENOMEM, "sql_trigger_exec: no memory");
		return NULL;
	}
	t->c = *c;
	t->limit = (struct log_limit)LOG_LIMIT_INIT;
	if (command_cut(t, e) == 0 && (t->pool = spawn_pool_new(c->limit_s)) == NULL)
		err_set(e, WEIR_ENOMEM, "sql_trigger_exec: no memory");
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

static void
word_set(struct spawn_facts *f, const char *name, const char *value)
{
	if (value != NULL)
		spawn_variable(f, name, "%s", value);
}

/* What is told of a batch. */
static void
batch_facts(struct spawn_facts *f, const struct trigger_batch *b)
{
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
		{ "TOTAL_ELEM_NUMBER", b->rows },
		{ "EFFECTIVE_ELEM_NUMBER", b->written },
		{ "INSERT_QUERIES_NUMBER", b->only_insert ? b->written : 0 },
		{ "UPDATE_QUERIES_NUMBER", b->only_insert ? 0 : b->written },
		{ "ELAPSED_TIME", b->elapsed / CLOCK_S },
		{ "SQL_HISTORY_BASETIME", b->start / CLOCK_S },
		{ "SQL_ACTIVE_WRITERS", b->writers },
	};

	word_set(f, "EFFECTIVE_SQL_TABLE", b->table);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		spawn_variable(f, numbers[i].name, "%" PRIu64, numbers[i].value);
}

/* pmacct's variables; those of the batch only where there is one. */
static void
facts_make(struct spawn_facts *f, const struct trigger *t, const struct trigger_batch *b)
{
	const struct trigger_config *c = &t->c;

	f->n = 0;
	f->used = 0;
	spawn_variable(f, "SQL_REFRESH_TIME", "%" PRIu32, c->refresh_s);
	spawn_variable(f, "SQL_HISTORY_TIMESLOT", "%" PRIu32, c->history_s);
	spawn_variable(f, "SAMPLING_RATE", "%" PRIu32, c->sampling_rate);
	spawn_variable(f, "SQL_MAX_WRITERS", "%" PRIu32, c->max_writers);
	if (b != NULL)
		batch_facts(f, b);
	word_set(f, "SQL_DB", c->db);
	word_set(f, "SQL_TABLE", c->table);
	word_set(f, "SQL_HOST", c->host);
	word_set(f, "SQL_USER", c->user);
	word_set(f, "SQL_RECOVERY_BACKUP_HOST", c->backup);
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
trigger_run(struct trigger *t, const struct trigger_batch *b)
{
	struct spawn_facts facts;
	struct err e = ERR_INIT;

	facts_make(&facts, t, b);
	(void)runs_check(t);
	if (spawn_start_with(t->pool, t->argv, &facts, &e) != 0)
		log_limited(&t->limit, "%s: sql_trigger_exec: %s", t->c.name, e.text);
	else if (!t->c.async)
		runs_wait(t);
}

void
trigger_after(struct trigger *t, const struct trigger_batch *b)
{
	if (t != NULL && bins_are_none(&t->c.period))
		trigger_run(t, b);
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
