/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/preprocess.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"

#define KEYS_TEXT \
	"qnum, minp, minf, minb, minbpp, minppf, maxp, maxf, maxb, maxbpp, " \
	"maxppf, fss, fsrc, usrf, adjb and recover"

static const struct {
	const char *name;
	int64_t min, max;
} keys[PREPROCESS_KEYS] = {
	[PREPROCESS_QNUM] = { "qnum", 0, INT64_MAX },
	[PREPROCESS_MINP] = { "minp", 0, INT64_MAX },
	[PREPROCESS_MINF] = { "minf", 0, INT64_MAX },
	[PREPROCESS_MINB] = { "minb", 0, INT64_MAX },
	[PREPROCESS_MINBPP] = { "minbpp", 0, INT64_MAX },
	[PREPROCESS_MINPPF] = { "minppf", 0, INT64_MAX },
	[PREPROCESS_MAXP] = { "maxp", 0, INT64_MAX },
	[PREPROCESS_MAXF] = { "maxf", 0, INT64_MAX },
	[PREPROCESS_MAXB] = { "maxb", 0, INT64_MAX },
	[PREPROCESS_MAXBPP] = { "maxbpp", 0, INT64_MAX },
	[PREPROCESS_MAXPPF] = { "maxppf", 0, INT64_MAX },
	[PREPROCESS_FSS] = { "fss", 1, INT64_MAX },
	[PREPROCESS_FSRC] = { "fsrc", 1, UINT32_MAX },
	[PREPROCESS_USRF] = { "usrf", 1, UINT32_MAX },
	[PREPROCESS_ADJB] = { "adjb", -UINT16_MAX, UINT16_MAX },
	[PREPROCESS_RECOVER] = { "recover", 0, 1 },
};

/* One "key=value", blanks removed. */
static int
item_parse(struct preprocess *p, const char *name, char *item, struct err *e)
{
	char *eq = strchr(item, '='), *end;
	size_t k = 0;

	if (eq == NULL)
		return err_set(e, WEIR_EINVAL, "%s: '%s' is not of the form key=number",
		    name, item);
	*eq++ = '\0';
	while (k < PREPROCESS_KEYS && strcmp(keys[k].name, item) != 0)
		k++;
	if (k == PREPROCESS_KEYS)
		return err_set(e, WEIR_EINVAL,
		    "%s: there is no '%s'; there are " KEYS_TEXT, name, item);
	if (p->given[k])
		return err_set(e, WEIR_EINVAL, "%s: %s is given twice", name, item);
	errno = 0;
	p->value[k] = strtoll(eq, &end, 10);
	if (*eq == '\0' || *end != '\0' || errno != 0 || p->value[k] < keys[k].min ||
	    p->value[k] > keys[k].max)
		return err_set(e, WEIR_EINVAL,
		    "%s: %s=%s: write a number from %" PRId64 " to %" PRId64, name,
		    item, eq, keys[k].min, keys[k].max);
	p->given[k] = true;
	return 0;
}

int
preprocess_parse(
    struct preprocess *p, const char *name, const char *text, bool all, struct err *e)
{
	char buf[512], *save = NULL;
	size_t n = 0;
	int rc = 0;

	memset(p, 0, sizeof(*p));
	p->all = all;
	p->random = hash_seed();
	if (text == NULL)
		return 0;
	for (const char *c = text; *c != '\0' && n < sizeof(buf) - 1; c++)
		if (*c != ' ' && *c != '\t')
			buf[n++] = *c;
	buf[n] = '\0';
	if (strlen(text) >= sizeof(buf))
		return err_set(e, WEIR_EINVAL, "%s: longer than %zu characters", name,
		    sizeof(buf) - 1);
	for (char *item = strtok_r(buf, ",", &save); rc == 0 && item != NULL;
	     item = strtok_r(NULL, ",", &save)) {
		rc = item_parse(p, name, item, e);
		p->on = true;
	}
	return rc;
}

/* What the plain checks look at. */
static uint64_t
ratio(uint64_t a, uint64_t b)
{
	return b != 0 ? a / b : 0;
}

static const struct check {
	enum preprocess_key key;
	bool least; /* valid from the value on; else below it */
	enum { CHECK_PACKETS, CHECK_FLOWS, CHECK_BYTES, CHECK_BPP, CHECK_PPF } what;
} checks[] = {
	{ PREPROCESS_MINP, true, CHECK_PACKETS },
	{ PREPROCESS_MINF, true, CHECK_FLOWS },
	{ PREPROCESS_MINB, true, CHECK_BYTES },
	{ PREPROCESS_MINBPP, true, CHECK_BPP },
	{ PREPROCESS_MINPPF, true, CHECK_PPF },
	{ PREPROCESS_MAXP, false, CHECK_PACKETS },
	{ PREPROCESS_MAXF, false, CHECK_FLOWS },
	{ PREPROCESS_MAXB, false, CHECK_BYTES },
	{ PREPROCESS_MAXBPP, false, CHECK_BPP },
	{ PREPROCESS_MAXPPF, false, CHECK_PPF },
};
#define N_CHECKS (sizeof(checks) / sizeof(checks[0]))

static bool
check_passes(const struct preprocess *p, const struct check *c, const struct sums *s)
{
	const uint64_t has[] = {
		[CHECK_PACKETS] = s->packets,
		[CHECK_FLOWS] = s->flows,
		[CHECK_BYTES] = s->bytes,
		[CHECK_BPP] = ratio(s->bytes, s->packets),
		[CHECK_PPF] = ratio(s->packets, s->flows),
	};

	return (has[c->what] >= (uint64_t)p->value[c->key]) == c->least;
}

