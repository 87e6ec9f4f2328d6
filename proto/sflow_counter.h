/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sflow_counter: the blocks of counters that counter samples of sFlow carry, as tables of
 * names and lengths. Constant data; any thread.
 */
#ifndef WEIR_PROTO_SFLOW_COUNTER_H
#define WEIR_PROTO_SFLOW_COUNTER_H

#include <stdint.h>

#include "flow/text.h"

#define SFLOW_COUNTER_OCTETS 88U /* of the longest block */
#define SFLOW_COUNTER_BLOCKS 3U  /* that a sample of version 2 or 4 has, and one more */

struct sflow_counter;

/* The block of format `format` of version 5, or NULL when it is not known. */
const struct sflow_counter *sflow_counter_find(uint32_t format);

/*
 * The formats of the blocks that make counters of kind `kind` in versions 2 and 4, one
 * behind the other, 0 behind the last; NULL when it is not known. RFC 3176 s4.
 */
const uint32_t *sflow_counter_old(uint32_t kind);

uint32_t sflow_counter_format(const struct sflow_counter *c);

/* How long the block is; longer ones have grown at their end. */
unsigned sflow_counter_octets(const struct sflow_counter *c);

/*
 * Add the counters of the block at `octets` to `l`, with their type, as members of a
 * JSON object: `"sf_cnt_type": "sflow_cnt_generic", "ifIndex": 3, ...`. The names are
 * those of the standard, as in pmacct. What an agent does not know it says with all ones.
 */
void sflow_counter_json(
    const struct sflow_counter *c, const uint8_t *octets, struct text_line *l);

#endif
