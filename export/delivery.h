/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * delivery: whether what a plugin exports reaches anybody. Every pool is to get what is sent; one
 * that had something to get, all of which its targets did not send, makes the output fail, for
 * the reason that its first such target had. As far as UDP tells: what was sent may be lost.
 */
#ifndef WEIR_EXPORT_DELIVERY_H
#define WEIR_EXPORT_DELIVERY_H

#include "core/output.h"
#include "export/receivers.h"
#include "lib/clock.h"

#define DELIVERY_NS CLOCK_S /* between two looks */

/*
 * Look what became of datagrams since the last look, and tell `o`: it fails, it works, or nothing
 * where nothing was to be sent. One thread at a time looks at `r`, and at what its targets were
 * targets of before.
 */
void delivery_look(struct output *o, const struct receivers *r);

#endif
