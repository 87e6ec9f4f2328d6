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

/* The parameter that is column `i`, `c`. */
static void
put_value(struct sql_text *t, const struct sql_dialect *d, const struct sql_column *c,
    unsigned i)
{
	bool host = c->type == SQL_HOST;

	put(t, host ? d->to_host : "");
	put(t, host ? "(" : "");
	put_param(t, d);
	put(t, host ? ")" : "");
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
	put(t, d->key_texts != 0 && texts > d->key_texts ? ", UNIQUE (" :
	                                                   ", PRIMARY KEY (");
	put_key(t, d, s, false);
	put(t, ")");
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
	if (c->type == SQL_HOST) {
		put(t, "X'00000000'"); /* 0.0.0.0 */
		return;
	}
	put(t, c->number ? "" : "'");
	put(t, c->filler);
	put(t, c->number ? "" : "'");
}

void
compose_create(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table)
{
	const char *between = " (";
	unsigned texts;

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
	put_key_clause(t, d, s);
	put(t, ")");
	put(t, key_size(s, &texts) > 0 ? d->table_options : d->keyless_options);
	text_end(t);
}

/* The names of the columns that are written, each behind `prefix`. */
static void
put_columns(struct sql_text *t, const struct sql_dialect *d, const struct sql_schema *s,
    const char *prefix)
{
	const char *between = "";

	for (unsigned i = 0; i < s->n; i++) {
		if (!s->columns[i].written)
			continue;
		put(t, between);
		put(t, prefix);
		put_name(t, d, s->columns[i].name);
		between = ", ";
	}
}

static void
put_into(struct sql_text *t, const struct sql_dialect *d, const struct sql_schema *s,
    const char *table)
{
	put(t, "INSERT INTO ");
	put_name(t, d, table);
	put(t, " (");
	put_columns(t, d, s, "");
	put(t, ") ");
}

static void
put_insert(struct sql_text *t, const struct sql_dialect *d, const struct sql_schema *s,
    const char *table)
{
	const char *between = "VALUES (";

	put_into(t, d, s, table);
	for (unsigned i = 0; i < s->n; i++) {
		if (!s->columns[i].written)
			continue;
		put(t, between);
		put_value(t, d, &s->columns[i], i);
		between = ", ";
	}
	put(t, ")");
}

/* Where what is new stands, in a SET list. */
enum change_source {
	FROM_INSERT,  /* what an INSERT brought and found taken */
	FROM_STAGE,   /* rows called `n` */
	FROM_PARAMS,
};

/* How columns that are there change. */
struct change {
	enum change_source from;
	bool capped;           /* sums stay at the largest that their column holds */
};

static void
put_new(struct sql_text *t, const struct sql_dialect *d, const struct sql_column *c,
    unsigned i, enum change_source from)
{
	bool function = from == FROM_INSERT && !d->on_conflict;

	if (from == FROM_PARAMS) {
		put_value(t, d, c, i);
		return;
	}
	put(t, from == FROM_STAGE ? "n." : function ? "VALUES(" : "excluded.");
	put_name(t, d, c->name);
	put(t, function ? ")" : "");
}

/* What column `c` of `table` and what is new make: "a + b" by the form of the dialect. */
static void
put_sum(struct sql_text *t, const struct sql_dialect *d, const char *table,
    const struct sql_column *c, unsigned i, struct change how)
{
	const char *form = how.capped && d->sum_capped != NULL ? d->sum_capped : d->sum;

	for (const char *p = form != NULL ? form : "@ + #"; *p != '\0'; p++) {
		if (*p == '#') {
			put_new(t, d, c, i, how.from);
		} else if (*p == '@') {
			put_name(t, d, table);
			put(t, ".");
			put_name(t, d, c->name);
		} else {
			text_line_put(&t->line, p, 1);
		}
	}
}

/*
 * The SET list: each column that is no key becomes what it was and what is new
 * together. Columns that are set are named without their table where the engine wants it
 * so.
 */
static void
put_changes(struct sql_text *t, const struct sql_dialect *d, const struct sql_schema *s,
    const char *table, struct change how)
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
		put(t, between);
		if (how.from == FROM_STAGE && !d->update_from) {
			put_name(t, d, table); /* of two tables the one */
			put(t, ".");
		}
		put_name(t, d, c->name);
		put(t, " = ");
		between = ", ";
		if (c->role == SQL_ADD) {
			put_sum(t, d, table, c, i, how);
			continue;
		}
		put(t, function);
		put(t, *function != '\0' ? "(" : "");
		if (c->role != SQL_REPLACE) {
			put_name(t, d, table);
			put(t, ".");
			put_name(t, d, c->name);
			put(t, joins[c->role].operator);
		}
		put_new(t, d, c, i, how.from);
		put(t, *function != '\0' ? ")" : "");
	}
}

