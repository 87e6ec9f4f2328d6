/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/listen.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a socket is to be. */
struct wish {
	const struct datagram_config *config;
	int type, family;
	uint32_t port;
	bool shared; /* with the sockets of other workers */
	const char *step; /* out: what failed */
};

ip16_t
listen_sender(const struct sockaddr_storage *from, uint16_t *port)
{
	if (from->ss_family == AF_INET6) {
		const struct sockaddr_in6 *a = (const void *)from;

		*port = ntohs(a->sin6_port);
		return ip_from_v6(&a->sin6_addr);
	}

	const struct sockaddr_in *a = (const void *)from;

	*port = ntohs(a->sin_port);
	return ip_from_v4(&a->sin_addr);
}

/* The address to bind: a given one of its own family, else all of both. */
static socklen_t
wish_address(const struct wish *w, struct sockaddr_storage *to)
{
	const ip16_t *ip = &w->config->ip;

	memset(to, 0, sizeof(*to));
	to->ss_family = (sa_family_t)w->family;
	if (w->family == AF_INET) {
		struct sockaddr_in *a = (void *)to;

		a->sin_port = htons((uint16_t)w->port);
		if (ip_is_v4(ip))
			memcpy(&a->sin_addr, ip->b + 12, 4);
		return sizeof(*a);
	}

	struct sockaddr_in6 *a = (void *)to;

	a->sin6_port = htons((uint16_t)w->port);
	memcpy(&a->sin6_addr, ip->b, 16);
	return sizeof(*a);
}

/* Set an option whose value is an int; false with errno, and `w->step` saying which. */
static bool
wish_option(struct wish *w, int fd, int level, int name, int value, const char *step)
{
	w->step = step;
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

static bool
wish_device(struct wish *w, int fd)
{
	const char *device = w->config->interface;
	socklen_t len = device != NULL ? (socklen_t)strlen(device) : 0;

	w->step = "interface";
	return len == 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, len) == 0;
}

/*
 * Only what this socket itself has joined: by default one that is bound to all addresses
 * gets what any program of the host has joined, and each of our workers would count it.
 */
static void
wish_multicast(const struct wish *w, int fd)
{
	int off = 0;

	if (w->type != SOCK_DGRAM)
		return;
	(void)setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &off, sizeof(off));
	if (w->family == AF_INET6) /* Linux has it since 4.20 */
		(void)setsockopt(
		    fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, &off, sizeof(off));
}

/*
 * A stream's port may be taken again while connections of an earlier weir time out; one
 * that another program listens on may not (socket(7), SO_REUSEADDR).
 */
