/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/err.h"
#include "lib/ip.h"

static const struct {
	const char *says, *text;
	const char *want;  /* as printed; NULL: refused */
	bool v4;
} addresses[] = {
	{ "a dotted quad", "192.0.2.1", "192.0.2.1", true },
	{ "every octet has one, two and three digits", "7.10.255.100", "7.10.255.100",
	    true },
	{ "0.0.0.0 as text is an address", "0.0.0.0", "0.0.0.0", true },
	{ "the last IPv4 address", "255.255.255.255", "255.255.255.255", true },
	{ "an IPv6 address", "2001:db8::1", "2001:db8::1", false },
	{ "the long form is shortened (RFC 5952)", "2001:DB8:0:0:0:0:0:A",
	    "2001:db8::a", false },
	{ "the longest form fits", "1111:2222:3333:4444:5555:6666:7777:8888",
	    "1111:2222:3333:4444:5555:6666:7777:8888", false },
	{ "a v4-mapped address is IPv4", "::ffff:10.1.2.3", "10.1.2.3", true },
	{ "all zeroes is no address", "::", "0.0.0.0", false },
	{ "the loopback address is not IPv4", "::1", "::1", false },
	{ "nothing", "", NULL, false },
	{ "three octets", "10.1.2", NULL, false },
	{ "five octets", "10.1.2.3.4", NULL, false },
	{ "an octet above 255", "10.1.2.256", NULL, false },
	{ "a blank before", " 10.1.2.3", NULL, false },
	{ "something after", "10.1.2.3x", NULL, false },
	{ "a zone", "fe80::1%eth0", NULL, false },
	{ "a port", "[::1]:2100", NULL, false },
	{ "two gaps", "1::2::3", NULL, false },
	{ "a name", "localhost", NULL, false },
};

static void
test_parse_and_format(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		ip16_t a = { { 0xee } };
		char text[IP_STRLEN];
		int rc = ip_parse(addresses[i].text, &a);

		if (rc != (addresses[i].want != NULL ? 0 : -WEIR_EINVAL))
			fail_msg("%s: returned %d", addresses[i].says, rc);
		if (rc != 0)
			continue;
		if (ip_format(&a, text) != strlen(addresses[i].want) ||
		    strcmp(text, addresses[i].want) != 0)
			fail_msg("%s: printed '%s'", addresses[i].says, text);
		if (ip_is_v4(&a) != addresses[i].v4)
			fail_msg("%s: wrong family", addresses[i].says);
	}
}

static void
test_none(void **state)
{
	ip16_t none = { { 0 } }, zero;
	char text[IP_STRLEN];

	(void)state;
	assert_true(ip_is_none(&none));
	assert_int_equal(ip_format(&none, text), 7);
	assert_string_equal(text, "0.0.0.0");
	assert_int_equal(ip_parse("0.0.0.0", &zero), 0);
	assert_false(ip_is_none(&zero));
	assert_false(ip_equal(&zero, &none));
}

static void
test_mask(void **state)
{
	ip16_t all;

	(void)state;
	memset(&all, 0xff, sizeof(all));
	for (unsigned bits = 0; bits <= 200; bits++) {
		ip16_t got = ip_mask(&all, bits);

		for (unsigned bit = 0; bit < 128; bit++) {
			bool set = got.b[bit / 8] >> (7 - bit % 8) & 1;

			if (set != (bit < bits))
				fail_msg("masked to %u bits, bit %u is wrong", bits,
				    bit);
		}
	}
}

static const struct {
	const char *says, *text, *addr;  /* addr NULL: refused */
	int len;
	bool host_bits;
} prefixes[] = {
	{ "an IPv4 prefix", "10.0.0.0/8", "10.0.0.0", 104, false },
	{ "host bits are cleared and told", "10.1.2.3/8", "10.0.0.0", 104, true },
	{ "an IPv4 host", "192.0.2.1", "192.0.2.1", 128, false },
	{ "an IPv4 host with its length", "192.0.2.1/32", "192.0.2.1", 128, false },
	{ "an odd length", "192.0.2.255/25", "192.0.2.128", 121, true },
	{ "the IPv4 default route", "0.0.0.0/0", "0.0.0.0", 96, false },
	{ "an IPv6 prefix", "2001:db8::/32", "2001:db8::", 32, false },
	{ "an IPv6 host", "2001:db8::1", "2001:db8::1", 128, false },
	{ "IPv6 host bits", "2001:db8:8000::1/33", "2001:db8:8000::", 33, true },
	{ "a v4-mapped prefix counts all bits", "::ffff:10.0.0.0/104", "10.0.0.0", 104,
	    false },
	{ "the IPv6 default route is all zeroes", "::/0", "0.0.0.0", 0, false },
	{ "33 bits of IPv4", "10.0.0.0/33", NULL, 0, false },
	{ "129 bits of IPv6", "::/129", NULL, 0, false },
	{ "a huge length", "::/4294967297", NULL, 0, false },
	{ "no length after the slash", "10.0.0.0/", NULL, 0, false },
	{ "a sign", "10.0.0.0/+8", NULL, 0, false },
	{ "a second slash", "10.0.0.0/8/8", NULL, 0, false },
	{ "a mask", "10.0.0.0/255.0.0.0", NULL, 0, false },
	{ "no address", "/8", NULL, 0, false },
	{ "a short address", "10/8", NULL, 0, false },
	{ "an endless address",
	    "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb/8",
	    NULL, 0, false },
};

