/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client: the commands that ask a running weir over its control socket (the protocol is
 * described in report/query.h, and there the server lives; this side knows only the
 * text).
 */
#ifndef WEIR_CLIENT_CLIENT_H
#define WEIR_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

/*
 * weir show: one answer as a table, CSV or JSON on standard output. argv[0] is the name
 * of the command. Returns the exit status: 1 when something was wrong (said on standard
 * error), or when the books that were asked for do not balance.
 */
int client_show(int argc, char **argv);

#define CLIENT_MEMORY_OPTIONS \
	"Of a memory table, with the options of pmacct's client:\n" \
	"  -s             all rows\n" \
	"  -c LIST        primitives to match, with -M (rows) or -N (counters only)\n" \
	"  -M, -N VALUES  a value or * for each, ',' between them, ';' between lists of them;\n" \
	"                 or file:NAME with a list on each line\n" \
	"  -n COUNTER     for -N: bytes, packets, flows or all\n" \
	"  -S             one sum of all lists\n" \
	"  -r             reset what is shown by -M or -N\n" \
	"  -T COUNTER[,N] largest first, N of them\n" \
	"  -O FORM        formatted, csv, json, event_formatted, event_csv\n" \
	"  -E CHAR        between the fields of CSV\n" \
	"  -I, -0, -u     times in seconds since 1970, in UTC; protocols as numbers\n" \
	"  -e             clear the table; with -s or -M, behind what they show\n" \
	"  -i             seconds since that was done\n" \
	"  -a             all columns of pmacct's, with zeros for what is not counted\n" \
	"  -t             how full the table is\n" \
	"  -l             accepted: what is shown is of one moment always\n"

/*
 * weir show with the options of pmacct's client, and weir when it is called pmacct: a
 * memory table's rows and sums, to reset and to clear. As above.
 */
int client_memory(int argc, char **argv);

/* Whether these are options of pmacct's client. */
bool client_is_memory(int argc, char **argv);

/* weir top: the largest rows of a view, live or once. As above. */
int client_top(int argc, char **argv);

/*
 * How many plugins of `type` fail in the weir whose control socket is `socket`; the name of the
 * first goes to `name`. -WEIR_E... with `e` filled when none can be asked.
 */
int client_failing(const char *socket, const char *type, char *name, size_t room,
    struct err *e);

/* weir reload maps: let weir read lists and maps anew. As above; 1 when one has errors, too. */
int client_reload(int argc, char **argv);

#endif
