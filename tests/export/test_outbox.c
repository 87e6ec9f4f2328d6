/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>

#include "export/outbox.h"
#include "lib/clock.h"

#define NOW  (UINT64_C(1783598400) * CLOCK_S) /* 2026-07-09 12:00 */
#define BODY 400U

static struct encode layout; /* of source and destination */

static struct outbox *
box_open(enum encode_version version, unsigned lanes, struct stats *stats)
{
	/* sizeof struct outbox is a multiple of its alignment. */
	struct outbox *b = aligned_alloc(64, sizeof(*b));
	const struct outbox_config c = { .version = version, .lanes = lanes, .body_octets = BODY,
		.parcels = 64 };
	const struct encode_options o = { .version = version, .times = ENCODE_UPTIME };
	struct field_set set;

	assert_non_null(b);
	memset(stats, 0, sizeof(*stats));
	assert_int_equal(field_set_parse("src_host,dst_host", &set, NULL), 0);
	encode_compile(&layout, &set, &o);
	assert_int_equal(outbox_init(b, &c, stats, NULL), 0);
	b->now = NOW;
	return b;
}

static void
box_close(struct outbox *b)
{
	outbox_fini(b);
	free(b);
}

/* Put record `no`, whose source tells it. */
static bool
put(struct outbox *b, unsigned lane, unsigned tmpl, uint32_t no)
{
	struct flow f = { .packets = 1, .bytes = 40 };
	const struct encode_env env = { .packets = 1, .octets = 40, .start = NOW, .end = NOW };

	f.src_host = ip_from_v4((const uint8_t[]){ (uint8_t)(no >> 24), (uint8_t)(no >> 16),
	    (uint8_t)(no >> 8), (uint8_t)no });
	return outbox_put(b, lane, tmpl, &layout, (const uint8_t *)&f, &env);
}

static void
test_a_datagram_has_one_set(void **state)
{
	static const enum encode_version versions[] = { ENCODE_V5, ENCODE_V9, ENCODE_IPFIX };
	struct stats stats;

	(void)state;
	for (size_t v = 0; v < 3; v++) {
		struct outbox *b = box_open(versions[v], 2, &stats);
		const uint8_t *body;
		struct parcel *p;
		unsigned n = 0, lanes = 0;

		for (uint32_t i = 0; i < 6; i++)
			assert_true(put(b, i % 2, versions[v] == ENCODE_V5 ? 0 : i % 3, i));
		assert_null(outbox_take(b)); /* all are open */
		outbox_tick(b, NOW + CLOCK_S, 2 * CLOCK_S);
		assert_null(outbox_take(b));
		outbox_tick(b, NOW + 2 * CLOCK_S, 2 * CLOCK_S);
		assert_int_equal(outbox_waiting(b), versions[v] == ENCODE_V5 ? 2 : 6);
		while ((p = outbox_take(b)) != NULL) {
			body = p->body + MESSAGE_HEADER;
			n += p->records;
			lanes |= 1U << p->lane;
			assert_true(p->now == NOW + 2 * CLOCK_S);
			if (versions[v] != ENCODE_V5) {
				assert_in_range(body[0] << 8 | body[1], 256, 258);
				assert_int_equal(body[2] << 8 | body[3], p->octets);
				assert_int_equal(p->octets % 4, 0);
			} else {
				assert_int_equal(p->octets, 48 * p->records);
			}
			outbox_give_back(b, p);
		}
		assert_int_equal(n, 6);
		assert_int_equal(lanes, 3);
		box_close(b);
	}
}

static void
test_full_datagrams_go(void **state)
{
	struct stats stats;
	struct outbox *b = box_open(ENCODE_IPFIX, 1, &stats);
	unsigned each = (BODY - 4U) / layout.octets;
	struct parcel *p;

	(void)state;
	for (uint32_t i = 0; i < 3 * each + 1; i++)
		assert_true(put(b, 0, 0, i));
	for (int i = 0; i < 3; i++) {
		p = outbox_take(b);
		assert_non_null(p);
		assert_int_equal(p->records, each);
		outbox_give_back(b, p);
	}
	assert_null(outbox_take(b));

	/* What is begun when the way has become narrower is shorter. */
	outbox_fit(b, 200);
	for (uint32_t i = 0; i < 2 * each; i++)
		assert_true(put(b, 0, 0, i));
	outbox_flush(b);
	p = outbox_take(b); /* begun before */
	assert_int_equal(p->records, each);
	outbox_give_back(b, p);
	while ((p = outbox_take(b)) != NULL) {
		assert_true(p->octets <= 200);
		outbox_give_back(b, p);
	}
	box_close(b);
}

