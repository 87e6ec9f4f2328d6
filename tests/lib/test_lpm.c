/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/err.h"
#include "lib/lpm.h"

#define N_RANDOM 300  /* prefixes of each round */

static const struct {
	const char *says;
	const char *prefixes[6];  /* the value is the place in the list */
	struct {
		const char *addr;
		int want;
	} finds[8];
} cases[] = {
	{ "an empty trie finds nothing", { NULL },
	    { { "10.0.0.1", -1 }, { "2001:db8::1", -1 }, { "::", -1 } } },
	{ "a /24 ends where it ends", { "192.0.2.0/24" },
	    { { "192.0.2.0", 0 }, { "192.0.2.255", 0 }, { "192.0.1.255", -1 },
	        { "192.0.3.0", -1 } } },
	{ "nested prefixes, the longest wins",
	    { "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32" },
	    { { "10.2.0.0", 0 }, { "10.1.0.0", 1 }, { "10.1.2.4", 2 },
	        { "10.1.2.3", 3 }, { "11.0.0.0", -1 } } },
	{ "a shorter prefix added later does not cover a longer one",
	    { "10.1.2.3/32", "10.1.2.0/24", "10.1.0.0/16", "10.0.0.0/8" },
	    { { "10.1.2.3", 0 }, { "10.1.2.4", 1 }, { "10.1.0.0", 2 },
	        { "10.2.0.0", 3 } } },
	{ "a default route takes what is left", { "0.0.0.0/0", "192.0.2.0/24" },
	    { { "0.0.0.0", 0 }, { "255.255.255.255", 0 }, { "192.0.2.7", 1 } } },
	{ "a default route may come last", { "192.0.2.0/24", "0.0.0.0/0" },
	    { { "0.0.0.0", 1 }, { "192.0.3.0", 1 }, { "192.0.2.7", 0 } } },
	{ "each family has its own default route", { "0.0.0.0/0", "::/0" },
	    { { "192.0.2.1", 0 }, { "2001:db8::1", 1 }, { "::1", 1 } } },
	{ "the default route of IPv6 does not hold IPv4", { "::/0" },
	    { { "192.0.2.1", -1 }, { "::fffe:1.2.3.4", 0 } } },
	{ "the default route of IPv4 does not hold IPv6", { "0.0.0.0/0" },
	    { { "2001:db8::1", -1 }, { "::", -1 } } },
	{ "a prefix added twice keeps the later value",
	    { "10.0.0.0/8", "192.0.2.0/24", "10.0.0.0/8", "192.0.2.0/24" },
	    { { "10.1.1.1", 2 }, { "192.0.2.1", 3 } } },
	{ "lengths at the edges of levels",
	    { "10.0.0.0/15", "10.0.0.0/16", "10.0.0.0/17", "10.0.0.0/23",
	        "10.0.0.0/24", "10.0.0.0/25" },
	    { { "10.1.0.0", 0 }, { "10.0.128.0", 1 }, { "10.0.2.0", 2 },
	        { "10.0.1.0", 3 }, { "10.0.0.128", 4 }, { "10.0.0.127", 5 },
	        { "10.2.0.0", -1 } } },
	{ "IPv6 hosts and nets",
	    { "2001:db8::/32", "2001:db8::1/128", "2001:db8:0:1::/64",
	    "2001:db8::/127" },
	    { { "2001:db8::1", 1 }, { "2001:db8::", 3 }, { "2001:db8::2", 0 },
	        { "2001:db8:0:1:ffff::", 2 }, { "2001:db9::", -1 } } },
};

static struct prefix
prefix_of(const char *text)
{
	struct prefix p;

	if (prefix_parse(text, &p, NULL) != 0)
		fail_msg("no prefix: %s", text);
	return p;
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lpm *l = lpm_new();

		for (uint32_t v = 0; v < 6 && cases[i].prefixes[v] != NULL; v++) {
			struct prefix p = prefix_of(cases[i].prefixes[v]);

			assert_int_equal(lpm_add(l, &p, v), 0);
		}
		assert_int_equal(lpm_build(l), 0);
		for (size_t f = 0; f < 8 && cases[i].finds[f].addr != NULL; f++) {
			ip16_t a;
			int64_t got;

			assert_int_equal(ip_parse(cases[i].finds[f].addr, &a), 0);
			got = lpm_find(l, &a);
			if (got != cases[i].finds[f].want)
				fail_msg("%s: %s found %lld", cases[i].says,
				    cases[i].finds[f].addr, (long long)got);
		}
		lpm_free(l);
	}
}

static void
test_refuses(void **state)
{
	struct lpm *l = lpm_new();
	struct prefix p = prefix_of("10.0.0.0/8");
	ip16_t a = p.addr;

	(void)state;
	assert_int_equal(lpm_add(l, &p, LPM_MAX_VALUE + 1), -WEIR_EINVAL);
	p.len = 129;
	assert_int_equal(lpm_add(l, &p, 1), -WEIR_EINVAL);
	p.len = 104;
	assert_int_equal(lpm_add(l, &p, LPM_MAX_VALUE), 0);
	assert_int_equal(lpm_build(l), 0);
	assert_true(lpm_find(l, &a) == LPM_MAX_VALUE);
	lpm_free(l);
	lpm_free(NULL);
	l = lpm_new();
	assert_int_equal(lpm_add(l, &p, 1), 0);
	lpm_free(l); /* never built */
}

