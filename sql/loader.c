/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/loader.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "sql/compose.h"

#define SAVEPOINT "weir_rows" /* before a merge: what is staged stays staged */

/* Which columns make the key that the table has. */
enum loader_key { KEY_NONE, KEY_MADE, KEY_FULL };

/* What becomes of a row whose key is taken. */
enum loader_aim { AIM_ADD, AIM_LEAVE };

/* A statement of a loader, and which parameter each column is. */
struct loader_stmt {
	struct sql_stmt *st;
	uint16_t param[SCHEMA_COLUMNS];
};

struct loader {
	const struct sql_driver *d;
	struct sql_conn *conn;
	const struct sql_config *config;
	const struct sql_schema *schema;
	char *table;
	enum loader_key key;
	enum loader_aim aim;

	struct loader_stmt straight, staged; /* bulk loads; st NULL: not to be had */
	struct loader_stmt rows[ROW_TARGETS]; /* row by row: INSERT, UPDATE */

	struct loader_stmt *load; /* of the batch; NULL: row by row */
	uint64_t bin;             /* of the batch */
	uint64_t n;               /* rows of the batch so far */
	bool written;             /* some batch is in; the newest bin of all is */
	uint64_t newest;
	bool taken;               /* the last straight load found keys taken */
	bool capped;              /* sums stay at the largest that their columns hold */
	bool rows_capped;         /* so do those of `rows` */
};

/* The names of the columns that are written, or of a key; how many. */
static unsigned
columns_list(const struct sql_schema *s, bool keys, bool full,
    const char *names[SCHEMA_COLUMNS])
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n; i++) {
		const struct sql_column *c = &s->columns[i];

		if (keys ? c->role == SQL_KEY && (c->made || full) : c->written)
			names[n++] = c->name;
	}
	return n;
}

static int
key_find(struct loader *l, struct err *e)
{
	const char *names[SCHEMA_COLUMNS];

	l->key = KEY_NONE;
	for (int full = 0; full < 2; full++) {
		unsigned n = columns_list(l->schema, true, full == 1, names);
		bool yes = false;
		int rc = 0;

		if (n > 0)
			rc = l->d->has_key(l->conn, l->table, names, n, &yes, e);
		if (rc != 0)
			return rc;
		if (yes) {
			l->key = full == 1 ? KEY_FULL : KEY_MADE;
			return 0;
		}
	}
	return 0;
}

static int
stmt_prepare(struct loader *l, struct loader_stmt *s, const struct sql_text *t,
    struct err *e)
{
	const char *names[SCHEMA_COLUMNS + 1] = { NULL };
	int rc;

	memcpy(s->param, t->param, sizeof(s->param));
	rc = l->d->prepare(l->conn, t->line.p, &s->st, e);
	if (rc != 0 || l->d->describe == NULL)
		return rc;
	for (unsigned i = 0; i < l->schema->n; i++)
		if (s->param[i] != 0)
			names[s->param[i] - 1] = l->schema->columns[i].name;
	return l->d->describe(l->conn, s->st, l->table, names, e);
}

static int
rows_open(struct loader *l, struct err *e)
{
	const struct sql_dialect *d = &l->d->dialect;
	struct sql_text t = { 0 };
	int rc;

	if (l->aim == AIM_ADD && l->key != KEY_NONE)
		compose_upsert(&t, d, l->schema, l->table, l->key == KEY_FULL, l->capped);
	else
		compose_insert(&t, d, l->schema, l->table);
	rc = stmt_prepare(l, &l->rows[0], &t, e);
	if (rc == 0 && loader_is_keyless(l)) {
		compose_update(&t, d, l->schema, l->table, l->capped);
		rc = stmt_prepare(l, &l->rows[1], &t, e);
	}
	l->rows_capped = l->capped;
	sql_text_fini(&t);
	return rc;
}

static void
rows_close(struct loader *l)
{
	for (unsigned i = 0; i < ROW_TARGETS; i++) {
		l->d->finish(l->rows[i].st);
		l->rows[i].st = NULL;
	}
}

static int
load_open(struct loader *l, struct loader_stmt *s, const char *into, struct err *e)
{
	const char *names[SCHEMA_COLUMNS];
	unsigned n = columns_list(l->schema, false, false, names);
	struct sql_text t = { 0 };
	int rc;

	compose_load(&t, &l->d->dialect, l->schema, into);
	memcpy(s->param, t.param, sizeof(s->param));
	rc = l->d->load_open(l->conn, t.line.p, into, names, n, &s->st, e);
	sql_text_fini(&t);
	return rc;
}

/* Bulk loads, as far as the server allows them. */
static int
loads_open(struct loader *l, struct err *e)
{
	const struct sql_dialect *d = &l->d->dialect;
	struct sql_text t = { 0 };
	int rc = 0;

	/*
	 * A load would not see that the key is there already, where there is none; and one
	 * that the engine could not take back must not be tried.
	 */
	if (!loader_is_keyless(l))
		rc = load_open(l, &l->straight, l->table, e);
	if (rc != 0 && rc != -WEIR_EUNSUPPORTED)
		return rc;
	compose_stage(&t, d, l->schema, l->table);
	rc = l->d->run(l->conn, d->stage_drop, e);
	if (rc == 0)
		rc = l->d->run(l->conn, t.line.p, e);
	sql_text_fini(&t);
	return rc == 0 ? load_open(l, &l->staged, COMPOSE_STAGE, e) : rc;
}

