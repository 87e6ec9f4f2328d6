/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/target.h"
#include "tests/export/sockets.h"

static const struct {
	const char *says, *text;
	const char *host, *port; /* NULL: refused */
	const char *why;
} texts[] = {
	{ "an address and a port", "127.0.0.1:2101", "127.0.0.1", "2101", NULL },
	{ "an address alone", "127.0.0.1", "127.0.0.1", "9995", NULL },
	{ "IPv6", "[::1]:2101", "::1", "2101", NULL },
	{ "IPv6 alone", "[::1]", "::1", "9995", NULL },
	{ "a name", "collector.invalid:65535", "collector.invalid", "65535", NULL },
	{ "nothing", "", NULL, NULL, "is no receiver" },
	{ "a port alone", ":2100", NULL, NULL, "is no receiver" },
	{ "IPv6 without brackets", "2001:db8::1", NULL, NULL, "[IPv6 ADDRESS]:PORT" },
	{ "a bracket that stays open", "[::1", NULL, NULL, "is no receiver" },
	{ "words behind the bracket", "[::1]2100", NULL, NULL, "is no receiver" },
	{ "port 0", "127.0.0.1:0", NULL, NULL, "'0' is no port" },
	{ "a port too large", "127.0.0.1:65536", NULL, NULL, "'65536' is no port" },
	{ "a port with a sign", "127.0.0.1:+1", NULL, NULL, "'+1' is no port" },
	{ "words behind the port", "127.0.0.1:2100x", NULL, NULL, "'2100x' is no port" },
};

static void
test_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct target t;
		struct err e = ERR_INIT;
		int rc = target_open(&t, texts[i].text, 9995, &(struct target_options){ 0 }, &e);

		if ((rc == 0) != (texts[i].host != NULL))
			fail_msg("%s: %d %s", texts[i].says, rc, e.text);
		if (rc == 0) {
			assert_string_equal(t.host, texts[i].host);
			assert_string_equal(t.port, texts[i].port);
		} else if (strstr(e.text, texts[i].why) == NULL) {
			fail_msg("%s: %s", texts[i].says, e.text);
		}
		target_close(&t);
	}
}

/* A name longer than any is refused, and nothing is written beyond what holds it. */
static void
test_long_name(void **state)
{
	char name[400];
	struct target t;
	struct err e = ERR_INIT;

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(target_open(&t, name, 1, &(struct target_options){ 0 }, &e), -WEIR_EINVAL);
	name[256] = '\0';
	assert_int_equal(target_open(&t, name, 1, &(struct target_options){ 0 }, &e), -WEIR_EINVAL);
	name[253] = '\0';
	assert_int_equal(target_open(&t, name, 1, &(struct target_options){ 0 }, &e), 0);
	assert_int_equal(atomic_load(&t.fd), -1);
}

/* A socket on loopback; its port goes to `*port`. */
static int
receiver(uint16_t *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static void
open_port(struct target *t, uint16_t port, const struct target_options *o)
{
	char text[32];
	struct err e = ERR_INIT;

	snprintf(text, sizeof(text), "127.0.0.1:%u", port);
	if (target_open(t, text, 1, o, &e) != 0)
		fail_msg("%s", e.text);
}

static void
send_octets(struct target *t, size_t octets, unsigned n, struct target_tally *tally)
{
	static uint8_t data[70000];
	struct iovec v = { data, octets };
	struct mmsghdr m[64] = { 0 };

	for (unsigned i = 0; i < n; i++)
		m[i].msg_hdr = (struct msghdr){ .msg_iov = &v, .msg_iovlen = 1 };
	target_send(t, m, n, tally);
}

/* What cannot be sent costs itself alone, and is counted by its reason. */
static void
test_too_long(void **state)
{
	struct target t;
	struct target_tally tally = { 0 };
	char reasons[TARGET_REASONS_TEXT], got[16];
	uint16_t port;
	int fd = receiver(&port);

	(void)state;
	open_port(&t, port, &(struct target_options){ 0 });
	send_octets(&t, 7, 1, &tally);
	send_octets(&t, 65508, 2, &tally);
	send_octets(&t, 9, 1, &tally);
	assert_int_equal(tally.sent, 2);
	assert_int_equal(tally.unsent, 2);
	assert_int_equal(t.sent, 2);
	assert_int_equal(t.octets, 16);
	target_reasons(&t, reasons);
	assert_string_equal(reasons, "too_long 2");
	assert_int_equal(recv(fd, got, sizeof(got), 0), 7);
	assert_int_equal(recv(fd, got, sizeof(got), 0), 9);
	target_close(&t);
	close(fd);
}

/*
 * Nobody listens: the kernel says so at the next datagram, which is sent all the same; where
 * batches go together each datagram is counted all the same.
 */
static void
test_nobody_there(void **state)
{
	static const struct {
		size_t octets;
		unsigned n, times;
	} batches[] = { { 5, 1, 10 }, { 1000, 64, 50 } };

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		struct target t;
		struct target_tally tally = { 0 };
		uint16_t port;

		close(receiver(&port));
		open_port(&t, port, &(struct target_options){ 0 });
		for (unsigned i = 0; i < batches[k].times; i++)
			send_octets(&t, batches[k].octets, batches[k].n, &tally);
		assert_int_equal(tally.sent + tally.unsent, batches[k].times * batches[k].n);
		assert_true(t.refusals > 0);
		assert_int_equal(t.sent, tally.sent);
		assert_int_equal(t.octets, batches[k].octets * tally.sent);
		assert_int_equal(t.unsent[TARGET_REFUSED], tally.unsent);
		target_close(&t);
	}
}

