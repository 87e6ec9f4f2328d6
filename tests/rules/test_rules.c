/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "rules/rules.h"

/* A networks_file of these lines. */
static char path[64];
static const char networks[] = "100,10.1.0.0/16\n200,10.1.2.0/24\n300,2001:db8::/32\n"
			       "10.3.0.0/16\n500,10.4.0.0/32\n";

static void
apply(const struct rules *r, enum flow_source source, struct flow *flows, unsigned n)
{
	rules_apply(r, &(struct batch){ .flows = flows, .n = n, .source = source });
}

static int
path_make(void **state)
{
	int fd, rc;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/weir-rules-XXXXXX");
	if ((fd = mkstemp(path)) == -1)
		return -1;
	rc = write(fd, networks, sizeof(networks) - 1) == sizeof(networks) - 1 ? 0 : -1;
	close(fd);
	return rc;
}

static int
path_remove(void **state)
{
	(void)state;
	return unlink(path);
}

static struct files *files; /* of all rules of a test */

static int
files_make(void **state)
{
	(void)state;
	files = files_new();
	return files == NULL ? -1 : 0;
}

static int
files_remove(void **state)
{
	(void)state;
	files_free(files);
	return 0;
}

static struct rules *
rules_make(const struct rules_config *c, const char *needed)
{
	struct field_set set;
	struct problems ps = { 0 };
	struct err e = ERR_INIT;
	struct rules *r;

	assert_int_equal(field_set_parse(needed, &set, &e), 0);
	if (rules_new(c, &set, files, &r, &ps, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(ps.n, 0);
	return r;
}

#define ALL "src_host,dst_host,src_net,dst_net,src_mask,dst_mask,src_as,dst_as"

#define PACKETS SOURCE_PACKETS
#define NETFLOW SOURCE_NETFLOW
#define SFLOW SOURCE_SFLOW

/* A host with the mask and AS that its record brought; what the rules make of it. */
static const struct {
	const char *says;
	enum flow_source source;
	bool file;
	struct rules_config c;
	const char *host;
	uint8_t mask;
	uint32_t as;
	const char *want_host, *want_net;
	uint8_t want_mask;
	uint32_t want_as;
} cases[] = {
	/* no file, nothing asked for: each source's own words */
	{ "packets have no prefix", PACKETS, false, { 0 }, "10.1.2.3", 0, 0, "10.1.2.3",
	    NULL, 0, 0 },
	{ "NetFlow's mask makes the network", NETFLOW, false, { 0 }, "10.1.2.3", 20, 7,
	    "10.1.2.3", "10.1.0.0", 20, 7 },
	{ "sFlow's, too", SFLOW, false, { 0 }, "10.1.2.3", 8, 7, "10.1.2.3", "10.0.0.0",
	    8, 7 },
	{ "no mask, no network", NETFLOW, false, { 0 }, "10.1.2.3", 0, 7, "10.1.2.3",
	    NULL, 0, 7 },
	{ "a mask of all bits", NETFLOW, false, { 0 }, "10.1.2.3", 32, 7, "10.1.2.3",
	    "10.1.2.3", 32, 7 },
	{ "a mask beyond IPv4 is cut", NETFLOW, false, { 0 }, "10.1.2.3", 200, 7,
	    "10.1.2.3", "10.1.2.3", 32, 7 },
	{ "IPv6", NETFLOW, false, { 0 }, "2001:db8:1:2::3", 48, 7, "2001:db8:1:2::3",
	    "2001:db8:1::", 48, 7 },
	{ "a mask beyond IPv6 is cut", NETFLOW, false, { 0 }, "2001:db8::3", 255, 7,
	    "2001:db8::3", "2001:db8::3", 128, 7 },

	/* networks_mask */
	{ "networks_mask decides for packets", PACKETS, false, { .networks_mask = 24 },
	    "10.1.2.3", 0, 0, "10.1.2.3", "10.1.2.0", 24, 0 },
	{ "networks_mask beyond IPv4 leaves the host", PACKETS, false,
	    { .networks_mask = 64 }, "10.1.2.3", 0, 0, "10.1.2.3", "10.1.2.3", 32, 0 },
	{ "networks_mask cuts IPv6 at the same number", PACKETS, false,
	    { .networks_mask = 64 }, "2001:db8:1:2:3::4", 0, 0, "2001:db8:1:2:3::4",
	    "2001:db8:1:2::", 64, 0 },
	{ "networks_mask alone does nothing to NetFlow", NETFLOW, false,
	    { .networks_mask = 24 }, "10.1.2.3", 16, 7, "10.1.2.3", "10.1.0.0", 16, 7 },
	{ "unless nfacctd_net says so", NETFLOW, false,
	    { .networks_mask = 24, .net = { [NETFLOW] = ORIGIN_MASK } }, "10.1.2.3", 16,
	    7, "10.1.2.3", "10.1.2.0", 24, 7 },
	{ "mask without networks_mask knows no network", NETFLOW, false,
	    { .net = { [NETFLOW] = ORIGIN_MASK } }, "10.1.2.3", 16, 7, "10.1.2.3", NULL,
	    0, 7 },

	/* networks_file */
	{ "the file decides for packets", PACKETS, true, { 0 }, "10.1.9.3", 0, 0,
	    "10.1.9.3", "10.1.0.0", 16, 100 },
	{ "the most specific line wins", PACKETS, true, { 0 }, "10.1.2.3", 0, 0,
	    "10.1.2.3", "10.1.2.0", 24, 200 },
	{ "IPv6 in the same file", PACKETS, true, { 0 }, "2001:db8:5::1", 0, 0,
	    "2001:db8:5::1", "2001:db8::", 32, 300 },
	{ "what is not listed has neither network nor AS", PACKETS, true, { 0 },
	    "10.9.9.9", 0, 0, "10.9.9.9", NULL, 0, 0 },
	{ "a file alone does nothing to NetFlow", NETFLOW, true, { 0 }, "10.1.2.3", 20,
	    7, "10.1.2.3", "10.1.0.0", 20, 7 },
	{ "nor to sFlow", SFLOW, true, { 0 }, "10.1.2.3", 20, 7, "10.1.2.3", "10.1.0.0",
	    20, 7 },
	{ "nfacctd_net: file", NETFLOW, true, { .net = { [NETFLOW] = ORIGIN_FILE } },
	    "10.1.2.3", 20, 7, "10.1.2.3", "10.1.2.0", 24, 7 },
	{ "nfacctd_as: file", NETFLOW, true, { .as = { [NETFLOW] = ORIGIN_FILE } },
	    "10.1.2.3", 20, 7, "10.1.2.3", "10.1.0.0", 20, 200 },
	{ "nfacctd_as: file, and no line", NETFLOW, true,
	    { .as = { [NETFLOW] = ORIGIN_FILE } }, "10.9.2.3", 20, 7, "10.9.2.3",
	    "10.9.0.0", 20, 0 },
	{ "nfacctd's word is not sfacctd's", SFLOW, true,
	    { .net = { [NETFLOW] = ORIGIN_FILE }, .as = { [NETFLOW] = ORIGIN_FILE } },
	    "10.1.2.3", 20, 7, "10.1.2.3", "10.1.0.0", 20, 7 },
	{ "nfacctd_net: netflow is the exporter's word", NETFLOW, true,
	    { .net = { [NETFLOW] = ORIGIN_EXPORTER },
		.as = { [NETFLOW] = ORIGIN_EXPORTER } },
	    "10.1.2.3", 20, 7, "10.1.2.3", "10.1.0.0", 20, 7 },
	{ "pmacctd_net: protocol, where packets say nothing", PACKETS, true,
	    { .net = { [PACKETS] = ORIGIN_PROTOCOL } }, "10.1.2.3", 0, 0, "10.1.2.3",
	    NULL, 0, 200 },

	/* longest */
	{ "longest: the file's prefix is longer", NETFLOW, true,
	    { .net = { [NETFLOW] = ORIGIN_LONGEST },
		.as = { [NETFLOW] = ORIGIN_LONGEST } },
	    "10.1.2.3", 20, 7, "10.1.2.3", "10.1.2.0", 24, 200 },
	{ "longest: the exporter's prefix is longer", NETFLOW, true,
	    { .net = { [NETFLOW] = ORIGIN_LONGEST },
		.as = { [NETFLOW] = ORIGIN_LONGEST } },
	    "10.1.2.3", 28, 7, "10.1.2.3", "10.1.2.0", 28, 7 },
	{ "longest: both are as long, the AS is the file's", NETFLOW, true,
	    { .net = { [NETFLOW] = ORIGIN_LONGEST },
		.as = { [NETFLOW] = ORIGIN_LONGEST } },
	    "10.1.2.3", 24, 7, "10.1.2.3", "10.1.2.0", 24, 200 },
	{ "longest: the file lists nothing", NETFLOW, true,
	    { .net = { [NETFLOW] = ORIGIN_LONGEST },
		.as = { [NETFLOW] = ORIGIN_LONGEST } },
	    "10.9.2.3", 28, 7, "10.9.2.3", "10.9.2.0", 28, 7 },
	{ "longest: the exporter says nothing", SFLOW, true,
	    { .net = { [SFLOW] = ORIGIN_LONGEST }, .as = { [SFLOW] = ORIGIN_LONGEST } },
	    "10.1.2.3", 0, 0, "10.1.2.3", "10.1.2.0", 24, 200 },
	{ "no_lpm: the file wins though its prefix is shorter", NETFLOW, true,
	    { .networks_file_no_lpm = true,
		.net = { [NETFLOW] = ORIGIN_LONGEST },
		.as = { [NETFLOW] = ORIGIN_LONGEST } },
	    "10.1.2.3", 28, 7, "10.1.2.3", "10.1.2.0", 24, 200 },
	{ "no_lpm: but only where it lists something", NETFLOW, true,
	    { .networks_file_no_lpm = true,
		.net = { [NETFLOW] = ORIGIN_LONGEST },
		.as = { [NETFLOW] = ORIGIN_LONGEST } },
	    "10.9.2.3", 28, 7, "10.9.2.3", "10.9.2.0", 28, 7 },

	/* networks_file_filter, networks_no_mask_if_zero */
	{ "the filter zeroes what is not listed", PACKETS, true,
	    { .networks_file_filter = true }, "10.9.9.9", 0, 0, NULL, NULL, 0, 0 },
	{ "the exporter's words, too", NETFLOW, true, { .networks_file_filter = true },
	    "10.9.9.9", 24, 7, NULL, NULL, 0, 0 },
	{ "the filter leaves what is listed", NETFLOW, true,
	    { .networks_file_filter = true }, "10.3.9.9", 24, 7, "10.3.9.9", "10.3.9.0",
	    24, 7 },
	{ "a filter without a file does nothing", NETFLOW, false,
	    { .networks_file_filter = true }, "10.9.9.9", 24, 7, "10.9.9.9", "10.9.9.0",
	    24, 7 },
	{ "no_mask_if_zero keeps the host as network", PACKETS, true,
	    { .networks_no_mask_if_zero = true }, "10.9.9.9", 0, 0, "10.9.9.9",
	    "10.9.9.9", 0, 0 },
	{ "no_mask_if_zero without a file", NETFLOW, false,
	    { .networks_no_mask_if_zero = true }, "10.9.9.9", 0, 7, "10.9.9.9",
	    "10.9.9.9", 0, 7 },
	{ "an IPv6 network that nothing lists", PACKETS, true, { 0 }, "2001:db9::1", 0, 0,
	    "2001:db9::1", "::", 0, 0 },
	{ "fallback is longest", NETFLOW, true,
	    { .net = { [NETFLOW] = ORIGIN_FALLBACK },
		.as = { [NETFLOW] = ORIGIN_FALLBACK } },
	    "10.1.2.3", 20, 7, "10.1.2.3", "10.1.2.0", 24, 200 },
	{ "nfacctd_as_new is nfacctd_as: file", NETFLOW, true,
	    { .as_new = { [NETFLOW] = true } }, "10.1.2.3", 20, 7, "10.1.2.3",
	    "10.1.0.0", 20, 200 },
	{ "networks_mask beside a file: the file decides", PACKETS, true,
	    { .networks_mask = 12 }, "10.1.2.3", 0, 0, "10.1.2.3", "10.1.2.0", 24, 200 },
	{ "networks_mask beside a file that does not list", PACKETS, true,
	    { .networks_mask = 12 }, "10.9.2.3", 0, 0, "10.9.2.3", NULL, 0, 0 },
	{ "nfacctd_net: mask", NETFLOW, false,
	    { .networks_mask = 20, .net = { [NETFLOW] = ORIGIN_MASK } }, "10.9.255.3", 24,
	    7, "10.9.255.3", "10.9.240.0", 20, 7 },
	{ "the filter goes before no_mask_if_zero", PACKETS, true,
	    { .networks_file_filter = true, .networks_no_mask_if_zero = true }, "10.9.9.9",
	    0, 0, NULL, NULL, 0, 0 },
	{ "no_mask_if_zero leaves known networks alone", NETFLOW, false,
	    { .networks_no_mask_if_zero = true }, "10.9.9.9", 8, 7, "10.9.9.9",
	    "10.0.0.0", 8, 7 },
};

static ip16_t
address(const char *text)
{
	ip16_t a = { { 0 } };

	if (text != NULL && ip_parse(text, &a) != 0)
		fail_msg("no address: %s", text);
	return a;
}

/* The same for both sides, in all places of a batch. */
static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rules_config c = cases[i].c;
		struct rules *r;
		struct flow flows[FLOW_BATCH];
		ip16_t host = address(cases[i].want_host),
		       net = address(cases[i].want_net != NULL ? cases[i].want_net :
				       strchr(cases[i].host, ':') ? "::" : "0.0.0.0");

		c.networks_file = cases[i].file ? path : NULL;
		r = rules_make(&c, ALL);
		assert_non_null(r);
		memset(flows, 0, sizeof(flows));
		for (unsigned k = 0; k < FLOW_BATCH; k++) {
			flows[k].src_host = flows[k].dst_host = address(cases[i].host);
			flows[k].src_mask = flows[k].dst_mask = cases[i].mask;
			flows[k].src_as = flows[k].dst_as = cases[i].as;
			flows[k].bytes = k;
		}
		apply(r, cases[i].source, flows, FLOW_BATCH);
		for (unsigned k = 0; k < FLOW_BATCH; k++) {
			const struct flow *f = &flows[k];

			if (!ip_equal(&f->src_host, &host) ||
			    !ip_equal(&f->dst_host, &host))
				fail_msg("%s: another host", cases[i].says);
			if (!ip_equal(&f->src_net, &net) ||
			    !ip_equal(&f->dst_net, &net))
				fail_msg("%s: another network", cases[i].says);
			if (f->src_mask != cases[i].want_mask ||
			    f->dst_mask != cases[i].want_mask)
				fail_msg(
				    "%s: the mask is %u", cases[i].says, f->src_mask);
			if (f->src_as != cases[i].want_as ||
			    f->dst_as != cases[i].want_as)
				fail_msg("%s: the AS is %u", cases[i].says, f->src_as);
			assert_int_equal(f->bytes, k);
		}
		rules_free(r);
	}
}

