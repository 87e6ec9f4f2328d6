/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collectors/optdata.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "lib/intern.h"
#include "lib/rcu.h"
#include "tests/proto/hex.h"

#define V9 TEMPLATE_V9_OPTIONS
#define IPFIX TEMPLATE_IPFIX_OPTIONS
#define DOMAIN 7U
#define NOW (UINT64_C(1700000000) * CLOCK_S)

/* A template and one record of it, in a message of domain 7; and what that tells. */
static const struct {
	const char *says;
	enum template_kind kind;
	const char *template, *record;
	const char *told; /* whole or domain, and facts */
} cases[] = {
	/* rates */
	{ "v9: scope System, samplingInterval and its algorithm", V9,
	    "0100 0004 0008 00010000 00220004 00230001", "000003e8 01",
	    "whole: rate 1000" },
	{ "v9: a sampler of Cisco's: id, mode, random interval", V9,
	    "0100 0004 000c 00010004 00300001 00310001 00320002", "c0000201 03 02 01f4",
	    "whole: rate 500, sampler 3 500" },
	{ "v9: an interface as scope", V9, "0100 0004 0004 00020004 00220004",
	    "00000005 00000064", "domain 7: rate 100, interface 5 100" },
	{ "v9: a line card as scope is of the domain", V9,
	    "0100 0004 0004 00030002 00220004", "0001 00000064", "domain 7: rate 100" },
	{ "v9: no scope at all", V9, "0100 0000 0004 00220004", "00000064",
	    "domain 7: rate 100" },
	{ "v9: in a scope, 34 is no samplingInterval", V9,
	    "0100 0004 0004 00220004 00010004", "00000064 00000001", "domain 7:" },
	{ "IPFIX: 1 out of 256, beside an interval of 1, as Cisco has it", IPFIX,
	    "0100 0005 0001 012e0004 01310004 01300002 01350004 01360004",
	    "00000001 00000001 0003 00000001 00000100",
	    "domain 7: rate 256, sampler 1 256" },
	{ "IPFIX: 64-bit selectors", IPFIX, "0100 0002 0001 012e0008 00220004",
	    "0000000100000002 0000000a", "domain 7: rate 10, sampler 4294967298 10" },
	{ "IPFIX: one packet, then 999 left out", IPFIX,
	    "0100 0003 0001 012e0002 01310004 01320004", "0002 00000001 000003e7",
	    "domain 7: rate 1000, sampler 2 1000" },
	{ "rates are rounded: 3 of 10", IPFIX,
	    "0100 0003 0001 012e0002 01310004 01320004", "0002 00000003 00000007",
	    "domain 7: rate 3, sampler 2 3" },
	{ "and up from the half: 2 of 1001", IPFIX,
	    "0100 0003 0001 012e0002 01350004 01360004", "0002 00000002 000003e9",
	    "domain 7: rate 501, sampler 2 501" },
	{ "a probability of 0.01, a double", IPFIX, "0100 0002 0001 012e0002 01370008",
	    "0002 3f847ae147ae147b", "domain 7: rate 100, sampler 2 100" },
	{ "a probability of 0.25, a float", IPFIX, "0100 0002 0001 012e0002 01370004",
	    "0002 3e800000", "domain 7: rate 4, sampler 2 4" },
	{ "a probability of zero is none", IPFIX, "0100 0002 0001 012e0002 01370008",
	    "0002 0000000000000000", "domain 7: rate 0, sampler 2 0" },
	{ "one that is no number is none", IPFIX, "0100 0002 0001 012e0002 01370008",
	    "0002 7ff8000000000000", "domain 7: rate 0, sampler 2 0" },
	{ "5 of 3 are none", IPFIX, "0100 0003 0001 012e0002 01350004 01360004",
	    "0002 00000005 00000003", "domain 7: rate 0, sampler 2 0" },
	{ "0 of 3 are none", IPFIX, "0100 0003 0001 012e0002 01350004 01360004",
	    "0002 00000000 00000003", "domain 7: rate 0, sampler 2 0" },
	{ "more than 32 bits are none", IPFIX, "0100 0002 0001 012e0002 00220008",
	    "0002 0000000100000000", "domain 7: rate 0, sampler 2 0" },
	{ "spaces that wrap are none", IPFIX,
	    "0100 0003 0001 012e0002 01310008 01320008",
	    "0002 ffffffffffffffff 0000000000000002", "domain 7: rate 0, sampler 2 0" },
	{ "a sampler without a rate tells nothing", IPFIX,
	    "0100 0002 0001 012e0002 01300002", "0002 0001", "domain 7:" },
	{ "an enterprise's 34 is another element", IPFIX,
	    "0100 0002 0001 012e0002 80220004 00000009", "0002 00000064", "domain 7:" },

	/* scopes of IPFIX */
	{ "IPFIX: an exporting process is the whole exporter", IPFIX,
	    "0100 0002 0001 00900004 00220004", "00000001 00000064",
	    "whole: rate 100" },
	{ "IPFIX: a metering process, too", IPFIX, "0100 0002 0001 008f0004 00220004",
	    "00000001 00000064", "whole: rate 100" },
	{ "IPFIX: but not where it is no scope", IPFIX,
	    "0100 0003 0001 00950004 008f0004 00220004", "00000007 00000001 00000064",
	    "domain 7: rate 100" },
	{ "IPFIX: another domain", IPFIX, "0100 0002 0001 00950004 00220004",
	    "00000009 00000064", "domain 9: rate 100" },

	/* addresses and names */
	{ "the exporter's IPv4 address", V9, "0100 0004 0004 00010004 00820004",
	    "00000000 c6336407", "whole: address 198.51.100.7" },
	{ "the exporter's IPv6 address", IPFIX, "0100 0002 0001 00950004 00830010",
	    "00000007 20010db8000000000000000000000001",
	    "domain 7: address 2001:db8::1" },
	{ "an interface's name, padded with NULs", V9,
	    "0100 0004 0008 00010004 000a0004 00520008",
	    "00000000 00000003 6574683000000000", "whole: name 3 eth0" },
	{ "padded with blanks", IPFIX, "0100 0002 0001 000a0004 00520008",
	    "00000003 6574683020202020", "domain 7: name 3 eth0" },
	{ "of variable length, before its description", IPFIX,
	    "0100 0003 0001 000e0004 0053ffff 0052ffff", "00000003 02 7570 04 65746830",
	    "domain 7: name 3 eth0" },
	{ "the description, where the name is empty", IPFIX,
	    "0100 0003 0001 000e0004 0053ffff 0052ffff", "00000003 02 7570 00",
	    "domain 7: name 3 up" },
	{ "an interface as v9's scope, with its name", V9,
	    "0100 0004 0004 00020002 00520004", "0003 65746830",
	    "domain 7: name 3 eth0" },
	{ "control characters do not come through", IPFIX,
	    "0100 0002 0001 000a0004 0052ffff", "00000003 04 650a6830",
	    "domain 7: name 3 e?h0" },
	{ "a VRF: name and route distinguisher", IPFIX,
	    "0100 0003 0001 00ea0004 00ecffff 005a0008",
	    "00000002 03 726564 0000fde900000064",
	    "domain 7: vrf 2 red, rd 2 4000fde900000064" }, /* with its origin */
	{ "a route distinguisher of zero is told all the same", IPFIX,
	    "0100 0002 0001 00ea0004 005a0008", "00000002 0000000000000000",
	    "domain 7: rd 2 4000000000000000" },
	{ "by the egress VRF", IPFIX, "0100 0002 0001 00eb0004 00ecffff",
	    "00000002 03 726564", "domain 7: vrf 2 red" },
	{ "a route distinguisher of six octets is none", IPFIX,
	    "0100 0002 0001 00ea0004 005a0006", "00000002 fde900000064", "domain 7:" },
	{ "an application of Cisco's", V9,
	    "0100 0004 000c 00010004 005f0004 00600004 005e0004",
	    "00000000 03000050 68747470 57575700", "whole: app 50331728 http" },
	{ "its description, where it has no name", IPFIX,
	    "0100 0003 0001 005f0004 00600004 005e0004", "03000050 00000000 57575700",
	    "domain 7: app 50331728 WWW" },
	{ "a name of nothing", IPFIX, "0100 0002 0001 00950004 0052ffff",
	    "00000007 04 65746830", "domain 7:" },
	{ "nothing of interest", IPFIX, "0100 0002 0001 00950004 00290008",
	    "00000007 0000000000000001", "domain 7:" },
};

