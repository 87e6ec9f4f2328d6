/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/lookup.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/thread.h"

/* Shared by who asks and who waits for the resolver; the last one frees it. */
struct lookup {
	_Atomic unsigned users;
	_Atomic bool done;     /* what follows is there */
	int rc;                /* of getaddrinfo */
	struct addrinfo *list;
	int fd;                /* becomes readable then */
	char host[];
};

static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };

static struct lookup *
lookup_new(const char *host)
{
	size_t len = strlen(host) + 1;
	struct lookup *l = calloc(1, sizeof(*l) + len);

	if (l == NULL)
		return NULL;
	memcpy(l->host, host, len);
	atomic_init(&l->users, 1);
	if ((l->fd = eventfd(0, EFD_CLOEXEC)) != -1)
		return l;
	free(l);
	return NULL;
}

static void
lookup_drop(struct lookup *l)
{
	if (atomic_fetch_sub(&l->users, 1) > 1)
		return;
	if (l->list != NULL)
		freeaddrinfo(l->list);
	(void)close(l->fd);
	free(l);
}

static void *
lookup_main(void *arg)
{
	struct lookup *l = arg;
	struct addrinfo *list = NULL;

	l->rc = getaddrinfo(l->host, NULL, &hints, &list);
	l->list = l->rc == 0 ? list : NULL;
	atomic_store(&l->done, true);
	(void)eventfd_write(l->fd, 1);
	lookup_drop(l);
	return NULL;
}

static int
lookup_start(struct lookup *l, struct err *e)
{
	pthread_t thread;
	int rc;

	atomic_fetch_add(&l->users, 1);
	if ((rc = thread_start(&thread, "weir-lookup", lookup_main, l, e)) != 0)
		lookup_drop(l);
	else
		pthread_detach(thread);
	return rc;
}

static int
lookup_wait(struct lookup *l, struct attempt *a, struct addrinfo **list, struct err *e)
{
	int got = attempt_wait(a, l->fd, POLLIN, UINT64_MAX);

	if (got <= 0 || !atomic_load(&l->done))
		return err_set(e, WEIR_EIO, "%s: %s", l->host, got == -1 ?
		    "given up, as weir ends" : "its resolver cannot be waited for");
	attempt_heard(a);
	if (l->rc != 0)
		return err_set(e, WEIR_EIO, "%s: %s", l->host, gai_strerror(l->rc));
	*list = l->list;
	l->list = NULL;
	return 0;
}

int
lookup_run(const char *host, struct attempt *a, struct addrinfo **list, struct err *e)
{
	struct addrinfo number = hints;
	struct lookup *l;
	int rc;

	number.ai_flags = AI_NUMERICHOST; /* needs no resolver */
	if (getaddrinfo(host, NULL, &number, list) == 0)
		return 0;
	*list = NULL;
	if ((l = lookup_new(host)) == NULL)
		return err_set(e, WEIR_EIO, "%s: %s", host, strerror(errno));
	if ((rc = lookup_start(l, e)) == 0)
		rc = lookup_wait(l, a, list, e);
	lookup_drop(l);
	return rc;
}