static void
loads_close(struct loader *l)
{
	l->d->finish(l->straight.st);
	l->d->finish(l->staged.st);
	l->straight.st = l->staged.st = NULL;
}

static int
loader_prepare(struct loader *l, struct err *e)
{
	struct err why = ERR_INIT;
	int rc = key_find(l, e);

	if (rc == 0 && l->d->load_open != NULL && (rc = loads_open(l, &why)) != 0) {
		loads_close(l);
		if (rc != -WEIR_EUNSUPPORTED)
			return err_set(e, (enum weir_errno)-rc, "%s", why.text);
		log_info("%s: rows of %s go one by one: %s", l->d->name, l->table, why.text);
		rc = 0;
	}
	if (rc == 0 && l->staged.st == NULL)
		rc = rows_open(l, e);
	return rc;
}

struct loader *
loader_open(const struct sql_driver *d, struct sql_conn *conn, const struct sql_config *c,
    const struct sql_schema *s, const char *table, struct err *e)
{
	struct loader *l = calloc(1, sizeof(*l));

	if (l == NULL || (l->table = strdup(table)) == NULL) {
		free(l);
		err_set(e, WEIR_ENOMEM, "no memory for a table's statements");
		return NULL;
	}
	l->d = d;
	l->conn = conn;
	l->config = c;
	l->schema = s;
	l->aim = c->dont_try_update ? AIM_LEAVE : AIM_ADD;
	if (loader_prepare(l, e) == 0)
		return l;
	loader_close(l);
	return NULL;
}

void
loader_close(struct loader *l)
{
	if (l == NULL)
		return;
	loads_close(l);
	rows_close(l);
	free(l->table);
	free(l);
}

bool
loader_is_keyless(const struct loader *l)
{
	return l->aim == AIM_ADD && l->key == KEY_NONE;
}

int
loader_lock(struct loader *l, struct err *e)
{
	/* Without a key, two that look at once would both find a row missing. */
	if (l->d->lock == NULL ||
	    (l->config->locking != SQL_LOCK_TABLE && !loader_is_keyless(l)))
		return 0;
	return l->d->lock(l->conn, l->table, e);
}

/* Whether the rows of `bin` are likely new to the table. */
static bool
bin_is_new(const struct loader *l, uint64_t bin)
{
	return !l->taken && (l->aim == AIM_LEAVE || !l->written || bin > l->newest);
}

static void
target_add(struct row_target targets[ROW_TARGETS], unsigned *n,
    const struct loader_stmt *s)
{
	targets[*n].st = s->st;
	memcpy(targets[*n].param, s->param, sizeof(s->param));
	(*n)++;
}

/* Statements for rows, as they are wanted by now. */
static int
rows_ready(struct loader *l, struct err *e)
{
	if (l->rows[0].st != NULL && l->rows_capped == l->capped)
		return 0;
	rows_close(l);
	return rows_open(l, e);
}

/*
 * The server takes no load into the table after all (PostgreSQL: row-level security, a
 * view), which it only says when one begins or is under way. The transaction is lost.
 */
static int
load_refused(struct loader *l, struct err *e)
{
	if (l->load == &l->straight) {
		l->d->finish(l->straight.st);
		l->straight.st = NULL;
	} else {
		loads_close(l);
	}
	log_info("%s: %s takes no load: %s", l->d->name, l->table, e->text);
	return -WEIR_EEXIST;
}

/* A straight load that found keys taken is not tried again at once. */
static int
load_result(struct loader *l, int rc, struct err *e)
{
	if (rc == -WEIR_EUNSUPPORTED)
		return load_refused(l, e);

	if (rc == -WEIR_EEXIST && l->load == &l->straight)
		l->taken = true;
	return rc;
}

int
loader_begin(struct loader *l, uint64_t bin, struct row_target targets[ROW_TARGETS],
    unsigned *n, struct err *e)
{
	int rc = 0;

	*n = 0;
	l->bin = bin;
	l->n = 0;
	l->load = NULL;
	if (l->staged.st == NULL) {
		if ((rc = rows_ready(l, e)) != 0)
			return rc;
		for (unsigned i = 0; i < ROW_TARGETS && l->rows[i].st != NULL; i++)
			target_add(targets, n, &l->rows[i]);
		return 0;
	}
	l->load = l->straight.st != NULL && bin_is_new(l, bin) ? &l->straight : &l->staged;
	target_add(targets, n, l->load);
	/* Not every engine empties it when a transaction ends. */
	if (l->load == &l->staged)
		rc = l->d->run(l->conn, "DELETE FROM " COMPOSE_STAGE, e);
	if (rc == 0)
		rc = l->d->load_begin(l->conn, l->load->st, e);
	return load_result(l, rc, e);
}

