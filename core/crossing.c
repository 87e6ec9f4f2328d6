/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/crossing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"
#include "flow/text.h"
#include "lib/clock.h"
#include "lib/hash.h"

#define INSTANCES_MAX 65536U /* of one threshold */

_Static_assert(sizeof(struct instance) % 8 == 0, "a row of a table");

/* Which counter of rows a rate is made of. */
static size_t
metric_counter(uint32_t metric)
{
	return metric == METRIC_BYTES     ? offsetof(struct sums, bytes)
	       : metric == METRIC_PACKETS ? offsetof(struct sums, packets)
	                                  : offsetof(struct sums, flows);
}

struct crossing *
crossing_new(const struct threshold_config *c, struct engine *en,
    void (*tell)(void *arg, const struct crossing_event *event), void *arg, uint64_t now,
    struct err *e)
{
	struct crossing *x = calloc(1, sizeof(*x));
	bool rows = c->scope == SCOPE_ENTRY || c->scope == SCOPE_TOP;
	const struct view *v = rows ? engine_view(en, c->subject) : NULL;

	if (x == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for threshold %s", c->name);
		return NULL;
	}
	x->config = *c;
	x->engine = en;
	x->tell = tell;
	x->arg = arg;
	x->begun = now;
	x->rising = threshold_limit(c, c->rising);
	x->falling = threshold_limit(c, c->falling);
	(void)selector_parse(&x->selector, c->selector, NULL);
	if ((v != NULL &&
	        rowcounts_init(&x->counts, v->ledger, metric_counter(c->metric)) != 0) ||
	    table_init(&x->instances, sizeof(uint64_t), sizeof(struct instance), INSTANCES_MAX,
	        e) != 0) {
		err_set(e, WEIR_ENOMEM, "no memory for threshold %s", c->name);
		rowcounts_fini(&x->counts);
		free(x);
		return NULL;
	}
	return x;
}

void
crossing_free(struct crossing *x)
{
	if (x == NULL)
		return;
	table_fini(&x->instances);
	rowcounts_fini(&x->counts);
	free(x);
}

/* The state of one figure */

/* Whether figure `value` is where an alarm is. */
static bool
crossing_is_beyond(const struct crossing *x, uint64_t value)
{
	return x->config.direction == DIRECTION_ABOVE ? value >= x->rising
	                                              : value <= x->falling;
}

static bool
is_back(const struct crossing *x, uint64_t value)
{
	/* With one limit for both ways, what is at it is beyond it. */
	if (crossing_is_beyond(x, value))
		return false;
	return x->config.direction == DIRECTION_ABOVE ? value <= x->falling
	                                              : value >= x->rising;
}

static void
instance_cross(struct crossing *x, struct instance *in, bool raised, uint64_t now)
{
	const struct crossing_event event = { &x->config, in, raised,
		crossing_limit(x, raised), now };

	x->transitions++;
	x->last_transition = now;
	x->tell(x->arg, &event);
}

/*
 * The figure is now `value`. `first`: it is the threshold's first look, at which the
 * operator may not want to be told of what was so before (startup).
 */
static void
instance_step(struct crossing *x, struct instance *in, uint64_t value, bool first,
    uint64_t now)
{
	uint64_t hold = x->config.hold * CLOCK_S;

	in->value = value;
	in->round = x->round;
	in->judged = true;
	if (!crossing_is_beyond(x, value)) {
		in->beyond = 0;
	} else if (in->beyond == 0 || in->beyond > now) {
		in->beyond = now;
		in->quiet = first && x->config.startup == STARTUP_FALLING;
	}
	if (in->raised == 0 && in->beyond != 0 && now - in->beyond >= hold) {
		in->raised = now;
		x->n_raised++;
		if (!in->quiet)
			instance_cross(x, in, true, now);
	} else if (in->raised != 0 && is_back(x, value)) {
		instance_cross(x, in, false, now);
		in->raised = 0;
		x->n_raised--;
	} else if (first && in->raised == 0 && x->config.startup != STARTUP_RISING &&
	           is_back(x, value)) {
		instance_cross(x, in, false, now);
	}
}

/* The instance `id`, made if there is none; NULL when there is no room. */
static struct instance *
instance_get(struct crossing *x, uint64_t id, const char *label)
{
	struct instance *in;
	uint8_t *row;

	if (table_upsert(&x->instances, &id, 1, &row) != 0) {
		x->refused++;
		return NULL;
	}
	in = (struct instance *)(void *)row;
	if (label != NULL && strcmp(in->label, label) != 0)
		snprintf(in->label, sizeof(in->label), "%s", label);
	return in;
}

