/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/value.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/utf8.h"
#include "lib/wbuf.h"

enum inet_type
value_inet_type(const ip16_t *a)
{
	if (ip_is_none(a))
		return INET_UNKNOWN;
	return ip_is_v4(a) ? INET_IPV4 : INET_IPV6;
}

void
value_octets(struct value *v, const void *p, size_t len)
{
	assert(len <= sizeof(v->octets));
	memcpy(v->octets, p, len);
	v->len = len;
}

void
value_inet(struct value *v, const ip16_t *a, enum inet_type type)
{
	switch (type) {
	case INET_UNKNOWN:
		v->len = 0;
		break;
	case INET_IPV4:
		value_octets(v, a->b + 12, 4);
		break;
	case INET_IPV6:
		value_octets(v, a->b, 16);
		break;
	}
}

size_t
utf8_cut(const char *s, size_t len, size_t room)
{
	if (len <= room)
		return len;
	while (room > 0 && ((unsigned char)s[room] & 0xc0) == 0x80)
		room--;
	return room;
}

void
utf8_mend(char *s)
{
	while (*s != '\0') {
		size_t len = (unsigned char)*s < 0x80 ? 1 : utf8_len(s);

		if (len == 0)
			*s = '?';
		s += len > 0 ? len : 1;
	}
}

void
value_text(struct value *v, const char *s)
{
	char text[VALUE_OCTETS_MAX + 1];
	size_t len = utf8_cut(s, strlen(s), sizeof(v->octets));

	memcpy(text, s, len);
	text[len] = '\0';
	utf8_mend(text);
	value_octets(v, text, len);
}

void
value_date(struct value *v, uint64_t ns)
{
	time_t t = (time_t)(ns / CLOCK_S);
	struct wbuf w = wbuf_of(v->octets, 11);
	struct tm tm;

	if (ns == 0) {
		memset(v->octets, 0, 8);
		v->len = 8;
		return;
	}
	gmtime_r(&t, &tm);
	wbuf_u16(&w, (uint16_t)(tm.tm_year + 1900));
	wbuf_u8(&w, (uint8_t)(tm.tm_mon + 1));
	wbuf_u8(&w, (uint8_t)tm.tm_mday);
	wbuf_u8(&w, (uint8_t)tm.tm_hour);
	wbuf_u8(&w, (uint8_t)tm.tm_min);
	wbuf_u8(&w, (uint8_t)tm.tm_sec);
	wbuf_u8(&w, (uint8_t)(ns % CLOCK_S / (100 * CLOCK_MS)));
	wbuf_put(&w, "+\0\0", 3);
	v->len = wbuf_len(&w);
}
