/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/query_memory.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/ledger.h"
#include "lib/clock.h"
#include "report/memory.h"
#include "report/print_format.h"
#include "report/query_match.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
/* Rows may be picked by several lists; but so many times a row, and this often, at most. */
#define HITS_EACH  4U
#define HITS_LEAST 65536U

enum ask { ASK_ROWS, ASK_SUMS, ASK_STATUS, ASK_CLEAR };

struct question {
	enum ask ask;
	enum print_form form;
	char separator;
	struct text_opts text;
	bool sorted;
	size_t by;                 /* in sorts[] */
	uint32_t top;              /* 0: all */
	bool all;                  /* columns, also those of which the table has nothing */
	bool reset;                /* what is shown */
	bool clear;                /* the table, behind what is shown */
	struct query_match *match; /* NULL: all rows */
};

static const char *const asks[] = { [ASK_ROWS] = "rows", [ASK_SUMS] = "sums",
	[ASK_STATUS] = "status", [ASK_CLEAR] = "clear" };
static const char *const forms[] = { [PRINT_FORMATTED] = "formatted", [PRINT_CSV] = "csv",
	[PRINT_EVENT_FORMATTED] = "event_formatted", [PRINT_EVENT_CSV] = "event_csv",
	[PRINT_ROW_JSON] = "json", [PRINT_JSON] = NULL };
static const struct {
	const char *name;
	size_t offset;
} sorts[] = {
	{ "bytes", offsetof(struct sums, bytes) },
	{ "packets", offsetof(struct sums, packets) },
	{ "flows", offsetof(struct sums, flows) },
};

/* A row that was picked, and for which list of values. */
struct hit {
	uint64_t value; /* that it is sorted by */
	uint32_t row, list;
};

/* Rows of a table, less what clients have taken, and those that were picked. */
struct catch {
	uint8_t *rows;
	size_t octets;
	uint32_t n;
	struct hit *hits;
	size_t n_hits, room;
	bool cut; /* lists fit more than that */
};

static void *
must(void *p)
{
	if (p == NULL)
		abort(); /* as large as tables that are in memory already */
	return p;
}

/* The place of the text member `name` in `words`, or -1; `otherwise` where it has none. */
static int
word_get(const json_t *request, const char *name, const char *const *words, size_t n,
    int otherwise)
{
	const json_t *v = json_object_get(request, name);

	if (v == NULL)
		return otherwise;
	for (size_t i = 0; i < n && json_is_string(v); i++)
		if (words[i] != NULL && strcmp(words[i], json_string_value(v)) == 0)
			return (int)i;
	return -1;
}

static int
sort_read(struct question *q, const json_t *request, struct err *e)
{
	const json_t *sort = json_object_get(request, "sort");
	const json_t *top = json_object_get(request, "top");

	if (top != NULL && (!json_is_integer(top) || json_integer_value(top) < 0 ||
	        json_integer_value(top) > UINT32_MAX))
		return err_set(e, WEIR_EINVAL, "\"top\" is no number of rows");
	q->top = (uint32_t)json_integer_value(top);
	if (sort == NULL)
		return 0;
	for (q->by = 0; q->by < N(sorts) && json_is_string(sort); q->by++)
		if (strcmp(sorts[q->by].name, json_string_value(sort)) == 0) {
			q->sorted = true;
			return 0;
		}
	return err_set(e, WEIR_EINVAL, "\"sort\" is none of bytes, packets, flows");
}

static int
match_read(struct question *q, const json_t *request, struct err *e)
{
	const json_t *names = json_object_get(request, "fields");
	const json_t *lists = json_object_get(request, "match"), *list;
	size_t i;

	if (names == NULL && q->ask != ASK_SUMS)
		return 0;
	if (!json_is_string(names) || !json_is_array(lists))
		return err_set(e, WEIR_EINVAL, "what to match? give primitives and values");
	if ((q->match = query_match_new(json_string_value(names), e)) == NULL)
		return -e->code;
	json_array_foreach((json_t *)lists, i, list) {
		if (!json_is_string(list))
			return err_set(e, WEIR_EINVAL, "\"match\" has no list of values");
		if (query_match_add(q->match, json_string_value(list), e) != 0)
			return -e->code;
	}
	return 0;
}

