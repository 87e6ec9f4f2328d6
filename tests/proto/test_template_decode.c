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

#include "lib/err.h"
#include "proto/ie.h"

#include "tests/proto/hex.h"
#include "tests/proto/template_rig.h"

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
	{ "octets of frames beside those of packets", TEMPLATE_IPFIX, "00010004 01600008",
	    "00000064 0000000000000072", F_BYTES, 100, F_LINK_BYTES, 114 },
	{ "octets of frames alone are all that there is", TEMPLATE_IPFIX, "01610004",
	    "00000072", F_BYTES, 114, F_LINK_BYTES, 114 },
	{ "tags of pmacct's probe, in v9", TEMPLATE_V9, "00c90002 00ca0004",
	    "0102 00010203", F_TAG, 0x102, F_TAG2, 0x10203 },
	{ "the same numbers beside labels are of those", TEMPLATE_V9,
	    "00460003 00c90004 00ca0004", "000641 00000001 00000002", F_TAG, 0, F_TAG2,
	    0 },
	{ "but those of eight octets, which no length or depth has", TEMPLATE_V9,
	    "00460003 00c90008 00ca0008", "000641 0000000000000001 00000000000000f2", F_TAG, 1,
	    F_TAG2, 0xf2 },
	{ "and in IPFIX always", TEMPLATE_IPFIX, "00c90002 00ca0004", "0102 00010203",
	    F_TAG, 0, F_TAG2, 0 },
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
test_decode(void **state)
{
	struct field_set all = rig_all_fields();

	(void)state;
	for (size_t i = 0; i < sizeof(decodes) / sizeof(decodes[0]); i++) {
		char text[256];
		uint8_t octets[128];
		size_t len = hex_octets(decodes[i].record, octets, sizeof(octets));
		struct template *t;

		rig_definition(text, sizeof(text), decodes[i].kind, decodes[i].fields);
		t = rig_template(decodes[i].kind, text, &all);
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
			rc = template_decode(t, &r, &rig_clock, &f);
			if (rc != (have < len ? -WEIR_EMALFORMED : 0))
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

/* What was decoded one by one, decoded at once. */
static void
test_many(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(decodes) / sizeof(decodes[0]); i++)
		rig_check_many(decodes[i].says, decodes[i].kind, decodes[i].fields,
		    decodes[i].record);
}

/* Octets that mean something to each conversion; others are numbers of four. */
static const char *const samples[IE_CONVERTS] = {
	[IE_IP6] = "a0817263544536270000000000000001",
	[IE_MAC] = "a08172635445",
	[IE_NTP] = "a081726354453627",
	[IE_LOW8] = "a0",
	[IE_HIGH8] = "a081",
	[IE_DIRECTION] = "01",
	[IE_STR] = "65746830000000000000000000000000",
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

/*
 * Every row of ie.def, alone in a template, fills its member and nothing else; but the
 * octets of frames are all the octets that there are then.
 */
static void
test_every_element(void **state)
{
	(void)state;
	for (size_t i = 0; i < IE_ROWS; i++) {
		const struct ie *row = &ies[i];
		const char *sample = samples[row->convert];
		unsigned times = row->tunnel ? 2 : 1; /* these stand twice */
		bool bytes = row->field == F_LINK_BYTES;
		uint8_t record[64];
		unsigned octets =
		    (unsigned)hex_octets(sample != NULL ? sample : "a0817263", record, 32);
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
		t = rig_template(kind, text, &one);
		flow_clear(&f);
		assert_int_equal(template_decode(t, &r, &rig_clock, &f), 0);
		if (t->n_steps != 1U + bytes)
			fail_msg("%s took %u steps", row->name, t->n_steps);
		for (unsigned n = 0; n < FIELD_COUNT; n++) {
			const uint8_t *p = (const uint8_t *)&f + fields[n].offset;
			bool zero = true;

			for (unsigned k = 0; k < fields[n].octets; k++)
				zero &= p[k] == 0;
			if (zero == (n == row->field || (n == F_BYTES && bytes)))
				fail_msg("%s: %s is%s zero", row->name,
				    fields[n].config, zero ? "" : " not");
		}
		template_free(t);
	}
}

/* More variable fields than we keep in mind: what follows them is stepped over. */
static void
test_many_variable_fields(void **state)
{
	struct field_set all = rig_all_fields();
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
	r = rbuf_of(buf, hex_octets(text, buf, sizeof(buf)));
	assert_int_equal(template_next(&r, TEMPLATE_IPFIX, &d), 0);
	t = template_new(&d, &all);
	r = rbuf_of(record, 40 + 4);
	flow_clear(&f);
	assert_int_equal(template_decode(t, &r, &rig_clock, &f), 0);
	assert_int_equal(rbuf_left(&r), 0);
	r = rbuf_of(record, 40 + 3);
	assert_int_equal(template_decode(t, &r, &rig_clock, &f), -WEIR_EMALFORMED);
	template_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_every_element),
		cmocka_unit_test(test_many_variable_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
