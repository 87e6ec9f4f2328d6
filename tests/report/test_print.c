/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What print writes, octet for octet. The expected lines are those of Debian's pmacctd
 * 1.7.7 for the same packets (-P print -O FORM -c AGGREGATE), in the order of keys.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/engine.h"
#include "core/output.h"
#include "lib/clock.h"
#include "lib/intern.h"
#include "report/print.h"
#include "report/print_format.h"
#include "report/print_path.h"

#include "tests/flow/customs.h"
#include "tests/report/print_rig.h"

static const struct {
	const char *says;
	enum print_form form;
	const char *aggregate, *history, *separator;
	size_t from, to;
	const char *want;
} cases[] = {
	{ "JSON has keys in pmacct's order, then packets and bytes", PRINT_JSON, SIX, NULL, ",",
	    0, 6,
	    "{\"event_type\": \"purge\", \"ip_src\": \"10.0.0.1\", \"ip_dst\": \"10.0.0.2\", "
	    "\"port_src\": 0, \"port_dst\": 0, \"ip_proto\": \"253\", \"tos\": 0, "
	    "\"packets\": 1, \"bytes\": 40}\n"
	    "{\"event_type\": \"purge\", \"ip_src\": \"192.0.2.1\", \"ip_dst\": "
	    "\"198.51.100.7\", \"port_src\": 40000, \"port_dst\": 443, \"ip_proto\": \"tcp\", "
	    "\"tos\": 0, \"packets\": 2, \"bytes\": 180}\n"
	    "{\"event_type\": \"purge\", \"ip_src\": \"192.0.2.2\", \"ip_dst\": "
	    "\"198.51.100.8\", \"port_src\": 5000, \"port_dst\": 53, \"ip_proto\": \"udp\", "
	    "\"tos\": 184, \"packets\": 1, \"bytes\": 58}\n"
	    "{\"event_type\": \"purge\", \"ip_src\": \"2001:db8::1\", \"ip_dst\": "
	    "\"2001:db8:0:1::2\", \"port_src\": 1234, \"port_dst\": 80, \"ip_proto\": \"tcp\", "
	    "\"tos\": 32, \"packets\": 1, \"bytes\": 60}\n"
	    "{\"event_type\": \"purge\", \"ip_src\": \"2001:db8:1:2:3:4:5:6\", \"ip_dst\": "
	    "\"2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff\", \"port_src\": 0, \"port_dst\": 0, "
	    "\"ip_proto\": \"ipv6-icmp\", \"tos\": 0, \"packets\": 1, \"bytes\": 48}\n" },
	{ "CSV has titles and no blanks", PRINT_CSV, SIX, NULL, ",", 0, 3,
	    "SRC_IP,DST_IP,SRC_PORT,DST_PORT,PROTOCOL,TOS,PACKETS,BYTES\n"
	    "192.0.2.1,198.51.100.7,40000,443,tcp,0,2,180\n"
	    "192.0.2.2,198.51.100.8,5000,53,udp,184,1,58\n" },
	{ "the separator may be a tab", PRINT_CSV, "src_host,proto", NULL, "\\t", 0, 2,
	    "SRC_IP\tPROTOCOL\tPACKETS\tBYTES\n192.0.2.1\ttcp\t2\t180\n" },
	{ "formatted text has pmacct's widths; the last column is not padded",
	    PRINT_FORMATTED, SIX, NULL, ",", 2, 3,
	    "SRC_IP                                         DST_IP                        "
	    "                 SRC_PORT  DST_PORT  PROTOCOL    TOS    PACKETS               "
	    "BYTES\n"
	    "192.0.2.2                                      198.51.100.8                  "
	    "                 5000      53        udp         184    1                     "
	    "58\n" },
	{ "event_formatted has no counters and keeps the padding", PRINT_EVENT_FORMATTED,
	    "proto,tos", NULL, ",", 2, 3,
	    "PROTOCOL    TOS    \nudp         184    \n" },
	{ "event_csv has no counters", PRINT_EVENT_CSV, "proto,tos", NULL, ",", 2, 3,
	    "PROTOCOL,TOS\nudp,184\n" },
	{ "a history adds stamps to JSON, in whole seconds", PRINT_JSON, "src_host,proto",
	    "1m", ",", 0, 2,
	    "{\"event_type\": \"purge\", \"ip_src\": \"192.0.2.1\", \"ip_proto\": \"tcp\", "
	    "\"stamp_inserted\": \"2023-11-14 22:13:00\", \"stamp_updated\": "
	    "\"2023-11-14 23:13:20\", \"packets\": 2, \"bytes\": 180}\n" },
	{ "a history adds nothing to CSV", PRINT_CSV, "proto", "1m", ",", 0, 3,
	    "PROTOCOL,PACKETS,BYTES\ntcp,2,180\nudp,1,58\n" },
	{ "flows come before packets in JSON, and flags are a string", PRINT_JSON,
	    "src_host,tcpflags,timestamp_arrival,flows", NULL, ",", 0, 2,
	    "{\"event_type\": \"purge\", \"ip_src\": \"192.0.2.1\", \"tcp_flags\": \"2\", "
	    "\"timestamp_arrival\": \"2023-11-14 22:13:20.000007\", \"flows\": 1, "
	    "\"packets\": 1, \"bytes\": 40}\n"
	    "{\"event_type\": \"purge\", \"ip_src\": \"192.0.2.1\", \"tcp_flags\": \"24\", "
	    "\"timestamp_arrival\": \"2023-11-14 22:13:57.000007\", \"flows\": 0, "
	    "\"packets\": 1, \"bytes\": 140}\n" },
	{ "flows come after packets elsewhere", PRINT_FORMATTED,
	    "src_host,tcpflags,timestamp_arrival,flows", NULL, ",", 0, 1,
	    "SRC_IP                                         TCP_FLAGS  TIMESTAMP_ARRIVAL    "
	    "          PACKETS               FLOWS                 BYTES\n"
	    "192.0.2.1                                      2          2023-11-14 "
	    "22:13:20.000007     1                     1                     40\n" },
	{ "numbers are bare in JSON, the EtherType is hex in a string", PRINT_JSON,
	    "tag,tag2,label,src_mac,vlan,cos,etype,src_as,peer_dst_ip,in_iface,src_net,"
	    "src_mask,sampling_rate", NULL, ",", 5, 6,
	    "{\"event_type\": \"purge\", \"tag\": 0, \"tag2\": 0, \"label\": \"\", "
	    "\"mac_src\": \"02:00:00:00:00:aa\", \"vlan\": 100, \"cos\": 5, \"etype\": "
	    "\"800\", \"as_src\": 0, \"peer_ip_dst\": \"\", \"iface_in\": 0, \"net_src\": "
	    "\"::\", \"mask_src\": 0, \"sampling_rate\": 0, \"packets\": 1, "
	    "\"bytes\": 40}\n" },
	{ "every column has the width that pmacct gives it", PRINT_FORMATTED,
	    "tag,tag2,src_mac,vlan,cos,etype,src_as,in_iface,src_mask,src_port,sampling_rate",
	    NULL, ",", 5, 6,
	    "TAG         TAG2        SRC_MAC            VLAN   COS ETYPE  SRC_AS      "
	    "IN_IFACE    SRC_MASK  SRC_PORT  SAMPLING_RATE PACKETS               BYTES\n"
	    "0           0           02:00:00:00:00:aa  100    5   800    0           "
	    "0           0         0         0             1                     40\n" },
	{ "hosts and nets alternate, as pmacct has them", PRINT_CSV,
	    "dst_net,src_net,dst_host,src_host", NULL, ",", 0, 1,
	    "SRC_IP,SRC_NET,DST_IP,DST_NET,PACKETS,BYTES\n"
	    "192.0.2.1,::,198.51.100.7,::,1,40\n" },
	{ "a route distinguisher has its origin behind it", PRINT_JSON, "mpls_vpn_rd", NULL, ",",
	    0, 6,
	    "{\"event_type\": \"purge\", \"mpls_vpn_rd\": \"0:0:0\", "
	    "\"mpls_vpn_rd_origin\": \"unknown\", \"packets\": 6, \"bytes\": 386}\n" },
	{ "and not in CSV", PRINT_CSV, "mpls_vpn_rd", NULL, ",", 0, 6,
	    "MPLS_VPN_RD,PACKETS,BYTES\n0:0:0,6,386\n" },
	{ "none is one grand total", PRINT_JSON, "none", NULL, ",", 0, 6,
	    "{\"event_type\": \"purge\", \"packets\": 6, \"bytes\": 386}\n" },
};

