/* SPDX-License-Identifier: GPL-2.0-or-later */
/* weirThresholdTable and weirAlarmTable (core/alarms.h). */
#include <stdio.h>
#include <string.h>

#include "core/alarms.h"

#include "agent/tables.h"

/* The octets of `name` as sub-identifiers. */
static size_t
name_put(subid_t *out, const char *name)
{
	size_t len = 0;

	for (; name[len] != '\0'; len++)
		out[len] = (uint8_t)name[len];
	return len;
}

#define T struct threshold_row
#define CONFIG(member) offsetof(T, config.member)

static void
get_notify(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	enum { TRUE = 1, FALSE = 2 }; /* TruthValue */
	const T *t = row;

	(void)m, (void)arg;
	v->n = t->config.notify ? TRUE : FALSE;
}

static void
get_state(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	enum { UNKNOWN = 1, CLEAR = 2, RAISED = 3 };
	const T *t = row;

	(void)m, (void)arg;
	v->n = !t->looked ? UNKNOWN : t->raised > 0 ? RAISED : CLEAR;
}

static const struct column threshold_columns[] = {
	{ 2, VALUE_INTEGER, "weirThresholdScope", get_u32, CONFIG(scope) },
	{ 3, VALUE_OCTETS, "weirThresholdSubject", get_text, CONFIG(subject) },
	{ 4, VALUE_OCTETS, "weirThresholdSelector", get_text, CONFIG(selector) },
	{ 5, VALUE_INTEGER, "weirThresholdMetric", get_u32, CONFIG(metric) },
	{ 6, VALUE_INTEGER, "weirThresholdDirection", get_u32, CONFIG(direction) },
	{ 7, VALUE_UNSIGNED, "weirThresholdRising", get_u32, CONFIG(rising) },
	{ 8, VALUE_UNSIGNED, "weirThresholdFalling", get_u32, CONFIG(falling) },
	{ 9, VALUE_UNSIGNED, "weirThresholdScale", get_u32, CONFIG(scale) },
	{ 10, VALUE_UNSIGNED, "weirThresholdWindow", get_u32, CONFIG(window) },
	{ 11, VALUE_UNSIGNED, "weirThresholdHold", get_u32, CONFIG(hold) },
	{ 12, VALUE_INTEGER, "weirThresholdStartup", get_u32, CONFIG(startup) },
	{ 13, VALUE_INTEGER, "weirThresholdNotify", get_notify, 0 },
	{ 14, VALUE_INTEGER, "weirThresholdState", get_state, 0 },
	NUMBER(15, COUNTER64, "weirThresholdValue", T, value),
	{ 16, VALUE_UNSIGNED, "weirThresholdAlarms", get_u32, offsetof(T, raised) },
	{ 17, VALUE_COUNTER32, "weirThresholdTransitions", get_u32, offsetof(T, transitions) },
	DATE(18, "weirThresholdLastTransition", T, last_transition),
	{ 19, VALUE_INTEGER, "weirThresholdStorageType", get_u32, CONFIG(storage) },
	{ 20, VALUE_INTEGER, "weirThresholdRowStatus", get_u32, CONFIG(status) },
	{ 21, VALUE_OCTETS, "weirThresholdLabel", get_text, CONFIG(name) },
};
#undef T

ARRAY_TABLE(threshold, thresholds)

/* The name alone: it is the last index, whose length is implied (RFC 2578 s7.7). */
static size_t
threshold_index(const struct mib_tree *t, uint32_t pos, subid_t *out)
{
	return name_put(out, t->thresholds[pos].config.name);
}

const struct mib_table threshold_table = {
	"weirThresholdTable", 3, { 1, 9, 1 }, COLUMNS(threshold_columns), threshold_count,
	threshold_index, threshold_row
};

#define A struct alarm_row
static void
get_alarm_text(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	char text[VALUE_OCTETS_MAX + 1];

	(void)m, (void)arg;
	(void)alarm_row_text(row, text, sizeof(text));
	value_text(v, text);
}

static const struct column alarm_columns[] = {
	TEXT(3, "weirAlarmSubject", A, subject),
	TEXT(4, "weirAlarmWhat", A, label),
	{ 5, VALUE_OCTETS, "weirAlarmText", get_alarm_text, 0 },
	DATE(6, "weirAlarmRaisedAt", A, raised),
	NUMBER(7, COUNTER64, "weirAlarmValue", A, value),
};
#undef A

ARRAY_TABLE(alarm, alarms)

size_t
alarm_index_write(const char *name, uint64_t id, subid_t *out)
{
	size_t len = name_put(out + 1, name);

	out[0] = len;
	out[len + 1] = id >> 31;
	out[len + 2] = id & 0x7fffffff;
	return len + 3;
}

static size_t
alarm_index(const struct mib_tree *t, uint32_t pos, subid_t *out)
{
	return alarm_index_write(t->alarms[pos].name, t->alarms[pos].id, out);
}

const struct mib_table alarm_table = {
	"weirAlarmTable", 3, { 1, 10, 1 }, COLUMNS(alarm_columns), alarm_count, alarm_index,
	alarm_row
};
