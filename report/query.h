/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * query: the server's side of the control protocol, which `weir show` and `weir top`
 * speak over a UNIX stream socket.
 *
 * A request is one line, a JSON object of at most QUERY_LINE_MAX octets:
 *
 *   {"cmd": "view", "view": NAME [, "sort": "bytes"|"packets"|"flows"] [, "top": N]
 *       [, "delta": true [, "least": NS]]}  rows of a ledger
 *   {"cmd": "memory" [, "view": NAME] [, "ask": "rows"|"sums"|"status"|"clear"|"confirm"] ...}
 *                                     what pmacct's client asks of a memory table
 *   {"cmd": "views"}                  what can be shown, and how full it is
 *   {"cmd": "exporters"}              who sends to us
 *   {"cmd": "interfaces"}             what sFlow agents count on theirs
 *   {"cmd": "collectors"}             where we take from
 *   {"cmd": "outputs"}                what became of the rows
 *   {"cmd": "targets"}                where outputs send to, and what was sent
 *   {"cmd": "rules"}                  rules that tag, and how many flows each fitted
 *   {"cmd": "watches"}                what the operator has an eye on
 *   {"cmd": "thresholds"}             figures and their limits
 *   {"cmd": "alarms"}                 which of them are crossed
 *   {"cmd": "stats"}                  the internal counters, with unit and meaning
 *   {"cmd": "books"}                  the identities, and whether they balance
 *   {"cmd": "config" [, "all": true]} what the directives are set to, by lines of the
 *                                     configuration or by default, too; secrets are null
 *   {"cmd": "reload"}                 read lists and maps anew; a row for each problem
 *
 * A blank comes at once: the request is taken, and is answered however long that takes.
 *
 * An answer is a line with a JSON object; when that has "ok": true, a line with an
 * object for each row follows, then {"end": true, "rows": N}:
 *
 *   {"ok": false, "error": "no view 'x'; there are: a, b"}
 *   {"ok": true, "cmd": "views", "time": T, ..., "columns": [{"name": "src_host",
 *       "json": "ip_src", "title": "SRC_IP", "kind": "ip"}, ...]}
 *
 * "columns" lists the members of the rows in the order of output: name in
 * configuration, member, title, and kind: ip, mac, uint, hex, flags, proto, str, time
 * (a primitive's, as outputs write it), count (a uint that is of no interest while it is
 * zero in every row), stamp (2026-11-23T10:00:00.000Z, "" for never), bool, terms (an
 * object of numbers). A member may be null where it has no meaning.
 *
 * A view's answer has besides: "view", "total" and "other" (objects of packets, bytes,
 * flows: all that was counted, and what found no room for a row), "rows" (in the
 * table), "updated" and "cleared" (stamps), and with "delta" "interval": the ns since
 * the ledger that this connection's previous "delta" request for the view saw. Rows
 * then have d_packets, d_bytes and d_flows, what they grew by in that time, and "sort"
 * and "top" go by these. A first request, and one after the table was cleared or before
 * it changed, has interval 0, sorted by totals; so has one that would have fewer than
 * "least", which leaves it to a later one to tell of all that time. Without "sort" rows come in the order
 * of their coming; "top" without "sort" goes by bytes.
 *
 * "memory" takes "form" (formatted, csv, json, event_formatted, event_csv), "separator",
 * "epoch", "utc" and "num_protos" (how values are written), "sort" and "top", "fields" (a
 * comma list) with "match" (an array of comma lists of values, '*' for any), "reset": what
 * is shown will not be shown again, and "clear": nor will any other row. What is so taken is put
 * back into the table when the client leaves with some of the answer unread, or, with
 * "confirm", unless the next request on the connection is "ask": "confirm", which says that
 * the client has it. The answer has "table", "entries", "max_entries", "cleared_s" where it was
 * cleared, and "title"; a row is a line of text as a JSON string, or with json the object; for
 * "sums", an object of packets, bytes, flows and entries for each list of values.
 *
 * "books" has "balanced". Numbers belong together as of a cut that each request has made.
 */
#ifndef WEIR_REPORT_QUERY_H
#define WEIR_REPORT_QUERY_H

#include "core/engine.h"

#define QUERY_LINE_MAX 262144U /* room for QUERY_MATCHES lists of two addresses each */

/*
 * Serve the client at `fd`, a connected stream socket, until it leaves, breaks the
 * protocol, or a timeout that the caller has set on the socket ends a read or write.
 * `fd` stays the caller's. `table` (may be NULL; borrowed) is the memory table that "memory"
 * means when it names none. On a thread of its own; takes no lock that counting waits
 * for.
 */
void query_serve(struct engine *en, const char *table, int fd);

#endif