static const char peers[] = "10.0.0.1,65000_100,10.1.0.0/16\n200,10.1.2.0/24\n";

/* What becomes of the peers of a record, whose own are 1, 2 (peers 11, 12) and 192.0.2.1. */
static const struct {
	const char *says;
	enum flow_source source;
	struct rules_config c;
	const char *src, *dst;
	uint8_t mask;
	uint32_t src_as, dst_as, peer_src, peer_dst;
	const char *hop;
} peer_cases[] = {
	{ "of exporters all stays as it is told", NETFLOW, { 0 }, "10.1.0.1", "10.1.2.1", 16, 1, 2,
	    11, 12, "192.0.2.1" },
	{ "a file tells of packets what no packet tells", PACKETS, { 0 }, "10.1.2.1", "10.1.0.1", 0,
	    200, 100, 0, 65000, "10.0.0.1" },
	{ "*_as: file decides AS and peers", NETFLOW, { .as = { [NETFLOW] = ORIGIN_FILE } },
	    "10.1.0.1", "10.1.2.1", 16, 100, 200, 65000, 0, "192.0.2.1" },
	{ "*_net: file decides the next hop", SFLOW, { .net = { [SFLOW] = ORIGIN_FILE } },
	    "10.1.2.1", "10.1.0.1", 16, 1, 2, 11, 12, "10.0.0.1" },
	{ "a line without a next hop says that there is none", SFLOW,
	    { .net = { [SFLOW] = ORIGIN_FILE } }, "10.1.2.1", "10.1.2.1", 16, 1, 2, 11, 12, NULL },
	{ "nor is there one where no line is", SFLOW, { .net = { [SFLOW] = ORIGIN_FILE } },
	    "10.1.2.1", "10.9.2.1", 16, 1, 2, 11, 12, NULL },
	{ "longest: the file's prefix is as long", NETFLOW,
	    { .net = { [NETFLOW] = ORIGIN_LONGEST }, .as = { [NETFLOW] = ORIGIN_LONGEST } },
	    "10.1.0.1", "10.1.0.1", 16, 100, 100, 65000, 65000, "10.0.0.1" },
	{ "longest: the exporter's prefix is longer", NETFLOW,
	    { .net = { [NETFLOW] = ORIGIN_LONGEST }, .as = { [NETFLOW] = ORIGIN_LONGEST } },
	    "10.1.0.1", "10.1.0.1", 17, 1, 2, 11, 12, "192.0.2.1" },
	{ "no_lpm: it does not help", NETFLOW,
	    { .networks_file_no_lpm = true,
		.net = { [NETFLOW] = ORIGIN_LONGEST },
		.as = { [NETFLOW] = ORIGIN_LONGEST } },
	    "10.1.0.1", "10.1.0.1", 17, 100, 100, 65000, 65000, "10.0.0.1" },
	{ "*_peer_as: the AS are the peers'", NETFLOW, { .peer_as = { [NETFLOW] = true } },
	    "10.1.0.1", "10.1.0.1", 16, 0, 0, 1, 2, "192.0.2.1" },
	{ "*_peer_as of others is not meant", SFLOW, { .peer_as = { [NETFLOW] = true } },
	    "10.1.0.1", "10.1.0.1", 16, 1, 2, 11, 12, "192.0.2.1" },
	{ "*_peer_as beside a file", NETFLOW,
	    { .peer_as = { [NETFLOW] = true }, .as = { [NETFLOW] = ORIGIN_FILE } }, "10.1.0.1",
	    "10.1.2.1", 16, 100, 200, 65000, 0, "192.0.2.1" },
};

