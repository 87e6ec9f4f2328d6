/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Directives: the configuration language `key[plugin]: value` (pmacct's) and the rows by
 * which each module says which keys it understands. A module brings one struct
 * directive_set: rows of (name, type, offset, range, default, reload class, words). One
 * parser (config_read), one range check (directive_apply), one printer (directive_print).
 * weir.conf.5 is made from the same rows.
 *
 * Everything here runs at load, in the main thread.
 */
#ifndef WEIR_LIB_DIRECTIVE_H
#define WEIR_LIB_DIRECTIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/err.h"

enum directive_type {
	DIRECTIVE_BOOL,     /* bool: true, false in any letter case */
	DIRECTIVE_U32,      /* uint32_t, decimal, min..max */
	DIRECTIVE_U64,      /* uint64_t, decimal, min..max */
	DIRECTIVE_OCTETS,   /* uint64_t, decimal with an optional K, M or G (1024) */
	DIRECTIVE_SECONDS,  /* uint32_t: a number with an optional s, m, h, d, w */
	DIRECTIVE_STRING,   /* const char *, kept as written */
	DIRECTIVE_PATH,     /* const char *, not empty */
	DIRECTIVE_IP,       /* ip16_t */
	DIRECTIVE_ENUM,     /* int, one of `words` ("table|row|none"), its place in the list */
	DIRECTIVE_NOTICE,   /* accepted for pmacct's sake, does nothing; `doc` says why */
	DIRECTIVE_REFUSED,  /* known but out of weir's scope; `doc` says what to do instead. `false`
	                     * is taken. The name may stand for many: "bgp_*" */
};

enum directive_scope {
	DIRECTIVE_GLOBAL,   /* a [plugin] suffix is dropped with a notice */
	DIRECTIVE_PLUGIN,   /* without a suffix: for all plugins of the module */
	DIRECTIVE_NAMED,    /* must carry a [plugin] suffix */
};

enum directive_reload {
	DIRECTIVE_RESTART,  /* a change needs a restart */
	DIRECTIVE_RELOAD,   /* taken up on reload */
};

struct directive {
	const char *name;        /* pmacct's where it has one */
	enum directive_type type;
	enum directive_scope scope;
	size_t offset;           /* of the value in the module's config struct */
	uint64_t min, max;       /* of numbers; max 0: no upper bound */
	const char *def;         /* default as the operator would write it; NULL: zero/NULL */
	const char *words;       /* DIRECTIVE_ENUM: "a|b|c" */
	bool secret;             /* the value is never printed */
	const char *unit;        /* "s", "octets", "rows" or NULL */
	enum directive_reload reload;
	const char *alias_of;    /* this row is an old name of that one; other members unused */
	const char *doc;         /* a sentence or three; ends in a full stop */
};

/* What one module understands. */
struct directive_set {
	const char *module;            /* "sql", "pcap", "core" */
	const struct directive *rows;  /* ended by a row whose name is NULL */
	size_t config_octets;          /* size of the struct that `offset` points into */
};

/* One line of a configuration: `key[plugin]: value`. */
struct config_line {
	char *key;        /* lower case, blanks removed */
	char *plugin;     /* as written, or NULL */
	char *value;      /* blanks trimmed at both ends */
	const char *file;
	unsigned line;    /* from 1; 0: a command-line option, named by `file` */
	bool used;        /* some set took it */
};

struct config {
	struct config_line *lines;
	size_t n;
	/* private */
	size_t room;
	char **files;
	size_t n_files;
};

/* Problems are collected, not thrown: `weir check` prints every one at once. */
enum problem_level { PROBLEM_NOTICE, PROBLEM_WARNING, PROBLEM_ERROR };
#define PROBLEM_LEVELS 3
#define PROBLEMS_MAX 1000U /* of each level that are kept: a file may be wrong all through */
struct problem {
	enum problem_level level;
	bool placed;     /* `text` begins with where it lies */
	char text[512];  /* "file:line: text" */
};
struct problems {
	struct problem *list;
	size_t n;
	size_t n_errors;             /* all, also those that are not kept */
	size_t kept[PROBLEM_LEVELS]; /* of each level, */
	size_t left[PROBLEM_LEVELS]; /* and not kept: some may be the same */
};

/*
 * Read `path` ("-": standard input) and append its lines to `c` (zeroed before the first
 * call). Comments: first non-blank character '!' or '#'. Syntax faults go to `ps` with
 * file:line and what to write instead; reading goes on. Returns 0, or -WEIR_EIO with `e` filled.
 */
int config_read(struct config *c, const char *path, struct problems *ps, struct err *e);

/*
 * Append one line as if it stood after the last of the file (a command-line option;
 * `source` names it, e.g. "-i"). `plugin` may be NULL. Copies its arguments.
 */
void config_add(struct config *c, const char *source, const char *key,
    const char *plugin, const char *value);

/*
 * The value of the last line `key` without plugin suffix, or NULL. Marks every such line
 * used.
 */
const char *config_get(struct config *c, const char *key);

void config_free(struct config *c);

/*
 * Note a problem at `at` (NULL: no place). The same text at the same place is kept once,
 * as a line for all plugins is looked at once for each.
 */
void problem_add(struct problems *ps, enum problem_level level,
    const struct config_line *at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void problems_free(struct problems *ps);

/*
 * Fill `out` (set->config_octets) for plugin `plugin` (NULL: the global part): defaults,
 * then every line in order that names the plugin or no plugin; a named line wins over an
 * unnamed one whatever their order, the last of equals wins. Strings point into `c`.
 * DIRECTIVE_GLOBAL rows are filled whatever `plugin` is. Lines taken are marked used.
 * Bad values go to `ps`, with file:line and what to write instead.
 */
void directive_apply(const struct directive_set *set, struct config *c,
    const char *plugin, void *out, struct problems *ps);

/*
 * Warn of lines of the file that another one of it undoes: the same directive (an old name of it,
 * too) for the same plugin, with another value. Of `first` (NULL: none) the first line
 * counts, of all others the last.
 */
void directive_check_repeated(const struct config *c,
    const struct directive_set *const *sets, size_t n, const char *first,
    struct problems *ps);

/*
 * Complain of every line that no set of `sets` (n) knows: an error with the nearest known
 * name when one is near; of plugin suffixes that name none of `plugins` (n_plugins, each
 * plugin's name). `lenient` makes warnings of both.
 */
void directive_check_unknown(struct config *c, const struct directive_set *const *sets,
    size_t n, const char *const *plugins, size_t n_plugins, bool lenient,
    struct problems *ps);

/*
 * Write the effective values of `cfg` as configuration lines that directive_apply takes
 * back. With `plugin` those that a plugin has, suffixed; with NULL those without suffix,
 * the rows that need one left out. Of several names of a directive a plugin of type `type`
 * ("print"; NULL with `plugin`) has the one that begins with it. Strings and addresses that
 * are not set are left out; of secrets a comment stays.
 */
void directive_print(const struct directive_set *set, const void *cfg,
    const char *plugin, const char *type, FILE *to);

/* What a directive is set to. */
struct directive_value {
	const struct directive *row;
	const char *name;               /* as the operator wrote it, or would: print_history */
	const char *plugin;             /* NULL: for the whole */
	const char *text;               /* as directive_print writes it; NULL: secret */
	const struct config_line *from; /* the line that decided; NULL: the default */
};

/*
 * Call `each` for those that directive_print writes, and say which line of `c` they are from
 * (directive_apply has filled `cfg` of it). Those of no line have the names that directive_print
 * gives them. Returns 0, or -WEIR_ENOMEM.
 */
int directive_each(const struct directive_set *set, const struct config *c, const void *cfg,
    const char *plugin, const char *type,
    void (*each)(void *arg, const struct directive_value *v), void *arg);

/* Write the rows as a section of weir.conf.5 (man macros). */
void directive_man(const struct directive_set *set, FILE *to);

/* The word of `words` (n) nearest to `typo` by edit distance, at most a third of its length away, or NULL. */
const char *nearest_word(const char *typo, const char *const *words, size_t n);

#endif
