/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/tree.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/tables.h"

struct mib_tree *
tree_new(const struct tree_size *n)
{
	struct mib_tree *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->n_collectors = n->collectors;
	t->n_exporters = n->exporters;
	t->n_outputs = n->outputs;
	t->n_views = n->views;
	t->collectors = calloc((size_t)n->collectors + 1, sizeof(*t->collectors));
	t->exporters = calloc((size_t)n->exporters + 1, sizeof(*t->exporters));
	t->outputs = calloc((size_t)n->outputs + 1, sizeof(*t->outputs));
	t->views = calloc((size_t)n->views + 1, sizeof(*t->views));
	if (t->collectors == NULL || t->exporters == NULL || t->outputs == NULL ||
	    t->views == NULL) {
		tree_free(t);
		return NULL;
	}
	return t;
}

static int
session_order(const void *a, const void *b)
{
	const struct session_row *x = a, *y = b;

	return x->index < y->index ? -1 : x->index > y->index;
}

/*
 * A session for each exporter that speaks NetFlow or IPFIX. Its index is made of what it
 * is; of two with the same one, which is rare, one is left out.
 */
static void
sessions_make(struct mib_tree *t)
{
	enum { SFLOW = 3 };
	uint32_t n = 0, kept = 0;

	t->sessions = calloc((size_t)t->n_exporters + 1, sizeof(*t->sessions));
	for (uint32_t i = 0; t->sessions != NULL && i < t->n_exporters; i++) {
		const struct exporter_row *x = &t->exporters[i];
		uint32_t index = session_index_make(&x->address, x->domain);

		for (uint32_t c = 0; x->protocol != SFLOW && c < t->n_collectors; c++)
			if (t->collectors[c].index == x->collector)
				t->sessions[n++] = (struct session_row){ index, x,
					&t->collectors[c] };
	}
	if (n > 0)
		qsort(t->sessions, n, sizeof(*t->sessions), session_order);
	for (uint32_t i = 0; i < n; i++)
		if (kept == 0 || t->sessions[kept - 1].index != t->sessions[i].index)
			t->sessions[kept++] = t->sessions[i];
	t->n_sessions = kept;
}

void
tree_seal(struct mib_tree *t)
{
	sessions_make(t);
	t->n_entries = 0;
	for (uint32_t i = 0; i < t->n_views; i++) {
		assert(i == 0 || t->views[i - 1].index < t->views[i].index);
		t->views[i].first = t->n_entries;
		t->n_entries += t->views[i].rows->n;
	}
}

void
tree_free(struct mib_tree *t)
{
	if (t == NULL)
		return;
	if (t->views != NULL)
		for (uint32_t i = 0; i < t->n_views; i++)
			rows_unref(t->views[i].rows);
	interface_set_unref(t->interfaces);
	element_set_unref(t->elements);
	free(t->collectors);
	free(t->exporters);
	free(t->outputs);
	free(t->views);
	free(t->sessions);
	free(t->watches);
	free(t->thresholds);
	free(t->alarms);
	free(t->topns);
	free(t->topn_entries);
	free(t);
}

