/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * struct flow: one normalised observation, be it a packet, a flow record or a sample. It
 * is what decoders emit and all that rules and views see. Members come from fields.def,
 * in its order. Integers are in host order; a zero means absent. A flow keeps no pointer
 * into the bytes that it was decoded from. Arrays of flows belong to their worker.
 */
#ifndef WEIR_FLOW_FLOW_H
#define WEIR_FLOW_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/ip.h"

/* Of an operator's own primitive: a number in 8 octets, a string's id in 4, an address. */
typedef struct custom_value {
	uint8_t b[16];
} custom_t;

#define FLOW_BATCH 64U /* flows handed over at once */

struct flow {
	uint64_t stamp;  /* time that decides the bin, ns since 1970; 0: now */
#define FIELD(id, NAME, member, ctype, ...) ctype member;
#include "flow/fields.def"
#undef FIELD
	uint64_t spill;  /* nothing: keys are copied in whole words, up to seven octets beyond */
};

/* What every record has, whoever asks: from the start of the flow to here. */
#define FLOW_ALWAYS_OCTETS (offsetof(struct flow, timestamp_start) + sizeof(uint64_t))

/* The same, what rules tag it with, and what most of them compare: exporter, interfaces. */
#define FLOW_TAGGED_OCTETS (offsetof(struct flow, exporter_ip) + sizeof(ip16_t))

/* In pieces: one memset of this size becomes `rep stos` in gcc, four times slower. */
static inline void
flow_clear(struct flow *f)
{
	enum { PIECE = 48, WHOLE = sizeof(*f) / PIECE * PIECE };
	char *p = (char *)f;

	for (size_t at = 0; at < WHOLE; at += PIECE)
		memset(p + at, 0, PIECE);
	memset(p + WHOLE, 0, sizeof(*f) - WHOLE);
}

/* What every record has, alone. */
static inline void
flow_clear_always(struct flow *f)
{
	enum { PIECE = 48 };

	memset(f, 0, PIECE);
	memset((char *)f + PIECE, 0, FLOW_ALWAYS_OCTETS - PIECE);
}

/*
 * Whether the flow's bin is that of its start, not of its arrival. Decoders cut the stamp
 * to seconds, like pmacct, and in NetFlow v5 each of three times.
 */
static inline bool
flow_stamp_is_start(const struct flow *f)
{
	const uint64_t off = UINT64_C(2000000000);

	return f->timestamp_start != 0 && f->stamp - f->timestamp_start + off <= 2 * off;
}

#endif
