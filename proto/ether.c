/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DOC: ether_payload is a loop over types: every header's function returns the type of
 * the next one.
 *
 * IEEE 802.1Q, 802.1ad, 802.2; RFC 3032 (MPLS), RFC 4385 and RFC 4448 (pseudowires), RFC
 * 2516 (PPPoE), RFC 1042 (SNAP), RFC 8300 (NSH), IEEE 802.1AE (MACsec).
 */
#include "proto/ether.h"

#include <stdio.h>

#include "lib/intern.h"

enum {
	LABEL_OCTETS = 4,
	CONTROL_WORD_OCTETS = 4, /* of a pseudowire */
	LLC_OCTETS = 3,
	SNAP_OCTETS = 5,
};

/* Headers of which only the length is of interest; the next type is their last two octets. */
static const struct {
	uint16_t type;
	uint8_t octets;
} plain_headers[] = {
	{ ETYPE_BRIDGED, ETHER_OCTETS },
	{ 0x8909, 8 }, /* Cisco metadata with a security group tag */
	{ 0x8926, 6 }, /* VN-Tag */
	{ 0x892f, 6 }, /* HSR, IEC 62439-3 */
	{ 0x893f, 8 }, /* E-Tag, 802.1BR */
	{ 0x88e7, 18 }, /* 802.1ah: service instance, and a frame */
};

static uint16_t
ether_tag(struct rbuf *r, struct flow *f, unsigned tag)
{
	const uint8_t *p = rbuf_get(r, ETHER_TAG_OCTETS);

	if (p == NULL)
		return 0;
	if (tag == 0)
		return ether_outer_tag(p, f);
	if (tag == 1)
		f->in_cvlan = ether_u16(p) & 0xfff;
	return ether_u16(p + 2);
}

static uint32_t
label_at(const uint8_t *entry)
{
	return (uint32_t)entry[0] << 12 | (uint32_t)entry[1] << 4 | entry[2] >> 4;
}

/* Those beyond the longest string are left out. */
static uint32_t
labels_intern(const uint8_t *stack, size_t n)
{
	char text[INTERN_MAX_LEN + 1];
	size_t len = 0;

	for (size_t i = 0; i < n && len + sizeof("_1048575") <= sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u",
		    i > 0 ? "_" : "", (unsigned)label_at(stack + i * LABEL_OCTETS));
	return intern(text, len);
}

/* Whether a frame of Ethernet may begin `at` octets on, by its type. */
static bool
is_frame(const struct rbuf *r, size_t at)
{
	struct rbuf peek = *r;
	uint16_t type;

	rbuf_skip(&peek, at + ETHER_OCTETS - 2);
	type = rbuf_u16(&peek);
	return ether_is_ip(type) || type == ETYPE_VLAN || type == ETYPE_VLAN_SERVICE;
}

/*
 * What lies below a stack of labels is not told. IP starts with its version; a
 * pseudowire's control word with 0 (RFC 4385 s3), but so do most MAC addresses.
 */
static uint16_t
ether_below_labels(struct rbuf *r)
{
	struct rbuf peek = *r;
	uint16_t type = ether_raw_ip(r);

	if (type != 0 || !rbuf_ok(r))
		return type;
	if (is_frame(r, 0))
		return ETYPE_BRIDGED;
	if (rbuf_u8(&peek) >> 4 != 0 || !is_frame(r, CONTROL_WORD_OCTETS))
		return 0;
	rbuf_skip(r, CONTROL_WORD_OCTETS);
	return ETYPE_BRIDGED;
}

/* Take a stack of labels; the outermost stack is that whose labels are kept. */
static uint16_t
ether_mpls(struct rbuf *r, struct flow *f, const struct packet_wants *w, bool outermost)
{
	const uint8_t *stack = r->p, *entry;

	do {
		entry = rbuf_get(r, LABEL_OCTETS);
		if (entry == NULL)
			return 0;
	} while ((entry[2] & 1) == 0); /* the bottom of the stack */
	if (outermost) {
		f->mpls_label_top = label_at(stack);
		f->mpls_label_bottom = label_at(entry);
		if (w->labels)
			f->mpls_label_stack =
			    labels_intern(stack, (size_t)(r->p - stack) / LABEL_OCTETS);
	}
	return ether_below_labels(r);
}

/* The EtherType that PPP protocol `protocol` stands for; 0: none. RFC 1332, 5072, 3032. */
static uint16_t
ppp_type(struct rbuf *r)
{
	uint16_t protocol = rbuf_u8(r);

	if ((protocol & 1) == 0)
		protocol = (uint16_t)(protocol << 8 | rbuf_u8(r));
	switch (protocol) {
	case 0x0021:
		return ETYPE_IPV4;
	case 0x0057:
		return ETYPE_IPV6;
	case 0x0281:
		return ETYPE_MPLS;
	case 0x0283:
		return ETYPE_MPLS_MULTICAST;
	}
	return 0;
}

/* RFC 2516 s4; the length is not looked at, as that of IP says more. */
static uint16_t
ether_pppoe(struct rbuf *r)
{
	const uint8_t *p = rbuf_get(r, 6);

	if (p == NULL || p[1] != 0) /* a code of 0 is a session's data */
		return 0;
	return ppp_type(r);
}

