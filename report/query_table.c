/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/query_table.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/books.h"
#include "core/stats.h"
#include "lib/clock.h"
#include "report/query_alarms.h"
#include "report/query_exporters.h"

#define BOOKS_TRIES 10                   /* see books_settled */
#define BOOKS_PAUSE (20 * CLOCK_MS)
#define BOOKS_LINES (8 + ENGINE_VIEWS * 9 + ENGINE_OUTPUTS * 4)

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct reply_column view_columns[] = {
	REPLY_COLUMN("view", "VIEW", "str"),
	REPLY_COLUMN("aggregate", "AGGREGATE", "str"),
	REPLY_COLUMN("outputs", "OUTPUTS", "str"),
	REPLY_COLUMN("ledger", "LEDGER", "bool"),
	REPLY_COLUMN("rows", "ROWS", "uint"),
	REPLY_COLUMN("max_rows", "MAX_ROWS", "uint"),
	REPLY_COLUMN("packets", "PACKETS", "uint"),
	REPLY_COLUMN("bytes", "BYTES", "uint"),
	REPLY_COLUMN("flows", "FLOWS", "uint"),
	REPLY_COLUMN("updated", "UPDATED", "stamp"),
};

/* Add `word` to the list in `to`, cut where there is no room. */
static void
list_add(char *to, size_t room, const char *word)
{
	size_t len = strlen(to), n = strlen(word);

	if (len + n + 2 > room)
		return;
	if (len > 0)
		to[len++] = ',';
	memcpy(to + len, word, n + 1);
}

static void
view_row(const struct engine *en, struct view *v, struct reply *r)
{
	char aggregate[1024] = "", outputs[1024] = "";
	struct sums total;

	for (uint16_t i = 0; i < v->rs.n_shown; i++)
		if (fields[v->rs.shown[i]].merge != FIELD_SUM)
			list_add(aggregate, sizeof(aggregate),
			    fields[v->rs.shown[i]].config);
	for (unsigned i = 0; i < en->n_outputs; i++)
		if (en->outputs[i]->view == v)
			list_add(outputs, sizeof(outputs), en->outputs[i]->name);

	reply_row_start(r);
	reply_text(r, "view", v->name);
	reply_text(r, "aggregate", aggregate[0] != '\0' ? aggregate : "none");
	reply_text(r, "outputs", outputs);
	reply_bool(r, "ledger", v->ledger != NULL);
	if (v->ledger != NULL) {
		uint64_t updated;
		uint32_t rows;

		ledger_lock(v->ledger);
		rows = v->ledger->table.n;
		updated = v->ledger->updated;
		total = v->ledger->total; /* as SNMP has it: over restarts, since the last reset */
		ledger_unlock(v->ledger);
		reply_uint(r, "rows", rows);
		reply_uint(r, "max_rows", v->max_rows);
		reply_sums(r, NULL, &total);
		reply_stamp(r, "updated", updated);
	} else {
		pthread_mutex_lock(&v->books_lock);
		total = v->books.counted;
		pthread_mutex_unlock(&v->books_lock);
		reply_null(r, "rows");
		reply_uint(r, "max_rows", v->max_rows);
		reply_sums(r, NULL, &total);
		reply_null(r, "updated");
	}
	reply_row_end(r);
}

static void
views_reply(const struct engine *en, struct reply *r)
{
	reply_columns(r, view_columns, N(view_columns));
	for (unsigned i = 0; i < en->n_views; i++)
		view_row(en, en->views[i], r);
}

static const struct reply_column output_columns[] = {
	REPLY_COLUMN("output", "OUTPUT", "str"),
	REPLY_COLUMN("type", "TYPE", "str"),
	REPLY_COLUMN("view", "VIEW", "str"),
	REPLY_COLUMN("state", "STATE", "str"),
	REPLY_COLUMN("rows", "ROWS", "uint"),
	REPLY_COLUMN("written", "WRITTEN", "uint"),
	REPLY_COLUMN("spooled", "SPOOLED", "uint"),
	REPLY_COLUMN("refused", "REFUSED", "uint"),
	REPLY_COLUMN("errors", "ERRORS", "uint"),
	REPLY_COLUMN("queued", "QUEUED", "uint"),
	REPLY_COLUMN("waiting", "WAITING", "uint"),
	REPLY_COLUMN("waiting_octets", "WAITING_OCTETS", "uint"),
	REPLY_COLUMN("waiting_since", "WAITING_SINCE", "stamp"),
	REPLY_COLUMN("last_success", "LAST_SUCCESS", "stamp"),
};