static struct template *
compile(enum template_kind kind, const char *text)
{
	uint8_t octets[64];
	struct rbuf r = rbuf_of(octets, hex_octets(text, octets, sizeof(octets)));
	struct field_set none = { { 0 } };
	struct template_def d;
	struct template *t;

	assert_int_equal(template_next(&r, kind, &d), 0);
	t = template_new(&d, &none);
	assert_non_null(t);
	return t;
}

static const char *
told_text(const struct optdata_told *told, char *buf, size_t room)
{
	static const char *const names[] = { "rate", "sampler", "interface", "name",
		"vrf", "rd", "app" };
	char addr[IP_STRLEN];
	size_t n =
	    (size_t)(told->whole ? snprintf(buf, room, "whole:")
				 : snprintf(buf, room, "domain %u:", told->domain));

	for (unsigned i = 0; i < told->n; i++) {
		const struct optdata_fact *f = &told->facts[i];
		const char *comma = i > 0 ? "," : "";

		n +=
		    (size_t)snprintf(buf + n, room - n, "%s %s", comma, names[f->kind]);
		if (f->kind != OPTDATA_RATE)
			n += (size_t)snprintf(
			    buf + n, room - n, " %llu", (unsigned long long)f->key);
		if (f->kind == OPTDATA_VRF_RD)
			n += (size_t)snprintf(buf + n, room - n, " %016llx",
			    (unsigned long long)f->value);
		else if (f->kind <= OPTDATA_INTERFACE_RATE)
			n += (size_t)snprintf(
			    buf + n, room - n, " %llu", (unsigned long long)f->value);
		else
			n += (size_t)snprintf(
			    buf + n, room - n, " %s", intern_text((uint32_t)f->value));
	}
	if (!ip_is_none(&told->address)) {
		ip_format(&told->address, addr);
		snprintf(buf + n, room - n, " address %s", addr);
	}
	return buf;
}

