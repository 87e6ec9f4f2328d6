/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store: a connection to a database with its prepared statements, which takes the rows
 * of one time bin of a batch in one transaction and exactly once.
 *
 * Each transaction also inserts a row (collector, boot, seq, bin) into weir_batch.
 * Where that row is there already, the batch is in: an earlier commit had succeeded
 * though its answer was lost, or weir ended before it knew. So a batch may be handed over
 * again after any error.
 *
 * What others got in the way of is tried again at once, some times. Any other error closes
 * the connection; the next batch opens another, makes tables that have gone, and prepares
 * anew. One thread at a time, but for store_hurry, store_interrupt and
 * store_progress.
 */
#ifndef WEIR_SQL_STORE_H
#define WEIR_SQL_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/output.h"
#include "sql/batch.h"
#include "sql/driver.h"
#include "sql/schema.h"

struct store;

/*
 * A store for the database of `c` (copied; its texts are borrowed), with every default
 * filled in. `name` is whose it is, for messages. Connects to nothing yet. NULL: no
 * memory.
 */
struct store *store_new(
    const struct sql_driver *d, const struct sql_config *c, const char *name);
void store_free(struct store *st);

/*
 * Connect, and be ready to write `table`, made for the bin that starts at `start` (ns)
 * where there is none, with these columns. Returns 0; -WEIR_EIO when the database cannot
 * be had now; -WEIR_EINVAL when the table does not fit; with `e`. `table` may be NULL: just
 * connect.
 */
int store_ready(struct store *st, const struct batch_head *head, const char *table,
    uint64_t start, struct err *e);

/*
 * Write the rows of the bin that `b` came to, and add to `r` what became of them; rows
 * are refused one by one only where sql_dont_try_update finds their key taken. Returns
 * 0, or -WEIR_E... with `e`: then nothing of the bin is in, and `r` is as it was. But
 * with `*unsure` all of it may be in: the answer to the commit is missing.
 */
int store_write(struct store *st, struct batch_reader *b, struct output_result *r,
    bool *unsure, struct err *e);

/*
 * Of the last call of store_ready or store_write that failed: whether the database could
 * be reached and still can, so that what failed is about that table or that batch.
 */
bool store_reached(const struct store *st);

/* Whether the bin that store_write wrote last was in already: 1 or 0. */
unsigned store_knew(const struct store *st);

/*
 * Forget batches of `collector` that are too old to come again. Not while any waits that
 * may be in. What fails now is done another time.
 */
void store_prune(struct store *st, const char *collector);

/*
 * weir ends: an attempt to connect whose server is silent for two seconds is given up from
 * now on. Any thread.
 */
void store_hurry(struct store *st);

/*
 * weir ends: have a call that waits for the database end with an error, and connect no
 * more. Any thread.
 */
void store_interrupt(struct store *st);

/* Grows with every bin that is begun and every row: to see whether it goes on. Any thread. */
uint64_t store_progress(const struct store *st);

/* Whether a bin is being written. Any thread. */
bool store_is_busy(const struct store *st);

/*
 * Rows of the transaction that is open: the more, the longer the database may be silent over
 * the statement that merges them and over the commit. Any thread.
 */
uint64_t store_in_hand(const struct store *st);

#endif
