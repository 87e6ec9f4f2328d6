/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fanout: the sockets of the workers on one interface, among which the kernel deals the
 * packets out (packet(7), PACKET_FANOUT). One for each interface and direction; workers
 * join when they open it and leave when they close it, each on its own thread.
 *
 * The kernel deals by a hash that is the same in both directions of a flow, so that a
 * worker has both. Of fragments it looks at the addresses alone: those of one datagram
 * meet on one worker, though not always on that of the flow's whole packets. The kernel could
 * put datagrams together first (PACKET_FANOUT_FLAG_DEFRAG), but would then hand over one
 * packet where the interface saw several: it is not asked to, and packets and octets are
 * counted as they came.
 */
#ifndef WEIR_COLLECTORS_FANOUT_H
#define WEIR_COLLECTORS_FANOUT_H

#include <stdint.h>

struct fanout;

/* NULL when there is no memory. */
struct fanout *fanout_new(void);
void fanout_free(struct fanout *g);

/*
 * Make `fd`, a packet socket that is bound, a member. The first one founds a group whose
 * id nobody else on this host has; so does one that finds the others on an interface that
 * has gone and come back. Returns the generation to leave by, or 0 with errno.
 */
uint32_t fanout_join(struct fanout *g, int fd);

/* The socket that joined is closed; `generation` may be 0. */
void fanout_leave(struct fanout *g, uint32_t generation);

#endif
