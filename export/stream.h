/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream: a target's TCP connection, for IPFIX (RFC 7011 s10.4). It is made and kept without
 * ever waiting; while there is none, or its buffer is full, messages are not sent, and
 * counted in the target by reason. A message goes whole or not at all. One thread.
 */
#ifndef WEIR_EXPORT_STREAM_H
#define WEIR_EXPORT_STREAM_H

#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "export/target.h"
#include "lib/err.h"

struct stream;

/* `t` is borrowed, and gives the address. NULL with `e` filled. */
struct stream *stream_new(struct target *t, const struct target_options *o, struct err *e);
void stream_free(struct stream *s);

bool stream_is_open(const struct stream *s);

/* Whether it is another connection than when this was asked last: nothing was told there. */
bool stream_is_new(struct stream *s);

/* As target_send: msg_len is not 0 of those that were taken. */
void stream_send(struct stream *s, struct mmsghdr *m, unsigned n, struct target_tally *tally);

/* Connect when it is time to, see how a connection does, send what is left over. */
void stream_turn(struct stream *s);

/* What to wait for; false: nothing. */
bool stream_poll(const struct stream *s, struct pollfd *fd);

/* Send what is left over, waiting a second for it at most, and close. */
void stream_finish(struct stream *s);

#endif
