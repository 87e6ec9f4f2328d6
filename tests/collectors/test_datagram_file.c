/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "collectors/datagram.h"
#include "collectors/pcap.h"
#include "lib/clock.h"
#include "tests/collectors/rig.h"

#define T0 UINT32_C(1700000000)

#define MACS "020102030405 02aabbccddee "
#define IP4(total, frag, proto) \
	MACS "0800 4500 " total " 1234 " frag " 40" proto " 0000 c0000205 c6336402 "
/* Port 50000 to port 9999, which is nobody's: any will do. */
#define UDP(len) "c350 270f " len " 0000 "
/* sFlow without an agent address, so that the sender is the exporter; 24 octets. */
#define HELLO(seq) "00000005 00000000 00000007 " seq " 00000000 00000000 "
#define GOOD(seq) IP4("0034", "0000", "11") UDP("0020") HELLO(seq)

static struct rig_pcap pcap;

static void
file_hex(const char *hex)
{
	rig_pcap_hex(&pcap, T0 + (uint32_t)pcap.len % 7, hex);
}

static bool
read_file(struct rig *r, const struct collector_ops *ops,
    struct datagram_file_config *config, struct pcap_config *file)
{
	file->savefile = rig_file(pcap.octets, pcap.len);
	file->savefile_replay = 1;
	config->pcap = file;
	rig_init(r, ops, config);
	rig_open(r);
	return rig_read(r);
}

static void
test_file(void **state)
{
	struct datagram_config datagram = { 0 };
	struct datagram_file_config config = { .datagram = &datagram };
	struct pcap_config file = { 0 };
	char from[IP_STRLEN];
	struct rig r;

	(void)state;
	rig_pcap_init(&pcap);
	file_hex(GOOD("00000001"));
	file_hex(MACS "0806 0001 0800");                                   /* ARP */
	file_hex(IP4("0028", "0000", "06") "c350 0050 00000000 00000000"); /* TCP */
	file_hex(IP4("0034", "0001", "11") UDP("0020") HELLO("00000002")); /* later fragment */
	file_hex(MACS "0800 4100 0000");                                   /* broken */
	file_hex(IP4("001c", "0000", "11") UDP("0008"));                   /* empty datagram */
	rig_pcap_hex(&pcap, T0 + 50, GOOD("00000002"));
	assert_true(read_file(&r, &sflow_file_collector, &config, &file));
	assert_int_equal(rig_stat(&r, STAT_FRAMES), 7);
	assert_int_equal(rig_stat(&r, STAT_FRAMES_DATAGRAM), 3);
	assert_int_equal(rig_stat(&r, STAT_FRAMES_NO_DATAGRAM), 2);
	assert_int_equal(rig_stat(&r, STAT_FRAMES_NOT_IP), 1);
	assert_int_equal(rig_stat(&r, STAT_FRAMES_MALFORMED), 1);
	assert_int_equal(rig_stat(&r, STAT_DATAGRAMS), 3);
	assert_int_equal(rig_stat(&r, STAT_DATAGRAMS_DECODED), 2);
	assert_int_equal(rig_stat(&r, STAT_BAD_SHORT), 1);
	assert_int_equal(rig_stat(&r, STAT_SEQUENCE_LOST), 0);
	assert_int_equal(atomic_load(&r.collector.units), 3);
	assert_int_equal(r.pipeline.source, SOURCE_SFLOW);
	assert_true(r.collector.follows_file_time);
	assert_int_equal(r.collector.fd, -1);
	/* The sender is the IP source, and the time the packet's. */
	assert_int_equal(exporters_count(r.exporters), 1);
	(void)ip_format(&exporters_at(r.exporters, 0)->addr, from);
	assert_string_equal(from, "192.0.2.5");
	assert_int_equal(exporter_last_seen(exporters_at(r.exporters, 0)), (T0 + 50) * CLOCK_S);
	assert_int_equal(atomic_load(&r.collector.horizon), (T0 + 50) * CLOCK_S);
	rig_books(&r, "a file of datagrams");
	rig_fini(&r);
}

