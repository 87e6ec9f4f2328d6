/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>

#include "lib/intern.h"

#define N_THREADS 4
#define N_WORDS   20000U

#define TEN   "0123456789"
#define FIFTY TEN TEN TEN TEN TEN
#define L250  FIFTY FIFTY FIFTY FIFTY FIFTY

static const struct {
	const char *says, *text;
	size_t len;
	const char *want;
} cases[] = {
	{ "a word", "http", 4, "http" },
	{ "only the given octets", "https", 4, "http" },
	{ "a word that begins like another", "https", 5, "https" },
	{ "UTF-8 stays", "caf\xc3\xa9", 5, "caf\xc3\xa9" },
	{ "a NUL ends the word", "ssh\0x", 5, "ssh" },
	{ "octets after a short text are not read", "ssh", 400, "ssh" },
	{ "control characters become question marks", "a\nb\x1b[0m\x7f", 8,
	    "a?b?[0m?" },
	{ "255 octets fit", L250 "abcde", 255, L250 "abcde" },
	{ "256 octets are cut", L250 "abcdef", 256, L250 "abcde" },
	{ "a character over the cut goes", L250 "abcd\xc3\xa9", 256, L250 "abcd" },
	{ "a character before the cut stays", L250 "abc\xc3\xa9x", 256,
	    L250 "abc\xc3\xa9" },
	{ "a long character goes whole", L250 "ab\xf0\x9f\x8c\x8a", 256, L250 "ab" },
	{ "bare continuation octets are cut anywhere",
	    L250 "\x80\x80\x80\x80\x80\x80", 256, L250 "\x80\x80\x80\x80\x80" },
};

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t id = intern(cases[i].text, cases[i].len);

		if (id == 0 || strcmp(intern_text(id), cases[i].want) != 0)
			fail_msg("%s: %u is '%s'", cases[i].says, id, intern_text(id));
		if (intern(cases[i].want, strlen(cases[i].want)) != id)
			fail_msg("%s: another id for what was kept", cases[i].says);
	}
}

static void
test_empty_and_unknown(void **state)
{
	(void)state;
	assert_int_equal(intern("", 0), 0);
	assert_int_equal(intern("abc", 0), 0);
	assert_int_equal(intern("\0abc", 4), 0);
	assert_string_equal(intern_text(0), "");
	assert_string_equal(intern_text(INTERN_MAX), "");
	assert_string_equal(intern_text(INTERN_MAX + 1), "");
	assert_string_equal(intern_text(UINT32_MAX), "");
	assert_int_equal(intern_refused(), 0);
}

static void
test_ids_are_dense_and_stay(void **state)
{
	uint32_t first = intern("dense 0", 7);
	const char *text = intern_text(first);

	(void)state;
	for (uint32_t i = 1; i < 5000; i++) {
		char word[32];
		int n = snprintf(word, sizeof(word), "dense %u", i);

		assert_int_equal(intern(word, (size_t)n), first + i);
	}
	assert_ptr_equal(intern_text(first), text);
	assert_int_equal(intern("dense 0", 7), first);
}

static pthread_barrier_t start;

/* Intern the words, from another place than the other threads; look each up at once. */
static void *
thread_run(void *arg)
{
	uint32_t *ids = arg, from = ids[0];

	pthread_barrier_wait(&start);
	for (uint32_t i = 0; i < N_WORDS; i++) {
		uint32_t w = (i + from) % N_WORDS;
		char word[32];
		int n = snprintf(word, sizeof(word), "word %u", w);

		ids[w] = intern(word, (size_t)n);
		if (strcmp(intern_text(ids[w]), word) != 0)
			ids[w] = 0;
	}
	return NULL;
}

static void
test_threads(void **state)
{
	static uint32_t ids[N_THREADS][N_WORDS];
	pthread_t threads[N_THREADS];

	(void)state;
	assert_int_equal(pthread_barrier_init(&start, NULL, N_THREADS), 0);
	for (uint32_t t = 0; t < N_THREADS; t++) {
		ids[t][0] = t * 37;
		assert_int_equal(
		    pthread_create(&threads[t], NULL, thread_run, ids[t]), 0);
	}
	for (size_t t = 0; t < N_THREADS; t++)
		pthread_join(threads[t], NULL);
	pthread_barrier_destroy(&start);
	for (size_t w = 0; w < N_WORDS; w++) {
		assert_int_not_equal(ids[0][w], 0);
		for (size_t t = 1; t < N_THREADS; t++)
			assert_int_equal(ids[t][w], ids[0][w]);
	}
}

/*
 * Intern new words of `len` octets until one is refused. Returns how many went in, or
 * UINT32_MAX when something else is wrong. Nothing can be interned after this.
 */
static uint32_t
fill(size_t len)
{
	uint32_t known = intern("known", 5), n = 0;
	char word[INTERN_MAX_LEN + 1];

	memset(word, 'x', sizeof(word));
	for (; n <= INTERN_MAX; n++) {
		snprintf(word, sizeof(word), "%07u", n);
		word[7] = 'x';
		if (intern(word, len) == 0)
			break;
	}
	if (intern_refused() != 1 || intern("another",
	    7) != 0 || intern_refused() != 2 ||
	    intern("known", 5) != known || strcmp(intern_text(known), "known") != 0)
		return UINT32_MAX;
	return n;
}

/* Run `fill` in a process of its own. Returns 0 when it stored `from` to `to` words. */
static int
fill_apart(size_t len, uint32_t from, uint32_t to)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		uint32_t n = fill(len);

		_exit(n >= from && n <= to ? 0 : 1);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
test_bounds(void **state)
{
	const uint32_t by_octets = INTERN_MAX_OCTETS / (INTERN_MAX_LEN + 1);

	(void)state;
	/* The tests before have taken some. */
	assert_int_equal(fill_apart(8, INTERN_MAX - 40000, INTERN_MAX), 0);
	assert_int_equal(fill_apart(INTERN_MAX_LEN, by_octets - 10000, by_octets), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_empty_and_unknown),
		cmocka_unit_test(test_ids_are_dense_and_stay),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests_name("intern", tests, NULL, NULL);
}
