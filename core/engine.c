/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/feed.h"
#include "core/moves.h"
#include "lib/clock.h"
#include "lib/intern.h"
#include "lib/log.h"
#include "lib/rcu.h"

struct engine *
engine_new(const struct engine_config *c, struct err *e)
{
	struct engine *en = calloc(1, sizeof(*en));

	if (en == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory");
		return NULL;
	}
	en->config = *c;
	en->started = clock_real();
	en->finished_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	en->exporters = exporters_new(c->workers, c->max_exporters, c->exporter_state_free);
	en->publisher = publisher_new(en, e);
	en->files = files_new();
	en->workers = calloc(c->workers, sizeof(*en->workers));
	if (en->exporters == NULL || en->publisher == NULL || en->workers == NULL ||
	    en->files == NULL || en->finished_fd == -1) {
		err_set(e, WEIR_ENOMEM, "no memory for %u workers", c->workers);
		engine_free(en);
		return NULL;
	}
	for (unsigned i = 0; i < c->workers; i++) {
		if (worker_init(&en->workers[i], i, en->exporters, e) != 0) {
			engine_free(en);
			return NULL;
		}
		en->workers[i].publisher = en->publisher;
		en->workers[i].pipeline.reloads = &en->reloads;
		en->workers[i].finished_fd = en->finished_fd;
		en->n_workers++;
	}
	return en;
}

void
engine_free(struct engine *en)
{
	if (en == NULL)
		return;
	for (unsigned i = 0; i < en->n_workers; i++)
		worker_fini(&en->workers[i]);
	free(en->workers);
	for (unsigned i = 0; i < en->n_outputs; i++) {
		for (unsigned k = 0; en->outputs[i]->feeds != NULL && k < en->n_workers; k++)
			feed_fini(&en->outputs[i]->feeds[k]);
		output_free(en->outputs[i]);
	}
	for (unsigned i = 0; i < en->n_views; i++)
		view_free(en->views[i]);
	watches_free(en->watches);
	alarms_free(en->alarms);
	topns_free(en->topns);
	for (unsigned i = 0; i < en->n_rules; i++)
		rules_free(en->rules[i].rules);
	for (unsigned i = 0; i < en->n_taggings; i++)
		tagging_free(&en->taggings[i]);
	files_free(en->files);
	sampling_free(en->sampling);
	publisher_free(en->publisher);
	if (en->finished_fd != -1)
		close(en->finished_fd);
	exporters_free(en->exporters);
	free(en);
}

/* The file of rules that tag at `path`, shared where it is named twice; NULL: none. */
static struct tagging *
engine_tagging(struct engine *en, const char *path)
{
	if (path == NULL)
		return NULL;
	for (unsigned i = 0; i < en->n_taggings; i++)
		if (strcmp(en->taggings[i].path, path) == 0)
			return &en->taggings[i];
	en->taggings[en->n_taggings].path = path;
	return &en->taggings[en->n_taggings++];
}

/* The number of the rules that `c` asks for, shared where another output asked for the same. */
static uint16_t
engine_rules(struct engine *en, const struct rules_config *c)
{
	for (unsigned i = 0; i < en->n_rules; i++)
		if (rules_config_equal(&en->rules[i].config, c))
			return (uint16_t)i;
	en->rules[en->n_rules].config = *c;
	en->rules[en->n_rules].tags = engine_tagging(en, c->pre_tag_map);
	return (uint16_t)en->n_rules++;
}

/* Give `o` the view that serves `vc` under rules `rules`, made when there is none. */
static int
engine_view_join(struct engine *en, struct output *o, const struct view_config *vc,
    uint16_t rules, struct err *e)
{
	uint64_t max_rows =
	    o->common.max_entries != 0 ? o->common.max_entries : en->config.max_entries;

	if (max_rows > UINT32_MAX)
		return err_set(e, WEIR_EINVAL, "plugin '%s': max_entries is too large",
		    o->name);
	for (unsigned i = 0; i < en->n_views; i++)
		if (en->view_rules[i] == rules && en->views[i]->max_rows == max_rows &&
		    view_serves(en->views[i], vc)) {
			o->view = en->views[i];
			return 0;
		}
	if (en->n_views == ENGINE_VIEWS)
		return err_set(e, WEIR_EFULL, "more than %u views", ENGINE_VIEWS);
	o->view = view_new(o->name, vc, (uint32_t)max_rows, en->n_workers, e);
	if (o->view == NULL)
		return -WEIR_ENOMEM;
	en->view_rules[en->n_views] = rules;
	en->views[en->n_views++] = o->view;
	return 0;
}

