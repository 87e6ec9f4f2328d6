/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/udp.h"

#include <errno.h>
#include <limits.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collectors/intake.h"
#include "lib/clock.h"
#include "lib/log.h"

#define BATCH       64U              /* datagrams per system call */
#define READ_CALLS  8U               /* at once; then other doors have their turn */
#define MAX_OCTETS  65536U           /* more than UDP can have */
/* Buffers start on different cache sets, or 64 datagrams would fight for the same few. */
#define STRIDE      (MAX_OCTETS + 33 * 64)

struct udp {
	struct intake intake;
	uint32_t drops;      /* as last told by the kernel; wraps */
	uint8_t *octets;     /* BATCH buffers, STRIDE apart */
	struct mmsghdr messages[BATCH];
	struct iovec vectors[BATCH];
	struct sockaddr_storage from[BATCH];
};

/* The sender, IPv4 as v4-mapped, which is how a dual-stack socket tells it anyway. */
static void
udp_sender(const struct sockaddr_storage *from, struct datagram *d)
{
	if (from->ss_family == AF_INET6) {
		const struct sockaddr_in6 *a = (const void *)from;

		d->from = ip_from_v6(&a->sin6_addr);
		d->from_port = ntohs(a->sin6_port);
	} else {
		const struct sockaddr_in *a = (const void *)from;

		d->from = ip_from_v4(&a->sin_addr);
		d->from_port = ntohs(a->sin_port);
	}
}

/* One system call. Returns how many datagrams there were, 0 when none is left. */
static unsigned
udp_take(struct collector *c, struct udp *u)
{
	struct datagram d = { 0 };
	int n;

	for (unsigned i = 0; i < BATCH; i++)
		u->messages[i].msg_hdr.msg_namelen = sizeof(u->from[i]);
	n = recvmmsg(c->fd, u->messages, BATCH, MSG_DONTWAIT, NULL);
	if (n <= 0) /* nothing there, or an ICMP error of no interest */
		return 0;
	d.arrival = clock_real();
	for (unsigned i = 0; i < (unsigned)n; i++) {
		d.data = u->vectors[i].iov_base;
		d.len = u->messages[i].msg_len;
		udp_sender(&u->from[i], &d);
		(void)intake_take(&u->intake, &d);
	}
	return (unsigned)n;
}

static enum collector_state
udp_read(struct collector *c)
{
	struct udp *u = c->priv;

	pipeline_source(c->pipeline, u->intake.decoder->source);
	for (unsigned i = 0; i < READ_CALLS; i++)
		if (udp_take(c, u) < BATCH)
			return COLLECTOR_IDLE;
	return COLLECTOR_BUSY;
}

/* The socket's own count, not the one that rides on datagrams: it knows the last, too. */
static void
udp_poll_drops(struct collector *c)
{
	uint32_t info[SK_MEMINFO_VARS];
	socklen_t len = sizeof(info);
	struct udp *u = c->priv;
	uint32_t n;

	if (getsockopt(c->fd, SOL_SOCKET, SO_MEMINFO, info, &len) != 0 ||
	    len <= SK_MEMINFO_DROPS * sizeof(info[0]))
		return;
	n = info[SK_MEMINFO_DROPS] - u->drops;
	u->drops = info[SK_MEMINFO_DROPS];
	if (n > 0) {
		stat_add(&c->pipeline->stats, STAT_KERNEL_DROPS, n);
		counter_add(&c->drops, n);
	}
}

static void
udp_close(struct collector *c)
{
	struct udp *u = c->priv;

	intake_close(&u->intake);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	free(u->octets);
	free(u);
	c->priv = NULL;
}

/* The address to bind: a given one of its own family, else all of both. */
static socklen_t
udp_address(const struct datagram_config *config, int family, struct sockaddr_storage *to)
{
	memset(to, 0, sizeof(*to));
	to->ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		struct sockaddr_in *a = (void *)to;

		a->sin_port = htons((uint16_t)config->port);
		if (ip_is_v4(&config->ip))
			memcpy(&a->sin_addr, config->ip.b + 12, 4);
		return sizeof(*a);
	}

	struct sockaddr_in6 *a = (void *)to;

	a->sin6_port = htons((uint16_t)config->port);
	memcpy(&a->sin6_addr, config->ip.b, 16);
	return sizeof(*a);
}

/* A bound socket, shared or not; -1 with errno. */
static int
udp_bind(const struct datagram_config *config, int family, int shared)
{
	struct sockaddr_storage address;
	socklen_t len = udp_address(config, family, &address);
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int off = 0, saved;

	if (fd == -1)
		return -1;
	if ((family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off,
	        sizeof(off)) != 0) ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &shared, sizeof(shared)) != 0 ||
	    bind(fd, (const void *)&address, len) != 0) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* Our family of sockets: IPv6 takes both, where the kernel has it. */