/* What follows an INSERT whose rows are added to those that are there. */
static void
put_adding(struct sql_text *t, const struct sql_dialect *d, const struct sql_schema *s,
    const char *table, bool full_key, bool capped)
{
	if (d->on_conflict) {
		put(t, " ON CONFLICT (");
		put_key(t, d, s, full_key);
		put(t, ") DO UPDATE SET");
	} else {
		put(t, " ON DUPLICATE KEY UPDATE");
	}
	put_changes(t, d, s, table, (struct change){ FROM_INSERT, capped });
}

/* What follows an INSERT that leaves rows alone that are there. */
static void
put_yielding(struct sql_text *t, const struct sql_dialect *d, const struct sql_schema *s,
    const char *table)
{
	if (d->on_conflict) {
		put(t, " ON CONFLICT DO NOTHING");
		return;
	}
	/* Setting a column to itself counts as no change. */
	put(t, " ON DUPLICATE KEY UPDATE ");
	for (int i = 0; i < 2; i++) {
		put(t, i == 0 ? "" : " = ");
		put_name(t, d, table);
		put(t, ".");
		put_name(t, d, s->columns[0].name);
	}
}

void
compose_upsert(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table, bool full_key, bool capped)
{
	text_begin(t);
	put_insert(t, d, s, table);
	put_adding(t, d, s, table, full_key, capped);
	text_end(t);
}

void
compose_insert(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table)
{
	text_begin(t);
	put_insert(t, d, s, table);
	put_yielding(t, d, s, table);
	text_end(t);
}

void
compose_update(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table, bool capped)
{
	const char *between = " WHERE ";

	text_begin(t);
	put(t, "UPDATE ");
	put_name(t, d, table);
	put(t, " SET");
	put_changes(t, d, s, table, (struct change){ FROM_PARAMS, capped });
	for (unsigned i = 0; i < s->n; i++) {
		if (!s->columns[i].written || s->columns[i].role != SQL_KEY)
			continue;
		put(t, between);
		put_name(t, d, s->columns[i].name);
		put(t, " = ");
		put_value(t, d, &s->columns[i], i);
		between = " AND ";
	}
	text_end(t);
}

void
compose_stage(struct sql_text *t, const struct sql_dialect *d, const struct sql_schema *s,
    const char *table)
{
	text_begin(t);
	put(t, "CREATE TEMPORARY TABLE ");
	put_name(t, d, COMPOSE_STAGE);
	put(t, d->stage_options);
	put(t, " AS SELECT ");
	put_columns(t, d, s, "");
	put(t, " FROM ");
	put_name(t, d, table);
	put(t, " LIMIT 0");
	text_end(t);
}

/* Which parameter each column is where rows are loaded: their order. */
static void
put_load_params(struct sql_text *t, const struct sql_schema *s)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->columns[i].written)
			t->param[i] = ++t->n;
}

/* A column of a load: by its name, or a variable that a SET makes the column of. */
static void
put_load_column(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_column *c)
{
	put(t, c->type == SQL_HOST ? "@" : "");
	put_name(t, d, c->name);
}

void
compose_load(struct sql_text *t, const struct sql_dialect *d, const struct sql_schema *s,
    const char *table)
{
	const char *between = "";

	text_begin(t);
	put_load_params(t, s);
	put(t, d->load[0]);
	put_name(t, d, table);
	put(t, d->load[1]);
	for (unsigned i = 0; i < s->n; i++) {
		if (!s->columns[i].written)
			continue;
		put(t, between);
		put_load_column(t, d, &s->columns[i]);
		between = ", ";
	}
	put(t, d->load[2]);
	between = " SET ";
	for (unsigned i = 0; i < s->n; i++) {
		if (!s->columns[i].written || s->columns[i].type != SQL_HOST)
			continue;
		put(t, between);
		put_name(t, d, s->columns[i].name);
		put(t, " = ");
		put(t, d->to_host);
		put(t, "(");
		put_load_column(t, d, &s->columns[i]);
		put(t, ")");
		between = ", ";
	}
	text_end(t);
}

/*
 * The staged rows, called `n`; where two have one key (values that the table cannot tell
 * apart) as one row.
 */
