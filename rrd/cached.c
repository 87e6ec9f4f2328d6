/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rrd/cached.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/clock.h"

#define DEFAULT_PORT "42217"
#define TIMEOUT_MS   60000U
#define HURRIED_MS   1000U /* when weir ends */
#define SLOW_MS      2000U /* a wait that long is told of */
#define WAITS        2U    /* as long as so many waits may all of a batch take */
#define TICK_MS      200   /* how soon a wait sees that it is to hurry */
#define SEND_OCTETS  65536U
#define LINE_OCTETS  8192U /* of an answer */

struct cached {
	char *address;         /* as it was given, for people */
	char *path;            /* of a socket in the file system, or NULL: */
	char *host, *port;
	int fd;                /* -1: not connected */
	uint64_t began;        /* the batch, or the connecting, clock_mono */
	pid_t peer;            /* whom we were connected to last; 0: not known */
	bool timed_out;        /* the last one was too slow */
	_Atomic bool hurry;
	bool bad;              /* something could not be sent */
	int why;               /* errno of that */
	size_t commands;       /* in this batch */
	bool (*work)(void *arg); /* meanwhile, or NULL */
	void *work_arg;
	void (*slow)(void *arg); /* when a wait is long, or NULL */
	void *slow_arg;
	size_t out_len, in_len, in_at;
	char out[SEND_OCTETS], in[LINE_OCTETS];
};

/* Whether `text` is a number of a port, or the name of a service that has one. */
static bool
port_is_one(const char *text)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all;

	/* getaddrinfo takes any number, and cuts it. */
	if (text[strspn(text, "0123456789")] == '\0')
		return strlen(text) <= 5 && strtoul(text, NULL, 10) - 1 < 65535;
	if (getaddrinfo(NULL, text, &hints, &all) != 0)
		return false;
	freeaddrinfo(all);
	return true;
}

static int
address_error(const char *text, struct err *e)
{
	return err_set(e, WEIR_EINVAL, "'%s' is no address of rrdcached: write unix:/PATH (107 "
	    "octets at most), HOST or HOST:PORT", text);
}

/* Divide "host:port", "[address]:port", "host" or "address" (IPv6). */
static int
host_parse(struct cached *c, struct err *e)
{
	const char *text = c->address, *end = text + strlen(text), *port = NULL;

	if (*text == '[') {
		text++;
		if ((end = strchr(text, ']')) == NULL || (end[1] != '\0' && end[1] != ':'))
			return address_error(c->address, e);
		port = end[1] == ':' ? end + 2 : NULL;
	} else if (strchr(text, ':') != NULL && strchr(text, ':') == strrchr(text, ':')) {
		end = strchr(text, ':');
		port = end + 1;
	}
	if (end == text || (port != NULL && *port == '\0'))
		return address_error(c->address, e);
	if (port != NULL && !port_is_one(port))
		return err_set(e, WEIR_EINVAL, "'%s': %s is no port: write one from 1 to 65535",
		    c->address, port);
	c->host = strndup(text, (size_t)(end - text));
	c->port = strdup(port != NULL ? port : DEFAULT_PORT);
	if (c->host != NULL && c->port != NULL)
		return 0;
	return err_set(e, WEIR_ENOMEM, "rrdcached: no memory");
}

struct cached *
cached_new(const char *address, struct err *e)
{
	struct cached *c = calloc(1, sizeof(*c));
	const char *path = strncmp(address, "unix:", 5) == 0 ? address + 5 : address;
	int rc = 0;

	if (c == NULL || (c->address = strdup(address)) == NULL) {
		free(c);
		err_set(e, WEIR_ENOMEM, "rrdcached: no memory");
		return NULL;
	}
	c->fd = -1;
	if (path == address && *path != '/')
		rc = host_parse(c, e);
	else if (*path != '/' || strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		rc = address_error(address, e);
	else if ((c->path = strdup(path)) == NULL)
		rc = err_set(e, WEIR_ENOMEM, "rrdcached: no memory");
	if (rc == 0)
		return c;
	cached_free(c);
	return NULL;
}

void
cached_free(struct cached *c)
{
	if (c == NULL)
		return;
	cached_disconnect(c);
	free(c->address);
	free(c->path);
	free(c->host);
	free(c->port);
	free(c);
}

void
cached_disconnect(struct cached *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->out_len = c->in_len = c->in_at = 0;
}

static int
cached_lost(struct cached *c, const char *what, struct err *e)
{
	err_set(e, WEIR_EIO, "rrdcached %s: %s", c->address, what);
	cached_disconnect(c);
	return -WEIR_EIO;
}

static int
cached_failed(struct cached *c, int why, struct err *e)
{
	c->timed_out = why == ETIMEDOUT;
	return cached_lost(c, strerror(why), e);
}

/* Wait for `events` on `fd`. Returns 0 or an errno. */
static int
socket_wait(const struct cached *c, int fd, short events)
{
	uint64_t began = clock_mono(), now = began;

	for (;; now = clock_mono()) {
		struct pollfd p = { .fd = fd, .events = events };
		uint64_t limit = (atomic_load(&c->hurry) ? HURRIED_MS : TIMEOUT_MS) *
		    (CLOCK_S / 1000);
		int n;

		/* One that sends an octet now and then is no better than a mute one. */
		if (now - began >= limit || now - c->began >= WAITS * limit)
			return ETIMEDOUT;
		if (c->slow != NULL && now - began >= SLOW_MS * (CLOCK_S / 1000))
			c->slow(c->slow_arg);
		n = poll(&p, 1, TICK_MS);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return errno;
	}
}

/* A connected socket, or -1 with errno. */
static int
socket_connect(const struct cached *c, int family, const struct sockaddr *to, socklen_t len)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), why = 0;
	socklen_t room = sizeof(why);

	if (fd < 0)
		return -1;
	if (connect(fd, to, len) == 0)
		return fd;
	if (errno != EINPROGRESS)
		why = errno == EAGAIN ? ETIMEDOUT : errno; /* nobody takes its connections */
	else if ((why = socket_wait(c, fd, POLLOUT)) == 0 &&
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &room) != 0)
		why = errno;
	if (why == 0)
		return fd;
	close(fd);
	errno = why;
	return -1;
}