/*
 * A sum that its column cannot hold must not keep the bin out for ever: from now on sums
 * stay at the largest, which is told of. What is lost cannot be had in such a table.
 */
static void
cap_sums(struct loader *l, const char *why)
{
	l->capped = true;
	log_warn("%s: table %s: a sum does not fit its column and stays at the largest that "
		 "does; ALTER TABLE %s to make the column a BIGINT: %s",
	    l->d->name, l->table, l->table, why);
}

/* The end of a statement that adds: where a sum was too large the bin comes again. */
static int
sum_result(struct loader *l, int rc, const struct err *e)
{
	if (rc != -WEIR_EFULL || l->capped)
		return rc;
	cap_sums(l, e->text);
	return -WEIR_EEXIST;
}

int
loader_row(struct loader *l, uint64_t *refused, struct err *e)
{
	uint64_t changed = 0;
	int rc;

	l->n++;
	if (l->load != NULL)
		return load_result(l, l->d->step(l->conn, l->load->st, &changed, e), e);
	if (l->rows[1].st != NULL) {
		rc = l->d->step(l->conn, l->rows[1].st, &changed, e);
		if (rc != 0 || changed > 0)
			return sum_result(l, rc, e);
	}
	rc = sum_result(l, l->d->step(l->conn, l->rows[0].st, &changed, e), e);
	/* MySQL: 0 also where an addition left all columns as they were. */
	if (rc == 0 && changed == 0 && l->aim == AIM_LEAVE)
		(*refused)++;
	return rc;
}

/* Run what was composed to `t`; `*changed` rows. */
static int
text_run(struct loader *l, const struct sql_text *t, uint64_t *changed, struct err *e)
{
	struct sql_stmt *st;
	int rc = l->d->prepare(l->conn, t->line.p, &st, e);

	if (rc != 0)
		return rc;
	rc = l->d->step(l->conn, st, changed, e);
	l->d->finish(st);
	return rc;
}

/*
 * Add the staged rows to those of the table's key. Two of them with one key are rare; an
 * engine that cannot take them says so, and gets them summed.
 */
static int
merge_keyed(struct loader *l, struct err *e)
{
	const struct sql_dialect *d = &l->d->dialect;
	struct sql_text t = { 0 };
	struct err first = ERR_INIT;
	uint64_t changed;
	int rc = l->d->run(l->conn, "SAVEPOINT " SAVEPOINT, e);

	if (rc != 0)
		return rc;
	compose_merge(&t, d, l->schema, l->table, l->key == KEY_FULL, false, l->capped);
	rc = text_run(l, &t, &changed, &first);
	if (rc != 0 && rc != -WEIR_EAGAIN &&
	    l->d->run(l->conn, "ROLLBACK TO SAVEPOINT " SAVEPOINT, NULL) == 0) {
		if (rc == -WEIR_EFULL && !l->capped)
			cap_sums(l, first.text);
		compose_merge(&t, d, l->schema, l->table, l->key == KEY_FULL, true, l->capped);
		rc = text_run(l, &t, &changed, &first);
	}
	sql_text_fini(&t);
	if (rc != 0)
		err_set(e, (enum weir_errno)-rc, "%s", first.text);
	return sum_result(l, rc, &first);
}

static int
merge_keyless(struct loader *l, struct err *e)
{
	const struct sql_dialect *d = &l->d->dialect;
	struct sql_text t = { 0 };
	uint64_t changed;
	int rc;

	compose_merge_old(&t, d, l->schema, l->table, l->capped);
	rc = text_run(l, &t, &changed, e);
	if (rc == 0) {
		compose_merge_rest(&t, d, l->schema, l->table, l->capped);
		rc = text_run(l, &t, &changed, e);
	}
	sql_text_fini(&t);
	return sum_result(l, rc, e);
}

/* Insert the staged rows whose key is free. */
static int
merge_new(struct loader *l, uint64_t *refused, struct err *e)
{
	struct sql_text t = { 0 };
	uint64_t changed = 0;
	int rc;

	compose_merge_new(&t, &l->d->dialect, l->schema, l->table);
	rc = text_run(l, &t, &changed, e);
	sql_text_fini(&t);
	if (rc == 0)
		*refused += l->n - changed;
	return rc;
}

static int
stage_merge(struct loader *l, uint64_t *refused, struct err *e)
{
	if (l->aim == AIM_LEAVE)
		return merge_new(l, refused, e);
	return l->key == KEY_NONE ? merge_keyless(l, e) : merge_keyed(l, e);
}

int
loader_end(struct loader *l, uint64_t *refused, struct err *e)
{
	int rc = 0;

	if (l->load != NULL)
		rc = load_result(l, l->d->load_end(l->conn, l->load->st, e), e);
	if (rc == 0 && l->load == &l->staged)
		rc = stage_merge(l, refused, e);
	if (rc != 0)
		return rc;
	l->taken = false;
	if (!l->written || l->bin > l->newest)
		l->newest = l->bin;
	l->written = true;
	return 0;
}
