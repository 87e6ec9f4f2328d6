/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pcap: packets from a capture interface (libpcap) or a capture file (savefile.h). Each
 * worker has its own handle on an interface; the kernel deals the packets out by flow
 * (PACKET_FANOUT). A file is read by one worker, and its packets' times are the present.
 */
#ifndef WEIR_COLLECTORS_PCAP_H
#define WEIR_COLLECTORS_PCAP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/collector.h"
#include "lib/directive.h"

struct class_config;

struct pcap_config {
	const char *interface;      /* NULL: none; one of these three is set */
	const char *interfaces_map; /* path; NULL: none */
	const char *savefile;       /* NULL: none; "-" is standard input */
	const char *filter;         /* libpcap expression; NULL: every packet */
	const char *protocol_text;  /* of pcap_protocol; NULL: none */
	int direction;              /* enum field_direction, where the map says none */
	int ifindex;                /* enum interface_ifindex */
	uint32_t snaplen;           /* octets taken of each packet, interfaces only */
	bool promisc;
	bool interface_wait;        /* an interface that is not there yet will come */
	bool savefile_wait;         /* stay after the end of the file */
	const char *tunnel;         /* layers of tunnels to look into; NULL: none */
	bool force_fragments;       /* look after fragments, whoever asks */
	uint64_t fragment_octets;   /* memory of each worker for fragments, */
	uint64_t flow_octets;       /* and for starts of flows */
	uint32_t flow_life;         /* s; a longer pause ends a flow, */
	uint32_t flow_tcp_life;     /* and one of TCP */
	bool unknown_etype;         /* count what is not IP, too */
	uint32_t savefile_delay;    /* s, before each play of it */
	uint32_t savefile_replay;   /* plays; 0: for ever */
	uint64_t pipe_size;         /* capture buffer of each worker, octets */
	/* No directives: */
	const struct class_config *classes; /* borrowed; NULL: packets have none */
	uint32_t workers;           /* that capture side by side; 0: not known */
	uint16_t protocol;          /* EtherType to capture alone; 0: all */
	struct interfaces *interfaces; /* to capture from, owned; NULL: none (interfaces.h) */
};

/* From an interface: its config is a struct capture_interface. */
extern const struct collector_ops pcap_live_collector;

/* From a file: its config is a struct pcap_config. */
extern const struct collector_ops pcap_file_collector;

extern const struct directive_set pcap_directives;

#endif
