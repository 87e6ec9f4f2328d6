/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rules/batch.h"
#include "rules/classifier.h"

#define MAPS 3000U
#define RULES 60U
#define TERMS 6U
#define LARGE_MAP 20000U

static uint64_t seed = 1;

/* A number below `n`: the same in every run. */
static uint32_t
any(uint32_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(seed >> 33) % n;
}

#define MEMBER(m) \
	{ \
		offsetof(struct flow, m), sizeof(((struct flow *)0)->m) \
	}
/* Members of every width, neighbours and not; and pairs that a term may ask either of. */
static const struct member {
	uint16_t at;
	uint8_t octets;
} members[] = { MEMBER(src_host), MEMBER(dst_host), MEMBER(src_port), MEMBER(dst_port),
	MEMBER(proto), MEMBER(tcp_flags), MEMBER(in_iface), MEMBER(out_iface),
	MEMBER(vlan), MEMBER(peer_src_ip), MEMBER(src_mac), MEMBER(dst_mac),
	MEMBER(mpls_vpn_rd), MEMBER(ingress_vrf_id), MEMBER(fwd_status) };
#define MEMBERS (sizeof(members) / sizeof(members[0]))

struct rule {
	struct term terms[TERMS];
	unsigned n;
	bool never;
};

/* Few values, so that rules and flows meet. */
static void
value_any(const struct member *m, uint8_t *value)
{
	static const char *const hosts[] = { "10.0.0.1", "10.0.0.2", "10.1.0.1",
		"11.0.0.1", "2001:db8::1", "2001:db8:1::1", "::1" };
	ip16_t a = { { 0 } };

	memset(value, 0, m->octets);
	if (m->octets == 16) {
		if (any(10) != 0)
			assert_int_equal(ip_parse(hosts[any(7)], &a), 0);
		memcpy(value, a.b, sizeof(a.b));
	} else {
		value[any(m->octets)] = (uint8_t)any(3);
	}
}

static void
flow_any(struct flow *f)
{
	memset(f, 0, sizeof(*f));
	for (size_t i = 0; i < MEMBERS; i++)
		value_any(&members[i], (uint8_t *)f + members[i].at);
}

static struct term
term_any(void)
{
	const struct member *m = &members[any(MEMBERS)];
	struct term t = { .at = m->at, .octets = m->octets };
	unsigned bits = any(4) == 0 ? any(m->octets * 8U + 1) : m->octets * 8U;

	value_any(m, t.value);
	for (unsigned i = 0; i < m->octets; i++) {
		t.mask[i] = (uint8_t)(i < bits / 8    ? 0xff
				      : i == bits / 8 ? 0xff << (8 - bits % 8)
						      : 0);
		t.value[i] &= t.mask[i];
	}
	t.negated = any(8) == 0;
	t.ip6 = m->octets == 16 && any(8) == 0;
	if (any(8) == 0 && m->at == offsetof(struct flow, in_iface))
		t.also = offsetof(struct flow, out_iface);
	if (any(8) == 0 && m->at == offsetof(struct flow, src_host))
		t.also = offsetof(struct flow, dst_host);
	t.stands_in = any(2) == 0;
	return t;
}

static bool
member_equal(const struct term *t, const struct flow *f, size_t at)
{
	const uint8_t *p = (const uint8_t *)f + at;
	ip16_t a;

	for (unsigned i = 0; i < t->octets; i++)
		if ((p[i] & t->mask[i]) != t->value[i])
			return false;
	if (!t->ip6)
		return true;
	memcpy(a.b, p, sizeof(a.b));
	return !ip_is_v4(&a) && !ip_is_none(&a);
}

static bool
member_zero(const struct term *t, const struct flow *f)
{
	const uint8_t *p = (const uint8_t *)f + t->at;

	for (unsigned i = 0; i < t->octets; i++)
		if ((p[i] & t->mask[i]) != 0)
			return false;
	return true;
}

