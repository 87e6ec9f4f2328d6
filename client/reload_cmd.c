/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "client/client.h"
#include "client/link.h"

#define USAGE \
	"usage: weir reload maps [-p SOCKET]\n" \
	"\n" \
	"Let a running weir read its lists and maps anew, as on SIGUSR2, and say what is wrong\n" \
	"with them. A file with errors changes nothing. The exit status is 1 then.\n" \
	"\n" \
	"  -p SOCKET      weir's control_socket; default $WEIR_SOCKET, /run/weir/weir.sock\n"

/* Ask, and tell each problem. Returns how many are errors, or -1 with `e` filled. */
static int
reload(struct link *l, struct err *e)
{
	json_t *request = json_object(), *row;
	int errors = 0, rc;

	json_object_set_new(request, "cmd", json_string("reload"));
	if (link_ask(l, request, e) == NULL)
		return -1;
	while ((rc = link_row(l, &row, e)) > 0) {
		const char *level = json_string_value(json_object_get(row, "level"));
		const char *text = json_string_value(json_object_get(row, "text"));

		if (level == NULL || text == NULL)
			continue;
		fprintf(stderr, "%s: %s\n", level, text);
		errors += strcmp(level, "error") == 0;
	}
	return rc == 0 ? errors : -1;
}

int
client_reload(int argc, char **argv)
{
	static const struct option longs[] = { { "socket", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
	struct err e = ERR_INIT;
	const char *socket = NULL;
	struct link *l;
	int opt, errors;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "p:h", longs, NULL)) != -1) {
		if (opt == 'p') {
			socket = optarg;
			continue;
		}
		fputs(USAGE, opt == 'h' ? stdout : stderr);
		return opt == 'h' ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	if (optind != argc - 1 || strcmp(argv[optind], "maps") != 0) {
		fputs(USAGE, stderr);
		return EXIT_FAILURE;
	}
	l = link_open(link_path(socket), &e);
	errors = l != NULL ? reload(l, &e) : -1;
	link_close(l);
	if (errors < 0)
		fprintf(stderr, "weir reload: %s\n", e.text);
	else if (errors == 0)
		puts("lists and maps are read anew");
	return errors == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
