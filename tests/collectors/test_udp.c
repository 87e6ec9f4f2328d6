/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Real sockets on the loopback; sFlow datagrams, as its decoder keeps no state. */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "collectors/datagram_config.h"
#include "collectors/udp.h"
#include "core/output.h"
#include "lib/clock.h"
#include "lib/rcu.h"
#include "tests/collectors/class_rig.h"
#include "tests/collectors/sflow_bench.h"
#include "tests/proto/hex.h"

/* Version 5 without an agent address (so that the sender is the exporter) and samples. */
static const uint8_t hello[] = { 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0,
	0, 0, 0, 0 };

static const struct sockaddr_in6 local6 = { .sin6_family = AF_INET6,
	.sin6_addr = IN6ADDR_LOOPBACK_INIT };

static bool
has_ipv6(void)
{
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	bool has = fd != -1 && bind(fd, (const void *)&local6, sizeof(local6)) == 0;

	if (fd != -1)
		close(fd);
	return has;
}

/* A port that was free a moment ago, in both families. */
static uint16_t
free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(bind(fd, (const void *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (void *)&a, &len), 0);
	close(fd);
	return ntohs(a.sin_port);
}

static void
send_to(int family, uint32_t port, const void *octets, size_t len)
{
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_in6 a6 = local6;
	int fd = socket(family, SOCK_DGRAM, 0);
	ssize_t n;

	a6.sin6_port = htons((uint16_t)port);
	if (family == AF_INET)
		n = sendto(fd, octets, len, 0, (const void *)&a4, sizeof(a4));
	else
		n = sendto(fd, octets, len, 0, (const void *)&a6, sizeof(a6));
	close(fd);
	assert_int_equal(n, len);
}

/* Loopback delivers at once, as a rule; be patient where it does not. */
static void
read_until(struct rig *r, uint64_t datagrams)
{
	const struct timespec pause = { 0, 1000000 };

	for (unsigned i = 0; i < 2000; i++) {
		assert_false(rig_read(r));
		if (rig_stat(r, STAT_DATAGRAMS) >= datagrams)
			return;
		nanosleep(&pause, NULL);
	}
}

static void
check_sender(const struct rig *r, uint32_t no, const char *want)
{
	char text[IP_STRLEN];

	(void)ip_format(&exporters_at(r->exporters, no)->addr, text);
	assert_string_equal(text, want);
}

static void
test_both_families(void **state)
{
	struct datagram_config config = { .port = free_port(), .pipe_size = 65536 };
	uint64_t before = clock_real();
	struct rig r;

	(void)state;
	rig_init(&r, &sflow_udp_collector, &config);
	rig_open(&r);
	assert_true(r.collector.fd >= 0);
	assert_false(rig_read(&r));
	send_to(AF_INET, config.port, hello, sizeof(hello));
	read_until(&r, 1);
	assert_int_equal(rig_stat(&r, STAT_DATAGRAMS_DECODED), 1);
	assert_int_equal(rig_stat(&r, STAT_DATAGRAM_OCTETS), sizeof(hello));
	assert_int_equal(r.pipeline.source, SOURCE_SFLOW);
	check_sender(&r, 0, "127.0.0.1");
	assert_true(exporter_last_seen(exporters_at(r.exporters, 0)) >= before);
	assert_true(exporter_last_seen(exporters_at(r.exporters, 0)) <= clock_real());
	if (has_ipv6()) {
		assert_non_null(strstr(r.collector.where, "[::]:"));
		send_to(AF_INET6, config.port, hello, sizeof(hello));
		read_until(&r, 2);
		check_sender(&r, 1, "::1");
	}
	rig_books(&r, "both families");
	rig_fini(&r);
}

/* Streams of sampled headers are judged as time passes, whether datagrams come or not. */
static void
test_streams(void **state)
{
	const struct class_config classes = class_rig_config(100);
	struct datagram_config config = { .port = free_port(), .classes = &classes };
	uint64_t now = clock_real();
	uint8_t octets[1024];
	struct rig r;

	(void)state;
	rig_init(&r, &sflow_udp_collector, &config);
	rig_open(&r);
	send_to(AF_INET, config.port, octets,
	    hex_octets(ONE_FLOW("00000070", "00000001") RAW_TCP4, octets, sizeof(octets)));
	read_until(&r, 1);
	assert_int_equal(rig_stat(&r, STAT_CLASS_STREAMS), 1);
	assert_true(atomic_load(&r.collector.unsettled) >= now);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(rig_stat(&r, STAT_CLASS_UNKNOWN), 0);
		clock_set(now += 70 * CLOCK_S);
		assert_false(rig_read(&r));
	}
	clock_set(0);
	assert_int_equal(rig_stat(&r, STAT_CLASS_UNKNOWN), 1);
	assert_int_equal(atomic_load(&r.collector.unsettled), 0);
	rig_books(&r, "streams");
	rig_fini(&r);
}

