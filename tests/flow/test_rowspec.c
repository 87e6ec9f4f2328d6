/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow/rowspec.h"
#include "lib/intern.h"

static uint64_t seed = 1;

static uint64_t
draw(void)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return seed >> 33;
}

/* Garbage in every octet, the holes between members too. */
static void
garbage(void *p, size_t octets)
{
	for (size_t i = 0; i < octets; i++)
		((uint8_t *)p)[i] = (uint8_t)(draw() | 1);
}

static struct field_set
set_of(const char *list)
{
	struct field_set set;
	struct err e = ERR_INIT;

	if (field_set_parse(list, &set, &e) != 0)
		fail_msg("%s", e.text);
	return set;
}

/* A key: members in their order, the bin at an even place, zeroes to a whole word. */
static size_t
key_model(const struct field_set *set, const struct flow *f, uint16_t bin, uint8_t *key)
{
	size_t at = 0;

	for (size_t i = 0; i < FIELD_COUNT; i++) {
		if (fields[i].merge != FIELD_KEY ||
		    !field_set_has(set, (enum field_no)i))
			continue;
		memcpy(
		    key + at, (const uint8_t *)f + fields[i].offset, fields[i].octets);
		at += fields[i].octets;
	}
	if (at % 2 != 0)
		key[at++] = 0;
	memcpy(key + at, &bin, sizeof(bin));
	at += sizeof(bin);
	while (at % 8 != 0)
		key[at++] = 0;
	return at;
}

static void
check_pack(const struct field_set *set, const char *says)
{
	struct flow flows[FLOW_BATCH];
	uint16_t bins[FLOW_BATCH];
	struct rowspec rs;
	unsigned n = (unsigned)(draw() % FLOW_BATCH) + 1;
	uint8_t *keys;

	rowspec_compile(&rs, set);
	keys = malloc(n * rs.key_octets + 8); /* no octet more than the caller owes */
	assert_non_null(keys);
	garbage(keys, n * rs.key_octets + 8);
	garbage(flows, sizeof(flows));
	for (unsigned i = 0; i < n; i++)
		bins[i] = (uint16_t)draw();
	rowspec_pack(&rs, flows, bins, n, keys);
	for (unsigned i = 0; i < n; i++) {
		uint8_t want[ROWSPEC_MAX_KEY], *key = keys + i * rs.key_octets;

		if (key_model(set, &flows[i], bins[i], want) != rs.key_octets)
			fail_msg("%s: the key has %u octets", says, rs.key_octets);
		if (memcmp(key, want, rs.key_octets) != 0)
			fail_msg("%s: key %u of %u is packed wrongly", says, i, n);
		if (rowspec_bin(&rs, key) != bins[i])
			fail_msg("%s: the bin is %u", says, rowspec_bin(&rs, key));
		rowspec_bin_set(&rs, key, 0);
		key_model(set, &flows[i], 0, want);
		assert_memory_equal(key, want, rs.key_octets);
	}
	free(keys);
}

static void
test_every_field_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		struct field_set set = { { 0 } };

		field_set_add(&set, (enum field_no)i);
		for (int round = 0; round < 5; round++)
			check_pack(&set, fields[i].config);
	}
}

static struct field_set
set_draw(unsigned one_in)
{
	struct field_set set = { { 0 } };

	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (draw() % one_in == 0)
			field_set_add(&set, (enum field_no)i);
	return set;
}

static void
test_random_subsets(void **state)
{
	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct field_set set = set_draw((unsigned)round % 8 + 1);

		check_pack(&set, "a random subset");
	}
}

/* Keys that differ in a member or in the bin differ; nothing else in a flow matters. */
static void
test_nothing_else_matters(void **state)
{
	struct field_set set = set_of("src_host,dst_host,src_port,dst_port,proto");
	struct flow f[2];
	uint16_t bins[2] = { 7, 7 };
	uint64_t keys[2 * ROWSPEC_MAX_KEY / 8 + 1];
	struct rowspec rs;

	(void)state;
	rowspec_compile(&rs, &set);
	assert_int_equal(rs.n_runs, 1); /* the usual key is one copy */
	assert_int_equal(rs.key_octets, 40);
	garbage(f, sizeof(f));
	memcpy(&f[1], &f[0], offsetof(struct flow, tos));
	rowspec_pack(&rs, f, bins, 2, (uint8_t *)keys);
	assert_memory_equal(keys, keys + rs.key_octets / 8, rs.key_octets);
	f[1].proto ^= 1;
	rowspec_pack(&rs, f, bins, 2, (uint8_t *)keys);
	assert_memory_not_equal(keys, keys + rs.key_octets / 8, rs.key_octets);
	f[1].proto ^= 1;
	bins[1] = 8;
	rowspec_pack(&rs, f, bins, 2, (uint8_t *)keys);
	assert_memory_not_equal(keys, keys + rs.key_octets / 8, rs.key_octets);
}

