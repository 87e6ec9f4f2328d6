/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ten thousand maps of rules that nobody would write, and flows through them: what comes
 * out is what a walk from rule to rule gives, which knows nothing of tuples and batches.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "flow/field.h"
#include "lib/intern.h"
#include "rules/columns.h"
#include "rules/tagmap.h"
#include "tests/lib/scratch.h"

#define MAPS  10000U
#define RULES 24U
#define KEYS  4U

static uint64_t seed = 1;

/* A number below `n`: the same in every run. */
static uint32_t
any(uint32_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(seed >> 33) % n;
}

/* Addresses and prefixes of them, few, so that rules and flows meet. */
static const char *const addresses[] = { "10.0.0.1", "10.0.0.2", "10.0.1.1", "10.1.0.1",
	"2001:db8::1", "2001:db8::2", "2001:db8:1::1" };
#define ADDRESSES (sizeof(addresses) / sizeof(addresses[0]))

static const struct {
	const char *address;
	bool ip4;
	unsigned bits; /* of the family */
} prefixes[] = { { "10.0.0.1", true, 32 }, { "10.0.0.0", true, 24 },
	{ "10.0.0.0", true, 23 }, { "10.0.0.0", true, 8 }, { "0.0.0.0", true, 0 },
	{ "2001:db8::1", false, 128 }, { "2001:db8::", false, 48 },
	{ "2001:db8::", false, 31 }, { "::", false, 0 } };
#define PREFIXES (sizeof(prefixes) / sizeof(prefixes[0]))

static ip16_t
address(const char *text)
{
	ip16_t a;

	assert_int_equal(ip_parse(text, &a), 0);
	return a;
}

/* Octet by octet, family by family. */
static bool
in_prefix(const ip16_t *a, uint32_t no)
{
	ip16_t p = address(prefixes[no].address);
	unsigned skip = prefixes[no].ip4 ? 96 : 0;

	if (ip_is_none(a) || ip_is_v4(a) != prefixes[no].ip4)
		return false;
	for (unsigned i = skip; i < skip + prefixes[no].bits; i++)
		if (((a->b[i / 8] ^ p.b[i / 8]) >> (7 - i % 8) & 1) != 0)
			return false;
	return true;
}

/* Keys: how one is written, and when it fits. Values are small numbers. */
static bool
fits_in(const struct flow *f, enum flow_source s, uint32_t v)
{
	(void)s;
	return f->in_iface == v;
}

static bool
fits_out(const struct flow *f, enum flow_source s, uint32_t v)
{
	(void)s;
	return f->out_iface == v;
}

static bool
fits_src_port(const struct flow *f, enum flow_source s, uint32_t v)
{
	(void)s;
	return f->src_port == v;
}

static bool
fits_dst_port(const struct flow *f, enum flow_source s, uint32_t v)
{
	(void)s;
	return f->dst_port == v;
}

static bool
fits_proto(const struct flow *f, enum flow_source s, uint32_t v)
{
	(void)s;
	return f->proto == v;
}

static bool
fits_flags(const struct flow *f, enum flow_source s, uint32_t v)
{
	(void)s;
	return f->tcp_flags == v;
}

static bool
fits_ip(const struct flow *f, enum flow_source s, uint32_t v)
{
	(void)s;
	return in_prefix(&f->exporter_ip, v);
}

static bool
fits_src_net(const struct flow *f, enum flow_source s, uint32_t v)
{
	(void)s;
	return in_prefix(&f->src_host, v);
}

static bool
fits_dst_net(const struct flow *f, enum flow_source s, uint32_t v)
{
	(void)s;
	return in_prefix(&f->dst_host, v);
}

static bool
fits_vlan(const struct flow *f, enum flow_source s, uint32_t v)
{
	return s == SOURCE_NETFLOW ? f->in_vlan == v
	    : s == SOURCE_SFLOW    ? f->vlan == v || f->out_vlan == v
				   : f->vlan == v;
}

static bool
fits_cvlan(const struct flow *f, enum flow_source s, uint32_t v)
{
	(void)s;
	return (f->in_cvlan != 0 ? f->in_cvlan : f->out_cvlan) == v;
}

