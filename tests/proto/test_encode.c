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
#include "flow/flow.h"
#include "lib/intern.h"
#include "proto/encode.h"
#include "proto/ie.h"
#include "proto/netflow.h"
#include "tests/proto/hex.h"
#include "tests/proto/template_rig.h"

#define NOW (EXPORT_S * CLOCK_S)
#define BOOT (NOW - UPTIME_MS * CLOCK_MS)

static const struct encode_env env = { .start = NOW - 90 * CLOCK_S + 7 * CLOCK_MS,
	.end = NOW - 3 * CLOCK_MS,
	.packets = 0x0102030405060708,
	.octets = 0xf1f2f3f4f5f6f7f8,
	.reverse_start = NOW - 89 * CLOCK_S,
	.reverse_end = NOW - CLOCK_S,
	.reverse_packets = 5,
	.reverse_octets = 0x123456789a,
	.reverse_flags = 0x12,
	.boot = BOOT,
	.end_reason = 3 };

/* A value that primitive `no` can have, as wide as an element tells it. */
static void
value_make(struct flow *f, enum field_no no, enum encode_version version, bool ipv6)
{
	static const uint8_t v4[] = { 192, 0, 2, 77 };
	uint8_t *to = (uint8_t *)f + fields[no].offset;
	unsigned octets = fields[no].octets;
	uint64_t v = 0xf7e6d5c4b3a29181 + no;
	ip16_t a;

	switch (fields[no].value) {
	case FIELD_IP:
		a = ip_from_v4(v4);
		if (ipv6)
			ip_parse("2001:db8:ff00::77", &a);
		memcpy(to, &a, sizeof(a));
		return;
	case FIELD_MAC:
		memcpy(to, "\2\1\xff\3\4\5", 6);
		return;
	case FIELD_STR:
		v = intern("name of it", 10);
		break;
	case FIELD_LABELS:
		v = intern("1048575_7_16", 12);
		break;
	case FIELD_LIST:
		v = intern("2001:db8::2_2001:db8::1", 23);
		break;
	case FIELD_RD:
		v = rd_from(UINT64_C(0x0001c00002010007), RD_FLOW);
		break;
	case FIELD_DIRECTION:
		v = DIRECTION_OUT;
		break;
	case FIELD_FLAGS:
		v = 0xdb;
		break;
	case FIELD_CUSTOM:
		octets = 8;
		break;
	default:
		if (no == F_MPLS_LABEL_TOP || no == F_MPLS_LABEL_BOTTOM)
			v = 0xfedcb;
		else if (no == F_VXLAN || no == F_NVGRE || no == F_FLOW_LABEL)
			v = 0xf1e2d3;
		else if (no == F_APPLICATION_ID)
			v = version == ENCODE_V9 ? 0x0d0000f1 : UINT64_C(0x0d000000f1e2d3);
	}
	field_uint_set(to, octets, v);
}

/* The template of `e` as others read it. */
static struct template *
told(const struct encode *e)
{
	enum template_kind kind = e->version == ENCODE_V9 ? TEMPLATE_V9 : TEMPLATE_IPFIX;
	struct field_set all = rig_all_fields();
	static uint8_t octets[4096];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	struct template_def d;
	struct template *t;
	struct rbuf r;

	encode_template(e, 300, &w);
	assert_true(wbuf_ok(&w));
	r = rbuf_of(octets, wbuf_len(&w));
	assert_int_equal(template_next(&r, kind, &d), 0);
	assert_int_equal(rbuf_left(&r), 0);
	assert_int_equal(d.id, 300);
	t = template_new(&d, &all);
	assert_non_null(t);
	return t;
}

static struct flow
decoded(const struct encode *e, const struct flow *f, const struct encode_env *with)
{
	struct template *t = told(e);
	uint8_t octets[1024];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	struct flow back;
	struct rbuf r;

	flow_clear(&back);
	assert_true(encode_record(e, (const uint8_t *)f, with, &w));
	r = rbuf_of(octets, wbuf_len(&w));
	assert_int_equal(template_decode(t, &r, &rig_clock, &back), 0);
	assert_int_equal(rbuf_left(&r), 0);
	template_free(t);
	return back;
}

