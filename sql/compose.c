/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/compose.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "sql/compose_parts.h"
#include "sql/tablename.h"

void
sql_text_fini(struct sql_text *t)
{
	text_line_free(&t->line);
}

void
part_put(struct sql_text *t, const char *s)
{
	text_line_put(&t->line, s, strlen(s));
}

void
part_name(struct sql_text *t, const struct sql_dialect *d, const char *name)
{
	/* Columns are weir's own words. */
	assert(strchr(name, d->quote) == NULL);
	text_line_put(&t->line, &d->quote, 1);
	part_put(t, name);
	text_line_put(&t->line, &d->quote, 1);
}

void
part_table(struct sql_text *t, const struct sql_dialect *d, const char *table)
{
	char name[TABLENAME_QUOTED];

	tablename_quote(table, d->quote, name);
	part_put(t, name);
}

static void
put_param(struct sql_text *t, const struct sql_dialect *d)
{
	char buf[8];

	t->n++;
	if (d->numbered)
		snprintf(buf, sizeof(buf), "$%u", (unsigned)t->n);
	part_put(t, d->numbered ? buf : "?");
}

/* The parameter that is column `i`, `c`. */
static void
put_value(struct sql_text *t, const struct sql_dialect *d, const struct sql_column *c,
    unsigned i)
{
	bool host = c->type == SQL_HOST;

	part_put(t, host ? d->to_host : "");
	part_put(t, host ? "(" : "");
	put_param(t, d);
	part_put(t, host ? ")" : "");
	t->param[i] = t->n;
}

void
part_begin(struct sql_text *t)
{
	t->line.len = 0;
	t->n = 0;
	memset(t->param, 0, sizeof(t->param));
}

void
part_end(struct sql_text *t)
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
		part_put(t, between);
		part_name(t, d, s->columns[i].name);
		between = ", ";
	}
}

/* Columns of the key of a table that weir makes; those of them that are text. */
static unsigned
key_size(const struct sql_schema *s, unsigned *texts)
{
	unsigned n = 0;

	*texts = 0;
	for (unsigned i = 0; i < s->n; i++) {
		if (!in_key(&s->columns[i], false))
			continue;
		n++;
		*texts += s->columns[i].type == SQL_TEXT;
	}
	return n;
}

/*
 * The key of CREATE TABLE. An index for which the values are too long is one of their
 * hashes, where the engine has such a thing (MariaDB), and cannot be the primary key.
 */
static void
put_key_clause(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s)
{
	unsigned texts, n = key_size(s, &texts);

	if (n == 0 || (d->key_columns != 0 && n > d->key_columns))
		return; /* `aggregate: none` without history: one row, no key */
	part_put(t, d->key_texts != 0 && texts > d->key_texts ? ", UNIQUE (" :
	                                                   ", PRIMARY KEY (");
	put_key(t, d, s, false);
	part_put(t, ")");
}

static void
put_definition(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_column *c)
{
	part_name(t, d, c->name);
	part_put(t, " ");
	part_put(t, d->types[c->type]);
	if (c->role == SQL_KEY || c->filler != NULL)
		part_put(t, " NOT NULL");
	if (c->filler == NULL)
		return;
	part_put(t, " DEFAULT ");
	if (c->type == SQL_HOST) {
		part_put(t, "X'00000000'"); /* 0.0.0.0 */
		return;
	}
	part_put(t, c->number ? "" : "'");
	part_put(t, c->filler);
	part_put(t, c->number ? "" : "'");
}

void
compose_create(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table)
{
	const char *between = " (";
	unsigned texts;

	part_begin(t);
	part_put(t, "CREATE TABLE IF NOT EXISTS ");
	part_table(t, d, table);
	for (unsigned i = 0; i < s->n; i++) {
		if (!s->columns[i].made)
			continue;
		part_put(t, between);
		put_definition(t, d, &s->columns[i]);
		between = ", ";
	}
	put_key_clause(t, d, s);
	part_put(t, ")");
	part_put(t, key_size(s, &texts) > 0 ? d->table_options : d->keyless_options);
	part_end(t);
}

void
part_columns(struct sql_text *t, const struct sql_dialect *d, const struct sql_schema *s,
    const char *prefix)
{
	const char *between = "";

	for (unsigned i = 0; i < s->n; i++) {
		if (!s->columns[i].written)
			continue;
		part_put(t, between);
		part_put(t, prefix);
		part_name(t, d, s->columns[i].name);
		between = ", ";
	}
}

void
part_into(struct sql_text *t, const struct sql_dialect *d, const struct sql_schema *s,
    const char *table)
{
	part_put(t, "INSERT INTO ");
	part_table(t, d, table);
	part_put(t, " (");
	part_columns(t, d, s, "");
	part_put(t, ") ");
}

static void
put_insert(struct sql_text *t, const struct sql_dialect *d, const struct sql_schema *s,
    const char *table)
{
	const char *between = "VALUES (";

	part_into(t, d, s, table);
	for (unsigned i = 0; i < s->n; i++) {
		if (!s->columns[i].written)
			continue;
		part_put(t, between);
		put_value(t, d, &s->columns[i], i);
		between = ", ";
	}
	part_put(t, ")");
}

