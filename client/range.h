/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * range: what Nagios and Icinga give to plugins with -w and -c: when a value is worth a
 * warning (Monitoring Plugins Development Guidelines, "Threshold and Ranges"). "10" is
 * outside of 0 to 10, "10:" below 10, "~:10" above 10, "10:20" outside of both, "@10:20"
 * within them. Plain values.
 */
#ifndef WEIR_CLIENT_RANGE_H
#define WEIR_CLIENT_RANGE_H

#include <stdbool.h>

#include "lib/err.h"

struct range {
	bool given;
	bool inside;         /* alerts within, not outside */
	double from, to;     /* may be infinite */
	const char *text;    /* as it was given */
};

/* Read `text`, which is borrowed. Returns 0, or -WEIR_EINVAL with `e` filled. */
int range_parse(struct range *r, const char *text, struct err *e);

/* Whether `value` is worth an alert; never where no range was given. */
bool range_alerts(const struct range *r, double value);

#endif