/* Every primitive alone, of both families: what weir sends it reads as it was. */
static void
test_every_primitive(void **state)
{
	static const enum encode_version versions[] = { ENCODE_V9, ENCODE_IPFIX };
	static const struct custom number = { 0, 4242, CUSTOM_UINT, 0 };
	unsigned n[2] = { 0, 0 };

	(void)state;
	assert_int_equal(custom_add("of_mine", &number, NULL), 0);
	for (unsigned k = 0; k < 2; k++)
		for (int i = 0; i < FIELD_COUNT; i++) {
			enum field_no no = (enum field_no)i;
			struct field_set set = { { 0 } };

			if (!encode_can(no, versions[k], true))
				continue;
			n[k]++;
			field_set_add(&set, no);
			for (unsigned family = 0; family < ENCODE_FAMILIES; family += 3) {
				struct encode_options o = { .version = versions[k],
					.times = ENCODE_MS, .legacy = true, .family = family };
				struct flow f, back;
				struct encode e;
				size_t at = fields[no].offset;

				flow_clear(&f);
				value_make(&f, no, versions[k], family != 0);
				encode_compile(&e, &set, &o);
				back = decoded(&e, &f, &env);
				if (no == F_PACKETS || no == F_BYTES || fields[no].value == FIELD_TIME)
					continue;
				if (memcmp((char *)&back + at, (char *)&f + at,
				        fields[no].octets) != 0)
					fail_msg("%s, version %d, family %u", fields[no].config,
					    (int)versions[k], family);
			}
		}
	custom_clear();
	assert_true(n[0] >= 50 && n[1] > n[0]);
}

/* Whatever an element can tell of that is no tunnel's, IPFIX can send. */
static void
test_nothing_is_forgotten(void **state)
{
	(void)state;
	for (size_t i = 0; i < IE_ROWS; i++)
		if (!ies[i].tunnel && !ies[i].reverse &&
		    !encode_can(ies[i].field, ENCODE_IPFIX, false))
			fail_msg("%s", fields[ies[i].field].config);
	for (int i = 0; i < FIELD_COUNT; i++)
		if (fields[i].ie != 0 && !encode_can((enum field_no)i, ENCODE_IPFIX, false))
			fail_msg("%s", fields[i].config);
	assert_false(encode_can(F_TUNNEL_SRC_HOST, ENCODE_IPFIX, false));
	assert_false(encode_can(F_SRC_COUNTRY, ENCODE_IPFIX, false));
	assert_false(encode_can(F_LABEL, ENCODE_V9, true));
	assert_false(encode_can(F_TAG, ENCODE_V9, false));
	assert_true(encode_can(F_TAG, ENCODE_V9, true));
	assert_false(encode_can(F_TAG, ENCODE_V5, true));
}

static const struct {
	const char *says;
	enum encode_times times;
	uint64_t precise;
} clocks[] = {
	{ "uptime", ENCODE_UPTIME, CLOCK_MS },
	{ "uptime, before it began", ENCODE_UPTIME, CLOCK_MS },
	{ "milliseconds", ENCODE_MS, CLOCK_MS },
	{ "microseconds", ENCODE_US, CLOCK_US },
};

static void
test_times(void **state)
{
	struct field_set none = { { 0 } };
	struct flow f;

	(void)state;
	flow_clear(&f);
	for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++)
		for (uint64_t ns = 0; ns < CLOCK_S; ns += 997 * CLOCK_US + 13) {
			struct encode_options o = { .version = ENCODE_IPFIX,
				.times = clocks[i].times };
			struct encode_env with = env;
			struct encode e;
			struct flow back;
			uint64_t p = clocks[i].precise;

			if (clocks[i].times == ENCODE_UPTIME)
				o.version = ENCODE_V9;
			if (i == 1)
				with.start = BOOT - 10 * CLOCK_S;
			with.start += ns;
			with.end = with.start + 12345678;
			encode_compile(&e, &none, &o);
			back = decoded(&e, &f, &with);
			if (back.timestamp_start / p != with.start / p ||
			    back.timestamp_end / p != with.end / p)
				fail_msg("%s: %llu", clocks[i].says, (unsigned long long)ns);
			assert_int_equal(back.packets, env.packets);
			assert_int_equal(back.bytes, env.octets);
		}
}

