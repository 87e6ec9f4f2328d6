/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Statements of bulk loads, and of what becomes of staged rows. */
#include <assert.h>
#include <string.h>

#include "sql/compose.h"
#include "sql/compose_parts.h"

void
compose_stage(struct sql_text *t, const struct sql_dialect *d, const struct sql_schema *s,
    const char *table)
{
	part_begin(t);
	part_put(t, "CREATE TEMPORARY TABLE ");
	part_name(t, d, COMPOSE_STAGE);
	part_put(t, d->stage_options);
	part_put(t, " AS SELECT ");
	part_columns(t, d, s, "");
	part_put(t, " FROM ");
	part_table(t, d, table);
	part_put(t, " LIMIT 0");
	part_end(t);
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
	part_put(t, c->type == SQL_HOST ? "@" : "");
	part_name(t, d, c->name);
}

void
compose_load(struct sql_text *t, const struct sql_dialect *d, const struct sql_schema *s,
    const char *table)
{
	const char *between = "";

	part_begin(t);
	put_load_params(t, s);
	part_put(t, d->load[0]);
	part_table(t, d, table);
	part_put(t, d->load[1]);
	for (unsigned i = 0; i < s->n; i++) {
		if (!s->columns[i].written)
			continue;
		part_put(t, between);
		put_load_column(t, d, &s->columns[i]);
		between = ", ";
	}
	part_put(t, d->load[2]);
	between = " SET ";
	for (unsigned i = 0; i < s->n; i++) {
		if (!s->columns[i].written || s->columns[i].type != SQL_HOST)
			continue;
		part_put(t, between);
		part_name(t, d, s->columns[i].name);
		part_put(t, " = ");
		part_put(t, d->to_host);
		part_put(t, "(");
		put_load_column(t, d, &s->columns[i]);
		part_put(t, ")");
		between = ", ";
	}
	part_end(t);
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
		part_put(t, between);
		for (const char *p = functions[c->role]; *p != '\0'; p++) {
			if (*p == '@')
				part_name(t, d, c->name);
			else
				text_line_put(&t->line, p, 1);
		}
		part_put(t, key ? "" : " AS ");
		if (!key)
			part_name(t, d, c->name);
		between = ", ";
	}
	part_put(t, " FROM ");
	part_name(t, d, COMPOSE_STAGE);
	between = " GROUP BY ";
	for (unsigned i = 0; i < s->n; i++) {
		if (!s->columns[i].written || s->columns[i].role != SQL_KEY)
			continue;
		part_put(t, between);
		part_name(t, d, s->columns[i].name);
		between = ", ";
	}
	part_put(t, ") AS n");
}

/* The keys of `table` and of `n` are the same, behind `word`. */
static void
put_match(struct sql_text *t, const struct sql_dialect *d, const struct sql_schema *s,
    const char *table, const char *word)
{
	for (unsigned i = 0; i < s->n; i++) {
		if (!s->columns[i].written || s->columns[i].role != SQL_KEY)
			continue;
		part_put(t, word);
		part_table(t, d, table);
		part_put(t, ".");
		part_name(t, d, s->columns[i].name);
		part_put(t, " = n.");
		part_name(t, d, s->columns[i].name);
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
	part_into(t, d, s, table);
	part_put(t, "SELECT ");
	part_columns(t, d, s, "n.");
	part_put(t, " FROM ");
	if (as != STAGE_AS_IS) {
		put_stage_grouped(t, d, s, as == STAGE_GROUPED_CAPPED);
	} else {
		part_name(t, d, COMPOSE_STAGE);
		part_put(t, " AS n");
	}
}

/* Or the ON of an INSERT ... SELECT may be taken for that of a join. */
static void
put_no_join(struct sql_text *t)
{
	part_put(t, " WHERE TRUE");
}

void
compose_merge(struct sql_text *t, const struct sql_dialect *d, const struct sql_schema *s,
    const char *table, bool full_key, bool grouped, bool capped)
{
	part_begin(t);
	put_from_stage(t, d, s, table, stage_as(grouped, capped));
	put_no_join(t);
	part_adding(t, d, s, table, full_key, capped);
	part_end(t);
}

void
compose_merge_new(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table)
{
	part_begin(t);
	put_from_stage(t, d, s, table, STAGE_AS_IS);
	put_no_join(t);
	part_yielding(t, d, s, table);
	part_end(t);
}

void
compose_merge_old(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table, bool capped)
{
	part_begin(t);
	part_put(t, "UPDATE ");
	part_table(t, d, table);
	if (!d->update_from) {
		part_put(t, ", ");
		put_stage_grouped(t, d, s, capped);
	}
	part_put(t, " SET");
	part_changes(t, d, s, table, (struct part_change){ FROM_STAGE, capped });
	if (d->update_from) {
		part_put(t, " FROM ");
		put_stage_grouped(t, d, s, capped);
	}
	put_match(t, d, s, table, " WHERE ");
	part_end(t);
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
	part_begin(t);
	put_from_stage(t, d, s, table, stage_as(true, capped));
	/* Engines make more of a join than of NOT EXISTS, where there is no index. */
	part_put(t, " LEFT JOIN ");
	part_table(t, d, table);
	part_put(t, " AS o ON TRUE");
	put_match(t, d, s, "o", " AND ");
	part_put(t, " WHERE o.");
	part_name(t, d, column_never_null(s)->name);
	part_put(t, " IS NULL");
	part_end(t);
}
