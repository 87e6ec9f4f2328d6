/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link: the connection with the master, as the library's transport, whose socket it is, reads
 * and writes it (agent/requests.c). Nobody is waited for without an end, and nothing comes out
 * of its order: what is read while there is no room to send is kept for the next reading. The
 * agent's thread.
 */
#ifndef WEIR_AGENT_LINK_H
#define WEIR_AGENT_LINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/wire.h"

struct link {
	int fd;
	const _Atomic bool *over;     /* the thread shall end; NULL: nobody says so */
	/* Where the library is in what the master sends. */
	uint8_t head[WIRE_HEADER + WIRE_RESPONSE]; /* of a PDU and what follows, of which it has */
	size_t n_head;                /* only so many octets of the header yet; */
	size_t owed;                  /* then, those that follow the header, */
	size_t n_body;                /* and how many of them are in `head` */
	/* Called with `head` when it is whole, of each PDU that is as long; NULL: nobody is. */
	void (*begins)(void *arg, const uint8_t *head);
	void *arg;
	size_t n_held;                /* octets that are read and not yet looked at */
	uint8_t held[1 << 18];
};

/*
 * Send all of it. A master that has not taken it after some seconds, however much of it, has no
 * more of this thread's time, nor has one that would have to be waited for when the thread
 * shall end: the connection is shut then, and false returned.
 */
bool link_send(struct link *l, const uint8_t *p, size_t n);

/* As recv, without waiting: first what was read before its time. */
ssize_t link_receive(struct link *l, void *buf, size_t room);

/*
 * The library gets these octets: follow where PDUs begin in them. False when one begins that
 * says that it is longer than any can be, for all of which the library would have room.
 */
bool link_follow(struct link *l, const uint8_t *p, size_t n);

/* Whether the library has whole PDUs only. */
static inline bool
link_is_between(const struct link *l)
{
	return l->owed == 0 && l->n_head == 0;
}

#endif
