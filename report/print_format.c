/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/print_format.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "flow/custom.h"

#define JSON_START "{\"event_type\": \"purge\""
#define WIDTH_MAX  250U /* of a value in formatted text */
#define ADDED_MAX  512U /* of a line beyond its columns: start, stamps, end */

char
print_separator(const char *text)
{
	if (strcmp(text, "\\t") == 0)
		return '\t';
	if (strcmp(text, "\\s") == 0)
		return ' ';
	return text[0] != '\0' && text[1] == '\0' ? text[0] : '\0';
}

static bool
form_is_json(enum print_form form)
{
	return form == PRINT_JSON || form == PRINT_ROW_JSON;
}

static bool
form_is_padded(enum print_form form)
{
	return form == PRINT_FORMATTED || form == PRINT_EVENT_FORMATTED;
}

static bool
form_has_counters(enum print_form form)
{
	return form != PRINT_EVENT_FORMATTED && form != PRINT_EVENT_CSV;
}

/* Widths that do not follow from the value and the title: pmacct's. */
static const struct {
	enum field_no no;
	uint8_t width, gap;
} odd_widths[] = {
	{ F_COS, 4, 1 },
	{ F_TOS, 7, 4 },
	{ F_PEER_SRC_AS, 12, 1 },
	{ F_PEER_DST_AS, 12, 1 },
	{ F_MPLS_VPN_RD, 20, 2 },
	{ F_SRC_COUNTRY, 12, 2 },
	{ F_DST_COUNTRY, 12, 2 },
	{ F_SRC_POCODE, 14, 2 },
	{ F_DST_POCODE, 14, 2 },
	{ F_SRC_LAT, 14, 2 },
	{ F_SRC_LON, 14, 2 },
	{ F_DST_LAT, 14, 2 },
	{ F_DST_LON, 14, 2 },
	{ F_SAMPLING_RATE, 14, 1 },
	{ F_SAMPLING_DIRECTION, 19, 1 },
	{ F_NAT_EVENT, 10, 1 },
	{ F_VXLAN, 10, 2 },
	{ F_TIMESTAMP_START, 31, 1 },
	{ F_TIMESTAMP_END, 31, 1 },
	{ F_TIMESTAMP_ARRIVAL, 31, 1 },
	{ F_TIMESTAMP_EXPORT, 31, 1 },
};

/* Room for the longest usual text of a value of `f`. */
static size_t
value_width(const struct field *f)
{
	size_t value;

	switch (f->value) {
	case FIELD_IP:
		return 45;
	case FIELD_MAC:
		return 17;
	case FIELD_HEX:
		return 5;
	case FIELD_FLAGS:
		return 3;
	case FIELD_PROTO:
		return 10;
	case FIELD_STR:
	case FIELD_LIST:
	case FIELD_LABELS:
		return field_no(f) == F_CLASS ? 16 : 45;
	case FIELD_CUSTOM:
		value = custom_width(f);
		return value == 0 ? 45 : value > WIDTH_MAX ? WIDTH_MAX : value;
	case FIELD_RD:
		return 24;
	case FIELD_DIRECTION:
		return 1;
	case FIELD_STATUS:
		return 3;
	case FIELD_DEGREES:
		return 11;
	case FIELD_SAMPLE:
		return 15;
	case FIELD_TIME:
		return 30;
	case FIELD_UINT:
		break;
	}
	if (f->merge == FIELD_SUM || f->merge == FIELD_ADD)
		return 20;
	return f->octets == 1 ? 3 : f->octets == 2 ? 5 : 10;
}

static void
column_width_set(struct print_column *c)
{
	size_t value = value_width(c->f), title = strlen(c->f->title);

	for (size_t i = 0; i < sizeof(odd_widths) / sizeof(odd_widths[0]); i++)
		if (odd_widths[i].no == field_no(c->f)) {
			c->width = odd_widths[i].width;
			c->gap = odd_widths[i].gap;
			return;
		}
	c->width = (uint8_t)((value > title ? value : title) + 2);
	c->gap = 2;
}

/* Whether the text of a value of `f` may hold anything, or becomes an array. */
static bool
value_is_free(const struct print_format *pf, const struct field *f)
{
	return field_is_free(f) ||
	    (f->value == FIELD_FLAGS && pf->text.flags_array && form_is_json(pf->form));
}

static bool
value_is_quoted(const struct print_format *pf, const struct field *f)
{
	return !field_is_number(f) && !value_is_free(pf, f);
}

static char *
put(char *p, const char *s, size_t len)
{
	memcpy(p, s, len);
	return p + len;
}