static void
put_new(struct sql_text *t, const struct sql_dialect *d, const struct sql_column *c,
    unsigned i, enum part_source from)
{
	bool function = from == FROM_INSERT && !d->on_conflict;

	if (from == FROM_PARAMS) {
		put_value(t, d, c, i);
		return;
	}
	part_put(t, from == FROM_STAGE ? "n." : function ? "VALUES(" : "excluded.");
	part_name(t, d, c->name);
	part_put(t, function ? ")" : "");
}

/* What column `c` of `table` and what is new make: "a + b" by the form of the dialect. */
static void
put_sum(struct sql_text *t, const struct sql_dialect *d, const char *table,
    const struct sql_column *c, unsigned i, struct part_change how)
{
	const char *form = how.capped && d->sum_capped != NULL ? d->sum_capped : d->sum;

	for (const char *p = form != NULL ? form : "@ + #"; *p != '\0'; p++) {
		if (*p == '#') {
			put_new(t, d, c, i, how.from);
		} else if (*p == '@') {
			part_table(t, d, table);
			part_put(t, ".");
			part_name(t, d, c->name);
		} else {
			text_line_put(&t->line, p, 1);
		}
	}
}

void
part_changes(struct sql_text *t, const struct sql_dialect *d, const struct sql_schema *s,
    const char *table, struct part_change how)
{
	const struct {
		const char *function, *operator;
	} joins[] = {
		[SQL_ADD] = { "", "" }, /* put_sum */
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
		part_put(t, between);
		if (how.from == FROM_STAGE && !d->update_from) {
			part_table(t, d, table); /* of two tables the one */
			part_put(t, ".");
		}
		part_name(t, d, c->name);
		part_put(t, " = ");
		between = ", ";
		if (c->role == SQL_ADD) {
			put_sum(t, d, table, c, i, how);
			continue;
		}
		part_put(t, function);
		part_put(t, *function != '\0' ? "(" : "");
		if (c->role != SQL_REPLACE) {
			part_table(t, d, table);
			part_put(t, ".");
			part_name(t, d, c->name);
			part_put(t, joins[c->role].operator);
		}
		put_new(t, d, c, i, how.from);
		part_put(t, *function != '\0' ? ")" : "");
	}
}

void
part_adding(struct sql_text *t, const struct sql_dialect *d, const struct sql_schema *s,
    const char *table, bool full_key, bool capped)
{
	if (d->on_conflict) {
		part_put(t, " ON CONFLICT (");
		put_key(t, d, s, full_key);
		part_put(t, ") DO UPDATE SET");
	} else {
		part_put(t, " ON DUPLICATE KEY UPDATE");
	}
	part_changes(t, d, s, table, (struct part_change){ FROM_INSERT, capped });
}

void
part_yielding(struct sql_text *t, const struct sql_dialect *d, const struct sql_schema *s,
    const char *table)
{
	if (d->on_conflict) {
		part_put(t, " ON CONFLICT DO NOTHING");
		return;
	}
	/* Setting a column to itself counts as no change. */
	part_put(t, " ON DUPLICATE KEY UPDATE ");
	for (int i = 0; i < 2; i++) {
		part_put(t, i == 0 ? "" : " = ");
		part_table(t, d, table);
		part_put(t, ".");
		part_name(t, d, s->columns[0].name);
	}
}

void
compose_upsert(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table, bool full_key, bool capped)
{
	part_begin(t);
	put_insert(t, d, s, table);
	part_adding(t, d, s, table, full_key, capped);
	part_end(t);
}

void
compose_insert(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table)
{
	part_begin(t);
	put_insert(t, d, s, table);
	part_yielding(t, d, s, table);
	part_end(t);
}

/* The name of a key column, as it is compared with a parameter. */
static void
part_compared(struct sql_text *t, const struct sql_dialect *d, const struct sql_column *c)
{
	bool any = c->type == SQL_TEXT && d->any_text[0] != NULL;

	part_put(t, any ? d->any_text[0] : "");
	part_name(t, d, c->name);
	part_put(t, any ? d->any_text[1] : "");
}

void
compose_update(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table, bool capped)
{
	const char *between = " WHERE ";

	part_begin(t);
	part_put(t, "UPDATE ");
	part_table(t, d, table);
	part_put(t, " SET");
	part_changes(t, d, s, table, (struct part_change){ FROM_PARAMS, capped });
	for (unsigned i = 0; i < s->n; i++) {
		if (!s->columns[i].written || s->columns[i].role != SQL_KEY)
			continue;
		part_put(t, between);
		part_compared(t, d, &s->columns[i]);
		part_put(t, " = ");
		put_value(t, d, &s->columns[i], i);
		between = " AND ";
	}
	part_end(t);
}

void
compose_prune(struct sql_text *t, const struct sql_dialect *d, const char *table,
    const char *less, const char *equal)
{
	part_begin(t);
	part_put(t, "DELETE FROM ");
	part_table(t, d, table);
	part_put(t, " WHERE ");
	part_name(t, d, less);
	part_put(t, " < ");
	put_param(t, d);
	part_put(t, " AND ");
	part_name(t, d, equal);
	part_put(t, " = ");
	put_param(t, d);
	part_end(t);
}
