/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "collectors/interfaces.h"
#include "collectors/pcap.h"
#include "lib/log.h"
#include "tests/collectors/rig.h"

static const struct config no_lines;

/* Load a map of that text. Returns how many errors there are; `text` gets the problems. */
static size_t
map_load(struct pcap_config *c, const char *map, char *text, size_t room)
{
	struct problems ps = { 0 };
	size_t errors, at = 0;

	c->interfaces_map = rig_file(map, strlen(map));
	interfaces_load(c, &no_lines, &ps);
	text[0] = '\0';
	for (size_t i = 0; i < ps.n && at < room; i++)
		at += (size_t)snprintf(text + at, room - at, "%s\n", ps.list[i].text);
	errors = ps.n_errors;
	problems_free(&ps);
	return errors;
}

static void
test_map(void **state)
{
	static const char rules[] = "! what we capture from\n"
	                            "ifindex=100 ifname=eth0 direction=in\n"
	                            "ifname=eth0 ifindex=101 direction=out\n"
	                            "ifname=eth1 ifindex=4294967295\n";
	static const struct {
		const char *name;
		enum field_direction direction;
		uint32_t ifindex;
	} want[] = {
		{ "eth0", DIRECTION_IN, 100 },
		{ "eth0", DIRECTION_OUT, 101 },
		{ "eth1", DIRECTION_IN, UINT32_MAX }, /* as pcap_direction says */
	};
	struct pcap_config c = { .ifindex = IFINDEX_MAP, .direction = DIRECTION_IN };
	char text[4096];

	(void)state;
	if (map_load(&c, rules, text, sizeof(text)) != 0 || text[0] != '\0')
		fail_msg("%s", text);
	assert_int_equal(c.interfaces->n, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct capture_interface *it = c.interfaces->list[i];

		assert_string_equal(it->name, want[i].name);
		assert_int_equal(it->direction, want[i].direction);
		assert_int_equal(atomic_load(&it->map_ifindex), want[i].ifindex);
		assert_ptr_equal(it->config, &c);
		assert_non_null(it->fanout);
	}
	interfaces_free(&c);
	assert_null(c.interfaces);
}

