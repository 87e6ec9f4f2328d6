/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/alarm_event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"

#define RING 4096U /* events that are remembered: more than in any second that matters */

size_t
alarm_event_text(const struct alarm_event *e, char *buf, size_t room)
{
	bool rows = e->scope == SCOPE_ENTRY || e->scope == SCOPE_TOP;
	int n = snprintf(buf, room, "%s%s%s: %llu %s, %s %llu", rows ? e->subject : "",
	    rows ? " " : "", e->label, (unsigned long long)e->value, threshold_unit(e->metric),
	    e->raised ? "alarm at" : "well again at", (unsigned long long)e->limit);

	return (size_t)n < room ? (size_t)n : room - 1;
}

int
alarm_ring_make(struct alarm_ring *r, struct err *e)
{
	if (r->events == NULL)
		r->events = calloc(RING, sizeof(*r->events));
	return r->events != NULL ? 0 : err_set(e, WEIR_ENOMEM, "no memory for alarms");
}

void
alarm_ring_fini(struct alarm_ring *r)
{
	free(r->events);
	r->events = NULL;
}

void
alarm_ring_add(struct alarm_ring *r, const struct engine *en, const struct crossing_event *x)
{
	uint64_t serial = atomic_load(&r->serial) + 1;
	struct alarm_event *e = &r->events[serial % RING];
	const struct threshold_config *c = x->config;

	*e = (struct alarm_event){ .serial = serial, .time = x->time, .raised = x->raised,
		.scope = c->scope, .metric = c->metric, .direction = c->direction,
		.window = c->window, .id = x->instance->id, .value = x->instance->value,
		.limit = x->limit, .notify = c->notify };
	if (c->scope <= SCOPE_TOP)
		snprintf(e->view, sizeof(e->view), "%s", engine_view(en, c->subject)->name);
	memcpy(e->name, c->name, sizeof(e->name));
	memcpy(e->subject, c->subject, sizeof(e->subject));
	memcpy(e->label, x->instance->label, sizeof(e->label));
	memcpy(e->exec, c->exec, sizeof(e->exec));
	memcpy(e->service, c->service, sizeof(e->service));
	atomic_store(&r->serial, serial);
}

unsigned
alarm_ring_read(const struct alarm_ring *r, uint64_t *cursor, struct alarm_event *out,
    unsigned max, uint64_t *missed)
{
	uint64_t last = atomic_load(&r->serial);
	unsigned n = 0;

	if (last - *cursor > RING) {
		*missed += last - RING - *cursor;
		*cursor = last - RING;
	}
	while (n < max && *cursor < last)
		out[n++] = r->events[++*cursor % RING];
	return n;
}
