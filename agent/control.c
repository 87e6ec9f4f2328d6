/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/control.h"

#include <stdlib.h>
#include <string.h>

#include "agent/tables.h"
#include "core/alarms.h"
#include "core/topn.h"
#include "lib/utf8.h"

#define ROWS_MAX 32U      /* that one request may change */
#define VARIABLES_MAX 512U

/* RowStatus of RFC 2579, as it may be asked for. */
enum { ACTIVE = 1, NOT_IN_SERVICE = 2, NOT_READY = 3, CREATE_AND_GO = 4, CREATE_AND_WAIT = 5,
	DESTROY = 6 };

/* A row of either table. */
union asked {
	struct threshold_config threshold;
	struct topn_config topn;
};

/* The columns that may be written. */
enum kind { KIND_U32, KIND_BOOL, KIND_TEXT, KIND_STATUS };
struct writable {
	uint16_t column;
	enum kind kind;
	size_t offset;
	uint32_t min, max;       /* of numbers; of texts, their octets */
};

/* A table that may be written. */
struct writable_table {
	const struct mib_table *table;
	const struct writable *columns;
	size_t n_columns;
	size_t status, storage;  /* where in the row */
	/* Make `to` a row with the defaults and this index; false: nothing can have it. */
	bool (*begin)(const subid_t *index, size_t len, union asked *to);
	bool (*same)(const union asked *a, const union asked *b);
	/* The row with the index of `row`, into it; false: there is none. */
	bool (*get)(const struct control *c, union asked *row);
	int (*check)(const struct control *c, const union asked *row, struct err *e);
};

/* A row that shall change. */
struct staged {
	const struct writable_table *of;
	union asked config;
	uint32_t was;            /* its status; 0: there is none */
	bool fixed;              /* it is the configuration's */
	uint32_t wanted;         /* RowStatus that was asked for; 0: none was */
};

struct control {
	struct alarms *alarms;
	struct topns *topns;
	unsigned n_rows, n_variables;
	struct staged rows[ROWS_MAX];
	uint8_t row_of[VARIABLES_MAX]; /* by number of the variable */
	/* What control_prepare has made ready; NULL: nothing. */
	struct threshold_batch *thresholds_ready;
	struct topn_batch *topns_ready;
};

/* Thresholds: the index is a name, printable ASCII, so that it can be typed and logged. */

static const struct writable threshold_writables[] = {
#define AT(member) offsetof(struct threshold_config, member)
	{ 2, KIND_U32, AT(scope), SCOPE_VIEW, SCOPE_COLLECTOR },
	{ 3, KIND_TEXT, AT(subject), 0, THRESHOLD_SUBJECT - 1 },
	{ 4, KIND_TEXT, AT(selector), 0, THRESHOLD_SELECTOR - 1 },
	{ 5, KIND_U32, AT(metric), METRIC_BYTES, METRIC_SECONDS },
	{ 6, KIND_U32, AT(direction), DIRECTION_ABOVE, DIRECTION_BELOW },
	{ 7, KIND_U32, AT(rising), 0, UINT32_MAX },
	{ 8, KIND_U32, AT(falling), 0, UINT32_MAX },
	{ 9, KIND_U32, AT(scale), 0, THRESHOLD_SCALE },
	{ 10, KIND_U32, AT(window), 1, THRESHOLD_WINDOW },
	{ 11, KIND_U32, AT(hold), 0, THRESHOLD_WINDOW },
	{ 12, KIND_U32, AT(startup), STARTUP_RISING, STARTUP_EITHER },
	{ 13, KIND_BOOL, AT(notify), 1, 2 },
	{ 19, KIND_U32, AT(storage), STORAGE_VOLATILE, STORAGE_NONVOLATILE },
	{ 20, KIND_STATUS, AT(status), ACTIVE, DESTROY },
#undef AT
};

static bool
threshold_begin(const subid_t *index, size_t len, union asked *to)
{
	threshold_defaults(&to->threshold);
	if (len == 0 || len > THRESHOLD_NAME)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (index[i] < '!' || index[i] > '~')
			return false;
		to->threshold.name[i] = (char)index[i];
	}
	return true;
}

static bool
threshold_same(const union asked *a, const union asked *b)
{
	return strcmp(a->threshold.name, b->threshold.name) == 0;
}

static bool
threshold_get(const struct control *c, union asked *row)
{
	return alarms_get(c->alarms, row->threshold.name, &row->threshold);
}

static int
threshold_row_check(const struct control *c, const union asked *row, struct err *e)
{
	return alarms_check(c->alarms, &row->threshold, e);
}

