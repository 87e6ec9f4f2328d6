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

#include "agent/entry.h"
#include "agent/tables.h"
#include "agent/tree.h"
#include "lib/intern.h"
#include "tests/agent/scene.h"

/* A tree with one view by `aggregate`, which has counted `f` and nothing else. */
struct exhibit {
	struct scene scene;
	struct mib_tree *tree;
};

static void
exhibit_init(struct exhibit *x, const char *aggregate, const struct flow *f)
{
	struct rows_config c = { 10, 0, NULL };
	struct rows_builder *b;

	scene_init(&x->scene, aggregate, 10);
	b = rows_builder_new(&c, 10, NULL);
	scene_count(&x->scene, f);
	scene_commit(&x->scene);
	x->tree = tree_new(&(struct tree_size){ .views = 1 });
	x->tree->views[0].index = 5;
	x->tree->views[0].rows = rows_build(b, x->scene.ledger);
	tree_seal(x->tree);
	rows_builder_free(b);
}

static void
exhibit_fini(struct exhibit *x)
{
	tree_free(x->tree);
	scene_fini(&x->scene);
}

static const struct column *
column_find(const char *name)
{
	for (uint16_t i = 0; i < entry_table.n_columns; i++)
		if (strcmp(entry_table.columns[i].name, name) == 0)
			return &entry_table.columns[i];
	return NULL;
}

static void
exhibit_value(const struct exhibit *x, const char *name, struct value *v)
{
	struct moment m = { x->tree, 0, SCENE_START };
	struct cell c = { &entry_table, column_find(name), 0 };

	assert_non_null(c.column);
	cell_value(&m, &c, v);
}

static void
every_primitive_with_a_name_in_the_mib_has_a_column_of_its_type(void **state)
{
	static const enum value_type types[] = { [FIELD_IP] = VALUE_OCTETS,
		[FIELD_MAC] = VALUE_OCTETS, [FIELD_UINT] = VALUE_UNSIGNED,
		[FIELD_HEX] = VALUE_UNSIGNED, [FIELD_FLAGS] = VALUE_OCTETS,
		[FIELD_PROTO] = VALUE_UNSIGNED, [FIELD_STR] = VALUE_OCTETS };

	(void)state;
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct column *c;
		char name[64];

		if (fields[i].mib[0] == '\0')
			continue;
		snprintf(name, sizeof(name), "weirEntry%s", fields[i].mib);
		print_message("# %s: %s\n", fields[i].config, name);
		c = column_find(name);
		assert_non_null(c);
		if (fields[i].octets == 8)
			assert_int_equal(c->type, VALUE_COUNTER64);
		else
			assert_int_equal(c->type, types[fields[i].value]);
		if (fields[i].merge != FIELD_SUM)
			assert_int_equal(c->arg, i);
		if (fields[i].value == FIELD_IP) {
			snprintf(name, sizeof(name), "weirEntry%.20sType", fields[i].mib);
			assert_int_equal(c[-1].type, VALUE_INTEGER);
			assert_int_equal(c[-1].number, c->number - 1);
			assert_int_equal(c[-1].arg, i);
			/* SrcAddress has SrcAddressType, SrcNet has SrcNetType. */
			assert_string_equal(c[-1].name, name);
		}
	}
}

/* Sets one member of a flow for the cases below. */
static void
flow_everything(struct flow *f)
{
	static const uint8_t v4[4] = { 192, 0, 2, 1 };
	static const uint8_t v6[16] = { 0x20, 1, 0x0d, 0xb8, [15] = 9 };

	flow_clear(f);
	f->src_host = ip_from_v4(v4);
	f->dst_host = ip_from_v6(v6);
	f->src_net = ip_from_v4("\300\0\2\0");
	f->src_mask = 24;
	f->dst_mask = 48;
	f->src_port = 443;
	f->dst_port = 65535;
	f->proto = 6;
	f->tos = 0xb8;
	f->tcp_flags = 0x0912;
	f->src_as = 4200000000;
	f->in_iface = 0xffffffff;
	f->src_mac = (mac_t){ { 0, 1, 2, 3, 4, 0xff } };
	f->vlan = 4095;
	f->cos = 7;
	f->etype = 0x86dd;
	f->tag = UINT64_C(0xfedcba9876543210);
	f->tag2 = 2;
	f->label = intern("office", 6);
	f->sampling_rate = 1000;
	f->packets = 3;
	f->bytes = UINT64_C(1) << 40;
	f->flows = 2;
}

