/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rrd/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/hash.h"
#include "lib/octets.h"
#include "lib/rbuf.h"
#include "lib/statefile.h"
#include "lib/wbuf.h"
#include "rrd/archive.h"

#define MAGIC        "weir-rrdjnl" /* with its NUL 12 octets */
#define VERSION      1U
#define ROUND_MAGIC  0x726e643aU /* "rnd:" */
#define ROUND_HEAD   16U
#define ENTRY_OCTETS 48U
#define BINS_MAX     100000U /* of one idle entry */

_Static_assert(sizeof(MAGIC) + 4 == JOURNAL_START, "the head's length");

void
journal_put(struct journal_round *r, const struct journal_entry *entry)
{
	if (r->n == r->room) {
		r->room = r->room > 0 ? r->room * 2 : 1024;
		r->entries = realloc(r->entries, r->room * sizeof(*r->entries));
		if (r->entries == NULL)
			abort();
	}
	r->entries[r->n++] = *entry;
}

void
journal_round_fini(struct journal_round *r)
{
	free(r->entries);
	memset(r, 0, sizeof(*r));
}

static void
entry_write(struct wbuf *w, const struct journal_entry *entry)
{
	wbuf_u64(w, entry->id);
	wbuf_u64(w, (uint64_t)entry->end);
	wbuf_u64(w, entry->sums.packets);
	wbuf_u64(w, entry->sums.bytes);
	wbuf_u64(w, entry->sums.flows);
	wbuf_u32(w, entry->n);
	wbuf_u8(w, entry->kind);
	wbuf_u8(w, entry->other);
	wbuf_u16(w, 0);
}

/* Returns whether it is one that weir can have written. */
static bool
entry_read(struct rbuf *r, struct journal_entry *entry)
{
	uint8_t other;

	entry->id = rbuf_u64(r);
	entry->end = (int64_t)rbuf_u64(r);
	entry->sums.packets = rbuf_u64(r);
	entry->sums.bytes = rbuf_u64(r);
	entry->sums.flows = rbuf_u64(r);
	entry->n = rbuf_u32(r);
	entry->kind = rbuf_u8(r);
	other = rbuf_u8(r);
	entry->other = other != 0;
	return rbuf_u16(r) == 0 && rbuf_ok(r) && other <= 1 && entry->end >= 0 &&
	    entry->end <= ARCHIVE_TIME_MAX && entry->kind < JOURNAL_KINDS &&
	    (entry->kind != JOURNAL_IDLE || (entry->n > 0 && entry->n <= BINS_MAX));
}

/* The octets of round `r`, for the caller to free; NULL when memory is short. */
static uint8_t *
round_encode(const struct journal_round *r, size_t *len)
{
	uint8_t *p;
	struct wbuf w;

	*len = ROUND_HEAD + r->n * ENTRY_OCTETS;
	p = malloc(*len);
	if (p == NULL)
		return NULL;
	w = wbuf_of(p + ROUND_HEAD, *len - ROUND_HEAD);
	for (size_t i = 0; i < r->n; i++)
		entry_write(&w, &r->entries[i]);
	w = wbuf_of(p, ROUND_HEAD);
	wbuf_u32(&w, ROUND_MAGIC);
	wbuf_u32(&w, (uint32_t)r->n);
	wbuf_u64(&w, hash_frozen(p + ROUND_HEAD, *len - ROUND_HEAD));
	return p;
}

uint64_t
journal_octets(uint64_t rounds, uint64_t entries)
{
	return JOURNAL_START + rounds * ROUND_HEAD + entries * ENTRY_OCTETS;
}

static uint64_t
round_octets(const struct journal_round *r)
{
	return ROUND_HEAD + (uint64_t)r->n * ENTRY_OCTETS;
}

static void
head_encode(uint8_t head[JOURNAL_START])
{
	struct wbuf w = wbuf_of(head, JOURNAL_START);

	wbuf_put(&w, MAGIC, sizeof(MAGIC));
	wbuf_u32(&w, VERSION);
}

static int
journal_error(const struct journal *j, struct err *e)
{
	return err_set(e, WEIR_EIO, "%s: %s", j->path, errno != 0 ? strerror(errno) : "cut short");
}

/*
 * Read the round at `at`. Returns 1; 0 when none stands there that is whole; or -WEIR_E... with
 * `e`: it may well stand there.
 */
