/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/idle.h"

#include <assert.h>
#include <string.h>

#include "flow/field.h"
#include "sql/driver.h"
#include "sql/server.h"

/* A plugin whose directives are looked at. */
struct plugin {
	const struct sql_driver *d;
	const struct output_config *common;
	const struct sql_config *c;
};

static bool
on_a_file(const struct plugin *p)
{
	return !p->d->server;
}

/* Whether the server is reached by a socket in the file system. */
static bool
by_socket(const struct plugin *p)
{
	const char *host = p->c->host;

	if (!p->d->server)
		return false;
	return host == NULL || host[0] == '/' || server_unix_path(host) != NULL ||
	       (p->d->local_socket && strcmp(host, "localhost") == 0);
}

/* PostgreSQL's port is a part of its socket's name. */
static bool
port_unused(const struct plugin *p)
{
	return p->d->local_socket && by_socket(p);
}

static bool
tls_unused(const struct plugin *p)
{
	return !p->d->local_socket && by_socket(p);
}

static bool
passwd_unused(const struct plugin *p)
{
	return p->c->passwd_file != NULL;
}

static bool
hosts_have_a_type(const struct plugin *p)
{
	return p->d->dialect.to_host == NULL;
}

static bool
protos_are_numbers(const struct plugin *p)
{
	return p->d->dialect.num_protos;
}

static bool
tables_of_one_kind(const struct plugin *p)
{
	return !p->d->dialect.typed;
}

static bool
version_of_one_kind(const struct plugin *p)
{
	return p->c->table_version >= 6;
}

static bool
table_is_own(const struct plugin *p)
{
	return p->c->optimize_clauses;
}

static bool
no_trigger(const struct plugin *p)
{
	return p->c->trigger_exec == NULL;
}

static bool
no_preprocess(const struct plugin *p)
{
	return p->c->preprocess == NULL;
}

static bool
no_history(const struct plugin *p)
{
	return p->common->history == NULL;
}

static bool
no_class(const struct plugin *p)
{
	const char *aggregate = p->common->aggregate;
	struct field_set set = { { 0 } };
	struct err e = ERR_INIT;

	return aggregate == NULL || (field_set_parse(aggregate, &set, &e) == 0 &&
					!field_set_has(&set, F_CLASS));
}

/* The first row that holds decides. */
static const struct {
	const char *name;
	bool (*holds)(const struct plugin *p);
	const char *why;
} rows[] = {
	{ "sql_host", on_a_file,
	    "SQLite has no server: write the path of the file as sql_db" },
	{ "sql_port", on_a_file, "SQLite has no server: leave it out" },
	{ "sql_port", port_unused,
	    "a socket has no port: write sql_host: 127.0.0.1 to have the port of this "
	    "machine" },
	{ "sql_user", on_a_file, "SQLite has no users: the file's permissions decide" },
	{ "sql_passwd", on_a_file,
	    "SQLite has no users: the file's permissions decide" },
	{ "sql_passwd", passwd_unused,
	    "sql_passwd_file has the password: leave one of them out" },
	{ "sql_passwd_file", on_a_file,
	    "SQLite has no users: the file's permissions decide" },
	{ "sql_conn_ca_file", on_a_file, "SQLite has no server: leave it out" },
	{ "sql_conn_ca_file", tls_unused,
	    "there is no TLS over a socket: write sql_host with the server's name" },
	{ "sql_locking_style", on_a_file,
	    "SQLite has one writer at a time always: leave it out" },
	{ "sql_num_hosts", hosts_have_a_type,
	    "PostgreSQL's INET holds addresses of both families: leave it out" },
	{ "sql_num_protos", protos_are_numbers,
	    "protocols are numbers in PostgreSQL's tables always: leave it out" },
	{ "sql_data", tables_of_one_kind,
	    "only PostgreSQL has two kinds of tables: write sql_table" },
	{ "sql_data", table_is_own,
	    "with sql_optimize_clauses the table is your own: write sql_table, and "
	    "sql_table_schema for types of your own" },
	{ "sql_data", version_of_one_kind,
	    "there is one kind of tables from sql_table_version 6 on: write "
	    "sql_table" },
	{ "sql_trigger_time", no_trigger,
	    "there is no trigger: write sql_trigger_exec" },
	{ "sql_trigger_exec_async", no_trigger,
	    "there is no trigger: write sql_trigger_exec" },
	{ "sql_trigger_limit", no_trigger,
	    "there is no trigger: write sql_trigger_exec" },
	{ "sql_preprocess_type", no_preprocess,
	    "there are no checks: write sql_preprocess" },
	{ "sql_aggressive_classification", no_class,
	    "rows have no class: write class in aggregate" },
	{ "sql_history_offset", no_history,
	    "there are no time bins: write sql_history" },
};

const char *
sql_idle(const struct output_ops *ops, const struct output_config *common,
    const void *config, const char *name)
{
	struct plugin p = { sql_driver_find(ops->type), common, config };

	assert(p.d != NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].name, name) == 0 && rows[i].holds(&p))
			return rows[i].why;
	return NULL;
}
