/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/spawn.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"

struct running {
	pid_t pid;              /* 0: a free place */
	uint64_t until;         /* by the monotonic clock: then it is killed */
	bool killed;
	char path[256];
};

struct spawn_pool {
	uint64_t limit;         /* ns */
	struct running running[SPAWN_RUNNING];
	struct log_limit log;
};

static void __attribute__((format(printf, 4, 0)))
fact_put(struct spawn_facts *f, const char *prefix, const char *name, const char *fmt,
    va_list ap)
{
	char *at = f->text + f->used;
	size_t room = sizeof(f->text) - f->used, len;

	if (f->n == SPAWN_FACTS || room < 2)
		return;
	len = (size_t)snprintf(at, room, "%s%s=", prefix, name);
	if (len < room)
		len += (size_t)vsnprintf(at + len, room - len, fmt, ap);
	len = len < room ? len : room - 1;
	for (char *c = at; *c != '\0'; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	f->used += len + 1;
	f->list[f->n++] = at;
	f->list[f->n] = NULL;
}

void
spawn_fact(struct spawn_facts *f, const char *name, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fact_put(f, "WEIR_", name, fmt, ap);
	va_end(ap);
}

void
spawn_variable(struct spawn_facts *f, const char *name, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fact_put(f, "", name, fmt, ap);
	va_end(ap);
}

int
spawn_check(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return err_set(e, WEIR_ENOENT, "%s: no program", path);
	if (access(path, X_OK) != 0)
		return err_set(e, WEIR_ENOENT, "%s: %s", path, strerror(errno));
	return 0;
}

struct spawn_pool *
spawn_pool_new(uint32_t seconds)
{
	struct spawn_pool *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->limit = seconds * CLOCK_S;
	p->log = (struct log_limit)LOG_LIMIT_INIT;
	return p;
}

void
spawn_pool_free(struct spawn_pool *p)
{
	if (p == NULL)
		return;
	for (unsigned i = 0; i < SPAWN_RUNNING; i++) {
		pid_t pid = p->running[i].pid;

		if (pid == 0)
			continue;
		(void)kill(-pid, SIGKILL);
		while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
			;
	}
	free(p);
}

/*
 * Every signal as it was at the start of the world: weir's threads block all, and ignore
 * some, and both would be inherited. A group of its own, so that it is killed with all
 * that it has started.
 */
static int
attributes_make(posix_spawnattr_t *a)
{
	short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP;
	sigset_t none, all;
	int rc = posix_spawnattr_init(a);

	if (rc != 0)
		return rc;
	sigemptyset(&none);
	sigfillset(&all);
	(void)posix_spawnattr_setsigmask(a, &none);
	(void)posix_spawnattr_setsigdefault(a, &all);
	(void)posix_spawnattr_setpgroup(a, 0);
	return posix_spawnattr_setflags(a, flags);
}

static int
program_start(char *const argv[], char *const env[], pid_t *pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	int rc = posix_spawn_file_actions_init(&files);

	if (rc != 0)
		return rc;
	rc = attributes_make(&attributes);
	if (rc == 0) {
		for (int fd = 0; rc == 0 && fd <= 2; fd++)
			rc = posix_spawn_file_actions_addopen(&files, fd, "/dev/null",
			    fd == 0 ? O_RDONLY : O_WRONLY, 0);
		if (rc == 0)
			rc = posix_spawn(pid, argv[0], &files, &attributes, argv, env);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&files);
	return rc;
}

int
spawn_start(struct spawn_pool *p, const char *path, struct spawn_facts *facts,
    struct err *e)
{
	char *argv[] = { (char *)(uintptr_t)path, NULL };

	return spawn_start_with(p, argv, facts, e);
}

int
spawn_start_with(struct spawn_pool *p, char *const argv[], struct spawn_facts *facts,
    struct err *e)
{
	static char home[] = "HOME=/";
	static char search[] =
	    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char *env[SPAWN_FACTS + 3] = { home, search };
	struct running *r = p->running;
	int rc;

	while (r < p->running + SPAWN_RUNNING && r->pid != 0)
		r++;
	if (r == p->running + SPAWN_RUNNING)
		return err_set(e, WEIR_EFULL, "%s: not started: %u programs run already",
		    argv[0], SPAWN_RUNNING);
	for (unsigned i = 0; facts != NULL && i < facts->n; i++)
		env[2 + i] = facts->list[i];
	rc = program_start(argv, env, &r->pid);
	if (rc != 0) {
		r->pid = 0;
		return err_set(e, WEIR_EIO, "%s: cannot be started: %s", argv[0], strerror(rc));
	}
	snprintf(r->path, sizeof(r->path), "%s", argv[0]);
	r->until = clock_mono() + p->limit;
	r->killed = false;
	return 0;
}

/* One program has ended. */
static void
running_ended(struct spawn_pool *p, const struct running *r, int status)
{
	if (r->killed)
		log_limited(&p->log, "%s: killed, since it had not ended after %u s", r->path,
		    (unsigned)(p->limit / CLOCK_S));
	else if (WIFSIGNALED(status))
		log_limited(&p->log, "%s: ended by signal %d", r->path, WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		log_limited(&p->log, "%s: ended with status %d", r->path, WEXITSTATUS(status));
}

unsigned
spawn_reap(struct spawn_pool *p)
{
	uint64_t now = clock_mono();
	unsigned n = 0;

	for (unsigned i = 0; i < SPAWN_RUNNING; i++) {
		struct running *r = &p->running[i];
		int status = 0;

		if (r->pid == 0)
			continue;
		if (waitpid(r->pid, &status, WNOHANG) == r->pid) {
			running_ended(p, r, status);
			r->pid = 0;
			continue;
		}
		n++;
		if (!r->killed && now >= r->until) {
			(void)kill(-r->pid, SIGKILL);
			r->killed = true;
		}
	}
	return n;
}

void
spawn_hurry(struct spawn_pool *p, uint32_t seconds)
{
	uint64_t until = clock_mono() + seconds * CLOCK_S;

	p->limit = seconds * CLOCK_S < p->limit ? seconds * CLOCK_S : p->limit;
	for (unsigned i = 0; i < SPAWN_RUNNING; i++)
		if (p->running[i].until > until)
			p->running[i].until = until;
}
