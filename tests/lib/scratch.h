/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scratch: the one file of a test that reads files, in /tmp. scratch_make and
 * scratch_remove are set-up and tear-down of a group, or are called by them.
 */
#ifndef WEIR_TESTS_LIB_SCRATCH_H
#define WEIR_TESTS_LIB_SCRATCH_H

#include <stddef.h>

extern char scratch_path[64];

/* Make it, empty; from here on nothing is logged. 0 or -1. */
int scratch_make(void **state);

/* The file may be gone already. 0. */
int scratch_remove(void **state);

/* Have it hold `text`, or `len` octets, alone. */
void scratch_write(const char *text);
void scratch_put(const void *octets, size_t len);

#endif
