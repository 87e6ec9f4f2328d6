/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory: an output that only keeps a ledger, which report/query.h shows to `weir show`
 * and `weir top`. Constant rows for daemon/doors.c.
 */
#ifndef WEIR_REPORT_MEMORY_H
#define WEIR_REPORT_MEMORY_H

#include "core/output.h"
#include "lib/directive.h"

extern const struct output_ops memory_output;
extern const struct directive_set memory_directives;

#endif
