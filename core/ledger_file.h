/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ledger_file: a ledger on disk, so that its totals go on after a restart. The file
 * (lib/statefile.h) begins with the names of what the rows are made of; a view that is
 * made of something else now does not take them. Then totals, and each row: its fields in
 * network order, texts as texts, its sums, and when it was seen. No thread of its own.
 */
#ifndef WEIR_CORE_LEDGER_FILE_H
#define WEIR_CORE_LEDGER_FILE_H

#include "core/ledger.h"
#include "lib/err.h"

/*
 * Write `l`, of view `view`, to `path`. The ledger is locked only as long as it takes to
 * copy it. Any thread. Returns 0, or -WEIR_EIO or -WEIR_ENOMEM with `e` filled: what was
 * there before then stays.
 */
int ledger_save(struct ledger *l, const char *path, const char *view, struct err *e);

/*
 * Take up what was written of view `view`. `l` must be empty; nobody else uses it yet.
 * Rows that find no room are counted in l->other, as ever. Returns 0; -WEIR_ENOENT when
 * there is no file; -WEIR_EINVAL when it is of another view, or of one with other fields;
 * -WEIR_E... of statefile_read; -WEIR_EMALFORMED: but for 0, `l` stays empty, and `e` says
 * why.
 */
int ledger_load(struct ledger *l, const char *path, const char *view, struct err *e);

#endif
