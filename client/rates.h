/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rates: what counters grew by in an interval, and numbers short enough for a screen.
 * Plain functions; any thread.
 */
#ifndef WEIR_CLIENT_RATES_H
#define WEIR_CLIENT_RATES_H

#include <stddef.h>
#include <stdint.h>

/*
 * Growth per second from `before` to `now` over `interval` ns; 0 without an interval,
 * or when the counter went back (it began anew).
 */
double rate_of(uint64_t before, uint64_t now, uint64_t interval);

/* `growth` in `interval` ns, per second; 0 without an interval. */
double rate_per_s(uint64_t growth, uint64_t interval);

#define RATE_STRLEN 16 /* longest text, with its NUL */

/*
 * Write `v` with three digits and an SI prefix: "0", "7", "1.50k", "12.3M", "456G";
 * below 10 and not whole: "0.25". Returns the length.
 */
size_t rate_text(double v, char *buf);

#endif
