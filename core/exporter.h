/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exporter: a remote device that sends to us, keyed by (protocol, address, observation
 * domain). Exporters are shared by the workers; their number is bounded. Looking one up
 * takes no lock: each worker keeps a cache of pointers. What a protocol must remember of
 * an exporter (templates, options) hangs on it as `state`, which belongs to the collector.
 *
 * Anybody can send from any address, so when there are as many as may be, some that are
 * worth least are forgotten for those that come: who never sent a record, who was there
 * for a moment, who has been silent for an hour, in this order, and the longest silent
 * first. Who sends all the time is never one of them. A forgotten exporter is freed when
 * no worker can hold it any more and nobody has a reference; a worker may use one from
 * exporter_get until it says rcu_quiet (lib/rcu.h).
 */
#ifndef WEIR_CORE_EXPORTER_H
#define WEIR_CORE_EXPORTER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "core/iftable.h"
#include "core/sequence.h"
#include "core/stats.h"
#include "core/unknown.h"
#include "lib/clock.h"
#include "lib/ip.h"
#include "lib/log.h"
#include "lib/table.h"

enum exporter_kind { EXPORTER_NETFLOW, EXPORTER_SFLOW, EXPORTER_KINDS };

#define EXPORTER_COUNTS(X) \
	X(DATAGRAMS, "datagrams") X(OCTETS, "octets") X(RECORDS, "records") \
	X(MALFORMED, "malformed") X(NO_TEMPLATE, "no_template") \
	X(SEQUENCE_LOST, "sequence_lost") X(SEQUENCE_FOUND, "sequence_found") \
	X(SEQUENCE_LATE, "sequence_late") X(SEQUENCE_DUPLICATES, "sequence_duplicates") \
	X(SEQUENCE_RESETS, "sequence_resets") \
	X(TEMPLATES, "templates") X(TEMPLATE_CHANGES, "template_changes") \
	X(SAMPLES_LOST, "samples_lost") X(SAMPLES_FOUND, "samples_found") \
	X(SAMPLES_DROPPED, "samples_dropped")
enum exporter_count {
#define X(NAME, name) EXPORTER_##NAME,
	EXPORTER_COUNTS(X)
#undef X
	EXPORTER_N_COUNTS
};
extern const char *const exporter_count_names[EXPORTER_N_COUNTS];

/* What numbers its messages by itself. */
struct exporter_stream {
	uint32_t key;                /* the caller's */
	uint32_t boot_ms;            /* when it was started, by its uptime; wraps */
	bool boot_known;
	struct sequence sequence;
};

#define EXPORTER_STREAMS 4U
#define EXPORTER_ROOM    64U /* octets */

/* By what a sampling rate was announced. */
#define EXPORTER_RATES(X) \
	X(NONE, "none") X(HEADER, "header") X(OPTIONS, "options") X(RECORD, "record")
enum exporter_rate {
#define X(NAME, name) EXPORTER_RATE_##NAME,
	EXPORTER_RATES(X)
#undef X
	EXPORTER_N_RATES
};
extern const char *const exporter_rate_names[EXPORTER_N_RATES];

/*
 * One worker's part of an exporter, on cache lines of its own. Each message touches the
 * first line, and the one where the streams begin.
 */
struct exporter_part {
	_Alignas(64) _Atomic uint64_t last_seen; /* ns since 1970 */
	_Atomic uint64_t n[EXPORTER_N_COUNTS];
	_Atomic int32_t skew_ms;     /* its clock less ours, at its last message */
	struct log_limit limit;
	_Alignas(64) struct exporter_stream streams[EXPORTER_STREAMS]; /* last used first */
};

struct exporter {
	/* What messages look at, in one cache line. */
	uint64_t serial;             /* never of two exporters; never 0 */
	struct exporter *first;      /* of its kind and address: itself, or one that was there */
	_Atomic(void *) state;       /* the collector's */
	ip16_t addr;
	uint32_t domain;             /* source id, observation domain, sub-agent; engine in v5 */
	enum exporter_kind kind;
	_Atomic uint32_t version;    /* of its last datagram */
	_Atomic uint32_t sampling;   /* rate 1 in N that it announced; 0: none */
	_Atomic uint8_t sampling_by; /* enum exporter_rate */

	/* And in the next one, room that the collector may have for `state`. */
	_Alignas(64) uint8_t room[EXPORTER_ROOM];

	_Atomic uint32_t refs;
	uint32_t no;                 /* from 0, in the order of coming */
	uint64_t first_seen;         /* ns since 1970 */
	bool known_before;           /* by what outlived weir's last run */
	void (*state_free)(void *);
	struct unknown *unknown;     /* elements of its templates; owned, under `lock` */
	_Atomic(struct iftable *) interfaces; /* owned; NULL: it told of none */
	pthread_mutex_t lock;        /* for writers of `state` */
	unsigned n_parts;
	struct exporter_part parts[]; /* one per worker */
};

/* An element of a template that an exporter has told, whatever the collector makes of it. */
struct exporter_element {
	uint16_t template, no;       /* which template; from 1, its place there */
	uint16_t element, octets;    /* 65535: of any length */
	uint32_t enterprise;         /* 0: IANA's */
	bool options, scope;         /* of a template of options; of its scope */
	uint64_t told, heard;        /* ns since 1970: when the template came, was told last */
	uint64_t records;            /* of data that came for the template since */
};

struct exporters;

