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

struct pcap_config {
	const char *interface;      /* NULL: none; one of the two is set */
	const char *savefile;       /* NULL: none; "-" is standard input */
	const char *filter;         /* libpcap expression; NULL: every packet */
	uint32_t snaplen;           /* octets taken of each packet, interfaces only */
	bool promisc;
	bool interface_wait;        /* an interface that is not there yet will come */
	bool savefile_wait;         /* stay after the end of the file */
	bool unknown_etype;         /* count what is not IP, too */
	uint64_t pipe_size;         /* capture buffer of each worker, octets */
	uint32_t workers;           /* that capture side by side; 0: not known. No directive */
};

extern const struct collector_ops pcap_collector;
extern const struct directive_set pcap_directives;

#endif
