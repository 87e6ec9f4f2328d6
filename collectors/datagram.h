/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Export datagrams: what lies between the two places they come from (UDP sockets, and
 * capture files whose packets carry them) and the protocols that decode them. A decoder
 * knows no socket, a source knows no protocol. The bytes belong to the source until the
 * call returns. One instance of each per worker; that thread only.
 */
#ifndef WEIR_COLLECTORS_DATAGRAM_H
#define WEIR_COLLECTORS_DATAGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/collector.h"
#include "core/datagram.h"
#include "lib/directive.h"
#include "lib/ip.h"

struct allow;
struct counter_log;
struct pcap_config;

#define DATAGRAM_GROUPS 20U     /* multicast groups that one family may join, as in pmacct */

/*
 * What the operator says about one family of export protocols. A decoder finds it in
 * c->config, wherever its datagrams come from.
 */
struct class_config;

struct datagram_config {
	uint32_t port;              /* UDP; 0: no socket is wanted */
	uint32_t tcp_port;          /* 0: none */
	uint32_t tcp_connections;   /* of a worker, at most */
	ip16_t ip;                  /* to listen on; none: every address of the host */
	const char *interface;      /* to listen on alone; NULL: all */
	bool ipv6_only;             /* no IPv4, though the address is none or :: */
	const char *mcast_groups;   /* comma list of addresses; NULL: none */
	uint64_t pipe_size;         /* receive buffer of a socket, octets */
	bool joined;                /* datagrams may come several in one message: UDP_GRO */
	const char *allow_file;     /* NULL: everybody may send */
	bool time_new;              /* a record's bin comes from its arrival, not its own time */
	bool time_secs;             /* NetFlow v5 tells uptimes in seconds */
	uint32_t time_tolerance;    /* s that a record's time may be off its arrival, 0: any */
	bool disable_checks;        /* do not log sequence gaps */
	bool biflow;                /* ways back are flows, too */
	bool account_options;       /* options data is counted like flows, too */
	bool disable_opt_scope_check; /* options of any scope are of the whole exporter */
	bool ignore_exporter_address; /* the sender is the exporter, whatever it tells */
	const char *counter_file;   /* of sFlow's counters; NULL: none */
	int counter_output;         /* its format; there is one */
	bool unknown_etype;         /* sampled frames that are not IP are flows, too */
	const struct class_config *classes; /* of sampled frames; borrowed; NULL: none */
	const char *tunnel;         /* layers of tunnels in sampled frames; NULL: none */
	const char *templates_file; /* NULL: none */
	/* Made of the above by datagram_config_load: */
	struct allow *allow;        /* allow_file's; NULL: none */
	struct counter_log *counters; /* counter_file's; NULL: none */
	ip16_t groups[DATAGRAM_GROUPS];
	unsigned n_groups;
};

struct datagram_decoder {
	const char *name;   /* "netflow", "sflow" */
	enum collector_kind kind;
	enum flow_source source;

	/* The decoder's part of collector `c`; NULL with `e` filled. */
	void *(*open)(struct collector *c, struct err *e);

	/*
	 * Count `d` (STAT_DATAGRAMS and where it went; c->units, octets, errors, last_seen),
	 * decode it and feed its records to c->pipeline. Whatever is in it, nothing crashes
	 * and the books balance.
	 */
	void (*decode)(void *decoder, const struct datagram *d);

	/* Nothing more has come by `now` (clock_real). May be NULL. */
	void (*idle)(void *decoder, uint64_t now);

	/* No more datagrams come: a file has ended, or weir does. May be NULL. */
	void (*finish)(void *decoder);

	void (*close)(void *decoder);
};

extern const struct datagram_decoder netflow_decoder;
extern const struct datagram_decoder sflow_decoder;

/*
 * Capture files whose packets carry export datagrams, to any UDP port. One instance reads
 * a whole file; times are those of the packets.
 */
struct datagram_file_config {
	const struct pcap_config *pcap;         /* which file, and how */
	const struct datagram_config *datagram; /* what its collector's c->config becomes */
};

extern const struct collector_ops netflow_file_collector;
extern const struct collector_ops sflow_file_collector;

#endif
