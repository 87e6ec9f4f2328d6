/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/rcu.h"
#include "rules/sampling.h"
#include "tests/lib/scratch.h"

#define MAX UINT64_MAX
#define PACKETS SOURCE_PACKETS
#define NETFLOW SOURCE_NETFLOW
#define SFLOW SOURCE_SFLOW

/* Write `map` to the file and compile `c` with it; NULL: without a map. */
static struct sampling *
sampling_make(const char *map, struct sampling_config c, struct problems *ps)
{
	struct sampling *s;
	struct err e = ERR_INIT;

	scratch_write(map != NULL ? map : "");
	c.map = map != NULL ? scratch_path : NULL;
	memset(ps, 0, sizeof(*ps));
	if (sampling_new(&c, &s, ps, &e) != 0)
		fail_msg("%s", e.text);
	return s;
}

static const char usual[] = "! comment\n"
			    "id=1000 ip=192.0.2.1 in=3\n"
			    "id=2000 ip=192.0.2.1 in=-3 out=4\n"
			    "id=3000 ip=192.0.2.0/24\n"
			    "id=4000 ip=2001:db8::/32 out=7\n"
			    "id=5000 in=9\n";

static const struct {
	const char *says, *map;
	struct sampling_config c;
	enum flow_source source;
	const char *exporter;
	uint32_t in, out, announced;
	uint32_t want;
} rates[] = {
	{ "exporter and interface", usual, { 0 }, NETFLOW, "192.0.2.1", 3, 4, 0, 1000 },
	{ "any interface but", usual, { 0 }, NETFLOW, "192.0.2.1", 5, 4, 0, 2000 },
	{ "the first that fits, whatever follows", usual, { 0 }, NETFLOW, "192.0.2.1",
	    5, 5, 0, 3000 },
	{ "a prefix", usual, { 0 }, NETFLOW, "192.0.2.200", 3, 4, 0, 3000 },
	{ "a map counts before what is announced", usual, { 0 }, NETFLOW, "192.0.2.200",
	    0, 0, 77, 3000 },
	{ "sFlow, too", usual, { 0 }, SFLOW, "192.0.2.200", 0, 0, 77, 3000 },
	{ "IPv6", usual, { 0 }, NETFLOW, "2001:db8::1", 1, 7, 0, 4000 },
	{ "no rule fits: what is announced", usual, { 0 }, NETFLOW, "2001:db8::1", 1, 8,
	    77, 77 },
	{ "a rule without exporter is for all, IPv4", usual, { 0 }, NETFLOW,
	    "198.51.100.1", 9, 0, 77, 5000 },
	{ "and IPv6", usual, { 0 }, NETFLOW, "2001:db8:1::", 9, 0, 77, 5000 },
	{ "no rule, nothing announced", usual, { 0 }, NETFLOW, "198.51.100.1", 1, 2, 0,
	    0 },
	{ "no rule, nothing announced, but a rate to stand in", usual,
	    { .ext_rate = { [NETFLOW] = 50 } }, NETFLOW, "198.51.100.1", 1, 2, 0, 50 },
	{ "it stands in for its own source only", usual,
	    { .ext_rate = { [NETFLOW] = 50 } }, SFLOW, "198.51.100.1", 1, 2, 0, 0 },
	{ "not where a rate is announced", NULL, { .ext_rate = { [NETFLOW] = 50 } },
	    NETFLOW, "198.51.100.1", 1, 2, 77, 77 },
	{ "nor where the map says one", usual, { .ext_rate = { [NETFLOW] = 50 } },
	    NETFLOW, "192.0.2.1", 3, 0, 0, 1000 },
	{ "packets have no exporter", usual, { 0 }, PACKETS, "0.0.0.0", 9, 0, 1, 1 },
	{ "but may be one in many", NULL, { .ext_rate = { [PACKETS] = 50 } }, PACKETS,
	    "0.0.0.0", 0, 0, 1, 50 },
};

