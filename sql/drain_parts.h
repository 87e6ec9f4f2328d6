/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of sql/drain.h share: drain.c has the thread and its life, drain_run.c
 * what it does with batches. All but drain_is_stopping is the thread's, or its caller's
 * where there is none.
 */
#ifndef WEIR_SQL_DRAIN_PARTS_H
#define WEIR_SQL_DRAIN_PARTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/err.h"
#include "lib/log.h"
#include "sql/drain.h"

#define DRAIN_PAUSE (CLOCK_S / 4) /* the first after a fault */

/* How it stands with the first attempt. */
enum first {
	FIRST_AWAITED,  /* the start may wait for it */
	FIRST_UNHEARD,  /* and does no more */
	FIRST_MADE,
	FIRST_REFUSED   /* and weir does not start */
};

struct drain {
	struct drain_config c;
	pthread_t thread;
	bool running; /* there is one */
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	bool woken, stop, ended;
	enum first first;
	struct err refused; /* of the first attempt */
	struct timespec start_until; /* for which the start waits at most */
	/* the thread's */
	uint64_t pause, again; /* after a fault: how long, until when (monotonic ns) */
	uint64_t backup_pause, backup_again; /* the same of the backup */
	struct log_limit unread; /* of batches that the disk does not give */
	struct err backup_fault; /* of the last run, with a batch that only the backup may have */
	bool owed; /* there are such */
	bool gone; /* the last one was long in coming, or nobody was there */
	unsigned hopeless; /* batches that wait, */
	unsigned refused_there; /* and such that the backup refused */
	/* the main thread's */
	uint64_t hurried;    /* when weir began to end (monotonic ns); 0: not yet; */
	uint64_t hurried_at; /* and the progress by then */
};

/* Whether weir ends. Any thread. */
bool drain_is_stopping(struct drain *d);

/* Show how much waits. */
void drain_depth_show(struct drain *d);

/* Have the pause that ends at `*again` be twice as long as the last. */
void drain_pause(uint64_t *pause, uint64_t *again);

/* Write what waits, the oldest first. Returns 0, or the first error with `e`. */
int drain_run(struct drain *d, struct err *e);

/*
 * Write to the backup what waits for it and, with `others`, what waits at all, but not
 * for what the primary may have: what was on its way to it when its answer failed to
 * come, or when weir ended. What the backup may have is for it for ever.
 */
void drain_backup(struct drain *d, bool others);

#endif
