/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interned strings: a label or class is kept once and named by a 32-bit id, so that keys
 * stay narrow. Id 0 is the empty string; ids are dense, never reused, and good for the
 * life of the process only (files and wires carry the text). Looking up a known string
 * and resolving an id take no lock; a new string takes a mutex once. Bounded: when
 * INTERN_MAX strings or INTERN_MAX_OCTETS are held, new ones yield id 0 and are counted.
 */
#ifndef WEIR_LIB_INTERN_H
#define WEIR_LIB_INTERN_H

#include <stddef.h>
#include <stdint.h>

#define INTERN_MAX        (1U << 20)
#define INTERN_MAX_OCTETS (64U << 20)
#define INTERN_MAX_LEN    255U /* longer strings are cut there, at a whole UTF-8 character */

/*
 * The id of the `len` octets at `s` (NULs end the string early; control characters become
 * '?'). Returns 0 for the empty string and when a bound is reached.
 */
uint32_t intern(const char *s, size_t len);

/* The string of `id`, NUL-terminated, valid for ever; "" for an id never given out. */
const char *intern_text(uint32_t id);

/* How many strings were refused because a bound was reached. */
uint64_t intern_refused(void);

#endif
