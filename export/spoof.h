/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spoof: datagrams that are sent on as if they came from their first sender
 * (tee_transparent). Each gets an IP and a UDP header of our making, with the sender's
 * address and port, and goes out by a raw socket, for which weir needs CAP_NET_RAW. IPv4
 * goes to IPv4 targets only, and IPv6 to IPv6.
 *
 * One for each worker; that thread only. RFC 768, RFC 791, RFC 8200.
 */
#ifndef WEIR_EXPORT_SPOOF_H
#define WEIR_EXPORT_SPOOF_H

#include "core/datagram.h"
#include "export/target.h"
#include "lib/err.h"

struct spoof;

/* NULL with `e` filled when raw sockets cannot be had. */
struct spoof *spoof_open(uint8_t ip_precedence, struct err *e);
void spoof_close(struct spoof *s);

/*
 * Send `n` (to 64) datagrams to `t` with their senders' addresses, and count what became
 * of them in `t` and into `tally`. Those of the other family are not sent: `wrong_family`.
 */
void spoof_send(struct spoof *s, struct target *t, const struct datagram *const *d, unsigned n,
    struct target_tally *tally);

#endif
