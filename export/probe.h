/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probe: what plugins that export flows have in common (nfprobe, sfprobe): their receivers, an
 * outbox for each worker, and the sender between them. It is the first member of what they
 * keep in output.priv. Life: probe_load, probe_open, probe_start, probe_close. The main thread,
 * where nothing else is said.
 */
#ifndef WEIR_EXPORT_PROBE_H
#define WEIR_EXPORT_PROBE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/output.h"
#include "export/outbox.h"
#include "export/receivers.h"
#include "export/sender.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "lib/ip.h"

#define PROBE_LINGER_NS (CLOCK_S / 4) /* a datagram that is not full waits so long */

/* Where to send and how, in the words of the directives that nfprobe and sfprobe have alike. */
struct probe_directives {
	const char *receivers, *receiver; /* a file of pools, or the one receiver */
	ip16_t source;
	uint32_t hop_limit, ip_precedence;
	uint64_t pipe_size;
};

struct probe {
	struct output *output;
	struct receivers_config config;
	_Atomic(struct receivers *) receivers; /* NULL: they had faults; others read RCU */
	_Atomic unsigned copies;     /* of each record: how many targets get it */
	unsigned n_workers;
	struct outbox *outboxes;     /* one for each */
	int wake_fd;
	_Atomic bool asleep;
	struct sender *sender;       /* NULL: it was never started */
};

/*
 * Read who the receivers are, as `d` and `c` say: the file or the one, and the options, are
 * filled into the latter. Faults go to `ps`. probe_close may be called in any case.
 */
void probe_load(struct probe *p, struct output *o, const struct probe_directives *d,
    const struct receivers_config *c, struct problems *ps);

/*
 * Make the outboxes, as `c` says (`patient`, `wake_fd` and `asleep` are filled in). Returns 0
 * or -WEIR_E... with `e`.
 */
int probe_open(struct probe *p, const struct outbox_config *c, struct err *e);

/*
 * Start to send, as `c` says (outboxes, receivers, `wake_fd` and `asleep` are filled in).
 * Returns 0 or -WEIR_E... with `e`.
 */
int probe_start(struct probe *p, const struct sender_config *c, struct err *e);

/* The workers have ended: what is left is sent by and by. */
void probe_end(struct probe *p);

/* Send what is in the outboxes, and close. The workers have ended. */
void probe_close(struct probe *p);

/*
 * Read the receivers anew, where they are in a file, and send to these from now on. Faults go
 * to `ps`, and change nothing. Returns whether they are others now.
 */
bool probe_renew(struct probe *p, struct problems *ps);

/* Count `*refused` records that found no room or no form, and set it to 0. Any thread. */
void probe_refuse(struct probe *p, uint64_t *refused);

/* output_ops.targets. */
void probe_targets(const struct output *o,
    void (*each)(void *arg, const struct output_target *t), void *arg);

#endif
