/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * udp: export datagrams from the network. Each worker has its own socket on the port
 * (SO_REUSEPORT): the kernel gives all that one exporter sends from one port to the same
 * worker. The configuration of both families is a struct datagram_config.
 */
#ifndef WEIR_COLLECTORS_UDP_H
#define WEIR_COLLECTORS_UDP_H

#include "collectors/datagram.h"

extern const struct collector_ops netflow_udp_collector;
extern const struct collector_ops sflow_udp_collector;

#endif
