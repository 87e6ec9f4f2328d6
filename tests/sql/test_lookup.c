/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of servers, from a resolver that answers, refuses, or says nothing while weir ends. */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "sql/lookup.h"

static sem_t asked, answers;
static bool silent;
static bool poll_fails;

/* The C library's, with a resolver that we are. */
int
getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
    struct addrinfo **list)
{
	(void)service;
	if ((hints->ai_flags & AI_NUMERICHOST) != 0 && strcmp(host, "192.0.2.1") != 0)
		return EAI_NONAME;
	if (silent) {
		sem_post(&asked);
		sem_wait(&answers);
	}
	if (strcmp(host, "none.example") == 0)
		return EAI_NONAME;
	*list = calloc(1, sizeof(**list));
	return *list != NULL ? 0 : EAI_MEMORY;
}

void
freeaddrinfo(struct addrinfo *list)
{
	free(list);
	sem_post(&asked); /* that it is over, where somebody waits for it */
}

/* The C library's, without memory. */
int
poll(struct pollfd *p, nfds_t n, int ms)
{
	struct timespec left = { ms / 1000, ms % 1000 * 1000000L };

	if (!poll_fails)
		return ppoll(p, n, &left, NULL);
	errno = ENOMEM;
	return -1;
}

static void
test_answers(void **state)
{
	static const struct {
		const char *host;
		int want;
	} cases[] = { { "192.0.2.1", 0 }, { "db.example", 0 }, { "none.example", -WEIR_EIO } };

	(void)state;
	silent = false;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct addrinfo *list = NULL;
		struct attempt a = { 0 };
		struct err e = ERR_INIT;

		attempt_heard(&a);
		assert_int_equal(lookup_run(cases[i].host, &a, &list, &e), cases[i].want);
		assert_int_equal(list != NULL, cases[i].want == 0);
		if (list != NULL)
			freeaddrinfo(list);
		else
			assert_non_null(strstr(e.text, cases[i].host));
	}
	while (sem_trywait(&asked) == 0)
		;
}

/* It is not said that weir ends when it does not. */
static void
test_wait_that_fails(void **state)
{
	struct addrinfo *list = NULL;
	struct attempt a = { 0 };
	struct err e = ERR_INIT;

	(void)state;
	silent = poll_fails = true;
	attempt_heard(&a);
	assert_int_equal(lookup_run("db.example", &a, &list, &e), -WEIR_EIO);
	poll_fails = false;
	assert_string_equal(e.text, "db.example: its resolver cannot be waited for");
	assert_null(list);
	sem_wait(&asked);
	sem_post(&answers);
	sem_wait(&asked); /* freeaddrinfo */
}

static struct attempt called_off;

static void *
call_off(void *arg)
{
	sem_wait(&asked);
	attempt_end(&called_off);
	return arg;
}

/* Nobody answers; weir ends meanwhile. What comes later is let go. */
static void
test_silence(void **state)
{
	struct addrinfo *list = NULL;
	struct err e = ERR_INIT;
	pthread_t other;

	(void)state;
	silent = true;
	attempt_heard(&called_off);
	assert_int_equal(pthread_create(&other, NULL, call_off, NULL), 0);
	assert_int_equal(lookup_run("db.example", &called_off, &list, &e), -WEIR_EIO);
	assert_non_null(strstr(e.text, "db.example: given up"));
	assert_null(list);
	pthread_join(other, NULL);
	sem_post(&answers);
	sem_wait(&asked); /* freeaddrinfo */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_wait_that_fails),
		cmocka_unit_test(test_silence),
	};

	sem_init(&asked, 0, 0);
	sem_init(&answers, 0, 0);
	return cmocka_run_group_tests_name("lookup", tests, NULL, NULL);
}
