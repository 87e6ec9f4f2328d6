/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rules/sieve.h"

static const bool as_is[SOURCE_COUNT];
static const bool renormalized[SOURCE_COUNT] = { [SOURCE_PACKETS] = true,
	[SOURCE_NETFLOW] = true };

static struct sieve *
sieve_make(uint32_t rate, const bool *renormalize, uint64_t seed)
{
	struct err e = ERR_INIT;
	struct sieve *s = sieve_new(rate, renormalize, sizeof(struct flow), seed, &e);

	if (s == NULL)
		fail_msg("%s", e.text);
	return s;
}

/* Offer one record; returns whether it was taken, in `*f`. */
static bool
offer(struct sieve *s, enum flow_source source, struct flow *f, struct sieve_books *b)
{
	unsigned n = 1;
	const struct flow *taken = sieve_take(s, source, f, &n, b);

	assert_true(n <= 1);
	if (n == 1)
		*f = taken[0];
	return n == 1;
}

static struct flow
record(uint64_t packets, uint64_t bytes)
{
	struct flow f;

	memset(&f, 0, sizeof(f));
	f.packets = packets;
	f.bytes = bytes;
	f.flows = 1;
	return f;
}

/*
 * The law of the gaps between packets that are taken: from 1 to 2N-1, each as likely, and
 * no gap tells of the next. Chi-square over all values; the bound is passed by chance once
 * in some million seeds, and the seed is fixed.
 */
static void
test_gaps(void **state)
{
	static const uint32_t rates[] = { 2, 3, 10, 100, 500 };

	(void)state;
	for (size_t r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
		uint32_t rate = rates[r], kinds = 2 * rate - 1, gaps = kinds * 200;
		struct sieve *s = sieve_make(rate, as_is, 42 + r);
		uint32_t *seen = calloc(kinds + 1, sizeof(*seen));
		double chi = 0, sum = 0, product = 0, last = 0, mean = rate;
		double variance = ((double)kinds * kinds - 1) / 12;
		struct sieve_books b = { 0 };

		assert_non_null(seen);
		for (uint32_t n = 0; n < gaps; n++) {
			uint32_t gap = 0;
			struct flow f;

			do {
				f = record(1, 100);
				gap++;
			} while (!offer(s, SOURCE_PACKETS, &f, &b));
			if (gap > kinds)
				fail_msg("1 in %u: a gap of %u", rate, gap);
			seen[gap]++;
			sum += gap;
			product += (gap - mean) * last;
			last = gap - mean;
		}
		for (uint32_t i = 1; i <= kinds; i++)
			chi += (seen[i] - 200.0) * (seen[i] - 200.0) / 200;
		free(seen);
		sieve_free(s);
		/* Chi-square has kinds - 1 degrees of freedom: mean, and twice as much variance. */
		if (fabs(chi - (kinds - 1)) > 5 * sqrt(2.0 * kinds))
			fail_msg("1 in %u: chi-square %.1f for %u values", rate, chi, kinds);
		if (fabs(sum / gaps - mean) > 5 * sqrt(variance / gaps))
			fail_msg("1 in %u: a mean of %.3f", rate, sum / gaps);
		if (fabs(product / gaps) > 5 * variance / sqrt(gaps))
			fail_msg("1 in %u: gaps hang together, %.3f", rate, product / gaps);
	}
}

