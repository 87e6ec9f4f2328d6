/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow/custom.h"
#include "flow/text.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "lib/intern.h"
#include "lib/wbuf.h"
#include "proto/ie.h"
#include "proto/netflow.h"
#include "proto/template.h"

/* A template record in octets, as hexadecimal without blanks being counted. */
static size_t
hex(const char *text, uint8_t *out, size_t room)
{
	size_t n = 0;

	for (const char *p = text; *p != '\0'; p++) {
		char pair[3] = { p[0], p[1], '\0' };

		if (*p == ' ')
			continue;
		assert_true(n < room);
		out[n++] = (uint8_t)strtoul(pair, NULL, 16);
		p++;
	}
	return n;
}

enum { END = -WEIR_ENOENT, BAD = -WEIR_EMALFORMED };

static const struct {
	const char *says;
	enum template_kind kind;
	const char *octets;
	int rc[3]; /* of one call after the other, until END */
	uint16_t id, n_fields, n_scope;
	uint32_t min_octets; /* of the first */
} parses[] = {
	{ "a template of five fields", TEMPLATE_V9,
	    "0100 0005 00080004 000c0004 000f0004 00020004 00010004", { 0, END }, 256,
	    5, 0, 20 },
	{ "two templates", TEMPLATE_V9, "0100 0001 00080004 0101 0001 00010008",
	    { 0, 0, END }, 256, 1, 0, 4 },
	{ "the same element twice", TEMPLATE_V9, "0100 0002 00010004 00010004",
	    { 0, END }, 256, 2, 0, 8 },
	{ "nothing", TEMPLATE_V9, "", { END }, 0, 0, 0, 0 },
	{ "three octets of padding", TEMPLATE_V9, "0100 0001 00080004 000000",
	    { 0, END }, 256, 1, 0, 4 },
	{ "eight octets of padding", TEMPLATE_V9,
	    "0100 0001 00080004 00000000 00000000", { 0, END }, 256, 1, 0, 4 },
	{ "padding that goes on with something", TEMPLATE_V9,
	    "00000000 0100 0001 00080004", { BAD, END }, 0, 0, 0, 0 },
	{ "a number below 256", TEMPLATE_V9, "00ff 0001 00080004", { BAD, END }, 0, 0,
	    0, 0 },
	{ "a number below 256, then a sound one", TEMPLATE_V9,
	    "00ff 0001 00080004 0100 0001 00080004", { BAD, 0, END }, 0, 0, 0, 0 },
	{ "no fields", TEMPLATE_V9, "0100 0000", { BAD, END }, 0, 0, 0, 0 },
	{ "no fields, then a sound one", TEMPLATE_V9, "0100 0000 0101 0001 00080004",
	    { BAD, 0, END }, 0, 0, 0, 0 },
	{ "more fields than there are", TEMPLATE_V9, "0100 0002 00080004", { BAD, END },
	    0, 0, 0, 0 },
	{ "65535 fields", TEMPLATE_V9, "0100 ffff 00080004", { BAD, END }, 0, 0, 0, 0 },
	{ "cut within a field", TEMPLATE_V9, "0100 0001 000800", { BAD, END }, 0, 0, 0,
	    0 },
	{ "a field of no octets beside another", TEMPLATE_V9,
	    "0100 0002 00080000 00010004", { 0, END }, 256, 2, 0, 4 },
	{ "records of no octets", TEMPLATE_V9, "0100 0002 00080000 00010000",
	    { BAD, END }, 0, 0, 0, 0 },
	{ "the longest record", TEMPLATE_V9, "0100 0001 0008fffb", { 0, END }, 256, 1,
	    0, 65531 },
	{ "a record longer than any set", TEMPLATE_V9, "0100 0001 0008fffc",
	    { BAD, END }, 0, 0, 0, 0 },
	{ "a sum beyond sixteen bits", TEMPLATE_V9, "0100 0002 00088000 00018001",
	    { BAD, END }, 0, 0, 0, 0 },
	{ "v9 knows no variable length", TEMPLATE_V9, "0100 0001 0008ffff",
	    { BAD, END }, 0, 0, 0, 0 },
	{ "v9 knows no enterprise", TEMPLATE_V9, "0100 0002 80e80004 00010004",
	    { 0, END }, 256, 2, 0, 8 },
	{ "v9 options", TEMPLATE_V9_OPTIONS,
	    "0101 0004 0008 00020002 00220002 00240001", { 0, END }, 257, 3, 1, 5 },
	{ "v9 options with padding", TEMPLATE_V9_OPTIONS,
	    "0101 0004 0008 00020002 00220002 00240001 0000", { 0, END }, 257, 3, 1,
	    5 },
	{ "v9 options with four octets of padding", TEMPLATE_V9_OPTIONS,
	    "0101 0004 0004 00020002 00220002 00000000", { 0, END }, 257, 2, 1, 4 },
	{ "v9 options without scope", TEMPLATE_V9_OPTIONS, "0101 0000 0004 00220002",
	    { 0, END }, 257, 1, 0, 2 },
	{ "v9 options of a scope and a half", TEMPLATE_V9_OPTIONS,
	    "0101 0006 0004 00020002 00220002", { BAD, END }, 0, 0, 0, 0 },
	{ "v9 options of half a field", TEMPLATE_V9_OPTIONS,
	    "0101 0004 0002 00020002 0022", { BAD, END }, 0, 0, 0, 0 },
	{ "v9 options of nothing", TEMPLATE_V9_OPTIONS, "0101 0000 0000", { BAD, END },
	    0, 0, 0, 0 },
	{ "v9 options beyond the end", TEMPLATE_V9_OPTIONS, "0101 fffc fffc 00020002",
	    { BAD, END }, 0, 0, 0, 0 },
	{ "v9 options cut in the head", TEMPLATE_V9_OPTIONS, "0101 0004 ", { BAD, END },
	    0, 0, 0, 0 },
	{ "IPFIX with an enterprise's element", TEMPLATE_IPFIX,
	    "0100 0002 80010008 0000ab62 00010004", { 0, END }, 256, 2, 0, 12 },
	{ "IPFIX cut before the enterprise", TEMPLATE_IPFIX, "0100 0001 80010008",
	    { BAD, END }, 0, 0, 0, 0 },
	{ "IPFIX of variable length", TEMPLATE_IPFIX, "0100 0002 0052ffff 00010004",
	    { 0, END }, 256, 2, 0, 5 },
	{ "IPFIX withdraws", TEMPLATE_IPFIX, "0100 0000", { 0, END }, 256, 0, 0, 0 },
	{ "IPFIX withdraws what cannot be", TEMPLATE_IPFIX, "0010 0000", { BAD, END },
	    0, 0, 0, 0 },
	{ "IPFIX withdraws all templates", TEMPLATE_IPFIX, "0002 0000", { 0, END }, 2, 0, 0, 0 },
	{ "IPFIX withdraws all options in a set of templates", TEMPLATE_IPFIX, "0003 0000",
	    { BAD, END }, 0, 0, 0, 0 },
	{ "IPFIX withdraws all options templates", TEMPLATE_IPFIX_OPTIONS, "0003 0000",
	    { 0, END }, 3, 0, 0, 0 },
	{ "IPFIX options", TEMPLATE_IPFIX_OPTIONS, "0100 0002 0001 00950004 00290008",
	    { 0, END }, 256, 2, 1, 12 },
	{ "IPFIX options without scope", TEMPLATE_IPFIX_OPTIONS,
	    "0100 0001 0000 00950004", { BAD, END }, 0, 0, 0, 0 },
	{ "IPFIX options of more scope than fields", TEMPLATE_IPFIX_OPTIONS,
	    "0100 0001 0002 00950004", { BAD, END }, 0, 0, 0, 0 },
	{ "IPFIX withdraws options", TEMPLATE_IPFIX_OPTIONS, "0100 0000", { 0, END },
	    256, 0, 0, 0 },
};

