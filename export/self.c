/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/self.h"

#include <sys/socket.h>
#include <unistd.h>

#include "core/engine.h"

/* Whether `a` is an address of this host. */
static bool
address_is_ours(const struct sockaddr_storage *a, socklen_t len)
{
	struct sockaddr_storage any_port = *a;
	int fd = socket(a->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ours;

	target_port_set(&any_port, 0);
	ours = fd != -1 && bind(fd, (const struct sockaddr *)&any_port, len) == 0;
	if (fd != -1)
		close(fd);
	return ours;
}

bool
self_listens(const void *arg, const struct sockaddr_storage *a, socklen_t len)
{
	const struct engine *en = arg;
	const struct worker *w = &en->workers[0];

	if (!address_is_ours(a, len))
		return false;
	for (unsigned i = 0; i < w->n_collectors; i++) {
		struct sockaddr_storage own;
		socklen_t own_len = sizeof(own);

		if (w->collectors[i]->ops->kind != COLLECTOR_PCAP &&
		    getsockname(w->collectors[i]->fd, (struct sockaddr *)&own, &own_len) == 0 &&
		    target_port(&own) == target_port(a))
			return true;
	}
	return false;
}

const struct target *
self_find(const struct engine *en, const struct receivers *r)
{
	for (unsigned i = 0; i < r->n_pools; i++)
		for (unsigned k = 0; k < r->pools[i].n; k++) {
			const struct target *t = r->pools[i].targets[k];

			if (atomic_load(&t->fd) != -1 &&
			    self_listens(en, &target_address(t)->addr, target_address(t)->len))
				return t;
		}
	return NULL;
}
