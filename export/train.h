/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * train: datagrams that go to one receiver by one message. Those of one size in a row, and
 * behind them one that is shorter, are handed to the kernel together (udp(7), UDP_SEGMENT,
 * Linux 4.18), which takes them through socket, route and filters at once and makes
 * datagrams of them where they leave the host, or are received on it. What comes out is
 * what went in: each datagram with its octets, in their order.
 *
 * Only messages of UDP sockets that are connected. On the stack of the thread that sends.
 */
#ifndef WEIR_EXPORT_TRAIN_H
#define WEIR_EXPORT_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define TRAIN_DATAGRAMS 64U       /* that are coupled at once, at most */
#define TRAIN_PARTS     2U        /* of a datagram, at most: header and body */
#define TRAIN_CONTROL   CMSG_SPACE(sizeof(uint16_t))

/* Messages, each of one datagram or more. */
struct trains {
	unsigned n;
	struct mmsghdr messages[TRAIN_DATAGRAMS];
	uint8_t datagrams[TRAIN_DATAGRAMS]; /* how many go by each */
	struct iovec parts[TRAIN_DATAGRAMS * TRAIN_PARTS];
	_Alignas(struct cmsghdr) uint8_t control[TRAIN_DATAGRAMS][TRAIN_CONTROL];
};

/*
 * Couple the `n` (to TRAIN_DATAGRAMS) datagrams of `m`, which have no names and at most
 * TRAIN_PARTS parts each, in their order. Their octets are borrowed.
 */
void trains_couple(struct trains *t, const struct mmsghdr *m, unsigned n);

/*
 * Whether socket `fd` can take trains. A kernel that does not know of them would send one as
 * one long datagram.
 */
bool train_goes(int fd);

/* The octets of a datagram. */
size_t train_octets(const struct msghdr *m);

#endif
