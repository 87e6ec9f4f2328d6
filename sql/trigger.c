/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/trigger.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"

#define ARGUMENTS 32U
#define VARIABLES 20U
#define WAIT_MS 10
#define PATH_OF_RUN "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct trigger_run {
	pid_t pid; /* 0: none */
	uint64_t until; /* monotonic ns; it is killed then */
	bool killed;
};

struct trigger {
	struct trigger_config c;
	char *words; /* the command, cut */
	char *argv[ARGUMENTS + 1];
	uint64_t last; /* period: start of the one that was seen last */
	struct trigger_run runs[TRIGGER_RUNNING];
	_Atomic bool hurry;
	struct log_limit limit;
};

/* The environment of a run. */
struct environment {
	unsigned n;
	char *list[VARIABLES + 1];
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
	if (command_cut(t, e) != 0) {
		trigger_free(t);
		return NULL;
	}
	if (!bins_are_none(&t->c.period)) {
		bins_start(&t->c.period, clock_real());
		t->last = bins_find(&t->c.period, clock_real()).start;
	}
	return t;
}

static void __attribute__((format(printf, 2, 3)))
variable_set(struct environment *env, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (env->n < VARIABLES && vasprintf(&text, fmt, ap) >= 0)
		env->list[env->n++] = text;
	va_end(ap);
}

static void
word_set(struct environment *env, const char *name, const char *value)
{
	if (value != NULL)
		variable_set(env, "%s=%s", name, value);
}

/* pmacct's variables; those of the batch only where there is one. */
static void
environment_make(
    struct environment *env, const struct trigger *t, const struct trigger_batch *b)
{
	const struct trigger_config *c = &t->c;

	memset(env, 0, sizeof(*env));
	variable_set(env, "%s", PATH_OF_RUN);
	word_set(env, "SQL_DB", c->db);
	word_set(env, "SQL_TABLE", c->table);
	word_set(env, "SQL_HOST", c->host);
	word_set(env, "SQL_USER", c->user);
	word_set(env, "SQL_RECOVERY_BACKUP_HOST", c->backup);
	variable_set(env, "SQL_REFRESH_TIME=%" PRIu32, c->refresh_s);
	variable_set(env, "SQL_HISTORY_TIMESLOT=%" PRIu32, c->history_s);
	variable_set(env, "SAMPLING_RATE=%" PRIu32, c->sampling_rate);
	variable_set(env, "SQL_MAX_WRITERS=%" PRIu32, c->max_writers);
	if (b == NULL)
		return;
	word_set(env, "EFFECTIVE_SQL_TABLE", b->table);
	variable_set(env, "TOTAL_ELEM_NUMBER=%" PRIu64, b->rows);
	variable_set(env, "EFFECTIVE_ELEM_NUMBER=%" PRIu64, b->written);
	variable_set(
	    env, "INSERT_QUERIES_NUMBER=%" PRIu64, b->only_insert ? b->written : 0);
	variable_set(
	    env, "UPDATE_QUERIES_NUMBER=%" PRIu64, b->only_insert ? 0 : b->written);
	variable_set(env, "ELAPSED_TIME=%" PRIu64, b->elapsed / CLOCK_S);
	variable_set(env, "SQL_HISTORY_BASETIME=%" PRIu64, b->start / CLOCK_S);
	variable_set(env, "SQL_ACTIVE_WRITERS=%u", b->writers);
}

static void
environment_free(struct environment *env)
{
	while (env->n > 0)
		free(env->list[--env->n]);
}

/* Start it, with signals as they are by default. Returns 0 or an errno. */
static int
run_spawn(const struct trigger *t, char **env, pid_t *pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_addopen(
	    &files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr,
	    POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	rc = posix_spawn(pid, t->argv[0], &files, &attr, t->argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return rc;
}

/* See whether it has ended, or must. */
static void
run_check(struct trigger *t, struct trigger_run *r)
{
	uint64_t now = clock_mono();
	int status;

	if (atomic_load(&t->hurry) && r->until > now + CLOCK_S)
		r->until = now + CLOCK_S;
	if (now >= r->until && !r->killed) {
		log_err("%s: sql_trigger_exec %s: ran for more than %" PRIu32
			" s: killed",
		    t->c.name, t->argv[0], t->c.limit_s);
		(void)kill(-r->pid, SIGKILL);
		r->killed = true;
	}
	if (waitpid(r->pid, &status, WNOHANG) != r->pid)
		return;
	r->pid = 0;
	if (!r->killed && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
		log_limited(&t->limit, "%s: sql_trigger_exec %s: %s %d", t->c.name,
		    t->argv[0], WIFEXITED(status) ? "exit status" : "ended by signal",
		    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static void
run_wait(struct trigger *t, struct trigger_run *r)
{
	while (r->pid != 0) {
		run_check(t, r);
		if (r->pid != 0)
			nanosleep(&(struct timespec){ 0, WAIT_MS * 1000000L }, NULL);
	}
}

static void
trigger_run(struct trigger *t, const struct trigger_batch *b)
{
	struct trigger_run *r = NULL;
	struct environment env;
	int rc;

	for (unsigned i = 0; i < TRIGGER_RUNNING; i++) {
		if (t->runs[i].pid != 0)
			run_check(t, &t->runs[i]);
		if (t->runs[i].pid == 0)
			r = &t->runs[i];
	}
	if (r == NULL) {
		log_limited(&t->limit,
		    "%s: sql_trigger_exec %s: %u still run: left out once", t->c.name,
		    t->argv[0], TRIGGER_RUNNING);
		return;
	}
	environment_make(&env, t, b);
	rc = run_spawn(t, env.list, &r->pid);
	environment_free(&env);
	if (rc != 0) {
		r->pid = 0;
		log_limited(&t->limit, "%s: sql_trigger_exec %s: %s", t->c.name,
		    t->argv[0], strerror(rc));
		return;
	}
	r->killed = false;
	r->until = clock_mono() + t->c.limit_s * CLOCK_S;
	if (!t->c.async)
		run_wait(t, r);
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
	for (unsigned i = 0; i < TRIGGER_RUNNING; i++)
		if (t->runs[i].pid != 0)
			run_check(t, &t->runs[i]);
	if (bins_are_none(&t->c.period))
		return;
	start = bins_find(&t->c.period, now).start;
	if (start == t->last)
		return;
	t->last = start;
	trigger_run(t, NULL);
}

bool
trigger_busy(const struct trigger *t)
{
	bool busy = false;

	for (unsigned i = 0; t != NULL && i < TRIGGER_RUNNING; i++)
		busy |= t->runs[i].pid != 0;
	return busy;
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
	for (unsigned i = 0; i < TRIGGER_RUNNING; i++)
		run_wait(t, &t->runs[i]);
	free(t->words);
	free(t);
}
