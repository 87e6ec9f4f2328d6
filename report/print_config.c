/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What print is told: its directives. */
#include "report/print.h"

#define AT(member) offsetof(struct print_config, member)
static const struct directive print_rows[] = {
	{ .name = "print_output", .type = DIRECTIVE_ENUM, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(form), .def = "formatted",
	    .words = "formatted|csv|json|event_formatted|event_csv",
	    .doc = "Form of the rows. The event_ forms leave the counters out." },
	{ .name = "print_output_file", .type = DIRECTIVE_PATH, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(file),
	    .doc = "File to write to; none or - is standard output. May hold variables: %d %H "
	           "%m %M %s %S %w %W %Y %z of the start of the bin (without print_history, of "
	           "the time of writing), $hst, $ref and $tzone; and $peer_src_ip, $tag, $tag2, "
	           "$post_tag and $post_tag2 of the rows: each value has its own file, in which "
	           "_ stands for . and :. Directories are made." },
	{ .name = "print_output_file_append", .type = DIRECTIVE_BOOL,
	    .scope = DIRECTIVE_PLUGIN, .offset = AT(append), .def = "false",
	    .doc = "Append to the file instead of overwriting it. The titles are written to a "
	           "new file only." },
	{ .name = "print_output_separator", .type = DIRECTIVE_STRING,
	    .scope = DIRECTIVE_PLUGIN, .offset = AT(separator), .def = ",",
	    .doc = "What divides the fields of CSV: one character, \\t for a tab, \\s for a "
	           "blank." },
	{ .name = "print_write_empty_file", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(write_empty), .def = "false",
	    .doc = "Make the file even when there is no row to write." },
	{ .name = "print_markers", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(markers), .def = "false",
	    .doc = "Write a line before and after the rows of each refresh: --START (pid)-- and "
	           "--END (pid)--, in JSON the objects purge_init and purge_close." },
	{ .name = "print_latest_file", .type = DIRECTIVE_PATH, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(latest),
	    .doc = "Symbolic link to the newest file; variables of rows that print_output_file has "
	           "make one for each of their values. Where something else than a symbolic link "
	           "has that name, it stays, no link is made, and the log says so once; pmacct "
	           "1.7.7 replaces a file, even the one that it has just written." },
	{ .name = "print_cache_entries", .type = DIRECTIVE_NOTICE, .scope = DIRECTIVE_PLUGIN,
	    .doc = "Size of pmacct's cache. Bound the rows with max_entries instead." },
	{ .name = "print_max_writers", .type = DIRECTIVE_NOTICE, .scope = DIRECTIVE_PLUGIN,
	    .doc = "Writer processes of pmacct's. One thread writes here, and none is started "
	           "beside it." },
	{ .name = "print_output_lock_file", .type = DIRECTIVE_PATH,
	    .scope = DIRECTIVE_PLUGIN, .offset = AT(lock_file),
	    .doc = "File that is locked (flock) while rows are written, so that programs that "
	           "write to the same place or read there can take turns. Plugins of one weir "
	           "take turns at standard output without it." },
	{ .name = "print_trigger_exec", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(trigger_exec),
	    .doc = "Program, with arguments divided by blanks, that is run after each refresh "
	           "that wrote something; without a shell, and with nothing in its environment "
	           "but PATH, HOME, PRINT_OUTPUT_FILE (the file written last), "
	           "TOTAL_ELEM_NUMBER (rows that there were), EFFECTIVE_ELEM_NUMBER (written) "
	           "and ELAPSED_TIME (seconds)." },
	{ .name = "print_trigger_exec_async", .type = DIRECTIVE_BOOL,
	    .scope = DIRECTIVE_PLUGIN, .offset = AT(trigger_async), .def = "false",
	    .doc = "Go on while the trigger runs; at most 16 run at a time." },
	{ .name = "print_trigger_limit", .type = DIRECTIVE_SECONDS,
	    .scope = DIRECTIVE_PLUGIN, .offset = AT(trigger_limit), .min = 1,
	    .max = 86400, .def = "60", .unit = "s",
	    .doc = "A trigger that runs longer is killed, and what it has started; with "
	           "print_trigger_exec_async, at the next refresh." },
	{ .name = "print_preprocess", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(preprocess),
	    .doc = "Which rows of a bin are written, as a list of key=number: the keys of "
	           "sql_preprocess, but for recover. Rejected rows count as refused. The row of "
	           "what a full view could not tell apart passes all checks." },
	{ .name = "print_preprocess_type", .type = DIRECTIVE_ENUM, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(preprocess_type), .words = "any|all", .def = "any",
	    .doc = "Whether a row is written that passes one check of print_preprocess, or "
	           "only one that passes them all." },
	{ .name = NULL },
};
#undef AT

const struct directive_set print_directives = {
	"print", print_rows, sizeof(struct print_config)
};
