/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * entry: weirEntryTable, the rows of all views. Its columns beyond the sums are the
 * rows of flow/fields.def that name one. Reads trees only; any thread.
 */
#ifndef WEIR_AGENT_ENTRY_H
#define WEIR_AGENT_ENTRY_H

#include <stddef.h>
#include <stdint.h>

#include "flow/rowspec.h"

/*
 * weirEntryKey of `row`, at most `room` (17 to 255) octets to `buf`, without a NUL. A
 * longer text is cut and ends in '~' and the 64 bits of `hash` in hex, and so is unique
 * even then. Returns its length.
 */
size_t entry_key(const struct rowspec *rs, const uint8_t *row, uint64_t hash, char *buf,
    size_t room);

#endif
