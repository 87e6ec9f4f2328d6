/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/datagram_config.h"

#include <net/if.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/allow.h"
#include "collectors/counter_log.h"

/* clang-format off */
#define AT(member) offsetof(struct datagram_config, member)
#define ROWS(prefix, peer) \
	{ .name = prefix "_port", .type = DIRECTIVE_U32, .offset = AT(port), .max = 65535, \
	  .def = "0", .doc = "UDP port to listen on for " peer "; 0: none." }, \
	{ .name = prefix "_ip", .type = DIRECTIVE_IP, .offset = AT(ip), \
	  .doc = "Address to listen on; without it, all of this host's, IPv4 and IPv6." }, \
	{ .name = prefix "_interface", .type = DIRECTIVE_STRING, .offset = AT(interface), \
	  .doc = "Network interface to listen on alone, whatever address a datagram is " \
	         "sent to." }, \
	{ .name = prefix "_ipv6_only", .type = DIRECTIVE_BOOL, .offset = AT(ipv6_only), \
	  .def = "false", .doc = "Leave IPv4 alone where all addresses are listened on." }, \
	{ .name = prefix "_mcast_groups", .type = DIRECTIVE_STRING, \
	  .offset = AT(mcast_groups), \
	  .doc = "Comma list of multicast groups to join, IPv4 and IPv6, at most 20; on the " \
	         "interface that " prefix "_interface names, else where the routes lead." }, \
	{ .name = prefix "_pipe_size", .type = DIRECTIVE_OCTETS, .offset = AT(pipe_size), \
	  .max = 1073741823, .def = "32M", .unit = "octets", \
	  .doc = "Receive buffer to ask the kernel for, for each worker; it bears bursts." }, \
	{ .name = prefix "_udp_gro", .type = DIRECTIVE_BOOL, .offset = AT(joined), \
	  .def = "false", \
	  .doc = "Let the kernel join datagrams of one size that a sender sends fast " \
	         "(UDP_GRO): where the network card's driver does so they cost about half " \
	         "as much, and the receive buffer has more room. kernel_drops then counts " \
	         "what was joined as one." }, \
	{ .name = prefix "_allow_file", .type = DIRECTIVE_PATH, .offset = AT(allow_file), \
	  .reload = DIRECTIVE_RELOAD, \
	  .doc = "File of those who may send, an address or address/length a line; " \
	         "datagrams of all others are refused and counted. An empty file allows " \
	         "nobody. Read anew on SIGHUP and SIGUSR2; one with faults is left aside, " \
	         "and the old list stays." }, \
	{ .name = prefix "_time_new", .type = DIRECTIVE_BOOL, .offset = AT(time_new), \
	  .def = "false", \
	  .doc = "Count what comes into the time bin of its arrival, not of its own time." }, \
	{ .name = prefix "_disable_checks", .type = DIRECTIVE_BOOL, \
	  .offset = AT(disable_checks), .def = "false", \
	  .doc = "Do not log gaps in sequence numbers. They are counted all the same." }, \
	{ .name = prefix "_disable_sanity_checks", .alias_of = prefix "_disable_checks" }

#define REFUSED(key, why) { .name = key, .type = DIRECTIVE_REFUSED, .doc = why }
#define NO_RECEIVER \
	"weir's workers share their templates already: set workers instead of running " \
	"several collectors on one port. Between machines, send what one exporter sends to " \
	"one of them."
#define NO_DTLS \
	"weir ends no DTLS: let stunnel or a tunnel of the network do it, and listen on " \
	"its inner side."
#define NO_BROKER \
	"weir takes datagrams from the network itself and from no message broker: point the " \
	"exporters, or the replicator in front of the broker, at its port."
#define NO_COUNTER_BROKER \
	"weir writes to no message broker: let something read sfacctd_counter_file, which " \
	"may be a named pipe."
#define BROKERS(prefix) \
	REFUSED(prefix "_kafka_*", NO_BROKER), \
	REFUSED(prefix "_zmq_address", NO_BROKER)

