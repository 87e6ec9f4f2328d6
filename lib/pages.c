/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/pages.h"

#include <sys/mman.h>

#define HUGE_OCTETS (2U << 20)

void *
pages_get(size_t octets)
{
	void *p = mmap(NULL, octets, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	/* Huge pages where there are any: a random look-up then misses the TLB less. */
	if (octets >= HUGE_OCTETS)
		(void)madvise(p, octets, MADV_HUGEPAGE);
	return p;
}

void
pages_free(void *p, size_t octets)
{
	if (p != NULL)
		munmap(p, octets);
}