static void
test_one_address(void **state)
{
	struct datagram_config config = { .port = free_port() };
	struct rig r;

	(void)state;
	assert_int_equal(ip_parse("127.0.0.1", &config.ip), 0);
	rig_init(&r, &sflow_udp_collector, &config);
	rig_open(&r);
	assert_non_null(strstr(r.collector.where, "127.0.0.1:"));
	send_to(AF_INET, config.port, hello, sizeof(hello));
	read_until(&r, 1);
	check_sender(&r, 0, "127.0.0.1");
	rig_fini(&r);
}

/* Sizes at both ends: no octets, and as many as UDP over IPv4 can carry. */
static void
test_sizes(void **state)
{
	static uint8_t large[65507];
	struct datagram_config config = { .port = free_port(), .pipe_size = 1 << 20 };
	struct rig r;

	(void)state;
	memcpy(large, hello, sizeof(hello));
	rig_init(&r, &sflow_udp_collector, &config);
	rig_open(&r);
	send_to(AF_INET, config.port, hello, 0);
	send_to(AF_INET, config.port, large, sizeof(large));
	read_until(&r, 2);
	assert_int_equal(rig_stat(&r, STAT_BAD_SHORT), 1);
	assert_int_equal(rig_stat(&r, STAT_DATAGRAMS_DECODED), 1);
	assert_int_equal(rig_stat(&r, STAT_DATAGRAM_OCTETS), sizeof(large));
	rig_books(&r, "sizes");
	rig_fini(&r);
}

/* More than one system call takes, and more than one read. */
static void
test_many(void **state)
{
	struct datagram_config config = { .port = free_port(), .pipe_size = 32 << 20 };
	struct rig r;

	(void)state;
	rig_init(&r, &sflow_udp_collector, &config);
	rig_open(&r);
	for (unsigned i = 0; i < 1000; i++) {
		send_to(AF_INET, config.port, hello, sizeof(hello));
		if (i % 100 == 99)
			assert_false(rig_read(&r));
	}
	read_until(&r, 1000);
	assert_int_equal(rig_stat(&r, STAT_DATAGRAMS), 1000);
	rig_fini(&r);
}

/* What an output that relays datagrams is given. */
static struct {
	unsigned n;
	uint16_t port; /* of the sender */
	size_t octets[200];
	uint8_t first[200]; /* octet of each */
} relayed;

static void
relay_take(struct output *o, unsigned worker, enum collector_kind kind, const struct datagram *d)
{
	(void)o;
	(void)worker;
	assert_int_equal(kind, COLLECTOR_SFLOW);
	assert_true(relayed.n < 200);
	relayed.port = d->from_port;
	relayed.first[relayed.n] = d->len > 0 ? d->data[0] : 0;
	for (size_t i = 0; i < d->len; i++)
		assert_int_equal(d->data[i], relayed.first[relayed.n]);
	relayed.octets[relayed.n++] = d->len;
}

static void
relay_flush(struct output *o, unsigned worker)
{
	(void)o;
	(void)worker;
}

static void
send_plain(int fd, size_t len, uint8_t octet)
{
	static uint8_t octets[65536];

	memset(octets, octet, len);
	assert_int_equal(send(fd, octets, len, 0), len);
}

/* Send `n` datagrams of `each` octets and one of `last` by one message. */
static void
send_train(int fd, unsigned n, size_t each, size_t last, uint8_t first)
{
	static uint8_t octets[65536];
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(uint16_t))] = { 0 };
	struct iovec v = { octets, n * each + last };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	uint16_t cut = (uint16_t)each;

	for (size_t i = 0; i < v.iov_len; i++)
		octets[i] = (uint8_t)(first + i / each);
	c->cmsg_level = IPPROTO_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(cut));
	memcpy(CMSG_DATA(c), &cut, sizeof(cut));
	assert_int_equal(sendmsg(fd, &m, 0), v.iov_len);
}

