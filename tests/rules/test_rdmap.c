/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "flow/text.h"
#include "lib/rcu.h"
#include "rules/rdmap.h"
#include "rules/rules.h"
#include "tests/lib/scratch.h"

static void
apply(const struct rules *r, enum flow_source source, struct flow *flows, unsigned n)
{
	rules_apply(r, &(struct batch){ .flows = flows, .n = n, .source = source });
}

static ip16_t
address(const char *text)
{
	ip16_t a = { { 0 } };

	if (text != NULL)
		assert_int_equal(ip_parse(text, &a), 0);
	return a;
}

/* Each type at its greatest, read and shown again; and what is none. */
static const struct {
	const char *says, *text;
	uint64_t want; /* 0: refused */
} values[] = {
	{ "type 0", "0:65000:100", UINT64_C(0x0000fde800000064) },
	{ "type 0, at its greatest", "0:65535:4294967295",
	    UINT64_C(0x0000ffffffffffff) },
	{ "type 1", "1:192.0.2.1:100", UINT64_C(0x0001c00002010064) },
	{ "type 2", "2:4200000000:65535", UINT64_C(0x0002fa56ea00ffff) },
	{ "type 0 with an AS of 32 bits", "0:65536:1", 0 },
	{ "type 2 with a number of 32 bits", "2:65000:65536", 0 },
	{ "type 1 with an AS", "1:65000:100", 0 },
	{ "type 1 with an IPv6 address", "1:2001:db8::1:100", 0 },
	{ "type 3", "3:65000:100", 0 },
	{ "no type", "65000:100", 0 },
	{ "no number", "0:65000:", 0 },
	{ "four parts", "0:65000:100:1", 0 },
	{ "a sign", "0:+5:100", 0 },
	{ "a number that wraps in 64 bits", "0:1:18446744073709551617", 0 },
};

static void
test_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct problems ps = { 0 };
		struct flow f = { .stamp = 1 };
		char line[64], text[TEXT_MAX];
		struct text_opts opts = { 0 };
		struct rdmap *m;

		snprintf(line, sizeof(line), "id=%s\n", values[i].text);
		scratch_write(line);
		m = rdmap_load(scratch_path, &ps, NULL);
		assert_non_null(m);
		rdmap_apply(m, &f, 1);
		if (rd_plain(f.mpls_vpn_rd) != values[i].want ||
		    ps.n_errors != (values[i].want == 0))
			fail_msg("%s: %016llx, %zu errors", values[i].says,
			    (unsigned long long)f.mpls_vpn_rd, ps.n_errors);
		if (values[i].want != 0) {
			text_value(&fields[F_MPLS_VPN_RD], &f.mpls_vpn_rd, &opts, text);
			assert_string_equal(text, values[i].text);
		}
		problems_free(&ps);
		rdmap_free(m);
	}
}

static const char usual[] = "id=0:1:1 ip=192.0.2.0/24 in=3 out=4\n"
			    "id=0:1:2 mpls_vpn_id=7\n"
			    "id=0:1:3 bgp_nexthop=198.51.100.1 mpls_label_bottom=-16\n"
			    "id=0:1:4 ip=2001:db8::1\n"
			    "id=0:1:5 ip=192.0.2.9 in=-3\n";

static const struct {
	const char *says, *exporter, *nexthop;
	uint32_t in, out, vrf_in, vrf_out, label;
	uint32_t want; /* the number of the distinguisher, 0: no rule fits */
} cases[] = {
	{ "exporter and interfaces", "192.0.2.1", NULL, 3, 4, 0, 0, 0, 1 },
	{ "one interface is another", "192.0.2.1", NULL, 3, 5, 0, 0, 0, 0 },
	{ "the exporter is another", "192.0.3.1", NULL, 3, 4, 0, 0, 0, 0 },
	{ "the VRF on the way in", "192.0.3.1", NULL, 3, 4, 7, 0, 0, 2 },
	{ "the VRF on the way out", "192.0.3.1", NULL, 3, 4, 1, 7, 0, 2 },
	{ "the first that fits", "192.0.2.1", NULL, 3, 4, 7, 7, 0, 1 },
	{ "next hop, any label but 16", "192.0.3.1", "198.51.100.1", 0, 0, 0, 0, 17,
	    3 },
	{ "it is 16", "192.0.3.1", "198.51.100.1", 0, 0, 0, 0, 16, 0 },
	{ "an IPv6 exporter", "2001:db8::1", NULL, 0, 0, 0, 0, 0, 4 },
	{ "any interface but", "192.0.2.9", NULL, 4, 4, 0, 0, 0, 5 },
};

