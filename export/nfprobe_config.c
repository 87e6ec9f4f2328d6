/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/nfprobe_config.h"

#include <stdlib.h>
#include <string.h>

#include "export/message.h"

#define AT(member) offsetof(struct nfprobe_config, member)
static const struct directive nfprobe_rows[] = {
	{ .name = "nfprobe_receiver", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(to.receiver), .def = "127.0.0.1:2100",
	    .doc = "Where flows are sent, ADDRESS:PORT or NAME:PORT." },
	{ .name = "nfprobe_receivers", .type = DIRECTIVE_PATH, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(to.receivers), .reload = DIRECTIVE_RELOAD,
	    .doc = "File of pools of receivers, in place of nfprobe_receiver. A line is "
	           "id=NUMBER ip=ADDRESS:PORT[,ADDRESS:PORT] and, as it may be, "
	           "balance-alg=failover (the first that is there), rr, hash (two hosts "
	           "always the same receiver) or hash-agent (an exporter always the same; "
	           "not beside hash); without it: to all. src_port=PORT: to send from." },
	{ .name = "nfprobe_version", .type = DIRECTIVE_ENUM, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(version), .words = "5|9|10", .def = "10",
	    .doc = "NetFlow v5, NetFlow v9, or IPFIX (10)." },
	{ .name = "nfprobe_protocol", .type = DIRECTIVE_ENUM, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(stream), .words = "udp|tcp", .def = "udp",
	    .doc = "How it is sent. TCP is for IPFIX." },
	{ .name = "nfprobe_timeouts", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(timeouts),
	    .def = "tcp=3600:tcp.rst=120:tcp.fin=300:udp=300:icmp=300:general=3600:"
	           "maxlife=604800:expint=60",
	    .doc = "When a flow leaves the cache: NAME=SECONDS without a packet, joined by "
	           "':'. tcp.rst and tcp.fin hold once one was seen; maxlife is the "
	           "longest that a flow is kept, whatever comes. A flow leaves within a "
	           "second of its time, so expint has no meaning. Units s, m, h, d, w may "
	           "be written." },
	{ .name = "nfprobe_maxflows", .type = DIRECTIVE_U32, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(max_flows), .min = 64, .max = 1U << 28, .def = "65536",
	    .unit = "flows",
	    .doc = "Flows in the cache, divided among the workers. When it is full, the one "
	           "leaves that would leave first." },
	{ .name = "nfprobe_engine", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(engine), .def = "0",
	    .doc = "Source id of NetFlow v9, observation domain of IPFIX; of NetFlow v5 "
	           "TYPE:ID, each to 255." },
	{ .name = "nfprobe_source_ip", .type = DIRECTIVE_IP, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(to.source),
	    .doc = "Address to send from. It is told in options data, too." },
	{ .name = "nfprobe_hoplimit", .type = DIRECTIVE_U32, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(to.hop_limit), .max = 255,
	    .doc = "TTL or hop limit of what is sent, 1 to 255; 0: the system's." },
	{ .name = "nfprobe_ipprec", .type = DIRECTIVE_U32, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(to.ip_precedence), .max = 7,
	    .doc = "IP precedence of what is sent, 0 to 7." },
	{ .name = "nfprobe_direction", .type = DIRECTIVE_ENUM, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(direction), .words = DRESS_DIRECTIONS, .def = "none",
	    .doc = "Direction that flows are told to have; by tag or tag2: 1 is in, 2 is "
	           "out." },
	{ .name = "nfprobe_ifindex", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(ifindex),
	    .doc = "Number of the interface of flows that have none: a number, 'tag' or "
	           "'tag2'. It is that of the way in, or of the way out where that is the "
	           "direction." },
	{ .name = "nfprobe_ifindex_override", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(ifindex_override), .def = "false",
	    .doc = "nfprobe_ifindex counts also for flows that have one." },
	{ .name = "nfprobe_dont_cache", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(dont_cache), .def = "false",
	    .doc = "Send each packet and sample as a flow of its own." },
	{ .name = "nfprobe_cache_records", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(cache_records), .def = "false",
	    .doc = "Records of NetFlow and IPFIX go through the cache, too: those with one key "
	           "(aggregate) become one. Without it each goes on as it came." },
	{ .name = "nfprobe_biflow", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(biflow), .def = "false",
	    .doc = "Both directions of a conversation are one record (RFC 5103). IPFIX "
	           "alone." },
	{ .name = "nfprobe_tstamp_usec", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(usec), .def = "false",
	    .doc = "Times in microseconds. Without it NetFlow v9 has milliseconds of "
	           "uptime, IPFIX milliseconds since 1970." },
	{ .name = "nfprobe_legacy_tags", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(legacy_tags), .def = "true",
	    .doc = "In NetFlow v9, tag, tag2 and class go into elements 201, 202 and 200, "
	           "as pmacct's probes sent them once. Without it tags are left out, and "
	           "class is applicationId alone." },
	{ .name = "nfprobe_mtu", .type = DIRECTIVE_U32, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(mtu), .min = MESSAGE_MTU_MIN, .max = MESSAGE_MTU_MAX, .def = "1500",
	    .unit = "octets",
	    .doc = "The longest IP packet that is sent; shorter where the way to a "
	           "receiver is." },
	{ .name = "nfprobe_template_packets", .type = DIRECTIVE_U32, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(refresh_datagrams), .def = "100", .unit = "datagrams",
	    .doc = "Templates are sent again after so many datagrams; 0: not by that." },
	{ .name = "nfprobe_template_seconds", .type = DIRECTIVE_SECONDS,
	    .scope = DIRECTIVE_PLUGIN, .offset = AT(refresh_s), .def = "60", .unit = "s",
	    .doc = "The same after so many seconds." },
	{ .name = "nfprobe_pipe_size", .type = DIRECTIVE_OCTETS, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(to.pipe_size), .max = 1U << 30, .unit = "octets",
	    .doc = "Send buffer of the socket of each receiver." },
	{ .name = "nfprobe_peer_as", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(peer_as), .def = "false",
	    .doc = "Tell neighbouring AS (peer_src_as, peer_dst_as) as src_as and dst_as." },
	{ .name = "nfprobe_dtls", .type = DIRECTIVE_REFUSED, .scope = DIRECTIVE_PLUGIN,
	    .doc = "weir does not encrypt; use a tunnel." },
	{ .name = "nfprobe_dtls_verify_cert", .type = DIRECTIVE_REFUSED,
	    .scope = DIRECTIVE_PLUGIN, .doc = "weir does not encrypt; use a tunnel." },
	{ .name = NULL },
};
#undef AT

