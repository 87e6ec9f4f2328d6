/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of print's files, with the variables of lib/variable.h and pmacct's of rows
 * ($peer_src_ip, $tag, $tag2, $post_tag, $post_tag2), and the folders and links that go with
 * them. Plain functions; any thread.
 */
#ifndef WEIR_REPORT_PRINT_PATH_H
#define WEIR_REPORT_PRINT_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "flow/field.h"
#include "flow/rowspec.h"
#include "lib/err.h"
#include "lib/variable.h"

/* The primitives that `path` has variables of: each of their values has its own file. */
struct field_set print_path_fields(const char *path);

/* A name with variables, and the directive that told it. */
struct print_pattern {
	const char *directive, *text;
};

/*
 * Write `from` with its variables replaced to `to`; those of rows stand for the values of
 * `row`, laid out by `rs`, with '_' for '.' and ':' (rs NULL: 0). Returns 0, or -WEIR_EINVAL
 * with `e` naming the variable that cannot be had, or that the name grows beyond `room` or
 * what a file system takes.
 */
int print_path_expand(const struct print_pattern *from, const struct variables *v,
    const struct rowspec *rs, const uint8_t *row, char *to, size_t room, struct err *e);

/* Make the directories that `path` lies in. Returns 0, or -WEIR_EIO with `e`. */
int print_path_dirs(const char *path, struct err *e);

/*
 * Whether `a` and `b` are one name in one folder: as the file system has their folders, and
 * where there are none yet by the text. What is there by that name is not looked at.
 */
bool print_path_same(const char *a, const char *b);

/*
 * Point the symbolic link `link` at `path`, at one stroke. Returns 0; -WEIR_EEXIST with `e`
 * where that would take the place of something else than a symbolic link, which stays; or
 * -WEIR_EIO with `e`.
 */
int print_path_link(const char *path, const char *link, struct err *e);

#endif