static void
test_prefix(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		struct prefix p;
		bool host_bits;
		char text[IP_STRLEN];
		int rc = prefix_parse(prefixes[i].text, &p, &host_bits);

		if (rc != (prefixes[i].addr != NULL ? 0 : -WEIR_EINVAL))
			fail_msg("%s: returned %d", prefixes[i].says, rc);
		if (rc != 0)
			continue;
		ip_format(&p.addr, text);
		if (strcmp(text, prefixes[i].addr) != 0 || p.len != prefixes[i].len ||
		    host_bits != prefixes[i].host_bits)
			fail_msg("%s: got %s/%d", prefixes[i].says, text, p.len);
		assert_int_equal(prefix_parse(prefixes[i].text, &p, NULL), 0);
	}
}

static const struct {
	const char *says, *prefix, *addr;
	bool holds;
} holdings[] = {
	{ "an address of the prefix", "10.0.0.0/8", "10.255.1.2", true },
	{ "the one behind it", "10.0.0.0/8", "11.0.0.0", false },
	{ "a host holds itself", "192.0.2.1", "192.0.2.1", true },
	{ "and not its neighbour", "192.0.2.1", "192.0.2.0", false },
	{ "all of IPv4", "0.0.0.0/0", "203.0.113.9", true },
	{ "is not IPv6", "0.0.0.0/0", "2001:db8::1", false },
	{ "all of IPv6", "::/0", "2001:db8::1", true },
	{ "is not IPv4", "::/0", "192.0.2.1", false },
	{ "an IPv6 prefix", "2001:db8::/33", "2001:db8:7fff::1", true },
	{ "cut within an octet", "2001:db8::/33", "2001:db8:8000::1", false },
};

static void
test_prefix_holds(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(holdings) / sizeof(holdings[0]); i++) {
		struct prefix p;
		ip16_t a;

		assert_int_equal(prefix_parse(holdings[i].prefix, &p, NULL), 0);
		assert_int_equal(ip_parse(holdings[i].addr, &a), 0);
		if (prefix_holds(&p, &a) != holdings[i].holds)
			fail_msg("%s", holdings[i].says);
	}
}

static const struct {
	const char *says, *text, *want;
} macs[] = {
	{ "colons", "00:1b:21:3c:4d:5e", "00:1b:21:3c:4d:5e" },
	{ "dashes and capitals", "00-1B-21-3C-4D-5E", "00:1b:21:3c:4d:5e" },
	{ "single digits", "0:1:2:a:b:c", "00:01:02:0a:0b:0c" },
	{ "nothing", "", NULL },
	{ "five octets", "00:1b:21:3c:4d", NULL },
	{ "seven octets", "00:1b:21:3c:4d:5e:6f", NULL },
	{ "a divider at the end", "00:1b:21:3c:4d:5e:", NULL },
	{ "dividers mixed", "00:1b-21:3c:4d:5e", NULL },
	{ "an empty octet", "00::21:3c:4d:5e", NULL },
	{ "three digits", "001:1b:21:3c:4d:5e", NULL },
	{ "no dividers", "001b213c4d5e", NULL },
	{ "not hex", "00:1b:21:3c:4d:5g", NULL },
	{ "only one octet", "0", NULL },
};

static void
test_mac(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(macs) / sizeof(macs[0]); i++) {
		char text[MAC_STRLEN];
		mac_t m;
		int rc = mac_parse(macs[i].text, &m);

		if (rc != (macs[i].want != NULL ? 0 : -WEIR_EINVAL))
			fail_msg("%s: returned %d", macs[i].says, rc);
		if (rc != 0)
			continue;
		if (mac_format(&m, text) != 17 || strcmp(text, macs[i].want) != 0)
			fail_msg("%s: printed '%s'", macs[i].says, text);
	}
}

static void
test_format_every_octet(void **state)
{
	(void)state;
	for (unsigned v = 0; v < 256; v++) {
		uint8_t quad[4] = { (uint8_t)v, 0, (uint8_t)(255 - v), (uint8_t)v };
		ip16_t a = ip_from_v4(quad);
		char text[IP_STRLEN], want[IP_STRLEN];

		snprintf(want, sizeof(want), "%u.0.%u.%u", v, 255 - v, v);
		assert_int_equal(ip_format(&a, text), strlen(want));
		assert_string_equal(text, want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_and_format),
		cmocka_unit_test(test_format_every_octet),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_mask),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_prefix_holds),
		cmocka_unit_test(test_mac),
	};

	return cmocka_run_group_tests_name("ip", tests, NULL, NULL);
}
