/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "bench/gen.h"

#include "bench/gen_flows.h"
#include "bench/gen_frame.h"
#include "bench/gen_netflow.h"
#include "bench/gen_out.h"
#include "bench/gen_sflow.h"
#include "bench/gen_wrap.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define SNAP_DEFAULT UINT32_MAX /* enough for all headers, 128 at least */

/* In the order of the options' names in gen_options. */
enum option_id {
	OPT_KIND = 1,
	OPT_RECORDS,
	OPT_KEYS,
	OPT_ZIPF,
	OPT_UNIFORM,
	OPT_IPV4,
	OPT_VLAN,
	OPT_WRAP,
	OPT_SNAP,
	OPT_START,
	OPT_PPS,
	OPT_SEED,
	OPT_SAMPLING,
	OPT_SOURCES,
	OPT_PCAP,
	OPT_UDP,
	OPT_INTERFACE,
	OPT_RATE,
	OPT_OCTETS,
	OPT_DPORT,
	OPT_ONE_BY_ONE,
	OPT_TRUTH,
	OPT_HELP,
};

static const struct option gen_options[] = {
	{ "kind", required_argument, NULL, OPT_KIND },
	{ "records", required_argument, NULL, OPT_RECORDS },
	{ "keys", required_argument, NULL, OPT_KEYS },
	{ "zipf", required_argument, NULL, OPT_ZIPF },
	{ "uniform", no_argument, NULL, OPT_UNIFORM },
	{ "ipv4", required_argument, NULL, OPT_IPV4 },
	{ "vlan", required_argument, NULL, OPT_VLAN },
	{ "wrap", required_argument, NULL, OPT_WRAP },
	{ "snap", required_argument, NULL, OPT_SNAP },
	{ "start", required_argument, NULL, OPT_START },
	{ "pps", required_argument, NULL, OPT_PPS },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "sampling", required_argument, NULL, OPT_SAMPLING },
	{ "sources", required_argument, NULL, OPT_SOURCES },
	{ "pcap", required_argument, NULL, OPT_PCAP },
	{ "udp", required_argument, NULL, OPT_UDP },
	{ "interface", required_argument, NULL, OPT_INTERFACE },
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "octets", required_argument, NULL, OPT_OCTETS },
	{ "dport", required_argument, NULL, OPT_DPORT },
	{ "one-by-one", no_argument, NULL, OPT_ONE_BY_ONE },
	{ "truth", required_argument, NULL, OPT_TRUTH },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static const char gen_usage[] =
    "usage: weir-gen --kind packets|netflow5|netflow9|ipfix|sflow5|... --records N --keys K\n"
    "                (--pcap FILE | --udp HOST:PORT | --interface NAME)\n"
    "                [options]\n"
    "\n"
    "  Kinds of sFlow: sflow2, sflow4, sflow5, sflow5_expanded, sflow5_decoded.\n"
    "\n"
    "  --rate N         datagrams or frames per second; 0: as they are taken (0)\n"
    "  --octets N       of every packet, from the IP header on (a mixture)\n"
    "  --truth FILE     write what was generated for each key as CSV\n"
    "  --zipf S         keys follow Zipf's law with this exponent (1.0)\n"
    "  --uniform        every key is as likely\n"
    "  --ipv4 PERCENT   of the keys that are IPv4 (80; NetFlow v5: 100)\n"
    "  --vlan PERCENT   of the keys that have a VLAN (10; NetFlow v5: 0)\n"
    "  --wrap NAME      packets: what stands before IP: ethernet, qinq, mpls, pppoe,\n"
    "                   snap, ipip, gre, vxlan, gtp, null, ppp, raw, chdlc, sll, sll2,\n"
    "                   radiotap, nflog (ethernet)\n"
    "  --snap OCTETS    captured of each packet in a file; 0: all (128)\n"
    "  --start EPOCH    seconds since 1970 of the first record (1700000000)\n"
    "  --pps RATE       records per second of virtual time (1000000)\n"
    "  --sampling N     sFlow: announce that 1 in N was sampled (1)\n"
    "  --sources N      exporters: addresses in pcap, sockets with UDP (1)\n"
    "  --one-by-one     with UDP: a message for each datagram, so that nothing joins them\n"
    "  --dport PORT     to which datagrams in pcap go (2100; sFlow: 6343)\n"
    "  --seed N         other traffic of the same kind (1)\n"
    "\n"
    "The same options make the same octets. Totals go to standard output.\n";

