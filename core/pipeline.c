/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/pipeline.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/feed.h"
#include "core/prorate.h"
#include "lib/clock.h"
#include "lib/intern.h"
#include "rules/columns.h"

void
pipeline_prepare(struct pipeline *p)
{
	/* Flows are told apart by these, shown or not. */
	static const enum field_no tuple[] = { F_SRC_HOST, F_DST_HOST, F_SRC_PORT, F_DST_PORT,
		F_PROTO };

	bool streams = p->needs_flow_starts || field_set_has(&p->needs, F_CLASS);

	for (size_t i = 0; streams && i < sizeof(tuple) / sizeof(tuple[0]); i++)
		field_set_add(&p->needs, tuple[i]);
	if (field_set_has(&p->needs, F_CLASS))
		p->unknown_class = intern("unknown", strlen("unknown"));
	p->needs_span = field_set_has(&p->needs, F_TIMESTAMP_MIN) ||
	    field_set_has(&p->needs, F_TIMESTAMP_MAX) ||
	    field_set_has(&p->needs, F_TIMESTAMP_SECOND);
	if (p->needs_span) {
		field_set_add(&p->needs, F_TIMESTAMP_START);
		field_set_add(&p->needs, F_TIMESTAMP_END);
	}
	p->clear_octets = FLOW_ALWAYS_OCTETS;
	for (int i = 0; i < FIELD_COUNT; i++) {
		size_t end = (size_t)fields[i].offset + fields[i].octets;

		if (field_set_has(&p->needs, (enum field_no)i) && end > p->clear_octets)
			p->clear_octets = end;
	}
}

/* Files of rules that are read anew may look further than they did. */
static void
frames_prepare(struct pipeline *p)
{
	uint32_t reach = p->feeds_reach;

	for (unsigned i = 0; i < p->n_groups; i++) {
		uint32_t one = rules_reach(p->groups[i].rules);

		reach = one > reach ? one : reach;
		one = p->groups[i].tags != NULL
		    ? tagmap_reach(tagging_map(p->groups[i].tags)) : 0;
		reach = one > reach ? one : reach;
	}
	p->frames->reach = reach;
	frames_clear(p->frames);
	columns_clear(p->columns);
}

int
pipeline_look(struct pipeline *p, struct err *e)
{
	p->frames = frames_new(e);
	p->columns = columns_new(&p->needs);
	if (p->frames == NULL || p->columns == NULL)
		return err_set(e, WEIR_ENOMEM, "no memory for frames");
	frames_prepare(p);
	return 0;
}

void
pipeline_link(struct pipeline *p, uint32_t linktype)
{
	for (unsigned i = 0; i < p->n_groups; i++) {
		rules_link(p->groups[i].rules, linktype);
		if (p->groups[i].tags != NULL)
			tagmap_link(tagging_map(p->groups[i].tags), linktype);
	}
}

/*
 * From when to when the packets of each flow were seen: as the exporter says. Where that
 * does not decide the flow's bin, it does not count here, either: then all of it is at
 * its stamp, as is a flow without times. One that ends before it starts is of one moment.
 */
static void
span_fill(struct flow *flows, unsigned n)
{
	uint64_t now = 0;

	for (unsigned i = 0; i < n; i++) {
		struct flow *f = &flows[i];
		bool by_start = flow_stamp_is_start(f);
		uint64_t start = by_start ? f->timestamp_start : f->stamp;

		if (start == 0)
			start = now = now != 0 ? now : clock_real();
		f->timestamp_min = f->timestamp_max = start;
		f->timestamp_second = start - start % CLOCK_S;
		if (by_start && f->timestamp_end > start)
			f->timestamp_max = f->timestamp_end;
	}
}

/*
 * Copy the flows of `mask` behind the batch, where rules may change them, as far as
 * anybody reads them.
 */
static void
batch_copy(const struct pipeline *p, struct batch *b, uint64_t mask)
{
	struct flow *own = p->flows + FLOW_BATCH;

	b->n = 0;
	while (mask != 0)
		memcpy(&own[b->n++], &p->flows[batch_take(&mask)], p->clear_octets);
	b->flows = own;
	b->frames = NULL;
}

/* Book the flows of `mask` as left out of each view of the group. */
static void
group_leave_out(const struct pipeline_group *g, const struct batch *b, uint64_t mask)
{
	struct sums out = { 0 };

	while (mask != 0) {
		const struct flow *f = &b->flows[batch_take(&mask)];

		sums_add(&out, &(struct sums){ f->packets, f->bytes, f->flows });
	}
	for (unsigned i = 0; i < g->n_shards; i++)
		sums_add(&g->shards[i]->active->filtered, &out);
	for (unsigned i = 0; i < g->n_feeds; i++)
		sums_add(&g->feeds[i]->books.filtered, &out);
}

