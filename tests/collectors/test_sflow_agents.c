/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What agents of sFlow are known by, what their numbers tell, and their counters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collectors/counter_log.h"
#include "tests/collectors/sflow_bench.h"
#include "tests/proto/hex.h"

/* Agents: by their own address; by the sender's where they do not know it; sub-agents apart. */
static void
test_agents(void **state)
{
	const struct exporter *x;
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_hex(&b, HEAD("00000001", "00000000"));
	bench_hex(&b, "00000005 00000001 c0000209 00000008 00000001 00000000 00000000");
	bench_hex(&b, "00000005 00000000 00000007 00000001 00000000 00000000");
	bench_hex(&b, "00000005 00000002 20010db8000000000000000000000009 00000007 00000001 "
	    "00000000 00000000");
	bench_hex(&b, "00000004 00000002 20010db800000000000000000000000a 00000001 00000000 "
	    "00000000");
	bench_hex(&b, "00000002 00000001 c000020a 00000001 00000000 00000000");
	assert_int_equal(exporters_count(b.rig.exporters), 6);
	x = exporters_at(b.rig.exporters, 0);
	check_ip("agent", &x->addr, "192.0.2.9");
	assert_int_equal(x->kind, EXPORTER_SFLOW);
	assert_int_equal(x->domain, 7);
	assert_int_equal(atomic_load(&x->version), 5);
	check_ip("no agent", &exporters_at(b.rig.exporters, 2)->addr, "203.0.113.77");
	check_ip("agent", &exporters_at(b.rig.exporters, 3)->addr, "2001:db8::9");
	check_ip("agent", &exporters_at(b.rig.exporters, 4)->addr, "2001:db8::a");
	assert_int_equal(atomic_load(&exporters_at(b.rig.exporters, 4)->version), 4);
	assert_int_equal(atomic_load(&exporters_at(b.rig.exporters, 5)->version), 2);
	bench_close(&b);
}

/* The exporter is known by its agent address, whatever is shown of a record. */
static void
test_peer(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	b.config.ignore_exporter_address = true;
	bench_hex(&b, ONE_FLOW("00000070", "00000001") RAW_TCP4);
	check_ip("the sender", &b.rig.pipeline.flows[0].peer_src_ip, "203.0.113.77");
	check_ip("the agent", &exporters_at(b.rig.exporters, 0)->addr, "192.0.2.9");
	bench_close(&b);
}

/* The last counters of each interface, by agent; what was overtaken is no news. */
static void
test_interface_counters(void **state)
{
	struct bench b;
	struct interface_counters *c;
	struct exporter *x;
	uint32_t n;

	(void)state;
	bench_open(&b);
	bench_hex(&b, HEAD("00000001", "00000001") COUNTERS);
	x = exporters_at(b.rig.exporters, 0);
	assert_null(exporter_interfaces(x, &n)); /* a sample without blocks */
	bench_hex(&b, HEAD("00000002", "00000003") INTERFACE("00000009", "00000007",
	    "0000000000000100") INTERFACE("00000008", "00000007", "0000000000000099")
	    INTERFACE("0000000a", "00000005", "0000000000000300"));
	c = exporter_interfaces(x, &n);
	assert_int_equal(n, 2);
	check_number("another", "index", c[0].index, 5);
	check_number("another", "in_octets", c[0].in_octets, 0x300);
	check_number("not the late one", "in_octets", c[1].in_octets, 0x100);
	check_number("all members", "index", c[1].index, 7);
	check_number("all members", "updated", c[1].updated, ARRIVAL);
	check_number("all members", "type", c[1].type, 6);
	check_number("all members", "speed", c[1].speed, 1000000000);
	check_number("all members", "direction", c[1].direction, INTERFACE_FULL_DUPLEX);
	check_number("all members", "status", c[1].status,
	    INTERFACE_ADMIN_UP | INTERFACE_OPER_UP);
	check_number("all members", "in_unicast", c[1].in_unicast, 1);
	check_number("all members", "in_multicast", c[1].in_multicast, INTERFACE_UNKNOWN);
	check_number("all members", "in_broadcast", c[1].in_broadcast, 3);
	check_number("all members", "in_discards", c[1].in_discards, 4);
	check_number("all members", "in_errors", c[1].in_errors, 5);
	check_number("all members", "in_unknown_protos", c[1].in_unknown_protos, 6);
	check_number("all members", "out_octets", c[1].out_octets, INTERFACE_UNKNOWN);
	check_number("all members", "out_unicast", c[1].out_unicast, 1);
	check_number("all members", "out_multicast", c[1].out_multicast, 2);
	check_number("all members", "out_broadcast", c[1].out_broadcast, 3);
	check_number("all members", "out_discards", c[1].out_discards, 4);
	check_number("all members", "out_errors", c[1].out_errors, 5);
	check_number("all members", "promiscuous", c[1].promiscuous, 2);
	free(c);
	bench_close(&b);
}

