/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rrd/profile.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLLECTD_ROWS 1200U /* what collectd keeps of each time span, at least */
#define STEPS_MAX     100000U
#define ROWS_MAX      1000000U

static const char *const functions[] = { "AVERAGE", "MAX", "MIN", "LAST" };
#define N_FUNCTIONS (sizeof(functions) / sizeof(functions[0]))
#define N_KEPT      2U /* of them: what the named profiles keep */

/*
 * What each profile keeps: `rows` of `steps` each; or, where `span_s` is given, that
 * much time in about COLLECTD_ROWS rows.
 */
static const struct set {
	enum profile_name profile;
	double xff;
	uint32_t steps, rows;
	uint32_t span_s;
} sets[] = {
	{ PROFILE_CACTI,    0.5, 1,   600, 0 },
	{ PROFILE_CACTI,    0.5, 6,   700, 0 },
	{ PROFILE_CACTI,    0.5, 24,  775, 0 },
	{ PROFILE_CACTI,    0.5, 288, 797, 0 },
	{ PROFILE_COLLECTD, 0.1, 1,   COLLECTD_ROWS, 0 },
	{ PROFILE_COLLECTD, 0.1, 0,   0,   3600 },
	{ PROFILE_COLLECTD, 0.1, 0,   0,   86400 },
	{ PROFILE_COLLECTD, 0.1, 0,   0,   7 * 86400 },
	{ PROFILE_COLLECTD, 0.1, 0,   0,   31 * 86400 },
	{ PROFILE_COLLECTD, 0.1, 0,   0,   366 * 86400 },
	{ PROFILE_SMALL,    0.5, 1,   576, 0 },
	{ PROFILE_SMALL,    0.5, 12,  336, 0 },
	{ PROFILE_SMALL,    0.5, 288, 400, 0 },
};
#define N_SETS (sizeof(sets) / sizeof(sets[0]))

/* `set` with its time span divided into rows. */
static struct set
set_sized(const struct set *set, uint32_t step_s)
{
	struct set s = *set;

	if (s.span_s == 0)
		return s;
	s.steps = s.span_s / (COLLECTD_ROWS * step_s);
	if (s.steps == 0)
		s.steps = 1;
	s.rows = (s.span_s + s.steps * step_s - 1) / (s.steps * step_s);
	if (s.rows < COLLECTD_ROWS)
		s.rows = COLLECTD_ROWS;
	return s;
}

size_t
profile_rras(enum profile_name name, const char *custom, uint32_t step_s,
    struct profile_rra *out)
{
	size_t n = 0;

	if (name == PROFILE_CUSTOM)
		return profile_parse(custom, out, NULL);
	for (size_t i = 0; i < N_SETS; i++) {
		struct set s;

		if (sets[i].profile != name)
			continue;
		s = set_sized(&sets[i], step_s);
		/* With a long step the short spans come out alike: the last holds them all. */
		if (i + 1 < N_SETS && sets[i + 1].profile == name &&
		    set_sized(&sets[i + 1], step_s).steps == s.steps)
			continue;
		for (size_t f = 0; f < N_KEPT; f++)
			out[n++] = (struct profile_rra){ functions[f], s.xff, s.steps, s.rows };
	}
	return n;
}

/* A number of `text` that ends at `end`, from 1 to `max`; 0: it is none. */
static uint32_t
count_parse(const char *text, char end, uint32_t max, const char **rest)
{
	char *after;
	unsigned long v;

	if (*text < '0' || *text > '9')
		return 0;
	v = strtoul(text, &after, 10);
	*rest = after + (end != '\0');
	return *after == end && v <= max ? (uint32_t)v : 0;
}

/* One series, which is all of `text`. */
static bool
rra_parse(const char *text, struct profile_rra *r)
{
	const char *colon;
	char *after;
	size_t f;

	if (strncmp(text, "RRA:", 4) == 0)
		text += 4;
	if ((colon = strchr(text, ':')) == NULL)
		return false;
	for (f = 0; f < N_FUNCTIONS; f++)
		if (strlen(functions[f]) == (size_t)(colon - text) &&
		    strncmp(functions[f], text, (size_t)(colon - text)) == 0)
			break;
	if (f == N_FUNCTIONS || colon[1] < '0' || colon[1] > '9')
		return false;
	r->function = functions[f];
	r->xff = strtod(colon + 1, &after);
	if (*after != ':' || !(r->xff >= 0 && r->xff < 1))
		return false;
	text = after + 1;
	if ((r->steps = count_parse(text, ':', STEPS_MAX, &text)) == 0)
		return false;
	return (r->rows = count_parse(text, '\0', ROWS_MAX, &text)) != 0;
}

size_t
profile_parse(const char *text, struct profile_rra *out, struct err *e)
{
	bool exact = false;
	size_t n = 0;

	while (*(text += strspn(text, ", \t")) != '\0') {
		size_t len = strcspn(text, ", \t");
		char one[64];

		snprintf(one, sizeof(one), "%.*s", len < sizeof(one) ? (int)len : 63, text);
		if (n == PROFILE_RRAS) {
			err_set(e, WEIR_EINVAL, "rrd_rra: more than %u series", PROFILE_RRAS);
			return 0;
		}
		if (len >= sizeof(one) || !rra_parse(one, &out[n])) {
			err_set(e, WEIR_EINVAL, "rrd_rra: '%s' is no FUNCTION:XFF:STEPS:ROWS, like "
			    "AVERAGE:0.5:1:600 (functions are AVERAGE, MAX, MIN and LAST)", one);
			return 0;
		}
		exact |= out[n].steps == 1 && strcmp(out[n].function, "AVERAGE") == 0;
		n++;
		text += len;
	}
	if (exact)
		return n;
	err_set(e, WEIR_EINVAL, "rrd_rra: one series has to keep single bins, like "
	    "AVERAGE:0.5:1:600");
	return 0;
}
