/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * value: one value on the wire becomes one member of struct flow, by enum ie_convert. The
 * frequent conversions have quicker ways in template_decode.c; here is every one, at every
 * length that fits (ie_fits). Strings are interned, so a new one may take a mutex; nothing
 * else allocates. Any thread.
 */
#ifndef WEIR_PROTO_VALUE_H
#define WEIR_PROTO_VALUE_H

#include <stdint.h>

#include "proto/ie.h"
#include "proto/template.h"

/* What the values of one record have in common. */
struct value_env {
	const struct template_clock *clock;
	uint64_t boot_ns;   /* when the exporter started, as the record says; 0: it does not */
	unsigned n_labels;  /* pushed so far */
	uint32_t labels[10];
};

/* A product that does not wrap: times from outside may be anything; 0 where it would. */
static inline uint64_t
value_scale(uint64_t v, uint64_t by)
{
	return v <= UINT64_MAX / by ? v * by : 0;
}

/*
 * Store the `octets` at `p` as `convert` says to the member of `width` octets at `to`,
 * which stays as it is where they mean nothing. IE_PUSH only adds to env->labels.
 */
void value_store(enum ie_convert convert, const uint8_t *p, unsigned octets,
    struct value_env *env, unsigned width, uint8_t *to);

/* The labels that were pushed as an interned list; 0 when there are none. */
uint32_t value_labels(const struct value_env *env);

/*
 * IPv6 addresses one behind the other as an interned list; those beyond the longest
 * string are left out.
 */
uint32_t value_segments(struct rbuf r);

#endif