static void
test_peers(void **state)
{
	char file[] = "/tmp/weir-peers-XXXXXX";
	int fd = mkstemp(file);

	(void)state;
	assert_int_equal(write(fd, peers, sizeof(peers) - 1), sizeof(peers) - 1);
	close(fd);
	for (size_t i = 0; i < sizeof(peer_cases) / sizeof(peer_cases[0]); i++) {
		struct rules_config c = peer_cases[i].c;
		ip16_t hop = address(peer_cases[i].hop);
		struct flow f = { .src_host = address(peer_cases[i].src),
			.dst_host = address(peer_cases[i].dst), .src_mask = peer_cases[i].mask,
			.dst_mask = peer_cases[i].mask, .src_as = 1, .dst_as = 2,
			.peer_src_as = 11, .peer_dst_as = 12,
			.peer_dst_ip = address("192.0.2.1") };
		struct rules *r;

		c.networks_file = file;
		r = rules_make(&c, ALL ",peer_src_as,peer_dst_as,peer_dst_ip");
		apply(r, peer_cases[i].source, &f, 1);
		if (f.src_as != peer_cases[i].src_as || f.dst_as != peer_cases[i].dst_as ||
		    f.peer_src_as != peer_cases[i].peer_src ||
		    f.peer_dst_as != peer_cases[i].peer_dst || !ip_equal(&f.peer_dst_ip, &hop))
			fail_msg("%s: AS %u, %u, peers %u, %u", peer_cases[i].says, f.src_as,
			    f.dst_as, f.peer_src_as, f.peer_dst_as);
		rules_free(r);
	}
	unlink(file);
}

