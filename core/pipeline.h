/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pipeline: the way of a record inside one worker, batches of FLOW_BATCH at a time:
 *
 *   collector fills slots -> sampling -> tags (per file of rules that tag)
 *       -> other rules (per group of views) -> each view's shard, each output's feed
 *
 * A collector asks for a slot, fills it and commits it; a full batch runs through all
 * stages at once. No lock, no allocation, no system call. One per worker; that thread only.
 *
 * What a collector learns later of records that were fed moves them to other rows: between
 * two batches they run through the same stages in pairs, as they were and as they are.
 */
#ifndef WEIR_CORE_PIPELINE_H
#define WEIR_CORE_PIPELINE_H

#include "core/frames.h"
#include "core/stats.h"
#include "core/tagging.h"
#include "core/view.h"
#include "flow/flow.h"
#include "rules/rules.h"
#include "rules/sampling.h"

struct feed;
struct output;

/* What somebody does at each flush of a pipeline. */
struct pipeline_hook {
	struct pipeline_hook *next;
	void (*before)(void *arg); /* the batch is as it will be fed; it may be empty */
	void (*after)(void *arg);  /* it was fed, and is empty: the time for pipeline_move */
	void *arg;
};

/* Records that are about to move: pairs of flows, as they were and as they are. */
struct pipeline_moves {
	unsigned n;
	struct shard_move of[FLOW_BATCH / 2];
	struct flow *flows; /* as a pipeline's; owned */
};

/* Views and outputs that see the same rules. */
struct pipeline_group {
	const struct tagging *tags; /* NULL: flows keep the tags that they come with */
	const struct rules *rules;  /* NULL: flows as they come */
	struct shard **shards;
	unsigned n_shards;
	struct feed **feeds;        /* of outputs that take flows */
	unsigned n_feeds;
};

struct pipeline {
	unsigned worker;             /* number of the worker */
	unsigned n;                  /* slots filled */
	enum flow_source source;     /* of the flows in the batch */
	struct field_set needs;      /* fields that some view or rule reads */
	size_t clear_octets;         /* of struct flow, up to the last field that is needed */
	bool needs_flow_starts;      /* some view shows `flows` of packets */
	uint32_t unknown_class;      /* where `class` is needed: the class of flows without one */
	bool needs_span;             /* some view has timestamp_min, _max or _second */
	struct sums fed;             /* handed to the views so far */
	struct stats stats;
	uint64_t stats_cut[STAT_COUNT]; /* copied when snapshots are cut; read under `cut_lock` */
	pthread_mutex_t cut_lock;
	const struct sampling *sampling; /* NULL: rates and counters as they come */
	struct pipeline_group *groups;
	unsigned n_groups;
	struct flow *flows;          /* FLOW_BATCH, and as many again as scratch */
	bool again;                  /* the batch is of records that were fed before */
	uint64_t kept;               /* slots of records that may move, */
	uint64_t *lost[FLOW_BATCH];  /* and where their views are told: pipeline_keep */
	unsigned unused;             /* slots at the end of the batch that stay empty */
	bool patient;                /* some of what comes is of a file, which can wait: */
	bool crowded;                /* it should, as the slab of some view has many bins */
	uint64_t batches;            /* fed so far: the number of the next */
	struct pipeline_hook *hooks; /* each its user's */
	const _Atomic uint64_t *reloads; /* times that rules were read anew; the engine's */
	uint64_t reloads_seen;       /* as of the last flush with hooks, */
	uint64_t ruled;              /* and the first batch that these rules alone were asked of */
	struct pipeline_moves *moves; /* NULL: nobody asks for what is told late; owned */
	struct output **relays;      /* outputs that take datagrams as they come */
	unsigned n_relays;
	uint32_t feeds_reach;        /* octets of frames that outputs look at; 0: none */
	struct frames *frames;       /* NULL: nobody looks at any; owned, */
	struct columns *columns;     /* as what filters see of the batch */
};

/* Set what slots must be cleared of, from p->needs, which it completes. */
void pipeline_prepare(struct pipeline *p);

/* Let rules and outputs look at frames, once the groups are there. Returns 0, or -WEIR_ENOMEM. */
int pipeline_look(struct pipeline *p, struct err *e);

/* Have room for moves. Returns 0, or -WEIR_ENOMEM with `e` filled. */
int pipeline_moves_prepare(struct pipeline *p, struct err *e);
void pipeline_moves_free(struct pipeline *p);

/* Call `h` at each flush. The worker's thread; for as long as the pipeline is. */
static inline void
pipeline_hook(struct pipeline *p, struct pipeline_hook *h)
{
	h->next = p->hooks;
	p->hooks = h;
}

