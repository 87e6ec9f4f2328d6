/* SPDX-License-Identifier: GPL-2.0-or-later */
/* weir oid and weir doctor: help with SNMP, from a configuration. */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/doctor.h"
#include "agent/oid.h"
#include "client/client.h"
#include "client/link.h"
#include "daemon/main.h"
#include "daemon/settings.h"

#define OID_USAGE \
	"usage: weir oid -f FILE VIEW [KEY...]\n" \
	"       weir oid -f FILE --watch NAME\n\n" \
	"Print the OIDs of a view, or of the entry of it whose key is KEY, in the form of\n" \
	"weirEntryKey: primitive=value for each of the view's primitives. Or of a watch.\n"
#define DOCTOR_USAGE \
	"usage: weir doctor snmp [-f FILE] [-a HOST[:PORT]] [-c COMMUNITY]\n\n" \
	"Look whether weir can reach snmpd, and a manager can see weir through it; and say\n" \
	"what to write where it cannot. Try it as the user that weir runs as.\n" \
	"  -f FILE        weir's configuration; without it, the defaults\n" \
	"  -a HOST[:PORT] where snmpd answers; default localhost\n" \
	"  -c COMMUNITY   that a manager would use; default public\n"

struct tool {
	struct options options;
	struct settings settings;
	struct engine *engine;
};

/* Read the configuration as weir run would. Returns whether it is fine, and says why not. */
static bool
tool_load(struct tool *t)
{
	struct err e = ERR_INIT;

	if (settings_load(&t->settings, &t->options, &e) != 0)
		fprintf(stderr, "weir: %s\n", e.text);
	else
		t->engine = settings_engine(&t->settings);
	if (t->settings.problems.n_errors > 0)
		settings_complain(&t->settings, stderr);
	return t->engine != NULL;
}

static void
tool_free(struct tool *t)
{
	engine_free(t->engine);
	settings_free(&t->settings);
}

/* The words of a key as one. */
static void
key_join(char *to, size_t room, char **words)
{
	size_t len = 0;

	to[0] = '\0';
	for (; *words != NULL && len < room; words++)
		len += (size_t)snprintf(to + len, room - len, "%s%s", len > 0 ? " " : "", *words);
}

int
cmd_oid(int argc, char **argv)
{
	static const struct option longs[] = { { "watch", required_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
	struct tool t = { .options = { .as = -1 } };
	const char *watch = NULL;
	struct err e = ERR_INIT;
	char key[2048];
	int o, rc = -1;

	while ((o = getopt_long(argc, argv, "f:h", longs, NULL)) != -1) {
		if (o == 'f')
			t.options.file = optarg;
		else if (o == 'w')
			watch = optarg;
		else
			return fputs(OID_USAGE, o == 'h' ? stdout : stderr), o != 'h';
	}
	if (t.options.file == NULL || (watch == NULL) == (optind == argc))
		return fputs(OID_USAGE, stderr), EXIT_FAILURE;
	if (tool_load(&t)) {
		key_join(key, sizeof(key), argv + optind + (watch == NULL));
		rc = watch != NULL
		         ? oid_print_watch(t.engine, watch, stdout, &e)
		         : oid_print(t.engine, argv[optind], key[0] != '\0' ? key : NULL, stdout, &e);
		if (rc != 0)
			fprintf(stderr, "weir: %s\n", e.text);
	}
	tool_free(&t);
	return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* The first SNMP plugin's configuration; what is global is the same in all. */
static const struct snmp_config *
snmp_find(const struct engine *en)
{
	for (unsigned i = 0; i < en->n_outputs; i++)
		if (en->outputs[i]->ops == &snmp_output)
			return en->outputs[i]->config;
	return NULL;
}

/*
 * Whoever is seen may be another weir: ask the one of this configuration whether it is served.
 * Returns the number of faults.
 */
static int
served_look(const char *socket)
{
	struct err e = ERR_INIT;
	char name[64];
	int n = client_failing(socket, "snmp", name, sizeof(name), &e);

	if (n < 0)
		printf("      not asked whether it is who is seen: %s\n", e.text);
	else if (n == 0)
		printf("ok    the weir at %s is served\n", socket);
	else
		printf("FAULT who is seen is not the weir at %s\n"
		       "      its plugin snmp[%s] is not served; its log says why. Where another "
		       "subagent has its OID,\n"
		       "      end that one, or set snmp_oid_base to another\n", socket, name);
	return n > 0;
}

int
cmd_doctor(int argc, char **argv)
{
	struct tool t = { .options = { .as = -1 } };
	struct doctor_config c = { .address = "localhost", .community = "public" };
	static const struct option longs[] = { { "help", no_argument, NULL, 'h' }, { 0 } };
	int o, faults = 1;

	while ((o = getopt_long(argc, argv, "a:c:f:h", longs, NULL)) != -1) {
		if (o == 'f')
			t.options.file = optarg;
		else if (o == 'a')
			c.address = optarg;
		else if (o == 'c')
			c.community = optarg;
		else
			return fputs(DOCTOR_USAGE, o == 'h' ? stdout : stderr), o != 'h';
	}
	if (argc - optind != 1 || strcmp(argv[optind], "snmp") != 0)
		return fputs(DOCTOR_USAGE, stderr), EXIT_FAILURE;
	if (tool_load(&t)) {
		const struct snmp_config *snmp = snmp_find(t.engine);

		if (snmp != NULL) {
			c.socket = snmp->socket;
			c.oid_base = snmp->oid_base;
			faults = doctor_snmp(&c, stdout);
			if (faults == 0)
				faults = served_look(link_path(t.settings.weir.control_socket));
		} else {
			puts("FAULT the configuration has no plugin of type snmp\n"
			     "      write plugins: snmp[NAME]");
		}
	}
	tool_free(&t);
	return faults == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
