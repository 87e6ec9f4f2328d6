/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Raw sockets need CAP_NET_RAW; without it the tests say so and pass over. What was sent is
 * read by a plain socket, so that the kernel has checked every header and checksum.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/spoof.h"

static struct spoof *spoof;

static const struct {
	const char *says, *to, *from;
	size_t octets;
	bool sent;
} cases[] = {
	{ "an even number of octets", "127.0.0.1", "127.1.2.3", 100, true },
	{ "an odd number", "127.0.0.1", "127.1.2.3", 101, true },
	{ "none", "127.0.0.1", "127.255.255.254", 0, true },
	{ "IPv6", "::1", "::1", 100, true },
	{ "an odd number, IPv6", "::1", "::1", 31, true },
	{ "from IPv6 to IPv4", "127.0.0.1", "2001:db8::1", 10, false },
	{ "from IPv4 to IPv6", "::1", "127.0.0.1", 10, false },
};

static int
receiver(bool v4, uint16_t *port)
{
	struct sockaddr_storage a = { .ss_family = v4 ? AF_INET : AF_INET6 };
	socklen_t len = sizeof(a);
	int fd = socket(a.ss_family, SOCK_DGRAM, 0);

	if (v4)
		((struct sockaddr_in *)&a)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		((struct sockaddr_in6 *)&a)->sin6_addr = in6addr_loopback;
	if (bind(fd, (struct sockaddr *)&a, len) != 0)
		fail_msg("bind: %s", strerror(errno));
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = target_port(&a);
	return fd;
}

static ip16_t
address_of(const struct sockaddr_storage *a)
{
	return a->ss_family == AF_INET ? ip_from_v4(&((const struct sockaddr_in *)a)->sin_addr)
	                               : ip_from_v6(&((const struct sockaddr_in6 *)a)->sin6_addr);
}

static void
test_as_the_sender(void **state)
{
	uint8_t data[101];

	(void)state;
	if (spoof == NULL)
		skip();
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 37 + 255);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct datagram d = { .data = data, .len = cases[i].octets, .from_port = 4711 };
		const struct datagram *list[1] = { &d };
		struct target_tally tally = { 0 };
		struct target t;
		struct err e = ERR_INIT;
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		uint8_t got[200];
		uint16_t port;
		bool v4 = strchr(cases[i].to, '.') != NULL;
		int fd = receiver(v4, &port);
		char text[64];

		assert_int_equal(ip_parse(cases[i].from, &d.from), 0);
		snprintf(text, sizeof(text), v4 ? "%s:%u" : "[%s]:%u", cases[i].to, port);
		assert_int_equal(
		    target_open(&t, text, 1, &(struct target_options){ 0 }, &e), 0);
		spoof_send(spoof, &t, list, 1, &tally);
		if (tally.sent != cases[i].sent || tally.unsent != !cases[i].sent)
			fail_msg("%s: %u sent", cases[i].says, (unsigned)tally.sent);
		if (cases[i].sent) {
			struct pollfd p = { .fd = fd, .events = POLLIN };
			ip16_t a;

			if (poll(&p, 1, 5000) != 1)
				fail_msg("%s: nothing comes", cases[i].says);
			assert_int_equal(recvfrom(fd, got, sizeof(got), 0,
			                     (struct sockaddr *)&from, &len), cases[i].octets);
			assert_memory_equal(got, data, cases[i].octets);
			a = address_of(&from);
			assert_true(ip_equal(&a, &d.from));
			assert_int_equal(target_port(&from), 4711);
		}
		target_close(&t);
		close(fd);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_as_the_sender) };
	struct err e = ERR_INIT;
	int rc;

	spoof = spoof_open(0, &e);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	spoof_close(spoof);
	return rc;
}
