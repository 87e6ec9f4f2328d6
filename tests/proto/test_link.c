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

#include "lib/intern.h"
#include "proto/packet.h"
#include "tests/proto/hex.h"

/* What is in every case that is IP: 28 octets of UDP from port 12345 to 53. */
#define IP4 "4500 001c 1234 0000 4011 0000 c0000201 c6336402 3039 0035 0008 0000 "
#define IP6 "60000000 0008 1140 20010db8000000000000000000000001 " \
	"20010db8000000000000000000000002 3039 0035 0008 0000 "

#define DST "02aabbccddee "
#define SRC "020102030405 "
#define MACS DST SRC
#define SNAP(type) "aaaa03 000000 " type " "
#define ANY_MAC "000000000000 "

static const struct {
	const char *says;
	int link;
	const char *hex;
	enum packet_result want;
	unsigned etype;
	const char *src, *dst; /* MAC addresses; NULL: none */
	unsigned vlan, cvlan, top, bottom;
	const char *stack;     /* NULL: no labels */
} cases[] = {
	{ "Ethernet", 1, MACS "0800 " IP4, PACKET_OK, 0x0800, SRC, DST, .vlan = 0 },
	{ "802.1Q", 1, MACS "8100 0064 86dd " IP6, PACKET_OK, 0x86dd, SRC, DST, .vlan = 100 },
	{ "802.1ad: the second tag is the customer's", 1, MACS "88a8 007b 8100 01c8 0800 " IP4,
	    PACKET_OK, 0x0800, SRC, DST, 123, 456, .top = 0 },
	{ "of three tags two have a place", 1, MACS "9100 0001 9200 0002 9300 0003 0800 " IP4,
	    PACKET_OK, 0x0800, SRC, DST, 1, 2, .top = 0 },
	{ "802.3, LLC and SNAP", 1, MACS "0024 " SNAP("0800") IP4, PACKET_OK, 0x0800, SRC, DST,
	    .vlan = 0 },
	{ "SNAP of an 802.1H bridge, behind a tag", 1, MACS "8100 0007 0024 aaaa03 0000f8 86dd "
	    IP6, PACKET_OK, 0x86dd, SRC, DST, 7, .top = 0 },
	{ "SNAP, then a tag", 1, MACS "0028 " SNAP("8100") "0009 0800 " IP4, PACKET_OK, 0x0800,
	    SRC, DST, .vlan = 9 },
	{ "LLC's own number for IP", 1, MACS "001f 060603 " IP4, PACKET_OK, 0x0800, SRC, DST,
	    .vlan = 0 },
	{ "SNAP of Cisco: CDP", 1, MACS "0010 aaaa03 00000c 2000 02b4", PACKET_NOT_IP, 0x2000,
	    SRC, DST, .vlan = 0 },
	{ "SNAP with a length for a type does not go round", 1, MACS "0010 " SNAP("0010")
	    SNAP("0800") IP4, PACKET_NOT_IP, 0x0010, SRC, DST, .vlan = 0 },
	{ "a spanning tree", 1, MACS "0026 424203 0000", PACKET_NOT_IP, 0, SRC, DST, .vlan = 0 },
	{ "SNAP that was cut", 1, MACS "0026 aaaa03 0000", PACKET_MALFORMED, .vlan = 0 },
	{ "LLC that was cut", 1, MACS "0026 aaaa", PACKET_MALFORMED, .vlan = 0 },

	{ "one label", 1, MACS "8847 000641ff " IP4, PACKET_OK, 0x0800, SRC, DST, 0, 0, 100, 100,
	    "100" },
	{ "a stack of three", 1, MACS "8847 0006403f fffff03f 0000013f " IP6, PACKET_OK, 0x86dd,
	    SRC, DST, 0, 0, 100, 0, "100_1048575_0" },
	{ "multicast, behind a tag", 1, MACS "8100 0005 8848 0001013f " IP4, PACKET_OK, 0x0800,
	    SRC, DST, 5, 0, 16, 16, "16" },
	{ "explicit null of IPv6", 1, MACS "8847 0000213f " IP6, PACKET_OK, 0x86dd, SRC, DST, 0, 0,
	    2, 2, "2" },
	{ "a pseudowire of Ethernet with its control word", 1, MACS "8847 0006413f 00000001 "
	    ANY_MAC ANY_MAC "0800 " IP4, PACKET_OK, 0x0800, SRC, DST, 0, 0, 100, 100, "100" },
	{ "one without, whose frame has a tag", 1, MACS "8847 0006413f " MACS "8100 0008 0800 "
	    IP4, PACKET_OK, 0x0800, SRC, DST, 8, 0, 100, 100, "100" },
	{ "a pseudowire of something else", 1, MACS "8847 0006413f 10000001 00000000 00000000",
	    PACKET_NOT_IP, 0, SRC, DST, 0, 0, 100, 100, "100" },
	{ "a stack without a bottom", 1, MACS "8847 00064040 00064040 00064040", PACKET_MALFORMED,
	    .vlan = 0 },
	{ "a stack with nothing below", 1, MACS "8847 0006413f", PACKET_MALFORMED, .vlan = 0 },
	{ "LINKTYPE_MPLS", 219, "0006403f 0001013f " IP4, PACKET_OK, 0x0800, NULL, NULL, 0, 0,
	    100, 16, "100_16" },

	{ "a session of PPPoE", 1, MACS "8864 1100 0001 001e 0021 " IP4, PACKET_OK, 0x0800, SRC,
	    DST, .vlan = 0 },
	{ "one with IPv6, behind two tags", 1, MACS "88a8 0001 8100 0002 8864 1100 0001 0032 0057 "
	    IP6, PACKET_OK, 0x86dd, SRC, DST, 1, 2, .top = 0 },
	{ "one with MPLS", 1, MACS "8864 1100 0001 0022 0281 0006413f " IP4, PACKET_OK, 0x0800,
	    SRC, DST, 0, 0, 100, 100, "100" },
	{ "a session's LCP", 1, MACS "8864 1100 0001 000a c021 0900 0008 00000000", PACKET_NOT_IP,
	    0, SRC, DST, .vlan = 0 },
	{ "PPPoE discovery", 1, MACS "8863 1109 0000 0000", PACKET_NOT_IP, 0x8863, SRC, DST,
	    .vlan = 0 },
	{ "a code that is no session's", 1, MACS "8864 11a7 0001 0002 0021 " IP4, PACKET_NOT_IP, 0,
	    SRC, DST, .vlan = 0 },
	{ "PPPoE that was cut", 1, MACS "8864 1100 00", PACKET_MALFORMED, .vlan = 0 },
	{ "PPPoE whose protocol was cut", 1, MACS "8864 1100 0001 0002 00", PACKET_MALFORMED,
	    .vlan = 0 },

	{ "802.1ah", 1, MACS "88e7 00000064 " ANY_MAC ANY_MAC "8100 0007 0800 " IP4, PACKET_OK,
	    0x0800, SRC, DST, .vlan = 7 },
	{ "a security group tag", 1, MACS "8909 0101 0001 0010 0800 " IP4, PACKET_OK, 0x0800, SRC,
	    DST, .vlan = 0 },
	{ "a VN-Tag", 1, MACS "8926 00000001 86dd " IP6, PACKET_OK, 0x86dd, SRC, DST, .vlan = 0 },
	{ "an E-Tag", 1, MACS "893f 000000010000 0800 " IP4, PACKET_OK, 0x0800, SRC, DST,
	    .vlan = 0 },
	{ "a redundancy tag", 1, MACS "892f 0034 0001 0800 " IP4, PACKET_OK, 0x0800, SRC, DST,
	    .vlan = 0 },
	{ "a VN-Tag that was cut", 1, MACS "8926 00000001", PACKET_MALFORMED, .vlan = 0 },

	{ "MACsec that only signs, with its channel", 1, MACS "88e5 2000 00000001 "
	    "0201020304050001 0800 " IP4, PACKET_OK, 0x0800, SRC, DST, .vlan = 0 },
	{ "MACsec without one, and a tag within", 1, MACS "88e5 0000 00000001 8100 0007 86dd " IP6,
	    PACKET_OK, 0x86dd, SRC, DST, .vlan = 7 },
	{ "MACsec that encrypts", 1, MACS "88e5 0c00 00000001 0800 " IP4, PACKET_NOT_IP, 0x88e5,
	    SRC, DST, .vlan = 0 },
	{ "MACsec that was cut", 1, MACS "88e5 2000 00000001 0201", PACKET_MALFORMED, .vlan = 0 },
	{ "a service header with two words of metadata", 1, MACS "894f 0004 0202 00000101 "
	    "0000000000000000 " IP6, PACKET_OK, 0x86dd, SRC, DST, .vlan = 0 },
	{ "a service header of no length", 1, MACS "894f 0000 0201 " IP4, PACKET_NOT_IP, 0, SRC,
	    DST, .vlan = 0 },
	{ "a service header of something else", 1, MACS "894f 0001 02fe " IP4, PACKET_NOT_IP, 0,
	    SRC, DST, .vlan = 0 },

	{ "PPP with address and control", 9, "ff03 0021 " IP4, PACKET_OK, 0x0800, .vlan = 0 },
	{ "PPP without", 9, "0057 " IP6, PACKET_OK, 0x86dd, .vlan = 0 },
	{ "PPP with the protocol in one octet", 9, "21 " IP4, PACKET_OK, 0x0800, .vlan = 0 },
	{ "PPP of another protocol", 9, "ff03 c021 0900", PACKET_NOT_IP, .vlan = 0 },
	{ "PPP that was cut", 9, "ff03 00", PACKET_MALFORMED, .vlan = 0 },
	{ "serial PPP", 50, "ff03 0021 " IP4, PACKET_OK, 0x0800, .vlan = 0 },
	{ "serial PPP that is Cisco HDLC", 50, "0f00 86dd " IP6, PACKET_OK, 0x86dd, .vlan = 0 },
	{ "PPPoE from its header on", 51, "1100 0001 001e 0021 " IP4, PACKET_OK, 0x0800,
	    .vlan = 0 },
	{ "PPP behind a direction", 166, "00 ff03 0021 " IP4, PACKET_OK, 0x0800, .vlan = 0 },
	{ "the same by another number", 204, "01 0021 " IP4, PACKET_OK, 0x0800, .vlan = 0 },
	{ "Cisco HDLC", 104, "0f00 0800 " IP4, PACKET_OK, 0x0800, .vlan = 0 },
	{ "Cisco HDLC's keepalive", 104, "8f00 8035 00000002", PACKET_NOT_IP, 0x8035, .vlan = 0 },
	{ "Cisco HDLC behind a direction", 205, "00 0f00 0800 " IP4, PACKET_OK, 0x0800,
	    .vlan = 0 },
	{ "Cisco HDLC that was cut", 104, "0f00 08", PACKET_MALFORMED, .vlan = 0 },
	{ "frame relay", 107, "1841 03 cc " IP4, PACKET_OK, 0x0800, .vlan = 0 },
	{ "frame relay with a pad, and SNAP", 107, "1841 03 00 80 000000 0800 " IP4, PACKET_OK,
	    0x0800, .vlan = 0 },
	{ "Cisco's frame relay", 107, "1841 86dd " IP6, PACKET_OK, 0x86dd, .vlan = 0 },
	{ "frame relay with IPv6 behind a direction", 206, "01 1841 03 8e " IP6, PACKET_OK,
	    0x86dd, .vlan = 0 },
	{ "frame relay's signalling", 107, "0001 03 08 0075", PACKET_NOT_IP, .vlan = 0 },
	{ "a frame relay address without end", 107, "1840 4040 4040", PACKET_NOT_IP, .vlan = 0 },
	{ "frame relay that was cut", 107, "18", PACKET_MALFORMED, .vlan = 0 },

	{ "FDDI", 10, "50 " MACS SNAP("0800") IP4, PACKET_OK, 0x0800, SRC, DST, .vlan = 0 },
	{ "FDDI's station management", 10, "41 " MACS "00", PACKET_NOT_IP, 0, SRC, DST,
	    .vlan = 0 },
	{ "FDDI that was cut", 10, "50 " DST, PACKET_MALFORMED, .vlan = 0 },
	{ "Token Ring", 6, "1040 " MACS SNAP("0800") IP4, PACKET_OK, 0x0800, SRC, DST, .vlan = 0 },
	{ "Token Ring with a route of three", 6, "1040 " DST "820102030405 "
	    "0630 0011 0022 " SNAP("86dd") IP6, PACKET_OK, 0x86dd, SRC, DST, .vlan = 0 },
	{ "Token Ring's own frames", 6, "1000 " MACS "00", PACKET_NOT_IP, 0, SRC, DST, .vlan = 0 },
	{ "Token Ring that was cut", 6, "1040 " DST, PACKET_MALFORMED, .vlan = 0 },
	{ "LLC on ATM", 11, SNAP("0800") IP4, PACKET_OK, 0x0800, .vlan = 0 },
	{ "the same in a file", 100, SNAP("86dd") IP6, PACKET_OK, 0x86dd, .vlan = 0 },
	{ "Fibre Channel", 122, "1000 " DST "1000 " SRC SNAP("0800") IP4, PACKET_OK, 0x0800, SRC,
	    DST, .vlan = 0 },
	{ "IP over FireWire", 138, "0011223344556677 8899aabbccddeeff 0800 " IP4, PACKET_OK,
	    0x0800, .vlan = 0 },

	{ "802.11 to the access point", 105, "0801 0000 " ANY_MAC SRC DST "1000 "
	    SNAP("0800") IP4, PACKET_OK, 0x0800, SRC, DST, .vlan = 0 },
	{ "802.11 from it, with QoS", 105, "8802 0000 " DST ANY_MAC SRC "1000 0000 "
	    SNAP("86dd") IP6, PACKET_OK, 0x86dd, SRC, DST, .vlan = 0 },
	{ "802.11 among equals", 105, "0800 0000 " DST SRC ANY_MAC "1000 " SNAP("0800") IP4,
	    PACKET_OK, 0x0800, SRC, DST, .vlan = 0 },
	{ "802.11 between access points, with QoS and HT control", 105, "8883 0000 " ANY_MAC
	    ANY_MAC DST "1000 " SRC "0000 00000000 " SNAP("0800") IP4, PACKET_OK, 0x0800, SRC,
	    DST, .vlan = 0 },
	{ "the first of several frames in one", 105, "8802 0000 " ANY_MAC ANY_MAC ANY_MAC
	    "1000 8000 " MACS "0024 " SNAP("0800") IP4, PACKET_OK, 0x0800, SRC, DST, .vlan = 0 },
	{ "802.11 that is encrypted", 105, "0841 0000 " ANY_MAC SRC DST "1000 "
	    SNAP("0800") IP4, PACKET_NOT_IP, 0, SRC, DST, .vlan = 0 },
	{ "802.11 without data", 105, "4801 0000 " ANY_MAC SRC DST "1000", PACKET_NOT_IP,
	    .vlan = 0 },
	{ "a beacon", 105, "8000 0000 " DST SRC SRC "1000 00000000 00000000", PACKET_NOT_IP,
	    .vlan = 0 },
	{ "802.11 that was cut", 105, "0801 0000 " ANY_MAC SRC, PACKET_MALFORMED, .vlan = 0 },
	{ "radiotap", 127, "00 00 0800 00000000 0801 0000 " ANY_MAC SRC DST "1000 "
	    SNAP("0800") IP4, PACKET_OK, 0x0800, SRC, DST, .vlan = 0 },
	{ "radiotap with time and flags: no padding", 127, "00 00 1100 03000000 "
	    "0102030405060708 10 8802 0000 " DST ANY_MAC SRC "1000 0000 " SNAP("0800") IP4,
	    PACKET_OK, 0x0800, SRC, DST, .vlan = 0 },
	{ "radiotap that says the header is padded", 127, "00 00 1100 03000000 "
	    "0102030405060708 20 8802 0000 " DST ANY_MAC SRC "1000 0000 0000 " SNAP("0800") IP4,
	    PACKET_OK, 0x0800, SRC, DST, .vlan = 0 },
	{ "the same with two words of presence, so that the time is aligned", 127,
	    "00 00 1900 03000080 00000000 00000000 0102030405060708 20 8802 0000 " DST ANY_MAC
	    SRC "1000 0000 0000 " SNAP("0800") IP4, PACKET_OK, 0x0800, SRC, DST, .vlan = 0 },
	{ "radiotap longer than the frame", 127, "00 00 ff00 00000000 0801", PACKET_MALFORMED,
	    .vlan = 0 },
	{ "radiotap of another version", 127, "01 00 0800 00000000 0801", PACKET_NOT_IP,
	    .vlan = 0 },
	{ "Prism's header", 119, "44000000 10000000 0000000000000000 0801 0000 " ANY_MAC SRC DST
	    "1000 " SNAP("0800") IP4, PACKET_OK, 0x0800, SRC, DST, .vlan = 0 },
	{ "the same, big-endian", 119, "00000044 00000010 0000000000000000 0801 0000 " ANY_MAC
	    SRC DST "1000 " SNAP("0800") IP4, PACKET_OK, 0x0800, SRC, DST, .vlan = 0 },
	{ "AVS in Prism's place", 119, "80211001 0000000c 00000000 0801 0000 " ANY_MAC
	    SRC DST "1000 " SNAP("0800") IP4, PACKET_OK, 0x0800, SRC, DST, .vlan = 0 },
	{ "AVS", 163, "80211001 0000000c 00000000 0801 0000 " ANY_MAC SRC DST "1000 "
	    SNAP("0800") IP4, PACKET_OK, 0x0800, SRC, DST, .vlan = 0 },
	{ "AVS that was cut", 163, "80211001 0000", PACKET_MALFORMED, .vlan = 0 },

	{ "cooked 802.3", 113, "0000 0001 0006 " SRC "0000 0004 " SNAP("0800") IP4, PACKET_OK,
	    0x0800, SRC, NULL, .vlan = 0 },
	{ "cooked with two tags and MPLS", 276, "88a8 0000 00000002 0001 00 06 " SRC "0000 "
	    "0001 8100 0002 8847 0006413f " IP4, PACKET_OK, 0x0800, SRC, NULL, 1, 2, 100, 100,
	    "100" },
	{ "cooked, a number of Linux's own", 113, "0000 0001 0006 " SRC "0000 000c 00000000",
	    PACKET_NOT_IP, 0, SRC, NULL, .vlan = 0 },
	{ "OpenBSD's enc", 109, "02000000 00001234 00000000 " IP4, PACKET_OK, 0x0800, .vlan = 0 },
	{ "OpenBSD's pflog, whose length is padded", 117, "05 18 0000 00000000 " IP6, PACKET_OK,
	    0x86dd, .vlan = 0 },
	{ "netfilter's log, little-endian", 239, "02 00 0001 0500 0a00 00 000000 2000 0900 " IP4,
	    PACKET_OK, 0x0800, .vlan = 0 },
	{ "netfilter's log, big-endian", 239, "0a 00 0001 0008 0001 0800 0000 0034 0009 " IP6,
	    PACKET_OK, 0x86dd, .vlan = 0 },
	{ "netfilter's log of ARP", 239, "03 00 0001 2000 0900 0001", PACKET_NOT_IP, .vlan = 0 },
	{ "netfilter's log with an attribute of no length", 239, "02 00 0001 0000 0a00 00000000",
	    PACKET_MALFORMED, .vlan = 0 },
	{ "netfilter's log without a packet", 239, "02 00 0001 0500 0a00 00 000000",
	    PACKET_MALFORMED, .vlan = 0 },
	{ "a record of Endace's: Ethernet", 197, "0000000000000000 02 04 0040 0000 002a 0000 "
	    MACS "0800 " IP4, PACKET_OK, 0x0800, SRC, DST, .vlan = 0 },
	{ "one with two extensions: PPP", 197, "0000000000000000 81 04 0040 0000 0020 "
	    "8300000000000000 0300000000000000 ff03 0021 " IP4, PACKET_OK, 0x0800, .vlan = 0 },
	{ "one of IPv6", 197, "0000000000000000 17 04 0040 0000 0030 " IP6, PACKET_OK, 0x86dd,
	    .vlan = 0 },
	{ "one of ATM", 197, "0000000000000000 03 04 0040 0000 0020 00", PACKET_NOT_IP,
	    .vlan = 0 },
	{ "one that was cut in an extension", 197, "0000000000000000 82 04 0040 0000 002a 8300",
	    PACKET_MALFORMED, .vlan = 0 },
	{ "PPI with Ethernet", 192, "00 00 0800 01000000 " MACS "0800 " IP4, PACKET_OK, 0x0800,
	    SRC, DST, .vlan = 0 },
	{ "PPI in PPI is not looked into", 192, "00 00 0800 c0000000 00 00 0800 01000000 "
	    MACS "0800 " IP4, PACKET_NOT_IP, .vlan = 0 },
	{ "PPI that was cut", 192, "00 00 0800 0100", PACKET_MALFORMED, .vlan = 0 },
	{ "PKTAP with raw IP", 258, "0c000000 01000000 0c000000 " IP4, PACKET_OK, 0x0800,
	    .vlan = 0 },
	{ "SLIP", 8, "00 450000000000000000000000000000 " IP4, PACKET_OK, 0x0800, .vlan = 0 },
	{ "SLIP whose header is compressed", 8, "00 8f0000000000000000000000000000 8f00",
	    PACKET_NOT_IP, .vlan = 0 },
	{ "Juniper's Ethernet with extensions", 178, "4d4743 80 0003 010203 " MACS "0800 " IP4,
	    PACKET_OK, 0x0800, SRC, DST, .vlan = 0 },
	{ "Juniper's Ethernet without", 178, "4d4743 00 " MACS "8100 0007 0800 " IP4, PACKET_OK,
	    0x0800, SRC, DST, .vlan = 7 },
	{ "Juniper's header with another number", 178, "4d4744 00 " MACS "0800 " IP4,
	    PACKET_NOT_IP, .vlan = 0 },
	{ "Juniper's header alone", 178, "4d4743 02 " IP4, PACKET_NOT_IP, .vlan = 0 },
	{ "Solaris' IP", 226, "01 02 0001 00000000 00000000 00000000 00000000 00000000 " IP4,
	    PACKET_OK, 0x0800, .vlan = 0 },
	{ "Solaris' IPv6", 226, "01 1a 0001 00000000 00000000 00000000 00000000 00000000 " IP6,
	    PACKET_OK, 0x86dd, .vlan = 0 },
	{ "IP over InfiniBand", 242, "60000000 0000 0000 00000000000000000000000000000000 "
	    "00000000000000000000000000000000 0800 0000 " IP4, PACKET_OK, 0x0800, .vlan = 0 },
	{ "a switch with Broadcom's tag", 281, MACS "20000080 0800 " IP4, PACKET_OK, 0x0800, SRC,
	    DST, .vlan = 0 },
	{ "the same before the addresses", 282, "00002005 " MACS "0800 " IP4, PACKET_OK, 0x0800,
	    SRC, DST, .vlan = 0 },
	{ "a switch with Marvell's tag", 284, MACS "c00a0000 86dd " IP6, PACKET_OK, 0x86dd, SRC,
	    DST, .vlan = 0 },
	{ "the longer one", 285, MACS "dada0000c0000000 0800 " IP4, PACKET_OK, 0x0800, SRC, DST,
	    .vlan = 0 },
	{ "Marvell's tag that was cut", 284, MACS "c00a", PACKET_MALFORMED, .vlan = 0 },
	{ "netANALYZER", 240, "00000000 " MACS "0800 " IP4, PACKET_OK, 0x0800, SRC, DST,
	    .vlan = 0 },
	{ "netANALYZER with the preamble", 241, "00000000 55555555555555d5 " MACS "0800 " IP4,
	    PACKET_OK, 0x0800, SRC, DST, .vlan = 0 },
	{ "802.3br", 274, "55555555555555d5 " MACS "0800 " IP4, PACKET_OK, 0x0800, SRC, DST,
	    .vlan = 0 },
};
#define N_CASES (sizeof(cases) / sizeof(cases[0]))