static bool
fits_direction(const struct flow *f, enum flow_source s, uint32_t v)
{
	enum field_direction d = (enum field_direction)f->sampling_direction;

	if (d == DIRECTION_UNKNOWN)
		return s == SOURCE_NETFLOW && v == 0;
	return (d == DIRECTION_OUT) == (v == 1);
}

static bool
fits_nexthop(const struct flow *f, enum flow_source s, uint32_t v)
{
	ip16_t a = address(addresses[v]);

	(void)s;
	return ip_equal(&f->nexthop, &a);
}

static bool
fits_bgp_nexthop(const struct flow *f, enum flow_source s, uint32_t v)
{
	ip16_t a = address(addresses[v]);
	bool none = s == SOURCE_NETFLOW && ip_is_none(&f->peer_dst_ip);

	return ip_equal(none ? &f->nexthop : &f->peer_dst_ip, &a);
}

static bool
fits_src_mac(const struct flow *f, enum flow_source s, uint32_t v)
{
	(void)s;
	return f->src_mac.b[0] == 0 && f->src_mac.b[5] == v;
}

static bool
fits_multicast(const struct flow *f, enum flow_source s, uint32_t v)
{
	(void)s;
	return (f->dst_mac.b[0] & 1) == v;
}

static bool
fits_tcp(const struct flow *f, enum flow_source s, uint32_t v)
{
	(void)s;
	(void)v;
	/* Behind a VLAN tag filters see no TCP: they would have to say `vlan and tcp`. */
	return f->vlan == 0 && f->etype != 0 && f->proto == 6;
}

static bool
fits_from_host(const struct flow *f, enum flow_source s, uint32_t v)
{
	ip16_t a = address(addresses[v % 4]);

	(void)s;
	return f->vlan == 0 && f->etype == 0x800 && ip_equal(&f->src_host, &a);
}

static const char *const nets[PREFIXES] = { "10.0.0.1", "10.0.0.0/24", "10.0.0.0/23",
	"10.0.0.0/8", "0.0.0.0/0", "2001:db8::1", "2001:db8::/48", "2001:db8::/31", "::/0" };
static const char *const hex[] = { "0", "0x1", "2" };
static const char *const truths[] = { "false", "true" };
static const char *const macs[] = { "00:00:00:00:00:00", "00:00:00:00:00:01",
	"00:00:00:00:00:02" };
static const char *const tcp[] = { "tcp" };
static const char *const from_hosts[] = { "'src host 10.0.0.1'", "'src host 10.0.0.2'",
	"'src host 10.0.1.1'", "'src host 10.1.0.1'" };

static const struct key {
	const char *name;
	const char *const *words; /* of values; NULL: the number itself */
	uint32_t values;
	bool negates;
	bool (*fits)(const struct flow *f, enum flow_source s, uint32_t v);
} keys[] = {
	{ "in", NULL, 3, true, fits_in },
	{ "out", NULL, 3, true, fits_out },
	{ "src_port", NULL, 3, true, fits_src_port },
	{ "dst_port", NULL, 3, true, fits_dst_port },
	{ "ip_proto", NULL, 18, true, fits_proto },
	{ "tcp_flags", hex, 3, true, fits_flags },
	{ "ip", nets, PREFIXES, false, fits_ip },
	{ "src_net", nets, PREFIXES, true, fits_src_net },
	{ "dst_net", nets, PREFIXES, true, fits_dst_net },
	{ "vlan", NULL, 3, true, fits_vlan },
	{ "cvlan", NULL, 3, true, fits_cvlan },
	{ "direction", NULL, 2, true, fits_direction },
	{ "nexthop", addresses, ADDRESSES, true, fits_nexthop },
	{ "bgp_nexthop", addresses, ADDRESSES, true, fits_bgp_nexthop },
	{ "src_mac", macs, 3, true, fits_src_mac },
	{ "is_multicast", truths, 2, true, fits_multicast },
	{ "filter", tcp, 1, false, fits_tcp },
	{ "filter", from_hosts, 4, false, fits_from_host },
};
#define ALL_KEYS (sizeof(keys) / sizeof(keys[0]))
#define FILTERS  2U

struct rule {
	struct {
		const struct key *key;
		uint32_t value;
		bool negated;
	} asks[KEYS];
	unsigned n;
	bool sets_tag, sets_tag2, sets_label, end_here;
	uint32_t tag, tag2, label, stack, name, jeq; /* name, jeq: 0 none */
};