/* Every value is where rowspec_value says, no two overlap, the order is that of ids. */
static void
check_layout(const struct field_set *set)
{
	uint8_t used[ROWSPEC_MAX_KEY + 512] = { 0 };
	uint8_t row[sizeof(used)];
	struct rowspec rs;
	unsigned shown = 0;

	rowspec_compile(&rs, set);
	assert_true(rs.key_octets >= 8 && rs.key_octets % 8 == 0);
	assert_true(rs.row_octets % 8 == 0 && rs.row_octets <= sizeof(used));
	assert_int_equal(rs.sums_offset, rs.key_octets);
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		bool in = field_set_has(set, (enum field_no)i) || i == F_PACKETS ||
			  i == F_BYTES;
		size_t at;

		shown += in;
		if (!in && i != F_FLOWS)
			continue;
		at = (size_t)((const uint8_t *)rowspec_value(&rs, row, &fields[i]) -
			      row);
		assert_true(at + fields[i].octets <= rs.row_octets);
		assert_true((fields[i].merge == FIELD_KEY) == (at < rs.key_octets));
		for (size_t k = at; k < at + fields[i].octets; k++)
			if (used[k]++ != 0)
				fail_msg("%s overlaps another", fields[i].config);
	}
	assert_int_equal(rs.n_shown, shown);
	for (uint16_t i = 0; i < rs.n_shown; i++) {
		assert_true(field_set_has(&rs.set, rs.shown[i]));
		if (i > 0)
			assert_true(
			    fields[rs.shown[i - 1]].id < fields[rs.shown[i]].id);
	}
	assert_int_equal(rs.shown[rs.n_shown - 1], F_BYTES);
}

static void
test_layout(void **state)
{
	struct field_set all = { { 0 } }, none = { { 0 } };

	(void)state;
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		struct field_set one = { { 0 } };

		field_set_add(&all, (enum field_no)i);
		field_set_add(&one, (enum field_no)i);
		check_layout(&one);
	}
	check_layout(&all);
	check_layout(&none);
	for (int round = 0; round < 500; round++) {
		struct field_set set = set_draw((unsigned)round % 5 + 1);

		check_layout(&set);
	}
}

/* What OR, MIN and MAX make of the values `a` then `b`. */
static uint64_t
merge_model(enum field_merge merge, uint64_t a, uint64_t b)
{
	switch (merge) {
	case FIELD_OR:
		return a | b;
	case FIELD_MIN:
		return a == 0 || (b != 0 && b < a) ? b : a;
	case FIELD_MAX:
		return a > b ? a : b;
	case FIELD_SUM:
	case FIELD_ADD:
		return a + b;
	case FIELD_KEY:
		break;
	}
	return a;
}

/* Two flows counted one by one, or each in its row and the rows merged: the same. */
static void
check_merge(const struct field_set *set)
{
	struct rowspec rs;
	struct flow f[3];
	uint64_t rows[3][(ROWSPEC_MAX_KEY + 512) / 8];
	uint8_t *one = (uint8_t *)rows[0], *left = (uint8_t *)rows[1],
		*right = (uint8_t *)rows[2];

	rowspec_compile(&rs, set);
	memset(rows, 0, sizeof(rows));
	garbage(f, sizeof(f));
	for (int i = 0; i < 3; i++) {
		if (draw() % 4 == 0)
			f[i].tcp_flags = 0;
		rowspec_add(&rs, one, &f[i]);
		rowspec_add(&rs, i < 2 ? left : right, &f[i]);
	}
	rowspec_merge(&rs, left, right);
	assert_memory_equal(one, left, rs.row_octets);
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		uint64_t want = 0;

		if (fields[i].merge == FIELD_KEY ||
		    (!field_set_has(set, (enum field_no)i) &&
			fields[i].merge != FIELD_SUM))
			continue;
		for (int k = 0; k < 3; k++)
			want = merge_model(fields[i].merge, want,
			    field_uint((const uint8_t *)&f[k] + fields[i].offset,
				fields[i].octets));
		if (field_uint(rowspec_value(&rs, one, &fields[i]), fields[i].octets) !=
		    want)
			fail_msg(
			    "%s does not combine as its row says", fields[i].config);
	}
}

