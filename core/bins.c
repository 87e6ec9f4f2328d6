/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/bins.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/clock.h"

#define MINUTE 60U
#define HOUR   3600U
#define DAY    86400U

int
bins_parse_history(const char *text, struct bins *b, struct err *e)
{
	static const struct {
		char unit;
		uint32_t seconds;
	} units[] = { { 's', 1 }, { '\0', 1 }, { 'm', MINUTE }, { 'h', HOUR }, { 'd', DAY },
		{ 'w', 7 * DAY } };
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (end == text || *text == '-' || n == 0 || n > 10000)
		goto wrong;
	b->seconds = b->months = 0;
	if (strcmp(end, "M") == 0) {
		b->months = (uint32_t)n;
		return 0;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (end[0] == units[i].unit && (end[0] == '\0' || end[1] == '\0') &&
		    n <= UINT32_MAX / units[i].seconds)
			b->seconds = (uint32_t)n * units[i].seconds;
	if (b->seconds > MINUTE && b->seconds % MINUTE != 0)
		return err_set(e, WEIR_EINVAL,
		    "'%s': seconds above 60 must make whole minutes", text);
	if (b->seconds != 0)
		return 0;
wrong:
	return err_set(e, WEIR_EINVAL,
	    "'%s' is no length of time: write a number and s, m, h, d, w or M, as in 5m", text);
}

int
bins_parse_roundoff(const char *text, struct bins *b, struct err *e)
{
	size_t n = 0;

	memset(b->roundoff, 0, sizeof(b->roundoff));
	for (; *text != '\0'; text++) {
		if (*text == ' ')
			continue;
		if (strchr("mhdwM", *text) == NULL)
			return err_set(e, WEIR_EINVAL,
			    "'%c' is no round-off: write letters of m h d w M", *text);
		if (strchr(b->roundoff, *text) == NULL && n + 1 < sizeof(b->roundoff))
			b->roundoff[n++] = *text;
	}
	if (strchr(b->roundoff, 'w') != NULL && strpbrk(b->roundoff, "dM") != NULL)
		return err_set(e, WEIR_EINVAL, "round-off w excludes d and M");
	return 0;
}

/* The local time `tm` in ns since 1970, or the nearest time that there is. */
static uint64_t
local_ns(struct tm *tm)
{
	time_t s = mktime(tm);

	if (s < 0)
		return 0;
	return (uint64_t)s < UINT64_MAX / CLOCK_S ? (uint64_t)s * CLOCK_S : UINT64_MAX;
}

uint64_t
bins_roundoff(const struct bins *b, uint64_t t)
{
	time_t s = (time_t)(t / CLOCK_S);
	struct tm tm;

	if (b->epoch_aligned && b->seconds != 0)
		return t - t % (b->seconds * CLOCK_S);
	localtime_r(&s, &tm);
	tm.tm_sec = 0;
	for (const char *c = b->roundoff; *c != '\0'; c++) {
		tm.tm_min = 0;
		if (*c != 'm') {
			tm.tm_hour = 0;
			/* Within the hour it stays, which tells the hour that comes twice. */
			tm.tm_isdst = -1;
		}
		if (*c == 'd' || *c == 'M')
			tm.tm_mday = 1;
		if (*c == 'w')
			tm.tm_mday -= tm.tm_wday; /* back to Sunday, as pmacct does */
		if (*c == 'M')
			tm.tm_mon = 0;
	}
	return local_ns(&tm);
}

void
bins_start(struct bins *b, uint64_t now)
{
	b->base = bins_are_none(b) ? 0 : bins_roundoff(b, now) - b->offset_s * CLOCK_S;
}

/* `base` moved by `n` calendar months, local time. */
static uint64_t
months_add(uint64_t base, int64_t n)
{
	time_t s = (time_t)(base / CLOCK_S);
	struct tm tm;

	localtime_r(&s, &tm);
	tm.tm_mon += (int)n;
	tm.tm_isdst = -1;
	return local_ns(&tm);
}

/* The calendar months, local time, up to `t`. */
static int64_t
months_until(uint64_t t)
{
	time_t s = (time_t)(t / CLOCK_S);
	struct tm tm;

	localtime_r(&s, &tm);
	return (int64_t)tm.tm_year * 12 + tm.tm_mon;
}

/* Calendar months differ in length: count them, then step, at most twice. */
static struct bin
months_find(const struct bins *b, uint64_t t)
{
	int64_t n = (months_until(t) - months_until(b->base)) / b->months;
	struct bin bin = { months_add(b->base, n * b->months), 0 };

	while (bin.start > t || bin.start == UINT64_MAX)
		bin.start = months_add(b->base, --n * b->months);
	for (;;) {
		bin.end = months_add(b->base, ++n * b->months);
		if (bin.end > t || bin.end == UINT64_MAX)
			return bin;
		bin.start = bin.end;
	}
}

struct bin
bins_find(const struct bins *b, uint64_t t)
{
	uint64_t length = b->seconds * CLOCK_S;
	struct bin bin;

	if (bins_are_none(b))
		return BIN_ALL;
	if (b->months != 0)
		return months_find(b, t);
	if (t >= b->base)
		bin.start = t - (t - b->base) % length;
	else if (t >= b->base % length)
		bin.start = t - (t - b->base % length) % length;
	else /* the stump before the first whole bin */
		return (struct bin){ 0, b->base % length };
	bin.end = bin.start <= UINT64_MAX - length ? bin.start + length : UINT64_MAX;
	return bin;
}

bool
bins_equal(const struct bins *a, const struct bins *b)
{
	return a->seconds == b->seconds && a->months == b->months &&
	    a->offset_s == b->offset_s && a->epoch_aligned == b->epoch_aligned &&
	    strcmp(a->roundoff, b->roundoff) == 0;
}
