/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/value.h"

#include <assert.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/intern.h"
#include "lib/rbuf.h"
#include "proto/netflow.h"

#define NTP_1970 UINT64_C(2208988800) /* s from 1900 to 1970: RFC 5905 */

static uint64_t
uint_load(const uint8_t *p, unsigned octets)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < octets; i++)
		v = v << 8 | p[i];
	return v;
}

/* s and fraction since 1900 to ns since 1970; 0 when before. */
static uint64_t
ntp_ns(const uint8_t *p)
{
	uint64_t s = wire_u32(p), fraction = wire_u32(p + 4);

	/* Era 1 begins in 2036: a number too small for 1970 is of that era. */
	if (s == 0 && fraction == 0)
		return 0;
	s += s < NTP_1970 ? UINT64_C(1) << 32 : 0;
	return (s - NTP_1970) * CLOCK_S + (fraction * CLOCK_S >> 32);
}

/* Milliseconds of the exporter's uptime: in IPFIX its start stands beside it. */
static uint64_t
uptime_ns(uint64_t v, const struct value_env *env)
{
	if (env->boot_ns != 0)
		return v <= UINT32_MAX ? env->boot_ns + v * CLOCK_MS : 0;
	return netflow_uptime_ns(
	    env->clock->export_ns, env->clock->uptime_ms, (uint32_t)v);
}

/* The value at `p` as a time, ns since 1970; 0 when it is none. */
static uint64_t
time_load(enum ie_convert convert, const uint8_t *p, unsigned octets,
    const struct value_env *env)
{
	uint64_t v = uint_load(p, octets), now = env->clock->export_ns;

	switch (convert) {
	case IE_S:
		return value_scale(v, CLOCK_S);
	case IE_MS:
		return value_scale(v, CLOCK_MS);
	case IE_NTP:
		return ntp_ns(p);
	case IE_DELTA_US:
		v = value_scale(v, CLOCK_US);
		return now > v ? now - v : 0;
	default:
		return uptime_ns(v, env);
	}
}

/* An entry of a stack of labels; the S bit is the lowest of the octet behind the label. */
static void
label_store(
    enum ie_convert convert, const uint8_t *p, struct value_env *env, uint8_t *to)
{
	uint32_t entry = (uint32_t)uint_load(p, 3), label = entry >> 4;

	if (entry == 0)
		return;
	if (convert == IE_PUSH) {
		if (env->n_labels < sizeof(env->labels) / sizeof(env->labels[0]))
			env->labels[env->n_labels++] = label;
	} else if (convert == IE_LABEL || (entry & 1) != 0) {
		memcpy(to, &label, sizeof(label));
	}
}

uint32_t
value_labels(const struct value_env *env)
{
	char text[sizeof(env->labels) / sizeof(env->labels[0]) * sizeof("1048575_")];
	char *p = text + sizeof(text);

	/* Backwards, as digits come; printf would cost more than all the rest. */
	for (unsigned i = env->n_labels; i-- > 0;) {
		uint32_t label = env->labels[i];

		do
			*--p = (char)('0' + label % 10);
		while ((label /= 10) != 0);
		if (i > 0)
			*--p = '_';
	}
	return intern(p, (size_t)(text + sizeof(text) - p));
}

/* A segment of an overlay: its kind stands in the first octet. */
static void
overlay_store(uint8_t kind, const uint8_t *p, uint8_t *to)
{
	uint32_t id = (uint32_t)uint_load(p + 5, 3);

	if (p[0] == kind)
		memcpy(to, &id, sizeof(id));
}

uint32_t
value_segments(struct rbuf r)
{
	char text[INTERN_MAX_LEN + 1];
	size_t len = 0;

	while (rbuf_left(&r) >= sizeof(ip16_t)) {
		char one[IP_STRLEN];
		ip16_t a = ip_from_v6(rbuf_get(&r, sizeof(ip16_t)));
		size_t more = ip_format(&a, one);

		if (len + 1 + more > INTERN_MAX_LEN)
			break;
		if (len > 0)
			text[len++] = '_';
		memcpy(text + len, one, more);
		len += more;
	}
	return intern(text, len);
}

