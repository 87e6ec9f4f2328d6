/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * capture: where frames come from, an interface (libpcap) or a file (savefile.h), the
 * filter that they must pass, and what goes wrong with either. Shared by the collectors
 * that read frames. It belongs to its collector; opened by the main thread, used by the
 * worker.
 */
#ifndef WEIR_COLLECTORS_CAPTURE_H
#define WEIR_COLLECTORS_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/interfaces.h"
#include "collectors/pcap.h"
#include "collectors/savefile.h"
#include "lib/err.h"
#include "proto/packet.h"

struct pcap;
struct capture_link;

#define CAPTURE_LINK_ANY 276U /* LINKTYPE_LINUX_SLL2 */

struct capture {
	struct pcap *handle;            /* on an interface; both NULL: not open */
	struct savefile *file;
	const bool *crowded;            /* of the pipeline: a file is read on when it is not */
	const char *name;               /* of the interface or file; borrowed */
	const char *filter;             /* expression; NULL: every frame; borrowed */
	const struct capture_link *link; /* of the last frame */
	struct capture_link *links;     /* met so far */
	unsigned n_links;
	uint32_t fraction_ns;           /* what a live packet's tv_usec counts */
	uint32_t drops;                 /* as last told by the kernel; wraps */
	struct fanout *fanout;          /* joined; borrowed */
	uint32_t generation;            /* to leave it by */
};

enum capture_result {
	CAPTURE_SOME,    /* packets were taken, and there may be more */
	CAPTURE_NONE,    /* nothing there just now */
	CAPTURE_END,     /* end of the file */
	CAPTURE_DAMAGED, /* the file is broken from here on, or the interface went away */
};

/* What is called for each frame; `arg` is the caller's. */
typedef void capture_fn(void *arg, const struct packet_link *link, const struct frame *f);

/*
 * Whether `filter` compiles for some link layer that frames may come with. Returns 0, or
 * -WEIR_EINVAL with `e` filled. Names of hosts in it are looked up.
 */
int capture_filter_check(const char *filter, struct err *e);

/* Open the file that `c` names. Returns 0, or -WEIR_E... with `e` filled. */
int capture_open_file(struct capture *cap, const struct pcap_config *c, struct err *e);

/* Go back to the start of the file. Returns 0, or -WEIR_E... with `e` filled: it has ended. */
int capture_rewind(struct capture *cap, struct err *e);

/*
 * Open interface `i`, for one of i->config->workers, to take up to `octets` of each packet.
 * Returns 0; -WEIR_ENOENT when it is
 * not there or not up; another -WEIR_E...; all with `e` filled.
 */
int capture_open_live(struct capture *cap, const struct capture_interface *i,
    uint32_t octets, struct err *e);

/* Look at up to `max` frames and give those that pass to `fn`. What is wrong is logged. */
enum capture_result capture_read(struct capture *cap, int max, capture_fn *fn, void *arg);

/* Packets that the kernel dropped since the last call. */
uint32_t capture_drops(struct capture *cap);

/* The descriptor to poll, -1 for files. */
int capture_fd(const struct capture *cap);

/* The link layer of the next frame, as far as it is known; SAVEFILE_NO_LINKTYPE: it is not. */
uint32_t capture_linktype(const struct capture *cap);

bool capture_is_open(const struct capture *cap);

/* Does nothing when it is not open. */
void capture_close(struct capture *cap);

#endif
