/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the sender of an outbox is woken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/outbox.h"
#include "lib/clock.h"

/* How often since the last look. */
static uint64_t
wakes(int fd)
{
	uint64_t n = 0;

	(void)!read(fd, &n, sizeof(n));
	return n;
}

/* One datagram is no reason to; many are, and a tick; one that is awake is not told. */
static void
test_wakes(void **state)
{
	static const uint8_t sample[60] = { 0 };
	struct stats *stats = calloc(1, sizeof(*stats));
	struct outbox *b = aligned_alloc(64, sizeof(*b));
	_Atomic bool asleep = true;
	struct outbox_config c = { .samples = true, .lanes = 1, .body_octets = 100,
		.parcels = 256, .asleep = &asleep };
	unsigned appended = 0;

	(void)state;
	c.wake_fd = eventfd(0, EFD_NONBLOCK);
	assert_int_equal(outbox_init(b, &c, stats, NULL), 0);
	outbox_tick(b, CLOCK_S, CLOCK_S);
	assert_int_equal(wakes(c.wake_fd), 0);
	for (; outbox_waiting(b) < 3; appended++)
		assert_true(outbox_append(b, sample, sizeof(sample)));
	assert_int_equal(wakes(c.wake_fd), 0);
	assert_true(asleep);
	outbox_tick(b, CLOCK_S, CLOCK_S);
	assert_int_equal(wakes(c.wake_fd), 1);
	assert_false(asleep);
	outbox_tick(b, CLOCK_S, CLOCK_S);
	for (; outbox_waiting(b) < 100; appended++)
		assert_true(outbox_append(b, sample, sizeof(sample)));
	assert_int_equal(wakes(c.wake_fd), 0);
	for (struct parcel *p; (p = outbox_take(b)) != NULL;)
		outbox_give_back(b, p);
	asleep = true;
	for (; asleep && appended < 250; appended++)
		assert_true(outbox_append(b, sample, sizeof(sample)));
	assert_int_equal(wakes(c.wake_fd), 1);
	assert_in_range(outbox_waiting(b), 2, 64);
	outbox_fini(b);
	close(c.wake_fd);
	free(b);
	free(stats);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_wakes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
