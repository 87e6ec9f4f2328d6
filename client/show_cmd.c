/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "client/answer.h"
#include "client/client.h"
#include "client/link.h"
#include "client/show.h"
#include "lib/directive.h"

#define USAGE \
	"usage: weir show VIEW|views|exporters|interfaces|collectors|outputs|targets\n" \
	"           |rules|watches|thresholds|alarms|stats|books|classes|config\n" \
	"           [--json|--csv] [--top N] [--sort COLUMN [--reverse]] [--columns LIST|--all]\n" \
	"           [-p SOCKET]\n" \
	"       weir show [TABLE] -s | -c LIST -M VALUES | ...; weir show -h tells more\n" \
	"\n" \
	"Show what a running weir has counted. VIEW is a plugin that keeps running totals\n" \
	"(memory, snmp); `weir show views` lists them. `weir show books` exits with 1 when\n" \
	"something is unaccounted for.\n" \
	"\n" \
	"  --json         one JSON object per row\n" \
	"  --csv          comma-separated values, with a line of titles\n" \
	"  --top N        the first N rows only; of a view, the N largest\n" \
	"  --sort COLUMN  largest number or latest time first, texts and addresses upwards\n" \
	"  --reverse      the other way round\n" \
	"  --columns LIST only these, in this order, divided by commas\n" \
	"  --all          all columns: counters that are zero for all, and details, too; of\n" \
	"                 config, what holds by default, too\n" \
	"  -p SOCKET      weir's control_socket; default $WEIR_SOCKET, /run/weir/weir.sock\n"

enum show_form { SHOW_TEXT, SHOW_JSON, SHOW_CSV };

struct show {
	enum show_form form;
	const char *what, *sort, *columns, *socket;
	unsigned long top;
	bool reverse, all;
};

/* An answer on its way out: its rows come from the link, or from `kept` once it is read. */
struct rows {
	struct link *link;
	json_t *head;
	struct answer kept;
	bool is_kept;
	size_t next;
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
		{ "reverse", no_argument, NULL, 'r' },
		{ "columns", required_argument, NULL, 'C' },
		{ "all", no_argument, NULL, 'a' },
		{ "socket", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "p:h", longs, NULL)) != -1)
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
		case 'r':
			s->reverse = true;
			break;
		case 'C':
			s->columns = optarg;
			break;
		case 'a':
			s->all = true;
			break;
		case 'p':
			s->socket = optarg;
			break;
		case 'h':
			fputs(USAGE "\n" CLIENT_MEMORY_OPTIONS, stdout);
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

/* weir's own state. */
static const char *const tables[] = { "views", "exporters", "interfaces", "collectors", "outputs",
	"targets", "rules", "watches", "thresholds", "alarms", "stats", "books", "classes",
	"config" };
#define N_TABLES (sizeof(tables) / sizeof(tables[0]))

/* Whether `what` is one of them, not a view. */
static bool
is_table(const char *what)
{
	for (size_t i = 0; i < N_TABLES; i++)
		if (strcmp(what, tables[i]) == 0)
			return true;
	return false;
}

/* A view's rows may be many: weir itself picks the largest, where it knows the order. */
static bool
weir_sorts(const struct show *s)
{
	static const char *const sums[] = { "bytes", "packets", "flows" };

	if (is_table(s->what) || (s->sort != NULL && s->reverse))
		return false;
	for (size_t i = 0; s->sort != NULL && i < sizeof(sums) / sizeof(sums[0]); i++)
		if (strcmp(s->sort, sums[i]) == 0)
			return true;
	return s->sort == NULL;
}

static json_t *
request_make(const struct show *s)
{
	json_t *q = json_object();

	if (is_table(s->what)) {
		json_object_set_new(q, "cmd", json_string(s->what));
		if (s->all)
			json_object_set_new(q, "all", json_true());
		return q;
	}
	json_object_set_new(q, "cmd", json_string("view"));
	json_object_set_new(q, "view", json_string(s->what));
	if (s->sort != NULL && weir_sorts(s))
		json_object_set_new(q, "sort", json_string(s->sort));
	if (s->top != 0 && weir_sorts(s))
		json_object_set_new(q, "top", json_integer((json_int_t)s->top));
	return q;
}

