/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The screen of weir top: client/top.c with ncurses, client/top_none.c without.
 */
#ifndef WEIR_CLIENT_TOP_H
#define WEIR_CLIENT_TOP_H

#include "client/sample.h"
#include "lib/err.h"

/* What the command line asks for. */
struct top {
	const char *path;         /* of the socket */
	const char *sort;
	unsigned rows;
	const char *view;         /* NULL: the first that there is */
	const char *filter;       /* NULL: all rows */
};

/*
 * Show the view on the terminal until the operator quits; a weir that goes away is
 * waited for. Returns 0, or -WEIR_E... with `e` filled.
 */
int top_screen(const struct top *t, struct err *e);

#endif
