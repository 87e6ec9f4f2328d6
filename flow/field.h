/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The field table: fields.def as an array. `enum field_no` is the place in the array (and
 * so the order of members in struct flow); struct field.id is frozen and orders output.
 * Constant data; any thread.
 */
#ifndef WEIR_FLOW_FIELD_H
#define WEIR_FLOW_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/err.h"

enum field_value {
	FIELD_IP,     /* ip16_t */
	FIELD_MAC,    /* mac_t */
	FIELD_UINT,   /* unsigned integer of `octets`, host order */
	FIELD_HEX,    /* the same, shown as hex (EtherType) */
	FIELD_FLAGS,  /* TCP flags, uint16_t */
	FIELD_PROTO,  /* IP protocol, shown by name */
	FIELD_STR,    /* id of an interned string, uint32_t */
	FIELD_TIME,   /* ns since 1970, uint64_t */
	FIELD_LIST,   /* id of an interned string, its parts joined by '_' */
	FIELD_LABELS, /* the same: decimal MPLS labels */
	FIELD_RD,     /* route distinguisher and its origin, uint64_t: rd_from */
	FIELD_DIRECTION, /* enum field_direction, uint8_t */
	FIELD_STATUS, /* forwarding status, uint8_t: RFC 7270 s4.12 */
	FIELD_DEGREES, /* millionths of a degree, int32_t kept in uint32_t */
	FIELD_SAMPLE, /* kind of a record, uint32_t: sample_type.h */
	FIELD_CUSTOM, /* custom_t: custom.h knows how it reads */
};

enum field_direction { DIRECTION_UNKNOWN, DIRECTION_IN, DIRECTION_OUT };

/*
 * A route distinguisher has its type in 16 bits (RFC 4364 s4.2), of which the two highest are
 * in no use: they say where it comes from, so that pmacct's mpls_vpn_rd_origin goes with it.
 */
enum rd_origin { RD_UNKNOWN, RD_FLOW, RD_MAP };
#define RD_ORIGIN_SHIFT 62

/* One of this type is no such thing, but the number of a VRF. */
#define RD_TYPE_VRF 0x3fffU

static inline uint64_t
rd_plain(uint64_t rd)
{
	return rd & ((UINT64_C(1) << RD_ORIGIN_SHIFT) - 1);
}

static inline enum rd_origin
rd_origin(uint64_t rd)
{
	return (enum rd_origin)(rd >> RD_ORIGIN_SHIFT);
}

static inline uint64_t
rd_from(uint64_t rd, enum rd_origin origin)
{
	return rd_plain(rd) | (uint64_t)origin << RD_ORIGIN_SHIFT;
}

enum field_merge { FIELD_KEY, FIELD_SUM, FIELD_ADD, FIELD_OR, FIELD_MIN, FIELD_MAX };

enum field_no {
#define FIELD(id, NAME, ...) F_##NAME,
#include "flow/fields.def"
#undef FIELD
	FIELD_COUNT
};

struct field {
	uint16_t id;
	uint16_t offset;         /* in struct flow */
	uint8_t octets;          /* of the member */
	enum field_value value;
	enum field_merge merge;
	const char *member, *config, *json, *title, *sql, *sql_type, *mib;
	uint16_t ie;
	const char *doc;
};

extern const struct field fields[FIELD_COUNT];

#define CUSTOM_MAX  16U /* primitives that an operator can define */
#define CUSTOM_NAME 64U /* octets of a name, with its NUL */

/* Their names, which rows of fields[] point to. */
extern char custom_names[CUSTOM_MAX][CUSTOM_NAME];

/* Whether values of `f` are ids of interned strings. */
static inline bool
field_is_interned(const struct field *f)
{
	return f->value == FIELD_STR || f->value == FIELD_LIST || f->value == FIELD_LABELS;
}

/* Whether the text of a value of `f` may hold anything: it came from outside. */
static inline bool
field_is_free(const struct field *f)
{
	return field_is_interned(f) || f->value == FIELD_CUSTOM;
}

/* Whether JSON has values of `f` as numbers. */
static inline bool
field_is_number(const struct field *f)
{
	return f->value == FIELD_UINT || f->value == FIELD_DEGREES;
}

/* Whether values of `f` are networks: an address that is none is then that of IPv6, "::". */
static inline bool
field_is_network(const struct field *f)
{
	return f == &fields[F_SRC_NET] || f == &fields[F_DST_NET];
}

/* A set of fields, by field_no. */
struct field_set {
	uint64_t bits[(FIELD_COUNT + 63) / 64];
};

static inline void
field_set_add(struct field_set *s, enum field_no f)
{
	s->bits[f / 64] |= UINT64_C(1) << f % 64;
}

static inline void
field_set_remove(struct field_set *s, enum field_no f)
{
	s->bits[(unsigned)f / 64] &= ~(UINT64_C(1) << ((unsigned)f % 64));
}

static inline bool
field_set_has(const struct field_set *s, enum field_no f)
{
	return s->bits[f / 64] >> f % 64 & 1;
}

static inline void
field_set_join(struct field_set *s, const struct field_set *other)
{
	for (size_t i = 0; i < sizeof(s->bits) / sizeof(s->bits[0]); i++)
		s->bits[i] |= other->bits[i];
}

static inline enum field_no
field_no(const struct field *f)
{
	return (enum field_no)(f - fields);
}

/*
 * The field called `name` in configuration (any letter case, `len` octets), or NULL.
 * Slots of custom primitives have a name when they are defined.
 */
const struct field *field_find(const char *name, size_t len);

/* The unsigned integer of `octets` (1, 2, 4, 8) at `p`, host order. */
static inline uint64_t
field_uint(const void *p, unsigned octets)
{
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	switch (octets) {
	case 1:
		memcpy(&u8, p, 1);
		return u8;
	case 2:
		memcpy(&u16, p, 2);
		return u16;
	case 4:
		memcpy(&u32, p, 4);
		return u32;
	default:
		memcpy(&u64, p, 8);
		return u64;
	}
}

/* Store the low `octets` (1, 2, 4, 8) of `v` at `p`, host order. */
static inline void
field_uint_set(void *p, unsigned octets, uint64_t v)
{
	uint8_t u8 = (uint8_t)v;
	uint16_t u16 = (uint16_t)v;
	uint32_t u32 = (uint32_t)v;

	switch (octets) {
	case 1:
		memcpy(p, &u8, 1);
		break;
	case 2:
		memcpy(p, &u16, 2);
		break;
	case 4:
		memcpy(p, &u32, 4);
		break;
	default:
		memcpy(p, &v, 8);
		break;
	}
}

/*
 * Parse the value of `aggregate`: a comma list of primitive names, blanks ignored, any
 * letter case; "none" means one grand total. `flows`, `packets` and `bytes` may be named;
 * `src_host_coords` and `dst_host_coords` are two primitives each.
 * Returns 0, or -WEIR_EINVAL with `e` saying which word is wrong and what is near it, or
 * that a word stands twice.
 */
int field_set_parse(const char *list, struct field_set *out, struct err *e);

#endif
