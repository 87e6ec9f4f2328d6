/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * output: a door out. An output asks for a view (its fields, bins and refresh) and either
 * gets that view's snapshots on a thread of its own, through a bounded queue, or listens
 * to its ledger. Registering one is a row in daemon/doors.c.
 *
 * Life: directives -> plan -> (view chosen or shared) -> open -> write ... -> close.
 */
#ifndef WEIR_CORE_OUTPUT_H
#define WEIR_CORE_OUTPUT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "core/snapshot.h"
#include "core/view.h"
#include "flow/text.h"
#include "lib/directive.h"
#include "lib/err.h"

struct engine;
struct output;

/* What all plugins share (pmacct's plugin-wide directives); core/output.c has the rows. */
struct output_config {
	const char *aggregate;        /* text; NULL: src_host */
	const char *history;          /* "5m" */
	const char *history_roundoff;
	uint32_t history_offset;      /* s */
	uint32_t refresh;             /* s */
	uint32_t startup_delay;       /* s */
	bool pro_rating;              /* flows are divided among the bins that they span */
	uint32_t sampling_rate;       /* count one packet in so many; 0, 1: all */
	bool stitching;               /* rows tell from when to when their records are */
	struct text_opts text;        /* how values are written */
	uint64_t max_entries;         /* rows; 0: the global value */
};

enum output_wants {
	OUTPUT_SNAPSHOTS,  /* write() for each */
	OUTPUT_LEDGER,     /* a ledger to look at */
};

/* What became of the rows of a snapshot; the books of outputs. */
struct output_result {
	uint64_t rows;      /* handed over, other rows included */
	uint64_t written;
	uint64_t spooled;
	uint64_t refused;
};

struct output_ops {
	const char *type;                      /* "print", "sqlite3", "snmp" */
	enum output_wants wants;
	bool outlives;                         /* its ledger goes on after a restart */
	bool sorted;                           /* by (bin, key), also where there is one bin only */
	const struct directive_set *directives; /* the module's own; NULL: none */

	/*
	 * Say which view is wanted: `vc` and o->fields come filled from o->common; change what
	 * the module decides otherwise (bins of its own step, flows where its table has them,
	 * fields in vc->aggregate that it needs beside those that are shown).
	 * May be NULL. Main thread, at load.
	 */
	int (*plan)(struct output *o, struct view_config *vc, struct err *e);

	/* Open; set o->priv. Main thread, at start. Refusing refuses the start. */
	int (*open)(struct output *o, struct err *e);

	/*
	 * Write a snapshot (OUTPUT_SNAPSHOTS; the output's own thread; may block). Account for
	 * every row in `r`. An error is logged and counted; the rows it names as refused are
	 * lost, and the books say so.
	 */
	int (*write)(struct output *o, const struct snapshot *s, struct output_result *r,
	    struct err *e);

	/* The view's ledger changed (OUTPUT_LEDGER; publisher's thread; be quick). May be NULL. */
	void (*ledger)(struct output *o, const struct ledger *l);

	void (*close)(struct output *o);
};

enum output_state { OUTPUT_OK, OUTPUT_FAILING };

struct output {
	const struct output_ops *ops;
	char name[64];                 /* the plugin's */
	const void *config;            /* the module's, filled from its directives */
	struct output_config common;
	struct field_set fields;       /* of its own `aggregate` */
	struct view *view;
	struct engine *engine;
	uint16_t n_columns;            /* KEY and ADD/OR/MIN/MAX fields, then flows where shown, */
	uint16_t columns[FIELD_COUNT]; /* packets, bytes: field_no in the order of output */
	void *priv;

	/* for people and the MIB */
	_Atomic int state;             /* enum output_state */
	_Atomic uint64_t rows, written, spooled, refused;
	_Atomic uint64_t errors;
	_Atomic uint64_t last_success; /* ns since 1970 */
	_Atomic uint32_t queued;       /* snapshots that wait */

	/* private: the queue and its thread */
	struct output_queue *queue;
};

/* The rows of struct output_config. */
extern const struct directive_set output_directives;

/*
 * Fill o->fields, o->columns and `vc` from o->common and the module's plan. Returns 0, or
 * -WEIR_EINVAL with `e`.
 */
int output_plan(struct output *o, struct view_config *vc, struct err *e);

/* Start and end the thread of an output that wants snapshots; stop writes what is queued. */
int output_start(struct output *o, struct err *e);
void output_stop(struct output *o);

/* Whether the queue takes another snapshot. Publisher's thread. */
bool output_has_room(const struct output *o);

/* Queue a snapshot (takes a reference of its own); waits for room. Publisher's thread. */
void output_push(struct output *o, struct snapshot *s);

#endif
