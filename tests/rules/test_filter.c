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
#include <pcap.h>

#include "rules/columns.h"
#include "rules/filter.h"
#include "rules/filters.h"
#include "rules/synth.h"
#include "tests/rules/expressions.h"

static struct columns *columns;

static int
setup(void **state)
{
	struct field_set all;

	(void)state;
	memset(&all, 0xff, sizeof(all));
	columns = columns_new(&all);
	return columns == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	columns_free(columns);
	return 0;
}

static struct filter *
compile(const char *text)
{
	struct err e = ERR_INIT;
	struct filter *f = filter_new(text, &e);

	if (f == NULL)
		fail_msg("%s", e.text);
	return f;
}

static uint64_t
run(const struct filter *f, struct flow *flows, const struct frame *frames, unsigned n,
    uint64_t mask)
{
	const struct batch b = { .flows = flows, .n = n, .source = SOURCE_NETFLOW,
		.frames = frames, .columns = columns };

	columns_clear(columns);
	return filter_run(f, &b, mask);
}

/* What libpcap says itself. */
static bool
compile_reference(const char *text, int linktype, struct bpf_program *to)
{
	pcap_t *dead = pcap_open_dead(linktype, 262144);
	bool fine;

	assert_non_null(dead);
	fine = pcap_compile(dead, to, text, 1, PCAP_NETMASK_UNKNOWN) == 0;
	pcap_close(dead);
	return fine;
}

static bool
reference(const struct bpf_program *program, const struct frame *f)
{
	const struct pcap_pkthdr h = { .caplen = f->caplen, .len = f->wirelen };

	return pcap_offline_filter(program, &h, f->octets) != 0;
}

/* ---- records */

static const struct {
	const char *says, *text;
	bool passes;
} cases[] = {
	{ "the empty expression passes everything", "", true },
	{ "a protocol", "tcp", true },
	{ "another", "udp", false },
	{ "by number", "ip proto 6", true },
	{ "IPv4", "ip", true },
	{ "not IPv6", "ip6", false },
	{ "either port", "port 443", true },
	{ "the source port", "src port 40000", true },
	{ "ports the wrong way round", "src port 443", false },
	{ "a port of another protocol", "udp port 443", false },
	{ "a range", "dst portrange 400-500", true },
	{ "just outside of a range", "dst portrange 444-500", false },
	{ "a host", "host 192.0.2.1", true },
	{ "a host on the wrong side", "dst host 192.0.2.1", false },
	{ "a network", "src net 192.0.2.0/24", true },
	{ "a network with a mask", "dst net 198.51.100.0 mask 255.255.255.128", true },
	{ "the other half of it", "dst net 198.51.100.128/25", false },
	{ "all of the qualifiers are kept", "port 80 or 443", true },
	{ "negation", "not port 443", false },
	{ "signs for words", "tcp && ! ( port 80 || port 22 )", true },
	{ "flags", "tcp[tcpflags] & tcp-syn != 0", true },
	{ "flags that are not there", "tcp[tcpflags] & tcp-fin != 0", false },
	{ "octets of the link layer", "ether[12:2] = 0x0800", true },
	{ "the type of service", "ip[1] = 184", true },
	{ "the mean length, with the link layer", "len = 114", true },
	{ "IP's length", "ip[2:2] = 100", true },
	{ "less", "less 113", false },
	{ "greater", "greater 114", true },
	{ "no tag", "vlan", false },
	{ "no label", "mpls", false },
	{ "a MAC address", "ether src 02:00:00:00:00:01", true },
	{ "no MAC address is zeros", "ether dst 00:00:00:00:00:00", true },
	{ "octets that no record tells are zero", "tcp[4:4] = 0 and ip[4:2] = 0", true },
	{ "what lies beyond the frame refuses", "ether[54] = 0 or ip", false },
	{ "and its last octet does not", "ether[53] = 0", true },
	{ "computing", "ip[2:2] - ((ip[0] & 0xf) << 2) > 79", true },
	{ "computing, one more", "ip[2:2] - ((ip[0] & 0xf) << 2) > 80", false },
	{ "octets that lie across members", "ip[8:4] = 0x40060000 or ip[8:2] = 0x0006", true },
};

