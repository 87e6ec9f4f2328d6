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
#include "lib/err.h"
#include "lib/intern.h"
#include "lib/wbuf.h"

#include "tests/proto/hex.h"
#include "tests/proto/template_rig.h"

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
	{ "a class of pmacct's probe, in 16 octets of v9", TEMPLATE_V9, "00c80010",
	    "68747470000000000000000000000000", F_CLASS, "http" },
	{ "the TTL of MPLS is no class", TEMPLATE_V9, "00c80001 00010004", "40 00000001",
	    F_CLASS, "" },
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
	    F_TUNNEL_PROTO, "0" },
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
	size_t len = hex_octets(record, octets, sizeof(octets));
	struct template *t;

	field_set_add(&one, no);
	rig_definition(text, sizeof(text), kind, definition);
	t = rig_template(kind, text, &one);
	for (size_t have = 0; have <= len; have++) {
		uint8_t *copy = malloc(have + 1); /* a sanitizer sees the end */
		struct rbuf r = rbuf_of(copy, have);
		struct flow f;
		int rc;

		memcpy(copy, octets, have);
		flow_clear(&f);
		rc = template_decode(t, &r, &rig_clock, &f);
		if (rc != (have < len ? -WEIR_EMALFORMED : 0) || (rc == 0 && rbuf_left(&r) != 0))
			fail_msg("%s: %zu octets of %zu", says, have, len);
		text_value(field, (const uint8_t *)&f + field->offset, &opts, value);
		if (rc == 0 && strcmp(value, want) != 0)
			fail_msg("%s: %s is '%s'", says, field->config, value);
		free(copy);
	}
	template_free(t);
}

static void
test_many(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		rig_check_many(
		    texts[i].says, texts[i].kind, texts[i].fields, texts[i].record);
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
	    "00000001 00000002 00000003 00000004", true, F_PROTO, "0", 3, 4 },
	{ "reverse counters, of totals", TEMPLATE_IPFIX,
	    "00560004 00550004 80560004 00007279 80550004 00007279",
	    "00000001 00000002 00000003 00000004", true, F_PROTO, "0", 3, 4 },
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
		size_t len = hex_octets(reverses[i].record, octets, sizeof(octets));
		struct template *t;
		struct flow f;

		field_set_add(&one, reverses[i].field);
		rig_definition(text, sizeof(text), reverses[i].kind, reverses[i].fields);
		t = rig_template(reverses[i].kind, text, &one);
		for (size_t have = 0; have <= len; have++) {
			flow_clear(&f);
			if (template_decode_reverse(t, rbuf_of(octets, have), &rig_clock, &f) !=
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
	{ "a number of four octets", { 0, 460, CUSTOM_UINT, 0 }, TEMPLATE_IPFIX, "01cc0004",
	    "00000102", "258" },
	{ "the same of eight", { 0, 460, CUSTOM_UINT, 0 }, TEMPLATE_IPFIX, "01cc0008",
	    "ffffffffffffffff", "18446744073709551615" },
	{ "the same of three", { 0, 460, CUSTOM_UINT, 0 }, TEMPLATE_IPFIX, "01cc0003", "010203",
	    "66051" },
	{ "the same of nine: the low octets", { 0, 460, CUSTOM_UINT, 0 }, TEMPLATE_IPFIX,
	    "01cc0009", "ff0000000000000007", "7" },
	{ "the same of variable length", { 0, 460, CUSTOM_UINT, 0 }, TEMPLATE_IPFIX, "01ccffff",
	    "02 0102", "258" },
	{ "an enterprise's string", { 9999, 1001, CUSTOM_STR, 0 }, TEMPLATE_IPFIX,
	    "83e9ffff 0000270f 00010004", "03 616263 00000007", "abc" },
	{ "the same number of nobody's", { 9999, 1001, CUSTOM_STR, 0 }, TEMPLATE_IPFIX,
	    "03e9ffff 00010004", "03 616263 00000007", "" },
	{ "hexadecimal", { 0, 460, CUSTOM_HEX, 0 }, TEMPLATE_V9, "01cc0004", "00000a0b",
	    "a0b" },
	{ "hexadecimal, nothing", { 0, 460, CUSTOM_HEX, 0 }, TEMPLATE_V9, "01cc0002", "0000",
	    "0" },
	{ "hexadecimal, longer than any number", { 0, 460, CUSTOM_HEX, 0 }, TEMPLATE_V9,
	    "01cc000a", "0102030405060708090a", "102030405060708090a" },
	{ "octets", { 0, 40000, CUSTOM_RAW, 0 }, TEMPLATE_V9, "9c400003", "000a0b",
	    "00-0A-0B" },
	{ "an IPv4 address", { 0, 460, CUSTOM_IP, 0 }, TEMPLATE_V9, "01cc0004", "c0000201",
	    "192.0.2.1" },
	{ "an IPv6 address", { 0, 460, CUSTOM_IP, 0 }, TEMPLATE_V9, "01cc0010",
	    "20010db8000000000000000000000001", "2001:db8::1" },
	{ "an address of variable length", { 0, 460, CUSTOM_IP, 0 }, TEMPLATE_IPFIX, "01ccffff",
	    "04 c0000201", "192.0.2.1" },
	{ "an address of variable length, IPv6", { 0, 460, CUSTOM_IP, 0 }, TEMPLATE_IPFIX,
	    "01ccffff", "10 20010db8000000000000000000000001", "2001:db8::1" },
	{ "an address that is none", { 0, 460, CUSTOM_IP, 0 }, TEMPLATE_V9, "01cc0005",
	    "c000020100", "0.0.0.0" },
	{ "a MAC address", { 0, 460, CUSTOM_MAC, 0 }, TEMPLATE_V9, "01cc0006", "0200000000a1",
	    "02:00:00:00:00:a1" },
	{ "an element that is a primitive, too", { 0, 8, CUSTOM_HEX, 0 }, TEMPLATE_V9,
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
	t = rig_template(TEMPLATE_IPFIX, "0100 0001 01f1ffff", &one);
	r = rbuf_of(octets, sizeof(octets));
	flow_clear(&f);
	assert_int_equal(template_decode(t, &r, &rig_clock, &f), 0);
	list = intern_text(f.srv6_seg_ipv6_list);
	/* Six addresses of 39 characters, with what stands between them. */
	assert_int_equal(strlen(list), 6 * 39 + 5);
	template_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_customs),
		cmocka_unit_test(test_reverse),
		cmocka_unit_test(test_many_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
