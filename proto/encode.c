/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/encode.h"

#include <assert.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/intern.h"
#include "lib/ip.h"
#include "proto/encode_steps.h"
#include "proto/netflow.h"

#define NTP_1970 UINT64_C(2208988800) /* s from 1900 to 1970: RFC 5905 */
#define AS_TRANS 23456U

unsigned
encode_family(const struct encode_addresses *a, const uint8_t *from)
{
	unsigned family = 0;

	for (unsigned i = 0; i < a->n_flow + a->n_other; i++) {
		unsigned bit = i < a->n_flow ? ENCODE_IPV6_FLOW : ENCODE_IPV6_OTHER;
		ip16_t address;

		memcpy(&address, from + (i < a->n_flow ? a->flow[i] : a->other[i - a->n_flow]),
		    sizeof(address));
		if (!ip_is_v4(&address) && !ip_is_none(&address))
			family |= bit;
	}
	return family;
}

void
encode_template(const struct encode *e, uint16_t id, struct wbuf *w)
{
	wbuf_u16(w, id);
	wbuf_u16(w, e->n_specs);
	for (unsigned i = 0; i < e->n_specs; i++) {
		const struct encode_spec *s = &e->specs[i];

		wbuf_u16(w, (uint16_t)(s->id | (s->enterprise != 0 ? FIELD_ENTERPRISE : 0)));
		wbuf_u16(w, s->octets);
		if (s->enterprise != 0)
			wbuf_u32(w, s->enterprise);
	}
}

/* Network order; with a constant number of octets this is a swap and a store. */
static inline void
put(uint8_t *p, uint64_t v, unsigned octets)
{
	for (unsigned i = 0; i < octets; i++)
		p[i] = (uint8_t)(v >> 8 * (octets - 1 - i));
}

static inline void
uint_put(uint8_t *p, uint64_t v, unsigned octets)
{
	switch (octets) {
	case 1:
		p[0] = (uint8_t)v;
		break;
	case 2:
		put(p, v, 2);
		break;
	case 4:
		put(p, v, 4);
		break;
	case 8:
		put(p, v, 8);
		break;
	default:
		put(p, v, octets);
	}
}

/*
 * Era 1 begins in 2036: the seconds wrap. Of a fraction that tells microseconds the lowest
 * eleven bits are zero (RFC 7011 s6.1.9); rounded up to that, it reads back as it was.
 */
static uint64_t
ntp_of(uint64_t ns)
{
	uint64_t s = ns / CLOCK_S + NTP_1970, us = ns % CLOCK_S / CLOCK_US;
	uint64_t fraction = ((us << 32) + 999999) / 1000000;

	return s << 32 | ((fraction + 2047) & ~UINT64_C(2047));
}

/* Number `n` of the labels in `text`, "100_200", as an entry of a stack; 0: there is none. */
static uint32_t
stack_entry(const char *text, unsigned n)
{
	uint32_t label = 0;

	for (; n > 0; n--) {
		text = strchr(text, '_');
		if (text == NULL)
			return 0;
		text++;
	}
	if (*text == '\0')
		return 0;
	for (; *text >= '0' && *text <= '9'; text++)
		label = label * 10 + (uint32_t)(*text - '0');
	return label << 4 | (*text == '\0');
}

static void
overlay_put(uint8_t *p, uint8_t kind, uint64_t id)
{
	put(p, id & 0xffffff, 8);
	if (id != 0)
		p[0] = kind;
}

static void
text_put(uint8_t *p, const char *text, unsigned octets)
{
	size_t len = strlen(text);

	if (len > octets)
		len = octets;
	memcpy(p, text, len);
	memset(p + len, 0, octets - len);
}

static inline uint64_t
fit(uint64_t v, unsigned octets)
{
	uint64_t most = (UINT64_C(1) << octets * 8) - 1;

	return v < most ? v : most;
}

/* What an integer becomes. */
static void
integer_put(const struct encode_step *s, uint64_t v, const struct encode_env *env,
    uint8_t *p)
{
	switch ((enum encode_kind)s->kind) {
	case STEP_FIT:
		v = fit(v, s->octets);
		break;
	case STEP_AS:
		v = v <= UINT16_MAX ? v : AS_TRANS;
		break;
	case STEP_UPTIME:
		/* Before `boot` it is negative, and wraps as uptimes do; rounded down like others. */
		v = v / CLOCK_MS - env->boot / CLOCK_MS;
		break;
	case STEP_MS:
		v /= CLOCK_MS;
		break;
	case STEP_NTP:
		v = v != 0 ? ntp_of(v) : 0;
		break;
	case STEP_DIRECTION:
		v = v == DIRECTION_IN ? 0 : v == DIRECTION_OUT ? 1 : 255;
		break;
	case STEP_RD:
		v = rd_plain(v);
		v = v >> 48 != RD_TYPE_VRF ? v : 0;
		break;
	case STEP_LABEL:
		v <<= 4;
		break;
	case STEP_BOTTOM:
		v = v != 0 ? v << 4 | 1 : 0;
		break;
	case STEP_STACK:
		v = stack_entry(intern_text((uint32_t)v), s->width);
		break;
	case STEP_VXLAN:
		overlay_put(p, 1, v);
		return;
	case STEP_NVGRE:
		overlay_put(p, 2, v);
		return;
	case STEP_TEXT:
		text_put(p, intern_text((uint32_t)v), s->octets);
		return;
	default:
		assert(false && "a step of no kind");
	}
	uint_put(p, v, s->octets);
}

