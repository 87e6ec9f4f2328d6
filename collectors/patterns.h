/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * patterns: a folder of .pat files as L7-filter has them: lines that begin with '#' and empty
 * ones mean nothing; the first other line is the name of the class, the second a regular
 * expression that the payload of a stream's first packets, of both directions one after the
 * other and without NULs, fits. Letter case means nothing. Files are asked in the order of
 * their names.
 *
 * Made on the main thread; then read by all workers.
 */
#ifndef WEIR_COLLECTORS_PATTERNS_H
#define WEIR_COLLECTORS_PATTERNS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/directive.h"
#include "lib/err.h"

struct patterns;

/*
 * Read folder `path`. What is wrong with a file goes to `ps` with file:line. Returns NULL
 * with `e` filled when the folder cannot be read.
 */
struct patterns *patterns_read(const char *path, struct problems *ps, struct err *e);
void patterns_free(struct patterns *ps);

uint32_t patterns_count(const struct patterns *ps);

/* What one thread needs to match with `ps`; NULL when memory is short. */
struct patterns_scratch;
struct patterns_scratch *patterns_scratch_new(const struct patterns *ps);
void patterns_scratch_free(struct patterns_scratch *s);

/*
 * The class (lib/intern.h) of the first pattern that fits `text`; 0: none does. A pattern
 * that would take too many steps does not; `*given_up` is then counted up.
 */
uint32_t patterns_match(const struct patterns *ps, struct patterns_scratch *s,
    const uint8_t *text, size_t octets, uint64_t *given_up);

#endif
