/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * query_exporters: answers of the control protocol about what comes in: exporters, the
 * interfaces that they tell of, and collectors. The connection's thread.
 */
#ifndef WEIR_REPORT_QUERY_EXPORTERS_H
#define WEIR_REPORT_QUERY_EXPORTERS_H

#include "core/engine.h"
#include "report/reply.h"

/* "exporters": one for each address and domain, with the rate in use and who says so. */
void exporters_reply(const struct engine *en, struct reply *r);

/* "interfaces": their last counters, of sFlow. */
void interfaces_reply(const struct engine *en, struct reply *r);

/* "collectors": one for each door and worker. */
void collectors_reply(const struct engine *en, struct reply *r);

#endif
