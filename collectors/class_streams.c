/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/class_streams.h"

#include <string.h>

#define ENDED_MAX 4096U /* streams that are closed, and whose records wait to move */
#define KEPT_MAX  (8 * CLASS_STREAMS_MAX) /* records that may still move */
#define NONE      CLASS_NO_STREAM

/* A record that was fed, as it was counted: as much of a struct flow as anybody reads. */
struct record {
	uint64_t batch; /* that it was counted with */
	uint64_t lost;  /* views that do not have it as it is: pipeline_move */
	uint32_t next;
	uint64_t flow[];
};

void
class_streams_init(struct class_streams *s, uint32_t max, size_t flow_octets)
{
	memset(s, 0, sizeof(*s));
	s->max = max;
	s->flow_octets = flow_octets;
	chunks_init(&s->streams, sizeof(struct class_stream), max + ENDED_MAX);
	chunks_init(&s->records, sizeof(struct record) + flow_octets, KEPT_MAX);
}

void
class_streams_fini(struct class_streams *s)
{
	chunks_fini(&s->streams);
	chunks_fini(&s->records);
}

static struct flow *
record_flow(struct record *r)
{
	return (struct flow *)(void *)r->flow;
}

/* It is in no list any more. */
static void
stream_give(struct class_streams *s, uint32_t no)
{
	struct class_stream *st = class_stream_at(s, no);

	for (uint32_t at = st->kept, next; at != NONE; at = next) {
		next = ((struct record *)chunks_at(&s->records, at))->next;
		chunks_give(&s->records, at);
	}
	chunks_give(&s->streams, no);
}

static void
stream_link(struct class_streams *s, uint32_t no, enum class_order by)
{
	struct class_stream *st = class_stream_at(s, no);

	st->older[by] = s->newest[by];
	st->newer[by] = NONE;
	if (s->newest[by] != NONE)
		class_stream_at(s, s->newest[by])->newer[by] = no;
	else
		s->oldest[by] = no;
	s->newest[by] = no;
}

static void
stream_unlink(struct class_streams *s, uint32_t no, enum class_order by)
{
	struct class_stream *st = class_stream_at(s, no);

	if (st->older[by] != NONE)
		class_stream_at(s, st->older[by])->newer[by] = st->newer[by];
	else
		s->oldest[by] = st->newer[by];
	if (st->newer[by] != NONE)
		class_stream_at(s, st->newer[by])->older[by] = st->older[by];
	else
		s->newest[by] = st->older[by];
}

uint32_t
class_streams_open(struct class_streams *s, const struct class_key *key, uint64_t time)
{
	uint32_t no = chunks_take(&s->streams);
	struct class_stream *st;

	if (no == NONE)
		return NONE;
	st = class_stream_at(s, no);
	st->key = *key;
	st->first = st->seen = time;
	stream_link(s, no, BY_SEEN);
	stream_link(s, no, BY_BIRTH);
	s->n++;
	return no;
}

void
class_streams_touch(struct class_streams *s, uint32_t no, uint64_t time)
{
	class_stream_at(s, no)->seen = time;
	if (s->newest[BY_SEEN] == no)
		return;
	stream_unlink(s, no, BY_SEEN);
	stream_link(s, no, BY_SEEN);
}

void
class_streams_close(struct class_streams *s, uint32_t no)
{
	stream_unlink(s, no, BY_SEEN);
	stream_unlink(s, no, BY_BIRTH);
	s->n--;
	if (class_stream_at(s, no)->unsettled)
		class_stream_at(s, no)->ended = true;
	else
		stream_give(s, no);
}

bool
class_streams_keep(struct class_streams *s, uint32_t no, struct pipeline *p, unsigned slot)
{
	struct class_stream *st = class_stream_at(s, no);
	uint32_t at = chunks_take(&s->records);
	struct record *r;

	if (at == NONE)
		return false;
	r = chunks_at(&s->records, at);
	r->batch = p->batches;
	memcpy(r->flow, &p->flows[slot], s->flow_octets);
	r->next = st->kept;
	st->kept = at;
	pipeline_keep(p, slot, &r->lost);
	return true;
}

void
class_streams_unsettle(struct class_streams *s, uint32_t no)
{
	struct class_stream *st = class_stream_at(s, no);

	if (st->kept == NONE || st->unsettled)
		return;
	st->unsettled = true;
	st->next = s->unsettled;
	s->unsettled = no;
}

/* Move the records of `st` that are not of its class. */
static void
stream_settle(const struct class_streams *s, const struct class_stream *st, struct pipeline *p,
    enum flow_source source)
{
	for (uint32_t at = st->kept; at != NONE;) {
		struct record *r = chunks_at(&s->records, at);
		struct flow *f = record_flow(r);

		if (f->class_id != st->class_id)
			pipeline_move(p, source, f, r->batch, st->class_id, &r->lost);
		f->class_id = st->class_id;
		at = r->next;
	}
}

void
class_streams_settle(struct class_streams *s, struct pipeline *p, enum flow_source source)
{
	if (s->unsettled == NONE)
		return;
	for (uint32_t no = s->unsettled; no != NONE; no = class_stream_at(s, no)->next)
		stream_settle(s, class_stream_at(s, no), p, source);
	pipeline_moves_run(p, source); /* the last that sees their records */
	while (s->unsettled != NONE) {
		uint32_t no = s->unsettled;
		struct class_stream *st = class_stream_at(s, no);

		s->unsettled = st->next;
		st->unsettled = false;
		if (st->ended)
			stream_give(s, no);
	}
}
