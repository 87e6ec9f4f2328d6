/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/outfile.h"
#include "lib/progress.h"

#define LINE_OCTETS 2048  /* of a line with its newline; longer ones are cut */
#define CUT         "..."

static const struct {
	const char *word;  /* five columns */
	int syslog;
} levels[] = {
	[LOG_LEVEL_ERR] = { "ERR  ", LOG_ERR },
	[LOG_LEVEL_WARN] = { "WARN ", LOG_WARNING },
	[LOG_LEVEL_INFO] = { "INFO ", LOG_INFO },
	[LOG_LEVEL_DEBUG] = { "DEBUG", LOG_DEBUG },
};

static const char *const topics[] = {
#define X(NAME, text) [LOG_##NAME] = text,
	LOG_TOPICS(X)
#undef X
};

_Static_assert(LOG_N_TOPICS < 32, "a bit for each topic");
#define ALL_TOPICS ((1U << LOG_N_TOPICS) - 1)

static const struct {
	const char *name;
	int facility;
} facilities[] = {
	{ "auth", LOG_AUTH },
	{ "authpriv", LOG_AUTHPRIV },
	{ "cron", LOG_CRON },
	{ "daemon", LOG_DAEMON },
	{ "ftp", LOG_FTP },
	{ "kern", LOG_KERN },
	{ "lpr", LOG_LPR },
	{ "mail", LOG_MAIL },
	{ "news", LOG_NEWS },
	{ "syslog", LOG_SYSLOG },
	{ "user", LOG_USER },
	{ "uucp", LOG_UUCP },
	{ "local0", LOG_LOCAL0 },
	{ "local1", LOG_LOCAL1 },
	{ "local2", LOG_LOCAL2 },
	{ "local3", LOG_LOCAL3 },
	{ "local4", LOG_LOCAL4 },
	{ "local5", LOG_LOCAL5 },
	{ "local6", LOG_LOCAL6 },
	{ "local7", LOG_LOCAL7 },
};

static atomic_int out_fd = STDERR_FILENO;  /* -1: syslog only */
static atomic_bool to_syslog;
static atomic_uint debug_topics;

/* Main thread only. */
static char file_path[PATH_MAX];  /* empty: no file */
static char syslog_ident[64];     /* openlog keeps the pointer */

/* A line under construction. */
struct line {
	char text[LINE_OCTETS];
	size_t len;
	size_t message;  /* where the message starts: syslog has its own time */
};

/* The facility's number, or -1. */
static int
facility_find(const char *name)
{
	for (size_t i = 0; i < sizeof(facilities) / sizeof(facilities[0]); i++)
		if (strcasecmp(facilities[i].name, name) == 0)
			return facilities[i].facility;
	return -1;
}

/* Open the file at `path` for appending. Returns its descriptor, or -1 with errno. */
static int
file_open(const char *path)
{
	return outfile_open(path, O_APPEND, 0640);
}

/*
 * Let lines go to `fd`, which is taken over. When a file is open already, the new one
 * takes its number in one step, so that a thread that is writing just now never meets a
 * closed descriptor or somebody else's.
 */
static void
out_take(int fd)
{
	int old = atomic_load(&out_fd);

	if (fd > STDERR_FILENO && old > STDERR_FILENO &&
	    dup3(fd, old, O_CLOEXEC) == old) {
		close(fd);
		return;
	}
	atomic_store(&out_fd, fd);
	if (old > STDERR_FILENO)
		close(old);
}

static int
topic_find(const char *name, size_t len)
{
	for (int i = 0; i < LOG_N_TOPICS; i++)
		if (strlen(topics[i]) == len && memcmp(topics[i], name, len) == 0)
			return i;
	return -1;
}

/* Set a bit of `bits` for each topic of `list`. */
static int
topics_read(const char *list, unsigned *bits, struct err *e)
{
	*bits = list == NULL ? ALL_TOPICS : 0;
	while (list != NULL && *list != '\0') {
		size_t len = strcspn(list, ", ");
		int topic = topic_find(list, len);

		if (topic < 0)
			return err_set(e, WEIR_EINVAL,
			    "debug_topics: no topic '%.*s'; there are" LOG_TOPIC_NAMES,
			    (int)len, list);
		*bits |= 1U << topic;
		list += len + strspn(list + len, ", ");
	}
	return 0;
}

int
log_open(const struct log_config *c, struct err *e)
{
	int facility = c->syslog != NULL ? facility_find(c->syslog) : 0;
	int fd = c->syslog != NULL ? -1 : STDERR_FILENO;
	unsigned bits;

	if (topics_read(c->topics, &bits, e) != 0)
		return -WEIR_EINVAL;
	if (facility < 0)
		return err_set(e, WEIR_EINVAL,
		    "syslog: no facility '%s'; there are auth, daemon, kern, mail, "
		    "user, local0 to local7 and the like", c->syslog);
	if (c->file != NULL) {
		if (strlen(c->file) >= sizeof(file_path))
			return err_set(e, WEIR_EINVAL, "logfile: name too long");
		fd = file_open(c->file);
		if (fd < 0)
			return err_set(e, WEIR_EIO, "logfile %s: %s", c->file,
			    outfile_error(errno));
	}
	snprintf(file_path, sizeof(file_path), "%s", c->file != NULL ? c->file : "");
	if (c->syslog != NULL) {
		snprintf(syslog_ident, sizeof(syslog_ident), "%s",
		    c->ident != NULL ? c->ident : "weir");
		openlog(syslog_ident, LOG_PID | LOG_NDELAY, facility);
	}
	atomic_store(&to_syslog, c->syslog != NULL);
	out_take(fd);
	atomic_store(&debug_topics, c->debug ? bits : 0);
	return 0;
}