/* Each record at its whole length, and at every shorter one. */
static void
test_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct template *t = compile(cases[i].kind, cases[i].template);
		uint8_t octets[64];
		size_t len = hex_octets(cases[i].record, octets, sizeof(octets));
		char text[200];

		for (size_t have = 0; have <= len; have++) {
			uint8_t *copy = malloc(have + 1);
			struct rbuf r = rbuf_of(copy, have);
			struct optdata_told told;
			int rc;

			memcpy(copy, octets, have);
			rc = optdata_read(t, &r, DOMAIN, false, &told);
			if (rc != (have < len ? -WEIR_EMALFORMED : 0))
				fail_msg("%s: %zu of %zu octets: %d", cases[i].says,
				    have, len, rc);
			free(copy);
			if (have < len) {
				assert_int_equal(told.n, 0);
				continue;
			}
			assert_int_equal(rbuf_left(&r), 0);
			if (strcmp(told_text(&told, text, sizeof(text)),
				cases[i].told) != 0)
				fail_msg("%s: %s", cases[i].says, text);
		}
		template_free(t);
	}
}

static void
test_any_scope(void **state)
{
	struct template *t = compile(V9, "0100 0004 0004 00030002 00220004");
	uint8_t octets[8];
	struct rbuf r =
	    rbuf_of(octets, hex_octets("0001 00000064", octets, sizeof(octets)));
	struct optdata_told told;

	(void)state;
	assert_int_equal(optdata_read(t, &r, DOMAIN, true, &told), 0);
	assert_true(told.whole);
	template_free(t);
}

static void
learn_at(struct optdata *o, bool whole, uint32_t domain, enum optdata_kind kind,
    uint64_t key, uint64_t value, uint64_t now, unsigned refused)
{
	struct optdata_told told = { .whole = whole,
		.domain = domain,
		.n = 1,
		.facts = { { kind, key, value } } };
	struct optdata_old old;

	assert_int_equal(optdata_learn(o, &told, now, &old), refused);
	optdata_retire(&old);
}

static void
learn(struct optdata *o, bool whole, uint32_t domain, enum optdata_kind kind,
    uint64_t key, uint64_t value)
{
	learn_at(o, whole, domain, kind, key, value, NOW, 0);
}

static uint32_t
kinds_of(const struct optdata *o, const char *needed)
{
	struct field_set needs;

	assert_int_equal(field_set_parse(needed, &needs, NULL), 0);
	return optdata_kinds(o, &needs);
}

