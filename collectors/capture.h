/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * capture: a libpcap handle, on an interface or on a file, and what goes wrong with one.
 * Shared by the collectors that read packets. It belongs to its collector; opened by the
 * main thread, used by the worker.
 */
#ifndef WEIR_COLLECTORS_CAPTURE_H
#define WEIR_COLLECTORS_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/pcap.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "proto/packet.h"

struct pcap;
struct pcap_pkthdr;

struct capture {
	struct pcap *handle;            /* NULL: not open */
	const struct packet_link *link;
	const char *name;               /* of the interface or file; borrowed */
	uint32_t fraction_ns;           /* what a packet's tv_usec counts */
	uint32_t drops;                 /* as last told by the kernel; wraps */
	char *buffer;                   /* of the file */
};

enum capture_result {
	CAPTURE_SOME,    /* packets were taken, and there may be more */
	CAPTURE_NONE,    /* nothing there just now */
	CAPTURE_END,     /* end of the file */
	CAPTURE_DAMAGED, /* the file is broken from here on, or the interface went away */
};

/* What libpcap calls for each packet; `arg` is the caller's. */
typedef void capture_fn(unsigned char *arg, const struct pcap_pkthdr *h,
    const unsigned char *octets);

/* Open the file that `c` names. Returns 0, or -WEIR_E... with `e` filled. */
int capture_open_file(struct capture *cap, const struct pcap_config *c, struct err *e);

/*
 * Open the interface that `c` names. Returns 0; -WEIR_ENOENT when it is not there or not
 * up; another -WEIR_E...; all with `e` filled.
 */
int capture_open_live(struct capture *cap, const struct pcap_config *c, struct err *e);

/* Give up to `max` packets to `fn`. What is wrong is logged. */
enum capture_result capture_read(struct capture *cap, int max, capture_fn *fn, void *arg);

/* Packets that the kernel dropped since the last call. */
uint32_t capture_drops(struct capture *cap);

/* The descriptor to poll, -1 for files. */
int capture_fd(const struct capture *cap);

/* Does nothing when it is not open. */
void capture_close(struct capture *cap);

/*
 * A packet's time in ns since 1970, from the two members of its struct timeval. Files
 * have 32 bits of seconds, which libpcap takes for signed.
 */
static inline uint64_t
capture_time(const struct capture *cap, int64_t seconds, int64_t fraction)
{
	if (seconds < 0)
		seconds = (uint32_t)seconds;
	return (uint64_t)seconds * CLOCK_S + (uint64_t)(uint32_t)fraction * cap->fraction_ns;
}

#endif