#define EVERYTHING \
	"tag,tag2,label,class,src_mac,dst_mac,vlan,cos,etype,src_as,dst_as,peer_src_ip," \
	"peer_dst_ip,nexthop,in_iface,out_iface,src_host,dst_host,src_net,dst_net,src_mask," \
	"dst_mask,src_port,dst_port,tcpflags,proto,tos,sampling_rate"

static const struct {
	const char *says;
	const char *column;
	uint64_t n;         /* of numbers */
	const char *octets;
	size_t len;
} values[] = {
	{ "octets beyond 32 bits", "Bytes", UINT64_C(1) << 40, NULL, 0 },
	{ "packets", "Packets", 3, NULL, 0 },
	{ "flows", "Flows", 2, NULL, 0 },
	{ "IPv4 is type 1", "SrcAddressType", 1, NULL, 0 },
	{ "IPv4 has four octets", "SrcAddress", 0, "\300\0\2\1", 4 },
	{ "IPv6 is type 2", "DstAddressType", 2, NULL, 0 },
	{ "IPv6 has sixteen octets", "DstAddress", 0, "\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\11",
	    16 },
	{ "a network", "SrcNet", 0, "\300\0\2\0", 4 },
	{ "its length in its own bits", "SrcPrefixLength", 24, NULL, 0 },
	{ "an absent network is type 0", "DstNetType", 0, NULL, 0 },
	{ "an absent network has no octets", "DstNet", 0, "", 0 },
	{ "a prefix length of IPv6", "DstPrefixLength", 48, NULL, 0 },
	{ "a port", "SrcPort", 443, NULL, 0 },
	{ "the last port", "DstPort", 65535, NULL, 0 },
	{ "a protocol as a number", "Protocol", 6, NULL, 0 },
	{ "a type of service", "Tos", 0xb8, NULL, 0 },
	{ "TCP flags are two octets", "TcpFlags", 0, "\11\22", 2 },
	{ "an AS of four octets", "SrcAs", 4200000000, NULL, 0 },
	{ "no AS", "DstAs", 0, NULL, 0 },
	{ "no exporter address", "ExporterAddressType", 0, NULL, 0 },
	{ "the last interface", "InIface", 0xffffffff, NULL, 0 },
	{ "a MAC address", "SrcMac", 0, "\0\1\2\3\4\377", 6 },
	{ "no MAC address", "DstMac", 0, "\0\0\0\0\0\0", 6 },
	{ "a VLAN", "Vlan", 4095, NULL, 0 },
	{ "a class of service", "Cos", 7, NULL, 0 },
	{ "an EtherType as a number", "Etype", 0x86dd, NULL, 0 },
	{ "a tag of 64 bits", "Tag", UINT64_C(0xfedcba9876543210), NULL, 0 },
	{ "a second tag", "TagTwo", 2, NULL, 0 },
	{ "a label", "Label", 0, "office", 6 },
	{ "a class that was not found", "Class", 0, "unknown", 7 },
	{ "a sampling rate", "SamplingRate", 1000, NULL, 0 },
	{ "first seen a second after the start, in UTC", "FirstSeen", 0,
	    "\7\352\1\1\0\0\1\0+\0\0", 11 },
	{ "last seen then too", "LastSeen", 0, "\7\352\1\1\0\0\1\0+\0\0", 11 },
	{ "a hundred hundredths after sysUpTime began", "DiscontinuityTime", 100, NULL, 0 },
};

