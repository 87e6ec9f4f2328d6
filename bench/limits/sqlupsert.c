/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sqlupsert DATABASE STATEMENT FILE: run STATEMENT, with as many parameters as FILE has
 * tab-divided values a line, for each line, in one transaction that survives a power
 * failure. What a program that only writes rows to SQLite can reach at most.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
die(sqlite3 *db, const char *what)
{
	fprintf(stderr, "sqlupsert: %s: %s\n", what, sqlite3_errmsg(db));
	exit(EXIT_FAILURE);
}

static void
run(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		die(db, sql);
}

/* Numbers are bound as such, as a program would. */
static void
bind_word(sqlite3_stmt *st, int i, const char *word)
{
	char *end;
	long long n = strtoll(word, &end, 10);

	if (*end == '\0' && end != word)
		sqlite3_bind_int64(st, i, n);
	else
		sqlite3_bind_text(st, i, word, -1, SQLITE_STATIC);
}

static unsigned long
upsert_all(sqlite3 *db, sqlite3_stmt *st, FILE *f)
{
	char line[4096];
	unsigned long n = 0;

	for (; fgets(line, sizeof(line), f) != NULL; n++) {
		char *save = NULL, *word = strtok_r(line, "\t\n", &save);

		for (int i = 1; word != NULL; i++, word = strtok_r(NULL, "\t\n", &save))
			bind_word(st, i, word);
		if (sqlite3_step(st) != SQLITE_DONE)
			die(db, "a row");
		sqlite3_reset(st);
	}
	return n;
}

int
main(int argc, char **argv)
{
	sqlite3 *db;
	sqlite3_stmt *st;
	unsigned long n;
	FILE *f;

	if (argc != 4 || (f = fopen(argv[3], "r")) == NULL ||
	    sqlite3_open(argv[1], &db) != SQLITE_OK) {
		fputs("usage: sqlupsert DATABASE STATEMENT FILE\n", stderr);
		return EXIT_FAILURE;
	}
	run(db, "PRAGMA journal_mode = WAL");
	run(db, "PRAGMA synchronous = FULL");
	run(db, "PRAGMA cache_size = -32768");
	if (sqlite3_prepare_v2(db, argv[2], -1, &st, NULL) != SQLITE_OK)
		die(db, argv[2]);
	run(db, "BEGIN IMMEDIATE");
	n = upsert_all(db, st, f);
	run(db, "COMMIT");
	sqlite3_finalize(st);
	sqlite3_close(db);
	fclose(f);
	printf("rows=%lu\n", n);
	return 0;
}
