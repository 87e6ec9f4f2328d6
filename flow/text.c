/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flow/text.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "flow/custom.h"
#include "flow/fwd_status.h"
#include "flow/protos.h"
#include "flow/sample_type.h"
#include "lib/clock.h"
#include "lib/intern.h"
#include "lib/utf8.h"

static const char hex[] = "0123456789abcdef";

/* How many `v` has in decimal. */
static size_t
digits(uint64_t v)
{
	size_t n = 1;

	for (; v > 9999; v /= 10000)
		n += 4;
	return n + (v > 9) + (v > 99) + (v > 999);
}

/* Two digits at a time; printf would cost more than the rest of a row. */
size_t
text_uint(uint64_t v, char *buf)
{
	static const char pairs[] =
	    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
	    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
	    "8081828384858687888990919293949596979899";
	size_t len = digits(v);
	char *p = buf + len;

	*p = '\0';
	for (; v >= 100; v /= 100)
		memcpy(p -= 2, pairs + v % 100 * 2, 2);
	if (v >= 10)
		memcpy(p - 2, pairs + v * 2, 2);
	else
		p[-1] = (char)('0' + v);
	return len;
}

static size_t
text_string(const char *s, char *buf)
{
	size_t len = strnlen(s, TEXT_MAX - 1);

	memcpy(buf, s, len);
	buf[len] = '\0';
	return len;
}

static size_t
text_hex(uint64_t v, char *buf)
{
	size_t digits = 1, n;

	for (n = 60; n > 0; n -= 4)
		if (v >> n != 0)
			digits++;
	for (n = 0; n < digits; n++)
		buf[n] = hex[v >> 4 * (digits - 1 - n) & 15];
	buf[n] = '\0';
	return n;
}

/* "Z", or the zone's hours and minutes before or after. */
static size_t
text_zone(const struct tm *tm, char *buf)
{
	long minutes = tm->tm_gmtoff / 60;

	if (minutes == 0)
		return text_string("Z", buf);
	return (size_t)snprintf(buf, 8, "%+03d:%02d", (int)(minutes / 60) % 100,
	    abs((int)(minutes % 60)));
}

size_t
text_time(uint64_t ns, const struct text_opts *o, char *buf)
{
	time_t t = (time_t)(ns / CLOCK_S);
	unsigned us = (unsigned)(ns % CLOCK_S / CLOCK_US);
	struct tm tm = { 0 };
	size_t len;

	if (o->since_epoch) {
		len = text_uint((uint64_t)t, buf);
	} else if (ns == 0 && !o->zero_is_1970) {
		len = text_string("0000-00-00 00:00:00", buf);
	} else {
		if (o->utc)
			gmtime_r(&t, &tm);
		else
			localtime_r(&t, &tm);
		len = strftime(buf, TEXT_MAX - 16, "%Y-%m-%d %H:%M:%S", &tm);
	}
	if (!o->secs)
		len += (size_t)snprintf(buf + len, 8, ".%06u", us);
	if (o->rfc3339 && !o->since_epoch) {
		buf[sizeof("0000-00-00") - 1] = 'T';
		len += text_zone(&tm, buf + len);
	}
	return len;
}

/* "type:administrator:number" of a route distinguisher: RFC 4364 s4.2. */
static size_t
text_rd(uint64_t v, char *buf)
{
	unsigned type = (unsigned)(rd_plain(v) >> 48);
	const uint8_t ip[4] = { (uint8_t)(v >> 40), (uint8_t)(v >> 32), (uint8_t)(v >> 24),
		(uint8_t)(v >> 16) };
	int len;

	switch (type) {
	case 0:
		len = snprintf(buf, TEXT_MAX, "0:%u:%u", (unsigned)(v >> 32 & 0xffff),
		    (unsigned)(v & 0xffffffff));
		break;
	case 1:
		len = snprintf(buf, TEXT_MAX, "1:%u.%u.%u.%u:%u", ip[0], ip[1], ip[2], ip[3],
		    (unsigned)(v & 0xffff));
		break;
	case 2:
		len = snprintf(buf, TEXT_MAX, "2:%u:%u", (unsigned)(v >> 16 & 0xffffffff),
		    (unsigned)(v & 0xffff));
		break;
	case RD_TYPE_VRF:
		len = snprintf(buf, TEXT_MAX, "vrfid:%u", (unsigned)(v & 0xffffffff));
		break;
	default:
		return text_string("unknown", buf);
	}
	return (size_t)len;
}

