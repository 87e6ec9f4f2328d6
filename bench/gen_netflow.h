/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NetFlow v5 (Cisco's "NetFlow Export Datagram Format"), v9 (RFC 3954) and IPFIX (RFC
 * 7011), the latter two with the same 19 fields a record. Each datagram comes from the next source in turn; each source has its own sequence numbers
 * and, but for v5, its own templates in its first datagram and in every 500th after that.
 */
#ifndef WEIR_BENCH_GEN_NETFLOW_H
#define WEIR_BENCH_GEN_NETFLOW_H

#include "bench/gen.h"

extern const struct encoder netflow5_encoder;
extern const struct encoder netflow9_encoder;
extern const struct encoder ipfix_encoder;

#endif