static int
round_read(const struct journal *j, uint64_t at, struct journal_round *r, struct err *e)
{
	uint8_t head[ROUND_HEAD], *body;
	struct rbuf b = rbuf_of(head, sizeof(head));
	uint64_t sum, len;
	int rc;

	r->n = 0;
	r->at = at;
	if (at + ROUND_HEAD > j->size)
		return 0;
	if (!octets_read(j->fd, head, sizeof(head), at))
		return journal_error(j, e);
	if (rbuf_u32(&b) != ROUND_MAGIC)
		return 0;
	len = (uint64_t)rbuf_u32(&b) * ENTRY_OCTETS;
	sum = rbuf_u64(&b);
	at += ROUND_HEAD;
	if (len > j->size - at)
		return 0;
	if ((body = malloc(len + 1)) == NULL)
		return err_set(e, WEIR_ENOMEM, "%s: no memory", j->path);
	rc = octets_read(j->fd, body, len, at) ? hash_frozen(body, len) == sum :
	    journal_error(j, e);
	for (b = rbuf_of(body, len); rc == 1 && rbuf_left(&b) > 0;) {
		struct journal_entry entry = { 0 };

		if (entry_read(&b, &entry))
			journal_put(r, &entry);
		else
			rc = 0;
	}
	r->end = at + len;
	free(body);
	return rc;
}

/* Where, after `at`, a round may begin; 0: nowhere. Rounds lie at multiples of 16 octets. */
static int
round_find(const struct journal *j, uint64_t at, uint64_t *found, struct err *e)
{
	uint8_t buf[65536];

	*found = 0;
	for (at += ROUND_HEAD; at + ROUND_HEAD <= j->size;) {
		uint64_t left = j->size - at;
		size_t n = left < sizeof(buf) ? (size_t)(left / ROUND_HEAD * ROUND_HEAD) :
		    sizeof(buf);

		if (!octets_read(j->fd, buf, n, at))
			return journal_error(j, e);
		for (size_t i = 0; i < n; i += ROUND_HEAD) {
			struct rbuf b = rbuf_of(buf + i, ROUND_HEAD);

			if (rbuf_u32(&b) == ROUND_MAGIC) {
				*found = at + i;
				return 0;
			}
		}
		at += n;
	}
	return 0;
}

int
journal_read(const struct journal *j, uint64_t at, struct journal_round *r, struct err *e)
{
	int rc;

	while ((rc = round_read(j, at, r, e)) == 0) {
		rc = round_find(j, at, &at, e);
		if (rc != 0 || at == 0)
			break;
	}
	return rc;
}

/* Whether the file begins as a journal of a version that we know. */
static int
head_check(const struct journal *j, struct err *e)
{
	uint8_t head[JOURNAL_START];
	struct rbuf r = rbuf_of(head, sizeof(head));
	const void *magic;

	if (!octets_read(j->fd, head, sizeof(head), 0) && errno != 0)
		return journal_error(j, e);
	if (j->size < sizeof(head))
		return err_set(e, WEIR_EUNSUPPORTED, "%s is no journal of archives", j->path);
	magic = rbuf_get(&r, sizeof(MAGIC));
	if (memcmp(magic, MAGIC, sizeof(MAGIC)) != 0)
		return err_set(e, WEIR_EUNSUPPORTED, "%s is no journal of archives", j->path);
	if (rbuf_u32(&r) > VERSION)
		return err_set(e, WEIR_EUNSUPPORTED, "%s was written by a newer weir", j->path);
	return 0;
}

/* Wait for the thread that syncs, if there is one. Returns an errno, as the disk says it only once. */
static int
sync_end(struct journal *j)
{
	if (!j->syncing)
		return 0;
	pthread_join(j->sync_thread, NULL);
	j->syncing = false;
	if (j->sync_errno == 0)
		j->synced = j->sync_size;
	return j->sync_errno;
}

