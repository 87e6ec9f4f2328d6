/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "client/client.h"
#include "client/link.h"
#include "client/show.h"

#define USAGE \
	"usage: weir show VIEW|views|exporters|collectors|outputs|stats|books\n" \
	"           [--json|--csv] [--top N] [--sort bytes|packets|flows] [-s SOCKET]\n" \
	"\n" \
	"Show what a running weir has counted. VIEW is a plugin that keeps running totals\n" \
	"(memory, snmp); `weir show views` lists them. `weir show books` exits with 1 when\n" \
	"something is unaccounted for.\n" \
	"\n" \
	"  --json         one JSON object per row\n" \
	"  --csv          comma-separated values, with a line of titles\n" \
	"  --top N        the N largest rows only\n" \
	"  --sort WHAT    largest first, by bytes, packets or flows\n" \
	"  -s SOCKET      weir's control_socket; default $WEIR_SOCKET, /run/weir/weir.sock\n"

enum show_form { SHOW_TEXT, SHOW_JSON, SHOW_CSV };

struct show {
	enum show_form form;
	const char *what, *sort, *socket;
	unsigned long top;
};

static bool
number_parse(const char *text, unsigned long *out)
{
	char *end;

	*out = strtoul(text, &end, 10);
	return *text >= '0' && *text <= '9' && *end == '\0' && *out <= UINT32_MAX;
}

/* Returns -1 to go on, or an exit status. */
static int
options_parse(struct show *s, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "csv", no_argument, NULL, 'c' },
		{ "top", required_argument, NULL, 'n' },
		{ "sort", required_argument, NULL, 'o' },
		{ "socket", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "s:h", longs, NULL)) != -1)
		switch (opt) {
		case 'j':
			s->form = SHOW_JSON;
			break;
		case 'c':
			s->form = SHOW_CSV;
			break;
		case 'n':
			if (!number_parse(optarg, &s->top)) {
				fprintf(stderr, "weir show: --top %s is no number\n",
				    optarg);
				return EXIT_FAILURE;
			}
			break;
		case 'o':
			s->sort = optarg;
			break;
		case 's':
			s->socket = optarg;
			break;
		case 'h':
			fputs(USAGE, stdout);
			return EXIT_SUCCESS;
		default:
			fputs(USAGE, stderr);
			return EXIT_FAILURE;
		}
	if (optind != argc - 1) {
		fputs(USAGE, stderr);
		return EXIT_FAILURE;
	}
	s->what = argv[optind];
	return -1;
}

static json_t *
request_make(const struct show *s)
{
	static const char *const tables[] = { "views", "exporters", "collectors",
		"outputs", "stats", "books" };
	json_t *q = json_object();

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (strcmp(s->what, tables[i]) == 0) {
			json_object_set_new(q, "cmd", json_string(tables[i]));
			return q;
		}
	json_object_set_new(q, "cmd", json_string("view"));
	json_object_set_new(q, "view", json_string(s->what));
	if (s->sort != NULL)
		json_object_set_new(q, "sort", json_string(s->sort));
	if (s->top != 0)
		json_object_set_new(q, "top", json_integer((json_int_t)s->top));
	return q;
}

/* What a view's table leaves unsaid. */
static void
view_summary(const json_t *head, size_t shown)
{
	static const char *const members[] = { "total", "other" };

	printf("\n%zu of %" JSON_INTEGER_FORMAT " rows", shown,
	    json_integer_value(json_object_get(head, "rows")));
	for (size_t i = 0; i < 2; i++) {
		const json_t *s = json_object_get(head, members[i]);

		printf("; %s %" JSON_INTEGER_FORMAT " packets, %" JSON_INTEGER_FORMAT
		       " bytes",
		    i == 0 ? "total" : "without a row",
		    json_integer_value(json_object_get(s, "packets")),
		    json_integer_value(json_object_get(s, "bytes")));
	}
	putchar('\n');
}

static int
text_print(struct link *l, const json_t *head, struct err *e)
{
	bool books = json_object_get(head, "balanced") != NULL;
	struct grid g = { 0 };
	bool balanced = true;
	json_t *row;
	int rc;

	show_titles(&g, head);
	while ((rc = link_row(l, &row, e)) == 1)
		if (books)
			balanced &= show_books_line(row, stdout);
		else
			show_cells(&g, head, row);
	if (rc == 0 && !books)
		grid_print(&g, stdout);
	if (rc == 0 && json_object_get(head, "total") != NULL)
		view_summary(head, grid_rows(&g));
	grid_fini(&g);
	return rc < 0 || !balanced ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* JSON and CSV are written row by row: a table may be long. */
static int
rows_print(struct link *l, const json_t *head, enum show_form form, struct err *e)
{
	const json_t *balanced = json_object_get(head, "balanced");
	const char *line;
	json_t *row;
	int rc;

	if (form == SHOW_CSV) {
		show_csv_titles(head, stdout);
		while ((rc = link_row(l, &row, e)) == 1)
			show_csv(head, row, stdout);
	} else {
		while ((rc = link_line(l, &line, e)) == 1)
			puts(line);
	}
	return rc < 0 || json_is_false(balanced) ? EXIT_FAILURE : EXIT_SUCCESS;
}

int
client_show(int argc, char **argv)
{
	struct show s = { .form = SHOW_TEXT };
	int status = options_parse(&s, argc, argv);
	struct err e = ERR_INIT;
	struct link *l;
	json_t *head;

	if (status != -1)
		return status;
	status = EXIT_FAILURE;
	l = link_open(link_path(s.socket), &e);
	head = l != NULL ? link_ask(l, request_make(&s), &e) : NULL;
	if (head != NULL)
		status = s.form == SHOW_TEXT ? text_print(l, head, &e) :
		    rows_print(l, head, s.form, &e);
	link_close(l);
	if (e.code != 0)
		fprintf(stderr, "weir show: %s\n", e.text);
	return fflush(stdout) == 0 ? status : EXIT_FAILURE;
}
