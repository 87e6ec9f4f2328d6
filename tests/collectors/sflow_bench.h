/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The decoder of sFlow on a bench: a pipeline that nobody listens to, so that the flows of
 * the last datagrams stay in the batch, and the parts that datagrams are made of, in hex.
 */
#ifndef WEIR_TESTS_COLLECTORS_SFLOW_BENCH_H
#define WEIR_TESTS_COLLECTORS_SFLOW_BENCH_H

#include <stddef.h>
#include <stdint.h>

#include "collectors/datagram.h"
#include "lib/ip.h"
#include "tests/collectors/rig.h"

#define ARRIVAL UINT64_C(1700000000123456789)

/* The header of a datagram: agent 192.0.2.9, sub-agent 7, number, uptime 1 s, samples. */
#define HEAD_AT(seq, uptime, samples) \
	"00000005 00000001 c0000209 00000007 " seq " " uptime " " samples " "
#define HEAD(seq, samples) HEAD_AT(seq, "00100000", samples)

/* Flow samples: 1 in 512, in and out as given, and their records. Lengths are counted here. */
#define FLOW(length, in, out, records) \
	"00000001 " length " 0000000a 00000003 00000200 00010000 00000000 " in out records " "
#define FLOW_EXPANDED(length, in, out, records) \
	"00000003 " length " 0000000a 00000000 00000003 00000200 00010000 00000000 " in out \
	records " "

/* A datagram with one flow sample, from interface 1 to 2; its records follow. */
#define ONE_FLOW(length, records) \
	HEAD("00000001", "00000001") FLOW(length, "00000001", "00000002", records)

/* 54 octets of Ethernet, IPv4 and TCP, sent as 60 and 4 of checksum; 72 with the record. */
#define TCP4 "020102030405 02aabbccddee 0800 4500 0028 1234 4000 4006 0000 c0000201 c6336402 " \
	"9c40 0050 00000001 00000002 5012 ffff 0000 0000 "
#define RAW_TCP4 "00000001 00000048 00000001 00000040 00000004 00000036 " TCP4 "0000 "
/* VLAN 100 and an IPv4 header of two words. */
#define RAW_BROKEN "00000001 00000024 00000001 00000040 00000004 00000014 " \
	"020102030405 02aabbccddee 8100 a064 0800 4200 "
#define RAW_ARP "00000001 00000020 00000001 00000040 00000004 00000010 " \
	"020102030405 02aabbccddee 0806 0001 "
/* VLAN 100, priority 5, UDP over IPv6: 66 octets. */
#define RAW_UDP6 "00000001 00000054 00000001 00000046 00000004 00000042 " \
	"020102030405 02aabbccddee 8100 a064 86dd 62e00000 0008 1140 " \
	"20010db8000000000000000000000001 20010db8000000000000000000000002 " \
	"3039 0035 0008 0000 0000 "
#define RAW_IP4 "00000001 0000002c 0000000b 00000100 00000000 0000001c " \
	"4500 00f0 0000 0000 4011 0000 c0000201 c6336402 3039 0035 00dc 0000 "
#define RAW_X25 "00000001 00000014 00000006 00000040 00000000 00000004 ff030021 "
#define SAMPLED_ETHERNET "00000002 00000018 00000040 02aabbccddee0000 0201020304050000 00000800 "
#define SAMPLED_IP4 "00000003 00000020 00000028 00000006 c0000201 c6336402 00009c40 00000050 " \
	"00000012 000000b8 "
#define SAMPLED_IP6 "00000004 00000038 00000050 0000003a 20010db8000000000000000000000001 " \
	"20010db8000000000000000000000002 00000080 00000000 000000ff 0000002e "
#define SWITCH(src, dst) "000003e9 00000010 " src " 00000002 " dst " 00000003 "
#define ROUTER4 "000003ea 00000010 00000001 c0a80001 00000018 00000010 "
#define ROUTER6 "000003ea 0000001c 00000002 20010db8000000000000000000000009 00000040 00000030 "
/* Own AS 65000; source 65001 by way of 65002; path 65010 65011, then the set of 65020. */
#define GATEWAY "000003eb 00000040 00000001 0a000001 0000fde8 0000fde9 0000fdea 00000002 " \
	"00000002 00000002 0000fdf2 0000fdf3 00000001 00000001 0000fdfc " \
	"00000001 fde80001 00000064 "
#define VENDOR "0003e801 00000006 010203040506 0000 " /* padded to a word */
/* Versions 2 and 4: without sub-agent and lengths; the same sample as FLOW has. */
#define OLD_HEAD(version, samples) version " 00000001 c0000209 00000001 000003e8 " samples " "
#define OLD_FLOW "00000001 0000000a 00000003 00000200 00010000 00000000 00000001 00000002 "
#define OLD_TCP4 "00000001 00000001 00000040 00000036 " TCP4 "0000 "
#define OLD_COUNTERS(kind) "00000002 00000001 00000003 0000001e " kind " "
#define OLD_INTERFACE52 "00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008 " \
	"00000009 0000000a 0000000b 0000000c 0000000d "
/* 88 octets: index 3, Ethernet, 10^9 bit/s, ... */
#define OLD_INTERFACE "00000003 00000006 000000003b9aca00 00000001 00000003 0000000000000064 " \
	"00000001 00000002 00000003 00000004 00000005 00000006 00000000000000c8 " \
	"00000001 00000002 00000003 00000004 00000005 00000000 "
#define COUNTERS "00000002 0000000c 00000001 00000003 00000000 "

/* A counter sample of source 3 with generic counters of interface `index`. */
#define INTERFACE(seq, index, in_octets) "00000002 0000006c " seq " 00000003 00000001 " \
	"00000001 00000058 " index " 00000006 000000003b9aca00 00000001 00000003 " in_octets \
	" 00000001 ffffffff 00000003 00000004 00000005 00000006 ffffffffffffffff " \
	"00000001 00000002 00000003 00000004 00000005 00000002 "

struct bench {
	struct rig rig;
	struct datagram_config config;
	void *decoder;
};

/* The decoder of sFlow, to which nothing has come. */
void bench_open(struct bench *b);
void bench_close(struct bench *b);

/* Decode `len` octets from 203.0.113.77, copied so that a sanitizer sees their end. */
void bench_decode(struct bench *b, const uint8_t *octets, size_t len);

/* Decode a datagram of hex digits and blanks. */
void bench_hex(struct bench *b, const char *hex);

/* Fail unless both are equal; `says` names the case, `what` the number. */
void check_number(const char *says, const char *what, uint64_t have, uint64_t want);
void check_ip(const char *says, const ip16_t *have, const char *want);

#endif