enum { NEXT = 9 };

static void
rule_any(struct rule *r, uint32_t names_behind)
{
	memset(r, 0, sizeof(*r));
	for (unsigned k = any(KEYS + 1); r->n < k;) {
		const struct key *key = &keys[any(any(20) == 0 ? ALL_KEYS : ALL_KEYS - FILTERS)];
		bool twice = false;

		for (unsigned i = 0; i < r->n; i++)
			twice |= strcmp(r->asks[i].key->name, key->name) == 0;
		if (twice)
			continue;
		r->asks[r->n].key = key;
		r->asks[r->n].value = any(key->values);
		r->asks[r->n++].negated = key->negates && any(4) == 0;
	}
	r->sets_tag = any(2) == 0;
	r->sets_tag2 = any(3) == 0;
	r->sets_label = any(4) == 0;
	r->tag = any(8);
	r->tag2 = any(8);
	r->label = any(4);
	r->stack = any(3);
	r->name = any(3);
	r->end_here = any(20) == 0;
	if (any(2) == 0)
		r->jeq = any(3) == 0 ? NEXT : any(2) + 1;
	if (r->jeq != NEXT && (names_behind >> r->jeq & 1) == 0)
		r->jeq = 0; /* nobody has that name */
}

static void
rule_write(const struct rule *r, FILE *f)
{
	for (unsigned i = 0; i < r->n; i++) {
		const struct key *k = r->asks[i].key;
		uint32_t v = r->asks[i].value;

		fprintf(f, "%s=%s", k->name, r->asks[i].negated ? "-" : "");
		if (k->words != NULL)
			fprintf(f, "%s ", k->words[v]);
		else
			fprintf(f, "%u ", v);
	}
	if (r->sets_tag)
		fprintf(f, "set_tag=%u ", r->tag);
	if (r->sets_tag2)
		fprintf(f, "set_tag2=%u ", r->tag2);
	if (r->sets_label)
		fprintf(f, "set_label=l%u ", r->label);
	if (r->stack != 0)
		fprintf(f, "stack=%s ", r->stack == 1 ? "sum" : "or");
	if (r->name != 0)
		fprintf(f, "label=n%u ", r->name);
	if (r->jeq == NEXT)
		fputs("jeq=next ", f);
	else if (r->jeq != 0)
		fprintf(f, "jeq=n%u ", r->jeq);
	fprintf(f, "return=%s\n", r->end_here ? "true" : "false");
}

static bool
rule_fits(const struct rule *r, const struct flow *f, enum flow_source s)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->asks[i].key->fits(f, s, r->asks[i].value) == r->asks[i].negated)
			return false;
	return true;
}

/* What comes out, as the reference has it. */
struct tags {
	uint64_t tag, tag2;
	char label[INTERN_MAX_LEN + 8];
};

static uint64_t
stacked(const struct rule *r, bool set, uint64_t before, uint64_t tag)
{
	if (!set)
		return tag;
	return r->stack == 1 ? before + tag : r->stack == 2 ? before | tag : tag;
}

/* Walk from rule to rule. Counts matches. */
static void
walk(const struct rule *rules, unsigned n, const struct flow *f, enum flow_source s,
    struct tags *t, uint64_t *matches)
{
	bool tag = false, tag2 = false, label = false;

	for (unsigned i = 0; i < n; i++) {
		const struct rule *r = &rules[i];

		if (!rule_fits(r, f, s))
			continue;
		matches[i]++;
		if (r->sets_tag)
			t->tag = stacked(r, tag, t->tag, r->tag);
		if (r->sets_tag2)
			t->tag2 = stacked(r, tag2, t->tag2, r->tag2);
		if (r->sets_label) {
			size_t len = label ? strlen(t->label) : 0;

			snprintf(t->label + len, sizeof(t->label) - len, "%sl%u",
			    label ? "," : "", r->label);
			t->label[INTERN_MAX_LEN] = '\0';
		}
		tag |= r->sets_tag;
		tag2 |= r->sets_tag2;
		label |= r->sets_label;
		if (r->jeq == 0 || r->end_here)
			return;
		while (r->jeq != NEXT && rules[i + 1].name != r->jeq)
			i++;
	}
}