/* Reports of who has most: the index is a number. */

static const struct writable topn_writables[] = {
#define AT(member) offsetof(struct topn_config, member)
	{ 2, KIND_TEXT, AT(view), 0, TOPN_TEXT - 1 },
	{ 3, KIND_U32, AT(metric), TOPN_BYTES, TOPN_FLOWS },
	{ 4, KIND_U32, AT(interval), 1, TOPN_INTERVAL },
	{ 5, KIND_U32, AT(size), 1, UINT32_MAX },
	{ 9, KIND_TEXT, AT(owner), 0, TOPN_TEXT - 1 },
	{ 10, KIND_U32, AT(lease), 0, TOPN_LEASE },
	{ 12, KIND_STATUS, AT(status), ACTIVE, DESTROY },
#undef AT
};

static bool
topn_begin(const subid_t *index, size_t len, union asked *to)
{
	topn_defaults(&to->topn);
	to->topn.index = len == 1 && index[0] <= INT32_MAX ? (uint32_t)index[0] : 0;
	return to->topn.index != 0;
}

static bool
topn_same(const union asked *a, const union asked *b)
{
	return a->topn.index == b->topn.index;
}

static bool
topn_get(const struct control *c, union asked *row)
{
	return topns_get(c->topns, row->topn.index, &row->topn);
}

static int
topn_row_check(const struct control *c, const union asked *row, struct err *e)
{
	return topns_check(c->topns, &row->topn, e);
}

#define N(a) (sizeof(a) / sizeof((a)[0]))
static const struct writable_table tables[] = {
	{ &topn_control_table, topn_writables, N(topn_writables),
	    offsetof(struct topn_config, status), offsetof(struct topn_config, storage),
	    topn_begin, topn_same, topn_get, topn_row_check },
	{ &threshold_table, threshold_writables, N(threshold_writables),
	    offsetof(struct threshold_config, status),
	    offsetof(struct threshold_config, storage), threshold_begin, threshold_same,
	    threshold_get, threshold_row_check },
};

struct control *
control_new(struct alarms *a, struct topns *t)
{
	struct control *c = calloc(1, sizeof(*c));

	if (c != NULL) {
		c->alarms = a;
		c->topns = t;
	}
	return c;
}

void
control_free(struct control *c)
{
	if (c != NULL)
		control_begin(c);
	free(c);
}

void
control_begin(struct control *c)
{
	alarms_abandon(c->alarms, c->thresholds_ready);
	topns_abandon(c->topns, c->topns_ready);
	c->thresholds_ready = NULL;
	c->topns_ready = NULL;
	c->n_rows = c->n_variables = 0;
}

static const struct writable *
writable_find(const struct writable_table *t, subid_t column)
{
	for (size_t i = 0; i < t->n_columns; i++)
		if (t->columns[i].column == column)
			return &t->columns[i];
	return NULL;
}

bool
control_writes(const struct mib_table *t, uint16_t column)
{
	for (size_t i = 0; i < N(tables); i++)
		if (tables[i].table == t)
			return writable_find(&tables[i], column) != NULL;
	return false;
}

static uint32_t *
member_u32(union asked *c, size_t offset)
{
	return (uint32_t *)(void *)((char *)c + offset);
}

/*
 * The staged row of `t` with this index, made when it is the first time. NULL with `rc`
 * set when nothing can have this index, or there are too many.
 */
static struct staged *
staged_get(struct control *c, const struct writable_table *t, const subid_t *index,
    size_t len, enum set_error *rc)
{
	struct staged fresh = { .of = t }, *s;

	memset(&fresh.config, 0, sizeof(fresh.config));
	*rc = SET_NO_CREATION;
	if (!t->begin(index, len, &fresh.config))
		return NULL;
	for (unsigned i = 0; i < c->n_rows; i++)
		if (c->rows[i].of == t && t->same(&c->rows[i].config, &fresh.config))
			return &c->rows[i];
	*rc = SET_RESOURCE_UNAVAILABLE;
	if (c->n_rows == ROWS_MAX)
		return NULL;
	if (t->get(c, &fresh.config)) {
		fresh.was = *member_u32(&fresh.config, t->status);
		fresh.fixed = *member_u32(&fresh.config, t->storage) == STORAGE_READONLY;
	}
	s = &c->rows[c->n_rows++];
	*s = fresh;
	return s;
}

