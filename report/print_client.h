/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * print_client: the columns of text that pmacct's client prints of a memory table. Their
 * order is its own, and with -a there are also those of which the table has nothing.
 * Constant; any thread.
 */
#ifndef WEIR_REPORT_PRINT_CLIENT_H
#define WEIR_REPORT_PRINT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/output.h"
#include "flow/field.h"

struct print_client_column {
	enum field_no no;    /* FIELD_COUNT: weir has no such field */
	const char *title;   /* of such a one, */
	uint8_t width;       /* and its octets in formatted text, a gap among them */
	bool csv_only;       /* in formatted text only of a table that has it */
	const char *text[2]; /* where a table has it not: formatted, CSV; NULL: as zero reads */
};

#define PRINT_CLIENT_MAX (FIELD_COUNT + 16U) /* columns at most, without counters */

/*
 * Put the columns of `o` without counters into `to` (PRINT_CLIENT_MAX of them), in the
 * client's order: fields that the client does not know stand behind the one that they
 * follow in other output. With `all` there are also those that the client shows then, in
 * CSV or in formatted text. What they point to is constant. Returns how many there are.
 */
unsigned print_client_columns(
    const struct output *o, bool csv, bool all, struct print_client_column *to);

#endif