/* Datagrams that are sent together come as the datagrams that they are. */
static void
check_trains(bool joined)
{
	static const struct {
		unsigned n;
		size_t each, last;
	} trains[] = { { 1, 7, 0 }, { 44, 1464, 0 }, { 10, 100, 99 }, { 1, 50, 1 }, { 1, 0, 0 },
		{ 63, 1, 0 }, { 2, 30000, 5000 }, { 1, 65507, 0 } };
	static const struct output_ops ops = { .relay = relay_take, .flush = relay_flush };
	struct output relay = { .ops = &ops }, *relays[] = { &relay };
	struct datagram_config config = { .port = free_port(), .pipe_size = 4 << 20,
		.joined = joined };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)config.port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	unsigned want = 0;
	struct rig r;

	relayed.n = 0;
	assert_int_equal(connect(fd, (const void *)&a, len), 0);
	assert_int_equal(getsockname(fd, (void *)&a, &len), 0);
	rig_init(&r, &sflow_udp_collector, &config);
	r.pipeline.relays = relays;
	r.pipeline.n_relays = 1;
	rig_open(&r);
	for (size_t i = 0; i < sizeof(trains) / sizeof(trains[0]); i++) {
		if (trains[i].n == 1 && trains[i].last == 0)
			send_plain(fd, trains[i].each, (uint8_t)want);
		else
			send_train(fd, trains[i].n, trains[i].each, trains[i].last, (uint8_t)want);
		want += trains[i].n + (trains[i].last > 0);
	}
	read_until(&r, want);
	assert_int_equal(relayed.n, want);
	assert_int_equal(relayed.port, ntohs(a.sin_port));
	want = 0;
	for (size_t i = 0; i < sizeof(trains) / sizeof(trains[0]); i++) {
		for (unsigned k = 0; k < trains[i].n; k++, want++)
			if (relayed.octets[want] != trains[i].each ||
			    (trains[i].each > 0 && relayed.first[want] != want))
				fail_msg("row %zu: datagram %u has %zu octets", i, k, relayed.octets[want]);
		if (trains[i].last > 0)
			assert_int_equal(relayed.octets[want++], trains[i].last);
	}
	rig_books(&r, "together");
	rig_fini(&r);
	close(fd);
}

/* The kernel may hand them over as they are, or joined. */
static void
test_together(void **state)
{
	(void)state;
	check_trains(false);
	check_trains(true);
}

/* What the kernel dropped and what arrived are all that was sent. */
static void
test_drops(void **state)
{
	struct datagram_config config = { .port = free_port(), .pipe_size = 4096 };
	struct rig r;

	(void)state;
	rig_init(&r, &sflow_udp_collector, &config);
	rig_open(&r);
	r.collector.ops->poll_drops(&r.collector);
	assert_int_equal(rig_stat(&r, STAT_KERNEL_DROPS), 0);
	for (unsigned i = 0; i < 500; i++)
		send_to(AF_INET, config.port, hello, sizeof(hello));
	assert_false(rig_read(&r));
	r.collector.ops->poll_drops(&r.collector);
	assert_true(rig_stat(&r, STAT_KERNEL_DROPS) > 0);
	assert_int_equal(rig_stat(&r, STAT_KERNEL_DROPS) + rig_stat(&r, STAT_DATAGRAMS), 500);
	assert_int_equal(atomic_load(&r.collector.drops), rig_stat(&r, STAT_KERNEL_DROPS));
	r.collector.ops->poll_drops(&r.collector);
	assert_int_equal(rig_stat(&r, STAT_KERNEL_DROPS) + rig_stat(&r, STAT_DATAGRAMS), 500);
	rig_fini(&r);
}

