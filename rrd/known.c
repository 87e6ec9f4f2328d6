/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rrd/known.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flow/text.h"
#include "lib/log.h"
#include "rrd/files.h"
#include "rrd/index.h"

_Static_assert(sizeof(struct known) == 128 && offsetof(struct known, id) == 0,
    "struct known is a row of a table with an 8-octet key, and of two cache lines");

static struct known *
known_at(const struct known_set *ks, uint32_t i)
{
	return (struct known *)(void *)table_row(&ks->table, i);
}

/* Take `k` into the order of writing. */
static void
order_add(struct known_set *ks, struct known *k)
{
	ks->order[ks->n++] = k;
	ks->unsorted = true;
}

/* Name `k`. Returns 0 or -WEIR_ENOMEM. */
static int
known_name(struct known *k, const char *file, const char *key)
{
	k->file = strdup(file);
	k->key = strdup(key);
	k->file_len = (uint16_t)strlen(file);
	if (k->file != NULL && k->key != NULL)
		return 0;
	free(k->file);
	free(k->key);
	k->file = k->key = NULL;
	return -WEIR_ENOMEM;
}

/* The row of `id` in the table, added when new; NULL when the table is full. */
static struct known *
known_row(struct known_set *ks, uint64_t id)
{
	uint8_t *row;

	table_upsert(&ks->table, &id, 1, &row);
	return (struct known *)(void *)row;
}