/* A decoder finds its own configuration where it looks: gaps are not logged, but counted. */
static void
test_config(void **state)
{
	struct datagram_config datagram = { .disable_checks = true };
	struct datagram_file_config config = { .datagram = &datagram };
	struct pcap_config file = { 0 };
	struct rig r;

	(void)state;
	rig_pcap_init(&pcap);
	rig_pcap_hex(&pcap, T0, GOOD("00000001"));
	rig_pcap_hex(&pcap, T0, GOOD("00000005"));
	assert_true(read_file(&r, &sflow_file_collector, &config, &file));
	assert_ptr_equal(r.collector.config, &datagram);
	assert_int_equal(rig_stat(&r, STAT_SEQUENCE_LOST), 3);
	rig_fini(&r);
}

/* Flow records began before their datagram left: their bins stay open for longer. */
static void
test_horizon(void **state)
{
	struct datagram_config datagram = { 0 };
	struct datagram_file_config config = { .datagram = &datagram };
	struct pcap_config file = { 0 };
	struct rig r;

	(void)state;
	rig_pcap_init(&pcap);
	rig_pcap_hex(&pcap, T0, GOOD("00000001"));
	assert_true(read_file(&r, &netflow_file_collector, &config, &file));
	assert_int_equal(atomic_load(&r.collector.horizon), (T0 - 3600) * CLOCK_S);
	assert_int_equal(rig_stat(&r, STAT_BAD_VERSION), 1); /* sFlow is not taken there */
	rig_books(&r, "sFlow among NetFlow");
	rig_fini(&r);
	datagram.time_new = true;
	assert_true(read_file(&r, &netflow_file_collector, &config, &file));
	assert_int_equal(atomic_load(&r.collector.horizon), T0 * CLOCK_S);
	rig_fini(&r);
}

static void
test_wait_and_filter(void **state)
{
	struct datagram_config datagram = { 0 };
	struct datagram_file_config config = { .datagram = &datagram };
	struct pcap_config file = { .savefile_wait = true, .filter = "udp dst port 9999" };
	struct rig r;

	(void)state;
	rig_pcap_init(&pcap);
	rig_pcap_hex(&pcap, T0, GOOD("00000001"));
	rig_pcap_hex(&pcap, T0, MACS "0806 0001 0800");
	assert_false(read_file(&r, &sflow_file_collector, &config, &file));
	assert_int_equal(rig_stat(&r, STAT_FRAMES), 1);
	assert_int_equal(atomic_load(&r.collector.horizon), UINT64_MAX);
	assert_false(rig_read(&r));
	assert_int_equal(rig_stat(&r, STAT_FRAMES), 1);
	rig_fini(&r);
}

static void
test_hostile(void **state)
{
	struct datagram_config datagram = { .disable_checks = true };
	struct datagram_file_config config = { .datagram = &datagram };
	struct pcap_config file = { 0 };
	struct err e = ERR_INIT;
	struct rig r;

	(void)state;
	rig_pcap_init(&pcap);
	rig_pcap_hex(&pcap, T0, GOOD("00000001"));
	rig_pcap_hex(&pcap, T0, GOOD("00000002"));
	for (size_t at = 24; at < pcap.len; at++) {
		pcap.octets[at] ^= 0xff;
		assert_true(read_file(&r, &sflow_file_collector, &config, &file));
		rig_books(&r, "a file with an octet changed");
		rig_fini(&r);
		pcap.octets[at] ^= 0xff;
	}
	while (pcap.len > 24) {
		pcap.len--;
		assert_true(read_file(&r, &sflow_file_collector, &config, &file));
		rig_books(&r, "a cut file");
		rig_fini(&r);
	}
	pcap.len = 23;
	file.savefile = rig_file(pcap.octets, pcap.len);
	rig_init(&r, &sflow_file_collector, &config);
	assert_int_not_equal(r.collector.ops->open(&r.collector, &e), 0);
	assert_non_null(strstr(e.text, file.savefile));
	assert_null(r.collector.priv);
	rig_fini(&r);
}

static int
teardown(void **state)
{
	(void)state;
	rig_file_remove();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_horizon),
		cmocka_unit_test(test_wait_and_filter),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests_name("collectors/datagram_file", tests, NULL, teardown);
}