static ip16_t
address_any(uint32_t of)
{
	return any(8) == 0 ? (ip16_t){ { 0 } } : address(addresses[any(of)]);
}

static void
flow_any(struct flow *f)
{
	memset(f, 0, sizeof(*f));
	f->tag = any(3);
	f->tag2 = any(3);
	f->in_iface = any(3);
	f->out_iface = any(3);
	f->src_port = (uint16_t)any(3);
	f->dst_port = (uint16_t)any(3);
	f->proto = any(2) == 0 ? 6 : 17;
	f->tcp_flags = (uint16_t)any(3);
	f->exporter_ip = address_any(ADDRESSES);
	f->src_host = address(addresses[any(4)]);
	f->dst_host = address(addresses[any(4)]);
	f->etype = 0x800;
	if (any(4) == 0) {
		f->src_host = f->dst_host = address(addresses[any(ADDRESSES)]);
		f->etype = ip_is_v4(&f->src_host) ? 0x800 : 0x86dd;
	}
	f->vlan = (uint16_t)any(3);
	f->in_vlan = (uint16_t)any(3);
	f->out_vlan = (uint16_t)any(3);
	f->in_cvlan = (uint16_t)any(3);
	f->out_cvlan = (uint16_t)any(3);
	f->sampling_direction = (uint8_t)any(3);
	f->nexthop = address_any(ADDRESSES);
	f->peer_dst_ip = address_any(ADDRESSES);
	f->src_mac.b[5] = (uint8_t)any(3);
	f->dst_mac.b[0] = (uint8_t)any(4);
}

static void
compare(const struct rule *rules, unsigned n, struct tagmap *m, struct columns *columns)
{
	enum flow_source source = (enum flow_source)any(SOURCE_COUNT);
	struct flow flows[FLOW_BATCH], before[FLOW_BATCH];
	uint64_t matches[RULES] = { 0 };
	struct batch b = { .flows = flows, .n = any(FLOW_BATCH + 1), .source = source,
		.columns = columns };

	for (unsigned i = 0; i < b.n; i++)
		flow_any(&flows[i]);
	memcpy(before, flows, sizeof(flows));
	columns_clear(columns);
	tagmap_apply(m, &b);
	for (unsigned i = 0; i < b.n; i++) {
		struct tags want = { before[i].tag, before[i].tag2, "" };

		walk(rules, n, &before[i], source, &want, matches);
		assert_int_equal(flows[i].tag, want.tag);
		assert_int_equal(flows[i].tag2, want.tag2);
		assert_string_equal(intern_text(flows[i].label), want.label);
		/* Nothing else. */
		flows[i].tag = before[i].tag;
		flows[i].tag2 = before[i].tag2;
		flows[i].label = before[i].label;
		assert_memory_equal(&flows[i], &before[i], sizeof(flows[i]));
	}
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(tagmap_line(m, i).matches, matches[i]);
}

static void
test_random_maps(void **state)
{
	struct field_set all;
	struct columns *columns;

	(void)state;
	memset(&all, 0xff, sizeof(all));
	columns = columns_new(&all);
	assert_non_null(columns);
	for (unsigned k = 0; k < MAPS; k++) {
		struct problems ps = { 0 };
		struct err e = ERR_INIT;
		struct rule rules[RULES];
		unsigned n = 1 + any(RULES);
		uint32_t names = 0;
		FILE *f = fopen(scratch_path, "w");
		struct tagmap *m;

		assert_non_null(f);
		for (unsigned i = n; i-- > 0;) {
			rule_any(&rules[i], names);
			names |= 1U << rules[i].name;
		}
		for (unsigned i = 0; i < n; i++)
			rule_write(&rules[i], f);
		assert_int_equal(fclose(f), 0);
		m = tagmap_load(scratch_path, 1, &ps, &e);
		if (m == NULL || ps.n_errors > 0)
			fail_msg("%s", m == NULL ? e.text : ps.list[0].text);
		assert_int_equal(tagmap_rules(m), n);
		compare(rules, n, m, columns);
		tagmap_free(m);
		problems_free(&ps);
	}
	columns_free(columns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_maps),
	};

	return cmocka_run_group_tests_name(
	    "tagmap, random maps", tests, scratch_make, scratch_remove);
}
