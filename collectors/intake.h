/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * intake: the way of a datagram from where it came in to its decoder. What every source
 * does alike stands here: asking whether the sender is allowed, relaying, and booking what never gets
 * to the decoder. One per collector instance; the worker's thread.
 */
#ifndef WEIR_COLLECTORS_INTAKE_H
#define WEIR_COLLECTORS_INTAKE_H

#include <stdbool.h>

#include "collectors/datagram.h"
#include "core/stats.h"
#include "lib/log.h"

struct allow;

struct intake {
	struct collector *collector;
	const struct datagram_decoder *decoder;
	void *decoding; /* the decoder's; NULL until opened */
	const struct allow *allow; /* NULL: everybody may send */
	struct log_limit limit; /* of what never gets to the decoder */
};

/*
 * Open `decoder` for collector `c`, whose config is a struct datagram_config. Returns 0,
 * or -WEIR_ENOMEM with `e` filled. intake_close has nothing to do then, and may be called.
 */
int intake_open(struct intake *in, struct collector *c,
    const struct datagram_decoder *decoder, struct err *e);
void intake_close(struct intake *in);

/* One line about `from`, "netflow 192.0.2.1: ...", no oftener than the bucket allows. */
void intake_log(struct intake *in, const ip16_t *from, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Whether `from` may send to this collector; if not, one line (limited) says so. */
bool intake_allows(struct intake *in, const ip16_t *from);

/*
 * Decode `d`, or count it as refused when its sender is not allowed. Returns which. It is
 * handed to outputs that relay it, too: its octets must stay until intake_flush.
 */
bool intake_take(struct intake *in, const struct datagram *d);

/* Let outputs be done with what was taken; before its octets go. */
void intake_flush(struct intake *in);

/* There is nothing to take just now: let the decoder know that time passes. */
void intake_idle(struct intake *in);

/* No more datagrams come. */
void intake_finish(struct intake *in);

/* Book `d`, which is not to be decoded, as received and as `fate` (STAT_BAD_...). */
void intake_book(struct intake *in, const struct datagram *d, enum stat_no fate);

#endif
