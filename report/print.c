/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * print: each snapshot as text, in pmacct's forms and to pmacct's files. The rows come
 * sorted by bin; where the name of the file has variables of time, each bin has a file
 * of its own, otherwise all go to one. Each refresh overwrites (or appends to) the file
 * of its name; but a bin that this process has written already and that comes again
 * (late records, a refresh shorter than the bins) is added to its file: overwriting
 * would lose the rows that the books call written.
 */
#include "report/print.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "report/print_file.h"
#include "report/print_format.h"
#include "report/print_path.h"

#define BINS_KNOWN 64U /* bins that were written lately */
#define ROWS_AHEAD 16U /* rows that are on their way from memory */

struct print {
	const struct print_config *config;
	struct print_format format;
	struct print_file file;
	struct variables vars;
	uint8_t *other;               /* a row of zeros, for other rows */
	bool history;
	bool is_file;                 /* not standard output */
	bool by_time;                 /* each bin has its file */
	uint64_t known[BINS_KNOWN];   /* starts of bins written */
	unsigned n_known;             /* of all times; the place is modulo BINS_KNOWN */
	uint64_t start; /* of the bin that the present file was opened for */
	uint64_t newest;              /* that `latest` points at */
	uint64_t opened;              /* when the present file was, monotonic ns */
};

#define AT(member) offsetof(struct print_config, member)
static const struct directive print_rows[] = {
	{ .name = "print_output", .type = DIRECTIVE_ENUM, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(form), .def = "formatted",
	    .words = "formatted|csv|json|event_formatted|event_csv",
	    .doc = "Form of the rows. The event_ forms leave the counters out." },
	{ .name = "print_output_file", .type = DIRECTIVE_PATH, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(file),
	    .doc = "File to write to; none or - is standard output. May hold variables: %d %H "
	           "%m %M %s %S %w %W %Y %z of the start of the bin (without print_history, of "
	           "the time of writing), $hst, $ref and $tzone. Directories are made." },
	{ .name = "print_output_file_append", .type = DIRECTIVE_BOOL,
	    .scope = DIRECTIVE_PLUGIN, .offset = AT(append), .def = "false",
	    .doc = "Append to the file instead of overwriting it. The titles are written to a "
	           "new file only." },
	{ .name = "print_output_separator", .type = DIRECTIVE_STRING,
	    .scope = DIRECTIVE_PLUGIN, .offset = AT(separator), .def = ",",
	    .doc = "What divides the fields of CSV: one character, \\t for a tab, \\s for a "
	           "blank." },
	{ .name = "print_write_empty_file", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(write_empty), .def = "false",
	    .doc = "Make the file even when there is no row to write." },
	{ .name = "print_markers", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(markers), .def = "false",
	    .doc = "Write a line before and after the rows of each refresh: --START (pid)-- and "
	           "--END (pid)--, in JSON the objects purge_init and purge_close." },
	{ .name = "print_latest_file", .type = DIRECTIVE_PATH, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(latest),
	    .doc = "Symbolic link to the newest file." },
	{ .name = "print_cache_entries", .type = DIRECTIVE_NOTICE, .scope = DIRECTIVE_PLUGIN,
	    .doc = "Size of pmacct's cache. Bound the rows with max_entries instead." },
	{ .name = "print_max_writers", .type = DIRECTIVE_NOTICE, .scope = DIRECTIVE_PLUGIN,
	    .doc = "Writer processes of pmacct's. One thread writes here, and none is started "
	           "beside it." },
	{ .name = "print_output_lock_file", .type = DIRECTIVE_NOTICE,
	    .scope = DIRECTIVE_PLUGIN,
	    .doc = "Keeps pmacct's writer processes apart. Each output has one writer here." },
	{ .name = NULL },
};
#undef AT

const struct directive_set print_directives = {
	"print", print_rows, sizeof(struct print_config)
};

static bool
config_is_stdout(const struct print_config *c)
{
	return c->file == NULL || strcmp(c->file, "-") == 0;
}

static int
print_plan(struct output *o, struct view_config *vc, struct err *e)
{
	const struct print_config *c = o->config;
	struct variables vars = { .time = clock_real() };
	char path[PATH_MAX];

	if (print_separator(c->separator) == '\0')
		return err_set(e, WEIR_EINVAL,
		    "print_output_separator: '%s' is not one character, \\t or \\s",
		    c->separator);
	if (!config_is_stdout(c) &&
	    print_path_expand(c->file, &vars, path, sizeof(path), e) != 0)
		return -WEIR_EINVAL;
	if (c->latest != NULL && config_is_stdout(c))
		return err_set(e, WEIR_EINVAL,
		    "print_latest_file links to a file: give print_output_file too");
	/*
	 * As pmacct: bins wait for their end, unless they are longer than the refresh.
	 */
	vc->hold_open = vc->bins.seconds != 0 && vc->refresh_s >= vc->bins.seconds;
	return 0;
}

