/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sflow_old: the parts of a flow sample in sFlow versions 2 and 4 (RFC 3176 s4), which
 * carry no length, so that one must know all of a part to find the next. No state; any
 * thread.
 */
#ifndef WEIR_PROTO_SFLOW_OLD_H
#define WEIR_PROTO_SFLOW_OLD_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/rbuf.h"

struct sflow_old_part {
	uint32_t format;  /* of the record that says the same in version 5 */
	struct rbuf body; /* behind the part's number */
};

/*
 * The packet data at the front of `r`, or one of the extended data behind it. False: it is
 * not all there (rbuf_ok tells), or its number is not known.
 */
bool sflow_old_packet(struct rbuf *r, uint32_t version, struct sflow_old_part *part);
bool sflow_old_extended(struct rbuf *r, uint32_t version, struct sflow_old_part *part);

#endif
