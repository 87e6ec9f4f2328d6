/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NetFlow v5 (Cisco's "NetFlow Export Datagram Format") and v9 (RFC 3954). Each
 * datagram comes from the next source in turn; each source has its own sequence numbers
 * and, for v9, its own templates in its first datagram and in every 500th after that.
 */
#ifndef WEIR_BENCH_GEN_NETFLOW_H
#define WEIR_BENCH_GEN_NETFLOW_H

#include "bench/gen.h"

extern const struct encoder netflow5_encoder;
extern const struct encoder netflow9_encoder;

#endif