/*
 * Let go of instances that were not looked at in this round: they are no more, and an
 * alarm about one of them is over. And of entries at rest.
 */
static void
instances_sweep(struct crossing *x, uint64_t now)
{
	bool entries = x->config.scope == SCOPE_ENTRY;
	uint32_t *to = malloc((x->instances.n + 1) * sizeof(*to));
	uint32_t left = 0;

	if (to == NULL)
		return; /* another time */
	for (uint32_t i = 0; i < x->instances.n; i++) {
		struct instance *in = (struct instance *)(void *)table_row(&x->instances, i);
		bool gone = in->round != x->round;

		if (gone && in->raised != 0) {
			instance_cross(x, in, false, now);
			in->raised = 0;
			x->n_raised--;
		}
		gone = gone || (entries && in->raised == 0 && in->beyond == 0);
		to[i] = gone ? UINT32_MAX : left++;
	}
	if (left != x->instances.n)
		table_renumber(&x->instances, to, left);
	free(to);
}

/* Nothing can be said in this round: all stays as it is. */
static void
instances_pass(struct crossing *x)
{
	for (uint32_t i = 0; i < x->instances.n; i++)
		((struct instance *)(void *)table_row(&x->instances, i))->round = x->round;
}

/* Figures that are not rows */

/* What is known of something: counters, and when it last gave a sign of life. */
struct figures {
	uint64_t bytes, packets, flows, lost, rows;
	uint64_t last;           /* ns since 1970 */
};

static uint64_t
figures_get(const struct figures *f, uint32_t metric)
{
	switch ((enum threshold_metric)metric) {
	case METRIC_BYTES:
		return f->bytes;
	case METRIC_PACKETS:
		return f->packets;
	case METRIC_FLOWS:
		return f->flows;
	case METRIC_LOST:
		return f->lost;
	case METRIC_ROWS:
		return f->rows;
	case METRIC_SECONDS:
		return f->last;
	}
	return 0;
}

static uint64_t
rate_of(uint64_t count, uint64_t span)
{
	return (uint64_t)((double)count * ((double)CLOCK_S / (double)span) + .5);
}

/* The value farthest out is what the threshold shows as its own. */
static void
value_note(struct crossing *x, uint64_t value)
{
	bool above = x->config.direction == DIRECTION_ABOVE;

	if (!x->valued || (above ? value > x->value : value < x->value))
		x->value = value;
	x->valued = x->looked = true;
}

/* Take the figures of instance (id, label), `span` ns after the last ones. */
static void
figures_take(struct crossing *x, uint64_t id, const char *label, const struct figures *f,
    uint64_t span, uint64_t now)
{
	uint64_t n = figures_get(f, x->config.metric), value = n;
	struct instance *in = instance_get(x, id, label);
	bool usable = true;

	if (in == NULL)
		return;
	if (x->config.metric == METRIC_SECONDS) {
		uint64_t since = n != 0 ? n : x->engine->started;

		value = now > since ? (now - since) / CLOCK_S : 0;
	} else if (x->config.metric != METRIC_ROWS) {
		usable = in->counted && n >= in->count;
		value = usable ? rate_of(n - in->count, span) : 0;
		in->count = n;
		in->counted = true;
	}
	in->round = x->round;
	if (!usable)
		return;
	value_note(x, value);
	instance_step(x, in, value, !in->judged && x->round <= 2, now);
}

static void
view_figures(struct crossing *x, uint64_t span, uint64_t now)
{
	const struct view *v = engine_view(x->engine, x->config.subject);
	struct ledger *l = v->ledger;
	struct figures f = { 0 };

	ledger_lock(l);
	f.bytes = l->total.bytes;
	f.packets = l->total.packets;
	f.flows = l->total.flows;
	f.rows = l->table.n;
	ledger_unlock(l);
	figures_take(x, 0, x->config.subject, &f, span, now);
}

/* Whether the threshold is about the one called `name`. */
static bool
subject_fits(const struct crossing *x, const char *name)
{
	return x->config.subject[0] == '\0' || strcmp(x->config.subject, name) == 0;
}

static uint64_t
name_id(const char *name)
{
	return hash_frozen(name, strlen(name)) >> 2;
}

static void
watch_figures(struct crossing *x, uint64_t span, uint64_t now)
{
	uint32_t n;
	struct watch *list = watches_copy(x->engine->watches, &n);

	if (list == NULL && x->engine->watches != NULL)
		instances_pass(x); /* no memory */
	for (uint32_t i = 0; i < n; i++) {
		const struct watch *w = &list[i];
		const struct figures f = { .bytes = w->total.bytes,
			.packets = w->total.packets, .flows = w->total.flows,
			.last = w->last_seen };

		if (subject_fits(x, w->name))
			figures_take(x, name_id(w->name), w->name, &f, span, now);
	}
	free(list);
}