/* Who is not on the list is counted as refused and reaches no decoder. */
static void
test_allow(void **state)
{
	static const struct {
		const char *list;
		uint64_t refused;
	} steps[] = { { "127.0.0.0/8\n", 0 }, { "192.0.2.1\n", 1 }, { "::1\n", 2 },
		{ "127.0.0.1\n", 2 } };
	struct datagram_config config = { .port = free_port() };
	struct problems ps = { 0 };
	struct config lines = { 0 };
	struct rig r;

	(void)state;
	config.allow_file = rig_file(steps[0].list, strlen(steps[0].list));
	datagram_config_load(&config, "sfacctd", &lines, &ps);
	assert_non_null(config.allow);
	rig_init(&r, &sflow_udp_collector, &config);
	rig_open(&r);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		FILE *f = fopen(config.allow_file, "w");

		assert_true(fputs(steps[i].list, f) >= 0);
		assert_int_equal(fclose(f), 0);
		datagram_config_reload(&config, &ps);
		send_to(AF_INET, config.port, hello, sizeof(hello));
		read_until(&r, i + 1);
		assert_int_equal(rig_stat(&r, STAT_DATAGRAMS_REFUSED), steps[i].refused);
		rig_books(&r, steps[i].list);
	}
	assert_int_equal(rig_stat(&r, STAT_DATAGRAM_OCTETS), 4 * sizeof(hello));
	assert_int_equal(atomic_load(&r.collector.units), 4);
	assert_int_equal(atomic_load(&r.collector.errors), 0);
	assert_int_equal(
	    exporter_sum(exporters_at(r.exporters, 0), EXPORTER_DATAGRAMS), 2);
	assert_int_equal(ps.n, 0);
	rig_fini(&r);
	rcu_drain();
	datagram_config_fini(&config);
	problems_free(&ps);
	rig_file_remove();
}

static int
open_status(struct rig *r, const struct datagram_config *config, unsigned worker,
    struct err *e)
{
	rig_init(r, &netflow_udp_collector, config);
	r->pipeline.worker = worker;
	return r->collector.ops->open(&r->collector, e);
}

/* Our workers share the port; another program is not let in unseen. */
static void
test_sharing(void **state)
{
	struct datagram_config config = { .port = free_port() };
	struct err e = ERR_INIT;
	struct rig first, second, other;

	(void)state;
	assert_int_equal(open_status(&first, &config, 0, &e), 0);
	assert_int_equal(open_status(&second, &config, 1, &e), 0);
	assert_int_not_equal(open_status(&other, &config, 0, &e), 0);
	assert_non_null(strstr(e.text, "another program"));
	assert_null(other.collector.priv);
	rig_fini(&first);
	rig_fini(&second);
	rig_fini(&other);
}

static void
test_wrong_address(void **state)
{
	struct datagram_config config = { .port = free_port() };
	struct err e = ERR_INIT;
	struct rig r;

	(void)state;
	assert_int_equal(ip_parse("192.0.2.55", &config.ip), 0);
	assert_int_not_equal(open_status(&r, &config, 0, &e), 0);
	assert_non_null(strstr(e.text, "192.0.2.55"));
	assert_non_null(strstr(e.text, "no interface"));
	rig_fini(&r);
}

static void
test_ipv6_only(void **state)
{
	struct datagram_config config = { .port = free_port(), .ipv6_only = true };
	struct datagram_config other = { .port = config.port };
	struct rig r, v4;

	(void)state;
	if (!has_ipv6())
		skip();
	rig_init(&r, &sflow_udp_collector, &config);
	rig_open(&r);
	/* IPv4 is so free that another socket may have the port there. */
	assert_int_equal(ip_parse("127.0.0.1", &other.ip), 0);
	rig_init(&v4, &sflow_udp_collector, &other);
	rig_open(&v4);
	send_to(AF_INET, config.port, hello, sizeof(hello));
	send_to(AF_INET6, config.port, hello, sizeof(hello));
	read_until(&r, 1);
	read_until(&v4, 1);
	assert_int_equal(rig_stat(&r, STAT_DATAGRAMS), 1);
	check_sender(&r, 0, "::1");
	check_sender(&v4, 0, "127.0.0.1");
	rig_fini(&r);
	rig_fini(&v4);
}

static void
test_interface(void **state)
{
	struct datagram_config config = { .port = free_port(), .interface = "lo" };
	struct datagram_config wrong = { .port = config.port, .interface = "nosuch0" };
	struct err e = ERR_INIT;
	struct rig r;

	(void)state;
	assert_int_not_equal(open_status(&r, &wrong, 0, &e), 0);
	assert_non_null(strstr(e.text, "nosuch0: interface: "));
	assert_non_null(strstr(e.text, "no such interface"));
	rig_fini(&r);
	rig_init(&r, &sflow_udp_collector, &config);
	rig_open(&r);
	assert_non_null(strstr(r.collector.where, " on lo"));
	send_to(AF_INET, config.port, hello, sizeof(hello));
	read_until(&r, 1);
	assert_int_equal(rig_stat(&r, STAT_DATAGRAMS), 1);
	rig_fini(&r);
}

