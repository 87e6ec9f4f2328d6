/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/query_alarms.h"

#include <stdlib.h>

#define COLUMN(json, title, kind) { json, json, title, kind }
#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct reply_column watch_columns[] = {
	COLUMN("watch", "WATCH", "str"),
	COLUMN("view", "VIEW", "str"),
	COLUMN("selector", "SELECTOR", "str"),
	COLUMN("packets", "PACKETS", "uint"),
	COLUMN("bytes", "BYTES", "uint"),
	COLUMN("flows", "FLOWS", "uint"),
	COLUMN("packets_per_second", "PACKETS/S", "uint"),
	COLUMN("bytes_per_second", "BYTES/S", "uint"),
	COLUMN("flows_per_second", "FLOWS/S", "uint"),
	COLUMN("last_seen", "LAST_SEEN", "stamp"),
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
	COLUMN("threshold", "THRESHOLD", "str"),
	COLUMN("scope", "SCOPE", "str"),
	COLUMN("subject", "SUBJECT", "str"),
	COLUMN("selector", "SELECTOR", "str"),
	COLUMN("rising", "RISING", "uint"),
	COLUMN("falling", "FALLING", "uint"),
	COLUMN("unit", "UNIT", "str"),
	COLUMN("active", "ACTIVE", "bool"),
	COLUMN("value", "VALUE", "uint"),
	COLUMN("alarms", "ALARMS", "uint"),
	COLUMN("transitions", "TRANSITIONS", "uint"),
	COLUMN("last_transition", "LAST_TRANSITION", "stamp"),
};

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
		reply_uint(r, "value", list[i].value);
		reply_uint(r, "alarms", list[i].raised);
		reply_uint(r, "transitions", list[i].transitions);
		reply_stamp(r, "last_transition", list[i].last_transition);
		reply_row_end(r);
	}
	free(list);
}

static const struct reply_column alarm_columns[] = {
	COLUMN("threshold", "THRESHOLD", "str"),
	COLUMN("subject", "SUBJECT", "str"),
	COLUMN("what", "WHAT", "str"),
	COLUMN("value", "VALUE", "uint"),
	COLUMN("limit", "LIMIT", "uint"),
	COLUMN("unit", "UNIT", "str"),
	COLUMN("raised", "RAISED", "stamp"),
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
