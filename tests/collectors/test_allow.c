/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "collectors/allow.h"
#include "lib/log.h"
#include "lib/rcu.h"

#define KEY "nfacctd_allow_file"

static char path[64];

static int
path_make(void **state)
{
	static const struct log_config quiet = { .file = "/dev/null" };
	int fd;

	(void)state;
	(void)log_open(&quiet, NULL);
	snprintf(path, sizeof(path), "/tmp/weir-allow-XXXXXX");
	fd = mkstemp(path);
	return fd == -1 ? -1 : close(fd);
}

static int
path_remove(void **state)
{
	(void)state;
	(void)unlink(path);
	return 0;
}

static void
put(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static bool
holds(const struct allow *a, const char *text)
{
	ip16_t who;

	assert_int_equal(ip_parse(text, &who), 0);
	return allow_holds(a, &who);
}

/* A list, somebody who asks, and whether they may. */
static const struct {
	const char *says, *list, *who;
	bool may;
} cases[] = {
	{ "an address names itself", "192.0.2.1\n", "192.0.2.1", true },
	{ "and nobody else", "192.0.2.1\n", "192.0.2.2", false },
	{ "a network's first address", "192.0.2.0/24\n", "192.0.2.0", true },
	{ "its last", "192.0.2.0/24\n", "192.0.2.255", true },
	{ "the one behind it", "192.0.2.0/24\n", "192.0.3.0", false },
	{ "a network with host bits is the whole one", "192.0.2.7/24\n", "192.0.2.1",
	    true },
	{ "a network inside another", "10.0.0.0/8\n10.1.0.0/16\n", "10.2.0.1", true },
	{ "the other order", "10.1.0.0/16\n10.0.0.0/8\n", "10.1.0.1", true },
	{ "all of IPv4", "0.0.0.0/0\n", "203.0.113.9", true },
	{ "all of IPv4 is not IPv6", "0.0.0.0/0\n", "2001:db8::1", false },
	{ "an IPv6 address", "2001:db8::1\n", "2001:db8::1", true },
	{ "an IPv6 network", "2001:db8::/32\n", "2001:db8:ffff::1", true },
	{ "beside it", "2001:db8::/32\n", "2001:db9::1", false },
	{ "all of IPv6", "::/0\n", "2001:db8::1", true },
	{ "all of IPv6 is not IPv4", "::/0\n", "192.0.2.1", false },
	{ "an IPv4 address written as mapped", "::ffff:192.0.2.1\n", "192.0.2.1",
	    true },
	{ "blanks and comments", "! one\n  # two\n\n\t192.0.2.1 \t! three\r\n",
	    "192.0.2.1", true },
	{ "a last line without a newline", "192.0.2.1\n192.0.2.2", "192.0.2.2", true },
	{ "a line twice", "192.0.2.1\n192.0.2.1\n", "192.0.2.1", true },
	{ "an empty file is for nobody", "", "192.0.2.1", false },
	{ "one of comments alone, too", "! nobody\n", "192.0.2.1", false },
};

static void
test_holds(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct problems ps = { 0 };
		struct allow *a;

		put(cases[i].list);
		a = allow_open(KEY, path, &ps);
		if (a == NULL || ps.n_errors != 0)
			fail_msg("%s: %s", cases[i].says, ps.list[0].text);
		if (holds(a, cases[i].who) != cases[i].may)
			fail_msg("%s: %s", cases[i].says, cases[i].who);
		allow_close(a);
		problems_free(&ps);
	}
}

/* Lines that cannot be meant: each is named by file and line. */
static const char *const bad[] = { "192.0.2.1/33", "192.0.2.1/", "192.0.2",
	"router.example", "2001:db8::/129", "192.0.2.1 192.0.2.2", "ip=192.0.2.1",
	"192.0.2.0/24,", "/8" };

static void
test_faults_name_their_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct problems ps = { 0 };
		char text[128], place[96];

		snprintf(text, sizeof(text), "192.0.2.9\n\n%s\n", bad[i]);
		snprintf(place, sizeof(place), "%s:3: '%s'", path, bad[i]);
		put(text);
		assert_null(allow_open(KEY, path, &ps));
		assert_int_equal(ps.n_errors, 1);
		if (strncmp(ps.list[0].text, place, strlen(place)) != 0)
			fail_msg("%s: %s", bad[i], ps.list[0].text);
		problems_free(&ps);
	}
}

