/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * collector: a door in. Each worker that takes part has its own instance (its own socket,
 * its own capture ring), so instances share nothing. Registering one is a row in
 * daemon/doors.c.
 */
#ifndef WEIR_CORE_COLLECTOR_H
#define WEIR_CORE_COLLECTOR_H

#include <stdatomic.h>
#include <stdint.h>

#include "core/exporter.h"
#include "core/pipeline.h"
#include "lib/err.h"

enum collector_kind { COLLECTOR_PCAP, COLLECTOR_NETFLOW, COLLECTOR_IPFIX, COLLECTOR_SFLOW };

enum collector_state {
	COLLECTOR_IDLE,  /* nothing to read just now: wait for `fd` */
	COLLECTOR_BUSY,  /* there may be more: call again */
	COLLECTOR_DONE,  /* a file at its end, or a door that broke; not called again */
};

struct collector;

struct collector_ops {
	const char *name;            /* "pcap", "netflow", "sflow" */
	enum collector_kind kind;

	/*
	 * Open instance `c` of this worker: set `fd`, `priv` and `where`. Main thread, at
	 * start. Returns 0, or -WEIR_E... with `e` filled: weir then refuses to start.
	 */
	int (*open)(struct collector *c, struct err *e);

	/*
	 * Take what is there, a bounded piece of work (some thousand records), and feed it to
	 * c->pipeline. The worker's thread; must not block.
	 */
	enum collector_state (*read)(struct collector *c);

	/* Refresh kernel drop counters into the stats. The worker's thread, about once a second. */
	void (*poll_drops)(struct collector *c);

	/* The last read was: feed what is held back. The worker's thread. NULL: nothing is. */
	void (*finish)(struct collector *c);

	/* Release everything. After the worker has ended. */
	void (*close)(struct collector *c);
};

struct collector {
	const struct collector_ops *ops;
	const void *config;             /* the module's, filled from its directives */
	char where[128];                /* "eth0", "[::]:2100", a path: for people */
	int fd;                         /* poll for input on it; -1: always ready */
	_Atomic bool done;              /* the worker writes; others may look */
	bool follows_file_time;         /* a file: its records' times are the present */
	void *priv;
	struct pipeline *pipeline;
	struct exporter_cache *exporters; /* the worker's */
	_Atomic uint64_t horizon;       /* follows_file_time: no record older than this is to come */
	_Atomic uint64_t unsettled;     /* the class of records from then on (ns since 1970) may still
	                                 * change; 0: none's */
	_Atomic uint64_t last_seen;     /* ns since 1970, of the last input */
	_Atomic uint64_t units;         /* frames or datagrams taken */
	_Atomic uint64_t octets;
	_Atomic uint64_t drops;         /* by the kernel */
	_Atomic uint64_t errors;        /* that could not be decoded */
	_Atomic uint64_t versions;      /* of those, of a version that is not taken here */
	_Atomic uint64_t waiting;       /* sets that wait for their template now */
	_Atomic uint64_t crowded;       /* of those, let go since too many waited */
};

/* Count on a counter that only this thread writes. */
static inline void
counter_add(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
	    memory_order_relaxed);
}

#endif
