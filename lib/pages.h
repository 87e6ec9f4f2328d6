/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pages: memory for large tables, straight from the system. It is reserved at once, reads
 * as zeros, and is taken only where it is written. Any thread.
 */
#ifndef WEIR_LIB_PAGES_H
#define WEIR_LIB_PAGES_H

#include <stddef.h>

/* `octets`, more than 0, on a border of pages; NULL when there are none to be had. */
void *pages_get(size_t octets);

/* Give back what pages_get gave for `octets`; NULL is fine. */
void pages_free(void *p, size_t octets);

#endif