/*
 * Record the views that leave out the flow in `slot` by what its frame shows, which is not there
 * later on, in `*lost`, when the batch is fed: it must be there until then. In a hook, before.
 */
static inline void
pipeline_keep(struct pipeline *p, unsigned slot, uint64_t *lost)
{
	p->lost[slot] = lost;
	p->kept |= UINT64_C(1) << slot;
}

/*
 * Record `was` of `source` (as far as anybody reads it), fed with batch `batch`, is of class
 * `class_id`: it moves to the row of that, in each view that still has it as it was, by the next
 * pipeline_moves_run; in or out, where a filter judges one otherwise than the other.
 * `*lost` is the record's, as pipeline_keep had it: it must be there until then. In a hook, after
 * the batch.
 */
void pipeline_move(struct pipeline *p, enum flow_source source, const struct flow *was,
    uint64_t batch, uint32_t class_id, uint64_t *lost);
void pipeline_moves_run(struct pipeline *p, enum flow_source source);

/*
 * Some of what comes is of files, which can wait: look after each batch whether they should. Where
 * flows are pro-rated, batches are so small that the bins of one fit into a slab that is not
 * crowded. The worker's thread, while the batch is empty.
 */
void pipeline_wait(struct pipeline *p);

/* See whether files still have to wait: the worker, between batches. */
void pipeline_crowded_see(struct pipeline *p);

/* How many flows make a full batch. */
static inline unsigned
pipeline_batch(const struct pipeline *p)
{
	return FLOW_BATCH - p->unused;
}

/* Run the flows of the batch through rules and views; empties it. */
void pipeline_flush(struct pipeline *p);

/* From now on, flows come from `source`; flushes what came from another. */
static inline void
pipeline_source(struct pipeline *p, enum flow_source source)
{
	if (p->source != source) {
		pipeline_flush(p);
		p->source = source;
	}
}

/* It is `now` (ns since 1970): let outputs that take flows do what is due. */
void pipeline_tick(struct pipeline *p, uint64_t now);

/* Copy the books of outputs that take flows. The batch is empty, cut_lock is held. */
void pipeline_cut_feeds(struct pipeline *p);

/*
 * Whether anybody reads more than what every record has; members behind that need not be
 * filled otherwise.
 */
static inline bool
pipeline_needs_tagged(const struct pipeline *p)
{
	return p->clear_octets > FLOW_ALWAYS_OCTETS;
}

/* Whether anybody reads more than FLOW_TAGGED_OCTETS; likewise. */
static inline bool
pipeline_needs_more(const struct pipeline *p)
{
	return p->clear_octets > FLOW_TAGGED_OCTETS;
}

static inline void
pipeline_clear(const struct pipeline *p, struct flow *f)
{
	char *rest = (char *)f + FLOW_ALWAYS_OCTETS;

	flow_clear_always(f);
	if (pipeline_needs_more(p))
		memset(rest, 0, p->clear_octets - FLOW_ALWAYS_OCTETS);
	else if (pipeline_needs_tagged(p))
		memset(rest, 0, FLOW_TAGGED_OCTETS - FLOW_ALWAYS_OCTETS);
}

/*
 * A slot for the next flow, cleared as far as anybody will read: FLOW_ALWAYS_OCTETS, and
 * up to the last field of p->needs. Valid until the next call.
 */
static inline struct flow *
pipeline_slot(struct pipeline *p)
{
	struct flow *f = &p->flows[p->n];

	pipeline_clear(p, f);
	return f;
}

/*
 * Slots for the next flows, one behind the other and cleared alike: `*n`, or as many fewer
 * as the batch has room for; one at least. Valid until the next call.
 */
static inline struct flow *
pipeline_slots(struct pipeline *p, unsigned *n)
{
	struct flow *first = &p->flows[p->n];

	if (*n > pipeline_batch(p) - p->n)
		*n = pipeline_batch(p) - p->n;
	for (unsigned i = 0; i < *n; i++)
		pipeline_clear(p, first + i);
	return first;
}

/* The flow in the slot was seen in `f`, which is copied as far as anybody looks at it. */
static inline void
pipeline_frame(struct pipeline *p, const struct frame *f)
{
	if (p->frames != NULL)
		frames_keep(p->frames, p->n, f);
}

/* Frames of link layer `linktype` are to come: prepare for them. */
void pipeline_link(struct pipeline *p, uint32_t linktype);

/* The flows in the first `n` of the slots are complete. */
static inline void
pipeline_commit_many(struct pipeline *p, unsigned n)
{
	p->n += n;
	if (p->n == pipeline_batch(p))
		pipeline_flush(p);
}

/* The flow in the slot is complete. */
static inline void
pipeline_commit(struct pipeline *p)
{
	if (++p->n == pipeline_batch(p))
		pipeline_flush(p);
}

#endif
