/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random tcpdump expressions, flows and frames, from one stream of numbers. */
#ifndef WEIR_TESTS_RULES_EXPRESSIONS_H
#define WEIR_TESTS_RULES_EXPRESSIONS_H

#include <stddef.h>
#include <stdint.h>

#include "flow/flow.h"

#define EXPRESSION_MAX   1024U
#define RANDOM_FRAME_MAX 512U

struct dice {
	uint64_t state;
};

/* A number below `n`. */
uint32_t dice_roll(struct dice *d, uint32_t n);

/* An expression of what flows tell: `text` has room for EXPRESSION_MAX. */
void expression_random(struct dice *d, char *text);

/* One that looks at octets, too. */
void expression_octets(struct dice *d, char *text);

/* A flow with values that expressions ask for, often enough to match. */
void flow_random(struct dice *d, struct flow *f);

/*
 * An Ethernet frame with such values in `to` (RANDOM_FRAME_MAX): usual or not (tags, labels,
 * options, fragments, extension headers, ARP, rubbish). Returns its length.
 */
size_t frame_random(struct dice *d, uint8_t *to);

#endif
