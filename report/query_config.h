/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The answer "config" of the control protocol: what the directives are set to. Any thread.
 */
#ifndef WEIR_REPORT_QUERY_CONFIG_H
#define WEIR_REPORT_QUERY_CONFIG_H

#include <stdbool.h>

#include "core/engine.h"
#include "report/reply.h"

/* What was written, or (`all`) what holds by default, too. */
void query_config(const struct engine *en, bool all, struct reply *r);

#endif
