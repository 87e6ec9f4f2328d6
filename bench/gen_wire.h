/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network interface to send whole frames from, at a pace or as fast as it takes them, many
 * with one call. The program ends when sending fails. One thread.
 */
#ifndef WEIR_BENCH_GEN_WIRE_H
#define WEIR_BENCH_GEN_WIRE_H

#include <stdint.h>

struct wire;

/* `rate` is in frames a second, 0: unpaced. Needs CAP_NET_RAW. */
struct wire *wire_new(const char *interface, uint64_t rate);

/* Send what waits, close and free (NULL is fine). */
void wire_free(struct wire *w);

/* Send a frame of `octets` (at most FRAME_MAX) octets, soon. */
void wire_send(struct wire *w, const uint8_t *frame, uint32_t octets);

#endif