/* More than are remembered of one agent: they are counted. */
static void
test_too_many_interfaces(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	for (unsigned i = 0; i <= IFTABLE_MAX; i++) {
		char hex[1024];

		snprintf(hex, sizeof(hex), HEAD("%08x", "00000001")
		    INTERFACE("%08x", "%08x", "0000000000000100"), i, i, i);
		bench_hex(&b, hex);
	}
	assert_int_equal(rig_stat(&b.rig, STAT_INTERFACES_REFUSED), 1);
	assert_int_equal(rig_stat(&b.rig, STAT_COUNTERS), IFTABLE_MAX + 1);
	bench_close(&b);
}

static void
test_sequence(void **state)
{
	struct bench b;
	struct exporter *x;

	(void)state;
	bench_open(&b);
	b.config.disable_checks = true;
	bench_hex(&b, HEAD("00000010", "00000000"));
	bench_hex(&b, HEAD("00000011", "00000000"));
	assert_int_equal(rig_stat(&b.rig, STAT_SEQUENCE_LOST), 0);
	bench_hex(&b, HEAD("00000015", "00000000"));
	assert_int_equal(rig_stat(&b.rig, STAT_SEQUENCE_LOST), 3);
	assert_int_equal(rig_stat(&b.rig, STAT_SEQUENCE_RESETS), 0);
	bench_hex(&b, HEAD("00000013", "00000000"));
	assert_int_equal(rig_stat(&b.rig, STAT_SEQUENCE_FOUND), 1);
	assert_int_equal(rig_stat(&b.rig, STAT_SEQUENCE_RESETS), 0);
	/* It was started a second ago. */
	bench_hex(&b, HEAD_AT("00000001", "000003e8", "00000000"));
	assert_int_equal(rig_stat(&b.rig, STAT_SEQUENCE_LOST), 3);
	assert_int_equal(rig_stat(&b.rig, STAT_SEQUENCE_RESETS), 1);
	x = exporters_at(b.rig.exporters, 0);
	assert_int_equal(exporter_sum(x, EXPORTER_DATAGRAMS), 5);
	assert_int_equal(exporter_sum(x, EXPORTER_SEQUENCE_LOST), 3);
	assert_int_equal(exporter_sum(x, EXPORTER_SEQUENCE_RESETS), 1);
	bench_close(&b);
}

/* Sample `seq` of data source 3, announced 1 in 512, of `pool` packets, after `drops`. */
#define TOLD(seq, pool, drops) "00000001 00000070 " seq " 00000003 00000200 " pool " " drops \
	" 00000001 00000002 00000001 " RAW_TCP4

