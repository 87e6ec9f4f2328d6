/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/holds.h"

#include <inttypes.h>

#include "lib/log.h"

int64_t
holds_number(struct holds *h, int64_t v, const char *where)
{
	if (h->max == 0 || v <= h->max)
		return v;
	if (!h->warned)
		log_warn("%s: column %s takes numbers to %" PRId64 " only: larger ones are "
		    "kept as that; make it a BIGINT", where, h->name, h->max);
	h->warned = true;
	return h->max;
}

/* Octets of the first `chars` characters. */
static size_t
text_cut(const char *text, size_t len, size_t chars)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		bool starts = ((unsigned char)text[i] & 0xc0) != 0x80;

		if (starts && n++ == chars)
			return i;
	}
	return len;
}

size_t
holds_text(struct holds *h, const char *text, size_t len, const char *where)
{
	size_t fits = len;

	if (h->chars != 0 && len > h->chars)
		fits = text_cut(text, len, h->chars);
	if (fits < len && !h->warned) {
		log_warn("%s: column %s takes %zu characters only: longer text is cut; make "
		         "it longer", where, h->name, h->chars);
		h->warned = true;
	}
	return fits;
}
