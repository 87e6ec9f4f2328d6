/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp: IPFIX over TCP (RFC 7011 s10.4). Each worker has its own listening socket on the
 * port, and serves the connections that the kernel gives it. Its configuration is a struct
 * datagram_config.
 */
#ifndef WEIR_COLLECTORS_TCP_H
#define WEIR_COLLECTORS_TCP_H

#include "collectors/datagram.h"

extern const struct collector_ops ipfix_tcp_collector;

/* Without a whole message for so long, a connection may go when another wants its place. */
#define TCP_IDLE_S 60

#endif
