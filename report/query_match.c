/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/query_match.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/protos.h"
#include "flow/text.h"
#include "lib/ip.h"

#define FIELDS_MAX 32U

/* One value: octets as in rows, or, where these are ids or worse, its text. */
struct cell {
	bool any;
	uint8_t octets[16];
	char *text;
};

struct query_match {
	unsigned n_fields;
	const struct field *fields[FIELDS_MAX];
	size_t n, room;
	struct cell *cells; /* n times n_fields */
};

static int
name_add(struct query_match *m, const char *name, size_t len, struct err *e)
{
	const struct field *f = field_find(name, len);
	struct field_set nearest;
	char word[80];

	if (m->n_fields == FIELDS_MAX)
		return err_set(e, WEIR_EINVAL, "more than %u primitives", FIELDS_MAX);
	if (f == NULL) {
		snprintf(word, sizeof(word), "%.*s", (int)(len < 64 ? len : 64), name);
		if (field_set_parse(word, &nearest, e) == 0)
			err_set(e, WEIR_EINVAL, "'%s' is no primitive", word);
		return -WEIR_EINVAL;
	}
	if (f->merge == FIELD_SUM)
		return err_set(e, WEIR_EINVAL, "%s is counted: rows are not picked by it", f->config);
	m->fields[m->n_fields++] = f;
	return 0;
}

struct query_match *
query_match_new(const char *names, struct err *e)
{
	struct query_match *m = calloc(1, sizeof(*m));

	if (m == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory");
		return NULL;
	}
	for (;;) {
		size_t len = strcspn(names, ",");

		if (name_add(m, names, len, e) != 0) {
			query_match_free(m);
			return NULL;
		}
		if (names[len] == '\0')
			return m;
		names += len + 1;
	}
}

void
query_match_free(struct query_match *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->n * m->n_fields; i++)
		free(m->cells[i].text);
	free(m->cells);
	free(m);
}

static bool
number_parse(const struct field *f, const char *text, uint8_t *out)
{
	uint64_t most = f->octets >= 8 ? UINT64_MAX : (UINT64_C(1) << 8 * f->octets) - 1;
	int base = f->value == FIELD_HEX ? 16 : 10;
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(text, &end, base);
	if (end == text || *end != '\0' || *text == '-' || errno != 0 || v > most)
		return false;
	field_uint_set(out, f->octets, v);
	return true;
}

static bool
proto_parse(const char *text, uint8_t *out)
{
	int n = proto_number(text);

	*out = (uint8_t)n;
	return n >= 0;
}

static bool
value_parse(const struct field *f, const char *text, struct cell *c)
{
	ip16_t ip;
	mac_t mac;

	switch (f->value) {
	case FIELD_IP:
		if (ip_parse(text, &ip) != 0)
			return false;
		memcpy(c->octets, &ip, sizeof(ip));
		return true;
	case FIELD_MAC:
		if (mac_parse(text, &mac) != 0)
			return false;
		memcpy(c->octets, &mac, sizeof(mac));
		return true;
	case FIELD_UINT:
	case FIELD_HEX:
	case FIELD_FLAGS:
		return number_parse(f, text, c->octets);
	case FIELD_PROTO:
		return proto_parse(text, c->octets);
	default:
		c->text = strdup(text);
		return c->text != NULL;
	}
}

int
query_match_add(struct query_match *m, const char *values, struct err *e)
{
	struct cell *row;

	if (m->n == QUERY_MATCHES)
		return err_set(e, WEIR_EINVAL, "more than %u lists of values", QUERY_MATCHES);
	if (m->n == m->room) {
		size_t room = m->room * 2 + 4;
		struct cell *grown = realloc(m->cells, room * m->n_fields * sizeof(*grown));

		if (grown == NULL)
			return err_set(e, WEIR_ENOMEM, "no memory");
		m->cells = grown;
		m->room = room;
	}
	row = &m->cells[m->n++ * m->n_fields];
	memset(row, 0, m->n_fields * sizeof(*row));
	for (unsigned i = 0; i < m->n_fields; i++) {
		size_t len = strcspn(values, ",");
		char text[TEXT_MAX];

		snprintf(text, sizeof(text), "%.*s",
		    (int)(len < sizeof(text) ? len : sizeof(text) - 1), values);
		row[i].any = strcmp(text, "*") == 0;
		if (!row[i].any && len > 0 && !value_parse(m->fields[i], text, &row[i]))
			return err_set(e, WEIR_EINVAL, "%s: '%.64s' is no value of it",
			    m->fields[i]->config, text);
		values += len + (values[len] == ',');
	}
	return 0;
}

size_t
query_match_count(const struct query_match *m)
{
	return m->n;
}

static bool
cell_is(const struct cell *c, const struct field *f, const uint8_t *value)
{
	static const struct text_opts plain = { .num_protos = false };
	char text[TEXT_MAX];

	if (c->text == NULL)
		return memcmp(c->octets, value, f->octets) == 0;
	text_value(f, value, &plain, text);
	return strcmp(text, c->text) == 0;
}

bool
query_match_is(
    const struct query_match *m, size_t i, const struct rowspec *rs, const uint8_t *row)
{
	static const uint8_t zero[TEXT_MAX];
	const struct cell *cells = &m->cells[i * m->n_fields];

	for (unsigned k = 0; k < m->n_fields; k++) {
		const struct field *f = m->fields[k];
		bool has = field_set_has(&rs->set, field_no(f));

		if (!cells[k].any && !cell_is(&cells[k], f, has ? rowspec_value(rs, row, f) : zero))
			return false;
	}
	return true;
}
