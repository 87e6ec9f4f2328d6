/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/late.h"

#include <stdlib.h>
#include <string.h>

bool
late_add(struct late *l, const struct class_key *stream, const struct packet_link *link,
    const struct frame *frame)
{
	struct late_packet *p;

	if (l->ring == NULL)
		l->ring = malloc(LATE_MAX * sizeof(*l->ring));
	if (l->ring == NULL || l->n == LATE_MAX)
		return false;
	p = &l->ring[(l->first + l->n++) % LATE_MAX];
	p->stream = *stream;
	p->link = link;
	p->frame = *frame;
	if (p->frame.caplen > LATE_OCTETS)
		p->frame.caplen = LATE_OCTETS;
	memcpy(p->octets, frame->octets, p->frame.caplen);
	p->frame.octets = p->octets;
	return true;
}

const struct late_packet *
late_take(struct late *l)
{
	const struct late_packet *p;

	if (l->n == 0)
		return NULL;
	p = &l->ring[l->first];
	l->first = (l->first + 1) % LATE_MAX;
	l->n--;
	return p;
}

void
late_fini(struct late *l)
{
	free(l->ring);
	*l = (struct late){ 0 };
}
