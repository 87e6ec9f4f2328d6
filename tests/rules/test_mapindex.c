/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rules/mapindex.h"

#define RULES 3000U

/* Few values, so that rules and records meet. */
static struct mapindex_key
key_of(uint64_t seed)
{
	const uint8_t quad[4] = { 10, 0, 0, (uint8_t)(seed >> 20 & 7) };

	return (
	    struct mapindex_key){ ip_from_v4(quad), seed >> 30 & 7, seed >> 40 & 7 };
}

static uint64_t
step(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *seed >> 8;
}

static bool
fits(unsigned asks, const struct mapindex_key *rule, const struct mapindex_key *record)
{
	return ((asks & MAPINDEX_IP) == 0 || ip_equal(&rule->ip, &record->ip)) &&
	       ((asks & MAPINDEX_IN) == 0 || rule->in == record->in) &&
	       ((asks & MAPINDEX_OUT) == 0 || rule->out == record->out);
}

/* What a look at every rule finds, in that order, and nothing else: as rules come. */
static void
test_like_a_list(void **state)
{
	struct mapindex *ix = mapindex_new();
	struct mapindex_key *keys = calloc(RULES, sizeof(*keys));
	unsigned *asks = calloc(RULES, sizeof(*asks));
	uint64_t seed = 1;

	(void)state;
	assert_non_null(ix);
	for (uint32_t n = 0; n < RULES; n++) {
		struct mapindex_key record = key_of(step(&seed));
		struct mapindex_walk w;

		keys[n] = key_of(step(&seed));
		asks[n] = n < 100 ? MAPINDEX_IP : (unsigned)(step(&seed) % 8);
		assert_int_equal(mapindex_add(ix, asks[n], &keys[n]), 0);
		if (n % 10 != 0)
			continue;
		mapindex_begin(ix, &record, &w);
		for (uint32_t i = 0; i <= n; i++)
			if (fits(asks[i], &keys[i], &record))
				assert_int_equal(mapindex_next(ix, &w), i);
		assert_int_equal(mapindex_next(ix, &w), MAPINDEX_END);
		assert_int_equal(mapindex_next(ix, &w), MAPINDEX_END);
	}
	mapindex_free(ix);
	free(keys);
	free(asks);
}

/* What a rule does not ask for does not tell it from others. */
static void
test_asks(void **state)
{
	struct mapindex *ix = mapindex_new();
	struct mapindex_key a = key_of(0), b = key_of(~UINT64_C(0));
	struct mapindex_walk w;

	(void)state;
	mapindex_begin(ix, &a, &w);
	assert_int_equal(mapindex_next(ix, &w), MAPINDEX_END);
	assert_int_equal(mapindex_add(ix, 0, &a), 0);
	assert_int_equal(mapindex_add(ix, 0, &b), 0);
	assert_int_equal(mapindex_add(ix, MAPINDEX_IN, &b), 0);
	mapindex_begin(ix, &a, &w);
	assert_int_equal(mapindex_next(ix, &w), 0);
	assert_int_equal(mapindex_next(ix, &w), 1);
	assert_int_equal(mapindex_next(ix, &w), MAPINDEX_END);
	b.ip = a.ip;
	mapindex_begin(ix, &b, &w);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(mapindex_next(ix, &w), i);
	mapindex_free(ix);
	mapindex_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_like_a_list),
		cmocka_unit_test(test_asks),
	};

	return cmocka_run_group_tests_name("mapindex", tests, NULL, NULL);
}
