/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * listfile: the files in which a line is an item (networks_file, ports_file, ...). '!' and
 * '#' begin comments, blanks mean nothing, empty lines neither. As pmacct does, what cannot be
 * read is left out, with a warning that has file and line; but a file of which
 * nothing can be read is an error, so that the list that there was may stay.
 *
 * Main thread, at load and reload. The file is the operator's, but read as if it were not:
 * lines are bounded, and so is the number of complaints.
 */
#ifndef WEIR_LIB_LISTFILE_H
#define WEIR_LIB_LISTFILE_H

#include "lib/directive.h"
#include "lib/err.h"

#define LISTFILE_LINE_MAX 65536U /* octets of a line and its newline */
#define LISTFILE_FAULTS   50U    /* so many are told one by one */

struct listfile {
	const char *directive; /* that names the file: "ports_file" */
	/*
	 * Take an item: the text of a line without comment and blanks, to be scribbled on.
	 * Returns 0; -WEIR_EINVAL with `why` saying what to write instead; another error
	 * with `why` ends the reading.
	 */
	int (*take)(void *arg, char *text, struct err *why);
};

/*
 * Read `path` and give each line to l->take with `arg`. What is left out goes to `ps`.
 * Returns 0, or -WEIR_E... with `e` filled.
 */
int listfile_read(const struct listfile *l, const char *path, void *arg,
    struct problems *ps, struct err *e);

#endif