/* Whether `pid` is rrdcached itself, and not who listened for it before it ran (systemd). */
static bool
process_is_rrdcached(pid_t pid)
{
	static const char name[] = "rrdcached\n";
	char path[32], buf[sizeof(name)];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return false;
	n = read(fd, buf, sizeof(buf));
	close(fd);
	return n == (ssize_t)sizeof(name) - 1 && memcmp(buf, name, sizeof(name) - 1) == 0;
}

/* Returns as cached_connect, of a connection that is new. */
static int
connected_to(struct cached *c)
{
	struct ucred who = { .pid = 0 };
	socklen_t len = sizeof(who);
	bool same;

	/* The one who called listen(2), which is not always who accepts: unix(7). */
	if (c->path == NULL || getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0 ||
	    !process_is_rrdcached(who.pid))
		who.pid = 0;
	same = who.pid != 0 && who.pid == c->peer;
	c->peer = who.pid;
	c->timed_out = false;
	return same ? CACHED_AGAIN : CACHED_ANOTHER;
}

static int
connect_host(struct cached *c, struct err *e)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all;
	int rc = getaddrinfo(c->host, c->port, &hints, &all);

	if (rc != 0)
		return cached_lost(c, gai_strerror(rc), e);
	for (struct addrinfo *a = all; a != NULL && c->fd < 0; a = a->ai_next)
		c->fd = socket_connect(c, a->ai_family, a->ai_addr, a->ai_addrlen);
	freeaddrinfo(all);
	return c->fd >= 0 ? connected_to(c) : cached_failed(c, errno, e);
}

/* Whether the other side has hung up, or says something that nobody asked for. */
static bool
connection_stale(int fd)
{
	char c;
	ssize_t n = recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);

	return n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

int
cached_connect(struct cached *c, struct err *e)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	if (c->fd >= 0 && !connection_stale(c->fd))
		return 0;
	cached_disconnect(c);
	c->began = clock_mono();
	if (c->path == NULL)
		return connect_host(c, e);
	memcpy(to.sun_path, c->path, strlen(c->path) + 1);
	c->fd = socket_connect(c, AF_UNIX, (struct sockaddr *)(void *)&to, sizeof(to));
	return c->fd >= 0 ? connected_to(c) : cached_failed(c, errno, e);
}

bool
cached_connected(const struct cached *c)
{
	return c->fd >= 0;
}

bool
cached_alive(const struct cached *c)
{
	return c->fd >= 0 && !connection_stale(c->fd);
}

bool
cached_timed_out(const struct cached *c)
{
	return c->timed_out;
}

bool
cached_hurries(const struct cached *c)
{
	return atomic_load(&c->hurry);
}

void
cached_hurry(struct cached *c)
{
	atomic_store(&c->hurry, true);
}

void
cached_meanwhile(struct cached *c, bool (*work)(void *arg), void *arg)
{
	c->work = work;
	c->work_arg = arg;
}

void
cached_slow(struct cached *c, void (*slow)(void *arg), void *arg)
{
	c->slow = slow;
	c->slow_arg = arg;
}

/* Do something else before the connection is tried again, or wait for it. As socket_wait. */
static int
peer_wait(struct cached *c, short events)
{
	uint64_t began = clock_mono();

	if (c->work == NULL || !c->work(c->work_arg))
		return socket_wait(c, c->fd, events);
	c->began += clock_mono() - began;
	return 0;
}