static void
test_all_faults_at_once(void **state)
{
	struct problems ps = { 0 };

	(void)state;
	put("one\n192.0.2.1\ntwo\n");
	assert_null(allow_open(KEY, path, &ps));
	assert_int_equal(ps.n_errors, 2);
	problems_free(&ps);
}

static void
test_what_is_odd_is_said(void **state)
{
	struct problems ps = { 0 };

	(void)state;
	put("! nobody\n");
	allow_close(allow_open(KEY, path, &ps));
	assert_int_equal(ps.n, 1);
	assert_non_null(strstr(ps.list[0].text, "nobody may send"));
	problems_free(&ps);
	memset(&ps, 0, sizeof(ps));
	put("192.0.2.7/24\n");
	allow_close(allow_open(KEY, path, &ps));
	assert_int_equal(ps.n, 1);
	assert_non_null(strstr(ps.list[0].text, ":1: '192.0.2.7/24'"));
	problems_free(&ps);
}

static void
test_no_file(void **state)
{
	struct problems ps = { 0 };

	(void)state;
	assert_null(allow_open(KEY, "/nonexistent/allow", &ps));
	assert_non_null(strstr(ps.list[0].text, KEY " /nonexistent/allow: "));
	problems_free(&ps);
	memset(&ps, 0, sizeof(ps));
	assert_null(allow_open(KEY, "/tmp", &ps)); /* opens, but cannot be read */
	assert_int_equal(ps.n_errors, 1);
	problems_free(&ps);
}

static void
test_reload(void **state)
{
	struct problems ps = { 0 };
	struct allow *a;

	(void)state;
	put("192.0.2.1\n");
	a = allow_open(KEY, path, &ps);
	put("192.0.2.2\n");
	allow_reload(a, &ps);
	assert_int_equal(ps.n, 0);
	assert_false(holds(a, "192.0.2.1"));
	assert_true(holds(a, "192.0.2.2"));

	put("192.0.2.3\nnonsense\n");
	allow_reload(a, &ps);
	assert_int_equal(ps.n_errors, 1);
	assert_false(holds(a, "192.0.2.3"));
	assert_true(holds(a, "192.0.2.2"));

	assert_int_equal(unlink(path), 0);
	allow_reload(a, &ps);
	assert_int_equal(ps.n_errors, 2);
	assert_true(holds(a, "192.0.2.2"));
	allow_close(a);
	rcu_drain();
	problems_free(&ps);
}

/* A worker that asks without end, and the two answers that it may get. */
struct asker {
	struct allow *a;
	_Atomic bool stop;
	uint64_t asked, wrong;
};

static void *
asker_main(void *arg)
{
	struct asker *k = arg;
	ip16_t always, never;

	(void)ip_parse("192.0.2.1", &always);
	(void)ip_parse("192.0.2.77", &never);
	rcu_enter();
	while (!atomic_load(&k->stop)) {
		k->wrong += !allow_holds(k->a, &always) || allow_holds(k->a, &never);
		k->asked++;
		rcu_quiet();
	}
	rcu_leave();
	return NULL;
}

/* Lists come and go under a reader, which sees one or the other, whole. */
static void
test_reload_under_a_reader(void **state)
{
	struct problems ps = { 0 };
	struct asker k = { 0 };
	pthread_t thread;

	(void)state;
	put("192.0.2.1\n");
	k.a = allow_open(KEY, path, &ps);
	assert_int_equal(pthread_create(&thread, NULL, asker_main, &k), 0);
	for (unsigned i = 0; i < 200; i++) {
		put(i % 2 == 0 ? "192.0.2.0/28\n" : "2001:db8::/64\n192.0.2.1\n");
		allow_reload(k.a, &ps);
	}
	atomic_store(&k.stop, true);
	pthread_join(thread, NULL);
	rcu_drain();
	assert_true(k.asked > 0);
	assert_int_equal(k.wrong, 0);
	assert_int_equal(ps.n, 0);
	allow_close(k.a);
	problems_free(&ps);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_holds, path_make, path_remove),
		cmocka_unit_test_setup_teardown(
		    test_faults_name_their_line, path_make, path_remove),
		cmocka_unit_test_setup_teardown(
		    test_all_faults_at_once, path_make, path_remove),
		cmocka_unit_test_setup_teardown(
		    test_what_is_odd_is_said, path_make, path_remove),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test_setup_teardown(test_reload, path_make, path_remove),
		cmocka_unit_test_setup_teardown(
		    test_reload_under_a_reader, path_make, path_remove),
	};

	return cmocka_run_group_tests_name("collectors/allow", tests, NULL, NULL);
}
