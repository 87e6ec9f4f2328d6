/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/bins.h"
#include "lib/clock.h"

static void
zone(const char *tz)
{
	setenv("TZ", tz, 1);
	tzset();
}

/* "YYYY-MM-DD HH:MM:SS" of UTC, in ns since 1970. */
static uint64_t
utc(const char *text)
{
	struct tm tm;

	memset(&tm, 0, sizeof(tm));
	if (sscanf(text, "%d-%d-%d %d:%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		&tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
		fail_msg("no time: %s", text);
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	return (uint64_t)timegm(&tm) * CLOCK_S;
}

static const char *
text(uint64_t t)
{
	static char buf[4][40];
	static unsigned i;
	time_t s = (time_t)(t / CLOCK_S);
	struct tm tm;

	i = (i + 1) % 4;
	strftime(buf[i], sizeof(buf[i]), "%Y-%m-%d %H:%M:%S", gmtime_r(&s, &tm));
	return buf[i];
}

static const struct {
	const char *text;
	uint32_t seconds, months; /* both 0: refused */
} histories[] = {
	{ "10", 10, 0 },
	{ "59s", 59, 0 },
	{ "60", 60, 0 },
	{ "300", 300, 0 },
	{ "1m", 60, 0 },
	{ "5m", 300, 0 },
	{ "2h", 7200, 0 },
	{ "1d", 86400, 0 },
	{ "2w", 1209600, 0 },
	{ "1M", 0, 1 },
	{ "12M", 0, 12 },
	{ "7000w", 4233600000, 0 },
	{ "10000d", 864000000, 0 },
	{ "", 0, 0 },
	{ "0", 0, 0 },
	{ "0m", 0, 0 },
	{ "m", 0, 0 },
	{ "-5m", 0, 0 },
	{ " -5m", 0, 0 },
	{ "61", 0, 0 },
	{ "90s", 0, 0 },
	{ "5x", 0, 0 },
	{ "5mm", 0, 0 },
	{ "5 m", 0, 0 },
	{ "1Mm", 0, 0 },
	{ "1.5h", 0, 0 },
	{ "10001", 0, 0 },
	{ "18446744073709551617m", 0, 0 },
	{ "10000w", 0, 0 },
};

static void
test_histories(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(histories) / sizeof(histories[0]); i++) {
		struct bins b = { 0 };
		struct err e = ERR_INIT;
		int rc = bins_parse_history(histories[i].text, &b, &e);
		bool refused = histories[i].seconds == 0 && histories[i].months == 0;

		if (refused != (rc != 0))
			fail_msg("'%s': %d, %u s", histories[i].text, rc, b.seconds);
		if (refused &&
		    (rc != -WEIR_EINVAL || strstr(e.text, histories[i].text) == NULL))
			fail_msg("'%s': the error is '%s'", histories[i].text, e.text);
		if (!refused && (b.seconds != histories[i].seconds ||
				    b.months != histories[i].months))
			fail_msg("'%s': %u s, %u months", histories[i].text, b.seconds,
			    b.months);
	}
}

static const struct {
	const char *text, *want; /* NULL: refused */
} roundoffs[] = {
	{ "m", "m" },
	{ "mh", "mh" },
	{ "m h d", "mhd" },
	{ "mmh", "mh" },
	{ "w", "w" },
	{ "mhw", "mhw" },
	{ "mhdM", "mhdM" },
	{ "", "" },
	{ "x", NULL },
	{ "H", NULL },
	{ "wd", NULL },
	{ "wM", NULL },
	{ "m,h", NULL },
	{ "mhdMmhdMmhdM", "mhdM" },
};

static void
test_roundoff_letters(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(roundoffs) / sizeof(roundoffs[0]); i++) {
		struct bins b = { 0 };
		struct err e = ERR_INIT;
		int rc = bins_parse_roundoff(roundoffs[i].text, &b, &e);

		if ((rc != 0) != (roundoffs[i].want == NULL))
			fail_msg("'%s': %d", roundoffs[i].text, rc);
		if (rc == 0 && strcmp(b.roundoff, roundoffs[i].want) != 0)
			fail_msg("'%s' is '%s'", roundoffs[i].text, b.roundoff);
	}
}