static void
values_have_the_form_that_the_mib_promises(void **state)
{
	struct exhibit x;
	struct flow f;
	struct value v;

	(void)state;
	flow_everything(&f);
	exhibit_init(&x, EVERYTHING, &f);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char name[64];

		print_message("# %s\n", values[i].says);
		snprintf(name, sizeof(name), "weirEntry%s", values[i].column);
		exhibit_value(&x, name, &v);
		if (values[i].octets == NULL) {
			assert_true(v.n == values[i].n);
			assert_int_equal(v.len, 0);
		} else {
			assert_int_equal(v.len, values[i].len);
			assert_memory_equal(v.octets, values[i].octets, v.len);
		}
	}
	exhibit_fini(&x);
}

/* The absent value: nothing, or six zero octets, or two. */
static void
primitives_that_a_view_lacks_are_absent_not_missing(void **state)
{
	struct exhibit x;
	struct flow f;
	struct value v;

	(void)state;
	flow_everything(&f);
	exhibit_init(&x, "none", &f);
	for (uint16_t i = 0; i < entry_table.n_columns; i++) {
		const struct column *c = &entry_table.columns[i];

		if (c->number < 21)
			continue;
		exhibit_value(&x, c->name, &v);
		assert_int_equal(v.n, 0);
		for (size_t k = 0; k < v.len; k++)
			assert_int_equal(v.octets[k], 0);
		assert_int_equal(v.len, strstr(c->name, "Mac") != NULL ? 6 :
		    strstr(c->name, "Flags") != NULL ? 2 : 0);
	}
	exhibit_value(&x, "weirEntryKey", &v);
	assert_int_equal(v.len, 5);
	assert_memory_equal(v.octets, "total", 5);
	exhibit_fini(&x);
}

static void
the_summary_holds_the_row(void **state)
{
	static const char want[] = "bytes=1099511627776 packets=3 flows=2 tag=99 "
	                           "last=1767225601 key=tag=99 src_host=192.0.2.1 dst_port=53";
	struct exhibit x;
	struct flow f;
	struct value v;

	(void)state;
	flow_everything(&f);
	f.dst_port = 53;
	f.tag = 99;
	exhibit_init(&x, "dst_port,src_host,tag", &f);
	exhibit_value(&x, "weirEntrySummary", &v);
	assert_int_equal(v.len, strlen(want));
	assert_memory_equal(v.octets, want, v.len);
	exhibit_fini(&x);
}

/* Labels of many octets make long keys: "label=" and so many octets. */
static const struct {
	const char *says;
	size_t octets;      /* of the label */
	bool umlauts;       /* each character takes two */
	size_t key, kept;   /* length of the key; octets before its '~', 0: not cut */
} keys[] = {
	{ "a short key stays", 10, false, 16, 0 },
	{ "255 octets stay", 249, false, 255, 0 },
	{ "256 octets are cut", 250, false, 255, 238 },
	{ "a key is cut at a whole character", 250, true, 255, 238 },
	{ "even where that makes it shorter", 251, true, 254, 237 },
};

static void
long_keys_are_cut_and_stay_unique(void **state)
{
	(void)state;
	for (size_t c = 0; c < sizeof(keys) / sizeof(keys[0]); c++) {
		struct exhibit x;
		char label[256], tail[32];
		struct value v, sum;
		struct flow f;
		const char *key;
		size_t len = 0;

		print_message("# %s\n", keys[c].says);
		/* An odd number of octets begins with a plain letter. */
		if (keys[c].octets % 2 == 1)
			label[len++] = 'a';
		for (; len < keys[c].octets; len += 2)
			memcpy(label + len, keys[c].umlauts ? "\303\274" : "xx", 2);
		flow_everything(&f);
		f.label = intern(label, keys[c].octets);
		exhibit_init(&x, "label", &f);
		exhibit_value(&x, "weirEntryKey", &v);
		assert_int_equal(v.len, keys[c].key);
		assert_memory_equal(v.octets, "label=", 6);
		snprintf(tail, sizeof(tail), "~%016llx", (unsigned long long)
		    rowspec_identity(&x.scene.rs, ledger_row(x.scene.ledger, 0)));
		if (keys[c].kept != 0) {
			assert_int_equal(v.len, keys[c].kept + 17);
			assert_memory_equal(v.octets + keys[c].kept, tail, 17);
			assert_memory_equal(v.octets, "label=", 6);
			assert_memory_equal(v.octets + 6, label, keys[c].kept - 6);
		}

		/* In the summary the key has less room; the figures are whole. */
		exhibit_value(&x, "weirEntrySummary", &sum);
		assert_true(sum.len <= VALUE_OCTETS_MAX);
		sum.octets[sum.len < 255 ? sum.len : 254] = '\0';
		assert_memory_equal(sum.octets, "bytes=1099511627776 packets=3 ", 30);
		key = strstr((char *)sum.octets, " key=label=");
		assert_non_null(key);
		if (keys[c].octets > 200)
			assert_non_null(strchr(key, '~'));
		exhibit_fini(&x);
	}
}

