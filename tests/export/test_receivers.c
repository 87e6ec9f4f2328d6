/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/receivers.h"
#include "rules/tagfilter.h"

/* A resolver that answers for slow.invalid when it is let. */
static pthread_mutex_t slow = PTHREAD_MUTEX_INITIALIZER;
static _Atomic bool asked, answered;

/* And what moving.invalid is. */
static const char *_Atomic moving = "127.0.0.1";

int
getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
    struct addrinfo **list)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	bool is_slow =
	    strcmp(host, "slow.invalid") == 0 && (hints->ai_flags & AI_NUMERICHOST) == 0;
	int rc;

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	if (is_slow) {
		asked = true;
		pthread_mutex_lock(&slow);
		pthread_mutex_unlock(&slow);
	}
	if (strcmp(host, "moving.invalid") == 0 && (hints->ai_flags & AI_NUMERICHOST) == 0)
		host = moving;
	rc = real(is_slow ? "127.0.0.1" : host, port, hints, list);
	answered |= is_slow;
	return rc;
}

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
	r = receivers_load(RECEIVERS_OF_DATAGRAMS, path, 2100, &(struct target_options){ .ip_precedence = 5 }, ps, &e);
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
	assert_string_equal(r->pools[0].targets[0]->port, "2100");
	assert_string_equal(r->pools[0].targets[2]->host, "::1");
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
		{ "id=1 ip=127.0.0.1 balance-alg=hash-rain", "no way to balance" },
		{ "\nid=1 ip=127.0.0.1 tag=9-1", ":2: tee_receivers: tag: '9-1' ends before" },
		{ "", ":1: tee_receivers: there is no receiver; write id=" },
		{ "! id=1 ip=127.0.0.1\n\n", ":1: tee_receivers: there is no receiver; write id=" },
		{ "\nid=1 ip=,", ":2: tee_receivers: pool 1 has no receiver; write ip=" },
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

/* Which tags a pool takes, and whether anybody asks. */
static void
test_tags(void **state)
{
	struct problems ps = { 0 };
	struct receivers *r = load("id=1 ip=127.0.0.1\n", &ps);
	struct flow flows[4] = { { .tag = 0 }, { .tag = 5 }, { .tag = 12 }, { .tag = 15 } };
	struct batch b = { .flows = flows, .n = 4 };

	(void)state;
	assert_false(r->tagged);
	receivers_free(r);
	r = load("id=1 ip=127.0.0.1 tag=5,10-14\nid=2 ip=127.0.0.1 tag=-12\n", &ps);
	assert_true(r->tagged);
	assert_int_equal(tagfilter_run(r->pools[0].tags, &b, 15), 6);
	assert_int_equal(tagfilter_run(r->pools[1].tags, &b, 15), 11);
	receivers_free(r);
	r = load("id=1 ip=127.0.0.1 balance-alg=hash-tag\n", &ps);
	assert_true(r->tagged);
	assert_int_equal(r->pools[0].balance, BALANCE_HASH_TAG);
	assert_int_equal(ps.n, 0);
	receivers_free(r);
}

/* Ten thousand receivers are no trouble but for the descriptors that they need. */
static void
test_many(void **state)
{
	struct rlimit descriptors;
	char *text = malloc(64 * 10000);
	size_t len = 0;
	unsigned n;
	struct problems ps = { 0 };
	struct receivers *r;

	(void)state;
	assert_non_null(text);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &descriptors), 0);
	descriptors.rlim_cur = descriptors.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &descriptors), 0);
	n = descriptors.rlim_max > 10100 ? 10000 : (unsigned)descriptors.rlim_max - 100;
	for (unsigned i = 0; i < n; i++)
		len += (size_t)sprintf(text + len, "id=%u ip=127.0.0.%u:%u\n", i + 1, i % 250 + 1,
		    i + 1);
	r = load(text, &ps);
	assert_int_equal(ps.n, 0);
	assert_int_equal(r->n_pools, n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(target_port(&target_address(r->pools[i].targets[0])->addr), i + 1);
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
	while (atomic_load(&r->pools[0].targets[1]->fd) == -1)
		usleep(1000);
	assert_int_equal(atomic_load(&r->pools[0].targets[0]->fd), -1);
	receivers_free(r);
}

