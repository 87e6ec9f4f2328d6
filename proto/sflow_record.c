/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DOC: sflow_records_find notes where the known records of a sample lie; a row of the
 * table below names the function that reads one. Rows are read in their order.
 *
 * https://sflow.org/sflow_version_5.txt; RFC 3176 s4 (versions 2 and 4);
 * https://sflow.org/sflow_80211.txt, sflow_pnat.txt (ports of NAT), sflow_tunnels.txt (VNI).
 */
#include "proto/sflow_record.h"

#include <string.h>

#include "lib/intern.h"
#include "proto/link.h"
#include "proto/sflow_old.h"
#include "proto/value.h"

/* Link layers of sampled frames, by the numbers that libpcap has for them. */
static const struct {
	uint8_t protocol;
	uint8_t link;
} header_links[] = {
	{ SFLOW_HEADER_ETHERNET, PACKET_LINK_ETHERNET },
	{ SFLOW_HEADER_TOKEN_RING, 6 },   /* DLT_IEEE802 */
	{ SFLOW_HEADER_FDDI, 10 },        /* DLT_FDDI */
	{ SFLOW_HEADER_FRAME_RELAY, 107 }, /* DLT_FRELAY */
	{ SFLOW_HEADER_PPP, 9 },          /* DLT_PPP, with or without HDLC's address */
	{ SFLOW_HEADER_AAL5, 11 },        /* DLT_ATM_RFC1483: LLC and SNAP */
	{ SFLOW_HEADER_AAL5_IP, PACKET_LINK_RAW },
	{ SFLOW_HEADER_IPV4, PACKET_LINK_IPV4 },
	{ SFLOW_HEADER_IPV6, PACKET_LINK_IPV6 },
	{ SFLOW_HEADER_MPLS, PACKET_LINK_MPLS },
	{ SFLOW_HEADER_POS, PACKET_LINK_PPP }, /* in HDLC-like framing */
	{ SFLOW_HEADER_80211, 105 },      /* DLT_IEEE802_11 */
	/* Two addresses, a length, LLC and SNAP, as in 802.3: IEEE 802.11-2016 s9.3.2.2.2. */
	{ SFLOW_HEADER_80211_AMSDU, PACKET_LINK_ETHERNET },
};

void
sflow_reading_init(struct sflow_reading *s, const struct field_set *needs)
{
	memset(s, 0, sizeof(*s));
	s->needs = needs;
	packet_wants_init(&s->wants, needs);
	for (size_t i = 0; i < sizeof(header_links) / sizeof(header_links[0]); i++)
		s->links[header_links[i].protocol] = packet_link(header_links[i].link);
}

/* What reading a record came to. */
enum record_result {
	RECORD_FLOW,      /* it makes a flow */
	RECORD_ADDS,      /* it adds to one, or says nothing of an IP packet */
	RECORD_CUT,       /* it ends before its members do: nothing was filled */
	RECORD_MALFORMED, /* it would make a flow, but contradicts itself */
};

typedef enum record_result record_fn(
    const struct sflow_reading *s, struct rbuf *r, struct flow *f);

