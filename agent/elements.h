/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * elements: what the templates of exporters consist of, for IPFIX-MIB (agent/ipfix.c). Plain
 * memory that does not change once made; trees share it by reference, as templates change
 * seldom and are many.
 */
#ifndef WEIR_AGENT_ELEMENTS_H
#define WEIR_AGENT_ELEMENTS_H

#include <stdatomic.h>
#include <stdint.h>

#include "core/exporter.h"

#define ELEMENTS_MAX 65536U /* of all exporters; others are not shown */

struct element_row {
	uint32_t session;        /* index of the exporter's session */
	uint32_t domain;
	struct exporter_element e;
};

struct element_set {
	_Atomic uint32_t refs;
	uint64_t taken;          /* by the monotonic clock */
	uint32_t n, n_templates;
	struct element_row *rows; /* by session, domain, template, place */
	uint32_t *firsts;        /* by template: which row is its first */
};

/*
 * Those of the `n` exporters at `list`, as `get` (engine_config.exporter_elements) tells
 * them, up to ELEMENTS_MAX. NULL when memory is short.
 */
struct element_set *element_set_new(struct exporter *const *list, uint32_t n,
    uint32_t (*get)(struct exporter *x, struct exporter_element *out, uint32_t max));

/* Either may be called with NULL. */
struct element_set *element_set_ref(struct element_set *s);
void element_set_unref(struct element_set *s);

/* Index of the session that an exporter stands for: the same on every host, never 0. */
uint32_t session_index_make(const ip16_t *address, uint32_t domain);

#endif