static const struct encoder *const gen_encoders[] = { &frame_encoder, &netflow5_encoder,
	&netflow9_encoder, &ipfix_encoder, &sflow2_encoder, &sflow4_encoder, &sflow5_encoder,
	&sflow5_expanded_encoder, &sflow5_decoded_encoder };

struct gen {
	const struct encoder *encoder;
	struct flows_options flows;
	uint64_t records;
	uint64_t start_s;
	uint64_t rate;
	const struct wrap *wrap;
	uint32_t snap;
	uint32_t sampling;
	uint32_t sources;
	uint16_t dst_port;
	const char *pcap, *udp, *interface, *truth;
	bool one_by_one;
};

void
die(const char *fmt, ...)
{
	va_list ap;

	fputs("weir-gen: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

void *
die_calloc(uint64_t n, uint64_t size)
{
	void *p = calloc(n, size);

	if (p == NULL)
		die("out of memory");
	return p;
}

static uint64_t
gen_number(const char *name, const char *text, uint64_t min, uint64_t max)
{
	char *end;
	uint64_t v;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || v < min ||
	    v > max)
		die("--%s %s: want a number from %" PRIu64 " to %" PRIu64, name, text,
		    min, max);
	return v;
}

static double
gen_exponent(const char *text)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end != '\0' || !(v >= 0 && v <= 10))
		die("--zipf %s: want an exponent from 0 to 10", text);
	return v;
}

static const struct encoder *
gen_encoder(const char *name)
{
	for (size_t i = 0; i < sizeof(gen_encoders) / sizeof(gen_encoders[0]); i++)
		if (strcmp(gen_encoders[i]->name, name) == 0)
			return gen_encoders[i];
	die("--kind %s: want packets, netflow5, netflow9, ipfix, sflow2, sflow4, sflow5, "
	    "sflow5_expanded or sflow5_decoded", name);
}

static void
gen_option(struct gen *g, enum option_id id, const char *name, const char *value)
{
	switch (id) {
	case OPT_KIND:
		g->encoder = gen_encoder(value);
		break;
	case OPT_RECORDS:
		g->records = gen_number(name, value, 1, UINT64_C(1000000000000));
		break;
	case OPT_KEYS:
		g->flows.keys =
		    (uint32_t)gen_number(name, value, 1, UINT32_C(100000000));
		break;
	case OPT_ZIPF:
		g->flows.zipf = gen_exponent(value);
		break;
	case OPT_UNIFORM:
		g->flows.zipf = 0;
		break;
	case OPT_IPV4:
		g->flows.ipv4_percent = (unsigned)gen_number(name, value, 0, 100);
		break;
	case OPT_VLAN:
		g->flows.vlan_percent = (unsigned)gen_number(name, value, 0, 100);
		break;
	case OPT_WRAP:
		g->wrap = wrap_find(value);
		if (g->wrap == NULL)
			die("--wrap %s: want one of %s", value, wrap_names());
		break;
	case OPT_SNAP:
		g->snap = (uint32_t)gen_number(name, value, 0, 65535);
		break;
	case OPT_START:
		g->start_s = gen_number(name, value, 0, UINT32_MAX);
		break;
	case OPT_PPS:
		g->flows.pps = gen_number(name, value, 1, UINT32_MAX);
		break;
	case OPT_SEED:
		g->flows.seed = gen_number(name, value, 0, UINT64_MAX);
		break;
	case OPT_SAMPLING:
		g->sampling = (uint32_t)gen_number(name, value, 1, UINT32_MAX);
		break;
	case OPT_SOURCES:
		g->sources = (uint32_t)gen_number(name, value, 1, OUT_SOURCES_MAX);
		break;
	case OPT_PCAP:
		g->pcap = value;
		break;
	case OPT_UDP:
		g->udp = value;
		break;
	case OPT_INTERFACE:
		g->interface = value;
		break;
	case OPT_OCTETS:
		g->flows.octets = (uint32_t)gen_number(name, value, 64, 1500);
		break;
	case OPT_RATE:
		g->rate = gen_number(name, value, 0, 100000000);
		break;
	case OPT_DPORT:
		g->dst_port = (uint16_t)gen_number(name, value, 1, 65535);
		break;
	case OPT_ONE_BY_ONE:
		g->one_by_one = true;
		break;
	case OPT_TRUTH:
		g->truth = value;
		break;
	case OPT_HELP:
		fputs(gen_usage, stdout);
		exit(0);
	}
}

