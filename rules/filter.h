/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * filter: one tcpdump expression, pcap-filter(7), that flows pass or do not. It is asked of
 * the frame that a flow was seen in, captured or sampled, and where there is none of the
 * frame that is made of the flow (synth.h): whatever libpcap says of that frame is the answer.
 *
 * Expressions are compiled once, by libpcap. Of the usual frames (shape.h) the program is
 * then read as a plan that a whole batch goes through at once, and no frame is made; the
 * others are run through the program itself.
 *
 * Workers use a filter without a lock; it is made and freed by the main thread.
 */
#ifndef WEIR_RULES_FILTER_H
#define WEIR_RULES_FILTER_H

#include <stdint.h>

#include "flow/field.h"
#include "lib/err.h"
#include "rules/batch.h"

struct filter;

/*
 * Compile `text`. Returns NULL with `e` filled: the expression, what libpcap says about
 * it, and what to write. Names of hosts are looked up, now and for each further link layer.
 */
struct filter *filter_new(const char *text, struct err *e);
void filter_free(struct filter *f);

/* Add the fields that it reads of flows without a frame. */
void filter_reads(const struct filter *f, struct field_set *reads);

/*
 * How many octets of Ethernet frames it may look at; what is captured beyond that need not
 * be kept for it. Of other link layers all is to be kept.
 */
uint32_t filter_reach(const struct filter *f);

/*
 * Compile it for a link layer whose frames are to come, for not to do so when the first one
 * is there. Where it has no meaning (`ether host` where there are no such addresses) its
 * frames will not pass, and a line is logged. Any thread.
 */
void filter_link(const struct filter *f, uint32_t linktype);

/* Which flows of `mask` pass. `b` must have columns. */
uint64_t filter_run(const struct filter *f, const struct batch *b, uint64_t mask);

#endif
