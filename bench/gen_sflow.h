/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sFlow: versions 2 and 4 (RFC 3176) and 5 (sFlow.org, July 2004), the latter also in its
 * expanded form, and with decoded addresses in place of the start of the frame. Each
 * sample is one packet of the frames that `--kind packets` makes. Each datagram comes
 * from the next agent in turn.
 */
#ifndef WEIR_BENCH_GEN_SFLOW_H
#define WEIR_BENCH_GEN_SFLOW_H

#include "bench/gen.h"

extern const struct encoder sflow2_encoder;
extern const struct encoder sflow4_encoder;
extern const struct encoder sflow5_encoder;
extern const struct encoder sflow5_expanded_encoder;
extern const struct encoder sflow5_decoded_encoder;

#endif
