/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * oid: `weir oid`: where in SNMP something of a configuration is. Indexes depend on names
 * and keys alone, so no running weir is needed. Main thread.
 */
#ifndef WEIR_AGENT_OID_H
#define WEIR_AGENT_OID_H

#include <stdio.h>

#include "core/engine.h"
#include "lib/err.h"

/*
 * Write a line "NAME OID" to `to` for each column: of the row of weirEntryTable for `key`
 * in the view of plugin `view`; with `key` NULL, of the view's row of weirViewTable. `en`
 * is an engine that need not run. Returns 0, or -WEIR_EINVAL with `e` filled.
 */
int oid_print(const struct engine *en, const char *view, const char *key, FILE *to,
    struct err *e);

/* The same for the watch called `name`. */
int oid_print_watch(const struct engine *en, const char *name, FILE *to, struct err *e);

#endif
