/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "client/rates.h"

#include <stdio.h>

double
rate_per_s(uint64_t growth, uint64_t interval)
{
	return interval != 0 ? (double)growth * 1e9 / (double)interval : 0;
}

double
rate_of(uint64_t before, uint64_t now, uint64_t interval)
{
	return now > before ? rate_per_s(now - before, interval) : 0;
}

/* Digits after the point that make three digits of `v`. */
static int
decimals(double v)
{
	/* 9.995 would be rounded to 10.00, which has a digit too many. */
	return v < 9.995 ? 2 : v < 99.95 ? 1 : 0;
}

size_t
rate_text(double v, char *buf)
{
	static const char prefixes[] = { '\0', 'k', 'M', 'G', 'T', 'P', 'E' };
	size_t p = 0;
	int n;

	while (v >= 999.5 && p + 1 < sizeof(prefixes)) {
		v /= 1000;
		p++;
	}
	if (p > 0)
		n = snprintf(buf, RATE_STRLEN, "%.*f%c", decimals(v), v, prefixes[p]);
	else if (v >= 9.995 || v == (double)(unsigned)v)
		n = snprintf(buf, RATE_STRLEN, "%.0f", v);
	else
		n = snprintf(buf, RATE_STRLEN, "%.2f", v);
	return n < 0 ? 0 : n < (int)RATE_STRLEN ? (size_t)n : RATE_STRLEN - 1;
}