static int
udp_family(const struct datagram_config *config)
{
	int fd;

	if (ip_is_v4(&config->ip))
		return AF_INET;
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1 && ip_is_none(&config->ip))
		return AF_INET;
	if (fd != -1)
		close(fd);
	return AF_INET6;
}

static int
udp_bind_failed(const struct collector *c, struct err *e)
{
	const char *hint = "";

	if (errno == EADDRINUSE)
		hint = ": another program (or another weir) listens there";
	else if (errno == EADDRNOTAVAIL)
		hint = ": no interface of this host has it";
	else if (errno == EACCES)
		hint = ": ports below 1024 need root or CAP_NET_BIND_SERVICE";
	return err_set(e, WEIR_EIO, "%s %s: %s%s", c->ops->name, c->where, strerror(errno), hint);
}

/*
 * Sockets that share a port also share it with another process that does the same, and
 * each gets a part of what comes. So the first of ours looks whether it has it alone.
 */
static int
udp_socket(struct collector *c, const struct datagram_config *config, struct err *e)
{
	int family = udp_family(config);

	if (c->pipeline->worker == 0) {
		int fd = udp_bind(config, family, 0);

		if (fd == -1)
			return udp_bind_failed(c, e);
		close(fd);
	}
	c->fd = udp_bind(config, family, 1);
	return c->fd != -1 ? 0 : udp_bind_failed(c, e);
}

/* Ask for a large buffer; bursts of exporters are what drops come from. */
static void
udp_room(const struct collector *c, const struct datagram_config *config)
{
	int want = config->pipe_size < INT_MAX / 2 ? (int)config->pipe_size : INT_MAX / 2;
	int got = 0;
	socklen_t len = sizeof(got);

	if (want == 0)
		return;
	if (setsockopt(c->fd, SOL_SOCKET, SO_RCVBUFFORCE, &want, sizeof(want)) != 0)
		(void)setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &want, sizeof(want));
	(void)getsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &got, &len);
	/* The kernel doubles what it is asked for. */
	if (got / 2 < want / 2 && c->pipeline->worker == 0)
		log_warn("%s %s: receive buffer is %d KiB of the %d KiB wanted: raise "
		         "net.core.rmem_max, or give CAP_NET_ADMIN",
		    c->ops->name, c->where, got / 2048, want / 1024);
}

static void
udp_buffers(struct udp *u)
{
	for (unsigned i = 0; i < BATCH; i++) {
		u->vectors[i].iov_base = u->octets + (size_t)i * STRIDE;
		u->vectors[i].iov_len = MAX_OCTETS;
		u->messages[i].msg_hdr.msg_iov = &u->vectors[i];
		u->messages[i].msg_hdr.msg_iovlen = 1;
		u->messages[i].msg_hdr.msg_name = &u->from[i];
	}
}

static void
udp_where(struct collector *c, const struct datagram_config *config)
{
	char ip[IP_STRLEN] = "::";

	if (!ip_is_none(&config->ip))
		(void)ip_format(&config->ip, ip);
	snprintf(c->where, sizeof(c->where), ip_is_v4(&config->ip) ? "%s:%u" : "[%s]:%u", ip,
	    config->port);
}

static int
udp_open(struct collector *c, const struct datagram_decoder *decoder, struct err *e)
{
	const struct datagram_config *config = c->config;
	struct udp *u = calloc(1, sizeof(*u));
	int rc;

	if (u == NULL)
		return err_set(e, WEIR_ENOMEM, "%s: no memory", c->ops->name);
	c->priv = u;
	c->fd = -1;
	u->octets = malloc((size_t)BATCH * STRIDE);
	udp_where(c, config);
	if (u->octets == NULL)
		rc = err_set(e, WEIR_ENOMEM, "%s: no memory", c->ops->name);
	else
		rc = udp_socket(c, config, e);
	if (rc == 0)
		rc = intake_open(&u->intake, c, decoder, e);
	if (rc != 0) {
		udp_close(c);
		return rc;
	}
	udp_buffers(u);
	udp_room(c, config);
	return 0;
}

static int
netflow_udp_open(struct collector *c, struct err *e)
{
	return udp_open(c, &netflow_decoder, e);
}

static int
sflow_udp_open(struct collector *c, struct err *e)
{
	return udp_open(c, &sflow_decoder, e);
}

const struct collector_ops netflow_udp_collector = {
	.name = "netflow",
	.kind = COLLECTOR_NETFLOW,
	.open = netflow_udp_open,
	.read = udp_read,
	.poll_drops = udp_poll_drops,
	.close = udp_close,
};

const struct collector_ops sflow_udp_collector = {
	.name = "sflow",
	.kind = COLLECTOR_SFLOW,
	.open = sflow_udp_open,
	.read = udp_read,
	.poll_drops = udp_poll_drops,
	.close = udp_close,
};
