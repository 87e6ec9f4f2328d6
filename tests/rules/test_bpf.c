/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rules/bpf.h"

static struct bpf *
compile(const char *text, uint32_t linktype)
{
	struct err e = ERR_INIT;
	struct bpf *b = bpf_new(text, linktype, &e);

	if (b == NULL)
		fail_msg("%s: %s", text, e.text);
	return b;
}

/* Instructions as `tcpdump -d` shows them. */
static void
test_ops(void **state)
{
	static const struct bpf_op want[] = {
		{ .kind = OP_A_FRAME, .octets = 2, .k = 12 },
		{ .kind = OP_IF_EQUAL, .yes = 0, .no = 10, .k = 0x800 },
		{ .kind = OP_A_FRAME, .octets = 1, .k = 23 },
		{ .kind = OP_IF_EQUAL, .yes = 0, .no = 8, .k = 6 },
		{ .kind = OP_A_FRAME, .octets = 2, .k = 20 },
		{ .kind = OP_IF_BITS, .yes = 6, .no = 0, .k = 0x1fff },
		{ .kind = OP_X_HEADER, .octets = 1, .k = 14 },
		{ .kind = OP_A_FRAME_X, .octets = 1, .k = 27 },
		{ .kind = OP_AND_BITS, .k = 2 },
		{ .kind = OP_IF_GREATER, .yes = 0, .no = 2, .k = 1 },
	};
	struct bpf *b = compile("tcp[13] & 2 > 1", FRAME_ETHERNET);

	(void)state;
	assert_true(bpf_ops_count(b) > sizeof(want) / sizeof(want[0]));
	for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		struct bpf_op op = bpf_op(b, i);

		if (op.kind != want[i].kind || op.k != want[i].k || op.with_x != want[i].with_x)
			fail_msg("instruction %u", i);
		if (op.kind == OP_A_FRAME || op.kind == OP_A_FRAME_X)
			assert_int_equal(op.octets, want[i].octets);
	}
	assert_int_equal(bpf_op(b, bpf_ops_count(b) - 1).kind, OP_END);
	bpf_free(b);
}

static const struct {
	const char *says, *text;
	uint32_t linktype, reach;
} reaches[] = {
	{ "the type alone", "ip", FRAME_ETHERNET, 14 },
	{ "nothing of the frame", "less 100", FRAME_ETHERNET, 0 },
	{ "an IPv6 address", "ip6 dst host 2001:db8::1", FRAME_ETHERNET, 54 },
	{ "behind a header of 60 octets", "ip and tcp dst port 80", FRAME_ETHERNET,
	    14 + 60 + 4 },
	{ "a fixed place", "ether[99] = 0", FRAME_ETHERNET, 100 },
	{ "a place that the packet tells", "tcp[(tcp[12] >> 4) * 4] = 0", FRAME_ETHERNET,
	    UINT32_MAX },
	{ "without a link layer", "ip", 228, 0 },
};

static void
test_reach(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(reaches) / sizeof(reaches[0]); i++) {
		struct bpf *b = compile(reaches[i].text, reaches[i].linktype);

		if (bpf_reach(b) != reaches[i].reach)
			fail_msg("%s: %u", reaches[i].says, bpf_reach(b));
		bpf_free(b);
	}
}

static void
test_run(void **state)
{
	static const uint8_t packet[] = { 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1,
		198, 51, 100, 7 };
	struct frame f = { .octets = packet, .caplen = sizeof(packet), .wirelen = 1000 };
	struct bpf *raw = compile("src host 192.0.2.1 and greater 1000", 101);

	(void)state;
	assert_true(bpf_run(raw, &f)); /* 101 in files, another number in libpcap */
	f.wirelen = 999;
	assert_false(bpf_run(raw, &f));
	f.wirelen = 1000, f.caplen = 15; /* cut within the address */
	assert_false(bpf_run(raw, &f));
	f.caplen = 0;
	assert_false(bpf_run(raw, &f));
	bpf_free(raw);
}

static void
test_errors(void **state)
{
	char *text = malloc(BPF_TEXT_MAX + 2);
	struct err e = ERR_INIT;

	(void)state;
	assert_non_null(text);
	assert_null(bpf_new("tcp and", FRAME_ETHERNET, &e));
	assert_int_equal(e.code, WEIR_EINVAL);
	assert_null(bpf_new("ether host 02:00:00:00:00:01", 101, &e));
	assert_null(bpf_new("ip", 0x7fffffff, &e));
	memset(text, ' ', BPF_TEXT_MAX + 1);
	text[BPF_TEXT_MAX + 1] = '\0';
	assert_null(bpf_new(text, FRAME_ETHERNET, &e));
	assert_non_null(strstr(e.text, "65536"));
	free(text);
	bpf_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ops),
		cmocka_unit_test(test_reach),
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