static void
usual_flow(struct flow *f)
{
	flow_clear(f);
	(void)ip_parse("192.0.2.1", &f->src_host);
	(void)ip_parse("198.51.100.7", &f->dst_host);
	(void)mac_parse("02:00:00:00:00:01", &f->src_mac);
	f->proto = 6, f->src_port = 40000, f->dst_port = 443;
	f->tos = 184, f->tcp_flags = 0x12;
	f->packets = 10, f->bytes = 1009;
}

static void
test_records(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct filter *f = compile(cases[i].text);
		struct flow flow;

		usual_flow(&flow);
		if ((run(f, &flow, NULL, 1, 1) != 0) != cases[i].passes)
			fail_msg("%s: %s", cases[i].says, cases[i].text);
		filter_free(f);
	}
}

/* What differs from the usual flow, and what it is then. */
static const struct {
	const char *says, *text;
	uint16_t vlan;
	uint32_t label, bottom;
	uint8_t proto;
	bool passes;
} others[] = {
	{ "a tag hides what follows", "tcp port 443", 100, 0, 0, 6, false },
	{ "`vlan` finds it", "vlan and tcp port 443", 100, 0, 0, 6, true },
	{ "by number", "vlan 100", 100, 0, 0, 6, true },
	{ "another number", "vlan 101", 100, 0, 0, 6, false },
	{ "both forms", "tcp port 443 or (vlan and tcp port 443)", 100, 0, 0, 6, true },
	{ "the tag counts", "len = 118", 100, 0, 0, 6, true },
	{ "a label hides what follows", "tcp", 0, 16, 0, 6, false },
	{ "`mpls` finds it", "mpls and tcp port 443", 0, 16, 16, 6, true },
	{ "by number", "mpls 16", 0, 16, 16, 6, true },
	{ "two labels", "mpls 16 and mpls 17 and host 192.0.2.1", 0, 16, 17, 6, true },
	{ "a tag and a label", "vlan 5 and mpls 16 and tcp", 5, 16, 0, 6, true },
	{ "ICMP has type and code", "icmp[icmptype] = 1 and icmp[icmpcode] = 187", 0, 0, 0, 1,
	    true },
	{ "and no ports", "port 443", 0, 0, 0, 1, false },
	{ "SCTP has ports", "port 443", 0, 0, 0, 132, true },
	{ "a protocol without ports", "port 443", 0, 0, 0, 47, false },
	{ "flags only of TCP", "ip[33] = 0", 0, 0, 0, 17, true },
	{ "UDP tells its length", "udp[4:2] = 80", 0, 0, 0, 17, true },
};

static void
test_other_records(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct filter *f = compile(others[i].text);
		struct flow flow;

		usual_flow(&flow);
		flow.vlan = others[i].vlan;
		flow.mpls_label_top = others[i].label;
		flow.mpls_label_bottom = others[i].bottom;
		flow.proto = others[i].proto;
		if ((run(f, &flow, NULL, 1, 1) != 0) != others[i].passes)
			fail_msg("%s: %s", others[i].says, others[i].text);
		filter_free(f);
	}
}

/* ---- at random */

#define ROUNDS 1500

/* Compare what the filter says of a batch with what libpcap says of each frame. */
static unsigned
compare(const char *text, const struct filter *f, const struct bpf_program *program,
    struct flow *flows, const struct frame *frames, const struct frame *judged, unsigned n)
{
	const struct batch b = { .n = n };
	uint64_t some = UINT64_C(0x5a5a5a5a5a5a5a5a) | 1, got, want = 0;

	for (unsigned i = 0; i < n; i++)
		want |= (uint64_t)reference(program, &judged[i]) << i;
	got = run(f, flows, frames, n, batch_all(&b));
	if (got != want)
		fail_msg("'%s' of flow %d", text, __builtin_ctzll(got ^ want));
	if (run(f, flows, frames, n, batch_all(&b) & some) != (want & some))
		fail_msg("'%s' of some flows", text);
	return (unsigned)__builtin_popcountll(want);
}

