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

enum ask { ASK_ROWS, ASK_SUMS, ASK_STATUS, ASK_CLEAR, ASK_CONFIRM };

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
	bool confirms;             /* it will say that it has what it reset */
	struct query_match *match; /* NULL: all rows */
};

static const char *const asks[] = { [ASK_ROWS] = "rows", [ASK_SUMS] = "sums",
	[ASK_STATUS] = "status", [ASK_CLEAR] = "clear", [ASK_CONFIRM] = "confirm" };
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
	if (query_match_index(q->match) != 0)
		return err_set(e, WEIR_ENOMEM, "no memory");
	return 0;
}

static int
question_read(struct question *q, const json_t *request, struct err *e)
{
	const json_t *separator = json_object_get(request, "separator");
	int ask = word_get(request, "ask", asks, N(asks), ASK_ROWS);
	int form = word_get(request, "form", forms, N(forms), PRINT_FORMATTED);

	if (ask < 0)
		return err_set(e, WEIR_EINVAL, "\"ask\" is none of rows, sums, status, clear, "
		    "confirm");
	if (form < 0)
		return err_set(e, WEIR_EINVAL, "there is no such form: write formatted, csv, json, "
		    "event_formatted or event_csv");
	q->ask = (enum ask)ask;
	q->clear = json_is_true(json_object_get(request, "clear"));
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
	q->confirms = json_is_true(json_object_get(request, "confirm"));
	if (sort_read(q, request, e) != 0 || match_read(q, request, e) != 0)
		return -e->code;
	if (q->reset && q->match == NULL)
		return err_set(e, WEIR_EINVAL, "what is to be reset? give primitives and values; "
		    "-e clears all");
	return 0;
}

/* Whether nobody else has the ledger: then what is cleared is gone for good. */
static bool
ledger_is_alone(const struct output *o)
{
	unsigned shared = 0;

	for (unsigned i = 0; i < o->engine->n_outputs; i++)
		shared += o->engine->outputs[i]->view == o->view;
	return shared == 1;
}

static void
output_clear(const struct output *o)
{
	struct memory *m = o->priv;
	struct ledger *l = o->view->ledger;

	pthread_mutex_lock(&m->lock);
	ledger_lock(l);
	memory_clear(m, l, ledger_is_alone(o));
	ledger_unlock(l);
	pthread_mutex_unlock(&m->lock);
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
	for (size_t list = 0; list < (q->match != NULL ? query_match_count(q->match) : 1);
	     list++) {
		struct sums s = { 0 };
		size_t first = at;

		for (; at < c->n_hits && c->hits[at].list == list; at++)
			sums_add(&s, catch_sums(c, at));
		if (!field_set_has(&o->fields, F_FLOWS))
			s.flows = 0; /* as pmacct, which does not count them then */
		reply_row_start(r);
		reply_sums(r, NULL, &s);
		reply_uint(r, "entries", at - first);
		reply_row_end(r);
	}
}

/* The head of an answer about `n` entries. */
static void
head_reply(const struct output *o, size_t n, struct reply *r)
{
	struct memory *m = o->priv;
	uint64_t cleared;

	pthread_mutex_lock(&m->lock);
	cleared = m->cleared;
	pthread_mutex_unlock(&m->lock);
	reply_start(r, "memory");
	reply_text(r, "table", o->name);
	reply_uint(r, "entries", n);
	reply_uint(r, "max_entries", o->view->ledger->table.max);
	if (cleared != 0)
		reply_uint(r, "cleared_s", (clock_real() - cleared) / CLOCK_S);
}

static void
caught_reply(const struct question *q, const struct output *o, struct reply *r,
    struct catch_taken *taken)
{
	bool rows = q->ask == ASK_ROWS; /* sums are by list, and of all */
	const struct catch_wish w = { .match = q->match, .sorted = q->sorted && rows,
		.by = sorts[q->by].offset, .top = rows ? q->top : 0, .take = q->reset || q->clear, .clear = q->clear,
		.alone = ledger_is_alone(o) };
	struct catch c = { 0 };
	int rc = catch_rows(&c, &w, o->priv, o->view->ledger, r, taken);

	taken->by_word = q->confirms;
	if (rc == -WEIR_EFULL) {
		reply_error(r, "the lists fit too many rows: ask for fewer at a time");
	} else if (rc == 0) {
		head_reply(o, c.n_hits, r);
		if (q->ask == ASK_ROWS)
			rows_reply(&c, q, o, r);
		else if (q->ask == ASK_SUMS)
			sums_reply(&c, q, o, r);
		else
			reply_columns(r, NULL, 0);
		reply_end(r);
	}
	catch_fini(&c);
}

static void
memory_reply(const struct question *q, const struct output *o, struct reply *r,
    struct catch_taken *taken)
{
	if (q->ask != ASK_CLEAR && q->ask != ASK_CONFIRM) {
		caught_reply(q, o, r, taken);
		return;
	}
	if (q->ask == ASK_CLEAR)
		output_clear(o);
	head_reply(o, 0, r);
	reply_columns(r, NULL, 0);
	reply_end(r);
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
    struct reply *r, struct catch_taken *taken)
{
	const char *name = json_string_value(json_object_get(request, "view"));
	struct question q = { .ask = ASK_ROWS };
	struct err e = ERR_INIT;
	const struct output *o = memory_find(en, name != NULL ? name : table, &e);

	if (o == NULL || question_read(&q, request, &e) != 0)
		reply_error(r, e.text);
	else
		memory_reply(&q, o, r, taken);
	query_match_free(q.match);
}

void
query_memory_settle(const json_t *request, struct catch_taken *taken)
{
	const char *said = json_string_value(json_object_get(request, "ask"));

	catch_settle(taken, !taken->by_word || (said != NULL && strcmp(said, asks[ASK_CONFIRM]) == 0));
}
