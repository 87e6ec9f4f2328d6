/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * books: the proof that nothing was lost on the way. Each line is an identity between
 * counters that were kept at different places; weir is right when every line balances.
 * Computed on demand from the last cut. Any thread.
 */
#ifndef WEIR_CORE_BOOKS_H
#define WEIR_CORE_BOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;

#define BOOKS_TERMS 12

struct books_line {
	char subject[72];           /* "datagrams", "view a", "output b" */
	const char *left;           /* name of the left side */
	uint64_t left_value;
	unsigned n_terms;           /* the right side: a sum */
	struct {
		const char *name;
		uint64_t value;
	} terms[BOOKS_TERMS];
	bool balanced;
};

/*
 * Write up to `room` lines to `lines`. Returns how many there are (may exceed `room`).
 */
size_t books_lines(const struct engine *en, struct books_line *lines, size_t room);

/* Whether every line balances. */
bool books_balance(const struct engine *en);

#endif