static struct batch
batch_of(const struct pipeline *p)
{
	return (struct batch){ .flows = p->flows,
		.n = p->n,
		.source = p->source,
		.worker = p->worker,
		.again = p->again,
		.columns = p->columns,
		.frames = p->frames != NULL ? frames_list(p->frames, p->n) : NULL };
}

/* The frames of the flows of `mask`, where an output of the group looks at them. */
static const struct frame *
group_frames(struct pipeline *p, const struct pipeline_group *g,
    const struct frame *frames, uint64_t mask)
{
	if (frames == NULL || g->n_feeds == 0)
		return NULL;
	frames_pick(p->frames->picked, frames, mask);
	return p->frames->picked;
}

/* Bits of the first of each pair. */
#define PAIRS UINT64_C(0x5555555555555555)

/* The moves of the flows of `mask`, one behind the other. Returns how many there are. */
static unsigned
moves_pick(const struct pipeline *p, uint64_t mask, const struct shard_move **picked)
{
	unsigned n = 0;

	while (mask != 0)
		picked[n++] = &p->moves->of[batch_take(&mask) / 2];
	return n;
}

/* What is done with records that are told late; `flows` are pairs, or one of each. */
typedef unsigned shard_move_fn(struct shard *sh, const struct flow *flows,
    const struct shard_move *const *moves, unsigned n);

/* Whether the rules that were looked at by now are those that p->ruled is of, all of them. */
static bool
rules_are_noticed(const struct pipeline *p)
{
	uint64_t reloads = atomic_load_explicit(p->reloads, memory_order_acquire);

	return reloads == p->reloads_seen && reloads % 2 == 0;
}

/*
 * Whether it is not known what the rules of `g` said of records: they were seen in frames, which
 * are gone. What filters of the group said is in their `lost`; not so what tags them.
 */
static bool
group_has_forgotten(const struct pipeline_group *g)
{
	return g->tags != NULL && tagmap_reach(tagging_map(g->tags)) > 0;
}

/*
 * Do it with the flows of `mask` of the batch, in each view of the group, as they are after its
 * rules. Not in views of a sample: which were taken is not known.
 */
static void
group_each(struct pipeline *p, const struct pipeline_group *g, struct batch b, uint64_t mask,
    shard_move_fn *move)
{
	const struct shard_move *moves[FLOW_BATCH];
	unsigned n;

	if (mask == 0)
		return;
	if (g->rules != NULL) {
		batch_copy(p, &b, mask);
		rules_apply(g->rules, &b);
	}
	/* Of a pair, that of its first. */
	n = moves_pick(p, move == shard_move ? mask & PAIRS : mask, moves);
	if (!rules_are_noticed(p) || group_has_forgotten(g))
		move = shard_stay;
	for (unsigned i = 0; i < g->n_shards; i++) {
		struct shard *sh = g->shards[i];
		uint64_t stayed = sh->stayed;

		if (sh->sieve != NULL)
			continue;
		stat_add(&p->stats, STAT_CLASS_MOVED, move(sh, b.flows, moves, n));
		stat_add(&p->stats, STAT_CLASS_STAYED, sh->stayed - stayed);
	}
}

/* Tell outputs that take flows what those of `mask` are, as far as they have been given them. */
static void
group_learn(const struct pipeline *p, const struct pipeline_group *g, struct batch b,
    uint64_t mask)
{
	if (g->n_feeds == 0 || mask == 0)
		return;
	batch_copy(p, &b, mask);
	if (g->rules != NULL)
		rules_apply(g->rules, &b);
	for (unsigned i = 0; i < g->n_feeds; i++)
		feed_learn(g->feeds[i], b.flows, b.n);
}

/*
 * Move the pairs of the batch: those of which both, or one, pass the filters of the group that go
 * by what may have changed.
 */
static void
group_move(struct pipeline *p, const struct pipeline_group *g)
{
	struct batch b = batch_of(p);
	uint64_t all = batch_all(&b);
	uint64_t passed = g->rules != NULL ? rules_select_tags(g->rules, &b, all) : all;
	uint64_t was = passed & PAIRS, is = passed >> 1 & PAIRS, both = was & is;

	group_each(p, g, b, both | both << 1, shard_move);
	group_each(p, g, b, (is & ~was) << 1, shard_enter);
	group_each(p, g, b, was & ~is, shard_leave);
	group_learn(p, g, b, both << 1);
}

