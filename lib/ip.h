/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses and prefixes. One type holds both families: an IPv4 address is kept
 * v4-mapped (::ffff:a.b.c.d, RFC 4291 s2.5.5.2), so that keys have one width. The
 * all-zero value means "no address" and prints as 0.0.0.0. Plain values; any thread.
 */
#ifndef WEIR_LIB_IP_H
#define WEIR_LIB_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct ip16 {
	uint8_t b[16];  /* network order */
} ip16_t;

typedef struct mac {
	uint8_t b[6];
} mac_t;

struct prefix {
	ip16_t addr;   /* bits beyond `len` are zero */
	uint8_t len;   /* bits of the 16 octets: IPv4 /24 is 120 */
};

#define IP_STRLEN  46  /* longest text of an address, with its NUL */
#define MAC_STRLEN 18

/* The address whose four octets, in network order, are at `p`. */
static inline ip16_t
ip_from_v4(const void *p)
{
	ip16_t a = { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff } };

	memcpy(a.b + 12, p, 4);
	return a;
}

/* The address whose sixteen octets are at `p`. */
static inline ip16_t
ip_from_v6(const void *p)
{
	ip16_t a;

	memcpy(a.b, p, 16);
	return a;
}

static inline bool
ip_is_v4(const ip16_t *a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(a->b, mapped, sizeof(mapped)) == 0;
}

static inline bool
ip_is_none(const ip16_t *a)
{
	static const ip16_t none;

	return memcmp(a, &none, sizeof(none)) == 0;
}

static inline bool
ip_equal(const ip16_t *a, const ip16_t *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* Keep the first `bits` (of 128) of `a`. */
ip16_t ip_mask(const ip16_t *a, unsigned bits);

/* Parse a dotted quad or an IPv6 address (no zone, no port). Returns 0 or -WEIR_EINVAL. */
int ip_parse(const char *text, ip16_t *out);

/* Write `a` as text to `buf` (IP_STRLEN at least). Returns the length without the NUL. */
size_t ip_format(const ip16_t *a, char *buf);

/*
 * Parse "address/len" or "address" (a host). Host bits are cleared. Returns 0 or
 * -WEIR_EINVAL; `*had_host_bits` (may be NULL) tells that some were set.
 */
int prefix_parse(const char *text, struct prefix *out, bool *had_host_bits);

/*
 * Whether `a` is in `p`. The families are apart: ::/0 holds no IPv4 address.
 */
bool prefix_holds(const struct prefix *p, const ip16_t *a);

/* Write "xx:xx:xx:xx:xx:xx" to `buf` (MAC_STRLEN at least). Returns 17. */
size_t mac_format(const mac_t *m, char *buf);

/* Parse six octets in hex divided by ':' or '-'. Returns 0 or -WEIR_EINVAL. */
int mac_parse(const char *text, mac_t *out);

#endif
