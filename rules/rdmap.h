/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rdmap: route distinguishers by rule (flow_to_rd_map). The first rule that fits a record
 * gives its mpls_vpn_rd, whatever the exporter says. Immutable once made; any thread.
 */
#ifndef WEIR_RULES_RDMAP_H
#define WEIR_RULES_RDMAP_H

#include "flow/field.h"
#include "flow/flow.h"
#include "lib/directive.h"
#include "lib/err.h"

struct rdmap;

/*
 * Load `path`: a line is id=TYPE:ADMINISTRATOR:NUMBER (RFC 4364 s4.2) and, as it may be,
 * ip, in, out, bgp_nexthop, mpls_vpn_id (VRF of either side), mpls_label_bottom; '-'
 * before a value but that of ip: any other. Problems go to `ps` with file:line. NULL with
 * `e` filled when the file cannot be read.
 */
struct rdmap *rdmap_load(const char *path, struct problems *ps, struct err *e);
void rdmap_free(struct rdmap *m);

/* Add to `reads` the fields that rules look at. */
void rdmap_reads(struct field_set *reads);

/* Apply to `n` flows, in place. */
void rdmap_apply(const struct rdmap *m, struct flow *flows, unsigned n);

#endif
