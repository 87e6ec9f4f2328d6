/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client: the commands that ask a running weir over its control socket (the protocol is
 * described in report/query.h, and there the server lives; this side knows only the
 * text).
 */
#ifndef WEIR_CLIENT_CLIENT_H
#define WEIR_CLIENT_CLIENT_H

/*
 * weir show: one answer as a table, CSV or JSON on standard output. argv[0] is the name
 * of the command. Returns the exit status: 1 when something was wrong (said on standard
 * error), or when the books that were asked for do not balance.
 */
int client_show(int argc, char **argv);

/* weir top: the largest rows of a view, live or once. As above. */
int client_top(int argc, char **argv);

/* weir reload maps: let weir read lists and maps anew. As above; 1 when one has errors, too. */
int client_reload(int argc, char **argv);

#endif
