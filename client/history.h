/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * history: what a view counted since weir top looks at it: averages of the last minutes and
 * a line of bars of the last seconds. Plain values; one thread.
 */
#ifndef WEIR_CLIENT_HISTORY_H
#define WEIR_CLIENT_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTORY_ROOM 1024U /* samples: a quarter of an hour of seconds, and some */

struct history {
	unsigned n;    /* of all times; the place is modulo HISTORY_ROOM */
	struct {
		uint64_t interval; /* ns */
		double per_s;
	} samples[HISTORY_ROOM];
};

/* Add what was counted per second in an interval (ns); nothing where that is 0. */
void history_add(struct history *h, uint64_t interval, double per_s);

/* The mean rate of the last `seconds`, or of as much as there is; 0 of nothing. */
double history_mean(const struct history *h, unsigned seconds);

/*
 * Write the last `width` samples, the newest last, as bars of which the highest stands for
 * the largest of them; in UTF-8 or (not `utf8`) in ASCII. Returns the octets, without the NUL.
 */
size_t history_bars(const struct history *h, unsigned width, bool utf8, char *buf, size_t room);

#endif
