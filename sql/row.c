/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/row.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/intern.h"

void
row_init(struct row *r, const struct sql_driver *d, const struct sql_schema *s,
    const struct rowspec *rs, bool utc)
{
	memset(r, 0, sizeof(*r));
	r->driver = d;
	r->schema = s;
	/*
	 * Fractions have a column of their own; protocols as numbers are bound as
	 * integers.
	 */
	r->opts = (struct text_opts){ .utc = utc, .secs = true, .zero_is_1970 = true };
	for (unsigned i = 0; i < s->n; i++) {
		const struct field *f = s->columns[i].field;

		if (f == NULL || s->columns[i].source == SQL_FROM_FILLER)
			continue;
		assert(f->merge == FIELD_SUM || field_set_has(&rs->set, field_no(f)));
		r->values[i].offset = rs->offset[field_no(f)];
		r->values[i].octets = f->octets;
	}
}

static void
bind_int(struct row *r, unsigned column, uint64_t v)
{
	/* Engines count to 2^63; a sum beyond stays there. */
	int64_t i = v <= INT64_MAX ? (int64_t)v : INT64_MAX;

	for (unsigned t = 0; t < r->n_targets; t++)
		if (r->targets[t].param[column] != 0)
			r->driver->bind_int(r->targets[t].st,
			    r->targets[t].param[column], i);
}

static void
bind_text(struct row *r, unsigned column, const char *text, size_t len)
{
	for (unsigned t = 0; t < r->n_targets; t++)
		if (r->targets[t].param[column] != 0)
			r->driver->bind_text(r->targets[t].st,
			    r->targets[t].param[column], text, len);
}

static void
bind_time(struct row *r, unsigned column, uint64_t ns)
{
	struct row_value *v = &r->values[column];

	if (r->schema->columns[column].number)
		bind_int(r, column, ns / CLOCK_S);
	else
		bind_text(r, column, v->text, text_time(ns, &r->opts, v->text));
}

/* What stands for no value: of a time the second that has the number 0, as with pmacct. */
static void
bind_filler(struct row *r, unsigned column)
{
	const struct sql_column *c = &r->schema->columns[column];

	if (c->field != NULL && c->field->value == FIELD_TIME)
		bind_time(r, column, 0);
	else if (c->number)
		bind_int(r, column, strtoull(c->filler, NULL, 10));
	else
		bind_text(r, column, c->filler, strlen(c->filler));
}

void
row_targets_set(struct row *r, const struct row_target *targets, unsigned n)
{
	assert(n <= ROW_TARGETS);
	memcpy(r->targets, targets, n * sizeof(*targets));
	r->n_targets = n;
	for (unsigned i = 0; i < r->schema->n; i++) {
		r->values[i].bound = false;
		if (r->schema->columns[i].source == SQL_FROM_FILLER)
			bind_filler(r, i);
	}
}

void
row_bind_times(struct row *r, uint64_t bin, uint64_t cut)
{
	r->cut = cut;
	for (unsigned i = 0; i < r->schema->n; i++) {
		enum sql_source source = r->schema->columns[i].source;

		if (source == SQL_FROM_BIN || source == SQL_FROM_CUT)
			bind_time(r, i, source == SQL_FROM_BIN ? bin : cut);
	}
}

/* Octets of the UTF-8 character at `s` (RFC 3629 s4); 0 when it is none. */
static size_t
utf8_octets(const unsigned char *s)
{
	static const struct {
		unsigned char first, last;  /* range of the first octet */
		unsigned char low, high;    /* and of the second */
		size_t octets;
	} forms[] = {
		{ 0x01, 0x7f, 0, 0, 1 },          { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },    { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 },    { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },    { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		size_t n = 1;

		if (s[0] < forms[i].first || s[0] > forms[i].last)
			continue;
		if (forms[i].octets > 1 &&
		    (s[1] < forms[i].low || s[1] > forms[i].high))
			return 0;
		for (n = 2; n < forms[i].octets; n++)
			if ((s[n] & 0xc0) != 0x80) /* a NUL ends it too */
				return 0;
		return forms[i].octets;
	}
	return 0;
}

size_t
row_text_clean(const char *s, char *buf)
{
	size_t len = 0;

	while (*s != '\0') {
		size_t n = utf8_octets((const unsigned char *)s);

		if (len + (n > 0 ? n : 1) >= TEXT_MAX)
			break;
		if (n == 0)
			buf[len] = '?';
		else
			memcpy(buf + len, s, n);
		len += n > 0 ? n : 1;
		s += n > 0 ? n : 1;
	}
	buf[len] = '\0';
	return len;
}

static void
bind_number(struct row *r, unsigned column, const uint8_t *value)
{
	const struct sql_column *c = &r->schema->columns[column];
	struct row_value *v = &r->values[column];
	uint64_t n = field_uint(value, v->octets);

	if (c->source == SQL_FROM_RESIDUAL)
		n = n % CLOCK_S / CLOCK_US;
	else if (c->field->value == FIELD_TIME)
		n /= CLOCK_S;
	/*
	 * A key must stay apart from others, even where the engine has no such number.
	 */
	if (n > INT64_MAX && c->role == SQL_KEY)
		bind_text(r, column, v->text,
		    text_value(c->field, value, &r->opts, v->text));
	else
		bind_int(r, column, n);
}

static void
bind_string(struct row *r, unsigned column, const uint8_t *value)
{
	const struct field *f = r->schema->columns[column].field;
	char *text = r->values[column].text;
	size_t len;

	if (field_is_free(f)) {
		char unclean[TEXT_MAX];

		text_value(f, value, &r->opts, unclean);
		len = row_text_clean(unclean, text);
	} else {
		len = text_value(f, value, &r->opts, text);
	}
	if (len == 0) /* what its table has for no value */
		bind_filler(r, column);
	else
		bind_text(r, column, text, len);
}

void
row_bind(struct row *r, const uint8_t *row)
{
	const struct sql_schema *s = r->schema;

	for (unsigned i = 0; i < s->n; i++) {
		struct row_value *v = &r->values[i];
		const uint8_t *value = row + v->offset;

		if (v->octets == 0)
			continue;
		if (v->bound && memcmp(v->last, value, v->octets) == 0)
			continue;
		memcpy(v->last, value, v->octets);
		v->bound = true;
		if (s->columns[i].number)
			bind_number(r, i, value);
		else
			bind_string(r, i, value);
	}
}

static void
bind_sum(struct row *r, unsigned column, const struct sums *sums)
{
	const struct field *f = r->schema->columns[column].field;

	bind_int(r, column, f == &fields[F_PACKETS] ? sums->packets :
	        f == &fields[F_BYTES] ? sums->bytes : sums->flows);
	r->values[column].bound = false;
}

void
row_bind_sums(struct row *r, const struct sums *sums)
{
	for (unsigned i = 0; i < r->schema->n; i++)
		if (r->values[i].octets != 0 &&
		    r->schema->columns[i].field->merge == FIELD_SUM)
			bind_sum(r, i, sums);
}

void
row_bind_other(struct row *r, const struct sums *sums)
{
	const struct sql_schema *s = r->schema;

	for (unsigned i = 0; i < s->n; i++) {
		if (r->values[i].octets == 0)
			continue;
		r->values[i].bound = false;
		if (s->columns[i].source == SQL_FROM_SPAN)
			bind_time(r, i, r->cut);
		else if (s->columns[i].field->merge != FIELD_SUM)
			bind_filler(r, i);
		else
			bind_sum(r, i, sums);
	}
}
