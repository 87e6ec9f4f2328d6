/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Logs: one line, one event, subject first. Lines go to standard error, to a file or to
 * syslog (log_open). Whatever a packet can trigger goes through a struct log_limit and is
 * also a stat. Control characters in arguments become '?'. Any thread; a line is written
 * with one system call. Format: `2026-11-23T10:00:00.123Z WARN  ipfix 192.0.2.1/256: text`.
 */
#ifndef WEIR_LIB_LOG_H
#define WEIR_LIB_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

enum log_level { LOG_LEVEL_ERR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Topics of debug lines; a bit each. */
#define LOG_TOPICS(X) \
	X(PCAP, "pcap") X(TEMPLATE, "template") X(SNMP, "snmp") X(RRD, "rrd") X(SQL, "sql")
#define LOG_TOPIC_NAME(NAME, text) " " text
#define LOG_TOPIC_NAMES LOG_TOPICS(LOG_TOPIC_NAME) /* " pcap template" and so on */
enum log_topic {
#define X(NAME, text) LOG_##NAME,
	LOG_TOPICS(X)
#undef X
	LOG_N_TOPICS
};

/* Where lines go. */
struct log_config {
	const char *file;    /* path, NULL: standard error */
	const char *syslog;  /* facility by name ("daemon", "local0"), NULL: none */
	const char *ident;   /* syslog ident, NULL: "weir" */
	bool debug;          /* debug lines, */
	const char *topics;  /* of these topics, with commas between; NULL: of all */
};

/*
 * Start logging as `c` says; before it, lines go to standard error.
 * Returns 0, or -WEIR_EIO / -WEIR_EINVAL with `e` filled.
 */
int log_open(const struct log_config *c, struct err *e);

/* Open the log file anew (SIGHUP). A file that cannot be opened keeps the old one and says so. */
void log_reopen(void);

void log_close(void);

/* Whether lines go to standard error, and nowhere else. */
bool log_is_stderr(void);

void log_err(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(enum log_topic topic, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * A token bucket: `burst` lines at once, then one per `every_ns`. The first line after a
 * pause says how many were left out. One per subject (an exporter, a table); zero it and
 * fill the two first members. Used by one thread at a time.
 */
struct log_limit {
	uint32_t burst;
	uint64_t every_ns;
	uint64_t last_ns;   /* when a token was last added */
	uint32_t used;      /* tokens taken */
	uint64_t left_out;  /* lines dropped since the last that was written */
};

#define LOG_LIMIT_INIT { 5, UINT64_C(10000000000), 0, 0, 0 }

/*
 * Whether log_limited would write nothing now: then a line is left out, and need not even be
 * made.
 */
bool log_limit_spent(struct log_limit *l);

/* log_warn through a token bucket. Returns whether the line was written. */
bool log_limited(struct log_limit *l, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
