/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which rows preprocess keeps and what it makes of their counters; what is no list. */
#include <setjmp.h>
#include <stdarg.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/preprocess.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *text, *error;
} refused[] = {
	{ "minp", "form key=number" },
	{ "minq=1", "there are qnum, minp" },
	{ "minp=", "write a number" },
	{ "minp=1x", "write a number" },
	{ "minp=-1", "from 0" },
	{ "minp=99999999999999999999", "write a number" },
	{ "minp=1, minb=2, minp=3", "given twice" },
	{ "fss=0", "from 1" },
	{ "recover=2", "from 0 to 1" },
	{ "adjb=70000", "from -65535 to 65535" },
};

static void
test_lists_that_are_none(void **state)
{
	struct preprocess p;

	(void)state;
	for (size_t i = 0; i < N(refused); i++) {
		struct err e = { 0 };

		if (preprocess_parse(&p, "sql_preprocess", refused[i].text, false,
			&e) != -WEIR_EINVAL ||
		    strstr(e.text, refused[i].error) == NULL)
			fail_msg("%s: %s", refused[i].text, e.text);
	}
	assert_int_equal(preprocess_parse(&p, "sql_preprocess", NULL, false, NULL), 0);
	assert_false(p.on);
}

/* packets, bytes, flows; 0 bytes per packet nowhere. */
static const struct sums rows[] = {
	{ 1, 40, 1 },
	{ 10, 1000, 1 },
	{ 100, 5000, 4 },
	{ 1000, 1500000, 2 },
};
#define ROWS N(rows)

static const struct {
	const char *says, *text;
	bool all;
	const char *kept; /* k or - for each row */
} cases[] = {
	{ "nothing is asked", "", false, "kkkk" },
	{ "from so many packets on", "minp=10", false, "-kkk" },
	{ "below so many packets", "maxp=10", false, "k---" },
	{ "from so many bytes on", "minb = 5000", false, "--kk" },
	{ "below so many bytes", "maxb=5000", false, "kk--" },
	{ "from so many flows on", "minf=2", false, "--kk" },
	{ "below so many flows", "maxf=4", false, "kk-k" },
	{ "long packets", "minbpp=100", false, "-k-k" },
	{ "short packets", "maxbpp=100", false, "k-k-" },
	{ "packets for each flow", "minppf=25", false, "--kk" },
	{ "few packets for each flow", "maxppf=25", false, "kk--" },
	{ "any of two is enough", "minb=1000000,maxp=10", false, "k--k" },
	{ "both of two", "minp=10,maxb=1000000", true, "-kk-" },
	{ "as many rows as qnum: checks apply", "qnum=4,minp=1000", false, "---k" },
	{ "fewer rows than qnum: they do not", "qnum=5,minp=1000", false, "kkkk" },
	{ "a qnum alone rejects nothing", "qnum=1", true, "kkkk" },
	{ "actions reject nothing", "usrf=2,adjb=14", false, "kkkk" },
	{ "as many as fsrc are all kept", "fsrc=4", false, "kkkk" },
	{ "large rows are kept by fss; the small do not add up", "fss=5000", false,
	    "--kk" },
	{ "of the small rows those that complete a multiple", "fss=1040", false,
	    "-kkk" },
	{ "fss judges what passed, with all", "fss=1040,maxp=100", true, "-k--" },
	{ "fss judges what did not pass, with any", "fss=5000,maxp=10", false, "k-kk" },
};

static void
test_checks(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct preprocess p;
		struct sums sums[ROWS];
		bool keep[ROWS];
		char got[ROWS + 1] = "";
		size_t n, kept = 0;
		struct err e = { 0 };

		memcpy(sums, rows, sizeof(rows));
		if (preprocess_parse(
			&p, "sql_preprocess", cases[i].text, cases[i].all, &e) != 0)
			fail_msg("%s: %s", cases[i].says, e.text);
		n = preprocess_run(&p, sums, keep, ROWS);
		for (size_t r = 0; r < ROWS; r++) {
			got[r] = keep[r] ? 'k' : '-';
			kept += keep[r];
		}
		if (strcmp(got, cases[i].kept) != 0 || n != kept)
			fail_msg("%s: %s, not %s", cases[i].says, got, cases[i].kept);
	}
}

