/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the operator says of sfprobe: its directives. */
#ifndef WEIR_EXPORT_SFPROBE_CONFIG_H
#define WEIR_EXPORT_SFPROBE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "export/probe.h"
#include "lib/ip.h"

struct sfprobe_config {
	struct probe_directives to;
	ip16_t agent;
	uint32_t sub_agent;
	int direction;            /* enum dress_direction */
	const char *ifindex;      /* a number, "tag", "tag2" */
	bool ifindex_override;
	uint64_t ifspeed;         /* bit/s; 0: what the system says */
	bool peer_as;
	uint32_t counter_interval; /* s; 0: no counters */
	uint32_t header_octets;
	uint32_t mtu;
};

#endif