/* The elements and their lengths as RFC 7011 s3.2 and RFC 3954 s5.2 have them. */
static const struct {
	const char *says;
	const char *aggregate;
	enum encode_version version;
	bool legacy, reverse;
	unsigned family;
	const char *octets;
} templates[] = {
	{ "tags and label: an enterprise's, the label's length is in the record",
	    "src_host,tag,tag2,label", ENCODE_IPFIX, false, false, 0,
	    "012c 0008 0098 0008 0099 0008 0001 0008 0002 0008 0008 0004"
	    "8001 0008 0000ab62 8002 0008 0000ab62 8003 ffff 0000ab62" },
	{ "the same in v9: pmacct's old elements, and no label", "src_host,tag,tag2,label",
	    ENCODE_V9, true, false, 0,
	    "012c 0007 0098 0008 0099 0008 0001 0008 0002 0008 0008 0004 00c9 0008 00ca 0008" },
	{ "the same, switched off", "src_host,tag,tag2,label", ENCODE_V9, false, false, 0,
	    "012c 0005 0098 0008 0099 0008 0001 0008 0002 0008 0008 0004" },
	{ "IPv6", "src_host,dst_host,src_mask,nexthop", ENCODE_IPFIX, false, false,
	    ENCODE_IPV6_FLOW,
	    "012c 0008 0098 0008 0099 0008 0001 0008 0002 0008"
	    "001b 0010 001c 0010 001d 0001 000f 0004" },
	{ "IPv4 by a next hop of IPv6", "src_host,nexthop", ENCODE_IPFIX, false, false,
	    ENCODE_IPV6_OTHER,
	    "012c 0006 0098 0008 0099 0008 0001 0008 0002 0008 0008 0004 003e 0010" },
	{ "a biflow: RFC 5103 s6.1", "proto,tcpflags", ENCODE_IPFIX, false, true, 0,
	    "012c 000b 0098 0008 0099 0008 0001 0008 0002 0008 0004 0001 0006 0001"
	    "8098 0008 00007279 8099 0008 00007279"
	    "8001 0008 00007279 8002 0008 00007279 8006 0001 00007279" },
};

static void
test_templates(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(templates) / sizeof(templates[0]); i++) {
		struct encode_options o = { .version = templates[i].version,
			.times = ENCODE_MS, .legacy = templates[i].legacy,
			.reverse = templates[i].reverse, .family = templates[i].family };
		uint8_t want[256], got[256];
		size_t n = hex_octets(templates[i].octets, want, sizeof(want));
		struct wbuf w = wbuf_of(got, sizeof(got));
		struct field_set set;
		struct encode e;

		assert_int_equal(field_set_parse(templates[i].aggregate, &set, NULL), 0);
		encode_compile(&e, &set, &o);
		encode_template(&e, 300, &w);
		print_message("# %s\n", templates[i].says);
		assert_int_equal(wbuf_len(&w), n);
		assert_memory_equal(got, want, n);
	}
}

