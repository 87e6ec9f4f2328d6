/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/fanout.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

#ifndef PACKET_FANOUT_FLAG_UNIQUEID
#define PACKET_FANOUT_FLAG_UNIQUEID 0x2000 /* since Linux 4.12 */
#endif

struct fanout {
	pthread_mutex_t lock;
	unsigned members; /* joined and not yet left, of this generation */
	int device; /* the kernel's number of the interface, 0: all of them */
	uint32_t id; /* of the kernel's group */
	uint32_t generation; /* counts the groups; 0 is none */
};

struct fanout *
fanout_new(void)
{
	struct fanout *g = calloc(1, sizeof(*g));

	if (g != NULL)
		pthread_mutex_init(&g->lock, NULL);
	return g;
}

void
fanout_free(struct fanout *g)
{
	if (g == NULL)
		return;
	pthread_mutex_destroy(&g->lock);
	free(g);
}

/* The kernel's number of the interface that `fd` is bound to; -1 with errno. */
static int
socket_device(int fd)
{
	struct sockaddr_ll a;
	socklen_t len = sizeof(a);

	return getsockname(fd, (void *)&a, &len) == 0 ? a.sll_ifindex : -1;
}

/* Join group `id`; with flags that ask for a new one it is 0. */
static bool
group_join(int fd, uint32_t id, uint32_t flags)
{
	uint32_t arg = id | (PACKET_FANOUT_HASH | flags) << 16;

	return setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &arg, sizeof(arg)) == 0;
}

static bool
group_found(struct fanout *g, int fd, int device)
{
	uint32_t arg = 0;
	socklen_t len = sizeof(arg);

	if (!group_join(fd, 0, PACKET_FANOUT_FLAG_UNIQUEID) ||
	    getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &arg, &len) != 0)
		return false;
	g->id = arg & 0xffff;
	g->device = device;
	g->members = 0;
	g->generation += g->generation == UINT32_MAX ? 2 : 1;
	return true;
}

uint32_t
fanout_join(struct fanout *g, int fd)
{
	int device = socket_device(fd);
	uint32_t generation = 0;
	bool joined;

	if (device < 0)
		return 0;
	pthread_mutex_lock(&g->lock);
	if (g->members == 0 || g->device != device)
		joined = group_found(g, fd, device);
	else
		joined = group_join(fd, g->id, 0);
	if (joined) {
		g->members++;
		generation = g->generation;
	}
	pthread_mutex_unlock(&g->lock);
	return generation;
}

void
fanout_leave(struct fanout *g, uint32_t generation)
{
	pthread_mutex_lock(&g->lock);
	if (generation != 0 && generation == g->generation)
		g->members--;
	pthread_mutex_unlock(&g->lock);
}
