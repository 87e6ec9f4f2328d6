/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "export/applications.h"
#include "lib/intern.h"

static uint32_t
class_of(unsigned i)
{
	char text[32];

	snprintf(text, sizeof(text), "class/%u", i);
	return intern(text, strlen(text));
}

/* Numbers are those of names: whoever is met first, in this process or the next. */
static void
test_numbers_are_those_of_names(void **state)
{
	struct applications *a = applications_new(NULL), *b = applications_new(NULL);
	const char *name;

	(void)state;
	assert_int_equal(applications_id(a, 0), 0);
	for (unsigned i = 0; i < 200; i++) {
		uint64_t id = applications_id(a, class_of(i));

		assert_int_equal(id >> 32, APPLICATIONS_ENGINE);
		assert_true((uint32_t)id != 0);
		assert_true(applications_id(a, class_of(i)) == id);
		assert_true(applications_get(a, i, &name) == id);
		assert_string_equal(name, intern_text(class_of(i)));
	}
	for (unsigned i = 200; i-- > 0;)
		assert_true(applications_id(b, class_of(i)) == applications_id(a, class_of(i)));
	assert_int_equal(applications_count(a), 200);
	/* XXH64 of "HTTP", in four octets: what another host says, too. */
	assert_true(applications_id(b, intern("HTTP", 4)) == UINT64_C(0x614524642));
	applications_free(a);
	applications_free(b);
}

static void
test_too_many(void **state)
{
	struct applications *a = applications_new(NULL);

	(void)state;
	for (unsigned i = 0; i < APPLICATIONS_MAX; i++)
		assert_true(applications_id(a, class_of(i)) != 0);
	assert_int_equal(applications_id(a, class_of(APPLICATIONS_MAX)), 0);
	assert_true(applications_id(a, class_of(7)) != 0);
	assert_int_equal(applications_count(a), APPLICATIONS_MAX);
	/* No two have the same. */
	for (unsigned i = 0; i < APPLICATIONS_MAX; i += 64) {
		const char *name;
		uint64_t id = applications_get(a, i, &name);

		for (unsigned k = 0; k < APPLICATIONS_MAX; k++)
			assert_true(k == i || applications_get(a, k, &name) != id);
	}
	applications_free(a);
}

struct seeker {
	struct applications *a;
	uint64_t ids[2000];
};

static void *
seek(void *arg)
{
	struct seeker *s = arg;

	for (unsigned i = 0; i < 2000; i++) {
		s->ids[i] = applications_id(s->a, class_of(i));
		/* What has a number has a name already. */
		if (applications_count(s->a) == 0)
			return NULL;
	}
	return s;
}

static void
test_two_threads_agree(void **state)
{
	static struct seeker seekers[2];
	pthread_t threads[2];

	(void)state;
	seekers[0].a = seekers[1].a = applications_new(NULL);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, seek, &seekers[i]), 0);
	for (unsigned i = 0; i < 2; i++) {
		void *result;

		pthread_join(threads[i], &result);
		assert_ptr_equal(result, &seekers[i]);
	}
	assert_memory_equal(seekers[0].ids, seekers[1].ids, sizeof(seekers[0].ids));
	assert_int_equal(applications_count(seekers[0].a), 2000);
	applications_free(seekers[0].a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_are_those_of_names),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_two_threads_agree),
	};

	return cmocka_run_group_tests_name("applications", tests, NULL, NULL);
}
