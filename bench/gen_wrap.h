/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What may stand before the IP packets of `--kind packets` in place of plain Ethernet:
 * other link layers, tags and labels, tunnels. Constant data; any thread.
 */
#ifndef WEIR_BENCH_GEN_WRAP_H
#define WEIR_BENCH_GEN_WRAP_H

#include <stdbool.h>
#include <stdint.h>

struct record;

#define WRAP_OCTETS_MAX 68 /* of the longest */

struct wrap {
	const char *name;
	uint32_t link; /* LINKTYPE_... of the capture file */
	uint32_t octets; /* the most that it puts before IP */
	/* Write the headers of `r` to `p`; returns where its IP packet begins. */
	uint8_t *(*put)(uint8_t *p, const struct record *r);
};

/* The wrap called `name`; NULL if there is none. "ethernet" is plain. */
const struct wrap *wrap_find(const char *name);

/* The names of all, for the words of an error. */
const char *wrap_names(void);

#endif
