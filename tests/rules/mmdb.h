/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mmdb: writes small databases in MaxMind's format (its specification, version 2.0) for the
 * tests: an IPv6 tree of 32-bit records.
 */
#ifndef WEIR_TESTS_RULES_MMDB_H
#define WEIR_TESTS_RULES_MMDB_H

#include <stddef.h>
#include <stdint.h>

/* A network and its record, as the octets of the data section have it. */
struct mmdb_network {
	const char *prefix; /* "192.0.2.0/24"; a shorter one stands before a longer */
	const uint8_t *record;
	size_t len;
};

/* Octets of a record being put together. */
struct mmdb_record {
	uint8_t octets[1024];
	size_t len;
};

void mmdb_map(struct mmdb_record *r, unsigned pairs); /* what follows: key, value, ... */
void mmdb_text(struct mmdb_record *r, const char *text);
void mmdb_number(struct mmdb_record *r, unsigned type, unsigned octets, uint64_t v);
void mmdb_double(struct mmdb_record *r, double v);

/* Write `path`; fails the test when it cannot. */
void mmdb_write(const char *path, const struct mmdb_network *networks, size_t n);

#endif