/* Those in slots `mask` are in no view of the group. */
static void
group_lose(const struct pipeline *p, const struct pipeline_group *g, uint64_t mask)
{
	uint64_t bits = 0;

	for (unsigned i = 0; mask != 0 && i < g->n_shards; i++)
		bits |= g->shards[i]->bit;
	while (mask != 0)
		*p->lost[batch_take(&mask)] |= bits;
}

/* The mask of the flows of the batch that the filters of the group let through. */
static uint64_t
group_select(const struct pipeline *p, const struct pipeline_group *g, const struct batch *b)
{
	uint64_t tags = rules_select_tags(g->rules, b, batch_all(b));
	uint64_t passed = rules_select_frames(g->rules, b, tags | p->kept);

	group_lose(p, g, p->kept & ~passed);
	return tags & passed;
}

static void
group_feed(struct pipeline *p, const struct pipeline_group *g)
{
	bool last = g + 1 == p->groups + p->n_groups; /* nobody reads the batch afterwards */
	struct batch b = batch_of(p);
	const struct frame *frames = b.frames;

	if (g->rules != NULL) {
		uint64_t all = batch_all(&b), mask = group_select(p, g, &b);

		if (mask != all) {
			group_leave_out(g, &b, all & ~mask);
			frames = group_frames(p, g, frames, mask);
		}
		if (mask != all || !last)
			batch_copy(p, &b, mask);
		rules_apply(g->rules, &b);
	}
	for (unsigned i = 0; i < g->n_shards && b.n > 0; i++) {
		struct shard *sh = g->shards[i];

		if (sh->sieve == NULL)
			shard_feed(sh, b.flows, b.n);
		else
			stat_add(&p->stats, STAT_RENORMALIZED_OVER,
			    shard_feed_sample(sh, b.source, b.flows, b.n));
	}
	b.frames = frames;
	for (unsigned i = 0; i < g->n_feeds && b.n > 0; i++)
		stat_add(&p->stats, STAT_RENORMALIZED_OVER, feed_give(g->feeds[i], &b));
}

/* What rules that tag change in a flow. */
struct told {
	uint64_t tag, tag2;
	uint32_t label;
	uint8_t tos;
};

static void
told_keep(const struct pipeline *p, struct told *told)
{
	for (unsigned i = 0; i < p->n; i++) {
		const struct flow *f = &p->flows[i];

		told[i] = (struct told){ f->tag, f->tag2, f->label, f->tos };
	}
}

static void
told_restore(struct pipeline *p, const struct told *told)
{
	for (unsigned i = 0; i < p->n; i++) {
		struct flow *f = &p->flows[i];

		f->tag = told[i].tag;
		f->tag2 = told[i].tag2;
		f->label = told[i].label;
		f->tos = told[i].tos;
	}
	columns_clear(p->columns);
}

/*
 * Give the batch to `feed` of each group. Groups that share tags stand together, those
 * without any in front. Each file of rules that tag finds the flows as they came.
 */
static void
groups_each(struct pipeline *p,
    void (*feed)(struct pipeline *p, const struct pipeline_group *g))
{
	const struct tagging *tags = NULL;
	struct told told[FLOW_BATCH];

	for (unsigned i = 0; i < p->n_groups; i++) {
		const struct pipeline_group *g = &p->groups[i];

		if (g->tags != tags) {
			struct batch b = batch_of(p);

			if (tags != NULL)
				told_restore(p, told);
			else if (g->tags != p->groups[p->n_groups - 1].tags)
				told_keep(p, told);
			tagmap_apply(tagging_map(g->tags), &b);
			if (tagmap_sets_tos(tagging_map(g->tags)))
				columns_clear(p->columns);
			tags = g->tags;
		}
		feed(p, g);
	}
}

/* Rates, times, and what else is the same whoever decodes; before rules look. */
static void
flows_complete(struct pipeline *p)
{
	for (unsigned i = 0; p->unknown_class != 0 && i < p->n; i++)
		if (p->flows[i].class_id == 0)
			p->flows[i].class_id = p->unknown_class;
	if (p->sampling != NULL) {
		uint64_t over = sampling_apply(p->sampling, p->source, p->flows, p->n);

		stat_add(&p->stats, STAT_RENORMALIZED_OVER, p->again ? 0 : over);
	}
	if (p->needs_span)
		span_fill(p->flows, p->n);
}

int
pipeline_moves_prepare(struct pipeline *p, struct err *e)
{
	if (p->moves == NULL)
		p->moves = calloc(1, sizeof(*p->moves));
	if (p->moves != NULL && p->moves->flows == NULL)
		p->moves->flows = aligned_alloc(64, FLOW_BATCH * 2 * sizeof(struct flow));
	if (p->moves != NULL && p->moves->flows != NULL)
		return 0;
	return err_set(e, WEIR_ENOMEM, "no memory for what is told late");
}

