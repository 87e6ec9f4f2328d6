/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A collector on a bench: a pipeline without views, an exporter cache, and the books. As
 * no view takes the flows, those of the last batch can be looked at in rig->pipeline.flows.
 */
#ifndef WEIR_TESTS_COLLECTORS_RIG_H
#define WEIR_TESTS_COLLECTORS_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/collector.h"

struct rig {
	struct pipeline pipeline;
	struct exporters *exporters;
	struct exporter_cache cache;
	struct collector collector;
};

/* A collector of `ops` (may be NULL) with `config`, not yet open. */
void rig_init(struct rig *r, const struct collector_ops *ops, const void *config);

/* Closes the collector, if it is open. */
void rig_fini(struct rig *r);

/* Open it; fails the test when that fails. */
void rig_open(struct rig *r);

/* Read until there is nothing more; returns whether it came to its end. */
bool rig_read(struct rig *r);

uint64_t rig_stat(const struct rig *r, enum stat_no i);

/*
 * Fails the test unless frames, datagrams, records and flows balance. `says` names the
 * case. Flushes the pipeline.
 */
void rig_books(struct rig *r, const char *says);

/* A file in a folder of its own; its path stays until the next call. */
const char *rig_file(const void *octets, size_t len);

/* Remove it and its folder. */
void rig_file_remove(void);

/*
 * A capture file (microseconds, Ethernet) in the making: its header, then a frame at a
 * time, `len` octets, `wire` on the wire.
 */
struct rig_pcap {
	uint8_t octets[1 << 16];
	size_t len;
};
void rig_pcap_init(struct rig_pcap *p);
void rig_pcap_frame(struct rig_pcap *p, uint32_t seconds, uint32_t micros,
    const uint8_t *frame, size_t len, size_t wire);
void rig_pcap_hex(struct rig_pcap *p, uint32_t seconds, const char *hex);

#endif
