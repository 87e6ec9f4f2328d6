/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/datagram_config.h"

#include <stddef.h>
#include <stdio.h>

#include "collectors/allow.h"

/* clang-format off */
#define AT(member) offsetof(struct datagram_config, member)
#define ROWS(prefix, peer) \
	{ .name = prefix "_port", .type = DIRECTIVE_U32, .offset = AT(port), .max = 65535, \
	  .def = "0", .doc = "UDP port to listen on for " peer "; 0: none." }, \
	{ .name = prefix "_ip", .type = DIRECTIVE_IP, .offset = AT(ip), \
	  .doc = "Address to listen on; without it, all of this host's, IPv4 and IPv6." }, \
	{ .name = prefix "_pipe_size", .type = DIRECTIVE_OCTETS, .offset = AT(pipe_size), \
	  .max = 1073741823, .def = "32M", .unit = "octets", \
	  .doc = "Receive buffer to ask the kernel for, for each worker; it bears bursts." }, \
	{ .name = prefix "_allow_file", .type = DIRECTIVE_PATH, .offset = AT(allow_file), \
	  .reload = DIRECTIVE_RELOAD, \
	  .doc = "File of those who may send, an address or address/length a line; datagrams of all " \
	         "others are refused and counted. An empty file allows nobody. Read anew on SIGHUP " \
	         "and SIGUSR2; one with faults is left aside, and the old list stays." }, \
	{ .name = prefix "_time_new", .type = DIRECTIVE_BOOL, .offset = AT(time_new), \
	  .def = "false", .doc = "Count what comes into the time bin of its arrival, not of its own time." }, \
	{ .name = prefix "_disable_checks", .type = DIRECTIVE_BOOL, .offset = AT(disable_checks), \
	  .def = "false", .doc = "Do not log gaps in sequence numbers. They are counted all the same." }, \
	{ .name = prefix "_disable_sanity_checks", .alias_of = prefix "_disable_checks" }

static const struct directive netflow_rows[] = {
	ROWS("nfacctd", "NetFlow and IPFIX"),
	{ .name = "nfacctd_templates_file", .type = DIRECTIVE_PATH, .offset = AT(templates_file),
	  .doc = "File in which templates outlive a restart." },
	{ .name = NULL },
};
static const struct directive sflow_rows[] = {
	ROWS("sfacctd", "sFlow"),
	{ .name = NULL },
};
#undef ROWS
#undef AT
/* clang-format on */

const struct directive_set netflow_directives = { "netflow", netflow_rows,
	sizeof(struct datagram_config) };
const struct directive_set sflow_directives = { "sflow", sflow_rows,
	sizeof(struct datagram_config) };

void
datagram_config_load(struct datagram_config *c, const char *family, struct problems *ps)
{
	char key[64];

	snprintf(key, sizeof(key), "%s_allow_file", family);
	if (c->allow_file != NULL)
		c->allow = allow_open(key, c->allow_file, ps);
}

void
datagram_config_reload(struct datagram_config *c, struct problems *ps)
{
	if (c->allow != NULL)
		allow_reload(c->allow, ps);
}

void
datagram_config_fini(struct datagram_config *c)
{
	allow_close(c->allow);
	c->allow = NULL;
}