/* Bits beyond the length are not looked at. */
static void
test_host_bits(void **state)
{
	struct lpm *l = lpm_new();
	struct prefix p = prefix_of("10.1.2.3/32");
	ip16_t a = prefix_of("10.255.0.0/16").addr;

	(void)state;
	p.len = 104;
	assert_int_equal(lpm_add(l, &p, 7), 0);
	assert_int_equal(lpm_build(l), 0);
	assert_int_equal(lpm_find(l, &a), 7);
	lpm_free(l);
}

static uint64_t random_state;

/* xorshift64: the same numbers at every run. */
static uint32_t
draw(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 32);
}

/* An address from a small part of the space, so that prefixes nest and touch. */
static ip16_t
draw_address(void)
{
	static const uint8_t some[] = { 0x00, 0x01, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xfe,
		0xff };
	ip16_t a = { { 0 } };
	unsigned from = draw() % 2 == 0 ? 12 : 0;

	if (from == 12)
		a.b[10] = a.b[11] = 0xff;
	for (unsigned i = from; i < 16; i++)
		a.b[i] = some[draw() % (i % 4 == 3 ? 10 : 2)];
	return a;
}

static struct prefix
draw_prefix(void)
{
	ip16_t a = draw_address();
	unsigned least = ip_is_v4(&a) ? 96 : 0;
	unsigned len = least + draw() % (129 - least);

	return (struct prefix){ ip_mask(&a, len), (uint8_t)len };
}

/* What lpm_find promises, the slow way. */
static int64_t
model_find(const struct prefix *p, size_t n, const ip16_t *a)
{
	int64_t best = -1;
	int best_len = -1;

	for (size_t i = 0; i < n; i++) {
		ip16_t masked = ip_mask(a, p[i].len);
		bool v4 = p[i].len >= 96 && ip_is_v4(&p[i].addr);

		if (v4 == ip_is_v4(a) && ip_equal(&masked, &p[i].addr) &&
		    p[i].len >= best_len) {
			best = (int64_t)i;
			best_len = p[i].len;
		}
	}
	return best;
}