/* What a data source's numbers tell, also in samples that are no flows. */
static void
test_sources(void **state)
{
	struct exporter *x;
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_hex(&b, HEAD("00000001", "00000003") TOLD("00000005", "00010000", "00000002")
	    TOLD("00000006", "00010300", "00000002") TOLD("00000009", "00010900", "00000004"));
	bench_hex(&b, HEAD("00000002", "00000003") COUNTERS COUNTERS
	    "00000002 0000000c 00000004 00000003 00000000 ");
	bench_hex(&b, HEAD("00000003", "00000001") "00000001 00000020 0000000c 00000003 00000200 "
	    "00010a00 00000004 00000001 00000002 00000000 ");
	assert_int_equal(rig_stat(&b.rig, STAT_SAMPLES_LOST), 2 + 2 + 2);
	assert_int_equal(rig_stat(&b.rig, STAT_SAMPLES_DROPPED), 2);
	assert_int_equal(rig_stat(&b.rig, STAT_SOURCES_REFUSED), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(b.rig.pipeline.flows[i].sampling_rate, 512);
	x = exporters_at(b.rig.exporters, 0);
	assert_int_equal(exporter_sum(x, EXPORTER_SAMPLES_LOST), 6);
	assert_int_equal(exporter_sum(x, EXPORTER_SAMPLES_DROPPED), 2);
	bench_close(&b);
}

/* Blocks of counters: what is in the file, and in the books. */
static void
test_counters(void **state)
{
	static const uint8_t nothing[1];
	const char *path = rig_file(nothing, 0);
	struct err e = ERR_INIT;
	char text[4096];
	struct bench b;
	FILE *in;
	size_t n;

	(void)state;
	bench_open(&b);
	sflow_decoder.close(b.decoder);
	b.config.counters = counter_log_new(path, &e);
	assert_non_null(b.config.counters);
	b.decoder = sflow_decoder.open(&b.rig.collector, &e);
	assert_non_null(b.decoder);
	/* A VLAN's, one of a format that nobody knows, one that ends early; then expanded. */
	bench_hex(&b, HEAD("00000021", "00000002") "00000002 00000050 00000001 01000064 00000003 "
	    "00000005 0000001c 00000064 0000000000000400 00000001 00000002 00000003 00000004 "
	    "000007d5 00000004 00000000 00000005 0000000c 00000064 0000000000000400 "
	    "00000004 00000034 00000002 00000000 00000007 00000001 "
	    "000003e9 0000001c 00000064 ffffffff 00002710 0000000100000000 0000000080000000 ");
	bench_hex(&b, OLD_HEAD("00000004", "00000001") OLD_COUNTERS("00000002") OLD_INTERFACE
	    OLD_INTERFACE52);
	assert_int_equal(rig_stat(&b.rig, STAT_COUNTERS), 4);
	assert_int_equal(rig_stat(&b.rig, STAT_COUNTERS_LOGGED), 4);
	assert_int_equal(rig_stat(&b.rig, STAT_PARTS_UNKNOWN), 1);
	assert_int_equal(rig_stat(&b.rig, STAT_PARTS_CUT), 1);
	assert_int_equal(rig_stat(&b.rig, STAT_RECORDS_NOT_FLOW), 3);
	rig_books(&b.rig, "counters");
	bench_close(&b);
	counter_log_free(b.config.counters);
	in = fopen(path, "r");
	assert_non_null(in);
	n = fread(text, 1, sizeof(text) - 1, in);
	fclose(in);
	text[n] = '\0';
	rig_file_remove();
	static const char *const parts[] = { "\"agent\": \"192.0.2.9\"",
		"\"source_id_class\": 1, \"source_id_index\": 100, \"sflow_seq\": 33, "
		"\"sflow_cnt_seq\": 1, \"sf_cnt_type\": \"sflow_cnt_vlan\", \"vlan\": 100",
		"\"source_id_class\": 0, \"source_id_index\": 7, \"sflow_seq\": 33, "
		"\"sflow_cnt_seq\": 2, \"sf_cnt_type\": \"sflow_cnt_processor\"",
		"\"sf_cnt_type\": \"sflow_cnt_generic\", \"ifIndex\": 3",
		"\"ifInOctets\": 100", "\"sf_cnt_type\": \"sflow_cnt_ethernet\"",
		"\"dot3StatsSymbolErrors\": 13" };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strstr(text, parts[i]) == NULL)
			fail_msg("no %s in %s", parts[i], text);
}

/* Where nobody wants them, blocks are counted. */
static void
test_counters_unlogged(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_hex(&b, OLD_HEAD("00000004", "00000001") OLD_COUNTERS("00000002") OLD_INTERFACE
	    OLD_INTERFACE52);
	assert_int_equal(rig_stat(&b.rig, STAT_COUNTERS_UNLOGGED), 2);
	rig_books(&b.rig, "counters left alone");
	bench_close(&b);
}

