/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rules/networks.h"
#include "tests/lib/scratch.h"

static struct networks *
load(const char *text, size_t len, struct problems *ps)
{
	struct networks *n;
	struct err e = ERR_INIT;
	scratch_put(text, len);
	memset(ps, 0, sizeof(*ps));
	n = networks_load(scratch_path, ps, &e);
	if (n == NULL)
		fail_msg("%s", e.text);
	return n;
}

static const struct network *
find(const struct networks *n, const char *addr)
{
	ip16_t a;

	assert_int_equal(ip_parse(addr, &a), 0);
	return networks_find(n, &a);
}

/* One line, and what it says of an address in its network. */
static const struct {
	const char *says, *line, *addr;
	uint8_t bits;
	uint32_t as, peer_as;
	const char *nexthop;
} lines[] = {
	{ "a network", "192.0.2.0/24", "192.0.2.200", 24, 0, 0, NULL },
	{ "a host without a length", "192.0.2.7", "192.0.2.7", 32, 0, 0, NULL },
	{ "the default route", "0.0.0.0/0", "8.8.8.8", 0, 0, 0, NULL },
	{ "an IPv6 network", "2001:db8::/32", "2001:db8:1::1", 32, 0, 0, NULL },
	{ "an IPv6 host", "2001:db8::1", "2001:db8::1", 128, 0, 0, NULL },
	{ "the default route of IPv6", "::/0", "2001:db8::1", 0, 0, 0, NULL },
	{ "an AS and a network", "65001,192.0.2.0/24", "192.0.2.1", 24, 65001, 0,
	    NULL },
	{ "an AS of four octets", "4294967295,192.0.2.0/24", "192.0.2.1", 24,
	    UINT32_MAX, 0, NULL },
	{ "a peer AS and an AS", "65000_65001,192.0.2.0/24", "192.0.2.1", 24,
	    65001, 65000, NULL },
	{ "a next hop, an AS and a network", "10.0.0.1,65001,192.0.2.0/24", "192.0.2.1",
	    24, 65001, 0, "10.0.0.1" },
	{ "a next hop and two AS", "10.0.0.1,65000_65001,2001:db8::/48", "2001:db8::2",
	    48, 65001, 65000, "10.0.0.1" },
	{ "an IPv6 next hop", "2001:db8::ff,65001,2001:db8::/48", "2001:db8::2", 48,
	    65001, 0, "2001:db8::ff" },
	{ "blanks anywhere", " 65001 ,\t192.0.2.0/24 ", "192.0.2.1", 24, 65001, 0,
	    NULL },
	{ "a comment behind", "65001,192.0.2.0/24 ! our own", "192.0.2.1", 24,
	    65001, 0, NULL },
	{ "the other comment behind", "192.0.2.0/24 # 10.0.0.0/8", "192.0.2.1", 24,
	    0, 0, NULL },
	{ "host bits, which are cut", "192.0.2.99/24", "192.0.2.1", 24, 0, 0,
	    NULL },
	{ "DOS line ends", "65001,192.0.2.0/24\r", "192.0.2.1", 24, 65001, 0,
	    NULL },
};

static void
test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct problems ps;
		struct networks *n = load(lines[i].line, strlen(lines[i].line), &ps);
		const struct network *w = find(n, lines[i].addr);
		ip16_t nexthop = { { 0 } };

		if (lines[i].nexthop != NULL)
			assert_int_equal(ip_parse(lines[i].nexthop, &nexthop), 0);
		if (ps.n != 0)
			fail_msg("%s: %s", lines[i].says, ps.list[0].text);
		if (w == NULL || w->bits != lines[i].bits || w->as != lines[i].as ||
		    w->peer_as != lines[i].peer_as || !ip_equal(&w->nexthop, &nexthop))
			fail_msg("%s: not what it says", lines[i].says);
		if (lines[i].bits != 0 && find(n, "198.51.100.1") != NULL)
			fail_msg("%s: holds others too", lines[i].says);
		networks_free(n);
		problems_free(&ps);
	}
}

static const struct {
	const char *says, *line;
} bad[] = {
	{ "no network", "hello" },
	{ "an AS only", "65001" },
	{ "a length beyond IPv4", "192.0.2.0/33" },
	{ "a length beyond IPv6", "2001:db8::/129" },
	{ "no length behind the slash", "192.0.2.0/" },
	{ "a negative length", "192.0.2.0/-1" },
	{ "four parts", "1,10.0.0.1,65001,192.0.2.0/24" },
	{ "an AS that is no number", "AS65001,192.0.2.0/24" },
	{ "an AS of more than 32 bits", "4294967296,192.0.2.0/24" },
	{ "a negative AS", "-1,192.0.2.0/24" },
	{ "half a pair", "65000_,192.0.2.0/24" },
	{ "the other half", "_65001,192.0.2.0/24" },
	{ "three AS", "1_2_3,192.0.2.0/24" },
	{ "a next hop that is none", "gateway,65001,192.0.2.0/24" },
	{ "commas only", ",," },
};

