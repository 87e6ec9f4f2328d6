/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link: the connection to a running weir. One question at a time: link_ask, then
 * link_row until it says that there are no more. JSON values are jansson's and belong
 * to the link.
 */
#ifndef WEIR_CLIENT_LINK_H
#define WEIR_CLIENT_LINK_H

#include "lib/err.h"

struct json_t;
struct link;

/* The path to use: `given`, else $WEIR_SOCKET, else where weir listens by default. */
const char *link_path(const char *given);

/*
 * Connect to `path`. NULL with `e` filled: what is wrong, and what to do about it.
 */
struct link *link_open(const char *path, struct err *e);
void link_close(struct link *l);

/*
 * Send `request` (takes it over) and read the first line of the answer. Returns it,
 * valid until the next question; NULL with `e` filled, with weir's own words where it
 * refused.
 */
struct json_t *link_ask(struct link *l, struct json_t *request, struct err *e);

/*
 * Read the next row to `*row`, valid until the next call. Returns 1, 0 after the last
 * row, or -WEIR_E... with `e` filled.
 */
int link_row(struct link *l, struct json_t **row, struct err *e);

/* The same, as the line that it came in, without its newline. */
int link_line(struct link *l, const char **line, struct err *e);

#endif