static void
test_next(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(parses) / sizeof(parses[0]); i++) {
		uint8_t octets[64];
		struct rbuf r =
		    rbuf_of(octets, hex(parses[i].octets, octets, sizeof(octets)));
		struct template_def first = { 0 };

		for (int call = 0, rc = 0; rc != END; call++) {
			struct template_def d = { 0 };

			rc = template_next(&r, parses[i].kind, &d);
			if (call == 0)
				first = d;
			if (rc != parses[i].rc[call])
				fail_msg("%s: call %d returned %d", parses[i].says,
				    call, rc);
		}
		if (parses[i].rc[0] == 0 &&
		    (first.id != parses[i].id || first.n_fields != parses[i].n_fields ||
			first.n_scope != parses[i].n_scope ||
			first.min_octets != parses[i].min_octets))
			fail_msg("%s: id %u, %u fields, %u of scope, %u octets",
			    parses[i].says, first.id, first.n_fields, first.n_scope,
			    first.min_octets);
	}
}

/* A set full of zeroes but for its end takes no longer than its length. */
static void
test_next_is_linear(void **state)
{
	static uint8_t octets[65535];
	struct rbuf r = rbuf_of(octets, sizeof(octets));
	struct template_def d;

	(void)state;
	octets[sizeof(octets) - 1] = 1;
	assert_int_equal(template_next(&r, TEMPLATE_V9, &d), BAD);
	assert_int_equal(template_next(&r, TEMPLATE_V9, &d), END);
}

static void
test_field_count_is_bounded(void **state)
{
	static uint8_t octets[4 + 4 * (TEMPLATE_FIELDS_MAX + 1)];

	(void)state;
	for (unsigned more = 0; more <= 1; more++) {
		struct wbuf w = wbuf_of(octets, sizeof(octets));
		struct rbuf r;
		struct template_def d;

		wbuf_u16(&w, 256);
		wbuf_u16(&w, (uint16_t)(TEMPLATE_FIELDS_MAX + more));
		for (unsigned i = 0; i < TEMPLATE_FIELDS_MAX + more; i++) {
			wbuf_u16(&w, 999);
			wbuf_u16(&w, 1);
		}
		r = rbuf_of(octets, sizeof(octets) - (more ? 0 : 4));
		assert_int_equal(template_next(&r, TEMPLATE_V9, &d), more ? BAD : 0);
		assert_int_equal(rbuf_left(&r), 0);
	}
}

/* The compiled form of one template record given in hexadecimal. */
static struct template *
compile(enum template_kind kind, const char *octets, const struct field_set *needed)
{
	uint8_t buf[512];
	struct rbuf r = rbuf_of(buf, hex(octets, buf, sizeof(buf)));
	struct template_def d;
	struct template *t;

	assert_int_equal(template_next(&r, kind, &d), 0);
	t = template_new(&d, needed);
	assert_non_null(t);
	assert_true(template_same(t, &d));
	return t;
}

static struct field_set
all_fields(void)
{
	struct field_set s = { { 0 } };

	for (unsigned i = 0; i < FIELD_COUNT; i++)
		field_set_add(&s, (enum field_no)i);
	return s;
}

#define EXPORT_S UINT64_C(1700000000)
#define UPTIME_MS UINT32_C(3600500)
static const struct template_clock when = { EXPORT_S * CLOCK_S, UPTIME_MS };

/*
 * What one record becomes: one member, or two. Values of members with addresses are
 * their last octet, of MAC addresses too; times are ns.
 */
