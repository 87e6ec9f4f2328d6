/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An rrdcached of a test's own, started and killed at will. */
#ifndef WEIR_TESTS_RRD_DAEMON_H
#define WEIR_TESTS_RRD_DAEMON_H

#include "tests/rrd/scratch.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "rrd/cached.h"

struct daemon {
	char dir[64], address[96];
	const char *allowed; /* commands, as its -P has them */
	bool writes;         /* by itself, and soon */
	pid_t pid;           /* 0: not running */
};

static inline bool
daemon_installed(void)
{
	return access("/usr/bin/rrdcached", X_OK) == 0;
}

static inline void
daemon_start(struct daemon *d)
{
	struct err e = ERR_INIT;
	struct cached *c;
	char pid_file[96];

	if (d->pid != 0)
		return;
	snprintf(d->address, sizeof(d->address), "unix:%s/socket", d->dir);
	snprintf(pid_file, sizeof(pid_file), "%s/pid", d->dir);
	unlink(pid_file); /* what a killed one leaves behind */
	d->pid = fork();
	assert_true(d->pid >= 0);
	if (d->pid == 0) {
		/* It ends with us, and whoever reads what we say does not wait for it. */
		bool mute = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
		    freopen("/dev/null", "w", stdout) != NULL &&
		    freopen("/dev/null", "w", stderr) != NULL;

		/* No journal of its own: what it has in memory is gone when it is killed. */
		execl("/usr/bin/rrdcached", "rrdcached", "-g", "-P",
		    d->allowed != NULL ? d->allowed : "UPDATE,FLUSH,FORGET,BATCH", "-l", d->address,
		    "-p", pid_file, "-b", d->dir, "-w", d->writes ? "1" : "3600", "-f", d->writes ? "1" : "7200",
		    (char *)NULL);
		_exit(mute ? 1 : 2);
	}
	c = cached_new(d->address, &e);
	assert_non_null(c);
	for (unsigned tries = 0; cached_connect(c, &e) < 0; tries++) {
		const struct timespec ten_ms = { .tv_nsec = 10000000 };

		if (tries > 3000 || waitpid(d->pid, NULL, WNOHANG) != 0)
			fail_msg("rrdcached does not start: %s", e.text);
		nanosleep(&ten_ms, NULL);
	}
	cached_free(c);
}

static inline void
daemon_stop(struct daemon *d, int sig)
{
	if (d->pid == 0)
		return;
	assert_int_equal(kill(d->pid, sig), 0);
	assert_int_equal(waitpid(d->pid, NULL, 0), d->pid);
	d->pid = 0;
}

#endif
