/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One threshold put or removed: a batch of it alone. Errors as those of alarms_prepare. */
#ifndef WEIR_TESTS_CORE_ALARMS_ONE_H
#define WEIR_TESTS_CORE_ALARMS_ONE_H

#include <stdio.h>

#include "core/alarms.h"

static inline int
alarms_one(struct alarms *a, const struct threshold_change *change, struct err *e)
{
	struct threshold_batch *b = alarms_prepare(a, change, 1, e);

	if (b == NULL)
		return -e->code;
	alarms_commit(a, b);
	return 0;
}

static inline int
alarms_put(struct alarms *a, const struct threshold_config *c, struct err *e)
{
	return alarms_one(a, &(struct threshold_change){ .config = *c }, e);
}

static inline int
alarms_remove(struct alarms *a, const char *name, struct err *e)
{
	struct threshold_change change = { .remove = true };

	snprintf(change.config.name, sizeof(change.config.name), "%s", name);
	return alarms_one(a, &change, e);
}

#endif