static const struct {
	const char *says;
	enum template_kind kind;
	const char *fields, *record;
	enum field_no field;
	uint64_t want;
	enum field_no other;
	uint64_t other_want;
} decodes[] = {
	{ "bytes of four octets", TEMPLATE_V9, "00010004 00020004", "00000102 00000003",
	    F_BYTES, 0x102, F_PACKETS, 3 },
	{ "bytes of eight octets", TEMPLATE_V9, "00010008 00020008",
	    "0102030405060708 00000000000000ff", F_BYTES, 0x102030405060708, F_PACKETS,
	    255 },
	{ "counters of three and five octets", TEMPLATE_V9, "00010003 00020005",
	    "010203 0102030405", F_BYTES, 0x10203, F_PACKETS, 0x102030405 },
	{ "counters of one and two octets", TEMPLATE_V9, "00010001 00020002", "f1 f203",
	    F_BYTES, 0xf1, F_PACKETS, 0xf203 },
	{ "a counter longer than ours: the low octets", TEMPLATE_V9,
	    "0001000a 00020004", "ffff 0102030405060708 00000003", F_BYTES,
	    0x102030405060708, F_PACKETS, 3 },
	{ "a port of eight octets", TEMPLATE_V9, "00070008 000b0002",
	    "0000000000001f90 0050", F_SRC_PORT, 0x1f90, F_DST_PORT, 0x50 },
	{ "a port of one octet", TEMPLATE_V9, "00070001 000b0001", "35 36", F_SRC_PORT,
	    0x35, F_DST_PORT, 0x36 },
	{ "delta before total", TEMPLATE_V9, "00550004 00010004", "00000009 00000005",
	    F_BYTES, 5, F_BYTES, 5 },
	{ "delta before total even when zero", TEMPLATE_V9, "00010004 00550004",
	    "00000000 00000009", F_BYTES, 0, F_BYTES, 0 },
	{ "total when there is no delta", TEMPLATE_V9, "00560004 00550004",
	    "00000008 00000009", F_PACKETS, 8, F_BYTES, 9 },
	{ "post counters when there are no others", TEMPLATE_V9, "00180004 00170004",
	    "00000008 00000009", F_PACKETS, 8, F_BYTES, 9 },
	{ "initiator's counters at last", TEMPLATE_V9, "012a0004 00e70004 00e80004",
	    "00000008 00000009 0000000a", F_PACKETS, 8, F_BYTES, 9 },
	{ "of repeated elements the last", TEMPLATE_V9, "00010004 00010004",
	    "00000008 00000009", F_BYTES, 9, F_BYTES, 9 },
	{ "of repeated elements the last that has a value", TEMPLATE_V9,
	    "00010004 00010000", "00000008", F_BYTES, 8, F_BYTES, 8 },
	{ "flows of the record", TEMPLATE_V9, "00030004 00010004", "00000008 00000009",
	    F_FLOWS, 8, F_BYTES, 9 },
	{ "flows stay when the record tells none", TEMPLATE_V9, "00010004", "00000009",
	    F_FLOWS, 77, F_BYTES, 9 },
	{ "IPv4 addresses", TEMPLATE_V9, "00080004 000c0004", "0a000001 0a000002",
	    F_SRC_HOST, 1, F_DST_HOST, 2 },
	{ "an IPv4 address of the wrong length is stepped over", TEMPLATE_V9,
	    "00080003 00010004", "0a0000 00000009", F_SRC_HOST, 0, F_BYTES, 9 },
	{ "IPv6 addresses", TEMPLATE_V9, "001b0010 001c0010",
	    "20010db8000000000000000000000003 20010db8000000000000000000000004",
	    F_SRC_HOST, 3, F_DST_HOST, 4 },
	{ "both families, the record is IPv4", TEMPLATE_V9, "00080004 001b0010",
	    "0a000001 00000000000000000000000000000000", F_SRC_HOST, 1, F_ETYPE,
	    0x800 },
	{ "both families, the record is IPv6", TEMPLATE_V9, "00080004 001b0010",
	    "00000000 20010db8000000000000000000000003", F_SRC_HOST, 3, F_ETYPE,
	    0x86dd },
	{ "EtherType by the family", TEMPLATE_V9, "00080004 00010004",
	    "0a000001 00000009", F_ETYPE, 0x800, F_BYTES, 9 },
	{ "EtherType by the family, IPv6", TEMPLATE_V9, "001b0010",
	    "20010db8000000000000000000000003", F_ETYPE, 0x86dd, F_SRC_HOST, 3 },
	{ "EtherType as told", TEMPLATE_V9, "00080004 01000002", "0a000001 0806",
	    F_ETYPE, 0x806, F_SRC_HOST, 1 },
	{ "a prefix where there is no address", TEMPLATE_V9, "002c0004 00010004",
	    "0a000005 00000009", F_SRC_HOST, 5, F_SRC_NET, 5 },
	{ "an address before a prefix", TEMPLATE_V9, "002c0004 00080004",
	    "0a000005 0a000006", F_SRC_HOST, 6, F_SRC_NET, 5 },
	{ "TCP flags of one octet", TEMPLATE_V9, "00060001 00040001", "1b 06",
	    F_TCPFLAGS, 0x1b, F_PROTO, 6 },
	{ "TCP flags of two octets: the low one", TEMPLATE_V9, "00060002 00040001",
	    "a11b 06", F_TCPFLAGS, 0x1b, F_PROTO, 6 },
	{ "autonomous systems of two and four octets", TEMPLATE_V9, "00100002 00110004",
	    "fde8 00011170", F_SRC_AS, 65000, F_DST_AS, 70000 },
	{ "interfaces of two octets", TEMPLATE_V9, "000a0002 000e0002", "0102 0304",
	    F_IN_IFACE, 0x102, F_OUT_IFACE, 0x304 },
	{ "physical interfaces where there are no others", TEMPLATE_V9,
	    "00fc0004 00fd0004", "00000102 00000304", F_IN_IFACE, 0x102, F_OUT_IFACE,
	    0x304 },
	{ "prefix lengths of both families, IPv4", TEMPLATE_V9, "00090001 001d0001",
	    "18 00", F_SRC_MASK, 24, F_SRC_MASK, 24 },
	{ "prefix lengths of both families, IPv6", TEMPLATE_V9, "00090001 001d0001",
	    "00 40", F_SRC_MASK, 64, F_SRC_MASK, 64 },
	{ "next hops", TEMPLATE_V9, "000f0004 00120004", "0a000007 0a000008", F_NEXTHOP,
	    7, F_PEER_DST_IP, 8 },
	{ "MAC addresses", TEMPLATE_V9, "00380006 00500006",
	    "0200000000a1 0200000000a2", F_SRC_MAC, 0xa1, F_DST_MAC, 0xa2 },
	{ "MAC addresses of the other side", TEMPLATE_V9, "00510006 00390006",
	    "0200000000a1 0200000000a2", F_SRC_MAC, 0xa1, F_DST_MAC, 0xa2 },
	{ "VLAN and its priority", TEMPLATE_V9, "003a0002 00f40001", "0064 05", F_VLAN,
	    100, F_COS, 5 },
	{ "VLAN: 802.1Q's when the first is zero", TEMPLATE_V9, "003a0002 00f30002",
	    "0000 0065", F_VLAN, 101, F_VLAN, 101 },
	{ "VLAN of both sides, no direction", TEMPLATE_V9, "003a0002 003b0002",
	    "0064 0065", F_VLAN, 100, F_VLAN, 100 },
	{ "VLAN of both sides, ingress", TEMPLATE_V9, "003a0002 003b0002 003d0001",
	    "0064 0065 00", F_VLAN, 100, F_VLAN, 100 },
	{ "VLAN of both sides, egress", TEMPLATE_V9, "003d0001 003b0002 003a0002",
	    "01 0065 0064", F_VLAN, 101, F_VLAN, 101 },
	{ "VLAN of both sides, egress, but none there", TEMPLATE_V9,
	    "003d0001 003b0002 003a0002", "01 0000 0064", F_VLAN, 100, F_VLAN, 100 },
	{ "VLAN of the other side alone", TEMPLATE_V9, "003b0002 003d0001", "0065 00",
	    F_VLAN, 101, F_VLAN, 101 },
	{ "sampling told in the record", TEMPLATE_V9, "00220004 00010004",
	    "000003e8 00000009", F_SAMPLING_RATE, 1000, F_BYTES, 9 },
	{ "uptime: 100 s before the export", TEMPLATE_V9, "00160004 00150004",
	    "003569d4 0036f074", F_TIMESTAMP_START, (EXPORT_S - 100) * CLOCK_S,
	    F_TIMESTAMP_END, EXPORT_S *CLOCK_S },
	{ "uptime that wrapped since", TEMPLATE_V9, "00160004", "fffffc18",
	    F_TIMESTAMP_START, (EXPORT_S * 1000 - UPTIME_MS - 1000) * CLOCK_MS, F_BYTES,
	    0 },
	{ "uptime a second ahead of the header", TEMPLATE_V9, "00160004", "0036f45c",
	    F_TIMESTAMP_START, (EXPORT_S + 1) * CLOCK_S, F_BYTES, 0 },
	{ "seconds", TEMPLATE_V9, "00960004 00970004", "65000000 65000001",
	    F_TIMESTAMP_START, UINT64_C(0x65000000) * CLOCK_S, F_TIMESTAMP_END,
	    UINT64_C(0x65000001) * CLOCK_S },
	{ "milliseconds", TEMPLATE_V9, "00980008 00990008",
	    "0000018bcfe56800 0000018bcfe56801", F_TIMESTAMP_START,
	    UINT64_C(0x18bcfe56800) * CLOCK_MS, F_TIMESTAMP_END,
	    UINT64_C(0x18bcfe56801) * CLOCK_MS },
	{ "NTP times", TEMPLATE_V9, "009a0008 009d0008",
	    "83aa7e81 80000000 83aa7e82 00000000", F_TIMESTAMP_START,
	    CLOCK_S + CLOCK_S / 2, F_TIMESTAMP_END, 2 * CLOCK_S },
	{ "an NTP time of the era after 2036", TEMPLATE_V9, "009a0008",
	    "00000001 00000000", F_TIMESTAMP_START,
	    (UINT64_C(4294967297) - UINT64_C(2208988800)) * CLOCK_S, F_BYTES, 0 },
	{ "an NTP time of zero is none", TEMPLATE_V9, "009a0008", "00000000 00000000",
	    F_TIMESTAMP_START, 0, F_BYTES, 0 },
	{ "microseconds before the export", TEMPLATE_V9, "009e0004", "000f4240",
	    F_TIMESTAMP_START, (EXPORT_S - 1) * CLOCK_S, F_BYTES, 0 },
	{ "milliseconds beyond all time are none", TEMPLATE_V9, "00980008",
	    "ffffffffffffffff", F_TIMESTAMP_START, 0, F_BYTES, 0 },
	{ "absolute times before uptime", TEMPLATE_V9, "00160004 00980008",
	    "00000000 0000018bcfe56800", F_TIMESTAMP_START,
	    UINT64_C(0x18bcfe56800) * CLOCK_MS, F_BYTES, 0 },
	{ "IPFIX: no uptime without its start", TEMPLATE_IPFIX, "00160004 00960004",
	    "00000001 65000000", F_TIMESTAMP_START, UINT64_C(0x65000000) * CLOCK_S,
	    F_BYTES, 0 },
	{ "an enterprise's own elements", TEMPLATE_IPFIX,
	    "80010008 0000ab62 80020002 0000ab62", "0000000000000007 0008", F_TAG, 7,
	    F_TAG2, 8 },
	{ "the same number of another enterprise", TEMPLATE_IPFIX,
	    "80010004 00000009 00020004", "00000007 00000008", F_BYTES, 0, F_PACKETS,
	    8 },
	{ "in v9 the same number is another", TEMPLATE_V9, "80010004 00020004",
	    "00000007 00000008", F_BYTES, 0, F_PACKETS, 8 },
	{ "after a variable string", TEMPLATE_IPFIX, "00020004 0052ffff 00010004",
	    "00000007 03 616263 00000008", F_PACKETS, 7, F_BYTES, 8 },
	{ "after an empty string", TEMPLATE_IPFIX, "0052ffff 00010004", "00 00000008",
	    F_BYTES, 8, F_BYTES, 8 },
	{ "after a string with a long length", TEMPLATE_IPFIX, "0052ffff 00010004",
	    "ff0003 616263 00000008", F_BYTES, 8, F_BYTES, 8 },
	{ "a counter of variable length", TEMPLATE_IPFIX, "0001ffff 00020004",
	    "03 010203 00000008", F_BYTES, 0x10203, F_PACKETS, 8 },
	{ "a variable counter longer than ours", TEMPLATE_IPFIX, "0001ffff",
	    "0a ffff0102030405060708", F_BYTES, 0x102030405060708, F_PACKETS, 0 },
	{ "a variable counter without octets is none", TEMPLATE_IPFIX,
	    "0001ffff 00020004", "00 00000008", F_BYTES, 0, F_PACKETS, 8 },
	{ "variable flags and address", TEMPLATE_IPFIX, "0006ffff 0008ffff",
	    "02 a11b 04 0a000009", F_TCPFLAGS, 0x1b, F_SRC_HOST, 9 },
	{ "a variable address of the wrong length", TEMPLATE_IPFIX, "0008ffff 00010004",
	    "03 0a0000 00000008", F_SRC_HOST, 0, F_BYTES, 8 },
	{ "direction after a variable string", TEMPLATE_IPFIX,
	    "003a0002 0052ffff 003b0002 003d0001", "0064 01 61 0065 01", F_VLAN, 101,
	    F_VLAN, 101 },
};