static void
test_forms(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *x;

		teardown(state);
		setup(state);
		x = *state;
		x->config.form = (int)cases[i].form;
		x->config.separator = cases[i].separator;
		x->o.common.aggregate = cases[i].aggregate;
		x->o.common.history = cases[i].history;
		x->o.common.history_roundoff = "m";
		start(x, 1000);
		write_packets(x, cases[i].from, cases[i].to);
		print_message("# %s\n", cases[i].says);
		assert_file(x, "out", cases[i].want);
	}
}

static void
test_options_of_text(void **state)
{
	struct fixture *x = *state;

	x->config.form = PRINT_JSON;
	x->o.common.aggregate = "proto,timestamp_arrival";
	x->o.common.history = "1h";
	x->o.common.text.num_protos = true;
	x->o.common.text.since_epoch = true;
	start(x, 1000);
	write_packets(x, 0, 1);
	/* Debian's pmacctd with timestamps_since_epoch and print_num_protos. */
	assert_file(x, "out",
	    "{\"event_type\": \"purge\", \"ip_proto\": \"6\", \"timestamp_arrival\": "
	    "\"1700000000.000007\", \"stamp_inserted\": \"1699999980\", \"stamp_updated\": "
	    "\"1700003600\", \"packets\": 1, \"bytes\": 40}\n");
}

