/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/multirow.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sql/tablename.h"

static void
put(struct text_line *l, const char *s)
{
	text_line_put(l, s, strlen(s));
}

int
multirow_init(struct multirow *m, const char *table, const char *const *columns,
    unsigned n, char quote)
{
	const char q[2] = { quote, '\0' };
	char name[TABLENAME_QUOTED];
	struct text_line sql = { 0 };

	assert(n > 0 && n <= MULTIROW_PARAMS);
	memset(m, 0, sizeof(*m));
	m->n = n;
	m->values = calloc((size_t)multirow_room(m) * n, sizeof(*m->values));
	if (m->values == NULL)
		return -1;
	put(&sql, "INSERT INTO ");
	tablename_quote(table, quote, name);
	put(&sql, name);
	for (unsigned i = 0; i < n; i++) {
		put(&sql, i == 0 ? " (" : ", ");
		put(&sql, q);
		put(&sql, columns[i]);
		put(&sql, q);
	}
	put(&sql, ") VALUES ");
	text_line_put(&sql, "", 1);
	m->insert = sql.p;
	return 0;
}

void
multirow_fini(struct multirow *m)
{
	free(m->insert);
	free(m->values);
	text_line_free(&m->out);
	memset(m, 0, sizeof(*m));
}

unsigned
multirow_room(const struct multirow *m)
{
	return MULTIROW_PARAMS / m->n;
}

void
multirow_put(struct multirow *m, const struct rowtext *r)
{
	struct multirow_value *v = &m->values[m->rows * m->n];

	assert(r->n == m->n && r->plain && m->rows < multirow_room(m));
	for (unsigned i = 0; i < m->n; i++) {
		v[i] = (struct multirow_value){ m->out.len, r->cells[i].len };
		text_line_put(&m->out, r->cells[i].p, r->cells[i].len);
	}
	m->rows++;
}

void
multirow_text(const struct multirow *m, unsigned rows, struct text_line *sql)
{
	put(sql, m->insert);
	for (unsigned i = 0; i < rows * m->n; i++)
		put(sql, i == 0 ? "(?" : i % m->n == 0 ? "), (?" : ", ?");
	text_line_put(sql, ")", 2);
}

void
multirow_clear(struct multirow *m)
{
	m->out.len = 0;
	m->rows = 0;
}
