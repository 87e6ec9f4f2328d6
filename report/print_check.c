/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/print_check.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "core/engine.h"
#include "lib/clock.h"
#include "report/print_path.h"

bool
print_is_stdout(const struct print_config *c)
{
	return c->file == NULL || strcmp(c->file, "-") == 0;
}

static int
name_check(const struct print_config *c, struct err *e)
{
	const struct print_pattern name = { "print_output_file", c->file };
	struct variables vars = { .time = clock_real() };
	char path[PATH_MAX];
	struct stat st;
	size_t len;
	int rc = print_path_expand(&name, &vars, NULL, NULL, path, sizeof(path), e);

	if (rc != 0)
		return rc;
	len = strlen(path);
	if (len > 0 && path[len - 1] != '/' && (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)))
		return 0;
	return err_set(e, WEIR_EINVAL,
	    "print_output_file: '%s' names a folder: write the name of a file in it", c->file);
}

/* The newest of the files of a row's values can have a link for each, but not of times. */
static int
latest_name_check(const struct print_config *c, struct err *e)
{
	const struct print_pattern name = { "print_latest_file", c->latest };
	struct field_set have = print_path_fields(c->file), want = print_path_fields(c->latest);
	struct variables vars = { 0 };
	char path[PATH_MAX];
	int rc = print_path_expand(&name, &vars, NULL, NULL, path, sizeof(path), e);

	if (rc != 0)
		return rc;
	if (variables_have_time(c->latest))
		return err_set(e, WEIR_EINVAL,
		    "print_latest_file: '%s': the newest file has the same link at any time: "
		    "leave variables of time out",
		    c->latest);
	field_set_join(&want, &have);
	if (memcmp(&want, &have, sizeof(want)) != 0)
		return err_set(e, WEIR_EINVAL,
		    "print_latest_file: '%s' has variables of rows that print_output_file "
		    "lacks: its files are not divided by them",
		    c->latest);
	return 0;
}

static int
latest_check(const struct print_config *c, struct err *e)
{
	if (print_is_stdout(c))
		return err_set(e, WEIR_EINVAL,
		    "print_latest_file links to a file: give print_output_file too");
	if (print_path_same(c->file, c->latest))
		return err_set(e, WEIR_EINVAL,
		    "print_latest_file: '%s' is print_output_file itself: the link to the newest "
		    "file needs a name of its own",
		    c->latest);
	return latest_name_check(c, e);
}

/*
 * Whether two that write to the file of `a` would empty it under each other. Values of rows in
 * the name may keep them apart; a device or a FIFO has nothing to lose.
 */
static bool
files_clash(const struct print_config *a, const struct print_config *b)
{
	const struct field_set split = print_path_fields(a->file), none = { 0 };
	struct stat st;

	return print_path_same(a->file, b->file) && !(a->append && b->append) &&
	    memcmp(&split, &none, sizeof(none)) == 0 &&
	    (stat(a->file, &st) != 0 || S_ISREG(st.st_mode));
}

static int
other_check(const struct print_config *c, const struct output *other, struct err *e)
{
	const struct print_config *oc = other->config;

	if (print_is_stdout(oc))
		return 0;
	if (files_clash(c, oc))
		return err_set(e, WEIR_EINVAL,
		    "print_output_file: '%s' is that of print[%s], too, and each would overwrite "
		    "the rows of the other: give it a file of its own, or both "
		    "print_output_file_append",
		    c->file, other->name);
	if (c->latest != NULL && print_path_same(c->latest, oc->file))
		return err_set(e, WEIR_EINVAL,
		    "print_latest_file: '%s' is the print_output_file of print[%s]: the link to "
		    "the newest file needs a name of its own",
		    c->latest, other->name);
	if (oc->latest != NULL && print_path_same(oc->latest, c->file))
		return err_set(e, WEIR_EINVAL,
		    "print_output_file: '%s' is the print_latest_file of print[%s]: write "
		    "another name",
		    c->file, other->name);
	return 0;
}

int
print_check_files(const struct output *o, struct err *e)
{
	const struct print_config *c = o->config;
	const struct engine *en = o->engine;
	int rc = 0;

	if (c->latest != NULL && (rc = latest_check(c, e)) != 0)
		return rc;
	if (print_is_stdout(c) || (rc = name_check(c, e)) != 0)
		return rc;
	for (unsigned i = 0; rc == 0 && en != NULL && i < en->n_outputs; i++)
		if (en->outputs[i] != o && en->outputs[i]->ops == o->ops)
			rc = other_check(c, en->outputs[i], e);
	return rc;
}
