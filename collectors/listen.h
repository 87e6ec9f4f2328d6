/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * listen: the bound sockets of the doors for export datagrams. Each worker has its own on
 * the same port (SO_REUSEPORT), and the kernel gives all that one exporter sends from one
 * port to the same worker. Main thread, at start.
 */
#ifndef WEIR_COLLECTORS_LISTEN_H
#define WEIR_COLLECTORS_LISTEN_H

#include <netinet/in.h>
#include <stdint.h>

#include "collectors/datagram.h"
#include "lib/err.h"
#include "lib/ip.h"

/*
 * Bind a non-blocking socket of `type` (SOCK_DGRAM, SOCK_STREAM) to `port` and to the
 * address, the device and the families that c->config, a struct datagram_config, says;
 * multicast groups are joined. Sets c->fd, which the caller closes, and c->where. Returns
 * 0, or -WEIR_EIO with `e` filled. The port must be ours alone: worker 0, which comes
 * first, looks whether another program has it.
 */
int listen_open(struct collector *c, int type, uint32_t port, struct err *e);

/*
 * The sender that the kernel tells in `from`: its address, IPv4 as v4-mapped, which is how
 * a socket of both families tells it anyway, and its port.
 */
ip16_t listen_sender(const struct sockaddr_storage *from, uint16_t *port);

#endif