static void
test_bad_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[256], at[80];
		struct problems ps;
		struct networks *n;

		snprintf(
		    text, sizeof(text), "! first\n\n%s\n10.0.0.0/8\n", bad[i].line);
		snprintf(at, sizeof(at), "%s:3: ", scratch_path);
		n = load(text, strlen(text), &ps);
		if (ps.n != 1 || ps.list[0].level != PROBLEM_WARNING ||
		    strncmp(ps.list[0].text, at, strlen(at)) != 0)
			fail_msg("%s: %zu problems, '%s'", bad[i].says, ps.n,
			    ps.n > 0 ? ps.list[0].text : "");
		if (strstr(ps.list[0].text, bad[i].line) == NULL)
			fail_msg("%s: '%s' does not show the line", bad[i].says,
			    ps.list[0].text);
		assert_non_null(find(n, "10.1.1.1")); /* reading goes on */
		assert_null(find(n, "192.0.2.1"));
		networks_free(n);
		problems_free(&ps);
	}
}

static void
test_nested(void **state)
{
	static const char text[] =
	    "1,10.0.0.0/8\n4,10.1.2.3/32\n2,10.1.0.0/16\n3,10.1.2.0/24\n"
	    "6,2001:db8::/32\n7,2001:db8:1::/48\n5,0.0.0.0/0\n";
	static const struct {
		const char *addr;
		uint32_t as;
	} finds[] = { { "10.255.0.1", 1 }, { "10.1.255.1", 2 }, { "10.1.2.4", 3 },
		{ "10.1.2.3", 4 }, { "11.0.0.1", 5 }, { "2001:db8:ff::1", 6 },
		{ "2001:db8:1::1", 7 } };
	const struct network *found[7];
	const ip16_t *at[7];
	ip16_t a[7];
	struct problems ps;
	struct networks *n = load(text, sizeof(text) - 1, &ps);

	(void)state;
	assert_int_equal(ps.n, 0);
	for (size_t i = 0; i < sizeof(finds) / sizeof(finds[0]); i++) {
		const struct network *w = find(n, finds[i].addr);

		if (w == NULL || w->as != finds[i].as)
			fail_msg(
			    "%s is in AS %u", finds[i].addr, w != NULL ? w->as : 0);
	}
	for (size_t i = 0; i < 7; i++) {
		assert_int_equal(ip_parse(finds[i].addr, &a[i]), 0);
		at[i] = &a[i];
	}
	networks_find_many(n, at, 7, found);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(found[i]->as, finds[i].as);
	assert_null(find(n, "2001:db9::1")); /* IPv4's default route does not hold it */
	networks_free(n);
}

/* What stands behind a comment is comment, however long the line. */
static void
test_long_lines(void **state)
{
	struct problems ps;
	struct networks *n;
	char *text = malloc(20000);
	size_t len = 0;

	(void)state;
	assert_non_null(text);
	for (int round = 0; round < 8; round++) {
		text[len++] = '!';
		memset(text + len, 'x', 400 + 100 * (size_t)round);
		len += 400 + 100 * (size_t)round;
		len += (size_t)sprintf(text + len, ",65001,192.0.2.0/24\n");
	}
	len += (size_t)sprintf(text + len, "10.0.0.0/8%*s! far out\n", 1000, "");
	memset(text + len, '9', 3000);
	len += 3000;
	len += (size_t)sprintf(text + len, "\nwrong\n");
	n = load(text, len, &ps);
	assert_null(find(n, "192.0.2.1"));
	assert_non_null(find(n, "10.0.0.1"));
	assert_int_equal(ps.n, 2);
	if (strstr(ps.list[0].text, ":10: ") == NULL ||
	    strstr(ps.list[1].text, ":11: ") == NULL)
		fail_msg("%s, %s", ps.list[0].text, ps.list[1].text);
	networks_free(n);
	problems_free(&ps);
	free(text);
}

static void
test_odd_files(void **state)
{
	static const char nul[] = "10.0.0.0/8\0,65001\n192.0.2.0/24\n";
	struct problems ps;
	struct networks *n = load("", 0, &ps);

	(void)state;
	assert_null(find(n, "10.0.0.1")); /* an empty file lists nothing */
	networks_free(n);
	n = load("! nothing\n\n  \n# here\n", 21, &ps);
	assert_null(find(n, "10.0.0.1"));
	assert_int_equal(ps.n, 0);
	networks_free(n);
	n = load(nul, sizeof(nul) - 1, &ps);
	assert_non_null(find(n, "192.0.2.1"));
	networks_free(n);
	problems_free(&ps);
	n = load("10.0.0.0/8", 10, &ps); /* no newline at the end */
	assert_non_null(find(n, "10.0.0.1"));
	networks_free(n);
	networks_free(NULL);
}

static void
test_many(void **state)
{
	struct problems ps;
	struct networks *n;
	char *text = malloc(1 << 20), addr[32];
	size_t len = 0;

	(void)state;
	assert_non_null(text);
	for (unsigned i = 0; i < 20000; i++)
		len += (size_t)sprintf(
		    text + len, "%u,10.%u.%u.0/24\n", i, i >> 8, i & 255);
	n = load(text, len, &ps);
	assert_int_equal(ps.n, 0);
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(addr, sizeof(addr), "10.%u.%u.9", i >> 8, i & 255);
		assert_int_equal(find(n, addr)->as, i);
	}
	networks_free(n);
	free(text);
}

static void
test_unreadable(void **state)
{
	static const char *const paths[] = { "/nonexistent/networks", "/tmp" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct problems ps = { 0 };
		struct err e = ERR_INIT;

		if (networks_load(paths[i], &ps, &e) != NULL)
			fail_msg("%s is no file", paths[i]);
		assert_int_equal(e.code, WEIR_EIO);
		assert_non_null(strstr(e.text, paths[i]));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_odd_files),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_unreadable),
	};

	return cmocka_run_group_tests_name("networks", tests, scratch_make, scratch_remove);
}
