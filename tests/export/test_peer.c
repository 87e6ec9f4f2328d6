/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "export/peer.h"
#include "lib/clock.h"
#include "tests/export/sockets.h"

#define NOW (UINT64_C(1783598400) * CLOCK_S) /* 2026-07-09 12:00 */

/* A peer at `name`, and a datagram of a record for it. */
struct rig {
	struct target target;
	struct peer peer;
	struct sender_config config;
	struct announcement told;
	struct parcel *parcel;
	struct output_result result;
};

static void
rig_open(struct rig *g, enum encode_version version, const char *name)
{
	static uint8_t template[] = { 0, 0, 0, 12, 1, 0, 0, 1, 0, 8, 0, 4 };
	const struct target_options o = { 0 };

	*g = (struct rig){ .config = { .message = { .version = version, .boot = NOW } },
		.told = { sizeof(template), 1, 0, template } };
	if (version == ENCODE_V9) {
		g->config.n_announcements = 1;
		g->config.announcements = &g->told;
	}
	assert_int_equal(target_open(&g->target, name, 9, &o, NULL), 0);
	assert_int_equal(peer_init(&g->peer, &g->target, &o, false, NULL), 0);
	g->parcel = calloc(1, sizeof(*g->parcel) + MESSAGE_HEADER + 48);
	assert_non_null(g->parcel);
	*g->parcel = (struct parcel){ .now = NOW, .octets = 48, .records = 1 };
}

static void
rig_close(struct rig *g)
{
	peer_fini(&g->peer);
	target_close(&g->target);
	free(g->parcel);
}

/* Give it the datagram at second `at`. */
static void
give(struct rig *g, unsigned at)
{
	peer_give(&g->peer, &g->config, &g->parcel, 1, at * CLOCK_S, &g->result);
}

/* Whether it is up at second `at`, and how many datagrams it took to find that out. */
static bool
is_up(struct rig *g, unsigned at, uint64_t *datagrams)
{
	uint64_t sent = g->target.sent;

	peer_try(&g->peer, &g->config, g->parcel, at * CLOCK_S);
	*datagrams = g->target.sent - sent;
	return peer_is_up(&g->peer);
}

/* One that refused gets no more data, but a word every five seconds, until it is there again. */
static void
test_one_that_refuses_is_tried(void **state)
{
	static const enum encode_version versions[] = { ENCODE_V5, ENCODE_V9 };
	uint8_t got[128];
	uint64_t n;
	char name[32];

	(void)state;
	for (size_t v = 0; v < 2; v++) {
		bool v9 = versions[v] == ENCODE_V9;
		int fd = socket_at(SOCK_DGRAM, 0, name);
		struct sockaddr_in a;
		socklen_t len = sizeof(a);
		struct rig g;

		assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
		rig_open(&g, versions[v], name);
		give(&g, 100);
		assert_true(is_up(&g, 100, &n));
		close(fd);
		give(&g, 101); /* is lost, and is told so by ICMP */
		assert_false(is_up(&g, 101, &n));
		for (unsigned at = 102; at < 106; at++) {
			assert_false(is_up(&g, at, &n));
			assert_int_equal(n, 0);
		}
		assert_false(is_up(&g, 106, &n));
		assert_int_equal(n, 1);
		for (unsigned at = 107; at < 112; at++) {
			assert_false(is_up(&g, at, &n));
			assert_int_equal(n, 0);
		}
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
		assert_false(is_up(&g, 112, &n));
		assert_int_equal(n, 1);
		assert_true(datagram_take(fd, got, sizeof(got), NULL) > 20);
		assert_int_equal(u16_at(got), versions[v]);
		if (v9)
			assert_int_equal(u16_at(got + 20), 0); /* templates */
		assert_true(is_up(&g, 113, &n));
		assert_int_equal(n, 0);
		give(&g, 113);
		assert_true(datagram_take(fd, got, sizeof(got), NULL) > 20);
		assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), -1); /* told already */
		assert_int_equal(g.result.rows, 3); /* what it was tried with is none of them */
		close(fd);
		rig_close(&g);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_that_refuses_is_tried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
