/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * value: what one object of WEIR-MIB holds, in SMI's terms but not in those of a
 * library: a number or at most 255 octets. Values are made when somebody asks, never
 * before. Plain memory of the caller; any thread.
 */
#ifndef WEIR_AGENT_VALUE_H
#define WEIR_AGENT_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/ip.h"

enum value_type {
	VALUE_INTEGER,    /* INTEGER, Integer32 */
	VALUE_UNSIGNED,   /* Unsigned32, Gauge32 */
	VALUE_COUNTER32,
	VALUE_COUNTER64,  /* also CounterBasedGauge64 */
	VALUE_TIMETICKS,  /* TimeStamp */
	VALUE_OCTETS,     /* OCTET STRING and all conventions on it */
};

/* snmpd does not answer at all when long strings make a GETBULK exceed 64 KiB. */
#define VALUE_OCTETS_MAX 255U

struct value {
	uint64_t n;                        /* numbers; negative ones in two's complement */
	size_t len;                        /* VALUE_OCTETS */
	uint8_t octets[VALUE_OCTETS_MAX];
};

/* InetAddressType of RFC 4001. */
enum inet_type { INET_UNKNOWN, INET_IPV4, INET_IPV6 };

/* The kind of `a`; INET_UNKNOWN for no address. */
enum inet_type value_inet_type(const ip16_t *a);

/* InetAddress: the octets of `a` as its kind `type` has them; none for INET_UNKNOWN. */
void value_inet(struct value *v, const ip16_t *a, enum inet_type type);

/*
 * SnmpAdminString, which is UTF-8 (RFC 3411 s5): `s` cut at 255 octets, at a whole character;
 * what is no UTF-8 becomes '?'.
 */
void value_text(struct value *v, const char *s);

void value_octets(struct value *v, const void *p, size_t len);

/*
 * DateAndTime (RFC 2579) in UTC of `ns` since 1970: eleven octets; eight zero octets
 * for 0, a thing that has not happened.
 */
void value_date(struct value *v, uint64_t ns);

/* Make '?' of each octet of `s` that is no UTF-8: exporters tell names in whatever they like. */
void utf8_mend(char *s);

/* The longest start of `s`, at most `room` of its `len` octets, that cuts no UTF-8 character. */
size_t utf8_cut(const char *s, size_t len, size_t room);

#endif
