/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "flow/sample_type.h"
#include "tests/proto/hex.h"
#include "tests/proto/template_rig.h"

enum { BI_FLOW = 1, NEL = 2, NSEL = 4, BY_HOST = 8 };

static const struct {
	const char *says;
	enum template_kind kind;
	const char *octets;
	const char *type;
	unsigned traits;
} cases[] = {
	{ "IPv4 and octets", TEMPLATE_V9, "0100 0002 00080004 00010004", "flow-ipv4",
	    0 },
	{ "IPv4 prefixes and packets", TEMPLATE_V9, "0100 0002 002d0004 00020004",
	    "flow-ipv4", 0 },
	{ "IPv6", TEMPLATE_V9, "0100 0002 001b0010 00010004", "flow-ipv6", 0 },
	{ "IPv6 prefixes", TEMPLATE_IPFIX, "0100 0002 00a90010 00010004", "flow-ipv6",
	    0 },
	{ "IPv4 with labels", TEMPLATE_V9, "0100 0003 00080004 00460003 00010004",
	    "flow-mpls-ipv4", 0 },
	{ "IPv6 with labels, of which the outermost is missing", TEMPLATE_V9,
	    "0100 0003 001c0010 00470003 00010004", "flow-mpls-ipv6", 0 },
	{ "labels alone", TEMPLATE_V9, "0100 0002 00460003 00010004", "flow-mpls",
	    BY_HOST },
	{ "both addresses: the record tells", TEMPLATE_V9,
	    "0100 0003 00080004 001b0010 00010004", "flow", BY_HOST },
	{ "no address", TEMPLATE_V9, "0100 0002 00380006 00010004", "flow", BY_HOST },
	{ "nothing is counted", TEMPLATE_V9, "0100 0002 00080004 000c0004", "event",
	    0 },
	{ "how many flows is no count", TEMPLATE_V9, "0100 0002 00080004 00030004",
	    "event", 0 },
	{ "octets of layer 2 are counted", TEMPLATE_IPFIX,
	    "0100 0002 00080004 01600008", "flow-ipv4", 0 },
	{ "a sampled packet counts as it is", TEMPLATE_IPFIX, "0100 0001 013b0040",
	    "flow", BY_HOST },
	{ "address translation", TEMPLATE_V9, "0100 0002 00080004 00e60001", "event",
	    NEL },
	{ "address translation that counts", TEMPLATE_V9,
	    "0100 0003 00080004 00e60001 00010004", "event", NEL },
	{ "a firewall's event", TEMPLATE_V9, "0100 0002 00080004 00e90001", "event",
	    NSEL },
	{ "a firewall's event that counts", TEMPLATE_V9,
	    "0100 0003 00080004 00e90001 00010004", "flow-ipv4", NSEL },
	{ "initiator and responder", TEMPLATE_V9,
	    "0100 0003 00080004 00e70004 00e80004", "flow-ipv4", BI_FLOW },
	{ "initiator alone", TEMPLATE_V9, "0100 0002 00080004 00e70004", "flow-ipv4",
	    0 },
	{ "responder alone", TEMPLATE_V9, "0100 0002 00080004 00e80004", "flow-ipv4",
	    0 },
	{ "packets of both are not octets", TEMPLATE_V9,
	    "0100 0003 00080004 012a0004 012b0004", "flow-ipv4", 0 },
	{ "another enterprise's 230 is no natEvent", TEMPLATE_IPFIX,
	    "0100 0003 00080004 80e60001 0000aaaa 00010004", "flow-ipv4", 0 },
	{ "options", TEMPLATE_IPFIX_OPTIONS, "0100 0002 0001 00950004 00010004",
	    "option", 0 },
	{ "v9 options, whose scope is no element", TEMPLATE_V9_OPTIONS,
	    "0100 0004 0004 00e60004 00220004", "option", 0 },
	{ "v9 options with natEvent", TEMPLATE_V9_OPTIONS,
	    "0100 0004 0004 00010004 00e60001", "option", NEL },
};

static void
test_traits(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t octets[64];
		size_t len = hex_octets(cases[i].octets, octets, sizeof(octets));
		struct rbuf r = rbuf_of(octets, len);
		char text[SAMPLE_TYPE_TEXT];
		struct template_traits t;
		struct template_def d;
		unsigned traits;

		assert_int_equal(template_next(&r, cases[i].kind, &d), 0);
		t = template_traits_of(&d);
		traits = (t.bi_flow ? BI_FLOW : 0U) | (t.nel ? NEL : 0U) |
			 (t.nsel ? NSEL : 0U) | (t.by_host ? BY_HOST : 0U);
		(void)sample_type_text(t.sample_type, text);
		if (strcmp(text, cases[i].type) != 0 || traits != cases[i].traits)
			fail_msg("%s: %s, %x", cases[i].says, text, traits);
	}
}

/* Both directions of a conversation have the traits of their template. */
static void
test_compiled(void **state)
{
	struct field_set all = rig_all_fields();
	struct template *t =
	    rig_template(TEMPLATE_V9, "0100 0003 00080004 00e70004 00e80004", &all);

	(void)state;
	assert_true(t->traits.bi_flow);
	assert_non_null(t->reverse);
	assert_true(t->reverse->traits.bi_flow);
	assert_int_equal(t->reverse->id, 256);
	template_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_traits),
		cmocka_unit_test(test_compiled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