static int
question_read(struct question *q, const json_t *request, struct err *e)
{
	const json_t *separator = json_object_get(request, "separator");
	int ask = word_get(request, "ask", asks, N(asks), ASK_ROWS);
	int form = word_get(request, "form", forms, N(forms), PRINT_FORMATTED);

	if (ask < 0)
		return err_set(e, WEIR_EINVAL, "\"ask\" is none of rows, sums, status, clear");
	if (form < 0)
		return err_set(e, WEIR_EINVAL, "there is no such form: write formatted, csv, json, "
		    "event_formatted or event_csv");
	q->ask = (enum ask)ask;
	q->clear = ask == ASK_CLEAR || json_is_true(json_object_get(request, "clear"));
	q->form = (enum print_form)form;
	q->separator = separator == NULL ? ',' : !json_is_string(separator) ? '\0'
	    : print_separator(json_string_value(separator));
	if (q->separator == '\0')
		return err_set(e, WEIR_EINVAL, "a separator is one character, \\t or \\s");
	q->text = (struct text_opts){ .rfc3339 = true,
		.num_protos = json_is_true(json_object_get(request, "num_protos")),
		.since_epoch = json_is_true(json_object_get(request, "epoch")),
		.utc = json_is_true(json_object_get(request, "utc")) };
	q->all = json_is_true(json_object_get(request, "all"));
	q->reset = json_is_true(json_object_get(request, "reset"));
	if (sort_read(q, request, e) != 0 || match_read(q, request, e) != 0)
		return -e->code;
	if (q->reset && q->match == NULL)
		return err_set(e, WEIR_EINVAL, "what is to be reset? give primitives and values; "
		    "-e clears all");
	return 0;
}

/* Copy the ledger's rows. Memory is had before the publisher has to wait. */
static void
catch_copy(struct catch *c, struct ledger *l)
{
	uint32_t room = 0;

	c->octets = l->table.row_octets;
	ledger_lock(l);
	while (l->table.n > room) {
		room = l->table.n + l->table.n / 8 + 64;
		ledger_unlock(l);
		free(c->rows);
		c->rows = must(malloc(room * c->octets));
		ledger_lock(l);
	}
	c->n = l->table.n;
	if (c->n > 0)
		memcpy(c->rows, l->table.rows, c->n * c->octets);
}

static const struct sums *
catch_sums(const struct catch *c, const struct ledger *l, uint32_t row)
{
	return rowspec_sums_get(l->rs, c->rows + row * c->octets);
}

static void
catch_add(struct catch *c, const struct question *q, const struct sums *s, uint32_t row,
    uint32_t list)
{
	if (c->n_hits == (size_t)HITS_EACH * c->n + HITS_LEAST) {
		c->cut = true;
		return;
	}
	if (c->n_hits == c->room) {
		c->room = c->room * 2 + 256;
		c->hits = must(realloc(c->hits, c->room * sizeof(*c->hits)));
	}
	c->hits[c->n_hits++] = (struct hit){ .row = row, .list = list,
		.value = q->sorted ? *(const uint64_t *)(const void *)((const char *)s +
		                         sorts[q->by].offset) : 0 };
}

/* How many lists rows are looked up in. */
static size_t
list_count(const struct question *q)
{
	return q->match != NULL ? query_match_count(q->match) : 1;
}

/* As pmacct: what two lists fit is there twice. */
static void
catch_pick(struct catch *c, const struct question *q, const struct memory *m,
    const struct ledger *l)
{
	for (uint32_t list = 0; list < list_count(q) && !c->cut; list++)
		for (uint32_t i = 0; i < c->n; i++) {
			const struct sums *s = catch_sums(c, l, i);

			if (memory_shows(m, i, s) && (q->match == NULL ||
			        query_match_is(q->match, list, l->rs, c->rows + i * c->octets)))
				catch_add(c, q, s, i, list);
		}
}

static int
hit_compare(const void *a, const void *b)
{
	const struct hit *x = a, *y = b;

	if (x->value != y->value)
		return x->value > y->value ? -1 : 1;
	if (x->list != y->list)
		return x->list < y->list ? -1 : 1;
	return x->row < y->row ? -1 : x->row > y->row;
}

/* Take what is shown: rows that were picked twice are shown twice, but count once. */
static void
catch_take(const struct catch *c, struct memory *m, const struct ledger *l)
{
	bool *done = must(calloc(c->n + 1, sizeof(*done)));

	for (size_t i = 0; i < c->n_hits; i++) {
		uint32_t row = c->hits[i].row;

		if (!done[row])
			memory_take(m, row, catch_sums(c, l, row));
		done[row] = true;
	}
	free(done);
}

/* Whether nobody else has the ledger: then it is cleared for good, else for clients. */
static bool
ledger_is_alone(const struct output *o)
{
	unsigned shared = 0;

	for (unsigned i = 0; i < o->engine->n_outputs; i++)
		shared += o->engine->outputs[i]->view == o->view;
	return shared == 1;
}

static void
catch_take_all(const struct catch *c, struct memory *m, const struct ledger *l)
{
	for (uint32_t i = 0; i < c->n; i++) {
		const struct sums *s = catch_sums(c, l, i);

		if (memory_shows(m, i, s))
			memory_take(m, i, s);
	}
}

/*
 * Copy the rows, pick those that are asked for, and take away what is to be reset or
 * cleared: nothing is counted in between.
 */
