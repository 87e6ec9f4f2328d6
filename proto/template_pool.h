/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * template_pool: compiled templates, each once. Devices of one make tell the same
 * templates; ten thousand of them then share ten, which stay in the processor's caches.
 * A template is shared by those who define it alike, under the same id, for the same
 * needs. Those of one process are bounded together. Any thread; takes a lock.
 */
#ifndef WEIR_PROTO_TEMPLATE_POOL_H
#define WEIR_PROTO_TEMPLATE_POOL_H

#include "proto/template.h"

#define TEMPLATE_POOL_OCTETS (UINT64_C(256) << 20)

/*
 * The template that `d` defines, compiled (template_new) unless it is there. It goes back
 * with template_pool_put. NULL when memory, or the room for all, is short.
 */
struct template *template_pool_get(const struct template_def *d,
    const struct field_set *needed);

/* Somebody who got it needs it no more; NULL does nothing. */
void template_pool_put(struct template *t);

/* Octets of all that are there. */
uint64_t template_pool_octets(void);

#endif
