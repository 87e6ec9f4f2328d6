/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The generator's random numbers: xoshiro256** seeded by splitmix64 (both by Blackman
 * and Vigna, public domain). The same seed gives the same numbers on every machine.
 * A struct prng belongs to one caller.
 */
#ifndef WEIR_BENCH_GEN_PRNG_H
#define WEIR_BENCH_GEN_PRNG_H

#include <stdint.h>

struct prng {
	uint64_t s[4];
};

static inline struct prng
prng_of(uint64_t seed)
{
	struct prng p;

	for (int i = 0; i < 4; i++) {
		uint64_t z = (seed += UINT64_C(0x9e3779b97f4a7c15));

		z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
		p.s[i] = z ^ (z >> 31);
	}
	return p;
}

static inline uint64_t
prng_rotate(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

/* 64 random bits. */
static inline uint64_t
prng_u64(struct prng *p)
{
	uint64_t *s = p->s;
	uint64_t out = prng_rotate(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = prng_rotate(s[3], 45);
	return out;
}

/* A number from 0 to n - 1 out of the 32 random bits `r`; `n` is at most 2^32. */
static inline uint32_t
prng_scale(uint32_t r, uint64_t n)
{
	return (uint32_t)((r * n) >> 32);
}

/* A number from 0 to n - 1; `n` is at most 2^32. */
static inline uint32_t
prng_below(struct prng *p, uint64_t n)
{
	return prng_scale((uint32_t)(prng_u64(p) >> 32), n);
}

#endif
