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

/* One part of a path that files_expand makes. */
struct part {
	char text[FILES_READABLE_MAX + 1];
	size_t len;
};

/* Append `text` to it, as far as there is room; slashes are no slashes any more. */
static void
part_put(struct part *p, const char *text, size_t len)
{
	for (size_t i = 0; i < len && p->len < FILES_READABLE_MAX; i++) {
		char c = octet_is_safe(text[i]) ? text[i] : '_';

		if (p->len == 0 && (c == '.' || c == '-'))
			c = '_';
		p->text[p->len++] = c;
	}
	p->text[p->len] = '\0';
}

/* A folder must not have the name of a file that lies there. */
static void
part_avoid(struct part *p)
{
	static const char *const taken[] = { FILES_OTHER, "index.tsv", "index.tsv.new", "journal",
		"journal.new", "heads", "heads.new" };

	if (p->len == 0)
		part_put(p, "_", 1);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (strcmp(p->text, taken[i]) == 0)
			p->text[p->len - 1] = '_';
}

static bool
octet_is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    c == '_';
}

/* Put what the variable at `p`, a '$', stands for. Returns what follows; NULL with `e`. */
static const char *
variable_put(struct part *part, const char *p,
    bool (*value)(void *arg, const char *name, size_t len, char *buf, size_t room),
    void *arg, struct err *e)
{
	bool braced = p[1] == '{';
	const char *name = p + 1 + braced, *end = name;
	char buf[512];

	while (octet_is_word(*end))
		end++;
	if (end == name || (braced && *end != '}')) {
		err_set(e, WEIR_EINVAL, "'%s': a $ has the name of a primitive behind it, as in "
		    "$src_host or ${src_host}", p);
		return NULL;
	}
	if (!value(arg, name, (size_t)(end - name), buf, sizeof(buf))) {
		err_set(e, WEIR_EINVAL, "$%.*s is no primitive that 'aggregate' has",
		    (int)(end - name), name);
		return NULL;
	}
	part_put(part, buf[0] != '\0' ? buf : "_", strlen(buf[0] != '\0' ? buf : "_"));
	return end + braced;
}

int
files_expand(const char *pattern, uint64_t id,
    bool (*value)(void *arg, const char *name, size_t len, char *buf, size_t room),
    void *arg, char *out, struct err *e)
{
	struct part part = { .len = 0 };
	unsigned depth = 0;
	size_t len = 0;

	for (const char *p = pattern; *p != '\0';) {
		if (*p == '$') {
			if ((p = variable_put(&part, p, value, arg, e)) == NULL)
				return -WEIR_EINVAL;
		} else if (*p == '/') {
			if (depth++ == FILES_DEPTH_MAX)
				return err_set(e, WEIR_EINVAL, "'%s': more than %u folders", pattern,
				    FILES_DEPTH_MAX);
			part_avoid(&part);
			len += (size_t)snprintf(out + len, FILES_NAME_MAX - len, "%s/", part.text);
			part.len = 0;
			part.text[0] = '\0';
			p++;
		} else {
			part_put(&part, p++, 1);
		}
	}
	part_avoid(&part);
	snprintf(out + len, FILES_NAME_MAX - len, "%s-%016" PRIx64 SUFFIX, part.text, id);
	return 0;
}

/* Whether the `len` octets at `name` can be a folder, or a readable part. */
static bool
part_is_safe(const char *name, size_t len)
{
	if (len == 0 || len > FILES_READABLE_MAX || name[0] == '.' || name[0] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!octet_is_safe(name[i]))
			return false;
	return true;
}

int
files_id(const char *name, uint64_t *id)
{
	const size_t tail = 1 + HEX_DIGITS + sizeof(SUFFIX) - 1;
	size_t len;

	for (unsigned depth = 0; strchr(name, '/') != NULL; depth++) {
		len = strcspn(name, "/");
		if (depth == FILES_DEPTH_MAX || !part_is_safe(name, len))
			return -WEIR_EINVAL;
		name += len + 1;
	}
	len = strnlen(name, FILES_NAME_MAX);
	if (len < tail || name[len - tail] != '-' ||
	    strcmp(name + len - (sizeof(SUFFIX) - 1), SUFFIX) != 0 ||
	    !hex_read(name + len - tail + 1, HEX_DIGITS, id))
		return -WEIR_EINVAL;
	/* Without a key there is no readable part. */
	return len == tail || part_is_safe(name, len - tail) ? 0 : -WEIR_EINVAL;
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
