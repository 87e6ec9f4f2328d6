/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/tcp.h>

#include <cmocka.h>

#include "export/stream.h"
#include "lib/clock.h"
#include "tests/export/sockets.h"

#define MESSAGE 1000U /* octets */
#define RECORDS 7U    /* of each */

/* A stream to a listener, which nobody accepts yet. */
struct rig {
	int listener, accepted;
	char name[32];
	struct target target;
	struct stream *stream;
};

static void
rig_open(struct rig *g, int octets)
{
	static const struct target_options o = { .send_buffer = 8192 };

	*g = (struct rig){ .accepted = -1 };
	g->listener = socket_at(SOCK_STREAM, octets, g->name);
	assert_int_equal(target_open(&g->target, g->name, 1, &o, NULL), 0);
	g->stream = stream_new(&g->target, &o, NULL);
	assert_non_null(g->stream);
}

static void
rig_close(struct rig *g)
{
	stream_free(g->stream);
	target_close(&g->target);
	if (g->accepted != -1)
		close(g->accepted);
	close(g->listener);
}

static void
connected(struct rig *g)
{
	while (!stream_is_open(g->stream)) {
		struct pollfd p;

		stream_turn(g->stream);
		if (!stream_is_open(g->stream) && stream_poll(g->stream, &p))
			assert_int_equal(poll(&p, 1, SOCKETS_WAIT_MS), 1);
	}
	socket_wait(g->listener);
	g->accepted = accept(g->listener, NULL, NULL);
	assert_int_not_equal(g->accepted, -1);
}

static bool
send_one(struct rig *g)
{
	static uint8_t octets[MESSAGE];
	const struct iovec parts[2] = { { octets, 16 }, { octets + 16, MESSAGE - 16 } };

	return stream_send(g->stream, parts, RECORDS);
}

static uint64_t
unsent(struct rig *g, enum target_reason why)
{
	return atomic_load(&g->target.unsent[why]);
}

static void
test_messages_count_once_they_went(void **state)
{
	struct rig g;
	struct stream_result r;
	uint8_t got[4 * MESSAGE];

	(void)state;
	rig_open(&g, 0);
	assert_false(send_one(&g)); /* nobody is there yet */
	r = stream_settle(g.stream);
	assert_true(r.written == 0 && r.refused == RECORDS);
	assert_int_equal(unsent(&g, TARGET_UNCONNECTED), 1);

	connected(&g);
	assert_true(stream_is_new(g.stream));
	assert_false(stream_is_new(g.stream));
	for (int i = 0; i < 3; i++)
		assert_true(send_one(&g));
	r = stream_settle(g.stream);
	assert_true(r.written == 0 && r.refused == 0); /* not yet known */
	assert_int_equal(atomic_load(&g.target.sent), 0);
	stream_turn(g.stream);
	r = stream_settle(g.stream);
	assert_true(r.written == 3 * RECORDS && r.refused == 0);
	assert_int_equal(atomic_load(&g.target.sent), 3);
	assert_int_equal(atomic_load(&g.target.octets), 3 * MESSAGE);
	assert_int_equal(recv(g.accepted, got, sizeof(got), MSG_WAITALL | MSG_DONTWAIT), 3 * MESSAGE);
	rig_close(&g);
}

