/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fuzz targets of export protocols share. The input is a series of datagrams,
 * each with two octets of length before it, all from one sender to one decoder, so that
 * templates of one meet data of the next. The first octet chooses which fields are
 * needed. Besides not crashing, the books must balance after each.
 */
#ifndef WEIR_TESTS_FUZZ_DATAGRAMS_H
#define WEIR_TESTS_FUZZ_DATAGRAMS_H

#include <stddef.h>
#include <stdint.h>

#include "collectors/datagram.h"

/* Give the datagrams of `data` to decoder `on`; aborts when the books do not balance. */
void fuzz_datagrams(const struct datagram_decoder *on, const uint8_t *data, size_t size);

#endif