static void
test_merge(void **state)
{
	struct field_set all = { { 0 } };

	(void)state;
	for (size_t i = 0; i < FIELD_COUNT; i++)
		field_set_add(&all, (enum field_no)i);
	for (int round = 0; round < 200; round++) {
		struct field_set set = set_draw(2);

		check_merge(&all);
		check_merge(&set);
	}
}

static struct flow
flow_sample(void)
{
	struct flow f;

	flow_clear(&f);
	(void)ip_parse("192.0.2.1", &f.src_host);
	(void)ip_parse("2001:db8::1", &f.dst_host);
	f.src_port = 1234;
	f.dst_port = 443;
	f.proto = 6;
	f.tcp_flags = 0x12;
	f.label = intern("customer-7", 10);
	f.src_mac = (mac_t){ { 2, 0, 0, 0, 0, 1 } };
	f.tag = 99;
	f.packets = 10;
	f.bytes = 1000;
	return f;
}

static uint64_t
identity_of(const char *list, const struct flow *f, uint16_t bin)
{
	struct field_set set = set_of(list);
	uint64_t row[(ROWSPEC_MAX_KEY + 512) / 8] = { 0 };
	struct rowspec rs;

	rowspec_compile(&rs, &set);
	rowspec_pack(&rs, f, &bin, 1, (uint8_t *)row);
	return rowspec_identity(&rs, (const uint8_t *)row);
}

/*
 * Indexes and file names in the field are made of these: a change here loses histories.
 * Each is XXH64 (seed 0) of the octets in the comment.
 */
static void
test_identity_is_frozen(void **state)
{
	static const struct {
		const char *list;
		uint64_t want;
	} frozen[] = {
		/* nothing */
		{ "none", UINT64_C(0xef46db3751d8e999) },
		/* 00f0 00000000000000000000ffffc0000201 */
		{ "src_host", UINT64_C(0x367012b03d64d877) },
		/* 00fa 20010db8000000000000000000000001 */
		{ "dst_host", UINT64_C(0x9b9e61a0171918ab) },
		/* 00f0 ..., 00fa ..., 012c 04d2, 0136 01bb, 0172 06 */
		{ "src_host,dst_host,src_port,dst_port,proto",
		    UINT64_C(0x4be9536ae2a95707) },
		/* 000a 0000000000000063, 001e 000a "customer-7", 0032 020000000001 */
		{ "label,tag,src_mac", UINT64_C(0xe444c70ed3ad3db6) },
		/* 001e 000a "customer-7" */
		{ "label", UINT64_C(0x2e781e520c1f2f73) },
	};
	struct flow f = flow_sample();

	(void)state;
	for (size_t i = 0; i < sizeof(frozen) / sizeof(frozen[0]); i++) {
		uint64_t got = identity_of(frozen[i].list, &f, 0);

		if (got != frozen[i].want)
			fail_msg(
			    "%s: 0x%016llx", frozen[i].list, (unsigned long long)got);
	}
}

static void
test_identity_follows_the_key_only(void **state)
{
	struct flow f = flow_sample(), g = f;
	const char *list = "src_host,dst_host,label,tcpflags,flows";

	(void)state;
	g.tcp_flags = 0xff;
	g.bytes = g.flows = 77;
	g.src_port = 9;
	assert_true(identity_of(list, &f, 0) == identity_of(list, &g, 200));
	g.dst_host.b[15]++;
	assert_true(identity_of(list, &f, 0) != identity_of(list, &g, 0));
	/* The order in which the operator writes the names is all the same. */
	assert_true(identity_of("proto,src_port", &f, 0) ==
		    identity_of("src_port,proto", &f, 0));
}

/* A label has another id in every process: the identity is made of its text. */
static void
test_identity_does_not_know_ids(void **state)
{
	struct flow f = flow_sample(), g = f, h = f;

	(void)state;
	g.label = intern("customer-8", 10);
	g.class_id = intern("customer-7", 10);
	h.label = g.class_id;
	assert_true(identity_of("label", &f, 0) != identity_of("label", &g, 0));
	assert_true(identity_of("label", &f, 0) == identity_of("label", &h, 0));
	assert_int_equal(f.label, g.class_id);
	/* The same text in another field is something else. */
	assert_true(identity_of("label", &f, 0) != identity_of("class", &g, 0));
	h.label = 0;
	f.label = 12345678; /* never given out: reads as empty */
	assert_true(identity_of("label", &f, 0) == identity_of("label", &h, 0));
}

