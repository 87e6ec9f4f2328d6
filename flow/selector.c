/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flow/selector.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/protos.h"
#include "lib/intern.h"

/* Times as numbers: texts must not depend on a time zone. */
static const struct text_opts opts = { .since_epoch = true };

static const struct field *
field_of(const char *name)
{
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (fields[i].config[0] != '\0' && strcmp(fields[i].config, name) == 0)
			return &fields[i];
	return NULL;
}

static int
number_parse(const struct field *f, const char *value, uint64_t *n, struct err *e)
{
	int proto = f->value == FIELD_PROTO ? proto_number(value) : -1;
	char *end;

	if (proto >= 0) {
		*n = (uint64_t)proto;
		return 0;
	}
	errno = 0;
	*n = strtoull(value, &end, f->value == FIELD_HEX ? 16 : 10);
	if (!isxdigit((unsigned char)value[0]) || *end != '\0' || errno != 0 ||
	    (f->octets < 8 && *n >> 8 * f->octets != 0))
		return err_set(e, WEIR_EINVAL, "%s: '%.64s' is no %s of %u octets", f->config,
		    value, f->value == FIELD_PROTO ? "protocol" : "number", f->octets);
	return 0;
}

static int
prefix_take(const struct field *f, const char *value, struct prefix *p, struct err *e)
{
	bool bits;

	if (prefix_parse(value, p, &bits) != 0)
		return err_set(e, WEIR_EINVAL,
		    "%s: '%.64s' is no address; write one like 192.0.2.1 or 2001:db8::/32",
		    f->config, value);
	return 0;
}

/* Texts are compared by the number that they have in this process. */
static int
text_take(const struct field *f, const char *text, uint64_t *n, struct err *e)
{
	*n = intern(text, strlen(text));
	if (*n != 0 || text[0] == '\0')
		return 0;
	return err_set(e, WEIR_EFULL, "%s: no room for another text", f->config);
}

static int
mac_take(const struct field *f, const char *value, uint64_t *n, struct err *e)
{
	char text[MAC_STRLEN];
	mac_t mac;

	if (mac_parse(value, &mac) != 0)
		return err_set(e, WEIR_EINVAL,
		    "%s: '%.64s' is no MAC address; write one like 00:00:5e:00:53:01",
		    f->config, value);
	mac_format(&mac, text);
	return text_take(f, text, n, e);
}

static int
term_parse(struct selector_term *t, const struct field *f, const char *value,
    struct err *e)
{
	t->field = (uint16_t)field_no(f);
	switch (f->value) {
	case FIELD_IP:
		t->kind = SELECTOR_PREFIX;
		return prefix_take(f, value, &t->prefix, e);
	case FIELD_UINT:
	case FIELD_HEX:
	case FIELD_PROTO:
		t->kind = SELECTOR_NUMBER;
		return number_parse(f, value, &t->number, e);
	case FIELD_STR:
	case FIELD_LIST:
	case FIELD_LABELS:
		t->kind = SELECTOR_NUMBER;
		return text_take(f, value, &t->number, e);
	case FIELD_MAC:
		t->kind = SELECTOR_TEXT;
		return mac_take(f, value, &t->number, e);
	default:
		t->kind = SELECTOR_TEXT;
		return text_take(f, value, &t->number, e);
	}
}

int
selector_add(struct selector *s, const char *name, const char *value, struct err *e)
{
	const struct field *f = field_of(name);

	if (f == NULL)
		return err_set(e, WEIR_ENOENT, "'%.64s' is no primitive", name);
	if (f->merge != FIELD_KEY)
		return err_set(e, WEIR_EINVAL, "%s is counted, and no part of a key", name);
	for (unsigned i = 0; i < s->n; i++)
		if (s->terms[i].field == field_no(f))
			return err_set(e, WEIR_EINVAL, "%s stands twice", name);
	if (s->n == SELECTOR_TERMS)
		return err_set(e, WEIR_EFULL, "more than %u conditions", SELECTOR_TERMS);
	if (term_parse(&s->terms[s->n], f, value, e) != 0)
		return -e->code;
	s->n++;
	return 0;
}

/* Cut the next word off `*text`, its quotes taken out, to `word` (`room` octets). */
static int
word_next(const char **text, char *word, size_t room, struct err *e)
{
	const char *p = *text + strspn(*text, " \t");
	bool quoted = false;
	size_t n = 0;

	for (; *p != '\0' && (quoted || (*p != ' ' && *p != '\t')); p++) {
		if (*p == '\'')
			quoted = !quoted;
		else if (n + 1 < room)
			word[n++] = *p;
		else
			return err_set(e, WEIR_EINVAL,
			    "a condition of more than %zu octets", room);
	}
	word[n] = '\0';
	*text = p;
	return quoted ? err_set(e, WEIR_EINVAL, "a quote is not closed") : 0;
}

int
selector_parse(struct selector *s, const char *text, struct err *e)
{
	char word[512];

	memset(s, 0, sizeof(*s));
	if (strcmp(text, "total") == 0)
		return 0;
	for (;;) {
		int rc = word_next(&text, word, sizeof(word), e);
		char *value = strchr(word, '=');

		if (rc != 0 || word[0] == '\0')
			return rc;
		if (value == NULL)
			return err_set(e, WEIR_EINVAL,
			    "'%.64s' is no condition; write primitive=value", word);
		*value++ = '\0';
		if ((rc = selector_add(s, word, value, e)) != 0)
			return rc;
	}
}