static void
test_rules(void **state)
{
	struct problems ps = { 0 };
	struct flow flows[sizeof(cases) / sizeof(cases[0])];
	struct rdmap *m;

	(void)state;
	scratch_write(usual);
	m = rdmap_load(scratch_path, &ps, NULL);
	assert_non_null(m);
	assert_int_equal(ps.n, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct flow *f = &flows[i];

		flow_clear(f);
		f->exporter_ip = address(cases[i].exporter);
		f->peer_dst_ip = address(cases[i].nexthop);
		f->in_iface = cases[i].in, f->out_iface = cases[i].out;
		f->ingress_vrf_id = cases[i].vrf_in;
		f->egress_vrf_id = cases[i].vrf_out;
		f->mpls_label_bottom = cases[i].label;
	}
	rdmap_apply(m, flows, sizeof(cases) / sizeof(cases[0]));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t want =
		    cases[i].want != 0 ? UINT64_C(1) << 32 | cases[i].want : 0;

		if (rd_plain(flows[i].mpls_vpn_rd) != want)
			fail_msg("%s: %llx", cases[i].says,
			    (unsigned long long)flows[i].mpls_vpn_rd);
	}
	rdmap_free(m);
}

/* The map's, else the exporter's, else a VRF's number: of the way in before out. */
static void
test_order(void **state)
{
	static const struct {
		const char *says;
		uint32_t in, vrf_in, vrf_out;
		uint64_t own, want;
		enum rd_origin origin;
	} orders[] = {
		{ "the map comes before the exporter", 1, 5, 6, 9, 0x0000000500000001,
		    RD_MAP },
		{ "the exporter, where no rule fits", 2, 5, 6, 9, 9, RD_FLOW },
		{ "the exporter's zero", 2, 5, 6, UINT64_C(1) << RD_ORIGIN_SHIFT, 0,
		    RD_FLOW },
		{ "the VRF on the way in", 2, 5, 6, 0, 0x3fff000000000005, RD_FLOW },
		{ "the VRF on the way out", 2, 0, 6, 0, 0x3fff000000000006, RD_FLOW },
		{ "nothing", 2, 0, 0, 0, 0, RD_UNKNOWN },
	};
	struct rules_config c = { .flow_to_rd_map = scratch_path };
	struct problems ps = { 0 };
	struct field_set needed;
	struct files *fs = files_new();
	struct rules *r;

	(void)state;
	scratch_write("id=0:5:1 in=1\n");
	assert_int_equal(field_set_parse("mpls_vpn_rd", &needed, NULL), 0);
	assert_int_equal(rules_new(&c, &needed, fs, &r, &ps, NULL), 0);
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		struct flow f = { .in_iface = orders[i].in,
			.ingress_vrf_id = orders[i].vrf_in,
			.egress_vrf_id = orders[i].vrf_out,
			.mpls_vpn_rd = orders[i].own };

		apply(r, SOURCE_NETFLOW, &f, 1);
		if (rd_plain(f.mpls_vpn_rd) != orders[i].want ||
		    rd_origin(f.mpls_vpn_rd) != orders[i].origin)
			fail_msg("%s: %llx", orders[i].says,
			    (unsigned long long)f.mpls_vpn_rd);
	}
	/* Read anew: taken when it is sound. */
	scratch_write("id=0:5:2 in=1\n");
	for (int sound = 1; sound >= 0; sound--) {
		struct flow f = { .in_iface = 1 };

		files_reload(fs, &ps);
		assert_int_equal(ps.n_errors, !sound);
		apply(r, SOURCE_NETFLOW, &f, 1);
		assert_int_equal(rd_plain(f.mpls_vpn_rd), 0x0000000500000002);
		scratch_write("id=0:5:3 in=1\nid=0:5\n");
	}
	problems_free(&ps);
	rules_free(r);

	/* Who does not need it does not read the file. */
	c.flow_to_rd_map = "/nonexistent/rd.map";
	assert_int_equal(rules_new(&c, &needed, fs, &r, &ps, NULL), -WEIR_EIO);
	assert_int_equal(field_set_parse("src_host", &needed, NULL), 0);
	assert_int_equal(rules_new(&c, &needed, fs, &r, &ps, NULL), 0);
	assert_null(r);
	files_free(fs);
}

static void
test_faults(void **state)
{
	struct problems ps = { 0 };

	(void)state;
	scratch_write("in=3\n");
	rdmap_free(rdmap_load(scratch_path, &ps, NULL));
	assert_int_equal(ps.n_errors, 1);
	assert_non_null(strstr(ps.list[0].text, ":1: flow_to_rd_map: a rule without"));
	problems_free(&ps);
}

static int
leave(void **state)
{
	rcu_drain();
	return scratch_remove(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_faults),
	};

	return cmocka_run_group_tests_name("rdmap", tests, scratch_make, leave);
}
