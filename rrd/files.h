/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * files: what archives are called. The archive of a row lies at
 *
 *   <rrd_path>/<folder of the output>/<hh>/<readable key>-<16 hex>.rrd
 *
 * where the hex digits are the row's identity (rowspec_identity; the same on every host
 * and in SNMP) and hh its first two: no folder grows too big. The readable part is for
 * people only. The operator may arrange them otherwise, with values of primitives:
 *
 *   <rrd_path>/<folder of the output>/<$peer_src_ip>/<$src_host>-<16 hex>.rrd
 *
 * Names are made of [A-Za-z0-9._:-] whatever a key holds, and none begins with a dot, so no
 * key can leave its folder. Plain functions; any thread.
 */
#ifndef WEIR_RRD_FILES_H
#define WEIR_RRD_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define FILES_READABLE_MAX 100U /* octets of the readable part */
#define FILES_DEPTH_MAX    4U   /* folders between that of the output and the archive */
/* Folders with their slashes, readable part, "-", hex, ".rrd", NUL; rounded up. */
#define FILES_NAME_MAX     544U
#define FILES_FOLDER_MAX   128U

/* The archive that takes the traffic of rows that have none of their own. */
#define FILES_OTHER      "_other.rrd"
#define FILES_OTHER_TEXT "other"

/* Write the name of the archive of key `id`, shown as `key`, to `out` (FILES_NAME_MAX). */
void files_name(uint64_t id, const char *key, char *out);

/*
 * Write the name of the archive of key `id` to `out` (FILES_NAME_MAX) as `pattern` has it:
 * $NAME and ${NAME} stand for what `value(arg, NAME, length of it, buf)` writes to `buf`
 * (`room` octets), slashes divide folders. Returns 0; or -WEIR_EINVAL with `e` when a name
 * is followed by none, `value` does not know it (returns false), or there are more than
 * FILES_DEPTH_MAX folders.
 */
int files_expand(const char *pattern, uint64_t id,
    bool (*value)(void *arg, const char *name, size_t len, char *buf, size_t room),
    void *arg, char *out, struct err *e);

/*
 * The identity that the file name `name` carries. Returns 0, or -WEIR_EINVAL when it is
 * none that files_name or files_expand can have made: what an index holds is checked with this.
 */
int files_id(const char *name, uint64_t *id);

/*
 * Write the folder of the output (view) called `view` to `out` (FILES_FOLDER_MAX).
 * Names that had to be changed carry a hash, so that two views never share a folder.
 */
void files_folder(const char *view, char *out);

/* Make the folder `path` and those above it. Returns 0 or -WEIR_EIO with `e`. */
int files_mkdir(const char *path, struct err *e);

#endif
