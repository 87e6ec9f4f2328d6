/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Real connections over the loopback. Messages are what their length says and mostly empty:
 * what stands in them is the decoder's matter.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "collectors/datagram_config.h"
#include "collectors/tcp.h"
#include "lib/clock.h"
#include "lib/rcu.h"
#include "tests/collectors/rig.h"

#define HEADER 16 /* version, length, time, sequence, domain: RFC 7011 s3.1 */

/* A message of `len` octets (HEADER or more): a header, and a set that is stepped over. */
static size_t
message(uint8_t *to, size_t len)
{
	memset(to, 0, len);
	to[1] = 10;
	to[2] = (uint8_t)(len >> 8);
	to[3] = (uint8_t)len;
	to[15] = 7;
	if (len >= HEADER + 4) {
		to[17] = 5; /* set id: reserved, RFC 7011 s3.3.2 */
		to[18] = (uint8_t)((len - HEADER) >> 8);
		to[19] = (uint8_t)(len - HEADER);
	}
	return len;
}

/* A port that was free a moment ago. */
static uint16_t
free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (const void *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (void *)&a, &len), 0);
	close(fd);
	return ntohs(a.sin_port);
}

static void
door_open(struct rig *r, struct datagram_config *config, uint32_t connections)
{
	config->tcp_port = free_port();
	config->tcp_connections = connections;
	rig_init(r, &ipfix_tcp_collector, config);
	rig_open(r);
}

/* Connect from 127.0.0.`last`. */
static int
peer_connect(const struct rig *r, unsigned last)
{
	const struct datagram_config *config = r->collector.config;
	struct sockaddr_in self = { .sin_family = AF_INET,
		.sin_addr = { htonl(0x7f000000 + last) } };
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)config->tcp_port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (const void *)&self, sizeof(self)), 0);
	assert_int_equal(connect(fd, (const void *)&to, sizeof(to)), 0);
	return fd;
}

static void
peer_send(int fd, const void *octets, size_t len)
{
	assert_int_equal(send(fd, octets, len, MSG_NOSIGNAL), len);
}

/* Read until `stat` is `n`; loopback is quick, as a rule. */
static void
read_until(struct rig *r, enum stat_no stat, uint64_t n)
{
	struct pollfd wait = { .fd = r->collector.fd, .events = POLLIN };

	for (unsigned i = 0; i < 2000 && rig_stat(r, stat) < n; i++) {
		(void)poll(&wait, 1, 1);
		assert_false(rig_read(r));
	}
	assert_int_equal(rig_stat(r, stat), n);
}

/* Whether the other side has closed the connection. */
static bool
peer_is_closed(struct rig *r, int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	uint8_t octet;

	for (unsigned i = 0; i < 2000; i++) {
		assert_false(rig_read(r));
		if (poll(&wait, 1, 1) == 1)
			return recv(fd, &octet, 1, 0) <= 0;
	}
	return false;
}

static bool
peer_is_open(struct rig *r, int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	assert_false(rig_read(r));
	return poll(&wait, 1, 20) == 0;
}

/* Two messages, cut in two at every octet. */
static void
test_every_cut(void **state)
{
	static const size_t sizes[] = { HEADER, HEADER + 4, HEADER + 21 };
	uint8_t octets[256];
	size_t len = 0;
	struct datagram_config config = { 0 };
	struct rig r;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		len += message(octets + len, sizes[i]);
	door_open(&r, &config, 4);
	for (size_t cut = 1; cut < len; cut++) {
		int fd = peer_connect(&r, 1);
		size_t whole = cut >= sizes[0] + sizes[1] ? 2 : cut >= sizes[0] ? 1 : 0;
		uint64_t before = rig_stat(&r, STAT_DATAGRAMS);

		peer_send(fd, octets, cut);
		read_until(&r, STAT_CONNECTIONS, cut);
		read_until(&r, STAT_DATAGRAMS, before + whole);
		peer_send(fd, octets + cut, len - cut);
		read_until(&r, STAT_DATAGRAMS, before + 3);
		close(fd);
	}
	assert_int_equal(rig_stat(&r, STAT_DATAGRAM_OCTETS), (len - 1) * len);
	assert_int_equal(rig_stat(&r, STAT_BAD_SHORT), 0);
	assert_int_equal(rig_stat(&r, STAT_DATAGRAMS_DECODED), 3 * (len - 1));
	assert_int_equal(exporters_count(r.exporters), 1);
	rig_books(&r, "every cut");
	rig_fini(&r);
}

