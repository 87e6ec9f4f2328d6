/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Integers in network order, written at a cursor that moves on, and the Internet
 * checksum. The generator does not share weir's own encoders, so that it can be wrong
 * only on its own account. The caller sees to the room.
 */
#ifndef WEIR_BENCH_GEN_PUT_H
#define WEIR_BENCH_GEN_PUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint8_t *
put_u8(uint8_t *p, uint8_t v)
{
	*p = v;
	return p + 1;
}

static inline uint8_t *
put_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static inline uint8_t *
put_u32(uint8_t *p, uint32_t v)
{
	return put_u16(put_u16(p, (uint16_t)(v >> 16)), (uint16_t)v);
}

static inline uint8_t *
put_u64(uint8_t *p, uint64_t v)
{
	return put_u32(put_u32(p, (uint32_t)(v >> 32)), (uint32_t)v);
}

static inline uint8_t *
put_octets(uint8_t *p, const void *data, size_t n)
{
	memcpy(p, data, n);
	return p + n;
}

static inline uint8_t *
put_zeros(uint8_t *p, size_t n)
{
	memset(p, 0, n);
	return p + n;
}

/*
 * Add `n` octets as 16-bit words to the running sum `acc` (RFC 1071); an odd one is
 * padded.
 */
static inline uint64_t
put_sum(uint64_t acc, const uint8_t *p, size_t n)
{
	for (; n >= 2; p += 2, n -= 2)
		acc += (uint64_t)p[0] << 8 | p[1];
	return n != 0 ? acc + ((uint64_t)p[0] << 8) : acc;
}

/* The checksum field for the running sum `acc`. */
static inline uint16_t
put_sum_fold(uint64_t acc)
{
	while (acc >> 16 != 0)
		acc = (acc & 0xffff) + (acc >> 16);
	return (uint16_t)~acc;
}

#endif