static uint64_t
member(const struct flow *f, enum field_no no)
{
	const struct field *d = &fields[no];
	const uint8_t *p = (const uint8_t *)f + d->offset;

	if (d->value == FIELD_IP || d->value == FIELD_MAC)
		return p[d->octets - 1];
	return field_uint(p, d->octets);
}

static void
specs(char *out, size_t room, enum template_kind kind, const char *text)
{
	size_t n = 0;

	/*
	 * "iiiillll" is a field; with the enterprise bit eight more digits belong to
	 * it.
	 */
	for (const char *p = text; *p != '\0'; n++) {
		p += 8 + (kind >= TEMPLATE_IPFIX && *p >= '8' ? 9 : 0);
		while (*p == ' ')
			p++;
	}
	assert_true((size_t)snprintf(out, room, "0100 %04zx %s", n, text) < room);
}

static void
test_decode(void **state)
{
	struct field_set all = all_fields();

	(void)state;
	for (size_t i = 0; i < sizeof(decodes) / sizeof(decodes[0]); i++) {
		char text[256];
		uint8_t octets[128];
		size_t len = hex(decodes[i].record, octets, sizeof(octets));
		struct template *t;

		specs(text, sizeof(text), decodes[i].kind, decodes[i].fields);
		t = compile(decodes[i].kind, text, &all);
		for (size_t have = 0; have <= len; have++) {
			/*
			 * A copy of just that length, so that a sanitizer sees the end.
			 */
			uint8_t *copy = malloc(have + 1);
			struct rbuf r = rbuf_of(copy, have);
			struct flow f;
			int rc;

			memcpy(copy, octets, have);
			flow_clear(&f);
			f.flows = decodes[i].field == F_FLOWS ? 77 : 0;
			rc = template_decode(t, &r, &when, &f);
			if (rc != (have < len ? BAD : 0))
				fail_msg("%s: %zu octets of %zu return %d",
				    decodes[i].says, have, len, rc);
			if (rc == 0 &&
			    (member(&f, decodes[i].field) != decodes[i].want ||
				member(&f, decodes[i].other) != decodes[i].other_want))
				fail_msg("%s: %s %llu, %s %llu", decodes[i].says,
				    fields[decodes[i].field].config,
				    (unsigned long long)member(&f, decodes[i].field),
				    fields[decodes[i].other].config,
				    (unsigned long long)member(&f, decodes[i].other));
			free(copy);
		}
		template_free(t);
	}
}

/* Octets that mean something to each conversion; others are numbers of four. */
static const char *const samples[IE_CONVERTS] = {
	[IE_IP6] = "a0817263544536270000000000000001",
	[IE_MAC] = "a08172635445",
	[IE_NTP] = "a081726354453627",
	[IE_LOW8] = "a0",
	[IE_HIGH8] = "a081",
	[IE_DIRECTION] = "01",
	[IE_STR] = "65746830",
	[IE_HEX] = "a0",
	[IE_RAW] = "a0",
	[IE_RD] = "0000fde800000007",
	[IE_LABEL] = "000641",
	[IE_BOTTOM] = "000641",
	[IE_PUSH] = "000641",
	[IE_VXLAN] = "0100000000001388",
	[IE_NVGRE] = "0200000000001388",
	[IE_SEGMENTS] = "20010db8000000000000000000000001",
	[IE_IP6_LIST] = "0401ee0010 20010db8000000000000000000000001",
};

/* Every row of ie.def, alone in a template, fills its member and nothing else. */
static void
test_every_element(void **state)
{
	(void)state;
	for (size_t i = 0; i < IE_ROWS; i++) {
		const struct ie *row = &ies[i];
		const char *sample = samples[row->convert];
		unsigned times = row->tunnel ? 2 : 1; /* these stand twice */
		uint8_t record[64];
		unsigned octets =
		    (unsigned)hex(sample != NULL ? sample : "a0817263", record, 32);
		enum template_kind kind =
		    row->enterprise != 0 ? TEMPLATE_IPFIX : TEMPLATE_V9;
		char text[80];
		int len;
		struct field_set one = { { 0 } };
		struct flow f;
		struct template *t;
		struct rbuf r = rbuf_of(record, octets * times);

		if (row->reverse) /* the other direction's: test_reverse */
			continue;
		memcpy(record + octets, record, octets);
		len = snprintf(text, sizeof(text), "0100 %04x", times);
		for (unsigned k = 0; k < times; k++)
			len += snprintf(text + len, sizeof(text) - (size_t)len,
			    row->enterprise != 0 ? " %04x %04x %08x" : " %04x %04x",
			    row->id | (row->enterprise != 0 ? 0x8000U : 0), octets,
			    row->enterprise);
		field_set_add(&one, row->field);
		t = compile(kind, text, &one);
		flow_clear(&f);
		assert_int_equal(template_decode(t, &r, &when, &f), 0);
		if (t->n_steps != 1)
			fail_msg("%s took %u steps", row->name, t->n_steps);
		for (unsigned n = 0; n < FIELD_COUNT; n++) {
			const uint8_t *p = (const uint8_t *)&f + fields[n].offset;
			bool zero = true;

			for (unsigned k = 0; k < fields[n].octets; k++)
				zero &= p[k] == 0;
			if (zero == (n == row->field))
				fail_msg("%s: %s is%s zero", row->name,
				    fields[n].config, zero ? "" : " not");
		}
		template_free(t);
	}
}

