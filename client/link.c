/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "client/link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <jansson.h>

#define DEFAULT_PATH "/run/weir/weir.sock"
#define PATIENCE_S   10 /* until weir takes the request; then it says when it is done, or dies */
#define END_OF_ROWS  "{\"end\": "

struct link {
	int fd;
	FILE *in;
	char *line;
	size_t room;
	json_t *head, *row;
};

const char *
link_path(const char *given)
{
	const char *path = given != NULL ? given : getenv("WEIR_SOCKET");

	return path != NULL && *path != '\0' ? path : DEFAULT_PATH;
}

/* What an operator can do about `error`, met when connecting to `path`. */
static const char *
advice(int error)
{
	switch (error) {
	case ENOENT:
		return "is weir running? If its control_socket is elsewhere, say so "
		       "with -p";
	case ECONNREFUSED:
		return "weir has ended without removing it: start weir again";
	case EACCES:
	case EPERM:
		return "you may not use it: run this as root or as weir's user, or "
		       "join the group of control_group";
	default:
		return "is that weir's control_socket?";
	}
}

struct link *
link_open(const char *path, struct err *e)
{
	static const struct timeval patience = { PATIENCE_S, 0 };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct link *l;
	int fd;

	if (strlen(path) >= sizeof(a.sun_path)) {
		err_set(e, WEIR_EINVAL, "%.80s...: longer than a socket's path can be",
		    path);
		return NULL;
	}
	memcpy(a.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (fd == -1 || connect(fd, (struct sockaddr *)(void *)&a, sizeof(a)) != 0) {
		err_set(
		    e, WEIR_EIO, "%s: %s; %s", path, strerror(errno), advice(errno));
		if (fd != -1)
			close(fd);
		return NULL;
	}
	l = calloc(1, sizeof(*l));
	if (l == NULL || (l->in = fdopen(fd, "r")) == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory");
		close(fd);
		free(l);
		return NULL;
	}
	l->fd = fd;
	return l;
}

void
link_close(struct link *l)
{
	if (l == NULL)
		return;
	json_decref(l->head);
	json_decref(l->row);
	fclose(l->in);
	free(l->line);
	free(l);
}

static int
line_read(struct link *l, struct err *e)
{
	ssize_t n;

	errno = 0;
	n = getline(&l->line, &l->room, l->in);
	if (n > 0 && l->line[n - 1] == '\n') {
		l->line[n - 1] = '\0';
		return 0;
	}
	return err_set(e, WEIR_EIO, "weir has hung up%s%s", errno != 0 ? ": " : "",
	    errno != 0 ? strerror(errno) : "");
}

static json_t *
line_parse(const char *line, struct err *e)
{
	json_error_t fault;
	json_t *v = json_loads(line, 0, &fault);

	/*
	 * Tags take all 64 bits, jansson's integers 63: better inexact than not at all.
	 */
	if (v == NULL)
		v = json_loads(line, JSON_DECODE_INT_AS_REAL, &fault);
	if (v == NULL)
		err_set(
		    e, WEIR_EMALFORMED, "an answer that is no JSON: %s", fault.text);
	return v;
}

static int
request_send(struct link *l, const char *text, struct err *e)
{
	size_t len = strlen(text), done = 0;

	while (done < len) {
		ssize_t n = send(l->fd, text + done, len - done, MSG_NOSIGNAL);

		if (n > 0)
			done += (size_t)n;
		else if (errno != EINTR)
			return err_set(
			    e, WEIR_EIO, "weir has hung up: %s", strerror(errno));
	}
	return 0;
}

/* Wait for the first octet, by which weir says that it has taken the request. */
static int
taken_wait(struct link *l, struct err *e)
{
	struct pollfd p = { .fd = l->fd, .events = POLLIN };
	int n;

	do
		n = poll(&p, 1, PATIENCE_S * 1000);
	while (n == -1 && errno == EINTR);
	return n == 0 ? err_set(e, WEIR_EIO, "no answer from weir within %d s", PATIENCE_S) : 0;
}

json_t *
link_ask(struct link *l, json_t *request, struct err *e)
{
	char *text = json_dumps(request, JSON_COMPACT);
	int rc;

	json_decref(request);
	if (text == NULL) {
		err_set(e, WEIR_EINVAL, "a name that is no UTF-8");
		return NULL;
	}
	rc = request_send(l, text, e);
	free(text);
	if (rc != 0 || request_send(l, "\n", e) != 0 || taken_wait(l, e) != 0 ||
	    line_read(l, e) != 0)
		return NULL;
	json_decref(l->head);
	l->head = line_parse(l->line, e);
	if (l->head == NULL)
		return NULL;
	if (!json_is_true(json_object_get(l->head, "ok"))) {
		const char *why = json_string_value(json_object_get(l->head, "error"));

		err_set(e, WEIR_ENOENT, "%s",
		    why != NULL ? why : "weir refused, without a word");
		return NULL;
	}
	return l->head;
}

int
link_line(struct link *l, const char **line, struct err *e)
{
	if (line_read(l, e) != 0)
		return -WEIR_EIO;
	*line = l->line;
	return strncmp(l->line, END_OF_ROWS, strlen(END_OF_ROWS)) != 0;
}

int
link_row(struct link *l, json_t **row, struct err *e)
{
	const char *line;
	int rc = link_line(l, &line, e);

	if (rc <= 0)
		return rc;
	json_decref(l->row);
	l->row = line_parse(line, e);
	if (l->row == NULL)
		return -WEIR_EMALFORMED;
	*row = l->row;
	return 1;
}
