/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "client/answer.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "lib/ip.h"

int
answer_read(struct answer *a, struct link *l, json_t *head, struct err *e)
{
	json_t *row;
	int rc;

	a->head = head;
	while ((rc = link_row(l, &row, e)) == 1) {
		if (a->n == a->room) {
			size_t room = a->room != 0 ? a->room * 2 : 256;
			json_t **rows = realloc(a->rows, room * sizeof(json_t *));

			if (rows == NULL)
				return err_set(
				    e, WEIR_ENOMEM, "no memory for the answer");
			a->rows = rows;
			a->room = room;
		}
		a->rows[a->n++] = json_incref(row);
	}
	return rc;
}

void
answer_fini(struct answer *a)
{
	for (size_t i = 0; i < a->n; i++)
		json_decref(a->rows[i]);
	free(a->rows);
}

static const char *
column_word(const json_t *column, const char *member)
{
	const char *s = json_string_value(json_object_get(column, member));

	return s != NULL ? s : "";
}

/* The column called so, or NULL with `e` naming those that there are. */
static json_t *
column_find(const json_t *head, const char *name, struct err *e)
{
	const json_t *columns = json_object_get(head, "columns");
	char list[400] = "";
	size_t len = 0;

	for (size_t i = 0; i < json_array_size(columns); i++) {
		json_t *column = json_array_get(columns, i);
		const char *word = column_word(column, "json");

		if (strcasecmp(word, name) == 0 ||
		    strcasecmp(column_word(column, "title"), name) == 0)
			return column;
		if (len + strlen(word) + 3 < sizeof(list))
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
			    len > 0 ? ", " : "", word);
	}
	err_set(e, WEIR_ENOENT, "no column '%.60s'; there are: %s", name, list);
	return NULL;
}

/* A row and what it is ordered by. */
struct place {
	json_t *row;
	const json_t *value;
	ip16_t ip; /* of a column of addresses */
	bool is_ip, reverse;
	size_t came;
};

static int
compare_values(const struct place *x, const struct place *y)
{
	if (x->is_ip && y->is_ip)
		return memcmp(&x->ip, &y->ip, sizeof(x->ip));
	if (json_is_integer(x->value) && json_is_integer(y->value)) {
		json_int_t a = json_integer_value(x->value);
		json_int_t b = json_integer_value(y->value);

		return (b > a) - (b < a);
	}
	if (json_is_number(x->value) && json_is_number(y->value)) {
		double a = json_number_value(x->value), b = json_number_value(y->value);

		return (b > a) - (b < a);
	}
	if (json_is_string(x->value) && json_is_string(y->value))
		return strcmp(json_string_value(x->value), json_string_value(y->value));
	return (int)json_is_true(y->value) - (int)json_is_true(x->value);
}

/* Whether there is something to go by: null is nothing, and so is the empty text of "never". */
static bool
place_has_value(const struct place *x)
{
	if (json_is_string(x->value))
		return json_string_length(x->value) > 0;
	return x->value != NULL && !json_is_null(x->value);
}

static int
compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	bool has_x = place_has_value(x), has_y = place_has_value(y);
	int d = has_x && has_y ? compare_values(x, y) : (int)has_y - (int)has_x;

	if (d != 0)
		return has_x && has_y && x->reverse ? -d : d;
	return (x->came > y->came) - (x->came < y->came);
}

/* What row number `i` is ordered by. */
static struct place
place_of(const struct answer *a, size_t i, const json_t *column, bool reverse)
{
	const char *kind = column_word(column, "kind");
	const json_t *v = json_object_get(a->rows[i], column_word(column, "json"));
	struct place p = { .row = a->rows[i], .value = v, .came = i };

	/* Times are texts, but the latest comes first. */
	p.reverse = reverse != (strcmp(kind, "stamp") == 0);
	if (strcmp(kind, "ip") == 0 && json_is_string(v))
		p.is_ip = ip_parse(json_string_value(v), &p.ip) == 0;
	return p;
}

int
answer_sort(struct answer *a, const char *name, bool reverse, struct err *e)
{
	const json_t *column = column_find(a->head, name, e);
	struct place *places;

	if (column == NULL)
		return -WEIR_ENOENT;
	places = calloc(a->n + 1, sizeof(*places));
	if (places == NULL)
		return err_set(e, WEIR_ENOMEM, "no memory to sort");
	for (size_t i = 0; i < a->n; i++)
		places[i] = place_of(a, i, column, reverse);
	qsort(places, a->n, sizeof(*places), compare_places);
	for (size_t i = 0; i < a->n; i++)
		a->rows[i] = places[i].row;
	free(places);
	return 0;
}

void
answer_top(struct answer *a, size_t n)
{
	while (n != 0 && a->n > n)
		json_decref(a->rows[--a->n]);
}

/* Whether some row has other than zero, or a text, there. */
static bool
column_tells(const struct answer *a, const char *member)
{
	for (size_t i = 0; i < a->n; i++) {
		const json_t *v = json_object_get(a->rows[i], member);
		const char *text = json_string_value(v);

		if (json_number_value(v) != 0 || (text != NULL && *text != '\0'))
			return true;
	}
	return false;
}

void
answer_hide_zeros(struct answer *a)
{
	json_t *columns = json_object_get(a->head, "columns");

	for (size_t i = json_array_size(columns); i-- > 0;) {
		const json_t *column = json_array_get(columns, i);
		const char *kind = column_word(column, "kind");

		if (strcmp(kind, "detail") == 0 ||
		    ((strcmp(kind, "count") == 0 || strcmp(kind, "note") == 0) &&
		        !column_tells(a, column_word(column, "json"))))
			json_array_remove(columns, i);
	}
}

int
answer_choose(json_t *head, const char *names, struct err *e)
{
	json_t *chosen = json_array();
	char *list = strdup(names);
	int rc = 0;

	if (list == NULL || chosen == NULL)
		rc = err_set(e, WEIR_ENOMEM, "no memory");
	for (char *save = NULL, *t = rc == 0 ? strtok_r(list, ", ", &save) : NULL;
	     rc == 0 && t != NULL; t = strtok_r(NULL, ", ", &save)) {
		json_t *column = column_find(head, t, e);

		if (column == NULL)
			rc = -WEIR_ENOENT;
		else
			json_array_append(chosen, column);
	}
	free(list);
	if (rc == 0)
		json_object_set(head, "columns", chosen);
	json_decref(chosen);
	return rc;
}
