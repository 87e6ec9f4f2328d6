/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "client/client.h"
#include "client/link.h"

#define OPTIONS      "sc:M:N:n:SrelT:tiCUaO:E:I0up:hV"
#define PMACCT_PATH  "/tmp/collect.pipe" /* where pmacct listens by default */
#define COUNTERS_ALL 4

enum action { ACT_NONE, ACT_ROWS, ACT_MATCH, ACT_SUMS, ACT_STATUS, ACT_CLEARED, ACT_CLASSES,
	ACT_PRIMITIVES, ACT_CLEAR };

struct request {
	enum action action;
	bool twice;             /* of actions, of which there can be one */
	const char *table, *path, *fields, *values, *separator;
	char *form;
	char *order;            /* counter[,N] */
	size_t counter;         /* in counters[]; COUNTERS_ALL: all */
	bool counted;           /* -n was given */
	bool sum, reset, clear, epoch, utc, numbers, all, help;
};

static const char *const counters[COUNTERS_ALL] = { "bytes", "packets", "flows", "entries" };

bool
client_is_memory(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (argv[i][0] == '-' && argv[i][1] != '\0' && argv[i][1] != ':' &&
		    strchr("-ph", argv[i][1]) == NULL && strchr(OPTIONS, argv[i][1]) != NULL)
			return true;
	return false;
}

static void
action_set(struct request *q, enum action a)
{
	q->twice |= q->action != ACT_NONE && q->action != a;
	q->action = a;
}

static size_t
counter_find(const char *option, const char *name)
{
	for (size_t i = 0; i < 3; i++)
		if (strcmp(name, counters[i]) == 0)
			return i;
	if (strcmp(name, "all") == 0)
		return COUNTERS_ALL;
	fprintf(stderr, "WARN: %s, ignoring unknown counter type: %s.\n", option, name);
	return 0;
}

static char *
lower(char *text)
{
	for (char *p = text; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return text;
}

static void
option_take(struct request *q, int opt)
{
	static const struct {
		int opt;
		enum action action;
	} actions[] = { { 's', ACT_ROWS }, { 'M', ACT_MATCH }, { 'N', ACT_SUMS },
		{ 't', ACT_STATUS }, { 'i', ACT_CLEARED }, { 'C', ACT_CLASSES },
		{ 'U', ACT_PRIMITIVES } };
	const struct {
		int opt;
		bool *to;
	} flags[] = { { 'S', &q->sum }, { 'r', &q->reset }, { 'e', &q->clear },
		{ 'I', &q->epoch }, { '0', &q->utc }, { 'u', &q->numbers }, { 'a', &q->all },
		{ 'h', &q->help }, { 'n', &q->counted } };
	const struct {
		int opt;
		const char **to;
	} texts[] = { { 'c', &q->fields }, { 'M', &q->values }, { 'N', &q->values },
		{ 'E', &q->separator }, { 'p', &q->path } };

	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (actions[i].opt == opt)
			action_set(q, actions[i].action);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (flags[i].opt == opt)
			*flags[i].to = true;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].opt == opt)
			*texts[i].to = optarg;
	if (opt == 'T')
		q->order = optarg;
	if (opt == 'O')
		q->form = lower(optarg);
	if (opt == 'n')
		q->counter = counter_find("-n", optarg);
}

static int
complain(const char *what)
{
	fprintf(stderr, "ERROR: %s\n", what);
	return EXIT_FAILURE;
}

/* Returns -1 to go on, or an exit status. */
static int
options_parse(struct request *q, int argc, char **argv)
{
	int opt;

	optind = 1;
	while ((opt = getopt(argc, argv, OPTIONS)) != -1) {
		if (opt == '?')
			return EXIT_FAILURE;
		if (opt == 'V')
			return puts("pmacct's client, as weir " PACKAGE_VERSION " has it") == EOF;
		option_take(q, opt);
	}
	if (q->help) {
		fputs("usage: weir show [TABLE] OPTIONS; pmacct OPTIONS\n" CLIENT_MEMORY_OPTIONS
		      "  -p SOCKET      imt_path of the table, or weir's control_socket\n", stdout);
		return EXIT_SUCCESS;
	}
	if (optind < argc)
		q->table = argv[optind++];
	if (optind < argc)
		return complain("one table at a time");
	if (q->twice)
		return complain("-s, -t, -N, -M, -i and -C options are each mutually exclusive.");
	if (q->action == ACT_NONE && !q->clear)
		return complain(
		    "no options specified. Either -s, -e, -t, -M, -N or -C must be supplied.");
	if ((q->action == ACT_MATCH || q->action == ACT_SUMS) && q->fields == NULL)
		return complain("-M and -N take primitives to match: -c");
	if (q->order != NULL && q->action != ACT_ROWS && q->action != ACT_MATCH)
		return complain("-T is for -s and -M");
	if (q->reset && q->action != ACT_MATCH && q->action != ACT_SUMS)
		return complain("-r resets what -M or -N show; -e clears all");
	if ((q->sum || q->counted) && q->action != ACT_SUMS)
		return complain("-n and -S are for -N");
	/* As pmacct: what is cleared is shown as rows, or not at all. */
	if (q->clear && q->action != ACT_ROWS && q->action != ACT_MATCH)
		q->action = ACT_CLEAR;
	return -1;
}

