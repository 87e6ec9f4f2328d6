/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * topn: reports of who has most. Each report has a view, a counter, an interval and a
 * size; whenever its interval is over, the rows that have counted most in it are ranked,
 * and stay as they are until the next one: whoever reads a report reads one moment. Several
 * managers may have reports of their own; one with a lease goes by itself when that is
 * not renewed. The publisher makes them; all of it is under one lock; any thread.
 */
#ifndef WEIR_CORE_TOPN_H
#define WEIR_CORE_TOPN_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

struct engine;
struct topns;

#define TOPN_SIZE     200U   /* ranks of a report */
#define TOPN_REPORTS  100U
#define TOPN_INTERVAL 86400U /* s */
#define TOPN_LEASE    (30U * 86400U)
#define TOPN_KEY      256U
#define TOPN_TEXT     64U

enum topn_metric { TOPN_BYTES = 1, TOPN_PACKETS = 2, TOPN_FLOWS = 3 };

/* The numbers are those of WEIR-MIB; status and storage those of RFC 2579. */
struct topn_config {
	uint32_t index;
	char view[TOPN_TEXT];    /* a plugin that has it */
	uint32_t metric;
	uint32_t interval;       /* s */
	uint32_t size;           /* ranks that are wanted */
	char owner[TOPN_TEXT];
	uint32_t lease;          /* s that it still lives; 0: for ever */
	uint32_t storage, status;
};

/* A report. */
struct topn_row {
	struct topn_config config; /* lease: what is left of it */
	uint64_t granted;        /* ranks that it can have */
	uint64_t serial;         /* reports so far */
	uint64_t generated;      /* ns since 1970: when this one was made; 0: there is none */
};

/* A rank of it. */
struct topn_entry {
	uint32_t index, rank;    /* of the report; from 1 */
	uint64_t id;             /* 62 bits: the row's index in SNMP */
	uint64_t value;          /* counted in the interval */
	uint64_t rate;           /* per second of it */
	uint64_t share;          /* thousandths of what the view counted in it */
	char key[TOPN_KEY];
};

void topn_defaults(struct topn_config *c);

/* NULL with `e` filled when memory is short. */
struct topns *topns_new(struct engine *en, struct err *e);
void topns_free(struct topns *t);

/* Whether `c` can be meant. Returns 0, or -WEIR_EINVAL with `e`. */
int topns_check(const struct topns *t, const struct topn_config *c, struct err *e);

/* Put the report `c` in the place of that of its index; it begins anew. As a batch of one. */
int topns_put(struct topns *t, const struct topn_config *c, struct err *e);

/*
 * Several changes, of different indexes, all or none: topns_prepare does all that can fail
 * (NULL with `e`; -WEIR_EEXIST, the configuration's; -WEIR_EFULL; -WEIR_EINVAL, active and
 * cannot be meant; -WEIR_ENOMEM), and nothing is seen of it until the batch is committed.
 * Either way it is gone then; before topns_free.
 */
struct topn_change {
	struct topn_config config; /* to put it so; */
	bool remove;             /* or to have it no more: then only the index counts */
};
struct topn_batch;
struct topn_batch *topns_prepare(struct topns *t, const struct topn_change *list, unsigned n,
    struct err *e);
void topns_commit(struct topns *t, struct topn_batch *b);
void topns_abandon(struct topns *t, struct topn_batch *b);

bool topns_get(struct topns *t, uint32_t index, struct topn_config *c);

/* Make the reports whose interval is over at `now`. The publisher's thread. */
void topns_look(struct topns *t, uint64_t now);

/* Another number whenever reports have come, gone or changed. */
uint64_t topns_changes(const struct topns *t);

/* Copies for the caller to free: by index; by index and rank. NULL: no memory. */
struct topn_row *topns_rows(struct topns *t, uint32_t *n);
struct topn_entry *topns_entries(struct topns *t, uint32_t *n);

#endif
