/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How fast counting can be on this machine with one thread: read a pcap file by hand,
 * take the five-tuple of every packet (or, with -5, of every NetFlow v5 record in every
 * datagram), count packets and bytes in a table. No configuration, no checks beyond
 * what keeps it inside its memory, and nothing done with the result but a sum, or with
 * -w one line of CSV a row.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "bench/limits/aggcsv.h"
#include "bench/limits/aggtable.h"
#include "bench/limits/pcapfile.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum {
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_IPV6 = 0x86dd,
	ETHERTYPE_VLAN_TAG = 0x8100,
	NETFLOW5_HEADER_OCTETS = 24,
	NETFLOW5_RECORD_OCTETS = 48,
};

static uint16_t
get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t
get_u32(const uint8_t *p)
{
	return (uint32_t)get_u16(p) << 16 | get_u16(p + 2);
}

static uint64_t
get_u64(const uint8_t *p)
{
	return (uint64_t)get_u32(p) << 32 | get_u32(p + 4);
}

static void
key_ipv4(uint64_t to[2], const uint8_t *address)
{
	to[0] = 0;
	to[1] = UINT64_C(0xffff) << 32 | get_u32(address);
}

static void
key_ipv6(uint64_t to[2], const uint8_t *address)
{
	to[0] = get_u64(address);
	to[1] = get_u64(address + 8);
}

/* Ports and protocol; `l4` has `left` octets. */
static uint64_t
key_rest(const uint8_t *l4, uint32_t left, uint8_t proto)
{
	uint64_t ports = 0;

	if ((proto == IPPROTO_TCP || proto == IPPROTO_UDP) && left >= 4)
		ports = get_u32(l4);
	return ports << 8 | proto;
}

static bool
packet_ipv4(struct aggrow *item, const uint8_t *ip, uint32_t left)
{
	uint32_t header;

	if (left < 20 || ip[0] >> 4 != 4)
		return false;
	header = (ip[0] & 15u) * 4;
	if (header < 20 || header > left)
		return false;
	key_ipv4(item->key.src, ip + 12);
	key_ipv4(item->key.dst, ip + 16);
	item->bytes = get_u16(ip + 2);
	if ((get_u16(ip + 6) & 0x1fff) != 0)
		item->key.rest = ip[9];
	else
		item->key.rest = key_rest(ip + header, left - header, ip[9]);
	return true;
}

static bool
packet_ipv6(struct aggrow *item, const uint8_t *ip, uint32_t left)
{
	uint32_t at = 40;
	uint8_t next;

	if (left < 40 || ip[0] >> 4 != 6)
		return false;
	next = ip[6];
	key_ipv6(item->key.src, ip + 8);
	key_ipv6(item->key.dst, ip + 24);
	item->bytes = get_u16(ip + 4) + UINT64_C(40);
	while ((next == IPPROTO_HOPOPTS || next == IPPROTO_DSTOPTS ||
		   next == IPPROTO_ROUTING) &&
	       at + 8 <= left) {
		next = ip[at];
		at += 8 + ip[at + 1] * UINT32_C(8);
	}
	item->key.rest = at <= left ? key_rest(ip + at, left - at, next) : next;
	return true;
}

/* Returns whether `frame` is IP; then it is one item more. */
static bool
packet_take(struct aggbatch *batch, const struct pcapfile_frame *frame)
{
	struct aggrow *item = &batch->item[batch->n];
	const uint8_t *p = frame->octets;
	uint32_t at = 14;
	uint16_t type;
	bool good;

	if (frame->captured < 18)
		return false;
	type = get_u16(p + 12);
	if (type == ETHERTYPE_VLAN_TAG) {
		type = get_u16(p + 16);
		at = 18;
	}
	if (type == ETHERTYPE_IPV4)
		good = packet_ipv4(item, p + at, frame->captured - at);
	else if (type == ETHERTYPE_IPV6)
		good = packet_ipv6(item, p + at, frame->captured - at);
	else
		good = false;
	if (good) {
		item->packets = 1;
		batch->n++;
	}
	return good;
}

/* The octets of a UDP datagram over IPv4; NULL when `frame` is something else. */
static const uint8_t *
datagram_of(const struct pcapfile_frame *frame, uint32_t *octets)
{
	const uint8_t *p = frame->octets;
	uint32_t header;

	if (frame->captured < 42 || get_u16(p + 12) != ETHERTYPE_IPV4 ||
	    p[23] != IPPROTO_UDP)
		return NULL;
	header = 14 + (p[14] & 15u) * 4 + 8;
	if (frame->captured < header)
		return NULL;
	*octets = frame->captured - header;
	return p + header;
}

/* Count the records of one NetFlow v5 datagram; the layout is Cisco's. */
static uint64_t
netflow5_take(
    struct aggtable *t, struct aggbatch *batch, const struct pcapfile_frame *frame)
{
	uint32_t left = 0;
	const uint8_t *p = datagram_of(frame, &left);
	uint32_t count;

	if (p == NULL || left < NETFLOW5_HEADER_OCTETS || get_u16(p) != 5)
		return 0;
	count = get_u16(p + 2);
	if (left < NETFLOW5_HEADER_OCTETS + count * NETFLOW5_RECORD_OCTETS)
		return 0;
	p += NETFLOW5_HEADER_OCTETS;
	for (uint32_t i = 0; i < count; i++, p += NETFLOW5_RECORD_OCTETS) {
		struct aggrow *item = &batch->item[batch->n++];

		key_ipv4(item->key.src, p);
		key_ipv4(item->key.dst, p + 4);
		item->key.rest = key_rest(p + 32, 4, p[38]);
		item->packets = get_u32(p + 16);
		item->bytes = get_u32(p + 20);
		if (batch->n == AGGTABLE_BATCH)
			aggtable_add(t, batch);
	}
	return count;
}

static double
seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	static struct aggbatch batch;
	struct pcapfile file;
	struct pcapfile_frame frame;
	struct aggtable table;
	uint64_t records = 0, packets = 0, bytes = 0;
	double seconds = seconds_now();
	bool netflow5 = false;
	const char *csv = NULL;
	int c;

	while ((c = getopt(argc, argv, "5w:")) != -1) {
		if (c == '5')
			netflow5 = true;
		else if (c == 'w')
			csv = optarg;
		else
			argc = 0;
	}
	if (optind + 1 != argc) {
		fputs("usage: pcapagg [-5] [-w CSV] FILE\n", stderr);
		return 2;
	}
	pcapfile_open(&file, argv[optind]);
	aggtable_init(&table);
	do {
		while (pcapfile_next(&file, &frame)) {
			if (netflow5)
				records += netflow5_take(&table, &batch, &frame);
			else
				records += packet_take(&batch, &frame);
			if (batch.n == AGGTABLE_BATCH)
				aggtable_add(&table, &batch);
		}
	} while (pcapfile_fill(&file));
	aggtable_add(&table, &batch);

	for (size_t i = 0; i < table.n; i++) {
		packets += table.rows[i].packets;
		bytes += table.rows[i].bytes;
	}
	if (csv != NULL)
		aggcsv_write(&table, csv);
	seconds = seconds_now() - seconds;
	printf("records=%" PRIu64 " keys=%zu packets=%" PRIu64 " bytes=%" PRIu64
	       " row_octets=%.1f seconds=%.3f rate=%.0f\n",
	    records, table.n, packets, bytes,
	    (double)aggtable_octets(&table) / (double)(table.n != 0 ? table.n : 1),
	    seconds, (double)records / seconds);
	aggtable_fini(&table);
	pcapfile_close(&file);
	return 0;
}
