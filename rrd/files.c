/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rrd/files.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/hash.h"

#define HEX_DIGITS 16U
#define SUFFIX     ".rrd"

static bool
octet_is_safe(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	    c == '.' || c == '_' || c == ':' || c == '-';
}

/*
 * Write what can stand in a file name of `text` to `out` (FILES_READABLE_MAX + 1).
 * Returns whether it is the whole text as it was.
 */
static bool
readable_make(const char *text, char *out)
{
	bool same = true;
	size_t n;

	for (n = 0; text[n] != '\0' && n < FILES_READABLE_MAX; n++) {
		char c = text[n];

		if (c == '=')
			c = '-';
		else if (!octet_is_safe(c))
			c = '_';
		/* No hidden files, no "..", nothing that a command takes for an option. */
		if (n == 0 && (c == '.' || c == '-'))
			c = '_';
		same &= c == text[n];
		out[n] = c;
	}
	out[n] = '\0';
	return same && text[n] == '\0' && n > 0;
}

void
files_name(uint64_t id, const char *key, char *out)
{
	char readable[FILES_READABLE_MAX + 1];

	readable_make(key, readable);
	snprintf(out, FILES_NAME_MAX, "%02x/%s-%016" PRIx64 SUFFIX, (unsigned)(id >> 56),
	    readable, id);
}

/* Read `n` hex digits, in lower case as files_name writes them. */
static bool
hex_read(const char *p, size_t n, uint64_t *out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] >= '0' && p[i] <= '9')
			v = v << 4 | (uint64_t)(p[i] - '0');
		else if (p[i] >= 'a' && p[i] <= 'f')
			v = v << 4 | (uint64_t)(p[i] - 'a' + 10);
		else
			return false;
	}
	*out = v;
	return true;
}

int
files_id(const char *name, uint64_t *id)
{
	const size_t tail = 1 + HEX_DIGITS + sizeof(SUFFIX) - 1;
	size_t len = strnlen(name, FILES_NAME_MAX);
	uint64_t folder;

	if (len < 3 + tail || len > 3 + FILES_READABLE_MAX + tail)
		return -WEIR_EINVAL;
	if (!hex_read(name, 2, &folder) || name[2] != '/' || name[len - tail] != '-' ||
	    strcmp(name + len - (sizeof(SUFFIX) - 1), SUFFIX) != 0 ||
	    !hex_read(name + len - tail + 1, HEX_DIGITS, id) || *id >> 56 != folder)
		return -WEIR_EINVAL;
	for (size_t i = 3; i < len; i++)
		if (!octet_is_safe(name[i]))
			return -WEIR_EINVAL;
	return 0;
}

void
files_folder(const char *view, char *out)
{
	char readable[FILES_READABLE_MAX + 1];

	if (readable_make(view, readable))
		snprintf(out, FILES_FOLDER_MAX, "%s", readable);
	else
		snprintf(out, FILES_FOLDER_MAX, "%s-%016" PRIx64, readable,
		    hash_frozen(view, strlen(view)));
}

int
files_mkdir(const char *path, struct err *e)
{
	char buf[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(buf))
		return err_set(e, WEIR_EINVAL, "%.64s...: the path is too long", path);
	memcpy(buf, path, len + 1);
	for (char *p = buf + 1;; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(buf, 0777) != 0 && errno != EEXIST)
			return err_set(e, WEIR_EIO, "%s: %s", buf, strerror(errno));
		*p = c;
		if (c == '\0')
			return 0;
	}
}