/* A host that is not there is in no network, not even in the default route. */
static void
test_no_host(void **state)
{
	char file[] = "/tmp/weir-default-XXXXXX";
	int fd = mkstemp(file);
	struct rules_config c = { .networks_file = file };
	struct flow f[2];
	struct rules *r;

	(void)state;
	assert_int_equal(write(fd, "9,::/0\n", 7), 7);
	close(fd);
	flow_clear(&f[0]);
	flow_clear(&f[1]);
	f[1].src_host = address("2001:db8::1");
	r = rules_make(&c, "src_as");
	apply(r, PACKETS, f, 2);
	assert_int_equal(f[0].src_as, 0);
	assert_int_equal(f[1].src_as, 9);
	rules_free(r);
	unlink(file);
}

/* Filters of tags: all of them must let a flow pass; post_tag comes behind. */
static void
test_tags(void **state)
{
	struct rules_config c = { .pre_tag_filter = "1-2", .pre_tag2_filter = "-5",
		.pre_tag_label_filter = "null", .post_tag = 77, .post_tag2 = 88 };
	struct rules *r = rules_make(&c, "tag,tag2");
	struct flow f[4];
	struct batch b = { .flows = f, .n = 4 };
	struct field_set reads = { { 0 } };

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		flow_clear(&f[i]);
	f[0].tag = f[1].tag = f[3].tag = 1;
	f[1].tag2 = 5;
	f[2].tag = 3;
	f[3].label = 1;
	assert_true(rules_select_tags(r, &b, batch_all(&b)) == 1);
	rules_apply(r, &b);
	assert_int_equal(f[0].tag, 77);
	assert_int_equal(f[3].tag2, 88);
	rules_select_reads(r, &reads);
	assert_true(field_set_has(&reads, F_TAG) && field_set_has(&reads, F_TAG2) &&
	    field_set_has(&reads, F_LABEL));
	rules_free(r);
	c = (struct rules_config){ .pre_tag_filter = "1" };
	r = rules_make(&c, "src_host");
	assert_non_null(r);
	rules_free(r);
}

