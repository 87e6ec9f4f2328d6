/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "flow/selector.h"
#include "lib/intern.h"

#define AGGREGATE \
	"src_host,dst_host,src_port,dst_port,proto,src_mac,label,etype,sampling_direction,tag,src_net"

static struct rowspec rs;
static uint64_t row[ROWSPEC_MAX_KEY / 8 + 64];

/* A row of everything that the cases below ask for. */
static int
row_make(void **state)
{
	static const uint8_t v6[16] = { 0x20, 1, 0x0d, 0xb8, [15] = 9 };
	struct field_set set;
	struct flow f;
	uint16_t bin = 0;

	(void)state;
	assert_int_equal(field_set_parse(AGGREGATE, &set, NULL), 0);
	rowspec_compile(&rs, &set);
	flow_clear(&f);
	f.src_host = ip_from_v4("\300\0\2\7");
	f.dst_host = ip_from_v6(v6);
	f.dst_port = 443;
	f.proto = 6;
	f.src_mac = (mac_t){ { 0, 0, 0x5e, 0, 0x53, 0xff } };
	f.label = intern("head office", 11);
	f.etype = 0x86dd;
	f.sampling_direction = DIRECTION_IN;
	f.tag = UINT64_MAX;
	rowspec_pack(&rs, &f, &bin, 1, (uint8_t *)row);
	return 0;
}

static const struct {
	const char *says, *text;
	bool means;
} cases[] = {
	{ "nothing is every row", "", true },
	{ "total is every row", "total", true },
	{ "an address", "src_host=192.0.2.7", true },
	{ "another", "src_host=192.0.2.8", false },
	{ "a network", "src_host=192.0.2.0/24", true },
	{ "a network beside it", "src_host=192.0.3.0/24", false },
	{ "all of IPv4", "src_host=0.0.0.0/0", true },
	{ "all of IPv6 has no IPv4", "src_host=::/0", false },
	{ "an address of IPv6", "dst_host=2001:db8::9", true },
	{ "a network of IPv6", "dst_host=2001:db8::/32", true },
	{ "no address", "src_net=0.0.0.0", true },
	{ "no network, as rows show it", "src_net=::", true },
	{ "no address is in no network", "src_net=0.0.0.0/0", false },
	{ "a port", "dst_port=443", true },
	{ "another port", "dst_port=444", false },
	{ "a port that is 0", "src_port=0", true },
	{ "a protocol by name", "proto=tcp", true },
	{ "a protocol by number", "proto=6", true },
	{ "another protocol", "proto=udp", false },
	{ "a MAC address", "src_mac=00:00:5e:00:53:ff", true },
	{ "a MAC address in capitals", "src_mac=00-00-5E-00-53-FF", true },
	{ "another MAC address", "src_mac=00:00:5e:00:53:fe", false },
	{ "a text with a blank", "label='head office'", true },
	{ "quotes around all of it", "'label=head office'", true },
	{ "a part of the text", "label=head", false },
	{ "hexadecimal, as rows show it", "etype=86dd", true },
	{ "64 bits", "tag=18446744073709551615", true },
	{ "what is shown by a letter", "sampling_direction=i", true },
	{ "another letter", "sampling_direction=e", false },
	{ "two conditions that hold", "dst_port=443  proto=tcp", true },
	{ "two of which one does not", "dst_port=443 proto=udp", false },
};

static void
conditions_on_all_kinds_of_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct selector s, again;
		struct err e = ERR_INIT;
		char text[256];
		size_t len;

		print_message("# %s\n", cases[i].says);
		if (selector_parse(&s, cases[i].text, &e) != 0)
			fail_msg("%s", e.text);
		assert_int_equal(selector_check(&s, &rs, &e), 0);
		assert_int_equal(selector_matches(&s, &rs, (uint8_t *)row), cases[i].means);
		/* Its text is the same selector. */
		len = selector_text(&s, text, sizeof(text));
		assert_int_equal(len, strlen(text));
		assert_int_equal(selector_parse(&again, text, &e), 0);
		assert_memory_equal(&again, &s, sizeof(s));
	}
}

static const struct {
	const char *says, *text, *why;
	int want;
} faults[] = {
	{ "no primitive", "sr_host=192.0.2.1", "'sr_host' is no primitive", -WEIR_ENOENT },
	{ "no value", "src_host", "write primitive=value", -WEIR_EINVAL },
	{ "no address", "src_host=192.0.2", "is no address", -WEIR_EINVAL },
	{ "a length that is too long", "src_host=192.0.2.0/33", "is no address",
	    -WEIR_EINVAL },
	{ "no number", "dst_port=https", "is no number of 2 octets", -WEIR_EINVAL },
	{ "too large a number", "dst_port=65536", "is no number", -WEIR_EINVAL },
	{ "a negative number", "dst_port=-1", "is no number", -WEIR_EINVAL },
	{ "far too large a number", "tag=18446744073709551616", "is no number",
	    -WEIR_EINVAL },
	{ "no protocol", "proto=carrots", "is no protocol", -WEIR_EINVAL },
	{ "no MAC address", "src_mac=00:11", "is no MAC address", -WEIR_EINVAL },
	{ "twice the same", "dst_port=1 dst_port=2", "dst_port stands twice", -WEIR_EINVAL },
	{ "what is counted", "bytes=5", "is counted", -WEIR_EINVAL },
	{ "an open quote", "label='a b", "a quote is not closed", -WEIR_EINVAL },
};

