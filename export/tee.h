/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tee: the door that hands export datagrams on as they came, to other collectors. A plugin
 * `tee[name]` has pools of receivers (receivers.h); each datagram of an allowed sender goes to
 * every pool, before anybody decodes it and whatever becomes of it here. Workers send what
 * they read in the batches in which they read it; nothing waits, nothing is copied.
 *
 * The books of the output: datagrams are copies, one for each receiver that is to get one;
 * they are written (sent) or refused, by reason at the target.
 */
#ifndef WEIR_EXPORT_TEE_H
#define WEIR_EXPORT_TEE_H

#include "core/output.h"
#include "lib/directive.h"

extern const struct output_ops tee_output;
extern const struct directive_set tee_directives;

#endif
