/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rrd/graph.h"

#include <getopt.h>
#include <limits.h>
#include <rrd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/progress.h"
#include "rrd/archive.h"
#include "rrd/cached.h"
#include "rrd/files.h"
#include "rrd/index.h"
#include "rrd/picture.h"
#include "rrd/series.h"

struct options {
	const char *view, *out, *key, *rrd_path;
	const char *start, *end, *title, *daemon; /* start NULL: a day before the end */
	const char *range;         /* or the start that it means */
	unsigned top, width, height;
	/* worked out of these */
	int64_t from, to;          /* s since 1970 */
	char folder[PATH_MAX];
};

static void
usage(FILE *to)
{
	fputs("usage: weir graph VIEW -o FILE [options]\n"
	      "  -o, --output FILE     picture to write: .png, or .svg by its ending; -: PNG to stdout\n"
	      "  -s, --start TIME      -1h, -2d, or seconds since 1970 (default: a day before --end)\n"
	      "  -e, --end TIME        likewise (default now)\n"
	      "  -r, --range RANGE     the last day, week, month or year before --end, in place of "
	      "--start\n"
	      "  -k, --key TEXT        only rows whose key is TEXT, or else contains it\n"
	      "  -n, --top N           rows shown one by one, 1 to 30 (default 10)\n"
	      "      --rrd-path DIR    folder of the archives (default " GRAPH_RRD_PATH ")\n"
	      "      --daemon ADDRESS  have this rrdcached write first what it holds\n"
	      "      --width PIXELS, --height PIXELS   of the plot (default 800 by 300)\n"
	      "      --title TEXT\n",
	    to);
}

/* A number of the command line; exits the parse by returning false. */
static bool
number_option(const char *name, const char *text, unsigned min, unsigned max, unsigned *out)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || v < min || v > max) {
		fprintf(stderr, "weir graph: --%s takes a number from %u to %u, not '%s'\n", name,
		    min, max, text);
		return false;
	}
	*out = (unsigned)v;
	return true;
}

enum { OPT_PATH = 256, OPT_WIDTH, OPT_HEIGHT, OPT_TITLE, OPT_DAEMON };

static const struct option long_options[] = {
	{ "output", required_argument, NULL, 'o' },
	{ "start", required_argument, NULL, 's' },
	{ "end", required_argument, NULL, 'e' },
	{ "range", required_argument, NULL, 'r' },
	{ "key", required_argument, NULL, 'k' },
	{ "top", required_argument, NULL, 'n' },
	{ "help", no_argument, NULL, 'h' },
	{ "rrd-path", required_argument, NULL, OPT_PATH },
	{ "width", required_argument, NULL, OPT_WIDTH },
	{ "height", required_argument, NULL, OPT_HEIGHT },
	{ "title", required_argument, NULL, OPT_TITLE },
	{ "daemon", required_argument, NULL, OPT_DAEMON },
	{ NULL, 0, NULL, 0 },
};

/* What the word `text` means as a start. */
static bool
range_option(const char *text, const char **start)
{
	static const struct {
		const char *word, *start;
	} ranges[] = { { "day", "end-1d" }, { "week", "end-7d" }, { "month", "end-31d" },
		{ "year", "end-366d" } };

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (strcmp(text, ranges[i].word) == 0) {
			*start = ranges[i].start;
			return true;
		}
	fprintf(stderr, "weir graph: --range takes day, week, month or year, not '%s'\n", text);
	return false;
}

static bool
option_take(int c, const char *arg, struct options *o)
{
	switch (c) {
	case 'o':
		o->out = arg;
		return true;
	case 's':
		o->start = arg;
		return true;
	case 'e':
		o->end = arg;
		return true;
	case 'r':
		return range_option(arg, &o->range);
	case 'k':
		o->key = arg;
		return true;
	case 'n':
		return number_option("top", arg, 1, PICTURE_ROWS_MAX, &o->top);
	case OPT_PATH:
		o->rrd_path = arg;
		return true;
	case OPT_DAEMON:
		o->daemon = arg;
		return true;
	case OPT_WIDTH:
		return number_option("width", arg, 400, 10000, &o->width);
	case OPT_HEIGHT:
		return number_option("height", arg, 50, 10000, &o->height);
	case OPT_TITLE:
		o->title = arg;
		return true;
	default:
		usage(stderr);
		return false;
	}
}