const char *
text_rd_origin(const void *value)
{
	switch (rd_origin(field_uint(value, 8))) {
	case RD_FLOW:
		return "flow";
	case RD_MAP:
		return "map";
	case RD_UNKNOWN:
		break;
	}
	return "unknown";
}

static size_t
text_direction(uint64_t v, char *buf)
{
	return text_string(v == DIRECTION_IN ? "i" : v == DIRECTION_OUT ? "e" : "u", buf);
}

/* Always six decimals, as pmacct has them in text. */
static size_t
text_degrees(uint32_t v, char *buf)
{
	bool south = v >> 31 != 0;
	uint32_t millionths = south ? 0 - v : v;

	return (size_t)snprintf(buf, TEXT_MAX, "%s%u.%06u", south ? "-" : "",
	    (unsigned)(millionths / 1000000), (unsigned)(millionths % 1000000));
}

size_t
text_value(const struct field *f, const void *value, const struct text_opts *o, char *buf)
{
	ip16_t ip;
	mac_t mac;
	uint64_t v;

	switch (f->value) {
	case FIELD_IP:
		memcpy(&ip, value, sizeof(ip));
		if (field_is_network(f) && ip_is_none(&ip))
			return text_string("::", buf);
		return ip_format(&ip, buf);
	case FIELD_MAC:
		memcpy(&mac, value, sizeof(mac));
		return mac_format(&mac, buf);
	case FIELD_STR:
	case FIELD_LIST:
	case FIELD_LABELS:
		return text_string(intern_text((uint32_t)field_uint(value, 4)), buf);
	case FIELD_TIME:
		return text_time(field_uint(value, 8), o, buf);
	case FIELD_PROTO:
		v = field_uint(value, 1);
		return o->num_protos ? text_uint(v, buf)
		                     : text_string(proto_name((uint8_t)v), buf);
	case FIELD_HEX:
		return text_hex(field_uint(value, f->octets), buf);
	case FIELD_RD:
		return text_rd(field_uint(value, 8), buf);
	case FIELD_DIRECTION:
		return text_direction(field_uint(value, 1), buf);
	case FIELD_STATUS:
		v = field_uint(value, 1);
		return o->status_names ? text_string(fwd_status_name((uint8_t)v), buf)
				       : text_uint(v, buf);
	case FIELD_DEGREES:
		return text_degrees((uint32_t)field_uint(value, 4), buf);
	case FIELD_SAMPLE:
		return sample_type_text((uint32_t)field_uint(value, 4), buf);
	case FIELD_CUSTOM:
		return custom_text(f, value, buf);
	case FIELD_UINT:
	case FIELD_FLAGS:
		return text_uint(field_uint(value, f->octets), buf);
	}
	assert(false && "a value of no kind");
	return 0;
}

char *
text_line_room(struct text_line *l, size_t more)
{
	if (l->p == NULL || l->len + more > l->room) {
		size_t room = (l->len + more + 1) * 2;
		char *p = realloc(l->p, room);

		if (p == NULL)
			abort(); /* a line of output is small: the machine is out of memory */
		l->p = p;
		l->room = room;
	}
	return l->p + l->len;
}

void
text_line_free(struct text_line *l)
{
	free(l->p);
	memset(l, 0, sizeof(*l));
}

void
text_line_put(struct text_line *l, const char *s, size_t len)
{
	memcpy(text_line_room(l, len), s, len);
	l->len += len;
}

/* Strings come from outside: what is no UTF-8 would make the whole text no JSON. */
void
text_line_json(struct text_line *l, const char *s)
{
	char *p = text_line_room(l, strlen(s) * 6 + 2), *start = p;

	*p++ = '"';
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;
		size_t len = utf8_len(s);

		if (len == 0) {
			*p++ = '?';
			continue;
		}
		if (len > 1) {
			memcpy(p, s, len);
			p += len;
			s += len - 1;
			continue;
		}
		if (c == '"' || c == '\\') {
			*p++ = '\\';
			*p++ = (char)c;
		} else if (c < ' ' || c == 0x7f) {
			memcpy(p, "\\u00", 4);
			p[4] = hex[c >> 4];
			p[5] = hex[c & 15];
			p += 6;
		} else {
			*p++ = (char)c;
		}
	}
	*p++ = '"';
	l->len += (size_t)(p - start);
}

