/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exporter: a remote device that sends to us, keyed by (protocol, address, observation
 * domain). Exporters are shared by the workers and never go away while weir runs; their
 * number is bounded. Looking one up takes no lock: each worker keeps a cache of pointers.
 * What a protocol must remember of an exporter (templates, sequence numbers) hangs on it
 * as `state`, which belongs to the collector.
 */
#ifndef WEIR_CORE_EXPORTER_H
#define WEIR_CORE_EXPORTER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "lib/ip.h"
#include "lib/log.h"
#include "lib/table.h"

enum exporter_kind { EXPORTER_NETFLOW, EXPORTER_SFLOW, EXPORTER_KINDS };

#define EXPORTER_COUNTS(X) \
	X(DATAGRAMS, "datagrams") X(OCTETS, "octets") X(RECORDS, "records") \
	X(MALFORMED, "malformed") X(NO_TEMPLATE, "no_template") \
	X(SEQUENCE_LOST, "sequence_lost") X(SEQUENCE_RESETS, "sequence_resets") \
	X(TEMPLATES, "templates") X(TEMPLATE_CHANGES, "template_changes")
enum exporter_count {
#define X(NAME, name) EXPORTER_##NAME,
	EXPORTER_COUNTS(X)
#undef X
	EXPORTER_N_COUNTS
};
extern const char *const exporter_count_names[EXPORTER_N_COUNTS];

/* One worker's part of an exporter, on cache lines of its own. */
struct exporter_part {
	_Alignas(64) _Atomic uint64_t n[EXPORTER_N_COUNTS];
	_Atomic uint64_t last_seen;  /* ns since 1970 */
	uint32_t next_seq;           /* expected; host order */
	bool seq_known;
	struct log_limit limit;
};

struct exporter {
	uint32_t no;                 /* from 0, in the order of coming */
	enum exporter_kind kind;
	ip16_t addr;
	uint32_t domain;             /* source id, observation domain, sub-agent; engine in v5 */
	_Atomic uint32_t version;    /* of its last datagram */
	_Atomic uint32_t sampling;   /* rate 1 in N that it announced; 0: none */
	uint64_t first_seen;         /* ns since 1970 */
	_Atomic(void *) state;       /* the collector's */
	pthread_mutex_t lock;        /* for writers of `state` */
	unsigned n_parts;
	struct exporter_part *parts; /* one per worker */
};

struct exporters;

/*
 * A registry for `workers` workers and at most `max` exporters. `state_free[kind]` (may be
 * NULL) is called for the `state` of each when the registry goes. NULL when memory is short.
 */
struct exporters *exporters_new(unsigned workers, uint32_t max,
    void (*const state_free[EXPORTER_KINDS])(void *));
void exporters_free(struct exporters *x);

/* A worker's cache. */
struct exporter_cache {
	struct exporters *shared;
	struct table table;
};
int exporter_cache_init(struct exporter_cache *c, struct exporters *x, struct err *e);
void exporter_cache_fini(struct exporter_cache *c);

/*
 * The exporter (kind, addr, domain), made when new; NULL when there are too many. The
 * worker's thread.
 */
struct exporter *exporter_get(struct exporter_cache *c, enum exporter_kind kind,
    const ip16_t *addr, uint32_t domain);

/* How many there are, and number `no` of them. Any thread. */
uint32_t exporters_count(const struct exporters *x);
struct exporter *exporters_at(const struct exporters *x, uint32_t no);

/* Count on the worker's own part. */
static inline void
exporter_add(struct exporter *x, unsigned worker, enum exporter_count i, uint64_t n)
{
	_Atomic uint64_t *c = &x->parts[worker].n[i];

	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
	    memory_order_relaxed);
}

/* The sum over workers. Any thread. */
uint64_t exporter_sum(const struct exporter *x, enum exporter_count i);
uint64_t exporter_last_seen(const struct exporter *x);

/*
 * Compare the sequence number `seq` of a message that counts `units` with what was
 * expected from this exporter; gaps and resets are counted on its part. Returns how many
 * units are missing (0 when none, or when it jumped back).
 */
uint32_t exporter_sequence(struct exporter *x, unsigned worker, uint32_t seq,
    uint32_t units);

#endif
