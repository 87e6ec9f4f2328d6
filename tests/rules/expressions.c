/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/rules/expressions.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/intern.h"
#include "lib/wbuf.h"

/* splitmix64, by Sebastiano Vigna (public domain). */
uint32_t
dice_roll(struct dice *d, uint32_t n)
{
	uint64_t z = d->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ z >> 31) >> 33) % n;
}

#define COUNT(list) ((uint32_t)(sizeof(list) / sizeof((list)[0])))
#define PICK(d, list) ((list)[dice_roll(d, COUNT(list))])

static const uint16_t ports[] = { 0, 22, 53, 80, 443, 1024, 8080, 65535 };
static const uint8_t protos[] = { 0, 1, 2, 6, 17, 17, 6, 44, 47, 50, 58, 132, 136 };
static const uint16_t vlans[] = { 1, 2, 100, 4095 };
static const char *const hosts4[] = { "10.0.0.1", "10.0.0.2", "10.1.2.3", "192.0.2.1",
	"192.0.2.200", "198.51.100.7", "255.255.255.255", "224.0.0.5" };
static const char *const hosts6[] = { "2001:db8::1", "2001:db8::2", "2001:db8:1::1",
	"fe80::1", "ff02::1", "::1" };
static const char *const nets[] = { "10.0.0.0/8", "10.0.0.0/30", "192.0.2.0/24", "192.0.2",
	"0.0.0.0/0", "10", "198.51.100.0 mask 255.255.255.0", "2001:db8::/32", "2001:db8::/48",
	"2001:db8::/126", "fe80::/10" };
static const char *const macs[] = { "02:00:00:00:00:01", "02:00:00:00:00:02",
	"ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:05" };

struct text {
	char *to;
	size_t len;
};

