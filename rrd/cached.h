/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cached: a connection to rrdcached(1), which gathers updates of archives and writes them
 * when it pleases. Commands go in batches, whose answer names those that failed; one
 * batch is some hundred times faster than as many commands of librrd's client. What the
 * daemon has taken it may still lose (kill -9): who cares keeps it until a FLUSH says
 * that it is in the file.
 *
 * Blocks, a minute at most for each wait and two for a batch. What it answers is read as
 * hostile input: lines that are none of its own, or come twice, end the connection. One
 * thread at a time, but for cached_hurry.
 */
#ifndef WEIR_RRD_CACHED_H
#define WEIR_RRD_CACHED_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

struct cached;

/*
 * A connection to `address`, not open yet: "unix:/path", "/path", "host", "host:port" or
 * "[address]:port". NULL with `e` when that is none.
 */
struct cached *cached_new(const char *address, struct err *e);
void cached_free(struct cached *c);

enum { CACHED_AGAIN = 1, CACHED_ANOTHER };

/*
 * Connect, where it is not. Returns 0; when it has connected anew, and what was sent before
 * may be lost: CACHED_AGAIN when that is the same process as the last time, CACHED_ANOTHER when
 * it is not, or may not be, as with a socket that systemd has made; or -WEIR_EIO with `e`.
 */
int cached_connect(struct cached *c, struct err *e);
bool cached_connected(const struct cached *c);

/* Whether it was lost, or could not be had, because the other side was too slow. */
bool cached_timed_out(const struct cached *c);

/* Let no wait take longer than a second from now on, and no batch than two. Any thread. */
void cached_hurry(struct cached *c);
bool cached_hurries(const struct cached *c);

/*
 * Where rrdcached would have to be waited for, `work(arg)` is called, until it returns false: that it
 * has nothing more to do. That time counts towards no limit.
 */
void cached_meanwhile(struct cached *c, bool (*work)(void *arg), void *arg);

/* Where a wait takes longer than a second or two `slow(arg)` is called, and now and then again. */
void cached_slow(struct cached *c, void (*slow)(void *arg), void *arg);

/* Whether it is connected, and the other side has not hung up. */
bool cached_alive(const struct cached *c);

/* Give the connection up: after errors, when the other side is not to be trusted. */
void cached_disconnect(struct cached *c);

/* Begin a batch. Returns 0, or -WEIR_EIO with `e`: then it is not connected any more. */
int cached_begin(struct cached *c, struct err *e);

/*
 * One more command of the batch: `verb` on the file `path` (absolute, any octets but
 * newlines), with `rest` behind it ("" for none). Failures show in cached_end.
 */
void cached_command(struct cached *c, const char *verb, const char *path, const char *rest);

/*
 * The same, written in place: where a line of at most CACHED_LINE octets goes that ends in a
 * newline; and where it ended. `cached_escape` writes a path as a line has it to `out`, which has
 * room for twice its octets, and returns how many there are.
 */
#define CACHED_LINE 10240U
char *cached_line(struct cached *c);
void cached_line_put(struct cached *c, const char *end);
size_t cached_escape(const char *text, char *out);

/*
 * End the batch and wait for the answer: `failed(arg, no, text)` is called for each command
 * that failed, once, `no` from 0 in the order that they were given, `text` the daemon's words.
 * Returns 0, or -WEIR_EIO with `e`: then nothing is known of any of them, and it is not
 * connected any more.
 */
int cached_end(struct cached *c, void (*failed)(void *arg, size_t no, const char *text),
    void *arg, struct err *e);

#endif
