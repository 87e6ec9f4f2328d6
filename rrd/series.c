/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rrd/series.h"

#include <math.h>
#include <rrd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define POINTS_MAX (1U << 22)

/* What librrd gave. */
struct fetched {
	time_t start, end;
	unsigned long step, n_sources;
	char **names;
	rrd_value_t *data;
};

void
series_init(struct series *s, int64_t start, int64_t end)
{
	*s = (struct series){ .start = start, .end = end };
}

void
series_fini(struct series *s)
{
	free(s->rates);
	memset(s, 0, sizeof(*s));
}

static void
fetched_fini(struct fetched *f)
{
	for (unsigned long i = 0; i < f->n_sources; i++)
		rrd_freemem(f->names[i]);
	rrd_freemem(f->names);
	rrd_freemem(f->data);
}

/* Take the step of `f` and cover its time. */
static int
series_shape(struct series *s, const struct fetched *f, struct err *e)
{
	size_t n = f->end > f->start ? (size_t)(f->end - f->start) / f->step : 0;

	if (n == 0 || n > POINTS_MAX || f->step > UINT32_MAX)
		return err_set(e, WEIR_EINVAL, "no time to look at");
	s->rates = malloc(n * sizeof(*s->rates));
	if (s->rates == NULL)
		return err_set(e, WEIR_ENOMEM, "no memory for %zu values", n);
	for (size_t i = 0; i < n; i++)
		s->rates[i] = NAN;
	s->n = n;
	s->start = f->start;
	s->end = f->end;
	s->step_s = (uint32_t)f->step;
	return 0;
}

/* Add `rate`, which holds from `from` to `to`, to the values that it overlaps. */
static void
series_spread(struct series *s, int64_t from, int64_t to, double rate)
{
	int64_t step = s->step_s;
	int64_t first = from > s->start ? (from - s->start) / step : 0;

	for (int64_t i = first; i < (int64_t)s->n; i++) {
		int64_t a = s->start + i * step, b = a + step;

		if (a >= to)
			return;
		a = a > from ? a : from;
		b = b < to ? b : to;
		if (b <= a)
			continue;
		if (isnan(s->rates[i]))
			s->rates[i] = 0;
		s->rates[i] += rate * (double)(b - a) / (double)step;
	}
}

static void
series_take(struct series *s, const struct fetched *f, unsigned long source,
    struct series_sum *sum)
{
	size_t n = (size_t)(f->end - f->start) / f->step;

	for (size_t i = 0; i < n; i++) {
		double rate = f->data[i * f->n_sources + source];
		int64_t from = (int64_t)f->start + (int64_t)(i * f->step);

		if (isnan(rate))
			continue;
		series_spread(s, from, from + (int64_t)f->step, rate);
		if (sum != NULL) {
			sum->units += rate * (double)f->step;
			sum->known_s += (double)f->step;
		}
	}
}

int
series_add(struct series *s, const char *path, const char *ds, struct series_sum *sum,
    struct err *e)
{
	struct fetched f = { .start = (time_t)s->start, .end = (time_t)s->end,
		.step = s->step_s != 0 ? s->step_s : 1 };
	unsigned long source = 0;
	int rc = 0;

	if (sum != NULL)
		*sum = (struct series_sum){ 0, 0 };
	rrd_clear_error();
	if (rrd_fetch_r(path, "AVERAGE", &f.start, &f.end, &f.step, &f.n_sources, &f.names,
	        &f.data) != 0)
		return err_set(e, WEIR_EIO, "%s: %s", path, rrd_get_error());
	while (source < f.n_sources && strcmp(f.names[source], ds) != 0)
		source++;
	if (source == f.n_sources || f.step == 0)
		rc = err_set(e, WEIR_EUNSUPPORTED, "%s has no '%s'", path, ds);
	else if (s->step_s == 0)
		rc = series_shape(s, &f, e);
	if (rc == 0)
		series_take(s, &f, source, sum);
	fetched_fini(&f);
	return rc;
}

bool
series_known(const struct series *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (!isnan(s->rates[i]))
			return true;
	return false;
}