/* However packets are bundled into records, as many of them are taken. */
static void
test_records(void **state)
{
	static const struct {
		const char *says;
		uint32_t rate;
		uint64_t packets; /* of each record, more or less */
		unsigned records;
	} cases[] = {
		{ "single packets", 10, 1, 400000 },
		{ "records as long as a gap", 10, 10, 100000 },
		{ "records of many gaps", 10, 500, 20000 },
		{ "records beyond what is drawn", 10, 100000, 20000 },
		{ "every other packet", 2, 3, 100000 },
		{ "a high rate", 100000, 7, 4000000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sieve *s = sieve_make(cases[i].rate, as_is, 7 + i);
		struct sieve_books b = { 0 };
		struct sums fed = { 0 }, taken = { 0 };
		double want, room, rate = cases[i].rate;

		for (unsigned n = 0; n < cases[i].records; n++) {
			uint64_t packets = cases[i].packets + n % (cases[i].packets / 2 + 1);
			struct flow f = record(packets, packets * (40 + n % 1460));

			sums_add(&fed, &(struct sums){ f.packets, f.bytes, f.flows });
			if (!offer(s, SOURCE_NETFLOW, &f, &b))
				continue;
			assert_int_equal(f.sampling_rate, cases[i].rate);
			assert_int_equal(f.flows, 1);
			assert_true(f.packets <= packets && f.packets > 0);
			sums_add(&taken, &(struct sums){ f.packets, f.bytes, f.flows });
		}
		sieve_free(s);
		sums_add(&taken, &b.out);
		if (!sums_equal(&fed, &taken))
			fail_msg("%s: the books do not balance", cases[i].says);
		want = (double)fed.packets / rate;
		/* Gaps have a variance of about rate^2/3: so many of them add up to this. */
		room = 5 * sqrt(want / 3) + 1;
		if (fabs((double)(fed.packets - b.out.packets) - want) > room)
			fail_msg("%s: %.0f packets of %.0f", cases[i].says,
			    (double)(fed.packets - b.out.packets), want);
		if (fabs((double)(fed.bytes - b.out.bytes) * rate / (double)fed.bytes - 1) >
		    10 / sqrt(want))
			fail_msg("%s: octets do not follow packets", cases[i].says);
		assert_int_equal(b.over, 0);
		assert_int_equal(b.scaled.packets, 0);
	}
}

/* What is taken stands for all: its sums, multiplied, come near the truth. */
static void
test_renormalized(void **state)
{
	struct sieve *s = sieve_make(100, renormalized, 3);
	struct sieve_books b = { 0 };
	struct sums taken = { 0 };

	(void)state;
	for (unsigned n = 0; n < 1000000; n++) {
		struct flow f = record(1, 500);

		if (!offer(s, SOURCE_PACKETS, &f, &b))
			continue;
		assert_int_equal(f.packets, 100);
		assert_int_equal(f.bytes, 50000);
		assert_int_equal(f.sampling_rate, 1);
		sums_add(&taken, &(struct sums){ f.packets, f.bytes, f.flows });
	}
	assert_true(fabs((double)taken.packets - 1e6) < 5 * 100 * sqrt(1e4 / 3));
	assert_int_equal(taken.bytes, taken.packets * 500);
	/* fed + scaled = out + taken */
	assert_int_equal(1000000 + b.scaled.packets, b.out.packets + taken.packets);
	assert_int_equal(500000000 + b.scaled.bytes, b.out.bytes + taken.bytes);
	assert_int_equal(1000000, b.out.flows + taken.flows);
	sieve_free(s);
}

static void
test_rates_and_bounds(void **state)
{
	static const struct {
		const char *says;
		const bool *renormalize;
		enum flow_source source;
		uint64_t packets, bytes;
		uint32_t before, after; /* sampling_rate */
		uint64_t over;
	} cases[] = {
		{ "a device sampled before", as_is, SOURCE_NETFLOW, 1000, 1000, 50, 100, 0 },
		{ "the rate of both is too much", as_is, SOURCE_NETFLOW, 1000, 1000, 3000000000,
		    UINT32_MAX, 0 },
		{ "a source that is renormalized", renormalized, SOURCE_NETFLOW, 1000, 1000, 1, 1, 0 },
		{ "another that is not", renormalized, SOURCE_SFLOW, 1000, 1000, 0, 2, 0 },
		{ "all that 64 bits hold", as_is, SOURCE_NETFLOW, UINT64_MAX, UINT64_MAX, 0, 2, 0 },
		{ "more than they hold", renormalized, SOURCE_NETFLOW, 1, UINT64_MAX, 0, 1, 1 },
		{ "many octets in few packets", as_is, SOURCE_NETFLOW, 100, UINT64_MAX, 0, 2, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sieve *s = sieve_make(2, cases[i].renormalize, 1);
		struct sieve_books b = { 0 };
		uint64_t n = 0;
		struct flow f;

		do {
			f = record(cases[i].packets, cases[i].bytes);
			f.sampling_rate = cases[i].before;
			n++;
		} while (!offer(s, cases[i].source, &f, &b));
		if (f.sampling_rate != cases[i].after || b.over != cases[i].over)
			fail_msg("%s: rate %u, %u over", cases[i].says, f.sampling_rate,
			    (unsigned)b.over);
		/* Whatever it was, nothing is lost from sight; modulo 2^64, as counters are. */
		assert_int_equal(cases[i].packets * n + b.scaled.packets, f.packets + b.out.packets);
		assert_int_equal(cases[i].bytes * n + b.scaled.bytes, f.bytes + b.out.bytes);
		sieve_free(s);
	}
}

/* An event without packets is met by no sample, and stands in the books. */
static void
test_no_packets(void **state)
{
	struct sieve *s = sieve_make(2, as_is, 1);
	struct sieve_books b = { 0 };
	struct flow f = record(0, 0);

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		assert_false(offer(s, SOURCE_NETFLOW, &f, &b));
	assert_int_equal(b.out.flows, 100);
	sieve_free(s);
}

/* Seeds decide; batches of any size are the same stream. */
static void
test_seeds(void **state)
{
	struct sieve *one = sieve_make(5, as_is, 9), *batch = sieve_make(5, as_is, 9);
	struct sieve *other = sieve_make(5, as_is, 10);
	struct flow flows[FLOW_BATCH];
	struct sieve_books b = { 0 };
	unsigned differ = 0;

	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		unsigned n = FLOW_BATCH - round, k = 0;
		const struct flow *taken;

		for (unsigned i = 0; i < FLOW_BATCH - round; i++) {
			flows[i] = record(1, 1);
			flows[i].src_port = (uint16_t)i;
		}
		taken = sieve_take(batch, SOURCE_PACKETS, flows, &n, &b);
		for (unsigned i = 0; i < FLOW_BATCH - round; i++) {
			struct flow f = flows[i], g = flows[i];
			bool met = offer(one, SOURCE_PACKETS, &f, &b);

			if (met)
				assert_int_equal(taken[k++].src_port, i);
			differ += offer(other, SOURCE_PACKETS, &g, &b) != met;
		}
		assert_int_equal(k, n);
	}
	assert_true(differ > 0);
	sieve_free(one);
	sieve_free(batch);
	sieve_free(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_renormalized),
		cmocka_unit_test(test_rates_and_bounds),
		cmocka_unit_test(test_no_packets),
		cmocka_unit_test(test_seeds),
	};

	return cmocka_run_group_tests_name("rules/sieve", tests, NULL, NULL);
}