/* Addresses that only some records have are empty when they do not, not 0.0.0.0. */
static bool
value_is_absent(const struct print_column *c, const uint8_t *value)
{
	static const uint8_t none[16];
	enum field_no no = field_no(c->f);

	return no != F_SRC_HOST && no != F_DST_HOST && no != F_SRC_NET && no != F_DST_NET &&
	    memcmp(value, none, sizeof(none)) == 0;
}

/* Text that may hold anything, with what the form needs around it. */
static char *
put_string(struct print_format *pf, const struct print_column *c, const uint8_t *value,
    char *p)
{
	char text[TEXT_MAX];

	text_value(c->f, value, &pf->text, text);
	pf->scratch.len = 0;
	if (form_is_json(pf->form))
		text_line_json_text(&pf->scratch, c->f, text, &pf->text);
	else if (form_is_padded(pf->form))
		text_line_put(&pf->scratch, text, strlen(text));
	else
		text_line_csv(&pf->scratch, text, pf->separator);
	return put(p, pf->scratch.p != NULL ? pf->scratch.p : "", pf->scratch.len);
}

static char *
put_value(struct print_format *pf, const struct print_column *c, const uint8_t *value,
    char *p)
{
	if (c->free)
		return put_string(pf, c, value, p);
	if (c->f->value == FIELD_IP && value_is_absent(c, value))
		p = put(p, pf->absent, strlen(pf->absent));
	else
		p += text_value(c->f, value, &pf->text, p);
	if (c->quoted)
		*p++ = '"';
	if (form_is_json(pf->form) && c->f->value == FIELD_RD)
		p += sprintf(p, ", \"%s_origin\": \"%s\"", c->f->json, text_rd_origin(value));
	return p;
}

/* Append a column of `title`; `f` is NULL where weir has no such field. */
static struct print_column *
column_new(struct print_format *pf, const struct field *f, const char *title)
{
	struct print_column *c = &pf->columns[pf->n_columns++];

	memset(c, 0, sizeof(*c));
	c->f = f;
	c->title = title;
	if (!form_is_json(pf->form) && !form_is_padded(pf->form) && pf->n_columns > 1) {
		c->lead[0] = pf->separator;
		c->lead_len = 1;
	} else if (form_is_padded(pf->form) && f != NULL) {
		column_width_set(c);
	}
	pf->row_max += sizeof(c->lead) + TEXT_MAX;
	return c;
}

/* Append the column of a field that rows have. */
static void
column_add(struct print_format *pf, const struct output *o, enum field_no no)
{
	const struct field *f = &fields[no];
	struct print_column *c = column_new(pf, f, f->title);
	int n;

	c->offset = o->view->rs.offset[no];
	c->free = value_is_free(pf, f);
	c->quoted = form_is_json(pf->form) && value_is_quoted(pf, f);
	if (form_is_json(pf->form)) {
		n = snprintf(c->lead, sizeof(c->lead), "%s\"%s\": %s",
		    pf->form == PRINT_ROW_JSON && pf->n_columns == 1 ? "" : ", ", f->json,
		    c->quoted ? "\"" : "");
		assert(n > 0 && (size_t)n < sizeof(c->lead));
		c->lead_len = (uint8_t)n;
	}
	if (c->free)
		pf->row_max += TEXT_MAX * 5; /* escapes */
}

/* Append a column that rows have not got: its text is the same in all of them. */
static void
column_fix(struct print_format *pf, const struct print_client_column *from)
{
	static const uint8_t zero[16];
	const struct field *f = from->no != FIELD_COUNT ? &fields[from->no] : NULL;
	struct print_column *c = column_new(pf, f, f != NULL ? f->title : from->title);
	const char *text = from->text[form_is_padded(pf->form) ? 0 : 1];
	char value[TEXT_MAX];

	if (f == NULL && form_is_padded(pf->form)) {
		c->width = from->width;
		c->gap = 1;
	}
	if (text == NULL) {
		assert(f != NULL && f->octets <= sizeof(zero));
		text_value(f, zero, &pf->text, value);
		text = value;
	}
	c->fixed = true;
	c->offset = (uint32_t)pf->fixed.len;
	c->fixed_len = (uint8_t)strlen(text);
	text_line_put(&pf->fixed, text, c->fixed_len);
}

static void
counters_add(struct print_format *pf, const struct output *o, bool all)
{
	static const enum field_no orders[2][3] = { { F_PACKETS, F_FLOWS, F_BYTES },
		{ F_FLOWS, F_PACKETS, F_BYTES } };
	const enum field_no *order = orders[pf->form == PRINT_JSON];

	for (size_t i = 0; i < 3; i++)
		if (order[i] != F_FLOWS || field_set_has(&o->fields, F_FLOWS))
			column_add(pf, o, order[i]);
		else if (all)
			column_fix(pf, &(struct print_client_column){ .no = F_FLOWS });
	pf->columns[pf->n_columns - 1].width = 0; /* nothing follows bytes */
}