static bool
rule_fits(const struct rule *r, const struct flow *f)
{
	for (unsigned i = 0; i < r->n; i++) {
		const struct term *t = &r->terms[i];
		bool equal = member_equal(t, f, t->at);

		if (t->also != 0 && t->stands_in && member_zero(t, f))
			equal = member_equal(t, f, t->also);
		else if (t->also != 0 && !t->stands_in)
			equal |= member_equal(t, f, t->also);
		if (equal == t->negated)
			return false;
	}
	return !r->never;
}

static uint32_t
first_of(const struct rule *rules, uint32_t n, const struct flow *f, uint32_t start)
{
	for (uint32_t i = start; i < n; i++)
		if (rule_fits(&rules[i], f))
			return i;
	return CLASSIFIER_END;
}

static struct classifier *
classifier_of(const struct rule *rules, uint32_t n)
{
	struct classifier *c = classifier_new();

	assert_non_null(c);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(rules[i].never
				     ? classifier_add_never(c)
				     : classifier_add(c, rules[i].terms, rules[i].n),
		    0);
	assert_int_equal(classifier_close(c), 0);
	assert_int_equal(classifier_rules(c), n);
	return c;
}

/* For any flows of a batch, from any rule on: as a look at every rule. */
static void
like_a_list(const struct rule *rules, uint32_t n, unsigned batch)
{
	struct classifier *c = classifier_of(rules, n);
	struct flow flows[FLOW_BATCH];
	uint32_t first[FLOW_BATCH];

	for (unsigned i = 0; i < batch; i++)
		flow_any(&flows[i]);
	for (unsigned turn = 0; turn < 4; turn++) {
		uint64_t mask = batch_first(batch), other = (uint64_t)any(1U << 31)
							    << 32;
		uint32_t start[FLOW_BATCH] = { 0 };

		for (unsigned i = 0; turn > 0 && i < FLOW_BATCH; i++)
			start[i] = any(n + 1);
		if (turn > 1)
			mask &= other | any(1U << 31);
		memset(first, 0xee, sizeof(first));
		classifier_find(c, flows, mask, turn == 0 ? NULL : start, first);
		for (unsigned i = 0; i < FLOW_BATCH; i++)
			assert_int_equal(
			    first[i], (mask >> i & 1) != 0
					  ? first_of(rules, n, &flows[i], start[i])
					  : 0xeeeeeeee);
	}
	classifier_free(c);
}

static void
test_like_a_list(void **state)
{
	(void)state;
	for (unsigned m = 0; m < MAPS; m++) {
		struct rule rules[RULES];
		uint32_t n = 1 + any(RULES);
		unsigned most = 1 + any(TERMS);

		for (uint32_t i = 0; i < n; i++) {
			rules[i].n = any(most + 1);
			rules[i].never = any(40) == 0;
			for (unsigned k = 0; k < rules[i].n; k++)
				rules[i].terms[k] = term_any();
		}
		like_a_list(rules, n, m % (FLOW_BATCH + 1));
	}
}