static void
gen_check_snap(struct gen *g)
{
	uint32_t headers = g->wrap->octets + FRAME_HEADERS_MAX;

	if (g->encoder != &frame_encoder && strcmp(g->wrap->name, "ethernet") != 0)
		die("--wrap is for --kind packets");
	if (g->interface != NULL && g->wrap->link != 1)
		die("--wrap %s is for --pcap", g->wrap->name);
	if (g->snap == SNAP_DEFAULT)
		g->snap = headers > 128 ? headers : 128;
	if (g->snap == 0)
		g->snap = 65535;
	if (g->snap < headers)
		die("--snap: the headers alone need %u octets", headers);
}

/* What one option cannot tell: which of them go together. */
static void
gen_check(struct gen *g)
{
	if (g->encoder == NULL || g->records == 0 || g->flows.keys == 0)
		die("--kind, --records and --keys are needed; see --help");
	if ((g->pcap != NULL) + (g->udp != NULL) + (g->interface != NULL) != 1)
		die("one of --pcap, --udp and --interface is needed");
	if (g->encoder == &frame_encoder && g->udp != NULL)
		die("--kind packets goes to --pcap and --interface only");
	if (g->encoder != &frame_encoder && g->interface != NULL)
		die("--interface is for --kind packets");
	gen_check_snap(g);
	if (!g->encoder->has_ipv6) {
		g->flows.ipv4_percent = 100;
		g->flows.vlan_percent = 0;
	}
	if (g->dst_port == 0)
		g->dst_port = g->encoder->dst_port;
	g->flows.start_us = g->start_s * 1000000;
	g->flows.packets =
	    g->encoder == &frame_encoder || g->encoder->samples;
	g->flows.idle = g->encoder == &frame_encoder;
}

static struct out *
gen_open(const struct gen *g)
{
	bool frames = g->encoder == &frame_encoder;

	if (g->udp != NULL)
		return out_udp(g->udp, g->sources, g->rate, g->one_by_one);
	if (g->interface != NULL)
		return out_wire(g->interface, g->rate);
	return out_pcap(g->pcap, g->wrap->link, frames ? g->snap : 65535, g->sources,
	    g->encoder->src_port, g->dst_port);
}

static void
gen_report(const struct gen *g, const struct flows *flows, uint64_t sent)
{
	struct flows_totals t = flows_sum(flows);
	bool to_stdout = g->pcap != NULL && strcmp(g->pcap, "-") == 0;

	fprintf(to_stdout ? stderr : stdout,
	    "kind=%s records=%" PRIu64 " keys=%" PRIu64 " packets=%" PRIu64
	    " bytes=%" PRIu64 " flows=%" PRIu64 " bytes_l2=%" PRIu64 " %s=%" PRIu64
	    "\n",
	    g->encoder->name, t.records, t.keys, t.packets, t.bytes, t.flows,
	    t.bytes_l2, g->encoder == &frame_encoder ? "frames" : "datagrams", sent);
}

static void
gen_truth(const struct gen *g, const struct flows *flows)
{
	FILE *to = fopen(g->truth, "w");

	if (to == NULL)
		die("%s: %s", g->truth, strerror(errno));
	flows_write_truth(
	    flows, g->encoder->samples || g->encoder == &frame_encoder, to);
	if (ferror(to) || fclose(to) != 0)
		die("%s: could not be written", g->truth);
}

int
main(int argc, char **argv)
{
	struct gen g = {
		.flows.seed = 1,
		.flows.zipf = 1.0,
		.flows.ipv4_percent = 80,
		.flows.vlan_percent = 10,
		.flows.pps = 1000000,
		.start_s = 1700000000,
		.snap = SNAP_DEFAULT,
		.wrap = wrap_find("ethernet"),
		.sampling = 1,
		.sources = 1,
	};
	struct flows *flows;
	struct out *out;
	void *state;
	int id, row = 0;

	while ((id = getopt_long(argc, argv, "", gen_options, &row)) != -1) {
		if (id == '?')
			return 2;
		gen_option(&g, (enum option_id)id, gen_options[row].name, optarg);
	}
	if (optind != argc)
		die("%s: not an option; see --help", argv[optind]);
	gen_check(&g);

	flows = flows_new(&g.flows);
	out = gen_open(&g);
	state = g.encoder->open(out, g.sampling, g.start_s);
	for (uint64_t i = 0; i < g.records; i++) {
		struct record r;

		flows_next(flows, &r);
		r.wrap = g.wrap;
		flows_book(flows, &r, g.encoder->add(state, &r));
	}
	g.encoder->close(state);
	gen_report(&g, flows, out_close(out));
	if (g.truth != NULL)
		gen_truth(&g, flows);
	flows_free(flows);
	return 0;
}
