/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * output: a door out. An output asks for a view (its fields, bins and refresh) and either
 * gets that view's snapshots on a thread of its own, through a bounded queue, or listens
 * to its ledger. Or it asks for no view, but for flows as they come (core/feed.h), or for what
 * exporters send, before it is decoded. Registering one is a row in daemon/doors.c.
 *
 * Life: directives -> plan -> (view chosen or shared) -> open -> write ... -> close.
 */
#ifndef WEIR_CORE_OUTPUT_H
#define WEIR_CORE_OUTPUT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "core/collector.h"
#include "core/datagram.h"
#include "core/snapshot.h"
#include "core/view.h"
#include "flow/flow.h"
#include "flow/frame.h"
#include "flow/text.h"
#include "lib/directive.h"
#include "lib/err.h"
#include "lib/log.h"
#include "rules/batch.h"
#include "rules/rules.h"

struct engine;
struct output;
struct tagging;

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
	OUTPUT_DATAGRAMS,  /* relay() for each; no view */
	OUTPUT_FLOWS,      /* feed() for each batch; no view */
};

/*
 * Flows for an OUTPUT_FLOWS: those of a batch that its rules let through and its sample met,
 * tagged. Good for the call.
 */
struct output_flows {
	const struct flow *flows;   /* in order; members that nobody needs are garbage */
	unsigned n;                 /* 1 to FLOW_BATCH */
	enum flow_source source;
	const struct frame *frames; /* one for each, as o->frame_octets says; `octets` NULL where
	                             * there is none; NULL: none at all */
	uint64_t pool;              /* packets so far that this worker's were sampled from */
};

/* What became of the rows of a snapshot; the books of outputs. */
struct output_result {
	uint64_t rows;      /* handed over, other rows included */
	uint64_t written;
	uint64_t spooled;
	uint64_t refused;
	uint64_t lost;      /* of the refused: because something failed, not as a rule said */
	bool idle;          /* nothing was to be done, so that a fault may still be there */
};

/* A place that an output sends to, for people. */
struct output_target {
	const char *name;    /* "192.0.2.1:2100" */
	uint32_t pool;       /* number that the operator gave; 0: none */
	bool resolved;       /* its address is known */
	uint64_t sent, octets, unsent; /* datagrams, their octets, those that were not sent */
	uint64_t refusals;   /* times that it, or the way there, refused datagrams */
	const char *reasons; /* of `unsent`: "no_room 3, too_long 1" */
};

struct output_ops {
	const char *type;                      /* "print", "sqlite3", "snmp" */
	enum output_wants wants;
	bool outlives;                         /* its ledger goes on after a restart */
	bool sorted;                           /* by (bin, key), also where there is one bin only */
	bool spools;                           /* write() only takes rows: see output_account */
	const struct directive_set *directives; /* the module's own; NULL: none */

	/*
	 * Say which view is wanted: `vc` and o->fields come filled from o->common; change what
	 * the module decides otherwise (bins of its own step, flows where its table has them,
	 * fields in vc->aggregate that it needs beside those that are shown). Of OUTPUT_FLOWS
	 * only vc->aggregate and o->frame_octets matter.
	 * May be NULL. Main thread, at load.
	 */
	int (*plan)(struct output *o, struct view_config *vc, struct err *e);

	/*
	 * Why directive `name`, which the configuration sets for a plugin of this type with
	 * `common` and the module's `config`, has no effect, and what to write instead: a part
	 * of a sentence. NULL: it has its effect. May be NULL. Main thread, at load.
	 */
	const char *(*idle)(const struct output_ops *ops, const struct output_config *common,
	    const void *config, const char *name);

	/*
	 * Read the files that the configuration names; may set o->priv, which close frees.
	 * Faults go to `ps`. Main thread, at load. May be NULL.
	 */
	void (*load)(struct output *o, struct problems *ps);

	/* Read them anew; one with faults changes nothing. Main thread, while all runs. */
	void (*reload)(struct output *o, struct problems *ps);

	/*
	 * Warn of what cannot have been meant, when all that was configured has been read, as
	 * watches have. Main thread, at load and after each reload. May be NULL.
	 */
	void (*look)(const struct output *o, struct problems *ps);

	/*
	 * Open; set o->priv. Main thread, at start, when the doors in are open. Refusing
	 * refuses the start.
	 */
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

	/*
	 * Take export datagram `d` of `kind` (OUTPUT_DATAGRAMS; the thread of worker number
	 * `worker`; must not block). Its octets stay until `flush`, which follows soon.
	 */
	void (*relay)(struct output *o, unsigned worker, enum collector_kind kind,
	    const struct datagram *d);
	void (*flush)(struct output *o, unsigned worker);

	/*
	 * Take flows (OUTPUT_FLOWS; the thread of worker number `worker`; must not block). Their
	 * members are filled as o->fields and vc->aggregate of `plan` say.
	 */
	void (*feed)(struct output *o, unsigned worker, const struct output_flows *f);

	/*
	 * `n` flows (to FLOW_BATCH) that were fed before are of another class than was known
	 * then: as they are now. Its thread; must not block. May be NULL.
	 */
	void (*learn)(struct output *o, unsigned worker, const struct flow *flows, unsigned n);

	/*
	 * Do what is due at `now` (OUTPUT_FLOWS, OUTPUT_DATAGRAMS; ns since 1970; by the time in
	 * the file where one is read): after each piece of work of the worker, and once a second when there is
	 * none. Its thread; must not block. After the last of it comes `close`. May be NULL.
	 */
	void (*tick)(struct output *o, unsigned worker, uint64_t now);

