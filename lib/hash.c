/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/hash.h"

#include <pthread.h>
#include <sys/random.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "lib/clock.h"

static uint64_t seed;
static pthread_once_t seed_once = PTHREAD_ONCE_INIT;

static void
seed_draw(void)
{
	/* Early at boot there may be no entropy: time and pid then have to do. */
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed))
		seed = clock_mono() ^ (uint64_t)getpid() << 32;
}

uint64_t
hash_seed(void)
{
	pthread_once(&seed_once, seed_draw);
	return seed;
}

uint64_t
hash_seeded(const void *data, size_t len)
{
	return XXH3_64bits_withSeed(data, len, hash_seed());
}

static inline __attribute__((always_inline)) void
hash_each(const uint8_t *keys, size_t len, unsigned n, uint32_t *hashes)
{
	uint64_t s = hash_seed();

	for (unsigned i = 0; i < n; i++, keys += len)
		hashes[i] = (uint32_t)XXH3_64bits_withSeed(keys, len, s);
}

void
hash_seeded_many(const void *keys, size_t len, unsigned n, uint32_t *hashes)
{
	if (len == 40) /* the 5-tuple: of a constant length it is a dozen instructions */
		hash_each(keys, 40, n, hashes);
	else
		hash_each(keys, len, n, hashes);
}

uint64_t
hash_frozen(const void *data, size_t len)
{
	return XXH64(data, len, 0);
}

uint32_t
hash_index(const char *name)
{
	uint32_t index = (uint32_t)(hash_frozen(name, strlen(name)) >> 33);

	return index != 0 ? index : 1;
}
