/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/replay.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flow/text.h"
#include "lib/clock.h"
#include "sql/batch.h"
#include "sql/spool.h"
#include "sql/store.h"
#include "sql/tablename.h"

struct replay {
	struct replay_config c;
	FILE *out;
	struct replay_tally tally;
	struct store *store; /* NULL: there was nothing to write yet */
	const struct sql_driver *to; /* its engine, */
	char db[BATCH_WORD * 4]; /* and database */
	struct batch_reader reader;
};

struct replay *
replay_new(const struct replay_config *c, FILE *out)
{
	struct replay *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->c = *c;
	p->out = out;
	return p;
}

void
replay_free(struct replay *p)
{
	if (p == NULL)
		return;
	store_free(p->store);
	free(p);
}

const struct replay_tally *
replay_tally(const struct replay *p)
{
	return &p->tally;
}

/* Have a store for the database that the file was meant for, or the one asked for. */
static int
store_get(struct replay *p, struct err *e)
{
	const struct batch_head *h = &p->reader.head;
	const struct sql_driver *d =
	    p->c.driver != NULL ? p->c.driver : sql_driver_find(h->engine);
	const char *db = p->c.sql.db != NULL ? p->c.sql.db : h->db;
	struct sql_config sql = p->c.sql;

	if (d == NULL)
		return err_set(e, WEIR_EUNSUPPORTED,
		    "a batch for %s, which this build does not have: say another with "
		    "-e",
		    h->engine);
	if (p->store != NULL && d == p->to && strcmp(db, p->db) == 0)
		return 0;
	store_free(p->store);
	snprintf(p->db, sizeof(p->db), "%s", db);
	p->to = d;
	sql.db = p->db;
	p->store = store_new(d, &sql, h->collector);
	return p->store != NULL ? 0
				: err_set(e, WEIR_ENOMEM, "no memory for a database");
}

static void
row_print(const struct replay *p)
{
	const struct batch_reader *r = &p->reader;

	for (unsigned i = 0; i < r->head.schema.n; i++) {
		const struct sql_column *c = &r->head.schema.columns[i];
		const struct batch_value *v = &r->values[i];

		if (!c->written)
			continue;
		if (v->text == NULL)
			fprintf(p->out, " %s=%" PRId64, c->name, v->number);
		else
			fprintf(p->out, " %s=%.*s", c->name, (int)v->len, v->text);
	}
	fputc('\n', p->out);
}

/* The rows of a bin that is not written: count them, and show them where asked for. */
static void
bin_look(struct replay *p)
{
	struct batch_reader *r = &p->reader;
	const struct batch_head *h = &r->head;
	char start[TEXT_MAX];
	uint64_t n = 0;

	while (batch_next_row(r)) {
		n++;
		if (p->c.rows)
			row_print(p);
	}
	p->tally.rows += n;
	if (!p->c.list)
		return;
	text_time(r->start, &(struct text_opts){ .utc = true, .secs = true }, start);
	fprintf(p->out, "%" PRIu64 " %s %" PRId64 " %" PRIu64 " %s %s %s %" PRIu64 "\n",
	    p->tally.number, h->collector, h->boot, h->seq, r->start == 0 ? "-" : start,
	    h->engine, r->table, n);
}

static int
bin_write(struct replay *p, struct err *e)
{
	struct batch_reader *r = &p->reader;
	struct output_result got = { 0 };
	bool unsure;
	int rc = store_get(p, e);

	if (rc != 0)
		return rc;
	if (p->c.table != NULL) {
		struct variables vars = p->c.sql.vars;

		vars.time = r->start;
		vars.utc = r->head.utc;
		if ((rc = tablename_expand(p->c.table, &vars, r->table, e)) != 0)
			return rc;
	}
	if ((rc = store_write(p->store, r, &got, &unsure, e)) != 0)
		return rc;
	p->tally.rows += got.rows;
	p->tally.written += got.written;
	p->tally.refused += got.refused;
	p->tally.known += store_knew(p->store);
	return 0;
}

static bool
is_wanted(const struct replay *p)
{
	return p->tally.number >= p->c.first &&
	       (p->c.count == 0 || p->tally.number - p->c.first < p->c.count);
}

static int
bins_play(struct replay *p, struct err *e)
{
	struct batch_reader *r = &p->reader;
	int rc = 0;

	while (rc == 0 && batch_next_bin(r)) {
		p->tally.number++;
		if (!is_wanted(p))
			continue;
		p->tally.batches++;
		if (p->c.list || p->c.test || p->c.rows)
			bin_look(p);
		else
			rc = bin_write(p, e);
	}
	return rc;
}

/* A file that cannot be read keeps no others from being played. */
static int
file_unread(struct replay *p, const struct err *e)
{
	p->tally.unread++;
	fprintf(stderr, "weir replay: %s\n", e->text);
	return 0;
}

static int
file_play(struct replay *p, const char *path, struct err *e)
{
	struct err fault = ERR_INIT;
	int rc = batch_open(&p->reader, path, e);

	if (rc == -WEIR_ENOMEM)
		return rc;
	if (rc != 0)
		return file_unread(p, e);
	if (p->c.only_insert)
		p->reader.head.only_insert = true;
	rc = bins_play(p, e);
	if (batch_fault(&p->reader, &fault) != 0) {
		rc = file_unread(p, &fault);
	} else if (rc == 0 && !batch_is_whole(&p->reader)) {
		p->tally.damaged++;
		fprintf(stderr, "%s: damaged or unfinished: what can be read is used\n",
		    path);
	}
	batch_close(&p->reader);
	return rc;
}

static int
is_file_of_ours(const struct dirent *d)
{
	enum spool_kind kind = spool_kind(d->d_name);

	/* The backup may have those that are bound: only when they are named. */
	return kind != SPOOL_ALIEN && kind != SPOOL_BOUND;
}

/* Whether a file that has not ended is none that a weir writes right now. */
static bool
is_left(const char *name, bool taken)
{
	enum spool_kind kind = spool_kind(name);

	return !taken || (kind != SPOOL_WRITING && kind != SPOOL_ASIDE_WRITING);
}

/* What is at `path` cannot be looked at: errno says why. */
static int
path_unread(struct replay *p, const char *path)
{
	struct err e = ERR_INIT;

	(void)err_set(&e, WEIR_EIO, "%s: %s", path, strerror(errno));
	return file_unread(p, &e);
}

static int
folder_play(struct replay *p, const char *path, struct err *e)
{
	struct dirent **names;
	int n = scandir(path, &names, is_file_of_ours, alphasort);
	int rc = 0;
	bool taken;

	if (n < 0)
		return path_unread(p, path);
	/* What was seen before, and nobody has now, nobody writes. */
	taken = spool_is_taken(path);
	for (int i = 0; i < n; i++) {
		char file[PATH_MAX];

		snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		/* A weir that runs may have written it by now. */
		if (rc == 0 && is_left(names[i]->d_name, taken) &&
		    (!taken || access(file, F_OK) == 0))
			rc = file_play(p, file, e);
		free(names[i]);
	}
	free(names);
	return rc;
}

int
replay_path(struct replay *p, const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return path_unread(p, path);
	return S_ISDIR(st.st_mode) ? folder_play(p, path, e) : file_play(p, path, e);
}