static ip16_t
address(const char *text)
{
	ip16_t a;

	assert_int_equal(ip_parse(text, &a), 0);
	return a;
}

static void
flow_fill(struct flow *f, size_t row)
{
	flow_clear(f);
	f->exporter_ip = address(rates[row].exporter);
	f->in_iface = rates[row].in;
	f->out_iface = rates[row].out;
	f->sampling_rate = rates[row].announced;
	f->packets = 3;
	f->bytes = 500;
	f->flows = 1;
}

static void
test_rates(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct problems ps;
		struct sampling *s = sampling_make(rates[i].map, rates[i].c, &ps);
		struct flow f;

		assert_int_equal(ps.n, 0);
		assert_non_null(s);
		flow_fill(&f, i);
		assert_int_equal(sampling_apply(s, rates[i].source, &f, 1), 0);
		if (f.sampling_rate != rates[i].want)
			fail_msg("%s: got %u", rates[i].says, f.sampling_rate);
		assert_int_equal(f.packets, 3);
		assert_int_equal(f.bytes, 500);
		sampling_free(s);
	}
}

/* A batch of several exporters: the look-up of one does not serve another. */
static void
test_batch(void **state)
{
	const size_t n = sizeof(rates) / sizeof(rates[0]);
	struct problems ps;
	struct sampling *s =
	    sampling_make(usual, (struct sampling_config){ .ext_rate = { 0 } }, &ps);
	struct flow flows[FLOW_BATCH];

	(void)state;
	for (unsigned k = 0; k < FLOW_BATCH; k++)
		flow_fill(&flows[k], k * 7 % n);
	assert_int_equal(sampling_apply(s, NETFLOW, flows, FLOW_BATCH), 0);
	for (unsigned k = 0; k < FLOW_BATCH; k++) {
		struct flow one;

		flow_fill(&one, k * 7 % n);
		sampling_apply(s, NETFLOW, &one, 1);
		assert_int_equal(flows[k].sampling_rate, one.sampling_rate);
	}
	sampling_free(s);
}

static const struct {
	const char *says;
	enum flow_source source;
	uint64_t packets, bytes;
	uint32_t rate;
	uint64_t want_packets, want_bytes;
	uint32_t want_rate;
	unsigned over;
} products[] = {
	{ "packets and bytes times the rate, which then is 1", NETFLOW, 3, 500, 100,
	    300, 50000, 1, 0 },
	{ "a rate of 1 changes nothing", NETFLOW, 3, 500, 1, 3, 500, 1, 0 },
	{ "an unknown rate changes nothing", NETFLOW, 3, 500, 0, 3, 500, 0, 0 },
	{ "another source was not asked for", SFLOW, 3, 500, 100, 3, 500, 100, 0 },
	{ "the greatest product that fits", NETFLOW, MAX / 5, MAX / 5, 5, MAX, MAX, 1,
	    0 },
	{ "packets that do not fit stay at the greatest number", NETFLOW, MAX / 5 + 1,
	    2, 5, MAX, 10, 1, 1 },
	{ "bytes likewise", NETFLOW, 2, MAX, UINT32_MAX, UINT64_C(2) * UINT32_MAX, MAX,
	    1, 1 },
	{ "both are one record", NETFLOW, MAX, MAX, 2, MAX, MAX, 1, 1 },
};

static void
test_renormalize(void **state)
{
	struct problems ps;
	struct sampling_config c = { .renormalize = { [NETFLOW] = true } };
	struct sampling *s = sampling_make(NULL, c, &ps);

	(void)state;
	assert_non_null(s);
	for (size_t i = 0; i < sizeof(products) / sizeof(products[0]); i++) {
		struct flow f = { .packets = products[i].packets,
			.bytes = products[i].bytes,
			.flows = 1,
			.sampling_rate = products[i].rate };

		if (sampling_apply(s, products[i].source, &f, 1) != products[i].over)
			fail_msg("%s: counted otherwise", products[i].says);
		if (f.packets != products[i].want_packets ||
		    f.bytes != products[i].want_bytes ||
		    f.sampling_rate != products[i].want_rate)
			fail_msg("%s: got %llu packets, %llu bytes, 1 in %u",
			    products[i].says, (unsigned long long)f.packets,
			    (unsigned long long)f.bytes, f.sampling_rate);
		assert_int_equal(f.flows, 1);
	}
	sampling_free(s);
}