/* Give `o`, which takes flows as rules `rules` leave them, its part in each worker. */
static int
engine_feeds(struct engine *en, struct output *o, const struct view_config *vc,
    uint16_t rules, struct err *e)
{
	o->sampling_rate = vc->sampling_rate;
	o->feeds = calloc(en->n_workers, sizeof(*o->feeds));
	if (o->feeds == NULL)
		return err_set(e, WEIR_ENOMEM, "no memory for plugin '%s'", o->name);
	en->output_rules[en->n_outputs - 1] = rules;
	return 0;
}

int
engine_output(struct engine *en, const struct output_ops *ops, const char *name,
    const struct output_config *common, const struct rules_config *rules,
    const void *config, struct err *e)
{
	struct output *o;
	struct view_config vc;
	uint16_t rules_no;
	int rc;

	if (en->n_outputs == ENGINE_OUTPUTS)
		return err_set(e, WEIR_EFULL, "more than %u plugins", ENGINE_OUTPUTS);
	if ((o = output_new(ops, name, common, config)) == NULL)
		return err_set(e, WEIR_ENOMEM, "no memory for plugin '%s'", name);
	o->engine = en;
	en->outputs[en->n_outputs++] = o; /* engine_free has it from here on */
	o->rules = *rules;
	if (ops->wants == OUTPUT_DATAGRAMS) {
		o->tags = engine_tagging(en, rules->pre_tag_map);
		return 0;
	}
	if ((rc = output_plan(o, &vc, e)) != 0)
		return rc;
	bins_start(&vc.bins, en->started);
	rules_no = engine_rules(en, rules);
	field_set_join(&en->rules[rules_no].needed, &o->fields);
	field_set_join(&en->rules[rules_no].needed, &vc.aggregate);
	if (ops->wants == OUTPUT_FLOWS)
		return engine_feeds(en, o, &vc, rules_no, e);
	if ((rc = engine_view_join(en, o, &vc, rules_no, e)) != 0)
		return rc;
	if (vc.pro_rating)
		field_set_add(&en->rules[rules_no].needed, F_TIMESTAMP_END);
	o->view->wants_flow_starts |= field_set_has(&o->fields, F_FLOWS);
	if (ops->wants != OUTPUT_LEDGER)
		return 0;
	rc = view_ledger_want(o->view, e);
	if (rc == 0)
		o->view->ledger->outlives |= ops->outlives;
	return rc;
}

/* Prepare the worker's part of outputs that take flows; their groups are not known yet. */
static int
worker_feeds(struct engine *en, struct worker *w, struct err *e)
{
	struct pipeline *p = &w->pipeline;

	for (unsigned i = 0; i < en->n_outputs; i++) {
		struct output *o = en->outputs[i];

		if (o->feeds == NULL)
			continue;
		if (feed_init(&o->feeds[w->no], o, w->no, en->config.sampling.renormalize,
		        p->clear_octets, e) != 0)
			return -WEIR_ENOMEM;
		if (o->frame_octets > p->feeds_reach)
			p->feeds_reach = o->frame_octets;
	}
	return 0;
}

/* Tell worker `w` which outputs take datagrams. */
static int
worker_relays(struct engine *en, struct worker *w, struct err *e)
{
	struct pipeline *p = &w->pipeline;

	p->relays = calloc(en->n_outputs > 0 ? en->n_outputs : 1, sizeof(*p->relays));
	if (p->relays == NULL)
		return err_set(e, WEIR_ENOMEM, "no memory");
	for (unsigned i = 0; i < en->n_outputs; i++)
		if (en->outputs[i]->ops->wants == OUTPUT_DATAGRAMS)
			p->relays[p->n_relays++] = en->outputs[i];
	return 0;
}

