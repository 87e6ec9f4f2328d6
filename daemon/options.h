/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command-line options of `weir run` and `weir check`: pmacct's short options become
 * configuration lines that stand after those of the file, and so win. Main thread.
 */
#ifndef WEIR_DAEMON_OPTIONS_H
#define WEIR_DAEMON_OPTIONS_H

#include <stdbool.h>

#include "lib/directive.h"

struct options {
	int as;               /* DOOR_PCAP, ...; -1: weir itself */
	const char *file;     /* -f, or NULL */
	bool lenient;
	bool print_config;    /* weir check --print */
	struct config extra;  /* lines from options */
};

/*
 * Read `argv` of command `argv[0]`. Returns 0; -1 after having said what is wrong on
 * standard error; 1 when help was asked for and shown.
 */
int options_read(struct options *o, int argc, char **argv);
void options_free(struct options *o);

#endif
