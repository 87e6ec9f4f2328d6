/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "core/alarms.h"

#include "agent/notify.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "agent/tables.h"
#include "lib/clock.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "(unknown version)" /* of tests that are built by hand */
#endif

/* Below weirNotifications. */
enum { RESTARTED = 1, ALARM_RAISED = 2, ALARM_CLEARED = 3, SUPPRESSED = 4 };

struct notify {
	struct notify_config config;
	bool greeted;            /* that weir has started was told */
	uint64_t cursor;         /* in the events */
	uint64_t second;         /* by the monotonic clock: when it began, */
	uint32_t used;           /* and how many were made in it */
	_Atomic uint64_t told;   /* of `suppressed`, what managers know */
	_Atomic uint64_t read;   /* `cursor`, for others */
	_Atomic uint64_t sent, suppressed;
};

struct notify *
notify_new(const struct notify_config *c)
{
	struct notify *n = calloc(1, sizeof(*n));

	if (n != NULL)
		n->config = *c;
	return n;
}

void
notify_free(struct notify *n)
{
	free(n);
}

/* Add an object; its value is to be filled in. */
static struct value *
object_add(struct notification *out, enum value_type type)
{
	out->objects[out->n].type = type;
	out->objects[out->n].len = 0;
	out->objects[out->n].value = (struct value){ .n = 0 };
	return &out->objects[out->n++].value;
}

/* Name the object that was added last. */
static void
object_name(struct notification *out, const struct mib_table *t, subid_t column,
    const subid_t *index, size_t n_index)
{
	subid_t *name = out->objects[out->n - 1].name;
	size_t len = 0;

	for (; len < t->n_prefix; len++)
		name[len] = t->prefix[len];
	name[len++] = column;
	memcpy(name + len, index, n_index * sizeof(*index));
	out->objects[out->n - 1].len = len + n_index;
}

static void
scalar_name(struct notification *out, subid_t column)
{
	static const subid_t zero = 0;

	object_name(out, &general_table, column, &zero, 1);
}

static void
restarted_make(const struct notify *n, struct notification *out)
{
	enum { OBJECT_VERSION = 1, OBJECT_START_TIME = 2 };

	out->number = RESTARTED;
	value_text(object_add(out, VALUE_OCTETS), "weir " PACKAGE_VERSION);
	scalar_name(out, OBJECT_VERSION);
	value_date(object_add(out, VALUE_OCTETS), n->config.started);
	scalar_name(out, OBJECT_START_TIME);
}

static void
suppressed_make(struct notify *n, struct notification *out)
{
	enum { OBJECT_NOTIFICATIONS_SUPPRESSED = 8 };

	out->number = SUPPRESSED;
	atomic_store(&n->told, atomic_load(&n->suppressed));
	object_add(out, VALUE_COUNTER32)->n = atomic_load(&n->told);
	scalar_name(out, OBJECT_NOTIFICATIONS_SUPPRESSED);
}

/* weirViewIndex of the view of `e`; 0: it is not shown. */
static uint32_t
event_view(const struct alarm_event *e, const struct mib_tree *t)
{
	for (uint32_t i = 0; t != NULL && i < t->n_views; i++)
		if (strcmp(t->views[i].view, e->view) == 0)
			return t->views[i].index;
	return 0;
}

static void
alarm_make(const struct alarm_event *e, const struct mib_tree *t, struct notification *out)
{
	enum { SUBJECT = 3, WHAT = 4, TEXT = 5, ENTRY_KEY = 4 };
	subid_t index[THRESHOLD_NAME + 3];
	size_t len = alarm_index_write(e->name, e->id, index);
	uint32_t view = e->scope == SCOPE_ENTRY ? event_view(e, t) : 0;
	char text[VALUE_OCTETS_MAX + 1];

	out->number = e->raised ? ALARM_RAISED : ALARM_CLEARED;
	(void)alarm_event_text(e, text, sizeof(text));
	value_text(object_add(out, VALUE_OCTETS), e->subject);
	object_name(out, &alarm_table, SUBJECT, index, len);
	value_text(object_add(out, VALUE_OCTETS), e->label);
	object_name(out, &alarm_table, WHAT, index, len);
	value_text(object_add(out, VALUE_OCTETS), text);
	object_name(out, &alarm_table, TEXT, index, len);
	if (view == 0)
		return;
	/* So that a manager finds the row. */
	index[0] = view;
	index[1] = e->id >> 31;
	index[2] = e->id & 0x7fffffff;
	value_text(object_add(out, VALUE_OCTETS), e->label);
	object_name(out, &entry_table, ENTRY_KEY, index, 3);
}

/* Whether another one may be made in this second. */
static bool
room_take(struct notify *n)
{
	uint64_t now = clock_mono();

	if (now - n->second >= CLOCK_S) {
		n->second = now;
		n->used = 0;
	}
	if (n->used >= n->config.rate)
		return false;
	n->used++;
	return true;
}

/* The next event that is to be told; false: none. What there is no room for is counted. */
static bool
event_next(struct notify *n, struct alarm_event *e)
{
	uint64_t missed = 0;
	bool found = false;

	if (n->config.alarms == NULL)
		return false;
	while (!found && alarms_read(n->config.alarms, &n->cursor, e, 1, &missed) == 1) {
		if (!e->notify)
			continue;
		found = room_take(n);
		missed += !found;
	}
	atomic_store(&n->read, n->cursor);
	if (missed > 0)
		atomic_fetch_add(&n->suppressed, missed);
	return found;
}

bool
notify_next(struct notify *n, const struct mib_tree *t, struct notification *out)
{
	struct alarm_event e;

	out->n = 0;
	if (!n->greeted) {
		n->greeted = true;
		restarted_make(n, out);
	} else if (event_next(n, &e)) {
		alarm_make(&e, t, out);
	} else if (atomic_load(&n->told) != atomic_load(&n->suppressed) && room_take(n)) {
		suppressed_make(n, out);
	} else {
		return false;
	}
	atomic_fetch_add(&n->sent, 1);
	return true;
}

bool
notify_is_due(const struct notify *n)
{
	return atomic_load(&n->told) != atomic_load(&n->suppressed) ||
	       (n->config.alarms != NULL &&
	           alarms_serial(n->config.alarms) != atomic_load(&n->read));
}

uint64_t
notify_sent(const struct notify *n)
{
	return atomic_load(&n->sent);
}

uint64_t
notify_suppressed(const struct notify *n)
{
	return atomic_load(&n->suppressed);
}