/* Labels that exporters tell in other encodings; what managers get is UTF-8. */
static const struct {
	const char *says, *label, *shown;
} texts[] = {
	{ "ASCII", "office", "office" },
	{ "UTF-8", "caf\303\251 \342\202\254 \360\237\232\200",
	    "caf\303\251 \342\202\254 \360\237\232\200" },
	{ "Latin-1", "caf\351", "caf?" },
	{ "Latin-1 in the middle", "B\374ro 7", "B?ro 7" },
	{ "a character that is cut short", "a\342\202", "a??" },
	{ "a character in a longer form than it needs", "\300\257", "??" },
};

static void
texts_are_utf8(void **state)
{
	(void)state;
	for (size_t c = 0; c < sizeof(texts) / sizeof(texts[0]); c++) {
		char want[64], sum[VALUE_OCTETS_MAX + 1] = "";
		struct exhibit x;
		struct value v;
		struct flow f;

		print_message("# %s\n", texts[c].says);
		flow_everything(&f);
		f.label = intern(texts[c].label, strlen(texts[c].label));
		exhibit_init(&x, "label", &f);
		exhibit_value(&x, "weirEntryLabel", &v);
		assert_int_equal(v.len, strlen(texts[c].shown));
		assert_memory_equal(v.octets, texts[c].shown, v.len);
		snprintf(want, sizeof(want), " key=label=%s", texts[c].shown);
		exhibit_value(&x, "weirEntryKey", &v);
		assert_int_equal(v.len, strlen(want + 5));
		assert_memory_equal(v.octets, want + 5, v.len);
		exhibit_value(&x, "weirEntrySummary", &v);
		memcpy(sum, v.octets, v.len);
		assert_non_null(strstr(sum, want));
		exhibit_fini(&x);
	}
}

static void
a_time_before_sysuptime_is_zero(void **state)
{
	struct moment m = { NULL, 0, SCENE_START };

	(void)state;
	assert_int_equal(moment_timestamp(&m, SCENE_START - 1), 0);
	assert_int_equal(moment_timestamp(&m, SCENE_START), 0);
	assert_int_equal(moment_timestamp(&m, SCENE_START + 15 * CLOCK_MS), 1);
}

static void
a_date_is_eleven_octets_or_eight_zeros(void **state)
{
	struct value v;

	(void)state;
	value_date(&v, 0);
	assert_int_equal(v.len, 8);
	assert_memory_equal(v.octets, "\0\0\0\0\0\0\0\0", 8);
	/* 2024-02-29 23:59:59.9 */
	value_date(&v, UINT64_C(1709251199) * CLOCK_S + 999 * CLOCK_MS);
	assert_int_equal(v.len, 11);
	assert_memory_equal(v.octets, "\7\350\2\35\27\73\73\11+\0\0", 11);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_primitive_with_a_name_in_the_mib_has_a_column_of_its_type),
		cmocka_unit_test(values_have_the_form_that_the_mib_promises),
		cmocka_unit_test(primitives_that_a_view_lacks_are_absent_not_missing),
		cmocka_unit_test(the_summary_holds_the_row),
		cmocka_unit_test(long_keys_are_cut_and_stay_unique),
		cmocka_unit_test(texts_are_utf8),
		cmocka_unit_test(a_time_before_sysuptime_is_zero),
		cmocka_unit_test(a_date_is_eleven_octets_or_eight_zeros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
