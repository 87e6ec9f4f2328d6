/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session: weir's side of AgentX, and the thread that speaks it. That thread makes
 * every call to libnetsnmp, which knows no locks; nobody else may. It answers from the
 * tree that it was given last and shares nothing else, so that a master which hangs can
 * hold up this thread (for some seconds: the library waits inside of calls) and nothing
 * else.
 *
 * libnetsnmp keeps its state in globals: there is one session in a process at a time.
 */
#ifndef WEIR_AGENT_SESSION_H
#define WEIR_AGENT_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/root.h"
#include "agent/tree.h"
#include "lib/err.h"

struct control;
struct notify;
struct stats;

struct session_config {
	const char *socket;          /* NULL: libnetsnmp's default */
	const char *boot_file;       /* keeps when sysUpTime was 0; NULL: nothing does */
	uint32_t reconnect;          /* s between attempts, and between looks for the master */
	struct control *control;     /* SETs; NULL: nothing may be set */
	bool ipfix;                  /* IPFIX-MIB is served, too */
	struct notify *notify;       /* what managers are told */
	struct stats *stats;         /* STAT_SNMP_... are counted there */
	size_t n_base;
	subid_t base[OID_BASE_MAX];  /* the root of the MIB */
};

struct session;

/* The path of AgentX socket `socket` (NULL: libnetsnmp's default); NULL: it is no UNIX socket. */
const char *session_socket_path(const char *socket);

/*
 * Keep libnetsnmp from looking for MIB files. Sets an environment variable: to be
 * called before there are threads.
 */
void session_prepare(void);

/*
 * Start the thread. A master that cannot be reached is no error: one line is logged and
 * it is tried again for as long as it takes. NULL with `e` filled when there is no
 * thread.
 */
struct session *session_start(const struct session_config *c, struct err *e);

/* Close the session and end the thread. */
void session_stop(struct session *s);

/*
 * How serving goes. SESSION_SERVES: a master has taken all that is to be served.
 * SESSION_REFUSED: it has not, for what is in `e`, and that once for each attempt.
 * SESSION_SILENT: else; there is no master, or nothing new. The thread that publishes.
 */
enum session_state { SESSION_SILENT, SESSION_SERVES, SESSION_REFUSED };
enum session_state session_state(struct session *s, struct err *e);

/* There may be something to notify. Any thread. */
void session_wake(struct session *s);

/*
 * Free the trees that the thread has read to their end. session_publish does it, too; it
 * saves memory to do it before the next tree is made. The thread that publishes.
 */
void session_collect(struct session *s);

/* Give the thread a newer tree. Takes `t`. Never waits; one other thread at a time. */
void session_publish(struct session *s, struct mib_tree *t);

#endif
