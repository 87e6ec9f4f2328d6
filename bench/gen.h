/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * weir-gen makes packets, NetFlow v5, NetFlow v9 and sFlow whose sums are known, so
 * that a measuring program can be timed and its totals held against the truth.
 *
 * gen.c reads the options and runs the loop: flows_next draws one record of some key
 * (gen_flows.c), an encoder writes it (gen_frame.c: Ethernet frames; gen_netflow.c;
 * gen_sflow.c) and hands frames or datagrams to the way out (gen_out.c: a pcap file,
 * UDP sockets in gen_udp.c, or an interface in gen_wire.c). Memory grows with the keys, not
 * with the records. One thread.
 */
#ifndef WEIR_BENCH_GEN_H
#define WEIR_BENCH_GEN_H

#include <stdint.h>

struct flows;
struct out;
struct record;

/* How one kind of traffic is written; the rows are in gen.c. */
struct encoder {
	const char *name;
	uint16_t src_port;  /* of the datagrams; 0: frames go out as they are */
	uint16_t dst_port;  /* unless --dport says otherwise */
	int has_ipv6;  /* NetFlow v5 has neither IPv6 nor VLANs */
	int samples;  /* records are packets that were sampled */
	/* New state; samples are 1 in `sampling`, time starts at `start_s`. */
	void *(*open)(struct out *out, uint32_t sampling, uint64_t start_s);
	/* Write one record; returns its octets on the link, 0 where there is none. */
	uint32_t (*add)(void *state, const struct record *r);
	/* Send what is left and free the state. */
	void (*close)(void *state);
};

/* Print "weir-gen: ..." on stderr and exit with 1. */
_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* calloc that does not return on failure. */
void *die_calloc(uint64_t n, uint64_t size);

#endif
