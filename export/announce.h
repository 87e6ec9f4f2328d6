/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * announce: what a plugin that exports flows tells beside them: templates, and options
 * data about itself (RFC 3954 s6, RFC 7011 s3.4.2.2): its address, its sampler, the names of
 * this host's interfaces. Built once, as bodies of messages that are sent again and again.
 * The main thread.
 */
#ifndef WEIR_EXPORT_ANNOUNCE_H
#define WEIR_EXPORT_ANNOUNCE_H

#include <stdbool.h>
#include <stdint.h>

#include "export/outbox.h"
#include "export/sender.h"
#include "lib/err.h"
#include "lib/ip.h"

#define ANNOUNCE_MAX 64U /* messages; interfaces that find no room have no name */

struct announce_config {
	enum encode_version version;
	const struct encode *layouts[OUTBOX_TEMPLATES]; /* NULL: not in use */
	uint32_t body_octets;   /* to fill; a longer template has a message of its own */
	uint32_t domain;
	ip16_t address;         /* none: not told */
	uint32_t sampling_rate; /* 0: not told */
	uint8_t sampler;        /* its number */
	bool interfaces;        /* names of this host's interfaces are told */
};

struct announcements {
	unsigned n;
	struct announcement list[ANNOUNCE_MAX];
};

/* v5 has none. Returns 0, or -WEIR_ENOMEM with `e`. */
int announce_build(struct announcements *a, const struct announce_config *c, struct err *e);
void announce_free(struct announcements *a);

#endif
