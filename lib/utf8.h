/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UTF-8 (RFC 3629): which octets are text. Any thread.
 */
#ifndef WEIR_LIB_UTF8_H
#define WEIR_LIB_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Octets of the character at `s` (RFC 3629 s4), or 0 when there is none. */
size_t utf8_len(const char *s);

/* Whether all of `s`, up to its NUL, is UTF-8. */
bool utf8_is_text(const char *s);

#endif
