/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/variable.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/clock.h"

static struct tm
broken_down(const struct variables *v)
{
	time_t seconds = (time_t)(v->time / CLOCK_S);
	struct tm tm;

	if (v->utc)
		gmtime_r(&seconds, &tm);
	else
		localtime_r(&seconds, &tm);
	return tm;
}

/* The `%letter` of time. */
static size_t
time_expand(char letter, const struct variables *v, char to[VARIABLE_MAX])
{
	/* One by one, so that the compiler sees every format. */
	static const char *const formats[] = { "%d", "%H", "%m", "%M", "%S", "%w", "%W", "%Y",
		"%z" };
	struct tm tm = broken_down(v);

	if (letter == 's') { /* strftime's takes `tm` for local time, which it may not be */
		snprintf(to, VARIABLE_MAX, "%" PRIu64, v->time / CLOCK_S);
		return 2;
	}
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (formats[i][1] != letter)
			continue;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		return strftime(to, VARIABLE_MAX, formats[i], &tm) > 0 ? 2 : 0;
#pragma GCC diagnostic pop
	}
	return 0;
}

/* pmacct writes the zone with a colon, and Z for none: RFC 3339 s5.6. */
static void
zone_expand(const struct variables *v, char to[VARIABLE_MAX])
{
	struct tm tm = broken_down(v);
	long minutes = tm.tm_gmtoff / 60;
	long size = minutes < 0 ? -minutes : minutes;

	if (minutes == 0)
		snprintf(to, VARIABLE_MAX, "Z");
	else
		snprintf(to, VARIABLE_MAX, "%c%02ld:%02ld", minutes < 0 ? '-' : '+', size / 60,
		    size % 60);
}

bool
variables_have_time(const char *pattern)
{
	return strchr(pattern, '%') != NULL;
}

size_t
variable_expand(const char *p, const struct variables *v, char to[VARIABLE_MAX])
{
	if (p[0] == '%')
		return time_expand(p[1], v, to);
	if (strncmp(p, "$tzone", 6) == 0) {
		zone_expand(v, to);
		return 6;
	}
	if (strncmp(p, "$ref", 4) != 0 && strncmp(p, "$hst", 4) != 0)
		return 0;
	snprintf(to, VARIABLE_MAX, "%" PRIu32, p[1] == 'r' ? v->refresh_s : v->history_s);
	return 4;
}
