/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <limits.h>
#include <net/if.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>

#include "export/announce.h"
#include "export/sender.h"
#include "lib/clock.h"
#include "lib/intern.h"
#include "tests/export/sockets.h"

#define NOW    (UINT64_C(1783598400) * CLOCK_S) /* 2026-07-09 12:00 */
#define BODY   1400U
#define BOXES  2U

/* A sender of records of `version` to `receivers`, and two outboxes of its workers. */
struct rig {
	enum encode_version version;
	struct output *output;
	struct stats stats;
	struct encode layout;
	struct announcements told;
	struct applications *applications;
	struct outbox *boxes;
	struct receivers *receivers;
	struct sender *sender;
	int wake_fd;
	_Atomic bool asleep;
	char pools[64];       /* the file; "": none */
};

static const struct output_ops ops = { .type = "nfprobe", .wants = OUTPUT_FLOWS };

static struct receivers *
pools_read(struct rig *g, const char *text)
{
	static const struct target_options o = { .send_buffer = 8192 };
	struct problems ps = { 0 };
	struct receivers *r;
	FILE *f;

	if (g->pools[0] == '\0') {
		strcpy(g->pools, "/tmp/test_sender.XXXXXX");
		close(mkstemp(g->pools));
	}
	f = fopen(g->pools, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	r = receivers_load(RECEIVERS_OF_FLOWS, g->pools, 2100, &o, &ps, NULL);
	assert_non_null(r);
	assert_int_equal(ps.n_errors, 0);
	problems_free(&ps);
	return r;
}

static struct rig *
rig_open(enum encode_version version, bool stream, const char *pools)
{
	struct rig *g = calloc(1, sizeof(*g));
	const struct outbox_config box = { .version = version, .lanes = 1, .body_octets = BODY,
		.parcels = 8000, .asleep = &g->asleep, .patient = true };
	const struct encode_options o = { .version = version, .times = ENCODE_UPTIME };
	struct announce_config told = { .version = version, .body_octets = BODY,
		.layouts = { &g->layout } };
	struct sender_config c = { .message = { .version = version, .domain = 7, .boot = NOW },
		.n_outboxes = BOXES, .stream = stream, .asleep = &g->asleep };
	struct output_config common = { 0 };
	struct field_set set;

	assert_non_null(g);
	g->version = version;
	g->output = output_new(&ops, "x", &common, NULL);
	assert_int_equal(field_set_parse("src_host,dst_host", &set, NULL), 0);
	encode_compile(&g->layout, &set, &o);
	assert_int_equal(announce_build(&g->told, &told, NULL), 0);
	g->boxes = aligned_alloc(64, BOXES * sizeof(*g->boxes));
	g->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (unsigned i = 0; i < BOXES; i++) {
		assert_int_equal(outbox_init(&g->boxes[i], &box, &g->stats, NULL), 0);
		g->boxes[i].config.wake_fd = g->wake_fd;
		g->boxes[i].now = NOW;
	}
	g->receivers = pools_read(g, pools);
	c.receivers = g->receivers;
	c.outboxes = g->boxes;
	c.wake_fd = g->wake_fd;
	c.n_announcements = g->told.n;
	c.announcements = g->told.list;
	c.applications = g->applications = applications_new(NULL);
	g->sender = sender_new(g->output, &c, NULL);
	assert_non_null(g->sender);
	return g;
}

static void
rig_start(struct rig *g)
{
	assert_int_equal(receivers_start(g->receivers, NULL), 0);
	assert_int_equal(sender_start(g->sender, NULL), 0);
}

/* Send all; the books must balance. */
static void
rig_stop(struct rig *g)
{
	sender_stop(g->sender);
	g->sender = NULL;
	assert_int_equal(g->output->rows, g->output->written + g->output->refused);
}

static void
rig_close(struct rig *g)
{
	sender_stop(g->sender);
	for (unsigned i = 0; i < BOXES; i++)
		outbox_fini(&g->boxes[i]);
	receivers_free(g->receivers);
	announce_free(&g->told);
	applications_free(g->applications);
	output_free(g->output);
	close(g->wake_fd);
	unlink(g->pools);
	free(g->boxes);
	free(g);
}

/* Put `n` records into outbox `box`, in datagrams of `each`. */
static void
fill(struct rig *g, unsigned box, unsigned n, unsigned each)
{
	struct flow f = { .packets = 1, .bytes = 40 };
	const struct encode_env env = { .packets = 1, .octets = 40, .start = NOW, .end = NOW,
		.boot = NOW };

	f.src_host = ip_from_v4((const uint8_t[]){ 192, 0, 2, (uint8_t)box });
	f.dst_host = ip_from_v4((const uint8_t[]){ 198, 51, 100, 1 });
	for (unsigned i = 0; i < n; i++) {
		outbox_wait(&g->boxes[box]);
		assert_true(outbox_put(&g->boxes[box], 0, 0, &g->layout, (const uint8_t *)&f, &env));
		if (i % each == each - 1)
			outbox_flush(&g->boxes[box]);
	}
	outbox_flush(&g->boxes[box]);
}

static void
test_numbers(void **state)
{
	/* Where the sequence stands; what it counts: data records, or datagrams. */
	static const struct {
		enum encode_version version;
		unsigned at, each;
		bool tells;
	} versions[] = {
		{ ENCODE_V5, 16, 5, false },
		{ ENCODE_V9, 12, 1, true },
		{ ENCODE_IPFIX, 8, 5, true },
	};

	(void)state;
	for (size_t v = 0; v < 3; v++) {
		uint8_t got[BODY + MESSAGE_HEADER];
		char name[32], pools[64];
		int fd = socket_at(SOCK_DGRAM, 0, name);
		struct rig *g;
		unsigned datagrams = 20, want = 0;

		snprintf(pools, sizeof(pools), "id=1 ip=%s\n", name);
		g = rig_open(versions[v].version, false, pools);
		fill(g, 0, 5 * datagrams, 5);
		rig_start(g);
		for (unsigned i = 0; i < datagrams + versions[v].tells; i++) {
			bool template = i == 0 && versions[v].tells;

			assert_true(datagram_take(fd, got, sizeof(got), NULL) > 16);
			assert_int_equal(u16_at(got), versions[v].version);
			assert_int_equal(u32_at(got + versions[v].at), want);
			want += template && versions[v].version == ENCODE_IPFIX ? 0 : versions[v].each;
		}
		rig_stop(g);
		assert_int_equal(g->output->written, 5 * datagrams);
		assert_int_equal(g->output->refused, 0);
		close(fd);
		rig_close(g);
	}
}

/* Names go before records that may have their numbers, each once, and again with templates. */
static void
names_check(const uint8_t *message, unsigned records, uint32_t sequence)
{
	assert_int_equal(u16_at(message + 16), 515);
	/* Five octets of the number, and the name in 64. */
	assert_in_range(u16_at(message + 18), 4 + records * 69, 4 + records * 69 + 3);
	assert_int_equal(u32_at(message + 8), sequence);
}

static void
test_names_go_first(void **state)
{
	uint8_t got[BODY + MESSAGE_HEADER];
	char name[32], pools[64], text[8];
	int fd = socket_at(SOCK_DGRAM, 0, name);
	struct rig *g;

	(void)state;
	snprintf(pools, sizeof(pools), "id=1 ip=%s\n", name);
	g = rig_open(ENCODE_IPFIX, false, pools);
	rig_start(g);
	for (unsigned i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), "class/%u", i);
		(void)applications_id(g->applications, intern(text, strlen(text)));
		if (i == 0)
			continue;
		fill(g, 0, 5, 5);
		if (i == 1) {
			datagram_take(fd, got, sizeof(got), NULL);
			assert_int_equal(u16_at(got + 16), 2); /* templates */
		}
		datagram_take(fd, got, sizeof(got), NULL);
		names_check(got, i == 1 ? 2 : 1, i == 1 ? 0 : 7);
		datagram_take(fd, got, sizeof(got), NULL);
		assert_int_equal(u16_at(got + 16), 256);
		assert_int_equal(u32_at(got + 8), i == 1 ? 2 : 8); /* options records count, too */
	}
	rig_stop(g);
	assert_int_equal(g->output->rows, 10); /* but are in no books */
	close(fd);
	rig_close(g);
}