static void
test_map_faults(void **state)
{
	static const struct {
		const char *says, *rules, *want;
	} cases[] = {
		{ "a rule needs a name", "ifindex=1\n", "file:1: pcap_interfaces_map: a rule without" },
		{ "a direction is in or out", "ifname=eth0 direction=both\n", "write in or out" },
		{ "an ifIndex is no 0", "ifname=eth0 ifindex=0\n", "ifindex" },
		{ "a name fits the kernel", "ifname=abcdefghijklmnop\n", "longer than" },
		{ "an unknown key is named", "ifname=eth0 ifidnex=1\n", "did you mean 'ifindex'" },
		{ "the same twice counts twice", "ifname=eth0 direction=in\nifname=eth0 direction=in\n",
		    "file:2: pcap_interfaces_map: eth0 stands here for direction in already" },
		{ "both directions hold each", "ifname=eth0\nifname=eth0 direction=out\n",
		    "for direction both already" },
		{ "each is held by both", "ifname=eth0 direction=out\nifname=eth0\n",
		    "for direction out already" },
		{ "nothing to do is a mistake", "! none\n", "nothing to capture from" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pcap_config c = { 0 };
		char text[4096];

		if (map_load(&c, cases[i].rules, text, sizeof(text)) == 0)
			fail_msg("%s: loaded", cases[i].says);
		if (strstr(text, cases[i].want) == NULL)
			fail_msg("%s: %s", cases[i].says, text);
		assert_null(c.interfaces);
	}
}

static void
test_directives(void **state)
{
	static const struct {
		const char *says;
		struct pcap_config config;
		const char *want;  /* among the problems; NULL: there are none */
		unsigned n;        /* interfaces */
	} cases[] = {
		{ "an interface", { .interface = "eth0" }, NULL, 1 },
		{ "a file alone", { .savefile = "f" }, NULL, 0 },
		{ "nothing", { 0 }, NULL, 0 },
		{ "two inputs", { .interface = "lo", .savefile = "f" }, "write one of", 0 },
		{ "two others", { .interface = "lo", .interfaces_map = "f" }, "write one of", 0 },
		{ "no such map", { .interfaces_map = "/nonexistent/map" }, "/nonexistent/map", 0 },
		{ "map without a map", { .interface = "lo", .ifindex = IFINDEX_MAP,
		    .direction = DIRECTION_IN }, "there is no pcap_interfaces_map", 1 },
		{ "a number, but no direction", { .interface = "lo", .ifindex = IFINDEX_SYS },
		    "stay 0", 1 },
		{ "a number of each packet's own", { .interface = "any", .ifindex = IFINDEX_SYS },
		    NULL, 1 },
		{ "a protocol", { .interface = "lo", .protocol_text = "0x86dd" }, NULL, 1 },
		{ "no protocol", { .interface = "lo", .protocol_text = "ipv6" }, "EtherType", 1 },
		{ "a large one", { .interface = "lo", .protocol_text = "65536" }, "EtherType", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pcap_config c = cases[i].config;
		struct problems ps = { 0 };
		unsigned n;

		interfaces_load(&c, &no_lines, &ps);
		n = c.interfaces != NULL ? c.interfaces->n : 0;
		if (ps.n != (cases[i].want != NULL) || n != cases[i].n)
			fail_msg("%s: %zu problems, %u interfaces", cases[i].says, ps.n, n);
		if (ps.n > 0 && strstr(ps.list[0].text, cases[i].want) == NULL)
			fail_msg("%s: %s", cases[i].says, ps.list[0].text);
		if (ps.n == 0 && c.protocol_text != NULL)
			assert_int_equal(c.protocol, 0x86dd);
		problems_free(&ps);
		interfaces_free(&c);
	}
}

/* Read the map anew with that text; returns how many errors there are. */
static size_t
map_reload(struct pcap_config *c, const char *map)
{
	struct problems ps = { 0 };
	size_t errors;

	c->interfaces_map = rig_file(map, strlen(map));
	interfaces_reload(c, &ps);
	errors = ps.n_errors;
	problems_free(&ps);
	return errors;
}

/* Numbers change, interfaces come, go and come back; a map with a fault is left aside. */
static void
test_reload(void **state)
{
	struct pcap_config c = { .ifindex = IFINDEX_MAP };
	struct capture_interface *it[3];
	char text[4096];

	(void)state;
	assert_int_equal(map_load(&c, "ifname=eth0 ifindex=1 direction=in\n"
	    "ifname=eth1 ifindex=2 direction=in\n", text, sizeof(text)), 0);
	it[0] = c.interfaces->list[0];
	it[1] = c.interfaces->list[1];
	assert_int_equal(map_reload(&c, "ifname=eth2 ifindex=5\n"
	    "ifname=eth0 ifindex=7 direction=in\n"), 0);
	assert_int_equal(c.interfaces->n, 3);
	assert_ptr_equal(c.interfaces->list[0], it[0]);
	it[2] = c.interfaces->list[2];
	assert_int_equal(atomic_load(&it[0]->map_ifindex), 7);
	assert_true(!atomic_load(&it[0]->retired) && !it[0]->added);
	assert_true(atomic_load(&it[1]->retired));
	assert_string_equal(it[2]->name, "eth2");
	assert_int_equal(atomic_load(&it[2]->map_ifindex), 5);
	assert_true(!atomic_load(&it[2]->retired) && it[2]->added);
	assert_ptr_equal(it[2]->config, &c);
	interface_where(it[0], text, sizeof(text));
	assert_string_equal(text, "eth0 in");
	interface_where(it[2], text, sizeof(text));
	assert_string_equal(text, "eth2");

	assert_true(map_reload(&c, "ifname=eth1 direction=in ifindex=9\nbroken\n") > 0);
	assert_true(map_reload(&c, "! nothing\n") > 0);
	assert_int_equal(c.interfaces->n, 3);
	assert_true(atomic_load(&it[1]->retired));

	assert_int_equal(map_reload(&c, "ifname=eth1 direction=in ifindex=9\n"), 0);
	assert_int_equal(c.interfaces->n, 3);
	assert_false(atomic_load(&it[1]->retired));
	assert_int_equal(atomic_load(&it[1]->map_ifindex), 9);
	assert_true(atomic_load(&it[0]->retired) && atomic_load(&it[2]->retired));
	interfaces_free(&c);
}

/* Values of pmacctd 1.7.7: the second was seen in its output, capturing from gveth1. */
static void
test_hash(void **state)
{
	(void)state;
	assert_int_equal(interface_hash("eth0"), 2142326192);
	assert_int_equal(interface_hash("gveth1"), UINT32_C(3196031209));
	assert_int_equal(interface_hash("longname-eth99"), 1322194897);
}

static int
setup(void **state)
{
	static const struct log_config quiet = { .file = "/dev/null" };
	struct err e = ERR_INIT;

	(void)state;
	return log_open(&quiet, &e);
}

static int
teardown(void **state)
{
	(void)state;
	rig_file_remove();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_map_faults),
		cmocka_unit_test(test_directives),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_hash),
	};

	return cmocka_run_group_tests_name("collectors/interfaces", tests, setup, teardown);
}
