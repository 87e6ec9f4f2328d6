/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the operator says of nfprobe: its directives, and what they mean. */
#ifndef WEIR_EXPORT_NFPROBE_CONFIG_H
#define WEIR_EXPORT_NFPROBE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "export/dress.h"
#include "export/flowcache.h"
#include "export/probe.h"
#include "lib/directive.h"
#include "lib/err.h"
#include "proto/encode.h"

enum nfprobe_version { NFPROBE_5, NFPROBE_9, NFPROBE_10 };

struct nfprobe_config {
	struct probe_directives to;
	int version;              /* enum nfprobe_version */
	int stream;               /* 1: TCP */
	const char *timeouts;
	uint32_t max_flows;
	const char *engine;
	int direction;            /* enum dress_direction */
	const char *ifindex;      /* a number, "tag", "tag2" */
	bool ifindex_override, peer_as;
	bool dont_cache, cache_records;
	bool biflow;
	bool usec;
	bool legacy_tags;
	uint32_t mtu;
	uint32_t refresh_datagrams, refresh_s;
};

extern const struct directive_set nfprobe_directives;

/* What is written as text, read. */
struct nfprobe_meaning {
	enum encode_version version;
	enum encode_times times;
	uint32_t domain;
	struct flowcache_timeouts timeouts;
	struct dress dress;
};

/* Returns 0, or -WEIR_EINVAL with `e` saying what to write. */
int nfprobe_config_read(const struct nfprobe_config *c, struct nfprobe_meaning *m,
    struct err *e);

#endif