/* As a router does: nobody may send from `from` to `to`, says ICMP to the former. */
static bool
prohibit(uint16_t from, uint16_t to)
{
	enum { UNREACHABLE = 3, PROHIBITED = 13 }; /* RFC 1812 s5.2.7.1 */
	const struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	uint8_t p[8 + 20 + 8] = { UNREACHABLE, PROHIBITED, [8] = 0x45, [8 + 3] = 28, [8 + 8] = 64,
		IPPROTO_UDP, [8 + 12] = 127, 0, 0, 1, 127, 0, 0, 1, (uint8_t)(from >> 8),
		(uint8_t)from, (uint8_t)(to >> 8), (uint8_t)to, 0, 8 };
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	uint32_t sum = 0;
	bool sent;

	for (size_t i = 0; i < sizeof(p); i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	p[2] = (uint8_t)(sum >> 8);
	p[3] = (uint8_t)sum;
	sent = fd != -1 &&
	    sendto(fd, p, sizeof(p), 0, (const struct sockaddr *)&a, sizeof(a)) == sizeof(p);
	close(fd);
	return sent;
}

/* What ICMP says of an earlier datagram, whatever it is, costs the next one nothing. */
static void
test_prohibited(void **state)
{
	struct target t;
	struct target_tally tally = { 0 };
	struct sockaddr_storage own;
	socklen_t len = sizeof(own);
	struct pollfd p = { .events = 0 };
	uint16_t port;
	int fd = receiver(&port);

	(void)state;
	open_port(&t, port, &(struct target_options){ 0 });
	p.fd = t.fd;
	assert_int_equal(getsockname(t.fd, (struct sockaddr *)&own, &len), 0);
	if (prohibit(target_port(&own), port)) {
		assert_int_equal(poll(&p, 1, 10000), 1); /* it has come */
		send_octets(&t, 5, 1, &tally);
		assert_int_equal(tally.sent, 1);
		assert_int_equal(t.refusals, 1);
	} else {
		print_message("no ICMP of our own: %s\n", strerror(errno));
	}
	target_close(&t);
	close(fd);
}

/* Sizes of datagrams in a row. */
static const struct {
	const char *says;
	unsigned n;
	size_t octets[12]; /* again and again, to `n` datagrams */
	unsigned n_octets;
} rows[] = {
	{ "of one size", 200, { 1464 }, 1 },
	{ "an octet each", 200, { 1 }, 1 },
	{ "now and then a shorter one", 100, { 1464, 1464, 1464, 1463, 1464, 3 }, 6 },
	{ "now and then a longer one", 100, { 300, 300, 300, 301, 300, 1464 }, 6 },
	{ "shorter and shorter", 60, { 1400, 700, 300, 100, 50, 20, 5, 1, 0 }, 9 },
	{ "longer and longer", 60, { 0, 1, 5, 20, 50, 100, 300, 700, 1400 }, 9 },
	{ "empty ones between", 100, { 200, 200, 0, 200, 0, 0 }, 6 },
	{ "none but empty ones", 100, { 0 }, 1 },
	{ "large ones", 40, { 9000, 9000, 9000, 8999 }, 4 },
	{ "as large as can be", 6, { 65507, 65507, 1 }, 3 },
	{ "some of many at once", 64, { 100, 100, 100, 50 }, 4 },
};

/* Octets that tell datagram `no` from others, and its places from each other. */
static void
octets_make(uint8_t *p, size_t n, unsigned no)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)((no * 31 + i + (i >> 8) * 7) & 0xff);
}