/* What a record becomes, as text. */
static const struct {
	const char *says;
	enum template_kind kind;
	const char *fields, *record;
	enum field_no field;
	const char *want;
} texts[] = {
	{ "a name with NULs behind it", TEMPLATE_V9, "00520008", "6574683000000000",
	    F_IN_IFACE_NAME, "eth0" },
	{ "a name of variable length", TEMPLATE_IPFIX, "00ecffff 00010004",
	    "03 414243 00000001", F_VRF_NAME, "ABC" },
	{ "an empty name", TEMPLATE_IPFIX, "00ecffff 00010004", "00 00000001",
	    F_VRF_NAME, "" },
	{ "a label of pmacct's", TEMPLATE_IPFIX, "8003ffff 0000ab62", "04 636f7265", F_LABEL,
	    "core" },
	{ "a description where there is no name", TEMPLATE_V9, "00530002", "7570",
	    F_IN_IFACE_NAME, "up" },
	{ "the application's name", TEMPLATE_IPFIX, "0060ffff", "04 68747470", F_CLASS,
	    "http" },
	{ "the user of an ASA", TEMPLATE_V9, "9c400006", "616c69636500", F_USER_NAME,
	    "alice" },
	{ "a route distinguisher of type 0", TEMPLATE_V9, "005a0008",
	    "0000fde800000007", F_MPLS_VPN_RD, "0:65000:7" },
	{ "VLANs of both sides", TEMPLATE_V9, "003a0002 003b0002", "0064 0065",
	    F_OUT_VLAN, "101" },
	{ "customer's VLAN", TEMPLATE_V9, "00f50002 00ff0002", "0066 0067", F_IN_CVLAN,
	    "102" },
	{ "direction in", TEMPLATE_V9, "003d0001", "00", F_SAMPLING_DIRECTION, "i" },
	{ "direction out", TEMPLATE_V9, "003d0001", "01", F_SAMPLING_DIRECTION, "e" },
	{ "a direction that is none", TEMPLATE_V9, "003d0001", "ff",
	    F_SAMPLING_DIRECTION, "u" },
	{ "no direction", TEMPLATE_V9, "00010001", "ff", F_SAMPLING_DIRECTION, "u" },
	{ "forwarding status of one octet", TEMPLATE_V9, "00590001", "40", F_FWD_STATUS,
	    "64" },
	{ "forwarding status of four octets", TEMPLATE_V9, "00590004", "00000082",
	    F_FWD_STATUS, "130" },
	{ "translated addresses", TEMPLATE_V9, "00e10004 00e20004", "0a000001 c0000201",
	    F_POST_NAT_DST_HOST, "192.0.2.1" },
	{ "an ASA's translated address", TEMPLATE_V9, "9c410004", "c0000202",
	    F_POST_NAT_SRC_HOST, "192.0.2.2" },
	{ "a translated IPv6 address beside no IPv4 one", TEMPLATE_V9,
	    "01190010 00e10004", "20010db8000000000000000000000001 00000000",
	    F_POST_NAT_SRC_HOST, "2001:db8::1" },
	{ "an ASA's old event is the firewall's", TEMPLATE_V9, "9c450001", "02",
	    F_FW_EVENT, "2" },
	{ "DSCP alone", TEMPLATE_V9, "00c30001", "2e", F_TOS, "184" },
	{ "ICMP type of type and code", TEMPLATE_V9, "00200002", "0305", F_ICMP_TYPE,
	    "3" },
	{ "ICMP code of type and code", TEMPLATE_V9, "00200002", "0305", F_ICMP_CODE,
	    "5" },
	{ "ICMP type alone", TEMPLATE_V9, "00b00001 00b10001", "0b 01", F_ICMP_TYPE,
	    "11" },
	{ "ICMPv6 type where IPv4's is zero", TEMPLATE_V9, "00b00001 00b20001", "00 80",
	    F_ICMP_TYPE, "128" },
	{ "ICMP type and code are a port where there is none", TEMPLATE_V9, "00200002",
	    "0305", F_DST_PORT, "773" },
	{ "but not where there is one", TEMPLATE_V9, "00200002 000b0002", "0305 0000",
	    F_DST_PORT, "0" },
	{ "the top label", TEMPLATE_V9, "00460003 00470003", "03ec10 000641",
	    F_MPLS_LABEL_TOP, "16065" },
	{ "the bottom label", TEMPLATE_V9, "00460003 00470003 00480003",
	    "03ec10 000641 000000", F_MPLS_LABEL_BOTTOM, "100" },
	{ "no bottom was told", TEMPLATE_V9, "00460003 00470003", "03ec10 000640",
	    F_MPLS_LABEL_BOTTOM, "0" },
	{ "the stack, outermost first, empty places left out", TEMPLATE_V9,
	    "00480003 00460003 00470003 00490003", "0000a1 03ec10 000640 000000",
	    F_MPLS_LABEL_STACK, "16065_100_10" },
	{ "a stack of nothing", TEMPLATE_V9, "00460003 00470003", "000000 000000",
	    F_MPLS_LABEL_STACK, "" },
	{ "a stack behind a variable field", TEMPLATE_IPFIX,
	    "0052ffff 00460003 00470003", "02 6162 03ec10 000641", F_MPLS_LABEL_STACK,
	    "16065_100" },
	{ "a stack of ten", TEMPLATE_V9,
	    "00460003 00470003 00480003 00490003 004a0003 004b0003 004c0003 004d0003 "
	    "004e0003 004f0003",
	    "fffff0 fffff0 fffff0 fffff0 fffff0 fffff0 fffff0 fffff0 fffff0 fffff1",
	    F_MPLS_LABEL_STACK,
	    "1048575_1048575_1048575_1048575_1048575_1048575_1048575_1048575_1048575_"
	    "1048575" },
	{ "VXLAN", TEMPLATE_V9, "015f0008", "0100000000001388", F_VXLAN, "5000" },
	{ "NVGRE is no VXLAN", TEMPLATE_V9, "015f0008", "0200000000001388", F_VXLAN,
	    "0" },
	{ "NVGRE", TEMPLATE_V9, "015f0008", "0200000000001388", F_NVGRE, "5000" },
	{ "segments as they stand", TEMPLATE_IPFIX, "01f1ffff",
	    "20 20010db8000000000000000000000002 20010db8000000000000000000000001",
	    F_SRV6_SEG_IPV6_LIST, "2001:db8::2_2001:db8::1" },
	{ "no segments", TEMPLATE_IPFIX, "01f1ffff", "00", F_SRV6_SEG_IPV6_LIST, "" },
	{ "a segment and a half", TEMPLATE_IPFIX, "01f1ffff",
	    "18 20010db8000000000000000000000002 20010db800000000",
	    F_SRV6_SEG_IPV6_LIST, "2001:db8::2" },
	{ "segments in a basicList", TEMPLATE_IPFIX, "01f0ffff",
	    "15 04 01ee 0010 20010db8000000000000000000000003", F_SRV6_SEG_IPV6_LIST,
	    "2001:db8::3" },
	{ "a basicList of an enterprise's element", TEMPLATE_IPFIX, "01f0ffff",
	    "19 04 81ee 0010 0000ab62 20010db8000000000000000000000003",
	    F_SRV6_SEG_IPV6_LIST, "2001:db8::3" },
	{ "a basicList of something else", TEMPLATE_IPFIX, "01f0ffff",
	    "15 04 0001 0004 20010db8000000000000000000000003", F_SRV6_SEG_IPV6_LIST,
	    "" },
	{ "the protocol of a tunnel is the first", TEMPLATE_IPFIX, "00040001 00040001",
	    "04 11", F_TUNNEL_PROTO, "ipencap" },
	{ "the first of three", TEMPLATE_IPFIX, "00040001 00040001 00040001", "29 04 11",
	    F_TUNNEL_PROTO, "ipv6" },
	{ "a tunnel's address is the first", TEMPLATE_IPFIX, "001b0010 001b0010",
	    "20010db8000000000000000000000001 20010db8000000000000000000000002",
	    F_TUNNEL_SRC_HOST, "2001:db8::1" },
	{ "a tunnel's address of the other family", TEMPLATE_IPFIX, "001b0010 00080004",
	    "20010db8000000000000000000000001 0a000001", F_TUNNEL_SRC_HOST,
	    "2001:db8::1" },
	{ "IPv4 outside, IPv6 inside", TEMPLATE_IPFIX, "000c0004 001c0010",
	    "0a000001 20010db8000000000000000000000001", F_TUNNEL_DST_HOST, "10.0.0.1" },
	{ "behind a variable field", TEMPLATE_IPFIX, "0052ffff 001b0010 0053ffff 00080004",
	    "01 61 20010db8000000000000000000000001 00 0a000001", F_TUNNEL_SRC_HOST,
	    "2001:db8::1" },
	{ "both families, but the record is IPv6: no tunnel", TEMPLATE_IPFIX,
	    "001b0010 00080004", "20010db8000000000000000000000001 00000000",
	    F_TUNNEL_SRC_HOST, "0.0.0.0" },
	{ "both families, but the record is IPv4: no tunnel", TEMPLATE_IPFIX,
	    "001b0010 00080004", "00000000000000000000000000000000 0a000001",
	    F_TUNNEL_SRC_HOST, "0.0.0.0" },
	{ "one family: no tunnel", TEMPLATE_IPFIX, "001b0010 001c0010",
	    "20010db8000000000000000000000001 20010db8000000000000000000000002",
	    F_TUNNEL_SRC_HOST, "0.0.0.0" },
	{ "without a second one there is no tunnel", TEMPLATE_IPFIX, "00040001", "11",
	    F_TUNNEL_PROTO, "ip" },
	{ "the flow's protocol is the last one", TEMPLATE_IPFIX, "00040001 00040001",
	    "04 11", F_PROTO, "udp" },
	{ "two families with a value: the later one, IPv4", TEMPLATE_IPFIX,
	    "001b0010 00080004", "20010db8000000000000000000000003 0a000001",
	    F_SRC_HOST, "10.0.0.1" },
	{ "two families with a value: the later one, IPv6", TEMPLATE_IPFIX,
	    "00080004 001b0010", "0a000001 20010db8000000000000000000000003",
	    F_SRC_HOST, "2001:db8::3" },
	{ "IPv6 first, but the record is IPv4", TEMPLATE_IPFIX, "001b0010 00080004",
	    "00000000000000000000000000000000 0a000001", F_SRC_HOST, "10.0.0.1" },
	{ "IPv4 behind IPv6, but the record is IPv6", TEMPLATE_IPFIX,
	    "001b0010 00080004", "20010db8000000000000000000000003 00000000",
	    F_SRC_HOST, "2001:db8::3" },
	{ "uptime in IPFIX, with the start beside it", TEMPLATE_IPFIX,
	    "00160004 00a00008", "000003e8 0000018bcfe56800", F_TIMESTAMP_START,
	    "1700000001.000000" },
	{ "the start stands first", TEMPLATE_IPFIX, "00a00008 00150004",
	    "0000018bcfe56800 000007d0", F_TIMESTAMP_END, "1700000002.000000" },
	{ "the start stands behind a variable field", TEMPLATE_IPFIX,
	    "00160004 0052ffff 00a00008", "000003e8 01 61 0000018bcfe56800",
	    F_TIMESTAMP_START, "1700000001.000000" },
	{ "the exporter's start means nothing in v9", TEMPLATE_V9, "00160004 00a00008",
	    "0036f074 0000000000000001", F_TIMESTAMP_START, "1700000000.000000" },
};

