/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attempt: connecting to a database, while that is under way. The thread that connects asks
 * here whether to go on, wherever it would wait; others may call it off.
 */
#ifndef WEIR_SQL_ATTEMPT_H
#define WEIR_SQL_ATTEMPT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define ATTEMPT_WAIT_MS 50 /* between two looks whether to go on */

/* All zero: none was begun. */
struct attempt {
	_Atomic uint64_t heard; /* when it began, or the server answered last: monotonic ns */
	_Atomic bool ending;    /* silence is not waited for any more: weir ends */
	_Atomic bool off;       /* called off, for good */
};

/* It begins, or the server has answered. The thread of the attempt. */
void attempt_heard(struct attempt *a);

/* weir ends: silence of two seconds is enough. Any thread. */
void attempt_hurry(struct attempt *a);

/* It is called off, and so are those to come. Any thread. */
void attempt_end(struct attempt *a);

/* Whether to give up. Any thread. */
bool attempt_is_over(const struct attempt *a);

/*
 * Wait until `fd` has one of `events` (of poll(2)) or it is `until` (monotonic ns). Returns
 * what it has; 0 when it is late, or cannot be waited for; or -1 when the attempt is over.
 */
int attempt_wait(const struct attempt *a, int fd, short events, uint64_t until);

#endif
