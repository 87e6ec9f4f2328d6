/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/control.h"

#include <stdlib.h>
#include <string.h>

#include "agent/tables.h"
#include "core/alarms.h"

#define ROWS_MAX 32U      /* that one request may change */
#define VARIABLES_MAX 512U

/* RowStatus of RFC 2579, as it may be asked for. */
enum { ACTIVE = 1, NOT_IN_SERVICE = 2, NOT_READY = 3, CREATE_AND_GO = 4, CREATE_AND_WAIT = 5,
	DESTROY = 6 };

/* A row that shall change. */
struct staged {
	struct threshold_config was, config;
	bool exists;
	uint32_t wanted;         /* RowStatus that was asked for; 0: none was */
	bool changes;            /* some column was asked for */
};

struct control {
	struct alarms *alarms;
	unsigned n_rows, n_variables;
	struct staged rows[ROWS_MAX];
	uint8_t row_of[VARIABLES_MAX]; /* by number of the variable */
};

/* The columns that may be written. */
enum kind { KIND_U32, KIND_BOOL, KIND_TEXT, KIND_STORAGE, KIND_STATUS };
static const struct writable {
	uint16_t column;
	enum kind kind;
	size_t offset;
	uint32_t min, max;       /* of numbers; of texts, their octets */
} writables[] = {
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
	{ 19, KIND_STORAGE, AT(storage), STORAGE_VOLATILE, STORAGE_NONVOLATILE },
	{ 20, KIND_STATUS, 0, ACTIVE, DESTROY },
#undef AT
};

struct control *
control_new(struct alarms *a)
{
	struct control *c = calloc(1, sizeof(*c));

	if (c != NULL)
		c->alarms = a;
	return c;
}

void
control_free(struct control *c)
{
	free(c);
}

void
control_begin(struct control *c)
{
	c->n_rows = c->n_variables = 0;
}

static const struct writable *
writable_find(subid_t column)
{
	for (size_t i = 0; i < sizeof(writables) / sizeof(writables[0]); i++)
		if (writables[i].column == column)
			return &writables[i];
	return NULL;
}

bool
control_writes(const struct mib_table *t, uint16_t column)
{
	return t == &threshold_table && writable_find(column) != NULL;
}

/* The staged row of threshold `name`, made when it is the first time; NULL: too many. */
static struct staged *
staged_get(struct control *c, const char *name)
{
	struct staged *s;

	for (unsigned i = 0; i < c->n_rows; i++)
		if (strcmp(c->rows[i].config.name, name) == 0)
			return &c->rows[i];
	if (c->n_rows == ROWS_MAX)
		return NULL;
	s = &c->rows[c->n_rows++];
	memset(s, 0, sizeof(*s));
	s->exists = alarms_get(c->alarms, name, &s->was);
	if (s->exists) {
		s->config = s->was;
	} else {
		threshold_defaults(&s->config);
		s->config.status = NOT_READY;
		strcpy(s->config.name, name);
	}
	return s;
}

/* A name as the index of a row: printable ASCII, so that it can be typed and logged. */
static bool
name_read(const subid_t *index, size_t len, char name[THRESHOLD_NAME + 1])
{
	if (len == 0 || len > THRESHOLD_NAME)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (index[i] < '!' || index[i] > '~')
			return false;
		name[i] = (char)index[i];
	}
	name[len] = '\0';
	return true;
}

static enum set_error
text_ask(const struct writable *w, enum value_type type, const struct value *v, char *to)
{
	if (type != VALUE_OCTETS)
		return SET_WRONG_TYPE;
	if (v->len > w->max)
		return SET_WRONG_LENGTH;
	for (size_t i = 0; i < v->len; i++)
		if (v->octets[i] < ' ' || v->octets[i] == 0x7f)
			return SET_WRONG_VALUE;
	memset(to, 0, w->max + 1);
	memcpy(to, v->octets, v->len);
	return SET_OK;
}

/* The type that the MIB gives to `w`: enumerations are integers, amounts are unsigned. */
static enum value_type
writable_type(const struct writable *w)
{
	for (uint16_t i = 0; i < threshold_table.n_columns; i++)
		if (threshold_table.columns[i].number == w->column)
			return threshold_table.columns[i].type;
	return VALUE_OCTETS;
}

static enum set_error
number_ask(const struct writable *w, enum value_type type, const struct value *v,
    struct staged *s)
{
	char *at = (char *)&s->config + w->offset;