static void
catch_make(struct catch *c, const struct question *q, struct memory *m,
    const struct output *o)
{
	struct ledger *l = o->view->ledger;
	bool alone = ledger_is_alone(o), clear = q->clear;

	catch_copy(c, l);
	memory_take_off(m, l, c->rows, c->n);
	/* Where it might have to be cut it stays. */
	if (clear && q->ask != ASK_CLEAR && list_count(q) > HITS_EACH &&
	    list_count(q) * c->n > (size_t)HITS_EACH * c->n + HITS_LEAST) {
		c->cut = true;
		clear = false;
	}
	if (clear && alone)
		ledger_clear(l, clock_real());
	ledger_unlock(l);
	if (q->ask != ASK_CLEAR)
		catch_pick(c, q, m, l);
	if (q->sorted)
		qsort(c->hits, c->n_hits, sizeof(*c->hits), hit_compare);
	if (q->top != 0 && q->top < c->n_hits)
		c->n_hits = q->top;
	if (clear && !alone)
		catch_take_all(c, m, l);
	else if (q->reset && !clear && !c->cut)
		catch_take(c, m, l);
	if (clear)
		m->cleared = clock_real();
}

static void
rows_reply(const struct catch *c, const struct question *q, const struct output *o,
    struct reply *r)
{
	struct print_format pf;
	char *line;
	size_t len;

	print_format_init_client(&pf, q->form, q->separator, &q->text, o, q->all);
	line = must(malloc(pf.row_max + 1));
	len = print_format_title(&pf, line);
	line[len > 0 ? len - 1 : 0] = '\0';
	reply_text(r, "title", line);
	reply_columns(r, NULL, 0);
	for (size_t i = 0; i < c->n_hits && !r->broken; i++) {
		const uint8_t *row = c->rows + c->hits[i].row * c->octets;

		if (q->form == PRINT_ROW_JSON) {
			reply_row_open(r, &pf, row);
			reply_row_end(r);
			continue;
		}
		len = print_format_row(&pf, row, line);
		line[len - 1] = '\0';
		reply_line(r, line);
	}
	free(line);
	print_format_fini(&pf);
}

static void
sums_reply(const struct catch *c, const struct question *q, const struct output *o,
    struct reply *r)
{
	size_t at = 0;

	reply_columns(r, NULL, 0);
	for (size_t list = 0; list < list_count(q); list++) {
		struct sums s = { 0 };
		size_t first = at;

		for (; at < c->n_hits && c->hits[at].list == list; at++)
			sums_add(&s, catch_sums(c, o->view->ledger, c->hits[at].row));
		if (!field_set_has(&o->fields, F_FLOWS))
			s.flows = 0; /* as pmacct, which does not count them then */
		reply_row_start(r);
		reply_sums(r, NULL, &s);
		reply_uint(r, "entries", at - first);
		reply_row_end(r);
	}
}

static void
memory_reply(struct question *q, const struct output *o, struct reply *r)
{
	struct memory *m = o->priv;
	struct ledger *l = o->view->ledger;
	struct catch c = { 0 };
	uint64_t cleared;

	pthread_mutex_lock(&m->lock);
	catch_make(&c, q, m, o);
	cleared = m->cleared;
	pthread_mutex_unlock(&m->lock);

	if (c.cut) {
		reply_error(r, "the lists fit too many rows: ask for fewer at a time");
		free(c.rows);
		free(c.hits);
		return;
	}
	reply_start(r, "memory");
	reply_text(r, "table", o->name);
	reply_uint(r, "entries", c.n_hits);
	reply_uint(r, "max_entries", l->table.max);
	if (cleared != 0)
		reply_uint(r, "cleared_s", (clock_real() - cleared) / CLOCK_S);
	if (q->ask == ASK_ROWS)
		rows_reply(&c, q, o, r);
	else if (q->ask == ASK_SUMS)
		sums_reply(&c, q, o, r);
	else
		reply_columns(r, NULL, 0);
	reply_end(r);
	free(c.rows);
	free(c.hits);
}

/* The memory table called `name`, or without one the only one that there is. */
static const struct output *
memory_find(const struct engine *en, const char *name, struct err *e)
{
	const struct output *found = NULL;
	char names[256] = "";
	unsigned n = 0;

	for (unsigned i = 0; i < en->n_outputs; i++) {
		const struct output *o = en->outputs[i];

		if (o->ops != &memory_output)
			continue;
		if (name == NULL || strcmp(o->name, name) == 0) {
			found = o;
			n++;
		}
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
		    names[0] != '\0' ? ", " : "", o->name);
	}
	if (n == 1)
		return found;
	if (names[0] == '\0')
		err_set(e, WEIR_ENOENT, "there is no memory table: add a memory plugin");
	else if (name == NULL)
		err_set(e, WEIR_ENOENT, "which table? there are: %s", names);
	else
		err_set(e, WEIR_ENOENT, "no memory table '%.64s'; there are: %s", name, names);
	return NULL;
}

void
query_memory(const struct engine *en, const json_t *request, const char *table,
    struct reply *r)
{
	const char *name = json_string_value(json_object_get(request, "view"));
	struct question q = { .ask = ASK_ROWS };
	struct err e = ERR_INIT;
	const struct output *o = memory_find(en, name != NULL ? name : table, &e);

	if (o == NULL || question_read(&q, request, &e) != 0)
		reply_error(r, e.text);
	else
		memory_reply(&q, o, r);
	query_match_free(q.match);
}