#define MACS "0200000000a2 0200000000a1 "
/* UDP from 192.0.2.1:4660 to 192.0.2.2:53, 96 octets long; the checksums do not matter. */
#define IPV4_UDP "4500 0060 0000 4000 4011 0000 c0000201 c0000202 1234 0035 004c 0000"
/* TCP from 2001:db8::1 to 2001:db8::2, 20 octets of payload. */
#define IPV6_TCP \
	"60000000 0014 06 40 20010db8000000000000000000000001 " \
	"20010db8000000000000000000000002 0050 c000 00000000 00000000 5012 0000 0000 0000"

/*
 * Records one behind the other, decoded at once, become what they become one by one; the
 * second of the three has other octets where that is no matter of lengths.
 */
static void
check_many(const char *says, enum template_kind kind, const char *definition,
    const char *record)
{
	struct field_set all = all_fields();
	char text[256];
	uint8_t octets[3 * 128];
	size_t len = hex(record, octets, 128), whole = 3 * len;
	struct flow once[3], many[4];
	struct template *t;
	struct rbuf r;

	specs(text, sizeof(text), kind, definition);
	t = compile(kind, text, &all);
	memcpy(octets + len, octets, len);
	memcpy(octets + 2 * len, octets, len);
	for (size_t i = 0; i < len && !t->variable; i++)
		octets[len + i] ^= 1;
	for (size_t have = 0; have <= whole; have++) {
		unsigned n = 0, got;

		memset(once, 0, sizeof(once));
		memset(many, 0, sizeof(many));
		r = rbuf_of(octets, have);
		while (n < 3 && rbuf_left(&r) >= t->min_octets &&
		       template_decode(t, &r, &when, &once[n]) == 0)
			n++;
		r = rbuf_of(octets, have);
		got = template_decode_many(t, &r, &when, many, 4);
		if (got != n || n != have / len)
			fail_msg("%s: %u of %u records in %zu octets", says, got, n, have);
		if (rbuf_ok(&r) && rbuf_left(&r) != have % len)
			fail_msg("%s: %zu octets left", says, rbuf_left(&r));
		if (memcmp(many, once, n * sizeof(once[0])) != 0)
			fail_msg("%s: another flow", says);
	}
	r = rbuf_of(octets, whole);
	assert_int_equal(template_decode_many(t, &r, &when, many, 2), 2);
	assert_int_equal(rbuf_left(&r), len);
	template_free(t);
}

static void
test_many(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(decodes) / sizeof(decodes[0]); i++)
		check_many(decodes[i].says, decodes[i].kind, decodes[i].fields,
		    decodes[i].record);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		check_many(texts[i].says, texts[i].kind, texts[i].fields, texts[i].record);
}

/* Records that carry the start of a packet (IPFIX). */
static const struct {
	const char *says, *fields, *record;
	enum field_no field;
	const char *want;
} sections[] = {
	{ "bytes are the packet's", "013bffff", "30 " MACS "8100 00e7 0800 " IPV4_UDP " 0000",
	    F_BYTES, "96" },
	{ "it is one packet", "013bffff", "2e " MACS "8100 00e7 0800 " IPV4_UDP, F_PACKETS,
	    "1" },
	{ "its VLAN", "013bffff", "2e " MACS "8100 00e7 0800 " IPV4_UDP, F_VLAN, "231" },
	{ "its addresses", "013bffff", "2e " MACS "8100 00e7 0800 " IPV4_UDP, F_DST_HOST,
	    "192.0.2.2" },
	{ "its ports", "013bffff", "2e " MACS "8100 00e7 0800 " IPV4_UDP, F_DST_PORT, "53" },
	{ "its EtherType", "013bffff", "2e " MACS "8100 00e7 0800 " IPV4_UDP, F_ETYPE,
	    "800" },
	{ "a section of fixed length", "013b002e", MACS "8100 00e7 0800 " IPV4_UDP, F_SRC_PORT,
	    "4660" },
	{ "a section of v9's", "0068002a", MACS "0800 " IPV4_UDP, F_SRC_HOST, "192.0.2.1" },
	{ "an IPv6 header", "0139003c", IPV6_TCP, F_SRC_HOST, "2001:db8::1" },
	{ "an IPv6 header, its length", "0139003c", IPV6_TCP, F_BYTES, "60" },
	{ "elements beside it overrule it", "013b002e 00010004 00020004",
	    MACS "8100 00e7 0800 " IPV4_UDP "00000abc 00000007", F_BYTES, "2748" },
	{ "elements before it, too", "00020004 013b002e",
	    "00000007" MACS "8100 00e7 0800 " IPV4_UDP, F_PACKETS, "7" },
	{ "elements that it does not have stay", "000a0004 013b002e",
	    "00000009" MACS "8100 00e7 0800 " IPV4_UDP, F_IN_IFACE, "9" },
	{ "a frame without a length in its header", "01380002 013b002a",
	    "0072" MACS "0800 4500 0000 0000 4000 4011 0000 c0000201 c0000202 1234 0035 "
	    "004c 0000", F_BYTES, "100" },
	{ "a packet's middle is none", "01990002 013b002e",
	    "0004" MACS "8100 00e7 0800 " IPV4_UDP, F_BYTES, "0" },
	{ "a frame that is not IP", "013b0012", MACS "0806 00010800", F_PACKETS, "0" },
	{ "a frame cut in the IP header", "013b0012", MACS "0800 45000060", F_PACKETS, "0" },
	{ "no frame at all", "013bffff", "00", F_PACKETS, "0" },
	{ "the same number of an enterprise", "813b002e 00000009",
	    MACS "8100 00e7 0800 " IPV4_UDP, F_BYTES, "0" },
};

