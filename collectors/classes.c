/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/classes.h"

#include <stdlib.h>
#include <string.h>

#include "collectors/channels.h"
#include "collectors/class_engine.h"
#include "collectors/class_list.h"
#include "collectors/class_streams.h"
#include "collectors/late.h"
#include "collectors/turns.h"
#include "lib/clock.h"

#define OPEN_LIFE (60 * CLOCK_S) /* after such a pause at most engines look at a stream no more */
#define NONE      CLASS_NO_STREAM
#define SETTLED   UINT32_MAX

struct stream_row {
	struct class_key key;
	uint32_t open;     /* number of the stream; NONE: a new row; SETTLED: no more is looked at */
	uint32_t class_id; /* when settled */
	uint64_t seen;     /* time of its last packet */
};

struct classes {
	const struct class_config *config;
	const struct packet_wants *wants;
	struct pipeline *pipeline;
	struct pipeline_hook hook;
	enum flow_source source; /* of its packets */
	uint64_t idle;           /* ns: what is silent for longer is another stream afterwards, */
	uint64_t open_life;      /* and what is looked at is judged */
	uint64_t clock, last;    /* the present, and the last time that was told: clock_tell */
	struct turns turns;
	struct channels *channels; /* the configuration's; NULL: there are none */
	void *engines[CLASS_ENGINES];
	struct class_streams open; /* that engines look at */
	uint32_t noted[FLOW_BATCH]; /* by slot: the open stream that its packet is of */
	uint32_t budget;
	struct late late; /* packets for the next budget */
	struct class_member member; /* what is told of all that */
};

static struct class_stream *
stream_at(const struct classes *cs, uint32_t open)
{
	return class_stream_at(&cs->open, open);
}

bool
classes_wanted(const struct class_config *c, const struct pipeline *p)
{
	return c != NULL && c->n > 0 && field_set_has(&p->needs, F_CLASS);
}

static void
member_join(struct classes *cs)
{
	const struct class_config *c = cs->config;

	cs->member.worker = cs->pipeline->worker;
	cs->member.n = c->n;
	cs->member.streams_max = c->max_flows;
	cs->member.open_max = cs->open.max;
	for (unsigned i = 0; i < c->n; i++)
		c->ops[i]->describe(
		    cs->engines[i], cs->member.text[i], sizeof(cs->member.text[i]));
	class_list_join(c->list, &cs->member);
}

static void
member_tell(struct classes *cs)
{
	const struct turns *t = &cs->turns;

	atomic_store_explicit(&cs->member.streams, t->tables[t->current].n,
	    memory_order_relaxed);
	atomic_store_explicit(&cs->member.open, cs->open.n, memory_order_relaxed);
	atomic_store_explicit(&cs->member.late, cs->late.n, memory_order_relaxed);
}

struct classes *
classes_new(const struct class_config *c, const struct packet_wants *wants,
    struct pipeline *p, struct err *e)
{
	struct classes *cs = calloc(1, sizeof(*cs));

	if (cs == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for classes");
		return NULL;
	}
	cs->config = c;
	cs->channels = c->channels;
	cs->wants = wants;
	cs->pipeline = p;
	cs->budget = CLASSES_NO_BUDGET;
	cs->idle = c->idle_ms * (CLOCK_S / 1000);
	cs->open_life = cs->idle < OPEN_LIFE ? cs->idle : OPEN_LIFE;
	class_streams_init(&cs->open,
	    c->max_flows < CLASS_STREAMS_MAX ? c->max_flows : CLASS_STREAMS_MAX,
	    p->clear_octets);
	if (turns_init(&cs->turns, sizeof(struct class_key), sizeof(struct stream_row),
		c->max_flows, cs->idle, e) != 0) {
		free(cs);
		return NULL;
	}
	for (unsigned i = 0; i < c->n; i++)
		if ((cs->engines[i] = c->ops[i]->open(c, e)) == NULL) {
			classes_free(cs);
			return NULL;
		}
	if (c->list != NULL)
		member_join(cs);
	return cs;
}

/* `open` is of class `class_id`; what was counted of it follows. */
static void
class_set(struct classes *cs, uint32_t open, uint32_t class_id)
{
	struct class_stream *st = stream_at(cs, open);
	struct pipeline *p = cs->pipeline;

	if (class_id == st->class_id)
		return;
	st->class_id = class_id;
	for (unsigned i = 0; i < p->n; i++)
		if (cs->noted[i] == open)
			p->flows[i].class_id = class_id;
	class_streams_unsettle(&cs->open, open);
}