static void
format_start(struct print_format *pf, enum print_form form, char separator,
    const struct text_opts *text)
{
	memset(pf, 0, sizeof(*pf));
	pf->form = form;
	pf->separator = separator;
	pf->text = *text;
	pf->row_max = ADDED_MAX;
	pf->absent = form_is_padded(form) ? "::" : "";
}

static void
columns_add(struct print_format *pf, const struct output *o)
{
	for (uint16_t i = 0; i < o->n_columns; i++)
		if (fields[o->columns[i]].merge != FIELD_SUM)
			column_add(pf, o, (enum field_no)o->columns[i]);
}

void
print_format_init(struct print_format *pf, enum print_form form, char separator,
    const struct text_opts *text, const struct output *o)
{
	format_start(pf, form, separator, text);
	columns_add(pf, o);
	pf->stamps_before = pf->n_columns;
	if (form_has_counters(form))
		counters_add(pf, o, false);
}

void
print_format_init_client(struct print_format *pf, enum print_form form, char separator,
    const struct text_opts *text, const struct output *o, bool all)
{
	struct print_client_column columns[PRINT_CLIENT_MAX];
	bool json = form_is_json(form);
	unsigned n = 0;

	format_start(pf, form, separator, text);
	pf->text.zero_is_1970 = true;
	pf->absent = form_is_padded(form) ? "0" : "";
	if (json)
		columns_add(pf, o);
	else
		n = print_client_columns(o, !form_is_padded(form), all, columns);
	for (unsigned i = 0; i < n; i++)
		if (columns[i].no != FIELD_COUNT && field_set_has(&o->fields, columns[i].no))
			column_add(pf, o, columns[i].no);
		else
			column_fix(pf, &columns[i]);
	pf->stamps_before = pf->n_columns;
	if (form_has_counters(form))
		counters_add(pf, o, all && !json);
}

void
print_format_fini(struct print_format *pf)
{
	text_line_free(&pf->scratch);
	text_line_free(&pf->fixed);
}

/* Stamps are whole seconds whatever the other times are. */
void
print_format_bin(struct print_format *pf, uint64_t start, uint64_t now)
{
	struct text_opts o = pf->text;
	char inserted[TEXT_MAX], updated[TEXT_MAX];
	int n;

	pf->stamps_len = 0;
	if (!form_is_json(pf->form) || (start == 0 && now == 0))
		return;
	o.secs = true;
	text_time(start, &o, inserted);
	text_time(now, &o, updated);
	n = snprintf(pf->stamps, sizeof(pf->stamps),
	    ", \"stamp_inserted\": \"%.40s\", \"stamp_updated\": \"%.40s\"", inserted, updated);
	pf->stamps_len = (size_t)n;
}

static char *
pad(char *p, const char *start, const struct print_column *c)
{
	size_t len = (size_t)(p - start);
	size_t blanks = len + c->gap < c->width ? c->width - len : c->gap;

	memset(p, ' ', blanks);
	return p + blanks;
}

size_t
print_format_title(const struct print_format *pf, char *to)
{
	char *p = to;

	if (form_is_json(pf->form))
		return 0;
	for (unsigned i = 0; i < pf->n_columns; i++) {
		const struct print_column *c = &pf->columns[i];
		char *start;

		start = p = put(p, c->lead, c->lead_len);
		p = put(p, c->title, strlen(c->title));
		if (c->width != 0)
			p = pad(p, start, c);
	}
	*p++ = '\n';
	return (size_t)(p - to);
}

size_t
print_format_row(struct print_format *pf, const uint8_t *row, char *to)
{
	char *p = to;

	if (pf->form == PRINT_JSON)
		p = put(p, JSON_START, sizeof(JSON_START) - 1);
	else if (pf->form == PRINT_ROW_JSON)
		*p++ = '{';
	for (unsigned i = 0; i < pf->n_columns; i++) {
		const struct print_column *c = &pf->columns[i];
		char *start;

		if (i == pf->stamps_before)
			p = put(p, pf->stamps, pf->stamps_len);
		/* All of it, for it is one move then; row_max has room for that. */
		memcpy(p, c->lead, sizeof(c->lead));
		start = p += c->lead_len;
		p = c->fixed ? put(p, pf->fixed.p + c->offset, c->fixed_len)
			     : put_value(pf, c, row + c->offset, p);
		if (c->width != 0)
			p = pad(p, start, c);
	}
	if (form_is_json(pf->form))
		*p++ = '}';
	*p++ = '\n';
	return (size_t)(p - to);
}
