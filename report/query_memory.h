/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What pmacct's client asks of a memory table: rows in its forms, the sums of what is
 * picked, to reset or to clear it. Read and reset are one step: whatever a client resets
 * it was shown, and no other client is shown it again; what it did not get is put back. Used
 * by the client's thread.
 */
#ifndef WEIR_REPORT_QUERY_MEMORY_H
#define WEIR_REPORT_QUERY_MEMORY_H

#include "core/engine.h"
#include "report/catch.h"
#include "report/reply.h"

struct json_t;

/*
 * Answer `request` (report/query.h), or say what is wrong with it. `table` is the plugin
 * whose socket was asked, which the request need not name; NULL: none. `taken` is of the same
 * connection, and is settled by whoever answers its next request or ends it.
 */
void query_memory(const struct engine *en, const struct json_t *request,
    const char *table, struct reply *r, struct catch_taken *taken);

/*
 * What became of `taken` now that `request` comes on the connection: the client has it, or, where
 * it would have said so, has not.
 */
void query_memory_settle(const struct json_t *request, struct catch_taken *taken);

#endif