static int
print_open(struct output *o, struct err *e)
{
	const struct print_config *c = o->config;
	struct print *p = calloc(1, sizeof(*p));

	if (p == NULL || (p->other = calloc(1, o->view->rs.row_octets)) == NULL) {
		free(p);
		return err_set(e, WEIR_ENOMEM, "no memory");
	}
	p->config = c;
	p->history = !bins_are_none(&o->view->config.bins);
	p->is_file = !config_is_stdout(c);
	p->by_time = p->is_file && p->history && variables_have_time(c->file);
	p->vars.utc = o->common.text.utc;
	p->vars.refresh_s = o->view->config.refresh_s;
	p->vars.history_s = o->view->config.bins.seconds;
	print_format_init(&p->format, (enum print_form)c->form,
	    print_separator(c->separator), &o->common.text, o);
	if (print_file_init(&p->file, p->format.row_max, e) != 0) {
		free(p->other);
		free(p);
		return -WEIR_ENOMEM;
	}
	o->priv = p;
	return 0;
}

static void
print_close(struct output *o)
{
	struct print *p = o->priv;

	print_format_fini(&p->format);
	print_file_fini(&p->file);
	free(p->other);
	free(p);
}

/* Note that the bin at `start` is being written. Returns whether it was before. */
static bool
bin_known(struct print *p, uint64_t start)
{
	unsigned n = p->n_known < BINS_KNOWN ? p->n_known : BINS_KNOWN;

	for (unsigned i = 0; i < n; i++)
		if (p->known[i] == start)
			return true;
	p->known[p->n_known++ % BINS_KNOWN] = start;
	return false;
}

static void
marker_start(struct print *p, const struct output *o, struct err *e)
{
	char *to = print_file_line(&p->file, e);
	int n;

	if (p->format.form == PRINT_JSON)
		n = snprintf(to, p->file.line_max,
		    "{\"event_type\": \"purge_init\", \"writer_id\": \"%.63s/%d\"}\n", o->name,
		    (int)getpid());
	else
		n = snprintf(to, p->file.line_max, "--START (%d)--\n", (int)getpid());
	print_file_add(&p->file, (size_t)n, 0);
}

static void
marker_end(struct print *p, const struct output *o, struct err *e)
{
	char *to = print_file_line(&p->file, e);
	int n;

	if (p->format.form == PRINT_JSON)
		n = snprintf(to, p->file.line_max,
		    "{\"event_type\": \"purge_close\", \"writer_id\": \"%.63s/%d\", "
		    "\"purged_entries\": %" PRIu64 ", \"total_entries\": %" PRIu64
		    ", \"duration\": %" PRIu64 "}\n",
		    o->name, (int)getpid(), p->file.rows, p->file.rows,
		    (clock_mono() - p->opened) / CLOCK_S);
	else
		n = snprintf(to, p->file.line_max, "--END (%d)--\n", (int)getpid());
	print_file_add(&p->file, (size_t)n, 0);
}

/* Where an error goes: only the first is kept. */
static struct err *
first(struct err *e)
{
	return e->code == 0 ? e : NULL;
}

/* Finish the present file, if one is open. */
static int
file_finish(struct print *p, const struct output *o, struct err *e)
{
	int rc;

	if (p->file.fd != -1 && p->config->markers)
		marker_end(p, o, e);
	rc = print_file_close(&p->file, first(e));
	if (rc == 0 && p->config->latest != NULL && p->start >= p->newest &&
	    p->file.path[0] != '\0') {
		rc = print_path_link(p->file.path, p->config->latest, first(e));
		p->newest = p->start;
	}
	p->file.path[0] = '\0';
	return rc;
}

/*
 * Have the file open into which rows of the bin at `start` go; it may be open already.
 */
static int
file_for_bin(struct print *p, const struct output *o, uint64_t start, bool keep,
    struct err *e)
{
	char path[PATH_MAX] = "-";
	int rc = 0;

	p->vars.time = start;
	if (p->is_file)
		rc = print_path_expand(
		    p->config->file, &p->vars, path, sizeof(path), first(e));
	if (rc == 0 && p->file.fd != -1 && strcmp(path, p->file.path) == 0)
		return 0;
	if (file_finish(p, o, e) != 0 && rc == 0)
		rc = -WEIR_EIO;
	p->file.failed = rc == -WEIR_EINVAL; /* without a name its rows are refused */
	if (rc == -WEIR_EINVAL || print_file_open(&p->file, path, keep, first(e)) != 0)
		return -WEIR_EIO;
	p->start = start;
	p->opened = clock_mono();
	if (p->config->markers)
		marker_start(p, o, e);
	if (p->file.fresh)
		print_file_add(&p->file,
		    print_format_title(&p->format, print_file_line(&p->file, e)), 0);
	return rc;
}