static void
test_map_then_ext_then_product(void **state)
{
	struct problems ps;
	struct sampling_config c = { .renormalize = { [NETFLOW] = true },
		.ext_rate = { [NETFLOW] = 7 } };
	struct sampling *s = sampling_make("id=10 in=1\n", c, &ps);
	struct flow flows[3] = {
		{ .in_iface = 1, .packets = 1, .sampling_rate = 3 },
		{ .in_iface = 2, .packets = 1, .sampling_rate = 3 },
		{ .in_iface = 2, .packets = 1 },
	};

	(void)state;
	sampling_apply(s, NETFLOW, flows, 3);
	assert_int_equal(flows[0].packets, 10);
	assert_int_equal(flows[1].packets, 3);
	assert_int_equal(flows[2].packets, 7);
	sampling_free(s);
}

static const struct {
	const char *says, *map, *exporter;
	uint32_t ext, announced, rate;
	int by;
} verdicts[] = {
	{ "nothing is known", NULL, "192.0.2.1", 0, 0, 0, SAMPLING_NONE },
	{ "the exporter announces", NULL, "192.0.2.1", 0, 9, 9, SAMPLING_ANNOUNCED },
	{ "a rate stands in", NULL, "192.0.2.1", 50, 0, 50, SAMPLING_EXT },
	{ "not for what is announced", NULL, "192.0.2.1", 50, 9, 9,
	    SAMPLING_ANNOUNCED },
	{ "the map", "id=5 ip=192.0.2.0/24\n", "192.0.2.1", 50, 9, 5, SAMPLING_MAP },
	{ "the map, of another", "id=5 ip=192.0.2.0/24\n", "192.0.3.1", 50, 9, 9,
	    SAMPLING_ANNOUNCED },
	{ "the map, by interface", "id=5 in=2\nid=6\n", "192.0.2.1", 50, 9, 0,
	    SAMPLING_MAP_INTERFACE },
};

static void
test_verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		struct problems ps;
		struct sampling_config c = { .ext_rate = {
						 [NETFLOW] = verdicts[i].ext } };
		struct sampling *s = sampling_make(verdicts[i].map, c, &ps);
		ip16_t from = address(verdicts[i].exporter);
		struct sampling_verdict v =
		    sampling_judge(s, NETFLOW, &from, verdicts[i].announced);

		if (v.rate != verdicts[i].rate || (int)v.by != verdicts[i].by)
			fail_msg(
			    "%s: 1 in %u by %d", verdicts[i].says, v.rate, (int)v.by);
		sampling_free(s);
	}
}

/* What the map says of input interface 1. */
static uint32_t
rate_now(struct sampling *s)
{
	struct flow f = { .in_iface = 1, .sampling_rate = 9 };

	sampling_apply(s, NETFLOW, &f, 1);
	return f.sampling_rate;
}

/* A map read anew counts from then on; one with faults, or none, changes nothing. */
static void
test_reload(void **state)
{
	struct problems ps;
	struct sampling_config c = { .ext_rate = { 0 } };
	struct sampling *s = sampling_make("id=5 in=1\n", c, &ps);

	(void)state;
	assert_int_equal(rate_now(s), 5);
	scratch_write("id=6 in=1\n");
	assert_int_equal(rate_now(s), 5);
	sampling_reload(s, &ps);
	assert_int_equal(rate_now(s), 6);
	scratch_write("id=7 in=1\nid=0\n");
	sampling_reload(s, &ps);
	assert_int_equal(ps.n_errors, 1);
	assert_int_equal(rate_now(s), 6);
	assert_int_equal(unlink(scratch_path), 0);
	sampling_reload(s, &ps);
	assert_int_equal(ps.n_errors, 2);
	assert_int_equal(rate_now(s), 6);
	scratch_write("! empty\n");
	sampling_reload(s, &ps);
	assert_int_equal(ps.n_errors, 2);
	assert_int_equal(rate_now(s), 9);
	problems_free(&ps);
	sampling_free(s);
}