static struct stream_row *
row_find(struct classes *cs, const struct class_key *key)
{
	void *row = table_find(turns_current(&cs->turns), key);

	return row != NULL ? row : turns_previous(&cs->turns, key);
}

/* Nobody looks at `open` any more. */
static void
stream_close(struct classes *cs, uint32_t open)
{
	struct class_stream *st = stream_at(cs, open);

	for (unsigned i = 0; i < cs->config->n; i++)
		if (st->of[i] != NULL)
			cs->config->ops[i]->stream_free(cs->engines[i], st->of[i]);
	class_streams_close(&cs->open, open);
}

/* Engines look at no more of `open`: its class is settled. */
static void
stream_end(struct classes *cs, uint32_t open)
{
	const struct class_config *c = cs->config;
	struct class_stream *st = stream_at(cs, open);
	struct stream_row *row = row_find(cs, &st->key);
	uint32_t class_id = st->class_id;

	for (unsigned i = 0; i < c->n && class_id == 0; i++)
		if (st->of[i] != NULL && c->ops[i]->give_up != NULL)
			class_id = c->ops[i]->give_up(cs->engines[i], st->of[i]);
	class_set(cs, open, class_id);
	if (row != NULL && row->open == open) {
		row->open = SETTLED;
		row->class_id = class_id;
	}
	for (unsigned i = 0; i < cs->pipeline->n; i++)
		if (cs->noted[i] == open)
			cs->noted[i] = NONE;
	stat_add(&cs->pipeline->stats,
	    class_id != 0 ? STAT_CLASS_KNOWN : STAT_CLASS_UNKNOWN, 1);
	stream_close(cs, open);
}

/*
 * Let `row` be open, from `time` on; where there is no room, the stream that was silent for
 * longest ends.
 */
static void
stream_open(struct classes *cs, struct stream_row *row, uint64_t time)
{
	uint32_t open;

	row->class_id = 0;
	if (cs->open.n == cs->open.max) {
		stat_add(&cs->pipeline->stats, STAT_CLASS_EVICTED, 1);
		stream_end(cs, cs->open.oldest[BY_SEEN]);
	}
	open = class_streams_open(&cs->open, &row->key, time);
	stat_add(&cs->pipeline->stats, STAT_CLASS_STREAMS, 1);
	if (open == NONE) {
		row->open = SETTLED;
		stat_add(&cs->pipeline->stats, STAT_CLASS_UNKNOWN, 1);
		return;
	}
	stream_at(cs, open)->asking = (1U << cs->config->n) - 1;
	row->open = open;
}

/* Ask the engines, in their order, until one says something. Returns whether that is final. */
static bool
engines_ask(struct classes *cs, uint32_t open, const struct packet_content *content,
    uint64_t time)
{
	const struct class_config *c = cs->config;
	struct class_stream *st = stream_at(cs, open);

	for (unsigned i = 0; i < c->n; i++) {
		enum class_answer answer;
		uint32_t class_id = 0;

		if ((st->asking >> i & 1) == 0)
			continue;
		if (st->of[i] == NULL)
			st->of[i] = c->ops[i]->stream_new(cs->engines[i]);
		if (st->of[i] == NULL)
			continue;
		answer = c->ops[i]->look(cs->engines[i], st->of[i], content, time, &class_id);
		if (answer == CLASS_FINAL)
			st->asking &= ~(1U << i);
		if (class_id != 0) {
			class_set(cs, open, class_id);
			return answer == CLASS_FINAL;
		}
	}
	return st->asking == 0;
}

static uint32_t
looks_max(const struct class_config *c, uint8_t proto)
{
	return proto == 6 ? c->giveup_tcp : proto == 17 ? c->giveup_udp : c->giveup_other;
}

/*
 * Whether another stream has told the class of `open`, which is that then. It is asked for at
 * each look, as the announcement may be seen by another worker, a little later; what engines
 * have found by then counts.
 */
static bool
stream_announced(struct classes *cs, uint32_t open, uint64_t time)
{
	const struct channels *ch = cs->channels;
	struct class_stream *st = stream_at(cs, open);
	const struct class_key *key = &st->key;
	uint32_t told = ch != NULL ? channels_told(ch) : 0, class_id;

	if (st->told == told || st->class_id != 0)
		return false;
	st->told = told;
	class_id = channels_find(ch, &key->lower, key->lower_port, key->proto, time);
	if (class_id == 0)
		class_id = channels_find(ch, &key->upper, key->upper_port, key->proto, time);
	class_set(cs, open, class_id);
	return class_id != 0;
}

