/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * datagram: what an exporter sent, as it came. The bytes belong to where it came in, until
 * the call returns; or, for outputs that relay datagrams (core/output.h), until they are
 * told to flush.
 */
#ifndef WEIR_CORE_DATAGRAM_H
#define WEIR_CORE_DATAGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/ip.h"

struct datagram {
	const uint8_t *data;
	size_t len;
	ip16_t from;        /* sender */
	uint16_t from_port;
	uint64_t arrival;   /* ns since 1970 */
	bool connected;     /* a message of a connection: in order, nothing lost */
};

#endif