/* The type that the MIB gives to `w`: enumerations are integers, amounts are unsigned. */
static enum value_type
writable_type(const struct mib_table *t, const struct writable *w)
{
	for (uint16_t i = 0; i < t->n_columns; i++)
		if (t->columns[i].number == w->column)
			return t->columns[i].type;
	return VALUE_OCTETS;
}

static enum set_error
text_check(const struct writable *w, const struct value *v)
{
	char text[VALUE_OCTETS_MAX + 1];

	if (v->len > w->max)
		return SET_WRONG_LENGTH;
	for (size_t i = 0; i < v->len; i++)
		if (v->octets[i] < ' ' || v->octets[i] == 0x7f)
			return SET_WRONG_VALUE;
	memcpy(text, v->octets, v->len);
	text[v->len] = '\0';
	return utf8_is_text(text) ? SET_OK : SET_WRONG_VALUE; /* SnmpAdminString: RFC 3411 s5 */
}

/* Whether column `w` of any row of `t` could be `v`. */
static enum set_error
value_check(const struct mib_table *t, const struct writable *w, enum value_type type,
    const struct value *v)
{
	if (v == NULL || type != writable_type(t, w))
		return SET_WRONG_TYPE;
	if (w->kind == KIND_TEXT)
		return text_check(w, v);
	if (v->n < w->min || v->n > w->max || (w->kind == KIND_STATUS && v->n == NOT_READY))
		return SET_WRONG_VALUE;
	return SET_OK;
}

/* It shall be `v`, which may be. */
static void
value_put(const struct writable *w, const struct value *v, struct staged *s)
{
	char *text = (char *)&s->config + w->offset;

	switch (w->kind) {
	case KIND_U32:
		*member_u32(&s->config, w->offset) = (uint32_t)v->n;
		break;
	case KIND_BOOL:
		*((bool *)((char *)&s->config + w->offset)) = v->n == 1; /* TruthValue */
		break;
	case KIND_TEXT:
		memset(text, 0, w->max + 1);
		memcpy(text, v->octets, v->len);
		break;
	case KIND_STATUS:
		s->wanted = (uint32_t)v->n;
		break;
	}
}

/* The table that `name` is in a column of; what follows the prefix is column and index. */
static const struct writable_table *
writable_table_find(const subid_t *name, size_t len)
{
	for (size_t i = 0; i < N(tables); i++) {
		const struct mib_table *t = tables[i].table;
		size_t k = 0;

		while (k < t->n_prefix && k < len && name[k] == t->prefix[k])
			k++;
		if (k == t->n_prefix && len > k + 1)
			return &tables[i];
	}
	return NULL;
}

enum set_error
control_ask(struct control *c, const subid_t *name, size_t len, enum value_type type,
    const struct value *v)
{
	const struct writable_table *t = writable_table_find(name, len);
	size_t prefix = t != NULL ? t->table->n_prefix : 0;
	const struct writable *w = t != NULL ? writable_find(t, name[prefix]) : NULL;
	enum set_error rc;
	struct staged *s;

	if (w == NULL)
		return SET_NOT_WRITABLE;
	rc = value_check(t->table, w, type, v);
	if (rc != SET_OK)
		return rc;
	s = staged_get(c, t, name + prefix + 1, len - prefix - 1, &rc);
	if (s == NULL)
		return rc;
	if (c->n_variables == VARIABLES_MAX)
		return SET_RESOURCE_UNAVAILABLE;
	c->row_of[c->n_variables++] = (uint8_t)(s - c->rows);
	value_put(w, v, s);
	return SET_OK;
}

/* What RowStatus a row will have; 0: what is asked for cannot be. */
static uint32_t
status_next(const struct staged *s)
{
	bool create = s->wanted == CREATE_AND_GO || s->wanted == CREATE_AND_WAIT;

	if (s->wanted == DESTROY)
		return DESTROY;
	if (create == (s->was != 0))
		return 0;
	if (s->wanted == CREATE_AND_GO)
		return ACTIVE;
	if (s->wanted == CREATE_AND_WAIT)
		return NOT_IN_SERVICE;
	return s->wanted != 0 ? s->wanted : s->was;
}