/* The one primitive that is needed becomes `want`; a record cut short is malformed. */
static void
check_text(const char *says, enum template_kind kind, const char *definition,
    const char *record, enum field_no no, const char *want)
{
	const struct text_opts opts = { .since_epoch = true };
	const struct field *field = &fields[no];
	struct field_set one = { { 0 } };
	char text[256], value[TEXT_MAX];
	uint8_t octets[128];
	size_t len = hex(record, octets, sizeof(octets));
	struct template *t;

	field_set_add(&one, no);
	specs(text, sizeof(text), kind, definition);
	t = compile(kind, text, &one);
	for (size_t have = 0; have <= len; have++) {
		uint8_t *copy = malloc(have + 1); /* a sanitizer sees the end */
		struct rbuf r = rbuf_of(copy, have);
		struct flow f;
		int rc;

		memcpy(copy, octets, have);
		flow_clear(&f);
		rc = template_decode(t, &r, &when, &f);
		if (rc != (have < len ? BAD : 0) || (rc == 0 && rbuf_left(&r) != 0))
			fail_msg("%s: %zu octets of %zu", says, have, len);
		text_value(field, (const uint8_t *)&f + field->offset, &opts, value);
		if (rc == 0 && strcmp(value, want) != 0)
			fail_msg("%s: %s is '%s'", says, field->config, value);
		free(copy);
	}
	template_free(t);
}

static void
test_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		check_text(texts[i].says, texts[i].kind, texts[i].fields,
		    texts[i].record, texts[i].field, texts[i].want);
}

static void
test_sections(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		check_text(sections[i].says, TEMPLATE_IPFIX, sections[i].fields,
		    sections[i].record, sections[i].field, sections[i].want);
}

/* The way back of a record: of the primitive that is needed, and its counters. */
static const struct {
	const char *says;
	enum template_kind kind;
	const char *fields, *record;
	bool comes_back;
	enum field_no field;
	const char *want;
	uint64_t packets, bytes;
} reverses[] = {
	{ "no reverse elements", TEMPLATE_IPFIX, "00080004 00010004", "0a000001 00000007",
	    false, F_SRC_HOST, "", 0, 0 },
	{ "reverse counters, of deltas", TEMPLATE_IPFIX,
	    "00020004 00010004 80020004 00007279 80010004 00007279",
	    "00000001 00000002 00000003 00000004", true, F_PROTO, "ip", 3, 4 },
	{ "reverse counters, of totals", TEMPLATE_IPFIX,
	    "00560004 00550004 80560004 00007279 80550004 00007279",
	    "00000001 00000002 00000003 00000004", true, F_PROTO, "ip", 3, 4 },
	{ "nothing came back", TEMPLATE_IPFIX,
	    "00020004 00010004 80020004 00007279 80010004 00007279",
	    "00000001 00000002 00000000 00000000", false, F_PROTO, "", 0, 0 },
	{ "the source is the destination", TEMPLATE_IPFIX,
	    "00080004 000c0004 80010004 00007279", "0a000001 0a000002 00000004", true,
	    F_SRC_HOST, "10.0.0.2", 0, 4 },
	{ "the destination port is the source's", TEMPLATE_IPFIX,
	    "00070002 000b0002 80010004 00007279", "c000 0050 00000004", true, F_DST_PORT,
	    "49152", 0, 4 },
	{ "the output interface is the input's", TEMPLATE_IPFIX,
	    "000a0004 000e0004 80010004 00007279", "00000001 00000002 00000004", true,
	    F_OUT_IFACE, "1", 0, 4 },
	{ "the protocol is the same", TEMPLATE_IPFIX, "00040001 80010004 00007279",
	    "06 00000004", true, F_PROTO, "tcp", 0, 4 },
	{ "the type of service, if it has its own", TEMPLATE_IPFIX,
	    "00050001 80050001 00007279 80010004 00007279", "01 02 00000004", true, F_TOS,
	    "2", 0, 4 },
	{ "the type of service, if it has none", TEMPLATE_IPFIX,
	    "00050001 80010004 00007279", "01 00000004", true, F_TOS, "1", 0, 4 },
	{ "TCP flags of its own", TEMPLATE_IPFIX,
	    "00060001 80060001 00007279 80010004 00007279", "02 12 00000004", true,
	    F_TCPFLAGS, "18", 0, 4 },
	{ "TCP flags are not those of the other way", TEMPLATE_IPFIX,
	    "00060001 80010004 00007279", "02 00000004", true, F_TCPFLAGS, "0", 0, 4 },
	{ "its start", TEMPLATE_IPFIX,
	    "00960004 80960004 00007279 80010004 00007279", "65000000 65000001 00000004",
	    true, F_TIMESTAMP_START, "1694498817.000000", 0, 4 },
	{ "the start of the other way, for want of its own", TEMPLATE_IPFIX,
	    "00960004 80010004 00007279", "65000000 00000004", true, F_TIMESTAMP_START,
	    "1694498816.000000", 0, 4 },
	{ "a responder's counters", TEMPLATE_V9,
	    "00080004 000c0004 00e70004 00e80004 012a0004 012b0004",
	    "0a000001 0a000002 00000001 00000002 00000003 00000004", true, F_SRC_HOST,
	    "10.0.0.2", 4, 2 },
	{ "a responder without an initiator is none", TEMPLATE_V9, "00010004 00e80004",
	    "00000001 00000002", false, F_PROTO, "", 0, 0 },
	{ "v9 knows no reverse elements", TEMPLATE_V9, "00010004 80010004",
	    "00000001 00000002", false, F_PROTO, "", 0, 0 },
	{ "behind a variable field", TEMPLATE_IPFIX,
	    "0052ffff 00080004 000c0004 80010004 00007279",
	    "02 6162 0a000001 0a000002 00000004", true, F_DST_HOST, "10.0.0.1", 0, 4 },
};

static void
test_reverse(void **state)
{
	const struct text_opts opts = { .since_epoch = true };

	(void)state;
	for (size_t i = 0; i < sizeof(reverses) / sizeof(reverses[0]); i++) {
		const struct field *field = &fields[reverses[i].field];
		struct field_set one = { { 0 } };
		char text[256], value[TEXT_MAX];
		uint8_t octets[128];
		size_t len = hex(reverses[i].record, octets, sizeof(octets));
		struct template *t;
		struct flow f;

		field_set_add(&one, reverses[i].field);
		specs(text, sizeof(text), reverses[i].kind, reverses[i].fields);
		t = compile(reverses[i].kind, text, &one);
		for (size_t have = 0; have <= len; have++) {
			flow_clear(&f);
			if (template_decode_reverse(t, rbuf_of(octets, have), &when, &f) !=
			    (reverses[i].comes_back && have == len))
				fail_msg("%s: with %zu octets", reverses[i].says, have);
		}
		template_free(t);
		if (!reverses[i].comes_back)
			continue;
		text_value(field, (const uint8_t *)&f + field->offset, &opts, value);
		if (strcmp(value, reverses[i].want) != 0 ||
		    f.packets != reverses[i].packets || f.bytes != reverses[i].bytes)
			fail_msg("%s: %s, %llu packets, %llu bytes", reverses[i].says,
			    value, (unsigned long long)f.packets,
			    (unsigned long long)f.bytes);
	}
}

