/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "collectors/interfaces.h"
#include "collectors/pcap.h"
#include "lib/clock.h"
#include "tests/collectors/class_rig.h"
#include "tests/collectors/rig.h"

#define T0 UINT32_C(1700000000)

#define MACS "020102030405 02aabbccddee "
#define UDP4(port) MACS "0800 4500 001c 1234 0000 4011 0000 c0000201 c6336402 " \
	port " 0035 0008 0000"
#define ARP MACS "0806 0001 0800 0604 0001"
#define BROKEN MACS "0800 4200 001c 1234 0000 4011 0000 c0000201 c6336402 0000"

static struct rig_pcap pcap;

/* Read the capture in the making to its end with `config`, whose file it becomes. */
static bool
read_file(struct rig *r, struct pcap_config *config)
{
	config->savefile = rig_file(pcap.octets, pcap.len);
	config->savefile_replay = 1;
	rig_init(r, &pcap_file_collector, config);
	r->pipeline.source = SOURCE_NETFLOW; /* must change */
	rig_open(r);
	return rig_read(r);
}

static void
pcap_three(void)
{
	rig_pcap_init(&pcap);
	rig_pcap_hex(&pcap, T0, UDP4("3039"));
	rig_pcap_hex(&pcap, T0 + 1, ARP);
	rig_pcap_hex(&pcap, T0 + 2, BROKEN);
	rig_pcap_hex(&pcap, T0 + 3, UDP4("303a"));
}

static void
test_file(void **state)
{
	struct pcap_config config = { 0 };
	const struct flow *f;
	struct rig r;

	(void)state;
	pcap_three();
	assert_true(read_file(&r, &config));
	assert_true(r.collector.follows_file_time);
	assert_int_equal(r.collector.fd, -1);
	assert_int_equal(r.pipeline.source, SOURCE_PACKETS);
	assert_int_equal(r.pipeline.n, 2);
	f = &r.pipeline.flows[1];
	assert_int_equal(f->src_port, 12346);
	assert_int_equal(f->stamp, (T0 + 3) * CLOCK_S);
	assert_int_equal(f->timestamp_arrival, (T0 + 3) * CLOCK_S);
	assert_int_equal(f->bytes, 28);
	assert_int_equal(f->flows, 0);
	assert_int_equal(rig_stat(&r, STAT_FRAMES), 4);
	assert_int_equal(rig_stat(&r, STAT_FRAMES_FED), 2);
	assert_int_equal(rig_stat(&r, STAT_FRAMES_NOT_IP), 1);
	assert_int_equal(rig_stat(&r, STAT_FRAMES_MALFORMED), 1);
	assert_int_equal(rig_stat(&r, STAT_FRAME_OCTETS), 42 + 22 + 36 + 42);
	assert_int_equal(atomic_load(&r.collector.units), 4);
	assert_int_equal(atomic_load(&r.collector.octets), 42 + 22 + 36 + 42);
	assert_int_equal(atomic_load(&r.collector.errors), 1);
	assert_int_equal(atomic_load(&r.collector.horizon), (T0 + 3) * CLOCK_S);
	assert_int_equal(atomic_load(&r.collector.last_seen), (T0 + 3) * CLOCK_S);
	assert_string_equal(r.collector.where, config.savefile);
	rig_books(&r, "a file");
	rig_fini(&r);
}