static void
test_bad_lists(void **state)
{
	static const struct {
		struct rules_config c;
		const char *directive;
	} bad[] = {
		{ { .pre_tag_filter = "x" }, "pre_tag_filter" },
		{ { .pre_tag2_filter = "1," }, "pre_tag2_filter" },
		{ { .pre_tag_label_filter = "," }, "pre_tag_label_filter" },
		{ { .aggregate_filter = "tcp or" }, "aggregate_filter" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = ERR_INIT;
		const char *key = rules_lists_check(&bad[i].c, &e);

		assert_non_null(key);
		assert_string_equal(key, bad[i].directive);
		assert_int_not_equal(e.code, 0);
	}
	assert_null(rules_lists_check(&(struct rules_config){ .pre_tag_filter = "1" }, NULL));
}

/* *_as: file is nothing without a file, where somebody wants AS. */
static void
test_a_file_is_missing(void **state)
{
	struct rules_config c = { .as = { [NETFLOW] = ORIGIN_FILE } }, as_new = {
		.as_new = { [SFLOW] = true } };
	struct problems ps = { 0 };
	struct field_set needed;
	struct err e = ERR_INIT;
	struct rules *r;

	(void)state;
	assert_int_equal(field_set_parse("dst_as", &needed, NULL), 0);
	assert_int_equal(rules_new(&c, &needed, files, &r, &ps, &e), -WEIR_EINVAL);
	assert_non_null(strstr(e.text, "nfacctd_as"));
	assert_int_equal(rules_new(&as_new, &needed, files, &r, &ps, &e), -WEIR_EINVAL);
	assert_null(rules_make(&c, "src_host"));
	c = (struct rules_config){ .geoip_as_file = "/nonexistent" };
	assert_int_equal(field_set_parse("src_host_country", &needed, NULL), 0);
	assert_int_equal(rules_new(&c, &needed, files, &r, &ps, &e), -WEIR_EINVAL);
	assert_non_null(strstr(e.text, "geoipv2_file"));
	c = (struct rules_config){ .as = { [NETFLOW] = ORIGIN_GEOIP } };
	assert_int_equal(field_set_parse("dst_as", &needed, NULL), 0);
	assert_int_equal(rules_new(&c, &needed, files, &r, &ps, &e), -WEIR_EINVAL);
	assert_non_null(strstr(e.text, "geoip_as_file"));
	/* A database that nobody asks is not loaded. */
	c.geoipv2_file = "/nonexistent";
	assert_null(rules_make(&c, "src_host"));
}

/* Each side is worked out where a view needs it, and left alone where none does. */
static void
test_only_what_is_needed(void **state)
{
	static const struct {
		const char *needed;
		bool net[2], as[2];
	} needs[] = {
		{ "src_net", { true, false }, { false, false } },
		{ "dst_mask", { false, true }, { false, false } },
		{ "dst_as,src_port", { false, false }, { false, true } },
		{ "src_as,dst_net", { false, true }, { true, false } },
	};
	struct rules_config c = { .networks_file = path };

	(void)state;
	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		struct rules *r = rules_make(&c, needs[i].needed);
		struct flow f;

		assert_non_null(r);
		flow_clear(&f);
		f.src_host = f.dst_host = address("10.1.2.3");
		apply(r, SOURCE_PACKETS, &f, 1);
		assert_int_equal(f.src_mask, needs[i].net[0] ? 24 : 0);
		assert_int_equal(f.dst_mask, needs[i].net[1] ? 24 : 0);
		assert_int_equal(f.src_as, needs[i].as[0] ? 200 : 0);
		assert_int_equal(f.dst_as, needs[i].as[1] ? 200 : 0);
		rules_free(r);
	}
}

