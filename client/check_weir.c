/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_weir: a plugin for Nagios, Icinga and whoever calls such plugins: one question to a
 * running weir, one line of answer with figures behind a bar, and an exit status: 0 OK, 1
 * WARNING, 2 CRITICAL, 3 UNKNOWN. What can be asked is a row of `modes`.
 */
#include "config.h"

#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "client/link.h"
#include "client/range.h"

#define TIMEOUT_S 10

enum status { OK, WARNING, CRITICAL, UNKNOWN };

static const char *const status_names[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };

/* How a figure is made of a row. */
enum kind {
	NUMBER,  /* a member */
	AGE,     /* seconds since a stamp */
	PERCENT, /* a member, of another */
	ROWS,    /* how many rows there are */
	FALSE_,  /* how many rows have a member that is false */
};

struct figure {
	const char *name;      /* for -m, and for the graph */
	enum kind kind;
	const char *member, *of;
	const char *unit;      /* for people */
	const char *uom;       /* for Nagios: s, %, c for counters */
};

struct mode {
	const char *name, *cmd, *key; /* key: member that NAME is compared with; NULL: none */
	const struct figure *figures; /* the first is what is asked where nothing is said */
	const char *critical;         /* range where none is given; NULL: none */
	const char *doc;
};

static const struct figure watch_figures[] = {
	{ "bytes_per_second", NUMBER, "bytes_per_second", NULL, "bytes per second", "B" },
	{ "packets_per_second", NUMBER, "packets_per_second", NULL, "packets per second", "" },
	{ "flows_per_second", NUMBER, "flows_per_second", NULL, "flows per second", "" },
	{ "age", AGE, "last_seen", NULL, "seconds without traffic", "s" },
	{ NULL, NUMBER, NULL, NULL, NULL, NULL },
};
static const struct figure view_figures[] = {
	{ "fill", PERCENT, "rows", "max_rows", "% of its rows in use", "%" },
	{ "rows", NUMBER, "rows", NULL, "rows", "" },
	{ "bytes", NUMBER, "bytes", NULL, "bytes", "c" },
	{ "packets", NUMBER, "packets", NULL, "packets", "c" },
	{ "age", AGE, "updated", NULL, "seconds since it was published", "s" },
	{ NULL, NUMBER, NULL, NULL, NULL, NULL },
};
static const struct figure exporter_figures[] = {
	{ "age", AGE, "last_seen", NULL, "seconds of silence", "s" },
	{ "missing", NUMBER, "missing", NULL, "missing by its sequence numbers", "c" },
	{ "malformed", NUMBER, "malformed", NULL, "datagrams malformed", "c" },
	{ NULL, NUMBER, NULL, NULL, NULL, NULL },
};
static const struct figure output_figures[] = {
	{ "age", AGE, "last_success", NULL, "seconds since it last wrote", "s" },
	{ "refused", NUMBER, "refused", NULL, "rows refused", "c" },
	{ "errors", NUMBER, "errors", NULL, "errors", "c" },
	{ NULL, NUMBER, NULL, NULL, NULL, NULL },
};
static const struct figure alarm_figures[] = {
	{ "alarms", ROWS, NULL, NULL, "alarms", "" },
	{ NULL, NUMBER, NULL, NULL, NULL, NULL },
};
static const struct figure book_figures[] = {
	{ "unbalanced", FALSE_, "balanced", NULL, "lines that do not balance", "" },
	{ NULL, NUMBER, NULL, NULL, NULL, NULL },
};

static const struct mode modes[] = {
	{ "watch", "watches", "watch", watch_figures, NULL, "a watch of watch_map" },
	{ "view", "views", "view", view_figures, NULL, "a view" },
	{ "exporter", "exporters", "address", exporter_figures, NULL,
	    "an exporter by its address; the worst of its domains" },
	{ "output", "outputs", "output", output_figures, NULL, "a plugin" },
	{ "alarms", "alarms", NULL, alarm_figures, "0", "thresholds that are crossed now" },
	{ "books", "books", NULL, book_figures, "0", "whether everything is accounted for" },
};
#define N_MODES (sizeof(modes) / sizeof(modes[0]))

struct check {
	const struct mode *mode;
	const struct figure *figure;
	const char *what, *socket;
	struct range warning, critical;
};

/* The end: one line and the status. */
static void __attribute__((noreturn, format(printf, 2, 3)))
finish(enum status s, const char *fmt, ...)
{
	va_list ap;

	printf("WEIR %s - ", status_names[s]);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	exit((int)s);
}

static void
on_alarm(int sig)
{
	static const char text[] = "WEIR UNKNOWN - no answer in time\n";

	(void)sig;
	(void)!write(STDOUT_FILENO, text, sizeof(text) - 1);
	_exit(UNKNOWN);
}

static void
usage(FILE *to)
{
	fputs("usage: check_weir [-s SOCKET] [-m FIGURE] [-w RANGE] [-c RANGE] [-t SECONDS]\n"
	      "           MODE [NAME]\n\n", to);
	for (size_t i = 0; i < N_MODES; i++) {
		fprintf(to, "  %-9s %s; figures:", modes[i].name, modes[i].doc);
		for (const struct figure *f = modes[i].figures; f->name != NULL; f++)
			fprintf(to, " %s", f->name);
		fputc('\n', to);
	}
}

