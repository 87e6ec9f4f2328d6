/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/alarm_act.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/collector.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/spawn.h"

#define EXEC_SECONDS 60U /* that a program may take */
#define LOG_BURST    50U /* lines at once */

struct alarm_act {
	const struct alarm_config *config;
	struct spawn_pool *pool;
	double tokens;           /* programs that may be started now */
	uint64_t filled;         /* by the monotonic clock: when tokens were last added */
	struct log_limit lines, faults;
	_Atomic uint64_t suppressed;
	uint64_t told;           /* of them, what the log has said */
};

struct alarm_act *
alarm_act_new(const struct alarm_config *c)
{
	struct alarm_act *a = calloc(1, sizeof(*a));

	if (a == NULL || (a->pool = spawn_pool_new(EXEC_SECONDS)) == NULL) {
		free(a);
		return NULL;
	}
	a->config = c;
	a->tokens = c->exec_rate;
	a->filled = clock_mono();
	a->faults = (struct log_limit)LOG_LIMIT_INIT;
	a->lines = (struct log_limit)LOG_LIMIT_INIT;
	a->lines.burst = LOG_BURST;
	return a;
}

void
alarm_act_free(struct alarm_act *a)
{
	if (a == NULL)
		return;
	spawn_pool_free(a->pool);
	free(a);
}

/* Whether another program may be started. */
static bool
token_take(struct alarm_act *a)
{
	uint64_t now = clock_mono();
	double more = (double)(now - a->filled) / (double)(60 * CLOCK_S) * a->config->exec_rate;

	a->filled = now;
	a->tokens = a->tokens + more > a->config->exec_rate ? a->config->exec_rate
	                                                    : a->tokens + more;
	if (a->tokens < 1)
		return false;
	a->tokens -= 1;
	return true;
}

static void
act_exec(struct alarm_act *a, const struct alarm_event *e, const char *text)
{
	const char *path = e->exec[0] != '\0' ? e->exec : a->config->exec;
	struct spawn_facts f = { .n = 0 };
	struct err why = ERR_INIT;
	int rc;

	if (path == NULL)
		return;
	if (!token_take(a)) {
		counter_add(&a->suppressed, 1);
		return;
	}
	spawn_fact(&f, "EVENT", "%s", e->raised ? "raised" : "cleared");
	spawn_fact(&f, "THRESHOLD", "%s", e->name);
	spawn_fact(&f, "SCOPE", "%s", threshold_scope_word(e->scope));
	spawn_fact(&f, "SUBJECT", "%s", e->subject);
	spawn_fact(&f, "WHAT", "%s", e->label);
	spawn_fact(&f, "VALUE", "%llu", (unsigned long long)e->value);
	spawn_fact(&f, "LIMIT", "%llu", (unsigned long long)e->limit);
	spawn_fact(&f, "UNIT", "%s", threshold_unit(e->metric));
	spawn_fact(&f, "TIME", "%llu", (unsigned long long)(e->time / CLOCK_S));
	spawn_fact(&f, "TEXT", "%s", text);
	spawn_fact(&f, "SUPPRESSED", "%llu",
	    (unsigned long long)atomic_load_explicit(&a->suppressed, memory_order_relaxed));
	(void)spawn_reap(a->pool);
	rc = spawn_start(a->pool, path, &f, &why);
	if (rc == -WEIR_EFULL)
		counter_add(&a->suppressed, 1);
	if (rc != 0)
		log_limited(&a->faults, "alarm %s: %s", e->name, why.text);
}

/*
 * Write a line to the command file: a FIFO that Nagios reads. Never waits. What is no FIFO
 * is left alone: a file made there would keep Nagios from starting.
 */
static int
command_write(const char *path, const char *line, size_t len)
{
	struct stat st;
	int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC), rc = 0;

	if (fd == -1)
		return errno;
	if (fstat(fd, &st) != 0 || !S_ISFIFO(st.st_mode))
		rc = EINVAL;
	else if (write(fd, line, len) != (ssize_t)len)
		rc = errno != 0 ? errno : EAGAIN;
	close(fd);
	return rc;
}

static void
act_service(struct alarm_act *a, const struct alarm_event *e, const char *text)
{
	enum { OK = 0, CRITICAL = 2 };
	char line[1024], plain[512];
	int len, rc;

	if (e->service[0] == '\0' || a->config->command_file == NULL)
		return;
	snprintf(plain, sizeof(plain), "%s", text);
	for (char *c = plain; (c = strchr(c, '|')) != NULL;)
		*c = '/'; /* what follows a bar would be figures */
	len = snprintf(line, sizeof(line),
	    "[%llu] PROCESS_SERVICE_CHECK_RESULT;%s;%d;%s: %s - %s|value=%llu;;%llu\n",
	    (unsigned long long)(e->time / CLOCK_S), e->service, e->raised ? CRITICAL : OK,
	    e->name, e->raised ? "CRITICAL" : "OK", plain, (unsigned long long)e->value,
	    (unsigned long long)e->limit);
	rc = command_write(a->config->command_file, line, (size_t)len);
	if (rc == 0)
		return;
	counter_add(&a->suppressed, 1);
	log_limited(&a->faults, "alarm %s: %s: %s", e->name, a->config->command_file,
	    rc == ENXIO ? "nobody reads it" : rc == EINVAL ? "is no FIFO" : strerror(rc));
}

void
alarm_act(struct alarm_act *a, const struct alarm_event *e)
{
	char text[512];

	(void)alarm_event_text(e, text, sizeof(text));
	(void)log_limited(&a->lines, "alarm %s %s: %s", e->name,
	    e->raised ? "raised" : "cleared", text);
	act_exec(a, e, text);
	act_service(a, e, text);
}

void
alarm_act_missed(struct alarm_act *a, uint64_t n)
{
	if (n > 0)
		counter_add(&a->suppressed, n);
}

void
alarm_act_tidy(struct alarm_act *a)
{
	uint64_t n = atomic_load_explicit(&a->suppressed, memory_order_relaxed);

	(void)spawn_reap(a->pool);
	if (n == a->told)
		return;
	if (log_limited(&a->faults, "alarms: %llu programs or results were left out: too many "
	                            "at once", (unsigned long long)(n - a->told)))
		a->told = n;
}

uint64_t
alarm_act_suppressed(const struct alarm_act *a)
{
	return atomic_load_explicit(&a->suppressed, memory_order_relaxed);
}