static void
test_fill(void **state)
{
	struct optdata *o = optdata_new();
	struct flow f;
	uint32_t kinds, red, blue, eth0, http;

	(void)state;
	red = intern("red", 3), blue = intern("blue", 4);
	eth0 = intern("eth0", 4), http = intern("http", 4);
	learn(o, true, 0, OPTDATA_INTERFACE_NAME, 3, eth0);
	learn(o, true, 0, OPTDATA_VRF_NAME, 1, red);
	learn(o, false, 7, OPTDATA_VRF_NAME, 1, blue);
	learn(o, false, 7, OPTDATA_VRF_RD, 2, 99);
	learn(o, false, 7, OPTDATA_APPLICATION, 50331728, http);
	kinds = kinds_of(o, "in_iface_name,out_iface_name,ingress_vrf_name,"
			    "egress_vrf_name,mpls_vpn_rd,class,vrf_name");

	flow_clear(&f);
	f.in_iface = 3;
	f.out_iface = 4; /* nothing was told of it */
	f.ingress_vrf_id = 1;
	f.egress_vrf_id = 2;
	f.application_id = 50331728;
	optdata_fill(o, kinds, 7, &f);
	assert_int_equal(f.in_iface_name, eth0);
	assert_int_equal(f.out_iface_name, 0);
	assert_int_equal(f.ingress_vrf_name, blue); /* the domain's own comes first */
	assert_int_equal(f.egress_vrf_name, 0);
	assert_int_equal(f.vrf_name, blue);
	assert_int_equal(rd_plain(f.mpls_vpn_rd), 99); /* of the way out: in has none */
	assert_int_equal(rd_origin(f.mpls_vpn_rd), RD_FLOW);
	assert_int_equal(f.class_id, http);

	/* Another domain has but what is of the whole exporter. */
	f.ingress_vrf_name = f.vrf_name = f.class_id = f.in_iface_name = 0;
	f.mpls_vpn_rd = 0;
	optdata_fill(o, kinds, 8, &f);
	assert_int_equal(f.in_iface_name, eth0);
	assert_int_equal(f.ingress_vrf_name, red);
	assert_int_equal(f.mpls_vpn_rd, 0);
	assert_int_equal(f.class_id, 0);

	/* What the record says itself, stays. */
	f.in_iface_name = blue;
	optdata_fill(o, kinds, 8, &f);
	assert_int_equal(f.in_iface_name, blue);

	/* What was told last counts. */
	learn(o, true, 0, OPTDATA_INTERFACE_NAME, 3, red);
	f.in_iface_name = 0;
	optdata_fill(o, kinds, 8, &f);
	assert_int_equal(f.in_iface_name, red);

	/* Of two route distinguishers, the one that is not zero. */
	learn(o, false, 7, OPTDATA_VRF_RD, 1, rd_from(0, RD_FLOW));
	f.mpls_vpn_rd = 0;
	optdata_fill(o, kinds, 7, &f);
	assert_int_equal(rd_plain(f.mpls_vpn_rd), 99);
	f.egress_vrf_id = 3; /* nothing was told of it */
	f.mpls_vpn_rd = 0;
	optdata_fill(o, kinds, 7, &f);
	assert_int_equal(rd_plain(f.mpls_vpn_rd), 0);
	assert_int_equal(rd_origin(f.mpls_vpn_rd), RD_FLOW);

	/* The VRF of the way out counts where the way in has none. */
	f.ingress_vrf_id = 0;
	f.egress_vrf_id = 1;
	f.vrf_name = f.ingress_vrf_name = f.egress_vrf_name = 0;
	optdata_fill(o, kinds, 7, &f);
	assert_int_equal(f.vrf_name, blue);
	assert_int_equal(f.egress_vrf_name, blue);
	assert_int_equal(f.ingress_vrf_name, 0);
	f.ingress_vrf_id = 1;
	f.egress_vrf_id = 2;

	/* Nothing is looked up by a zero, which is no number. */
	learn(o, true, 0, OPTDATA_INTERFACE_NAME, 0, eth0);
	f.in_iface = f.in_iface_name = 0;
	optdata_fill(o, kinds, 8, &f);
	assert_int_equal(f.in_iface_name, 0);
	optdata_free(o);
}

/* The order of rates: sampler, interface in, interface out. */
static void
test_rates(void **state)
{
	struct optdata *o = optdata_new();
	uint32_t kinds, rate = 1;
	struct flow f;

	(void)state;
	assert_false(optdata_rate(o, 7, &rate));
	assert_int_equal(rate, 1);
	learn(o, true, 0, OPTDATA_RATE, 0, 10);
	assert_true(optdata_rate(o, 7, &rate));
	assert_int_equal(rate, 10);
	learn(o, false, 7, OPTDATA_RATE, 0, 20);
	assert_true(optdata_rate(o, 7, &rate));
	assert_int_equal(rate, 20);
	assert_true(optdata_rate(o, 8, &rate));
	assert_int_equal(rate, 10);

	learn(o, true, 0, OPTDATA_SAMPLER, 5, 100);
	learn(o, true, 0, OPTDATA_INTERFACE_RATE, 1, 200);
	learn(o, true, 0, OPTDATA_INTERFACE_RATE, 2, 300);
	kinds = kinds_of(o, "sampling_rate");
	for (unsigned bits = 0; bits < 8; bits++) {
		flow_clear(&f);
		f.sampler_id = bits & 1 ? 5 : 6;
		f.in_iface = bits & 2 ? 1 : 9;
		f.out_iface = bits & 4 ? 2 : 9;
		optdata_fill(o, kinds, 7, &f);
		assert_int_equal(f.sampling_rate, bits & 1   ? 100
						  : bits & 2 ? 200
						  : bits & 4 ? 300
							     : 0);
	}
	optdata_free(o);
}

