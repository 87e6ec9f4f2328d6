/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/rowtext.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int
rowtext_init(struct rowtext *r, unsigned n)
{
	memset(r, 0, sizeof(*r));
	r->cells = calloc(n > 0 ? n : 1, sizeof(*r->cells));
	if (r->cells == NULL)
		return -1;
	r->n = n;
	for (unsigned i = 0; i < n; i++) {
		r->cells[i].p = "\\N";
		r->cells[i].len = 2;
	}
	return 0;
}

void
rowtext_fini(struct rowtext *r)
{
	free(r->cells);
	text_line_free(&r->out);
	memset(r, 0, sizeof(*r));
}

void
rowtext_int(struct rowtext *r, unsigned i, int64_t v)
{
	struct rowtext_cell *c = &r->cells[i];
	uint64_t left = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	char *p = c->own + sizeof(c->own);

	assert(i < r->n);
	do
		*--p = (char)('0' + left % 10);
	while ((left /= 10) > 0);
	if (v < 0)
		*--p = '-';
	c->p = p;
	c->len = (size_t)(c->own + sizeof(c->own) - p);
}

/* What stands behind the backslash for `c`; 0: it needs none. */
static char
escape_of(char c)
{
	switch (c) {
	case '\\':
		return '\\';
	case '\t':
		return 't';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	default:
		return '\0';
	}
}

static size_t
escape_find(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (escape_of(text[i]) != '\0')
			return i;
	return len;
}

void
rowtext_text(struct rowtext *r, unsigned i, const char *text, size_t len)
{
	struct rowtext_cell *c = &r->cells[i];
	size_t plain;

	assert(i < r->n);
	if (len > TEXT_MAX)
		len = TEXT_MAX;
	plain = r->plain ? len : escape_find(text, len);
	c->p = text;
	c->len = len;
	if (plain == len)
		return;
	memcpy(c->own, text, plain);
	c->len = plain;
	for (size_t k = plain; k < len; k++) {
		char escape = escape_of(text[k]);

		if (escape != '\0')
			c->own[c->len++] = '\\';
		c->own[c->len++] = escape != '\0' ? escape : text[k];
	}
	c->p = c->own;
}

void
rowtext_put(struct rowtext *r)
{
	for (unsigned i = 0; i < r->n; i++) {
		if (i > 0)
			text_line_put(&r->out, "\t", 1);
		text_line_put(&r->out, r->cells[i].p, r->cells[i].len);
	}
	text_line_put(&r->out, "\n", 1);
}