static void
out_flush(struct cached *c)
{
	size_t done = 0;

	while (!c->bad && done < c->out_len) {
		ssize_t n = send(c->fd, c->out + done, c->out_len - done, MSG_NOSIGNAL);

		if (n >= 0) {
			done += (size_t)n;
			continue;
		}
		c->why = errno == EAGAIN ? peer_wait(c, POLLOUT) : errno;
		c->bad = c->why != 0 && c->why != EINTR;
	}
	c->out_len = 0;
}

static void
out_put(struct cached *c, const char *s, size_t len)
{
	while (len > 0) {
		size_t n = sizeof(c->out) - c->out_len;

		if (n > len)
			n = len;
		memcpy(c->out + c->out_len, s, n);
		c->out_len += n;
		s += n;
		len -= n;
		if (c->out_len == sizeof(c->out))
			out_flush(c);
	}
}

/*
 * The next line of the answer, without its newline, to be used at once. NULL with errno when
 * there is none, or it is too long to be rrdcached's.
 */
static char *
in_line(struct cached *c)
{
	for (;;) {
		char *from = c->in + c->in_at, *end = memchr(from, '\n', c->in_len - c->in_at);
		ssize_t n;

		if (end != NULL) {
			*end = '\0';
			c->in_at = (size_t)(end - c->in) + 1;
			return from;
		}
		if (c->in_len - c->in_at == sizeof(c->in)) {
			errno = EMSGSIZE;
			return NULL;
		}
		memmove(c->in, from, c->in_len - c->in_at);
		c->in_len -= c->in_at;
		c->in_at = 0;
		n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);
		if (n > 0) {
			c->in_len += (size_t)n;
			continue;
		}
		if (n < 0 && errno == EAGAIN)
			errno = peer_wait(c, POLLIN);
		else if (n == 0)
			errno = ECONNRESET;
		if (errno != 0 && errno != EINTR)
			return NULL;
	}
}

int
cached_begin(struct cached *c, struct err *e)
{
	char *line;

	c->bad = false;
	c->commands = 0;
	c->began = clock_mono();
	if (c->in_len > c->in_at)
		return cached_lost(c, "says more than it was asked", e);
	out_put(c, "BATCH\n", 6);
	out_flush(c);
	if (c->bad)
		return cached_failed(c, c->why, e);
	if ((line = in_line(c)) == NULL)
		return cached_failed(c, errno, e);
	if (strncmp(line, "0 ", 2) != 0)
		return cached_lost(c, line, e);
	return 0;
}

/* `text` with what rrdcached takes for more than itself marked, in `out` (twice as long). */
size_t
cached_escape(const char *text, char *out)
{
	char *p = out;

	for (; *text != '\0'; *p++ = *text++)
		if (*text == ' ' || *text == '\\' || *text == '\t')
			*p++ = '\\';
	return (size_t)(p - out);
}

char *
cached_line(struct cached *c)
{
	if (sizeof(c->out) - c->out_len < CACHED_LINE)
		out_flush(c);
	return c->out + c->out_len;
}

void
cached_line_put(struct cached *c, const char *end)
{
	c->out_len = (size_t)(end - c->out);
	c->commands++;
}

void
cached_command(struct cached *c, const char *verb, const char *path, const char *rest)
{
	out_put(c, verb, strlen(verb));
	out_put(c, " ", 1);
	while (*path != '\0') {
		size_t plain = strcspn(path, " \\\t");

		out_put(c, path, plain);
		path += plain;
		if (*path != '\0') {
			out_put(c, "\\", 1);
			out_put(c, path++, 1);
		}
	}
	if (*rest != '\0') {
		out_put(c, " ", 1);
		out_put(c, rest, strlen(rest));
	}
	out_put(c, "\n", 1);
	c->commands++;
}

int
cached_end(struct cached *c, void (*failed)(void *arg, size_t no, const char *text),
    void *arg, struct err *e)
{
	unsigned long n, before = 0;
	char *line, *end;

	out_put(c, ".\n", 2);
	out_flush(c);
	if (c->bad)
		return cached_failed(c, c->why, e);
	if ((line = in_line(c)) == NULL)
		return cached_failed(c, errno, e);
	n = strtoul(line, &end, 10);
	if (end == line || strncmp(end, " error", 6) != 0 || n > c->commands)
		return cached_lost(c, line, e);
	while (n-- > 0) {
		unsigned long no;

		if ((line = in_line(c)) == NULL)
			return cached_failed(c, errno, e);
		no = strtoul(line, &end, 10);
		/* Each once, or one bin would be carried twice. */
		if (no <= before || no > c->commands || *end != ' ')
			return cached_lost(c, line, e);
		before = no;
		failed(arg, no - 1, end + 1);
	}
	return 0;
}
