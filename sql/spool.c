/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/spool.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/statefile.h"
#include "sql/spool_folder.h"

struct spool {
	char path[PATH_MAX];
	uint64_t max;
	int lock_fd;
	pthread_mutex_t lock; /* of what follows */
	struct spool_item *first, **last;
	uint64_t batches, octets;
	_Atomic uint64_t aside; /* octets of rejected and damaged files */
};

static struct spool_item *
item_new(const struct spool *sp, const char *name, struct err *e)
{
	struct spool_item *it = calloc(1, sizeof(*it));

	if (it == NULL)
		err_set(e, WEIR_ENOMEM, "%s: no memory", sp->path);
	else
		snprintf(it->name, sizeof(it->name), "%s", name);
	return it;
}

static void
item_add(struct spool *sp, struct spool_item *it)
{
	pthread_mutex_lock(&sp->lock);
	*sp->last = it;
	sp->last = &it->next;
	sp->batches++;
	sp->octets += it->octets;
	pthread_mutex_unlock(&sp->lock);
}

static int
is_ours(const struct dirent *d)
{
	return strlen(d->d_name) < sizeof(((struct spool_item *)NULL)->name) &&
	       spool_kind(d->d_name) != SPOOL_ALIEN;
}

/* A rejected file that has not ended: what there is of it is kept, as one that has. */
static void
rejected_end(const char *path)
{
	char to[PATH_MAX];

	snprintf(
	    to, sizeof(to), "%.*s", (int)(strlen(path) - strlen(BATCH_WRITING)), path);
	if (access(to, F_OK) == 0) /* of the try before */
		(void)unlink(path);
	else
		(void)rename(path, to);
}

/* Take up what is called `name`. */
static int
file_list(struct spool *sp, const char *name, struct err *e)
{
	struct spool_item *it = item_new(sp, name, e);
	enum spool_kind kind = spool_kind(name);
	char path[PATH_MAX];
	struct stat st;

	if (it == NULL)
		return -WEIR_ENOMEM;
	spool_item_path(sp, it, path);
	if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
		free(it);
		return 0;
	}
	it->former = true;
	it->unfinished = kind == SPOOL_WRITING;
	it->octets = (uint64_t)st.st_size;
	it->since = (uint64_t)st.st_mtim.tv_sec * CLOCK_S;
	it->bound = kind == SPOOL_BOUND;
	if (it->bound)
		it->bins_done =
		    (uint32_t)strtoul(name + strcspn(name, ".") + 1, NULL, 10);
	if (kind == SPOOL_WAITS || kind == SPOOL_WRITING || kind == SPOOL_BOUND) {
		item_add(sp, it);
		return 0;
	}
	if (kind == SPOOL_ASIDE_WRITING)
		rejected_end(path);
	atomic_fetch_add(&sp->aside, it->octets);
	free(it);
	return 0;
}

/* What former runs left. */
static int
folder_list(struct spool *sp, struct err *e)
{
	struct dirent **names;
	int n = scandir(sp->path, &names, is_ours, alphasort);
	int rc = 0;

	if (n < 0)
		return err_set(e, WEIR_EIO, "%s: %s", sp->path, strerror(errno));
	for (int i = 0; i < n; i++) {
		if (rc == 0)
			rc = file_list(sp, names[i]->d_name, e);
		free(names[i]);
	}
	free(names);
	if (rc == 0 && sp->batches > 0)
		log_info("%s: %" PRIu64 " batches of former runs wait", sp->path,
		    sp->batches);
	return rc;
}

struct spool *
spool_open(const char *dir, const char *name, uint64_t max, struct err *e)
{
	struct spool *sp = calloc(1, sizeof(*sp));

	if (sp == NULL) {
		err_set(e, WEIR_ENOMEM, "%s: no memory", dir);
		return NULL;
	}
	sp->max = max;
	sp->lock_fd = -1;
	sp->last = &sp->first;
	pthread_mutex_init(&sp->lock, NULL);
	if (spool_folder_make(dir, name, sp->path, e) == 0 &&
	    spool_folder_lock(sp->path, &sp->lock_fd, e) == 0 &&
	    folder_list(sp, e) == 0)
		return sp;
	spool_close(sp);
	return NULL;
}

