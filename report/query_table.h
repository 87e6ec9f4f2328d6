/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The answers of the control protocol that are fixed tables: views, exporters,
 * collectors, outputs, stats and books. Read from what the engine publishes; any
 * thread.
 */
#ifndef WEIR_REPORT_QUERY_TABLE_H
#define WEIR_REPORT_QUERY_TABLE_H

#include <stdbool.h>

#include "core/engine.h"
#include "report/reply.h"

/* Answer `cmd` if it names such a table. Returns whether it does. */
bool query_table(const struct engine *en, const char *cmd, struct reply *r);

#endif