static const struct {
	const char *says, *map, *problem;
} faults[] = {
	{ "a rule without a rate", "ip=192.0.2.1\n", "write id=RATE" },
	{ "a rate of zero", "id=0\n", "id: 0 is out of range" },
	{ "a key of another map", "id=1 set_tag=2\n", "unknown key 'set_tag'" },
};

static void
test_faults(void **state)
{
	struct sampling_config none = { .map = NULL },
			       lost = { .map = "/nonexistent/sampling.map" };
	struct problems ps;
	struct err e = ERR_INIT;
	struct sampling *s;

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		sampling_free(sampling_make(faults[i].map, none, &ps));
		if (ps.n_errors != 1 ||
		    strstr(ps.list[0].text, faults[i].problem) == NULL)
			fail_msg("%s: %zu problems", faults[i].says, ps.n);
		problems_free(&ps);
	}
	assert_int_equal(sampling_new(&lost, &s, &ps, &e), -WEIR_EIO);
	assert_non_null(strstr(e.text, "/nonexistent/sampling.map"));
	assert_null(s);
	assert_int_equal(sampling_new(&none, &s, &ps, &e), 0);
	assert_null(s); /* nothing to do costs nothing */
	sampling_free(NULL);
}

/* Who needs the rate needs what the map looks at; who does not need it, nothing. */
static void
test_reads(void **state)
{
	static const struct {
		const char *says, *needed, *reads;
		bool map, renormalize;
	} cases[] = {
		{ "nobody shows the rate", "src_host", "src_host", true, false },
		{ "a view shows it", "sampling_rate",
		    "sampling_rate,exporter_ip,in_iface,out_iface", true, false },
		{ "there is no map", "sampling_rate", "sampling_rate", false, false },
		{ "counters are multiplied", "src_host", "src_host,sampling_rate",
		    false, true },
		{ "by the map's rate", "src_host",
		    "src_host,sampling_rate,exporter_ip,in_iface,out_iface", true,
		    true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sampling_config c = { .map = cases[i].map ? scratch_path : NULL,
			.renormalize = { [SFLOW] = cases[i].renormalize } };
		struct field_set got, want;

		assert_int_equal(field_set_parse(cases[i].needed, &got, NULL), 0);
		assert_int_equal(field_set_parse(cases[i].reads, &want, NULL), 0);
		sampling_reads(&c, &got);
		if (memcmp(&got, &want, sizeof(got)) != 0)
			fail_msg("%s: other fields", cases[i].says);
	}
}

static void
test_directives(void **state)
{
	struct config c = { 0 };
	struct problems ps = { 0 };
	struct sampling_config got;

	(void)state;
	config_add(&c, "-", "sampling_map", NULL, "/etc/sampling.map");
	config_add(&c, "-", "nfacctd_ext_sampling_rate", NULL, "1000");
	config_add(&c, "-", "sfacctd_renormalize", NULL, "true");
	directive_apply(&sampling_directives, &c, NULL, &got, &ps);
	assert_int_equal(ps.n, 0);
	assert_string_equal(got.map, "/etc/sampling.map");
	for (int i = 0; i < SOURCE_COUNT; i++) {
		assert_int_equal(got.ext_rate[i], i == NETFLOW ? 1000 : 0);
		assert_int_equal(got.renormalize[i], i == SFLOW);
	}
	config_free(&c);
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
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_batch),
		cmocka_unit_test(test_renormalize),
		cmocka_unit_test(test_map_then_ext_then_product),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_reads),
		cmocka_unit_test(test_directives),
	};

	return cmocka_run_group_tests_name("sampling", tests, scratch_make, leave);
}