/* Inlined on the way of nearly every sample. */
static inline __attribute__((always_inline)) enum record_result
record_header(
    const struct sflow_reading *s, struct rbuf *r, struct flow *f, struct frame *kept)
{
	const struct packet_link *link = NULL;
	bool has_stripped = s->version == SFLOW_V5;
	const uint8_t *p = rbuf_get(r, has_stripped ? 16 : 12);
	struct packet_fragment fragment;
	uint32_t protocol, frame_octets;
	enum packet_result result;
	struct rbuf frame;

	if (p == NULL)
		return RECORD_MALFORMED;
	protocol = sflow_word(p, 0);
	frame_octets = sflow_word(p, 1);
	frame = rbuf_take(r, sflow_word(p, has_stripped ? 3 : 2));
	if (!rbuf_ok(r))
		return RECORD_MALFORMED;
	if (protocol < SFLOW_HEADERS)
		link = s->links[protocol];
	if (link == NULL)
		return RECORD_ADDS;
	*kept = (struct frame){ .octets = frame.p, .caplen = (uint32_t)rbuf_left(&frame),
		.wirelen = frame_octets, .linktype = (uint32_t)link->type };
	result = packet_dissect_more(link, frame.p, rbuf_left(&frame), frame_octets,
	    &s->wants, f, &fragment);
	if (result == PACKET_NOT_IP && s->unknown_etype) {
		f->packets = 1;
		result = PACKET_OK;
	}
	if (result == PACKET_OK) {
		/* As pmacct: with the link layer, unlike packets. */
		f->bytes = frame_octets;
		if (field_set_has(s->needs, F_LINK_BYTES))
			f->link_bytes = frame_octets;
		return RECORD_FLOW;
	}
	if (result == PACKET_NOT_IP)
		return RECORD_ADDS;
	flow_clear(f);
	return RECORD_MALFORMED;
}

static enum record_result
record_ip(struct rbuf *r, struct flow *f, bool v6)
{
	size_t addresses = v6 ? 32 : 8;
	bool have_frame = f->packets != 0;
	const uint8_t *p = rbuf_get(r, 8 + addresses + 16);
	const uint8_t *ports;

	if (p == NULL)
		return RECORD_MALFORMED;
	/* Of the IP packet; as pmacct, also beside a frame. */
	f->bytes = sflow_word(p, 0);
	f->packets = 1;
	if (have_frame)
		return RECORD_FLOW;
	ports = p + 8 + addresses;
	f->src_host = v6 ? ip_from_v6(p + 8) : ip_from_v4(p + 8);
	f->dst_host = v6 ? ip_from_v6(p + 24) : ip_from_v4(p + 12);
	f->etype = v6 ? 0x86dd : 0x0800;
	f->proto = (uint8_t)sflow_word(p, 1);
	f->tos = (uint8_t)sflow_word(ports, 3);
	if (f->proto == 6)
		f->tcp_flags = (uint8_t)sflow_word(ports, 2);
	/* ICMP has type and code there, "or equivalent". */
	if (f->proto != 1 && f->proto != 58) {
		f->src_port = (uint16_t)sflow_word(ports, 0);
		f->dst_port = (uint16_t)sflow_word(ports, 1);
	}
	return RECORD_FLOW;
}

static enum record_result
record_ipv4(const struct sflow_reading *s, struct rbuf *r, struct flow *f)
{
	(void)s;
	return record_ip(r, f, false);
}

static enum record_result
record_ipv6(const struct sflow_reading *s, struct rbuf *r, struct flow *f)
{
	(void)s;
	return record_ip(r, f, true);
}

/*
 * An Ethernet header that was decoded. Where nothing else tells of its packet, but it
 * carried IP, it makes a flow without addresses, as in pmacct.
 */
static enum record_result
record_ethernet(const struct sflow_reading *s, struct rbuf *r, struct flow *f)
{
	static const mac_t none;
	/* Length, two MACs padded to 8 octets, type. */
	const uint8_t *p = rbuf_get(r, 24);
	uint16_t etype;

	(void)s;
	if (p == NULL)
		return RECORD_MALFORMED;
	etype = (uint16_t)sflow_word(p, 5);
	if (f->packets == 0 || f->etype == 0)
		f->etype = etype;
	if (memcmp(&f->src_mac, &none, sizeof(none)) == 0) {
		memcpy(f->src_mac.b, p + 4, sizeof(f->src_mac.b));
		memcpy(f->dst_mac.b, p + 12, sizeof(f->dst_mac.b));
	}
	if (f->packets != 0 || (etype != 0x0800 && etype != 0x86dd))
		return RECORD_ADDS;
	f->bytes = sflow_word(p, 0);
	f->packets = 1;
	return RECORD_FLOW;
}

