/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netflow_sets: the versions that describe their records themselves, NetFlow v9 (RFC
 * 3954) and IPFIX (RFC 7011). A message is a row of sets: of templates, which are compiled and kept with the
 * exporter, and of data. The caller has made sure that the header is there.
 */
#ifndef WEIR_COLLECTORS_NETFLOW_SETS_H
#define WEIR_COLLECTORS_NETFLOW_SETS_H

#include "collectors/netflow_message.h"

void netflow9_decode(struct netflow *nf, struct message *m);
void ipfix_decode(struct netflow *nf, struct message *m);

#endif
