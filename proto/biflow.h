/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * biflow: records that count both directions of a conversation (RFC 5103), in reverse
 * elements or as initiator and responder. What a primitive is in the other direction.
 * Constant; any thread.
 */
#ifndef WEIR_PROTO_BIFLOW_H
#define WEIR_PROTO_BIFLOW_H

#include <stdbool.h>

#include "flow/field.h"

/* The primitive whose value `no` has in the other direction: source and destination swapped. */
enum field_no biflow_mirror(enum field_no no);

/* Whether `no` was measured on the packets of one direction, and says nothing of the other. */
bool biflow_is_measured(enum field_no no);

#endif
