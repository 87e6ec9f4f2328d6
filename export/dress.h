/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dress: the direction and the interface that the operator gives to flows that are
 * exported: nfprobe_direction, nfprobe_ifindex and nfprobe_ifindex_override, and those of
 * sfprobe; and nfprobe_peer_as. No state; any thread.
 */
#ifndef WEIR_EXPORT_DRESS_H
#define WEIR_EXPORT_DRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/field.h"
#include "flow/flow.h"
#include "lib/err.h"

#define DRESS_DIRECTIONS "none|in|out|tag|tag2" /* words of enum dress_direction */

enum dress_direction { DRESS_NONE, DRESS_IN, DRESS_OUT, DRESS_TAG, DRESS_TAG2 };

struct dress {
	int direction;        /* enum dress_direction */
	uint32_t ifindex;     /* 0: none, or by tag */
	bool by_tag, by_tag2; /* the interface is the tag */
	bool overrides;       /* it counts also for flows that have one */
	bool peer_as;         /* neighbouring AS in place of those where it begins and ends */
};

/*
 * Read "tag", "tag2" or a number (0: none) into `d`; `directive` is what says so. Returns 0,
 * or -WEIR_EINVAL with `e`.
 */
int dress_ifindex_read(struct dress *d, const char *directive, const char *text,
    struct err *e);

/* Whether anything is given. */
bool dress_is_wanted(const struct dress *d);

/* Add the fields that it looks at. */
void dress_reads(const struct dress *d, struct field_set *reads);

/*
 * Set sampling_direction, and in_iface or out_iface, as far as they are given (by tag, 1 is in
 * and 2 is out), and the AS.
 */
void dress_flow(const struct dress *d, struct flow *f);

#endif
