/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The answers of the control protocol about what an operator has an eye on: watches,
 * thresholds, alarms. Copies; any thread.
 */
#ifndef WEIR_REPORT_QUERY_ALARMS_H
#define WEIR_REPORT_QUERY_ALARMS_H

#include "core/engine.h"
#include "report/reply.h"

void watches_reply(const struct engine *en, struct reply *r);
void thresholds_reply(const struct engine *en, struct reply *r);
void alarms_reply(const struct engine *en, struct reply *r);

#endif