static bool
vlan_is_one(uint32_t vlan)
{
	return vlan > 0 && vlan < 4096; /* some say -1 where there is none */
}

static void
vlan_set(struct flow *f, uint32_t vlan, uint32_t cos)
{
	f->vlan = (uint16_t)vlan;
	if (cos < 8)
		f->cos = (uint8_t)cos;
}

static enum record_result
record_switch(const struct sflow_reading *s, struct rbuf *r, struct flow *f)
{
	const uint8_t *p = rbuf_get(r, 16);
	uint32_t in, out;

	(void)s;
	if (p == NULL)
		return RECORD_CUT;
	in = sflow_word(p, 0);
	out = sflow_word(p, 2);
	if (vlan_is_one(in))
		vlan_set(f, in, sflow_word(p, 1));
	else if (f->vlan == 0 && vlan_is_one(out))
		vlan_set(f, out, sflow_word(p, 3));
	f->in_vlan = vlan_is_one(in) ? (uint16_t)in : f->in_vlan;
	f->out_vlan = vlan_is_one(out) ? (uint16_t)out : f->out_vlan;
	return RECORD_ADDS;
}

static enum record_result
record_router(const struct sflow_reading *s, struct rbuf *r, struct flow *f)
{
	ip16_t nexthop = sflow_address(r);
	uint32_t src = rbuf_u32(r), dst = rbuf_u32(r);

	(void)s;
	if (!rbuf_ok(r))
		return RECORD_CUT;
	f->nexthop = nexthop;
	f->src_mask = src <= 128 ? (uint8_t)src : 0;
	f->dst_mask = dst <= 128 ? (uint8_t)dst : 0;
	return RECORD_ADDS;
}

/* The ends of the way to the destination; 0 where none is told. */
struct as_path {
	uint32_t first, last;
};

/* One segment, a set or a sequence. */
static void
path_segment(struct rbuf *r, struct as_path *path)
{
	struct rbuf segment = sflow_words(r);
	unsigned n = (unsigned)rbuf_left(&segment) / 4;

	if (n == 0)
		return;
	path->last = sflow_word(segment.p, n - 1);
	if (path->first == 0)
		path->first = sflow_word(segment.p, 0);
}

static struct as_path
gateway_path(struct rbuf *r, uint32_t version)
{
	struct as_path path = { 0 };
	uint32_t segments;

	if (version == SFLOW_V2) { /* a single segment, without its kind */
		path_segment(r, &path);
		return path;
	}
	segments = rbuf_u32(r);
	for (uint32_t i = 0; i < segments && rbuf_ok(r); i++) {
		rbuf_skip(r, 4); /* a set or a sequence */
		path_segment(r, &path);
	}
	return path;
}

/*
 * What the router knows by BGP. Some agents leave the path out; communities and local
 * preference, which follow, are not read.
 */
static enum record_result
record_gateway(const struct sflow_reading *s, struct rbuf *r, struct flow *f)
{
	ip16_t nexthop = { { 0 } };
	struct as_path path = { 0 };
	const uint8_t *p;

	if (s->version == SFLOW_V5)
		nexthop = sflow_address(r);
	/* The router's own AS, the source's, and the one that it came from. */
	p = rbuf_get(r, 12);
	if (p == NULL)
		return RECORD_CUT;
	if (rbuf_left(r) >= 4)
		path = gateway_path(r, s->version);
	if (!rbuf_ok(r))
		return RECORD_CUT;
	f->peer_dst_ip = nexthop;
	f->src_as = sflow_word(p, 1);
	f->peer_src_as = sflow_word(p, 2);
	f->dst_as = path.last;
	f->peer_dst_as = path.first;
	return RECORD_ADDS;
}

