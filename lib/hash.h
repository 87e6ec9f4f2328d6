/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hashes. Two, for two ends: a seeded one for tables in memory (a peer must not be able
 * to choose keys that collide), and a frozen one for identities that outlive the process
 * (SNMP indexes, file names). Any thread.
 */
#ifndef WEIR_LIB_HASH_H
#define WEIR_LIB_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Seed of this process's tables: random once, the same until exit. */
uint64_t hash_seed(void);

/* XXH3 of `len` octets with the process's seed: for tables only, never written anywhere. */
uint64_t hash_seeded(const void *data, size_t len);

/* The same of `n` keys, `len` octets each and one behind the other; their low 32 bits. */
void hash_seeded_many(const void *keys, size_t len, unsigned n, uint32_t *hashes);

/* XXH64 with seed 0: the same on every machine and for ever. */
uint64_t hash_frozen(const void *data, size_t len);

/* The index in SNMP of a thing called `name`: 1 to 2^31 - 1, of its hash_frozen. */
uint32_t hash_index(const char *name);

#endif
