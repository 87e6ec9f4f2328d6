/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "client/client.h"
#include "client/top.h"
#include "lib/clock.h"

#define USAGE \
	"usage: weir top [VIEW] [--once|--json] [--interval SECONDS] [-n ROWS]\n" \
	"           [--sort bytes|packets|flows] [--filter TEXT] [-p SOCKET]\n" \
	"\n" \
	"Show the rows of a view that grow fastest. VIEW is a plugin that keeps running totals\n" \
	"(memory, snmp); without it, the first one. Keys: q quit, s sort, p pause, v next view,\n" \
	"e exporters, / filter, arrows scroll.\n" \
	"\n" \
	"  --once         print one table, of the rates of at least a second, and end\n" \
	"  --json         the same as a JSON object\n" \
	"  --interval S   with these, of at least so many seconds\n" \
	"  -n ROWS        rows at most: 20 with --once, else 500\n" \
	"  --sort WHAT    by bytes, packets or flows\n" \
	"  --filter TEXT  only rows that hold it somewhere, in small or capital letters, among\n" \
	"                 the 20,000 that grow fastest\n" \
	"  -p SOCKET      weir's control_socket; default $WEIR_SOCKET, /run/weir/weir.sock\n"

#define ROWS_ONCE   20
#define ROWS_SCREEN 500
#define ROWS_MAX    100000UL
#define WAIT_STEP   (50 * (long)CLOCK_MS)
#define WAIT_STEPS  100 /* five seconds without a round of the publisher: give up */

#define INTERVAL_MAX 86400UL

struct options {
	struct top top;
	bool once, json;
	unsigned interval_s; /* 0: not given */
};

static int
number_parse(const char *option, const char *text, unsigned long max, unsigned *out)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || n == 0 || n > max) {
		fprintf(stderr, "weir top: %s %s is no number from 1 to %lu\n", option, text,
		    max);
		return -1;
	}
	*out = (unsigned)n;
	return 0;
}

/* Returns -1 to go on, or an exit status. */
static int
options_parse(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "once", no_argument, NULL, '1' },
		{ "json", no_argument, NULL, 'j' },
		{ "interval", required_argument, NULL, 'i' },
		{ "filter", required_argument, NULL, 'f' },
		{ "sort", required_argument, NULL, 'o' },
		{ "socket", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *given = NULL;
	int opt;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "n:p:h", longs, NULL)) != -1)
		switch (opt) {
		case '1':
			o->once = true;
			break;
		case 'j':
			o->json = o->once = true;
			break;
		case 'n':
			if (number_parse("-n", optarg, ROWS_MAX, &o->top.rows) != 0)
				return EXIT_FAILURE;
			break;
		case 'i':
			if (number_parse("--interval", optarg, INTERVAL_MAX, &o->interval_s) != 0)
				return EXIT_FAILURE;
			break;
		case 'f':
			o->top.filter = optarg;
			break;
		case 'o':
			o->top.sort = optarg;
			break;
		case 'p':
			given = optarg;
			break;
		case 'h':
			fputs(USAGE, stdout);
			return EXIT_SUCCESS;
		default:
			fputs(USAGE, stderr);
			return EXIT_FAILURE;
		}
	if (optind < argc - 1) {
		fputs(USAGE, stderr);
		return EXIT_FAILURE;
	}
	if (o->interval_s != 0 && !o->once) {
		fputs("weir top: --interval is for --once and --json\n", stderr);
		return EXIT_FAILURE;
	}
	o->top.view = argv[optind];
	o->top.path = link_path(given);
	if (o->top.rows == 0)
		o->top.rows = o->once ? ROWS_ONCE : ROWS_SCREEN;
	return -1;
}

static void
sample_print(const struct sample *m)
{
	char line[256];

	for (unsigned i = 0; i < SAMPLE_LINES; i++) {
		sample_line(m, i, line, sizeof(line));
		puts(line);
	}
	putchar('\n');
	grid_print(&m->grid, stdout);
}

/* Two samples, by the publisher's rounds at least `interval_s` apart. */
static int
samples_take(struct sampler *s, const struct top *t, unsigned interval_s, struct sample *m,
    struct err *e)
{
	static const struct timespec step = { 0, WAIT_STEP };
	struct timespec wait = { .tv_sec = interval_s };
	struct sample_request q = { .view = t->view, .sort = t->sort, .rows = t->rows,
		.filter = t->filter, .least = interval_s * CLOCK_S };
	int rc = sampler_take(s, &q, m, e);

	for (int i = 0; rc >= 0 && i < WAIT_STEPS && m->interval == 0; i++) {
		nanosleep(i == 0 ? &wait : &step, NULL);
		rc = sampler_take(s, &q, m, e);
	}
	if (rc >= 0 && m->interval == 0)
		return err_set(e, WEIR_EIO,
		    "weir has counted nothing for %ld s: no rates",
		    (long)interval_s + WAIT_STEPS * WAIT_STEP / (long)CLOCK_S);
	return rc;
}

static int
top_once(struct options *o, struct err *e)
{
	char names[SAMPLE_VIEWS][SAMPLE_NAME_MAX];
	struct sampler s = { .link = link_open(o->top.path, e) };
	struct sample m = { 0 };
	int rc = s.link != NULL ? 0 : -WEIR_EIO;

	if (rc == 0 && o->top.view == NULL) {
		rc = sampler_views(s.link, names, e);
		if (rc == 0)
			rc = err_set(e, WEIR_ENOENT,
			    "no view keeps running totals: add a plugin of type memory");
		o->top.view = names[0];
	}
	if (rc >= 0)
		rc = samples_take(&s, &o->top, o->interval_s != 0 ? o->interval_s : 1, &m, e);
	if (rc >= 0 && o->json) {
		json_t *v = sample_json(&m);

		json_dumpf(v, stdout, JSON_REAL_PRECISION(12));
		putchar('\n');
		json_decref(v);
	} else if (rc >= 0) {
		sample_print(&m);
	}
	sample_fini(&m);
	link_close(s.link);
	sampler_fini(&s);
	return rc;
}

int
client_top(int argc, char **argv)
{
	struct options o = { .top = { .sort = "bytes" } };
	int status = options_parse(&o, argc, argv);
	struct err e = ERR_INIT;
	int rc;

	if (status != -1)
		return status;
	rc = o.once ? top_once(&o, &e) : top_screen(&o.top, &e);
	if (rc < 0)
		fprintf(stderr, "weir top: %s\n", e.text);
	return rc < 0 || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
