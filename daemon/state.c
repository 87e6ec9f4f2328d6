/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "collectors/netflow_json.h"
#include "collectors/netflow_state.h"
#include "lib/log.h"
#include "lib/rcu.h"

#define CLAIM_TRIES 40 /* of 50 ms */

/* Whether the lock becomes ours; one who ends has a moment to give it back. */
static bool
lock_take(int fd)
{
	static const struct timespec pause = { .tv_nsec = 50000000 };

	for (unsigned tries = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; tries++) {
		if (errno != EWOULDBLOCK)
			return true; /* not a file system for locks */
		if (tries == CLAIM_TRIES)
			return false;
		(void)nanosleep(&pause, NULL);
	}
	return true;
}

bool
state_claim(struct state *s, const char *state_dir)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/lock", state_dir) >= sizeof(path))
		return true;
	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
	if (s->lock_fd == -1 && access(path, F_OK) == 0)
		log_warn("%s: %s: whether another weir keeps its state there is not known", path,
		    strerror(errno));
	if (s->lock_fd == -1 || lock_take(s->lock_fd))
		return true;
	state_release(s);
	log_warn("state_dir %s: another weir keeps its totals, templates and thresholds there: "
	         "those of this one will not outlive it; set state_dir", state_dir);
	return false;
}

void
state_release(struct state *s)
{
	if (s->lock_fd != -1)
		(void)close(s->lock_fd);
	s->lock_fd = -1;
}

/* A worker that takes NetFlow or IPFIX, or NULL. */
static struct worker *
worker_find(struct engine *en)
{
	for (unsigned i = 0; i < en->n_workers; i++)
		for (unsigned k = 0; k < en->workers[i].n_collectors; k++) {
			enum collector_kind kind = en->workers[i].collectors[k]->ops->kind;

			if (kind == COLLECTOR_NETFLOW || kind == COLLECTOR_IPFIX)
				return &en->workers[i];
		}
	return NULL;
}

/* Say how reading went. False when the file is to be left alone. */
static bool
loaded(const char *path, int rc, const struct err *e)
{
	if (rc > 0)
		log_info("%s: %d templates of exporters that were known before", path, rc);
	else if (rc < 0 && rc != -WEIR_ENOENT)
		log_warn("%s: exporters must tell their templates anew", e->text);
	return rc != -WEIR_EUNSUPPORTED;
}

void
state_load(struct state *s, struct engine *en, const char *state_dir, bool live,
    const char *pmacct_path)
{
	struct worker *w = worker_find(en);
	struct err e = ERR_INIT;

	s->engine = en;
	if (w == NULL)
		return;
	rcu_enter();
	if (live && (size_t)snprintf(s->path, sizeof(s->path), "%s/templates", state_dir) <
	                sizeof(s->path) &&
	    !loaded(s->path, netflow_state_load(&w->exporters, &w->pipeline.needs, s->path, &e),
	        &e))
		s->path[0] = '\0';
	if (pmacct_path != NULL &&
	    loaded(pmacct_path,
	        netflow_json_load(&w->exporters, &w->pipeline.needs, pmacct_path, &e), &e))
		s->pmacct_path = pmacct_path;
	rcu_leave();
	s->changes = netflow_state_changes();
}

static void
saved(struct state *s, int rc, const struct err *e)
{
	if (rc != 0 && !s->complained) {
		log_warn("%s: templates will not outlive a restart", e->text);
		s->complained = true;
	}
}

void
state_save(struct state *s)
{
	uint64_t changes = netflow_state_changes();
	struct err e = ERR_INIT;

	if (s->engine == NULL || changes == s->changes)
		return;
	s->changes = changes;
	if (s->path[0] != '\0')
		saved(s, netflow_state_save(s->engine->exporters, s->path, &e), &e);
	if (s->pmacct_path != NULL)
		saved(s, netflow_json_save(s->engine->exporters, s->pmacct_path, &e), &e);
}