/* What is not IP counts by its link layer, with the octets of the frame. */
static void
test_unknown_etype(void **state)
{
	struct pcap_config config = { .unknown_etype = true, .flow_octets = 65536,
		.flow_life = 60, .flow_tcp_life = 60 };
	const struct flow *f;
	struct rig r;

	(void)state;
	pcap_three();
	assert_true(read_file(&r, &config));
	assert_int_equal(r.pipeline.n, 3);
	f = &r.pipeline.flows[1];
	assert_int_equal(f->etype, 0x0806);
	assert_int_equal(f->bytes, 22);
	assert_int_equal(f->packets, 1);
	assert_int_equal(f->src_mac.b[5], 0xee);
	assert_int_equal(f->dst_mac.b[5], 5);
	assert_true(ip_is_none(&f->src_host));
	assert_int_equal(f->stamp, (T0 + 1) * CLOCK_S);
	assert_int_equal(rig_stat(&r, STAT_FRAMES_FED), 3);
	assert_int_equal(rig_stat(&r, STAT_FRAMES_NOT_IP), 0);
	assert_int_equal(rig_stat(&r, STAT_FRAMES_MALFORMED), 1);
	rig_books(&r, "a file with ARP");
	rig_fini(&r);

	/* It starts no flow. */
	config.savefile = rig_file(pcap.octets, pcap.len);
	config.savefile_replay = 1;
	rig_init(&r, &pcap_file_collector, &config);
	r.pipeline.needs_flow_starts = true;
	rig_open(&r);
	assert_true(rig_read(&r));
	assert_int_equal(r.pipeline.n, 3);
	assert_int_equal(r.pipeline.flows[0].flows, 1);
	assert_int_equal(r.pipeline.flows[1].flows, 0);
	assert_int_equal(r.pipeline.flows[2].flows, 1);
	rig_fini(&r);
}

/* More packets than one read takes, and times with a fraction, and after 2038. */
static void
test_long_file(void **state)
{
	struct pcap_config config = { 0 };
	uint8_t frame[14] = { 0 };
	struct rig r;

	(void)state;
	rig_pcap_init(&pcap);
	for (unsigned i = 0; i < 2000; i++)
		rig_pcap_frame(&pcap, T0, i, frame, sizeof(frame), sizeof(frame));
	rig_pcap_hex(&pcap, UINT32_C(4000000000), UDP4("3039"));
	assert_true(read_file(&r, &config));
	assert_int_equal(rig_stat(&r, STAT_FRAMES), 2001);
	assert_int_equal(r.pipeline.flows[0].stamp, UINT64_C(4000000000) * CLOCK_S);
	rig_fini(&r);

	rig_pcap_init(&pcap);
	rig_pcap_frame(&pcap, T0, 123456, frame, sizeof(frame), 100);
	assert_true(read_file(&r, &config));
	assert_int_equal(atomic_load(&r.collector.last_seen),
	    T0 * CLOCK_S + 123456 * CLOCK_US);
	assert_int_equal(rig_stat(&r, STAT_FRAME_OCTETS), 100);
	rig_fini(&r);
}

/* Cut anywhere, or with an octet changed: what is readable is counted, and then it ends. */
static void
test_damaged_file(void **state)
{
	struct pcap_config config = { 0 };
	struct err e = ERR_INIT;
	size_t whole;
	struct rig r;

	(void)state;
	pcap_three();
	whole = pcap.len;
	for (pcap.len = 24; pcap.len <= whole; pcap.len += 7) {
		size_t frames = pcap.len < 24 + 58 ? 0 : 1;

		assert_true(read_file(&r, &config));
		assert_true(rig_stat(&r, STAT_FRAMES) >= frames);
		rig_books(&r, "a cut file");
		rig_fini(&r);
	}
	pcap.len = whole;
	for (size_t at = 24; at < whole; at++) {
		pcap.octets[at] ^= 0xff;
		assert_true(read_file(&r, &config));
		rig_books(&r, "a file with an octet changed");
		rig_fini(&r);
		pcap.octets[at] ^= 0xff;
	}
	pcap.octets[24 + 11] = 0x7f; /* the first frame says it has 2 GB */
	assert_true(read_file(&r, &config));
	assert_int_equal(rig_stat(&r, STAT_FRAMES), 0);
	assert_int_equal(atomic_load(&r.collector.errors), 1);
	rig_fini(&r);

	/* No capture file at all is refused at once, by name. */
	for (pcap.len = 0; pcap.len < 24; pcap.len++) {
		config.savefile = rig_file(pcap.octets, pcap.len);
		rig_init(&r, &pcap_file_collector, &config);
		assert_int_not_equal(r.collector.ops->open(&r.collector, &e), 0);
		assert_non_null(strstr(e.text, config.savefile));
		assert_null(r.collector.priv);
		rig_fini(&r);
	}
}