static void
test_actions(void **state)
{
	static const struct {
		const char *text;
		struct sums from, to;
	} acts[] = {
		{ "usrf=10", { 2, 300, 1 }, { 20, 3000, 10 } },
		{ "adjb=14", { 2, 300, 1 }, { 2, 328, 1 } },
		{ "adjb=-4", { 2, 300, 1 }, { 2, 292, 1 } },
		{ "adjb=-400", { 2, 300, 1 }, { 2, 0, 1 } },
		{ "usrf=10,adjb=1", { 2, 300, 1 }, { 20, 3020, 10 } },
		{ "usrf=2", { UINT64_MAX, 5, 0 }, { UINT64_MAX, 10, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < N(acts); i++) {
		struct preprocess p;
		struct sums s = acts[i].from;
		bool keep;

		assert_int_equal(
		    preprocess_parse(&p, "sql_preprocess", acts[i].text, false, NULL),
		    0);
		assert_int_equal(preprocess_run(&p, &s, &keep, 1), 1);
		if (!sums_equal(&s, &acts[i].to))
			fail_msg("%s: %" PRIu64 " %" PRIu64 " %" PRIu64, acts[i].text,
			    s.packets, s.bytes, s.flows);
	}
}

#define MANY 2000U

static void
many_make(struct sums *s)
{
	for (unsigned i = 0; i < MANY; i++) {
		s[i].packets = 1 + i % 50;
		s[i].bytes = s[i].packets * (40 + i % 1400);
		s[i].flows = 1;
	}
	s[7].bytes = 50000000; /* one that is larger than all others together, nearly */
}

static uint64_t
bytes_of(const struct sums *s, const bool *keep)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < MANY; i++)
		sum += keep == NULL || keep[i] ? s[i].bytes : 0;
	return sum;
}

/* Over bins the sum is right to less than one fss; and packets keep their length. */
static void
test_fss_keeps_the_sum(void **state)
{
	static struct sums s[MANY];
	static bool keep[MANY];
	struct preprocess p;
	uint64_t was = 0, is = 0;
	size_t kept = 0;

	(void)state;
	assert_int_equal(
	    preprocess_parse(&p, "sql_preprocess", "fss=200000", false, NULL), 0);
	for (unsigned bin = 0; bin < 5; bin++) {
		many_make(s);
		was += bytes_of(s, NULL);
		kept += preprocess_run(&p, s, keep, MANY);
		is += bytes_of(s, keep);
		for (unsigned i = 0; i < MANY; i++)
			if (keep[i] && i != 7) {
				assert_int_equal(s[i].bytes, 200000);
				assert_true(s[i].packets > 1);
			}
	}
	assert_true(kept > 100 && kept < 1000);
	assert_true(was >= is && was - is < 200000);
}

/* Priority sampling is unbiased: the mean over many draws comes near the sum. */
static void
test_fsrc_keeps_the_mean(void **state)
{
	static struct sums s[MANY];
	static bool keep[MANY];
	struct preprocess p;
	double was, mean = 0;

	(void)state;
	assert_int_equal(
	    preprocess_parse(&p, "sql_preprocess", "fsrc=100", true, NULL), 0);
	p.random = 12345;
	many_make(s);
	was = (double)bytes_of(s, NULL);
	for (unsigned draw = 0; draw < 200; draw++) {
		many_make(s);
		assert_int_equal(preprocess_run(&p, s, keep, MANY), 100);
		assert_true(keep[7]); /* the largest always is */
		mean += (double)bytes_of(s, keep) / 200;
	}
	assert_true(mean > 0.98 * was && mean < 1.02 * was);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists_that_are_none),
		cmocka_unit_test(test_checks),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_fss_keeps_the_sum),
		cmocka_unit_test(test_fsrc_keeps_the_mean),
	};

	return cmocka_run_group_tests_name("preprocess", tests, NULL, NULL);
}