static void
test_canonical_form(void **state)
{
	static const uint8_t want[] = { 0, 10, 0, 0, 0, 0, 0, 0, 0, 99, 0, 30, 0, 10,
		'c', 'u', 's', 't', 'o', 'm', 'e', 'r', '-', '7', 0, 50, 2, 0, 0, 0, 0,
		1 };
	struct field_set set = set_of("src_mac,tag,label,tcpflags,flows");
	uint64_t row[(ROWSPEC_MAX_KEY + 512) / 8] = { 0 };
	struct flow f = flow_sample();
	uint16_t bin = 3;
	struct rowspec rs;

	(void)state;
	rowspec_compile(&rs, &set);
	rowspec_pack(&rs, &f, &bin, 1, (uint8_t *)row);
	for (size_t room = 0; room <= sizeof(want) + 1; room++) {
		uint8_t *out = malloc(room + 1); /* malloc(0) is no buffer */
		size_t len = rowspec_canonical(&rs, (const uint8_t *)row, out, room);

		assert_true(len <= room);
		assert_memory_equal(out, want, len);
		if (room >= sizeof(want))
			assert_int_equal(len, sizeof(want));
		free(out);
	}
}

/* What adds up in a row holds that of another, or not, and can be cut down to it. */
static void
test_limit(void **state)
{
	struct field_set set = { 0 };
	uint64_t row[64] = { 0 }, most[64] = { 0 }, larger[64] = { 0 };
	const struct flow f = { .packets = 3, .bytes = 50, .flows = 1, .link_bytes = 70, .tcp_flags = 2 },
			  g = { .packets = 2, .bytes = 60, .link_bytes = 69, .tcp_flags = 4 };
	const struct sums *s;
	struct rowspec rs;
	struct flow more;

	(void)state;
	assert_int_equal(field_set_parse("proto,tcpflags,link_bytes", &set, NULL), 0);
	rowspec_compile(&rs, &set);
	assert_true(rs.row_octets <= sizeof(row));
	rowspec_add(&rs, (uint8_t *)row, &f);
	rowspec_add(&rs, (uint8_t *)most, &g);
	assert_true(rowspec_holds(&rs, (uint8_t *)row, &f));
	assert_false(rowspec_counts_nothing(&rs, (uint8_t *)row));
	assert_true(rowspec_holds_row(&rs, (uint8_t *)row, (uint8_t *)row));
	assert_false(rowspec_holds_row(&rs, (uint8_t *)row, (uint8_t *)most)); /* fewer bytes */
	more = f, more.link_bytes++;
	assert_false(rowspec_holds(&rs, (uint8_t *)row, &more));
	rowspec_add(&rs, (uint8_t *)larger, &more);
	assert_false(rowspec_holds_row(&rs, (uint8_t *)row, (uint8_t *)larger));
	assert_true(rowspec_holds_row(&rs, (uint8_t *)larger, (uint8_t *)row));
	rowspec_limit(&rs, (uint8_t *)row, (uint8_t *)most);
	s = rowspec_sums_get(&rs, (uint8_t *)row);
	assert_true(s->packets == 2 && s->bytes == 50 && s->flows == 0);
	assert_int_equal(field_uint(rowspec_value(&rs, (uint8_t *)row, &fields[F_LINK_BYTES]),
	                     fields[F_LINK_BYTES].octets), 69);
	assert_int_equal(field_uint(rowspec_value(&rs, (uint8_t *)row, &fields[F_TCPFLAGS]),
	                     fields[F_TCPFLAGS].octets), 2);
	*rowspec_sums(&rs, (uint8_t *)row) = (struct sums){ 0 };
	assert_false(rowspec_counts_nothing(&rs, (uint8_t *)row)); /* octets of the link */
	rowspec_take_off(&rs, (uint8_t *)row, &(struct flow){ .link_bytes = 69 });
	assert_true(rowspec_counts_nothing(&rs, (uint8_t *)row)); /* whatever its flags are */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_field_alone),
		cmocka_unit_test(test_random_subsets),
		cmocka_unit_test(test_nothing_else_matters),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_identity_is_frozen),
		cmocka_unit_test(test_identity_follows_the_key_only),
		cmocka_unit_test(test_identity_does_not_know_ids),
		cmocka_unit_test(test_canonical_form),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests_name("rowspec", tests, NULL, NULL);
}
