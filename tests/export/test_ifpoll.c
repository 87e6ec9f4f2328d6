/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/ifpoll.h"

/* Octets and packets that lo took in, as /proc/net/dev has it. */
static void
proc_read(uint64_t *octets, uint64_t *packets)
{
	char line[512];
	FILE *f = fopen("/proc/net/dev", "re");

	assert_non_null(f);
	*octets = *packets = UINT64_MAX;
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, " lo: %" SCNu64 " %" SCNu64, octets, packets) == 2)
			break;
	fclose(f);
	assert_true(*octets != UINT64_MAX);
}

/* What /proc/net/dev says before is not more, and what it says afterwards not less. */
static void
test_loopback(void **state)
{
	struct ifpoll_entry e = { .name = "lo" };
	uint64_t before, after, packets_before, packets_after;
	int fd = ifpoll_socket();

	(void)state;
	assert_int_not_equal(fd, -1);
	proc_read(&before, &packets_before);
	assert_true(ifpoll_ask(fd, &e));
	proc_read(&after, &packets_after);
	assert_true(e.found);
	assert_false(e.ethernet);
	assert_int_equal(e.generic.index, if_nametoindex("lo"));
	assert_int_equal(e.generic.type, 24); /* IANA: softwareLoopback */
	assert_in_range(e.generic.in_octets, before, after);
	assert_in_range((uint32_t)(e.generic.in_unicast + e.generic.in_multicast - packets_before),
	    0, packets_after - packets_before);
	assert_int_equal(e.generic.in_broadcast, SFLOW_COUNTER_NONE);
	close(fd);
}

static void
test_nowhere(void **state)
{
	struct ifpoll_entry e = { .name = "weir-none", .found = true,
		.generic = { .in_octets = 5 } };
	int fd = ifpoll_socket();

	(void)state;
	assert_false(ifpoll_ask(fd, &e));
	assert_false(e.found);
	assert_int_equal(e.generic.in_octets, 0);
	strcpy(e.name, "lo"); /* and the socket is as good as before */
	assert_true(ifpoll_ask(fd, &e));
	close(fd);
}

/* The thread asks at once; each answer is taken once, and stopping does not wait. */
static void
test_thread(void **state)
{
	static const char names[2][IF_NAMESIZE] = { "lo", "weir-none" };
	struct ifpoll_entry entries[IFPOLL_MAX];
	struct err e = ERR_INIT;
	struct ifpoll *p = ifpoll_start(names, 2, 3600, &e);
	unsigned n;

	(void)state;
	assert_non_null(p);
	while ((n = ifpoll_take(p, entries)) == 0)
		usleep(1000);
	assert_int_equal(n, 2);
	assert_true(entries[0].found);
	assert_string_equal(entries[0].name, "lo");
	assert_false(entries[1].found);
	assert_int_equal(ifpoll_take(p, entries), 0);
	ifpoll_stop(p);
	ifpoll_stop(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_nowhere),
		cmocka_unit_test(test_thread),
	};

	return cmocka_run_group_tests_name("ifpoll", tests, NULL, NULL);
}