/* Whatever is asked of records is what libpcap says of the frames that are made of them. */
static void
random_records(uint64_t seed, void (*say)(struct dice *, char *))
{
	struct dice d = { seed };
	static struct flow flows[FLOW_BATCH];
	static uint8_t octets[FLOW_BATCH][SYNTH_MAX];
	unsigned passed = 0, compiled = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned n = 1 + dice_roll(&d, FLOW_BATCH);
		struct frame made[FLOW_BATCH];
		struct bpf_program program;
		char text[EXPRESSION_MAX];
		struct filter *f;

		say(&d, text);
		if (!compile_reference(text, DLT_EN10MB, &program))
			continue; /* "expression rejects all packets" */
		for (unsigned i = 0; i < n; i++) {
			flow_random(&d, &flows[i]);
			synth_frame(&flows[i], octets[i], &made[i]);
		}
		f = compile(text);
		passed += compare(text, f, &program, flows, NULL, made, n);
		compiled++;
		pcap_freecode(&program);
		filter_free(f);
	}
	assert_true(compiled > ROUNDS / 2);
	assert_true(passed > compiled);
}

static void
test_random_records(void **state)
{
	(void)state;
	random_records(1, expression_random);
}

static void
test_random_records_octets(void **state)
{
	(void)state;
	random_records(2, expression_octets);
}

/* Frames as they come, each in memory of its own size. */
static void
random_frames(uint64_t seed, void (*say)(struct dice *, char *))
{
	struct dice d = { seed };
	static struct flow flows[FLOW_BATCH];
	unsigned passed = 0, compiled = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned n = 1 + dice_roll(&d, FLOW_BATCH);
		struct frame frames[FLOW_BATCH];
		struct bpf_program program;
		char text[EXPRESSION_MAX];
		struct filter *f;

		say(&d, text);
		if (!compile_reference(text, DLT_EN10MB, &program))
			continue;
		for (unsigned i = 0; i < n; i++) {
			uint8_t octets[RANDOM_FRAME_MAX], *copy;
			size_t len = frame_random(&d, octets);

			copy = malloc(len + 1);
			assert_non_null(copy);
			memcpy(copy, octets, len);
			frames[i] = (struct frame){ .octets = copy, .caplen = (uint32_t)len,
				.wirelen = (uint32_t)len + dice_roll(&d, 1400), .linktype = 1 };
		}
		f = compile(text);
		passed += compare(text, f, &program, flows, frames, frames, n);
		compiled++;
		pcap_freecode(&program);
		filter_free(f);
		for (unsigned i = 0; i < n; i++)
			free((void *)(uintptr_t)frames[i].octets);
	}
	assert_true(compiled > ROUNDS / 2);
	assert_true(passed > compiled);
}

static void
test_random_frames(void **state)
{
	(void)state;
	random_frames(3, expression_random);
}

static void
test_random_frames_octets(void **state)
{
	(void)state;
	random_frames(4, expression_octets);
}

/* ---- frames of other link layers, and of none */

static void
test_links(void **state)
{
	static const uint8_t packet[] = { 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1,
		198, 51, 100, 7, 0, 53, 0, 80, 0, 8, 0, 0 };
	static const struct {
		const char *text;
		uint32_t linktype;
		bool passes;
	} links[] = {
		{ "udp port 53", 228, true },  /* raw IPv4 */
		{ "tcp port 53", 228, false },
		{ "udp port 53", 101, true },  /* raw IP of files */
		{ "ether src 02:00:00:00:00:01", 101, false }, /* there are none */
		{ "not ether src 02:00:00:00:00:01", 101, false },
		{ "udp", 4711, false }, /* libpcap knows no such thing */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		const struct frame frame = { .octets = packet, .caplen = sizeof(packet),
			.wirelen = sizeof(packet), .linktype = links[i].linktype };
		struct filter *f = compile(links[i].text);
		struct flow flow;

		usual_flow(&flow);
		if (i % 2 == 0)
			filter_link(f, links[i].linktype);
		for (unsigned again = 0; again < 2; again++)
			if ((run(f, &flow, &frame, 1, 1) != 0) != links[i].passes)
				fail_msg("%s of link type %u", links[i].text,
				    links[i].linktype);
		filter_free(f);
	}
}

