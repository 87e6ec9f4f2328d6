/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/query_match.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/protos.h"
#include "flow/text.h"
#include "lib/hash.h"
#include "lib/ip.h"

#define FIELDS_MAX 32U
#define NONE       UINT32_MAX

/* One value: octets as in rows, or, where these are ids or worse, its text. */
struct cell {
	bool any;
	uint8_t octets[16];
	char *text;
};

/* Lists that say something of the same fields: open addressing, by the hash of their values. */
struct group {
	uint32_t said;      /* bit k: of field k */
	uint32_t n;
	uint32_t mask;      /* places - 1 */
	struct place {
		uint64_t hash;
		uint32_t first; /* of the lists with that hash; NONE: free */
	} *places;
};

struct query_match {
	unsigned n_fields;
	const struct field *fields[FIELDS_MAX];
	size_t n, room;
	struct cell *cells; /* n times n_fields */

	/* made by query_match_index */
	size_t n_groups;
	struct group *groups;
	uint32_t *next;     /* list with the same hash, by list; NONE: the last */
};

/* The values of a row or of a list, one behind the other. */
struct key {
	size_t len;
	uint8_t octets[FIELDS_MAX * TEXT_MAX];
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
	for (size_t i = 0; i < m->n_groups; i++)
		free(m->groups[i].places);
	free(m->groups);
	free(m->next);
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

static uint32_t
list_said(const struct query_match *m, size_t list)
{
	uint32_t said = 0;

	for (unsigned k = 0; k < m->n_fields; k++)
		said |= (uint32_t)!m->cells[list * m->n_fields + k].any << k;
	return said;
}

static void
key_put(struct key *k, const void *value, size_t len)
{
	memcpy(k->octets + k->len, value, len);
	k->len += len;
}

static void
key_of_list(struct key *key, const struct query_match *m, size_t list)
{
	key->len = 0;
	for (unsigned k = 0; k < m->n_fields; k++) {
		const struct cell *c = &m->cells[list * m->n_fields + k];

		if (c->any)
			continue;
		if (c->text != NULL)
			key_put(key, c->text, strlen(c->text) + 1);
		else
			key_put(key, c->octets, m->fields[k]->octets);
	}
}

/* Whether values of `f` are compared as texts: value_parse keeps them so. */
static bool
field_is_text(const struct field *f)
{
	switch (f->value) {
	case FIELD_IP:
	case FIELD_MAC:
	case FIELD_UINT:
	case FIELD_HEX:
	case FIELD_FLAGS:
	case FIELD_PROTO:
		return false;
	default:
		return true;
	}
}

static void
key_of_row(struct key *key, const struct query_match *m, uint32_t said,
    const struct rowspec *rs, const uint8_t *row)
{
	static const struct text_opts plain = { .num_protos = false };
	static const uint8_t zero[TEXT_MAX];

	key->len = 0;
	for (unsigned k = 0; k < m->n_fields; k++) {
		const struct field *f = m->fields[k];
		const void *value = zero;
		char text[TEXT_MAX];

		if ((said >> k & 1) == 0)
			continue;
		if (field_set_has(&rs->set, field_no(f)))
			value = rowspec_value(rs, row, f);
		if (field_is_text(f)) {
			text_value(f, value, &plain, text);
			key_put(key, text, strlen(text) + 1);
		} else {
			key_put(key, value, f->octets);
		}
	}
}

/* The place of `hash`, or a free one. */
static struct place *
group_place(const struct group *g, uint64_t hash)
{
	uint32_t i = (uint32_t)hash & g->mask;

	while (g->places[i].first != NONE && g->places[i].hash != hash)
		i = (i + 1) & g->mask;
	return &g->places[i];
}

static int
group_init(struct group *g)
{
	uint32_t places = 2;

	while (places < 2 * g->n)
		places *= 2;
	g->mask = places - 1;
	if ((g->places = malloc(places * sizeof(*g->places))) == NULL)
		return -WEIR_ENOMEM;
	for (uint32_t i = 0; i < places; i++)
		g->places[i].first = NONE;
	return 0;
}

static struct group *
group_of(const struct query_match *m, uint32_t said)
{
	size_t i = 0;

	while (i < m->n_groups && m->groups[i].said != said)
		i++;
	return &m->groups[i];
}

int
query_match_index(struct query_match *m)
{
	struct key key;

	m->groups = calloc(m->n + 1, sizeof(*m->groups));
	m->next = malloc((m->n + 1) * sizeof(*m->next));
	if (m->groups == NULL || m->next == NULL)
		return -WEIR_ENOMEM;
	for (size_t i = 0; i < m->n; i++) {
		struct group *g = group_of(m, list_said(m, i));

		if (g->n++ == 0) {
			g->said = list_said(m, i);
			m->n_groups++;
		}
	}
	for (size_t i = 0; i < m->n_groups; i++)
		if (group_init(&m->groups[i]) != 0)
			return -WEIR_ENOMEM;
	for (size_t i = 0; i < m->n; i++) {
		struct place *p;

		key_of_list(&key, m, i);
		p = group_place(group_of(m, list_said(m, i)), hash_seeded(key.octets, key.len));
		m->next[i] = p->first;
		p->hash = hash_seeded(key.octets, key.len);
		p->first = (uint32_t)i;
	}
	return 0;
}

size_t
query_match_groups(const struct query_match *m)
{
	return m->n_groups;
}

void
query_match_each(const struct query_match *m, const struct rowspec *rs, const uint8_t *row,
    query_match_fn *each, void *arg)
{
	struct key of_row, of_list;

	for (size_t i = 0; i < m->n_groups; i++) {
		const struct group *g = &m->groups[i];
		uint32_t list;

		key_of_row(&of_row, m, g->said, rs, row);
		list = group_place(g, hash_seeded(of_row.octets, of_row.len))->first;
		for (; list != NONE; list = m->next[list]) {
			key_of_list(&of_list, m, list);
			if (of_list.len == of_row.len &&
			    memcmp(of_list.octets, of_row.octets, of_row.len) == 0)
				each(arg, list);
		}
	}
}