/* Take the blanks out of `line`. Returns whether it is a list: no comment, and not empty. */
static bool
line_is_list(char *line)
{
	char *to = line;

	for (const char *p = line; *p != '\0'; p++)
		if (!isspace((unsigned char)*p))
			*to++ = *p;
	*to = '\0';
	return line[0] != '\0' && line[0] != '!';
}

/* Lists of values: divided by ';', or the lines of a file. Returns whether it can be read. */
static bool
values_read(const char *text, json_t *to)
{
	char *copy = strdup(text), *save = NULL, line[4096];
	FILE *f;

	if (strncmp(text, "file:", 5) != 0) {
		for (char *list = strtok_r(copy, ";", &save); list != NULL;
		    list = strtok_r(NULL, ";", &save))
			json_array_append_new(to, json_string(list));
		free(copy);
		return true;
	}
	free(copy);
	if ((f = fopen(text + 5, "r")) == NULL) {
		fprintf(stderr, "ERROR: file '%s' not found\n", text + 5);
		return false;
	}
	while (fgets(line, sizeof(line), f) != NULL)
		if (line_is_list(line))
			json_array_append_new(to, json_string(line));
	fclose(f);
	return true;
}

static void
order_set(const struct request *q, json_t *to)
{
	char *comma = strchr(q->order, ',');
	size_t by;

	if (comma != NULL)
		*comma = '\0';
	by = counter_find("-T", q->order);
	json_object_set_new(to, "sort", json_string(counters[by < 3 ? by : 0]));
	if (comma != NULL && atoi(comma + 1) > 0)
		json_object_set_new(to, "top", json_integer(atoi(comma + 1)));
}

static void
text_set(json_t *to, const char *name, const char *text)
{
	if (text != NULL)
		json_object_set_new(to, name, json_string(text));
}

/* Whether what is shown is taken away. */
static bool
takes(const struct request *q)
{
	return q->reset || (q->clear && q->action != ACT_CLEAR);
}

/* What to ask weir; NULL when something is wrong with it, which has been said. */
static json_t *
request_make(const struct request *q)
{
	static const char *const asks[] = { [ACT_ROWS] = "rows", [ACT_MATCH] = "rows",
		[ACT_SUMS] = "sums", [ACT_CLEAR] = "clear", [ACT_STATUS] = "status",
		[ACT_CLEARED] = "status", [ACT_CLASSES] = "status",
		[ACT_PRIMITIVES] = "status" };
	json_t *to = json_object(), *match = json_array();

	text_set(to, "cmd", "memory");
	text_set(to, "ask", asks[q->action]);
	text_set(to, "view", q->table);
	text_set(to, "form", q->form);
	if (q->separator != NULL && q->separator[0] != '\0')
		text_set(to, "separator", q->separator);
	json_object_set_new(to, "epoch", json_boolean(q->epoch));
	json_object_set_new(to, "utc", json_boolean(q->utc));
	json_object_set_new(to, "num_protos", json_boolean(q->numbers));
	json_object_set_new(to, "all", json_boolean(q->all));
	json_object_set_new(to, "reset", json_boolean(q->reset));
	json_object_set_new(to, "clear", json_boolean(q->clear));
	json_object_set_new(to, "confirm", json_boolean(takes(q)));
	if (q->order != NULL)
		order_set(q, to);
	json_object_set_new(to, "match", match);
	if (q->values == NULL)
		return to;
	text_set(to, "fields", q->fields);
	if (values_read(q->values, match))
		return to;
	json_decref(to);
	return NULL;
}

/* A row is an object, to be shown as it is, or a string. Few strings have something escaped. */
static void
row_print(const char *line)
{
	json_t *text;

	if (line[0] != '"') {
		puts(line);
	} else if (strchr(line, '\\') == NULL) {
		printf("%.*s\n", (int)strlen(line) - 2, line + 1);
	} else {
		text = json_loads(line, JSON_DECODE_ANY, NULL);
		puts(text != NULL ? json_string_value(text) : line);
		json_decref(text);
	}
}

