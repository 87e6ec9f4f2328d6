/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/ddl.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/infile.h"
#include "lib/variable.h"
#include "sql/compose.h"
#include "sql/tablename.h"
#include "sql/writer.h"

#define FILE_MAX (1U << 20) /* octets of a statement's file */

/* Append `text` with its variables expanded; what only looks like one stays. */
static void
put_expanded(struct text_line *line, const char *text, const struct variables *v)
{
	while (*text != '\0') {
		char value[VARIABLE_MAX];
		size_t step = *text == '%' || *text == '$' ? variable_expand(text, v, value)
		                                           : 0;

		if (step > 0)
			text_line_put(line, value, strlen(value));
		else
			text_line_put(line, text, 1);
		text += step > 0 ? step : 1;
	}
}

/* The file at `path`, to the end of `text`, which then ends in a NUL. */
static int
file_read(struct text_line *text, const char *path, struct err *e)
{
	FILE *f = infile_open(path, FILE_MAX, NULL);
	char buf[4096];
	size_t n;
	int rc = 0;

	while (f != NULL && (n = fread(buf, 1, sizeof(buf), f)) > 0)
		text_line_put(text, buf, n);
	if (f == NULL || ferror(f))
		rc = err_set(e, WEIR_EIO, "sql_table_schema: %s: %s", path,
		    infile_error(errno));
	text_line_put(text, "", 1);
	if (f != NULL)
		fclose(f);
	return rc;
}

int
ddl_check(const char *path, struct err *e)
{
	struct text_line text = { 0 };
	int rc = file_read(&text, path, e);

	text_line_free(&text);
	return rc;
}

int
ddl_text(struct text_line *line, const struct sql_dialect *d, const struct sql_config *c,
    const struct sql_schema *s, const char *table, uint64_t time, struct err *e)
{
	struct variables v = c->vars;
	struct text_line text = { 0 };
	struct sql_text t = { 0 };
	int rc;

	line->len = 0;
	if (c->table_schema == NULL) {
		compose_create(&t, d, s, table);
		text_line_put(line, t.line.p, t.line.len);
		sql_text_fini(&t);
		return 0;
	}
	v.time = time;
	if ((rc = file_read(&text, c->table_schema, e)) == 0)
		put_expanded(line, text.p, &v);
	text_line_put(line, "", 1);
	text_line_free(&text);
	return rc;
}

int
ddl_make(const struct sql_driver *d, struct sql_conn *conn, const char *sql,
    const char *table, struct err *e)
{
	struct err why = ERR_INIT;
	bool there = false;
	int rc = d->run(conn, sql, &why);

	if (rc == 0 || (d->table_exists(conn, table, &there, NULL) == 0 && there))
		return 0;
	if (rc == -WEIR_EUNSUPPORTED)
		return err_set(e, WEIR_EIO, "%s: have the table %s made; 'weir sql schema' "
		    "prints the statement", why.text, table);
	return err_set(e, WEIR_EIO, "%s", why.text);
}

/* A statement of weir's own with each column on a line. */
static void
print_statement(const char *sql, FILE *to)
{
	unsigned depth = 0;
	bool quoted = false;

	for (const char *p = sql; *p != '\0'; p++) {
		bool inside;

		quoted ^= *p == '\'';
		depth += !quoted && *p == '(';
		inside = depth == 1 && !quoted;
		depth -= !quoted && *p == ')';
		if (inside && *p == ')')
			fputc('\n', to);
		fputc(*p, to);
		if (!inside || (*p != '(' && *p != ','))
			continue;
		fputs("\n    ", to);
		p += p[1] == ' ';
	}
	fputs(";\n\n", to);
}

int
ddl_print(const struct output *o, FILE *to, struct err *e)
{
	const struct sql_driver *d = sql_driver_find(o->ops->type);
	struct text_line line = { 0 };
	struct sql_text batch = { 0 };
	char name[TABLENAME_MAX + 1], table[TABLENAME_MAX + 1];
	struct sql_schema schema;
	struct sql_config c;
	struct variables v;
	int rc;

	assert(d != NULL);
	if ((rc = writer_schema(o, &schema, &c, e)) != 0)
		return rc;
	v = c.vars;
	if ((rc = tablename_expand(c.table, &v, name, e)) != 0)
		return rc;
	if ((rc = tablename_fit(name, d->name, &d->dialect, table, e)) != 0)
		return rc;
	rc = ddl_text(&line, &d->dialect, &c, &schema, table, v.time, e);
	if (rc == 0) {
		fprintf(to, "-- %s[%s], database %s\n", d->name, o->name, c.db);
		if (c.table_schema != NULL)
			fprintf(to, "%s\n", line.p);
		else
			print_statement(line.p, to);
		compose_create(&batch, &d->dialect, &schema_batch, SCHEMA_BATCH_TABLE);
		print_statement(batch.line.p, to);
	}
	text_line_free(&line);
	sql_text_fini(&batch);
	return rc;
}
