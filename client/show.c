/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "client/show.h"

#include <inttypes.h>
#include <string.h>

#include <jansson.h>

static void
put(struct text_line *to, const char *s)
{
	text_line_put(to, s, strlen(s));
}

static void
show_number(struct text_line *to, const json_t *v)
{
	char text[32];

	if (json_is_integer(v))
		snprintf(
		    text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else
		snprintf(text, sizeof(text), "%.0f", json_real_value(v));
	put(to, text);
}

void
show_value(struct text_line *to, const json_t *v)
{
	const char *name;
	json_t *member;
	bool first = true;

	switch (v != NULL ? json_typeof(v) : JSON_NULL) {
	case JSON_STRING:
		put(to, json_string_value(v));
		break;
	case JSON_INTEGER:
	case JSON_REAL:
		show_number(to, v);
		break;
	case JSON_TRUE:
		put(to, "yes");
		break;
	case JSON_FALSE:
		put(to, "no");
		break;
	case JSON_OBJECT:
		json_object_foreach((json_t *)v, name, member) {
			put(to, first ? "" : " ");
			put(to, name);
			put(to, "=");
			show_value(to, member);
			first = false;
		}
		break;
	case JSON_NULL:
	case JSON_ARRAY:
		put(to, "-");
		break;
	}
}

static const char *
column_text(const json_t *column, const char *member)
{
	const char *s = json_string_value(json_object_get(column, member));

	return s != NULL ? s : "";
}

static bool
column_is_number(const json_t *column)
{
	const char *kind = column_text(column, "kind");

	return strcmp(kind, "uint") == 0 || strcmp(kind, "count") == 0;
}

void
show_titles(struct grid *g, const json_t *head)
{
	const json_t *columns = json_object_get(head, "columns");

	for (size_t i = 0; i < json_array_size(columns) && i < GRID_COLUMNS; i++) {
		const json_t *column = json_array_get(columns, i);

		grid_column(g, column_text(column, "title"), column_is_number(column));
	}
}

/*
 * The value of column `i` in `row` as text, NUL-terminated, in `line`; `none` where
 * there is no value, or an empty one.
 */
static const char *
cell_text(struct text_line *line, const json_t *columns, size_t i, const json_t *row,
    const char *none)
{
	const json_t *column = json_array_get(columns, i);
	const json_t *v = json_object_get(row, column_text(column, "json"));

	line->len = 0;
	if (v == NULL || json_is_null(v) || (json_is_string(v) && json_string_length(v) == 0))
		put(line, none);
	else
		show_value(line, v);
	text_line_put(line, "", 1);
	return line->p;
}

void
show_cells(struct grid *g, const json_t *head, const json_t *row)
{
	const json_t *columns = json_object_get(head, "columns");
	struct text_line line = { 0 };

	for (size_t i = 0; i < g->n_columns; i++)
		grid_cell(g, cell_text(&line, columns, i, row, "-"));
	text_line_free(&line);
}

void
show_csv(const json_t *head, const json_t *row, FILE *to)
{
	const json_t *columns = json_object_get(head, "columns");
	struct text_line line = { 0 }, cell = { 0 };

	for (size_t i = 0; i < json_array_size(columns); i++) {
		if (i > 0)
			put(&line, ",");
		text_line_csv(&line, cell_text(&cell, columns, i, row, ""), ',');
	}
	put(&line, "\n");
	fwrite(line.p, 1, line.len, to);
	text_line_free(&line);
	text_line_free(&cell);
}

void
show_json(const json_t *head, const json_t *row, FILE *to)
{
	const json_t *columns = json_object_get(head, "columns");
	json_t *shown = json_object();

	for (size_t i = 0; i < json_array_size(columns); i++) {
		const char *member = column_text(json_array_get(columns, i), "json");

		json_object_set(shown, member, json_object_get(row, member));
	}
	(void)json_dumpf(shown, to, JSON_COMPACT);
	fputc('\n', to);
	json_decref(shown);
}

void
show_csv_titles(const json_t *head, FILE *to)
{
	const json_t *columns = json_object_get(head, "columns");

	for (size_t i = 0; i < json_array_size(columns); i++)
		fprintf(to, "%s%s", i > 0 ? "," : "",
		    column_text(json_array_get(columns, i), "title"));
	fputc('\n', to);
}

bool
show_books_line(const json_t *row, FILE *to)
{
	bool balanced = json_is_true(json_object_get(row, "balanced"));
	json_int_t left = json_integer_value(json_object_get(row, "value")), right = 0;
	const char *name, *sign = "=";
	json_t *value;

	fprintf(to, "%s: %s %" JSON_INTEGER_FORMAT, column_text(row, "subject"),
	    column_text(row, "left"), left);
	json_object_foreach(json_object_get(row, "terms"), name, value) {
		fprintf(to, " %s %s %" JSON_INTEGER_FORMAT, sign, name,
		    json_integer_value(value));
		right += json_integer_value(value);
		sign = "+";
	}
	if (balanced)
		fputs("   ok\n", to);
	else
		fprintf(to, "   DOES NOT BALANCE: %" JSON_INTEGER_FORMAT " %s\n",
		    left > right ? left - right : right - left,
		    left > right ? "missing" : "too many");
	return balanced;
}
