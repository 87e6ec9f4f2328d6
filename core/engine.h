/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine: the whole of a running weir, put together: workers with their collectors, views,
 * outputs, exporters and the publisher. Made and started by the main thread. Lists do not
 * change after engine_start, so any thread may walk them; but workers may get collectors.
 */
#ifndef WEIR_CORE_ENGINE_H
#define WEIR_CORE_ENGINE_H

#include <stdint.h>

#include "core/alarms.h"
#include "core/classifier.h"
#include "core/collector.h"
#include "core/exporter.h"
#include "core/output.h"
#include "core/publisher.h"
#include "core/topn.h"
#include "core/tagging.h"
#include "core/view.h"
#include "core/watch.h"
#include "core/worker.h"
#include "rules/rules.h"
#include "rules/sampling.h"

#define ENGINE_VIEWS   64U
#define ENGINE_OUTPUTS 64U

struct engine_config {
	unsigned workers;         /* at least 1 */
	uint32_t max_entries;     /* rows per view where the plugin does not say otherwise */
	uint32_t max_exporters;
	bool no_ipv4, no_ipv6;    /* no datagram of it can come in by the doors for them */
	struct sampling_config sampling;
	void (*exporter_state_free[EXPORTER_KINDS])(void *);
	/*
	 * Elements of the templates of `x`, in no order, `max` at most, to `out`; returns how
	 * many. Any thread. NULL: nobody knows.
	 */
	uint32_t (*exporter_elements)(struct exporter *x, struct exporter_element *out,
	    uint32_t max);
};

struct engine {
	struct engine_config config;
	uint64_t started;         /* ns since 1970 */
	bool keeps_nothing;       /* in state_dir: another weir does, or a file is read */
	unsigned n_workers;
	struct worker *workers;
	struct stats beside;      /* counters of threads that are no workers */
	unsigned n_views;
	struct view *views[ENGINE_VIEWS];
	unsigned n_outputs;
	struct output *outputs[ENGINE_OUTPUTS];
	struct exporters *exporters;
	struct publisher *publisher;
	struct watches *watches;  /* NULL: none. Owned; made by the caller before engine_start, */
	struct alarms *alarms;    /* and these, too, */
	struct topns *topns;      /* and these */
	struct sampling *sampling; /* NULL: the operator says nothing about it */
	struct files *files;      /* what rules look at */
	_Atomic uint64_t reloads; /* times that they were read anew, and that this began */
	/*
	 * Read the operator's files anew; what is wrong goes to `ps`. Any thread but the main one,
	 * which does it meanwhile. Returns 0, or -WEIR_EIO at the end. Set by the caller
	 * before clients come; NULL: it cannot be asked for.
	 */
	int (*reload)(void *reload_arg, struct problems *ps);
	void *reload_arg;
	/*
	 * Call `each` for every directive that has a value. Any thread. Set as `reload` is. Returns
	 * 0, or -WEIR_ENOMEM.
	 */
	int (*directives)(void *directives_arg,
	    void (*each)(void *arg, const struct directive_value *v), void *arg);
	void *directives_arg;
	/* Call `each` for every engine that classifies streams, likewise. */
	void (*classifiers)(void *classifiers_arg, classifier_fn *each, void *arg);
	void *classifiers_arg;
	int finished_fd;          /* eventfd: readable once every collector has come to an end */
	/* private */
	unsigned n_rules;
	struct {
		struct rules_config config;
		struct field_set needed;
		struct rules *rules;
		struct tagging *tags; /* NULL: flows keep the tags that they come with */
	} rules[ENGINE_OUTPUTS];
	uint16_t view_rules[ENGINE_VIEWS];
	uint16_t output_rules[ENGINE_OUTPUTS]; /* of those that take flows */
	unsigned n_taggings;
	struct tagging taggings[ENGINE_OUTPUTS];
	bool started_ok;
	uint64_t finish; /* until when exports wait as weir ends, mono ns; 0: none ends yet */
};

struct engine *engine_new(const struct engine_config *c, struct err *e);
void engine_free(struct engine *en);

/*
 * Add an output of type `ops` called `name`; `common`, `rules` and `config` (borrowed: must
 * outlive the engine) are its configuration. It joins a view that serves it, or gets one of
 * its own. Returns 0, or -WEIR_E... with `e` filled.
 */
int engine_output(struct engine *en, const struct output_ops *ops, const char *name,
    const struct output_config *common, const struct rules_config *rules,
    const void *config, struct err *e);

/*
 * Add a collector: one instance in each of the first `instances` workers (0: all).
 * `config` is borrowed. Call after all outputs: collectors learn which fields are needed.
 * Main thread; also while the engine runs. Instances that could be opened before one that
 * could not stay.
 */
int engine_collector(struct engine *en, const struct collector_ops *ops,
    const void *config, unsigned instances, struct err *e);

/*
 * Compile the rules and make shards and pipelines: after the outputs, before the
 * collectors. Problems in map files go to `ps`.
 */
int engine_prepare(struct engine *en, struct problems *ps, struct err *e);

/* Have outputs warn of what cannot have been meant: when en->watches are there. */
void engine_look(const struct engine *en, struct problems *ps);

/*
 * Read the operator's files of rules anew, while all runs. One with faults, which go to
 * `ps`, changes nothing. Main thread.
 */
void engine_reload(struct engine *en, struct problems *ps);

/* Open outputs, start all threads. On failure everything is stopped again. */
int engine_start(struct engine *en, struct err *e);

/*
 * Stop: collectors first, then a last cut and publication (open bins too), then outputs
 * write what is queued and close.
 */
void engine_stop(struct engine *en);

/* Whether every collector has come to an end (files); en->finished_fd tells when to ask. */
bool engine_finished(const struct engine *en);

/* The view called `name`, or that an output called `name` shows; NULL when there is none. */
struct view *engine_view(const struct engine *en, const char *name);

/* The output called `name`, or NULL. */
struct output *engine_output_get(const struct engine *en, const char *name);

/* The most memory that the views can take, in octets: computed at start-up. */
uint64_t engine_max_octets(const struct engine *en);

/*
 * Sums of the workers' stats as of the last cut, and of en->beside now, to `to[STAT_COUNT]`.
 * Any thread.
 */
void engine_stats(const struct engine *en, uint64_t *to);

#endif