static struct packet_wants wants;

/* Dissect a copy of its own size, so that the sanitizer sees a read past the end. */
static enum packet_result
dissect(int link, const uint8_t *octets, size_t len, size_t wire, struct flow *f)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	struct packet_fragment fragment;
	enum packet_result result;

	assert_non_null(copy);
	memcpy(copy, octets, len);
	flow_clear(f);
	result = packet_dissect_more(packet_link(link), copy, len, wire, &wants, f, &fragment);
	free(copy);
	return result;
}

static void
check_number(const char *says, const char *what, uint64_t have, uint64_t want)
{
	if (have != want)
		fail_msg("%s: %s is %llu, not %llu", says, what, (unsigned long long)have,
		    (unsigned long long)want);
}

static void
check_mac(const char *says, const mac_t *have, const char *want)
{
	uint8_t octets[6] = { 0 };

	if (want != NULL)
		assert_int_equal(hex_octets(want, octets, sizeof(octets)), sizeof(octets));
	if (memcmp(have->b, octets, sizeof(octets)) != 0)
		fail_msg("%s: MAC address ends in %02x, not %02x", says, have->b[5], octets[5]);
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_CASES; i++) {
		const char *says = cases[i].says;
		uint8_t octets[256];
		size_t n = hex_octets(cases[i].hex, octets, sizeof(octets));
		bool v6 = cases[i].etype == 0x86dd;
		struct flow f;

		check_number(says, "result", dissect(cases[i].link, octets, n, n, &f),
		    cases[i].want);
		if (cases[i].want == PACKET_MALFORMED)
			continue;
		check_number(says, "etype", f.etype, cases[i].etype);
		check_mac(says, &f.src_mac, cases[i].src);
		check_mac(says, &f.dst_mac, cases[i].dst);
		check_number(says, "vlan", f.vlan, cases[i].vlan);
		check_number(says, "in_cvlan", f.in_cvlan, cases[i].cvlan);
		check_number(says, "top label", f.mpls_label_top, cases[i].top);
		check_number(says, "bottom label", f.mpls_label_bottom, cases[i].bottom);
		if (strcmp(intern_text(f.mpls_label_stack),
		        cases[i].stack != NULL ? cases[i].stack : "") != 0)
			fail_msg("%s: labels are %s", says, intern_text(f.mpls_label_stack));
		if (cases[i].want != PACKET_OK)
			continue;
		check_number(says, "destination port", f.dst_port, 53);
		check_number(says, "bytes", f.bytes, v6 ? 48 : 28);
	}
}

