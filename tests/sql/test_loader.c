/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which way rows take: a driver that writes nothing down in a database but each call in a
 * list, and fails where a case says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sql/loader.h"

struct sql_stmt {
	char name[32];
};

/* What the server of a case is like. */
static struct server {
	bool key, no_load, no_straight;
	const char *fails;      /* the statement of which the next run fails, */
	int with;               /* with this */
	uint64_t changed;       /* what a step changes */
} server;
static char calls[4096];

static void
note(const char *what)
{
	strcat(strcat(calls, calls[0] != '\0' ? " " : ""), what);
}

/* A statement by its first words. */
static void
stmt_name(const char *sql, char name[32])
{
	static const struct {
		const char *begins, *holds, *name;
	} names[] = {
		{ "CREATE TEMP", "", "stage" }, { "COPY \"t\"", "", "straight" },
		{ "COPY \"weir_stage\"", "", "staged" }, { "SAVEPOINT", "", "savepoint" },
		{ "ROLLBACK TO", "", "back" }, { "DELETE", "", "empty" }, { "DROP", "", "drop" },
		{ "INSERT", "LEFT JOIN", "rest" }, { "UPDATE", "CAPPED", "capped" },
		{ "INSERT", "GROUP BY", "merge-sums" },
		{ "INSERT", "CAPPED", "capped" },
		{ "INSERT", "weir_stage\" AS n WHERE TRUE ON CONFLICT (", "merge" },
		{ "INSERT", "weir_stage", "merge-new" }, { "UPDATE", "weir_stage", "old" },
		{ "INSERT", "ON CONFLICT (", "upsert" }, { "INSERT", "", "insert" },
		{ "UPDATE", "", "update" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strncmp(sql, names[i].begins, strlen(names[i].begins)) != 0 ||
		    strstr(sql, names[i].holds) == NULL)
			continue;
		snprintf(name, 32, "%s", names[i].name);
		return;
	}
	fail_msg("what is this? %s", sql);
}

/* Note the run; fail it if it is the one. */
static int
run_named(const char *name, struct err *e)
{
	note(name);
	if (server.fails == NULL || strcmp(server.fails, name) != 0)
		return 0;
	server.fails = NULL;
	return err_set(e, (enum weir_errno)-server.with, "no");
}

static int
fake_run(struct sql_conn *c, const char *sql, struct err *e)
{
	char name[32];

	(void)c;
	stmt_name(sql, name);
	return run_named(name, e);
}

static int
fake_lock(struct sql_conn *c, const char *table, struct err *e)
{
	(void)c, (void)table;
	return run_named("lock", e);
}

static int
fake_has_key(struct sql_conn *c, const char *table, const char *const *columns, unsigned n,
    bool *yes, struct err *e)
{
	(void)c, (void)table, (void)columns, (void)e;
	assert_true(n > 0);
	*yes = server.key;
	return 0;
}

static int
fake_prepare(struct sql_conn *c, const char *sql, struct sql_stmt **st, struct err *e)
{
	(void)c, (void)e;
	*st = calloc(1, sizeof(**st));
	assert_non_null(*st);
	stmt_name(sql, (*st)->name);
	return 0;
}

static void
fake_finish(struct sql_stmt *st)
{
	free(st);
}

static int
fake_step(struct sql_conn *c, struct sql_stmt *st, uint64_t *changed, struct err *e)
{
	(void)c;
	*changed = server.changed;
	return run_named(st->name, e);
}

static int
fake_load_open(struct sql_conn *c, const char *sql, const char *table,
    const char *const *columns, unsigned n, struct sql_stmt **st, struct err *e)
{
	(void)columns;
	assert_int_equal(n, 5);
	if (server.no_load || (server.no_straight && strcmp(table, "t") == 0))
		return err_set(e, WEIR_EUNSUPPORTED, "not here");
	return fake_prepare(c, sql, st, e);
}

static int
fake_load_begin(struct sql_conn *c, struct sql_stmt *st, struct err *e)
{
	(void)c, (void)st;
	return run_named("begin", e);
}

static int
fake_load_end(struct sql_conn *c, struct sql_stmt *st, struct err *e)
{
	(void)c, (void)st;
	return run_named("end", e);
}

static const struct sql_driver fake = {
	.name = "fake",
	.dialect = { .quote = '"', .numbered = true, .on_conflict = true, .update_from = true,
		.types = { "S", "I", "B", "W", "P", "A", "H", "M", "T", "D" },
		.stamp_none = "", .table_options = "", .keyless_options = "", .least = "LEAST",
		.greatest = "GREATEST", .sum_capped = "CAPPED(@, #)",
		.stage_drop = "DROP", .stage_options = "",
		.load = { "COPY ", " (", ")" } },
	.run = fake_run, .lock = fake_lock, .has_key = fake_has_key,
	.prepare = fake_prepare, .finish = fake_finish, .step = fake_step,
	.load_open = fake_load_open, .load_begin = fake_load_begin,
	.load_end = fake_load_end,
};

