/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * heads: `heads` in the folder of an output: the heads of archives (archive.h) as they were
 * before they were told anything that is in the journal. A weir or an rrdcached that is killed
 * while it writes an archive leaves it half changed; put back, its head makes of it what it
 * was, and the journal tells it the same bins again.
 *
 *   head    "weir-rrdhead" (12), version (4)
 *   record  length of the octets (4), number of the file (4), row (8), last update (8), whether it is
 *           the other row's (8), XXH64 of all that and the octets (8), the octets
 *
 * All numbers in network order. Appended before an archive is told, forgotten before the
 * journal is. Read as hostile input. The output's thread only.
 */
#ifndef WEIR_RRD_HEADS_H
#define WEIR_RRD_HEADS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "rrd/known.h"

#define HEADS_FILE "heads"

struct heads {
	int fd;
	char path[PATH_MAX];
	uint64_t size;        /* octets of whole records and the head */
	uint8_t *p;           /* records that are not in the file yet */
	size_t n, room;
	bool dirty;           /* something in the file may not be on the disk */
};

/*
 * Open the file in the folder of `ks`, made when there is none, and mark the archives of which
 * it has heads. What cannot be read is left out. Returns 0; -WEIR_EUNSUPPORTED with `e` when
 * it is another's or a newer weir's; -WEIR_EIO.
 */
int heads_open(struct heads *h, struct known_set *ks, struct err *e);
void heads_close(struct heads *h);

/*
 * Take the head of `k`, if that is not there yet and its file is. Returns 0, or -WEIR_EIO with
 * `e`. It counts from heads_save on.
 */
int heads_take(struct heads *h, struct known_set *ks, struct known *k, struct err *e);

/* Write what was taken, where that is much: it need not wait in memory. As heads_save. */
int heads_spill(struct heads *h, struct err *e);

/* Whether something that was taken may not be on the disk. */
bool heads_unsaved(const struct heads *h);

/* Have all that were taken on the disk. Returns 0 or -WEIR_EIO with `e`. */
int heads_save(struct heads *h, struct err *e);

/*
 * Put those of suspect archives (known.h) back, but into those that somebody else changes. Nobody
 * may be about to update one. An archive that somebody has locked, or that cannot be written, has
 * `failed` afterwards, and `e` says of the first one why. Returns how many were put back; -WEIR_EIO
 * with `e` when they cannot be read.
 */
int heads_restore(struct heads *h, struct known_set *ks, struct err *e);

/* Forget them all but those of suspect archives. Returns 0 or -WEIR_EIO with `e`. */
int heads_clear(struct heads *h, struct known_set *ks, struct err *e);

#endif