/* The arrays are JSON's alone. */
static void
test_encodings(void **state)
{
	static const struct {
		enum print_form form;
		const char *want;
	} forms[] = {
		{ PRINT_JSON, "{\"event_type\": \"purge\", \"tcp_flags\": [\"SYN\"], "
		              "\"fwd_status\": \"UNKNOWN Unclassified\", "
		              "\"mpls_label_stack\": [], \"srv6_seg_ipv6_list\": [], "
		              "\"packets\": 1, \"bytes\": 40}\n" },
		{ PRINT_CSV, "TCP_FLAGS,FWD_STATUS,MPLS_LABEL_STACK,SRV6_SEG_IPV6_LIST,PACKETS,"
		             "BYTES\n2,UNKNOWN Unclassified,,,1,40\n" },
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct fixture *x;

		teardown(state);
		setup(state);
		x = *state;
		x->config.form = (int)forms[i].form;
		x->config.separator = ",";
		x->o.common.aggregate = "tcpflags,fwd_status,mpls_label_stack,srv6_seg_ipv6_list";
		x->o.common.text.flags_array = true;
		x->o.common.text.status_names = true;
		x->o.common.text.labels_array = true;
		start(x, 1000);
		write_packets(x, 0, 1);
		assert_file(x, "out", forms[i].want);
	}
}

static void
test_strings_are_escaped(void **state)
{
	struct fixture *x = *state;
	struct err e = ERR_INIT;
	struct output_result r = { 0 };
	struct snapshot *s;
	struct shard sh;
	struct flow f;

	x->config.form = PRINT_JSON;
	x->o.common.aggregate = "label";
	start(x, 1000);
	assert_int_equal(shard_init(&sh, x->v, &e), 0);
	packet_flow(&f, 0);
	f.label = intern("a\"b\\c,\xc3\xa4\xff", 9);
	shard_feed(&sh, &f, 1);
	s = snapshot_new(x->v, sh.active, true);
	sh.active = NULL;
	shard_fini(&sh);
	assert_int_equal(print_output.write(&x->o, s, &r, &e), 0);
	snapshot_unref(s);
	assert_file(x, "out",
	    "{\"event_type\": \"purge\", \"label\": \"a\\\"b\\\\c,\xc3\xa4?\", \"packets\": 1, "
	    "\"bytes\": 40}\n");
}

/* Two rows fit; what the rest counted must not be lost. */
static void
test_other_row(void **state)
{
	struct fixture *x = *state;
	struct snapshot *s;
	struct output_result r = { 0 };
	struct err e = ERR_INIT;

	x->config.form = PRINT_CSV;
	start(x, 2);
	s = counted(x, 0, 6);
	assert_int_equal(print_output.write(&x->o, s, &r, &e), 0);
	snapshot_unref(s);
	assert_int_equal(r.rows, 3);
	assert_int_equal(r.written, 3);
	assert_file(x, "out",
	    "SRC_IP,DST_IP,SRC_PORT,DST_PORT,PROTOCOL,TOS,PACKETS,BYTES\n"
	    "192.0.2.1,198.51.100.7,40000,443,tcp,0,2,180\n"
	    "192.0.2.2,198.51.100.8,5000,53,udp,184,1,58\n"
	    "0.0.0.0,0.0.0.0,0,0,0,0,3,148\n");
}