/*
 * A registry for `workers` workers and at most `max` exporters. `state_free[kind]` (may be
 * NULL) is called for the `state` of each when it goes. NULL when memory is short.
 */
struct exporters *exporters_new(unsigned workers, uint32_t max,
    void (*const state_free[EXPORTER_KINDS])(void *));
void exporters_free(struct exporters *x);

/* A worker's cache. */
struct exporter_cache {
	struct exporters *shared;
	uint64_t forgotten;          /* of `shared`, when the cache was last right */
	unsigned worker;             /* whose it is */
	struct stats *stats;         /* the worker's; NULL: nothing is counted */
	struct table table;
};
int exporter_cache_init(struct exporter_cache *c, struct exporters *x, struct err *e);
void exporter_cache_fini(struct exporter_cache *c);

/*
 * The exporter (kind, addr, domain), made when new; NULL when there are too many and all
 * are worth keeping. The worker's thread.
 */
struct exporter *exporter_get(struct exporter_cache *c, enum exporter_kind kind,
    const ip16_t *addr, uint32_t domain);

/* Forget some of those worth least, since memory is short. The worker's thread. */
void exporters_forget(struct exporter_cache *c);

/* How many there are. Any thread. */
uint32_t exporters_count(const struct exporters *x);

/* Number `i` of them, where nobody can forget one: in tests, or before workers run. */
struct exporter *exporters_at(const struct exporters *x, uint32_t i);

/* A number that is another one whenever somebody has come or gone. Any thread. */
uint64_t exporters_changes(const struct exporters *x);

/*
 * All there are, with a reference to each, in an array that exporters_give takes back.
 * NULL when memory is short. Any thread.
 */
struct exporter **exporters_take(struct exporters *x, uint32_t *n);
void exporters_give(struct exporter **list, uint32_t n);

/* Give a reference back. Any thread that holds no lock. */
void exporter_unref(struct exporter *x);

/* Count on the worker's own part. */
static inline void
exporter_add(struct exporter *x, unsigned worker, enum exporter_count i, uint64_t n)
{
	_Atomic uint64_t *c = &x->parts[worker].n[i];

	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
	    memory_order_relaxed);
}

/* The exporter announced the rate 1 in `rate` by `by`. Any thread. */
static inline void
exporter_rate_set(struct exporter *x, uint32_t rate, enum exporter_rate by)
{
	if (atomic_load_explicit(&x->sampling, memory_order_relaxed) == rate)
		return;
	atomic_store_explicit(&x->sampling, rate, memory_order_relaxed);
	atomic_store_explicit(&x->sampling_by,
	    (uint8_t)(rate != 0 ? by : EXPORTER_RATE_NONE), memory_order_relaxed);
}

/*
 * Note that a message says it was sent at `sent`, and came at `arrival` (ns since 1970).
 * What 32 bits of milliseconds do not hold stays at the end of their range.
 */
static inline void
exporter_skew_set(struct exporter *x, unsigned worker, uint64_t sent, uint64_t arrival)
{
	int64_t ms = (int64_t)(sent - arrival) / (int64_t)CLOCK_MS;

	ms = ms > INT32_MAX ? INT32_MAX : ms < INT32_MIN ? INT32_MIN : ms;
	atomic_store_explicit(&x->parts[worker].skew_ms, (int32_t)ms, memory_order_relaxed);
}

/* The exporter's clock less ours, in ms, by its latest message; 0: it does not tell. */
int32_t exporter_skew_ms(const struct exporter *x);

/*
 * Keep the counters of one of its interfaces that `x` told, in place of the last. False:
 * there is no room. The worker's thread.
 */
bool exporter_interface(struct exporter *x, const struct interface_counters *c);

/*
 * The last counters of all interfaces of `x`, by ascending index, for free(); `*n` of them,
 * NULL when there are none. Any thread, which has a reference to `x`.
 */
struct interface_counters *exporter_interfaces(const struct exporter *x, uint32_t *n);

/* The sum over workers. Any thread. */
uint64_t exporter_sum(const struct exporter *x, enum exporter_count i);
uint64_t exporter_last_seen(const struct exporter *x);

/* What was lost by the sequence numbers and not found since. Any thread. */
static inline uint64_t
exporter_missing(const struct exporter *x)
{
	uint64_t found = exporter_sum(x, EXPORTER_SEQUENCE_FOUND);
	uint64_t lost = exporter_sum(x, EXPORTER_SEQUENCE_LOST);

	return lost > found ? lost - found : 0;
}

/*
 * The stream `key` of a worker's part of an exporter. A stream is what numbers its
 * messages by itself: a version, in UDP a source port (RFC 7011 s10.3: a transport
 * session), whose datagrams all come to one worker. Of more than a few streams those
 * that were not used for the longest time are forgotten, and begin anew.
 */
struct exporter_stream *exporter_stream(struct exporter *x, unsigned worker,
    uint32_t key);

/*
 * Whether the sender was started since the stream's last message, which its clock and
 * its uptime (ms) tell together.
 */
bool exporter_restarted(struct exporter_stream *stream, uint32_t clock_s,
    uint32_t uptime_ms);

/* sequence_take, counted on the worker's part and in its `stats`. */
struct sequence_step exporter_sequence(struct exporter *x, unsigned worker,
    struct stats *stats, struct exporter_stream *stream, enum sequence_verdict verdict,
    uint32_t seq, uint32_t units, bool vague);

#endif