/* Groups that share tags stand together, those without any in front: see pipeline_flush. */
static int
by_tags(const void *a, const void *b)
{
	const struct pipeline_group *x = a, *y = b;
	uintptr_t of_x = (uintptr_t)x->tags, of_y = (uintptr_t)y->tags;

	return (of_x > of_y) - (of_x < of_y);
}

/* Put the shards and feeds of worker `w` into groups of views and outputs with equal rules. */
static int
worker_groups(struct engine *en, struct worker *w, struct err *e)
{
	struct pipeline *p = &w->pipeline;

	p->groups = calloc(en->n_rules > 0 ? en->n_rules : 1, sizeof(*p->groups));
	if (p->groups == NULL)
		return err_set(e, WEIR_ENOMEM, "no memory");
	for (unsigned r = 0; r < en->n_rules; r++) {
		struct pipeline_group *g = &p->groups[p->n_groups];

		g->tags = en->rules[r].tags;
		g->rules = en->rules[r].rules;
		g->shards = calloc(en->n_views + 1, sizeof(struct shard *));
		if (g->shards == NULL)
			return err_set(e, WEIR_ENOMEM, "no memory");
		p->n_groups++;
		for (unsigned v = 0; v < en->n_views; v++)
			if (en->view_rules[v] == r)
				g->shards[g->n_shards++] = &w->shards[v];
		g->feeds = calloc(en->n_outputs + 1, sizeof(struct feed *));
		if (g->feeds == NULL)
			return err_set(e, WEIR_ENOMEM, "no memory");
		for (unsigned i = 0; i < en->n_outputs; i++)
			if (en->outputs[i]->feeds != NULL && en->output_rules[i] == r)
				g->feeds[g->n_feeds++] = &en->outputs[i]->feeds[w->no];
	}
	qsort(p->groups, p->n_groups, sizeof(*p->groups), by_tags);
	return 0;
}

static bool
engine_looks_at_frames(const struct engine *en)
{
	for (unsigned r = 0; r < en->n_rules; r++)
		if (rules_look_at_frames(&en->rules[r].config))
			return true;
	for (unsigned i = 0; i < en->n_outputs; i++)
		if (en->outputs[i]->frame_octets > 0)
			return true;
	return en->n_taggings > 0; /* with filters now, or when they are read anew */
}

static int
worker_prepare(struct engine *en, struct worker *w, struct err *e)
{
	w->shards = calloc(en->n_views > 0 ? en->n_views : 1, sizeof(*w->shards));
	if (w->shards == NULL)
		return err_set(e, WEIR_ENOMEM, "no memory");
	for (unsigned v = 0; v < en->n_views; v++) {
		if (shard_init(&w->shards[v], en->views[v], e) != 0)
			return -WEIR_ENOMEM;
		w->shards[v].bit = UINT64_C(1) << v % 64;
		w->n_shards++;
		w->pipeline.needs_flow_starts |= en->views[v]->wants_flow_starts;
	}
	for (unsigned r = 0; r < en->n_rules; r++) {
		field_set_join(&w->pipeline.needs, &en->rules[r].needed);
		rules_reads(&en->rules[r].config, &en->rules[r].needed, &w->pipeline.needs);
		rules_select_reads(en->rules[r].rules, &w->pipeline.needs);
	}
	for (unsigned t = 0; t < en->n_taggings; t++)
		tagging_reads(&en->taggings[t], &w->pipeline.needs);
	sampling_reads(&en->config.sampling, &w->pipeline.needs);
	if (field_set_has(&w->pipeline.needs, F_SAMPLING_RATE))
		w->pipeline.sampling = en->sampling;
	pipeline_prepare(&w->pipeline);
	for (unsigned v = 0; v < en->n_views; v++)
		if (shard_sample(&w->shards[v], en->config.sampling.renormalize,
		        w->pipeline.clear_octets, e) != 0)
			return -WEIR_ENOMEM;
	if (worker_feeds(en, w, e) != 0 || worker_relays(en, w, e) != 0)
		return -WEIR_ENOMEM;
	if (worker_groups(en, w, e) != 0)
		return -WEIR_ENOMEM;
	if (field_set_has(&w->pipeline.needs, F_CLASS) &&
	    pipeline_moves_prepare(&w->pipeline, e) != 0)
		return -WEIR_ENOMEM;
	return engine_looks_at_frames(en) ? pipeline_look(&w->pipeline, e) : 0;
}

