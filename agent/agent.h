/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent: the door to SNMP. A plugin `snmp[name]` asks for a view and its ledger, and
 * shows both in WEIR-MIB as an AgentX subagent of the host's snmpd.
 *
 * The life of a figure: the publisher adds an interval to the ledger and calls each
 * snmp plugin; each copies the rows it shows (rows.h); the last one adds collectors and
 * exporters (census.h), seals all of it as a tree (tree.h) and gives it to the
 * session's thread (session.h), which answers from it until the next one comes. Values
 * take the form that SNMP wants when they are asked for (tables.c, entry.c, value.h).
 *
 * All plugins of the process share one session and one census: they are made when the
 * first plugin opens and end when the last one closes.
 *
 * RFC 2741 (AgentX), RFC 2578-2580 (SMIv2), RFC 4001 (addresses), RFC 2856 (64-bit
 * gauges).
 */
#ifndef WEIR_AGENT_AGENT_H
#define WEIR_AGENT_AGENT_H

#include "core/output.h"
#include "lib/directive.h"

struct snmp_config {
	const char *boot_file;   /* the daemon says where; may be NULL */
	const char *socket;
	const char *oid_base;
	uint32_t reconnect;
	uint32_t max_rows;
	uint32_t row_linger;
	uint32_t index;
	bool write, ipfix;
	uint32_t notify_rate;
	uint32_t topn, topn_interval;
};

extern const struct output_ops snmp_output;
extern const struct directive_set snmp_directives;

#endif