/* Europe/Berlin: UTC+1, in summer UTC+2 from 2026-03-29 to 2026-10-25, at 01:00 UTC. */
static const struct {
	const char *says, *letters, *t, *want;
} rounds[] = {
	{ "seconds always go", "", "2026-07-09 12:34:56", "2026-07-09 12:34:00" },
	{ "m: the hour begins", "m", "2026-07-09 12:34:56", "2026-07-09 12:00:00" },
	{ "h: the local day begins", "mh", "2026-07-09 12:34:56",
	    "2026-07-08 22:00:00" },
	{ "h in winter", "h", "2026-01-15 12:34:56", "2026-01-14 23:00:00" },
	{ "d: the month begins", "mhd", "2026-07-09 12:34:56", "2026-06-30 22:00:00" },
	{ "d over a change of the clocks", "d", "2026-03-30 12:34:56",
	    "2026-02-28 23:00:00" },
	{ "w: back to Sunday", "mhw", "2026-07-09 12:34:56", "2026-07-04 22:00:00" },
	{ "w on a Sunday", "w", "2026-07-05 12:34:56", "2026-07-04 22:00:00" },
	{ "w over a new year", "w", "2026-01-01 12:00:00", "2025-12-27 23:00:00" },
	{ "M: the year begins", "mhdM", "2026-07-09 12:34:56", "2025-12-31 23:00:00" },
	{ "local midnight decides, not UTC's", "h", "2026-07-09 22:30:00",
	    "2026-07-09 22:00:00" },
	{ "the hour that comes twice, for the first time", "", "2026-10-25 00:30:30",
	    "2026-10-25 00:30:00" },
	{ "the hour that comes twice, for the second time", "", "2026-10-25 01:30:30",
	    "2026-10-25 01:30:00" },
	{ "its start, the first time", "m", "2026-10-25 00:30:30",
	    "2026-10-25 00:00:00" },
	{ "its start, the second time", "m", "2026-10-25 01:30:30",
	    "2026-10-25 01:00:00" },
	{ "after the hour that is left out", "m", "2026-03-29 01:30:00",
	    "2026-03-29 01:00:00" },
};

static void
test_roundoff(void **state)
{
	(void)state;
	zone("Europe/Berlin");
	for (size_t i = 0; i < sizeof(rounds) / sizeof(rounds[0]); i++) {
		struct bins b = { 0 };
		uint64_t got;

		assert_int_equal(bins_parse_roundoff(rounds[i].letters, &b, NULL), 0);
		got = bins_roundoff(&b, utc(rounds[i].t) + 999);
		if (got != utc(rounds[i].want))
			fail_msg("%s: %s", rounds[i].says, text(got));
		if (bins_roundoff(&b, got) != got)
			fail_msg("%s: not idempotent", rounds[i].says);
	}
}

static void
test_epoch_aligned(void **state)
{
	struct bins b = { .seconds = 300, .epoch_aligned = true };

	(void)state;
	zone("Asia/Kathmandu"); /* UTC+5:45: nothing local is aligned there */
	bins_start(&b, utc("2026-07-09 12:34:56"));
	assert_true(b.base == utc("2026-07-09 12:30:00"));
	assert_true(bins_find(&b, utc("2026-07-09 12:34:56")).start == b.base);
	assert_true(bins_find(&b, utc("2026-07-09 12:29:59")).start ==
		    utc("2026-07-09 12:25:00"));
}