static const struct {
	const char *says;
	struct pcap_config config;
	const char *want; /* in the error */
} refusals[] = {
	{ "a file that is not there", { .savefile = "/nonexistent/file" }, "/nonexistent/file" },
	{ "no capture file", { .savefile = "/dev/null" }, "not a capture file" },
	{ "a tunnel that is not known", { .savefile = "/dev/null", .tunnel = "gtp,2152;ipip" },
	    "tunnel_0: 'ipip'" },
};

static void
test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct err e = ERR_INIT;
		struct rig r;

		rig_init(&r, &pcap_file_collector, &refusals[i].config);
		if (r.collector.ops->open(&r.collector, &e) == 0)
			fail_msg("%s: opened", refusals[i].says);
		if (strstr(e.text, refusals[i].want) == NULL)
			fail_msg("%s: %s", refusals[i].says, e.text);
		assert_null(r.collector.priv);
		rig_fini(&r);
	}
}

static void
test_link_unknown(void **state)
{
	struct pcap_config config = { 0 };
	struct err e = ERR_INIT;
	struct rig r;

	(void)state;
	pcap_three();
	pcap.octets[20] = 147; /* LINKTYPE_USER0 */
	config.savefile = rig_file(pcap.octets, pcap.len);
	rig_init(&r, &pcap_file_collector, &config);
	assert_int_equal(r.collector.ops->open(&r.collector, &e), -WEIR_EUNSUPPORTED);
	assert_non_null(strstr(e.text, "147"));
	rig_fini(&r);
}

static void
test_filter(void **state)
{
	struct pcap_config config = { .filter = "udp src port 12346" };
	struct err e = ERR_INIT;
	struct rig r;

	(void)state;
	pcap_three();
	assert_true(read_file(&r, &config));
	assert_int_equal(rig_stat(&r, STAT_FRAMES), 1);
	assert_int_equal(r.pipeline.flows[0].src_port, 12346);
	rig_fini(&r);

	config.filter = "udp and nonsense";
	rig_init(&r, &pcap_file_collector, &config);
	assert_int_equal(r.collector.ops->open(&r.collector, &e), -WEIR_EINVAL);
	assert_non_null(strstr(e.text, "udp and nonsense"));
	rig_fini(&r);
}

/*
 * Two flows, one of which pauses for more than a lifetime: in batches that fill up, in the
 * rest of the last, and behind flows that another door left in the batch.
 */
static void
test_flow_starts(void **state)
{
	struct pcap_config config = { .flow_octets = 1 << 20, .flow_life = 60,
		.flow_tcp_life = 60, .fragment_octets = 65536 };
	struct flow *left;
	struct rig r;

	(void)state;
	rig_pcap_init(&pcap);
	for (unsigned i = 0; i < 190; i++)
		rig_pcap_hex(&pcap, T0 + i / 10, i % 3 == 0 ? UDP4("3039") :
		    i % 3 == 1 ? UDP4("303a") : ARP);
	rig_pcap_hex(&pcap, T0 + 100, UDP4("3039")); /* the first of the third batch */
	config.savefile = rig_file(pcap.octets, pcap.len);
	config.savefile_replay = 1;
	rig_init(&r, &pcap_file_collector, &config);
	r.pipeline.needs_flow_starts = true;
	rig_open(&r);
	left = pipeline_slot(&r.pipeline);
	left->packets = 1;
	left->flows = 7;
	pipeline_commit(&r.pipeline);
	assert_true(rig_read(&r));
	pipeline_flush(&r.pipeline);
	assert_int_equal(r.pipeline.fed.packets, 1 + 127 + 1);
	assert_int_equal(r.pipeline.fed.flows, 7 + 2 + 1);
	assert_int_equal(rig_stat(&r, STAT_STARTS_REFUSED), 0);
	rig_fini(&r);
}