static void
test_octet_by_octet(void **state)
{
	uint8_t octets[64];
	size_t len = message(octets, sizeof(octets));
	struct datagram_config config = { 0 };
	struct rig r;
	int fd;

	(void)state;
	door_open(&r, &config, 4);
	fd = peer_connect(&r, 1);
	for (size_t i = 0; i < len; i++) {
		assert_int_equal(rig_stat(&r, STAT_DATAGRAMS), 0);
		peer_send(fd, octets + i, 1);
		assert_false(rig_read(&r));
	}
	read_until(&r, STAT_DATAGRAMS, 1);
	assert_int_equal(rig_stat(&r, STAT_DATAGRAM_OCTETS), len);
	close(fd);
	rig_fini(&r);
}

/* The longest message that there can be, and hundreds in one piece. */
static void
test_large(void **state)
{
	static uint8_t octets[65535 + 600 * 20];
	struct datagram_config config = { 0 };
	size_t len = message(octets, 65535);
	struct rig r;
	int fd, room = 1 << 20;

	(void)state;
	for (unsigned i = 0; i < 600; i++)
		len += message(octets + len, 20);
	door_open(&r, &config, 4);
	fd = peer_connect(&r, 1);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	for (size_t sent = 0; sent < len;) {
		ssize_t n =
		    send(fd, octets + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		sent += n > 0 ? (size_t)n : 0;
		assert_false(rig_read(&r));
	}
	read_until(&r, STAT_DATAGRAMS, 601);
	assert_int_equal(rig_stat(&r, STAT_DATAGRAM_OCTETS), len);
	assert_int_equal(
	    rig_stat(&r, STAT_BAD_SHORT) + rig_stat(&r, STAT_BAD_LENGTH), 0);
	close(fd);
	rig_books(&r, "large");
	rig_fini(&r);
}

/* What is no message ends the connection at once, counted once, after what was whole. */
static const struct {
	const char *says;
	uint8_t octets[24];
	size_t len;
	enum stat_no fate;
} faults[] = {
	{ "NetFlow v9, which has no length", { 0, 9, 0, 1 }, 24, STAT_BAD_VERSION },
	{ "a version of the future", { 0, 11, 0, 20 }, 4, STAT_BAD_VERSION },
	{ "letters", "GET / HTTP/1.1\r\n\r\n", 18, STAT_BAD_VERSION },
	{ "a length of nothing", { 0, 10, 0, 0 }, 4, STAT_BAD_LENGTH },
	{ "a length below the header's", { 0, 10, 0, 15 }, 20, STAT_BAD_LENGTH },
};

static void
test_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		uint8_t octets[64];
		size_t len = message(octets, HEADER);
		struct datagram_config config = { 0 };
		struct rig r;
		int fd;

		door_open(&r, &config, 4);
		fd = peer_connect(&r, 1);
		memcpy(octets + len, faults[i].octets, faults[i].len);
		peer_send(fd, octets, len + faults[i].len);
		if (!peer_is_closed(&r, fd))
			fail_msg("%s: still open", faults[i].says);
		if (rig_stat(&r, STAT_DATAGRAMS) != 2)
			fail_msg("%s: %u datagrams", faults[i].says,
			    (unsigned)rig_stat(&r, STAT_DATAGRAMS));
		assert_int_equal(rig_stat(&r, STAT_DATAGRAMS_DECODED), 1);
		assert_int_equal(rig_stat(&r, faults[i].fate), 1);
		assert_int_equal(
		    rig_stat(&r, STAT_DATAGRAM_OCTETS), len + faults[i].len);
		rig_books(&r, faults[i].says);
		close(fd);
		rig_fini(&r);
	}
}

