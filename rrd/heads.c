/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rrd/heads.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/hash.h"
#include "lib/log.h"
#include "lib/octets.h"
#include "lib/rbuf.h"
#include "lib/statefile.h"
#include "lib/wbuf.h"

#define MAGIC         "weir-rrdhead" /* without its NUL 12 octets */
#define VERSION       1U
#define START         16U
#define RECORD_HEAD   40U
#define RECORD_HASHED 32U            /* of it, before its checksum */
#define HEAD_MAX      65536U         /* octets of an archive's head */
#define SAVE_AT       (4U << 20)     /* octets in memory */

/* A record that was read; the octets lie behind its head. */
struct record {
	uint64_t id;
	int64_t last;
	bool other;
	uint32_t file;
	size_t len;
	const uint8_t *octets;
};

static int
heads_error(const struct heads *h, struct err *e)
{
	return err_set(e, WEIR_EIO, "%s: %s", h->path, strerror(errno));
}

static uint64_t
record_sum(const uint8_t *head, const uint8_t *octets, size_t len)
{
	uint64_t sums[2] = { hash_frozen(head, RECORD_HASHED), hash_frozen(octets, len) };
	uint8_t both[16];
	struct wbuf w = wbuf_of(both, sizeof(both));

	wbuf_u64(&w, sums[0]);
	wbuf_u64(&w, sums[1]);
	return hash_frozen(both, sizeof(both));
}

static bool
head_write(int fd)
{
	uint8_t head[START];
	struct wbuf w = wbuf_of(head, sizeof(head));

	wbuf_put(&w, MAGIC, 12);
	wbuf_u32(&w, VERSION);
	return octets_write(fd, head, sizeof(head), 0);
}

/* Room for a record, for the caller to free. */
static uint8_t *
record_buffer(void)
{
	uint8_t *buf = malloc(RECORD_HEAD + HEAD_MAX);

	if (buf == NULL)
		abort();
	return buf;
}

/*
 * Read the record at `*at` into `buf` (RECORD_HEAD + HEAD_MAX), and go to the next. Returns 1;
 * 0 when there is none that is whole; -WEIR_EIO with `e`.
 */
static int
record_read(
    const struct heads *h, uint64_t *at, uint8_t *buf, struct record *r, struct err *e)
{
	struct rbuf b = rbuf_of(buf, RECORD_HEAD);
	uint64_t sum, octets = *at + RECORD_HEAD;

	if (octets > h->size)
		return 0;
	if (!octets_read(h->fd, buf, RECORD_HEAD, *at))
		return errno != 0 ? heads_error(h, e) : 0;
	r->len = rbuf_u32(&b);
	r->file = rbuf_u32(&b);
	r->id = rbuf_u64(&b);
	r->last = (int64_t)rbuf_u64(&b);
	r->other = rbuf_u64(&b) != 0;
	sum = rbuf_u64(&b);
	r->octets = buf + RECORD_HEAD;
	if (r->len == 0 || r->len > HEAD_MAX || r->last < 0 || r->last > ARCHIVE_TIME_MAX ||
	    r->len > h->size - octets)
		return 0;
	if (!octets_read(h->fd, buf + RECORD_HEAD, r->len, octets))
		return errno != 0 ? heads_error(h, e) : 0;
	if (record_sum(buf, r->octets, r->len) != sum)
		return 0;
	*at = octets + r->len;
	return 1;
}

/* Mark whose heads there are; what follows the last whole record is cut off. */
static int
heads_mark(struct heads *h, struct known_set *ks, struct err *e)
{
	uint8_t *buf = record_buffer();
	uint64_t at = START;
	struct record r;
	int rc;

	while ((rc = record_read(h, &at, buf, &r, e)) > 0) {
		struct known *k = known_find(ks, r.id, r.other);

		if (k == NULL)
			continue;
		k->base = r.last;
		k->headed = true;
	}
	free(buf);
	if (rc < 0)
		return rc;
	/* A weir that is killed leaves a piece of one; more than that is damage. */
	if (h->size > at + RECORD_HEAD + HEAD_MAX)
		log_err("%s: heads behind octet %" PRIu64 " cannot be read: %" PRIu64
		    " octets are left out", h->path, at, h->size - at);
	h->size = at;
	return 0;
}