void
spool_close(struct spool *sp)
{
	if (sp == NULL)
		return;
	for (struct spool_item *it = sp->first, *next; it != NULL; it = next) {
		next = it->next;
		free(it);
	}
	if (sp->lock_fd != -1)
		(void)close(sp->lock_fd);
	pthread_mutex_destroy(&sp->lock);
	free(sp);
}

void
spool_item_path(
    const struct spool *sp, const struct spool_item *item, char path[PATH_MAX])
{
	/* folder_make has seen that it fits. */
	snprintf(path, PATH_MAX, "%.*s/%s", PATH_MAX - 66, sp->path, item->name);
}

const char *
spool_path(const struct spool *sp)
{
	return sp->path;
}

/* Octets that a new file may have; 0: none. */
static uint64_t
room(struct spool *sp)
{
	uint64_t left;

	pthread_mutex_lock(&sp->lock);
	left = sp->octets == 0	      ? UINT64_MAX
	       : sp->max > sp->octets ? sp->max - sp->octets
				      : 0;
	pthread_mutex_unlock(&sp->lock);
	return left;
}

static void
file_free(struct spool_file *f)
{
	if (f == NULL)
		return;
	free(f->item);
	free(f);
}

static struct spool_file *
file_new(
    struct spool *sp, const struct batch_head *head, const char *tail, struct err *e)
{
	struct spool_file *f = calloc(1, sizeof(*f));
	char name[64];

	snprintf(name, sizeof(name), "%016" PRIx64 "-%012" PRIu64 ".%s",
	    (uint64_t)head->boot, head->seq, tail);
	if (f == NULL)
		(void)err_set(e, WEIR_ENOMEM, "%s: no memory", sp->path);
	else if ((f->item = item_new(sp, name, e)) != NULL)
		return f;
	file_free(f);
	return NULL;
}

/* Octets that a new file to be set aside may have; 0: none. */
static uint64_t
room_aside(struct spool *sp)
{
	uint64_t aside = atomic_load(&sp->aside);

	return sp->max > aside ? sp->max - aside : 0;
}

/* Remove the file at `path`, which a try that failed later on set aside. */
static void
aside_again(struct spool *sp, const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0 && unlink(path) == 0)
		atomic_fetch_sub(&sp->aside, (uint64_t)st.st_size);
}

struct spool_file *
spool_begin(
    struct spool *sp, const struct batch_head *head, const char *tail, struct err *e)
{
	bool waits = strcmp(tail, BATCH_TAIL) == 0;
	struct spool_file *f = file_new(sp, head, tail, e);
	char path[PATH_MAX];
	uint64_t left;

	if (f == NULL)
		return NULL;
	f->waits = waits;
	spool_item_path(sp, f->item, path);
	if (!waits)
		aside_again(sp, path);
	left = waits ? room(sp) : room_aside(sp);
	if (left == 0)
		(void)err_set(e, WEIR_EFULL, "%s: sql_spool_max is reached", sp->path);
	else if ((f->w = batch_create(path, head, left, e)) != NULL)
		return f;
	file_free(f);
	return NULL;
}

int
spool_end(struct spool *sp, struct spool_file *f, uint64_t rows, struct err *e)
{
	int rc = batch_commit(f->w, &f->item->octets, e);

	f->item->rows = rows;
	f->item->since = clock_real();
	if (rc == 0)
		return 0;
	if (rc == -WEIR_EFULL)
		(void)err_set(e, WEIR_EFULL, "%s: sql_spool_max is reached", sp->path);
	file_free(f);
	return rc;
}

