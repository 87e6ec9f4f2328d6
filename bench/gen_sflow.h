/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sFlow version 5 (sFlow.org, July 2004): flow samples that each hold one raw packet
 * header of the frames that `--kind packets` makes. Each datagram comes from the next
 * agent in turn.
 */
#ifndef WEIR_BENCH_GEN_SFLOW_H
#define WEIR_BENCH_GEN_SFLOW_H

#include "bench/gen.h"

extern const struct encoder sflow5_encoder;

#endif