/* Cut at every octet, and each octet changed: an answer, whatever it is. */
static void
test_hostile(void **state)
{
	static const uint8_t flips[] = { 0x01, 0x10, 0x80, 0xff };
	struct flow f;

	(void)state;
	for (size_t i = 0; i < N_CASES; i++) {
		uint8_t octets[256];
		size_t n = hex_octets(cases[i].hex, octets, sizeof(octets));

		for (size_t len = 0; len < n; len++)
			if (dissect(cases[i].link, octets, len, n, &f) == PACKET_OK)
				assert_in_range(len, 20, n);
		for (size_t at = 0; at < n; at++) {
			for (size_t k = 0; k < sizeof(flips); k++) {
				octets[at] ^= flips[k];
				(void)dissect(cases[i].link, octets, n, n, &f);
				octets[at] ^= flips[k];
			}
		}
	}
}

/* Stacks as long as the frame: the labels that fit a string are shown, the ends are right. */
static void
test_stacks(void **state)
{
	uint8_t octets[65535] = { 0 };
	size_t n = hex_octets(MACS "8847", octets, sizeof(octets)), labels = n;
	struct flow f;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		n += hex_octets("fffff0 ff", octets + n, sizeof(octets) - n);
	octets[n - 2] |= 1;
	n += hex_octets(IP4, octets + n, sizeof(octets) - n);
	assert_int_equal(dissect(1, octets, n, n, &f), PACKET_OK);
	assert_int_equal(f.mpls_label_bottom, 1048575);
	assert_in_range(strlen(intern_text(f.mpls_label_stack)), 240, 255);
	assert_int_equal(strspn(intern_text(f.mpls_label_stack), "1048575_"),
	    strlen(intern_text(f.mpls_label_stack)));

	memset(octets + labels, 0, sizeof(octets) - labels);
	assert_int_equal(dissect(1, octets, sizeof(octets), sizeof(octets), &f),
	    PACKET_MALFORMED);

	/* LLC, SNAP and PPPoE in turns, to the end of the frame. */
	for (n = 12; n + 16 < sizeof(octets);)
		n += hex_octets("0010" SNAP("8100") "0001", octets + n, sizeof(octets) - n);
	assert_int_equal(dissect(1, octets, n, n, &f), PACKET_MALFORMED);
	assert_int_equal(f.vlan, 1);
}

