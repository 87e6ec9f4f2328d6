/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/print_path.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRS_MODE 0750

int
print_path_expand(const char *path, const struct variables *v, char *to, size_t room,
    struct err *e)
{
	size_t len = 0;

	for (const char *p = path; *p != '\0';) {
		char text[VARIABLE_MAX] = { *p, '\0' };
		size_t taken = 1, n;

		if (*p == '%' || *p == '$')
			taken = variable_expand(p, v, text);
		if (taken == 0)
			return err_set(e, WEIR_EINVAL,
			    "'%s': '%.20s' is no variable that names a file; there are %s", path,
			    p, VARIABLES_TEXT);
		n = strlen(text);
		if (len + n >= room)
			return err_set(
			    e, WEIR_EINVAL, "'%.80s...': the name is too long", path);
		memcpy(to + len, text, n);
		len += n;
		p += taken;
	}
	to[len] = '\0';
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

int
print_path_link(const char *path, const char *link, struct err *e)
{
	char fresh[PATH_MAX], target[PATH_MAX];
	int n = snprintf(fresh, sizeof(fresh), "%s.new", link);
	int rc;

	if (n < 0 || (size_t)n >= sizeof(fresh))
		return err_set(e, WEIR_EIO, "%.80s...: the name is too long", link);
	if ((rc = print_path_dirs(link, e)) != 0)
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
