/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * savefile: a reader of capture files, for libpcap's takes several hundred instructions a
 * packet. It reads pcap (either byte order, micro- and nanoseconds, Kuznetzov's longer
 * headers) and pcapng (draft-ietf-opsawg-pcapng: several sections and interfaces, any
 * resolution of time), each also compressed with gzip, from files and pipes.
 *
 * A file is input like any other: every length in it is checked before it is used, and
 * what is read before a damage counts. One thread at a time.
 */
#ifndef WEIR_COLLECTORS_SAVEFILE_H
#define WEIR_COLLECTORS_SAVEFILE_H

#include <stddef.h>
#include <stdint.h>

#include "flow/frame.h"
#include "lib/err.h"

#define SAVEFILE_FRAME_MAX   (256U << 10) /* octets of a frame; more cannot be meant */
#define SAVEFILE_NO_LINKTYPE UINT32_MAX

struct savefile;

enum savefile_result {
	SAVEFILE_FRAME,
	SAVEFILE_END,
	SAVEFILE_DAMAGED,   /* the file is broken from here on, or cannot be read */
};

/*
 * Open the file at `path`; "-" is standard input. Returns NULL with `e` filled when it
 * cannot be opened (-WEIR_EIO) or does not begin like a capture file (-WEIR_EMALFORMED).
 */
struct savefile *savefile_open(const char *path, struct err *e);
void savefile_close(struct savefile *s);

/*
 * The next frame, whose octets belong to the reader and stay until its next call. After
 * SAVEFILE_DAMAGED, `e` says what is wrong, and near which octet.
 */
enum savefile_result savefile_next(struct savefile *s, struct frame *f,
    struct err *e);

/*
 * The link type of the first frames: of the file (pcap), of its first interface (pcapng).
 * SAVEFILE_NO_LINKTYPE when a pcapng file has told none before its first frame.
 */
uint32_t savefile_linktype(const struct savefile *s);

/* Octets of the file taken so far (of a gzip'd one: decompressed). */
uint64_t savefile_offset(const struct savefile *s);

/* Octets of the file as it lies on disk, when it was opened; 0 where it is no such file. */
uint64_t savefile_size(const struct savefile *s);

/* How many of those have been read. Asks the system. */
uint64_t savefile_place(const struct savefile *s);

#endif