/* Where counters are multiplied, it is by what the agent did, not by what it announces. */
static void
test_renormalized(void **state)
{
	const struct sampling_config config = { .renormalize = { [SOURCE_SFLOW] = true } };
	struct problems ps = { 0 };
	struct err e = ERR_INIT;
	struct sampling *sampling;
	struct bench b;

	(void)state;
	assert_int_equal(sampling_new(&config, &sampling, &ps, &e), 0);
	bench_open(&b);
	sflow_decoder.close(b.decoder);
	b.rig.pipeline.sampling = sampling;
	b.rig.pipeline.source = SOURCE_SFLOW;
	b.decoder = sflow_decoder.open(&b.rig.collector, &e);
	bench_hex(&b, HEAD("00000001", "00000003") TOLD("00000005", "00010000", "00000000")
	    TOLD("00000006", "00010300", "00000000") TOLD("00000009", "00010900", "00000000"));
	/* One datagram after the other of two sub-agents: they have their own sources. */
	bench_hex(&b, "00000005 00000001 c0000209 00000008 00000001 000003e8 00000001 "
	    TOLD("00000007", "00000001", "00000000"));
	bench_hex(&b, HEAD("00000002", "00000001") TOLD("0000000a", "00010a00", "00000000"));
	assert_int_equal(b.rig.pipeline.n, 5);
	assert_int_equal(b.rig.pipeline.flows[0].sampling_rate, 512);
	assert_int_equal(b.rig.pipeline.flows[1].sampling_rate, 0x300);
	assert_int_equal(b.rig.pipeline.flows[2].sampling_rate, 0x200);
	assert_int_equal(b.rig.pipeline.flows[3].sampling_rate, 512);
	assert_int_equal(b.rig.pipeline.flows[4].sampling_rate, 0x100);
	assert_int_equal(rig_stat(&b.rig, STAT_SAMPLES_LOST), 2);
	pipeline_flush(&b.rig.pipeline);
	assert_int_equal(b.rig.pipeline.fed.packets, 512 + 0x300 + 0x200 + 512 + 0x100);
	assert_int_equal(b.rig.pipeline.fed.bytes,
	    64 * (512 + 0x300 + 0x200 + 512 + 0x100));
	bench_close(&b);
	sampling_free(sampling);
}

static void
test_exporter_counts(void **state)
{
	struct bench b;
	struct exporter *x;

	(void)state;
	bench_open(&b);
	bench_hex(&b, HEAD("00000001", "00000003") COUNTERS
	    FLOW("00000070", "00000001", "00000002", "00000001") RAW_TCP4
	    FLOW("00000020", "00000001", "00000002", "00000009"));
	x = exporters_at(b.rig.exporters, 0);
	assert_int_equal(exporter_sum(x, EXPORTER_DATAGRAMS), 1);
	assert_int_equal(exporter_sum(x, EXPORTER_RECORDS), 3);
	assert_int_equal(exporter_sum(x, EXPORTER_MALFORMED), 1);
	assert_int_equal(exporter_sum(x, EXPORTER_OCTETS),
	    rig_stat(&b.rig, STAT_DATAGRAM_OCTETS));
	assert_int_equal(exporter_last_seen(x), ARRIVAL);
	assert_int_equal(atomic_load(&x->sampling), 512);
	assert_int_equal(atomic_load(&b.rig.collector.last_seen), ARRIVAL);
	bench_close(&b);
}

/* More agents than can be remembered: those that passed by are forgotten, all are fed. */
static void
test_flood(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	for (unsigned i = 0; i < 100; i++) {
		uint8_t octets[1024];
		size_t n = hex_octets(ONE_FLOW("00000070", "00000001") RAW_TCP4, octets,
		    sizeof(octets));

		octets[11] = (uint8_t)i;
		bench_decode(&b, octets, n);
	}
	assert_int_equal(rig_stat(&b.rig, STAT_BAD_EXPORTER), 0);
	assert_int_equal(rig_stat(&b.rig, STAT_RECORDS_FED), 100);
	assert_in_range(exporters_count(b.rig.exporters), 32, 64);
	rig_books(&b.rig, "a flood of agents");
	bench_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agents),
		cmocka_unit_test(test_peer),
		cmocka_unit_test(test_interface_counters),
		cmocka_unit_test(test_too_many_interfaces),
		cmocka_unit_test(test_sequence),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_counters_unlogged),
		cmocka_unit_test(test_renormalized),
		cmocka_unit_test(test_exporter_counts),
		cmocka_unit_test(test_flood),
	};

	return cmocka_run_group_tests_name("collectors/sflow_agents", tests, NULL, NULL);
}