static enum record_result
record_user(const struct sflow_reading *s, struct rbuf *r, struct flow *f)
{
	struct rbuf names[2]; /* of the source, of the destination */

	for (unsigned i = 0; i < 2; i++) {
		if (s->version == SFLOW_V5)
			rbuf_skip(r, 4); /* character set */
		names[i] = sflow_opaque(r, rbuf_u32(r));
	}
	if (!rbuf_ok(r))
		return RECORD_CUT;
	if (field_set_has(s->needs, F_USER_NAME)) {
		const struct rbuf *name = &names[rbuf_left(&names[0]) == 0];

		f->user_name = intern((const char *)name->p, rbuf_left(name));
	}
	return RECORD_ADDS;
}

/* Labels as they stand in frames: RFC 3032 s2.1. */
static void
labels_fill(const struct sflow_reading *s, const struct rbuf *stack, struct flow *f)
{
	struct value_env env = { .n_labels = 0 };
	size_t depth = rbuf_left(stack) / 4;

	if (depth == 0)
		return;
	f->mpls_label_top = sflow_word(stack->p, 0) >> 12;
	f->mpls_label_bottom = sflow_word(stack->p, (unsigned)depth - 1) >> 12;
	if (!field_set_has(s->needs, F_MPLS_LABEL_STACK))
		return;
	if (depth > sizeof(env.labels) / sizeof(env.labels[0]))
		depth = sizeof(env.labels) / sizeof(env.labels[0]);
	while (env.n_labels < depth) {
		env.labels[env.n_labels] = sflow_word(stack->p, env.n_labels) >> 12;
		env.n_labels++;
	}
	f->mpls_label_stack = value_labels(&env);
}

static enum record_result
record_mpls(const struct sflow_reading *s, struct rbuf *r, struct flow *f)
{
	ip16_t nexthop = sflow_address(r);
	struct rbuf in = sflow_words(r);

	(void)sflow_words(r); /* the packet's when it left */
	if (!rbuf_ok(r))
		return RECORD_CUT;
	if (ip_is_none(&f->nexthop))
		f->nexthop = nexthop;
	if (f->mpls_label_top == 0) /* the frame did not show them itself */
		labels_fill(s, &in, f);
	return RECORD_ADDS;
}

static enum record_result
record_nat(const struct sflow_reading *s, struct rbuf *r, struct flow *f)
{
	ip16_t src = sflow_address(r), dst = sflow_address(r);

	(void)s;
	if (!rbuf_ok(r))
		return RECORD_CUT;
	f->post_nat_src_host = src;
	f->post_nat_dst_host = dst;
	return RECORD_ADDS;
}

static enum record_result
record_nat_port(const struct sflow_reading *s, struct rbuf *r, struct flow *f)
{
	const uint8_t *p = rbuf_get(r, 8);

	(void)s;
	if (p == NULL)
		return RECORD_CUT;
	f->post_nat_src_port = (uint16_t)sflow_word(p, 0);
	f->post_nat_dst_port = (uint16_t)sflow_word(p, 1);
	return RECORD_ADDS;
}

static enum record_result
record_mpls_vc(const struct sflow_reading *s, struct rbuf *r, struct flow *f)
{
	uint32_t id;

	(void)s;
	(void)sflow_opaque(r, rbuf_u32(r)); /* name */
	id = rbuf_u32(r);
	if (!rbuf_ok(r))
		return RECORD_CUT;
	f->mpls_pw_id = id;
	return RECORD_ADDS;
}