static void
what_cannot_be_meant_is_said(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct selector s;
		struct err e = ERR_INIT;

		print_message("# %s\n", faults[i].says);
		assert_int_equal(selector_parse(&s, faults[i].text, &e), faults[i].want);
		if (strstr(e.text, faults[i].why) == NULL)
			fail_msg("%s", e.text);
	}
}

static void
the_key_of_a_row_selects_it(void **state)
{
	static const struct text_opts opts = { .since_epoch = true };
	struct selector s;
	char text[1024], *label;

	(void)state;
	(void)text_key(&rs, (uint8_t *)row, &opts, text, sizeof(text));
	label = strstr(text, "label=");
	assert_non_null(label);
	memmove(label + 7, label + 6, strlen(label + 6) + 1); /* its blank wants quotes */
	label[6] = '\'';
	label = strstr(label, "office");
	memmove(label + 7, label + 6, strlen(label + 6) + 1);
	label[6] = '\'';
	assert_int_equal(selector_parse(&s, text, NULL), 0);
	assert_int_equal(s.n, 11);
	assert_true(selector_matches(&s, &rs, (uint8_t *)row));
}

static const struct {
	const char *says, *text, *why; /* NULL: it is one key */
} keys[] = {
	{ "every primitive has one value",
	    "src_host=192.0.2.7 src_mac=00:00:5e:00:53:ff dst_port=443 label='a b' src_net=0.0.0.0",
	    NULL },
	{ "one is missing", "src_host=192.0.2.7 src_mac=00:00:5e:00:53:ff dst_port=443 label=x",
	    "the key lacks src_net" },
	{ "a network is many", "src_host=192.0.2.0/24 src_mac=00:00:5e:00:53:ff dst_port=443 "
	                       "label=x src_net=0.0.0.0", "src_host is not one value" },
};

static void
a_whole_key_makes_a_row(void **state)
{
	struct rowspec view;
	struct field_set set;
	struct flow f;
	uint16_t bin = 0;
	uint64_t want[64] = { 0 }, got[64];

	(void)state;
	assert_int_equal(field_set_parse("src_host,src_mac,dst_port,label,src_net", &set, NULL), 0);
	rowspec_compile(&view, &set);
	flow_clear(&f);
	f.src_host = ip_from_v4("\300\0\2\7");
	f.src_mac = (mac_t){ { 0, 0, 0x5e, 0, 0x53, 0xff } };
	f.dst_port = 443;
	f.label = intern("a b", 3);
	rowspec_pack(&view, &f, &bin, 1, (uint8_t *)want);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct selector s;
		struct err e = ERR_INIT;
		int rc;

		print_message("# %s\n", keys[i].says);
		assert_int_equal(selector_parse(&s, keys[i].text, &e), 0);
		rc = selector_row(&s, &view, (uint8_t *)got, &e);
		assert_int_equal(rc == 0, keys[i].why == NULL);
		if (rc == 0)
			assert_memory_equal(got, want, view.key_octets);
		else if (strstr(e.text, keys[i].why) == NULL)
			fail_msg("%s", e.text);
	}
}

static void
a_view_must_have_what_is_asked_for(void **state)
{
	struct rowspec other;
	struct field_set set;
	struct selector s;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(field_set_parse("src_host,proto", &set, NULL), 0);
	rowspec_compile(&other, &set);
	assert_int_equal(selector_parse(&s, "proto=6", NULL), 0);
	assert_int_equal(selector_check(&s, &other, &e), 0);
	assert_int_equal(selector_parse(&s, "proto=6 dst_port=443", NULL), 0);
	assert_int_equal(selector_check(&s, &other, &e), -WEIR_EINVAL);
	assert_non_null(strstr(e.text, "have no dst_port but src_host,proto"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions_on_all_kinds_of_fields),
		cmocka_unit_test(what_cannot_be_meant_is_said),
		cmocka_unit_test(the_key_of_a_row_selects_it),
		cmocka_unit_test(a_whole_key_makes_a_row),
		cmocka_unit_test(a_view_must_have_what_is_asked_for),
	};

	return cmocka_run_group_tests_name("selector", tests, row_make, NULL);
}
