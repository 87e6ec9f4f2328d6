/* SPDX-License-Identifier: GPL-2.0-or-later */
/* program: a program for a trigger to run, a shell script, and what it wrote. */
#ifndef WEIR_TESTS_CORE_PROGRAM_H
#define WEIR_TESTS_CORE_PROGRAM_H

/* The path of the last that was made, and its arguments. */
extern char program_command[256];

/*
 * Write `body` to a program in folder `dir`, to be called with `arguments` (empty, or behind a
 * blank). $OUT is a file for it.
 */
void program_make(const char *dir, const char *body, const char *arguments);

/* What there is in $OUT; good until the next call. */
const char *program_wrote(void);

/* Both are gone. */
void program_remove(void);

#endif