static void say(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
say(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	t->len += (size_t)vsnprintf(t->to + t->len, EXPRESSION_MAX - t->len, fmt, ap);
	va_end(ap);
}

static void
say_port(struct dice *d, struct text *t)
{
	static const char *const before[] = { "", "", "tcp ", "udp ", "sctp " };
	static const char *const sides[] = { "", "", "src ", "dst ", "src and dst ",
		"src or dst " };
	const char *qualifier = PICK(d, before), *side = PICK(d, sides);
	unsigned port = PICK(d, ports), other = PICK(d, ports);

	if (dice_roll(d, 3) == 0)
		say(t, "%s%sportrange %u-%u", qualifier, side, port, other);
	else
		say(t, "%s%sport %u", qualifier, side, port);
	if (dice_roll(d, 6) == 0) /* the qualifiers go on for it */
		say(t, " or %u", other);
}

static void
say_address(struct dice *d, struct text *t)
{
	static const char *const sides[] = { "", "src ", "dst ", "src and dst ", "src or dst " };
	const char *side = PICK(d, sides);

	switch (dice_roll(d, 4)) {
	case 0:
		say(t, "%shost %s", side, PICK(d, hosts4));
		break;
	case 1:
		say(t, "%shost %s", side, PICK(d, hosts6));
		break;
	case 2:
		say(t, "%snet %s", side, PICK(d, nets));
		break;
	default:
		say(t, "ether %s %s", dice_roll(d, 2) ? "src" : "dst", PICK(d, macs));
		break;
	}
}

static void
say_proto(struct dice *d, struct text *t)
{
	static const char *const words[] = { "ip", "ip6", "tcp", "udp", "icmp", "icmp6", "sctp",
		"arp", "igmp", "esp", "ah", "ip multicast", "ip6 multicast", "ether multicast",
		"ether broadcast", "ether proto 0x86dd", "ether proto \\ip", "rarp" };

	switch (dice_roll(d, 4)) {
	case 0:
		say(t, "%sproto %u", dice_roll(d, 2) ? "ip " : "ip6 ", PICK(d, protos));
		break;
	case 1:
		say(t, "%s %u", dice_roll(d, 2) ? "less" : "greater", dice_roll(d, 1600));
		break;
	default:
		say(t, "%s", PICK(d, words));
		break;
	}
}

static void
say_octets(struct dice *d, struct text *t)
{
	static const char *const heads[] = { "ether", "ip", "ip6", "tcp", "udp", "icmp", "sctp",
		"icmp6" };
	static const char *const signs[] = { "=", "!=", "<", ">", "<=", ">=" };
	static const char *const words[] = { "ether[12:2] = 0x0800", "tcp[tcpflags] & tcp-syn != 0",
		"tcp[tcpflags] & (tcp-syn|tcp-ack) = tcp-syn", "icmp[icmptype] = icmp-echo",
		"ip[2:2] - ((ip[0] & 0xf) << 2) > 100", "ip[6:2] & 0x1fff != 0",
		"ip[0] & 0xf > 5", "len > 100", "len - 20 < ip[2:2]", "ip[8] < 10",
		"tcp[13] = 0x12", "ip6[6] = 17", "tcp[(tcp[12] >> 4) * 4:2] = 0",
		"ip6 protochain 6", "ether[0] & 1 = 1", "ip[1] & 0xfc = 0xb8",
		"ether[14 + 6:2] & 0x3fff != 0", "ip[9] = 6 and ip[20:2] = 80" };

	if (dice_roll(d, 2) == 0)
		say(t, "%s", PICK(d, words));
	else
		say(t, "%s[%u:%u] & 0x%x %s %u", PICK(d, heads), dice_roll(d, 24),
		    1U << dice_roll(d, 3), 1 + dice_roll(d, 0xffff), PICK(d, signs),
		    dice_roll(d, 300));
}

static void
say_primitive(struct dice *d, struct text *t, bool octets)
{
	switch (dice_roll(d, octets ? 5 : 3)) {
	case 0:
		say_port(d, t);
		break;
	case 1:
		say_address(d, t);
		break;
	case 2:
		say_proto(d, t);
		break;
	default:
		say_octets(d, t);
		break;
	}
}

/* Shallow, so that it stays well below EXPRESSION_MAX. */
static void
say_tree(struct dice *d, struct text *t, bool octets, unsigned depth)
{
	unsigned kind = depth == 0 ? 0 : dice_roll(d, 6);

	switch (kind) {
	case 0:
	case 1:
		if (dice_roll(d, 8) == 0)
			say(t, "not ");
		say_primitive(d, t, octets);
		break;
	case 2:
		say(t, "%s (", dice_roll(d, 2) ? "not" : "!");
		say_tree(d, t, octets, depth - 1);
		say(t, ")");
		break;
	default:
		say(t, "(");
		say_tree(d, t, octets, depth - 1);
		say(t, ") %s (", kind < 4 ? (dice_roll(d, 2) ? "and" : "&&")
		                          : (dice_roll(d, 2) ? "or" : "||"));
		say_tree(d, t, octets, depth - 1);
		say(t, ")");
		break;
	}
}

static void
say_expression(struct dice *d, char *text, bool octets)
{
	struct text t = { text, 0 };

	switch (dice_roll(d, 8)) {
	case 0:
		say(&t, "vlan and ");
		break;
	case 1:
		say(&t, "vlan %u and ", PICK(d, vlans));
		break;
	case 2:
		say(&t, "mpls and ");
		break;
	}
	say(&t, "(");
	say_tree(d, &t, octets, 3);
	say(&t, ")");
	if (dice_roll(d, 8) == 0) {
		say(&t, " or vlan and ");
		say_primitive(d, &t, octets);
	}
}

void
expression_random(struct dice *d, char *text)
{
	say_expression(d, text, false);
}

void
expression_octets(struct dice *d, char *text)
{
	say_expression(d, text, true);
}

static ip16_t
address(const char *text)
{
	ip16_t a = { { 0 } };

	(void)ip_parse(text, &a);
	return a;
}

static void
mac_random(struct dice *d, mac_t *m)
{
	(void)mac_parse(PICK(d, macs), m);
}

void
flow_random(struct dice *d, struct flow *f)
{
	bool ipv6 = dice_roll(d, 3) == 0;

	flow_clear(f);
	f->src_host = address(ipv6 ? PICK(d, hosts6) : PICK(d, hosts4));
	f->dst_host = address(ipv6 ? PICK(d, hosts6) : PICK(d, hosts4));
	if (dice_roll(d, 20) == 0)
		memset(&f->src_host, 0, sizeof(f->src_host));
	if (dice_roll(d, 20) == 0)
		memset(&f->dst_host, 0, sizeof(f->dst_host));
	f->proto = PICK(d, protos);
	f->src_port = PICK(d, ports);
	f->dst_port = PICK(d, ports);
	f->tos = (uint8_t)dice_roll(d, 256);
	f->tcp_flags = (uint16_t)dice_roll(d, 256);
	f->icmp_type = (uint8_t)dice_roll(d, 20);
	f->icmp_code = (uint8_t)dice_roll(d, 3);
	f->ttl = (uint8_t)dice_roll(d, 20);
	f->flow_label = dice_roll(d, 1 << 20);
	f->packets = dice_roll(d, 4);
	f->bytes = dice_roll(d, 10) == 0 ? UINT64_MAX : dice_roll(d, 4000);
	f->vlan = dice_roll(d, 3) == 0 ? PICK(d, vlans) : 0;
	f->cos = (uint8_t)dice_roll(d, 8);
	mac_random(d, &f->src_mac);
	mac_random(d, &f->dst_mac);
	if (dice_roll(d, 8) == 0) {
		f->mpls_label_top = 1 + dice_roll(d, 1000);
		f->mpls_label_bottom = 1 + dice_roll(d, 1000);
	}
	if (dice_roll(d, 16) == 0)
		f->mpls_label_stack = intern("16_17_18", 8);
	if (dice_roll(d, 20) == 0)
		f->etype = dice_roll(d, 2) ? 0x0806 : 0x86dd;
	if (dice_roll(d, 40) == 0) {
		memset(&f->src_host, 0, sizeof(f->src_host));
		memset(&f->dst_host, 0, sizeof(f->dst_host));
	}
}

static void
put_ipv4(struct dice *d, struct wbuf *w)
{
	unsigned words = dice_roll(d, 8) == 0 ? dice_roll(d, 16) : 5;
	ip16_t src = address(PICK(d, hosts4)), dst = address(PICK(d, hosts4));
	uint8_t header[20] = { 0 };

	header[0] = (uint8_t)(0x40 | words);
	header[1] = (uint8_t)dice_roll(d, 256);
	header[2] = (uint8_t)dice_roll(d, 6);
	header[3] = (uint8_t)dice_roll(d, 256);
	if (dice_roll(d, 8) == 0)
		header[7] = (uint8_t)dice_roll(d, 3);
	if (dice_roll(d, 3) == 0)
		header[6] = (uint8_t)(dice_roll(d, 8) << 5);
	header[8] = (uint8_t)dice_roll(d, 20);
	header[9] = PICK(d, protos);
	memcpy(header + 12, src.b + 12, 4);
	memcpy(header + 16, dst.b + 12, 4);
	wbuf_put(w, header, sizeof(header));
	for (unsigned i = 5; i < words; i++)
		wbuf_u32(w, UINT32_C(0x01010101));
}

static void
put_ipv6(struct dice *d, struct wbuf *w)
{
	ip16_t src = address(PICK(d, hosts6)), dst = address(PICK(d, hosts6));

	wbuf_u32(w, UINT32_C(6) << 28 | dice_roll(d, 1 << 28));
	wbuf_u16(w, (uint16_t)dice_roll(d, 1500));
	wbuf_u16(w, (uint16_t)((unsigned)PICK(d, protos) << 8 | dice_roll(d, 20)));
	wbuf_put(w, src.b, sizeof(src.b));
	wbuf_put(w, dst.b, sizeof(dst.b));
	if (dice_roll(d, 4) == 0) { /* the start of an extension header */
		wbuf_u16(w, (uint16_t)(PICK(d, protos) << 8));
		wbuf_put(w, "\1\4\0\0\0\0", 6);
	}
}

static void
put_transport(struct dice *d, struct wbuf *w)
{
	unsigned octets = dice_roll(d, 60);

	wbuf_u16(w, PICK(d, ports));
	wbuf_u16(w, PICK(d, ports));
	while (octets-- > 0)
		wbuf_u8(w, (uint8_t)dice_roll(d, 256));
}

static void
put_type(struct dice *d, struct wbuf *w, uint16_t type)
{
	static const uint16_t tags[] = { 0x8100, 0x8100, 0x88a8, 0x9100 };
	static const uint16_t others[] = { 0x0806, 0x8864, 0x0026, 0x8035, 0x88cc };

	for (unsigned left = 3; left > 0 && dice_roll(d, 3) == 0; left--) {
		wbuf_u16(w, PICK(d, tags));
		wbuf_u16(w, (uint16_t)(PICK(d, vlans) | dice_roll(d, 8) << 13));
	}
	if (dice_roll(d, 10) == 0) {
		wbuf_u16(w, 0x8847);
		for (unsigned left = dice_roll(d, 3); left > 0; left--)
			wbuf_u32(w, dice_roll(d, 1000) << 12);
		wbuf_u32(w, dice_roll(d, 1000) << 12 | 1 << 8);
	} else {
		wbuf_u16(w, dice_roll(d, 12) == 0 ? PICK(d, others) : type);
	}
}

size_t
frame_random(struct dice *d, uint8_t *to)
{
	bool ipv6 = dice_roll(d, 3) == 0;
	struct wbuf w = wbuf_of(to, RANDOM_FRAME_MAX);
	mac_t src, dst;
	size_t len;

	mac_random(d, &src);
	mac_random(d, &dst);
	wbuf_put(&w, dst.b, sizeof(dst.b));
	wbuf_put(&w, src.b, sizeof(src.b));
	put_type(d, &w, ipv6 ? 0x86dd : 0x0800);
	if (ipv6)
		put_ipv6(d, &w);
	else
		put_ipv4(d, &w);
	put_transport(d, &w);
	len = wbuf_len(&w);
	if (dice_roll(d, 16) == 0)
		to[dice_roll(d, (uint32_t)len)] = (uint8_t)dice_roll(d, 256);
	return dice_roll(d, 16) == 0 ? dice_roll(d, (uint32_t)len + 1) : len;
}