static bool
wish_sharing(struct wish *w, int fd)
{
	if (w->type == SOCK_STREAM &&
	    !wish_option(w, fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR"))
		return false;
	return wish_option(w, fd, SOL_SOCKET, SO_REUSEPORT, w->shared, "SO_REUSEPORT");
}

/* Whether the socket may hear IPv4, too. */
static bool
wish_families(struct wish *w, int fd)
{
	return w->family == AF_INET || wish_option(w, fd, IPPROTO_IPV6, IPV6_V6ONLY,
	    w->config->ipv6_only, "IPV6_V6ONLY");
}

/* A bound socket as wished; -1 with errno and `w->step` ("" where it is bind). */
static int
wish_bind(struct wish *w)
{
	struct sockaddr_storage address;
	socklen_t len = wish_address(w, &address);
	int fd = socket(w->family, w->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int saved;

	w->step = "socket";
	if (fd == -1)
		return -1;
	wish_multicast(w, fd);
	if (wish_families(w, fd) && wish_sharing(w, fd) && wish_device(w, fd)) {
		w->step = "";
		if (bind(fd, (const void *)&address, len) == 0)
			return fd;
	}
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* Our family of sockets: IPv6 takes both, where the kernel has it. */
static int
wish_family(const struct datagram_config *config)
{
	int fd;

	if (ip_is_v4(&config->ip))
		return AF_INET;
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1 && ip_is_none(&config->ip) && !config->ipv6_only)
		return AF_INET;
	if (fd != -1)
		close(fd);
	return AF_INET6;
}

static int
listen_failed(const struct collector *c, const struct wish *w, struct err *e)
{
	static const struct {
		int no;
		const char *hint;
	} hints[] = {
		{ EADDRINUSE, ": another program (or another weir) listens there" },
		{ EADDRNOTAVAIL, ": no interface of this host has it" },
		{ EACCES, ": ports below 1024 need root or CAP_NET_BIND_SERVICE" },
		{ EPERM, ": needs root or CAP_NET_RAW" },
		{ ENODEV, ": there is no such interface" },
		{ EAFNOSUPPORT, ": this host has no IPv6" },
	};
	const char *hint = "", *why = strerror(errno);

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (hints[i].no == errno)
			hint = hints[i].hint;
	return err_set(e, WEIR_EIO, "%s %s: %s%s%s%s", c->ops->name, c->where, w->step,
	    w->step[0] != '\0' ? ": " : "", why, hint);
}

/* Join one group; false with errno. */
static bool
group_join(int fd, const ip16_t *group, unsigned device)
{
	if (ip_is_v4(group)) {
		struct ip_mreqn r = { .imr_ifindex = (int)device };

		memcpy(&r.imr_multiaddr, group->b + 12, 4);
		return !setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &r, sizeof(r));
	}

	struct ipv6_mreq r = { .ipv6mr_interface = device };

	memcpy(&r.ipv6mr_multiaddr, group->b, 16);
	return !setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &r, sizeof(r));
}

/*
 * Multicast reaches every socket that joined, port sharing or not: so one worker's does,
 * or each would count it.
 */
static int
groups_join(const struct collector *c, struct err *e)
{
	const struct datagram_config *config = c->config;
	unsigned device =
	    config->interface != NULL ? if_nametoindex(config->interface) : 0;

	if (c->pipeline->worker != 0)
		return 0;
	for (unsigned i = 0; i < config->n_groups; i++) {
		char text[IP_STRLEN];

		if (group_join(c->fd, &config->groups[i], device))
			continue;
		(void)ip_format(&config->groups[i], text);
		return err_set(e, WEIR_EIO, "%s %s: multicast group %s: %s%s",
		    c->ops->name, c->where, text, strerror(errno),
		    errno == ENODEV ? ": no route says by which interface: name one"
				    : "");
	}
	return 0;
}

static void
where_set(struct collector *c, const struct datagram_config *config, uint32_t port)
{
	char ip[IP_STRLEN] = "::";
	const char *device = config->interface;

	if (!ip_is_none(&config->ip))
		(void)ip_format(&config->ip, ip);
	snprintf(c->where, sizeof(c->where),
	    ip_is_v4(&config->ip) ? "%s:%u%s%.20s" : "[%s]:%u%s%.20s", ip, port,
	    device != NULL ? " on " : "", device != NULL ? device : "");
}

int
listen_open(struct collector *c, int type, uint32_t port, struct err *e)
{
	const struct datagram_config *config = c->config;
	struct wish w = { .config = config, .type = type, .port = port };

	w.family = wish_family(config);
	where_set(c, config, port);
	/*
	 * Sockets that share a port also share it with another process that does the same,
	 * and each gets a part of what comes. So the first of ours looks whether it has it
	 * alone.
	 */
	if (c->pipeline->worker == 0) {
		int fd = wish_bind(&w);

		if (fd == -1)
			return listen_failed(c, &w, e);
		close(fd);
	}
	w.shared = true;
	c->fd = wish_bind(&w);
	if (c->fd == -1)
		return listen_failed(c, &w, e);
	return type == SOCK_DGRAM ? groups_join(c, e) : 0;
}