/* What a connection that breaks had not taken is not sent, and that is all that is not. */
static void
test_a_connection_that_breaks(void **state)
{
	static const struct linger reset = { .l_onoff = 1 };
	struct rig g;
	struct stream_result r, before;
	uint64_t n = 0, taken;

	(void)state;
	rig_open(&g, 4096);
	connected(&g);
	while (send_one(&g)) {
		n++;
		stream_turn(g.stream);
	}
	assert_true(n > 1000); /* as many as fit into the buffer, and a few */
	assert_int_equal(unsent(&g, TARGET_NO_ROOM), 1);
	before = stream_settle(g.stream);
	taken = before.written / RECORDS;
	assert_true(before.written % RECORDS == 0 && before.refused == RECORDS && taken < n / 2);
	assert_true(stream_waiting(g.stream) > 500 * MESSAGE);

	setsockopt(g.accepted, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(g.accepted);
	g.accepted = -1;
	while (stream_is_open(g.stream))
		stream_turn(g.stream);
	r = stream_settle(g.stream);
	assert_int_equal(r.written, 0);
	assert_int_equal(r.refused, (n - taken) * RECORDS);
	assert_int_equal(atomic_load(&g.target.sent), taken);
	assert_int_equal(unsent(&g, TARGET_UNCONNECTED), n - taken);
	assert_int_equal(stream_waiting(g.stream), 0);
	rig_close(&g);
}

static void
test_what_is_awaited(void **state)
{
	struct rig g;
	uint64_t now;

	(void)state;
	rig_open(&g, 4096);
	assert_false(stream_is_awaited(g.stream, 0, clock_mono(), CLOCK_S)); /* not begun */
	stream_turn(g.stream);
	connected(&g);
	assert_false(stream_is_awaited(g.stream, 0, clock_mono(), 3600 * CLOCK_S)); /* all went */
	while (send_one(&g))
		stream_turn(g.stream);
	now = clock_mono();
	assert_true(stream_is_awaited(g.stream, STREAM_BUFFER / 2, now, 3600 * CLOCK_S));
	assert_false(stream_is_awaited(g.stream, STREAM_BUFFER, now, 3600 * CLOCK_S));
	assert_false(stream_is_awaited(g.stream, 0, now + 3600 * CLOCK_S, 60 * CLOCK_S));
	stream_close(g.stream);
	assert_false(stream_is_awaited(g.stream, 0, now, 3600 * CLOCK_S));
	rig_close(&g);
}

/* Whoever takes connections and breaks them off is left alone for longer and longer. */
static void
test_one_that_breaks_off_again(void **state)
{
	struct rig g;
	uint64_t broke = 0;

	(void)state;
	rig_open(&g, 0);
	for (unsigned i = 0; i < 3; i++) {
		while (!stream_is_open(g.stream)) {
			stream_turn(g.stream);
			(void)poll(NULL, 0, 1);
		}
		if (i == 2) /* the first wait is one second, the second is two */
			assert_true(clock_mono() - broke >= 2 * CLOCK_S);
		connected(&g);
		broke = clock_mono();
		close(g.accepted);
		while (stream_is_open(g.stream))
			stream_turn(g.stream);
	}
	g.accepted = -1;
	rig_close(&g);
}

/* A connection where nothing is taken ends in half a minute. */
static void
test_silence(void **state)
{
	unsigned silence = 0;
	socklen_t len = sizeof(silence);
	struct pollfd p;
	struct rig g;

	(void)state;
	rig_open(&g, 0);
	connected(&g);
	assert_true(stream_poll(g.stream, &p));
	assert_int_equal(getsockopt(p.fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence, &len), 0);
	assert_int_equal(silence, 30000);
	rig_close(&g);
}

/* Small messages: as many as can be remembered, and no more. */
static void
test_many_small_ones(void **state)
{
	static uint8_t octets[20];
	const struct iovec parts[2] = { { octets, 16 }, { octets + 16, 4 } };
	struct rig g;
	struct stream_result r, all = { 0, 0 };
	uint64_t n = 0;

	(void)state;
	rig_open(&g, 4096);
	connected(&g);
	for (unsigned i = 0; i < 100000; i++) {
		n += stream_send(g.stream, parts, 1);
		r = stream_settle(g.stream);
		all.written += r.written;
		all.refused += r.refused;
	}
	assert_true(stream_is_awaited(g.stream, STREAM_BUFFER, clock_mono(), 3600 * CLOCK_S));
	stream_close(g.stream);
	r = stream_settle(g.stream);
	assert_int_equal(all.written + all.refused + r.written + r.refused, 100000);
	assert_int_equal(all.written + r.refused, n);
	assert_int_equal(atomic_load(&g.target.sent), all.written);
	rig_close(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages_count_once_they_went),
		cmocka_unit_test(test_a_connection_that_breaks),
		cmocka_unit_test(test_what_is_awaited),
		cmocka_unit_test(test_one_that_breaks_off_again),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_many_small_ones),
	};

	return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