/* Read and order the answer, where that is our part, and choose its columns. */
static int
rows_prepare(struct rows *r, const struct show *s, struct err *e)
{
	bool text = s->form == SHOW_TEXT;
	int rc = 0;

	r->is_kept = !weir_sorts(s) && json_object_get(r->head, "balanced") == NULL &&
	    (s->sort != NULL || s->top != 0 || text);
	if (r->is_kept) {
		if ((rc = answer_read(&r->kept, r->link, r->head, e)) != 0)
			return rc;
		if (s->sort != NULL)
			rc = answer_sort(&r->kept, s->sort, s->reverse, e);
		answer_top(&r->kept, s->top);
		if (text && !s->all && s->columns == NULL)
			answer_hide_zeros(&r->kept);
	}
	if (rc == 0 && s->columns != NULL)
		rc = answer_choose(r->head, s->columns, e);
	return rc;
}

/* As link_row. */
static int
rows_next(struct rows *r, json_t **row, struct err *e)
{
	if (!r->is_kept)
		return link_row(r->link, row, e);
	if (r->next == r->kept.n)
		return 0;
	*row = r->kept.rows[r->next++];
	return 1;
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
text_print(struct rows *r, struct err *e)
{
	const json_t *head = r->head;
	bool books = json_object_get(head, "balanced") != NULL;
	struct grid g = { 0 };
	bool balanced = true;
	json_t *row;
	int rc;

	show_titles(&g, head);
	while ((rc = rows_next(r, &row, e)) == 1)
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
rows_print(struct rows *r, const struct show *s, struct err *e)
{
	const json_t *head = r->head;
	const char *line;
	json_t *row;
	int rc;

	if (s->form == SHOW_CSV) {
		show_csv_titles(head, stdout);
		while ((rc = rows_next(r, &row, e)) == 1)
			show_csv(head, row, stdout);
	} else if (r->is_kept || s->columns != NULL) {
		while ((rc = rows_next(r, &row, e)) == 1)
			show_json(head, row, stdout);
	} else {
		while ((rc = link_line(r->link, &line, e)) == 1)
			puts(line);
	}
	return rc < 0 || json_is_false(json_object_get(head, "balanced")) ? EXIT_FAILURE
	                                                                   : EXIT_SUCCESS;
}

/* Who misspells a table is told that there is no such view. */
static void
complain(const struct show *s, const struct err *e)
{
	const char *near = NULL;

	if (e->code == WEIR_ENOENT && !is_table(s->what))
		near = nearest_word(s->what, tables, N_TABLES);
	fprintf(stderr, "weir show: %s%s%s%s\n", e->text, near != NULL ? "; did you mean '" : "",
	    near != NULL ? near : "", near != NULL ? "'?" : "");
}

static int
show(int argc, char **argv)
{
	struct show s = { .form = SHOW_TEXT };
	int status = options_parse(&s, argc, argv);
	struct err e = ERR_INIT;
	struct rows r = { 0 };

	if (status != -1)
		return status;
	status = EXIT_FAILURE;
	r.link = link_open(link_path(s.socket), &e);
	r.head = r.link != NULL ? link_ask(r.link, request_make(&s), &e) : NULL;
	if (r.head != NULL && rows_prepare(&r, &s, &e) == 0)
		status = s.form == SHOW_TEXT ? text_print(&r, &e) : rows_print(&r, &s, &e);
	answer_fini(&r.kept);
	link_close(r.link);
	if (e.code != 0)
		complain(&s, &e);
	return fflush(stdout) == 0 ? status : EXIT_FAILURE;
}

int
client_show(int argc, char **argv)
{
	return client_is_memory(argc, argv) ? client_memory(argc, argv) : show(argc, argv);
}
