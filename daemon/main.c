/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * weir: one program, several commands. The first argument names the command; each has a
 * function that takes the rest.
 */
#include "config.h"

#include "daemon/main.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "daemon/settings.h"
#ifdef WITH_RRD
#include "rrd/graph.h"
#endif

/* weir directives: the rows of all directives as a section of weir.conf(5). */
static int
cmd_directives(int argc, char **argv)
{
	const struct directive_set *const *sets = settings_sets();

	(void)argc, (void)argv;
	for (size_t i = 0; sets[i] != NULL; i++)
		directive_man(sets[i], stdout);
	return EXIT_SUCCESS;
}

static int
cmd_version(int argc, char **argv)
{
	(void)argc, (void)argv;
	puts("weir " PACKAGE_VERSION);
	return EXIT_SUCCESS;
}

static int cmd_help(int argc, char **argv);

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *doc;
} commands[] = {
	{ "run", cmd_run, "measure: the daemon" },
	{ "check", cmd_check, "check a configuration, showing all problems at once" },
#if defined(WITH_SQLITE) || defined(WITH_PGSQL) || defined(WITH_MYSQL)
	{ "replay", cmd_replay, "play what waits for a database, or list it" },
#endif
	{ "sql", cmd_sql, "print the statements that make the tables of a configuration" },
	{ "show", client_show, "show views, exporters, books, ... of a running weir" },
	{ "reload", client_reload, "let a running weir read lists and maps anew" },
	{ "top", client_top, "show the largest talkers, live" },
#ifdef WITH_RRD
	{ "graph", graph_main, "draw a graph from RRD archives" },
#endif
#ifdef WITH_SNMP
	{ "oid", cmd_oid, "print where in SNMP something is" },
	{ "doctor", cmd_doctor, "find out why SNMP does not show weir" },
#endif
	{ "directives", cmd_directives, "print what weir.conf(5) says of all directives" },
	{ "version", cmd_version, "print the version" },
	{ "help", cmd_help, "print this" },
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void
usage(FILE *to)
{
	fputs("usage: weir COMMAND [ARGUMENTS]; weir COMMAND --help tells more\n\n", to);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(to, "  %-12s %s\n", commands[i].name, commands[i].doc);
}

static int
cmd_help(int argc, char **argv)
{
	(void)argc, (void)argv;
	usage(stdout);
	return EXIT_SUCCESS;
}

static void
command_unknown(const char *name)
{
	const char *names[N_COMMANDS], *near;

	for (size_t i = 0; i < N_COMMANDS; i++)
		names[i] = commands[i].name;
	near = nearest_word(name, names, N_COMMANDS);
	fprintf(stderr, "weir: no command '%s'%s%s%s\n", name, near != NULL ? "; did you mean '" : "",
	    near != NULL ? near : "", near != NULL ? "'?" : "");
	if (near == NULL)
		usage(stderr);
}

static bool
is_called(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');

	return strcmp(slash != NULL ? slash + 1 : path, name) == 0;
}

int
main(int argc, char **argv)
{
	if (is_called(argv[0], "pmacct"))
		return client_memory(argc, argv);
	if (argc < 2) {
		usage(stderr);
		return EXIT_FAILURE;
	}
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return cmd_help(argc, argv);
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		return cmd_version(argc, argv);
	command_unknown(argv[1]);
	return EXIT_FAILURE;
}
