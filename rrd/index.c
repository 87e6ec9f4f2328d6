/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rrd/index.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/hash.h"
#include "lib/table.h"
#include "rrd/files.h"

#define MAGIC      "weir-rrd-index\t"
#define VERSION    1
#define END        "end\t"
#define MAX_OCTETS (UINT64_C(1) << 30)

static bool
octet_is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

/* A decimal number that makes up all of `s`. */
static bool
time_read(const char *s, int64_t *out)
{
	char *end;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	*out = strtoll(s, &end, 10);
	return errno == 0 && *end == '\0';
}

/* Divide `line` at its tabs into at most `max` fields. Returns how many; max + 1: too many. */
static size_t
line_divide(char *line, char **fields_out, size_t max)
{
	size_t n = 0;

	for (char *p = line; p != NULL; n++) {
		if (n == max)
			return max + 1;
		fields_out[n] = p;
		p = strchr(p, '\t');
		if (p != NULL)
			*p++ = '\0';
	}
	return n;
}

/* Parse one line in place. Returns whether it is one that weir can have written. */
static bool
entry_parse(char *line, struct index_entry *to)
{
	char *f[3];

	memset(to, 0, sizeof(*to));
	if (line_divide(line, f, 3) != 3)
		return false;
	to->file = f[0];
	to->key = f[1];
	to->other = strcmp(f[0], FILES_OTHER) == 0;
	if (!to->other && files_id(f[0], &to->id) != 0)
		return false;
	if (strlen(f[1]) >= INDEX_KEY_MAX)
		return false;
	for (const char *p = f[1]; *p != '\0'; p++)
		if (octet_is_control(*p))
			return false;
	return time_read(f[2], &to->seen);
}