void
spool_add(struct spool *sp, struct spool_file *f)
{
	if (f->waits)
		item_add(sp, f->item);
	else
		atomic_fetch_add(&sp->aside, f->item->octets);
	if (f->waits)
		f->item = NULL;
	file_free(f);
}

void
spool_drop(struct spool_file *f)
{
	batch_drop(f->w);
	file_free(f);
}

struct spool_item *
spool_first(struct spool *sp)
{
	struct spool_item *it;

	pthread_mutex_lock(&sp->lock);
	it = sp->first;
	pthread_mutex_unlock(&sp->lock);
	return it;
}

struct spool_item *
spool_next(struct spool *sp, const struct spool_item *item)
{
	struct spool_item *it;

	pthread_mutex_lock(&sp->lock);
	it = item->next;
	pthread_mutex_unlock(&sp->lock);
	return it;
}

/* Call the file of `item`, which could not be read whole, so. */
static void
set_aside(struct spool *sp, const struct spool_item *item, const char *path)
{
	const char *tail = strchr(item->name, '.');
	char to[PATH_MAX];

	snprintf(to, sizeof(to), "%.*s.damaged",
	    (int)(strlen(path) - (tail != NULL ? strlen(tail) : 0)), path);
	if (rename(path, to) != 0) {
		log_err("%s: cannot be set aside: %s", path, strerror(errno));
		return;
	}
	(void)folder_sync(to);
	atomic_fetch_add(&sp->aside, item->octets);
	log_warn("%s: kept for you to look at", to);
}

void
spool_done(struct spool *sp, struct spool_item *item, bool keep)
{
	struct spool_item **at;
	char path[PATH_MAX];

	spool_item_path(sp, item, path);
	if (keep)
		set_aside(sp, item, path);
	else if (unlink(path) != 0 && errno != ENOENT)
		/* It comes again at the next start; the database then knows it. */
		log_err("%s: cannot be removed: %s", path, strerror(errno));
	pthread_mutex_lock(&sp->lock);
	for (at = &sp->first; *at != item; at = &(*at)->next)
		;
	*at = item->next;
	if (sp->last == &item->next)
		sp->last = at;
	sp->batches--;
	sp->octets -= item->octets;
	pthread_mutex_unlock(&sp->lock);
	free(item);
}

/* Call the file of `item` so that whoever finds it knows. */
static int
bound_rename(struct spool *sp, struct spool_item *item, struct err *e)
{
	char from[PATH_MAX], to[PATH_MAX], was[sizeof(item->name)];
	uint32_t done = item->bins_done;

	memcpy(was, item->name, sizeof(was));
	spool_item_path(sp, item, from);
	snprintf(item->name, sizeof(item->name), "%.*s.%" PRIu32 ".backup",
	    (int)strcspn(was, "."), was, done);
	spool_item_path(sp, item, to);
	item->bound = rename(from, to) == 0;
	if (item->bound)
		return 0;
	memcpy(item->name, was, sizeof(was));
	return err_set(e, WEIR_EIO, "%s: %s", to, strerror(errno));
}

int
spool_bind(struct spool *sp, struct spool_item *item, struct err *e)
{
	int rc = item->bound ? 0 : bound_rename(sp, item, e);
	char path[PATH_MAX];
	int fault;

	if (rc != 0)
		return rc;
	spool_item_path(sp, item, path);
	fault = folder_sync(path);
	item->bound_kept = fault == 0;
	return fault == 0 ? 0 : err_set(e, WEIR_EIO, "%s: %s", path, strerror(fault));
}

struct spool_depth
spool_depth(struct spool *sp)
{
	struct spool_depth d;

	pthread_mutex_lock(&sp->lock);
	d = (struct spool_depth){ sp->batches, sp->octets,
		sp->first != NULL ? sp->first->since : 0 };
	pthread_mutex_unlock(&sp->lock);
	return d;
}