/* Where a record tells a prefix and no host, the exporter's word is that prefix. */
static void
test_a_prefix_in_the_record(void **state)
{
	struct rules_config none = { 0 }, file = { .networks_file = path,
		.net = { [NETFLOW] = ORIGIN_FILE } };
	ip16_t told = address("10.64.0.0"), unknown = address("0.0.0.0");
	struct rules *r = rules_make(&none, "src_net,dst_net,src_mask");
	struct flow f;

	(void)state;
	flow_clear(&f);
	f.src_net = told;
	f.src_mask = 10;
	apply(r, NETFLOW, &f, 1);
	assert_true(ip_equal(&f.src_net, &told));
	assert_int_equal(f.src_mask, 10);
	assert_true(ip_equal(&f.dst_net, &unknown));
	rules_free(r);
	/* Of other origins it is not. */
	r = rules_make(&file, "src_net");
	apply(r, NETFLOW, &f, 1);
	assert_true(ip_equal(&f.src_net, &unknown));
	rules_free(r);
}

/* The DSCP of what has a type of service, where it is asked for. */
static void
test_dscp(void **state)
{
	struct rules_config c = { .tos_as_dscp = true };
	struct rules *r = rules_make(&c, "tos");
	struct flow f[2];

	(void)state;
	flow_clear(&f[0]);
	flow_clear(&f[1]);
	f[0].tos = 0xb8; /* EF: RFC 3246 */
	f[1].tos = 0xbb; /* the same, with both bits of ECN */
	apply(r, PACKETS, f, 2);
	assert_int_equal(f[0].tos, 46);
	assert_int_equal(f[1].tos, 46);
	rules_free(r);
	assert_null(rules_make(&c, "src_host"));
}