/* A message that never gets whole is malformed, and one only. */
static void
test_half_and_gone(void **state)
{
	static const size_t halves[] = { 1, 3, 4, HEADER - 1, HEADER, 39 };
	struct datagram_config config = { 0 };
	uint8_t octets[40];
	struct rig r;

	(void)state;
	(void)message(octets, sizeof(octets));
	door_open(&r, &config, 4);
	for (size_t i = 0; i < sizeof(halves) / sizeof(halves[0]); i++) {
		int fd = peer_connect(&r, 1);

		peer_send(fd, octets, halves[i]);
		close(fd);
		read_until(&r, STAT_BAD_SHORT, i + 1);
	}
	assert_int_equal(rig_stat(&r, STAT_DATAGRAMS), 6);
	assert_int_equal(atomic_load(&r.collector.errors), 6);
	rig_books(&r, "half and gone");
	rig_fini(&r);
}

static void
test_bound(void **state)
{
	struct datagram_config config = { 0 };
	uint8_t octets[HEADER];
	int fds[5];
	struct rig r;

	(void)state;
	(void)message(octets, HEADER);
	clock_set(1000 * CLOCK_S);
	door_open(&r, &config, 3);
	for (unsigned i = 0; i < 3; i++) {
		fds[i] = peer_connect(&r, i + 1);
		read_until(&r, STAT_CONNECTIONS, i + 1);
	}
	fds[3] = peer_connect(&r, 4);
	assert_true(peer_is_closed(&r, fds[3])); /* nobody is idle yet */
	assert_int_equal(rig_stat(&r, STAT_CONNECTIONS_REFUSED), 1);
	for (unsigned i = 0; i < 3; i++)
		assert_true(peer_is_open(&r, fds[i]));

	/* A minute on: the first has sent messages, the second drips, the third is silent. */
	clock_set((1000 + TCP_IDLE_S - 1) * CLOCK_S);
	peer_send(fds[0], octets, HEADER);
	read_until(&r, STAT_DATAGRAMS, 1);
	clock_set((1000 + TCP_IDLE_S) * CLOCK_S);
	peer_send(fds[1], octets, 5);
	fds[4] = peer_connect(&r, 5);
	read_until(&r, STAT_CONNECTIONS, 4);
	assert_int_equal(rig_stat(&r, STAT_CONNECTIONS_IDLE), 1);
	assert_int_equal(rig_stat(&r, STAT_CONNECTIONS_ENDED), 1);
	assert_true(peer_is_closed(&r, fds[1]));
	assert_int_equal(rig_stat(&r, STAT_BAD_SHORT), 1); /* what had dripped */
	assert_true(peer_is_open(&r, fds[0]));
	assert_true(peer_is_open(&r, fds[2]));
	assert_true(peer_is_open(&r, fds[4]));

	/* Who leaves makes room at once. */
	close(fds[0]);
	assert_true(peer_is_open(&r, fds[2]));
	close(fds[3]);
	fds[3] = peer_connect(&r, 4);
	read_until(&r, STAT_CONNECTIONS, 5);
	assert_int_equal(rig_stat(&r, STAT_CONNECTIONS_IDLE), 1);
	for (unsigned i = 1; i < 5; i++)
		close(fds[i]);
	rig_books(&r, "bound");
	rig_fini(&r);
	clock_set(0);
}

