/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * valuelist: the ports, protocols or types of service that the operator wants to tell
 * apart (ports_file, protos_file, tos_file). Those that the file does not list become one:
 * port 0, protocol 255, type of service 255. Loaded once, then read by any number of
 * workers.
 */
#ifndef WEIR_RULES_VALUELIST_H
#define WEIR_RULES_VALUELIST_H

#include "flow/field.h"
#include "flow/flow.h"
#include "lib/directive.h"
#include "lib/err.h"

enum valuelist_kind { VALUELIST_PORTS, VALUELIST_PROTOS, VALUELIST_TOS, VALUELIST_KINDS };

struct valuelist;

/*
 * Load `path`: a value a line, in decimal; protocols may be named, types of service be
 * written as 0x and two hex digits, and lo-hi stands for all between. '!' and '#' begin
 * comments. A line that cannot be read goes to `ps` as a warning with file:line and is left
 * out. NULL with `e` filled when the file cannot be read, or no line of it.
 */
struct valuelist *valuelist_load(enum valuelist_kind kind, const char *path,
    struct problems *ps, struct err *e);
void valuelist_free(struct valuelist *l);

/* Whether some field of `needed` is one that a list of this kind changes. */
bool valuelist_changes(enum valuelist_kind kind, const struct field_set *needed);

/* Change what the list does not hold in `n` flows, in place. */
void valuelist_apply(const struct valuelist *l, struct flow *flows, unsigned n);

/* The directive that names a file of this kind. */
const char *valuelist_directive(enum valuelist_kind kind);

#endif
