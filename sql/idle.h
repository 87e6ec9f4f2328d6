/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * idle: which of an SQL plugin's directives have no effect with its engine, or beside the
 * others that it has. At load; plain functions.
 */
#ifndef WEIR_SQL_IDLE_H
#define WEIR_SQL_IDLE_H

#include "core/output.h"

/* struct output_ops' idle() of all engines. */
const char *sql_idle(const struct output_ops *ops, const struct output_config *common,
    const void *config, const char *name);

#endif