static int
folder_lock(struct known_set *ks, struct err *e)
{
	ks->lock_fd = open(ks->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ks->lock_fd < 0)
		return err_set(e, WEIR_EIO, "%s: %s", ks->folder, strerror(errno));
	if (flock(ks->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return err_set(e, WEIR_EEXIST,
		    "%s: another weir, or another plugin of that name, writes there", ks->folder);
	return err_set(e, WEIR_EIO, "%s: lock: %s", ks->folder, strerror(errno));
}

/* Know what index `x` knows. */
static int
index_take(struct known_set *ks, const struct index *x, struct err *e)
{
	for (size_t i = 0; i < x->n; i++) {
		const struct index_entry *in = &x->entries[i];
		struct known *k = in->other ? known_other(ks) : known_row(ks, in->id);

		assert(k != NULL); /* the table has room for the index */
		k->seen = in->seen;
		if (in->other)
			continue;
		if (known_name(k, in->file, in->key) != 0)
			return err_set(e, WEIR_ENOMEM, "%s: no memory", ks->folder);
		order_add(ks, k);
	}
	if (x->damaged || x->skipped > 0)
		log_warn("rrd: %s/" INDEX_FILE ": %s, %zu lines left out", ks->folder,
		    x->damaged ? "damaged" : "lines that weir did not write", x->skipped);
	ks->unsaved |= x->damaged || x->skipped > 0;
	return 0;
}

int
known_open(struct known_set *ks, const char *folder, const struct archive_shape *shape,
    uint32_t max, struct err *e)
{
	struct index x = { 0 };
	size_t room;
	int rc;

	memset(ks, 0, sizeof(*ks));
	ks->lock_fd = -1;
	ks->shape = *shape;
	ks->max = max;
	if ((size_t)snprintf(ks->folder, sizeof(ks->folder), "%s", folder) +
	        FILES_NAME_MAX >= sizeof(ks->folder))
		return err_set(e, WEIR_EINVAL, "%.64s...: the path is too long", folder);
	ks->folder_len = strlen(folder);
	rc = files_mkdir(folder, e);
	if (rc == 0)
		rc = folder_lock(ks, e);
	if (rc == 0)
		rc = index_read(folder, &x, e);
	if (rc != 0)
		goto fail;
	room = x.n > max ? x.n : max;
	ks->order = calloc(room + 1, sizeof(struct known *));
	if (ks->order == NULL)
		rc = err_set(e, WEIR_ENOMEM, "%s: no memory", folder);
	else
		rc = table_init(&ks->table, 8, sizeof(struct known), (uint32_t)room, e);
	if (rc == 0)
		rc = index_take(ks, &x, e);
	index_free(&x);
	if (rc == 0)
		return 0;
fail:
	known_close(ks);
	return rc;
}

void
known_close(struct known_set *ks)
{
	for (uint32_t i = 0; i < ks->table.n; i++) {
		free(known_at(ks, i)->file);
		free(known_at(ks, i)->key);
	}
	free(ks->other.file);
	free(ks->other.key);
	if (ks->table.rows != NULL)
		table_fini(&ks->table);
	free(ks->order);
	if (ks->lock_fd >= 0)
		close(ks->lock_fd);
	memset(ks, 0, sizeof(*ks));
	ks->lock_fd = -1;
}

struct known *
known_find(struct known_set *ks, uint64_t id, bool other)
{
	struct known *k;

	if (other)
		return ks->other_used ? &ks->other : NULL;
	k = (struct known *)(void *)table_find(&ks->table, &id);
	return k != NULL && k->file != NULL ? k : NULL;
}

void
known_look(struct known_set *ks, const uint64_t *ids, unsigned n, struct known **to)
{
	uint8_t *rows[TABLE_BATCH];

	table_look(&ks->table, ids, n, rows);
	for (unsigned i = 0; i < n; i++) {
		struct known *k = (struct known *)(void *)rows[i];

		to[i] = k != NULL && k->file != NULL ? k : NULL;
	}
}

bool
known_room(const struct known_set *ks)
{
	return ks->n < ks->max + ks->other_used;
}

struct known *
known_add(struct known_set *ks, uint64_t id, const char *file, const char *key)
{
	struct known *k = known_room(ks) ? known_row(ks, id) : NULL;

	/* Without memory its row stays nameless until there is some. */
	if (k == NULL || known_name(k, file, key) != 0)
		return NULL;
	order_add(ks, k);
	ks->unsaved = true;
	return k;
}

struct known *
known_other(struct known_set *ks)
{
	if (!ks->other_used) {
		if (known_name(&ks->other, FILES_OTHER, FILES_OTHER_TEXT) != 0)
			abort(); /* some ten octets: the machine is out of memory */
		ks->other_used = true;
		ks->unsaved = true;
		order_add(ks, &ks->other);
	}
	return &ks->other;
}

static int
by_file(const void *a, const void *b)
{
	const struct known *const *x = a, *const *y = b;

	return strcmp((*x)->file, (*y)->file);
}

void
known_sort(struct known_set *ks)
{
	if (!ks->unsorted)
		return;
	qsort(ks->order, ks->n, sizeof(struct known *), by_file);
	ks->unsorted = false;
}

uint32_t
known_no(const struct known_set *ks, const struct known *k)
{
	return k == &ks->other ? ks->table.n : (uint32_t)(k - known_at(ks, 0));
}

/* known_open has checked that it fits. */
const char *
known_path(const struct known_set *ks, const struct known *k, char *buf)
{
	memcpy(buf, ks->folder, ks->folder_len);
	buf[ks->folder_len] = '/';
	memcpy(buf + ks->folder_len + 1, k->file, (size_t)k->file_len + 1);
	return buf;
}

int
known_check(struct known_set *ks, struct known *k, struct err *e)
{
	char path[PATH_MAX];
	int rc;

	if (k->ready)
		return 0;
	rc = archive_wait(known_path(ks, k, path), &ks->patience_ms, e);
	if (rc == 0)
		rc = archive_check(path, &ks->shape, &k->stored, e);
	k->ready = rc == 0;
	k->foreign = rc == -WEIR_EUNSUPPORTED;
	if (rc == 0 && k->last < k->stored)
		k->last = k->stored;
	return rc;
}

/* Make the folders above `path`, below ks->folder. */
static int
folders_make(const struct known_set *ks, char *path, struct err *e)
{
	for (char *p = path + strlen(ks->folder) + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		if (mkdir(path, 0777) != 0 && errno != EEXIST)
			return err_set(e, WEIR_EIO, "%s: %s", path, strerror(errno));
		*p = '/';
	}
	return 0;
}

int
known_create(struct known_set *ks, struct known *k, int64_t start, struct err *e)
{
	char path[PATH_MAX];
	int rc;

	known_path(ks, k, path);
	if ((rc = folders_make(ks, path, e)) != 0)
		return rc;
	rc = archive_create(path, &ks->shape, start, e);
	k->ready = rc == 0;
	k->foreign = false;
	k->headed = k->suspect = false; /* what is kept is of another file */
	if (rc == 0)
		k->stored = start;
	return rc;
}

int
known_update(struct known_set *ks, struct known *k, const struct archive_bin *bins, size_t n,
    struct err *e)
{
	char path[PATH_MAX];
	int rc;

	assert(k->ready);
	rc = archive_update(known_path(ks, k, path), bins, n, &k->stored, e);
	k->ready = rc == 0;
	return rc;
}

int
known_forget(struct known_set *ks, bool (*gone)(void *arg, struct known *k), void *arg)
{
	uint32_t *to = calloc((size_t)ks->table.n + 1, sizeof(*to)), left = 0, before;

	if (to == NULL)
		return -WEIR_ENOMEM;
	before = ks->table.n;
	for (uint32_t i = 0; i < before; i++) {
		struct known *k = known_at(ks, i);

		to[i] = UINT32_MAX;
		if (k->file != NULL && !gone(arg, k))
			to[i] = left++;
		if (to[i] != UINT32_MAX)
			continue;
		free(k->file);
		free(k->key);
	}
	table_renumber(&ks->table, to, left);
	free(to);
	ks->n = 0;
	for (uint32_t i = 0; i < left; i++)
		order_add(ks, known_at(ks, i));
	if (ks->other_used)
		order_add(ks, &ks->other);
	ks->unsaved |= left < before;
	return (int)(before - left);
}

int
known_save(struct known_set *ks, bool anyway, struct err *e)
{
	struct text_line l;
	int rc;

	if (!ks->unsaved && !anyway)
		return 0;
	index_begin(&l);
	for (uint32_t i = 0; i < ks->n; i++)
		index_put(&l, ks->order[i]->file, ks->order[i]->key, ks->order[i]->seen);
	rc = index_commit(&l, ks->folder, e);
	ks->unsaved = rc != 0;
	return rc;
}