	if (type != writable_type(w))
		return SET_WRONG_TYPE;
	if (v->n < w->min || v->n > w->max)
		return SET_WRONG_VALUE;
	switch (w->kind) {
	case KIND_BOOL:
		*(bool *)at = v->n == 1; /* TruthValue */
		break;
	case KIND_STATUS:
		if (v->n == NOT_READY) /* which nobody may ask for */
			return SET_WRONG_VALUE;
		s->wanted = (uint32_t)v->n;
		return SET_OK;
	case KIND_STORAGE:
	case KIND_U32:
		*(uint32_t *)(void *)at = (uint32_t)v->n;
		break;
	case KIND_TEXT:
		break;
	}
	return SET_OK;
}

enum set_error
control_ask(struct control *c, const subid_t *name, size_t len, enum value_type type,
    const struct value *v)
{
	size_t prefix = threshold_table.n_prefix;
	const struct writable *w;
	char row[THRESHOLD_NAME + 1];
	enum set_error rc;
	struct staged *s;

	if (len <= prefix + 1)
		return SET_NOT_WRITABLE;
	for (size_t i = 0; i < prefix; i++)
		if (name[i] != threshold_table.prefix[i])
			return SET_NOT_WRITABLE;
	w = writable_find(name[prefix]);
	if (w == NULL)
		return SET_NOT_WRITABLE;
	if (!name_read(name + prefix + 1, len - prefix - 1, row))
		return SET_NO_CREATION;
	s = c->n_variables < VARIABLES_MAX ? staged_get(c, row) : NULL;
	if (s == NULL)
		return SET_RESOURCE_UNAVAILABLE;
	c->row_of[c->n_variables++] = (uint8_t)(s - c->rows);
	rc = w->kind == KIND_TEXT
	         ? text_ask(w, type, v, (char *)&s->config + w->offset)
	         : number_ask(w, type, v, s);
	s->changes |= w->kind != KIND_STATUS;
	return rc;
}

/* What RowStatus a row will have; 0: what is asked for cannot be. */
static uint32_t
status_next(const struct staged *s)
{
	bool create = s->wanted == CREATE_AND_GO || s->wanted == CREATE_AND_WAIT;

	if (s->wanted == DESTROY)
		return DESTROY;
	if (create == s->exists)
		return 0;
	if (s->wanted == CREATE_AND_GO)
		return ACTIVE;
	if (s->wanted == CREATE_AND_WAIT)
		return NOT_IN_SERVICE;
	return s->wanted != 0 ? s->wanted : s->was.status;
}

enum set_error
control_verdict(struct control *c, unsigned n)
{
	struct staged *s = &c->rows[c->row_of[n]];
	struct err e = ERR_INIT;
	uint32_t next;

	if (s->exists && s->was.storage == STORAGE_READONLY)
		return SET_INCONSISTENT_VALUE;
	/* Without RowStatus no row is made. */
	if (!s->exists && s->wanted == 0)
		return SET_INCONSISTENT_NAME;
	next = status_next(s);
	if (next == 0)
		return SET_INCONSISTENT_VALUE;
	s->config.status = next;
	if (next == DESTROY)
		return SET_OK;
	if (alarms_check(c->alarms, &s->config, &e) == 0) {
		if (next == NOT_READY)
			s->config.status = NOT_IN_SERVICE;
		return SET_OK;
	}
	if (next == ACTIVE)
		return SET_INCONSISTENT_VALUE;
	s->config.status = NOT_READY;
	return SET_OK;
}

enum set_error
control_commit(struct control *c)
{
	struct err e = ERR_INIT;

	for (unsigned i = 0; i < c->n_rows; i++) {
		struct staged *s = &c->rows[i];
		int rc = s->config.status == DESTROY
		             ? alarms_remove(c->alarms, s->config.name, &e)
		             : alarms_put(c->alarms, &s->config, &e);

		if (rc != 0)
			return SET_COMMIT_FAILED;
	}
	return SET_OK;
}

void
control_show(struct alarms *a, struct mib_tree *t)
{
	uint64_t changes;
	struct threshold_row *thresholds;
	struct alarm_row *alarms;
	uint32_t n, m;

	if (a == NULL)
		return;
	changes = alarms_changes(a);
	thresholds = alarms_thresholds(a, &n);
	alarms = alarms_raised(a, &m);
	free(t->thresholds);
	free(t->alarms);
	t->thresholds = thresholds;
	t->n_thresholds = n;
	t->alarms = alarms;
	t->n_alarms = m;
	t->control_changes = changes;
}

void
control_update(const struct control *c, struct mib_tree *t)
{
	if (t != NULL && alarms_changes(c->alarms) != t->control_changes)
		control_show(c->alarms, t);
}
