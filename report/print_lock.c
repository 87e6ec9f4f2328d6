/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/print_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "report/print_path.h"

#define FILE_MODE 0640
#define WAIT_MS 10

static pthread_mutex_t standard_output = PTHREAD_MUTEX_INITIALIZER;

int
print_lock_open(struct print_lock *l, const char *path, bool is_stdout, struct err *e)
{
	l->path = path;
	l->is_stdout = is_stdout;
	l->fd = -1;
	atomic_init(&l->hurry, false);
	if (path == NULL)
		return 0;
	(void)print_path_dirs(path, NULL); /* open says what is wrong */
	l->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, FILE_MODE);
	if (l->fd == -1)
		return err_set(e, WEIR_EIO, "print_output_lock_file: %s: %s", path,
		    strerror(errno));
	return 0;
}

void
print_lock_close(struct print_lock *l)
{
	if (l->fd != -1)
		close(l->fd);
}

void
print_lock_take(struct print_lock *l)
{
	uint64_t give_up = UINT64_MAX;

	while (l->fd != -1 && flock(l->fd, LOCK_EX | LOCK_NB) != 0) {
		if (atomic_load(&l->hurry) && give_up == UINT64_MAX)
			give_up = clock_mono() + CLOCK_S;
		if (clock_mono() >= give_up) {
			log_warn(
			    "%s: is locked by another program, and weir ends: writing "
			    "without the lock",
			    l->path);
			break;
		}
		nanosleep(&(struct timespec){ 0, WAIT_MS * 1000000L }, NULL);
	}
	if (l->is_stdout)
		pthread_mutex_lock(&standard_output);
}

void
print_lock_give(struct print_lock *l)
{
	if (l->is_stdout)
		pthread_mutex_unlock(&standard_output);
	if (l->fd != -1)
		(void)flock(l->fd, LOCK_UN);
}

void
print_lock_hurry(struct print_lock *l)
{
	atomic_store(&l->hurry, true);
}