/*
 * Read the operator's files. One that cannot be had is a problem among others: all are
 * looked at, so that all is told at once. Returns 0 or the last error.
 */
static int
files_read(struct engine *en, struct problems *ps, struct err *e)
{
	int rc = sampling_new(&en->config.sampling, &en->sampling, ps, e), one;

	if (rc != 0)
		problem_add(ps, PROBLEM_ERROR, NULL, "%s", e->text);
	for (unsigned r = 0; r < en->n_rules; r++) {
		one = rules_new(&en->rules[r].config, &en->rules[r].needed, en->files,
		    &en->rules[r].rules, ps, e);
		if (one != 0)
			problem_add(ps, PROBLEM_ERROR, NULL, "%s", e->text);
		rc = one != 0 ? one : rc;
	}
	for (unsigned t = 0; t < en->n_taggings; t++) {
		one = tagging_load(&en->taggings[t], en->n_workers, ps, e);
		if (one != 0)
			problem_add(ps, PROBLEM_ERROR, NULL, "%s", e->text);
		rc = one != 0 ? one : rc;
	}
	for (unsigned i = 0; i < en->n_outputs; i++)
		if (en->outputs[i]->ops->load != NULL)
			en->outputs[i]->ops->load(en->outputs[i], ps);
	return rc;
}

/* What is told late of records can reach each view. */
static int
views_move(struct engine *en, struct err *e)
{
	for (unsigned v = 0; v < en->n_views; v++) {
		view_moves_want(en->views[v]);
		for (unsigned i = 0; en->views[v]->moves && i < en->n_workers; i++)
			if (moves_init(&en->views[v]->rs, en->workers[i].shards[v].active,
			    e) != 0)
				return -WEIR_ENOMEM;
	}
	return 0;
}

int
engine_prepare(struct engine *en, struct problems *ps, struct err *e)
{
	int rc = files_read(en, ps, e);

	if (rc != 0)
		return rc;
	for (unsigned i = 0; i < en->n_views; i++) {
		struct view *v = en->views[i];

		if (v->config.refresh_s == 0)
			continue;
		v->next_due = bins_roundoff(&v->config.bins, en->started);
		view_due_next(v, en->started);
		v->next_due += v->config.delay_s * CLOCK_S;
	}
	for (unsigned i = 0; i < en->n_workers; i++)
		if ((rc = worker_prepare(en, &en->workers[i], e)) != 0)
			return rc;
	return field_set_has(&en->workers[0].pipeline.needs, F_CLASS) ? views_move(en, e) : 0;
}

void
engine_reload(struct engine *en, struct problems *ps)
{
	atomic_fetch_add(&en->reloads, 1);
	if (en->sampling != NULL)
		sampling_reload(en->sampling, ps);
	files_reload(en->files, ps);
	for (unsigned t = 0; t < en->n_taggings; t++)
		tagging_reload(&en->taggings[t], en->n_workers, &en->workers[0].pipeline.needs,
		    ps);
	atomic_fetch_add(&en->reloads, 1);
	for (unsigned i = 0; i < en->n_outputs; i++)
		if (en->outputs[i]->ops->reload != NULL)
			en->outputs[i]->ops->reload(en->outputs[i], ps);
	if (en->watches != NULL)
		watches_reload(en->watches, ps);
	if (en->alarms != NULL)
		alarms_reload(en->alarms, ps);
	engine_look(en, ps);
}

void
engine_look(const struct engine *en, struct problems *ps)
{
	for (unsigned i = 0; i < en->n_outputs; i++)
		if (en->outputs[i]->ops->look != NULL)
			en->outputs[i]->ops->look(en->outputs[i], ps);
}

