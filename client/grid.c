/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "client/grid.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define GAP 2 /* blanks between columns */

void
grid_clear(struct grid *g)
{
	g->n_columns = 0;
	g->len = 0;
	g->n_cells = 0;
	memset(g->width, 0, sizeof(g->width));
}

void
grid_fini(struct grid *g)
{
	free(g->text);
	free(g->cells);
	memset(g, 0, sizeof(*g));
}

static void *
must(void *p)
{
	if (p == NULL) {
		fputs("weir: out of memory\n", stderr);
		exit(EXIT_FAILURE);
	}
	return p;
}

/* Characters of `s`: octets that do not continue one. */
static size_t
characters(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

void
grid_column(struct grid *g, const char *title, bool right)
{
	assert(g->n_columns < GRID_COLUMNS && g->n_cells == g->n_columns);
	g->right[g->n_columns++] = right;
	grid_cell(g, title);
}

void
grid_cell(struct grid *g, const char *text)
{
	size_t len = strlen(text) + 1, width = characters(text);
	size_t column = g->n_cells % g->n_columns;

	if (column == 0)
		memcpy(g->before, g->width, sizeof(g->width));
	if (g->len + len > g->room) {
		g->room = (g->len + len) * 2;
		g->text = must(realloc(g->text, g->room));
	}
	if (g->n_cells == g->cells_room) {
		g->cells_room = g->cells_room == 0 ? 256 : g->cells_room * 2;
		g->cells = must(realloc(g->cells, g->cells_room * sizeof(*g->cells)));
	}
	memcpy(g->text + g->len, text, len);
	g->cells[g->n_cells++] = g->len;
	g->len += len;
	if (width > g->width[column])
		g->width[column] = width;
}

void
grid_drop(struct grid *g)
{
	assert(grid_rows(g) > 0 && g->n_cells % g->n_columns == 0);
	g->n_cells -= g->n_columns;
	g->len = g->cells[g->n_cells];
	memcpy(g->width, g->before, sizeof(g->width));
}

size_t
grid_rows(const struct grid *g)
{
	return g->n_columns > 0 ? g->n_cells / g->n_columns - 1 : 0;
}

/* A line on its way into a buffer. */
struct line {
	char *buf;
	size_t len, room;
};

static void
line_blanks(struct line *l, size_t n)
{
	for (; n > 0 && l->len + 1 < l->room; n--)
		l->buf[l->len++] = ' ';
}

static void
line_text(struct line *l, const char *s)
{
	for (; *s != '\0' && l->len + 1 < l->room; s++)
		l->buf[l->len++] = (unsigned char)*s < ' ' || *s == 0x7f ? '?' : *s;
	if (*s != '\0' &&
	    ((unsigned char)*s & 0xc0) == 0x80) { /* cut within a character */
		while (l->len > 0 && ((unsigned char)l->buf[l->len - 1] & 0xc0) == 0x80)
			l->len--;
		if (l->len > 0)
			l->len--;
	}
}

size_t
grid_line(const struct grid *g, size_t i, char *buf, size_t room)
{
	struct line l = { buf, 0, room };

	assert(room > 0 && i <= grid_rows(g));
	for (unsigned c = 0; c < g->n_columns; c++) {
		const char *text = g->text + g->cells[i * g->n_columns + c];
		size_t blanks = g->width[c] - characters(text);

		line_blanks(&l, (c > 0 ? GAP : 0) + (g->right[c] ? blanks : 0));
		line_text(&l, text);
		if (!g->right[c])
			line_blanks(&l, blanks);
	}
	while (l.len > 0 && buf[l.len - 1] == ' ')
		l.len--;
	buf[l.len] = '\0';
	return l.len;
}

void
grid_print(const struct grid *g, FILE *to)
{
	size_t room = 1;
	char *buf;

	for (unsigned c = 0; c < g->n_columns; c++)
		room += g->width[c] * 4 + GAP; /* a character has at most four octets */
	buf = must(malloc(room));
	for (size_t i = 0; g->n_columns > 0 && i <= grid_rows(g); i++) {
		grid_line(g, i, buf, room);
		fputs(buf, to);
		fputc('\n', to);
	}
	free(buf);
}
