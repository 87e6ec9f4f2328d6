/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "collectors/starts.h"
#include "lib/clock.h"

#define LIFETIME_S 60U
#define START_S    UINT64_C(1700000000)

static struct flow
packet(uint16_t port, uint64_t at_s)
{
	struct flow f = { .src_port = port, .proto = 17 };

	f.stamp = (START_S + at_s) * CLOCK_S;
	return f;
}

static const struct {
	const char *says;
	struct { uint16_t port; uint64_t at_s; uint64_t starts; } packets[8];
} cases[] = {
	{ "the first packet starts a flow, the next ones belong to it",
	    { { 1, 0, 1 }, { 1, 1, 0 }, { 1, 2, 0 } } },
	{ "another 5-tuple is another flow",
	    { { 1, 0, 1 }, { 2, 0, 1 }, { 1, 1, 0 }, { 2, 1, 0 } } },
	{ "a pause of a lifetime ends nothing, a longer one does",
	    { { 1, 0, 1 }, { 1, 60, 0 }, { 1, 121, 1 } } },
	{ "a flow that goes on lives through many lifetimes",
	    { { 1, 0, 1 }, { 1, 50, 0 }, { 1, 100, 0 }, { 1, 150, 0 }, { 1, 200, 0 },
	        { 1, 250, 0 }, { 1, 300, 0 } } },
	{ "others that keep time passing do not keep it alive",
	    { { 1, 0, 1 }, { 2, 30, 1 }, { 2, 59, 0 }, { 2, 90, 0 }, { 1, 95, 1 } } },
	{ "after a long silence everything starts anew",
	    { { 1, 0, 1 }, { 2, 0, 1 }, { 1, 5000, 1 }, { 2, 5000, 1 } } },
	{ "a flow seen just before the tables change places is alive after it",
	    { { 1, 0, 1 }, { 2, 58, 1 }, { 1, 62, 1 }, { 2, 118, 0 } } },
	{ "packets a little out of order are of their flow",
	    { { 1, 100, 1 }, { 1, 99, 0 }, { 1, 101, 0 }, { 1, 60, 0 } } },
	{ "where time steps far back everything starts anew, and goes on from there",
	    { { 1, 9000, 1 }, { 1, 2000, 1 }, { 1, 2001, 0 } } },
};

/* One at a time and all at once: batches change nothing. */
static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int batched = 0; batched < 2; batched++) {
			struct err e = ERR_INIT;
			struct starts *s = starts_new(16384, LIFETIME_S * CLOCK_S, LIFETIME_S * CLOCK_S, &e);
			struct flow flows[8];
			unsigned n = 0;

			assert_non_null(s);
			while (n < 8 && cases[i].packets[n].port != 0) {
				flows[n] = packet(cases[i].packets[n].port,
				    cases[i].packets[n].at_s);
				if (!batched)
					(void)starts_count(s, &flows[n], 1);
				n++;
			}
			if (batched)
				(void)starts_count(s, flows, n);
			for (unsigned k = 0; k < n; k++)
				if (flows[k].flows != cases[i].packets[k].starts)
					fail_msg("%s: packet %u, %s", cases[i].says, k,
					    batched ? "in a batch" : "alone");
			starts_free(s);
		}
}

/* TCP has a lifetime of its own, be it longer or shorter. */
static void
test_lifetimes(void **state)
{
	static const struct { uint64_t life_s, tcp_life_s; } lives[] = { { 60, 600 },
		{ 60, 10 } };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct err e = ERR_INIT;
		struct starts *s = starts_new(16384, lives[i].life_s * CLOCK_S,
		    lives[i].tcp_life_s * CLOCK_S, &e);

		assert_non_null(s);
		for (unsigned proto = 6; proto <= 17; proto += 11) {
			uint64_t life = proto == 6 ? lives[i].tcp_life_s : lives[i].life_s;
			uint64_t at[] = { 0, life, 2 * life + 1, 3 * life + 1, 4 * life + 2 };

			for (size_t k = 0; k < 5; k++) {
				struct flow f = packet((uint16_t)(i + 1), 10000 * proto + at[k]);

				f.proto = (uint8_t)proto;
				assert_int_equal(starts_count(s, &f, 1), 0);
				assert_int_equal(f.flows, k == 0 || k == 2 || k == 4);
			}
		}
		starts_free(s);
	}
}

/* Each member of the 5-tuple, and nothing else, tells flows apart. */
static void
test_the_tuple_tells_flows_apart(void **state)
{
	struct err e = ERR_INIT;
	struct starts *s = starts_new(16384, LIFETIME_S * CLOCK_S, LIFETIME_S * CLOCK_S, &e);
	struct flow flows[8];

	(void)state;
	assert_non_null(s);
	for (unsigned i = 0; i < 8; i++)
		flows[i] = packet(1, 0);
	flows[1].src_host.b[0] = 1;
	flows[2].dst_host.b[15] = 1;
	flows[3].src_port = 2;
	flows[4].dst_port = 1;
	flows[5].proto = 6;
	flows[6].tos = 1;
	flows[6].vlan = 1;
	flows[6].src_mac.b[0] = 1;
	flows[7].tcp_flags = 2;
	assert_int_equal(starts_count(s, flows, 8), 0);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(flows[i].flows, i < 6);
	starts_free(s);
}

/* A capture may have no clock: 0 is a time like others. */
static void
test_time_may_be_zero(void **state)
{
	struct err e = ERR_INIT;
	struct starts *s = starts_new(16384, LIFETIME_S * CLOCK_S, LIFETIME_S * CLOCK_S, &e);
	struct flow flows[2] = { packet(1, 0), packet(1, 0) };

	(void)state;
	assert_non_null(s);
	flows[0].stamp = flows[1].stamp = 0;
	assert_int_equal(starts_count(s, flows, 1), 0);
	assert_int_equal(starts_count(s, flows + 1, 1), 0);
	assert_int_equal(flows[0].flows, 1);
	assert_int_equal(flows[1].flows, 0);
	assert_int_equal(starts_count(s, flows, 0), 0);
	starts_free(s);
	starts_free(NULL);
}

static void
test_a_full_table_refuses_and_says_so(void **state)
{
	struct err e = ERR_INIT;
	struct starts *s = starts_new(1, LIFETIME_S * CLOCK_S, LIFETIME_S * CLOCK_S, &e);
	unsigned refused = 0, counted = 0;

	(void)state;
	assert_non_null(s);
	for (uint16_t port = 1; port <= 100; port++) {
		struct flow f = packet(port, 1);

		refused += starts_count(s, &f, 1);
		counted += (unsigned)f.flows;
	}
	assert_int_equal(counted, 16);
	assert_int_equal(refused, 84);
	starts_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_lifetimes),
		cmocka_unit_test(test_the_tuple_tells_flows_apart),
		cmocka_unit_test(test_time_may_be_zero),
		cmocka_unit_test(test_a_full_table_refuses_and_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