/* A loader of the fake engine for `aggregate: src_host` with time bins. */
static struct loader *
open_loader(struct sql_config *c, struct sql_schema *s)
{
	struct sql_shape shape = { .config = c, .dialect = &fake.dialect, .history = true };
	struct err e = ERR_INIT;
	struct loader *l;

	c->table_version = 9;
	c->optimize_clauses = true;
	assert_int_equal(field_set_parse("src_host", &shape.fields, &e), 0);
	assert_int_equal(schema_plan(s, &shape, &e), 0);
	l = loader_open(&fake, NULL, c, s, "t", &e);
	assert_non_null(l);
	return l;
}

/* A batch of two rows for `bin`. */
static int
write_batch(struct loader *l, uint64_t bin, uint64_t *refused)
{
	struct row_target targets[ROW_TARGETS];
	struct err e = ERR_INIT;
	unsigned n = 0;
	int rc;

	calls[0] = '\0';
	*refused = 0;
	rc = loader_lock(l, &e);
	if (rc == 0)
		rc = loader_begin(l, bin, targets, &n, &e);
	for (int i = 0; rc == 0 && i < 2; i++)
		rc = loader_row(l, refused, &e);
	return rc == 0 ? loader_end(l, refused, &e) : rc;
}

#define ADD { .locking = SQL_LOCK_ROW }
#define LEAVE { .locking = SQL_LOCK_ROW, .dont_try_update = true }
static const struct {
	const char *says;
	struct sql_config config;
	struct server server;
	struct {
		uint64_t bin;
		int rc;
		const char *calls;
		uint64_t refused;
	} batches[3]; /* calls NULL: no more */
} cases[] = {
	{ "the first rows, and those of a newer bin, go straight", ADD, { .key = true },
	    { { 5, 0, "begin straight straight end", 0 },
	        { 6, 0, "begin straight straight end", 0 } } },
	{ "rows of a bin that was written are merged", ADD, { .key = true },
	    { { 5, 0, "begin straight straight end", 0 },
	        { 5, 0, "empty begin staged staged end savepoint merge", 0 },
	        { 4, 0, "empty begin staged staged end savepoint merge", 0 } } },
	{ "where keys were taken the same rows come again, merged; newer ones go straight", ADD,
	    { .key = true, .fails = "end", .with = -WEIR_EEXIST },
	    { { 5, -WEIR_EEXIST, "begin straight straight end", 0 },
	        { 5, 0, "empty begin staged staged end savepoint merge", 0 },
	        { 6, 0, "begin straight straight end", 0 } } },
	{ "a key may be found taken at any row", ADD,
	    { .key = true, .fails = "straight", .with = -WEIR_EEXIST },
	    { { 5, -WEIR_EEXIST, "begin straight", 0 },
	        { 5, 0, "empty begin staged staged end savepoint merge", 0 } } },
	{ "staged rows of one key are summed first", ADD,
	    { .key = true, .fails = "merge", .with = -WEIR_EIO },
	    { { 5, 0, "begin straight straight end", 0 },
	        { 5, 0, "empty begin staged staged end savepoint merge back merge-sums", 0 } } },
	{ "a sum that its column cannot hold stays at the largest, from then on", ADD,
	    { .key = true, .fails = "merge", .with = -WEIR_EFULL },
	    { { 5, 0, "begin straight straight end", 0 },
	        { 5, 0, "empty begin staged staged end savepoint merge back merge-sums", 0 },
	        { 5, 0, "empty begin staged staged end savepoint capped", 0 } } },
	{ "also row by row, where the bin comes again", ADD,
	    { .key = true, .no_load = true, .fails = "upsert", .with = -WEIR_EFULL,
	        .changed = 1 },
	    { { 5, -WEIR_EEXIST, "upsert", 0 }, { 5, 0, "capped capped", 0 } } },
	{ "and without a key", ADD,
	    { .key = false, .fails = "old", .with = -WEIR_EFULL },
	    { { 5, -WEIR_EEXIST, "lock empty begin staged staged end old", 0 },
	        { 5, 0, "lock empty begin staged staged end capped rest", 0 } } },
	{ "an addition that changes nothing is not refused", ADD, { .key = true, .no_load = true },
	    { { 5, 0, "upsert upsert", 0 } } },
	{ "a table that refuses loads when they begin gets them staged", ADD,
	    { .key = true, .fails = "begin", .with = -WEIR_EUNSUPPORTED },
	    { { 5, -WEIR_EEXIST, "begin", 0 },
	        { 6, 0, "empty begin staged staged end savepoint merge", 0 } } },
	{ "also those that say so at the end", ADD,
	    { .key = true, .fails = "end", .with = -WEIR_EUNSUPPORTED },
	    { { 5, -WEIR_EEXIST, "begin straight straight end", 0 },
	        { 6, 0, "empty begin staged staged end savepoint merge", 0 } } },
	{ "and row by row where the stage refuses, too", ADD,
	    { .key = true, .no_straight = true, .fails = "begin", .with = -WEIR_EUNSUPPORTED,
	        .changed = 1 },
	    { { 5, -WEIR_EEXIST, "empty begin", 0 }, { 5, 0, "upsert upsert", 0 } } },
	{ "a deadlock is the caller's", ADD, { .key = true, .fails = "merge", .with = -WEIR_EAGAIN },
	    { { 5, 0, "begin straight straight end", 0 },
	        { 5, -WEIR_EAGAIN, "empty begin staged staged end savepoint merge", 0 } } },
	{ "a table without a key is locked, its rows are updated, the others inserted", ADD,
	    { .key = false },
	    { { 5, 0, "lock empty begin staged staged end old rest", 0 },
	        { 6, 0, "lock empty begin staged staged end old rest", 0 } } },
	{ "sql_dont_try_update goes straight, also to old bins", LEAVE, { .key = true },
	    { { 5, 0, "begin straight straight end", 0 },
	        { 5, 0, "begin straight straight end", 0 } } },
	{ "and tells how many keys were taken", LEAVE,
	    { .key = true, .fails = "end", .with = -WEIR_EEXIST, .changed = 1 },
	    { { 5, -WEIR_EEXIST, "begin straight straight end", 0 },
	        { 5, 0, "empty begin staged staged end merge-new", 1 } } },
	{ "without a key there is none to be taken", LEAVE, { .key = false },
	    { { 5, 0, "begin straight straight end", 0 } } },
	{ "what cannot be taken back is staged always", ADD, { .key = true, .no_straight = true },
	    { { 5, 0, "empty begin staged staged end savepoint merge", 0 },
	        { 6, 0, "empty begin staged staged end savepoint merge", 0 } } },
	{ "without loads rows go one by one", ADD, { .key = true, .no_load = true, .changed = 1 },
	    { { 5, 0, "upsert upsert", 0 }, { 5, 0, "upsert upsert", 0 } } },
	{ "updated where they are", ADD, { .no_load = true, .changed = 1 },
	    { { 5, 0, "lock update update", 0 } } },
	{ "refused where their key is taken", LEAVE, { .key = true, .no_load = true },
	    { { 5, 0, "insert insert", 2 } } },
	{ "the table is locked where one wants it", { .locking = SQL_LOCK_TABLE }, { .key = true },
	    { { 5, 0, "lock begin straight straight end", 0 } } },
	{ "nobody gets it while another has it", { .locking = SQL_LOCK_TABLE },
	    { .key = true, .fails = "lock", .with = -WEIR_EAGAIN },
	    { { 5, -WEIR_EAGAIN, "lock", 0 } } },
};