/* Who had no address yet is told templates first once it has one, however soon that is. */
static void
test_told_once_resolved(void **state)
{
	uint8_t got[BODY + MESSAGE_HEADER];
	char name[32], pools[64];
	int fd = socket_at(SOCK_DGRAM, 0, name), socket;
	struct target *t;
	struct rig *g;

	(void)state;
	snprintf(pools, sizeof(pools), "id=1 ip=%s\n", name);
	g = rig_open(ENCODE_V9, false, pools);
	t = g->receivers->pools[0].targets[0];
	socket = atomic_exchange(&t->fd, -1); /* as of a name */
	assert_int_equal(sender_start(g->sender, NULL), 0);
	fill(g, 0, 1, 1);
	while (atomic_load(&t->unsent[TARGET_UNRESOLVED]) < 2)
		nanosleep(&(struct timespec){ 0, CLOCK_MS }, NULL);
	atomic_store(&t->fd, socket);
	fill(g, 0, 1, 1);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(datagram_take(fd, got, sizeof(got), NULL) > 24);
		assert_int_equal(u16_at(got + 20), i == 0 ? 0 : 256);
	}
	rig_stop(g);
	assert_int_equal(g->output->written, 1);
	assert_int_equal(g->output->refused, 1);
	close(fd);
	rig_close(g);
}

