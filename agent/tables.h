/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tables: which tables and columns WEIR-MIB has, as rows of constants. What a column
 * means is said in mibs/WEIR-MIB.txt.in; a test compares both. To add a column: a row
 * here (or in entry.c, for weirEntryTable) and an object in the MIB.
 */
#ifndef WEIR_AGENT_TABLES_H
#define WEIR_AGENT_TABLES_H

#include "agent/tree.h"

#define N_MIB_TABLES 12U

/* In the order of their names. */
extern const struct mib_table *const mib_tables[N_MIB_TABLES];

/* WEIR-MIB, which has these; IPFIX-MIB (RFC 6615), below mib-2 193 (agent/ipfix.c). */
extern const struct mib weir_mib, ipfix_mib;

/*
 * The scalars, and the tables of things (agent/tables.c); the entries (agent/entry.c);
 * watches (agent/watches.c); thresholds and alarms (agent/thresholds.c);
 * reports of who has most (agent/topns.c).
 */
extern const struct mib_table general_table, collector_table, exporter_table, view_table,
    entry_table, topn_control_table, topn_table, output_table, threshold_table,
    alarm_table, watch_table, interface_table;

/* The index of an exporter's row, to `out`; returns its length. */
size_t exporter_index_write(uint32_t collector, const ip16_t *address, uint32_t domain,
    subid_t *out);

/* As weirExporterName: address/domain, at most EXPORTER_NAME octets with the NUL, to `buf`. */
#define EXPORTER_NAME (IP_STRLEN + 12)
void exporter_name_write(const ip16_t *address, uint32_t domain, char *buf);

/* Of a value at `ns` since 1970: the TimeStamp. */
uint64_t moment_timestamp(const struct moment *m, uint64_t ns);

/* The index of an alarm in weirAlarmTable, to `out`; returns its length. */
size_t alarm_index_write(const char *name, uint64_t id, subid_t *out);

/*
 * Getters: of the number `arg`; of the uint64_t, uint32_t, text, time in ns at `arg` in a
 * row.
 */
void get_number(const struct moment *m, const void *row, size_t arg, struct value *v);
void get_u64(const struct moment *m, const void *row, size_t arg, struct value *v);
void get_u32(const struct moment *m, const void *row, size_t arg, struct value *v);
void get_text(const struct moment *m, const void *row, size_t arg, struct value *v);
void get_date(const struct moment *m, const void *row, size_t arg, struct value *v);
void get_stamp(const struct moment *m, const void *row, size_t arg, struct value *v);
void get_start_stamp(const struct moment *m, const void *row, size_t arg, struct value *v);

/* Rows of columns, by these getters. */
#define NUMBER(no, TYPE, name, S, at) { no, VALUE_##TYPE, name, get_u64, offsetof(S, at) }
#define TEXT(no, name, S, at) { no, VALUE_OCTETS, name, get_text, offsetof(S, at) }
#define DATE(no, name, S, at) { no, VALUE_OCTETS, name, get_date, offsetof(S, at) }
#define STAMP(no, name, S, at) { no, VALUE_TIMETICKS, name, get_stamp, offsetof(S, at) }
#define CONSTANT(no, TYPE, name, n) { no, VALUE_##TYPE, name, get_number, n }
/* Of weir's start: what counts from then on. */
#define START_STAMP(no, name) { no, VALUE_TIMETICKS, name, get_start_stamp, 0 }
#define COLUMNS(list) sizeof(list) / sizeof((list)[0]), list

/*
 * The functions of a table whose rows are t->ROWS, t->n_ROWS of them: NAME_count, NAME_row,
 * and with INDEXED_TABLE, where they begin with their only index, NAME_index.
 */
#define ARRAY_TABLE(name, rows) \
	static uint32_t name##_count(const struct mib_tree *t) \
	{ \
		return t->n_##rows; \
	} \
	static const void *name##_row( \
	    const struct mib_tree *t, uint32_t pos, struct entry *scratch) \
	{ \
		(void)scratch; \
		return &t->rows[pos]; \
	}
#define INDEXED_TABLE(name, rows) \
	ARRAY_TABLE(name, rows) \
	static size_t name##_index(const struct mib_tree *t, uint32_t pos, subid_t *out) \
	{ \
		out[0] = t->rows[pos].index; \
		return 1; \
	}

#endif
