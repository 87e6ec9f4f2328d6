/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netflow_state: exporters' templates in a file (lib/statefile.h), so that after a
 * restart of weir the first data set is decoded, not the first after the next template.
 * The body: a number of entries, then for each the exporter's address (16 octets) and
 * domain (4), the kind of template (1), the length of its record (2) and the record as
 * RFC 3954 or RFC 7011 has it. Whatever is in the file is checked like a datagram.
 *
 * Only exporters that have sent records are written: not who told templates and no more.
 */
#ifndef WEIR_COLLECTORS_NETFLOW_STATE_H
#define WEIR_COLLECTORS_NETFLOW_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "core/exporter.h"
#include "flow/field.h"
#include "lib/err.h"
#include "proto/template.h"

#define NETFLOW_STATE_MAX (64U << 20) /* octets */

/* A number that is another one when templates have come, changed or gone. Any thread. */
uint64_t netflow_state_changes(void);

/*
 * Read the file and keep its templates, compiled for `needed`. Before workers run, the
 * thread that has entered (lib/rcu.h). Returns how many templates there were, or what
 * statefile_read does; the rest of a body that breaks off is left.
 */
int netflow_state_load(struct exporter_cache *c, const struct field_set *needed,
    const char *path, struct err *e);

/* Write the templates of all exporters. Any thread. Returns 0, -WEIR_ENOMEM, -WEIR_EIO. */
int netflow_state_save(struct exporters *x, const char *path, struct err *e);

/*
 * Keep the template that `d` defines with the exporter (addr, domain), which was known
 * before. Before workers run. Returns whether it was kept.
 */
bool netflow_state_keep(struct exporter_cache *c, const struct field_set *needed,
    const ip16_t *addr, uint32_t domain, const struct template_def *d);

/*
 * Call `fn` for each template of each exporter that has sent records, under a lock of the
 * exporter's. Any thread. False when memory is short.
 */
bool netflow_state_each(struct exporters *x,
    void (*fn)(const struct exporter *x, const struct template *t, void *arg), void *arg);

#endif
