/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/print_path.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"

#define DIRS_MODE 0750

/* What `%letter` stands for; false: nothing. */
static bool
time_text(char letter, time_t t, const struct tm *tm, char *to, size_t room)
{
	switch (letter) {
	case 'd':
		return strftime(to, room, "%d", tm) > 0;
	case 'H':
		return strftime(to, room, "%H", tm) > 0;
	case 'm':
		return strftime(to, room, "%m", tm) > 0;
	case 'M':
		return strftime(to, room, "%M", tm) > 0;
	case 's': /* strftime's takes `tm` for local time, which it may not be */
		return snprintf(to, room, "%" PRId64, (int64_t)t) > 0;
	case 'S':
		return strftime(to, room, "%S", tm) > 0;
	case 'w':
		return strftime(to, room, "%w", tm) > 0;
	case 'W':
		return strftime(to, room, "%W", tm) > 0;
	case 'Y':
		return strftime(to, room, "%Y", tm) > 0;
	case 'z':
		return strftime(to, room, "%z", tm) > 0;
	default:
		return false;
	}
}

/* The time zone as RFC 3339 writes it: pmacct has it with a colon, Z for none. */
static void
zone_text(const struct tm *tm, char *to, size_t room)
{
	long minutes = tm->tm_gmtoff / 60;
	long size = minutes < 0 ? -minutes : minutes;

	if (minutes == 0)
		snprintf(to, room, "Z");
	else
		snprintf(to, room, "%c%02ld:%02ld", minutes < 0 ? '-' : '+', size / 60,
		    size % 60);
}

/*
 * Write what the `$word` at `p` stands for; returns the octets of the word, 0: unknown.
 */
static size_t
word_text(const char *p, const struct tm *tm, const struct print_path_vars *v, char *to,
    size_t room)
{
	if (strncmp(p, "$hst", 4) == 0) {
		snprintf(to, room, "%" PRIu32, v->history);
		return 4;
	}
	if (strncmp(p, "$ref", 4) == 0) {
		snprintf(to, room, "%" PRIu32, v->refresh);
		return 4;
	}
	if (strncmp(p, "$tzone", 6) == 0) {
		zone_text(tm, to, room);
		return 6;
	}
	return 0;
}

int
print_path_expand(const char *path, uint64_t t, const struct print_path_vars *v,
    char *to, size_t room, struct err *e)
{
	time_t seconds = (time_t)(t / CLOCK_S);
	size_t len = 0;
	struct tm tm;

	if (v->utc)
		gmtime_r(&seconds, &tm);
	else
		localtime_r(&seconds, &tm);
	for (const char *p = path; *p != '\0';) {
		char text[64] = { *p, '\0' };
		size_t taken = 1, n;

		if (*p == '%') {
			if (!time_text(p[1], seconds, &tm, text, sizeof(text)))
				return err_set(e, WEIR_EINVAL,
				    "'%s': '%%%c' is no variable; there are %%d %%H %%m %%M %%s "
				    "%%S %%w %%W %%Y %%z", path, p[1] != '\0' ? p[1] : ' ');
			taken = 2;
		} else if (*p == '$') {
			taken = word_text(p, &tm, v, text, sizeof(text));
			if (taken == 0)
				return err_set(e, WEIR_EINVAL,
				    "'%s': '%.20s' is no variable that names a file; there are "
				    "$hst, $ref and $tzone", path, p);
		}
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

bool
print_path_has_time(const char *path)
{
	return strchr(path, '%') != NULL;
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
