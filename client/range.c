/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "client/range.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A number up to `end`, which must be its end; an empty one is `otherwise`. */
static bool
number_read(const char *p, const char *end, double otherwise, double *out)
{
	char *stop;

	*out = otherwise;
	if (p == end)
		return true;
	*out = strtod(p, &stop);
	return stop == end && isfinite(*out);
}

int
range_parse(struct range *r, const char *text, struct err *e)
{
	const char *p = text, *colon, *end = text + strlen(text);
	bool fine = true;

	*r = (struct range){ .given = true, .to = INFINITY, .text = text };
	if (*p == '@') {
		r->inside = true;
		p++;
	}
	colon = strchr(p, ':');
	if (colon != NULL) {
		if (p + 1 == colon && *p == '~')
			r->from = -INFINITY;
		else
			fine = number_read(p, colon, 0, &r->from);
		p = colon + 1;
	}
	fine = fine && number_read(p, end, INFINITY, &r->to);
	if (fine && *text != '\0' && !(colon == NULL && p == end) && r->from <= r->to)
		return 0;
	return err_set(e, WEIR_EINVAL, "'%.32s' is no range; write one like 10, 10:, ~:10, 10:20 "
	    "or @10:20", text);
}

bool
range_alerts(const struct range *r, double value)
{
	bool within = value >= r->from && value <= r->to;

	return r->given && within == r->inside;
}