/*
 * What the plain checks say of a row: with `all` whether none fails, else whether one
 * passes. Samples judge what this leaves open.
 */
static bool
checks_pass(const struct preprocess *p, const struct sums *s)
{
	for (size_t i = 0; i < N_CHECKS; i++)
		if (p->given[checks[i].key] && check_passes(p, &checks[i], s) != p->all)
			return !p->all;
	return p->all;
}

/* The row shall have `bytes`, and its packets be as long as before. */
static void
rescale(struct sums *s, double bytes)
{
	double packets = s->bytes != 0
			     ? (double)s->packets * (bytes / (double)s->bytes) + 0.5
			     : (double)s->packets;

	s->packets = packets < 1 ? 1 : (uint64_t)packets;
	s->bytes = (uint64_t)(bytes + 0.5);
}

/*
 * fss: rows of at least so many bytes are kept; of the smaller ones so many that their
 * bytes, each kept row counting fss, add up to what all of them had.
 */
static bool
sample_by_size(struct preprocess *p, struct sums *s)
{
	uint64_t size = (uint64_t)p->value[PREPROCESS_FSS];

	if (s->bytes >= size)
		return true;
	p->small_bytes += s->bytes;
	if (p->small_bytes < size)
		return false;
	p->small_bytes -= size;
	rescale(s, (double)size);
	return true;
}

/*
 * A number above 0 and below 1. SplitMix64: Steele, Lea, Flood, "Fast splittable
 * pseudorandom number generators", 2014.
 */
static double
draw(struct preprocess *p)
{
	uint64_t z = (p->random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return ((double)((z ^ z >> 31) >> 12) + 0.5) / (double)(UINT64_C(1) << 52);
}

static int
descending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

/*
 * fsrc: of the `open` rows keep the k with the largest bytes / u, u drawn from (0, 1); a
 * kept one has at least the value of the first that is not (priority sampling).
 */
static bool
sample_by_rank(
    struct preprocess *p, struct sums *sums, const bool *open, bool *keep, size_t n)
{
	size_t k = (size_t)p->value[PREPROCESS_FSRC], m = 0;
	double *rank = malloc(2 * n * sizeof(*rank)), *sorted = rank + n, bound;

	if (rank == NULL)
		return false;
	for (size_t i = 0; i < n; i++)
		if (open[i])
			sorted[m++] = rank[i] = (double)sums[i].bytes / draw(p);
	qsort(sorted, m, sizeof(*sorted), descending);
	bound = m > k ? sorted[k] : -1;
	for (size_t i = 0; i < n; i++) {
		if (!open[i] || !(rank[i] > bound))
			continue;
		keep[i] = true;
		if ((double)sums[i].bytes < bound)
			rescale(&sums[i], bound);
	}
	free(rank);
	return true;
}

static uint64_t
times(uint64_t a, uint64_t b)
{
	return b != 0 && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

void
preprocess_act(const struct preprocess *p, struct sums *s)
{
	int64_t adjb = p->value[PREPROCESS_ADJB];

	if (p->given[PREPROCESS_USRF]) {
		uint64_t factor = (uint64_t)p->value[PREPROCESS_USRF];

		s->packets = times(s->packets, factor);
		s->bytes = times(s->bytes, factor);
		s->flows = times(s->flows, factor);
	}
	if (adjb < 0) {
		uint64_t less = times(s->packets, (uint64_t)-adjb);

		s->bytes = s->bytes > less ? s->bytes - less : 0;
	} else if (adjb > 0) {
		uint64_t more = times(s->packets, (uint64_t)adjb);

		s->bytes = s->bytes > UINT64_MAX - more ? UINT64_MAX : s->bytes + more;
	}
}

static bool
has_checks(const struct preprocess *p, size_t n)
{
	bool plain = false;

	if (p->given[PREPROCESS_QNUM] && n < (uint64_t)p->value[PREPROCESS_QNUM])
		return false;
	for (size_t i = 0; i < N_CHECKS; i++)
		plain |= p->given[checks[i].key];
	return plain || p->given[PREPROCESS_FSS] || p->given[PREPROCESS_FSRC];
}

/* Samples come last: they take from the rows whose fate the checks leave to them. */
static void
judge(struct preprocess *p, struct sums *sums, bool *keep, size_t n)
{
	bool samples = p->given[PREPROCESS_FSS] || p->given[PREPROCESS_FSRC];
	bool *open = samples ? malloc(n) : NULL;

	if (samples && open == NULL) {
		memset(keep, 1, n); /* rather too many than none */
		return;
	}
	for (size_t i = 0; i < n; i++) {
		keep[i] = checks_pass(p, &sums[i]);
		if (open == NULL)
			continue;
		open[i] = keep[i] == p->all;
		keep[i] = keep[i] && !p->all;
		if (open[i] && p->given[PREPROCESS_FSS]) {
			keep[i] = sample_by_size(p, &sums[i]);
			open[i] = keep[i] == p->all;
		}
	}
	if (open != NULL && p->given[PREPROCESS_FSRC]) {
		if (p->all)
			memset(keep, 0, n);
		if (!sample_by_rank(p, sums, open, keep, n))
			memset(keep, 1, n);
	}
	free(open);
}

size_t
preprocess_run(struct preprocess *p, struct sums *sums, bool *keep, size_t n)
{
	size_t kept = 0;

	if (n > 0 && has_checks(p, n))
		judge(p, sums, keep, n);
	else
		memset(keep, 1, n);
	for (size_t i = 0; i < n; i++) {
		kept += keep[i];
		preprocess_act(p, &sums[i]);
	}
	return kept;
}