static const struct {
	const char *says, *history, *letters;
	uint32_t offset;
	const char *now, *t, *start, *end;
} finds[] = {
	{ "the bin of the start", "5m", "m", 0, "2026-07-09 12:34:56",
	    "2026-07-09 12:34:56", "2026-07-09 12:30:00", "2026-07-09 12:35:00" },
	{ "without round-off, from the minute of the start", "5m", "", 0,
	    "2026-07-09 12:34:56", "2026-07-09 12:40:00", "2026-07-09 12:39:00",
	    "2026-07-09 12:44:00" },
	{ "its end belongs to the next", "5m", "m", 0, "2026-07-09 12:34:56",
	    "2026-07-09 12:35:00", "2026-07-09 12:35:00", "2026-07-09 12:40:00" },
	{ "before the start of weir", "1h", "mh", 0, "2026-07-09 12:34:56",
	    "2026-07-08 21:59:59", "2026-07-08 21:00:00", "2026-07-08 22:00:00" },
	{ "with an offset every bin begins earlier, as pmacct's do", "1h", "mh", 600,
	    "2026-07-09 12:34:56", "2026-07-09 12:05:00", "2026-07-09 11:50:00",
	    "2026-07-09 12:50:00" },
	{ "a day is 24 hours from the local midnight of the start", "1d", "mh", 0,
	    "2026-07-09 12:34:56", "2026-07-12 21:00:00", "2026-07-11 22:00:00",
	    "2026-07-12 22:00:00" },
	{ "a local month", "1M", "mhd", 0, "2026-07-09 12:34:56", "2026-07-31 21:59:59",
	    "2026-06-30 22:00:00", "2026-07-31 22:00:00" },
	{ "the month in which the clocks change", "1M", "mhd", 0, "2026-07-09 12:34:56",
	    "2026-10-15 12:00:00", "2026-09-30 22:00:00", "2026-10-31 23:00:00" },
	{ "a short month", "1M", "mhd", 0, "2026-07-09 12:34:56", "2027-02-28 22:59:59",
	    "2027-01-31 23:00:00", "2027-02-28 23:00:00" },
	{ "the February of a leap year", "1M", "mhd", 0, "2026-07-09 12:34:56",
	    "2028-02-29 22:59:59", "2028-01-31 23:00:00", "2028-02-29 23:00:00" },
	{ "a month before the start", "1M", "mhd", 0, "2026-07-09 12:34:56",
	    "2024-02-29 12:00:00", "2024-01-31 23:00:00", "2024-02-29 23:00:00" },
	{ "a quarter", "3M", "mhdM", 0, "2026-07-09 12:34:56", "2026-11-11 11:11:11",
	    "2026-09-30 22:00:00", "2026-12-31 23:00:00" },
	{ "months that begin in mid-month", "1M", "mh", 0, "2026-07-09 12:34:56",
	    "2026-08-08 21:59:59", "2026-07-08 22:00:00", "2026-08-08 22:00:00" },
	{ "a hundred years on", "1M", "mhd", 0, "2026-07-09 12:34:56",
	    "2126-02-10 00:00:00", "2126-01-31 23:00:00", "2126-02-28 23:00:00" },
};

static struct bins
bins_make(const char *history, const char *letters, uint32_t offset, uint64_t now)
{
	struct bins b = { .offset_s = offset };
	struct err e = ERR_INIT;

	if (bins_parse_history(history, &b, &e) != 0 ||
	    bins_parse_roundoff(letters, &b, &e) != 0)
		fail_msg("%s", e.text);
	bins_start(&b, now);
	return b;
}

static void
test_find(void **state)
{
	(void)state;
	zone("Europe/Berlin");
	for (size_t i = 0; i < sizeof(finds) / sizeof(finds[0]); i++) {
		struct bins b = bins_make(finds[i].history, finds[i].letters,
		    finds[i].offset, utc(finds[i].now));
		struct bin bin = bins_find(&b, utc(finds[i].t));

		if (bin.start != utc(finds[i].start) || bin.end != utc(finds[i].end))
			fail_msg("%s: %s to %s", finds[i].says, text(bin.start),
			    text(bin.end));
	}
}

/* Every time lies in its bin, bins meet, and all of a bin's times agree on it. */
static void
check_bin(const struct bins *b, uint64_t t)
{
	struct bin bin = bins_find(b, t), other;
	uint64_t inside[3] = { bin.start, bin.end - 1,
		bin.start + (bin.end - bin.start) / 2 };

	if (bin.start > t || (t >= bin.end && bin.end != UINT64_MAX) ||
	    bin.start >= bin.end)
		fail_msg("%llu is not in [%llu,%llu)", (unsigned long long)t,
		    (unsigned long long)bin.start, (unsigned long long)bin.end);
	for (int i = 0; i < 3; i++) {
		other = bins_find(b, inside[i]);
		if (other.start != bin.start || other.end != bin.end)
			fail_msg("%u s %u M from %s: %s is in %s-%s, %s in %s",
			    b->seconds, b->months, text(b->base), text(t),
			    text(bin.start), text(bin.end), text(inside[i]),
			    text(other.start));
	}
	if (bin.end != UINT64_MAX && bins_find(b, bin.end).start != bin.end)
		fail_msg("the bin after %s-%s begins elsewhere", text(bin.start),
		    text(bin.end));
	if (bin.start > 0 && bins_find(b, bin.start - 1).end != bin.start)
		fail_msg("the bin before %s-%s ends elsewhere", text(bin.start),
		    text(bin.end));
	if (b->seconds != 0 && bin.start != 0 && bin.end != UINT64_MAX)
		assert_true(bin.end - bin.start == b->seconds * CLOCK_S);
}