static void
test_next_hop(void **state)
{
	struct rules_config c = { .use_ip_next_hop = true };
	struct rules *r = rules_make(&c, "peer_dst_ip");
	struct field_set needed, reads = { { 0 } };
	struct flow f[3];
	ip16_t ip = address("192.0.2.1"), bgp = address("192.0.2.2");

	(void)state;
	flow_clear(&f[0]);
	flow_clear(&f[1]);
	flow_clear(&f[2]);
	f[0].nexthop = f[1].nexthop = f[2].nexthop = ip;
	f[1].peer_dst_ip = bgp;
	f[2].peer_dst_ip = ip_from_v4("\0\0\0\0");
	apply(r, NETFLOW, f, 3);
	assert_true(ip_equal(&f[2].peer_dst_ip, &ip));
	assert_true(ip_equal(&f[0].peer_dst_ip, &ip));
	assert_true(ip_equal(&f[1].peer_dst_ip, &bgp));
	rules_free(r);
	assert_int_equal(field_set_parse("peer_dst_ip", &needed, NULL), 0);
	rules_reads(&c, &needed, &reads);
	assert_true(field_set_has(&reads, F_NEXTHOP));
	assert_null(rules_make(&c, "nexthop"));
}

static void
test_nothing_to_do(void **state)
{
	struct rules_config none = { 0 }, file = { .networks_file = path };

	(void)state;
	assert_null(rules_make(&none, "src_host,dst_port"));
	assert_null(rules_make(&none, "src_as")); /* the record's own, as it comes */
	assert_null(rules_make(&file, "src_host")); /* the file is not even read */
	rules_free(NULL);
}

static const struct {
	const char *says, *needed;
	bool file;
	const char *reads; /* NULL: nothing */
} reads[] = {
	{ "hosts and ports need no other field", "src_host,dst_port", true, NULL },
	{ "a network is made of host and mask", "src_net", false, "src_host,src_mask" },
	{ "a mask, of the same", "dst_mask", false, "dst_host,dst_mask" },
	{ "an AS without a file is the record's", "src_as,dst_as", false, NULL },
	{ "an AS from a file needs the host and how long its prefix is", "dst_as", true,
	    "dst_host,dst_mask" },
	{ "a route distinguisher may be the number of a VRF", "mpls_vpn_rd", true,
	    "mpls_vpn_rd,ingress_vrf_id,egress_vrf_id" },
	{ "both sides", "src_net,dst_as", true, "src_host,src_mask,dst_host,dst_mask" },
};

static void
test_reads(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
		struct rules_config c = { .networks_file =
					      reads[i].file ? path : NULL };
		struct field_set needed, got = { { 0 } }, want = { { 0 } };

		assert_int_equal(field_set_parse(reads[i].needed, &needed, NULL), 0);
		if (reads[i].reads != NULL)
			assert_int_equal(
			    field_set_parse(reads[i].reads, &want, NULL), 0);
		rules_reads(&c, &needed, &got);
		if (memcmp(&got, &want, sizeof(got)) != 0)
			fail_msg("%s: other fields", reads[i].says);
	}
}