int
name_compare(const subid_t *a, size_t a_len, const subid_t *b, size_t b_len)
{
	for (size_t i = 0; i < a_len && i < b_len; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return a_len < b_len ? -1 : a_len > b_len;
}

/*
 * How `name` lies to what `table` holds: below 0 before all of it, above 0 after all of
 * it, 0 within; then `*rest` of it follows the prefix.
 */
static int
name_within(const struct mib_table *table, const subid_t *name, size_t len, size_t *rest)
{
	for (size_t i = 0; i < table->n_prefix; i++) {
		if (i == len)
			return -1;
		if (name[i] != table->prefix[i])
			return name[i] < table->prefix[i] ? -1 : 1;
	}
	*rest = len - table->n_prefix;
	return 0;
}

/*
 * The place of the first row of `table` whose index is not before `index`. What is asked
 * together, or one after the other, lies together: `near`, found before, and the row in front
 * of it are looked at first.
 */
static uint32_t
table_seek(const struct mib_table *table, const struct mib_tree *t, const subid_t *index,
    size_t len, const struct cell *near, bool *exact)
{
	uint32_t low = 0, high = table->count(t);
	uint32_t guess = near->pos;
	unsigned guesses = near->table == table ? 2 : 0;

	*exact = false;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		subid_t at[NAME_MAX_LEN];
		int order;

		if (guesses > 0) {
			if (guess - low < high - low)
				mid = guess;
			guess--;
			guesses--;
		}
		order = name_compare(at, table->index(t, mid, at), index, len);
		if (order == 0) {
			*exact = true;
			return mid;
		}
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The place of the first column of `table` whose number is not below `number`. */
static uint16_t
column_seek(const struct mib_table *table, subid_t number)
{
	uint16_t low = 0, high = table->n_columns;

	while (low < high) {
		uint16_t mid = (uint16_t)((low + high) / 2);

		if (table->columns[mid].number < number)
			low = (uint16_t)(mid + 1);
		else
			high = mid;
	}
	return low;
}

enum tree_found
tree_get(const struct mib *mib, const struct mib_tree *t, const subid_t *name, size_t len,
    struct cell *out)
{
	for (unsigned i = 0; i < mib->n; i++) {
		const struct mib_table *table = mib->tables[i];
		size_t rest;
		uint16_t column;
		uint32_t pos;
		bool exact;

		if (name_within(table, name, len, &rest) != 0)
			continue;
		if (rest == 0)
			return TREE_NO_OBJECT;
		name += len - rest;
		column = column_seek(table, name[0]);
		if (column == table->n_columns || table->columns[column].number != name[0])
			return TREE_NO_OBJECT;
		pos = table_seek(table, t, name + 1, rest - 1, out, &exact);
		*out = (struct cell){ table, &table->columns[column], pos };
		return exact ? TREE_FOUND : TREE_NO_INSTANCE;
	}
	return TREE_NO_OBJECT;
}

/* tree_next within one table; `rest` sub-identifiers follow the prefix at `name`. */
static bool
table_next(const struct mib_table *table, const struct mib_tree *t, const subid_t *name,
    size_t rest, bool inclusive, struct cell *out)
{
	uint32_t n = table->count(t), pos = 0;
	uint16_t column = rest > 0 ? column_seek(table, name[0]) : 0;

	if (n == 0 || column == table->n_columns)
		return false;
	if (rest > 0 && table->columns[column].number == name[0]) {
		bool exact;

		pos = table_seek(table, t, name + 1, rest - 1, out, &exact);
		if (exact && !inclusive)
			pos++;
		if (pos == n) {
			pos = 0;
			column++;
		}
	}
	if (column == table->n_columns)
		return false;
	*out = (struct cell){ table, &table->columns[column], pos };
	return true;
}

bool
tree_next(const struct mib *mib, const struct mib_tree *t, const subid_t *name, size_t len,
    bool inclusive, struct cell *out)
{
	for (unsigned i = 0; i < mib->n; i++) {
		const struct mib_table *table = mib->tables[i];
		size_t rest = 0;
		int where = name_within(table, name, len, &rest);

		if (where > 0)
			continue;
		/* Before all of it (rest 0): its first object follows. */
		if (table_next(table, t, name + (len - rest), rest, inclusive, out))
			return true;
	}
	return false;
}

size_t
cell_name(const struct mib_tree *t, const struct cell *c, subid_t *out)
{
	size_t len = 0;

	for (; len < c->table->n_prefix; len++)
		out[len] = c->table->prefix[len];
	out[len++] = c->column->number;
	return len + c->table->index(t, c->pos, out + len);
}

void
cell_value(const struct moment *m, const struct cell *c, struct value *v)
{
	struct entry scratch;

	v->n = 0;
	v->len = 0;
	c->column->get(m, c->table->row(m->tree, c->pos, &scratch), c->column->arg, v);
}
