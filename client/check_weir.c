/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_weir: a plugin for Nagios, Icinga and whoever calls such plugins: one question to a
 * running weir, one line of answer with figures behind a bar, and an exit status: 0 OK, 1
 * WARNING, 2 CRITICAL, also when weir does not answer, 3 UNKNOWN: it was asked wrongly, or is
 * not allowed to ask (Monitoring Plugins Development Guidelines). What can be asked is a row
 * of `modes`.
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
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
#define FIGURES_MAX 6

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
	unsigned asked;              /* which of the mode's figures */
	const char *what, *socket;   /* what: NULL for all of the kind */
	struct range warning, critical;
};

/* What was found: of the rows that are meant, the one whose figure is the worst. */
struct finding {
	bool found;
	char name[128];
	double values[FIGURES_MAX];  /* below 0: it does not have it */
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
	static const char text[] = "WEIR CRITICAL - no answer in time\n";

	(void)sig;
	(void)!write(STDOUT_FILENO, text, sizeof(text) - 1);
	_exit(CRITICAL);
}

static void
usage(FILE *to)
{
	fputs("usage: check_weir [-s SOCKET] [-m FIGURE] [-w RANGE] [-c RANGE] [-t SECONDS]\n"
	      "           MODE [NAME]\n\n"
	      "  -s, --socket SOCKET     weir's control_socket\n"
	      "  -m, --metric FIGURE     which figure is compared; the first one if not given\n"
	      "  -w, --warning RANGE     10: below 0 or above 10; 10: (with colon): below 10;\n"
	      "                          ~:10: above 10; @10:20: from 10 to 20\n"
	      "  -c, --critical RANGE\n"
	      "  -t, --timeout SECONDS   how long weir may take to answer (10)\n"
	      "  -V, --version  -h, --help\n\n"
	      "Without NAME the worst of all is told.\n\n", to);
	for (size_t i = 0; i < N_MODES; i++) {
		fprintf(to, "  %-9s %s; figures:", modes[i].name, modes[i].doc);
		for (const struct figure *f = modes[i].figures; f->name != NULL; f++)
			fprintf(to, " %s", f->name);
		fputc('\n', to);
	}
}

static const struct option options[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "metric", required_argument, NULL, 'm' },
	{ "warning", required_argument, NULL, 'w' },
	{ "critical", required_argument, NULL, 'c' },
	{ "timeout", required_argument, NULL, 't' },
	{ "verbose", no_argument, NULL, 'v' }, /* which callers may add: there is no more to tell */
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* Which figure of the mode has the name, the first for NULL; the end where none has. */
static unsigned
figure_named(const struct mode *m, const char *name)
{
	unsigned i = 0;

	while (name != NULL && m->figures[i].name != NULL && strcmp(m->figures[i].name, name) != 0)
		i++;
	if (m->figures[i].name == NULL)
		finish(UNKNOWN, "%s has no figure '%s'", m->name, name);
	return i;
}

/* Read the options; the first argument behind them is left at `optind`. */
static void
options_read(struct check *c, int argc, char **argv, const char **figure)
{
	struct err e = ERR_INIT;
	unsigned seconds = TIMEOUT_S;
	int o, rc = 0;

	while (rc == 0 && (o = getopt_long(argc, argv, "s:m:w:c:t:vhV", options, NULL)) != -1) {
		switch (o) {
		case 's': c->socket = optarg; break;
		case 'm': *figure = optarg; break;
		case 'w': rc = range_parse(&c->warning, optarg, &e); break;
		case 'c': rc = range_parse(&c->critical, optarg, &e); break;
		case 't': seconds = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'v': break;
		case 'V': printf("check_weir " PACKAGE_VERSION "\n"); exit(UNKNOWN);
		case 'h': usage(stdout); exit(UNKNOWN);
		default: usage(stderr); exit(UNKNOWN);
		}
	}
	if (rc != 0)
		finish(UNKNOWN, "%s", e.text);
	alarm(seconds > 0 ? seconds : TIMEOUT_S);
}

static void
arguments_read(struct check *c, int argc, char **argv)
{
	const char *figure = NULL;
	struct err e = ERR_INIT;

	options_read(c, argc, argv, &figure);
	for (size_t i = 0; optind < argc && i < N_MODES; i++)
		if (strcmp(argv[optind], modes[i].name) == 0)
			c->mode = &modes[i];
	if (c->mode == NULL || argc - optind > 1 + (c->mode->key != NULL)) {
		usage(stderr);
		exit(UNKNOWN);
	}
	c->what = argc - optind == 2 ? argv[optind + 1] : NULL;
	c->asked = figure_named(c->mode, figure);
	if (!c->critical.given && !c->warning.given && c->mode->critical != NULL)
		(void)range_parse(&c->critical, c->mode->critical, &e);
}

/*
 * Seconds since "2026-11-23T10:00:00.000Z"; -1 for never. What comes from the future has just
 * happened: time(2) is behind the clock that weir reads by some milliseconds, so that a stamp
 * of a new second may come before it, and clocks are set back.
 */