/* A basicList: what the values mean, the element of each and its length, the values. */
static uint32_t
list_intern(struct rbuf r)
{
	uint16_t id, octets;

	rbuf_skip(&r, 1);
	id = rbuf_u16(&r);
	octets = rbuf_u16(&r);
	if ((id & FIELD_ENTERPRISE) != 0)
		rbuf_skip(&r, 4);
	return octets == sizeof(ip16_t) ? value_segments(r) : 0;
}

/* Octets as hexadecimal digits; those beyond the longest string are left out. */
static uint32_t
hex_intern(enum ie_convert convert, const uint8_t *p, unsigned octets)
{
	const char *digits = convert == IE_RAW ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[INTERN_MAX_LEN + 1];
	size_t len = 0;

	for (unsigned i = 0; i < octets && len + 3 <= INTERN_MAX_LEN; i++) {
		if (convert == IE_RAW && i > 0)
			text[len++] = '-';
		text[len++] = digits[p[i] >> 4];
		text[len++] = digits[p[i] & 15];
		/* "0007" is 7. */
		if (convert == IE_HEX && i + 1 < octets && len == 2 && p[i] == 0)
			len = 0;
	}
	if (convert == IE_HEX && len > 1 && text[0] == '0')
		return intern(text + 1, len - 1);
	return intern(text, len);
}

static void
uint_store(const uint8_t *p, unsigned octets, unsigned width, uint8_t *to)
{
	if (octets > width) {
		p += octets - width;
		octets = width;
	}
	field_uint_set(to, width, uint_load(p, octets));
}

void
value_store(enum ie_convert convert, const uint8_t *p, unsigned octets,
    struct value_env *env, unsigned width, uint8_t *to)
{
	ip16_t a;

	switch (convert) {
	case IE_RD:
		field_uint_set(to, width, rd_from(uint_load(p, 8), RD_FLOW));
		return;
	case IE_UINT:
		uint_store(p, octets, width, to);
		return;
	case IE_LOW8:
		field_uint_set(to, width, p[octets - 1]);
		return;
	case IE_HIGH8:
		field_uint_set(to, width, p[octets - 2]);
		return;
	case IE_DSCP:
		field_uint_set(to, width, (uint64_t)p[octets - 1] << 2 & 0xff);
		return;
	case IE_DIRECTION:
		field_uint_set(to, width,
		    p[octets - 1] == 0	 ? DIRECTION_IN
		    : p[octets - 1] == 1 ? DIRECTION_OUT
					 : DIRECTION_UNKNOWN);
		return;
	case IE_IP4:
		a = ip_from_v4(p);
		memcpy(to, &a, sizeof(a));
		return;
	case IE_IP6:
	case IE_MAC:
		memcpy(to, p, width);
		return;
	case IE_STR:
		field_uint_set(to, width, intern((const char *)p, octets));
		return;
	case IE_HEX:
	case IE_RAW:
		field_uint_set(to, width, hex_intern(convert, p, octets));
		return;
	case IE_LABEL:
	case IE_BOTTOM:
	case IE_PUSH:
		label_store(convert, p, env, to);
		return;
	case IE_VXLAN:
		overlay_store(1, p, to);
		return;
	case IE_NVGRE:
		overlay_store(2, p, to);
		return;
	case IE_SEGMENTS:
		field_uint_set(to, width, value_segments(rbuf_of(p, octets)));
		return;
	case IE_IP6_LIST:
		field_uint_set(to, width, list_intern(rbuf_of(p, octets)));
		return;
	case IE_UPTIME:
	case IE_S:
	case IE_MS:
	case IE_NTP:
	case IE_DELTA_US:
		field_uint_set(to, width, time_load(convert, p, octets, env));
		return;
	case IE_CONVERTS:
		break;
	}
	assert(false && "a value of no kind");
}
