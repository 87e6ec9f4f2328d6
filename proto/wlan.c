/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IEEE 802.11-2020 s9.2 and s9.3; https://www.radiotap.org. */
#include "proto/wlan.h"

#include <stdbool.h>
#include <string.h>

#include "proto/ether.h"

enum {
	WLAN_OCTETS = 24, /* frame control, duration, three addresses, sequence */
	ADDRESS_OCTETS = 6,
	QOS_OCTETS = 2,
	HT_CONTROL_OCTETS = 4,
};

/* Frame control, first octet. */
enum { FC_TYPE = 0x0c, FC_DATA = 0x08, FC_QOS = 0x80, FC_NO_DATA = 0x40 };
/* Frame control, second octet. */
enum { FC_TO_DS = 0x01, FC_FROM_DS = 0x02, FC_PROTECTED = 0x40, FC_ORDER = 0x80 };

#define QOS_AGGREGATE 0x80 /* an A-MSDU: frames with headers of their own follow */

/* Integers of radiotap are little-endian. */
static uint32_t
little_u32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Who sent it to whom in the end: which of the addresses, by what the frame control says. */
static void
wlan_addresses(struct flow *f, uint8_t flags, const uint8_t *p, const uint8_t *fourth)
{
	const uint8_t *dst = flags & FC_TO_DS ? p + 16 : p + 4;
	const uint8_t *src = p + 10;

	if (flags & FC_FROM_DS)
		src = fourth != NULL ? fourth : p + 16;
	memcpy(f->dst_mac.b, dst, sizeof(f->dst_mac.b));
	memcpy(f->src_mac.b, src, sizeof(f->src_mac.b));
}

/* `aligned`: the header is padded to a multiple of four octets. */
static uint16_t
wlan_data(struct rbuf *r, struct flow *f, const struct packet_wants *w, bool aligned)
{
	const uint8_t *start = r->p, *p = rbuf_get(r, WLAN_OCTETS);
	const uint8_t *fourth = NULL, *qos = NULL;

	if (p == NULL || (p[0] & FC_TYPE) != FC_DATA || p[0] & FC_NO_DATA)
		return 0;
	if ((p[1] & FC_TO_DS) && (p[1] & FC_FROM_DS))
		fourth = rbuf_get(r, ADDRESS_OCTETS);
	if (p[0] & FC_QOS)
		qos = rbuf_get(r, QOS_OCTETS);
	if (qos != NULL && p[1] & FC_ORDER)
		rbuf_skip(r, HT_CONTROL_OCTETS);
	if (!rbuf_ok(r))
		return 0;
	wlan_addresses(f, p[1], p, fourth);
	if (p[1] & FC_PROTECTED)
		return 0;
	if (aligned)
		rbuf_skip(r, (size_t) - (r->p - start) & 3U);
	if (qos != NULL && qos[0] & QOS_AGGREGATE)
		(void)ether_header(
		    r, f); /* the first frame of several; its type is a length */
	return ether_llc(r, f, w);
}

uint16_t
wlan_frame(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	return wlan_data(r, f, w, false);
}

/* Whether the flags in a radiotap header say that the 802.11 header is padded. */
static bool
radiotap_aligned(struct rbuf header)
{
	enum { TIME_PRESENT = 1, FLAGS_PRESENT = 2, DATA_PADDED = 0x20 };
	const uint8_t *p = rbuf_get(&header, 8), *word;
	size_t at = 8;

	if (p == NULL)
		return false;
	for (word = p + 4; word != NULL && word[3] & 0x80; at += 4)
		word = rbuf_get(&header, 4);
	if (word == NULL || !(little_u32(p + 4) & FLAGS_PRESENT))
		return false;
	if (little_u32(p + 4) & TIME_PRESENT) /* at a multiple of eight octets */
		rbuf_skip(&header, (-at & 7U) + 8);
	return (rbuf_u8(&header) & DATA_PADDED) != 0;
}

uint16_t
wlan_radiotap(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	struct rbuf peek = *r, header;
	const uint8_t *p = rbuf_get(&peek, 4);

	if (p == NULL || p[0] != 0) { /* the only version */
		r->bad = peek.bad;
		return 0;
	}
	header = rbuf_take(r, (size_t)p[2] | (size_t)p[3] << 8);
	return rbuf_ok(r) ? wlan_data(r, f, w, radiotap_aligned(header)) : 0;
}

uint16_t
wlan_avs(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	struct rbuf peek = *r;

	rbuf_skip(&peek, 4);
	rbuf_skip(r, rbuf_u32(&peek)); /* of all of the header */
	return rbuf_ok(r) ? wlan_data(r, f, w, false) : 0;
}

/* In the order of octets of whoever captured; some drivers write an AVS header instead. */
uint16_t
wlan_prism(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	struct rbuf peek = *r;
	const uint8_t *p = rbuf_get(&peek, 8);
	uint32_t octets;

	if (p == NULL) {
		r->bad = true;
		return 0;
	}
	octets = little_u32(p + 4);
	if (p[0] == 0x80 && p[1] == 0x21 && p[2] >> 4 == 1)
		return wlan_avs(r, f, w);
	if (octets > 0xffff)
		octets = __builtin_bswap32(octets);
	rbuf_skip(r, octets);
	return rbuf_ok(r) ? wlan_data(r, f, w, false) : 0;
}
