/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ifpoll: what the kernel counts on interfaces, asked for at intervals by a thread of its
 * own (the kernel may take its time, while somebody changes interfaces), for counter samples
 * of sFlow. Linux: rtnetlink(7), /sys/class/net.
 */
#ifndef WEIR_EXPORT_IFPOLL_H
#define WEIR_EXPORT_IFPOLL_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "proto/sflow_write.h"

#define IFPOLL_MAX 64U /* interfaces */

/* An interface as it was found last. */
struct ifpoll_entry {
	char name[IF_NAMESIZE];
	bool found;
	bool ethernet;                    /* the second block means something */
	struct sflow_interface generic;   /* speed 0: the kernel does not know it */
	struct sflow_ethernet errors;
};

/*
 * Ask the kernel for `e->name` and fill the rest. Returns whether there is such an interface.
 * May block for a second. `fd` is of ifpoll_socket.
 */
bool ifpoll_ask(int fd, struct ifpoll_entry *e);

/* A netlink socket, or -1 with errno set. */
int ifpoll_socket(void);

struct ifpoll;

/* Ask for `n` interfaces, now and then every `interval_s`. NULL with `e` filled. */
struct ifpoll *ifpoll_start(const char (*names)[IF_NAMESIZE], unsigned n, uint32_t interval_s,
    struct err *e);

/* End the thread and free. `p` may be NULL. */
void ifpoll_stop(struct ifpoll *p);

/*
 * What was found since the last call, into `to` (IFPOLL_MAX). Returns how many; 0 when there
 * is nothing new, or the thread is at it just now. Never blocks.
 */
unsigned ifpoll_take(struct ifpoll *p, struct ifpoll_entry *to);

#endif
