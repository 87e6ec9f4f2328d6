/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * print: each snapshot as text, in pmacct's forms and to pmacct's files. The rows come
 * sorted by bin; where the name of the file has variables of time, each bin has a file
 * of its own, otherwise all go to one. Each refresh overwrites (or appends to) the file
 * of its name; but a bin that this process has written already and that comes again
 * (late records, a refresh shorter than the bins) is added to its file: overwriting
 * would lose the rows that the books call written. Variables of rows ($tag) make a file
 * for each of their values.
 */
#include "report/print.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/engine.h"
#include "core/trigger.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "report/print_check.h"
#include "report/print_file.h"
#include "report/print_format.h"
#include "report/print_lock.h"
#include "report/print_path.h"
#include "report/print_rows.h"

#define FILES_KNOWN 1024U /* files of bins that were written lately */

struct print {
	const struct print_config *config;
	struct print_format format;
	struct print_file file;
	struct print_lock lock;
	struct print_rows rows;
	struct preprocess preprocess;
	struct trigger *trigger;      /* NULL: none */
	struct variables vars;
	bool history;
	bool is_file;                 /* not standard output */
	bool by_time;                 /* each bin has its file */
	bool titled;                  /* standard output has had its titles */
	uint64_t known[FILES_KNOWN];  /* hashes of the names of files of bins */
	unsigned n_known;             /* of all times; the place is modulo FILES_KNOWN */
	uint64_t start; /* of the bin that the present file was opened for */
	char last[PATH_MAX];          /* name of the file that was opened last */
	char link[PATH_MAX];          /* `latest` of the present file; empty: none */
	struct latest {
		uint64_t link;        /* hash of its name */
		uint64_t start;       /* of the bin that it points at */
		bool said;            /* that something else has its name */
	} latest[FILES_KNOWN];        /* as with known */
	unsigned n_latest;
	uint64_t opened;              /* when the present file was, monotonic ns */
};

static int
preprocess_plan(const struct print_config *c, struct preprocess *p, struct err *e)
{
	int rc = preprocess_parse(p, "print_preprocess", c->preprocess,
	    c->preprocess_type == PREPROCESS_ALL, e);

	if (rc == 0 && p->value[PREPROCESS_RECOVER] > 0)
		return err_set(e, WEIR_EINVAL,
		    "print_preprocess: recover=1: there is nothing to recover rejected rows "
		    "from; leave it out, or write them with a plugin of their own");
	return rc;
}

static int
print_plan(struct output *o, struct view_config *vc, struct err *e)
{
	const struct print_config *c = o->config;
	struct preprocess preprocess;
	struct field_set split;
	int rc;

	if (print_separator(c->separator) == '\0')
		return err_set(e, WEIR_EINVAL,
		    "print_output_separator: '%s' is not one character, \\t or \\s",
		    c->separator);
	if ((rc = print_check_files(o, e)) != 0)
		return rc;
	if (preprocess_plan(c, &preprocess, e) != 0)
		return -WEIR_EINVAL;
	if ((rc = trigger_check("print_trigger_exec", c->trigger_exec, e)) != 0)
		return rc;
	if (!print_is_stdout(c)) {
		split = print_path_fields(c->file);
		field_set_join(&vc->aggregate, &split);
	}
	/*
	 * As pmacct: bins wait for their end, unless they are longer than the refresh.
	 */
	vc->hold_open = vc->bins.seconds != 0 && vc->refresh_s >= vc->bins.seconds;
	return 0;
}

/* What the trigger's program is told of a refresh. */
struct refresh {
	const char *path;
	const struct output_result *r;
	uint64_t elapsed; /* ns */
};

static void
refresh_tell(const void *arg, const void *batch, struct spawn_facts *f)
{
	const struct refresh *done = batch;

	(void)arg;
	spawn_variable(f, "PRINT_OUTPUT_FILE", "%s", done->path);
	spawn_variable(f, "TOTAL_ELEM_NUMBER", "%" PRIu64, done->r->rows);
	spawn_variable(f, "EFFECTIVE_ELEM_NUMBER", "%" PRIu64, done->r->written);
	spawn_variable(f, "ELAPSED_TIME", "%" PRIu64, done->elapsed / CLOCK_S);
}

static int
trigger_set_up(struct print *p, const struct output *o, struct err *e)
{
	const struct print_config *c = p->config;
	const struct trigger_config tc = {
		.name = o->name,
		.directive = "print_trigger_exec",
		.command = c->trigger_exec,
		.async = c->trigger_async,
		.limit_s = c->trigger_limit,
		.tell = refresh_tell,
	};

	if (c->trigger_exec == NULL)
		return 0;
	return (p->trigger = trigger_new(&tc, e)) != NULL ? 0 : -WEIR_EINVAL;
}

static void
print_free(struct print *p)
{
	trigger_free(p->trigger);
	print_format_fini(&p->format);
	print_file_fini(&p->file);
	print_rows_fini(&p->rows);
	print_lock_close(&p->lock);
	free(p);
}