static double
stamp_age(const char *stamp)
{
	struct tm tm = { 0 };
	double age;

	if (stamp == NULL || strptime(stamp, "%Y-%m-%dT%H:%M:%S", &tm) == NULL)
		return -1;
	age = difftime(time(NULL), timegm(&tm));
	return age > 0 ? age : 0;
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

/* What is to be said of figure `f` that is `value`; below 0: it has not happened yet. */
static enum status
value_status(const struct check *c, const struct figure *f, double value)
{
	if (value < 0)
		return f->kind == AGE ? CRITICAL : UNKNOWN;
	return range_alerts(&c->critical, value) ? CRITICAL
	     : range_alerts(&c->warning, value)  ? WARNING : OK;
}

/*
 * Whether `value` is worse than that of the row that was found: by what is to be said of it,
 * then by what never happened, then by how much it is; by how little, where only too little
 * is wrong.
 */
static bool
is_worse(const struct check *c, double value, double found)
{
	static const int weights[] = { [UNKNOWN] = 0, [OK] = 1, [WARNING] = 2, [CRITICAL] = 3 };
	const struct figure *f = &c->mode->figures[c->asked];
	const struct range *r = c->critical.given ? &c->critical : &c->warning;
	int order = weights[value_status(c, f, value)] - weights[value_status(c, f, found)];

	if (order != 0)
		return order > 0;
	if (value < 0 || found < 0)
		return value < 0 && found >= 0;
	return r->given && !r->inside && isinf(r->to) ? value < found : value > found;
}

/* Take note of a row: it is counted, or it may be the worst. */
static void
row_take(const struct check *c, const json_t *row, const char *name, struct finding *found)
{
	const struct figure *figures = c->mode->figures;

	if (c->mode->key == NULL) {
		found->values[0] += figure_of(&figures[0], row);
		return;
	}
	if (found->found &&
	    !is_worse(c, figure_of(&figures[c->asked], row), found->values[c->asked]))
		return;
	for (unsigned i = 0; figures[i].name != NULL; i++)
		found->values[i] = figure_of(&figures[i], row);
	(void)snprintf(found->name, sizeof(found->name), "%s", name);
	found->found = true;
}

/* A weir that is not there is what the check is for; a door that is locked to us is not. */
static enum status
refusal(const char *path)
{
	return access(path, R_OK | W_OK) != 0 && errno == EACCES ? UNKNOWN : CRITICAL;
}

static void
rows_read(const struct check *c, struct finding *found)
{
	const char *path = link_path(c->socket), *key = c->mode->key;
	struct err e = ERR_INIT;
	struct link *l = link_open(path, &e);
	json_t *row;
	int rc;

	if (l == NULL)
		finish(refusal(path), "%s", e.text);
	if (link_ask(l, json_pack("{s:s}", "cmd", c->mode->cmd), &e) == NULL)
		finish(UNKNOWN, "%s", e.text);
	found->found = key == NULL;
	while ((rc = link_row(l, &row, &e)) == 1) {
		const char *name = key != NULL ? json_string_value(json_object_get(row, key)) : "";

		if (name != NULL && (c->what == NULL || strcmp(name, c->what) == 0))
			row_take(c, row, name, found);
	}
	if (rc < 0)
		finish(UNKNOWN, "%s", e.text);
	link_close(l);
}

/* Behind the bar: the figure that was asked for with its limits, then the others. */
static void
figures_write(const struct check *c, const struct finding *found, char *out, size_t room)
{
	const struct figure *figures = c->mode->figures;
	size_t len = (size_t)snprintf(out, room, "'%s'=%.15g%s;%s;%s;0", figures[c->asked].name,
	    found->values[c->asked], figures[c->asked].uom,
	    c->warning.given ? c->warning.text : "", c->critical.given ? c->critical.text : "");

	for (unsigned i = 0; figures[i].name != NULL && len < room; i++)
		if (i != c->asked && found->values[i] >= 0)
			len += (size_t)snprintf(out + len, room - len, " '%s'=%.15g%s;;;0",
			    figures[i].name, found->values[i], figures[i].uom);
}

int
main(int argc, char **argv)
{
	struct check c = { .mode = NULL };
	struct finding found = { .found = false };
	const struct figure *f;
	char figures[512];
	enum status s;
	double value;

	(void)signal(SIGALRM, on_alarm);
	arguments_read(&c, argc, argv);
	rows_read(&c, &found);
	if (!found.found && c.what == NULL)
		finish(CRITICAL, "there is no %s", c.mode->name);
	if (!found.found)
		finish(CRITICAL, "there is no %s '%s'", c.mode->name, c.what);
	f = &c.mode->figures[c.asked];
	value = found.values[c.asked];
	s = value_status(&c, f, value);
	if (value < 0)
		finish(s, "%s %s: %s: never", c.mode->name, found.name, f->unit);
	figures_write(&c, &found, figures, sizeof(figures));
	finish(s, "%s%s%s: %.15g %s | %s", c.mode->name, found.name[0] != '\0' ? " " : "",
	    found.name, value, f->unit, figures);
}
