/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/query_alarms.h"

#include <stdlib.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct reply_column watch_columns[] = {
	REPLY_COLUMN("watch", "WATCH", "str"),
	REPLY_COLUMN("view", "VIEW", "str"),
	REPLY_COLUMN("selector", "SELECTOR", "str"),
	REPLY_COLUMN("packets", "PACKETS", "uint"),
	REPLY_COLUMN("bytes", "BYTES", "uint"),
	REPLY_COLUMN("flows", "FLOWS", "uint"),
	REPLY_COLUMN("packets_per_second", "PACKETS/S", "uint"),
	REPLY_COLUMN("bytes_per_second", "BYTES/S", "uint"),
	REPLY_COLUMN("flows_per_second", "FLOWS/S", "uint"),
	REPLY_COLUMN("last_seen", "LAST_SEEN", "stamp"),
};

void
watches_reply(const struct engine *en, struct reply *r)
{
	uint32_t n;
	struct watch *list = watches_copy(en->watches, &n);

	reply_columns(r, watch_columns, N(watch_columns));
	for (uint32_t i = 0; i < n; i++) {
		const struct watch *w = &list[i];
		char selector[512];

		(void)selector_text(&w->selector, selector, sizeof(selector));
		reply_row_start(r);
		reply_text(r, "watch", w->name);
		reply_text(r, "view", w->view_name);
		reply_text(r, "selector", selector);
		reply_sums(r, NULL, &w->total);
		reply_uint(r, "packets_per_second", w->rate.packets);
		reply_uint(r, "bytes_per_second", w->rate.bytes);
		reply_uint(r, "flows_per_second", w->rate.flows);
		reply_stamp(r, "last_seen", w->last_seen);
		reply_row_end(r);
	}
	free(list);
}

static const struct reply_column threshold_columns[] = {
	REPLY_COLUMN("threshold", "THRESHOLD", "str"),
	REPLY_COLUMN("scope", "SCOPE", "str"),
	REPLY_COLUMN("subject", "SUBJECT", "str"),
	REPLY_COLUMN("selector", "SELECTOR", "str"),
	REPLY_COLUMN("rising", "RISING", "uint"),
	REPLY_COLUMN("falling", "FALLING", "uint"),
	REPLY_COLUMN("unit", "UNIT", "str"),
	REPLY_COLUMN("active", "ACTIVE", "bool"),
	REPLY_COLUMN("state", "STATE", "str"),
	REPLY_COLUMN("value", "VALUE", "uint"),
	REPLY_COLUMN("alarms", "ALARMS", "uint"),
	REPLY_COLUMN("transitions", "TRANSITIONS", "uint"),
	REPLY_COLUMN("last_transition", "LAST_TRANSITION", "stamp"),
};

/* How a threshold does, in a word or two. */
static const char *
threshold_state(const struct threshold_row *t, const struct engine *en)
{
	const char *missing = threshold_missing(&t->config, en);

	if (missing != NULL)
		return missing;
	if (t->config.status != STATUS_ACTIVE)
		return "not active";
	if (t->raised > 0)
		return "alarm";
	return t->looked ? "ok" : "not looked yet";
}

void
thresholds_reply(const struct engine *en, struct reply *r)
{
	uint32_t n = 0;
	struct threshold_row *list =
	    en->alarms != NULL ? alarms_thresholds(en->alarms, &n) : NULL;

	reply_columns(r, threshold_columns, N(threshold_columns));
	for (uint32_t i = 0; list != NULL && i < n; i++) {
		const struct threshold_config *c = &list[i].config;

		reply_row_start(r);
		reply_text(r, "threshold", c->name);
		reply_text(r, "scope", threshold_scope_word(c->scope));
		reply_text(r, "subject", c->subject);
		reply_text(r, "selector", c->selector);
		reply_uint(r, "rising", threshold_limit(c, c->rising));
		reply_uint(r, "falling", threshold_limit(c, c->falling));
		reply_text(r, "unit", threshold_unit(c->metric));
		reply_bool(r, "active", c->status == STATUS_ACTIVE);
		reply_text(r, "state", threshold_state(&list[i], en));
		reply_uint(r, "value", list[i].value);
		reply_uint(r, "alarms", list[i].raised);
		reply_uint(r, "transitions", list[i].transitions);
		reply_stamp(r, "last_transition", list[i].last_transition);
		reply_row_end(r);
	}
	free(list);
}

static const struct reply_column alarm_columns[] = {
	REPLY_COLUMN("threshold", "THRESHOLD", "str"),
	REPLY_COLUMN("subject", "SUBJECT", "str"),
	REPLY_COLUMN("what", "WHAT", "str"),
	REPLY_COLUMN("value", "VALUE", "uint"),
	REPLY_COLUMN("limit", "LIMIT", "uint"),
	REPLY_COLUMN("unit", "UNIT", "str"),
	REPLY_COLUMN("raised", "RAISED", "stamp"),
};

void
alarms_reply(const struct engine *en, struct reply *r)
{
	uint32_t n = 0;
	struct alarm_row *list = en->alarms != NULL ? alarms_raised(en->alarms, &n) : NULL;

	reply_columns(r, alarm_columns, N(alarm_columns));
	for (uint32_t i = 0; list != NULL && i < n; i++) {
		reply_row_start(r);
		reply_text(r, "threshold", list[i].name);
		reply_text(r, "subject", list[i].subject);
		reply_text(r, "what", list[i].label);
		reply_uint(r, "value", list[i].value);
		reply_uint(r, "limit", list[i].limit);
		reply_text(r, "unit", threshold_unit(list[i].metric));
		reply_stamp(r, "raised", list[i].raised);
		reply_row_end(r);
	}
	free(list);
}