/* See what a packet of a stream of class `class_id` announces. */
static void
announcements_look(struct classes *cs, uint32_t class_id, const struct packet_content *content,
    uint64_t time)
{
	stat_add(&cs->pipeline->stats, STAT_CLASS_ENDS_EVICTED,
	    channels_look(cs->channels, class_id, content, time));
}

/* Look at a packet of `open`, which may then be settled. */
static void
stream_look(struct classes *cs, uint32_t open, const struct packet_link *link,
    const struct frame *frame)
{
	struct class_stream *st = stream_at(cs, open);
	struct packet_content content;
	bool final = stream_announced(cs, open, frame->time);

	st->looks++;
	if (!final && packet_content(link, frame, cs->wants, &content)) {
		final = engines_ask(cs, open, &content, frame->time);
		if (channels_come_of(cs->channels, st->class_id))
			announcements_look(cs, st->class_id, &content, frame->time);
	}
	if (final || st->looks >= looks_max(cs->config, st->key.proto))
		stream_end(cs, open);
}

/* Of what is settled there is nothing to see but what it announces. */
static __attribute__((noinline)) void
settled_look(struct classes *cs, uint32_t class_id, const struct packet_link *link,
    const struct frame *frame)
{
	struct packet_content content;

	if (packet_content(link, frame, cs->wants, &content))
		announcements_look(cs, class_id, &content, frame->time);
}

/* Whether packets of `row` tell something. */
static bool
row_tells(const struct classes *cs, const struct stream_row *row)
{
	return row->open != SETTLED || channels_come_of(cs->channels, row->class_id);
}

static void
row_look(struct classes *cs, const struct stream_row *row, const struct packet_link *link,
    const struct frame *frame)
{
	if (cs->budget != CLASSES_NO_BUDGET)
		cs->budget--;
	if (row->open == SETTLED)
		settled_look(cs, row->class_id, link, frame);
	else
		stream_look(cs, row->open, link, frame);
}

/* Look at a packet of `row`, or keep it for the next budget. */
static void
row_look_or_wait(struct classes *cs, const struct stream_row *row,
    const struct packet_link *link, const struct frame *frame)
{
	bool kept;

	if (cs->budget > 0 && cs->late.n == 0) {
		row_look(cs, row, link, frame);
		return;
	}
	kept = late_add(&cs->late, &row->key, link, frame);
	stat_add(&cs->pipeline->stats, kept ? STAT_CLASS_LATE : STAT_CLASS_UNSEEN, 1);
}

void
classes_budget(struct classes *cs, uint32_t looks)
{
	const struct late_packet *l;

	cs->budget = looks;
	while (cs->budget > 0 && (l = late_take(&cs->late)) != NULL) {
		const struct stream_row *row = row_find(cs, &l->stream);

		if (row != NULL && row_tells(cs, row))
			row_look(cs, row, l->link, &l->frame);
	}
}

static void
key_fill(struct class_key *key, const struct flow *f)
{
	int order = memcmp(&f->src_host, &f->dst_host, sizeof(f->src_host));
	bool source_first = order != 0 ? order < 0 : f->src_port < f->dst_port;

	memset(key, 0, sizeof(*key));
	key->lower = source_first ? f->src_host : f->dst_host;
	key->upper = source_first ? f->dst_host : f->src_host;
	key->lower_port = source_first ? f->src_port : f->dst_port;
	key->upper_port = source_first ? f->dst_port : f->src_port;
	key->proto = f->proto;
}

/* Times may step back, too: a little (packets out of order) or a lot (another capture). */
static bool
within(uint64_t a, uint64_t b, uint64_t distance)
{
	return (a > b ? a - b : b - a) <= distance;
}

/*
 * It is `time`, says a packet, or whoever knows that there is none. One time stamp far off
 * those around it carries the clock nowhere: the present is the middle one of what was the
 * present, the last time and this one. What was not seen for a lifetime is forgotten then, before
 * anything of this time is looked for.
 */
static void
clock_tell(struct classes *cs, uint64_t time)
{
	uint64_t low = cs->clock < cs->last ? cs->clock : cs->last;
	uint64_t high = cs->clock < cs->last ? cs->last : cs->clock;

	if (time == cs->last)
		return;
	cs->clock = time < low ? low : time > high ? high : time;
	cs->last = time;
	if (!within(cs->clock, cs->turns.swapped, cs->idle))
		(void)turns_swap(&cs->turns, cs->clock);
}

/*
 * A packet of `row` is here, at `time`. What was silent is over, however long it was until that
 * was looked at.
 */
static void
row_wake(struct classes *cs, struct stream_row *row, uint64_t time)
{
	if (row->open != NONE && row->open != SETTLED &&
	    !within(row->seen, time, cs->open_life))
		stream_end(cs, row->open);
	if (row->open == NONE || (row->open == SETTLED && !within(row->seen, time, cs->idle))) {
		stream_open(cs, row, time);
		row->seen = time;
	} else if (time > row->seen) {
		row->seen = time;
	}
}

