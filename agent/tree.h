/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree: everything that WEIR-MIB shows at one moment, and how to find an object in it.
 *
 * The publisher makes a tree once a second and gives it away; whoever has it owns it
 * alone and may read it for as long as he likes. Finding is binary search over sorted
 * arrays; no object has a node of its own. Names are relative to the root of the MIB
 * and are plain arrays, so that all of this can be tested without an SNMP library.
 *
 * Every column exists for every row: a hole would make a walk lose the rows behind it.
 */
#ifndef WEIR_AGENT_TREE_H
#define WEIR_AGENT_TREE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "agent/elements.h"
#include "agent/rows.h"
#include "agent/value.h"
#include "core/exporter.h"
#include "core/iftable.h"
#include "core/stats.h"
#include "flow/rowspec.h"

typedef unsigned long subid_t; /* a sub-identifier, as libnetsnmp's oid */

#define NAME_MAX_LEN 44U /* sub-identifiers of the longest name below the root: alarms */

/* Numbers are uint64_t throughout, whatever the MIB makes of them: one getter serves all. */
struct collector_row {
	uint32_t index;
	char name[160];
	char interface[128];
	uint64_t type;           /* as weirCollectorType */
	uint64_t address_type;   /* enum inet_type */
	ip16_t address;
	uint64_t port;
	uint64_t oper_state;     /* as weirCollectorOperState */
	uint64_t packets, octets, drops, errors, versions;
	uint64_t waiting;        /* sets, now */
	uint64_t crowded;        /* sets that waited, and were too many */
	uint64_t templates, no_template;
	uint64_t last_seen;      /* ns since 1970; 0: never */
};

struct exporter_row {
	uint64_t rate;           /* octets per second of its datagrams, lately */
	uint32_t collector;      /* index of the collector's row */
	uint32_t domain;
	ip16_t address;
	uint64_t protocol;       /* as weirExporterProtocol */
	uint64_t version, sampling;
	uint64_t skew_ms;        /* in two's complement */
	uint64_t counts[EXPORTER_N_COUNTS];
	uint64_t first_seen, last_seen; /* ns since 1970 */
};

struct view_row {
	uint32_t index;
	char name[64];           /* of the plugin */
	char view[64];           /* and of the view, which others may share */
	char key_spec[VALUE_OCTETS_MAX + 1];
	uint64_t interval;       /* s */
	uint64_t n_rows, hidden, capacity;
	struct sums total, other, filtered;
	uint64_t late;           /* records */
	uint64_t evictions;      /* rows */
	uint64_t cleared, last_commit; /* ns since 1970 */
	struct rows *rows;       /* a reference */
	uint32_t first;          /* place of its first row among all entries, by tree_seal */
};

/* What IPFIX-MIB calls a session: an exporter, and where it sends to. */
struct session_row {
	uint32_t index;
	const struct exporter_row *exporter;   /* in the same tree */
	const struct collector_row *collector;
};

struct output_row {
	uint32_t index;
	char name[64];
	char type[32];
	char view[64];
	uint64_t oper_state;     /* as weirOutputOperState */
	bool writes;             /* it has rows to write, now and then */
	uint64_t last_success;   /* ns since 1970; 0: never */
	uint64_t failed_at;      /* likewise */
	char failure[512];       /* as what failed last is said */
	uint64_t queued, rows, written, spooled, refused, errors;
	uint64_t waiting, waiting_octets; /* batches in its spool */
	uint64_t waiting_since;  /* the oldest, ns since 1970; 0: none */
};

struct watch;         /* core/watch.h */
struct threshold_row; /* core/alarms.h */
struct alarm_row;
struct topn_row;      /* core/topn.h */
struct topn_entry;

/* Interfaces of exporters, of which sFlow tells counters. */
struct interface_row {
	uint32_t collector, domain; /* of the exporter's row */
	ip16_t address;
	struct interface_counters counters;
};

/* All of them; counted by reference, as trees share them while nothing new is told. */
struct interface_set {
	_Atomic uint32_t refs;
	uint64_t taken;          /* by the monotonic clock */
	uint32_t n;
	struct interface_row rows[]; /* by exporter, as their rows are; by number */
};

