/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keeper: keeps in `state_dir` what is counted and shall go on after a restart: the
 * ledgers of views whose outputs ask for it, and watches. They are written every so often by a thread
 * of its own, as that takes time and may block, and once more at the end.
 *
 * Counters that were shown must not go back unnoticed. Only if weir ended in good order is
 * all there that was shown; a file that says so is made at the end and removed at the
 * start. Without it totals are taken up all the same, but as from now (ledger->resumed).
 */
#ifndef WEIR_CORE_KEEPER_H
#define WEIR_CORE_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

struct engine;
struct keeper;

/*
 * A keeper for `en`, which takes up what it finds in `state_dir` (borrowed); what cannot
 * be taken is logged. `every` s between two times of writing; 0: at the end only. After
 * engine_prepare and before engine_start. NULL with `e` filled when memory is short.
 */
struct keeper *keeper_new(struct engine *en, const char *state_dir, uint32_t every,
    struct err *e);

/* Start the thread. Returns 0, or -WEIR_EIO with `e` filled. */
int keeper_start(struct keeper *k, struct err *e);

/*
 * End the thread, write all once more, and free it; `k` may be NULL. After engine_stop, so
 * that nothing is counted any more. Where the engine did not start (`started`), what there
 * was is left as it was found.
 */
void keeper_end(struct keeper *k, bool started);

#endif
