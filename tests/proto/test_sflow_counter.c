/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/sflow_counter.h"

#include "tests/proto/hex.h"

/* Octets of each block, in the order of the wire; names as the standard has them. */
static const struct {
	uint32_t format;
	unsigned octets;
	const char *hex, *json;
} cases[] = {
	{ 1, 88,
	    "00000003 00000006 000000003b9aca00 00000001 00000003 0000000100000064 00000001 "
	    "00000002 00000003 00000004 00000005 00000006 ffffffffffffffff 00000007 00000008 "
	    "00000009 0000000a 0000000b 00000002",
	    "\"sf_cnt_type\": \"sflow_cnt_generic\", \"ifIndex\": 3, \"ifType\": 6, "
	    "\"ifSpeed\": 1000000000, \"ifDirection\": 1, \"ifStatus\": 3, "
	    "\"ifInOctets\": 4294967396, \"ifInUcastPkts\": 1, \"ifInMulticastPkts\": 2, "
	    "\"ifInBroadcastPkts\": 3, \"ifInDiscards\": 4, \"ifInErrors\": 5, "
	    "\"ifInUnknownProtos\": 6, \"ifOutOctets\": 18446744073709551615, "
	    "\"ifOutUcastPkts\": 7, \"ifOutMulticastPkts\": 8, \"ifOutBroadcastPkts\": 9, "
	    "\"ifOutDiscards\": 10, \"ifOutErrors\": 11, \"ifPromiscuousMode\": 2" },
	{ 5, 28, "00000064 0000000000000400 00000001 00000002 00000003 00000004",
	    "\"sf_cnt_type\": \"sflow_cnt_vlan\", \"vlan\": 100, \"octets\": 1024, "
	    "\"ucastPkts\": 1, \"multicastPkts\": 2, \"broadcastPkts\": 3, \"discards\": 4" },
	{ 1001, 28, "00000064 ffffffff 00002710 0000000100000000 0000000080000000",
	    "\"sf_cnt_type\": \"sflow_cnt_processor\", \"5s_cpu\": 100, \"1m_cpu\": -1, "
	    "\"5m_cpu\": 10000, \"total_memory\": 4294967296, \"free_memory\": 2147483648" },
};

static void
test_json(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct sflow_counter *c = sflow_counter_find(cases[i].format);
		struct text_line l = { 0 };
		uint8_t octets[SFLOW_COUNTER_OCTETS];

		assert_non_null(c);
		assert_int_equal(sflow_counter_octets(c), cases[i].octets);
		assert_int_equal(hex_octets(cases[i].hex, octets, sizeof(octets)),
		    cases[i].octets);
		sflow_counter_json(c, octets, &l);
		text_line_put(&l, "", 1);
		assert_string_equal(l.p, cases[i].json);
		text_line_free(&l);
	}
}

/* Of each block, the last member is what the last word of it says. */
static void
test_lengths(void **state)
{
	static const struct {
		uint32_t format;
		unsigned octets;
		const char *last;
	} blocks[] = {
		{ 1, 88, "\"ifPromiscuousMode\": 7" },
		{ 2, 52, "\"dot3StatsSymbolErrors\": 7" },
		{ 3, 72, "\"dot5StatsFreqErrors\": 7" },
		{ 4, 80, "\"dot12HCOutHighPriorityOctets\": 7" },
		{ 5, 28, "\"discards\": 7" },
		{ 1001, 28, "\"free_memory\": 7" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		const struct sflow_counter *c = sflow_counter_find(blocks[i].format);
		uint8_t octets[SFLOW_COUNTER_OCTETS] = { 0 };
		struct text_line l = { 0 };

		assert_non_null(c);
		assert_int_equal(sflow_counter_octets(c), blocks[i].octets);
		assert_true(blocks[i].octets <= SFLOW_COUNTER_OCTETS);
		octets[blocks[i].octets - 1] = 7;
		sflow_counter_json(c, octets, &l);
		text_line_put(&l, "", 1);
		assert_string_equal(l.p + strlen(l.p) - strlen(blocks[i].last),
		    blocks[i].last);
		text_line_free(&l);
	}
}

/* RFC 3176 s4: all kinds but VLANs begin with the generic block. */
static void
test_old(void **state)
{
	static const struct {
		uint32_t kind;
		unsigned octets;
	} kinds[] = { { 1, 88 }, { 2, 140 }, { 3, 160 }, { 4, 88 }, { 5, 168 }, { 6, 88 },
		{ 7, 28 } };

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const uint32_t *format = sflow_counter_old(kinds[i].kind);
		unsigned octets = 0;

		assert_non_null(format);
		for (; *format != 0; format++)
			octets += sflow_counter_octets(sflow_counter_find(*format));
		assert_int_equal(octets, kinds[i].octets);
	}
	assert_null(sflow_counter_old(0));
	assert_null(sflow_counter_old(8));
	assert_null(sflow_counter_old(UINT32_MAX));
	assert_null(sflow_counter_find(0));
	assert_null(sflow_counter_find(2003));
	assert_null(sflow_counter_find(1 << 12 | 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_old),
	};

	return cmocka_run_group_tests_name("proto/sflow_counter", tests, NULL, NULL);
}