/* More ways to ask than there are tuples, and tables that are not in a cache. */
static void
test_large(void **state)
{
	struct rule *rules = calloc(LARGE_MAP, sizeof(*rules));

	(void)state;
	assert_non_null(rules);
	for (uint32_t i = 0; i < LARGE_MAP; i++) {
		struct rule *r = &rules[i];

		for (r->n = 0; r->n < 2; r->n++) {
			const struct member *m = &members[r->n];
			struct term *t = &r->terms[r->n];
			unsigned bits = 90 + any(39);
			ip16_t a = ip_from_v4(&(uint32_t){ any(1U << 31) });

			*t = (struct term){ .at = m->at, .octets = 16 };
			a = ip_mask(&a, bits);
			memcpy(t->value, a.b, sizeof(a.b));
			for (unsigned b = 0; b < bits; b++)
				t->mask[b / 8] |= (uint8_t)(0x80 >> b % 8);
		}
	}
	for (unsigned turn = 0; turn < 20; turn++) {
		struct classifier *c;
		struct flow flows[FLOW_BATCH];
		uint32_t first[FLOW_BATCH];

		if (turn == 10)
			/* A single tuple, with rows that flows are in. */
			for (uint32_t i = 0; i < LARGE_MAP; i++) {
				memset(rules[i].terms[0].mask, 0xff, 16);
				rules[i].n = 1;
			}
		c = classifier_of(rules, LARGE_MAP);
		for (unsigned i = 0; i < FLOW_BATCH; i++) {
			const struct rule *r = &rules[any(LARGE_MAP)];

			flow_any(&flows[i]);
			memcpy(flows[i].src_host.b, r->terms[0].value, 16);
			memcpy(flows[i].dst_host.b, r->terms[1].value, 16);
		}
		for (unsigned from = 0; from < 2; from++) {
			uint32_t start[FLOW_BATCH];

			for (unsigned i = 0; i < FLOW_BATCH; i++)
				start[i] = from * any(LARGE_MAP);
			classifier_find(c, flows, UINT64_MAX, start, first);
			for (unsigned i = 0; i < FLOW_BATCH; i++)
				assert_int_equal(first[i],
				    first_of(rules, LARGE_MAP, &flows[i], start[i]));
		}
		classifier_free(c);
	}
	free(rules);
}

/* Rules that ask for more words than a tuple has, and all for the same. */
static void
test_many_terms(void **state)
{
	struct rule rules[3] = { { .n = 0 } };
	struct term terms[MEMBERS];
	struct classifier *c = classifier_new();
	struct flow f;
	uint32_t first;

	(void)state;
	flow_any(&f);
	for (size_t i = 0; i < MEMBERS; i++) {
		terms[i] =
		    (struct term){ .at = members[i].at, .octets = members[i].octets };
		memset(terms[i].mask, 0xff, members[i].octets);
		memcpy(terms[i].value, (const char *)&f + members[i].at,
		    members[i].octets);
	}
	for (size_t i = 0; i < MEMBERS; i++) {
		terms[i].value[0] ^= 1;
		assert_int_equal(classifier_add(c, terms, MEMBERS), 0);
		terms[i].value[0] ^= 1;
	}
	assert_int_equal(classifier_add(c, terms, MEMBERS), 0);
	assert_int_equal(classifier_close(c), 0);
	classifier_find(c, &f, 1, NULL, &first);
	assert_int_equal(first, MEMBERS);
	classifier_free(c);

	/* What excludes itself fits nothing, and does not hide the next. */
	rules[0].n = 2;
	rules[0].terms[0] = rules[0].terms[1] = terms[0];
	rules[0].terms[1].value[3] ^= 1;
	rules[1].never = true;
	c = classifier_of(rules, 3);
	classifier_find(c, &f, 1, NULL, &first);
	assert_int_equal(first, 2);
	classifier_free(c);
	c = classifier_of(rules, 0);
	classifier_find(c, &f, 1, NULL, &first);
	assert_int_equal(first, CLASSIFIER_END);
	classifier_free(c);
	classifier_free(NULL);
}

static void
test_reads(void **state)
{
	struct rule rule = { .n = 2 };
	struct field_set reads = { { 0 } }, want = { { 0 } };
	struct classifier *c;

	(void)state;
	rule.terms[0] = (struct term){ .at = offsetof(struct flow, in_iface),
		.also = offsetof(struct flow, out_iface),
		.octets = 4 };
	rule.terms[1] = (struct term){ .at = offsetof(struct flow, src_mac),
		.octets = 1,
		.negated = true,
		.mask = { 1 } };
	c = classifier_of(&rule, 1);
	classifier_reads(c, &reads);
	field_set_add(&want, F_IN_IFACE);
	field_set_add(&want, F_OUT_IFACE);
	field_set_add(&want, F_SRC_MAC);
	assert_memory_equal(&reads, &want, sizeof(reads));
	classifier_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_like_a_list),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_many_terms),
		cmocka_unit_test(test_reads),
	};

	return cmocka_run_group_tests_name("classifier", tests, NULL, NULL);
}