/* What came back is read as a flow of its own, with source and destination swapped. */
static void
test_biflow(void **state)
{
	struct encode_options o = { .version = ENCODE_IPFIX, .times = ENCODE_MS,
		.reverse = true };
	uint8_t octets[256];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	struct field_set set;
	struct flow f, back;
	struct template *t;
	struct encode e;

	(void)state;
	assert_int_equal(
	    field_set_parse("src_host,dst_host,src_port,dst_port,proto,tcpflags", &set, NULL), 0);
	flow_clear(&f);
	ip_parse("192.0.2.1", &f.src_host);
	ip_parse("192.0.2.2", &f.dst_host);
	f.src_port = 1000;
	f.dst_port = 80;
	f.tcp_flags = 2;
	encode_compile(&e, &set, &o);
	t = told(&e);
	assert_true(encode_record(&e, (const uint8_t *)&f, &env, &w));
	flow_clear(&back);
	assert_true(template_decode_reverse(t, rbuf_of(octets, wbuf_len(&w)), &rig_clock, &back));
	assert_memory_equal(&back.src_host, &f.dst_host, sizeof(ip16_t));
	assert_int_equal(back.src_port, 80);
	assert_int_equal(back.packets, env.reverse_packets);
	assert_int_equal(back.bytes, env.reverse_octets);
	assert_int_equal(back.tcp_flags, env.reverse_flags);
	assert_int_equal(back.timestamp_start, env.reverse_start);
	assert_int_equal(back.timestamp_end, env.reverse_end);
	template_free(t);

	/* Mirrored: who began stands as the destination of the row. */
	o.mirror = true;
	encode_compile(&e, &set, &o);
	back = decoded(&e, &f, &env);
	assert_memory_equal(&back.src_host, &f.dst_host, sizeof(ip16_t));
	assert_int_equal(back.dst_port, 1000);
}

static void
test_v5(void **state)
{
	struct encode_options o = { .version = ENCODE_V5 };
	uint8_t got[NETFLOW5_RECORD], want[NETFLOW5_RECORD];
	struct wbuf w = wbuf_of(got, sizeof(got));
	struct field_set set = rig_all_fields();
	struct encode_env with = env;
	struct encode e;
	struct flow f;

	(void)state;
	flow_clear(&f);
	ip_parse("192.0.2.1", &f.src_host);
	ip_parse("198.51.100.2", &f.dst_host);
	ip_parse("2001:db8::1", &f.nexthop); /* v5 has no place for it */
	f.in_iface = 7;
	f.out_iface = 70000; /* nor for that */
	f.src_port = 1234;
	f.dst_port = 53;
	f.tcp_flags = 0x1b;
	f.proto = 17;
	f.tos = 0xb8;
	f.src_as = 64512;
	f.dst_as = 4200000000; /* nor for that: AS_TRANS */
	f.src_mask = 24;
	f.dst_mask = 16;
	with.packets = 3;
	with.octets = UINT32_MAX + UINT64_C(1);
	encode_compile(&e, &set, &o);
	assert_true(encode_record(&e, (const uint8_t *)&f, &with, &w));
	hex_octets("c0000201 c6336402 00000000 0007 ffff 00000003 ffffffff"
	           "003590eb 0036f071 04d2 0035 00 1b 11 b8 fc00 5ba0 18 10 0000",
	    want, sizeof(want));
	assert_memory_equal(got, want, sizeof(want));
	assert_false(encode_record(&e, (const uint8_t *)&f, &with, &w));

	/* Nor for one that has the mark of IPv4 in it, but is none. */
	ip_parse("2001:db8::ffff:c000:201", &f.nexthop);
	w = wbuf_of(got, sizeof(got));
	assert_true(encode_record(&e, (const uint8_t *)&f, &with, &w));
	assert_memory_equal(got, want, sizeof(want));
}

