/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sending to masters that are slow: over a pair of sockets, whose other end does what a case
 * says whenever it is waited for. Time passes only there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <poll.h>

#include "agent/link.h"
#include "lib/clock.h"

#define OCTETS (1U << 20) /* more than a socket holds */


/* The master, and what it does when it is waited for. */
static struct {
	int fd;
	int after;               /* ms: then it does it */
	size_t takes;            /* octets of what is sent */
	bool says;               /* something, each time */
	unsigned ends_after;     /* times, then the thread shall end; 0: never */
	unsigned waits;          /* so far */
	_Atomic bool over;
} master;

int __real_poll(struct pollfd *fds, nfds_t n, int ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int ms);

int
__wrap_poll(struct pollfd *fds, nfds_t n, int ms)
{
	static uint8_t sink[OCTETS];

	if (ms > master.after)
		ms = master.after;
	assert_true(ms > 0);
	clock_set(clock_mono() + (uint64_t)ms * CLOCK_MS);
	assert_true(++master.waits < 100); /* it would wait for ever */
	if (master.waits == master.ends_after)
		atomic_store(&master.over, true);
	if (master.takes > 0)
		assert_true(recv(master.fd, sink, master.takes, MSG_DONTWAIT) > 0);
	if (master.says)
		assert_int_equal(send(master.fd, "x", 1, MSG_DONTWAIT), 1);
	return __real_poll(fds, n, 0);
}

static const struct {
	const char *says;
	int after;
	size_t takes;
	bool chats;
	unsigned ends_after;
	bool want;
	unsigned waits;
} cases[] = {
	{ "one that takes all of it in time", 100, OCTETS, false, 0, true, 30 },
	{ "one that takes nothing", 1000, 0, false, 0, false, 3 },
	{ "one that takes what it finds, rarely", 900, OCTETS, false, 0, false, 4 },
	{ "one that takes some, often", 100, OCTETS / 64, false, 0, false, 30 },
	{ "one that asks all the while", 100, 0, true, 0, false, 30 },
	{ "one that takes nothing when weir ends", 1000, 0, false, 1, false, 1 },
};

static void
nobody_is_waited_for_without_an_end(void **state)
{
	static uint8_t what[OCTETS];
	struct link *l = calloc(1, sizeof(*l));

	(void)state;
	assert_non_null(l);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int pair[2], small = 1 << 16;

		print_message("# %s\n", cases[i].says);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small,
		                     sizeof(small)), 0);
		memset(&master, 0, sizeof(master));
		master.fd = pair[1];
		master.after = cases[i].after;
		master.takes = cases[i].takes;
		master.says = cases[i].chats;
		master.ends_after = cases[i].ends_after;
		clock_set(CLOCK_S);
		*l = (struct link){ .fd = pair[0], .over = &master.over };
		assert_int_equal(link_send(l, what, OCTETS), cases[i].want);
		assert_in_range(master.waits, 1, cases[i].waits);
		if (cases[i].chats) { /* it is heard, all the same */
			uint8_t heard[64];

			assert_int_equal(link_receive(l, heard, sizeof(heard)), master.waits);
		}
		close(pair[0]);
		close(pair[1]);
	}
	clock_set(0);
	free(l);
}

/* Two PDUs, in pieces of any size, and one that would be of 16 MiB and 1 octet. */
static void
pdus_are_followed_to_their_ends(void **state)
{
	enum { ORDER = 0x10, FIRST = WIRE_HEADER + 8, ALL = FIRST + WIRE_HEADER };
	uint8_t pdus[ALL] = { 1, 13, ORDER, [WIRE_HEADER - 1] = 8, [FIRST] = 1, 13, ORDER };
	uint8_t huge[WIRE_HEADER] = { 1, 13, ORDER, [16] = 0, 0xff, 0xff, 0xff };
	struct link *l = calloc(1, sizeof(*l));

	(void)state;
	assert_non_null(l);
	for (size_t piece = 1; piece <= ALL; piece++) {
		for (size_t at = 0; at < ALL; at += piece) {
			size_t n = at + piece < ALL ? piece : ALL - at;

			assert_true(link_follow(l, pdus + at, n));
			assert_int_equal(link_is_between(l), at + n == FIRST || at + n == ALL);
		}
	}
	assert_false(link_follow(l, huge, sizeof(huge)));
	free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_is_waited_for_without_an_end),
		cmocka_unit_test(pdus_are_followed_to_their_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
