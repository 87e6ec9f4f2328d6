/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/print_path.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flow/text.h"

#define DIRS_MODE 0750

/* The longer name first, where one begins as the other. */
static const struct row_variable {
	const char *name;
	enum field_no no;
} row_variables[] = {
	{ "$peer_src_ip", F_PEER_SRC_IP },
	{ "$post_tag2", F_TAG2 },
	{ "$post_tag", F_TAG },
	{ "$tag2", F_TAG2 },
	{ "$tag", F_TAG },
};

/* The variable at the front of `p`; NULL where it is none of rows. */
static const struct row_variable *
row_variable_find(const char *p)
{
	for (size_t i = 0; i < sizeof(row_variables) / sizeof(row_variables[0]); i++)
		if (strncmp(p, row_variables[i].name, strlen(row_variables[i].name)) ==
		    0)
			return &row_variables[i];
	return NULL;
}

struct field_set
print_path_fields(const char *path)
{
	struct field_set set = { 0 };

	for (const char *p = strchr(path, '$'); p != NULL; p = strchr(p + 1, '$')) {
		const struct row_variable *rv = row_variable_find(p);

		if (rv != NULL)
			field_set_add(&set, rv->no);
	}
	return set;
}

/* The text of the variable at the front of `p`. Returns its length in `p`; 0: it is none. */
static size_t
expand(const char *p, const struct variables *v, const struct rowspec *rs,
    const uint8_t *row, char text[TEXT_MAX])
{
	const struct row_variable *rv = row_variable_find(p);

	if (rv == NULL)
		return variable_expand(p, v, text);
	strcpy(text, "0");
	if (rs != NULL)
		text_value(&fields[rv->no], row + rs->offset[rv->no],
		    &(struct text_opts){ 0 }, text);
	for (char *c = text; *c != '\0'; c++)
		if (*c == '.' || *c == ':')
			*c = '_';
	return strlen(rv->name);
}

int
print_path_expand(const struct print_pattern *from, const struct variables *v,
    const struct rowspec *rs, const uint8_t *row, char *to, size_t room, struct err *e)
{
	size_t len = 0;

	for (const char *p = from->text; *p != '\0';) {
		char text[TEXT_MAX] = { *p, '\0' };
		size_t taken = 1, n;

		if (*p == '%' || *p == '$')
			taken = expand(p, v, rs, row, text);
		if (taken == 0)
			return err_set(e, WEIR_EINVAL,
			    "%s: '%s': '%.20s' is no variable that names a file; there are %s, and "
			    "of rows $peer_src_ip, $tag, $tag2, $post_tag and $post_tag2",
			    from->directive, from->text, p, VARIABLES_TEXT);
		n = strlen(text);
		if (len + n >= room)
			return err_set(e, WEIR_EINVAL, "%s: '%.80s...': the name is too long",
			    from->directive, from->text);
		memcpy(to + len, text, n);
		len += n;
		p += taken;
	}
	to[len] = '\0';
	for (const char *p = to; *p != '\0'; p += p[len] == '/' ? len + 1 : len)
		if ((len = strcspn(p, "/")) > NAME_MAX)
			return err_set(e, WEIR_EINVAL,
			    "%s: '%.80s...': the name is too long: a folder or file may have %d "
			    "octets",
			    from->directive, from->text, NAME_MAX);
	return 0;
}

int
print_path_dirs(const char *path, struct err *e)
{
	char dir[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(dir))
		return err_set(e, WEIR_EIO, "%.80s...: the name is too long", path);
	memcpy(dir, path, len + 1);
	for (char *p = strchr(dir + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(dir, DIRS_MODE) != 0 && errno != EEXIST)
			return err_set(e, WEIR_EIO, "%s: %s", dir, strerror(errno));
		*p = '/';
	}
	return 0;
}

/* The folder of `path`, to `dir`. Returns the name in it. */
static const char *
folder_of(const char *path, char dir[PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		strcpy(dir, ".");
	else
		snprintf(dir, PATH_MAX, "%.*s/", (int)(slash - path), path);
	return slash != NULL ? slash + 1 : path;
}

/* Past what changes nothing in a path: a '/' more, and "." */
static const char *
path_skip(const char *p)
{
	while (*p == '/' || (*p == '.' && (p[1] == '/' || p[1] == '\0')))
		p++;
	return p;
}

static bool
text_same(const char *a, const char *b)
{
	if ((*a == '/') != (*b == '/'))
		return false;
	for (a = path_skip(a), b = path_skip(b); *a != '\0' || *b != '\0';
	     a = path_skip(a), b = path_skip(b)) {
		size_t n = strcspn(a, "/");

		if (n != strcspn(b, "/") || memcmp(a, b, n) != 0)
			return false;
		a += n, b += n;
	}
	return true;
}

bool
print_path_same(const char *a, const char *b)
{
	char dir_a[PATH_MAX], dir_b[PATH_MAX];
	struct stat st_a, st_b;

	if (strlen(a) >= PATH_MAX || strlen(b) >= PATH_MAX ||
	    strcmp(folder_of(a, dir_a), folder_of(b, dir_b)) != 0)
		return false;
	if (stat(dir_a, &st_a) == 0 && stat(dir_b, &st_b) == 0)
		return st_a.st_dev == st_b.st_dev && st_a.st_ino == st_b.st_ino;
	return text_same(dir_a, dir_b);
}

/* Whether a link may take the place of what is at `path`. */
static int
link_may_be(const char *path, struct err *e)
{
	struct stat st;

	if (lstat(path, &st) != 0 || S_ISLNK(st.st_mode))
		return 0;
	return err_set(e, WEIR_EEXIST,
	    "print_latest_file: %s is no symbolic link: it is left as it is", path);
}

int
print_path_link(const char *path, const char *link, struct err *e)
{
	const char *link_name;
	char dir[PATH_MAX], fresh[2 * PATH_MAX], target[PATH_MAX];
	int rc;

	if (strlen(link) >= sizeof(dir))
		return err_set(e, WEIR_EIO, "%.80s...: the name is too long", link);
	link_name = folder_of(link, dir);
	snprintf(fresh, sizeof(fresh), "%s/%.*s.new", dir, NAME_MAX - 4, link_name);
	if ((rc = print_path_dirs(link, e)) != 0 || (rc = link_may_be(link, e)) != 0 ||
	    (rc = link_may_be(fresh, e)) != 0)
		return rc;
	/*
	 * A new link beside it and a rename: readers find the old or the new, never
	 * none.
	 */
	(void)unlink(fresh);
	if (realpath(path, target) == NULL)
		return err_set(e, WEIR_EIO, "%s: %s", path, strerror(errno));
	if (symlink(target, fresh) != 0 || rename(fresh, link) != 0)
		return err_set(e, WEIR_EIO, "%s: %s", link, strerror(errno));
	return 0;
}
