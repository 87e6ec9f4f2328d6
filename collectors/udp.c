/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/udp.h"

#include <errno.h>
#include <limits.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collectors/intake.h"
#include "collectors/listen.h"
#include "lib/clock.h"
#include "lib/log.h"

#ifndef UDP_GRO
#define UDP_GRO 104 /* since Linux 5.0 */
#endif

#define BATCH       64U              /* messages per system call */
#define READ_MAX    (8U * BATCH)     /* datagrams at once; then other doors have their turn */
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
	_Alignas(struct cmsghdr) uint8_t control[BATCH][CMSG_SPACE(sizeof(int))];
	unsigned taken;      /* datagrams of this read */
};

/* Octets of each datagram in `m`, but for the last, which may be shorter: udp(7), UDP_GRO. */
static size_t
message_each(struct msghdr *m, size_t octets)
{
	const struct cmsghdr *c = m->msg_controllen > 0 ? CMSG_FIRSTHDR(m) : NULL;
	int each = 0;

	if (c != NULL && c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
		memcpy(&each, CMSG_DATA(c), sizeof(each));
	return each > 0 ? (size_t)each : octets;
}

/* Take the datagrams of message `i`: one, unless the kernel found several of one size. */
static void
message_take(struct udp *u, unsigned i, struct datagram *d)
{
	size_t left = u->messages[i].msg_len,
	    each = message_each(&u->messages[i].msg_hdr, left);

	d->data = u->vectors[i].iov_base;
	d->from = listen_sender(&u->from[i], &d->from_port);
	do {
		d->len = left < each ? left : each;
		(void)intake_take(&u->intake, d);
		u->taken++;
		d->data += d->len;
		left -= d->len;
	} while (left > 0);
}

/* One system call. Returns how many messages there were, 0 when none is left. */
static unsigned
udp_take(struct collector *c, struct udp *u)
{
	struct datagram d = { 0 };
	int n;

	for (unsigned i = 0; i < BATCH; i++) {
		u->messages[i].msg_hdr.msg_namelen = sizeof(u->from[i]);
		u->messages[i].msg_hdr.msg_controllen = sizeof(u->control[i]);
	}
	n = recvmmsg(c->fd, u->messages, BATCH, MSG_DONTWAIT, NULL);
	if (n <= 0) /* nothing there, or an ICMP error of no interest */
		return 0;
	d.arrival = clock_real();
	for (unsigned i = 0; i < (unsigned)n; i++)
		message_take(u, i, &d);
	intake_flush(&u->intake);
	return (unsigned)n;
}

static enum collector_state
udp_read(struct collector *c)
{
	struct udp *u = c->priv;

	pipeline_source(c->pipeline, u->intake.decoder->source);
	for (u->taken = 0; u->taken < READ_MAX;)
		if (udp_take(c, u) < BATCH) {
			intake_idle(&u->intake);
			return COLLECTOR_IDLE;
		}
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
udp_finish(struct collector *c)
{
	struct udp *u = c->priv;

	intake_finish(&u->intake);
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
		u->messages[i].msg_hdr.msg_control = u->control[i];
	}
}

/* An older kernel does without. */
static void
udp_join(const struct collector *c)
{
	int on = 1;

	if (setsockopt(c->fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on)) != 0 &&
	    c->pipeline->worker == 0)
		log_warn("%s %s: UDP_GRO: %s: datagrams are not joined", c->ops->name, c->where,
		    strerror(errno));
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
	if (u->octets == NULL)
		rc = err_set(e, WEIR_ENOMEM, "%s: no memory", c->ops->name);
	else
		rc = listen_open(c, SOCK_DGRAM, config->port, e);
	if (rc == 0)
		rc = intake_open(&u->intake, c, decoder, e);
	if (rc != 0) {
		udp_close(c);
		return rc;
	}
	udp_buffers(u);
	if (config->joined)
		udp_join(c);
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
	.finish = udp_finish,
	.close = udp_close,
};

const struct collector_ops sflow_udp_collector = {
	.name = "sflow",
	.kind = COLLECTOR_SFLOW,
	.open = sflow_udp_open,
	.read = udp_read,
	.poll_drops = udp_poll_drops,
	.finish = udp_finish,
	.close = udp_close,
};
