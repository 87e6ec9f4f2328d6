/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/collectors/sflow_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/proto/hex.h"

void
bench_open(struct bench *b)
{
	struct err e = ERR_INIT;

	memset(&b->config, 0, sizeof(b->config));
	rig_init(&b->rig, NULL, &b->config);
	b->decoder = sflow_decoder.open(&b->rig.collector, &e);
	assert_non_null(b->decoder);
}

void
bench_close(struct bench *b)
{
	sflow_decoder.close(b->decoder);
	rig_fini(&b->rig);
}

void
bench_decode(struct bench *b, const uint8_t *octets, size_t len)
{
	static const uint8_t from[4] = { 203, 0, 113, 77 };
	uint8_t *copy = malloc(len > 0 ? len : 1);
	const struct datagram d = { .data = copy, .len = len, .from = ip_from_v4(from),
		.from_port = 6343, .arrival = ARRIVAL };

	assert_non_null(copy);
	memcpy(copy, octets, len);
	sflow_decoder.decode(b->decoder, &d);
	free(copy);
}

void
bench_hex(struct bench *b, const char *hex)
{
	uint8_t octets[1024];

	bench_decode(b, octets, hex_octets(hex, octets, sizeof(octets)));
}

void
check_number(const char *says, const char *what, uint64_t have, uint64_t want)
{
	if (have != want)
		fail_msg("%s: %s is %llu, not %llu", says, what, (unsigned long long)have,
		    (unsigned long long)want);
}

void
check_ip(const char *says, const ip16_t *have, const char *want)
{
	char text[IP_STRLEN];

	(void)ip_format(have, text);
	if (strcmp(text, want) != 0)
		fail_msg("%s: address %s, not %s", says, text, want);
}
