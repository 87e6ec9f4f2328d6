/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * notify: what the agent tells managers without being asked: that weir has started, and
 * that alarms were raised or cleared (core/alarms.h). Makes notifications for whoever sends
 * them, no more in a second than are wanted; the others are counted, and when there is room
 * again one tells how many. The agent's thread; the counts may be asked for by any.
 */
#ifndef WEIR_AGENT_NOTIFY_H
#define WEIR_AGENT_NOTIFY_H

#include <stdint.h>

#include "agent/tree.h"
#include "agent/value.h"

struct alarms;
struct notify;

#define NOTIFY_OBJECTS 6U

/* A notification, and the objects that it carries; names are below the root. */
struct notification {
	subid_t number;          /* below weirNotifications */
	unsigned n;
	struct {
		subid_t name[NAME_MAX_LEN];
		size_t len;
		enum value_type type;
		struct value value;
	} objects[NOTIFY_OBJECTS];
};

struct notify_config {
	struct alarms *alarms;   /* NULL: there are none */
	uint32_t rate;           /* notifications in a second, at most */
	uint64_t started;        /* ns since 1970: when weir was */
};

/* `c` is copied. NULL when memory is short. */
struct notify *notify_new(const struct notify_config *c);
void notify_free(struct notify *n);

/*
 * The next notification that is due to `out`; false when there is none just now. `t` (may
 * be NULL) says at which indexes views are shown.
 */
bool notify_next(struct notify *n, const struct mib_tree *t, struct notification *out);

/* Whether there may be one. Any thread. */
bool notify_is_due(const struct notify *n);

/* How many were made, and how many were left out. Any thread. */
uint64_t notify_sent(const struct notify *n);
uint64_t notify_suppressed(const struct notify *n);

#endif
