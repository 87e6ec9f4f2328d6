/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "daemon/background.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What is left to the parent: to wait for a word on `fd`, or for the end of `child`. */
static void __attribute__((noreturn))
outcome_wait(int fd, pid_t child)
{
	int status;
	ssize_t n;
	char c;

	do
		n = read(fd, &c, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(EXIT_SUCCESS);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			_exit(EXIT_FAILURE);
	if (WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	fprintf(stderr, "weir: ended by signal %d before it had started\n", WTERMSIG(status));
	_exit(EXIT_FAILURE);
}

static void
stream_drop(int fd, int flags)
{
	int null = open("/dev/null", flags | O_CLOEXEC);

	if (null < 0)
		return;
	(void)dup2(null, fd);
	if (null > STDERR_FILENO)
		(void)close(null);
}

int
background_enter(struct err *e)
{
	int fds[2];
	pid_t child;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return err_set(e, WEIR_EIO, "daemonize: %s", strerror(errno));
	(void)fflush(NULL); /* or both would write it */
	child = fork();
	if (child < 0) {
		(void)close(fds[0]);
		(void)close(fds[1]);
		return err_set(e, WEIR_EIO, "daemonize: %s", strerror(errno));
	}
	if (child > 0) {
		(void)close(fds[1]);
		outcome_wait(fds[0], child);
	}
	(void)close(fds[0]);
	stream_drop(STDIN_FILENO, O_RDONLY);
	stream_drop(STDOUT_FILENO, O_WRONLY);
	return fds[1];
}

void
background_started(int fd)
{
	(void)setsid();
	stream_drop(STDERR_FILENO, O_WRONLY);
	(void)!write(fd, "", 1);
	(void)close(fd);
}