/* Send to `group` by the loopback interface. False where this host cannot. */
static bool
send_group(const char *group, uint32_t port)
{
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	struct ip_mreqn by = { .imr_ifindex = (int)if_nametoindex("lo") };
	unsigned lo = if_nametoindex("lo");
	bool v4 = inet_pton(AF_INET, group, &a4.sin_addr) == 1;
	int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0);
	ssize_t n;

	if (v4) {
		(void)setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof(by));
		n = sendto(fd, hello, sizeof(hello), 0, (const void *)&a4, sizeof(a4));
	} else {
		(void)inet_pton(AF_INET6, group, &a6.sin6_addr);
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &lo, sizeof(lo));
		n = sendto(fd, hello, sizeof(hello), 0, (const void *)&a6, sizeof(a6));
	}
	close(fd);
	return n == (ssize_t)sizeof(hello);
}

/* What is sent to a group comes once, however many workers share the port. */
static void
test_multicast(void **state)
{
	static const char *const groups[] = { "239.255.77.1", "239.255.77.2", "ff15::77" };
	struct datagram_config config = { .port = free_port(), .interface = "lo",
		.mcast_groups = "239.255.77.1, 239.255.77.2,ff15::77" };
	struct problems ps = { 0 };
	struct config lines = { 0 };
	struct err e = ERR_INIT;
	struct rig first, second;
	uint64_t sent = 0;

	(void)state;
	datagram_config_load(&config, "sfacctd", &lines, &ps);
	assert_int_equal(ps.n, 0);
	assert_int_equal(config.n_groups, 3);
	if (!has_ipv6())
		config.n_groups = 2;
	if (open_status(&first, &config, 0, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(open_status(&second, &config, 1, &e), 0);
	for (size_t i = 0; i < config.n_groups; i++)
		sent += send_group(groups[i], config.port);
	assert_true(sent > 0);
	read_until(&first, sent);
	assert_int_equal(rig_stat(&first, STAT_DATAGRAMS), sent);
	assert_false(rig_read(&second));
	assert_int_equal(rig_stat(&second, STAT_DATAGRAMS), 0);
	rig_fini(&first);
	rig_fini(&second);
}

/* Another program's membership is none of ours. */
static void
test_multicast_of_others(void **state)
{
	struct datagram_config config = { .port = free_port() };
	struct ip_mreqn by = { .imr_ifindex = (int)if_nametoindex("lo") };
	int other = socket(AF_INET, SOCK_DGRAM, 0);
	struct rig r;

	(void)state;
	(void)inet_pton(AF_INET, "239.255.77.9", &by.imr_multiaddr);
	assert_int_equal(setsockopt(other, IPPROTO_IP, IP_ADD_MEMBERSHIP, &by, sizeof(by)), 0);
	rig_init(&r, &sflow_udp_collector, &config);
	rig_open(&r);
	assert_true(send_group("239.255.77.9", config.port));
	send_to(AF_INET, config.port, hello, sizeof(hello)); /* comes after it */
	read_until(&r, 1);
	assert_false(rig_read(&r));
	assert_int_equal(rig_stat(&r, STAT_DATAGRAMS), 1);
	rig_fini(&r);
	close(other);
}

/* What one line cannot tell: faults between directives, found before anything is opened. */
static const struct {
	const char *says, *key[2], *value[2], *want;
} checks[] = {
	{ "groups of both families", { "nfacctd_mcast_groups" }, { "239.1.1.1, ff15::1" }, NULL },
	{ "no group at all", { "nfacctd_mcast_groups" }, { "10.0.0.1" }, "'10.0.0.1'" },
	{ "no address", { "nfacctd_mcast_groups" }, { "239.1.1.1,all" }, "'all'" },
	{ "an IPv6 group on an IPv4 address", { "nfacctd_ip", "nfacctd_mcast_groups" },
	    { "127.0.0.1", "ff15::1" }, "ff15::1" },
	{ "an IPv4 group on an IPv6 address", { "nfacctd_ip", "nfacctd_mcast_groups" },
	    { "::1", "239.1.1.1" }, "239.1.1.1" },
	{ "an IPv4 group and IPv6 only", { "nfacctd_ipv6_only", "nfacctd_mcast_groups" },
	    { "true", "239.1.1.1" }, "239.1.1.1" },
	{ "IPv6 only on an IPv4 address", { "nfacctd_ip", "nfacctd_ipv6_only" },
	    { "127.0.0.1", "true" }, "IPv4 address" },
	{ "twenty groups", { "nfacctd_mcast_groups" },
	    { "224.1.1.1,224.1.1.2,224.1.1.3,224.1.1.4,224.1.1.5,224.1.1.6,224.1.1.7,224.1.1.8,"
	      "224.1.1.9,224.1.1.10,224.1.1.11,224.1.1.12,224.1.1.13,224.1.1.14,224.1.1.15,"
	      "224.1.1.16,224.1.1.17,224.1.1.18,224.1.1.19,224.1.1.20" }, NULL },
	{ "twenty-one", { "nfacctd_mcast_groups" },
	    { "224.1.1.1,224.1.1.2,224.1.1.3,224.1.1.4,224.1.1.5,224.1.1.6,224.1.1.7,224.1.1.8,"
	      "224.1.1.9,224.1.1.10,224.1.1.11,224.1.1.12,224.1.1.13,224.1.1.14,224.1.1.15,"
	      "224.1.1.16,224.1.1.17,224.1.1.18,224.1.1.19,224.1.1.20,224.1.1.21" },
	    "more than 20" },
	{ "a name too long", { "nfacctd_interface" }, { "ethernet-number-0" }, "longer" },
	{ "brokers", { "nfacctd_kafka_topic" }, { "flows" }, "no message broker" },
	{ "a replicator of templates", { "nfacctd_templates_receiver" }, { "::1:20000" },
	    "set workers" },
	{ "DTLS", { "nfacctd_dtls_port" }, { "4740" }, "stunnel" },
};

static void
test_checks(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		struct problems ps = { 0 };
		struct config c = { 0 };
		struct datagram_config config;
		const char *key = checks[i].key[1] != NULL ? checks[i].key[1] : checks[i].key[0];

		for (size_t k = 0; k < 2 && checks[i].key[k] != NULL; k++)
			config_add(&c, "test", checks[i].key[k], NULL, checks[i].value[k]);
		directive_apply(&netflow_directives, &c, NULL, &config, &ps);
		datagram_config_load(&config, "nfacctd", &c, &ps);
		if (ps.n_errors != (checks[i].want != NULL))
			fail_msg("%s: %zu errors", checks[i].says, ps.n_errors);
		if (ps.n > 0 && (strstr(ps.list[0].text, checks[i].want) == NULL ||
		    strstr(ps.list[0].text, key) == NULL))
			fail_msg("%s: %s", checks[i].says, ps.list[0].text);
		datagram_config_fini(&config);
		problems_free(&ps);
		config_free(&c);
	}
}

/* The rows of both families fill the same struct. */
static void
test_directives(void **state)
{
	static const struct {
		const struct directive_set *set;
		const char *prefix;
	} families[] = { { &netflow_directives, "nfacctd" }, { &sflow_directives, "sfacctd" } };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct config c = { 0 };
		struct problems ps = { 0 };
		struct datagram_config config;
		char key[64];

		directive_apply(families[i].set, &c, NULL, &config, &ps);
		assert_int_equal(config.port, 0);
		assert_true(ip_is_none(&config.ip));
		assert_int_equal(config.pipe_size, 32 << 20);
		assert_false(config.time_new || config.disable_checks);
		snprintf(key, sizeof(key), "%s_port", families[i].prefix);
		config_add(&c, "test", key, NULL, "2055");
		snprintf(key, sizeof(key), "%s_disable_sanity_checks", families[i].prefix);
		config_add(&c, "test", key, NULL, "true");
		snprintf(key, sizeof(key), "%s_ip", families[i].prefix);
		config_add(&c, "test", key, NULL, "::");
		directive_apply(families[i].set, &c, NULL, &config, &ps);
		assert_int_equal(config.port, 2055);
		assert_true(config.disable_checks);
		assert_true(ip_is_none(&config.ip));
		assert_int_equal(ps.n_errors, 0);
		problems_free(&ps);
		config_free(&c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_families),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_one_address),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_together),
		cmocka_unit_test(test_drops),
		cmocka_unit_test(test_allow),
		cmocka_unit_test(test_sharing),
		cmocka_unit_test(test_wrong_address),
		cmocka_unit_test(test_ipv6_only),
		cmocka_unit_test(test_interface),
		cmocka_unit_test(test_multicast),
		cmocka_unit_test(test_multicast_of_others),
		cmocka_unit_test(test_checks),
		cmocka_unit_test(test_directives),
	};

	return cmocka_run_group_tests_name("collectors/udp", tests, NULL, NULL);
}
