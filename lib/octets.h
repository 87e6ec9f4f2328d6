/* SPDX-License-Identifier: GPL-2.0-or-later */
/* octets: all octets of a place in a file, read or written, whatever signals come. Any thread. */
#ifndef WEIR_LIB_OCTETS_H
#define WEIR_LIB_OCTETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Read, or write, all of `len` octets at `at`. Returns whether it could, with errno if not; it is
 * 0 when the file ends before.
 */
bool octets_read(int fd, void *p, size_t len, uint64_t at);
bool octets_write(int fd, const void *p, size_t len, uint64_t at);

#endif
