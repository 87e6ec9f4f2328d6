/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values of directives: each type's way from the operator's text to a member of a
 * config struct and back. Only lib/directive.c needs this. Main thread, at load.
 */
#ifndef WEIR_LIB_VALUE_H
#define WEIR_LIB_VALUE_H

#include <stdbool.h>
#include <stdio.h>

#include "lib/directive.h"
#include "lib/err.h"

/*
 * Read `text` into the member `at` as row `d` says. Strings are not copied. Returns 0,
 * or -WEIR_EINVAL with `why` saying what is wrong and what to write instead; the member
 * is left as it was then.
 */
int value_parse(const struct directive *d, const char *text, void *at, struct err *why);

/* Write the member `at` in a form that value_parse reads. */
void value_print(const struct directive *d, const void *at, FILE *to);

/* Does the member `at` hold something that can be written? No: it was never given. */
bool value_is_set(const struct directive *d, const void *at);

/* What an operator writes for `d`, for the manual: "seconds", "true|false". */
const char *value_syntax(const struct directive *d);

#endif