/* Who may not send gets no place; who may no longer loses it with the next message. */
static void
test_allow(void **state)
{
	struct datagram_config config = { 0 };
	struct problems ps = { 0 };
	struct config lines = { 0 };
	uint8_t octets[2 * HEADER];
	struct rig r;
	int in, out;
	FILE *f;

	(void)state;
	(void)message(octets, HEADER);
	(void)message(octets + HEADER, HEADER);
	config.allow_file = rig_file("127.0.0.1\n", 10);
	datagram_config_load(&config, "nfacctd", &lines, &ps);
	door_open(&r, &config, 4);
	in = peer_connect(&r, 1);
	out = peer_connect(&r, 2);
	assert_true(peer_is_closed(&r, out));
	assert_int_equal(rig_stat(&r, STAT_CONNECTIONS_REFUSED), 1);
	peer_send(in, octets, HEADER);
	read_until(&r, STAT_DATAGRAMS, 1);
	assert_int_equal(rig_stat(&r, STAT_DATAGRAMS_REFUSED), 0);

	f = fopen(config.allow_file, "w");
	assert_int_equal(fclose(f), 0);
	datagram_config_reload(&config, &ps);
	peer_send(in, octets, 2 * HEADER);
	assert_true(peer_is_closed(&r, in));
	assert_int_equal(rig_stat(&r, STAT_DATAGRAMS), 2);
	assert_int_equal(rig_stat(&r, STAT_DATAGRAMS_REFUSED), 1);
	rig_books(&r, "allow");
	close(in);
	close(out);
	rig_fini(&r);
	rcu_drain();
	datagram_config_fini(&config);
	problems_free(&ps);
	rig_file_remove();
}

/* Without descriptors the newcomer waits in the backlog, and we do not spin. */
static void
test_no_descriptors(void **state)
{
	struct datagram_config config = { 0 };
	struct rlimit old, none;
	uint8_t octets[HEADER];
	struct pollfd wait;
	struct rig r;
	int fd;

	(void)state;
	(void)message(octets, HEADER);
	door_open(&r, &config, 4);
	fd = peer_connect(&r, 1);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = (rlim_t)fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	wait = (struct pollfd){ .fd = r.collector.fd, .events = POLLIN };
	assert_int_equal(poll(&wait, 1, 1000), 1);
	assert_false(rig_read(&r));
	assert_int_equal(poll(&wait, 1, 0), 0);
	assert_int_equal(rig_stat(&r, STAT_CONNECTIONS), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	r.collector.ops->poll_drops(&r.collector);
	peer_send(fd, octets, HEADER);
	read_until(&r, STAT_DATAGRAMS, 1);
	close(fd);
	rig_fini(&r);
}

/* More at once than one read serves, from as many exporters. */
static void
test_many(void **state)
{
	enum { PEERS = 100, EACH = 50 };
	struct datagram_config config = { 0 };
	uint8_t octets[HEADER];
	int fds[PEERS];
	struct rig r;

	(void)state;
	(void)message(octets, HEADER);
	door_open(&r, &config, PEERS);
	for (unsigned i = 0; i < PEERS; i++) {
		fds[i] = peer_connect(&r, i % 60 + 1);
		assert_false(rig_read(&r));
	}
	for (unsigned n = 0; n < EACH; n++)
		for (unsigned i = 0; i < PEERS; i++)
			peer_send(fds[i], octets, HEADER);
	read_until(&r, STAT_DATAGRAMS, PEERS * EACH);
	assert_int_equal(rig_stat(&r, STAT_CONNECTIONS), PEERS);
	for (unsigned i = 0; i < PEERS; i++)
		close(fds[i]);
	read_until(&r, STAT_CONNECTIONS_ENDED, PEERS);
	rig_books(&r, "many");
	rig_fini(&r);
}

/* Workers share the port; another weir does not; an old connection is in nobody's way. */
static void
test_sharing(void **state)
{
	struct datagram_config config = { 0 };
	struct err e = ERR_INIT;
	struct rig r, second, other;
	int fd;

	(void)state;
	door_open(&r, &config, 4);
	rig_init(&second, &ipfix_tcp_collector, &config);
	second.pipeline.worker = 1;
	rig_open(&second);
	rig_init(&other, &ipfix_tcp_collector, &config);
	assert_int_not_equal(other.collector.ops->open(&other.collector, &e), 0);
	assert_non_null(strstr(e.text, "another program"));
	rig_fini(&second);

	fd = peer_connect(&r, 1);
	read_until(&r, STAT_CONNECTIONS, 1);
	rig_fini(&r); /* we close first: the port stays in TIME-WAIT for a while */
	close(fd);
	rig_open(&other);
	rig_fini(&other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_octet_by_octet),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_half_and_gone),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_allow),
		cmocka_unit_test(test_no_descriptors),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_sharing),
	};

	return cmocka_run_group_tests_name("collectors/tcp", tests, NULL, NULL);
}
