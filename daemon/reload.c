/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/reload.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct reload {
	struct settings *settings;
	struct engine *engine;
	struct event *event;
	int asked_fd;             /* eventfd: somebody waits */
	pthread_mutex_t lock;     /* of what follows */
	pthread_cond_t changed;
	struct problems *problems; /* whoever waits gets them here; NULL: nobody does */
	bool done, stopped;
};

/* Main thread. */
static void
on_asked(int fd, short what, void *arg)
{
	struct reload *r = arg;
	uint64_t n;

	(void)what;
	(void)!read(fd, &n, sizeof(n));
	pthread_mutex_lock(&r->lock);
	if (r->problems != NULL && !r->done) {
		settings_reload(r->settings, r->engine, r->problems);
		r->done = true;
		pthread_cond_broadcast(&r->changed);
	}
	pthread_mutex_unlock(&r->lock);
}

/* A client's thread: one after the other. */
static int
reload_ask(void *arg, struct problems *ps)
{
	struct reload *r = arg;
	const uint64_t one = 1;
	int rc;

	pthread_mutex_lock(&r->lock);
	while (r->problems != NULL && !r->stopped)
		pthread_cond_wait(&r->changed, &r->lock);
	if (!r->stopped) {
		r->problems = ps;
		r->done = false;
		(void)!write(r->asked_fd, &one, sizeof(one));
		while (!r->done && !r->stopped)
			pthread_cond_wait(&r->changed, &r->lock);
		r->problems = NULL;
		pthread_cond_broadcast(&r->changed);
	}
	rc = r->stopped && !r->done ? -WEIR_EIO : 0;
	pthread_mutex_unlock(&r->lock);
	return rc;
}

struct reload *
reload_new(struct event_base *base, struct settings *s, struct engine *en, struct err *e)
{
	struct reload *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for reloading");
		return NULL;
	}
	r->settings = s;
	r->engine = en;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->changed, NULL);
	r->asked_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->asked_fd != -1)
		r->event = event_new(base, r->asked_fd, EV_READ | EV_PERSIST, on_asked, r);
	if (r->event == NULL || event_add(r->event, NULL) != 0) {
		err_set(e, WEIR_ENOMEM, "no event for reloading");
		reload_free(r);
		return NULL;
	}
	en->reload = reload_ask;
	en->reload_arg = r;
	return r;
}

void
reload_stop(struct reload *r)
{
	if (r == NULL)
		return;
	pthread_mutex_lock(&r->lock);
	r->stopped = true;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

void
reload_free(struct reload *r)
{
	if (r == NULL)
		return;
	if (r->event != NULL)
		event_free(r->event);
	if (r->asked_fd != -1)
		close(r->asked_fd);
	pthread_mutex_destroy(&r->lock);
	pthread_cond_destroy(&r->changed);
	free(r);
}
