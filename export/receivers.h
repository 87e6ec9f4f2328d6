/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * receivers: the operator's pools of receivers (tee_receivers). A datagram goes to every
 * pool; there to every receiver, or, in a pool that balances, to one of them. Made by the
 * main thread, used by all workers; replaced whole when the file is read anew.
 */
#ifndef WEIR_EXPORT_RECEIVERS_H
#define WEIR_EXPORT_RECEIVERS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "export/target.h"
#include "lib/directive.h"
#include "lib/err.h"

enum balance {
	BALANCE_NONE,       /* every receiver gets it */
	BALANCE_RR,         /* one after the other */
	BALANCE_HASH_AGENT, /* one exporter always the same, by its address */
};

struct pool {
	uint32_t id;
	enum balance balance;
	struct target_options options;
	unsigned n;
	struct target *targets;
	_Atomic uint32_t turn; /* BALANCE_RR: datagrams so far */
};

struct receivers {
	unsigned n_pools, n_targets;
	struct pool *pools;
	/* private: the thread that looks up names */
	pthread_t resolver;
	bool resolving;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	_Atomic bool stop;
};

#define RECEIVERS_RETRY_S 30U /* between two tries to resolve names */

/*
 * Load `path`: a line is id=N ip=HOST:PORT[,HOST:PORT...] and, as it may be, balance-alg=rr
 * (hash-agent, hash-crc32), src_port=N. `port` is that of receivers without one; `base` how
 * sockets are made where the pool says nothing else. Faults go to `ps` with file:line. NULL
 * with `e` filled when the file cannot be read.
 */
struct receivers *receivers_load(const char *path, uint16_t port,
    const struct target_options *base, struct problems *ps, struct err *e);

/* A pool of one receiver, `text`. NULL with `e` filled. */
struct receivers *receivers_one(const char *text, uint16_t port,
    const struct target_options *base, struct err *e);


/*
 * Start a thread that looks up names, where there are any; one that cannot be looked up is
 * said once and tried again. Returns 0, or -WEIR_EIO with `e` filled.
 */
int receivers_start(struct receivers *r, struct err *e);

void receivers_free(struct receivers *r);

#endif