/* Tags that the switch took off outside of those that the frame still has, outermost first. */
static enum record_result
record_vlan_tunnel(const struct sflow_reading *s, struct rbuf *r, struct flow *f)
{
	struct rbuf stack = sflow_words(r); /* TPID and TCI in a word */
	size_t depth = rbuf_left(&stack) / 4;
	uint16_t outer, next;

	(void)s;
	if (!rbuf_ok(r))
		return RECORD_CUT;
	if (depth == 0)
		return RECORD_ADDS;
	outer = sflow_word(stack.p, 0) & 0xfff;
	next = depth > 1 ? sflow_word(stack.p, 1) & 0xfff : 0;
	f->vlan = f->vlan == 0 ? outer : f->vlan;
	f->in_vlan = f->in_vlan == 0 ? outer : f->in_vlan;
	f->in_cvlan = f->in_cvlan == 0 ? next : f->in_cvlan;
	return RECORD_ADDS;
}

/* The network identifier of a tunnel that was or will be around the frame. */
static enum record_result
record_vni(const struct sflow_reading *s, struct rbuf *r, struct flow *f)
{
	uint32_t vni = rbuf_u32(r);

	(void)s;
	if (!rbuf_ok(r))
		return RECORD_CUT;
	if (f->vxlan == 0)
		f->vxlan = vni;
	return RECORD_ADDS;
}

/* Tag and second tag of pmacct's probe; half as long in its first versions. */
static enum record_result
record_tag(const struct sflow_reading *s, struct rbuf *r, struct flow *f)
{
	size_t octets = rbuf_left(r) >= 16 ? 8 : 4;
	uint64_t tag = rbuf_uint(r, octets), tag2 = rbuf_uint(r, octets);

	(void)s;
	if (!rbuf_ok(r))
		return RECORD_CUT;
	f->tag = tag;
	f->tag2 = tag2;
	return RECORD_ADDS;
}

static enum record_result
record_class(const struct sflow_reading *s, struct rbuf *r, struct flow *f)
{
	if (field_set_has(s->needs, F_CLASS))
		f->class_id = intern((const char *)r->p, rbuf_left(r));
	return RECORD_ADDS;
}

#define PMACCT(number)     SFLOW_FORMAT(SFLOW_ENTERPRISE_PMACCT, number)
#define PMACCT_OLD(number) SFLOW_FORMAT(SFLOW_ENTERPRISE_PMACCT_OLD, number)

enum { ROW_HEADER }; /* the first */

/*
 * Formats that are known, in the order in which they are read. Those without a function
 * say nothing that a primitive holds.
 */
static const struct {
	uint32_t format;
	record_fn *read;
} record_rows[] = {
	[ROW_HEADER] = { SFLOW_RECORD_HEADER, NULL }, /* record_header, called by name */
	{ SFLOW_RECORD_IPV4, record_ipv4 },
	{ SFLOW_RECORD_IPV6, record_ipv6 },
	{ SFLOW_RECORD_ETHERNET, record_ethernet },
	{ SFLOW_RECORD_SWITCH, record_switch },
	{ SFLOW_RECORD_ROUTER, record_router },
	{ SFLOW_RECORD_GATEWAY, record_gateway },
	{ SFLOW_RECORD_USER, record_user },
	{ SFLOW_RECORD_URL, NULL },
	{ SFLOW_RECORD_MPLS, record_mpls },
	{ SFLOW_RECORD_NAT, record_nat },
	{ SFLOW_RECORD_MPLS_TUNNEL, NULL },
	{ SFLOW_RECORD_MPLS_VC, record_mpls_vc },
	{ SFLOW_RECORD_MPLS_FTN, NULL },
	{ SFLOW_RECORD_MPLS_LDP_FEC, NULL },
	{ SFLOW_RECORD_VLAN_TUNNEL, record_vlan_tunnel },
	{ SFLOW_RECORD_80211_PAYLOAD, NULL },
	{ SFLOW_RECORD_80211_RX, NULL },
	{ SFLOW_RECORD_80211_TX, NULL },
	{ SFLOW_RECORD_80211_AGGREGATION, NULL },
	{ SFLOW_RECORD_NAT_PORT, record_nat_port },
	{ SFLOW_RECORD_VNI_INGRESS, record_vni },
	{ SFLOW_RECORD_VNI_EGRESS, record_vni },
	{ PMACCT(SFLOW_PMACCT_TAG), record_tag },
	{ PMACCT(SFLOW_PMACCT_CLASS), record_class },
	{ PMACCT(SFLOW_PMACCT_NDPI), NULL },
	{ PMACCT_OLD(SFLOW_PMACCT_TAG), record_tag },
	{ PMACCT_OLD(SFLOW_PMACCT_CLASS), record_class },
};
_Static_assert(sizeof(record_rows) / sizeof(record_rows[0]) == SFLOW_RECORD_ROWS &&
	SFLOW_RECORD_ROWS <= 32, "a bit of sflow_records.found for each row");

