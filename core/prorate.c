/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/prorate.h"

#include "lib/clock.h"

/* Whether [start, end) touches no more than PRORATE_BINS bins. */
static bool
bins_are_few(const struct bins *b, uint64_t start, uint64_t end)
{
	const uint64_t longest_month = 31 * 86400 * CLOCK_S;
	uint64_t length =
	    b->seconds != 0 ? b->seconds * CLOCK_S : b->months * longest_month;

	return (end - start) / length < PRORATE_BINS;
}

bool
prorate_begin(struct prorate *p, const struct bins *b, const struct flow *f)
{
	uint64_t start = f->stamp, end = f->timestamp_end;

	if (bins_are_none(b) || end <= start || !flow_stamp_is_start(f) ||
	    !bins_are_few(b, start, end))
		return false;
	p->bin = bins_find(b, start);
	if (end <= p->bin.end)
		return false;
	p->bins = b;
	p->flow = f;
	p->start = start;
	p->end = end;
	p->packets = p->bytes = p->link_bytes = 0;
	p->first = true;
	p->done = false;
	return true;
}

/*
 * What of `counter` belongs to the first `elapsed` of `total` ns: never less than to a
 * shorter time. Exact, or for counters too large to be multiplied, by times in units that
 * make `total` less than 2^32.
 */
static uint64_t
share(uint64_t counter, uint64_t elapsed, uint64_t total)
{
	uint64_t unit = total / UINT32_MAX + 1;

	if (counter <= UINT64_MAX / total)
		return counter * elapsed / total;
	elapsed /= unit;
	total /= unit;
	return counter / total * elapsed + counter % total * elapsed / total;
}

/*
 * The share of p->bin to `part`; counters are what is due by its end, less what was given.
 * Its packets were seen within the bin: that is what a row of the bin tells of them.
 */
static void
share_take(struct prorate *p, struct flow *part)
{
	const struct flow *f = p->flow;
	uint64_t total = p->end - p->start, packets = f->packets, bytes = f->bytes;
	uint64_t link_bytes = f->link_bytes;

	p->done = p->bin.end >= p->end;
	if (!p->done) {
		packets = share(f->packets, p->bin.end - p->start, total);
		bytes = share(f->bytes, p->bin.end - p->start, total);
		link_bytes = share(f->link_bytes, p->bin.end - p->start, total);
	}
	*part = *f;
	part->stamp = p->first ? f->stamp : p->bin.start;
	part->packets = packets - p->packets;
	part->bytes = bytes - p->bytes;
	part->link_bytes = link_bytes - p->link_bytes;
	part->flows = p->first ? f->flows : 0;
	if (!p->first)
		part->timestamp_min = p->bin.start;
	if (!p->done)
		part->timestamp_max = p->bin.end;
	p->packets = packets;
	p->bytes = bytes;
	p->first = false;
	if (!p->done)
		p->bin = bins_find(p->bins, p->bin.end);
}

bool
prorate_next(struct prorate *p, struct flow *part)
{
	while (!p->done) {
		share_take(p, part);
		if (part->packets == 0 && part->bytes == 0 && part->flows == 0)
			continue;
		/* Those of a share that was empty go with the next. */
		p->link_bytes += part->link_bytes;
		return true;
	}
	return false;
}
