/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/compose.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void
sql_text_fini(struct sql_text *t)
{
	text_line_free(&t->line);
}

static void
put(struct sql_text *t, const char *s)
{
	text_line_put(&t->line, s, strlen(s));
}

static void
put_name(struct sql_text *t, const struct sql_dialect *d, const char *name)
{
	/* Columns are weir's own words and tables went through tablename_expand. */
	assert(strchr(name, d->quote) == NULL);
	text_line_put(&t->line, &d->quote, 1);
	put(t, name);
	text_line_put(&t->line, &d->quote, 1);
}

static void
put_param(struct sql_text *t, const struct sql_dialect *d)
{
	char buf[8];

	t->n++;
	if (d->numbered)
		snprintf(buf, sizeof(buf), "$%u", (unsigned)t->n);
	put(t, d->numbered ? buf : "?");
}

/* The parameter that is column `i`. */
static void
put_value(struct sql_text *t, const struct sql_dialect *d, unsigned i)
{
	put_param(t, d);
	t->param[i] = t->n;
}

static void
text_begin(struct sql_text *t)
{
	t->line.len = 0;
	t->n = 0;
	memset(t->param, 0, sizeof(t->param));
}

static void
text_end(struct sql_text *t)
{
	text_line_put(&t->line, "", 1);
}

static bool
in_key(const struct sql_column *c, bool full)
{
	return c->role == SQL_KEY && (c->made || full);
}

static void
put_key(struct sql_text *t, const struct sql_dialect *d, const struct sql_schema *s,
    bool full)
{
	const char *between = "";

	for (unsigned i = 0; i < s->n; i++) {
		if (!in_key(&s->columns[i], full))
			continue;
		put(t, between);
		put_name(t, d, s->columns[i].name);
		between = ", ";
	}
}

static bool
has_key(const struct sql_schema *s)
{
	for (unsigned i = 0; i < s->n; i++)
		if (in_key(&s->columns[i], false))
			return true;
	return false;
}

static void
put_definition(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_column *c)
{
	put_name(t, d, c->name);
	put(t, " ");
	put(t, d->types[c->type]);
	if (c->role == SQL_KEY || c->filler != NULL)
		put(t, " NOT NULL");
	if (c->filler == NULL)
		return;
	put(t, " DEFAULT ");
	put(t, c->number ? "" : "'");
	put(t, c->filler);
	put(t, c->number ? "" : "'");
}

void
compose_create(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table)
{
	const char *between = " (";

	text_begin(t);
	put(t, "CREATE TABLE IF NOT EXISTS ");
	put_name(t, d, table);
	for (unsigned i = 0; i < s->n; i++) {
		if (!s->columns[i].made)
			continue;
		put(t, between);
		put_definition(t, d, &s->columns[i]);
		between = ", ";
	}
	if (has_key(s)) {
		put(t, ", PRIMARY KEY (");
		put_key(t, d, s, false);
		put(t, "))");
		put(t, d->table_options);
	} else {
		put(t, ")"); /* `aggregate: none` without history: one row, no key */
	}
	text_end(t);
}

static void
put_insert(struct sql_text *t, const struct sql_dialect *d, const struct sql_schema *s,
    const char *table)
{
	const char *between = " (";

	put(t, "INSERT INTO ");
	put_name(t, d, table);
	for (unsigned i = 0; i < s->n; i++) {
		if (!s->columns[i].written)
			continue;
		put(t, between);
		put_name(t, d, s->columns[i].name);
		between = ", ";
	}
	put(t, ") VALUES (");
	between = "";
	for (unsigned i = 0; i < s->n; i++) {
		if (!s->columns[i].written)
			continue;
		put(t, between);
		put_value(t, d, i);
		between = ", ";
	}
	put(t, ")");
}

/* What an INSERT brought and found taken. */
static void
put_excluded(struct sql_text *t, const struct sql_dialect *d, const char *name)
{
	put(t, d->on_conflict ? "excluded." : "VALUES(");
	put_name(t, d, name);
	put(t, d->on_conflict ? "" : ")");
}

/*
 * The SET list: each column that is no key becomes what it was and what is new
 * together. `upsert`: new is what the INSERT brought; else parameters.
 */
static void
put_changes(struct sql_text *t, const struct sql_dialect *d, const struct sql_schema *s,
    const char *table, bool upsert)
{
	const struct {
		const char *function, *operator;
	} joins[] = {
		[SQL_ADD] = { "", " + " },
		[SQL_OR] = { "", " | " },
		[SQL_LEAST] = { d->least, ", " },
		[SQL_GREATEST] = { d->greatest, ", " },
		[SQL_REPLACE] = { "", "" },
	};
	const char *between = " ";

	for (unsigned i = 0; i < s->n; i++) {
		const struct sql_column *c = &s->columns[i];
		const char *function = joins[c->role].function;

		if (!c->written || c->role == SQL_KEY)
			continue;
		put(t, between);
		put_name(t, d, c->name);
		put(t, " = ");
		put(t, function);
		put(t, *function != '\0' ? "(" : "");
		if (c->role != SQL_REPLACE) {
			put_name(t, d, table);
			put(t, ".");
			put_name(t, d, c->name);
			put(t, joins[c->role].operator);
		}
		if (upsert)
			put_excluded(t, d, c->name);
		else
			put_value(t, d, i);
		put(t, *function != '\0' ? ")" : "");
		between = ", ";
	}
}

void
compose_upsert(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table, bool full_key)
{
	text_begin(t);
	put_insert(t, d, s, table);
	if (d->on_conflict) {
		put(t, " ON CONFLICT (");
		put_key(t, d, s, full_key);
		put(t, ") DO UPDATE SET");
	} else {
		put(t, " ON DUPLICATE KEY UPDATE");
	}
	put_changes(t, d, s, table, true);
	text_end(t);
}

void
compose_insert(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table)
{
	text_begin(t);
	put_insert(t, d, s, table);
	if (d->on_conflict) {
		put(t, " ON CONFLICT DO NOTHING");
	} else {
		/* Setting a column to itself counts as no change. */
		put(t, " ON DUPLICATE KEY UPDATE ");
		put_name(t, d, s->columns[0].name);
		put(t, " = ");
		put_name(t, d, s->columns[0].name);
	}
	text_end(t);
}

void
compose_update(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table)
{
	const char *between = " WHERE ";

	text_begin(t);
	put(t, "UPDATE ");
	put_name(t, d, table);
	put(t, " SET");
	put_changes(t, d, s, table, false);
	for (unsigned i = 0; i < s->n; i++) {
		if (!s->columns[i].written || s->columns[i].role != SQL_KEY)
			continue;
		put(t, between);
		put_name(t, d, s->columns[i].name);
		put(t, " = ");
		put_value(t, d, i);
		between = " AND ";
	}
	text_end(t);
}

void
compose_prune(struct sql_text *t, const struct sql_dialect *d, const char *table,
    const char *less, const char *equal)
{
	text_begin(t);
	put(t, "DELETE FROM ");
	put_name(t, d, table);
	put(t, " WHERE ");
	put_name(t, d, less);
	put(t, " < ");
	put_param(t, d);
	put(t, " AND ");
	put_name(t, d, equal);
	put(t, " = ");
	put_param(t, d);
	text_end(t);
}
