/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "lib/ip.h"

#include <arpa/inet.h>
#include <endian.h>
#include <assert.h>
#include <sys/socket.h>

#include "lib/err.h"

_Static_assert(IP_STRLEN >= INET6_ADDRSTRLEN, "an IPv6 address fits");

/* The first `n` bits of 64, in network order; n to 64. */
static uint64_t
high_bits(unsigned n)
{
	return htobe64(n == 0 ? 0 : UINT64_MAX << (64 - n));
}

ip16_t
ip_mask(const ip16_t *a, unsigned bits)
{
	uint64_t w[2];
	ip16_t out;

	memcpy(w, a->b, sizeof(w));
	w[0] &= high_bits(bits < 64 ? bits : 64);
	w[1] &= high_bits(bits < 64 ? 0 : bits < 128 ? bits - 64 : 64);
	memcpy(out.b, w, sizeof(w));
	return out;
}

int
ip_parse(const char *text, ip16_t *out)
{
	uint8_t v4[4], v6[16];

	if (inet_pton(AF_INET, text, v4) == 1)
		*out = ip_from_v4(v4);
	else if (inet_pton(AF_INET6, text, v6) == 1)
		*out = ip_from_v6(v6);
	else
		return -WEIR_EINVAL;
	return 0;
}

/* The octets in decimal, each with the dot behind it. */
#define TEN(tens)                                                                         \
	tens "0.", tens "1.", tens "2.", tens "3.", tens "4.", tens "5.", tens "6.",       \
	    tens "7.", tens "8.", tens "9."
static const char octet_texts[256][5] = { TEN(""), TEN("1"), TEN("2"), TEN("3"), TEN("4"),
	TEN("5"), TEN("6"), TEN("7"), TEN("8"), TEN("9"), TEN("10"), TEN("11"), TEN("12"),
	TEN("13"), TEN("14"), TEN("15"), TEN("16"), TEN("17"), TEN("18"), TEN("19"), TEN("20"),
	TEN("21"), TEN("22"), TEN("23"), TEN("24"), "250.", "251.", "252.", "253.", "254.",
	"255." };
#undef TEN

/*
 * Write `a` as a dotted quad of its last four octets at `p`, which has room for four of
 * three digits and a dot each. Returns where it ends.
 */
static char *
quad_format(char *p, const ip16_t *a)
{
	for (int i = 12; i < 16; i++) {
		uint8_t v = a->b[i];

		memcpy(p, octet_texts[v], 4);
		p += 2 + (v > 9) + (v > 99);
	}
	return p - 1;
}

/* Write `v` in hex without leading zeroes at `p`. Returns where it ends. */
static char *
group_format(char *p, unsigned v)
{
	static const char digits[] = "0123456789abcdef";

	for (int shift = v > 0xfff ? 12 : v > 0xff ? 8 : v > 0xf ? 4 : 0; shift >= 0;
	    shift -= 4)
		*p++ = digits[v >> shift & 15];
	return p;
}

/* Find the first longest run of two or more zero groups; returns its length, 0: none. */
static int
zeroes_find(const unsigned *group, int *at)
{
	int best = 1;

	for (int i = 0, n = 0; i < 8; i++) {
		n = group[i] == 0 ? n + 1 : 0;
		if (n > best) {
			best = n;
			*at = i + 1 - n;
		}
	}
	return best > 1 ? best : 0;
}

/* As inet_ntop, which takes several times as long: outputs write millions of these. */
static char *
ip6_format(char *p, const ip16_t *a)
{
	unsigned group[8];
	int at = 8, zeroes;

	for (int i = 0; i < 8; i++)
		group[i] = (unsigned)a->b[2 * i] << 8 | a->b[2 * i + 1];
	zeroes = zeroes_find(group, &at);
	for (int i = 0; i < 8; i++) {
		if (i == at) {
			*p++ = ':';
			i += zeroes - 1;
			if (i == 7)
				*p++ = ':';
			continue;
		}
		if (i > 0)
			*p++ = ':';
		if (i == 6 && at == 0 && zeroes == 6) /* RFC 4291 s2.5.5.1 */
			return quad_format(p, a);
		p = group_format(p, group[i]);
	}
	return p;
}

size_t
ip_format(const ip16_t *a, char *buf)
{
	char *end = ip_is_v4(a) || ip_is_none(a) ? quad_format(buf, a) : ip6_format(buf, a);

	*end = '\0';
	return (size_t)(end - buf);
}

/* The decimal number, 0 to `max`, that `text` is from end to end, or -1. */
static int
bits_parse(const char *text, int max)
{
	int v = 0;

	if (*text == '\0' || strlen(text) > 3)
		return -1;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		v = v * 10 + (*text - '0');
	}
	return v <= max ? v : -1;
}

int
prefix_parse(const char *text, struct prefix *out, bool *had_host_bits)
{
	const char *slash = strchr(text, '/');
	size_t n = slash != NULL ? (size_t)(slash - text) : strlen(text);
	char host[IP_STRLEN];
	int len = 128;
	ip16_t addr;

	if (n >= sizeof(host))
		return -WEIR_EINVAL;
	memcpy(host, text, n);
	host[n] = '\0';
	if (ip_parse(host, &addr) != 0)
		return -WEIR_EINVAL;
	if (slash != NULL) {
		/* 10.0.0.0/8 counts its own bits, ::ffff:10.0.0.0/104 all of them. */
		int before = strchr(host, ':') == NULL ? 96 : 0;

		len = bits_parse(slash + 1, 128 - before);
		if (len < 0)
			return -WEIR_EINVAL;
		len += before;
	}
	out->addr = ip_mask(&addr, (unsigned)len);
	out->len = (uint8_t)len;
	if (had_host_bits != NULL)
		*had_host_bits = !ip_equal(&out->addr, &addr);
	return 0;
}

bool
prefix_holds(const struct prefix *p, const ip16_t *a)
{
	ip16_t net = ip_mask(a, p->len);

	return ip_equal(&net, &p->addr) && ip_is_v4(a) == ip_is_v4(&p->addr);
}

size_t
mac_format(const mac_t *m, char *buf)
{
	static const char hex[] = "0123456789abcdef";

	for (int i = 0; i < 6; i++) {
		buf[3 * i] = hex[m->b[i] >> 4];
		buf[3 * i + 1] = hex[m->b[i] & 15];
		buf[3 * i + 2] = ':';
	}
	buf[17] = '\0';
	return 17;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
mac_parse(const char *text, mac_t *out)
{
	char divider = '\0';
	mac_t m;

	for (int i = 0; i < 6; i++) {
		int v = hex_digit(*text), low;

		if (v < 0)
			return -WEIR_EINVAL;
		text++;
		if ((low = hex_digit(*text)) >= 0) {
			v = v << 4 | low;
			text++;
		}
		m.b[i] = (uint8_t)v;
		if (i == 0 && (*text == ':' || *text == '-'))
			divider = *text;
		if (*text != (i < 5 ? divider : '\0') || (i < 5 && divider == '\0'))
			return -WEIR_EINVAL;
		text++;
	}
	*out = m;
	return 0;
}
