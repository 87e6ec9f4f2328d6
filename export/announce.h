/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * announce: what a plugin that exports flows tells beside them: templates, and options
 * data about itself (RFC 3954 s6, RFC 7011 s3.4.2.2): its address, its sampler, the names of
 * this host's interfaces, and what its numbers of applications mean (RFC 6759). Built once, as
 * bodies of messages that are sent again and again; but applications come to be known by and
 * by. The main thread, where nothing else is said.
 */
#ifndef WEIR_EXPORT_ANNOUNCE_H
#define WEIR_EXPORT_ANNOUNCE_H

#include <stdbool.h>
#include <stdint.h>

#include "export/applications.h"
#include "export/outbox.h"
#include "export/sender.h"
#include "lib/err.h"
#include "lib/ip.h"

#define ANNOUNCE_MAX 64U /* messages; interfaces that find no room in them have no name */

struct announce_config {
	enum encode_version version;
	const struct encode *layouts[OUTBOX_TEMPLATES]; /* NULL: not in use */
	uint32_t body_octets;   /* to fill; a longer template has a message of its own */
	uint32_t domain;
	ip16_t address;         /* none: not told */
	uint32_t sampling_rate; /* 0: not told */
	uint8_t sampler;        /* its number */
	bool interfaces;        /* names of this host's interfaces are told */
	bool applications;      /* there will be announce_applications */
};

struct announcements {
	unsigned n;
	unsigned untold; /* interfaces that found no room */
	struct announcement list[ANNOUNCE_MAX];
};

/* v5 has none. Returns 0, or -WEIR_ENOMEM with `e`. */
int announce_build(struct announcements *a, const struct announce_config *c, struct err *e);
void announce_free(struct announcements *a);

#define ANNOUNCE_NAMES_MAX 1500U /* octets of a body of names */
#define ANNOUNCE_NAMES_MIN 80U   /* of one name, and its set */

/*
 * Make `to`, whose body has ANNOUNCE_NAMES_MAX octets, name the applications of `a` from number
 * `from` on, as far as they fit into `room` octets (ANNOUNCE_NAMES_MIN at least). Returns the
 * number of the first that did not. Any thread.
 */
unsigned announce_applications(struct announcement *to, enum encode_version version,
    uint32_t domain, const struct applications *a, unsigned from, size_t room);

#endif
