/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapfile: the files of rules that pmacct calls maps (sampling_map, flow_to_rd_map, ...).
 * A rule is a line of words `key=value` in any order, without blanks around '='. A single
 * quote begins and ends text in which blanks do not end the word; quotes themselves go.
 * Lines whose first character is '!' or '#', and empty ones, are left out. Each map brings
 * a table of the keys that it knows and the struct that a rule's values are put into.
 *
 * Main thread, at load and reload. A map is the operator's, but read as if it were not:
 * lines are UTF-8 and bounded, as is the number of complaints about one file.
 */
#ifndef WEIR_LIB_MAPFILE_H
#define WEIR_LIB_MAPFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/directive.h"
#include "lib/err.h"

#define MAPFILE_KEYS 64U /* rows of a table of keys: a bit of `given` each */
#define MAPFILE_LINE_MAX 16384U /* octets of a line and its newline */
#define MAPFILE_FAULTS 50U /* after so many errors the file is not read on */

#define MAPFILE_OTHERS "*"

struct mapfile_key {
	/*
	 * MAPFILE_OTHERS: the row of all keys that have none. Its `text` is the whole word,
	 * "key=value", and it may return -WEIR_ENOENT, too, for keys that it does not know.
	 */
	const char *name;
	/*
	 * Put the value `text` at `at`. Returns 0, or -WEIR_EINVAL with `why` saying what to
	 * write instead. One of the functions below, or the map's own.
	 */
	int (*parse)(
	    const struct mapfile_key *k, const char *text, void *at, struct err *why);
	size_t offset; /* of the value in the map's struct */
	uint64_t min, max; /* of numbers; max 0: whatever the member can hold */
	bool negates; /* "-value" is understood: anything but the value */
	/*
	 * What of a record is compared with the value: the member of `octets` at `at`, or the
	 * one at `also` (0: none). `octets` 0: the map knows what to do with the value.
	 */
	size_t at, also;
	bool stands_in; /* the one at `also` counts where the other is zero, there alone */
	uint8_t octets;
	bool prefix; /* the value is a struct prefix, the member an address */
	uint64_t mask; /* the bits that count of a number; 0: all */
	const char
	    *alias_of; /* an old name of that key; the members above are unused */
	const char *doc; /* a sentence */
};

/* A rule that was read: where it stands, and which keys it has. */
struct mapfile_rule {
	struct config_line at; /* file and line alone */
	const char *text; /* as it was written, without blanks around it */
	uint64_t given, negated; /* a bit for each row of the table of keys */
};

struct mapfile {
	const char *directive; /* that names the file: "sampling_map" */
	const struct mapfile_key *keys; /* ended by a row whose name is NULL */
	size_t rule_octets; /* of the struct that `offset` points into */
	/*
	 * Take a rule. `values` (rule_octets, zero where no key was given) and the text that
	 * it points to are good for the call only. A rule that cannot be meant goes to `ps`.
	 * Returns 0, or -WEIR_E... with `e` filled to give up.
	 */
	int (*take)(void *arg, const struct mapfile_rule *r, const void *values,
	    struct problems *ps, struct err *e);
};

/* Whether `r` has the key in row `row` of the table. */
static inline bool
mapfile_has(const struct mapfile_rule *r, unsigned row)
{
	return r->given >> row & 1;
}

/*
 * Read `path` and give each rule to m->take with `arg`. Rules that cannot be read go to
 * `ps` as errors with file:line, an unknown key with the nearest that is known, and are
 * left out. Returns 0, or -WEIR_E... with `e` filled when the file cannot be read at all.
 */
int mapfile_read(const struct mapfile *m, const char *path, void *arg,
    struct problems *ps, struct err *e);

/* Values: a uint32_t or uint64_t in decimal, from k->min to k->max. */
int mapfile_u32(
    const struct mapfile_key *k, const char *text, void *at, struct err *why);
int mapfile_u64(
    const struct mapfile_key *k, const char *text, void *at, struct err *why);

/* An unsigned integer of k->octets (1, 2, 4, 8), as mapfile_u64. */
int mapfile_uint(
    const struct mapfile_key *k, const char *text, void *at, struct err *why);

/* "true" or "false", to a uint8_t. */
int mapfile_bool(
    const struct mapfile_key *k, const char *text, void *at, struct err *why);

/* A mac_t. */
int mapfile_mac(
    const struct mapfile_key *k, const char *text, void *at, struct err *why);

/* An ip16_t; a struct prefix, written as an address with or without /length. */
int mapfile_ip(
    const struct mapfile_key *k, const char *text, void *at, struct err *why);
int mapfile_prefix(
    const struct mapfile_key *k, const char *text, void *at, struct err *why);

/* A const char * into the line. */
int mapfile_text(
    const struct mapfile_key *k, const char *text, void *at, struct err *why);

#endif
