/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/spool_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/statefile.h"
#include "sql/batch.h"
#include "sql/spool.h"

#define LOCK_PAUSE_MS 50
#define LOCK_TRIES (3000 / LOCK_PAUSE_MS)

static bool
is_plain(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '-' || (c == '.' && !first);
}

static int
folder_refuse(const char *path, const char *why, struct err *e)
{
	return err_set(e, WEIR_EIO,
	    "%s: %s: batches need a folder that weir may write to: see state_dir and "
	    "sql_recovery_logfile", path, why);
}

/* Whether files can be made in the folder, but for permissions: who checks may be another. */
static bool
takes_files(const char *path)
{
	struct statfs fs;

	if (statfs(path, &fs) != 0)
		return false;
	errno = ENOENT; /* as mkdir says */
	if (fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC)
		return false;
	return access(path, W_OK) == 0 || errno != EROFS;
}

/* The folder that `path` is in. */
static void
parent_of(const char *path, char to[PATH_MAX])
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	while (len > 0 && path[len - 1] != '/')
		len--;
	while (len > 1 && path[len - 1] == '/')
		len--;
	snprintf(to, PATH_MAX, "%.*s", len > 0 ? (int)len : 1, len > 0 ? path : ".");
}

int
spool_folder_check(const char *dir, const char *state_dir, struct err *e)
{
	char parent[PATH_MAX];
	struct stat st;
	bool there = stat(dir, &st) == 0;

	if (strlen(dir) >= PATH_MAX)
		return folder_refuse("sql_recovery_logfile", "too long a name", e);
	if (there && !S_ISDIR(st.st_mode))
		return folder_refuse(dir, "is a file", e);
	if (!there && errno != ENOENT && errno != EACCES)
		return folder_refuse(dir, strerror(errno), e);
	parent_of(dir, parent);
	if (!there && state_dir != NULL && strcmp(parent, state_dir) == 0)
		return 0;
	if (takes_files(there ? dir : parent) || errno == EACCES)
		return 0;
	return folder_refuse(dir, strerror(errno), e);
}

static int
folder_have(const char *path, struct err *e)
{
	struct stat st;

	if (mkdir(path, 0750) == 0) {
		(void)folder_sync(path);
		return 0;
	}
	if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	return folder_refuse(path, errno == EEXIST ? "is a file" : strerror(errno), e);
}

/* The name of the folder of plugin `name`. */
static size_t
name_encode(const char *name, char *to)
{
	size_t len = 0;

	for (const char *p = name; *p != '\0'; p++)
		len += (size_t)sprintf(to + len,
		    is_plain(*p, p == name) ? "%c" : "%%%02X", (unsigned char)*p);
	return len;
}

int
spool_folder_make(const char *dir, const char *name, char to[PATH_MAX], struct err *e)
{
	int rc = folder_have(dir, e);

	if (rc != 0)
		return rc;
	/* Room for names of files below it is left. */
	if (strlen(dir) + 3 * strlen(name) + 128 > PATH_MAX)
		return err_set(e, WEIR_EIO, "%s: too long a name", dir);
	(void)name_encode(name, to + sprintf(to, "%s/", dir));
	return folder_have(to, e);
}

/* Whether the lock becomes ours; not where a weir has it. Who only looks lets it go soon. */
static bool
lock_take(int fd, const char *dir)
{
	for (unsigned i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return true;
		if (flock(fd, LOCK_SH | LOCK_NB) != 0)
			return false;
		(void)flock(fd, LOCK_UN);
		if (i == 0)
			log_info("%s: waits for who looks at it (weir replay)", dir);
		nanosleep(&(struct timespec){ 0, LOCK_PAUSE_MS * 1000000L }, NULL);
	}
	return false;
}

int
spool_folder_lock(const char *dir, int *fd, struct err *e)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/lock", dir) >= sizeof(path))
		return err_set(e, WEIR_EIO, "%s: too long a name", dir);
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (*fd == -1)
		return err_set(e, WEIR_EIO, "%s: %s", path, strerror(errno));
	if (lock_take(*fd, dir))
		return 0;
	return err_set(e, WEIR_EIO,
	    "%s: another weir writes there: give each a state_dir "
	    "of its own",
	    dir);
}

static bool
has_tail(const char *name, const char *tail)
{
	size_t len = strlen(name), of = strlen(tail);

	return len > of && strcmp(name + len - of, tail) == 0;
}

enum spool_kind
spool_kind(const char *name)
{
	static const struct {
		const char *tail;
		enum spool_kind kind;
	} kinds[] = {
		{ "." BATCH_TAIL, SPOOL_WAITS },
		{ "." BATCH_TAIL BATCH_WRITING, SPOOL_WRITING },
		{ "." REJECTED_TAIL BATCH_WRITING, SPOOL_ASIDE_WRITING },
		{ "." REJECTED_TAIL, SPOOL_ASIDE },
		{ ".damaged", SPOOL_ASIDE },
		{ ".backup", SPOOL_BOUND },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (has_tail(name, kinds[i].tail))
			return kinds[i].kind;
	return SPOOL_ALIEN;
}

static int
is_waiting(const struct dirent *d)
{
	enum spool_kind kind = spool_kind(d->d_name);

	return kind == SPOOL_WAITS || kind == SPOOL_WRITING || kind == SPOOL_BOUND;
}

bool
spool_is_taken(const char *path)
{
	char lock[PATH_MAX];
	bool taken;
	int fd;

	if ((size_t)snprintf(lock, sizeof(lock), "%s/lock", path) >= sizeof(lock) ||
	    (fd = open(lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) == -1)
		return false;
	taken = flock(fd, LOCK_SH | LOCK_NB) != 0;
	(void)close(fd);
	return taken;
}

/* Say how much waits in the folder at `path`, if it is a spool and nobody uses it. */
static void
orphan_tell(const char *path)
{
	char lock[PATH_MAX];
	struct dirent **names;
	int n;

	if ((size_t)snprintf(lock, sizeof(lock), "%s/lock", path) >= sizeof(lock) ||
	    access(lock, F_OK) != 0 || spool_is_taken(path) ||
	    (n = scandir(path, &names, is_waiting, NULL)) < 0)
		return;
	if (n > 0)
		log_warn("%s: %d batches wait there for a plugin that is no more: "
			 "weir replay writes them",
		    path, n);
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

void
spool_orphans(const char *dir, const char *const *names, unsigned n)
{
	DIR *folder = opendir(dir);
	struct dirent *d;

	while (folder != NULL && (d = readdir(folder)) != NULL) {
		char name[3 * 64 + 1], path[PATH_MAX];
		bool known = d->d_name[0] == '.';

		for (unsigned i = 0; i < n && !known; i++) {
			(void)name_encode(names[i], name);
			known = strcmp(name, d->d_name) == 0;
		}
		if (!known && (size_t)snprintf(path, sizeof(path), "%s/%s", dir,
				  d->d_name) < sizeof(path))
			orphan_tell(path);
	}
	if (folder != NULL)
		(void)closedir(folder);
}
