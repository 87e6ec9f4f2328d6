/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/tablename.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define BATCH_TABLE "weir_batch"

/* Only these: a name can then be quoted for every engine, and holds no path. */
static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '_';
}

/* The variable at `p` to `out`; returns its length in the pattern, 0: none. */
static size_t
name_variable(const char *p, const struct variables *v, char out[VARIABLE_MAX])
{
	size_t taken = variable_expand(p, v, out);

	for (char *c = out; taken > 0 && *c != '\0'; c++)
		if (!is_name_char(*c)) /* the sign of %z */
			*c = '_';
	return taken;
}

/* What `pattern` came to: a table, or a schema and a table. */
static int
name_check(const char *pattern, const char *name, struct err *e)
{
	const char *dot = strchr(name, '.'), *table = dot != NULL ? dot + 1 : name;

	if (name[0] == '\0')
		return err_set(e, WEIR_EINVAL, "sql_table: the name is empty");
	if (dot == name || table[0] == '\0' || strchr(table, '.') != NULL)
		return err_set(e, WEIR_EINVAL,
		    "sql_table '%s': write the table, or its schema, a point and the table",
		    pattern);
	if (strlen(table) > TABLENAME_PART ||
	    (dot != NULL && (size_t)(dot - name) > TABLENAME_PART))
		return err_set(e, WEIR_EINVAL, "sql_table '%s': longer than %u characters: "
		    "write a shorter name", pattern, TABLENAME_PART);
	if (strcasecmp(table, BATCH_TABLE) == 0)
		return err_set(e, WEIR_EINVAL,
		    "sql_table: " BATCH_TABLE " is weir's own table");
	return 0;
}

int
tablename_expand(const char *pattern, const struct variables *v,
    char buf[TABLENAME_MAX + 1], struct err *e)
{
	size_t len = 0;

	for (const char *p = pattern; *p != '\0';) {
		char text[VARIABLE_MAX] = { *p, '\0' };
		size_t step = 1, n;

		if (*p == '%' || *p == '$') {
			if ((step = name_variable(p, v, text)) == 0)
				return err_set(e, WEIR_EINVAL,
				    "sql_table '%s': '%.2s' is no variable of tables; there "
				    "are %s", pattern, p, VARIABLES_TEXT);
		} else if (*p != '.' && !is_name_char(*p)) {
			return err_set(e, WEIR_EINVAL,
			    "sql_table '%s': '%c' cannot be in the name of a table: "
			    "write letters, digits and _", pattern, *p);
		}
		n = strlen(text);
		if (len + n > TABLENAME_MAX)
			return err_set(e, WEIR_EINVAL,
			    "sql_table '%s': longer than %u characters: write a shorter "
			    "name", pattern, TABLENAME_PART);
		memcpy(buf + len, text, n);
		len += n;
		p += step;
	}
	buf[len] = '\0';
	return name_check(pattern, buf, e);
}

int
tablename_fit(const char *name, const char *engine, const struct sql_dialect *d,
    char buf[TABLENAME_MAX + 1], struct err *e)
{
	const char *dot = strchr(name, '.');
	size_t i;

	if (dot != NULL && d->only_schema != NULL) {
		size_t len = strlen(d->only_schema);

		if ((size_t)(dot - name) != len || strncasecmp(name, d->only_schema, len) != 0)
			return err_set(e, WEIR_EINVAL, "sql_table '%s': %s has one schema, "
			    "%s: write '%s', and as sql_db what it is in", name, engine,
			    d->only_schema, dot + 1);
		name = dot + 1;
	}
	for (i = 0; name[i] != '\0' && i < TABLENAME_MAX; i++)
		buf[i] = (char)(d->fold ? tolower((unsigned char)name[i]) : name[i]);
	buf[i] = '\0';
	return 0;
}

void
tablename_quote(const char *name, char quote, char buf[TABLENAME_QUOTED])
{
	char schema[TABLENAME_PART + 1];
	const char *table = tablename_split(name, schema);

	assert(strchr(name, quote) == NULL);
	if (schema[0] != '\0')
		snprintf(buf, TABLENAME_QUOTED, "%c%s%c.%c%s%c", quote, schema, quote, quote,
		    table, quote);
	else
		snprintf(buf, TABLENAME_QUOTED, "%c%s%c", quote, table, quote);
}

const char *
tablename_split(const char *name, char schema[TABLENAME_PART + 1])
{
	const char *dot = strchr(name, '.');

	snprintf(schema, TABLENAME_PART + 1, "%.*s", dot != NULL ? (int)(dot - name) : 0, name);
	return dot != NULL ? dot + 1 : name;
}