static const struct directive netflow_rows[] = {
	ROWS("nfacctd", "NetFlow and IPFIX"),
	{ .name = "nfacctd_tcp_port", .type = DIRECTIVE_U32, .offset = AT(tcp_port),
	  .max = 65535,
	  .def = "0", .doc = "TCP port to listen on for IPFIX, by IANA's list 4739; 0: none. "
	  "nfacctd_ip, nfacctd_interface, nfacctd_ipv6_only and nfacctd_allow_file hold "
	  "for it, too." },
	{ .name = "nfacctd_tcp_connections", .type = DIRECTIVE_U32,
	  .offset = AT(tcp_connections),
	  .min = 1, .max = 65536, .def = "512", .unit = "connections",
	  .doc = "TCP connections that one worker holds at most, each with a buffer of 64 "
	  "KiB and a descriptor. Beyond, one without a message for a minute makes room, or "
	  "the newcomer is turned away." },
	{ .name = "nfacctd_time_secs", .type = DIRECTIVE_BOOL, .offset = AT(time_secs),
	  .def = "false",
	  .doc = "NetFlow v5 tells uptimes, of the exporter and of flows, in seconds." },
	{ .name = "nfacctd_time_tolerance", .type = DIRECTIVE_SECONDS,
	  .offset = AT(time_tolerance), .def = "365d", .unit = "s",
	  .doc = "Count records into the time bin of their arrival when their own time is "
	         "farther off, before or after: the exporter's clock is wrong. 0: take any "
	         "time." },
	{ .name = "nfacctd_account_options", .type = DIRECTIVE_BOOL,
	  .offset = AT(account_options), .def = "false",
	  .doc = "Count records of options data like flows, too." },
	{ .name = "nfacctd_disable_opt_scope_check", .type = DIRECTIVE_BOOL,
	  .offset = AT(disable_opt_scope_check), .def = "false",
	  .doc = "Take options data of any scope to be about the whole exporter." },
	{ .name = "nfacctd_ignore_exporter_address", .type = DIRECTIVE_BOOL,
	  .offset = AT(ignore_exporter_address), .def = "false",
	  .doc = "peer_src_ip is the sender's address, also where options data tells the "
	         "exporter's." },
	{ .name = "nfacctd_templates_file", .type = DIRECTIVE_PATH,
	  .offset = AT(templates_file),
	  .doc = "File, in pmacct's format, from which templates are read at the start and to "
	         "which they are written: an object a line. state_dir has them anyway, for "
	         "datagrams that come from the network." },
	{ .name = "nfacctd_biflow", .type = DIRECTIVE_BOOL, .offset = AT(biflow),
	  .def = "false",
	  .doc = "Where a record counts both ways of a conversation (RFC 5103, or an "
	  "initiator and a responder), count the way back as a flow of its own, with "
	  "source and destination swapped. Else only the way out counts, as with pmacct." },
	{ .name = "tmp_asa_bi_flow", .alias_of = "nfacctd_biflow" },
	REFUSED("nfacctd_templates_receiver", NO_RECEIVER),
	REFUSED("nfacctd_templates_port", NO_RECEIVER),
	REFUSED("nfacctd_dtls_port", NO_DTLS),
	REFUSED("dtls_path", NO_DTLS),
	BROKERS("nfacctd"),
	{ .name = NULL },
};
static const struct directive sflow_rows[] = {
	ROWS("sfacctd", "sFlow"),
	{ .name = "sfacctd_ignore_exporter_address", .type = DIRECTIVE_BOOL,
	  .offset = AT(ignore_exporter_address), .def = "false",
	  .doc = "peer_src_ip is the sender's address instead of the agent's, which "
	         "datagrams tell." },
	{ .name = "sfacctd_counter_file", .type = DIRECTIVE_PATH, .offset = AT(counter_file),
	  .doc = "File to which the counters that agents send (of interfaces, Ethernet, "
	  "token ring, 100VG, VLANs and processors) are appended, a line of JSON for each "
	  "block; $peer_src_ip in it is the agent's address, with underscores. Opened anew "
	  "on SIGHUP. It may be a named pipe." },
	{ .name = "sfacctd_counter_output", .type = DIRECTIVE_ENUM,
	  .offset = AT(counter_output),
	  .words = "json", .def = "json", .doc = "Format of sfacctd_counter_file." },
	REFUSED("sfacctd_counter_amqp_*", NO_COUNTER_BROKER),
	REFUSED("sfacctd_counter_kafka_*", NO_COUNTER_BROKER),
	REFUSED("sfacctd_counter_persistent_msg", NO_COUNTER_BROKER),
	BROKERS("sfacctd"),
	{ .name = NULL },
};
#undef ROWS
#undef BROKERS
#undef REFUSED
#undef AT
/* clang-format on */