	/* Call `each` for each target. Any thread, while open. NULL where there are none. */
	void (*targets)(const struct output *o,
	    void (*each)(void *arg, const struct output_target *t), void *arg);

	/* Start threads of its own, if it has any; close() ends them. Main thread. May be NULL. */
	int (*start)(struct output *o, struct err *e);

	/*
	 * weir ends: no wait of write() may take longer than a second from now on. Main thread;
	 * may be NULL.
	 */
	void (*hurry)(struct output *o);

	void (*close)(struct output *o);
};

#define OUTPUT_FAILURE 512U /* octets of what is said of a fault */

enum output_state { OUTPUT_OK, OUTPUT_FAILING };

struct output {
	const struct output_ops *ops;
	char name[64];                 /* the plugin's */
	const void *config;            /* the module's, filled from its directives */
	struct output_config common;
	struct field_set fields;       /* of its own `aggregate` */
	struct view *view;             /* NULL for OUTPUT_DATAGRAMS and OUTPUT_FLOWS */
	struct feed *feeds;            /* OUTPUT_FLOWS: one for each worker of the engine */
	uint32_t sampling_rate;        /* OUTPUT_FLOWS: one packet in so many; 0: all */
	uint32_t frame_octets;         /* OUTPUT_FLOWS: set in `plan`: as far as it looks at frames
	                                * of Ethernet, and at all of others; 0: not at all */
	struct rules_config rules;     /* what its directives say; OUTPUT_DATAGRAMS sees to it itself */
	struct tagging *tags;          /* OUTPUT_DATAGRAMS: its pre_tag_map; NULL: none */
	struct engine *engine;
	uint16_t n_columns;            /* KEY and ADD/OR/MIN/MAX fields, then flows where shown, */
	uint16_t columns[FIELD_COUNT]; /* packets, bytes: field_no in the order of output */
	void *priv;

	/* for people and the MIB */
	_Atomic int state;             /* enum output_state */
	pthread_mutex_t lock;          /* held while the four are counted: they belong together */
	_Atomic uint64_t rows, written, spooled, refused;
	_Atomic uint64_t lost;         /* of the refused: as struct output_result has it */
	_Atomic uint64_t errors;
	_Atomic uint64_t last_success; /* ns since 1970 */
	_Atomic uint32_t queued;       /* snapshots that wait */
	_Atomic uint64_t waiting;      /* batches in its spool, */
	_Atomic uint64_t waiting_octets; /* how long they are, */
	_Atomic uint64_t waiting_since; /* and since when the oldest waits, ns since 1970; 0: none */
	_Atomic bool stalled;          /* the module takes no more now: rows stay in the view */

	/* private: the queue and its thread, */
	struct output_queue *queue;
	/* what was said last of a fault, whether it was since the output works no more, */
	char said[OUTPUT_FAILURE];
	bool told;
	struct log_limit limit;        /* of lines about faults */
	uint64_t failing, failing_at;  /* faults since then, and when the first was: ns since 1970 */
	char failure[OUTPUT_FAILURE];  /* what failed last, which may be said otherwise, */
	uint64_t failed_at;            /* and when: ns since 1970; 0: never */
};

/* The rows of struct output_config. */
extern const struct directive_set output_directives;

/* An output without a view yet; NULL when memory is short. What is passed is borrowed. */
struct output *output_new(const struct output_ops *ops, const char *name,
    const struct output_config *common, const void *config);

/* Close it, if it is open. Main thread, when no other uses it. */
void output_close(struct output *o);

/* Closes it, too. */
void output_free(struct output *o);

/*
 * Fill o->fields, o->columns and `vc` from o->common and the module's plan. Returns 0, or
 * -WEIR_EINVAL with `e`.
 */
int output_plan(struct output *o, struct view_config *vc, struct err *e);

/* Count what became of rows, or of datagrams. Any thread. */
void output_count(struct output *o, const struct output_result *r);

/* Start and end the thread of an output that wants snapshots; stop writes what is queued. */
int output_start(struct output *o, struct err *e);
void output_stop(struct output *o);

/* The end comes: do not wait for others any more. Before output_stop; once or more often. */
void output_hurry(struct output *o);

/*
 * The books of an output that spools, whose write() leaves its result empty: what is in `r`
 * happened, and `unspooled` rows are no longer in the spool. Any thread.
 */
void output_account(struct output *o, const struct output_result *r, uint64_t unspooled);

/*
 * It works, or fails because of `e`; said when that changes or `e` is another, but a few
 * times a minute at most. When it works again, how often it had failed. Any thread.
 */
void output_works(struct output *o);
void output_fails(struct output *o, const struct err *e);

/* It fails, too, because of `e`, which has been logged already. Any thread. */
void output_failed(struct output *o, const struct err *e);

/*
 * What it was that failed last, to `buf`, and when, in ns since 1970; 0 and an empty text
 * where nothing has. Any thread.
 */
uint64_t output_failure(struct output *o, char *buf, size_t room);

/* The module takes no more rows now, because of `e` (NULL: takes them again). Any thread. */
void output_stalls(struct output *o, const struct err *e);

/* Whether the queue takes another snapshot. Publisher's thread. */
bool output_has_room(const struct output *o);

/* Queue a snapshot (takes a reference of its own); waits for room. Publisher's thread. */
void output_push(struct output *o, struct snapshot *s);

#endif
