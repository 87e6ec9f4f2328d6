/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream: a target's TCP connection, for IPFIX (RFC 7011 s10.4). It is made and kept without
 * ever waiting; while there is none, or its buffer is full, messages are not sent. A message
 * goes whole or not at all; it counts as sent, in the target and with its records, once the
 * kernel has all of it, and as not sent where the connection breaks before. One thread.
 */
#ifndef WEIR_EXPORT_STREAM_H
#define WEIR_EXPORT_STREAM_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "export/target.h"
#include "lib/err.h"

struct stream;

/* `t` is borrowed, and gives the address. NULL with `e` filled. */
struct stream *stream_new(struct target *t, const struct target_options *o, struct err *e);
void stream_free(struct stream *s);

bool stream_is_open(const struct stream *s);

/* Whether it is another connection than when this was asked last: nothing was told there. */
bool stream_is_new(struct stream *s);

/*
 * Send a message of two parts, with `records`; what the kernel does not take by stream_turn
 * waits. Returns false where there is no connection, or no room.
 */
bool stream_send(struct stream *s, const struct iovec parts[2], unsigned records);

/* Connect when it is time to, see how a connection does, send what is left over. */
void stream_turn(struct stream *s);

/* What became of records since this was asked last. */
struct stream_result {
	uint64_t written, refused;
};
struct stream_result stream_settle(struct stream *s);

/* What to wait for; false: nothing. */
bool stream_poll(const struct stream *s, struct pollfd *fd);

/* Octets that wait. */
size_t stream_waiting(const struct stream *s);

#define STREAM_BUFFER (1U << 20) /* octets that may wait */

/*
 * Whether to wait for it pays: it is about to connect, or more than `octets` wait, and
 * something has moved there within `patience` ns before `mono`.
 */
bool stream_is_awaited(const struct stream *s, size_t octets, uint64_t mono, uint64_t patience);

/* Close it; what is left over is not sent. */
void stream_close(struct stream *s);

#endif