static void
outputs_reply(const struct engine *en, struct reply *r)
{
	reply_columns(r, output_columns, N(output_columns));
	for (unsigned i = 0; i < en->n_outputs; i++) {
		const struct output *o = en->outputs[i];

		reply_row_start(r);
		reply_text(r, "output", o->name);
		reply_text(r, "type", o->ops->type);
		reply_text(r, "view", o->view != NULL ? o->view->name : "");
		reply_text(
		    r, "state", atomic_load(&o->state) == OUTPUT_OK ? "ok" : "failing");
		reply_uint(r, "rows", atomic_load(&o->rows));
		reply_uint(r, "written", atomic_load(&o->written));
		reply_uint(r, "spooled", atomic_load(&o->spooled));
		reply_uint(r, "refused", atomic_load(&o->refused));
		reply_uint(r, "errors", atomic_load(&o->errors));
		reply_uint(r, "queued", atomic_load(&o->queued));
		reply_uint(r, "waiting", atomic_load(&o->waiting));
		reply_uint(r, "waiting_octets", atomic_load(&o->waiting_octets));
		reply_stamp(r, "waiting_since", atomic_load(&o->waiting_since));
		reply_stamp(r, "last_success", atomic_load(&o->last_success));
		reply_row_end(r);
	}
}

static const struct reply_column target_columns[] = {
	REPLY_COLUMN("output", "OUTPUT", "str"),
	REPLY_COLUMN("pool", "POOL", "uint"),
	REPLY_COLUMN("target", "TARGET", "str"),
	REPLY_COLUMN("resolved", "RESOLVED", "bool"),
	REPLY_COLUMN("sent", "SENT", "uint"),
	REPLY_COLUMN("octets", "OCTETS", "uint"),
	REPLY_COLUMN("unsent", "UNSENT", "uint"),
	REPLY_COLUMN("refusals", "REFUSALS", "uint"),
	REPLY_COLUMN("reasons", "REASONS", "note"),
};

struct targets {
	const struct output *o;
	struct reply *r;
};

static void
target_row(void *arg, const struct output_target *t)
{
	const struct targets *at = arg;
	struct reply *r = at->r;

	reply_row_start(r);
	reply_text(r, "output", at->o->name);
	reply_uint(r, "pool", t->pool);
	reply_text(r, "target", t->name);
	reply_bool(r, "resolved", t->resolved);
	reply_uint(r, "sent", t->sent);
	reply_uint(r, "octets", t->octets);
	reply_uint(r, "unsent", t->unsent);
	reply_uint(r, "refusals", t->refusals);
	reply_text(r, "reasons", t->reasons);
	reply_row_end(r);
}

static void
targets_reply(const struct engine *en, struct reply *r)
{
	reply_columns(r, target_columns, N(target_columns));
	for (unsigned i = 0; i < en->n_outputs; i++) {
		const struct output *o = en->outputs[i];

		if (o->ops->targets != NULL)
			o->ops->targets(o, target_row, &(struct targets){ o, r });
	}
}

static const struct reply_column rule_columns[] = {
	REPLY_COLUMN("file", "FILE", "str"),
	REPLY_COLUMN("line", "LINE", "uint"),
	REPLY_COLUMN("matches", "MATCHES", "uint"),
	REPLY_COLUMN("rule", "RULE", "str"),
};

static void
tagging_rows(const struct tagging *t, struct reply *r)
{
	uint32_t n;
	struct tagmap_line *lines = tagging_lines(t, &n);

	for (uint32_t i = 0; i < n; i++) {
		reply_row_start(r);
		reply_text(r, "file", lines[i].file);
		reply_uint(r, "line", lines[i].line);
		reply_uint(r, "matches", lines[i].matches);
		reply_text(r, "rule", lines[i].text);
		reply_row_end(r);
	}
	free(lines);
}

static void
rules_reply(const struct engine *en, struct reply *r)
{
	reply_columns(r, rule_columns, N(rule_columns));
	for (unsigned i = 0; i < en->n_taggings; i++)
		tagging_rows(&en->taggings[i], r);
}

static const struct reply_column stat_columns[] = {
	REPLY_COLUMN("name", "NAME", "str"),
	REPLY_COLUMN("value", "VALUE", "uint"),
	REPLY_COLUMN("unit", "UNIT", "str"),
	REPLY_COLUMN("doc", "MEANING", "str"),
};

static void
stats_reply(const struct engine *en, struct reply *r)
{
	uint64_t n[STAT_COUNT];

	engine_stats(en, n);
	reply_columns(r, stat_columns, N(stat_columns));
	for (int i = 0; i < STAT_COUNT; i++) {
		reply_row_start(r);
		reply_text(r, "name", stat_rows[i].name);
		reply_uint(r, "value", n[i]);
		reply_text(r, "unit", stat_rows[i].unit);
		reply_text(r, "doc", stat_rows[i].doc);
		reply_row_end(r);
	}
}