/* Send row `i` to `t`, in two parts each, and look that `fd` gets that. */
static void
check_row(size_t i, struct target *t, int fd, const char *how)
{
	static uint8_t data[64][65536], want[65536], got[65536];
	uint64_t sent = t->sent, octets = t->octets, sum = 0;
	struct iovec v[64][2];
	struct mmsghdr m[64];
	struct target_tally tally = { 0 };

	for (unsigned first = 0; first < rows[i].n; first += 64) {
		unsigned n = rows[i].n - first < 64 ? rows[i].n - first : 64;

		memset(m, 0, sizeof(m));
		for (unsigned k = 0; k < n; k++) {
			size_t len = rows[i].octets[(first + k) % rows[i].n_octets], head = len / 5;

			octets_make(data[k], len, first + k);
			v[k][0] = (struct iovec){ data[k], head };
			v[k][1] = (struct iovec){ data[k] + head, len - head };
			m[k].msg_hdr.msg_iov = v[k];
			m[k].msg_hdr.msg_iovlen = 2;
			sum += len;
		}
		target_send(t, m, n, &tally);
		for (unsigned k = 0; k < n; k++) {
			size_t len = rows[i].octets[(first + k) % rows[i].n_octets];
			ssize_t came = recv(fd, got, sizeof(got), 0);

			octets_make(want, len, first + k);
			if (m[k].msg_len != len || came != (ssize_t)len || memcmp(got, want, len) != 0)
				fail_msg("%s, %s: datagram %u of %zu octets: %zd came", how, rows[i].says,
				    first + k, len, came);
		}
	}
	assert_int_equal(tally.sent, rows[i].n);
	assert_int_equal(tally.unsent, 0);
	assert_int_equal(t->sent - sent, rows[i].n);
	assert_int_equal(t->octets - octets, sum);
}

static int
room(int fd)
{
	int octets = 16 << 20; /* of what comes before it is read */

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof(octets)) != 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof(octets));
	return fd;
}

/* Whatever goes together, and where nothing may: what comes is what was sent. */
static void
test_rows(void **state)
{
	struct target t;
	uint16_t port;
	int fd = room(receiver(&port)), on = 1;

	(void)state;
	open_port(&t, port, &(struct target_options){ 0 });
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(i, &t, fd, "as ever");
	/* The kernel refuses to cut where it may not make checksums: each on its own. */
	assert_int_equal(setsockopt(t.fd, SOL_SOCKET, SO_NO_CHECK, &on, sizeof(on)), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(i, &t, fd, "without checksums");
	assert_int_not_equal(t.one_by_one, 0);
	/* Later, it is tried again. */
	on = 0;
	assert_int_equal(setsockopt(t.fd, SOL_SOCKET, SO_NO_CHECK, &on, sizeof(on)), 0);
	t.one_by_one = 300;
	check_row(0, &t, fd, "for the rest of a while");
	assert_int_equal(t.one_by_one, 100);
	check_row(0, &t, fd, "after a while");
	assert_int_equal(t.one_by_one, 0);
	check_row(0, &t, fd, "together again");
	assert_int_equal(t.one_by_one, 0);
	t.one_by_one = UINT32_MAX; /* as with a kernel that does not know of it */
	check_row(0, &t, fd, "never together");
	assert_int_equal(t.one_by_one, UINT32_MAX);
	target_close(&t);
	open_port(&t, port, &(struct target_options){ .send_buffer = 1 });
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(i, &t, fd, "by the smallest buffer");
	target_close(&t);
	close(fd);
}

/* The same over IPv6, where this host has it. */
static void
test_rows_ipv6(void **state)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	socklen_t len = sizeof(a);
	struct err e = ERR_INIT;
	struct target t;
	char text[32];
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), on = 1;

	(void)state;
	if (fd == -1 || bind(fd, (struct sockaddr *)&a, len) != 0) {
		print_message("no IPv6: %s\n", strerror(errno));
		close(fd);
		return;
	}
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	snprintf(text, sizeof(text), "[::1]:%u", ntohs(a.sin6_port));
	assert_int_equal(target_open(&t, text, 1, &(struct target_options){ 0 }, &e), 0);
	room(fd);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(i, &t, fd, "by IPv6");
	assert_int_equal(t.one_by_one, 0);
	assert_int_equal(
	    setsockopt(t.fd, IPPROTO_UDP, UDP_NO_CHECK6_TX, &on, sizeof(on)), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_UDP, UDP_NO_CHECK6_RX, &on, sizeof(on)), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(i, &t, fd, "by IPv6 without checksums");
	assert_int_not_equal(t.one_by_one, 0);
	target_close(&t);
	close(fd);
}

