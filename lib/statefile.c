/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/statefile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/hash.h"
#include "lib/rbuf.h"
#include "lib/wbuf.h"

#define MAGIC "weir"
#define HEAD 40U

static int
part_write(int fd, const uint8_t *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int
folder_sync(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];
	int fd, rc;

	snprintf(folder, sizeof(folder), "%.*s",
	    slash != NULL ? (int)(slash - path) + 1 : 1, slash != NULL ? path : ".");
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return errno;
	rc = fsync(fd) == 0 ? 0 : errno;
	(void)close(fd);
	return rc;
}

int
statefile_replace(
    const char *path, const struct statefile_part *parts, unsigned n, struct err *e)
{
	char fresh[PATH_MAX];
	int fd, bad = 0;

	if ((size_t)snprintf(fresh, sizeof(fresh), "%s.new", path) >= sizeof(fresh))
		return err_set(e, WEIR_EIO, "%s: too long a name", path);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd == -1)
		return err_set(e, WEIR_EIO, "%s: %s", fresh, strerror(errno));
	for (unsigned i = 0; i < n && bad == 0; i++)
		bad = part_write(fd, parts[i].data, parts[i].len);
	if (bad != 0 || fsync(fd) != 0 || rename(fresh, path) != 0) {
		(void)err_set(e, WEIR_EIO, "%s: %s", fresh, strerror(errno));
		(void)unlink(fresh);
		(void)close(fd);
		return -WEIR_EIO;
	}
	(void)close(fd);
	(void)folder_sync(path);
	return 0;
}

int
statefile_write(const char *path, const char *name, uint32_t version, const void *body,
    size_t len, struct err *e)
{
	uint8_t head[HEAD];
	char padded[STATEFILE_NAME_MAX] = { 0 };
	struct wbuf w = wbuf_of(head, sizeof(head));
	const struct statefile_part parts[] = { { head, sizeof(head) }, { body, len } };

	memcpy(padded, name, strnlen(name, sizeof(padded)));
	wbuf_put(&w, MAGIC, 4);
	wbuf_put(&w, padded, sizeof(padded));
	wbuf_u32(&w, version);
	wbuf_u32(&w, 0);
	wbuf_u64(&w, len);
	wbuf_u64(&w, hash_frozen(body, len));
	return statefile_replace(path, parts, 2, e);
}

/* The head of a file of `size` octets: what it says of the body, if it is ours. */
static int
head_check(const uint8_t head[HEAD], const char *path, const char *name,
    uint32_t version, uint64_t size, uint64_t *sum, struct err *e)
{
	struct rbuf r = rbuf_of(head, HEAD);
	char padded[STATEFILE_NAME_MAX] = { 0 };
	uint32_t theirs;

	memcpy(padded, name, strnlen(name, sizeof(padded)));
	if (memcmp(rbuf_get(&r, 4), MAGIC, 4) != 0 ||
	    memcmp(rbuf_get(&r, sizeof(padded)), padded, sizeof(padded)) != 0)
		return err_set(
		    e, WEIR_EMALFORMED, "%s: holds no %s of weir's", path, name);
	theirs = rbuf_u32(&r);
	rbuf_skip(&r, 4);
	if (theirs > version)
		return err_set(e, WEIR_EUNSUPPORTED,
		    "%s: version %u, which a newer weir wrote", path, theirs);
	if (theirs != version || rbuf_u64(&r) != size - HEAD)
		return err_set(e, WEIR_EMALFORMED, "%s: damaged", path);
	*sum = rbuf_u64(&r);
	return 0;
}

static int
body_read(FILE *f, const char *path, const char *name, uint32_t version, uint64_t size,
    uint8_t **body, struct err *e)
{
	uint8_t head[HEAD];
	size_t len = (size_t)(size - HEAD);
	uint64_t sum = 0;
	int rc;

	if (fread(head, 1, HEAD, f) != HEAD)
		return err_set(e, WEIR_EIO, "%s: cannot be read", path);
	if ((rc = head_check(head, path, name, version, size, &sum, e)) != 0)
		return rc;
	*body = malloc(len + 1);
	if (*body == NULL)
		return err_set(e, WEIR_ENOMEM, "no memory for %s", path);
	if (fread(*body, 1, len, f) == len && hash_frozen(*body, len) == sum)
		return 0;
	free(*body);
	*body = NULL;
	return err_set(e, WEIR_EMALFORMED, "%s: damaged", path);
}

int
statefile_read(const char *path, const char *name, uint32_t version, size_t max,
    uint8_t **body, size_t *len, struct err *e)
{
	/* It may be a pipe that nobody writes to. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), rc;
	FILE *f = fd != -1 ? fdopen(fd, "r") : NULL;
	struct stat st;

	*body = NULL;
	if (f == NULL && fd != -1) {
		close(fd);
		return err_set(e, WEIR_ENOMEM, "no memory for %s", path);
	}
	if (f == NULL)
		return errno == ENOENT
			   ? -WEIR_ENOENT
			   : err_set(e, WEIR_EIO, "%s: %s", path, strerror(errno));
	if (fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode))
		rc = err_set(e, WEIR_EIO, "%s: is no file", path);
	else if (st.st_size < (off_t)HEAD || (uint64_t)st.st_size - HEAD > max)
		rc = err_set(e, WEIR_EMALFORMED, "%s: damaged", path);
	else
		rc = body_read(f, path, name, version, (uint64_t)st.st_size, body, e);
	*len = rc == 0 ? (size_t)st.st_size - HEAD : 0;
	(void)fclose(f);
	return rc;
}
