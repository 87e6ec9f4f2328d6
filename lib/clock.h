/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one clock. Everything that asks for the time asks here, so that tests and replays
 * set it. Nanoseconds, uint64_t. Any thread.
 */
#ifndef WEIR_LIB_CLOCK_H
#define WEIR_LIB_CLOCK_H

#include <stdint.h>

#define CLOCK_S  UINT64_C(1000000000)
#define CLOCK_MS UINT64_C(1000000)
#define CLOCK_US UINT64_C(1000)

/* Wall clock: nanoseconds since 1970-01-01 UTC. */
uint64_t clock_real(void);

/* Monotonic: nanoseconds since some start; for intervals and timeouts. */
uint64_t clock_mono(void);

/*
 * Stop the clock at `real_ns` (tests); the monotonic clock stands at the same value.
 * Advance by setting again. 0 lets the system's clock run again.
 */
void clock_set(uint64_t real_ns);

#endif