static void
row_write(struct print *p, const uint8_t *row, struct err *e)
{
	char *to = print_file_line(&p->file, e);

	print_file_add(&p->file, print_format_row(&p->format, row, to), 1);
}

/* Rows that a snapshot hands over: other rows count where they hold something. */
static bool
other_is_empty(const struct sums *s)
{
	return s->packets == 0 && s->bytes == 0 && s->flows == 0;
}

/* Rows lie in the order of their coming, not of the keys: fetch ahead of their turn. */
static const uint8_t *
row_fetch(const struct snapshot *s, uint32_t i)
{
	if (i + ROWS_AHEAD < s->n)
		__builtin_prefetch(snapshot_row(s, i + ROWS_AHEAD));
	return snapshot_row(s, i);
}

static bool
row_is_of(const struct snapshot *s, uint32_t i, uint64_t start)
{
	return i < s->n && snapshot_bin(s, snapshot_row(s, i)).start == start;
}

/*
 * Write the rows of bin number `no` from row `at` on. Returns the first row of the
 * next.
 */
static uint32_t
bin_write(struct print *p, const struct output *o, const struct snapshot *s,
    uint16_t no, uint32_t at, int *rc, struct err *e)
{
	const struct sums *other = snapshot_other(s, no);
	struct bin bin = snapshot_bin_no(s, no);
	bool keep;

	if (!row_is_of(s, at, bin.start) && other_is_empty(other))
		return at;
	keep = p->config->append || (p->by_time && bin_known(p, bin.start));
	if (file_for_bin(p, o, p->history ? bin.start : s->cut, keep, e) != 0)
		*rc = -WEIR_EIO;
	if (p->history)
		print_format_bin(&p->format, bin.start, s->cut);
	for (; row_is_of(s, at, bin.start); at++)
		row_write(p, row_fetch(s, at), e);
	if (!other_is_empty(other)) {
		*rowspec_sums(s->rs, p->other) = *other;
		row_write(p, p->other, e);
	}
	return at;
}

/* The numbers of the bins of `s` in the order of time: so are its rows. */
static uint16_t
bins_sort(const struct snapshot *s, uint16_t *order)
{
	uint16_t n = snapshot_n_bins(s);

	for (uint16_t i = 0; i < n; i++) {
		uint64_t start = snapshot_bin_no(s, i).start;
		uint16_t k = i;

		for (; k > 0 && snapshot_bin_no(s, order[k - 1]).start > start; k--)
			order[k] = order[k - 1];
		order[k] = i;
	}
	return n;
}

/* Nothing to write: the file is made all the same, but what is in it stays. */
static int
empty_write(struct print *p, const struct output *o, const struct snapshot *s,
    struct err *e)
{
	uint64_t start = s->cut;

	if (p->history)
		start = bins_find(&o->view->config.bins,
		    o->view->config.hold_open && s->cut > 0 ? s->cut - 1 : s->cut)
			    .start;
	if (file_for_bin(p, o, start, p->config->append || p->by_time, e) != 0)
		return -WEIR_EIO;
	return 0;
}

static int
print_write(struct output *o, const struct snapshot *s, struct output_result *r,
    struct err *e)
{
	struct print *p = o->priv;
	uint16_t order[SLAB_BINS], n_bins = bins_sort(s, order);
	uint64_t rows = s->n;
	uint32_t at = 0;
	int rc = 0;

	p->file.written = p->file.refused = 0;
	for (uint16_t i = 0; i < n_bins; i++)
		rows += !other_is_empty(snapshot_other(s, i));
	if (rows == 0 && p->config->write_empty)
		rc = empty_write(p, o, s, e);
	for (uint16_t i = 0; i < n_bins; i++)
		at = bin_write(p, o, s, order[i], at, &rc, e);
	if (p->file.fd != -1 || p->file.failed)
		if (file_finish(p, o, e) != 0)
			rc = -WEIR_EIO;
	r->rows = rows;
	r->written = p->file.written;
	r->refused = p->file.refused;
	assert(r->written + r->refused == r->rows);
	return rc;
}

const struct output_ops print_output = {
	.type = "print",
	.wants = OUTPUT_SNAPSHOTS,
	.directives = &print_directives,
	.plan = print_plan,
	.open = print_open,
	.write = print_write,
	.close = print_close,
};
