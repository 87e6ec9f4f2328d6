/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way out: a pcap file (microseconds) written in large pieces, the UDP
 * sockets of gen_udp.c, or the interface of gen_wire.c. The program ends when writing fails. One thread.
 */
#ifndef WEIR_BENCH_GEN_OUT_H
#define WEIR_BENCH_GEN_OUT_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

#define OUT_DATAGRAM_MAX 1472  /* fills an Ethernet frame over IPv4 */
#define OUT_SOURCES_MAX 65024  /* 10.0.0.1 to 10.0.255.254, without .0 and .255 */

struct out;

/*
 * Write to the pcap file `path` ("-": standard output). `link` is its link type,
 * `snap` the number of octets kept of a frame. Datagrams come from `sources` addresses 10.0.0.1 and up, and go to
 * 192.0.2.1.
 */
struct out *out_pcap(const char *path, uint32_t link, uint32_t snap, uint32_t sources,
    uint16_t src_port, uint16_t dst_port);

/*
 * Send to `host_port` ("127.0.0.1:2100", "[::1]:2100") from `sources` sockets; on IPv4
 * loopback each has its own address 127.0.0.1 and up. `rate` is in datagrams a second,
 * 0 as fast as the socket takes them.
 */
struct out *out_udp(const char *host_port, uint32_t sources, uint64_t rate, bool one_by_one);

/* Send frames, whole, out of interface `name`, `rate` a second or 0: as it takes them. */
struct out *out_wire(const char *name, uint64_t rate);

uint32_t out_snap(const struct out *out);
uint32_t out_sources(const struct out *out);

/* The IPv4 address by which source number `source` calls itself: 10.0.0.1 and up. */
void out_source_address(uint32_t source, uint8_t to[4]);

/* Write one frame of which `captured` octets are in `octets`. Not to UDP sockets. */
void out_frame(struct out *out, uint64_t time_us, const uint8_t *octets,
    uint32_t captured, uint32_t wire);

/* Send one datagram of at most OUT_DATAGRAM_MAX octets from source number `source`. */
void out_datagram(struct out *out, uint64_t time_us, uint32_t source,
    const uint8_t *payload, size_t octets);

/* Flush, close and free. Returns how many frames or datagrams went out. */
uint64_t out_close(struct out *out);

#endif
