/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control: SETs to the tables that may be written, in the steps that SNMP has for them
 * (RFC 3416 s4.2.5, RFC 2741 s7.2.4): first each variable by itself, then the rows that
 * they make together, then that there is room for all of them. Until all subagents that a
 * request concerns have said that they can, nothing is seen of it; then all is done at once,
 * and nothing can fail any more. Rows come and go as RowStatus says (RFC 2579). Answers are
 * error-status values of RFC 3416; no SNMP library is needed. The agent's thread.
 *
 *     begin, ask, ask ..., verdict, verdict ..., prepare --> commit
 *                                                       \--> begin: nothing happened
 */
#ifndef WEIR_AGENT_CONTROL_H
#define WEIR_AGENT_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/tree.h"
#include "agent/value.h"

struct alarms;
struct control;
struct topns;

/* error-status of RFC 3416 s3. */
enum set_error {
	SET_OK = 0,
	SET_WRONG_TYPE = 7,
	SET_WRONG_LENGTH = 8,
	SET_WRONG_VALUE = 10,
	SET_NO_CREATION = 11,
	SET_INCONSISTENT_VALUE = 12,
	SET_RESOURCE_UNAVAILABLE = 13,
	SET_NOT_WRITABLE = 17,
	SET_INCONSISTENT_NAME = 18,
};

/* NULL when memory is short. */
struct control *control_new(struct alarms *a, struct topns *t);
void control_free(struct control *c);

/* Whether column number `column` of `t` may be set at all. */
bool control_writes(const struct mib_table *t, uint16_t column);

/* Begin anew, with nothing asked for; what was prepared is undone. */
void control_begin(struct control *c);

/*
 * Variable number n, in the order of calls: the object called `name` below the root shall
 * be `v` of type `type`; NULL: something of a type that no object here has. Each by itself is
 * right, or not, in the order of RFC 3416 s4.2.5: what column it is, then the value, then
 * whether there could be such a row.
 */
enum set_error control_ask(struct control *c, const subid_t *name, size_t len,
    enum value_type type, const struct value *v);

/* All have been asked for: whether the row that variable `n` belongs to can be so. */
enum set_error control_verdict(struct control *c, unsigned n);

/*
 * All can be so: have at hand all that is needed to make it so. Otherwise `*n` is the
 * variable to blame, and nothing is asked for any more.
 */
enum set_error control_prepare(struct control *c, unsigned *n);

/* Make it so. */
void control_commit(struct control *c);

/* What `t` shows of these tables, anew; false where memory is short: it stays as it is. */
bool control_show(struct alarms *a, struct topns *r, struct mib_tree *t);

/* Bring `t` up to date where it does not show what was committed since it was made. */
void control_update(const struct control *c, struct mib_tree *t);

#endif