/* No outbox waits until another one, which is never empty, is. */
static void
test_outboxes_take_turns(void **state)
{
	uint8_t got[BODY + MESSAGE_HEADER];
	char name[32], pools[64];
	int fd = socket_at(SOCK_DGRAM, 4 << 20, name);
	struct rig *g;
	unsigned first = 0;

	(void)state;
	snprintf(pools, sizeof(pools), "id=1 ip=%s\n", name);
	g = rig_open(ENCODE_V5, false, pools);
	fill(g, 0, 300, 1);
	fill(g, 1, 300, 1);
	rig_start(g);
	do {
		assert_int_equal(datagram_take(fd, got, sizeof(got), NULL), 24 + 48);
		first++;
	} while (got[24 + 3] != 1); /* the source's last octet: which outbox */
	assert_true(first <= 65);
	rig_stop(g);
	assert_int_equal(g->output->written, 600);
	close(fd);
	rig_close(g);
}

/* A collector that reads slowly: what it has got, in records. */
struct slow {
	int listener;
	size_t octets;        /* that it reads at once */
	unsigned rest_us;     /* in between */
	uint64_t messages, records;
	unsigned set_octets;  /* of a record */
};

/* Messages of `buf`, `n` octets long, are counted and taken out. Returns what is left. */
static size_t
slow_count(struct slow *s, uint8_t *buf, size_t n)
{
	size_t at = 0;

	while (n - at >= 16 && n - at >= u16_at(buf + at + 2)) {
		const uint8_t *m = buf + at;

		s->messages++;
		if (u16_at(m + 16) >= 256)
			s->records += (u16_at(m + 18) - 4) / s->set_octets;
		at += u16_at(m + 2);
	}
	memmove(buf, buf + at, n - at);
	return n - at;
}

static void *
slow_main(void *arg)
{
	struct slow *s = arg;
	uint8_t *buf = malloc(1 << 20);
	size_t left = 0;
	ssize_t n;
	int fd = accept(s->listener, NULL, NULL);

	while ((n = recv(fd, buf + left, s->octets, 0)) > 0) {
		left = slow_count(s, buf, left + (size_t)n);
		nanosleep(&(struct timespec){ 0, s->rest_us * 1000L }, NULL);
	}
	close(fd);
	free(buf);
	return NULL;
}

/* Nothing is lost at the end: neither while it connects, nor to those that are slow. */
static void
test_slow_ones_get_all(void **state)
{
	struct slow slow[2] = { { .octets = 16384, .rest_us = 1000 },
		{ .octets = 32768, .rest_us = 1000 } };
	pthread_t threads[2];
	char names[2][32], pools[128];
	struct rig *g;
	unsigned n = 300000;

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		slow[i].listener = socket_at(SOCK_STREAM, 8192, names[i]);
	snprintf(pools, sizeof(pools), "id=1 ip=%s,%s\n", names[0], names[1]);
	g = rig_open(ENCODE_IPFIX, true, pools);
	for (unsigned i = 0; i < 2; i++) {
		slow[i].set_octets = g->layout.octets;
		pthread_create(&threads[i], NULL, slow_main, &slow[i]);
	}
	sender_be_patient(g->sender, 0);
	rig_start(g);
	fill(g, 0, n, UINT_MAX); /* some ten times what a connection's buffer takes */
	rig_stop(g);
	for (unsigned i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		close(slow[i].listener);
		assert_int_equal(slow[i].records, n);
	}
	assert_int_equal(g->output->written, 2 * n);
	assert_int_equal(g->output->refused, 0);
	rig_close(g);
}

