/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * preprocess: which rows of a time bin an output writes, and with which counters
 * (pmacct's sql_preprocess, print_preprocess). A condition decides whether there are checks at all, checks
 * mark rows valid, actions change the counters of all. One thread.
 */
#ifndef WEIR_CORE_PREPROCESS_H
#define WEIR_CORE_PREPROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/rowspec.h"
#include "lib/err.h"

enum preprocess_key {
	PREPROCESS_QNUM,
	PREPROCESS_MINP,
	PREPROCESS_MINF,
	PREPROCESS_MINB,
	PREPROCESS_MINBPP,
	PREPROCESS_MINPPF,
	PREPROCESS_MAXP,
	PREPROCESS_MAXF,
	PREPROCESS_MAXB,
	PREPROCESS_MAXBPP,
	PREPROCESS_MAXPPF,
	PREPROCESS_FSS,
	PREPROCESS_FSRC,
	PREPROCESS_USRF,
	PREPROCESS_ADJB,
	PREPROCESS_RECOVER,
	PREPROCESS_KEYS
};

/* In the order of the words of sql_preprocess_type and print_preprocess_type. */
enum preprocess_type { PREPROCESS_ANY, PREPROCESS_ALL };

struct preprocess {
	bool on; /* something was given */
	bool all; /* every check must pass; else any */
	bool given[PREPROCESS_KEYS];
	int64_t value[PREPROCESS_KEYS];
	uint64_t small_bytes; /* fss: of rows below it, since the last that was kept */
	uint64_t random; /* fsrc: state of the numbers drawn */
};

/*
 * Read "key=value, ..." of the directive `name`; NULL: none. Returns 0, or -WEIR_EINVAL with
 * `e` saying what to write instead.
 */
int preprocess_parse(struct preprocess *p, const char *name, const char *text, bool all,
    struct err *e);

/*
 * Judge the `n` rows of a bin: `keep` says which are valid; `sums` become what is to be
 * written, of the others too. Returns how many are kept. Short of memory for a sample, all
 * are.
 */
size_t preprocess_run(struct preprocess *p, struct sums *sums, bool *keep, size_t n);

/* Only the actions, for a row that is always kept. */
void preprocess_act(const struct preprocess *p, struct sums *s);

#endif