/* Identification, fragment field, and whatever follows. */
#define PIECE4(id, offset, rest) MACS "0800 4500 001c " id " " offset " 4011 0000 c0000201 " \
	"c6336402 " rest

/*
 * The pieces of a datagram are one flow, and are given its ports, where anything that is
 * counted by has to do with ports.
 */
static void
test_fragments(void **state)
{
	static const struct {
		const char *says;
		bool force, starts;
		enum field_no need;
		uint16_t port;
		uint64_t matched, unmatched;
	} asked[] = {
		{ "nobody", false, false, F_TOS, 0, 0, 0 },
		{ "a port", false, false, F_DST_PORT, 53, 2, 1 },
		{ "the operator", true, false, F_TOS, 53, 2, 1 },
		{ "starts of flows", false, true, F_TOS, 53, 2, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		struct pcap_config config = { .savefile_replay = 1,
			.fragment_octets = 65536, .flow_octets = 65536,
			.flow_life = 60, .flow_tcp_life = 60,
			.force_fragments = asked[i].force };
		struct rig r;

		rig_pcap_init(&pcap);
		rig_pcap_hex(&pcap, T0, PIECE4("0001", "2000", "3039 0035 0010 0000"));
		rig_pcap_hex(&pcap, T0, PIECE4("0001", "2001", "3039 0036 0008 0000"));
		rig_pcap_hex(&pcap, T0, PIECE4("0001", "0002", "00000000 00000000"));
		rig_pcap_hex(&pcap, T0, PIECE4("0002", "0002", "00000000 00000000"));
		config.savefile = rig_file(pcap.octets, pcap.len);
		rig_init(&r, &pcap_file_collector, &config);
		memset(&r.pipeline.needs, 0, sizeof(r.pipeline.needs));
		r.pipeline.needs_flow_starts = asked[i].starts;
		field_set_add(&r.pipeline.needs, asked[i].need);
		rig_open(&r);
		assert_true(rig_read(&r));
		assert_int_equal(r.pipeline.n, 4);
		assert_int_equal(r.pipeline.flows[0].dst_port, 53);
		if (r.pipeline.flows[1].dst_port != asked[i].port ||
		    r.pipeline.flows[2].dst_port != asked[i].port)
			fail_msg("%s asks for ports", asked[i].says);
		assert_int_equal(r.pipeline.flows[3].dst_port, 0);
		if (asked[i].starts) /* of that whose first piece is there, and of the other */
			assert_int_equal(r.pipeline.flows[0].flows + r.pipeline.flows[1].flows +
			    r.pipeline.flows[2].flows + r.pipeline.flows[3].flows, 2);
		assert_int_equal(rig_stat(&r, STAT_FRAGMENTS_MATCHED), asked[i].matched);
		assert_int_equal(rig_stat(&r, STAT_FRAGMENTS_UNMATCHED), asked[i].unmatched);
		rig_books(&r, asked[i].says);
		rig_fini(&r);
	}
}

static void
test_savefile_wait(void **state)
{
	struct pcap_config config = { .savefile_wait = true };
	struct rig r;

	(void)state;
	pcap_three();
	assert_false(read_file(&r, &config));
	assert_int_equal(atomic_load(&r.collector.horizon), UINT64_MAX);
	assert_false(rig_read(&r));
	assert_int_equal(rig_stat(&r, STAT_FRAMES), 4);
	rig_fini(&r);
}

/* At the end of a file that is waited at, or when weir ends before it does, streams are judged. */
static void
test_streams_of_a_file(void **state)
{
	const struct class_config classes = class_rig_config(100);
	struct pcap_config config = { .classes = &classes };
	struct rig r;

	(void)state;
	for (unsigned again = 0; again < 2; again++) {
		pcap_three();
		config.savefile_wait = !again;
		config.savefile = rig_file(pcap.octets, pcap.len);
		config.savefile_replay = 1 + again;
		config.savefile_delay = 0;
		rig_init(&r, &pcap_file_collector, &config);
		rig_open(&r);
		config.savefile_delay = 3600;
		assert_false(rig_read(&r));
		assert_int_equal(rig_stat(&r, STAT_CLASS_STREAMS), 2);
		assert_int_equal(rig_stat(&r, STAT_CLASS_UNKNOWN), again ? 0 : 2);
		r.collector.ops->finish(&r.collector);
		assert_int_equal(rig_stat(&r, STAT_CLASS_UNKNOWN), 2);
		assert_int_equal(atomic_load(&r.collector.unsettled), 0);
		rig_fini(&r);
	}
}

/*
 * Played three times, two seconds apart: no bin is over until the third. Damage ends a
 * play like the end of the file does.
 */
static void
test_savefile_replay(void **state)
{
	struct pcap_config config = { .savefile_delay = 2, .savefile_replay = 3 };
	uint64_t now = 1000 * CLOCK_S;
	struct rig r;

	(void)state;
	for (unsigned damaged = 0; damaged < 2; damaged++) {
		pcap_three();
		pcap.len -= damaged;
		clock_set(now);
		config.savefile = rig_file(pcap.octets, pcap.len);
		rig_init(&r, &pcap_file_collector, &config);
		rig_open(&r);
		for (unsigned play = 1; play <= 3; play++) {
			assert_false(rig_read(&r));
			assert_int_equal(rig_stat(&r, STAT_FRAMES), (4 - damaged) * (play - 1));
			assert_int_equal(atomic_load(&r.collector.horizon), 0);
			clock_set(now += 2 * CLOCK_S);
			assert_int_equal(rig_read(&r), play == 3);
		}
		assert_int_equal(rig_stat(&r, STAT_FRAMES), (4 - damaged) * 3);
		assert_int_equal(atomic_load(&r.collector.horizon), (T0 + 3 - damaged) * CLOCK_S);
		assert_int_equal(atomic_load(&r.collector.errors), 3 * (1 + damaged));
		rig_books(&r, "a file played again");
		rig_fini(&r);
	}
	clock_set(0);
}

/* For ever: bins close as time goes on. A file that is gone ends it. */
static void
test_savefile_for_ever(void **state)
{
	struct pcap_config config = { .savefile_delay = 1, .savefile_replay = 0 };
	uint64_t now = 1000 * CLOCK_S;
	struct rig r;

	(void)state;
	pcap_three();
	clock_set(now);
	config.savefile = rig_file(pcap.octets, pcap.len);
	rig_init(&r, &pcap_file_collector, &config);
	rig_open(&r);
	for (unsigned play = 1; play <= 5; play++) {
		clock_set(now += CLOCK_S);
		if (play == 5)
			assert_int_equal(unlink(config.savefile), 0);
		assert_int_equal(rig_read(&r), play == 5);
		assert_int_equal(rig_stat(&r, STAT_FRAMES), 4 * play);
		assert_int_equal(atomic_load(&r.collector.horizon), (T0 + 3) * CLOCK_S);
	}
	rig_fini(&r);
	clock_set(0);
}

/* What is no file on disk can be read once, and is refused where more is wanted. */
static void
test_pipe_replay(void **state)
{
	struct pcap_config config = { .savefile = "-", .savefile_replay = 2 };
	int ends[2], saved = dup(STDIN_FILENO);
	struct err e = ERR_INIT;
	struct rig r;

	(void)state;
	pcap_three();
	for (config.savefile_replay = 1; config.savefile_replay <= 2; config.savefile_replay++) {
		assert_int_equal(pipe(ends), 0);
		assert_int_equal(write(ends[1], pcap.octets, pcap.len), pcap.len);
		close(ends[1]);
		assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
		close(ends[0]);
		rig_init(&r, &pcap_file_collector, &config);
		if (config.savefile_replay == 1) {
			rig_open(&r);
			assert_true(rig_read(&r));
			assert_int_equal(rig_stat(&r, STAT_FRAMES), 4);
		} else {
			assert_int_equal(r.collector.ops->open(&r.collector, &e), -WEIR_EINVAL);
			assert_non_null(strstr(e.text, "pcap_savefile_replay"));
		}
		rig_fini(&r);
	}
	assert_int_equal(dup2(saved, STDIN_FILENO), STDIN_FILENO);
	close(saved);
}

/* The interface of `config`, as its only one. */
static void
interface_load(struct pcap_config *config)
{
	static const struct config no_lines;
	struct problems ps = { 0 };

	interfaces_load(config, &no_lines, &ps);
	assert_int_equal(ps.n, 0);
	assert_int_equal(config->interfaces->n, 1);
}

/* An interface that is waited for does not keep weir from starting. */
static void
test_interface_wait(void **state)
{
	struct pcap_config config = { .interface = "weir-none0", .snaplen = 128,
		.interface_wait = true };
	struct err e = ERR_INIT;
	struct rig r;

	(void)state;
	interface_load(&config);
	rig_init(&r, &pcap_live_collector, config.interfaces->list[0]);
	if (r.collector.ops->open(&r.collector, &e) != 0) {
		/* Without the right to capture, libpcap cannot tell that it is not there. */
		assert_non_null(strstr(e.text, "CAP_NET_RAW"));
		rig_fini(&r);
		interfaces_free(&config);
		skip();
	}
	assert_int_equal(r.collector.fd, -1);
	assert_int_equal(r.collector.ops->read(&r.collector), COLLECTOR_IDLE);
	r.collector.ops->poll_drops(&r.collector);
	rig_fini(&r);

	config.interface_wait = false;
	rig_init(&r, &pcap_live_collector, config.interfaces->list[0]);
	assert_int_equal(r.collector.ops->open(&r.collector, &e), -WEIR_ENOENT);
	assert_non_null(strstr(e.text, "weir-none0"));
	assert_null(r.collector.priv);
	rig_fini(&r);
	interfaces_free(&config);
}

static void
send_udp(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(sendto(fd, "none", 4, 0, (const void *)&a, sizeof(a)), 4);
	close(fd);
}

/* Two workers on one interface: each packet is taken once. Loopback shows it twice. */
static void
test_interface(void **state)
{
	/* A port of this process's own: others may be sending on the loopback too. */
	const uint16_t port = (uint16_t)(20000 + getpid() % 20000);
	char filter[64];
	struct pcap_config config = { .interface = "lo", .snaplen = 128, .pipe_size = 1 << 20,
		.filter = filter, .workers = 2 };
	const struct timespec pause = { 0, 10000000 };
	struct err e = ERR_INIT;
	struct rig r[2];
	uint64_t frames = 0;

	(void)state;
	snprintf(filter, sizeof(filter), "udp dst port %u and src host 127.0.0.1", port);
	interface_load(&config);
	rig_init(&r[0], &pcap_live_collector, config.interfaces->list[0]);
	if (r[0].collector.ops->open(&r[0].collector, &e) != 0) {
		rig_fini(&r[0]);
		interfaces_free(&config);
		skip(); /* no right to capture here */
	}
	rig_init(&r[1], &pcap_live_collector, config.interfaces->list[0]);
	rig_open(&r[1]);
	assert_true(r[0].collector.fd >= 0 && r[0].collector.fd != r[1].collector.fd);
	for (unsigned i = 0; i < 50; i++)
		send_udp(port);
	for (unsigned i = 0; i < 100; i++) {
		assert_false(rig_read(&r[0]) || rig_read(&r[1]));
		nanosleep(&pause, NULL);
	}
	for (unsigned i = 0; i < 2; i++) {
		r[i].collector.ops->poll_drops(&r[i].collector);
		frames += rig_stat(&r[i], STAT_FRAMES) + rig_stat(&r[i], STAT_KERNEL_DROPS);
		rig_books(&r[i], "an interface");
	}
	/* libpcap leaves out the outgoing copy of what it sees on the loopback. */
	assert_int_equal(frames, 50);
	assert_false(r[0].collector.follows_file_time);
	rig_fini(&r[0]);
	rig_fini(&r[1]);
	interfaces_free(&config);
}

/* Streams of an interface that is captured from no more end as time passes. */
static void
test_streams_of_a_lost_interface(void **state)
{
	const uint16_t port = (uint16_t)(20000 + getpid() % 20000);
	const struct class_config classes = class_rig_config(100);
	char filter[64];
	struct pcap_config config = { .interface = "lo", .snaplen = 128, .pipe_size = 1 << 20,
		.filter = filter, .workers = 1, .classes = &classes };
	const struct timespec pause = { 0, 1000000 };
	struct err e = ERR_INIT;
	uint64_t now = clock_real();
	struct rig r;

	(void)state;
	snprintf(filter, sizeof(filter), "udp dst port %u and src host 127.0.0.1", port);
	interface_load(&config);
	rig_init(&r, &pcap_live_collector, config.interfaces->list[0]);
	if (r.collector.ops->open(&r.collector, &e) == 0) {
		send_udp(port);
		for (unsigned i = 0; i < 5000 && rig_stat(&r, STAT_CLASS_STREAMS) == 0; i++) {
			assert_false(rig_read(&r));
			nanosleep(&pause, NULL);
		}
		assert_int_equal(rig_stat(&r, STAT_CLASS_STREAMS), 1);
		assert_true(atomic_load(&r.collector.unsettled) >= now);
		atomic_store(&config.interfaces->list[0]->retired, true);
		assert_false(rig_read(&r));
		assert_int_equal(r.collector.fd, -1);
		for (unsigned i = 0; i < 3; i++) {
			assert_int_equal(rig_stat(&r, STAT_CLASS_UNKNOWN), 0);
			clock_set(now += 70 * CLOCK_S);
			assert_false(rig_read(&r));
			if (rig_stat(&r, STAT_CLASS_UNKNOWN) > 0)
				break;
		}
		clock_set(0);
		assert_int_equal(rig_stat(&r, STAT_CLASS_UNKNOWN), 1);
		assert_int_equal(atomic_load(&r.collector.unsettled), 0);
	} /* or there is no right to capture here */
	rig_fini(&r);
	interfaces_free(&config);
}

static void
test_directives(void **state)
{
	struct config c = { 0 };
	struct problems ps = { 0 };
	struct pcap_config config;

	(void)state;
	directive_apply(&pcap_directives, &c, NULL, &config, &ps);
	assert_null(config.interface);
	assert_null(config.savefile);
	assert_int_equal(config.snaplen, 128);
	assert_true(config.promisc);
	assert_int_equal(config.pipe_size, 16 << 20);
	assert_int_equal(config.savefile_replay, 1);
	assert_int_equal(config.workers, 0);
	config_add(&c, "test", "interface", NULL, "eth7");
	config_add(&c, "test", "interface_wait", NULL, "true");
	config_add(&c, "test", "savefile_wait", NULL, "true");
	config_add(&c, "test", "promisc", NULL, "false");
	directive_apply(&pcap_directives, &c, NULL, &config, &ps);
	assert_string_equal(config.interface, "eth7");
	assert_true(config.interface_wait && config.savefile_wait && !config.promisc);
	assert_int_equal(ps.n_errors, 0);
	config_add(&c, "test", "snaplen", NULL, "12");
	directive_apply(&pcap_directives, &c, NULL, &config, &ps);
	assert_int_equal(ps.n_errors, 1);
	problems_free(&ps);
	config_free(&c);
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
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_unknown_etype),
		cmocka_unit_test(test_long_file),
		cmocka_unit_test(test_damaged_file),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_link_unknown),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_flow_starts),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_savefile_wait),
		cmocka_unit_test(test_streams_of_a_file),
		cmocka_unit_test(test_savefile_replay),
		cmocka_unit_test(test_savefile_for_ever),
		cmocka_unit_test(test_pipe_replay),
		cmocka_unit_test(test_interface_wait),
		cmocka_unit_test(test_interface),
		cmocka_unit_test(test_streams_of_a_lost_interface),
		cmocka_unit_test(test_directives),
	};

	return cmocka_run_group_tests_name("collectors/pcap", tests, NULL, teardown);
}