/* Note a record of a format that may be known. */
static inline void
records_add(struct sflow_records *rs, uint32_t format, struct rbuf record)
{
	unsigned row = 0;

	while (row < SFLOW_RECORD_ROWS && record_rows[row].format != format)
		row++;
	if (row < SFLOW_RECORD_ROWS) {
		rs->at[row] = record;
		rs->found |= 1U << row;
	} else {
		rs->unknown++;
	}
}

static inline void
records_clear(struct sflow_records *rs)
{
	rs->found = rs->unknown = rs->cut = 0;
}

bool
sflow_records_find(struct sflow_records *rs, struct rbuf *from, uint32_t n)
{
	struct rbuf r = *from; /* its address stays here: it can live in registers */

	records_clear(rs);
	/* Each takes eight octets at least, so the number cannot run away. */
	for (; n > 0 && rbuf_ok(&r); n--) {
		const uint8_t *p = rbuf_get(&r, 8);

		if (p == NULL)
			break;
		records_add(rs, sflow_word(p, 0), sflow_opaque(&r, sflow_word(p, 1)));
	}
	*from = r;
	return rbuf_ok(&r);
}

bool
sflow_records_find_old(struct sflow_records *rs, struct rbuf *r, uint32_t version)
{
	struct sflow_old_part part;
	bool known = sflow_old_packet(r, version, &part);
	uint32_t n;

	records_clear(rs);
	if (known) {
		records_add(rs, part.format, part.body);
		for (n = rbuf_u32(r); n > 0 && rbuf_ok(r); n--) {
			known = sflow_old_extended(r, version, &part);
			if (!known)
				break;
			records_add(rs, part.format, part.body);
		}
	}
	rs->unknown += !known && rbuf_ok(r);
	return known && rbuf_ok(r);
}

/* Take what reading a record came to into account of the verdict on its sample. */
static inline enum sflow_verdict
verdict_take(
    enum sflow_verdict verdict, enum record_result result, struct sflow_records *rs)
{
	switch (result) {
	case RECORD_FLOW:
		return SFLOW_FLOW;
	case RECORD_MALFORMED:
		return verdict == SFLOW_NOT_FLOW ? SFLOW_MALFORMED : verdict;
	case RECORD_CUT:
		rs->cut++;
		break;
	case RECORD_ADDS:
		break;
	}
	return verdict;
}

enum sflow_verdict
sflow_records_read(
    const struct sflow_reading *s, struct sflow_records *rs, struct flow *f)
{
	enum sflow_verdict verdict = SFLOW_NOT_FLOW;
	uint32_t left = rs->found;

	rs->frame.octets = NULL;
	/* Nearly all samples have it, and many have it alone. */
	if ((left & 1U << ROW_HEADER) != 0) {
		verdict = verdict_take(
		    verdict, record_header(s, &rs->at[ROW_HEADER], f, &rs->frame), rs);
		left ^= 1U << ROW_HEADER;
	}
	for (; left != 0; left &= left - 1) {
		unsigned row = (unsigned)__builtin_ctz(left);

		if (record_rows[row].read != NULL)
			verdict = verdict_take(
			    verdict, record_rows[row].read(s, &rs->at[row], f), rs);
	}
	return verdict;
}
