/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server: what the drivers of database servers share: the account, its password, the
 * address, and the time zone of a session. Any thread.
 */
#ifndef WEIR_SQL_SERVER_H
#define WEIR_SQL_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"
#include "sql/config.h"

#define SERVER_USER   "pmacct"        /* pmacct's defaults */
#define SERVER_PASSWD "arealsmartpwd"
#define SERVER_PASSWD_ENV "WEIR_SQL_PASSWD"
#define SERVER_PASSWD_MAX 4096U /* tokens of cloud services have some 2000 octets */
#define SERVER_ZONE_MAX 8U

/* How long a server may take to answer at all, and to say that it is still there; s. */
#define SERVER_CONNECT_S 10
#define SERVER_SILENCE_S 60

/*
 * The password of `c` to `buf`: the first line of its file, else sql_passwd, else what the
 * environment has in WEIR_SQL_PASSWD, else pmacct's default. Returns 0, or -WEIR_EIO with
 * `e` where there is no such file, it may be read by others, or that is too long.
 */
int server_passwd(const struct sql_config *c, char buf[SERVER_PASSWD_MAX], struct err *e);

/* The path of "unix:/path", or NULL where `host` is none. */
const char *server_unix_path(const char *host);

/* Offset of local time (UTC with `utc`) from UTC as it is now: "+02:00". */
void server_zone(bool utc, char buf[SERVER_ZONE_MAX]);

/*
 * Of the connected socket `fd`, a library's: have a peer that is gone, or takes nothing of
 * what is sent, noticed in SERVER_SILENCE_S, and give out a descriptor of our own. By that another thread can cut the
 * connection though the library may close `fd` at any time, whose number may then be another
 * file's. -1: there is none to be had.
 */
int server_socket_watch(int fd);

/*
 * From now on rows are on their way (`loads`), or no more. While they are, who takes nothing
 * for long may only be busy: then it is the system that gives up a peer that is gone, by default
 * after some 15 minutes, or in SERVER_SILENCE_S where its answer is waited for.
 */
void server_socket_loads(int own, bool loads);

/* Cut it: the peer looks gone, to whatever waits for it. Any thread. */
void server_socket_cut(int own);

/* Close `own`; -1: there is none. After the library has closed its own. */
void server_socket_close(int own);

#endif