/* 802.1AE s9: what is not encrypted but only signed can be read. */
static uint16_t
ether_macsec(struct rbuf *r)
{
	enum { ENCRYPTED = 0x08, CHANGED = 0x04, HAS_CHANNEL = 0x20 };
	const uint8_t *p = rbuf_get(r, 6);

	if (p == NULL || p[0] & (ENCRYPTED | CHANGED))
		return 0;
	rbuf_skip(r, p[0] & HAS_CHANNEL ? 8 : 0);
	return rbuf_u16(r);
}

/* RFC 8300 s2.2: the length is of all of the header, in words. */
static uint16_t
ether_nsh(struct rbuf *r)
{
	static const uint16_t types[] = { 0, ETYPE_IPV4, ETYPE_IPV6, ETYPE_BRIDGED, 0,
		ETYPE_MPLS };
	const uint8_t *p = rbuf_get(r, 4);
	size_t octets = p != NULL ? (p[1] & 0x3fU) * 4 : 0;

	if (octets < 4)
		return 0;
	rbuf_skip(r, octets - 4);
	return p[3] < sizeof(types) / sizeof(types[0]) ? types[p[3]] : 0;
}

/*
 * A SNAP header. Returns whether `*type` is then an EtherType; if not, it is the number
 * by which an organisation knows its protocol.
 */
static bool
snap_type(struct rbuf *r, uint16_t *type)
{
	const uint8_t *p = rbuf_get(r, SNAP_OCTETS);

	*type = p != NULL ? ether_u16(p + 3) : 0;
	if (p == NULL)
		return false;
	/* 00-00-00, and 00-00-F8 of bridges (802.1H). */
	return p[0] == 0 && p[1] == 0 && (p[2] == 0 || p[2] == 0xf8) &&
	       *type >= ETYPE_LEAST;
}

/* The same of an LLC header, which names no protocol but IP where SNAP does not follow. */
static bool
llc_type(struct rbuf *r, uint16_t *type)
{
	const uint8_t *p = rbuf_get(r, LLC_OCTETS);

	*type = 0;
	if (p == NULL)
		return false;
	if (p[0] == 0x06 && p[1] == 0x06) {
		*type = ether_raw_ip(r);
		return *type != 0;
	}
	return p[0] == 0xaa && p[1] == 0xaa && snap_type(r, type);
}

/* Step over one of plain_headers; returns whether `*type` was one. */
static bool
plain_header(struct rbuf *r, uint16_t *type)
{
	for (size_t i = 0; i < sizeof(plain_headers) / sizeof(plain_headers[0]); i++) {
		const uint8_t *p;
		uint8_t octets = plain_headers[i].octets;

		if (plain_headers[i].type != *type)
			continue;
		p = rbuf_get(r, octets);
		*type = p != NULL ? ether_u16(p + octets - 2) : 0;
		return true;
	}
	return false;
}

uint16_t
ether_payload(
    struct rbuf *r, struct flow *f, const struct packet_wants *w, uint16_t type)
{
	unsigned tags = 0, stacks = 0;

	while (rbuf_ok(r) && !ether_is_ip(type)) {
		switch (type) {
		case ETYPE_VLAN:
		case ETYPE_VLAN_SERVICE:
		case ETYPE_VLAN_OLD:
		case ETYPE_VLAN_OLD2:
		case ETYPE_VLAN_OLD3:
			type = ether_tag(r, f, tags++);
			break;
		case ETYPE_MPLS:
		case ETYPE_MPLS_MULTICAST:
			type = ether_mpls(r, f, w, stacks++ == 0);
			if (type == 0)
				return 0;
			break;
		case ETYPE_PPPOE_SESSION:
			type = ether_pppoe(r);
			if (type == 0)
				return 0;
			break;
		case ETYPE_NSH:
			type = ether_nsh(r);
			if (type == 0)
				return 0;
			break;
		case ETYPE_MACSEC:
			type = ether_macsec(r);
			if (type == 0)
				return ETYPE_MACSEC;
			break;
		default:
			if (type < ETYPE_LEAST) {
				if (!llc_type(r, &type))
					return type;
			} else if (!plain_header(r, &type)) {
				return type;
			}
			break;
		}
	}
	return type;
}

uint16_t
ether_frame(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	uint16_t type = ether_header(r, f);

	return ether_payload(r, f, w, type);
}

uint16_t
ether_llc(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	uint16_t type;

	return llc_type(r, &type) ? ether_payload(r, f, w, type) : type;
}

uint16_t
ether_snap(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	uint16_t type;

	return snap_type(r, &type) ? ether_payload(r, f, w, type) : type;
}

uint16_t
ether_ppp(struct rbuf *r, struct flow *f, const struct packet_wants *w)
{
	uint16_t type = ppp_type(r);

	return type != 0 ? ether_payload(r, f, w, type) : 0;
}

uint16_t
ether_raw_ip(struct rbuf *r)
{
	struct rbuf peek = *r;

	switch (rbuf_u8(&peek) >> 4) {
	case 4:
		return ETYPE_IPV4;
	case 6:
		return ETYPE_IPV6;
	}
	r->bad = peek.bad;
	return 0;
}
