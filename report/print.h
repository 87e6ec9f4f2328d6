/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * print: an output that writes each snapshot as formatted text, CSV or JSON, as
 * pmacct's print plugin does, on the output's own thread. Constant rows for
 * daemon/doors.c.
 */
#ifndef WEIR_REPORT_PRINT_H
#define WEIR_REPORT_PRINT_H

#include <stdbool.h>

#include "core/output.h"
#include "lib/directive.h"

/* What the directives fill. */
struct print_config {
	int form;               /* enum print_form */
	const char *file;       /* NULL or "-": standard output */
	bool append;
	const char *separator;  /* of CSV: one character, \t or \s */
	bool write_empty;
	bool markers;
	const char *latest;     /* symbolic link to the newest file; NULL: none */
	const char *lock_file;  /* NULL: none */
	const char *trigger_exec;
	bool trigger_async;
	uint32_t trigger_limit; /* s */
	const char *preprocess;
	int preprocess_type;    /* enum preprocess_type */
};

extern const struct output_ops print_output;
extern const struct directive_set print_directives;

#endif
