/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/core/class_sink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/snapshot.h"
#include "lib/clock.h"
#include "lib/intern.h"

static struct class_sink *
sink_of(const struct output *o)
{
	struct class_sink *s;

	memcpy(&s, &o->config, sizeof(s));
	return s;
}

static int
sink_plan(struct output *o, struct view_config *vc, struct err *e)
{
	const struct class_sink *s = sink_of(o);

	(void)e;
	vc->hold_open = s->hold_open;
	vc->adds_up = s->adds_up;
	vc->unknown = s->unknown;
	return 0;
}

static int
sink_open(struct output *o, struct err *e)
{
	(void)o, (void)e;
	return 0;
}

unsigned
class_sink_no(const char *const *classes, unsigned n, uint32_t id)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(intern_text(id), classes[i]) == 0)
			return i;
	fail_msg("class %s", intern_text(id));
	return 0;
}

static unsigned
class_no(const struct class_sink *sink, const struct snapshot *s, const uint8_t *row)
{
	uint32_t id;

	if (sink->classes == NULL)
		return 0;
	memcpy(&id, rowspec_value(s->rs, row, &fields[F_CLASS]), sizeof(id));
	return class_sink_no(sink->classes, sink->n_classes, id);
}

static int
sink_write(struct output *o, const struct snapshot *s, struct output_result *r, struct err *e)
{
	struct class_sink *sink = sink_of(o);

	(void)e;
	sink->writes++;
	for (uint32_t i = 0; i < s->n; i++) {
		const uint8_t *row = snapshot_row(s, i);
		const struct sums *sums = rowspec_sums_get(s->rs, row);
		uint64_t bin = (snapshot_bin(s, row).start - sink->start) / (60 * CLOCK_S);

		assert_true(bin < sink->n_bins);
		assert_true(sums->packets > 0);
		sink->packets[bin][class_no(sink, s, row)] += sums->packets;
	}
	r->rows = r->written = s->n;
	return 0;
}

static void
sink_close(struct output *o)
{
	(void)o;
}

const struct output_ops class_sink_output = {
	.type = "sink",
	.wants = OUTPUT_SNAPSHOTS,
	.plan = sink_plan,
	.open = sink_open,
	.write = sink_write,
	.close = sink_close,
};
