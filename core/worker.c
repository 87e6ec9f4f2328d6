/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/worker.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/publisher.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/rcu.h"
#include "lib/thread.h"
#include "rules/columns.h"

#define IDLE_MS 1000 /* the publisher wakes us sooner; this is for drop counters */

int
worker_init(struct worker *w, unsigned no, struct exporters *x, struct err *e)
{
	memset(w, 0, sizeof(*w));
	w->no = no;
	w->pipeline.worker = no;
	w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->wake_fd == -1)
		return err_set(e, WEIR_EIO, "eventfd: %s", strerror(errno));
	/* Aligned, so that a flow shares no cache line with another worker's. */
	w->pipeline.flows = aligned_alloc(64, FLOW_BATCH * 2 * sizeof(struct flow));
	if (w->pipeline.flows == NULL || exporter_cache_init(&w->exporters, x, e) != 0) {
		free(w->pipeline.flows);
		close(w->wake_fd);
		return err_set(e, WEIR_ENOMEM, "no memory for worker %u", no);
	}
	w->exporters.worker = no;
	w->exporters.stats = &w->pipeline.stats;
	pthread_mutex_init(&w->pipeline.cut_lock, NULL);
	return 0;
}

void
worker_fini(struct worker *w)
{
	for (unsigned i = 0; i < w->n_collectors; i++) {
		if (w->collectors[i]->priv != NULL)
			w->collectors[i]->ops->close(w->collectors[i]);
		free(w->collectors[i]);
	}
	for (unsigned i = 0; i < w->n_shards; i++)
		shard_fini(&w->shards[i]);
	for (unsigned i = 0; i < w->pipeline.n_groups; i++) {
		free(w->pipeline.groups[i].shards);
		free(w->pipeline.groups[i].feeds);
	}
	free(w->pipeline.groups);
	free(w->pipeline.relays);
	free(w->shards);
	free(w->pipeline.flows);
	pipeline_moves_free(&w->pipeline);
	frames_free(w->pipeline.frames);
	columns_free(w->pipeline.columns);
	exporter_cache_fini(&w->exporters);
	pthread_mutex_destroy(&w->pipeline.cut_lock);
	close(w->wake_fd);
}

/* Full means that a wake-up is pending already. */
static void
eventfd_tell(int fd)
{
	uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one));
}

void
worker_cut_ask(struct worker *w, uint32_t cut)
{
	atomic_store(&w->cut_wanted, cut);
	eventfd_tell(w->wake_fd);
}

/* From which time on records may still be of another class; 0: none may. */
static uint64_t
worker_unsettled(const struct worker *w)
{
	uint64_t first = 0;

	for (unsigned i = 0; i < w->n_collectors; i++) {
		uint64_t one = atomic_load(&w->collectors[i]->unsettled);

		if (one != 0 && (first == 0 || one < first))
			first = one;
	}
	return first;
}

void
worker_cut(struct worker *w)
{
	struct pipeline *p = &w->pipeline;
	uint32_t cut = atomic_load(&w->cut_wanted);

	if (cut == atomic_load(&w->cut_done))
		return;
	pipeline_flush(p);
	for (unsigned i = 0; i < w->n_collectors; i++)
		if (w->collectors[i]->ops->poll_drops != NULL && !w->collectors[i]->done)
			w->collectors[i]->ops->poll_drops(w->collectors[i]);
	for (unsigned i = 0; i < w->n_shards; i++)
		(void)shard_rotate(&w->shards[i], &p->fed, p->batches);
	atomic_store(&w->unsettled, worker_unsettled(w));
	pthread_mutex_lock(&p->cut_lock);
	pipeline_cut_feeds(p);
	for (int i = 0; i < STAT_COUNT; i++)
		p->stats_cut[i] = stat_get(&p->stats, (enum stat_no)i);
	pthread_mutex_unlock(&p->cut_lock);
	atomic_store(&w->cut_done, cut);
	publisher_notify(w->publisher);
}

