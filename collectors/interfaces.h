/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * interfaces: which interfaces packets are captured from, in which direction, and by which
 * ifIndex they are shown: the one of pcap_interface, or those of pcap_interfaces_map,
 * whose rules are
 *
 *   ifname=NAME [ifindex=NUMBER] [direction=in|out]
 *
 * One name may stand there twice, once for each direction. The main thread makes, reloads
 * and frees the list; workers read it.
 */
#ifndef WEIR_COLLECTORS_INTERFACES_H
#define WEIR_COLLECTORS_INTERFACES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "collectors/fanout.h"
#include "flow/field.h"
#include "lib/directive.h"

struct pcap_config;

struct capture_interface {
	const struct pcap_config *config;
	char *name;
	enum field_direction direction; /* DIRECTION_UNKNOWN: both */
	_Atomic uint32_t
	    map_ifindex; /* that the map gives, 0: none; reloads change it */
	_Atomic bool retired; /* no longer in the map: not captured from */
	bool added; /* by a reload, while others may capture from it still */
	struct fanout *fanout; /* of the workers that capture from it; owned */
};

struct interfaces {
	struct capture_interface **list;
	unsigned n;
};

/* Where ifIndexes come from: pcap_ifindex. */
enum interface_ifindex { IFINDEX_NONE, IFINDEX_SYS, IFINDEX_HASH, IFINDEX_MAP };

/*
 * Make the list that `c` asks for: c->interfaces, NULL where no interface is captured
 * from. Faults go to `ps`, those of directives with their place among `lines`.
 */
void interfaces_load(
    struct pcap_config *c, const struct config *lines, struct problems *ps);

/*
 * Read the map anew. Numbers are taken up at once. Interfaces that are no longer there are
 * retired: their workers close them, and open them again should they come back. New ones
 * are appended to c->interfaces, for the caller to make collectors of. With any fault,
 * which goes to `ps`, nothing changes.
 */
void interfaces_reload(struct pcap_config *c, struct problems *ps);

/* Free c->interfaces, when no worker captures any more. */
void interfaces_free(struct pcap_config *c);

/* Whether it is all of them at once, and each packet is to have its own's number. */
bool interface_is_any(const struct capture_interface *i);

/* "eth0", or "eth0 in": what is captured from, for people. */
void interface_where(const struct capture_interface *i, char *to, size_t room);

/*
 * The ifIndex of an interface called `name`, by pmacct's hash: that of Bob Jenkins of 1996
 * over the name, begun with 0. The same on every host.
 */
uint32_t interface_hash(const char *name);

#endif