static void
exporter_figures(struct crossing *x, uint64_t span, uint64_t now)
{
	static const char *const kinds[] = { [EXPORTER_NETFLOW] = "netflow",
		[EXPORTER_SFLOW] = "sflow" };
	uint32_t n = 0;
	struct exporter **list = exporters_take(x->engine->exporters, &n);
	bool all = x->config.subject[0] == '\0';
	ip16_t only = { { 0 } };

	if (list == NULL)
		instances_pass(x); /* no memory */
	if (!all)
		(void)ip_parse(x->config.subject, &only);
	for (uint32_t i = 0; list != NULL && i < n; i++) {
		const struct exporter *one = list[i];
		const struct figures f = { .bytes = exporter_sum(one, EXPORTER_OCTETS),
			.packets = exporter_sum(one, EXPORTER_DATAGRAMS),
			.flows = exporter_sum(one, EXPORTER_RECORDS),
			.lost = exporter_sum(one, EXPORTER_SEQUENCE_LOST),
			.last = exporter_last_seen(one) };
		char ip[IP_STRLEN], label[CROSSING_LABEL];

		(void)ip_format(&one->addr, ip);
		snprintf(label, sizeof(label), "%s %s/%u", kinds[one->kind], ip, one->domain);
		if (all || ip_equal(&only, &one->addr))
			figures_take(x, name_id(label), label, &f, span, now);
	}
	if (list != NULL)
		exporters_give(list, n);
}

static void
output_figures(struct crossing *x, uint64_t span, uint64_t now)
{
	for (unsigned i = 0; i < x->engine->n_outputs; i++) {
		const struct output *o = x->engine->outputs[i];
		const struct figures f = { .lost = atomic_load(&o->refused),
			.last = o->ops->wants == OUTPUT_SNAPSHOTS
			    ? atomic_load(&o->last_success) : now };

		if (subject_fits(x, o->name))
			figures_take(x, name_id(o->name), o->name, &f, span, now);
	}
}

/* Whether `c` of worker `w` is another instance of what a worker before it has. */
static bool
collector_is_again(const struct engine *en, unsigned w, const struct collector *c)
{
	for (unsigned i = 0; i < w; i++)
		for (unsigned k = 0; k < en->workers[i].n_collectors; k++) {
			const struct collector *other = en->workers[i].collectors[k];

			if (other->ops == c->ops && strcmp(other->where, c->where) == 0)
				return true;
		}
	return false;
}

static void
collector_add(struct figures *f, const struct collector *c)
{
	uint64_t last = atomic_load_explicit(&c->last_seen, memory_order_relaxed);

	f->packets += atomic_load_explicit(&c->units, memory_order_relaxed);
	f->bytes += atomic_load_explicit(&c->octets, memory_order_relaxed);
	f->lost += atomic_load_explicit(&c->drops, memory_order_relaxed);
	f->last = last > f->last ? last : f->last;
}

static void
collector_figures(struct crossing *x, uint64_t span, uint64_t now)
{
	const struct engine *en = x->engine;

	for (unsigned w = 0; w < en->n_workers; w++)
		for (unsigned i = 0; i < en->workers[w].n_collectors; i++) {
			const struct collector *c = en->workers[w].collectors[i];
			char label[CROSSING_LABEL];
			struct figures f = { 0 };

			snprintf(label, sizeof(label), "%s %s", c->ops->name, c->where);
			if (!subject_fits(x, label) || collector_is_again(en, w, c))
				continue;
			for (unsigned v = w; v < en->n_workers; v++)
				for (unsigned k = 0; k < en->workers[v].n_collectors; k++) {
					const struct collector *same =
					    en->workers[v].collectors[k];

					if (same->ops == c->ops &&
					    strcmp(same->where, c->where) == 0)
						collector_add(&f, same);
				}
			figures_take(x, name_id(label), label, &f, span, now);
		}
}

/* Rows of a view */

/* Follow the rows of the ledger to their new numbers. */
static void
rows_follow(struct crossing *x, const struct ledger *l)
{
	bool anew = rowcounts_began_anew(&x->counts, l);

	for (uint32_t i = 0; i < x->instances.n; i++) {
		struct instance *in = (struct instance *)(void *)table_row(&x->instances, i);

		if (in->row != LEDGER_GONE)
			in->row = anew ? LEDGER_GONE
			               : ledger_moved(l, in->row, x->counts.sweeps);
	}
	rowcounts_follow(&x->counts, l);
}