static void
test_properties(void **state)
{
	static const char *const zones[] = { "UTC", "Europe/Berlin", "America/New_York",
		"Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia" };
	static const char *const lengths[] = { "10", "1m", "5m", "1h", "7h", "1d", "1w",
		"7000w", "1M", "3M", "12M", "10000M" };
	static const char *const letters[] = { "", "m", "mh", "mhd", "w", "mhdM" };
	static const uint64_t extremes[] = { 0, 1, 999, CLOCK_S, 3599 * CLOCK_S,
		3600 * CLOCK_S, 86400 * CLOCK_S, 31 * 86400 * CLOCK_S, INT64_MAX,
		UINT64_MAX - 1, UINT64_MAX };
	uint64_t seed = 1;

	(void)state;
	for (size_t z = 0; z < sizeof(zones) / sizeof(zones[0]); z++) {
		zone(zones[z]);
		for (size_t i = 0; i < 12 * 6; i++) {
			uint64_t now =
			    utc("2026-01-01 00:00:00") + (seed >> 40) * 10 * CLOCK_S;
			struct bins b = bins_make(lengths[i % 12], letters[i / 12],
			    i % 3 == 0 ? (uint32_t)i : 0, now);

			for (size_t k = 0; k < sizeof(extremes) / sizeof(extremes[0]);
			     k++)
				check_bin(&b, extremes[k]);
			check_bin(&b, now);
			check_bin(&b, b.base);
			check_bin(&b, b.base - 1);
			for (int k = 0; k < 50; k++) {
				seed = seed * UINT64_C(6364136223846793005) +
				       UINT64_C(1442695040888963407);
				/* anywhere, or within some two years of now */
				check_bin(&b, k % 2 == 0 ? seed
							 : now - (seed >> 8) +
							       (UINT64_C(1) << 55));
			}
		}
	}
}

/* A record can carry any time: none may take long, or a worker would stand still. */
static void
test_absurd_times_are_cheap(void **state)
{
	struct bins b;
	struct timespec from, to;

	(void)state;
	zone("Europe/Berlin");
	b = bins_make("1M", "mhd", 0, utc("2026-07-09 12:34:56"));
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	for (uint64_t i = 0; i < 2000; i++)
		(void)bins_find(&b, i * (UINT64_MAX / 2000));
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	assert_true(to.tv_sec - from.tv_sec < 2);
}

static void
test_none(void **state)
{
	struct bins b = { 0 };
	struct bin bin;

	(void)state;
	bins_start(&b, utc("2026-07-09 12:34:56"));
	assert_true(bins_are_none(&b));
	assert_int_equal(b.base, 0);
	bin = bins_find(&b, 12345);
	assert_true(bin.start == 0 && bin.end == UINT64_MAX);
}

static void
test_equal(void **state)
{
	uint64_t now = utc("2026-07-09 12:34:56");
	struct bins list[] = { bins_make("5m", "m", 0, now),
		bins_make("10m", "m", 0, now), bins_make("5m", "mh", 0, now),
		bins_make("5m", "m", 60, now), bins_make("1M", "m", 0, now),
		bins_make("2M", "m", 0, now), { 0 }, bins_make("5m", "m", 0, now) };

	(void)state;
	list[7].epoch_aligned = true;
	for (size_t i = 0; i < 8; i++)
		for (size_t k = 0; k < 8; k++)
			assert_true(bins_equal(&list[i], &list[k]) == (i == k));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_histories),
		cmocka_unit_test(test_roundoff_letters),
		cmocka_unit_test(test_roundoff),
		cmocka_unit_test(test_epoch_aligned),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_properties),
		cmocka_unit_test(test_absurd_times_are_cheap),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_equal),
	};

	return cmocka_run_group_tests_name("bins", tests, NULL, NULL);
}