/* The last address of `p`. */
static ip16_t
prefix_last(const struct prefix *p)
{
	ip16_t a = p->addr;

	for (unsigned bit = p->len; bit < 128; bit++)
		a.b[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return a;
}

/* Step `a` to the address after it, or before it. */
static ip16_t
address_step(ip16_t a, bool up)
{
	for (unsigned i = 16; i-- > 0;) {
		a.b[i] = (uint8_t)(up ? a.b[i] + 1 : a.b[i] - 1);
		if (a.b[i] != (up ? 0x00 : 0xff))
			break;
	}
	return a;
}

static void
check_find(const struct lpm *l, const struct prefix *p, ip16_t a)
{
	int64_t got = lpm_find(l, &a), want = model_find(p, N_RANDOM, &a);
	char text[IP_STRLEN];

	if (got == want)
		return;
	ip_format(&a, text);
	fail_msg("%s: found %lld, the model %lld", text, (long long)got,
	    (long long)want);
}

static void
test_random_against_model(void **state)
{
	static struct prefix p[N_RANDOM];

	(void)state;
	random_state = 20061123;
	for (int round = 0; round < 20; round++) {
		struct lpm *l = lpm_new();

		for (uint32_t i = 0; i < N_RANDOM; i++) {
			p[i] = draw_prefix();
			assert_int_equal(lpm_add(l, &p[i], i), 0);
		}
		assert_int_equal(lpm_build(l), 0);
		for (size_t i = 0; i < N_RANDOM; i++) {
			ip16_t last = prefix_last(&p[i]);

			check_find(l, p, p[i].addr);
			check_find(l, p, last);
			check_find(l, p, address_step(p[i].addr, false));
			check_find(l, p, address_step(last, true));
		}
		for (size_t i = 0; i < 1000; i++)
			check_find(l, p, draw_address());
		lpm_free(l);
	}
}

/* The same prefixes, each once, in many orders: always the same answers. */
static void
test_order_does_not_matter(void **state)
{
	static struct prefix p[N_RANDOM];
	uint32_t order[N_RANDOM];
	size_t n = 0;

	(void)state;
	random_state = 42;
	while (n < N_RANDOM) {
		struct prefix new = draw_prefix();
		bool known = false;

		for (size_t i = 0; i < n; i++)
			known |= p[i].len == new.len && ip_equal(&p[i].addr, &new.addr);
		if (known)
			continue;
		order[n] = (uint32_t)n;
		p[n++] = new;
	}
	for (int round = 0; round < 20; round++) {
		struct lpm *l = lpm_new();

		for (uint32_t i = N_RANDOM - 1; i > 0; i--) {
			uint32_t j = draw() % (i + 1), swap = order[i];

			order[i] = order[j];
			order[j] = swap;
		}
		for (size_t i = 0; i < N_RANDOM; i++)
			assert_int_equal(lpm_add(l, &p[order[i]], order[i]), 0);
		assert_int_equal(lpm_build(l), 0);
		for (size_t i = 0; i < N_RANDOM; i++) {
			check_find(l, p, p[i].addr);
			check_find(l, p, prefix_last(&p[i]));
		}
		lpm_free(l);
	}
}

#define ALL 65536U /* addresses below one prefix of all but 16 bits */

/* Address number `i` of those that begin as `base`. */
static ip16_t
address_number(ip16_t base, uint32_t i)
{
	base.b[14] = (uint8_t)(i >> 8);
	base.b[15] = (uint8_t)i;
	return base;
}

/* All of them, one by one and in batches of every size. */
static void
check_all(const struct lpm *l, ip16_t base, const int64_t *want)
{
	ip16_t a[LPM_BATCH];
	const ip16_t *at[LPM_BATCH];
	int64_t got[LPM_BATCH];
	unsigned n = 1;

	for (uint32_t i = 0; i < ALL; i += n) {
		n = n % LPM_BATCH + 1;
		if (n > ALL - i)
			n = ALL - i;
		for (unsigned k = 0; k < n; k++) {
			a[k] = address_number(base, (i + k) * 40503U % ALL); /* not in order */
			at[k] = &a[k];
		}
		lpm_find_many(l, at, n, got);
		for (unsigned k = 0; k < n; k++) {
			uint32_t which = (i + k) * 40503U % ALL;

			if (got[k] != want[which] || lpm_find(l, &a[k]) != want[which])
				fail_msg("%u: found %lld", which, (long long)got[k]);
		}
	}
}

/* Every address of a block, with prefixes drawn densely: painting says what is right. */
static void
test_every_address_of_a_block(void **state)
{
	static const char *const bases[] = { "10.0.0.0", "2001:db8::", "::", "192.0.255.255",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:0" };
	static int64_t want[ALL];
	static struct prefix p[1200];

	(void)state;
	random_state = 7;
	for (size_t round = 0; round < 5; round++) {
		struct lpm *l = lpm_new();
		unsigned n = 1 + draw() % 1200;
		ip16_t base;

		assert_int_equal(ip_parse(bases[round], &base), 0);
		for (uint32_t i = 0; i < n; i++) {
			unsigned len = 112 + draw() % 17;
			ip16_t a = address_number(base, draw() % ALL);

			p[i] = (struct prefix){ ip_mask(&a, len), (uint8_t)len };
			assert_int_equal(lpm_add(l, &p[i], i), 0);
		}
		for (uint32_t i = 0; i < ALL; i++)
			want[i] = -1;
		for (unsigned len = 112; len <= 128; len++)
			for (uint32_t i = 0; i < n; i++) {
				uint32_t at = (uint32_t)p[i].addr.b[14] << 8 | p[i].addr.b[15];

				for (uint32_t k = at; p[i].len == len && k < at + (1U << (128 - len)); k++)
					want[k] = i;
			}
		assert_int_equal(lpm_build(l), 0);
		check_all(l, base, want);
		lpm_free(l);
	}
}

/* A full table's worth of /24: every one found, and memory in proportion. */
static void
test_many(void **state)
{
	struct lpm *l = lpm_new();
	const uint32_t n = 200000;

	(void)state;
	assert_true(lpm_octets(l) < 1 << 20);
	for (uint32_t i = 0; i < n; i++) {
		uint8_t quad[4] = { (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i,
		    0 };
		struct prefix p = { ip_from_v4(quad), 120 };

		assert_int_equal(lpm_add(l, &p, i), 0);
	}
	assert_int_equal(lpm_build(l), 0);
	for (uint32_t i = 0; i < n; i++) {
		uint8_t quad[4] = { (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i,
			(uint8_t)(i * 7) };
		ip16_t a = ip_from_v4(quad);

		assert_true(lpm_find(l, &a) == i);
	}
	assert_true(lpm_octets(l) < 3 << 20);
	lpm_free(l);
}

/* As in a table of the Internet, IPv6 prefixes that share little: memory stays small. */
static void
test_sparse(void **state)
{
	struct lpm *l = lpm_new();
	const uint32_t n = 50000;

	(void)state;
	random_state = 48;
	for (uint32_t i = 0; i < n; i++) {
		struct prefix p = { { { 0x20, 0x01 } }, 48 };

		for (unsigned k = 2; k < 6; k++)
			p.addr.b[k] = (uint8_t)draw();
		assert_int_equal(lpm_add(l, &p, i), 0);
	}
	assert_int_equal(lpm_build(l), 0);
	if (lpm_octets(l) > n * 400UL)
		fail_msg("%zu octets", lpm_octets(l));
	lpm_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_host_bits),
		cmocka_unit_test(test_random_against_model),
		cmocka_unit_test(test_order_does_not_matter),
		cmocka_unit_test(test_every_address_of_a_block),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_sparse),
	};

	return cmocka_run_group_tests_name("lpm", tests, NULL, NULL);
}