static inline uint64_t
member_load(const struct encode_step *s, const uint8_t *from)
{
	/* A number of a label takes the place of the width. */
	return field_uint(from, s->kind == STEP_STACK ? 4 : s->width);
}

static inline void
step_do(const struct encode_step *s, const uint8_t *from, const struct encode_env *env,
    uint8_t *p)
{
	uint32_t other;

	switch ((enum encode_kind)s->kind) {
	case STEP_UINT:
		uint_put(p, field_uint(from, s->width), s->octets);
		break;
	case STEP_COPY:
		memcpy(p, from, s->octets);
		break;
	case STEP_IP4:
		if (ip_is_v4((const void *)from))
			memcpy(p, from + 12, 4);
		else
			memset(p, 0, 4);
		break;
	case STEP_OVERLAY:
		memcpy(&other, from, sizeof(other));
		overlay_put(p, 1, other);
		if (other != 0)
			break;
		memcpy(&other, from + (int8_t)s->width, sizeof(other));
		overlay_put(p, 2, other);
		break;
	default:
		integer_put(s, member_load(s, from), env, p);
	}
}

/* The octets of `len` before a value of variable length: RFC 7011 s7. */
static uint8_t *
variable_get(struct wbuf *w, size_t len)
{
	if (len < 255) {
		wbuf_u8(w, (uint8_t)len);
	} else {
		wbuf_u8(w, 255);
		wbuf_u16(w, (uint16_t)len);
	}
	return wbuf_get(w, len);
}

/* The addresses of a list, in the order in which they came off the wire (value_segments). */
static void
segments_put(struct wbuf *w, const char *text)
{
	ip16_t list[INTERN_MAX_LEN / 2];
	unsigned n = 0;
	uint8_t *p;

	while (*text != '\0') {
		const char *end = strchr(text, '_');
		size_t len = end != NULL ? (size_t)(end - text) : strlen(text);
		char one[IP_STRLEN];

		if (len < sizeof(one)) {
			memcpy(one, text, len);
			one[len] = '\0';
			n += ip_parse(one, &list[n]) == 0;
		}
		text += len + (end != NULL);
	}
	p = variable_get(w, n * sizeof(ip16_t));
	for (unsigned i = 0; p != NULL && i < n; i++, p += sizeof(ip16_t))
		memcpy(p, &list[i], sizeof(ip16_t));
}

/* Letters of either case. */
static unsigned
digit_of(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10) & 15;
}

/* Octets of hexadecimal digits, with dashes or without; of an odd number the first is alone. */
static void
digits_put(struct wbuf *w, const char *text)
{
	uint8_t octets[INTERN_MAX_LEN];
	unsigned digits = 0, n = 0;
	uint8_t *p;

	for (const char *c = text; *c != '\0'; c++)
		digits += *c != '-';
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '-')
			continue;
		if (digits-- % 2 == 0)
			octets[n++] = (uint8_t)(digit_of(*c) << 4);
		else if (n == 0)
			octets[n++] = (uint8_t)digit_of(*c);
		else
			octets[n - 1] = (uint8_t)(octets[n - 1] | digit_of(*c));
	}
	p = variable_get(w, n);
	if (p != NULL)
		memcpy(p, octets, n);
}

static void
tail_put(const struct encode_step *s, const uint8_t *from, struct wbuf *w)
{
	uint64_t v = field_uint(from, s->width);
	unsigned octets = 4;
	const char *text;
	uint8_t *p;
	size_t len;

	switch ((enum encode_kind)s->kind) {
	case STEP_APPLICATION:
		while (octets < 8 && v >> 8 * octets != 0)
			octets++;
		p = variable_get(w, octets);
		if (p != NULL)
			put(p, v, octets);
		break;
	case STEP_SEGMENTS:
		segments_put(w, intern_text((uint32_t)v));
		break;
	case STEP_DIGITS:
		digits_put(w, intern_text((uint32_t)v));
		break;
	default:
		text = intern_text((uint32_t)v);
		len = strlen(text);
		p = variable_get(w, len);
		if (p != NULL)
			memcpy(p, text, len);
	}
}

bool
encode_record(const struct encode *e, const uint8_t *from, const struct encode_env *env,
    struct wbuf *w)
{
	const uint8_t *bases[2] = { from, (const uint8_t *)env };
	struct wbuf before = *w;
	uint8_t *p = wbuf_get(w, e->octets);
	const struct encode_step *s = e->steps, *end = s + e->n_steps;

	if (p == NULL) {
		*w = before;
		return false;
	}
	if (e->version == ENCODE_V5)
		memset(p, 0, NETFLOW5_RECORD);
	for (; s < end; s++)
		step_do(s, bases[s->base] + s->from, env, p + s->to);
	for (end += e->n_tails; s < end; s++)
		tail_put(s, bases[s->base] + s->from, w);
	if (!wbuf_ok(w))
		*w = before;
	return p != NULL && w->p != before.p;
}