/* The whole of `path`, with a NUL after it, to x->text. */
static int
text_read(const char *path, struct index *x, size_t *len, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int rc = 0;

	*len = 0;
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) != 0) {
		rc = err_set(e, WEIR_EIO, "%s: %s", path, strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > MAX_OCTETS) {
		rc = err_set(e, WEIR_EUNSUPPORTED, "%s is no index of archives", path);
		goto out;
	}
	x->text = malloc((size_t)st.st_size + 1);
	if (x->text == NULL) {
		rc = err_set(e, WEIR_ENOMEM, "%s: no memory", path);
		goto out;
	}
	while (*len < (size_t)st.st_size) {
		ssize_t n = read(fd, x->text + *len, (size_t)st.st_size - *len);

		if (n < 0)
			rc = err_set(e, WEIR_EIO, "%s: %s", path, strerror(errno));
		if (n <= 0)
			break;
		*len += (size_t)n;
	}
	x->text[*len] = '\0';
out:
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Whether `text` begins as an index of a version that we know. */
static int
magic_check(const char *path, const char *text, struct err *e)
{
	if (strncmp(text, MAGIC, sizeof(MAGIC) - 1) != 0)
		return err_set(e, WEIR_EUNSUPPORTED, "%s is no index of archives", path);
	if (strtoul(text + sizeof(MAGIC) - 1, NULL, 10) > VERSION)
		return err_set(e, WEIR_EUNSUPPORTED, "%s was written by a newer weir", path);
	return 0;
}

/* Whether the last line carries the checksum of what stands before it. */
static bool
checksum_holds(const char *text, size_t len)
{
	char want[sizeof(END) + 17];
	size_t tail = sizeof(want) - 1;

	if (len < tail)
		return false;
	snprintf(want, sizeof(want), END "%016" PRIx64 "\n", hash_frozen(text, len - tail));
	return memcmp(text + len - tail, want, tail) == 0;
}

/* Take the lines of x->text, the first excepted, into x->entries. */
static int
entries_read(struct index *x, size_t len, struct err *e)
{
	struct table seen;
	size_t room = 1;

	for (size_t i = 0; i < len; i++)
		room += x->text[i] == '\n';
	if (room > INDEX_MAX_ENTRIES + 3)
		return err_set(e, WEIR_EFULL, "the index has more than %u lines",
		    INDEX_MAX_ENTRIES);
	x->entries = calloc(room, sizeof(*x->entries));
	if (x->entries == NULL || table_init(&seen, 16, 16, (uint32_t)room, e) != 0)
		return err_set(e, WEIR_ENOMEM, "no memory for an index of %zu lines", room);
	for (char *p = strchr(x->text, '\n'), *next; p != NULL; p = next) {
		char *line = p + 1;
		uint32_t before = seen.n;
		uint64_t key[2];
		uint8_t *row;

		if ((next = strchr(line, '\n')) == NULL)
			break; /* every line ends in a newline: the rest was cut off */
		*next = '\0';
		if (strncmp(line, END, sizeof(END) - 1) == 0)
			continue;
		if (entry_parse(line, &x->entries[x->n])) {
			key[0] = x->entries[x->n].id;
			key[1] = x->entries[x->n].other;
			table_upsert(&seen, key, 1, &row);
		}
		if (seen.n > before)
			x->n++;
		else
			x->skipped++;
	}
	table_fini(&seen);
	return 0;
}

int
index_read(const char *folder, struct index *x, struct err *e)
{
	char path[PATH_MAX];
	size_t len;
	int rc;

	memset(x, 0, sizeof(*x));
	if ((size_t)snprintf(path, sizeof(path), "%s/" INDEX_FILE, folder) >= sizeof(path))
		return err_set(e, WEIR_EINVAL, "%.64s...: the path is too long", folder);
	rc = text_read(path, x, &len, e);
	if (rc == 0 && x->text != NULL)
		rc = magic_check(path, x->text, e);
	if (rc == 0 && x->text != NULL) {
		x->damaged = !checksum_holds(x->text, len);
		rc = entries_read(x, len, e);
	}
	if (rc == 0 && x->damaged)
		for (size_t i = 0; i < x->n; i++)
			x->entries[i].seen = 0;
	if (rc != 0)
		index_free(x);
	return rc;
}

void
index_free(struct index *x)
{
	free(x->entries);
	free(x->text);
	memset(x, 0, sizeof(*x));
}

void
index_begin(struct text_line *l)
{
	char text[32];
	int n = snprintf(text, sizeof(text), MAGIC "%d\n", VERSION);

	memset(l, 0, sizeof(*l));
	text_line_put(l, text, (size_t)n);
}

void
index_put(struct text_line *l, const char *file, const char *key, int64_t seen)
{
	char time[24];
	size_t at;
	int n;

	text_line_put(l, file, strlen(file));
	text_line_put(l, "\t", 1);
	at = l->len;
	text_line_put(l, key, strnlen(key, INDEX_KEY_MAX - 1));
	for (; at < l->len; at++)
		if (octet_is_control(l->p[at]))
			l->p[at] = '?';
	n = snprintf(time, sizeof(time), "\t%" PRId64 "\n", seen);
	text_line_put(l, time, (size_t)n);
}

static int
text_write(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	size_t done = 0;

	if (fd < 0)
		return -1;
	while (done < len) {
		ssize_t n = write(fd, text + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		done += (size_t)n;
	}
	if (done < len || fsync(fd) != 0) {
		close(fd);
		return -1;
	}
	return close(fd);
}

int
index_commit(struct text_line *l, const char *folder, struct err *e)
{
	char path[PATH_MAX], fresh[PATH_MAX], end[sizeof(END) + 17];
	int fd, rc = 0;

	snprintf(end, sizeof(end), END "%016" PRIx64 "\n", hash_frozen(l->p, l->len));
	text_line_put(l, end, strlen(end));
	if ((size_t)snprintf(fresh, sizeof(fresh), "%s/" INDEX_FILE ".new", folder) >=
	        sizeof(fresh) ||
	    (size_t)snprintf(path, sizeof(path), "%s/" INDEX_FILE, folder) >= sizeof(path))
		rc = err_set(e, WEIR_EINVAL, "%.64s...: the path is too long", folder);
	else if (text_write(fresh, l->p, l->len) != 0 || rename(fresh, path) != 0)
		rc = err_set(e, WEIR_EIO, "%s: %s", fresh, strerror(errno));
	text_line_free(l);
	if (rc != 0)
		return rc;
	/* The rename itself lasts when the folder has been synced. */
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
	return 0;
}
