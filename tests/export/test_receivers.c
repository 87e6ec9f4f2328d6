/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/receivers.h"

static char path[] = "/tmp/weir-receivers-XXXXXX";

static struct receivers *
load(const char *text, struct problems *ps)
{
	FILE *f = fopen(path, "w");
	struct err e = ERR_INIT;
	struct receivers *r;

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
	r = receivers_load(path, 2100, &(struct target_options){ .ip_precedence = 5 }, ps, &e);
	if (r == NULL)
		fail_msg("%s", e.text);
	return r;
}

static void
test_pools(void **state)
{
	struct problems ps = { 0 };
	struct receivers *r = load("! two pools\n"
	                           "id=1 ip=127.0.0.1,127.0.0.2:2101,[::1]:2102\n"
	                           "ip=127.0.0.3:9 src_port=1234 balance-alg=rr id=4294967295\n"
	                           "id=3 ip=127.0.0.4 balance-alg=hash-crc32\n",
	    &ps);

	(void)state;
	assert_int_equal(ps.n, 0);
	assert_int_equal(r->n_pools, 3);
	assert_int_equal(r->n_targets, 5);
	assert_int_equal(r->pools[0].n, 3);
	assert_int_equal(r->pools[0].balance, BALANCE_NONE);
	assert_string_equal(r->pools[0].targets[0].port, "2100");
	assert_string_equal(r->pools[0].targets[2].host, "::1");
	assert_int_equal(r->pools[1].id, 4294967295U);
	assert_int_equal(r->pools[1].balance, BALANCE_RR);
	assert_int_equal(r->pools[1].options.source_port, 1234);
	assert_int_equal(r->pools[1].options.ip_precedence, 5);
	assert_int_equal(r->pools[0].options.source_port, 0);
	assert_int_equal(r->pools[2].balance, BALANCE_HASH_AGENT);
	assert_int_equal(receivers_start(r, NULL), 0);
	assert_false(r->resolving); /* there is no name to look up */
	receivers_free(r);
}

/* A receiver with a fault is told with its line; the others of its pool are there. */
static void
test_faults(void **state)
{
	static const struct {
		const char *text, *says;
	} faults[] = {
		{ "id=1 ip=127.0.0.1,127.0.0.1:x", ":1: tee_receivers: '127.0.0.1:x'" },
		{ "\nid=1", ":2: tee_receivers: a pool needs" },
		{ "id=0 ip=127.0.0.1", ":1: tee_receivers: " },
		{ "id=1 ip=127.0.0.1 balance-alg=hash-tag", "no way to balance" },
		{ "id=1 ip=127.0.0.1\nid=1 ip=127.0.0.2", ":2: tee_receivers: pool 1 is there" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct problems ps = { 0 };
		struct receivers *r = load(faults[i].text, &ps);

		assert_int_equal(ps.n_errors, 1);
		if (strstr(ps.list[0].text, faults[i].says) == NULL)
			fail_msg("%s: %s", faults[i].text, ps.list[0].text);
		receivers_free(r);
		problems_free(&ps);
	}
}

/* Ten thousand receivers are no trouble but for the descriptors that they need. */
static void
test_many(void **state)
{
	char *text = malloc(64 * 200);
	size_t len = 0;
	struct problems ps = { 0 };
	struct receivers *r;

	(void)state;
	assert_non_null(text);
	for (unsigned i = 0; i < 200; i++)
		len += (size_t)sprintf(text + len, "id=%u ip=127.0.0.%u:%u\n", i + 1, i + 1, i + 1);
	r = load(text, &ps);
	assert_int_equal(ps.n, 0);
	assert_int_equal(r->n_pools, 200);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(target_port(&r->pools[i].targets[0].addr), i + 1);
	receivers_free(r);
	free(text);
}

/* Names are looked up behind our back, and freeing does not wait for the next try. */
static void
test_names(void **state)
{
	struct problems ps = { 0 };
	struct receivers *r = load("id=1 ip=nowhere.invalid:1,localhost:2\n", &ps);

	(void)state;
	assert_int_equal(ps.n, 0);
	assert_int_equal(receivers_start(r, NULL), 0);
	assert_true(r->resolving);
	while (atomic_load(&r->pools[0].targets[1].fd) == -1)
		usleep(1000);
	assert_int_equal(atomic_load(&r->pools[0].targets[0].fd), -1);
	receivers_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pools),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_names),
	};
	int fd = mkstemp(path), rc;

	close(fd);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return rc;
}
