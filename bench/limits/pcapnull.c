/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What libpcap alone costs: read a capture file through pcap_dispatch and only count.
 * A program that reads files through libpcap is never faster than this.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <inttypes.h>
#include <pcap.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

struct counts {
	uint64_t packets;
	uint64_t octets;  /* on the wire */
};

static void
counts_packet(u_char *user, const struct pcap_pkthdr *h, const u_char *octets)
{
	struct counts *c = (void *)user;

	(void)octets;
	c->packets++;
	c->octets += h->len;
}

static double
seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	char error[PCAP_ERRBUF_SIZE];
	struct counts c = { 0, 0 };
	double seconds = seconds_now();
	pcap_t *p;
	int n;

	if (argc != 2) {
		fputs("usage: pcapnull FILE\n", stderr);
		return 2;
	}
	p = pcap_open_offline(argv[1], error);
	if (p == NULL) {
		fprintf(stderr, "pcapnull: %s\n", error);
		return 1;
	}
	while ((n = pcap_dispatch(p, -1, counts_packet, (u_char *)&c)) > 0)
		continue;
	if (n < 0) {
		fprintf(stderr, "pcapnull: %s: %s\n", argv[1], pcap_geterr(p));
		return 1;
	}
	pcap_close(p);
	seconds = seconds_now() - seconds;
	printf("packets=%" PRIu64 " octets=%" PRIu64 " seconds=%.3f rate=%.0f\n",
	    c.packets, c.octets, seconds, (double)c.packets / seconds);
	return 0;
}