/* Whether the options can be meant together; says what else to write. */
static bool
options_check(const struct options *o)
{
	const char *slash = strrchr(o->out, '/'), *name = slash != NULL ? slash + 1 : o->out;
	const char *dot = strrchr(name, '.');

	if (o->start != NULL && o->range != NULL) {
		fprintf(stderr, "weir graph: --start and --range: give one of them\n");
		return false;
	}
	if (dot == NULL || dot == name || strcasecmp(dot, ".png") == 0 ||
	    strcasecmp(dot, ".svg") == 0)
		return true;
	fprintf(stderr, "weir graph: --output %s: pictures are PNG or SVG: write a name that ends "
	    "in .png or .svg\n", o->out);
	return false;
}

/* Returns 0; 2 when called wrongly; -1 when only help was asked for. */
static int
options_parse(int argc, char **argv, struct options *o)
{
	int c;

	*o = (struct options){ .end = "now", .top = 10, .width = 800, .height = 300,
		.rrd_path = GRAPH_RRD_PATH };
	optind = 0; /* the caller may have parsed options of its own */
	while ((c = getopt_long(argc, argv, "o:s:e:r:k:n:h", long_options, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return -1;
		}
		if (!option_take(c, optarg, o))
			return 2;
	}
	if (optind + 1 != argc || o->out == NULL) {
		usage(stderr);
		return 2;
	}
	o->view = argv[optind];
	return options_check(o) ? 0 : 2;
}

/* What --start and --end mean; each may lean on the other ("end-1h"). */
static int
times_parse(struct options *o, struct err *e)
{
	rrd_time_value_t from, to;
	time_t from_s, to_s;
	const char *start = o->start != NULL ? o->start : o->range;
	const char *wrong = rrd_parsetime(o->end, &to);

	if (wrong != NULL)
		return err_set(e, WEIR_EINVAL, "--end %s: %s", o->end, wrong);
	if (start == NULL) /* one of them has to stand by itself */
		start = to.type == RELATIVE_TO_START_TIME ? "-1d" : "end-1d";
	if ((wrong = rrd_parsetime(start, &from)) != NULL)
		return err_set(e, WEIR_EINVAL, "--start %s: %s", start, wrong);
	rrd_clear_error();
	if (rrd_proc_start_end(&from, &to, &from_s, &to_s) != 0)
		return err_set(e, WEIR_EINVAL, "%s", rrd_get_error());
	if (from_s < 0 || from_s >= to_s)
		return err_set(e, WEIR_EINVAL, "--start must be before --end");
	o->from = from_s;
	o->to = to_s;
	return 0;
}

/* A row that may be shown. */
struct candidate {
	const struct index_entry *entry;
	double bytes;
};

static int
by_bytes(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return strcmp(x->entry->key, y->entry->key);
}

/* Whether `key` is wanted; `exact`: some key is the text itself. */
static bool
key_wanted(const char *key, const char *wanted, bool exact)
{
	if (wanted == NULL)
		return true;
	return exact ? strcmp(key, wanted) == 0 : strstr(key, wanted) != NULL;
}

/* The path of the archive of `entry`, if that is wanted and there. */
static bool
entry_path(const struct options *o, bool exact, const struct index_entry *entry,
    char path[PATH_MAX])
{
	if (!key_wanted(entry->key, o->key, exact))
		return false;
	/* Without a file its first bin is not over. */
	return (size_t)snprintf(path, PATH_MAX, "%s/%s", o->folder, entry->file) < PATH_MAX &&
	    access(path, F_OK) == 0;
}

/* rrdcached does not know an archive: then it holds nothing of it. */
static void
flush_failed(void *arg, size_t no, const char *text)
{
	(void)arg;
	(void)no;
	(void)text;
}

/* Have rrdcached write what it holds of the archives that are wanted. */
static int
archives_flush(const struct options *o, const struct index *x, bool exact, struct err *e)
{
	struct cached *c = cached_new(o->daemon, e);
	char path[PATH_MAX];
	int rc;

	if (c == NULL)
		return -WEIR_EINVAL;
	rc = cached_connect(c, e) < 0 ? -WEIR_EIO : cached_begin(c, e);
	for (size_t i = 0; rc == 0 && i < x->n; i++)
		if (entry_path(o, exact, &x->entries[i], path))
			cached_command(c, "FLUSH", path, "");
	if (rc == 0)
		rc = cached_end(c, flush_failed, NULL, e);
	cached_free(c);
	return rc;
}

/*
 * Sum up every archive that is wanted into `total`, and put them into `out` (x->n at
 * most), the biggest first, the other row last. Returns how many.
 */
static size_t
candidates_read(const struct options *o, const struct index *x, bool exact,
    struct series *total, struct candidate *out)
{
	struct progress progress;
	size_t n = 0;

	progress_begin(&progress, STDERR_FILENO, o->view, "archives", x->n);
	for (size_t i = 0; i < x->n; i++) {
		const struct index_entry *entry = &x->entries[i];
		char path[PATH_MAX];
		struct series_sum sum;
		struct err e = ERR_INIT;

		if (progress_due(&progress))
			progress_draw(&progress, i, n);
		if (!entry_path(o, exact, entry, path))
			continue;
		if (series_add(total, path, "bytes", &sum, &e) != 0) {
			progress_wipe();
			fprintf(stderr, "weir graph: left out: %s\n", e.text);
			continue;
		}
		out[n++] = (struct candidate){ entry, entry->other ? -1 : sum.units };
	}
	progress_end(&progress);
	qsort(out, n, sizeof(*out), by_bytes);
	return n;
}

/* Draw what was read. `scratch` is a folder of ours. */
static int
graph_draw(const struct options *o, const struct series *total,
    const struct candidate *all, size_t n, const char *scratch, struct err *e)
{
	struct picture p = { .file = o->out, .title = o->title, .width = o->width,
		.height = o->height, .folder = o->folder, .start = o->from, .end = o->to,
		.step_s = total->step_s, .empty = !series_known(total) };
	char total_path[PATH_MAX], title[256];
	int rc;

	snprintf(total_path, sizeof(total_path), "%s/total.rrd", scratch);
	rc = archive_create_rates(total_path, total->start, total->step_s, total->rates,
	    total->n, e);
	if (rc != 0)
		return rc;
	snprintf(title, sizeof(title), "%s%s%s", o->view, o->key != NULL ? ": " : "",
	    o->key != NULL ? o->key : "");
	if (p.title == NULL)
		p.title = title;
	p.total_path = total_path;
	for (size_t i = 0; i < n && p.n < o->top && all[i].bytes > 0; i++)
		p.rows[p.n++] = (struct picture_row){ all[i].entry->file, all[i].entry->key };
	p.rest = n - p.n;
	rc = picture_draw(&p, e);
	if (rc == 0 && p.empty) {
		char text[PICTURE_NO_DATA];

		picture_no_data(&p, text);
		fprintf(stderr, "weir graph: %s: %s\n", o->view, text);
	}
	unlink(total_path);
	return rc;
}

/* Everything after the command line. */
static int
graph_make(struct options *o, struct err *e)
{
	char view[FILES_FOLDER_MAX], real[PATH_MAX];
	char scratch[] = "/tmp/weir-graph.XXXXXX";
	struct candidate *all = NULL;
	struct series total = { 0 };
	struct index x = { 0 };
	bool exact = false;
	size_t n;
	int rc;

	files_folder(o->view, view);
	if ((size_t)snprintf(o->folder, sizeof(o->folder), "%s/%s", o->rrd_path, view) +
	        FILES_NAME_MAX >= sizeof(o->folder))
		return err_set(e, WEIR_EINVAL, "--rrd-path is too long");
	if ((rc = times_parse(o, e)) != 0)
		return rc;
	if (o->daemon != NULL && realpath(o->folder, real) != NULL)
		memcpy(o->folder, real, sizeof(real)); /* its working folder is another */
	if ((rc = index_read(o->folder, &x, e)) != 0)
		return rc;
	for (size_t i = 0; o->key != NULL && i < x.n; i++)
		exact |= strcmp(x.entries[i].key, o->key) == 0;
	if (o->daemon != NULL && (rc = archives_flush(o, &x, exact, e)) != 0) {
		index_free(&x);
		return rc;
	}
	all = calloc(x.n + 1, sizeof(*all));
	if (all == NULL)
		abort();
	series_init(&total, o->from, o->to);
	n = candidates_read(o, &x, exact, &total, all);
	if (n == 0 || total.step_s == 0)
		rc = err_set(e, WEIR_ENOENT, "%s: no archives there%s%s", o->folder,
		    o->key != NULL ? " with a key like " : "", o->key != NULL ? o->key : "");
	else if (mkdtemp(scratch) == NULL)
		rc = err_set(e, WEIR_EIO, "%s: cannot be made", scratch);
	else {
		rc = graph_draw(o, &total, all, n, scratch, e);
		rmdir(scratch);
	}
	series_fini(&total);
	free(all);
	index_free(&x);
	return rc;
}

int
graph_main(int argc, char **argv)
{
	struct options o;
	struct err e = ERR_INIT;
	int rc = options_parse(argc, argv, &o);

	if (rc != 0)
		return rc < 0 ? 0 : rc;
	signal(SIGXFSZ, SIG_IGN); /* a limit on files is a fault of the disk, said as such */
	if (graph_make(&o, &e) != 0) {
		fprintf(stderr, "weir graph: %s\n", e.text);
		return 1;
	}
	return 0;
}
