/* SPDX-License-Identifier: GPL-2.0-or-later */
/* weirWatchTable: what the operator wants to have an eye on (core/watch.h). */
#include "core/watch.h"

#include "agent/tables.h"

static void
get_selector(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	const struct watch *w = row;
	char text[VALUE_OCTETS_MAX + 1];

	(void)m, (void)arg;
	(void)selector_text(&w->selector, text, sizeof(text));
	value_text(v, text[0] != '\0' ? text : "total");
}

#define W struct watch
static const struct column watch_columns[] = {
	TEXT(2, "weirWatchName", W, name),
	TEXT(3, "weirWatchView", W, view_name),
	{ 4, VALUE_OCTETS, "weirWatchSelector", get_selector, 0 },
	NUMBER(5, COUNTER64, "weirWatchBytes", W, total.bytes),
	NUMBER(6, COUNTER64, "weirWatchPackets", W, total.packets),
	NUMBER(7, COUNTER64, "weirWatchFlows", W, total.flows),
	NUMBER(8, COUNTER64, "weirWatchBytesPerSecond", W, rate.bytes),
	NUMBER(9, COUNTER64, "weirWatchPacketsPerSecond", W, rate.packets),
	NUMBER(10, COUNTER64, "weirWatchFlowsPerSecond", W, rate.flows),
	DATE(11, "weirWatchLastSeen", W, last_seen),
	STAMP(12, "weirWatchDiscontinuityTime", W, since),
};
#undef W

INDEXED_TABLE(watch, watches)

const struct mib_table watch_table = {
	"weirWatchTable", 3, { 1, 11, 1 }, COLUMNS(watch_columns), watch_count, watch_index,
	watch_row
};
