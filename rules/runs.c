/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/runs.h"

/* Whether rule `no` has nothing against `f`, but for what its tuple has compared. */
static bool
rule_fits(const struct runs *r, uint32_t no, const struct flow *f)
{
	for (uint32_t i = r->checks_from[no]; i < r->checks_from[no + 1]; i++)
		if (!check_holds(&r->checks[i], f))
			return false;
	return true;
}

/* Where in [at, end) of the order the first rule from `start` on is. */
static uint32_t
run_seek(const struct runs *r, uint32_t at, uint32_t end, uint32_t start)
{
	while (at < end) {
		uint32_t middle = at + (end - at) / 2;

		if (r->order[middle] < start)
			at = middle + 1;
		else
			end = middle;
	}
	return at;
}

uint32_t
run_first(const struct runs *r, uint64_t run, const struct flow *f, uint32_t start,
    uint32_t limit)
{
	uint32_t at = run_at(run);

	if (run_rule(run) < start)
		at = run_seek(r, at, at + r->order[at - 1], start);
	while (r->order[at] < limit && !rule_fits(r, r->order[at], f))
		at++;
	return r->order[at] < limit ? r->order[at] : CLASSIFIER_END;
}
