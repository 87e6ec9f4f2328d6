/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connecting to PostgreSQL: by libpq's calls that do not block, so that an attempt can be
 * given up. As libpq's own time limit does, each address of each host has its own.
 */
#include <inttypes.h>
#include <libpq-fe.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "sql/lookup.h"
#include "sql/pgsql_conn.h"

#define HOST_MAX 256U

/* Bring what has begun to its end. */
static int
conn_poll(struct sql_conn *c, struct attempt *a, struct err *e)
{
	uint64_t until = clock_mono() + SERVER_CONNECT_S * CLOCK_S;
	PostgresPollingStatusType next = PGRES_POLLING_WRITING;

	if (PQstatus(c->pg) == CONNECTION_BAD)
		return pgsql_error(c, WEIR_EIO, e);
	while (next != PGRES_POLLING_OK) {
		int got = attempt_wait(a, PQsocket(c->pg),
		    next == PGRES_POLLING_READING ? POLLIN : POLLOUT, until);

		if (got <= 0)
			return err_set(e, WEIR_EIO, "%s: %s", c->where,
			    got == 0 ? "no answer" : "given up, as weir ends");
		attempt_heard(a);
		if ((next = PQconnectPoll(c->pg)) == PGRES_POLLING_FAILED)
			return pgsql_error(c, WEIR_EIO, e);
	}
	return 0;
}

/* One server: `host` by its name, at `address` (NULL: a socket's folder, or the default). */
static int
address_try(struct sql_conn *c, const struct sql_config *config, struct attempt *a,
    const char *host, const char *address, struct err *e)
{
	char passwd[SERVER_PASSWD_MAX], port[16] = "";
	const char *names[] = { "dbname", "user", "password", "host", "hostaddr",
		"port", "sslmode", "sslrootcert", "client_encoding", "application_name",
		NULL };
	const char *values[] = { config->db,
		config->user != NULL ? config->user : SERVER_USER, passwd, host,
		address, port, config->ca_file != NULL ? "verify-full" : NULL,
		config->ca_file, "UTF8", "weir", NULL };
	int rc = server_passwd(config, passwd, e);

	if (rc != 0)
		return rc;
	if (config->port != 0)
		snprintf(port, sizeof(port), "%" PRIu32, config->port);
	attempt_heard(a);
	PQfinish(c->pg); /* of the address before */
	c->pg = PQconnectStartParams(names, values, 0);
	explicit_bzero(passwd, sizeof(passwd));
	if (c->pg == NULL)
		return err_set(e, WEIR_ENOMEM, "pgsql: no memory");
	return conn_poll(c, a, e);
}

/* The server called `host`, at each of its addresses. */
static int
host_try(struct sql_conn *c, const struct sql_config *config, struct attempt *a,
    const char *host, struct err *e)
{
	struct addrinfo *list;
	int rc;

	if (host == NULL || host[0] == '\0' || host[0] == '/' || host[0] == '@')
		return address_try(c, config, a, host, NULL, e);
	if ((rc = lookup_run(host, a, &list, e)) != 0)
		return rc;
	rc = -WEIR_EIO;
	for (const struct addrinfo *at = list;
	     at != NULL && rc != 0 && (at == list || !attempt_is_over(a)); at = at->ai_next) {
		char address[NI_MAXHOST];

		if (getnameinfo(at->ai_addr, at->ai_addrlen, address, sizeof(address),
			NULL, 0, NI_NUMERICHOST) == 0)
			rc = address_try(c, config, a, host, address, e);
	}
	freeaddrinfo(list);
	return rc;
}

int
pgsql_connect(struct sql_conn *c, const struct sql_config *config, struct attempt *a,
    struct err *e)
{
	const char *unix_path = server_unix_path(config->host);
	const char *hosts = unix_path != NULL ? unix_path : config->host;
	int rc;

	if (hosts == NULL || unix_path != NULL)
		return host_try(c, config, a, hosts, e);
	do {
		char host[HOST_MAX];
		size_t len = strcspn(hosts, ",");

		snprintf(host, sizeof(host), "%.*s", (int)len, hosts);
		rc = host_try(c, config, a, host, e);
		hosts += len + (hosts[len] == ',');
	} while (rc != 0 && *hosts != '\0' && !attempt_is_over(a));
	return rc;
}