/* Primitives of the operator's own, read at the template's length. */
static const struct {
	const char *says;
	struct custom custom;
	enum template_kind kind;
	const char *fields, *record, *want;
} customs[] = {
	{ "a number of four octets", { 0, 460, CUSTOM_UINT }, TEMPLATE_IPFIX, "01cc0004",
	    "00000102", "258" },
	{ "the same of eight", { 0, 460, CUSTOM_UINT }, TEMPLATE_IPFIX, "01cc0008",
	    "ffffffffffffffff", "18446744073709551615" },
	{ "the same of three", { 0, 460, CUSTOM_UINT }, TEMPLATE_IPFIX, "01cc0003", "010203",
	    "66051" },
	{ "the same of nine: the low octets", { 0, 460, CUSTOM_UINT }, TEMPLATE_IPFIX,
	    "01cc0009", "ff0000000000000007", "7" },
	{ "the same of variable length", { 0, 460, CUSTOM_UINT }, TEMPLATE_IPFIX, "01ccffff",
	    "02 0102", "258" },
	{ "an enterprise's string", { 9999, 1001, CUSTOM_STR }, TEMPLATE_IPFIX,
	    "83e9ffff 0000270f 00010004", "03 616263 00000007", "abc" },
	{ "the same number of nobody's", { 9999, 1001, CUSTOM_STR }, TEMPLATE_IPFIX,
	    "03e9ffff 00010004", "03 616263 00000007", "" },
	{ "hexadecimal", { 0, 460, CUSTOM_HEX }, TEMPLATE_V9, "01cc0004", "00000a0b",
	    "a0b" },
	{ "hexadecimal, nothing", { 0, 460, CUSTOM_HEX }, TEMPLATE_V9, "01cc0002", "0000",
	    "0" },
	{ "hexadecimal, longer than any number", { 0, 460, CUSTOM_HEX }, TEMPLATE_V9,
	    "01cc000a", "0102030405060708090a", "102030405060708090a" },
	{ "octets", { 0, 40000, CUSTOM_RAW }, TEMPLATE_V9, "9c400003", "000a0b",
	    "00-0a-0b" },
	{ "an IPv4 address", { 0, 460, CUSTOM_IP }, TEMPLATE_V9, "01cc0004", "c0000201",
	    "192.0.2.1" },
	{ "an IPv6 address", { 0, 460, CUSTOM_IP }, TEMPLATE_V9, "01cc0010",
	    "20010db8000000000000000000000001", "2001:db8::1" },
	{ "an address of variable length", { 0, 460, CUSTOM_IP }, TEMPLATE_IPFIX, "01ccffff",
	    "04 c0000201", "192.0.2.1" },
	{ "an address of variable length, IPv6", { 0, 460, CUSTOM_IP }, TEMPLATE_IPFIX,
	    "01ccffff", "10 20010db8000000000000000000000001", "2001:db8::1" },
	{ "an address that is none", { 0, 460, CUSTOM_IP }, TEMPLATE_V9, "01cc0005",
	    "c000020100", "0.0.0.0" },
	{ "a MAC address", { 0, 460, CUSTOM_MAC }, TEMPLATE_V9, "01cc0006", "0200000000a1",
	    "02:00:00:00:00:a1" },
	{ "an element that is a primitive, too", { 0, 8, CUSTOM_HEX }, TEMPLATE_V9,
	    "00080004", "c0000201", "c0000201" },
};

static void
test_customs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(customs) / sizeof(customs[0]); i++) {
		custom_clear();
		assert_int_equal(custom_add("lab", &customs[i].custom, NULL), 0);
		check_text(customs[i].says, customs[i].kind, customs[i].fields,
		    customs[i].record, F_CUSTOM_1, customs[i].want);
	}
	custom_clear();
}

/* A list of segments longer than the longest string ends with a whole address. */
static void
test_many_segments(void **state)
{
	struct field_set one = { { 0 } };
	uint8_t octets[3 + 20 * 16];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	struct rbuf r;
	struct flow f;
	struct template *t;
	const char *list;

	(void)state;
	wbuf_u8(&w, 255);
	wbuf_u16(&w, 20 * 16);
	memset(octets + 3, 0xfd, 20 * 16);
	field_set_add(&one, F_SRV6_SEG_IPV6_LIST);
	t = compile(TEMPLATE_IPFIX, "0100 0001 01f1ffff", &one);
	r = rbuf_of(octets, sizeof(octets));
	flow_clear(&f);
	assert_int_equal(template_decode(t, &r, &when, &f), 0);
	list = intern_text(f.srv6_seg_ipv6_list);
	/* Six addresses of 39 characters, with what stands between them. */
	assert_int_equal(strlen(list), 6 * 39 + 5);
	template_free(t);
}

static void
test_only_what_is_needed(void **state)
{
	struct field_set none = { { 0 } }, all = all_fields();
	struct template *t;

	(void)state;
	/* Addresses, ports, protocol, counters, start and end. */
	t = compile(TEMPLATE_V9,
	    "0100 0009 00080004 000c0004 00070002 000b0002 00040001 "
	    "00010004 00020004 00160004 00150004",
	    &none);
	assert_int_equal(t->n_steps, 3);
	assert_true(t->start_by_uptime);
	template_free(t);
	t = compile(TEMPLATE_V9,
	    "0100 0009 00080004 000c0004 00070002 000b0002 00040001 "
	    "00010004 00020004 00160004 00150004",
	    &all);
	assert_int_equal(t->n_steps, 9);
	template_free(t);
	t = compile(TEMPLATE_V9, "0100 0001 00980008", &all);
	assert_false(t->start_by_uptime);
	template_free(t);
	t = compile(
	    TEMPLATE_V9_OPTIONS, "0101 0004 0008 00010004 00220004 00010004", &all);
	assert_int_equal(t->n_steps, 2); /* 34 and 1: a scope is no element */
	assert_true(t->options);
	template_free(t);
}

/* More variable fields than we keep in mind: what follows them is stepped over. */
static void
test_many_variable_fields(void **state)
{
	struct field_set all = all_fields();
	char text[2048] = "";
	uint8_t record[64 + 4] = { 0 };
	uint8_t buf[1024];
	struct template_def d;
	struct template *t;
	struct rbuf r;
	struct flow f;

	(void)state;
	strcat(text, "0100 0029");
	for (int i = 0; i < 40; i++)
		strcat(text, " 0052ffff");
	strcat(text, " 00010004");
	r = rbuf_of(buf, hex(text, buf, sizeof(buf)));
	assert_int_equal(template_next(&r, TEMPLATE_IPFIX, &d), 0);
	t = template_new(&d, &all);
	r = rbuf_of(record, 40 + 4);
	flow_clear(&f);
	assert_int_equal(template_decode(t, &r, &when, &f), 0);
	assert_int_equal(rbuf_left(&r), 0);
	r = rbuf_of(record, 40 + 3);
	assert_int_equal(template_decode(t, &r, &when, &f), BAD);
	template_free(t);
}

static void
test_same(void **state)
{
	static const struct {
		const char *says;
		enum template_kind kind;
		const char *octets;
		bool same;
	} cases[] = {
		{ "itself", TEMPLATE_V9, "0100 0002 00080004 00010004", true },
		{ "another element", TEMPLATE_V9, "0100 0002 00080004 00020004",
		    false },
		{ "another length", TEMPLATE_V9, "0100 0002 00080004 00010008", false },
		{ "another order", TEMPLATE_V9, "0100 0002 00010004 00080004", false },
		{ "one field less", TEMPLATE_V9, "0100 0001 00080004", false },
		{ "the same fields as options", TEMPLATE_V9_OPTIONS,
		    "0100 0004 0004 00080004 00010004", false },
	};
	struct field_set all = all_fields();
	struct template *t = compile(TEMPLATE_V9, cases[0].octets, &all);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t buf[64];
		struct rbuf r = rbuf_of(buf, hex(cases[i].octets, buf, sizeof(buf)));
		struct template_def d;

		assert_int_equal(template_next(&r, cases[i].kind, &d), 0);
		if (template_same(t, &d) != cases[i].same)
			fail_msg("%s", cases[i].says);
	}
	template_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_next_is_linear),
		cmocka_unit_test(test_field_count_is_bounded),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_every_element),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_customs),
		cmocka_unit_test(test_reverse),
		cmocka_unit_test(test_many_segments),
		cmocka_unit_test(test_only_what_is_needed),
		cmocka_unit_test(test_many_variable_fields),
		cmocka_unit_test(test_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