const struct directive_set nfprobe_directives = { "nfprobe", nfprobe_rows,
	sizeof(struct nfprobe_config) };

/* A decimal number to `max`, which ends at `end`. */
static bool
number_parse(const char *text, char end, uint64_t max, uint64_t *n, const char **rest)
{
	char *stop;

	if (*text < '0' || *text > '9')
		return false;
	*n = strtoull(text, &stop, 10);
	*rest = stop + 1;
	return *stop == end && *n <= max;
}

static int
engine_parse(const struct nfprobe_config *c, struct nfprobe_meaning *m, struct err *e)
{
	uint64_t type = 0, id = 0;
	const char *rest;

	if (m->version == ENCODE_V5) {
		if (!number_parse(c->engine, '\0', 255, &id, &rest) &&
		    (!number_parse(c->engine, ':', 255, &type, &rest) ||
		        !number_parse(rest, '\0', 255, &id, &rest)))
			return err_set(e, WEIR_EINVAL,
			    "nfprobe_engine: '%s': write TYPE:ID, each 0 to "
			    "255, for NetFlow v5", c->engine);
		m->domain = (uint32_t)(type << 8 | id);
		return 0;
	}
	if (!number_parse(c->engine, '\0', UINT32_MAX, &id, &rest))
		return err_set(e, WEIR_EINVAL,
		    "nfprobe_engine: '%s': write a number to %u%s", c->engine, UINT32_MAX,
		    strchr(c->engine, ':') != NULL
		        ? ": TYPE:ID is for NetFlow v5 (nfprobe_version: 5)" : "");
	m->domain = (uint32_t)id;
	return 0;
}

static int
dress_parse(const struct nfprobe_config *c, struct nfprobe_meaning *m, struct err *e)
{
	m->dress.direction = c->direction;
	m->dress.overrides = c->ifindex_override;
	m->dress.peer_as = c->peer_as;
	return c->ifindex != NULL
	    ? dress_ifindex_read(&m->dress, "nfprobe_ifindex", c->ifindex, e) : 0;
}

int
nfprobe_config_read(const struct nfprobe_config *c, struct nfprobe_meaning *m, struct err *e)
{
	static const enum encode_version versions[] = { [NFPROBE_5] = ENCODE_V5,
		[NFPROBE_9] = ENCODE_V9, [NFPROBE_10] = ENCODE_IPFIX };
	int rc;

	memset(m, 0, sizeof(*m));
	m->version = versions[c->version];
	m->times = c->usec ? ENCODE_US : m->version == ENCODE_IPFIX ? ENCODE_MS : ENCODE_UPTIME;
	if (c->stream && m->version != ENCODE_IPFIX)
		return err_set(e, WEIR_EINVAL,
		    "nfprobe_protocol: NetFlow goes by UDP; write nfprobe_version: 10 for TCP");
	if (c->biflow && m->version != ENCODE_IPFIX)
		return err_set(e, WEIR_EINVAL,
		    "nfprobe_biflow: NetFlow has no elements for it; write "
		    "nfprobe_version: 10");
	if ((rc = flowcache_timeouts_parse(c->timeouts, &m->timeouts, e)) != 0 ||
	    (rc = engine_parse(c, m, e)) != 0)
		return rc;
	return dress_parse(c, m, e);
}
