/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "bench/gen_wire.h"

#include "bench/gen.h"
#include "bench/gen_frame.h"
#include "bench/gen_pace.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 64

struct wire {
	int fd;
	struct pace pace;
	unsigned n;  /* frames that wait */
	struct mmsghdr messages[BATCH];
	struct iovec vectors[BATCH];
	uint8_t octets[BATCH][FRAME_MAX];
};

struct wire *
wire_new(const char *interface, uint64_t rate)
{
	struct wire *w = die_calloc(1, sizeof(*w));
	struct sockaddr_ll to = { .sll_family = AF_PACKET };

	w->pace = pace_of(rate);
	for (unsigned i = 0; i < BATCH; i++) {
		w->vectors[i].iov_base = w->octets[i];
		w->messages[i].msg_hdr.msg_iov = &w->vectors[i];
		w->messages[i].msg_hdr.msg_iovlen = 1;
	}
	to.sll_ifindex = (int)if_nametoindex(interface);
	w->fd = socket(AF_PACKET, SOCK_RAW, 0);  /* no protocol: receives nothing */
	if (to.sll_ifindex == 0 || w->fd < 0 ||
	    bind(w->fd, (const void *)&to, sizeof(to)) != 0)
		die("--interface %s: %s", interface, strerror(errno));
	return w;
}

/* Send what waits; where there is no room for a frame, it is tried again. */
static void
wire_flush(struct wire *w)
{
	for (unsigned done = 0; done < w->n;) {
		int n = sendmmsg(w->fd, w->messages + done, w->n - done, 0);

		if (n < 0 && errno != EINTR && errno != ENOBUFS && errno != EAGAIN)
			die("interface: %s", strerror(errno));
		done += n > 0 ? (unsigned)n : 0;
	}
	w->n = 0;
}

void
wire_free(struct wire *w)
{
	if (w == NULL)
		return;
	wire_flush(w);
	close(w->fd);
	free(w);
}

void
wire_send(struct wire *w, const uint8_t *frame, uint32_t octets)
{
	if (w->n == BATCH || pace_due(&w->pace))
		wire_flush(w);
	if (pace_due(&w->pace))
		pace_wait(&w->pace);
	memcpy(w->octets[w->n], frame, octets);
	w->vectors[w->n++].iov_len = octets;
	w->pace.sent++;
}
