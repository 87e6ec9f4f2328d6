/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long a try to connect is waited for: who is heard of, who is silent, and weir's end. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "sql/attempt.h"

static const struct {
	const char *says;
	uint64_t silent_s; /* so long */
	bool ending, off;
	bool over;
} cases[] = {
	{ "it goes on", 0, false, false, false },
	{ "silence is waited for, as long as weir runs", 100, false, false, false },
	{ "as weir ends, who was just heard of has some time", 0, true, false, false },
	{ "but not who is silent", 3, true, false, true },
	{ "what is called off is over", 0, false, true, true },
	{ "at the end, too", 0, true, true, true },
};

static void
test_when_it_is_over(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct attempt a = { 0 };

		attempt_heard(&a);
		atomic_fetch_sub(&a.heard, cases[i].silent_s * CLOCK_S);
		if (cases[i].ending)
			attempt_hurry(&a);
		if (cases[i].off)
			attempt_end(&a);
		if (attempt_is_over(&a) != cases[i].over)
			fail_msg("%s", cases[i].says);
	}
}

static void
test_waits(void **state)
{
	struct attempt a = { 0 };
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	attempt_heard(&a);
	assert_int_equal(attempt_wait(&a, fd[1], POLLOUT, 0), POLLOUT);
	assert_int_equal(attempt_wait(&a, fd[0], POLLIN, clock_mono()), 0);
	assert_int_equal(write(fd[1], "x", 1), 1);
	assert_int_equal(attempt_wait(&a, fd[0], POLLIN, UINT64_MAX), POLLIN);
	attempt_end(&a);
	assert_int_equal(attempt_wait(&a, fd[0], POLLIN, UINT64_MAX), -1);
	close(fd[0]);
	close(fd[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_when_it_is_over),
		cmocka_unit_test(test_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