int
heads_open(struct heads *h, struct known_set *ks, struct err *e)
{
	uint8_t head[START];
	struct rbuf r = rbuf_of(head, sizeof(head));
	struct stat st;
	int rc = 0;

	*h = (struct heads){ .fd = -1 };
	if ((size_t)snprintf(h->path, sizeof(h->path), "%s/" HEADS_FILE, ks->folder) >=
	    sizeof(h->path))
		return err_set(e, WEIR_EINVAL, "%.64s...: the path is too long", ks->folder);
	h->fd = open(h->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
	if (h->fd < 0 || fstat(h->fd, &st) != 0) {
		rc = heads_error(h, e);
		heads_close(h);
		return rc;
	}
	h->size = (uint64_t)st.st_size;
	if (h->size < START) /* new, or as far as a killed weir came */
		rc = heads_clear(h, ks, e);
	else if (!octets_read(h->fd, head, sizeof(head), 0))
		rc = heads_error(h, e);
	else if (memcmp(rbuf_get(&r, 12), MAGIC, 12) != 0)
		rc = err_set(e, WEIR_EUNSUPPORTED, "%s has no heads of archives", h->path);
	else if (rbuf_u32(&r) > VERSION)
		rc = err_set(e, WEIR_EUNSUPPORTED, "%s was written by a newer weir", h->path);
	if (rc == 0)
		rc = heads_mark(h, ks, e);
	if (rc != 0)
		heads_close(h);
	return rc;
}

void
heads_close(struct heads *h)
{
	if (h->fd >= 0)
		close(h->fd);
	free(h->p);
	h->fd = -1;
	h->p = NULL;
	h->n = h->room = 0;
}

/* Room for one more record. */
static uint8_t *
record_room(struct heads *h, size_t len)
{
	if (h->room - h->n < len) {
		h->room = h->room * 2 > h->n + len ? h->room * 2 : h->n + len;
		h->p = realloc(h->p, h->room);
		if (h->p == NULL)
			abort();
	}
	return h->p + h->n;
}

/* What is in memory into the file. */
static int
heads_write(struct heads *h, struct err *e)
{
	int rc;

	if (octets_write(h->fd, h->p, h->n, h->size)) {
		h->dirty = true;
		h->size += h->n;
		h->n = 0;
		return 0;
	}
	rc = heads_error(h, e);
	(void)!ftruncate(h->fd, (off_t)h->size);
	return rc;
}

int
heads_take(struct heads *h, struct known_set *ks, struct known *k, struct err *e)
{
	uint8_t head[RECORD_HEAD], *p;
	struct wbuf w = wbuf_of(head, sizeof(head));
	char path[PATH_MAX];
	uint32_t file;
	int rc;

	if (k->headed || !k->ready)
		return 0;
	known_path(ks, k, path);
	if (ks->head_octets == 0)
		ks->head_octets = archive_head_octets(path);
	if (ks->head_octets == 0 || ks->head_octets > HEAD_MAX)
		return err_set(e, WEIR_EIO, "%s: its head cannot be read", path);
	p = record_room(h, RECORD_HEAD + ks->head_octets);
	rc = archive_head_read(
	    path, p + RECORD_HEAD, ks->head_octets, &file, &ks->patience_ms, e);
	if (rc != 0)
		return rc == -WEIR_ENOENT ? 0 : rc; /* made anew when it is told */
	wbuf_u32(&w, (uint32_t)ks->head_octets);
	wbuf_u32(&w, file);
	wbuf_u64(&w, k->id);
	wbuf_u64(&w, (uint64_t)k->stored);
	wbuf_u64(&w, k == &ks->other);
	wbuf_u64(&w, record_sum(head, p + RECORD_HEAD, ks->head_octets));
	memcpy(p, head, sizeof(head));
	h->n += RECORD_HEAD + ks->head_octets;
	k->headed = true;
	k->base = k->stored;
	return 0;
}

int
heads_spill(struct heads *h, struct err *e)
{
	return h->n >= SAVE_AT ? heads_write(h, e) : 0;
}

bool
heads_unsaved(const struct heads *h)
{
	return h->n > 0 || h->dirty;
}

int
heads_save(struct heads *h, struct err *e)
{
	int rc = h->n > 0 ? heads_write(h, e) : 0;

	if (rc != 0 || !h->dirty)
		return rc;
	if (fdatasync(h->fd) != 0)
		return heads_error(h, e);
	h->dirty = false;
	return 0;
}

/*
 * Put `r` back into its archive `k`. Returns 1; 0 when that is not the one it was taken from, or has
 * what the journal lacks; or -WEIR_E... with `e`.
 */
static int
record_restore(struct known_set *ks, struct known *k, const struct record *r, struct err *e)
{
	char path[PATH_MAX];
	int64_t stored;
	int rc = known_check(ks, k, e);

	if (rc != 0)
		return rc == -WEIR_ENOENT || rc == -WEIR_EUNSUPPORTED ? 0 : rc;
	rc = archive_wait(known_path(ks, k, path), &ks->patience_ms, e);
	if (rc != 0)
		return rc == -WEIR_ENOENT ? 0 : rc;
	stored = archive_last(path);
	if (ks->head_octets == 0)
		ks->head_octets = archive_head_octets(path);
	if (stored < 0 || ks->head_octets == 0)
		return err_set(e, WEIR_EIO, "%s cannot be read", path);
	if (r->len != ks->head_octets || r->last != k->base || stored < r->last ||
	    stored > k->journaled)
		return 0;
	rc = archive_head_write(path, r->octets, r->len, r->file, &ks->patience_ms, e);
	if (rc == -WEIR_EUNSUPPORTED)
		log_err("rrd: %s: its head is not put back", e->text);
	if (rc != 0)
		return rc == -WEIR_EUNSUPPORTED ? 0 : rc;
	k->stored = r->last;
	return 1;
}

int
heads_restore(struct heads *h, struct known_set *ks, struct err *e)
{
	uint8_t *buf = record_buffer();
	uint64_t at = START;
	struct record r;
	int n = 0, rc;

	while ((rc = record_read(h, &at, buf, &r, e)) > 0) {
		struct known *k = known_find(ks, r.id, r.other);
		struct err why = ERR_INIT;

		if (k == NULL || !k->suspect || k->failed)
			continue;
		rc = record_restore(ks, k, &r, &why);
		n += rc > 0;
		k->failed = rc < 0;
		if (k->failed && e->code == 0)
			*e = why;
	}
	free(buf);
	return rc < 0 ? rc : n;
}

/* Copy the records of archives that are suspect to `fd`, which has its head. */
static int
records_keep(const struct heads *h, struct known_set *ks, int fd, uint64_t *size, struct err *e)
{
	uint8_t *buf = record_buffer();
	uint64_t at = START;
	struct record r;
	int rc;

	while ((rc = record_read(h, &at, buf, &r, e)) > 0) {
		struct known *k = known_find(ks, r.id, r.other);
		size_t len = RECORD_HEAD + r.len;

		if (k == NULL || !k->suspect || r.last != k->base)
			continue;
		if (!octets_write(fd, buf, len, *size)) {
			rc = heads_error(h, e);
			break;
		}
		*size += len;
	}
	free(buf);
	return rc;
}

/* Put a file with the heads of suspect archives, if there are any, in the place of the file. */
static int
heads_replace(struct heads *h, struct known_set *ks, struct err *e)
{
	char fresh[PATH_MAX + 8];
	uint64_t size = START;
	int fd, rc;

	snprintf(fresh, sizeof(fresh), "%s.new", h->path);
	fd = open(fresh, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	rc = fd >= 0 && head_write(fd) ? records_keep(h, ks, fd, &size, e) : heads_error(h, e);
	if (rc == 0 && (fsync(fd) != 0 || rename(fresh, h->path) != 0))
		rc = heads_error(h, e);
	if (rc != 0) {
		if (fd >= 0)
			close(fd);
		return rc;
	}
	(void)folder_sync(h->path); /* it has the name, whatever the folder's disk says */
	close(h->fd);
	h->fd = fd;
	h->size = size;
	h->dirty = false;
	return 0;
}

int
heads_clear(struct heads *h, struct known_set *ks, struct err *e)
{
	bool any = false;

	for (uint32_t i = 0; i < ks->n; i++) {
		struct known *k = ks->order[i];

		k->headed = k->headed && k->suspect;
		any |= k->headed;
	}
	h->n = 0;
	if (any)
		return heads_replace(h, ks, e);
	if (h->size == START)
		return 0;
	if (h->size > START ? ftruncate(h->fd, START) != 0 : !head_write(h->fd))
		return heads_error(h, e);
	h->size = START;
	h->dirty = true;
	return heads_save(h, e);
}