/* Raise the loopback interface, with packets of `mtu` octets at most. */
static void
loopback_up(int mtu)
{
	struct ifreq size = { .ifr_name = "lo", .ifr_mtu = mtu };
	struct ifreq flags = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_LOOPBACK };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(ioctl(fd, SIOCSIFMTU, &size), 0);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &flags), 0);
	close(fd);
}

/* A narrow way, in a network of our own, where we may have one. */
static void
test_narrow(void **state)
{
	int home = network_enter(), whole = IP_PMTUDISC_DO, fd;
	struct target_tally tally = { 0 };
	struct target t;
	uint16_t port;

	(void)state;
	if (home == -1)
		return;
	loopback_up(576);
	fd = room(receiver(&port));
	open_port(&t, port, &(struct target_options){ 0 });
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(i, &t, fd, "by an MTU of 576");
	assert_int_not_equal(t.one_by_one, 0);
	/* Fragments are forbidden: what is too long goes neither together nor alone. */
	assert_int_equal(setsockopt(t.fd, IPPROTO_IP, IP_MTU_DISCOVER, &whole, sizeof(whole)), 0);
	for (unsigned rest = 0; rest < 2; rest++) {
		t.one_by_one = rest;
		send_octets(&t, 1000, 64, &tally);
		assert_int_equal(tally.sent, 0);
		assert_int_equal(tally.unsent, 64 * (rest + 1));
	}
	assert_int_equal(t.unsent[TARGET_TOO_LONG], 128);
	target_close(&t);
	close(fd);
	network_leave(home);
}

static void
test_unresolved(void **state)
{
	struct target t;
	struct target_tally tally = { 0 };
	struct err e = ERR_INIT;
	char reasons[TARGET_REASONS_TEXT];

	(void)state;
	assert_int_equal(
	    target_open(&t, "localhost:2100", 1, &(struct target_options){ 0 }, &e), 0);
	send_octets(&t, 5, 64, &tally);
	assert_int_equal(tally.sent, 0);
	assert_int_equal(tally.unsent, 64);
	target_reasons(&t, reasons);
	assert_string_equal(reasons, "unresolved 64");
	assert_true(target_resolve(&t, &(struct target_options){ 0 }, &e));
	assert_int_not_equal(atomic_load(&t.fd), -1);
	target_close(&t);
}

/* An address that no way leads to by now is like a name that is not known. */
static void
test_no_route_yet(void **state)
{
	int home = network_enter();
	struct err e = ERR_INIT;
	struct target t;

	(void)state;
	if (home == -1)
		return;
	assert_int_equal(target_open(&t, "127.0.0.1:9", 1, &(struct target_options){ 0 }, &e), 0);
	assert_int_equal(atomic_load(&t.fd), -1);
	assert_false(target_resolve(&t, &(struct target_options){ 0 }, &e));
	assert_non_null(strstr(e.text, "127.0.0.1:9: Network is unreachable"));
	loopback_up(65536);
	assert_true(target_resolve(&t, &(struct target_options){ 0 }, &e));
	assert_int_not_equal(atomic_load(&t.fd), -1);
	target_close(&t);
	network_leave(home);
}

/* Where it is sent from. */
static void
test_source(void **state)
{
	struct target t;
	struct target_tally tally = { 0 };
	struct target_options o = { .source_port = 0 };
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	struct err e = ERR_INIT;
	uint16_t port, own;
	char got[8];
	int fd = receiver(&port);

	(void)state;
	close(receiver(&own)); /* a port that is free */
	o.source_port = own;
	assert_int_equal(ip_parse("127.0.0.5", &o.source), 0);
	open_port(&t, port, &o);
	send_octets(&t, 3, 1, &tally);
	assert_int_equal(
	    recvfrom(fd, got, sizeof(got), 0, (struct sockaddr *)&from, &len), 3);
	assert_int_equal(target_port(&from), own);
	assert_int_equal(((struct sockaddr_in *)&from)->sin_addr.s_addr, htonl(0x7f000005));
	target_close(&t);
	/* There is no way from one family to the other. */
	assert_int_equal(target_open(&t, "[::1]:2100", 1, &o, &e), -WEIR_EINVAL);
	assert_non_null(strstr(e.text, "other family"));
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_prohibited),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_rows_ipv6),
		cmocka_unit_test(test_narrow),
		cmocka_unit_test(test_unresolved),
		cmocka_unit_test(test_no_route_yet),
		cmocka_unit_test(test_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
