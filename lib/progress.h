/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * progress: one line on a terminal that tells how far a long piece of work is,
 *
 *   big.pcap: 43 %, 12.3 M packets, 5.1 M/s, 1:12 left
 *
 * redrawn four times a second at most, cut to the terminal's width, and wiped at the end
 * or before a line of log comes on the same terminal. Where standard error is no terminal
 * nothing is written. The work is one thread's; there may be one such line at a time.
 */
#ifndef WEIR_LIB_PROGRESS_H
#define WEIR_LIB_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	int fd; /* -1: silent */
	const char *what; /* borrowed: "big.pcap" */
	const char *unit; /* borrowed: "packets" */
	uint64_t total; /* that `done` will have come to; 0: not known */
	uint64_t start, next; /* clock_mono */
};

/* Begin to tell of `what` on `fd`, if that is a terminal. */
void progress_begin(
    struct progress *p, int fd, const char *what, const char *unit, uint64_t total);

/*
 * Whether it is time to draw. Cheap (a look at the clock, no system call) and false for
 * ever where there is no terminal: to be asked between pieces of work, not for each record.
 */
bool progress_due(const struct progress *p);

/* Draw: `done` of `total` (ignored when that is 0), `count` units so far. */
void progress_draw(struct progress *p, uint64_t done, uint64_t count);

/* The work is over: wipe the line. */
void progress_end(struct progress *p);

/* Wipe the line that is shown, if any: before something else is written. Any thread. */
void progress_wipe(void);

#endif
