/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker: one thread with its own collectors, pipeline and shards. It reads its doors in
 * turn, and between two pieces of work does what the publisher asks for: rotate shards and
 * copy its stats (a cut), so that rows and counters belong together.
 */
#ifndef WEIR_CORE_WORKER_H
#define WEIR_CORE_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/collector.h"
#include "core/pipeline.h"
#include "core/view.h"

#define WORKER_COLLECTORS 64U /* doors of one worker */

struct publisher;

struct worker {
	unsigned no;
	struct pipeline pipeline;
	struct shard *shards;          /* one per view of the engine, in its order */
	unsigned n_shards;
	struct collector *collectors[WORKER_COLLECTORS];
	_Atomic unsigned n_collectors; /* the engine adds, also while it runs; none ever goes */
	struct exporter_cache exporters;
	struct publisher *publisher;

	int wake_fd;                   /* eventfd: look at the two below */
	_Atomic uint32_t cut_wanted;   /* number of the cut that the publisher waits for */
	_Atomic uint32_t cut_done;
	_Atomic uint64_t unsettled;    /* as of the last cut: the least of its collectors, or 0 */
	_Atomic bool stop;
	_Atomic bool finished;         /* all its collectors are done */
	int finished_fd;               /* the engine's: told when that happens */
	pthread_t thread;
	bool running;
};

/* Returns 0, or -WEIR_E... with `e` filled; worker_fini then has nothing to do. */
int worker_init(struct worker *w, unsigned no, struct exporters *x, struct err *e);
void worker_fini(struct worker *w);

int worker_start(struct worker *w, struct err *e);

/* End the thread: what was read is counted, shards and stats are left for a last cut. */
/* Whether it reads files alone: it may wait for others, and loses nothing by it. */
bool worker_reads_files(const struct worker *w);

void worker_stop(struct worker *w);

/* Ask for cut number `cut`. The publisher's thread. */
void worker_cut_ask(struct worker *w, uint32_t cut);

/* Do what worker_cut_ask asks for; called by the thread itself, or for one that has ended. */
void worker_cut(struct worker *w);

#endif