static void
test_each_bin_has_its_file(void **state)
{
	struct fixture *x = *state;
	struct stat st;
	char path[256];

	x->config.form = PRINT_CSV;
	x->o.common.aggregate = "proto";
	x->o.common.history = "1m";
	x->o.common.history_roundoff = "m";
	snprintf(x->file, sizeof(x->file), "%s/%%Y/$hst-$ref/f-%%m%%d-%%H%%M", x->dir);
	char latest[128];

	snprintf(latest, sizeof(latest), "%s/latest", x->dir);
	x->config.latest = latest;
	start(x, 1000);
	write_packets(x, 0, 3);
	assert_file(x, "2023/60-60/f-1114-2213", "PROTOCOL,PACKETS,BYTES\ntcp,2,180\n");
	assert_file(x, "2023/60-60/f-1114-2214", "PROTOCOL,PACKETS,BYTES\nudp,1,58\n");
	assert_file(x, "latest", "PROTOCOL,PACKETS,BYTES\nudp,1,58\n");

	/*
	 * A late record of a bin already written is added: its rows are not
	 * overwritten.
	 */
	write_packets(x, 1, 2);
	assert_file(x, "2023/60-60/f-1114-2213",
	    "PROTOCOL,PACKETS,BYTES\ntcp,2,180\ntcp,1,140\n");
	assert_file(x, "latest", "PROTOCOL,PACKETS,BYTES\nudp,1,58\n");
	snprintf(path, sizeof(path), "%s/2023/60-60/f-1114-2213", x->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(
	    st.st_mode & 07, 0); /* who talks to whom is nobody else's business */
}

static void
test_overwrite_and_append(void **state)
{
	struct fixture *x = *state;

	x->config.form = PRINT_CSV;
	x->o.common.aggregate = "proto";
	start(x, 1000);
	write_packets(x, 0, 1);
	write_packets(x, 2, 3);
	assert_file(x, "out", "PROTOCOL,PACKETS,BYTES\nudp,1,58\n");
	x->config.append = true;
	write_packets(x, 0, 1);
	assert_file(x, "out", "PROTOCOL,PACKETS,BYTES\nudp,1,58\ntcp,1,40\n");
}

static void
test_markers(void **state)
{
	struct fixture *x = *state;
	char want[512];
	int pid = (int)getpid();

	x->config.form = PRINT_CSV;
	x->config.markers = true;
	x->config.append = true;
	x->o.common.aggregate = "proto";
	start(x, 1000);
	write_packets(x, 2, 3);
	write_packets(x, 2, 3);
	snprintf(want, sizeof(want),
	    "--START (%d)--\nPROTOCOL,PACKETS,BYTES\nudp,1,58\n--END (%d)--\n"
	    "--START (%d)--\nudp,1,58\n--END (%d)--\n", pid, pid, pid, pid);
	assert_file(x, "out", want);

	teardown(state);
	setup(state);
	x = *state;
	x->config.form = PRINT_JSON;
	x->config.markers = true;
	x->o.common.aggregate = "proto";
	start(x, 1000);
	write_packets(x, 2, 3);
	snprintf(want, sizeof(want),
	    "{\"event_type\": \"purge_init\", \"writer_id\": \"a/%d\"}\n"
	    "{\"event_type\": \"purge\", \"ip_proto\": \"udp\", \"packets\": 1, \"bytes\": 58}\n"
	    "{\"event_type\": \"purge_close\", \"writer_id\": \"a/%d\", \"purged_entries\": 1, "
	    "\"total_entries\": 1, \"duration\": 0}\n", pid, pid);
	assert_file(x, "out", want);
}

static void
test_nothing_to_write(void **state)
{
	struct fixture *x = *state;

	x->config.form = PRINT_CSV;
	x->o.common.aggregate = "proto";
	start(x, 1000);
	write_packets(x, 0, 0);
	assert_file(x, "out", NULL);
	x->config.write_empty = true;
	write_packets(x, 0, 0);
	assert_file(x, "out", "PROTOCOL,PACKETS,BYTES\n");
}

/* The books must say what a full disk or a bad path cost. */
static void
test_refused(void **state)
{
	static const struct {
		const char *says, *file, *want;
	} bad[] = {
		{ "a path through something that is no directory", "/dev/null/x/y", "/dev/null" },
		{ "a disk without room", "/dev/full", "/dev/full: No space left on device" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct output_result r = { 0 };
		struct err e = ERR_INIT;
		struct fixture *x;
		struct snapshot *s;

		teardown(state);
		setup(state);
		x = *state;
		x->config.file = bad[i].file;
		x->config.form = PRINT_CSV;
		start(x, 1000);
		s = counted(x, 0, 6);
		print_message("# %s\n", bad[i].says);
		assert_int_equal(print_output.write(&x->o, s, &r, &e), -WEIR_EIO);
		assert_non_null(strstr(e.text, bad[i].want));
		assert_int_equal(r.rows, 5);
		assert_int_equal(r.written, 0);
		assert_int_equal(r.refused, 5);
		snapshot_unref(s);
	}
}

static void
test_plan(void **state)
{
	static const struct {
		const char *says, *file, *separator, *history;
		uint32_t refresh;
		int rc;
		bool hold;
	} plans[] = {
		{ "no history holds nothing", "/tmp/x", ",", NULL, 60, 0, false },
		{ "bins as long as the refresh are held", "/tmp/x", ",", "1m", 60, 0, true },
		{ "bins longer than the refresh are not", "/tmp/x", ",", "1h", 60, 0, false },
		{ "nor are months", "/tmp/x", ",", "1M", 60, 0, false },
		{ "an unknown variable of time", "/tmp/%j", ",", NULL, 60, -WEIR_EINVAL, false },
		{ "a percent sign at the end", "/tmp/%", ",", NULL, 60, -WEIR_EINVAL, false },
		{ "a variable of rows", "/tmp/$peer_src_ip", ",", NULL, 60, 0, false },
		{ "an unknown variable of rows", "/tmp/$peer", ",", NULL, 60, -WEIR_EINVAL, false },
		{ "a separator of two characters", "-", "ab", NULL, 60, -WEIR_EINVAL, false },
		{ "an empty separator", "-", "", NULL, 60, -WEIR_EINVAL, false },
	};
	struct fixture *x = *state;

	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		struct err e = ERR_INIT;
		struct view_config vc;

		x->o.ops = &print_output;
		x->o.config = &x->config;
		x->config.file = plans[i].file;
		x->config.separator = plans[i].separator;
		x->o.common.history = plans[i].history;
		x->o.common.refresh = plans[i].refresh;
		print_message("# %s\n", plans[i].says);
		assert_int_equal(output_plan(&x->o, &vc, &e), plans[i].rc);
		if (plans[i].rc == 0)
			assert_int_equal(vc.hold_open, plans[i].hold);
	}
}

static void
test_path(void **state)
{
	static const struct {
		const char *says, *path, *zone;
		bool utc;
		const char *want;
	} paths[] = {
		{ "all variables", "%Y%m%d-%H%M%S-%s-%w-%W-%z-$hst-$ref-$tzone", "UTC", false,
		    "20231114-221320-1700000000-2-46-+0000-300-60-Z" },
		{ "local time", "%H%z$tzone%s", "EST5", false, "17-0500-05:001700000000" },
		{ "UTC on demand", "%H%z$tzone%s", "EST5", true, "22+0000Z1700000000" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const struct variables v = { .time = T0,
			.utc = paths[i].utc, .refresh_s = 60, .history_s = 300 };
		const struct print_pattern name = { "print_output_file", paths[i].path };
		char text[128];

		setenv("TZ", paths[i].zone, 1);
		tzset();
		print_message("# %s\n", paths[i].says);
		assert_int_equal(
		    print_path_expand(&name, &v, NULL, NULL, text, sizeof(text), NULL),
		    0);
		assert_string_equal(text, paths[i].want);
		assert_int_equal(print_path_expand(&name, &v, NULL, NULL, text,
		                     strlen(paths[i].want), NULL), -WEIR_EINVAL);
	}
	setenv("TZ", "UTC", 1);
	tzset();
}

/* Every primitive can be shown in every form, whatever rows fields.def gains. */
static void
test_every_field(void **state)
{
	for (int form = PRINT_FORMATTED; form <= PRINT_EVENT_CSV; form++)
		for (size_t i = 0; i < FIELD_COUNT; i++) {
			struct fixture *x;

			teardown(state);
			setup(state);
			x = *state;
			x->config.form = form;
			x->o.common.aggregate = fields[i].config;
			start(x, 1000);
			write_packets(x, 0, N_PACKETS);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_forms),
		TEST(test_options_of_text),
		TEST(test_encodings),
		TEST(test_strings_are_escaped),
		TEST(test_other_row),
		TEST(test_each_bin_has_its_file),
		TEST(test_overwrite_and_append),
		TEST(test_markers),
		TEST(test_nothing_to_write),
		TEST(test_refused),
		TEST(test_plan),
		TEST(test_path),
		TEST(test_every_field),
	};

	customs_define_all();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