static int
rows_print(const struct request *q, struct link *l, const json_t *head, struct err *e)
{
	const char *title = json_string_value(json_object_get(head, "title")), *line;
	bool padded = q->form == NULL || strcmp(q->form, "formatted") == 0 ||
	    strcmp(q->form, "event_formatted") == 0;
	size_t n = 0;
	int rc;

	if (title != NULL && *title != '\0')
		puts(title);
	for (; (rc = link_line(l, &line, e)) == 1; n++)
		row_print(line);
	if (rc == 0 && padded)
		printf("\nFor a total of: %zu entries\n", n);
	return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void
sums_line(const json_int_t *v, size_t counter)
{
	if (counter == COUNTERS_ALL)
		printf("%" JSON_INTEGER_FORMAT " %" JSON_INTEGER_FORMAT " %" JSON_INTEGER_FORMAT
		       " %" JSON_INTEGER_FORMAT "\n", v[1], v[0], v[2], v[3]);
	else
		printf("%" JSON_INTEGER_FORMAT "\n", v[counter]);
}

static int
sums_print(const struct request *q, struct link *l, struct err *e)
{
	json_int_t sum[COUNTERS_ALL] = { 0 };
	json_t *row;
	int rc;

	while ((rc = link_row(l, &row, e)) == 1) {
		json_int_t v[COUNTERS_ALL];

		for (size_t i = 0; i < COUNTERS_ALL; i++) {
			v[i] = json_integer_value(json_object_get(row, counters[i]));
			sum[i] += v[i];
		}
		if (!q->sum)
			sums_line(v, q->counter);
	}
	if (rc == 0 && q->sum)
		sums_line(sum, q->counter);
	return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int
answer_print(const struct request *q, struct link *l, const json_t *head, struct err *e)
{
	const json_t *since = json_object_get(head, "cleared_s");

	switch (q->action) {
	case ACT_ROWS:
	case ACT_MATCH:
		return rows_print(q, l, head, e);
	case ACT_SUMS:
		return sums_print(q, l, e);
	case ACT_CLEAR:
		puts("OK: Clearing stats.");
		break;
	case ACT_CLEARED:
		if (since != NULL)
			printf("%" JSON_INTEGER_FORMAT "\n", json_integer_value(since));
		else
			puts("never");
		break;
	case ACT_CLASSES:
		fputs("CLASS_ID\tCLASS_NAME\n\nFor a total of: 0 classifiers\n", stdout);
		break;
	case ACT_PRIMITIVES:
		puts("NAME                              LEN    OFF");
		break;
	case ACT_STATUS:
	case ACT_NONE:
		printf("%s: %" JSON_INTEGER_FORMAT " of at most %" JSON_INTEGER_FORMAT " entries\n",
		    json_string_value(json_object_get(head, "table")),
		    json_integer_value(json_object_get(head, "entries")),
		    json_integer_value(json_object_get(head, "max_entries")));
		break;
	}
	return EXIT_SUCCESS;
}

/* Tell weir that what it reset is out; before that it would put it back, were we to die. */
static int
reset_confirm(const struct request *q, struct link *l, struct err *e)
{
	struct err why = ERR_INIT;
	json_t *to;

	if (fflush(stdout) != 0 || ferror(stdout)) {
		err_set(e, WEIR_EIO, "standard output: %s; nothing was reset", strerror(errno));
		return EXIT_FAILURE;
	}
	to = json_object();
	text_set(to, "cmd", "memory");
	text_set(to, "ask", "confirm");
	text_set(to, "view", q->table);
	if (link_ask(l, to, &why) != NULL)
		return EXIT_SUCCESS;
	err_set(e, WEIR_EIO, "%s; what was shown may not have been reset", why.text);
	return EXIT_FAILURE;
}

/* pmacct's own place where somebody called it by that name, and something listens there. */
static const char *
default_path(const char *name)
{
	const char *slash = strrchr(name, '/');

	name = slash != NULL ? slash + 1 : name;
	return strcmp(name, "pmacct") == 0 && access(PMACCT_PATH, F_OK) == 0 ? PMACCT_PATH : NULL;
}

int
client_memory(int argc, char **argv)
{
	struct request q = { .action = ACT_NONE };
	int status = options_parse(&q, argc, argv);
	struct err e = ERR_INIT;
	struct link *l = NULL;
	const json_t *head;
	json_t *request;

	if (status != -1)
		return status;
	status = EXIT_FAILURE;
	if ((request = request_make(&q)) == NULL)
		return EXIT_FAILURE;
	l = link_open(link_path(q.path != NULL ? q.path : default_path(argv[0])), &e);
	if (l == NULL)
		json_decref(request);
	else if ((head = link_ask(l, request, &e)) != NULL)
		status = answer_print(&q, l, head, &e);
	if (status == EXIT_SUCCESS && takes(&q))
		status = reset_confirm(&q, l, &e);
	link_close(l);
	if (e.code != 0)
		fprintf(stderr, "ERROR: %s\n", e.text);
	return fflush(stdout) == 0 ? status : EXIT_FAILURE;
}
