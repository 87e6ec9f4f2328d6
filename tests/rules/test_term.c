/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "rules/term.h"
#include "tests/lib/scratch.h"

struct sample {
	struct prefix net;
	uint32_t in, id;
	uint64_t rd;
	uint16_t vlan;
};

#define AT(member) .offset = offsetof(struct sample, member)
#define WITH(member) \
	.at = offsetof(struct flow, member), .octets = sizeof(((struct flow *)0)->member)
static const struct mapfile_key keys[] = {
	{ "net", mapfile_prefix, AT(net), WITH(src_host), .prefix = true, .negates = true },
	{ "in", mapfile_u32, AT(in), WITH(in_iface), .negates = true,
	    .also = offsetof(struct flow, out_iface) },
	{ "id", mapfile_u32, AT(id) },
	{ "vlan", mapfile_uint, AT(vlan), WITH(vlan),
	    .also = offsetof(struct flow, out_vlan), .stands_in = true },
	{ "rd", mapfile_u64, AT(rd), WITH(mpls_vpn_rd), .mask = 0xffff },
	{ .name = NULL },
};

/* What a rule's terms say of the one flow that there is. */
struct taken {
	struct flow f;
	unsigned n;
	bool holds;
};

static int
rule_take(void *arg, const struct mapfile_rule *r, const void *values,
    struct problems *ps, struct err *e)
{
	static const struct mapfile map = { .keys = keys };
	struct taken *t = arg;
	struct term terms[MAPFILE_KEYS];

	(void)ps;
	(void)e;
	t->n = term_collect(&map, r, values, terms);
	t->holds = true;
	for (unsigned i = 0; i < t->n; i++) {
		struct check k = term_check(&terms[i]);

		t->holds &= check_holds(&k, &t->f);
	}
	return 0;
}

static const struct {
	const char *says, *rule, *host;
	uint32_t in, out; /* interfaces, and VLANs */
	uint64_t rd;
	unsigned terms;
	bool want;
} cases[] = {
	{ "what is compared with nothing makes no term", "id=3", NULL, 0, 0, 0, 0, true },
	{ "a host", "net=192.0.2.1", "192.0.2.1", 0, 0, 0, 1, true },
	{ "another host", "net=192.0.2.1", "192.0.2.2", 0, 0, 0, 1, false },
	{ "a prefix's last", "net=192.0.2.0/23", "192.0.3.255", 0, 0, 0, 1, true },
	{ "behind its last", "net=192.0.2.0/23", "192.0.4.0", 0, 0, 0, 1, false },
	{ "a prefix that does not end with an octet", "net=2001:db8::/33",
	    "2001:db8:7fff::", 0, 0, 0, 1, true },
	{ "behind it", "net=2001:db8::/33", "2001:db8:8000::", 0, 0, 0, 1, false },
	{ "all of IPv4 holds IPv4", "net=0.0.0.0/0", "203.0.113.7", 0, 0, 0, 1, true },
	{ "and no IPv6", "net=0.0.0.0/0", "2001:db8::1", 0, 0, 0, 1, false },
	{ "nor what has no address", "net=0.0.0.0/0", NULL, 0, 0, 0, 1, false },
	{ "all of IPv6 holds IPv6", "net=::/0", "2001:db8::1", 0, 0, 0, 1, true },
	{ "and no IPv4", "net=::/0", "203.0.113.7", 0, 0, 0, 1, false },
	{ "nor what has no address", "net=::/0", NULL, 0, 0, 0, 1, false },
	{ "a prefix of it that would hold IPv4 as it is kept", "net=::/64", "203.0.113.7", 0,
	    0, 0, 1, false },
	{ "but holds its own", "net=::/64", "::5", 0, 0, 0, 1, true },
	{ "not all of IPv6 is IPv4", "net=-::/0", "203.0.113.7", 0, 0, 0, 1, true },
	{ "not IPv6", "net=-::/0", "2001:db8::1", 0, 0, 0, 1, false },
	{ "the one", "in=7", NULL, 7, 3, 0, 1, true },
	{ "or the other", "in=7", NULL, 3, 7, 0, 1, true },
	{ "or none", "in=7", NULL, 3, 4, 0, 1, false },
	{ "neither", "in=-7", NULL, 3, 4, 0, 1, true },
	{ "not if one is", "in=-7", NULL, 3, 7, 0, 1, false },
	{ "the one that counts first", "vlan=7", NULL, 7, 3, 0, 1, true },
	{ "where it is, the other does not count", "vlan=7", NULL, 3, 7, 0, 1, false },
	{ "where it is not", "vlan=7", NULL, 0, 7, 0, 1, true },
	{ "it is, then, not zero", "vlan=0", NULL, 0, 7, 0, 1, false },
	{ "bits that do not count", "rd=5", NULL, 0, 0, 0x70005, 1, true },
	{ "and that do", "rd=5", NULL, 0, 0, 0x70006, 1, false },
	{ "all of them", "in=7 net=10.0.0.0/8 id=9 rd=1", "10.1.2.3", 7, 0, 1, 3, true },
	{ "all but one", "in=7 net=10.0.0.0/8 id=9 rd=1", "11.1.2.3", 7, 0, 1, 3, false },
};

static void
test_cases(void **state)
{
	static const struct mapfile map = { "sample_map", keys, sizeof(struct sample),
		rule_take };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct taken t = { .f = { .in_iface = cases[i].in,
			.out_iface = cases[i].out,
			.vlan = (uint16_t)cases[i].in,
			.out_vlan = (uint16_t)cases[i].out,
			.mpls_vpn_rd = cases[i].rd } };
		struct problems ps = { 0 };

		scratch_write(cases[i].rule);
		if (cases[i].host != NULL)
			assert_int_equal(ip_parse(cases[i].host, &t.f.src_host), 0);
		assert_int_equal(mapfile_read(&map, scratch_path, &t, &ps, NULL), 0);
		assert_int_equal(ps.n, 0);
		if (t.n != cases[i].terms || t.holds != cases[i].want)
			fail_msg("%s: %s: %u terms, %d", cases[i].says, cases[i].rule, t.n,
			    t.holds);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
	};

	return cmocka_run_group_tests_name("term", tests, scratch_make, scratch_remove);
}
