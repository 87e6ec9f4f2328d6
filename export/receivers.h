/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * receivers: the operator's pools of receivers (tee_receivers, nfprobe_receivers,
 * sfprobe_receivers). A datagram goes to every pool, of tee to those that take its tag; there to
 * every receiver, or, in a pool that balances, to one of them. Made by the main thread, used by
 * tee's workers or a probe's sender; replaced whole when the file is read anew.
 */
#ifndef WEIR_EXPORT_RECEIVERS_H
#define WEIR_EXPORT_RECEIVERS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/output.h"
#include "export/target.h"
#include "lib/directive.h"
#include "lib/err.h"

enum balance {
	BALANCE_NONE,       /* every receiver gets it */
	BALANCE_RR,         /* one after the other */
	BALANCE_HASH_AGENT, /* one exporter always the same, by its address */
	BALANCE_HASH_TAG,   /* one tag always the same: receiver number tag % n */
	BALANCE_HASH,       /* two hosts always the same, by their addresses (of flows) */
	BALANCE_FAILOVER,   /* the first that is there (of flows) */
};

struct tagfilter;

struct pool {
	uint32_t id;
	enum balance balance;
	struct tagfilter *tags; /* which tags it takes; NULL: all; owned */
	struct target_options options;
	unsigned n;
	struct target **targets;
	_Atomic uint32_t turn; /* BALANCE_RR: datagrams so far */
};

struct receivers {
	const char *directive; /* that names them, for messages */
	unsigned n_pools, n_targets;
	struct pool *pools;
	bool tagged; /* some pool wants to know the tags of what it gets */
	/* private: the thread that looks up names, which may outlive receivers_free */
	struct target_options base; /* as it was asked for */
	bool resolving;
	_Atomic unsigned refs;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	unsigned said; /* names that have no address: lines about them */
	_Atomic bool stop; /* set under `lock` */
};

#define RECEIVERS_RETRY_S 30U  /* between two tries to resolve names */
#define RECEIVERS_AGAIN_S 600U /* between two looks whether a name has another address; but as often
                                * as those where something is wrong with the way there */

/* The directives that name receivers. */
enum receivers_of { RECEIVERS_OF_DATAGRAMS, RECEIVERS_OF_FLOWS, RECEIVERS_OF_SAMPLES };

/* What the directives say of them. */
struct receivers_config {
	enum receivers_of of;
	const char *file, *one;        /* of pools, or the one receiver */
	uint16_t port;                 /* of receivers that name none */
	struct target_options options; /* how sockets are made */
	/* What else is wrong with `r`, also when they are read anew, to `ps`; NULL: nothing. */
	void (*check)(const struct output *o, const struct receivers *r, struct problems *ps);
};

/* Read them, as receivers_load or receivers_one. Faults go to `ps`; NULL when there are some. */
struct receivers *receivers_read(
    const struct receivers_config *c, const struct output *o, struct problems *ps);

/*
 * Read the file anew. A target that stays, by its name and the port that it is sent to from,
 * is the same one as in `before`, with its socket and its counts; its name is looked up soon.
 * NULL where there is no file, or faults, which go to `ps`.
 */
struct receivers *receivers_reread(const struct receivers_config *c, const struct output *o,
    const struct receivers *before, struct problems *ps);

/*
 * `r`, which nobody has seen, has the targets of `before` in place of those that are the same.
 * Returns 0, or -WEIR_ENOMEM with `e`.
 */
int receivers_adopt(struct receivers *r, const struct receivers *before, struct err *e);

/* Free them when nobody who reads RCU can see them any more. */
void receivers_drop(struct receivers *r);

/* Returns 0, or -WEIR_EINVAL with `e` when one of them is this weir itself. */
int receivers_refuse_self(const struct receivers *r, const struct output *o, struct err *e);

/*
 * Load `path`: a line is id=N ip=HOST:PORT[,HOST:PORT...] and, as it may be, balance-alg=rr
 * (hash-agent, hash-crc32; of datagrams hash-tag; of flows hash, failover), tag=LIST (of
 * datagrams), src_port=N. `port` is that of receivers without one; `base` how
 * sockets are made where the pool says nothing else. Faults, one of which is that there is
 * no receiver, go to `ps` with file:line. NULL with `e` filled when the file cannot be read.
 */
struct receivers *receivers_load(enum receivers_of of, const char *path, uint16_t port,
    const struct target_options *base, struct problems *ps, struct err *e);

/* A pool of one receiver, `text`. NULL with `e` filled. */
struct receivers *receivers_one(enum receivers_of of, const char *text, uint16_t port,
    const struct target_options *base, struct err *e);

/*
 * Start a thread that looks up names, and addresses that no way led to, where there are any; one
 * that cannot be looked up is said once and tried again. Returns 0, or -WEIR_EIO with `e`.
 */
int receivers_start(struct receivers *r, struct err *e);

/*
 * Nobody sends to them any more. Never waits: a thread that the resolver keeps ends when
 * that answers, and the rest goes with it; what `base` of receivers_load points to is not
 * looked at from here on. Any thread. `r` may be NULL.
 */
void receivers_free(struct receivers *r);

/* What people see of targets, at one moment. */
struct receivers_seen {
	unsigned n;
	struct shown *list;
};

/* Take it; none when memory is short. Any thread, while `r` stays. */
void receivers_see(const struct receivers *r, struct receivers_seen *seen);

/* Tell it, as output_ops.targets does, and forget it. */
void receivers_show(struct receivers_seen *seen,
    void (*each)(void *arg, const struct output_target *t), void *arg);

#endif
