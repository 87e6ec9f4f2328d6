/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire: Get and GetNext of AgentX (RFC 2741 s6.2.5, s6.2.6) answered as they come off the
 * wire, without an SNMP library: what a walk costs is the exchanges with the master, one for
 * each row, so each should cost little. Reads hostile input; knows nothing of sessions.
 */
#ifndef WEIR_AGENT_WIRE_H
#define WEIR_AGENT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/root.h"
#include "agent/tree.h"

#define WIRE_HEADER 20U /* octets in front of each PDU's own: RFC 2741 s6.1 */

/* Octets that the PDU at `head` (WIRE_HEADER of them) has, with these. */
uint64_t wire_length(const uint8_t *head);

#define WIRE_RESPONSE 8U /* octets of a Response before its variables: RFC 2741 s6.2.16 */

/* Whether the Response at `head` is to the PDU whose header is at `asked`. */
bool wire_responds(const uint8_t *head, const uint8_t *asked);

/* The error of the Response at `head` (WIRE_HEADER + WIRE_RESPONSE octets); 0: none. */
uint16_t wire_error(const uint8_t *head);

/* Whether that PDU is one that wire_answer may know an answer to. */
bool wire_asks(const uint8_t *head);

/*
 * The answer to the whole PDU at `pdu`, from the tree of `m` below the `n` roots, which are
 * in the order of their names, to `out`, which has room for `room` octets. Returns its
 * octets, or 0: `pdu` is not well-formed, or the answer has no room. `last` is kept from one
 * answer to the next, all zero at first: a walk goes on near where it was.
 */
size_t wire_answer(const struct root *roots, unsigned n, const struct moment *m,
    struct cell *last, const uint8_t *pdu, size_t len, uint8_t *out, size_t room);

#endif