/* Who stays is the same, with its address, whatever its place; each once. */
static void
test_adopt(void **state)
{
	struct problems ps = { 0 };
	struct receivers *r = load("id=1 ip=127.0.0.1:1,localhost:2,127.0.0.1:3\n", &ps), *fresh;
	struct target *name = r->pools[0].targets[1], *third = r->pools[0].targets[2];

	(void)state;
	assert_int_equal(receivers_start(r, NULL), 0);
	while (atomic_load(&name->fd) == -1)
		usleep(1000);
	third->sent = 7;
	fresh = load("id=5 ip=127.0.0.1:3,127.0.0.1:3,localhost:2\n"
	             "id=6 ip=127.0.0.1:1 src_port=4\n", &ps);
	assert_int_equal(receivers_adopt(fresh, r, NULL), 0);
	receivers_free(r);
	assert_ptr_equal(fresh->pools[0].targets[0], third);
	assert_ptr_equal(fresh->pools[0].targets[2], name);
	assert_int_not_equal(atomic_load(&name->fd), -1);
	assert_int_equal(third->sent, 7);
	assert_int_equal(fresh->pools[0].targets[1]->sent, 0);
	assert_int_equal(fresh->pools[1].targets[0]->sent, 0); /* by another port */
	receivers_free(fresh);
	problems_free(&ps);
}

/* A name is looked up anew with the file: who sends there by its socket sends elsewhere. */
static void
test_a_name_that_moves(void **state)
{
	struct problems ps = { 0 };
	struct receivers *r = load("id=1 ip=moving.invalid:9\n", &ps), *fresh;
	struct target *t = r->pools[0].targets[0];
	struct sockaddr_in to;
	socklen_t len = sizeof(to);
	int fd;

	(void)state;
	assert_int_equal(receivers_start(r, NULL), 0);
	while ((fd = atomic_load(&t->fd)) == -1)
		usleep(1000);
	for (unsigned moves = 0; moves < 2; moves++) {
		if (moves == 1)
			moving = "127.0.0.2";
		fresh = load("id=1 ip=moving.invalid:9\n", &ps);
		assert_int_equal(receivers_adopt(fresh, r, NULL), 0);
		receivers_free(r);
		assert_int_equal(receivers_start(r = fresh, NULL), 0);
		while (atomic_load(&t->stale) || atomic_load(&t->looking))
			usleep(1000);
		assert_int_equal(atomic_load(&t->moves), moves);
	}
	assert_int_equal(atomic_load(&t->fd), fd);
	assert_int_equal(getpeername(fd, (struct sockaddr *)&to, &len), 0);
	assert_int_equal(ntohl(to.sin_addr.s_addr), 0x7f000002);
	assert_memory_equal(&target_address(t)->addr, &to, len);
	receivers_free(r);
}

/* One that is to be forgotten while the resolver keeps its thread is: nobody waits. */
static bool
never_asked(const void *arg, const struct sockaddr_storage *a, socklen_t len)
{
	(void)a;
	(void)len;
	fail_msg("%s", (const char *)arg);
	return true;
}

static void
test_slow_resolver(void **state)
{
	struct target_options base = { .refuse = never_asked, .arg = "asked after the end" };
	struct err e = ERR_INIT;
	struct receivers *r = receivers_one(RECEIVERS_OF_DATAGRAMS, "slow.invalid:2", 2100, &base, &e);

	(void)state;
	assert_non_null(r);
	pthread_mutex_lock(&slow);
	assert_int_equal(receivers_start(r, &e), 0);
	while (!asked)
		usleep(1000);
	alarm(60); /* if it waits after all */
	receivers_free(r);
	alarm(0);
	pthread_mutex_unlock(&slow);
	while (!answered)
		usleep(1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pools),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_adopt),
		cmocka_unit_test(test_a_name_that_moves),
		cmocka_unit_test(test_slow_resolver),
	};
	int fd = mkstemp(path), rc;

	close(fd);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return rc;
}