static void
test_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sql_config c = cases[i].config;
		struct sql_schema s;
		struct loader *l;

		server = cases[i].server;
		calls[0] = '\0';
		l = open_loader(&c, &s);
		for (int b = 0; b < 3 && cases[i].batches[b].calls != NULL; b++) {
			uint64_t refused;
			int rc = write_batch(l, cases[i].batches[b].bin, &refused);

			if (rc != cases[i].batches[b].rc ||
			    strcmp(calls, cases[i].batches[b].calls) != 0 ||
			    refused != cases[i].batches[b].refused)
				fail_msg("%s, batch %d: %d, %llu refused, '%s'",
				    cases[i].says, b, rc, (unsigned long long)refused, calls);
		}
		loader_close(l);
	}
}

/* What is wrong with the server, but for missing rights, is an error. */
static void
test_open_fails(void **state)
{
	struct sql_config c = ADD;
	struct sql_shape shape = { .config = &c, .dialect = &fake.dialect };
	struct sql_schema s;
	struct err e = ERR_INIT;

	(void)state;
	c.table_version = 9;
	assert_int_equal(field_set_parse("src_host", &shape.fields, &e), 0);
	server = (struct server){ .key = true, .fails = "stage", .with = -WEIR_EIO };
	c.optimize_clauses = true;
	shape.history = true;
	assert_int_equal(schema_plan(&s, &shape, &e), 0);
	assert_null(loader_open(&fake, NULL, &c, &s, "t", &e));
	assert_int_equal(e.code, WEIR_EIO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ways),
		cmocka_unit_test(test_open_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