static const struct reply_column books_columns[] = {
	REPLY_COLUMN("subject", "SUBJECT", "str"),
	REPLY_COLUMN("left", "LEFT", "str"),
	REPLY_COLUMN("value", "VALUE", "uint"),
	REPLY_COLUMN("terms", "TERMS", "terms"),
	REPLY_COLUMN("balanced", "BALANCED", "bool"),
};

/*
 * Fill `lines`; returns their number. An output adds to its counters one after the
 * other, and we may look in between: what does not balance is looked at again before we
 * say so.
 */
static size_t
books_settled(const struct engine *en, struct books_line *lines, bool *balanced)
{
	static const struct timespec pause = { 0, BOOKS_PAUSE };
	size_t n = 0;

	*balanced = false;
	for (int i = 0; i < BOOKS_TRIES && !*balanced; i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		n = books_lines(en, lines, BOOKS_LINES);
		if (n > BOOKS_LINES)
			n = BOOKS_LINES;
		*balanced = true;
		for (size_t k = 0; k < n; k++)
			*balanced &= lines[k].balanced;
	}
	return n;
}

static void
books_reply(const struct engine *en, struct reply *r)
{
	struct books_line *lines = calloc(BOOKS_LINES, sizeof(*lines));
	bool balanced;
	size_t n;

	if (lines == NULL)
		abort(); /* some hundred KiB: the machine is out of memory */
	n = books_settled(en, lines, &balanced);
	reply_bool(r, "balanced", balanced);
	reply_columns(r, books_columns, N(books_columns));
	for (size_t i = 0; i < n; i++) {
		reply_row_start(r);
		reply_text(r, "subject", lines[i].subject);
		reply_text(r, "left", lines[i].left);
		reply_uint(r, "value", lines[i].left_value);
		reply_object_start(r, "terms");
		for (unsigned t = 0; t < lines[i].n_terms; t++)
			reply_uint(r, lines[i].terms[t].name, lines[i].terms[t].value);
		reply_object_end(r);
		reply_bool(r, "balanced", lines[i].balanced);
		reply_row_end(r);
	}
	free(lines);
}

static void
classifier_row(void *arg, const struct classifier_state *s)
{
	struct reply *r = arg;

	reply_row_start(r);
	reply_uint(r, "worker", s->worker);
	reply_uint(r, "order", s->order);
	reply_text(r, "engine", s->text);
	reply_uint(r, "streams", s->streams);
	reply_uint(r, "max_streams", s->streams_max);
	reply_uint(r, "open", s->open);
	reply_uint(r, "max_open", s->open_max);
	reply_uint(r, "late", s->late);
	reply_row_end(r);
}

static void
classes_reply(const struct engine *en, struct reply *r)
{
	static const struct reply_column columns[] = {
		REPLY_COLUMN("worker", "WORKER", "uint"),
		REPLY_COLUMN("order", "ORDER", "uint"),
		REPLY_COLUMN("engine", "ENGINE", "str"),
		REPLY_COLUMN("streams", "STREAMS", "uint"),
		REPLY_COLUMN("max_streams", "MAX_STREAMS", "uint"),
		REPLY_COLUMN("open", "OPEN", "uint"),
		REPLY_COLUMN("max_open", "MAX_OPEN", "uint"),
		REPLY_COLUMN("late", "LATE", "uint"),
	};

	reply_columns(r, columns, N(columns));
	if (en->classifiers != NULL)
		en->classifiers(en->classifiers_arg, classifier_row, r);
}

static const struct {
	const char *cmd;
	void (*reply)(const struct engine *en, struct reply *r);
} tables[] = {
	{ "views", views_reply },
	{ "exporters", exporters_reply },
	{ "interfaces", interfaces_reply },
	{ "collectors", collectors_reply },
	{ "outputs", outputs_reply },
	{ "targets", targets_reply },
	{ "rules", rules_reply },
	{ "watches", watches_reply },
	{ "thresholds", thresholds_reply },
	{ "alarms", alarms_reply },
	{ "stats", stats_reply },
	{ "books", books_reply },
	{ "classes", classes_reply },
};

bool
query_table(const struct engine *en, const char *cmd, struct reply *r)
{
	for (size_t i = 0; i < N(tables); i++)
		if (strcmp(tables[i].cmd, cmd) == 0) {
			reply_start(r, cmd);
			tables[i].reply(en, r);
			reply_end(r);
			return true;
		}
	return false;
}
