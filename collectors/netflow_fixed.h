/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netflow_fixed: the versions of NetFlow whose records have a fixed layout: v1, v5, v7,
 * and v8 with its aggregation schemes. The caller has made sure that the header is there.
 */
#ifndef WEIR_COLLECTORS_NETFLOW_FIXED_H
#define WEIR_COLLECTORS_NETFLOW_FIXED_H

#include "collectors/netflow_message.h"

/* What a decoder keeps for them; NULL when memory is short. */
struct netflow_fixed *netflow_fixed_new(void);
void netflow_fixed_free(struct netflow_fixed *fixed);

void netflow1_decode(struct netflow *nf, struct message *m);
void netflow5_decode(struct netflow *nf, struct message *m);
void netflow7_decode(struct netflow *nf, struct message *m);
void netflow8_decode(struct netflow *nf, struct message *m);

#endif