/* A frame that ends within what is looked at, octet by octet. */
static void
test_ends(void **state)
{
	static const char *const texts[] = { "ip[37:1] = 0", "ip[36:2] = 0", "ip[36:4] = 0",
		"ip[38] = 0", "ip[39] = 0", "ip[36:2] != 0", "ip[33] & 1 = 0", "ip[28:4] = 0",
		"len > 10" };
	static const uint8_t packet[14 + 40] = { [12] = 8, [14] = 0x45, [23] = 132, [50] = 1 };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct bpf_program program;
		struct filter *f = compile(texts[i]);
		struct flow flow;

		assert_true(compile_reference(texts[i], DLT_EN10MB, &program));
		usual_flow(&flow);
		for (uint32_t len = 0; len <= sizeof(packet); len++) {
			uint8_t *copy = malloc(len + 1);
			const struct frame frame = { .octets = copy, .caplen = len,
				.wirelen = sizeof(packet), .linktype = FRAME_ETHERNET };

			assert_non_null(copy);
			memcpy(copy, packet, len);
			if ((run(f, &flow, &frame, 1, 1) != 0) != reference(&program, &frame))
				fail_msg("%s of %u octets", texts[i], len);
			free(copy);
		}
		pcap_freecode(&program);
		filter_free(f);
	}
}

/* In one batch, a flow with a frame and one without. */
static void
test_mixture(void **state)
{
	struct filter *f = compile("udp port 53");
	struct flow flows[2];
	struct frame frames[2] = { { .octets = NULL }, { .octets = NULL } };
	uint8_t octets[SYNTH_MAX];

	(void)state;
	usual_flow(&flows[0]);
	flows[0].proto = 17, flows[0].dst_port = 53;
	synth_frame(&flows[0], octets, &frames[0]);
	usual_flow(&flows[0]); /* the frame counts, not the flow */
	usual_flow(&flows[1]);
	flows[1].proto = 17, flows[1].src_port = 53;
	assert_int_equal(run(f, flows, frames, 2, 3), 3);
	assert_int_equal(run(f, flows, frames, 2, 2), 2);
	flows[1].proto = 6;
	assert_int_equal(run(f, flows, frames, 2, 3), 1);
	filter_free(f);
}