void
pipeline_moves_free(struct pipeline *p)
{
	if (p->moves != NULL)
		free(p->moves->flows);
	free(p->moves);
	p->moves = NULL;
}

void
pipeline_move(struct pipeline *p, enum flow_source source, const struct flow *was,
    uint64_t batch, uint32_t class_id, uint64_t *lost)
{
	struct pipeline_moves *m = p->moves;
	struct flow *pair = &m->flows[2 * m->n];

	memcpy(&pair[0], was, p->clear_octets);
	memcpy(&pair[1], was, p->clear_octets);
	pair[1].class_id = class_id;
	m->of[m->n++] = (struct shard_move){ batch, batch < p->ruled, lost };
	if (2 * m->n == FLOW_BATCH)
		pipeline_moves_run(p, source);
}

/* In the place of the batch, which is empty. */
void
pipeline_moves_run(struct pipeline *p, enum flow_source source)
{
	struct flow *flows = p->flows;
	struct frames *frames = p->frames;
	enum flow_source batch_source = p->source;

	assert(p->n == 0);
	if (p->moves->n == 0)
		return;
	p->flows = p->moves->flows;
	p->n = 2 * p->moves->n;
	p->source = source;
	p->frames = NULL;
	p->again = true;
	flows_complete(p);
	groups_each(p, group_move);
	if (p->columns != NULL)
		columns_clear(p->columns);
	p->flows = flows;
	p->source = batch_source;
	p->frames = frames;
	p->again = false;
	p->n = p->moves->n = 0;
}

void
pipeline_wait(struct pipeline *p)
{
	/* Each flow may be in PRORATE_BINS bins of its own. */
	const unsigned few = (SLAB_BINS - SLAB_CROWDED) / PRORATE_BINS;

	p->patient = true;
	for (unsigned i = 0; i < p->n_groups; i++)
		for (unsigned k = 0; k < p->groups[i].n_shards; k++)
			if (p->groups[i].shards[k]->view->config.pro_rating)
				p->unused = FLOW_BATCH - few;
}

void
pipeline_crowded_see(struct pipeline *p)
{
	p->crowded = false;
	for (unsigned i = 0; i < p->n_groups; i++)
		for (unsigned k = 0; k < p->groups[i].n_shards; k++) {
			struct shard *sh = p->groups[i].shards[k];

			if (sh->active->n_bins < SLAB_CROWDED)
				continue;
			atomic_store(&sh->crowded, sh->active->n_bins);
			p->crowded = true;
		}
}

static void
batch_run(struct pipeline *p)
{
	flows_complete(p);
	for (unsigned i = 0; i < p->n; i++) {
		p->fed.packets += p->flows[i].packets;
		p->fed.bytes += p->flows[i].bytes;
		p->fed.flows += p->flows[i].flows;
	}
	groups_each(p, group_feed);
	stat_add(&p->stats, STAT_FLOWS_FED, p->n);
	p->batches++;
	p->kept = 0;
	if (p->frames != NULL)
		frames_prepare(p);
	p->n = 0;
	if (p->patient)
		pipeline_crowded_see(p);
}

void
pipeline_tick(struct pipeline *p, uint64_t now)
{
	for (unsigned i = 0; i < p->n_groups; i++)
		for (unsigned k = 0; k < p->groups[i].n_feeds; k++)
			feed_tick(p->groups[i].feeds[k], now);
	for (unsigned i = 0; i < p->n_relays; i++)
		if (p->relays[i]->ops->tick != NULL)
			p->relays[i]->ops->tick(p->relays[i], p->worker, now);
}

void
pipeline_cut_feeds(struct pipeline *p)
{
	for (unsigned i = 0; i < p->n_groups; i++)
		for (unsigned k = 0; k < p->groups[i].n_feeds; k++)
			feed_cut(p->groups[i].feeds[k], &p->fed);
}

/*
 * Files of rules that were read anew say other things of what is yet to come; while they are
 * read, of every batch.
 */
static void
rules_notice(struct pipeline *p)
{
	if (rules_are_noticed(p))
		return;
	p->reloads_seen = atomic_load_explicit(p->reloads, memory_order_acquire);
	p->ruled = p->batches;
}

void
pipeline_flush(struct pipeline *p)
{
	if (p->hooks != NULL)
		rules_notice(p);
	for (const struct pipeline_hook *h = p->hooks; h != NULL; h = h->next)
		h->before(h->arg);
	if (p->n > 0)
		batch_run(p);
	if (p->hooks != NULL)
		rules_notice(p); /* the batch may have seen some of both */
	for (const struct pipeline_hook *h = p->hooks; h != NULL; h = h->next)
		h->after(h->arg);
}