static int
print_open(struct output *o, struct err *e)
{
	const struct print_config *c = o->config;
	struct print *p = calloc(1, sizeof(*p));
	struct field_set split = { 0 };
	int rc;

	if (p == NULL)
		return err_set(e, WEIR_ENOMEM, "no memory");
	p->config = c;
	p->history = !bins_are_none(&o->view->config.bins);
	p->is_file = !print_is_stdout(c);
	p->by_time = p->is_file && p->history && variables_have_time(c->file);
	p->vars.utc = o->common.text.utc;
	p->vars.refresh_s = o->view->config.refresh_s;
	p->vars.history_s = o->view->config.bins.seconds;
	p->file.fd = -1;
	p->lock.fd = -1;
	print_format_init(&p->format, (enum print_form)c->form,
	    print_separator(c->separator), &o->common.text, o);
	if (p->is_file)
		split = print_path_fields(c->file);
	if ((rc = print_file_init(&p->file, p->format.row_max, e)) != 0 ||
	    (rc = print_rows_init(&p->rows, &o->view->rs, &split, e)) != 0 ||
	    (rc = preprocess_plan(c, &p->preprocess, e)) != 0 ||
	    (rc = print_lock_open(&p->lock, c->lock_file, !p->is_file, e)) != 0 ||
	    (rc = trigger_set_up(p, o, e)) != 0) {
		print_free(p);
		return rc;
	}
	o->priv = p;
	return 0;
}

static void
print_hurry(struct output *o)
{
	struct print *p = o->priv;

	print_lock_hurry(&p->lock);
	trigger_hurry(p->trigger);
	/* At the end of a file a reader may take its time: `weir run ... | less`. */
	if (o->engine == NULL || !engine_finished(o->engine))
		print_file_hurry(&p->file);
}

static void
print_close(struct output *o)
{
	print_free(o->priv);
}

/* Note that the file at `path` is being written. Returns whether it was before. */
static bool
file_known(struct print *p, const char *path)
{
	unsigned n = p->n_known < FILES_KNOWN ? p->n_known : FILES_KNOWN;
	uint64_t hash = hash_seeded(path, strlen(path));

	for (unsigned i = 0; i < n; i++)
		if (p->known[i] == hash)
			return true;
	p->known[p->n_known++ % FILES_KNOWN] = hash;
	return false;
}