void
log_reopen(void)
{
	int fd;

	if (file_path[0] == '\0')
		return;
	fd = file_open(file_path);
	if (fd < 0)
		log_err("logfile %s: %s; the old one is kept", file_path,
		    outfile_error(errno));
	else
		out_take(fd);
}

void
log_close(void)
{
	out_take(STDERR_FILENO);
	file_path[0] = '\0';
	if (atomic_exchange(&to_syslog, false))
		closelog();
}

bool
log_is_stderr(void)
{
	return atomic_load(&out_fd) == STDERR_FILENO && !atomic_load(&to_syslog);
}

static void
line_begin(struct line *l, enum log_level level)
{
	uint64_t now = clock_real();
	time_t s = (time_t)(now / CLOCK_S);
	unsigned ms = (unsigned)(now % CLOCK_S / CLOCK_MS);
	struct tm tm;

	gmtime_r(&s, &tm);
	l->len = strftime(l->text, sizeof(l->text), "%Y-%m-%dT%H:%M:%S", &tm);
	l->len += (size_t)snprintf(l->text + l->len, sizeof(l->text) - l->len,
	    ".%03uZ %s ", ms, levels[level].word);
	l->message = l->len;
}

/* Shorten a line that did not fit to a whole UTF-8 character and a mark. */
static void
line_cut(struct line *l)
{
	size_t len = sizeof(l->text) - sizeof(CUT) - 1;

	while (len > l->message && ((unsigned char)l->text[len] & 0xc0) == 0x80)
		len--;
	memcpy(l->text + len, CUT, sizeof(CUT));
	l->len = len + sizeof(CUT) - 1;
}

/* Append to a line. The last octet of `text` stays free, for the newline. */
static void __attribute__((format(printf, 2, 0)))
line_vadd(struct line *l, const char *fmt, va_list ap)
{
	size_t room = sizeof(l->text) - 1 - l->len;
	int n = vsnprintf(l->text + l->len, room, fmt, ap);

	if (n < 0)
		return;
	if ((size_t)n < room)
		l->len += (size_t)n;
	else
		line_cut(l);
}

static void __attribute__((format(printf, 2, 3)))
line_add(struct line *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line_vadd(l, fmt, ap);
	va_end(ap);
}

static void
line_end(struct line *l, enum log_level level)
{
	int fd = atomic_load(&out_fd);
	ssize_t n;

	for (size_t i = l->message; i < l->len; i++)
		if ((unsigned char)l->text[i] < ' ' || l->text[i] == 0x7f)
			l->text[i] = '?';
	if (atomic_load(&to_syslog)) {
		l->text[l->len] = '\0';
		syslog(levels[level].syslog, "%s", l->text + l->message);
	}
	if (fd < 0)
		return;
	if (fd == STDERR_FILENO)
		progress_wipe();
	l->text[l->len] = '\n';
	/* A log that cannot be written has nowhere to say so. */
	do
		n = write(fd, l->text, l->len + 1);
	while (n < 0 && errno == EINTR);
}

static void __attribute__((format(printf, 3, 0)))
log_line(enum log_level level, uint64_t left_out, const char *fmt, va_list ap)
{
	int saved = errno;
	struct line l;

	line_begin(&l, level);
	errno = saved; /* for %m */
	line_vadd(&l, fmt, ap);
	if (left_out > 0)
		line_add(&l, " (%llu more left out)", (unsigned long long)left_out);
	line_end(&l, level);
	errno = saved;
}

void
log_err(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_LEVEL_ERR, 0, fmt, ap);
	va_end(ap);
}

void
log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_LEVEL_WARN, 0, fmt, ap);
	va_end(ap);
}

void
log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_LEVEL_INFO, 0, fmt, ap);
	va_end(ap);
}

void
log_debug(enum log_topic topic, const char *fmt, ...)
{
	va_list ap;

	if (!(atomic_load_explicit(&debug_topics, memory_order_relaxed) & 1U << topic))
		return;
	va_start(ap, fmt);
	log_line(LOG_LEVEL_DEBUG, 0, fmt, ap);
	va_end(ap);
}

bool
log_limit_spent(struct log_limit *l)
{
	uint64_t now = clock_mono(), due;

	if (l->every_ns == 0)
		return false;
	if (now < l->last_ns) /* the clock was set back */
		l->last_ns = now;
	due = (now - l->last_ns) / l->every_ns;
	l->last_ns += due * l->every_ns;
	l->used -= due < l->used ? (uint32_t)due : l->used;
	if (l->used == 0) /* a full bucket gathers nothing */
		l->last_ns = now;
	if (l->used < l->burst)
		return false;
	l->left_out++;
	return true;
}

bool
log_limited(struct log_limit *l, const char *fmt, ...)
{
	va_list ap;

	if (log_limit_spent(l))
		return false;
	l->used++;
	va_start(ap, fmt);
	log_line(LOG_LEVEL_WARN, l->left_out, fmt, ap);
	va_end(ap);
	l->left_out = 0;
	return true;
}