/* A filter of ports and addresses costs no more to decode than what every record has. */
static void
test_reads(void **state)
{
	static const struct {
		const char *text;
		bool beyond; /* what not every record has */
	} reads[] = {
		{ "src net 192.0.2.0/24 and tcp port 80 or udp port 53", false },
		{ "tcp[tcpflags] & tcp-syn != 0 and less 100", false },
		{ "icmp[icmptype] = 8", true },
		{ "ether src 02:00:00:00:00:01", true },
		{ "mpls 16", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
		struct filter *f = compile(reads[i].text);
		struct field_set set = { { 0 } };
		bool beyond = false;

		filter_reads(f, &set);
		for (unsigned k = 0; k < FIELD_COUNT; k++)
			beyond |= field_set_has(&set, (enum field_no)k) &&
			    fields[k].offset >= FLOW_ALWAYS_OCTETS;
		if (beyond != reads[i].beyond)
			fail_msg("%s", reads[i].text);
		filter_free(f);
	}
}

/* Members that no decoder fills hold anything, but are not seen. */
static void
test_absent(void **state)
{
	struct filter *f = compile("mpls and ether src 02:00:00:00:00:01");
	struct filter *plain = compile("ether src 02:00:00:00:00:01");
	struct field_set none = { { 0 } };
	struct columns *c = columns_new(&none);
	struct flow flow;
	const struct batch b = { .flows = &flow, .n = 1, .columns = c };

	(void)state;
	assert_non_null(c);
	usual_flow(&flow);
	flow.mpls_label_top = 16;
	assert_int_equal(run(f, &flow, NULL, 1, 1), 1);
	assert_int_equal(filter_run(f, &b, 1), 0);
	flow.mpls_label_top = 0;
	assert_int_equal(run(plain, &flow, NULL, 1, 1), 1);
	columns_clear(c);
	assert_int_equal(filter_run(plain, &b, 1), 0);
	columns_free(c);
	filter_free(plain);
	filter_free(f);
}

/* ---- what cannot be meant, and lists */

static void
test_errors(void **state)
{
	static const struct {
		const char *text, *says;
	} errors[] = {
		{ "tcp prot 80", "syntax error" },
		{ "host 192.0.2.300", "192.0.2.300" },
		{ "(tcp", "syntax error" },
		{ "port 65536", "65536" },
		{ "ip broadcast", "netmask" },
		{ "net 192.0.2.1/24", "non-network bits" },
		{ "wlan type data", "802.11" },
	};
	char *text = malloc(100000);

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct err e = ERR_INIT;

		assert_null(filter_new(errors[i].text, &e));
		if (strstr(e.text, errors[i].says) == NULL ||
		    strstr(e.text, errors[i].text) == NULL || strstr(e.text, "write") == NULL)
			fail_msg("%s: %s", errors[i].text, e.text);
	}
	assert_non_null(text);
	memset(text, '(', 99999);
	text[99999] = '\0';
	for (size_t len = 99999; len > 100; len /= 2) {
		struct err e = ERR_INIT;

		text[len] = '\0';
		assert_null(filter_new(text, &e));
	}
	free(text);
}

static void
test_list(void **state)
{
	static const struct {
		const char *list;
		bool fine, passes;
	} lists[] = {
		{ "tcp", true, true },
		{ "udp", true, false },
		{ "udp, tcp", true, true },
		{ " udp,icmp ,  sctp ", true, false },
		{ "udp,,tcp", false, false },
		{ "udp,", false, false },
		{ "", false, false },
		{ "tcp, nonsense(", false, false },
	};
	char many[129 * 24] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct err e = ERR_INIT;
		struct filters *fs = filters_new(lists[i].list, &e);
		struct flow flow;
		const struct batch b = { .flows = &flow, .n = 1, .columns = columns };

		if ((fs != NULL) != lists[i].fine || (e.code == 0) != lists[i].fine)
			fail_msg("'%s': %s", lists[i].list, e.text);
		usual_flow(&flow);
		columns_clear(columns);
		if (fs != NULL && (filters_run(fs, &b, 1) != 0) != lists[i].passes)
			fail_msg("'%s'", lists[i].list);
		filters_free(fs);
	}
	for (unsigned i = 0; i < 129; i++)
		snprintf(many + strlen(many), sizeof(many) - strlen(many), "%ssrc host 10.0.0.%u",
		    i > 0 ? "," : "", i);
	for (unsigned i = 127; i < 131; i++) {
		struct err e = ERR_INIT;
		struct filters *fs = filters_new(many, &e);
		struct flow flow;
		const struct batch b = { .flows = &flow, .n = 1, .columns = columns };

		assert_non_null(fs);
		usual_flow(&flow);
		flow.src_host.b[12] = 10, flow.src_host.b[13] = flow.src_host.b[14] = 0;
		flow.src_host.b[15] = (uint8_t)i;
		columns_clear(columns);
		assert_int_equal(filters_run(fs, &b, 1), i < 129);
		filters_free(fs);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_other_records),
		cmocka_unit_test(test_random_records),
		cmocka_unit_test(test_random_records_octets),
		cmocka_unit_test(test_random_frames),
		cmocka_unit_test(test_random_frames_octets),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_mixture),
		cmocka_unit_test(test_reads),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_list),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
