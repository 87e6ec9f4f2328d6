/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * print_check: what of the names of files that print is told can be seen to be wrong before
 * anything runs. Main thread.
 */
#ifndef WEIR_REPORT_PRINT_CHECK_H
#define WEIR_REPORT_PRINT_CHECK_H

#include <stdbool.h>

#include "core/output.h"
#include "lib/err.h"
#include "report/print.h"

/* Whether rows go to standard output. */
bool print_is_stdout(const struct print_config *c);

/*
 * Whether the files of `o`, a print output, can be: their names, the link to the newest, and
 * next to those of the print outputs of its engine that came before it. Returns 0, or
 * -WEIR_EINVAL with `e`.
 */
int print_check_files(const struct output *o, struct err *e);

#endif