/* Of a record that has no room nothing is written, however much there is; and vice versa. */
static void
test_room(void **state)
{
	struct encode_options o = { .version = ENCODE_IPFIX, .times = ENCODE_MS };
	char text[INTERN_MAX_LEN + 1];
	struct field_set set;
	struct encode e;

	(void)state;
	assert_int_equal(field_set_parse("src_host,label,class", &set, NULL), 0);
	encode_compile(&e, &set, &o);
	for (unsigned len = 0; len <= INTERN_MAX_LEN; len += 51) {
		uint8_t octets[1024];
		struct wbuf w = wbuf_of(octets, sizeof(octets));
		struct flow f, back;
		size_t whole;

		flow_clear(&f);
		memset(text, 'x', len);
		f.label = intern(text, len);
		f.class_id = intern("voip", 4);
		assert_true(encode_record(&e, (const uint8_t *)&f, &env, &w));
		whole = wbuf_len(&w);
		/* RFC 7011 s7: from 255 on, three octets tell the length. */
		assert_int_equal(whole, 36 + (len < 255 ? 1U : 3U) + len + 1 + 4);
		for (size_t room = 0; room < whole; room++) {
			uint8_t *exact = malloc(room > 0 ? room : 1);

			w = wbuf_of(exact, room);
			assert_false(encode_record(&e, (const uint8_t *)&f, &env, &w));
			assert_int_equal(wbuf_len(&w), 0);
			assert_true(wbuf_ok(&w));
			free(exact);
		}
		back = decoded(&e, &f, &env);
		assert_int_equal(back.label, f.label);
		assert_int_equal(back.class_id, f.class_id);
	}
}

static void
test_families(void **state)
{
	static const struct {
		const char *src, *dst, *hop;
		unsigned want;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.2", "192.0.2.3", 0 },
		{ "192.0.2.1", "192.0.2.2", "2001:db8::1", ENCODE_IPV6_OTHER },
		{ "2001:db8::1", "2001:db8::2", "192.0.2.3", ENCODE_IPV6_FLOW },
		{ "2001:db8::1", "::", "2001:db8::3", ENCODE_IPV6_FLOW | ENCODE_IPV6_OTHER },
		{ "::", "::", "::", 0 },
	};
	struct encode_addresses a;
	struct field_set set;

	(void)state;
	assert_int_equal(field_set_parse("src_host,dst_host,nexthop,proto", &set, NULL), 0);
	encode_addresses_find(&a, &set, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct flow f;

		flow_clear(&f);
		ip_parse(cases[i].src, &f.src_host);
		ip_parse(cases[i].dst, &f.dst_host);
		ip_parse(cases[i].hop, &f.nexthop);
		assert_int_equal(encode_family(&a, (const uint8_t *)&f), cases[i].want);
	}
}

/* An address of the operator's own goes as it is, whatever the flow's are. */
static void
test_custom_addresses(void **state)
{
	static const struct custom mine = { 0, 4242, CUSTOM_IP, 0 };
	static const char *const texts[] = { "192.0.2.3", "2001:db8::3" };
	struct encode_addresses a;
	struct field_set set;

	(void)state;
	assert_int_equal(custom_add("of_mine", &mine, NULL), 0);
	assert_int_equal(field_set_parse("src_host,of_mine", &set, NULL), 0);
	encode_addresses_find(&a, &set, NULL);
	for (size_t i = 0; i < 4; i++) {
		struct encode_options o = { .version = ENCODE_IPFIX, .times = ENCODE_MS };
		struct flow f, back;
		struct encode e;

		flow_clear(&f);
		ip_parse(texts[i % 2], &f.src_host);
		ip_parse(texts[i / 2], (ip16_t *)&f.custom_1);
		o.family = encode_family(&a, (const uint8_t *)&f);
		assert_int_equal(o.family,
		    (i % 2 != 0 ? ENCODE_IPV6_FLOW : 0) | (i / 2 != 0 ? ENCODE_IPV6_OTHER : 0));
		encode_compile(&e, &set, &o);
		back = decoded(&e, &f, &env);
		assert_memory_equal(&back.src_host, &f.src_host, sizeof(ip16_t));
		assert_memory_equal(&back.custom_1, &f.custom_1, sizeof(ip16_t));
	}
	custom_clear();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_primitive),
		cmocka_unit_test(test_nothing_is_forgotten),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_templates),
		cmocka_unit_test(test_biflow),
		cmocka_unit_test(test_v5),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_custom_addresses),
	};

	return cmocka_run_group_tests_name("encode", tests, NULL, NULL);
}