static inline struct interface_set *
interface_set_ref(struct interface_set *s)
{
	if (s != NULL)
		atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

static inline void
interface_set_unref(struct interface_set *s)
{
	if (s != NULL && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
		free(s);
}

/* How many rows the tables of things have. */
struct tree_size {
	uint32_t collectors, exporters, outputs, views;
};

struct mib_tree {
	uint64_t serial;
	uint64_t cut_real;       /* ns since 1970 */
	uint64_t cut_mono;
	uint64_t started;        /* ns since 1970 */
	uint64_t notified, not_notified; /* notifications */
	uint64_t not_acted;      /* programs and results for Nagios */
	uint64_t books;          /* TruthValue: 1 if they balance, else 2 */
	uint64_t stats[STAT_COUNT]; /* those of STAT_SNMP_... */
	uint32_t n_collectors, n_exporters, n_outputs, n_views, n_watches, n_thresholds;
	uint32_t n_alarms, n_topns, n_topn_entries, n_interfaces, n_sessions;
	struct collector_row *collectors; /* by index */
	struct exporter_row *exporters;   /* by index: collector, address, domain */
	struct output_row *outputs;       /* by index */
	struct view_row *views;           /* by index */
	struct interface_set *interfaces; /* a reference; NULL: none */
	struct element_set *elements;     /* a reference; NULL: none */
	bool shows_elements;              /* it shall have them */
	struct session_row *sessions;     /* by index; made by tree_seal */
	struct watch *watches;            /* by index; the tree's own copy, or NULL; as are */
	struct threshold_row *thresholds; /* by name, */
	struct alarm_row *alarms;         /* by length of name, name, id, */
	struct topn_row *topns;           /* by index, */
	struct topn_entry *topn_entries;  /* and by index, rank */
	uint64_t control_changes;         /* of what can be set, when these four were made */
	uint32_t n_entries;      /* set by tree_seal */
	struct mib_tree *next;   /* of a list; whose it is knows */
};

/*
 * A tree with room for so many rows, all zero; the caller fills them in order of their
 * indexes and then seals it. NULL when memory is short.
 */
struct mib_tree *tree_new(const struct tree_size *n);

/* The rows of all views are in their places: from now on the tree does not change. */
void tree_seal(struct mib_tree *t);

void tree_free(struct mib_tree *t);

/*
 * Order of names: by sub-identifiers, a name before those that it begins. Below 0, 0 or above.
 */
int name_compare(const subid_t *a, size_t a_len, const subid_t *b, size_t b_len);

/* When somebody asks. */
struct moment {
	const struct mib_tree *tree;
	uint64_t mono;           /* now */
	uint64_t boot;           /* ns since 1970: when sysUpTime was 0 */
};

/* A row of weirEntryTable: row `i` of `view`. */
struct entry {
	const struct view_row *view;
	uint32_t i;
};

/* A column, or a scalar. `row` is the table's kind of row; `arg` is for the getter. */
struct column {
	uint16_t number;
	enum value_type type;
	const char *name;        /* descriptor in the MIB */
	void (*get)(const struct moment *m, const void *row, size_t arg, struct value *v);
	size_t arg;
};

/* A table; the scalars are one with a single row whose index is 0. */
struct mib_table {
	const char *name;
	uint8_t n_prefix;
	uint8_t prefix[4];       /* of its columns' names, below the root */
	uint16_t n_columns;
	const struct column *columns; /* by number */
	uint32_t (*count)(const struct mib_tree *t);
	/* Write the index of row `pos`; returns its length. Indexes ascend with `pos`. */
	size_t (*index)(const struct mib_tree *t, uint32_t pos, subid_t *out);
	/* What the columns' getters take; `scratch` may be used to make it. */
	const void *(*row)(const struct mib_tree *t, uint32_t pos, struct entry *scratch);
};

/* A module: its tables, in the order of their names, below a root of its own. */
struct mib {
	const struct mib_table *const *tables;
	unsigned n;
};

/* One object's place. */
struct cell {
	const struct mib_table *table;
	const struct column *column;
	uint32_t pos;            /* of the row */
};

enum tree_found { TREE_FOUND, TREE_NO_OBJECT, TREE_NO_INSTANCE };

/*
 * The object of `mib` called exactly `name`, to `out`: all zero, or what was found before, in
 * any tree, near which it is looked for first.
 */
enum tree_found tree_get(const struct mib *mib, const struct mib_tree *t,
    const subid_t *name, size_t len, struct cell *out);

/*
 * The first object whose name comes after `name`, or is `name` itself if `inclusive`, to
 * `out`, as above. Returns false at the end of the MIB.
 */
bool tree_next(const struct mib *mib, const struct mib_tree *t, const subid_t *name,
    size_t len, bool inclusive, struct cell *out);

/* Write the name of `c` below the root to `out` (NAME_MAX_LEN). Returns its length. */
size_t cell_name(const struct mib_tree *t, const struct cell *c, subid_t *out);

/* What `c` holds. */
void cell_value(const struct moment *m, const struct cell *c, struct value *v);

#endif
