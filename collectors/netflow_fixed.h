/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netflow_fixed: the versions of NetFlow whose records have a fixed layout. Of each, the
 * caller has made sure that the header is there.
 */
#ifndef WEIR_COLLECTORS_NETFLOW_FIXED_H
#define WEIR_COLLECTORS_NETFLOW_FIXED_H

#include "collectors/netflow_message.h"

void netflow5_decode(struct netflow *nf, struct message *m);

#endif