/* Records that find no room are refused and counted; what is given back makes room. */
static void
test_no_room(void **state)
{
	struct stats stats;
	struct outbox *b = box_open(ENCODE_IPFIX, 1, &stats);
	struct parcel *taken[65];
	uint64_t put_in = 0, refused = 0, got = 0;
	unsigned n = 0;

	(void)state;
	for (uint32_t i = 0; i < 5000; i++)
		*(put(b, 0, 0, i) ? &put_in : &refused) += 1;
	assert_true(refused > 0);
	assert_int_equal(stat_get(&stats, STAT_EXPORT_NO_ROOM), refused);
	assert_false(outbox_has_room(b));
	while ((taken[n] = outbox_take(b)) != NULL) {
		got += taken[n]->records;
		n++;
	}
	assert_int_equal(n, 64); /* the last one went when it was full */
	assert_int_equal(got, put_in);
	assert_false(put(b, 0, 0, 0));
	while (n > 0)
		outbox_give_back(b, taken[--n]);
	assert_true(put(b, 0, 0, 0));

	/* One that does not fit into an empty datagram is never sent. */
	outbox_flush(b);
	outbox_fit(b, 10);
	assert_false(put(b, 0, 1, 0));
	assert_int_equal(stat_get(&stats, STAT_EXPORT_TOO_LONG), 1);
	outbox_fit(b, BODY); /* but when the way has become wider it is */
	assert_true(put(b, 0, 1, 0));
	outbox_flush(b);
	taken[0] = outbox_take(b);
	assert_int_equal(taken[0]->records, 1);
	outbox_give_back(b, taken[0]);
	box_close(b);
}

static void
test_samples(void **state)
{
	struct outbox *b = aligned_alloc(64, sizeof(*b));
	const struct outbox_config c = { .samples = true, .lanes = 1, .body_octets = BODY,
		.parcels = 64 };
	struct stats stats = { 0 };
	uint8_t octets[BODY] = { 0 };
	struct parcel *p;

	(void)state;
	assert_int_equal(outbox_init(b, &c, &stats, NULL), 0);
	assert_int_equal(outbox_room(b, 1000), BODY);
	assert_int_equal(outbox_room(b, 100), 100);
	for (int i = 0; i < 4; i++)
		assert_true(outbox_append(b, octets, 130));
	p = outbox_take(b);
	assert_int_equal(p->octets, 390);
	assert_int_equal(p->records, 3);
	outbox_give_back(b, p);
	outbox_flush(b);
	p = outbox_take(b);
	assert_int_equal(p->octets, 130);
	outbox_give_back(b, p);

	/* The way is narrower than a sample that was made for a wide one, and then wide again. */
	outbox_fit(b, 100);
	assert_false(outbox_append(b, octets, 130));
	assert_int_equal(stat_get(&stats, STAT_EXPORT_TOO_LONG), 1);
	outbox_flush(b);
	assert_null(outbox_take(b));
	outbox_fit(b, BODY);
	assert_true(outbox_append(b, octets, 130));
	outbox_flush(b);
	p = outbox_take(b);
	assert_int_equal(p->records, 1);
	outbox_give_back(b, p);
	assert_null(outbox_take(b));
	box_close(b);
}

/* A deadline that has passed ends all waiting, also where there is room now and then. */
static void
test_deadline(void **state)
{
	struct stats stats;
	struct outbox *b = box_open(ENCODE_IPFIX, 1, &stats);
	uint64_t began = clock_mono();

	(void)state;
	b->config.patient = true;
	b->deadline = began;
	for (int i = 0; i < 3; i++) {
		while (put(b, 0, 0, 0))
			continue;
		outbox_wait(b); /* alone, it would wait for ten seconds */
		outbox_give_back(b, outbox_take(b));
		outbox_wait(b); /* there is room: what comes begins anew */
		assert_false(b->weary);
	}
	assert_true(clock_mono() - began < 10 * CLOCK_S);
	box_close(b);
}

#define RECORDS 200000U

/* The sender's side: every record in its order, once; it sleeps in between. */
static void *
taker(void *arg)
{
	struct outbox *b = arg;
	uint32_t want = 0;
	unsigned octets = layout.octets;

	while (want < RECORDS) {
		struct parcel *p = outbox_take(b);
		uint64_t wakes;

		if (p == NULL) {
			atomic_store(b->config.asleep, true);
			atomic_thread_fence(memory_order_seq_cst);
			if (outbox_waiting(b) == 0)
				(void)!read(b->config.wake_fd, &wakes, sizeof(wakes));
			atomic_store(b->config.asleep, false);
			continue;
		}
		for (unsigned i = 0; i < p->records; i++, want++) {
			const uint8_t *r = p->body + MESSAGE_HEADER + 4 + i * octets;
			bool there = false;

			for (unsigned k = 0; k + 4 <= octets; k++)
				there |= ((uint32_t)r[k] << 24 | (uint32_t)r[k + 1] << 16 |
				    (uint32_t)r[k + 2] << 8 | r[k + 3]) == want;
			if (!there)
				return NULL;
		}
		outbox_give_back(b, p);
	}
	return b;
}

static void
test_two_threads(void **state)
{
	struct stats stats;
	struct outbox *b = box_open(ENCODE_IPFIX, 1, &stats);
	_Atomic bool asleep = false;
	pthread_t thread;
	void *result;

	(void)state;
	b->config.asleep = &asleep;
	b->config.wake_fd = eventfd(0, EFD_CLOEXEC);
	b->config.patient = true;
	assert_int_equal(pthread_create(&thread, NULL, taker, b), 0);
	for (uint32_t i = 0; i < RECORDS; i++) {
		outbox_wait(b);
		assert_true(put(b, 0, 0, i));
		if (i % 1000 == 999)
			outbox_flush(b);
	}
	outbox_flush(b);
	pthread_join(thread, &result);
	assert_ptr_equal(result, b);
	close(b->config.wake_fd);
	box_close(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_datagram_has_one_set),
		cmocka_unit_test(test_full_datagrams_go),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_two_threads),
	};

	return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