static void
test_equal(void **state)
{
	static const struct rules_config differ[] = {
		{ .networks_file = "/a" },
		{ .networks_file = "/b" },
		{ .flow_to_rd_map = "/a" },
		{ .aggregate_filter = "tcp" },
		{ .aggregate_filter = "udp" },
		{ .networks_mask = 1 },
		{ .networks_file_filter = true },
		{ .networks_file_no_lpm = true },
		{ .networks_no_mask_if_zero = true },
		{ .tos_as_dscp = true },
		{ .use_ip_next_hop = true },
		{ .net = { ORIGIN_FILE } },
		{ .net = { 0, ORIGIN_FILE } },
		{ .as = { ORIGIN_FILE } },
		{ .as = { 0, 0, ORIGIN_FILE } },
		{ .as_new = { false, true } },
		{ .peer_as = { false, true } },
		{ .ports_file = "/a" },
		{ .protos_file = "/a" },
		{ .tos_file = "/a" },
		{ .pre_tag_filter = "1" },
		{ .pre_tag2_filter = "1" },
		{ .pre_tag_label_filter = "1" },
		{ .post_tag = 1 },
		{ .post_tag2 = 1 },
		{ 0 },
	};
	char copy[] = "/a";
	struct rules_config same = { .networks_file = copy };

	(void)state;
	for (size_t i = 0; i < sizeof(differ) / sizeof(differ[0]); i++)
		for (size_t k = 0; k < sizeof(differ) / sizeof(differ[0]); k++)
			assert_true(
			    rules_config_equal(&differ[i], &differ[k]) == (i == k));
	assert_true(rules_config_equal(&same, &differ[0])); /* by the path's text */
}

static void
test_bad_file(void **state)
{
	struct rules_config c = { .networks_file = "/nonexistent/networks" };
	struct problems ps = { 0 };
	struct err e = ERR_INIT;
	struct field_set needed;
	struct rules *r;

	(void)state;
	assert_int_equal(field_set_parse("src_net", &needed, NULL), 0);
	assert_int_equal(rules_new(&c, &needed, files, &r, &ps, &e), -WEIR_EIO);
	assert_non_null(strstr(e.text, "/nonexistent/networks"));
	assert_null(r);
}

/* The words that operators write are the numbers that the rules know. */
static void
test_directives(void **state)
{
	struct config c = { 0 };
	struct problems ps = { 0 };
	struct rules_config got;

	(void)state;
	config_add(&c, "-", "networks_file", NULL, "/etc/networks.lst");
	config_add(&c, "-", "networks_mask", "x", "24");
	config_add(&c, "-", "networks_file_filter", NULL, "true");
	config_add(&c, "-", "pmacctd_net", NULL, "mask");
	config_add(&c, "-", "nfacctd_net", NULL, "netflow");
	config_add(&c, "-", "sfacctd_net", NULL, "longest");
	config_add(&c, "-", "nfacctd_as", NULL, "file");
	directive_apply(&rules_directives, &c, "x", &got, &ps);
	assert_int_equal(ps.n, 0);
	assert_string_equal(got.networks_file, "/etc/networks.lst");
	assert_int_equal(got.networks_mask, 24);
	assert_true(got.networks_file_filter && !got.networks_file_no_lpm);
	assert_int_equal(got.net[SOURCE_PACKETS], ORIGIN_MASK);
	assert_true(
	    got.net[SOURCE_NETFLOW] > ORIGIN_MASK); /* "netflow": see origin_resolve */
	assert_int_equal(got.net[SOURCE_SFLOW], ORIGIN_LONGEST);
	assert_int_equal(got.as[SOURCE_NETFLOW], ORIGIN_FILE);
	assert_int_equal(got.as[SOURCE_PACKETS], ORIGIN_DEFAULT);
	for (const struct directive *d = rules_directives.rows; d->name != NULL; d++)
		if (d->alias_of == NULL &&
		    (d->doc == NULL || d->doc[strlen(d->doc) - 1] != '.'))
			fail_msg("%s has no sentence", d->name);
	config_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_cases, files_make, files_remove),
		cmocka_unit_test_setup_teardown(test_peers, files_make, files_remove),
		cmocka_unit_test_setup_teardown(test_no_host, files_make, files_remove),
		cmocka_unit_test_setup_teardown(test_tags, files_make, files_remove),
		cmocka_unit_test_setup_teardown(test_bad_lists, files_make, files_remove),
		cmocka_unit_test_setup_teardown(
		    test_a_file_is_missing, files_make, files_remove),
		cmocka_unit_test_setup_teardown(test_only_what_is_needed, files_make, files_remove),
		cmocka_unit_test_setup_teardown(test_a_prefix_in_the_record, files_make, files_remove),
		cmocka_unit_test_setup_teardown(test_dscp, files_make, files_remove),
		cmocka_unit_test_setup_teardown(test_next_hop, files_make, files_remove),
		cmocka_unit_test_setup_teardown(test_nothing_to_do, files_make, files_remove),
		cmocka_unit_test_setup_teardown(test_reads, files_make, files_remove),
		cmocka_unit_test_setup_teardown(test_equal, files_make, files_remove),
		cmocka_unit_test_setup_teardown(test_bad_file, files_make, files_remove),
		cmocka_unit_test_setup_teardown(test_directives, files_make, files_remove),
	};

	return cmocka_run_group_tests_name("rules", tests, path_make, path_remove);
}