/* The value of `t` as text to `buf` (TEXT_MAX). */
static void
term_text(const struct selector_term *t, char *buf)
{
	const struct field *f = &fields[t->field];
	uint64_t value;
	size_t len;

	switch ((enum selector_kind)t->kind) {
	case SELECTOR_PREFIX:
		len = ip_is_none(&t->prefix.addr) ? (size_t)sprintf(buf, "::")
		                                  : ip_format(&t->prefix.addr, buf);
		if (t->prefix.len < 128)
			snprintf(buf + len, TEXT_MAX - len, "/%u",
			    t->prefix.len - (ip_is_v4(&t->prefix.addr) ? 96U : 0U));
		break;
	case SELECTOR_NUMBER:
		field_uint_set(&value, f->octets, t->number);
		text_value(f, &value, &opts, buf);
		break;
	case SELECTOR_TEXT:
		snprintf(buf, TEXT_MAX, "%s", intern_text((uint32_t)t->number));
		break;
	}
}

size_t
selector_text(const struct selector *s, char *buf, size_t room)
{
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < s->n && len < room; i++) {
		char value[TEXT_MAX];
		const char *quote;

		term_text(&s->terms[i], value);
		quote = strpbrk(value, " \t") != NULL ? "'" : "";
		len += (size_t)snprintf(buf + len, room - len, "%s%s=%s%s%s",
		    len > 0 ? " " : "",
		    fields[s->terms[i].field].config, quote, value, quote);
	}
	return len < room ? len : room - 1;
}

int
selector_check(const struct selector *s, const struct rowspec *rs, struct err *e)
{
	for (unsigned i = 0; i < s->n; i++) {
		char names[256] = "";
		size_t len = 0;

		if (field_set_has(&rs->set, (enum field_no)s->terms[i].field))
			continue;
		for (uint16_t k = 0; k < rs->n_shown && len < sizeof(names); k++)
			if (fields[rs->shown[k]].merge == FIELD_KEY)
				len += (size_t)snprintf(names + len, sizeof(names) - len,
				    "%s%s",
				    len > 0 ? "," : "", fields[rs->shown[k]].config);
		return err_set(e, WEIR_EINVAL, "the view's keys have no %s but %s",
		    fields[s->terms[i].field].config, len > 0 ? names : "nothing at all");
	}
	return 0;
}

/* Whether `p` is a text form of no address: 0.0.0.0, or :: as networks have it. */
static bool
prefix_is_none(const struct prefix *p)
{
	static const ip16_t v4 = { { [10] = 0xff, [11] = 0xff } };

	return p->len == 128 && (ip_is_none(&p->addr) || ip_equal(&p->addr, &v4));
}

/* Put the one value that `t` asks for at `to`; false if it is not one. */
static bool
term_put(const struct selector_term *t, uint8_t *to)
{
	const struct field *f = &fields[t->field];

	if (t->kind == SELECTOR_NUMBER) {
		field_uint_set(to, f->octets, t->number);
		return true;
	}
	if (t->kind == SELECTOR_PREFIX && t->prefix.len == 128) {
		if (!prefix_is_none(&t->prefix))
			memcpy(to, &t->prefix.addr, sizeof(t->prefix.addr));
		return true;
	}
	return f->value == FIELD_MAC &&
	       mac_parse(intern_text((uint32_t)t->number), (mac_t *)(void *)to) == 0;
}

int
selector_row(const struct selector *s, const struct rowspec *rs, uint8_t *row, struct err *e)
{
	memset(row, 0, rs->row_octets);
	for (uint16_t k = 0; k < rs->n_shown; k++) {
		const struct field *f = &fields[rs->shown[k]];
		unsigned i = 0;

		if (f->merge != FIELD_KEY)
			continue;
		while (i < s->n && s->terms[i].field != field_no(f))
			i++;
		if (i == s->n)
			return err_set(e, WEIR_EINVAL, "the key lacks %s", f->config);
		if (!term_put(&s->terms[i], row + rs->offset[rs->shown[k]]))
			return err_set(e, WEIR_EINVAL, "%s is not one value", f->config);
	}
	return 0;
}

static bool
term_matches(const struct selector_term *t, const void *value)
{
	const struct field *f = &fields[t->field];
	char text[TEXT_MAX];
	ip16_t ip;

	switch ((enum selector_kind)t->kind) {
	case SELECTOR_PREFIX:
		memcpy(&ip, value, sizeof(ip));
		return ip_is_none(&ip) ? prefix_is_none(&t->prefix)
		                       : prefix_holds(&t->prefix, &ip);
	case SELECTOR_NUMBER:
		return field_uint(value, f->octets) == t->number;
	case SELECTOR_TEXT:
		text_value(f, value, &opts, text);
		return strcmp(text, intern_text((uint32_t)t->number)) == 0;
	}
	return false;
}

bool
selector_matches(const struct selector *s, const struct rowspec *rs, const uint8_t *row)
{
	for (unsigned i = 0; i < s->n; i++)
		if (!term_matches(&s->terms[i],
		        rowspec_value(rs, row, &fields[s->terms[i].field])))
			return false;
	return true;
}
