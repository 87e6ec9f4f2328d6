/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * publisher: the thread that turns what workers counted into what outputs read. Once a
 * second, and when somebody wants to see what there is by now, it asks the workers for a
 * cut, collects the slabs of the views that are due, keeps their books, adds to ledgers,
 * and publishes snapshots where a refresh has come.
 *
 *   shard --retired--> collect: ledger_add, merge into view->held
 *                      publish: view->held -> snapshot -> outputs
 *
 * Rows that outputs have no room for stay in view->held, merged with the next: counting
 * never waits, nothing is lost. But files wait, before there are more bins than a slab tells
 * apart; until an output on the view moves on, a ledger on it is told of no more, either.
 */
#ifndef WEIR_CORE_PUBLISHER_H
#define WEIR_CORE_PUBLISHER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

struct engine;
struct publisher;

struct publisher *publisher_new(struct engine *engine, struct err *e);
void publisher_free(struct publisher *p);

/* Start and end the thread. Stopping does not publish: call publisher_round for the last. */
int publisher_start(struct publisher *p, struct err *e);
void publisher_stop(struct publisher *p);

/*
 * One round at time `now`: cut, collect, publish what is due; with `last` everything,
 * open bins too, waiting for outputs. Called by the thread, by engine_stop, and by tests.
 */
void publisher_round(struct publisher *p, uint64_t now, bool last);

/*
 * Have a round begin now, or some 50 ms after the last one however many ask, and wait
 * until it has ended: what was counted before is in ledgers, stats and books then. Any
 * thread but the publisher's own; returns at once where that does not run, and after some
 * seconds when a worker hangs.
 */
void publisher_refresh(struct publisher *p);

/*
 * Have a round begin at once, and do not wait for it: a file waits. While an output stalls, so that
 * rounds can take nothing, they come more and more seldom, to 50 ms one after the other. Any thread.
 */
void publisher_hurry(struct publisher *p);

/* Something that the publisher may wait for has changed. Any thread. */
void publisher_notify(struct publisher *p);

/* Rounds done so far: wait for it to grow by two to see all that is counted by now. */
uint64_t publisher_rounds(const struct publisher *p);

#endif