/* One that breaks off counts for no more than the kernel took. */
static void
test_one_that_breaks_off(void **state)
{
	char name[32], pools[64];
	int listener = socket_at(SOCK_STREAM, 4096, name), fd;
	struct rig *g;

	(void)state;
	snprintf(pools, sizeof(pools), "id=1 ip=%s\n", name);
	g = rig_open(ENCODE_IPFIX, true, pools);
	sender_be_patient(g->sender, 0);
	rig_start(g);
	fill(g, 0, 5000, UINT_MAX);
	socket_wait(listener);
	fd = accept(listener, NULL, NULL);
	close(listener); /* and nobody is there afterwards */
	socket_wait(fd);
	close(fd);       /* with octets that it has not read: a reset */
	rig_stop(g);
	assert_int_equal(g->output->rows, 5000);
	assert_true(g->output->refused > 1000);
	rig_close(g);
}

/* All have half a minute together, and each some seconds. */
static void
test_end(void **state)
{
	static const struct {
		uint64_t mono, until; /* s */
	} rows[] = { { 100, 130 }, { 100, 130 }, { 120, 130 }, { 128, 131 }, { 160, 163 } };
	uint64_t finish = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(sender_end(&finish, rows[i].mono * CLOCK_S),
		    rows[i].until * CLOCK_S);
}

static unsigned
datagrams_take(int fd, unsigned n, uint32_t *sequence, uint16_t *from)
{
	uint8_t got[BODY + MESSAGE_HEADER];
	unsigned templates = 0;

	for (unsigned i = 0; i < n; i++) {
		datagram_take(fd, got, sizeof(got), from);
		*sequence = u32_at(got + 8);
		templates += u16_at(got + 16) == 2;
	}
	return templates;
}

/* Read anew: who stays keeps number and socket; who comes is told templates; who goes, goes. */
static void
test_renew(void **state)
{
	char names[3][32], pools[128];
	int fds[3];
	struct rig *g;
	struct receivers *fresh;
	uint32_t sequence;
	uint16_t before, after;

	(void)state;
	for (int i = 0; i < 3; i++)
		fds[i] = socket_at(SOCK_DGRAM, 0, names[i]);
	snprintf(pools, sizeof(pools), "id=1 ip=%s,%s\n", names[0], names[1]);
	g = rig_open(ENCODE_IPFIX, false, pools);
	rig_start(g);
	fill(g, 0, 30, 10);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(datagrams_take(fds[i], 4, &sequence, &before), 1);
		assert_int_equal(sequence, 20);
	}

	/* The second is the first now, and in another pool; the third is new. */
	snprintf(pools, sizeof(pools), "id=5 ip=%s\nid=6 ip=%s\n", names[1], names[2]);
	fresh = pools_read(g, pools);
	assert_int_equal(receivers_adopt(fresh, g->receivers, NULL), 0);
	assert_int_equal(sender_renew(g->sender, fresh, NULL), 0);
	receivers_free(g->receivers);
	g->receivers = fresh;
	assert_int_equal(atomic_load(&fresh->pools[0].targets[0]->sent), 4);
	assert_int_equal(atomic_load(&fresh->pools[1].targets[0]->sent), 0);
	fill(g, 1, 20, 10);
	assert_int_equal(datagrams_take(fds[1], 2, &sequence, &after), 0);
	assert_int_equal(sequence, 40);
	assert_int_equal(after, before);
	assert_int_equal(datagrams_take(fds[2], 3, &sequence, &after), 1);
	assert_int_equal(sequence, 10);
	rig_stop(g);
	assert_int_equal(g->output->written, 100);
	assert_int_equal(recv(fds[0], pools, 1, MSG_DONTWAIT), -1);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	rig_close(g);
}

/* The same by TCP: a connection that stays goes on, with what it had not yet taken. */
static void
test_renew_connections(void **state)
{
	struct slow slow = { .octets = 65536, .rest_us = 100 };
	pthread_t thread;
	char name[32], pools[64];
	struct rig *g;
	struct receivers *fresh;

	(void)state;
	slow.listener = socket_at(SOCK_STREAM, 8192, name);
	snprintf(pools, sizeof(pools), "id=1 ip=%s\n", name);
	g = rig_open(ENCODE_IPFIX, true, pools);
	slow.set_octets = g->layout.octets;
	pthread_create(&thread, NULL, slow_main, &slow);
	sender_be_patient(g->sender, 0);
	rig_start(g);
	fill(g, 0, 50000, UINT_MAX);
	for (int i = 0; i < 3; i++) {
		fresh = pools_read(g, pools);
		assert_int_equal(receivers_adopt(fresh, g->receivers, NULL), 0);
		assert_int_equal(sender_renew(g->sender, fresh, NULL), 0);
		receivers_free(g->receivers);
		g->receivers = fresh;
		fill(g, 0, 1000, 20);
	}
	rig_stop(g);
	pthread_join(thread, NULL);
	close(slow.listener);
	assert_int_equal(slow.records, 53000); /* all by the first connection */
	assert_int_equal(g->output->written, 53000);
	rig_close(g);
}