/* Nobody asks for the stack: only the ends are kept. */
static void
test_wants(void **state)
{
	struct field_set none = { { 0 } };
	struct packet_fragment fragment;
	struct packet_wants w;
	uint8_t octets[256];
	size_t n = hex_octets(MACS "8847 0006403f 0001013f" IP4, octets, sizeof(octets));
	struct flow f;

	(void)state;
	packet_wants_init(&w, &none);
	flow_clear(&f);
	f.mpls_label_bottom = 7; /* flows are cleared as far as somebody reads */
	assert_int_equal(packet_dissect_more(packet_link(1), octets, n, n, &w, &f,
	    &fragment), PACKET_OK);
	assert_int_equal(f.mpls_label_stack, 0);
	assert_int_equal(f.mpls_label_top, 100);
	assert_int_equal(f.mpls_label_bottom, 16);

	/* Of a pseudowire's frame with labels those of the outer stack count. */
	n = hex_octets(MACS "8847 0006413f" MACS "8100 0007 8847 0001013f" IP4, octets,
	    sizeof(octets));
	flow_clear(&f);
	assert_int_equal(packet_dissect_more(packet_link(1), octets, n, n, &w, &f,
	    &fragment), PACKET_OK);
	assert_int_equal(f.mpls_label_top, 100);
	assert_int_equal(f.mpls_label_bottom, 100);
}

static void
test_links(void **state)
{
	struct flow f;

	(void)state;
	assert_null(packet_link(-1));
	assert_null(packet_link(147)); /* DLT_USER0: anybody's */
	flow_clear(&f);
	assert_int_equal(packet_dissect(&packet_link_none, (const uint8_t *)"E", 1, 1, &f),
	    PACKET_NOT_IP);
	for (int type = 0; type < 300; type++) {
		bool tested = type == 0 || type == 12 || type == 14 || type == 101 || type == 108 ||
		    type == 228 || type == 229; /* raw IP and loopback: test_packet.c */

		for (size_t i = 0; i < N_CASES && !tested; i++)
			tested = cases[i].link == type && cases[i].want == PACKET_OK;
		if (packet_link(type) != NULL && !tested)
			fail_msg("link layer %d has no case", type);
	}
}

static int
set_up(void **state)
{
	struct field_set all;

	(void)state;
	memset(&all, 0xff, sizeof(all));
	packet_wants_init(&wants, &all);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_stacks),
		cmocka_unit_test(test_wants),
		cmocka_unit_test(test_links),
	};

	return cmocka_run_group_tests_name("proto/link", tests, set_up, NULL);
}
