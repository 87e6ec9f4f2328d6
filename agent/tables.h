/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tables: which tables and columns WEIR-MIB has, as rows of constants. What a column
 * means is said in mibs/WEIR-MIB.txt.in; a test compares both. To add a column: a row
 * here (or in entry.c, for weirEntryTable) and an object in the MIB.
 */
#ifndef WEIR_AGENT_TABLES_H
#define WEIR_AGENT_TABLES_H

#include "agent/tree.h"

#define N_MIB_TABLES 5U

/* In the order of their names. */
extern const struct mib_table *const mib_tables[N_MIB_TABLES];

/* The scalars, and the tables of things (agent/tables.c); the entries (agent/entry.c). */
extern const struct mib_table general_table, collector_table, exporter_table, view_table,
    entry_table;

/* Of a value at `ns` since 1970: the TimeStamp. */
uint64_t moment_timestamp(const struct moment *m, uint64_t ns);

/* Getters of constants: 0, and the number `arg`. */
void get_number(const struct moment *m, const void *row, size_t arg, struct value *v);

#endif