static void
arguments_read(struct check *c, int argc, char **argv)
{
	const char *figure = NULL;
	struct err e = ERR_INIT;
	unsigned seconds = TIMEOUT_S;
	int o, rc = 0;

	while (rc == 0 && (o = getopt(argc, argv, "s:m:w:c:t:hV")) != -1) {
		switch (o) {
		case 's': c->socket = optarg; break;
		case 'm': figure = optarg; break;
		case 'w': rc = range_parse(&c->warning, optarg, &e); break;
		case 'c': rc = range_parse(&c->critical, optarg, &e); break;
		case 't': seconds = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'V': printf("check_weir " PACKAGE_VERSION "\n"); exit(UNKNOWN);
		case 'h': usage(stdout); exit(UNKNOWN);
		default: usage(stderr); exit(UNKNOWN);
		}
	}
	if (rc != 0)
		finish(UNKNOWN, "%s", e.text);
	for (size_t i = 0; optind < argc && i < N_MODES; i++)
		if (strcmp(argv[optind], modes[i].name) == 0)
			c->mode = &modes[i];
	if (c->mode == NULL || argc - optind != 1 + (c->mode->key != NULL)) {
		usage(stderr);
		exit(UNKNOWN);
	}
	c->what = argv[argc - 1];
	for (const struct figure *f = c->mode->figures; f->name != NULL; f++)
		if (figure == NULL ? f == c->mode->figures : strcmp(f->name, figure) == 0)
			c->figure = f;
	if (c->figure == NULL)
		finish(UNKNOWN, "%s has no figure '%s'", c->mode->name, figure);
	if (!c->critical.given && !c->warning.given && c->mode->critical != NULL)
		(void)range_parse(&c->critical, c->mode->critical, &e);
	alarm(seconds > 0 ? seconds : TIMEOUT_S);
}

/* Seconds since "2026-11-23T10:00:00.000Z"; -1 for never. */
static double
stamp_age(const char *stamp)
{
	struct tm tm = { 0 };

	if (stamp == NULL || strptime(stamp, "%Y-%m-%dT%H:%M:%S", &tm) == NULL)
		return -1;
	return difftime(time(NULL), timegm(&tm));
}

/* The figure of a row; below 0 where the row does not have it. */
static double
figure_of(const struct figure *f, const json_t *row)
{
	const json_t *v = f->member != NULL ? json_object_get(row, f->member) : NULL;
	double of;

	switch (f->kind) {
	case NUMBER:
		return json_is_number(v) ? json_number_value(v) : -1;
	case AGE:
		return stamp_age(json_string_value(v));
	case PERCENT:
		of = json_number_value(json_object_get(row, f->of));
		return json_is_number(v) && of > 0 ? 100 * json_number_value(v) / of : -1;
	case ROWS:
		return 1;
	case FALSE_:
		return json_is_false(v) ? 1 : 0;
	}
	return -1;
}

/* Ask, and find the figure: of rows that are meant the worst, or their number. */
static bool
figure_find(const struct check *c, double *value)
{
	bool counts = c->figure->kind == ROWS || c->figure->kind == FALSE_, found = counts;
	struct err e = ERR_INIT;
	struct link *l = link_open(link_path(c->socket), &e);
	json_t *row;
	int rc;

	*value = counts ? 0 : -1;
	if (l == NULL || link_ask(l, json_pack("{s:s}", "cmd", c->mode->cmd), &e) == NULL)
		finish(UNKNOWN, "%s", e.text);
	while ((rc = link_row(l, &row, &e)) == 1) {
		const char *key = c->mode->key != NULL
		                      ? json_string_value(json_object_get(row, c->mode->key))
		                      : "";
		double one;

		if (c->mode->key != NULL && (key == NULL || strcmp(key, c->what) != 0))
			continue;
		one = figure_of(c->figure, row);
		*value = counts ? *value + one : one > *value ? one : *value;
		found = true;
	}
	if (rc < 0)
		finish(UNKNOWN, "%s", e.text);
	link_close(l);
	return found;
}

int
main(int argc, char **argv)
{
	struct check c = { .mode = NULL };
	const char *name;
	enum status s;
	double value;

	(void)signal(SIGALRM, on_alarm);
	arguments_read(&c, argc, argv);
	name = c.mode->key != NULL ? c.what : "";
	if (!figure_find(&c, &value))
		finish(CRITICAL, "there is no %s '%s'", c.mode->name, c.what);
	if (value < 0) /* it has not happened yet */
		finish(c.figure->kind == AGE ? CRITICAL : UNKNOWN, "%s %s: %s: never", c.mode->name,
		    name, c.figure->unit);
	s = range_alerts(&c.critical, value) ? CRITICAL
	    : range_alerts(&c.warning, value) ? WARNING : OK;
	finish(s, "%s%s%s: %.15g %s | '%s'=%.15g%s;%s;%s;0", c.mode->name,
	    name[0] != '\0' ? " " : "", name, value,
	    c.figure->unit, c.figure->name, value, c.figure->uom,
	    c.warning.given ? c.warning.text : "", c.critical.given ? c.critical.text : "");
}