int
engine_collector(struct engine *en, const struct collector_ops *ops, const void *config,
    unsigned instances, struct err *e)
{
	if (instances == 0 || instances > en->n_workers)
		instances = en->n_workers;
	for (unsigned i = 0; i < instances; i++)
		if (en->workers[i].n_collectors == WORKER_COLLECTORS)
			return err_set(e, WEIR_EFULL, "more than %u collectors",
			    WORKER_COLLECTORS);
	for (unsigned i = 0; i < instances; i++) {
		struct worker *w = &en->workers[i];
		struct collector *c = calloc(1, sizeof(*c));
		int rc;

		if (c == NULL)
			return err_set(e, WEIR_ENOMEM, "no memory for a collector");
		c->ops = ops;
		c->config = config;
		c->fd = -1;
		c->pipeline = &w->pipeline;
		c->exporters = &w->exporters;
		if ((rc = ops->open(c, e)) != 0) {
			free(c);
			return rc;
		}
		w->collectors[w->n_collectors] = c;
		w->n_collectors++; /* from here on, the worker reads it */
	}
	return 0;
}

int
engine_start(struct engine *en, struct err *e)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < en->n_outputs; i++)
		rc = en->outputs[i]->ops->open(en->outputs[i], e);
	/* Those that wait for somebody to answer wait together. */
	for (unsigned i = 0; rc == 0 && i < en->n_outputs; i++)
		rc = output_start(en->outputs[i], e);
	for (unsigned i = 0; rc == 0 && i < en->n_workers; i++)
		rc = worker_start(&en->workers[i], e);
	if (rc == 0)
		rc = publisher_start(en->publisher, e);
	en->started_ok = rc == 0;
	if (rc != 0)
		engine_stop(en);
	return rc;
}

void
engine_stop(struct engine *en)
{
	/* The publisher may wait for room in a queue. */
	for (unsigned i = 0; i < en->n_outputs; i++)
		output_hurry(en->outputs[i]);
	publisher_stop(en->publisher);
	for (unsigned i = 0; i < en->n_workers; i++)
		worker_stop(&en->workers[i]);
	if (en->started_ok) {
		/* A slab may still be on its way from a round that was cut short. */
		publisher_round(en->publisher, clock_real(), true);
	}
	for (unsigned i = 0; i < en->n_outputs; i++) {
		output_stop(en->outputs[i]);
		output_close(en->outputs[i]);
	}
	en->started_ok = false;
	rcu_drain();
}

bool
engine_finished(const struct engine *en)
{
	for (unsigned i = 0; i < en->n_workers; i++)
		if (!atomic_load(&en->workers[i].finished))
			return false;
	return true;
}

struct output *
engine_output_get(const struct engine *en, const char *name)
{
	for (unsigned i = 0; i < en->n_outputs; i++)
		if (strcmp(en->outputs[i]->name, name) == 0)
			return en->outputs[i];
	return NULL;
}

struct view *
engine_view(const struct engine *en, const char *name)
{
	struct output *o = engine_output_get(en, name);

	if (o != NULL)
		return o->view;
	for (unsigned i = 0; i < en->n_views; i++)
		if (strcmp(en->views[i]->name, name) == 0)
			return en->views[i];
	return NULL;
}

uint64_t
engine_max_octets(const struct engine *en)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < en->n_views; i++)
		sum += view_max_octets(en->views[i]);
	return sum;
}

void
engine_stats(const struct engine *en, uint64_t *to)
{
	memset(to, 0, STAT_COUNT * sizeof(*to));
	for (unsigned i = 0; i < en->n_workers; i++) {
		struct pipeline *p = &en->workers[i].pipeline;

		pthread_mutex_lock(&p->cut_lock);
		for (int s = 0; s < STAT_COUNT; s++)
			to[s] += p->stats_cut[s];
		pthread_mutex_unlock(&p->cut_lock);
	}
	stats_sum(&en->beside, to);
	to[STAT_STRINGS_REFUSED] += intern_refused();
}
