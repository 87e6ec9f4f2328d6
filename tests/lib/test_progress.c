/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/progress.h"

#define T0 (1000 * CLOCK_S)
#define WIPE "\r\033[K"

static int terminal = -1, person = -1; /* the two ends of a pseudo-terminal */

static void
terminal_open(unsigned short columns)
{
	const struct winsize w = { .ws_row = 24, .ws_col = columns };
	struct termios t;

	person = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
	assert_true(person >= 0);
	assert_int_equal(grantpt(person) | unlockpt(person), 0);
	terminal = open(ptsname(person), O_RDWR | O_NOCTTY);
	assert_true(terminal >= 0);
	assert_int_equal(tcgetattr(terminal, &t), 0);
	t.c_oflag &= ~(tcflag_t)OPOST; /* newlines as they are */
	assert_int_equal(tcsetattr(terminal, TCSANOW, &t), 0);
	assert_int_equal(ioctl(terminal, TIOCSWINSZ, &w), 0);
}

static void
terminal_close(void)
{
	close(terminal);
	close(person);
}

/* What has come on the terminal since the last call. */
static const char *
seen(void)
{
	static char text[1024];
	ssize_t n = read(person, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void
test_lines(void **state)
{
	static const struct {
		const char *says;
		uint64_t total, done, count, after_ns;
		unsigned short columns;
		const char *want;
	} cases[] = {
		{ "all there is to tell", 1000, 430, 12345678, 4 * CLOCK_S, 80,
		    "f: 43 %, 12.3 M units, 3.09 M/s, 0:05 left" },
		{ "no total is known", 0, 430, 999, 2 * CLOCK_S, 80, "f: 999 units, 499/s" },
		{ "nothing done, nothing to reckon with", 1000, 0, 0, 2 * CLOCK_S, 80,
		    "f: 0 units, 0/s" },
		{ "more than there was to do", 1000, 2000, 9995, CLOCK_S, 80,
		    "f: 100 %, 10.0 k units, 10.0 k/s, 0:00 left" },
		{ "hours", 1000, 1, 1000000000, 10 * CLOCK_S, 80,
		    "f: 0 %, 1.00 G units, 100 M/s, 2:46:30 left" },
		{ "a narrow terminal", 1000, 430, 12345678, 4 * CLOCK_S, 20, "f: 43 %, 12.3 M uni" },
		{ "a terminal of no width", 0, 1, 1, CLOCK_S, 0, "f: 1 units, 1/s" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct progress p;
		const char *got;

		terminal_open(cases[i].columns);
		clock_set(T0);
		progress_begin(&p, terminal, "f", "units", cases[i].total);
		clock_set(T0 + cases[i].after_ns);
		assert_true(progress_due(&p));
		progress_draw(&p, cases[i].done, cases[i].count);
		got = seen();
		if (strncmp(got, WIPE, strlen(WIPE)) != 0 ||
		    strcmp(got + strlen(WIPE), cases[i].want) != 0)
			fail_msg("%s: '%s'", cases[i].says, got);
		progress_end(&p);
		assert_string_equal(seen(), WIPE);
		progress_end(&p);
		assert_string_equal(seen(), "");
		terminal_close();
	}
}

/* Not in the first second, then four times in each. */
static void
test_due(void **state)
{
	struct progress p;
	unsigned drawn = 0;

	(void)state;
	terminal_open(80);
	clock_set(T0);
	progress_begin(&p, terminal, "f", "units", 0);
	for (uint64_t ms = 0; ms < 3000; ms++) {
		clock_set(T0 + ms * CLOCK_MS);
		if (progress_due(&p)) {
			assert_true(ms >= 1000);
			progress_draw(&p, 0, ms);
			drawn++;
		}
	}
	assert_int_equal(drawn, 8);
	progress_end(&p);
	terminal_close();
}

static void
test_no_terminal(void **state)
{
	int ends[2];
	char c;
	struct progress p;

	(void)state;
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	clock_set(T0);
	progress_begin(&p, ends[1], "f", "units", 10);
	clock_set(T0 + 100 * CLOCK_S);
	assert_false(progress_due(&p));
	progress_draw(&p, 1, 1);
	progress_end(&p);
	assert_int_equal(read(ends[0], &c, 1), -1);
	close(ends[0]);
	close(ends[1]);
}

/* A line of log on the same terminal begins where the progress was. */
static void
test_log(void **state)
{
	struct progress p;
	int saved = dup(STDERR_FILENO);
	const char *got;

	(void)state;
	terminal_open(80);
	clock_set(T0);
	progress_begin(&p, terminal, "bad\nname", "units", 0);
	clock_set(T0 + CLOCK_S);
	progress_draw(&p, 0, 1);
	assert_non_null(strstr(seen(), WIPE "bad?name: 1 units"));
	assert_int_equal(dup2(terminal, STDERR_FILENO), STDERR_FILENO);
	log_warn("something");
	log_warn("else");
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	got = seen();
	assert_int_equal(strncmp(got, WIPE "1970-", strlen(WIPE "1970-")), 0);
	assert_non_null(strstr(got, "something\n1970-"));
	progress_end(&p);
	assert_string_equal(seen(), "");
	close(saved);
	terminal_close();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_due),
		cmocka_unit_test(test_no_terminal),
		cmocka_unit_test(test_log),
	};

	return cmocka_run_group_tests_name("lib/progress", tests, NULL, NULL);
}