int
journal_open(struct journal *j, const char *folder, uint64_t max, struct err *e)
{
	struct journal_round r = { 0 };
	uint64_t at = JOURNAL_START;
	struct stat st;
	int rc;

	*j = (struct journal){ .fd = -1, .max = max };
	if ((size_t)snprintf(j->path, sizeof(j->path), "%s/" JOURNAL_FILE, folder) >=
	    sizeof(j->path))
		return err_set(e, WEIR_EINVAL, "%.64s...: the path is too long", folder);
	j->fd = open(j->path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (j->fd < 0 && errno == ENOENT)
		return journal_restart(j, &r, e);
	if (j->fd < 0 || fstat(j->fd, &st) != 0) {
		rc = journal_error(j, e);
		journal_close(j);
		return rc;
	}
	j->size = (uint64_t)st.st_size;
	rc = head_check(j, e);
	while (rc == 0) {
		if ((rc = journal_read(j, at, &r, e)) <= 0)
			break;
		j->damaged += r.at - at;
		at = r.end;
		rc = 0;
	}
	j->size = at;
	if (rc == 0 && at < (uint64_t)st.st_size && ftruncate(j->fd, (off_t)at) != 0)
		rc = journal_error(j, e);
	journal_round_fini(&r);
	if (rc != 0)
		journal_close(j);
	return rc;
}

static void *
sync_run(void *arg)
{
	struct journal *j = arg;

	j->sync_errno = fdatasync(j->fd) == 0 ? 0 : errno;
	return NULL;
}

void
journal_sync_begin(struct journal *j)
{
	(void)sync_end(j);
	j->sync_size = j->size;
	j->syncing = pthread_create(&j->sync_thread, NULL, sync_run, j) == 0;
}

void
journal_close(struct journal *j)
{
	(void)sync_end(j);
	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
}

int
journal_append(struct journal *j, struct journal_round *r, struct err *e)
{
	size_t len;
	uint8_t *p;
	int rc = 0;

	r->at = r->end = j->size;
	if (r->n == 0)
		return 0;
	if (j->size + round_octets(r) > j->max || r->n > UINT32_MAX)
		return err_set(e, WEIR_EFULL, "%s: is as long as rrd_journal_max lets it be",
		    j->path);
	if ((p = round_encode(r, &len)) == NULL)
		return err_set(e, WEIR_ENOMEM, "%s: no memory", j->path);
	if (octets_write(j->fd, p, len, j->size)) {
		r->end = j->size += len;
	} else {
		rc = journal_error(j, e);
		/* A part that stays is no round: it is written over, or cut off at the start. */
		(void)!ftruncate(j->fd, (off_t)j->size);
	}
	free(p);
	return rc;
}

int
journal_sync(struct journal *j, struct err *e)
{
	j->synced = 0;
	errno = sync_end(j);
	if (errno != 0)
		return journal_error(j, e);
	return j->synced == j->size || fdatasync(j->fd) == 0 ? 0 : journal_error(j, e);
}

/* Put a file with a head and the `len` octets `p` in the journal's place. Returns it, open. */
static int
journal_make(const struct journal *j, const uint8_t *p, size_t len, struct err *e)
{
	char fresh[PATH_MAX + 8];
	uint8_t head[JOURNAL_START];
	int fd, rc;

	head_encode(head);
	snprintf(fresh, sizeof(fresh), "%s.new", j->path);
	fd = open(fresh, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd >= 0 && octets_write(fd, head, sizeof(head), 0) &&
	    octets_write(fd, p, len, sizeof(head)) && fsync(fd) == 0 &&
	    rename(fresh, j->path) == 0) {
		/* It has the name, whatever the folder's disk says. */
		(void)folder_sync(j->path);
		return fd;
	}
	rc = journal_error(j, e);
	if (fd >= 0)
		close(fd);
	return rc;
}

int
journal_restart(struct journal *j, const struct journal_round *r, struct err *e)
{
	uint8_t *p = NULL;
	size_t len = 0;
	int fd;

	(void)sync_end(j); /* what it synced goes */
	if (r->n == 0 && j->fd >= 0) {
		if (j->size > JOURNAL_START && ftruncate(j->fd, JOURNAL_START) != 0)
			return journal_error(j, e);
		j->size = JOURNAL_START;
		return 0;
	}
	if (r->n > 0 && (p = round_encode(r, &len)) == NULL)
		return err_set(e, WEIR_ENOMEM, "%s: no memory", j->path);
	/* It is opened before it takes the name: what is appended goes where it will be read. */
	fd = journal_make(j, p, len, e);
	free(p);
	if (fd < 0)
		return fd;
	journal_close(j);
	j->fd = fd;
	j->size = JOURNAL_START + len;
	return 0;
}