enum set_error
control_verdict(struct control *c, unsigned n)
{
	struct staged *s = &c->rows[n < c->n_variables ? c->row_of[n] : 0];
	uint32_t *status, next;
	struct err e = ERR_INIT;

	if (n >= c->n_variables) /* it was begun anew meanwhile */
		return SET_RESOURCE_UNAVAILABLE;
	status = member_u32(&s->config, s->of->status);
	if (s->fixed) /* nor by any other value */
		return SET_NOT_WRITABLE;
	/* Without RowStatus no row is made. */
	if (s->was == 0 && s->wanted == 0)
		return SET_INCONSISTENT_NAME;
	next = status_next(s);
	if (next == 0)
		return SET_INCONSISTENT_VALUE;
	*status = next;
	if (next == DESTROY)
		return SET_OK;
	if (s->of->check(c, &s->config, &e) == 0) {
		if (next == NOT_READY)
			*status = NOT_IN_SERVICE;
		return SET_OK;
	}
	*status = NOT_READY;
	return next == ACTIVE ? SET_INCONSISTENT_VALUE : SET_OK;
}

static bool
staged_goes(struct staged *s)
{
	return *member_u32(&s->config, s->of->status) == DESTROY;
}

/* The first variable of a row that shall be made anew: where there is no room it is for that. */
static unsigned
variable_of_new(struct control *c)
{
	for (unsigned n = 0; n < c->n_variables; n++) {
		struct staged *s = &c->rows[c->row_of[n]];

		if (s->was == 0 && !staged_goes(s))
			return n;
	}
	return 0;
}

static int
thresholds_ready(struct control *c, struct err *e)
{
	struct threshold_change *list = calloc(ROWS_MAX, sizeof(*list));
	unsigned n = 0;

	for (unsigned i = 0; list != NULL && i < c->n_rows; i++)
		if (c->rows[i].of->table == &threshold_table)
			list[n++] = (struct threshold_change){
				.config = c->rows[i].config.threshold,
				.remove = staged_goes(&c->rows[i]),
				.keeps_status = c->rows[i].wanted == 0 };
	if (n > 0)
		c->thresholds_ready = alarms_prepare(c->alarms, list, n, e);
	free(list);
	return list != NULL && (n == 0 || c->thresholds_ready != NULL) ? 0 : -1;
}

static int
topns_ready(struct control *c, struct err *e)
{
	struct topn_change list[ROWS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < c->n_rows; i++)
		if (c->rows[i].of->table == &topn_control_table)
			list[n++] = (struct topn_change){ .config = c->rows[i].config.topn,
				.remove = staged_goes(&c->rows[i]) };
	if (n > 0)
		c->topns_ready = topns_prepare(c->topns, list, n, e);
	return n == 0 || c->topns_ready != NULL ? 0 : -1;
}

enum set_error
control_prepare(struct control *c, unsigned *n)
{
	struct err e = ERR_INIT;

	*n = 0;
	if (thresholds_ready(c, &e) == 0 && topns_ready(c, &e) == 0)
		return SET_OK;
	*n = variable_of_new(c);
	control_begin(c);
	return SET_RESOURCE_UNAVAILABLE;
}

void
control_commit(struct control *c)
{
	alarms_commit(c->alarms, c->thresholds_ready);
	topns_commit(c->topns, c->topns_ready);
	c->thresholds_ready = NULL;
	c->topns_ready = NULL;
}

/* A number that changes with either. */
static uint64_t
changes_of(const struct alarms *a, const struct topns *t)
{
	return alarms_changes(a) + topns_changes(t);
}

/* What `to` shows of these tables is what `from` did, which is left with nothing. */
static void
shown_move(struct mib_tree *to, struct mib_tree *from)
{
#define MOVE(list) \
	free(to->list); \
	to->list = from->list; \
	to->n_##list = from->n_##list; \
	from->list = NULL;
	MOVE(thresholds)
	MOVE(alarms)
	MOVE(topns)
	MOVE(topn_entries)
#undef MOVE
	to->control_changes = from->control_changes;
}

bool
control_show(struct alarms *a, struct topns *r, struct mib_tree *t)
{
	/* Before the copies: what changes in between is copied once more. */
	struct mib_tree now = { .control_changes = changes_of(a, r) }, nothing = { 0 };
	bool whole;

	now.thresholds = alarms_thresholds(a, &now.n_thresholds);
	now.alarms = alarms_raised(a, &now.n_alarms);
	now.topns = topns_rows(r, &now.n_topns);
	now.topn_entries = topns_entries(r, &now.n_topn_entries);
	whole = now.thresholds != NULL && now.alarms != NULL && now.topns != NULL &&
	        now.topn_entries != NULL;
	if (whole)
		shown_move(t, &now);
	shown_move(&now, &nothing);
	return whole;
}

void
control_update(const struct control *c, struct mib_tree *t)
{
	if (t != NULL && changes_of(c->alarms, c->topns) != t->control_changes)
		(void)control_show(c->alarms, c->topns, t);
}
