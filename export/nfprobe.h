/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nfprobe: the door out that sends flows to other collectors as NetFlow v5, v9 or IPFIX.
 *
 * Each worker has a flow cache (flowcache.h), for packets and samples, and an outbox
 * (outbox.h), where records are encoded into datagrams; one sender (sender.h) sends them.
 * Records that were collected go on as they came, straight into the outbox, unless
 * nfprobe_cache_records says otherwise.
 */
#ifndef WEIR_EXPORT_NFPROBE_H
#define WEIR_EXPORT_NFPROBE_H

#include "core/output.h"
#include "export/nfprobe_config.h"

extern const struct output_ops nfprobe_output;

#endif
