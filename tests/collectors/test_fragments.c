/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "collectors/fragments.h"
#include "lib/clock.h"

#define START_S UINT64_C(1700000000)

/* Who sends what: `id` and what else tells datagrams apart. */
struct piece {
	char kind;       /* f: first, l: later, 0: no more */
	uint32_t id;
	uint16_t port;   /* of a first one: its source port; of a later: what it is given */
	uint64_t at_s;
	uint8_t host;    /* last octet of the destination */
	uint8_t proto;   /* 0: UDP */
};

static const struct {
	const char *says;
	struct piece pieces[8];
	uint64_t matched, unmatched;
} cases[] = {
	{ "later pieces have the ports of the first", { { 'f', 1, 7, 0, 0, 0 },
	    { 'l', 1, 7, 0, 0, 0 }, { 'l', 1, 7, 1, 0, 0 } }, 2, 0 },
	{ "other datagrams are others", { { 'f', 1, 7, 0, 0, 0 }, { 'f', 2, 8, 0, 0, 0 },
	    { 'l', 2, 8, 0, 0, 0 }, { 'l', 1, 7, 0, 0, 0 }, { 'l', 3, 0, 0, 0, 0 } }, 2, 1 },
	{ "so are other addresses", { { 'f', 1, 7, 0, 0, 0 }, { 'l', 1, 0, 0, 1, 0 } }, 0, 1 },
	{ "and other protocols", { { 'f', 1, 7, 0, 0, 17 }, { 'l', 1, 0, 0, 0, 6 } }, 0, 1 },
	{ "before the first there are no ports", { { 'l', 1, 0, 0, 0, 0 }, { 'f', 1, 7, 0, 0, 0 },
	    { 'l', 1, 7, 0, 0, 0 } }, 1, 1 },
	{ "an id that is used again", { { 'f', 1, 7, 0, 0, 0 }, { 'f', 1, 8, 5, 0, 0 },
	    { 'l', 1, 8, 5, 0, 0 } }, 1, 0 },
	{ "a first piece that comes twice", { { 'f', 1, 7, 0, 0, 0 }, { 'f', 1, 7, 0, 0, 0 },
	    { 'l', 1, 7, 0, 0, 0 } }, 1, 0 },
	{ "it is kept for a lifetime", { { 'f', 1, 7, 0, 0, 0 }, { 'l', 9, 0, 0, 1, 0 },
	    { 'l', 1, 7, FRAGMENTS_LIFE_S, 0, 0 } }, 1, 1 },
	{ "and for no more than two", { { 'f', 1, 7, 0, 0, 0 },
	    { 'l', 9, 0, FRAGMENTS_LIFE_S, 1, 0 },
	    { 'l', 1, 0, 2 * FRAGMENTS_LIFE_S + 1, 0, 0 } }, 0, 2 },
};

static struct flow
packet(const struct piece *p, bool v6)
{
	struct flow f = { .proto = p->proto != 0 ? p->proto : 17 };
	uint8_t v4_src[] = { 192, 0, 2, 1 }, v4_dst[] = { 198, 51, 100, p->host };

	f.src_host = ip_from_v4(v4_src);
	f.dst_host = ip_from_v4(v4_dst);
	if (v6) {
		memset(&f.src_host, 0x20, sizeof(f.src_host));
		memset(&f.dst_host, 0x20, sizeof(f.dst_host));
		f.dst_host.b[15] = p->host;
	}
	f.stamp = (START_S + p->at_s) * CLOCK_S;
	if (p->kind == 'f') {
		f.src_port = p->port;
		f.dst_port = 53;
	}
	return f;
}

static void
take(struct fragments *fs, const struct piece *p, struct flow *f, struct fragments_count *n)
{
	struct packet_fragment fragment = {
		.kind = p->kind == 'f' ? PACKET_FRAGMENT_FIRST : PACKET_FRAGMENT_LATER,
		.id = p->id,
	};

	fragments_take(fs, &fragment, f, n);
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fragments_count n = { 0 };
		struct err e = ERR_INIT;
		struct fragments *fs = fragments_new(65536, &e);

		assert_non_null(fs);
		for (size_t k = 0; k < 8 && cases[i].pieces[k].kind != 0; k++) {
			const struct piece *p = &cases[i].pieces[k];
			struct flow f = packet(p, false);

			take(fs, p, &f, &n);
			if (f.src_port != p->port)
				fail_msg("%s: piece %zu has port %u", cases[i].says, k, f.src_port);
			assert_int_equal(f.dst_port, p->port != 0 ? 53 : 0);
		}
		if (n.matched != cases[i].matched || n.unmatched != cases[i].unmatched)
			fail_msg("%s: %u and %u", cases[i].says, (unsigned)n.matched,
			    (unsigned)n.unmatched);
		assert_int_equal(n.evicted, 0);
		fragments_free(fs);
	}
}

/* A later piece of IPv6 names the header that follows, which may be options. */
static void
test_ipv6(void **state)
{
	static const struct piece first = { 'f', 0xc0ffee, 7, 0, 0, 17 };
	static const struct piece later = { 'l', 0xc0ffee, 7, 0, 0, 60 };
	struct fragments_count n = { 0 };
	struct err e = ERR_INIT;
	struct fragments *fs = fragments_new(65536, &e);
	struct flow f = packet(&first, true);

	(void)state;
	assert_non_null(fs);
	take(fs, &first, &f, &n);
	f = packet(&later, true);
	take(fs, &later, &f, &n);
	assert_int_equal(f.src_port, 7);
	assert_int_equal(f.proto, 17);
	assert_int_equal(n.matched, 1);
	fragments_free(fs);
}

static void
test_icmp(void **state)
{
	static const struct piece first = { 'f', 1, 0, 0, 0, 1 };
	static const struct piece later = { 'l', 1, 0, 0, 0, 1 };
	struct fragments_count n = { 0 };
	struct err e = ERR_INIT;
	struct fragments *fs = fragments_new(65536, &e);
	struct flow f = packet(&first, false);

	(void)state;
	assert_non_null(fs);
	f.icmp_type = 8;
	f.icmp_code = 2;
	take(fs, &first, &f, &n);
	f = packet(&later, false);
	take(fs, &later, &f, &n);
	assert_int_equal(f.icmp_type, 8);
	assert_int_equal(f.icmp_code, 2);
	fragments_free(fs);
}

/* A flood of first pieces pushes out the oldest, counted; the latest are known. */
static void
test_flood(void **state)
{
	struct fragments_count n = { 0 };
	struct err e = ERR_INIT;
	struct fragments *fs = fragments_new(0, &e); /* 16 in either table */
	struct piece p = { 'f', 0, 7, 0, 0, 0 };
	struct flow f;

	(void)state;
	assert_non_null(fs);
	for (p.id = 1; p.id <= 1000; p.id++) {
		f = packet(&p, false);
		take(fs, &p, &f, &n);
	}
	assert_in_range(n.evicted, 1000 - 32, 1000 - 16);
	p.kind = 'l';
	for (p.id = 1; p.id <= 1000; p.id++) {
		f = packet(&p, false);
		take(fs, &p, &f, &n);
		assert_int_equal(f.src_port, p.id > n.evicted ? 7 : 0);
	}
	assert_int_equal(n.unmatched, n.evicted);
	assert_int_equal(n.matched, 1000 - n.evicted);
	fragments_free(fs);
	fragments_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_flood),
	};

	return cmocka_run_group_tests_name("collectors/fragments", tests, NULL, NULL);
}