static void
row_label(const struct ledger *l, uint32_t row, char *label)
{
	static const struct text_opts opts = { .since_epoch = true };

	(void)text_key(l->rs, ledger_row(l, row), &opts, label, CROSSING_LABEL);
}

/* Entries whose state is not at rest: the row each belongs to has not been counted yet. */
static void
entries_known(struct crossing *x, const struct ledger *l, uint64_t span, uint64_t now)
{
	for (uint32_t i = 0; i < x->instances.n; i++) {
		struct instance *in = (struct instance *)(void *)table_row(&x->instances, i);
		uint64_t value;

		if (in->row == LEDGER_GONE) /* instances_sweep clears it */
			continue;
		value = rate_of(rowcounts_since(&x->counts, l, in->row), span);
		value_note(x, value);
		instance_step(x, in, value, false, now);
	}
}

/* Row `row` is beyond the limit; it may not be meant, or be known already. */
static void
entry_new(struct crossing *x, const struct ledger *l, uint32_t row, uint64_t value,
    uint64_t now)
{
	uint64_t id;
	struct instance *in;

	if (!selector_matches(&x->selector, l->rs, ledger_row(l, row)))
		return;
	value_note(x, value);
	id = rowspec_identity(l->rs, ledger_row(l, row)) >> 2;
	in = instance_get(x, id, NULL);
	if (in == NULL || in->round == x->round)
		return;
	in->row = row;
	row_label(l, row, in->label);
	instance_step(x, in, value, x->round == 2, now);
}

/* The row with the highest rate is the figure. */
static void
top_take(struct crossing *x, const struct ledger *l, uint32_t row, uint64_t value,
    uint64_t now)
{
	struct instance *in = instance_get(x, 0, NULL);

	if (in == NULL)
		return;
	in->label[0] = '\0';
	if (row != LEDGER_GONE)
		row_label(l, row, in->label);
	value_note(x, value);
	instance_step(x, in, value, x->round == 2, now);
}

static void
rows_figures(struct crossing *x, uint64_t span, uint64_t now)
{
	struct ledger *l = engine_view(x->engine, x->config.subject)->ledger;
	bool entries = x->config.scope == SCOPE_ENTRY;
	uint32_t top = LEDGER_GONE;
	uint64_t best = 0;

	ledger_lock(l);
	rows_follow(x, l);
	if (!x->counts.known)
		instances_pass(x);
	else if (entries)
		entries_known(x, l, span, now);
	for (uint32_t i = 0; i < l->table.n; i++) {
		uint64_t more = rowcounts_take(&x->counts, l, i);

		if (!x->counts.known || more <= best)
			continue;
		if (!entries && selector_matches(&x->selector, l->rs, ledger_row(l, i))) {
			best = more;
			top = i;
		} else if (entries && crossing_is_beyond(x, rate_of(more, span))) {
			entry_new(x, l, i, rate_of(more, span), now);
		}
	}
	if (!entries && x->counts.known)
		top_take(x, l, top, rate_of(best, span), now);
	rowcounts_done(&x->counts);
	ledger_unlock(l);
}

/* Rows may move more than once within a window. */
static void
rows_keep_up(struct crossing *x)
{
	struct ledger *l = engine_view(x->engine, x->config.subject)->ledger;

	if (x->counts.sweeps == l->sweeps)
		return;
	ledger_lock(l);
	rows_follow(x, l);
	ledger_unlock(l);
}

void
crossing_look(struct crossing *x, uint64_t now)
{
	static void (*const looks[])(struct crossing *x, uint64_t span, uint64_t now) = {
		[SCOPE_VIEW] = view_figures, [SCOPE_ENTRY] = rows_figures,
		[SCOPE_TOP] = rows_figures, [SCOPE_WATCH] = watch_figures,
		[SCOPE_EXPORTER] = exporter_figures, [SCOPE_OUTPUT] = output_figures,
		[SCOPE_COLLECTOR] = collector_figures,
	};
	uint64_t span = now - x->begun;

	if (now < x->begun) { /* the clock was set back */
		x->begun = now;
		return;
	}
	if (x->config.scope == SCOPE_ENTRY || x->config.scope == SCOPE_TOP)
		rows_keep_up(x);
	if (span < x->config.window * CLOCK_S)
		return;
	x->begun = now;
	x->round++;
	x->valued = false;
	looks[x->config.scope](x, span, now);
	instances_sweep(x, now);
	x->looked = x->looked || x->round > 1; /* rates are known from the second look on */
	if (!x->valued && x->instances.n == 0)
		x->value = 0;
}