static void
put_stage_grouped(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, bool capped)
{
	const char *const functions[] = {
		[SQL_KEY] = "@",
		[SQL_ADD] = capped && d->group_capped != NULL ? d->group_capped : "SUM(@)",
		[SQL_OR] = "BIT_OR(@)", [SQL_LEAST] = "MIN(@)",
		[SQL_GREATEST] = "MAX(@)", [SQL_REPLACE] = "MAX(@)",
	};
	const char *between = "(SELECT ";

	for (unsigned i = 0; i < s->n; i++) {
		const struct sql_column *c = &s->columns[i];
		bool key = c->role == SQL_KEY;

		if (!c->written)
			continue;
		put(t, between);
		for (const char *p = functions[c->role]; *p != '\0'; p++) {
			if (*p == '@')
				put_name(t, d, c->name);
			else
				text_line_put(&t->line, p, 1);
		}
		put(t, key ? "" : " AS ");
		if (!key)
			put_name(t, d, c->name);
		between = ", ";
	}
	put(t, " FROM ");
	put_name(t, d, COMPOSE_STAGE);
	between = " GROUP BY ";
	for (unsigned i = 0; i < s->n; i++) {
		if (!s->columns[i].written || s->columns[i].role != SQL_KEY)
			continue;
		put(t, between);
		put_name(t, d, s->columns[i].name);
		between = ", ";
	}
	put(t, ") AS n");
}

/* The keys of `table` and of `n` are the same, behind `word`. */
static void
put_match(struct sql_text *t, const struct sql_dialect *d, const struct sql_schema *s,
    const char *table, const char *word)
{
	for (unsigned i = 0; i < s->n; i++) {
		if (!s->columns[i].written || s->columns[i].role != SQL_KEY)
			continue;
		put(t, word);
		put_name(t, d, table);
		put(t, ".");
		put_name(t, d, s->columns[i].name);
		put(t, " = n.");
		put_name(t, d, s->columns[i].name);
		word = " AND ";
	}
}

/* How staged rows are taken. */
enum stage_as { STAGE_AS_IS, STAGE_GROUPED, STAGE_GROUPED_CAPPED };

static enum stage_as
stage_as(bool grouped, bool capped)
{
	return !grouped ? STAGE_AS_IS : capped ? STAGE_GROUPED_CAPPED : STAGE_GROUPED;
}

static void
put_from_stage(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table, enum stage_as as)
{
	put_into(t, d, s, table);
	put(t, "SELECT ");
	put_columns(t, d, s, "n.");
	put(t, " FROM ");
	if (as != STAGE_AS_IS) {
		put_stage_grouped(t, d, s, as == STAGE_GROUPED_CAPPED);
	} else {
		put_name(t, d, COMPOSE_STAGE);
		put(t, " AS n");
	}
}

/* Or the ON of an INSERT ... SELECT may be taken for that of a join. */
static void
put_no_join(struct sql_text *t)
{
	put(t, " WHERE TRUE");
}

void
compose_merge(struct sql_text *t, const struct sql_dialect *d, const struct sql_schema *s,
    const char *table, bool full_key, bool grouped, bool capped)
{
	text_begin(t);
	put_from_stage(t, d, s, table, stage_as(grouped, capped));
	put_no_join(t);
	put_adding(t, d, s, table, full_key, capped);
	text_end(t);
}

void
compose_merge_new(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table)
{
	text_begin(t);
	put_from_stage(t, d, s, table, STAGE_AS_IS);
	put_no_join(t);
	put_yielding(t, d, s, table);
	text_end(t);
}

void
compose_merge_old(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table, bool capped)
{
	text_begin(t);
	put(t, "UPDATE ");
	put_name(t, d, table);
	if (!d->update_from) {
		put(t, ", ");
		put_stage_grouped(t, d, s, capped);
	}
	put(t, " SET");
	put_changes(t, d, s, table, (struct change){ FROM_STAGE, capped });
	if (d->update_from) {
		put(t, " FROM ");
		put_stage_grouped(t, d, s, capped);
	}
	put_match(t, d, s, table, " WHERE ");
	text_end(t);
}

/* A column that has a value in each row that a key matched. */
static const struct sql_column *
column_never_null(const struct sql_schema *s)
{
	const struct sql_column *found = NULL;

	for (unsigned i = 0; i < s->n; i++) {
		const struct sql_column *c = &s->columns[i];

		if (c->written && c->role == SQL_KEY)
			return c; /* it was equal to something */
		if (c->written && c->role == SQL_ADD)
			found = c;
	}
	assert(found != NULL); /* packets */
	return found;
}

void
compose_merge_rest(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table, bool capped)
{
	text_begin(t);
	put_from_stage(t, d, s, table, stage_as(true, capped));
	/* Engines make more of a join than of NOT EXISTS, where there is no index. */
	put(t, " LEFT JOIN ");
	put_name(t, d, table);
	put(t, " AS o ON TRUE");
	put_match(t, d, s, "o", " AND ");
	put(t, " WHERE o.");
	put_name(t, d, column_never_null(s)->name);
	put(t, " IS NULL");
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
