/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Octets written out as hex digits, blanks between them as one likes. */
#ifndef WEIR_TESTS_PROTO_HEX_H
#define WEIR_TESTS_PROTO_HEX_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

static inline unsigned
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	assert(c >= 'a' && c <= 'f');
	return (unsigned)(c - 'a') + 10;
}

/* Write the octets of `text` to `to`, at most `room`. Returns how many they are. */
static inline size_t
hex_octets(const char *text, uint8_t *to, size_t room)
{
	size_t n = 0;

	for (; *text != '\0'; text++) {
		if (*text == ' ')
			continue;
		assert(n < room && text[1] != '\0');
		to[n++] = (uint8_t)(hex_digit(text[0]) << 4 | hex_digit(text[1]));
		text++;
	}
	return n;
}

#endif