const struct directive_set netflow_directives = { "netflow", netflow_rows,
	sizeof(struct datagram_config) };
const struct directive_set sflow_directives = { "sflow", sflow_rows,
	sizeof(struct datagram_config) };

/* A check under way: of whose directives, and where they stand. */
struct check {
	const char *family;
	const struct config *lines;
	struct problems *ps;
};

static void check_error(const struct check *k, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Say what is wrong with directive `family`_`key`, at the line that decides its value. */
static void
check_error(const struct check *k, const char *key, const char *fmt, ...)
{
	const struct config_line *at = NULL;
	char name[64], text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(name, sizeof(name), "%s_%s", k->family, key);
	for (size_t i = 0; i < k->lines->n; i++)
		if (strcmp(k->lines->lines[i].key, name) == 0)
			at = &k->lines->lines[i];
	problem_add(k->ps, PROBLEM_ERROR, at, "%s: %s", name, text);
}

/* Whether a socket as `c` wants it can hear the group. */
static bool
group_fits(const struct datagram_config *c, const ip16_t *group)
{
	if (ip_is_v4(group))
		return !c->ipv6_only && (ip_is_none(&c->ip) || ip_is_v4(&c->ip));
	return !ip_is_v4(&c->ip);
}

/* RFC 5771 s3 and RFC 4291 s2.7. */
static bool
is_multicast(const ip16_t *a)
{
	return ip_is_v4(a) ? a->b[12] >> 4 == 14 : a->b[0] == 0xff;
}

static void
group_add(const struct check *k, struct datagram_config *c, const char *text)
{
	ip16_t group;

	if (ip_parse(text, &group) != 0 || !is_multicast(&group))
		check_error(k, "mcast_groups",
		    "'%.60s': write multicast groups, 224.0.0.0/4 or ff00::/8, and commas",
		    text);
	else if (!group_fits(c, &group))
		check_error(k, "mcast_groups",
		    "%s: an address or ipv6_only of another family is "
		    "listened on", text);
	else if (c->n_groups == DATAGRAM_GROUPS)
		check_error(k, "mcast_groups", "more than %u groups", DATAGRAM_GROUPS);
	else
		c->groups[c->n_groups++] = group;
}

static void
groups_load(const struct check *k, struct datagram_config *c)
{
	char *list = strdup(c->mcast_groups);

	if (list == NULL) {
		check_error(k, "mcast_groups", "no memory");
		return;
	}
	for (char *save = NULL, *t = strtok_r(list, ", \t", &save); t != NULL;
	     t = strtok_r(NULL, ", \t", &save))
		group_add(k, c, t);
	free(list);
}

void
datagram_config_load(struct datagram_config *c, const char *family,
    const struct config *lines, struct problems *ps)
{
	const struct check k = { family, lines, ps };
	char key[64];

	snprintf(key, sizeof(key), "%s_allow_file", family);
	if (c->allow_file != NULL)
		c->allow = allow_open(key, c->allow_file, ps);
	if (c->counter_file != NULL) {
		struct err e = ERR_INIT;

		c->counters = counter_log_new(c->counter_file, &e);
		if (c->counters == NULL)
			check_error(&k, "counter_file", "%s", e.text);
	}
	if (c->mcast_groups != NULL)
		groups_load(&k, c);
	if (c->ipv6_only && ip_is_v4(&c->ip))
		check_error(&k, "ipv6_only", "but %s_ip is an IPv4 address", family);
	if (c->interface != NULL && strlen(c->interface) >= IF_NAMESIZE)
		check_error(&k, "interface",
		    "'%.60s' is longer than an interface's name can be", c->interface);
}

void
datagram_config_reload(struct datagram_config *c, struct problems *ps)
{
	if (c->allow != NULL)
		allow_reload(c->allow, ps);
	if (c->counters != NULL)
		counter_log_reopen(c->counters);
}

void
datagram_config_fini(struct datagram_config *c)
{
	allow_close(c->allow);
	c->allow = NULL;
	counter_log_free(c->counters);
	c->counters = NULL;
}
