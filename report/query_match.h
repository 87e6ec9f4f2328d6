/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * query_match: the lists of values by which a client of a memory table picks rows, as
 * pmacct's -c with -M or -N: each list has a value, or '*' for any, for each of the same
 * fields. Made from a request, used by the client's thread.
 */
#ifndef WEIR_REPORT_QUERY_MATCH_H
#define WEIR_REPORT_QUERY_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/rowspec.h"
#include "lib/err.h"

#define QUERY_MATCHES 4096U /* lists of one request: pmacct's bound */

struct query_match;

/*
 * Lists of values of the comma list `names` of primitives. NULL with `e` filled: which
 * name is none, and what is near it.
 */
struct query_match *query_match_new(const char *names, struct err *e);
void query_match_free(struct query_match *m);

/*
 * Add the list `values`, commas between them; what is left out is 0, as with pmacct.
 * Returns 0, or -WEIR_EINVAL with `e` naming the value that is none of its primitive.
 */
int query_match_add(struct query_match *m, const char *values, struct err *e);

size_t query_match_count(const struct query_match *m);

/*
 * Lists whose values are of the same fields, by these values. Rows are looked up once in each
 * group, however many lists there are. Call it when all are added. Returns 0 or
 * -WEIR_ENOMEM.
 */
int query_match_index(struct query_match *m);

typedef void query_match_fn(void *arg, uint32_t list);

/*
 * Call `each` for every list that `row`, laid out by `rs`, is of, in no order. What a row has
 * not is 0.
 */
void query_match_each(const struct query_match *m, const struct rowspec *rs,
    const uint8_t *row, query_match_fn *each, void *arg);

/* How often a row is looked up. */
size_t query_match_groups(const struct query_match *m);

#endif