/* The row of the stream of `f`, at `time`, new or not; NULL: there is no room for it. */
static struct stream_row *
row_of(struct classes *cs, const struct flow *f, uint64_t time)
{
	struct class_key key;
	struct stream_row *row, *previous;
	uint8_t *found;

	key_fill(&key, f);
	if (table_upsert(turns_current(&cs->turns), &key, 1, &found) != 0) {
		row = turns_previous(&cs->turns, &key);
	} else {
		row = (void *)found;
		previous = row->open == NONE ? turns_previous(&cs->turns, &key) : NULL;
		if (previous != NULL)
			*row = *previous;
	}
	if (row != NULL)
		row_wake(cs, row, time);
	return row;
}

static void
batch_keep(void *arg)
{
	struct classes *cs = arg;
	struct pipeline *p = cs->pipeline;

	for (unsigned i = 0; i < p->n; i++) {
		uint32_t open = cs->noted[i];

		cs->noted[i] = NONE;
		if (open != NONE && !class_streams_keep(&cs->open, open, p, i))
			stat_add(&p->stats, STAT_CLASS_FIXED, 1);
	}
}

/* What became known of records that were fed. */
static void
batch_settle(void *arg)
{
	struct classes *cs = arg;

	class_streams_settle(&cs->open, cs->pipeline, cs->source);
}

/* The first packet is here, at `time`. */
static void
classes_begin(struct classes *cs, uint64_t time)
{
	cs->clock = cs->last = cs->turns.swapped = time;
	cs->source = cs->pipeline->source;
	cs->hook = (struct pipeline_hook){ .before = batch_keep, .after = batch_settle,
	    .arg = cs };
	pipeline_hook(cs->pipeline, &cs->hook);
}

void
classes_take(struct classes *cs, const struct packet_link *link,
    const struct frame *frame, struct flow *f)
{
	unsigned slot = cs->pipeline->n;
	struct stream_row *row;

	if (f->class_id != 0 || (ip_is_none(&f->src_host) && ip_is_none(&f->dst_host)))
		return; /* the exporter has told; or it is not IP */
	if (cs->hook.arg == NULL)
		classes_begin(cs, frame->time);
	clock_tell(cs, frame->time);
	if ((row = row_of(cs, f, frame->time)) == NULL) {
		stat_add(&cs->pipeline->stats, STAT_CLASS_REFUSED, 1);
		return;
	}
	if (row->open != SETTLED)
		class_streams_touch(&cs->open, row->open, frame->time);
	if (row_tells(cs, row))
		row_look_or_wait(cs, row, link, frame);
	if (row->open == SETTLED) {
		f->class_id = row->class_id;
		return;
	}
	f->class_id = stream_at(cs, row->open)->class_id;
	cs->noted[slot] = row->open;
}

uint64_t
classes_age(struct classes *cs, uint64_t now)
{
	member_tell(cs);
	if (cs->hook.arg == NULL)
		return 0;
	clock_tell(cs, now);
	for (uint32_t n = 0;
	    n < cs->config->idle_budget && cs->open.oldest[BY_SEEN] != NONE; n++) {
		if (within(stream_at(cs, cs->open.oldest[BY_SEEN])->seen, cs->clock,
		    cs->open_life))
			break;
		stream_end(cs, cs->open.oldest[BY_SEEN]);
	}
	return cs->open.oldest[BY_BIRTH] != NONE
	    ? stream_at(cs, cs->open.oldest[BY_BIRTH])->first : 0;
}

void
classes_finish(struct classes *cs)
{
	classes_budget(cs, CLASSES_NO_BUDGET);
	while (cs->open.oldest[BY_SEEN] != NONE)
		stream_end(cs, cs->open.oldest[BY_SEEN]);
	pipeline_flush(cs->pipeline);
	member_tell(cs);
}

void
classes_free(struct classes *cs)
{
	if (cs == NULL)
		return;
	if (cs->config->list != NULL)
		class_list_leave(cs->config->list, &cs->member);
	while (cs->open.oldest[BY_SEEN] != NONE)
		stream_close(cs, cs->open.oldest[BY_SEEN]);
	for (unsigned i = 0; i < cs->config->n; i++)
		if (cs->engines[i] != NULL)
			cs->config->ops[i]->close(cs->engines[i]);
	class_streams_fini(&cs->open);
	turns_fini(&cs->turns);
	late_fini(&cs->late);
	free(cs);
}