/* The parts of a list as an array, each behind its place and a dash where `numbered`. */
static void
json_list(struct text_line *l, const char *text, bool numbered)
{
	unsigned n = 0;

	text_line_put(l, "[", 1);
	while (*text != '\0') {
		size_t len = strcspn(text, "_");
		char part[TEXT_MAX + 16];

		if (numbered)
			snprintf(part, sizeof(part), "%u-%.*s", n, (int)len, text);
		else
			snprintf(part, sizeof(part), "%.*s", (int)len, text);
		if (n++ > 0)
			text_line_put(l, ", ", 2);
		text_line_json(l, part);
		text += len + (text[len] == '_');
	}
	text_line_put(l, "]", 1);
}

/* Names of the flags that are set, in pmacct's order: RFC 9293 s3.1. */
static void
json_flags(struct text_line *l, const char *text)
{
	static const struct {
		uint8_t bit;
		const char *name;
	} flags[] = { { 0x20, "URG" }, { 0x10, "ACK" }, { 0x08, "PSH" }, { 0x04, "RST" },
		{ 0x02, "SYN" }, { 0x01, "FIN" } };
	unsigned long set = strtoul(text, NULL, 10);
	bool first = true;

	text_line_put(l, "[", 1);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if ((set & flags[i].bit) == 0)
			continue;
		if (!first)
			text_line_put(l, ", ", 2);
		text_line_json(l, flags[i].name);
		first = false;
	}
	text_line_put(l, "]", 1);
}

/* Whether a later part of `text`, which begins behind a part, has the `len` octets of `key`. */
static bool
key_follows(const char *text, const char *key, size_t len)
{
	while (*text != '\0') {
		size_t part = strcspn(text, ",");

		if (strcspn(text, "%,") == len && memcmp(text, key, len) == 0)
			return true;
		text += part + (text[part] == ',');
	}
	return false;
}

static void
json_part(struct text_line *l, const char *text, size_t len)
{
	char part[TEXT_MAX];

	snprintf(part, sizeof(part), "%.*s", (int)len, text);
	text_line_json(l, part);
}

/* The parts key%value of a label, divided by commas, as an object. */
static void
json_map(struct text_line *l, const char *text)
{
	bool first = true;

	text_line_put(l, "{", 1);
	while (*text != '\0') {
		size_t len = strcspn(text, ","), key = strcspn(text, "%,");
		const char *next = text + len + (text[len] == ',');

		if (len > 0 && !key_follows(next, text, key)) {
			if (!first)
				text_line_put(l, ", ", 2);
			first = false;
			json_part(l, text, key);
			text_line_put(l, ": ", 2);
			json_part(l, text + key + (key < len), key < len ? len - key - 1 : 0);
		}
		text = next;
	}
	text_line_put(l, "}", 1);
}

/* pmacct writes numbers as numbers, but flags, EtherTypes and protocols as strings. */
void
text_line_json_text(struct text_line *l, const struct field *f, const char *text,
    const struct text_opts *o)
{
	if (field_is_number(f))
		text_line_put(l, text, strlen(text));
	else if (f->value == FIELD_FLAGS && o->flags_array)
		json_flags(l, text);
	else if (f == &fields[F_LABEL] && o->label_map)
		json_map(l, text);
	else if (f->value == FIELD_LIST || (f->value == FIELD_LABELS && o->labels_array))
		json_list(l, text, f->value == FIELD_LABELS);
	else
		text_line_json(l, text);
}

void
text_line_csv(struct text_line *l, const char *s, char sep)
{
	const char stops[] = { sep, '"', '\n', '\r', '\0' };

	if (s[strcspn(s, stops)] == '\0') {
		text_line_put(l, s, strlen(s));
		return;
	}
	text_line_put(l, "\"", 1);
	for (; *s != '\0'; s++) {
		if (*s == '"')
			text_line_put(l, "\"", 1);
		text_line_put(l, s, 1);
	}
	text_line_put(l, "\"", 1);
}

size_t
text_key(const struct rowspec *rs, const uint8_t *row, const struct text_opts *o,
    char *buf, size_t room)
{
	size_t len = 0;

	assert(room > 0);
	buf[0] = '\0';
	for (uint16_t i = 0; i < rs->n_shown; i++) {
		const struct field *f = &fields[rs->shown[i]];
		char value[TEXT_MAX];

		if (f->merge != FIELD_KEY)
			continue;
		text_value(f, rowspec_value(rs, row, f), o, value);
		len += (size_t)snprintf(buf + len, room - len, "%s%s=%s",
		    len > 0 ? " " : "", f->config, value);
		if (len >= room)
			return room - 1;
	}
	if (len == 0)
		len = (size_t)snprintf(buf, room, "total");
	return len < room ? len : room - 1;
}
