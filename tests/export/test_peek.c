/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "export/peek.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* What a sender at 192.0.2.1 may send, and what its header says. */
static const struct {
	const char *says;
	enum flow_source source;
	size_t len;
	uint8_t octets[32];
	const char *exporter;
	uint8_t engine_type;
	uint32_t engine_id, agent_id;
} cases[] = {
	{ "v5: type and id of the engine", SOURCE_NETFLOW, 24, { [1] = 5, [20] = 3, [21] = 7 },
	    "192.0.2.1", 3, 7, 0 },
	{ "v8 as well", SOURCE_NETFLOW, 28, { [1] = 8, [20] = 4, [21] = 9 }, "192.0.2.1", 4, 9,
	    0 },
	{ "v9: the source id", SOURCE_NETFLOW, 20, { [1] = 9, [16] = 1, [19] = 2 }, "192.0.2.1",
	    0, 0x01000002, 0 },
	{ "IPFIX: the domain", SOURCE_NETFLOW, 16, { [1] = 10, [12] = 1, [15] = 3 },
	    "192.0.2.1", 0, 0x01000003, 0 },
	{ "an octet short", SOURCE_NETFLOW, 15, { [1] = 10, [12] = 1 }, "192.0.2.1", 0, 0, 0 },
	{ "no version that is known", SOURCE_NETFLOW, 32, { [1] = 6, [20] = 3 }, "192.0.2.1", 0,
	    0, 0 },
	{ "nothing at all", SOURCE_NETFLOW, 0, { 0 }, "192.0.2.1", 0, 0, 0 },
	{ "sFlow v5: agent and sub-agent", SOURCE_SFLOW, 28,
	    { [3] = 5, [7] = 1, [8] = 198, 51, 100, 9, [15] = 77 }, "198.51.100.9", 0, 0, 77 },
	{ "sFlow v5, IPv6", SOURCE_SFLOW, 28,
	    { [3] = 5, [7] = 2, [8] = 0x20, 1, 0xd, 0xb8, [23] = 1, [27] = 5 }, "2001:db8::1", 0,
	    0, 5 },
	{ "sFlow v2 has no sub-agents", SOURCE_SFLOW, 28,
	    { [3] = 2, [7] = 1, [8] = 198, 51, 100, 9, [15] = 77 }, "198.51.100.9", 0, 0, 0 },
	{ "an agent that tells no address", SOURCE_SFLOW, 28, { [3] = 5, [11] = 6 }, "192.0.2.1",
	    0, 0, 6 },
	{ "an address cut off", SOURCE_SFLOW, 11, { [3] = 5, [7] = 1, [8] = 198, 51, 100 },
	    "192.0.2.1", 0, 0, 0 },
	{ "no version of sFlow", SOURCE_SFLOW, 28, { [3] = 6, [7] = 1, [8] = 198, 51, 100, 9 },
	    "192.0.2.1", 0, 0, 0 },
};

static void
test_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct flow f;
		struct datagram d = { .data = cases[i].octets, .len = cases[i].len };
		ip16_t exporter;

		assert_int_equal(ip_parse("192.0.2.1", &d.from), 0);
		assert_int_equal(ip_parse(cases[i].exporter, &exporter), 0);
		memset(&f, 0xff, sizeof(f));
		peek(cases[i].source, &d, &f);
		if (memcmp(&f.exporter_ip, &exporter, sizeof(exporter)) != 0 ||
		    f.engine_type != cases[i].engine_type || f.engine_id != cases[i].engine_id ||
		    f.export_proto_sysid != cases[i].agent_id || f.tag != 0 || f.tag2 != 0 ||
		    f.label != 0)
			fail_msg("%s: engine %u:%u, agent %u", cases[i].says, f.engine_type,
			    f.engine_id, f.export_proto_sysid);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_headers) };

	return cmocka_run_group_tests_name("peek", tests, NULL, NULL);
}
