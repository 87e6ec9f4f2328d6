/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doors: the list of all ways in and out that this build has. Only the daemon knows that
 * two exist. Adding an output is a row in doors.c.
 */
#ifndef WEIR_DAEMON_DOORS_H
#define WEIR_DAEMON_DOORS_H

#include <stddef.h>
#include <stdio.h>

#include "core/collector.h"
#include "core/output.h"
#include "lib/directive.h"

/* The output of plugin type `type` ("print"), or NULL. */
const struct output_ops *door_output(const char *type);

/*
 * Why there is no output of type `type`: it is not built in, not there yet, or unknown.
 */
const char *door_output_missing(const char *type);

/* Give `config` of an output of `ops` what it takes from the daemon's own: the state_dir. */
void door_output_defaults(const struct output_ops *ops, void *config,
    const char *state_dir);

/*
 * Write the statements that make the tables of `o`, which is planned, where it has any. 0,
 * or an error with `e`.
 */
int door_schema_print(const struct output *o, FILE *to, struct err *e);

/* Say what outputs that are no more have left in the state_dir to be written. */
struct engine;
void door_outputs_check(const struct engine *en, const char *state_dir);

/* The directive sets of all doors, ended by NULL. */
extern const struct directive_set *const door_directives[];

/*
 * A family of input: pmacct's daemon that does it, the collectors for live input and for
 * capture files, and the directives that fill the configuration of both.
 */
struct door_in {
	const char *as;                        /* "pmacctd" */
	const struct directive_set *directives;
	const struct collector_ops *live;
	const struct collector_ops *file;
	const struct collector_ops *stream;    /* live, over TCP; NULL: none */
};

enum { DOOR_PCAP, DOOR_NETFLOW, DOOR_SFLOW, DOOR_IN_COUNT };
extern const struct door_in doors_in[DOOR_IN_COUNT];

#endif
