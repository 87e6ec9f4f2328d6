/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * weir replay: play what waits in a spool, or was set aside there, to a database: pmacct's
 * players for weir's own files. Where to is what the files say, a plugin of a configuration,
 * or what the options say.
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/main.h"
#include "daemon/options.h"
#include "daemon/settings.h"
#include "lib/log.h"
#include "sql/replay.h"
#include "sql/tablename.h"
#include "sql/writer.h"

static const char usage_text[] =
    "usage: weir replay [OPTIONS] LOG...\n"
    "\n"
    "LOG is a file or a folder: of sql_recovery_logfile, or state_dir/spool/PLUGIN.\n"
    "\n"
    "  -l         list the batches: number, collector, run, snapshot, bin (UTC), engine,\n"
    "             table, rows; write nothing\n"
    "  -t         test: read everything, write nothing\n"
    "  -d         print the rows; write nothing\n"
    "  -o N       begin with batch number N (the first is 1)\n"
    "  -n N       take N batches\n"
    "  -i         only insert: rows whose key is there are refused\n"
    "  -f FILE    write to the database of a plugin in this configuration\n"
    "  -p PLUGIN  its name; needed where the configuration has several SQL plugins\n"
    "  -e ENGINE  sqlite3, pgsql or mysql\n"
    "  -D DB -H HOST -U USER -T TABLE   instead of what the log or the configuration says\n"
    "\n"
    "A password comes from the configuration or from WEIR_SQL_PASSWD.\n";

struct replay_options {
	struct replay_config config;
	const char *file, *plugin, *engine, *db, *host, *user;
};

static int
number_read(const char *text, char option, uint64_t *to)
{
	char *end;

	errno = 0;
	*to = strtoull(text, &end, 10);
	if (*text != '-' && *text != '\0' && *end == '\0' && errno == 0 && *to > 0)
		return 0;
	fprintf(stderr, "weir replay: -%c %s: write a number from 1 on\n", option, text);
	return -1;
}

static int
option_take(struct replay_options *o, int c)
{
	switch (c) {
	case 'l': o->config.list = true; return 0;
	case 't': o->config.test = true; return 0;
	case 'd': o->config.rows = true; return 0;
	case 'i': o->config.only_insert = true; return 0;
	case 'o': return number_read(optarg, 'o', &o->config.first);
	case 'n': return number_read(optarg, 'n', &o->config.count);
	case 'f': o->file = optarg; return 0;
	case 'p': o->plugin = optarg; return 0;
	case 'e': o->engine = optarg; return 0;
	case 'D': o->db = optarg; return 0;
	case 'H': o->host = optarg; return 0;
	case 'U': o->user = optarg; return 0;
	case 'T': o->config.table = optarg; return 0;
	case 'P':
		fputs("weir replay: everybody can read a password in an option: put it into "
		      "WEIR_SQL_PASSWD\n", stderr);
		return -1;
	default:
		fputs(usage_text, stderr);
		return -1;
	}
}

/* The plugin of the configuration that writes SQL, the one that is asked for. */
static const struct plugin *
plugin_find(const struct settings *s, const char *name)
{
	const struct plugin *found = NULL;

	for (unsigned i = 0; i < s->n_plugins; i++) {
		const struct plugin *p = &s->plugins[i];

		if (p->ops->directives != &sql_directives ||
		    (name != NULL && strcmp(name, p->name) != 0))
			continue;
		if (found != NULL) {
			fputs("weir replay: the configuration has several SQL plugins: name "
			      "one with -p\n", stderr);
			return NULL;
		}
		found = p;
	}
	if (found == NULL)
		fputs("weir replay: the configuration has no such SQL plugin\n", stderr);
	return found;
}

static int
settings_take(struct replay_options *o, struct settings *s)
{
	struct options options = { .as = -1, .file = o->file };
	const struct plugin *p;
	struct err e = ERR_INIT;

	if (settings_load(s, &options, &e) != 0) {
		fprintf(stderr, "weir replay: %s\n", e.text);
		return -1;
	}
	settings_complain(s, stderr);
	if (s->problems.n_errors > 0 || (p = plugin_find(s, o->plugin)) == NULL)
		return -1;
	o->config.driver = sql_driver_find(p->ops->type);
	o->config.sql = *(const struct sql_config *)p->config;
	o->config.sql.vars = writer_vars(&p->common);
	if (o->config.sql.db == NULL && o->config.driver != NULL)
		o->config.sql.db = o->config.driver->default_db;
	return 0;
}

/* What options say comes last. */
static int
target_take(struct replay_options *o)
{
	struct replay_config *c = &o->config;
	char name[TABLENAME_MAX + 1];
	struct variables vars = { 0 };
	struct err e = ERR_INIT;

	if (o->engine != NULL && (c->driver = sql_driver_find(o->engine)) == NULL) {
		fprintf(stderr, "weir replay: -e %s: this build has no such engine\n", o->engine);
		return -1;
	}
	if (c->table != NULL && tablename_expand(c->table, &vars, name, &e) != 0) {
		fprintf(stderr, "weir replay: %s\n", e.text);
		return -1;
	}
	if (o->db != NULL)
		c->sql.db = o->db;
	if (o->host != NULL)
		c->sql.host = o->host;
	if (o->user != NULL)
		c->sql.user = o->user;
	return 0;
}

static int
logs_play(const struct replay_options *o, int n, char **logs)
{
	const struct replay_config *c = &o->config;
	struct replay *p = replay_new(c, stdout);
	const struct replay_tally *t;
	struct err e = ERR_INIT;
	int rc = p != NULL ? 0 : -1;

	for (int i = 0; rc == 0 && i < n; i++)
		if ((rc = replay_path(p, logs[i], &e)) != 0)
			fprintf(stderr, "weir replay: %s\n", e.text);
	if (p == NULL)
		return EXIT_FAILURE;
	t = replay_tally(p);
	fprintf(stderr, "%" PRIu64 " batches read, %" PRIu64 " rows", t->batches, t->rows);
	if (!c->list && !c->test && !c->rows)
		fprintf(stderr, "; %" PRIu64 " batches were there already, %" PRIu64
		    " rows refused", t->known, t->refused);
	fputc('\n', stderr);
	if (t->damaged > 0 || t->unread > 0 || t->refused > 0)
		rc = -1;
	replay_free(p);
	return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
cmd_replay(int argc, char **argv)
{
	struct replay_options o = { .config.first = 1 };
	struct settings s = { 0 };
	int c, status = EXIT_FAILURE;

	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(usage_text, stdout);
		return EXIT_SUCCESS;
	}
	while ((c = getopt(argc, argv, "ltdio:n:f:p:e:D:H:U:T:P:")) != -1)
		if (option_take(&o, c) != 0)
			return EXIT_FAILURE;
	if (optind == argc)
		fputs(usage_text, stderr);
	else if ((o.file == NULL || settings_take(&o, &s) == 0) && target_take(&o) == 0)
		status = logs_play(&o, argc - optind, argv + optind);
	settings_free(&s);
	return status;
}