static void
marker_start(struct print *p, const struct output *o, struct err *e)
{
	char *to = print_file_line(&p->file, e);
	int n;

	if (p->format.form == PRINT_JSON)
		n = snprintf(to, p->file.line_max,
		    "{\"event_type\": \"purge_init\", \"writer_id\": \"%.63s/%d\"}\n",
		    o->name, (int)getpid());
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

/* What is known of the link to the present file. */
static struct latest *
latest_get(struct print *p)
{
	unsigned n = p->n_latest < FILES_KNOWN ? p->n_latest : FILES_KNOWN;
	uint64_t hash = hash_seeded(p->link, strlen(p->link));
	struct latest *l;

	for (unsigned i = 0; i < n; i++)
		if (p->latest[i].link == hash)
			return &p->latest[i];
	l = &p->latest[p->n_latest++ % FILES_KNOWN];
	*l = (struct latest){ .link = hash };
	return l;
}

/*
 * Point its link at the present file, if none is newer. Where it may not be a link, that is
 * said once.
 */
static int
latest_link(struct print *p, const struct output *o, struct err *e)
{
	struct latest *l = latest_get(p);
	struct err why = ERR_INIT;
	int rc;

	if (p->start < l->start)
		return 0;
	rc = print_path_link(p->file.path, p->link, &why);
	if (rc == -WEIR_EEXIST && !l->said)
		log_warn("print %s: %s; no link to the newest file is made", o->name, why.text);
	l->said = rc == -WEIR_EEXIST;
	l->start = p->start;
	if (rc == 0 || l->said)
		return 0;
	return err_set(first(e), WEIR_EIO, "%s", why.text);
}

/*
 * The file at `path` has the name of the link to the newest: it must not be written through
 * that into another. The link gives way.
 */
static void
latest_give_way(const struct print *p, const char *path)
{
	struct stat st;

	if (p->link[0] != '\0' && print_path_same(path, p->link) &&
	    lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
		(void)unlink(path);
}

/* Finish the present file, if one is open. */
static int
file_finish(struct print *p, const struct output *o, struct err *e)
{
	int rc;

	if (p->file.fd != -1 && p->config->markers)
		marker_end(p, o, e);
	rc = print_file_close(&p->file, first(e));
	if (rc == 0 && p->link[0] != '\0' && p->file.path[0] != '\0')
		rc = latest_link(p, o, e);
	p->file.path[0] = '\0';
	return rc;
}

/* The names of the file, and of the link to it, for `row` of the bin at `start`. */
static int
file_name(struct print *p, const struct output *o, uint64_t start, const uint8_t *row,
    char *path, char *link, struct err *e)
{
	const struct print_pattern file = { "print_output_file", p->config->file };
	const struct print_pattern latest = { "print_latest_file", p->config->latest };
	int rc;

	strcpy(path, "-");
	link[0] = '\0';
	p->vars.time = start;
	if (!p->is_file)
		return 0;
	rc = print_path_expand(&file, &p->vars, &o->view->rs, row, path, PATH_MAX, first(e));
	if (rc == 0 && latest.text != NULL)
		rc = print_path_expand(&latest, &p->vars, &o->view->rs, row, link, PATH_MAX, first(e));
	return rc;
}

/*
 * Have the file open into which `row` of the bin at `start` goes; it may be open already.
 * NULL: there is no row.
 */
static int
file_for_row(struct print *p, const struct output *o, uint64_t start,
    const uint8_t *row, struct err *e)
{
	char path[PATH_MAX], link[PATH_MAX];
	bool keep;
	int rc = file_name(p, o, start, row, path, link, e);

	if (rc == 0 && p->file.fd != -1 && strcmp(path, p->file.path) == 0)
		return 0;
	if (file_finish(p, o, e) != 0 && rc == 0)
		rc = -WEIR_EIO;
	p->file.failed = rc == -WEIR_EINVAL; /* without a name its rows are refused */
	keep =
	    p->config->append || (p->by_time && (row == NULL || file_known(p, path)));
	strcpy(p->link, link);
	if (rc != -WEIR_EINVAL)
		latest_give_way(p, path);
	if (rc == -WEIR_EINVAL || print_file_open(&p->file, path, keep, first(e)) != 0)
		return -WEIR_EIO;
	p->start = start;
	p->opened = clock_mono();
	strcpy(p->last, path);
	if (p->config->markers)
		marker_start(p, o, e);
	if (p->file.fresh && !(p->titled && !p->is_file))
		print_file_add(&p->file,
		    print_format_title(&p->format, print_file_line(&p->file, e)), 0);
	return rc;
}

static void
row_write(struct print *p, const uint8_t *row, struct err *e)
{
	char *to = print_file_line(&p->file, e);

	print_file_add(&p->file, print_format_row(&p->format, row, to), 1);
	p->titled = true;
}

/* Write the rows of `s`, one file after the other. */
static int
rows_write(
    struct print *p, const struct output *o, const struct snapshot *s, struct err *e)
{
	uint64_t start = s->cut;
	int rc = 0;

	for (uint32_t i = 0; i < p->rows.n; i++) {
		uint16_t bin;
		const uint8_t *row = print_rows_get(&p->rows, s, i, &bin);

		if (i == 0 || !print_rows_belong(&p->rows, s, i)) {
			if (p->history)
				start = snapshot_bin_no(s, bin).start;
			if (file_for_row(p, o, start, row, e) != 0)
				rc = -WEIR_EIO;
			if (p->history)
				print_format_bin(&p->format, start, s->cut);
		}
		row_write(p, row, e);
	}
	return rc;
}

/*
 * Nothing to write: the file is made all the same, but what is in it stays. Rows whose
 * values would name it there are none.
 */
static int
empty_write(
    struct print *p, const struct output *o, const struct snapshot *s, struct err *e)
{
	uint64_t start = s->cut;

	if (p->rows.n_split > 0)
		return 0;
	if (p->history)
		start = bins_find(&o->view->config.bins,
		    o->view->config.hold_open && s->cut > 0 ? s->cut - 1 : s->cut)
			    .start;
	return file_for_row(p, o, start, NULL, e) != 0 ? -WEIR_EIO : 0;
}

/* The files of a refresh. Returns whether there was something to write. */
static bool
files_write(struct print *p, const struct output *o, const struct snapshot *s, int *rc,
    struct err *e)
{
	bool any = p->rows.n > 0 || p->config->write_empty;

	if (!any)
		return false;
	print_lock_take(&p->lock);
	*rc = p->rows.n > 0 ? rows_write(p, o, s, e) : empty_write(p, o, s, e);
	if ((p->file.fd != -1 || p->file.failed) && file_finish(p, o, e) != 0)
		*rc = -WEIR_EIO;
	print_lock_give(&p->lock);
	return true;
}

static int
print_write(
    struct output *o, const struct snapshot *s, struct output_result *r, struct err *e)
{
	struct print *p = o->priv;
	uint64_t begun = clock_mono();
	int rc;

	r->rows = snapshot_all_rows(s);
	p->file.written = p->file.refused = 0;
	if ((rc = print_rows_make(&p->rows, s, &p->preprocess, e)) != 0) {
		r->refused = r->lost = r->rows;
		return rc;
	}
	p->last[0] = '\0';
	r->idle = !files_write(p, o, s, &rc, e);
	if (!r->idle) {
		r->written = p->file.written;
		if (p->last[0] != '\0' && (rc == 0 || r->written > 0))
			trigger_after(p->trigger,
			    &(struct refresh){ p->last, r, clock_mono() - begun });
	}
	r->lost = p->file.refused;
	r->refused = r->lost + p->rows.judged.rejected;
	assert(r->written + r->refused == r->rows);
	print_rows_drop(&p->rows);
	return rc;
}

const struct output_ops print_output = {
	.type = "print",
	.wants = OUTPUT_SNAPSHOTS,
	.directives = &print_directives,
	.plan = print_plan,
	.open = print_open,
	.write = print_write,
	.hurry = print_hurry,
	.close = print_close,
};