/* Raise an interface, or an address of its own of the loopback, or take it away. */
static void
interface_set(const char *name, bool up)
{
	struct ifreq r = { .ifr_flags = up ? IFF_UP | IFF_LOOPBACK : 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strcpy(r.ifr_name, name);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &r), 0);
	close(fd);
}

static void
interface_address(const char *name, const uint8_t address[4])
{
	struct ifreq r = { 0 };
	struct sockaddr_in a = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strcpy(r.ifr_name, name);
	memcpy(&a.sin_addr, address, 4);
	memcpy(&r.ifr_addr, &a, sizeof(a));
	assert_int_equal(ioctl(fd, SIOCSIFADDR, &r), 0);
	close(fd);
}

/* Datagrams are as long as the way takes, and longer again when it has become wider. */
static void
test_a_way_that_widens(void **state)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_mtu = 576 };
	int home = network_enter(), fd, control;
	char name[32], pools[80];
	struct rig *g;

	(void)state;
	if (home == -1)
		return;
	control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	interface_set("lo", true);
	assert_int_equal(ioctl(control, SIOCSIFMTU, &r), 0);
	fd = socket_at(SOCK_DGRAM, 0, name);
	snprintf(pools, sizeof(pools), "id=1 ip=%s\n", name);
	g = rig_open(ENCODE_IPFIX, false, pools);
	assert_int_equal(outbox_room(&g->boxes[1], UINT16_MAX), message_room(ENCODE_IPFIX, 576));
	r.ifr_mtu = 1280;
	assert_int_equal(ioctl(control, SIOCSIFMTU, &r), 0);
	rig_start(g);
	for (unsigned i = 0; i < 1000; i++) {
		fill(g, 0, 1, 1);
		if (outbox_room(&g->boxes[1], UINT16_MAX) == message_room(ENCODE_IPFIX, 1280))
			break;
		nanosleep(&(struct timespec){ 0, 10 * CLOCK_MS }, NULL);
	}
	assert_int_equal(outbox_room(&g->boxes[1], UINT16_MAX), message_room(ENCODE_IPFIX, 1280));
	rig_stop(g);
	close(fd);
	close(control);
	rig_close(g);
	network_leave(home);
}

/* The way to the first goes away: the second gets what comes. */
static void
test_failover_without_a_route(void **state)
{
	static const uint8_t there[4] = { 192, 0, 2, 1 };
	int home = network_enter(), fd;
	char name[32], pools[80];
	struct rig *g;

	(void)state;
	if (home == -1)
		return;
	interface_set("lo", true);
	interface_address("lo:1", there);
	fd = socket_at(SOCK_DGRAM, 0, name);
	snprintf(pools, sizeof(pools), "id=1 balance-alg=failover ip=192.0.2.1:9,%s\n", name);
	g = rig_open(ENCODE_V5, false, pools);
	interface_set("lo:1", false);
	rig_start(g);
	for (unsigned i = 1; i <= 10; i++) {
		struct target *const *t = g->receivers->pools[0].targets;

		fill(g, 0, 1, 1);
		/* Each by itself: the first ones find that out. */
		while (t[0]->sent + t[0]->unsent[TARGET_UNREACHABLE] + t[1]->sent < i)
			nanosleep(&(struct timespec){ 0, CLOCK_MS }, NULL);
		if (i == 1)
			assert_int_equal(t[0]->unsent[TARGET_UNREACHABLE], 1);
	}
	rig_stop(g);
	assert_true(g->output->written >= 1);
	socket_wait(fd);
	close(fd);
	rig_close(g);
	network_leave(home);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_names_go_first),
		cmocka_unit_test(test_told_once_resolved),
		cmocka_unit_test(test_outboxes_take_turns),
		cmocka_unit_test(test_slow_ones_get_all),
		cmocka_unit_test(test_one_that_breaks_off),
		cmocka_unit_test(test_renew),
		cmocka_unit_test(test_a_way_that_widens),
		cmocka_unit_test(test_failover_without_a_route),
		cmocka_unit_test(test_renew_connections),
	};

	return cmocka_run_group_tests_name("sender", tests, NULL, NULL);
}
