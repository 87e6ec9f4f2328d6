/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * templates: the templates that one exporter has told, by protocol version and id.
 * Workers look them up without a lock and hold what they found until they are quiet
 * (lib/rcu.h); who puts a template in holds a lock of the caller's. What was replaced
 * is collected in a struct templates_old, to be retired after the lock is given back.
 *
 * Everything in here comes from datagrams whose sender nobody vouches for, so it is
 * bounded: here per exporter, and in template_pool.h, where the templates come from and
 * go back to, for all exporters of the process together. When an exporter has as many as may be, some are forgotten for the new one: those that no data ever came
 * for, then those that none came for in an hour, the oldest first.
 */
#ifndef WEIR_PROTO_TEMPLATES_H
#define WEIR_PROTO_TEMPLATES_H

#include <stdatomic.h>
#include <stdint.h>

#include "proto/template.h"

#define TEMPLATES_MAX         4096U                  /* of one exporter */
#define TEMPLATES_OCTETS      (UINT64_C(2) << 20)    /* of one exporter */
#define TEMPLATES_UNUSED_S    3600U                  /* without data: may be forgotten */

struct templates_slots;
struct templates_gone;

struct templates {
	/* private */
	struct templates_slots *_Atomic slots;
	_Atomic uint32_t n;
	uint64_t octets;
};

/* What was replaced or taken out: each may be NULL. */
struct templates_old {
	struct template *template;
	struct templates_slots *slots;
	struct templates_gone *gone;
};

/* Make `ts` an empty table. Returns 0 or -WEIR_ENOMEM. */
int templates_init(struct templates *ts);

/* Free what is in the table; nobody looks any more. */
void templates_fini(struct templates *ts);

/*
 * The template that sets of `id` in messages of `kind` (options or not) follow, or
 * NULL. Valid until the thread says rcu_quiet.
 */
const struct template *templates_find(const struct templates *ts,
    enum template_kind kind, uint16_t id);

/* The same, when data comes for it at `now_s`, seconds of any steady clock. */
const struct template *templates_use(const struct templates *ts,
    enum template_kind kind, uint16_t id, uint32_t now_s);

/* The template that is there was told once more, at `now_s`. */
void templates_hear(const struct templates *ts, enum template_kind kind, uint16_t id,
    uint32_t now_s);

/*
 * `n` data records came for `t`, which templates_use gave; where another has taken its place
 * meanwhile they are nobody's. One locked instruction: once for each set.
 */
void templates_count_records(const struct templates *ts, const struct template *t, uint64_t n);

/* Of a template of an exporter. */
struct template_life {
	uint32_t told, heard; /* when it came, and was told last, by the clock of templates_put */
	uint64_t records; /* of data since it came; a few less, where others have come or gone */
};

/* Of `t`, which is one of them. Under the caller's lock. */
struct template_life templates_life(const struct templates *ts, const struct template *t);

/*
 * Put `t`, which template_pool_get gave and which is taken on success, told at `now_s`,
 * in place of the one with its version and id. Under the caller's lock. Returns how many
 * others were forgotten for it, with `*old` to be retired; -WEIR_EFULL when all of the
 * exporter's are in use, or -WEIR_ENOMEM.
 */
int templates_put(struct templates *ts, struct template *t, uint32_t now_s,
    struct templates_old *old);

/*
 * Take out what a withdrawal in a set of `kind` names: the template `id`, or all of that
 * kind when `id` is that of the set itself (RFC 7011 s8.1). Under the caller's lock.
 * Returns how many, with `*old` to be retired, or -WEIR_ENOMEM.
 */
int templates_withdraw(struct templates *ts, enum template_kind kind, uint16_t id,
    struct templates_old *old);

/* Call `fn` for each template, in no order. Under the caller's lock. */
void templates_each(const struct templates *ts,
    void (*fn)(const struct template *t, void *arg), void *arg);

/* Free what was replaced when no worker can see it. Without a lock held: may wait. */
void templates_retire(const struct templates_old *old);

/* How many there are. */
uint32_t templates_count(const struct templates *ts);

#endif
