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

#define PEERS 2U

/* A pool of peers, of which the first that is up gets all, and a datagram of a record for it. */
struct rig {
	int fds[PEERS];
	struct sockaddr_in at[PEERS];
	struct target targets[PEERS];
	struct peer peers[PEERS];
	struct sender_config config;
	struct announcement told;
	struct parcel *parcel;
	struct output_result result;
};

static void
rig_open(struct rig *g, enum encode_version version)
{
	static uint8_t template[] = { 0, 0, 0, 12, 1, 0, 0, 1, 0, 8, 0, 4 };
	const struct target_options o = { 0 };

	*g = (struct rig){ .config = { .message = { .version = version, .boot = NOW } },
		.told = { sizeof(template), 1, 0, template } };
	if (version == ENCODE_V9) {
		g->config.n_announcements = 1;
		g->config.announcements = &g->told;
	}
	for (unsigned i = 0; i < PEERS; i++) {
		char name[32];
		socklen_t len = sizeof(g->at[i]);

		g->fds[i] = socket_at(SOCK_DGRAM, 0, name);
		assert_int_equal(getsockname(g->fds[i], (struct sockaddr *)&g->at[i], &len), 0);
		assert_int_equal(target_open(&g->targets[i], name, 9, &o, NULL), 0);
		assert_int_equal(peer_init(&g->peers[i], &g->targets[i], &o, false, NULL), 0);
	}
	g->parcel = calloc(1, sizeof(*g->parcel) + MESSAGE_HEADER + 48);
	assert_non_null(g->parcel);
	*g->parcel = (struct parcel){ .now = NOW, .octets = 48, .records = 1 };
}

static void
rig_close(struct rig *g)
{
	for (unsigned i = 0; i < PEERS; i++) {
		peer_fini(&g->peers[i]);
		target_close(&g->targets[i]);
		close(g->fds[i]);
	}
	free(g->parcel);
}

/* Give the pool the datagram at second `at`: how many each is sent then. */
static void
give(struct rig *g, unsigned at, uint64_t n[PEERS])
{
	for (unsigned i = 0; i < PEERS; i++)
		n[i] = g->targets[i].sent;
	peers_failover(g->peers, PEERS, &g->config, &g->parcel, 1, at * CLOCK_S, &g->result);
	for (unsigned i = 0; i < PEERS; i++)
		n[i] = g->targets[i].sent - n[i];
}

/* The first listens again. */
static void
first_returns(struct rig *g)
{
	g->fds[0] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(g->fds[0], (struct sockaddr *)&g->at[0], sizeof(g->at[0])), 0);
}

/* One that refused gets no more data, but a word every five seconds, until it is there again. */
static void
test_one_that_refuses_is_tried(void **state)
{
	static const enum encode_version versions[] = { ENCODE_V5, ENCODE_V9 };
	uint8_t got[128];
	uint64_t n[PEERS];

	(void)state;
	for (size_t v = 0; v < 2; v++) {
		bool v9 = versions[v] == ENCODE_V9;
		struct rig g;

		rig_open(&g, versions[v]);
		give(&g, 100, n);
		assert_int_equal(n[0], v9 ? 2 : 1);
		close(g.fds[0]);
		give(&g, 101, n); /* is lost, and is told so by ICMP */
		assert_int_equal(n[0], 1);
		give(&g, 102, n);
		assert_int_equal(n[0], 0);
		assert_int_equal(n[1], v9 ? 2 : 1);
		for (unsigned at = 103; at < 113; at++) {
			give(&g, at, n);
			assert_int_equal(n[0], at == 107);
			assert_int_equal(n[1], 1);
		}
		first_returns(&g);
		give(&g, 113, n);
		assert_int_equal(n[0], 1);
		assert_int_equal(n[1], 1);
		assert_true(datagram_take(g.fds[0], got, sizeof(got), NULL) > 20);
		assert_int_equal(u16_at(got), versions[v]);
		if (v9)
			assert_int_equal(u16_at(got + 20), 0); /* templates */
		give(&g, 114, n);
		assert_int_equal(n[0], 1); /* told already */
		assert_int_equal(n[1], 0);
		assert_true(datagram_take(g.fds[0], got, sizeof(got), NULL) > 20);
		assert_int_equal(g.result.rows, 15); /* what it was tried with is none of them */
		rig_close(&g);
	}
}

/* Where none is up the first gets all, each datagram once, and is up when it refuses no more. */
static void
test_all_refuse(void **state)
{
	uint64_t n[PEERS];
	uint8_t got[128];
	struct rig g;

	(void)state;
	rig_open(&g, ENCODE_V5);
	for (unsigned i = 0; i < PEERS; i++)
		close(g.fds[i]);
	g.fds[1] = -1;
	for (unsigned at = 100; at < 160; at += 6) {
		give(&g, at, n);
		assert_int_equal(n[0], at != 106); /* then the second has not refused yet */
	}
	first_returns(&g);
	for (unsigned at = 160; at < 220; at += 6) {
		give(&g, at, n);
		assert_int_equal(n[0], 1);
		assert_true(datagram_take(g.fds[0], got, sizeof(got), NULL) > 20);
		assert_int_equal(recv(g.fds[0], got, sizeof(got), MSG_DONTWAIT), -1);
		assert_true(at < 172 || n[1] == 0); /* it need not be tried any more */
	}
	rig_close(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_that_refuses_is_tried),
		cmocka_unit_test(test_all_refuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
