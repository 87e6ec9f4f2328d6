/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/dress.h"

#include <stdlib.h>
#include <string.h>

int
dress_ifindex_read(struct dress *d, const char *directive, const char *text, struct err *e)
{
	unsigned long long n;
	char *end;

	d->by_tag = strcmp(text, "tag") == 0;
	d->by_tag2 = strcmp(text, "tag2") == 0;
	if (d->by_tag || d->by_tag2)
		return 0;
	n = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || n > UINT32_MAX)
		return err_set(e, WEIR_EINVAL,
		    "%s: '%.40s' is no interface; write its number, 'tag' or 'tag2'",
		    directive, text);
	d->ifindex = (uint32_t)n;
	return 0;
}

static bool
is_directed(const struct dress *d)
{
	return d->direction != DRESS_NONE || d->ifindex != 0 || d->by_tag || d->by_tag2;
}

bool
dress_is_wanted(const struct dress *d)
{
	return is_directed(d) || d->peer_as;
}

void
dress_reads(const struct dress *d, struct field_set *reads)
{
	if (d->by_tag || d->direction == DRESS_TAG)
		field_set_add(reads, F_TAG);
	if (d->by_tag2 || d->direction == DRESS_TAG2)
		field_set_add(reads, F_TAG2);
	if (is_directed(d))
		field_set_add(reads, F_SAMPLING_DIRECTION);
	if (d->peer_as) {
		field_set_add(reads, F_PEER_SRC_AS);
		field_set_add(reads, F_PEER_DST_AS);
	}
}

static uint8_t
direction_of(const struct dress *d, const struct flow *f)
{
	uint64_t tag = d->direction == DRESS_TAG ? f->tag : f->tag2;

	if (d->direction == DRESS_IN || (d->direction >= DRESS_TAG && tag == 1))
		return DIRECTION_IN;
	if (d->direction == DRESS_OUT || (d->direction >= DRESS_TAG && tag == 2))
		return DIRECTION_OUT;
	return f->sampling_direction;
}

void
dress_flow(const struct dress *d, struct flow *f)
{
	uint64_t ifindex = d->by_tag ? f->tag : d->by_tag2 ? f->tag2 : d->ifindex;
	uint32_t *at;

	if (d->peer_as) {
		f->src_as = f->peer_src_as;
		f->dst_as = f->peer_dst_as;
	}
	if (!is_directed(d))
		return;
	f->sampling_direction = direction_of(d, f);
	at = f->sampling_direction == DIRECTION_OUT ? &f->out_iface : &f->in_iface;
	if (ifindex != 0 && ifindex <= UINT32_MAX && (*at == 0 || d->overrides))
		*at = (uint32_t)ifindex;
}
