/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/ifpoll.h"

#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "lib/thread.h"

#define ANSWER_OCTETS 65536U
#define MBIT UINT64_C(1000000)

/* IANA's ifType. */
enum { IFTYPE_OTHER = 1, IFTYPE_ETHERNET = 6, IFTYPE_PPP = 23, IFTYPE_LOOPBACK = 24,
	IFTYPE_TUNNEL = 131 };

struct ifpoll {
	pthread_t thread;
	pthread_mutex_t lock;    /* of what follows */
	pthread_cond_t wake;
	bool stop, fresh;
	struct ifpoll_entry entries[IFPOLL_MAX];
	unsigned n;
	uint32_t interval_s;
	int fd;
};

int
ifpoll_socket(void)
{
	static const struct timeval patience = { .tv_sec = 1 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd != -1 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The first line of /sys/class/net/NAME/FILE; "" when there is none. */
static const char *
sys_read(const char *name, const char *file, char *text, int room)
{
	char path[64 + IF_NAMESIZE];
	FILE *f;

	text[0] = '\0';
	snprintf(path, sizeof(path), "/sys/class/net/%s/%s", name, file);
	f = fopen(path, "re");
	if (f == NULL)
		return text;
	if (fgets(text, room, f) == NULL)
		text[0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	fclose(f);
	return text;
}

static uint32_t
type_of(unsigned hardware)
{
	switch (hardware) {
	case ARPHRD_ETHER:
		return IFTYPE_ETHERNET;
	case ARPHRD_LOOPBACK:
		return IFTYPE_LOOPBACK;
	case ARPHRD_PPP:
		return IFTYPE_PPP;
	case ARPHRD_TUNNEL:
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
	case ARPHRD_IPGRE:
		return IFTYPE_TUNNEL;
	default:
		return IFTYPE_OTHER;
	}
}

/* Packets that were not multicast; a driver may count these elsewhere. */
static uint32_t
unicast(uint64_t all, uint64_t multicast)
{
	return (uint32_t)(all > multicast ? all - multicast : 0);
}

/* Broadcast is counted as multicast or not at all: not known, as what is sent. */
static void
stats_fill(struct ifpoll_entry *e, const struct rtnl_link_stats64 *s)
{
	struct sflow_interface *g = &e->generic;
	const uint32_t none = SFLOW_COUNTER_NONE;

	g->in_octets = s->rx_bytes;
	g->in_unicast = unicast(s->rx_packets, s->multicast);
	g->in_multicast = (uint32_t)s->multicast;
	g->in_broadcast = none;
	g->in_discards = (uint32_t)s->rx_dropped;
	g->in_errors = (uint32_t)s->rx_errors;
	g->in_unknown = (uint32_t)s->rx_nohandler;
	g->out_octets = s->tx_bytes;
	g->out_unicast = (uint32_t)s->tx_packets;
	g->out_multicast = g->out_broadcast = none;
	g->out_discards = (uint32_t)s->tx_dropped;
	g->out_errors = (uint32_t)s->tx_errors;
	e->errors = (struct sflow_ethernet){ .alignment = (uint32_t)s->rx_frame_errors,
		.fcs = (uint32_t)s->rx_crc_errors,
		.single_collision = none,
		.multiple_collision = none,
		.sqe_test = (uint32_t)s->tx_heartbeat_errors,
		.deferred = none,
		.late = (uint32_t)s->tx_window_errors,
		.excessive = (uint32_t)s->tx_aborted_errors,
		.internal_tx = (uint32_t)s->tx_fifo_errors,
		.carrier = (uint32_t)s->tx_carrier_errors,
		.too_long = (uint32_t)s->rx_length_errors,
		.internal_rx = (uint32_t)s->rx_fifo_errors,
		.symbol = none };
}

static void
link_fill(struct ifpoll_entry *e, const struct ifinfomsg *i, size_t left)
{
	struct sflow_interface *g = &e->generic;
	char text[32];
	long speed;

	g->index = (uint32_t)i->ifi_index;
	g->type = type_of(i->ifi_type);
	e->ethernet = i->ifi_type == ARPHRD_ETHER;
	g->status = ((i->ifi_flags & IFF_UP) != 0 ? 1U : 0U) |
	    ((i->ifi_flags & IFF_RUNNING) != 0 ? 2U : 0U);
	for (const struct rtattr *a = IFLA_RTA(i); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		struct rtnl_link_stats64 s = { 0 };
		size_t octets = RTA_PAYLOAD(a);

		if (a->rta_type == IFLA_STATS64) {
			/* Not aligned; of another kernel it may be longer or shorter. */
			memcpy(&s, RTA_DATA(a), octets < sizeof(s) ? octets : sizeof(s));
			stats_fill(e, &s);
		} else if (a->rta_type == IFLA_PROMISCUITY && octets >= 4) {
			memcpy(&g->promiscuous, RTA_DATA(a), 4);
			g->promiscuous = g->promiscuous != 0;
		}
	}
	speed = strtol(sys_read(e->name, "speed", text, sizeof(text)), NULL, 10);
	g->speed = speed > 0 ? (uint64_t)speed * MBIT : 0;
	sys_read(e->name, "duplex", text, sizeof(text));
	g->direction = strcmp(text, "full") == 0 ? 1 : strcmp(text, "half") == 0 ? 2 : 0;
}

bool
ifpoll_ask(int fd, struct ifpoll_entry *e)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg link;
		struct rtattr name;
		char text[RTA_ALIGN(IF_NAMESIZE)];
	} ask = { .head = { .nlmsg_len = sizeof(ask), .nlmsg_type = RTM_GETLINK,
		      .nlmsg_flags = NLM_F_REQUEST },
		.name = { .rta_len = sizeof(struct rtattr) + IF_NAMESIZE,
		    .rta_type = IFLA_IFNAME } };
	_Alignas(struct nlmsghdr) static _Thread_local uint8_t answer[ANSWER_OCTETS];
	static _Thread_local uint32_t number;
	const struct nlmsghdr *h = (const void *)answer;
	ssize_t n;

	memset(&e->generic, 0, sizeof(e->generic));
	memset(&e->errors, 0, sizeof(e->errors));
	ask.head.nlmsg_seq = ++number;
	snprintf(ask.text, sizeof(ask.text), "%s", e->name);
	e->found = false;
	if (send(fd, &ask, sizeof(ask), 0) != (ssize_t)sizeof(ask))
		return false;
	do /* an answer that came too late for its question goes */
		n = recv(fd, answer, sizeof(answer), 0);
	while (n >= (ssize_t)sizeof(*h) && h->nlmsg_seq != number);
	if (n < (ssize_t)NLMSG_LENGTH(sizeof(struct ifinfomsg)) || !NLMSG_OK(h, (size_t)n) ||
	    h->nlmsg_type != RTM_NEWLINK)
		return false;
	link_fill(e, NLMSG_DATA(h), h->nlmsg_len - NLMSG_LENGTH(sizeof(struct ifinfomsg)));
	e->found = true;
	return true;
}

static void *
ifpoll_main(void *arg)
{
	struct ifpoll *p = arg;

	pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		struct ifpoll_entry found[IFPOLL_MAX];
		struct timespec until;

		memcpy(found, p->entries, sizeof(found));
		pthread_mutex_unlock(&p->lock);
		for (unsigned i = 0; i < p->n; i++)
			(void)ifpoll_ask(p->fd, &found[i]);
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += p->interval_s;
		pthread_mutex_lock(&p->lock);
		memcpy(p->entries, found, sizeof(found));
		p->fresh = true;
		while (!p->stop && pthread_cond_timedwait(&p->wake, &p->lock, &until) == 0)
			continue;
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void
ifpoll_free(struct ifpoll *p)
{
	close(p->fd);
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

struct ifpoll *
ifpoll_start(const char (*names)[IF_NAMESIZE], unsigned n, uint32_t interval_s, struct err *e)
{
	struct ifpoll *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for counters of interfaces");
		return NULL;
	}
	p->n = n < IFPOLL_MAX ? n : IFPOLL_MAX;
	for (unsigned i = 0; i < p->n; i++)
		snprintf(p->entries[i].name, IF_NAMESIZE, "%s", names[i]);
	p->interval_s = interval_s;
	pthread_mutex_init(&p->lock, NULL);
	thread_cond_init(&p->wake);
	p->fd = ifpoll_socket();
	if (p->fd == -1) {
		err_set(e, WEIR_EIO, "no netlink socket to ask for counters of interfaces");
		ifpoll_free(p);
		return NULL;
	}
	if (thread_start(&p->thread, "weir-ifpoll", ifpoll_main, p, e) == 0)
		return p;
	ifpoll_free(p);
	return NULL;
}

void
ifpoll_stop(struct ifpoll *p)
{
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	ifpoll_free(p);
}

unsigned
ifpoll_take(struct ifpoll *p, struct ifpoll_entry *to)
{
	unsigned n = 0;

	if (pthread_mutex_trylock(&p->lock) != 0)
		return 0;
	if (p->fresh) {
		memcpy(to, p->entries, p->n * sizeof(*to));
		n = p->n;
		p->fresh = false;
	}
	pthread_mutex_unlock(&p->lock);
	return n;
}
