/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * index: `index.tsv` in the folder of an output, which tells which archive is whose, so
 * that a restarted weir and `weir graph` find them.
 *
 *   weir-rrd-index <tab> 1
 *   <file> <tab> <key> <tab> <end of the last bin that had a row, s since 1970>
 *   end <tab> <XXH64 of all that stands before this line, 16 hex digits>
 *
 * Written anew, synced and renamed; read as hostile input. Any thread.
 */
#ifndef WEIR_RRD_INDEX_H
#define WEIR_RRD_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/text.h"
#include "lib/err.h"

#define INDEX_FILE        "index.tsv"
#define INDEX_MAX_ENTRIES 1000000U
#define INDEX_KEY_MAX     1024U /* octets of a key's text, with its NUL */

struct index_entry {
	char *file;          /* below the folder; a name that files_id accepts, or FILES_OTHER */
	char *key;           /* printable text, no control characters */
	uint64_t id;         /* 0 for FILES_OTHER */
	bool other;
	int64_t seen;        /* 0: not known */
};

struct index {
	struct index_entry *entries;
	size_t n;
	size_t skipped;      /* lines that no weir can have written, and doubles */
	bool damaged;        /* the checksum does not hold: no times were read */
	/* private */
	char *text;
};

/*
 * Read the index of `folder`. Without a file it is empty. Returns 0; -WEIR_EUNSUPPORTED
 * with `e` when a newer weir wrote it or it is no index; -WEIR_EIO, -WEIR_ENOMEM.
 */
int index_read(const char *folder, struct index *x, struct err *e);
void index_free(struct index *x);

/* An index that is being written: begun, lines added, committed or thrown away. */
void index_begin(struct text_line *l);
void index_put(struct text_line *l, const char *file, const char *key, int64_t seen);

/* Put the index in the place of the old one; frees `l`. Returns 0 or -WEIR_EIO with `e`. */
int index_commit(struct text_line *l, const char *folder, struct err *e);

#endif
