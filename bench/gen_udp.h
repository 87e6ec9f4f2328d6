/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UDP sockets to send from, one for each source, at a pace or as fast as they take it.
 * Datagrams wait in their source's batch until it is full or the pace asks for a look at
 * the clock; then those of one length go out as one message that the kernel cuts. The
 * program ends when sending fails. One thread.
 */
#ifndef WEIR_BENCH_GEN_UDP_H
#define WEIR_BENCH_GEN_UDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct udp;

/*
 * Sockets for `sources` sources, connected to `host_port` ("127.0.0.1:2100",
 * "[::1]:2100"). `rate` is in datagrams a second, 0: unpaced.
 * Datagrams of one length in a row go by one message that the kernel cuts, unless they are
 * to go `one_by_one`.
 */
struct udp *udp_new(const char *host_port, uint32_t sources, uint64_t rate, bool one_by_one);

/* Send what waits, close and free (NULL is fine). */
void udp_free(struct udp *u);

/* Send `octets` (at most OUT_DATAGRAM_MAX) from source number `source`, soon. */
void udp_send(struct udp *u, uint32_t source, const uint8_t *payload, size_t octets);

#endif