/* What nobody needs is not looked up, and what is looked up is decoded. */
static void
test_needs(void **state)
{
	struct optdata *o = optdata_new();
	struct field_set needs, want;

	(void)state;
	assert_int_equal(kinds_of(o, "sampling_rate,class"), 0);
	learn(o, true, 0, OPTDATA_INTERFACE_NAME, 3, 1);
	assert_int_equal(kinds_of(o, "sampling_rate,class"), 0);
	learn(o, false, 7, OPTDATA_SAMPLER, 3, 100);
	learn(o, false, 7, OPTDATA_RATE, 0, 100);
	assert_int_equal(kinds_of(o, "sampling_rate,class"),
	    1U << OPTDATA_SAMPLER | 1U << OPTDATA_RATE);
	assert_int_equal(kinds_of(o, "src_host,in_iface"), 0);
	optdata_free(o);

	assert_int_equal(
	    field_set_parse("sampling_rate,class,ingress_vrf_name", &needs, NULL), 0);
	assert_int_equal(
	    field_set_parse("sampling_rate,class,ingress_vrf_name,sampler_id,in_iface,"
			    "out_iface,application_id,ingress_vrf_id",
		&want, NULL),
	    0);
	optdata_reads(&needs);
	assert_memory_equal(&needs, &want, sizeof(needs));
}

static void
test_addresses(void **state)
{
	struct optdata *o = optdata_new();
	ip16_t a = { { 0 } }, got;

	(void)state;
	assert_false(optdata_address(o, 7, &got));
	for (uint32_t i = 1; i <= OPTDATA_ADDRESSES + 1; i++) {
		struct optdata_told told = { .domain = i };
		struct optdata_old old;

		a.b[14] = (uint8_t)(i >> 8), a.b[15] = (uint8_t)i;
		told.address = a;
		assert_int_equal(
		    optdata_learn(o, &told, NOW, &old), i > OPTDATA_ADDRESSES);
		optdata_retire(&old);
		assert_int_equal(optdata_address(o, i, &got), i <= OPTDATA_ADDRESSES);
		if (i <= OPTDATA_ADDRESSES)
			assert_true(ip_equal(&got, &a));
		/* A known one again takes no room. */
		told.domain = 0;
		a.b[14] = 0, a.b[15] = 1;
		told.address = a;
		assert_int_equal(optdata_learn(o, &told, NOW, &old), 0);
		optdata_retire(&old);
	}
	optdata_free(o);
}

/* A flood of names is refused at the bound; after a day, silent ones make room. */
static void
test_bound(void **state)
{
	struct optdata *o = optdata_new();
	const uint64_t day = UINT64_C(86401) * CLOCK_S;
	struct flow f = { .in_iface = 1 };

	(void)state;
	for (uint32_t i = 1; i <= OPTDATA_MAX; i++)
		learn(o, true, 0, OPTDATA_INTERFACE_NAME, i, i);
	assert_int_equal(optdata_count(o), OPTDATA_MAX);
	learn_at(o, true, 0, OPTDATA_INTERFACE_NAME, 0x10000001, 1, NOW, 1);
	learn(o, true, 0, OPTDATA_INTERFACE_NAME, 1, 77); /* known ones may change */
	learn_at(o, true, 0, OPTDATA_INTERFACE_NAME, 1, 78, NOW + day, 0);
	learn_at(o, true, 0, OPTDATA_INTERFACE_NAME, 0x10000001, 1, NOW + day, 0);
	assert_int_equal(optdata_count(o), 2);
	optdata_fill(o, 1U << OPTDATA_INTERFACE_NAME, 7, &f);
	assert_int_equal(f.in_iface_name, 78);
	optdata_free(o);
}

static int
enter(void **state)
{
	(void)state;
	rcu_enter();
	return 0;
}

static int
leave(void **state)
{
	(void)state;
	rcu_drain();
	rcu_leave();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_any_scope),
		cmocka_unit_test(test_fill),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_needs),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests_name("optdata", tests, enter, leave);
}
