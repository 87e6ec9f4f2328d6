/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/keeper.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/engine.h"
#include "core/ledger_file.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "lib/statefile.h"
#include "lib/thread.h"

#define ORDERLY "orderly"      /* the file that says that weir ended in good order */
#define WATCHES "watches"

/* What is kept of one view. */
struct kept {
	struct view *view;
	char path[PATH_MAX];       /* "": to be left alone */
	struct sums written;       /* its total, when it was last written */
	bool ever;                 /* it was */
};

struct keeper {
	struct engine *engine;
	char orderly[PATH_MAX];
	char watches[PATH_MAX];    /* "": there are none, or they are to be left alone */
	bool was_orderly;          /* the last end of weir */
	uint32_t every;            /* s */
	unsigned n;
	struct kept kept[ENGINE_VIEWS];
	struct log_limit limit;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool running, stop;
};

/*
 * Where a view's ledger is kept: its name for people, as far as a file can have it, and a
 * hash of the whole of it.
 */
static bool
kept_path(struct kept *k, const char *dir)
{
	const char *name = k->view->name;
	char plain[sizeof(k->view->name)];
	size_t i;

	for (i = 0; name[i] != '\0'; i++)
		plain[i] = isalnum((unsigned char)name[i]) || name[i] == '-' ? name[i] : '_';
	plain[i] = '\0';
	return (size_t)snprintf(k->path, sizeof(k->path), "%s/ledger-%s-%08x", dir, plain,
	           (unsigned)(hash_frozen(name, strlen(name)) >> 32)) < sizeof(k->path);
}

static void
kept_load(struct kept *k, bool orderly)
{
	struct ledger *l = k->view->ledger;
	struct err e = ERR_INIT;
	int rc = ledger_load(l, k->path, k->view->name, &e);

	if (rc == 0) {
		log_info("view %s: totals go on: %u rows of before", k->view->name,
		    l->table.n);
		if (!orderly)
			l->resumed = clock_real();
	} else if (rc != -WEIR_ENOENT) {
		log_warn("%s: the totals of view %s begin anew", e.text, k->view->name);
	}
	if (rc == -WEIR_EUNSUPPORTED)
		k->path[0] = '\0';
}

static void
kept_save(struct keeper *keeper, struct kept *k)
{
	struct ledger *l = k->view->ledger;
	struct err e = ERR_INIT;
	struct sums total;

	ledger_lock(l);
	total = l->total;
	ledger_unlock(l);
	if (k->path[0] == '\0' || (k->ever && sums_equal(&total, &k->written)))
		return;
	if (ledger_save(l, k->path, k->view->name, &e) != 0) {
		log_limited(&keeper->limit,
		    "%s: what view %s counts will not outlive a restart",
		    e.text, k->view->name);
		return;
	}
	k->written = total;
	k->ever = true;
}

static void
watches_take_up(struct keeper *k)
{
	struct err e = ERR_INIT;
	int rc = watches_load(k->engine->watches, k->watches, k->was_orderly, &e);

	if (rc != 0)
		log_warn("%s: the totals of watches begin anew", e.text);
	if (rc == -WEIR_EUNSUPPORTED)
		k->watches[0] = '\0';
}

static void
keeper_save(struct keeper *k)
{
	struct err e = ERR_INIT;

	if (k->watches[0] != '\0' && watches_save(k->engine->watches, k->watches, &e) != 0)
		log_limited(&k->limit, "%s: what is watched will not outlive a restart",
		    e.text);
	for (unsigned i = 0; i < k->n; i++)
		kept_save(k, &k->kept[i]);
}

struct keeper *
keeper_new(struct engine *en, const char *state_dir, uint32_t every, struct err *e)
{
	struct keeper *k = calloc(1, sizeof(*k));

	if (k == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for a keeper of totals");
		return NULL;
	}
	k->engine = en;
	k->every = every;
	k->limit = (struct log_limit)LOG_LIMIT_INIT;
	pthread_mutex_init(&k->lock, NULL);
	thread_cond_init(&k->changed);

	snprintf(k->orderly, sizeof(k->orderly), "%s/" ORDERLY, state_dir);
	k->was_orderly = unlink(k->orderly) == 0;
	for (unsigned i = 0; i < en->n_views; i++) {
		struct kept *one = &k->kept[k->n];

		if (en->views[i]->ledger == NULL || !en->views[i]->ledger->outlives)
			continue;
		one->view = en->views[i];
		if (!kept_path(one, state_dir))
			continue;
		kept_load(one, k->was_orderly);
		k->n++;
	}
	if (en->watches != NULL &&
	    (size_t)snprintf(k->watches, sizeof(k->watches), "%s/" WATCHES, state_dir) <
	        sizeof(k->watches))
		watches_take_up(k);
	return k;
}

/* Whether there is anything to keep. */
static bool
keeper_is_needed(const struct keeper *k)
{
	return k->n > 0 || k->watches[0] != '\0';
}

static void *
keeper_main(void *arg)
{
	struct keeper *k = arg;
	struct timespec next;

	clock_gettime(CLOCK_MONOTONIC, &next);
	pthread_mutex_lock(&k->lock);
	while (!k->stop) {
		next.tv_sec += k->every;
		while (!k->stop &&
		       pthread_cond_timedwait(&k->changed, &k->lock, &next) != ETIMEDOUT)
			;
		if (k->stop)
			break;
		pthread_mutex_unlock(&k->lock);
		keeper_save(k);
		pthread_mutex_lock(&k->lock);
	}
	pthread_mutex_unlock(&k->lock);
	return NULL;
}

int
keeper_start(struct keeper *k, struct err *e)
{
	int rc;

	if (!keeper_is_needed(k) || k->every == 0)
		return 0;
	rc = thread_start(&k->thread, "weir-keeper", keeper_main, k, e);
	k->running = rc == 0;
	return rc;
}

void
keeper_end(struct keeper *k, bool started)
{
	struct err e = ERR_INIT;

	if (k == NULL)
		return;
	if (k->running) {
		pthread_mutex_lock(&k->lock);
		k->stop = true;
		pthread_cond_broadcast(&k->changed);
		pthread_mutex_unlock(&k->lock);
		pthread_join(k->thread, NULL);
	}
	if (started)
		keeper_save(k);
	if ((started ? keeper_is_needed(k) : k->was_orderly) &&
	    statefile_write(k->orderly, ORDERLY, 1, "", 0, &e) != 0)
		log_warn("%s: counters will seem to have begun anew", e.text);
	pthread_mutex_destroy(&k->lock);
	pthread_cond_destroy(&k->changed);
	free(k);
}
