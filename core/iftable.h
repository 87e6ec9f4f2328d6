/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iftable: the last counters that an exporter told of each of its interfaces (sFlow's
 * generic interface counters). One hangs on each exporter that tells any, and goes with
 * it: exporter_interface, exporter_interfaces in exporter.h are the ways in and out.
 *
 * Workers put counters in without waiting for anybody, but the first time that an
 * interface is met; others take copies whenever they like. Who makes up interfaces finds
 * a bound, for one exporter and for all together.
 */
#ifndef WEIR_CORE_IFTABLE_H
#define WEIR_CORE_IFTABLE_H

#include <stdbool.h>
#include <stdint.h>

#define IFTABLE_MAX 4096U /* interfaces of one exporter */

/* What an exporter does not know: a value of all ones, in whatever width it came. */
#define INTERFACE_UNKNOWN UINT64_MAX

/* The members that count, as they are shown. */
#define INTERFACE_COUNTS(X) \
	X(in_octets, IN_OCTETS) \
	X(in_unicast, IN_UNICAST) X(in_multicast, IN_MULTICAST) \
	    X(in_broadcast, IN_BROADCAST) X(in_discards, IN_DISCARDS) \
		X(in_errors, IN_ERRORS) X(in_unknown_protos, IN_UNKNOWN_PROTOS) \
		    X(out_octets, OUT_OCTETS) X(out_unicast, OUT_UNICAST) X( \
			out_multicast, OUT_MULTICAST) X(out_broadcast, OUT_BROADCAST) \
			X(out_discards, OUT_DISCARDS) X(out_errors, OUT_ERRORS)

enum interface_direction {
	INTERFACE_FULL_DUPLEX = 1,
	INTERFACE_HALF_DUPLEX,
	INTERFACE_IN,
	INTERFACE_OUT
};
enum { INTERFACE_ADMIN_UP = 1, INTERFACE_OPER_UP = 2 }; /* bits of the status */

/*
 * Octets and speed have 64 bits; all else has 32 bits and wraps as such (RFC 2863 ifTable,
 * https://sflow.org/sflow_version_5.txt if_counters).
 */
struct interface_counters {
	uint64_t index; /* ifIndex */
	uint64_t updated; /* when they came, ns since 1970 */
	uint64_t type; /* ifType: 6 Ethernet, ... */
	uint64_t speed; /* bit/s */
	uint64_t direction; /* enum interface_direction, or another number: unknown */
	uint64_t status; /* INTERFACE_ADMIN_UP, INTERFACE_OPER_UP */
#define X(member, TITLE) uint64_t member;
	INTERFACE_COUNTS(X)
#undef X
	uint64_t promiscuous; /* 1: yes, 2: no */
};

struct iftable;

/* An empty one; NULL when memory is short. */
struct iftable *iftable_new(void);

/* Nobody puts or takes any more. */
void iftable_free(struct iftable *t);

/*
 * Keep `c` in place of what was told of its interface before. Where two threads do so at
 * once for one interface, one of them counts. A thread that reads RCU (lib/rcu.h). False:
 * there is no room for another interface.
 */
bool iftable_put(struct iftable *t, const struct interface_counters *c);

/*
 * Copies of all, by ascending index, each as it was put; for free(). `*n` is their number;
 * NULL when there are none or memory is short. Any thread.
 */
struct interface_counters *iftable_take(const struct iftable *t, uint32_t *n);

#endif
