/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/control.h"

#include <errno.h>
#include <event2/event.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/log.h"
#include "report/query.h"

#define BACKLOG         16
#define CLIENT_TIMEOUT  30 /* seconds without progress */

struct client {
	struct control *control;
	int fd;                /* -1: the place is free */
};

struct control {
	struct engine *engine;
	const char *table;
	struct event *event;
	int fd;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	pthread_mutex_t lock;
	pthread_cond_t left;
	struct client clients[CONTROL_CLIENTS];
	unsigned n_clients;
};

static int
address_set(struct sockaddr_un *a, const char *what, const char *path, struct err *e)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(a->sun_path))
		return err_set(e, WEIR_EINVAL, "%s %s: longer than %zu octets", what, path,
		    sizeof(a->sun_path) - 1);
	memcpy(a->sun_path, path, strlen(path) + 1);
	return 0;
}

/* Remove a socket that a dead process left; refuse where somebody answers. */
static int
stale_remove(const struct sockaddr_un *a, const char *what, struct err *e)
{
	struct stat st;
	int fd, rc;

	if (lstat(a->sun_path, &st) != 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, WEIR_EEXIST, "%s %s: something else is there", what,
		    a->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	rc = connect(fd, (const struct sockaddr *)(const void *)a, sizeof(*a));
	close(fd);
	if (rc == 0)
		return err_set(e, WEIR_EEXIST,
		    "%s %s: another weir listens there", what, a->sun_path);
	(void)unlink(a->sun_path);
	return 0;
}

static void *
client_main(void *arg)
{
	struct client *cl = arg;
	struct control *c = cl->control;

	query_serve(c->engine, c->table, cl->fd);
	pthread_mutex_lock(&c->lock);
	close(cl->fd);
	cl->fd = -1;
	c->n_clients--;
	pthread_cond_broadcast(&c->left);
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

static struct client *
client_place(struct control *c, int fd)
{
	struct client *cl = NULL;

	pthread_mutex_lock(&c->lock);
	for (unsigned i = 0; i < CONTROL_CLIENTS && cl == NULL; i++)
		if (c->clients[i].fd == -1)
			cl = &c->clients[i];
	if (cl != NULL) {
		cl->fd = fd;
		c->n_clients++;
	}
	pthread_mutex_unlock(&c->lock);
	return cl;
}

static void
client_drop(struct client *cl)
{
	struct control *c = cl->control;

	pthread_mutex_lock(&c->lock);
	cl->fd = -1;
	c->n_clients--;
	pthread_mutex_unlock(&c->lock);
}

static void
client_accept(int listener, short what, void *arg)
{
	static const struct timeval patience = { CLIENT_TIMEOUT, 0 };
	struct control *c = arg;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	struct client *cl;
	pthread_attr_t attr;
	pthread_t thread;

	(void)what;
	if (fd == -1)
		return;
	cl = client_place(c, fd);
	if (cl == NULL) {
		log_warn("control: more than %d clients, one turned away", CONTROL_CLIENTS);
		close(fd);
		return;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attr, client_main, cl) != 0) {
		client_drop(cl);
		close(fd);
	}
	pthread_attr_destroy(&attr);
}

static int
socket_listen(struct control *c, const char *path, const char *group, struct err *e)
{
	const char *what = c->table != NULL ? "imt_path" : "control_socket";
	struct sockaddr_un a;
	struct group *gr = NULL;
	int rc;

	if ((rc = address_set(&a, what, path, e)) != 0 || (rc = stale_remove(&a, what, e)) != 0)
		return rc;
	if (group != NULL && (gr = getgrnam(group)) == NULL)
		return err_set(e, WEIR_ENOENT, "control_group %s: no such group", group);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd == -1)
		return err_set(e, WEIR_EIO, "%s: %s", what, strerror(errno));
	if (bind(c->fd, (struct sockaddr *)(void *)&a, sizeof(a)) != 0)
		return err_set(e, WEIR_EIO, "%s %s: %s", what, path, strerror(errno));
	memcpy(c->path, a.sun_path, sizeof(c->path));
	if (gr != NULL && chown(path, (uid_t)-1, gr->gr_gid) != 0)
		return err_set(e, WEIR_EIO, "control_group %s: %s%s", group, strerror(errno),
		    errno == EPERM ? "; the user that weir runs as must be in it" : "");
	if (chmod(path, gr != NULL ? 0660 : 0600) != 0 || listen(c->fd, BACKLOG) != 0)
		return err_set(e, WEIR_EIO, "%s %s: %s", what, path, strerror(errno));
	return 0;
}

struct control *
control_open(struct event_base *base, struct engine *en, const char *path,
    const char *group, const char *table, struct err *e)
{
	struct control *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for the control socket");
		return NULL;
	}
	c->engine = en;
	c->table = table;
	c->fd = -1;
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
		c->clients[i] = (struct client){ c, -1 };
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->left, NULL);
	if (socket_listen(c, path, group, e) != 0) {
		control_close(c);
		return NULL;
	}
	c->event = event_new(base, c->fd, EV_READ | EV_PERSIST, client_accept, c);
	if (c->event == NULL || event_add(c->event, NULL) != 0) {
		err_set(e, WEIR_ENOMEM, "%s: no event for it", path);
		control_close(c);
		return NULL;
	}
	return c;
}

void
control_close(struct control *c)
{
	if (c == NULL)
		return;
	if (c->event != NULL)
		event_free(c->event);
	if (c->fd != -1)
		close(c->fd);
	if (c->path[0] != '\0')
		(void)unlink(c->path);
	pthread_mutex_lock(&c->lock);
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
		if (c->clients[i].fd != -1)
			(void)shutdown(c->clients[i].fd, SHUT_RDWR);
	while (c->n_clients > 0)
		pthread_cond_wait(&c->left, &c->lock);
	pthread_mutex_unlock(&c->lock);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->left);
	free(c);
}