/* Read every door once. Returns whether some door may have more. */
static bool
worker_read(struct worker *w)
{
	bool busy = false;
	unsigned done = 0;

	for (unsigned i = 0; i < w->n_collectors; i++) {
		struct collector *c = w->collectors[i];

		if (!c->done && !(c->follows_file_time && w->pipeline.crowded)) {
			switch (c->ops->read(c)) {
			case COLLECTOR_BUSY:
				busy = true;
				break;
			case COLLECTOR_IDLE:
				break;
			case COLLECTOR_DONE:
				c->done = true;
				atomic_store(&c->horizon, UINT64_MAX);
				break;
			}
		}
		done += c->done;
	}
	pipeline_flush(&w->pipeline);
	if (done == w->n_collectors && !atomic_load(&w->finished)) {
		atomic_store(&w->finished, true);
		eventfd_tell(w->finished_fd);
	}
	return busy;
}

/* The time of the records that come: the clock's, or where files are read, theirs. */
static uint64_t
worker_now(const struct worker *w)
{
	uint64_t now = clock_real();

	for (unsigned i = 0; i < w->n_collectors; i++) {
		const struct collector *c = w->collectors[i];

		if (c->follows_file_time && !c->done && atomic_load(&c->horizon) < now)
			now = atomic_load(&c->horizon);
	}
	return now;
}

static void
worker_wait(struct worker *w)
{
	struct pollfd fds[WORKER_COLLECTORS + 1];
	nfds_t n = 1;
	uint64_t wakes;

	fds[0] = (struct pollfd){ .fd = w->wake_fd, .events = POLLIN };
	for (unsigned i = 0; i < w->n_collectors; i++)
		if (!w->collectors[i]->done && w->collectors[i]->fd >= 0)
			fds[n++] = (struct pollfd){ .fd = w->collectors[i]->fd,
			    .events = POLLIN };
	rcu_idle();
	(void)poll(fds, n, IDLE_MS);
	rcu_busy();
	(void)!read(w->wake_fd, &wakes, sizeof(wakes));
}

/*
 * Where files wait until the bins of what was read have gone, have them go. Returns whether
 * files may be read again.
 */
static bool
worker_room(struct worker *w)
{
	if (!w->pipeline.crowded)
		return false;
	pipeline_crowded_see(&w->pipeline);
	if (w->pipeline.crowded)
		publisher_hurry(w->publisher);
	return !w->pipeline.crowded;
}

static void *
worker_main(void *arg)
{
	struct worker *w = arg;

	for (unsigned i = 0; i < w->n_collectors; i++)
		if (w->collectors[i]->follows_file_time)
			pipeline_wait(&w->pipeline);
	rcu_enter();
	while (!atomic_load_explicit(&w->stop, memory_order_relaxed)) {
		bool busy = worker_read(w);

		pipeline_tick(&w->pipeline, worker_now(w));
		worker_cut(w);
		busy |= worker_room(w);
		rcu_quiet();
		if (!busy)
			worker_wait(w);
	}
	for (unsigned i = 0; i < w->n_collectors; i++)
		if (w->collectors[i]->ops->finish != NULL)
			w->collectors[i]->ops->finish(w->collectors[i]);
	pipeline_flush(&w->pipeline);
	rcu_leave();
	return NULL;
}

bool
worker_reads_files(const struct worker *w)
{
	for (unsigned i = 0; i < w->n_collectors; i++)
		if (!w->collectors[i]->follows_file_time)
			return false;
	return w->n_collectors > 0;
}

int
worker_start(struct worker *w, struct err *e)
{
	char name[24];
	int rc;

	snprintf(name, sizeof(name), "weir-work%u", w->no);
	rc = thread_start(&w->thread, name, worker_main, w, e);
	w->running = rc == 0;
	return rc;
}

void
worker_stop(struct worker *w)
{
	if (!w->running)
		return;
	atomic_store(&w->stop, true);
	eventfd_tell(w->wake_fd);
	pthread_join(w->thread, NULL);
	w->running = false;
}
