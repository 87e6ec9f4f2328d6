/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/output.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/collector.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/thread.h"

/* Snapshots that may wait. More would only hold memory: rows that find no room in the
 * queue wait in the view, merged. */
#define QUEUE_LENGTH 2U

struct output_queue {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct snapshot *waiting[QUEUE_LENGTH];
	unsigned n;
	bool stop;
};

#define AT(member) offsetof(struct output_config, member)
static const struct directive output_rows[] = {
	{ .name = "aggregate", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(aggregate),
	    .doc = "Comma list of primitives that make a row, or 'none' for one grand total. "
	           "Without it: src_host; of nfprobe src_host, dst_host, src_port, "
	           "dst_port, proto, tos, tcpflags, in_iface, out_iface." },
	{ .name = "sql_history", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(history),
	    .doc = "Length of the time bins that rows are divided into: N[s|m|h|d|w|M]. None: "
	           "rows have no time." },
	{ .name = "print_history", .alias_of = "sql_history" },
	{ .name = "sql_history_roundoff", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(history_roundoff),
	    .doc = "Round the start of the bins off: letters of m h d w M (local time)." },
	{ .name = "print_history_roundoff", .alias_of = "sql_history_roundoff" },
	{ .name = "sql_history_offset", .type = DIRECTIVE_SECONDS, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(history_offset), .max = 31 * 86400, .unit = "s",
	    .doc = "Have every bin begin this much earlier." },
	{ .name = "print_history_offset", .alias_of = "sql_history_offset" },
	{ .name = "sql_refresh_time", .type = DIRECTIVE_SECONDS, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(refresh), .min = 1, .max = 86400 * 7, .def = "60", .unit = "s",
	    .doc = "How often rows are written." },
	{ .name = "print_refresh_time", .alias_of = "sql_refresh_time" },
	{ .name = "sql_startup_delay", .type = DIRECTIVE_SECONDS, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(startup_delay), .unit = "s", .doc = "Shift the times of writing." },
	{ .name = "print_startup_delay", .alias_of = "sql_startup_delay" },
	{ .name = "nfacctd_pro_rating", .type = DIRECTIVE_BOOL, .offset = AT(pro_rating),
	    .def = "false",
	    .doc = "Divide the packets and bytes of flows among the time bins that they span, "
	           "by the time in each. A flow is counted in the bin of its start." },
	{ .name = "sampling_rate", .type = DIRECTIVE_U32, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(sampling_rate), .min = 1, .max = SIEVE_RATE_MAX, .def = "1",
	    .doc = "Count one packet in N, taken at random; of flow records as many of their "
	           "packets as the sample meets. With *_renormalize what is taken counts N "
	           "times; without it, sampling_rate shows N." },
	{ .name = "sfprobe_sampling_rate", .alias_of = "sampling_rate" },
	{ .name = "nfacctd_stitching", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(stitching), .def = "false",
	    .doc = "Write timestamp_min and timestamp_max, between which all packets of a row "
	           "were seen; of flows that nfacctd_pro_rating divides, as far as the bin "
	           "goes. Not for plugins that show running totals." },
	{ .name = "sfacctd_stitching", .alias_of = "nfacctd_stitching" },
	{ .name = "pmacctd_stitching", .alias_of = "nfacctd_stitching" },
	{ .name = "sql_num_protos", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(text.num_protos), .def = "false",
	    .doc = "Write IP protocols as numbers, not names." },
	{ .name = "print_num_protos", .alias_of = "sql_num_protos" },
	{ .name = "timestamps_since_epoch", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(text.since_epoch), .def = "false",
	    .doc = "Write times as seconds since 1970." },
	{ .name = "sql_history_since_epoch", .alias_of = "timestamps_since_epoch" },
	{ .name = "timestamps_secs", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(text.secs), .def = "false", .doc = "Write times without a fraction." },
	{ .name = "timestamps_utc", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(text.utc), .def = "false",
	    .doc = "Write times in UTC, not local time." },
	{ .name = "timestamps_rfc3339", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(text.rfc3339), .def = "false",
	    .doc = "Write times with 'T' and zone, as RFC 3339 has them; databases get "
	           "theirs." },
	{ .name = "timestamps_rfc9557", .alias_of = "timestamps_rfc3339" },
	{ .name = "tcpflags_encode_as_array", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(text.flags_array), .def = "false",
	    .doc = "In JSON, write TCP flags as an array of the names of those that are set." },
	{ .name = "fwd_status_encode_as_string", .type = DIRECTIVE_BOOL,
	    .scope = DIRECTIVE_PLUGIN, .offset = AT(text.status_names), .def = "false",
	    .doc = "In text and JSON, write the forwarding status in words." },
	{ .name = "pre_tag_label_encode_as_map", .type = DIRECTIVE_BOOL,
	    .scope = DIRECTIVE_PLUGIN, .offset = AT(text.label_map), .def = "false",
	    .doc = "In JSON, write a label like key%value,other%value as an object; of "
	           "keys that stand twice the last counts, and one without a % has an "
	           "empty value." },
	{ .name = "mpls_label_stack_encode_as_array", .type = DIRECTIVE_BOOL,
	    .scope = DIRECTIVE_PLUGIN, .offset = AT(text.labels_array), .def = "false",
	    .doc = "In JSON, write a stack of MPLS labels as an array of position-label." },
	{ .name = NULL },
};
#undef AT

const struct directive_set output_directives = {
	"output", output_rows, sizeof(struct output_config)
};

struct output *
output_new(const struct output_ops *ops, const char *name,
    const struct output_config *common, const void *config)
{
	struct output *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->ops = ops;
	snprintf(o->name, sizeof(o->name), "%s", name);
	o->config = config;
	o->common = *common;
	pthread_mutex_init(&o->lock, NULL);
	o->limit = (struct log_limit){ .burst = 5, .every_ns = 60 * CLOCK_S };
	return o;
}

void
output_close(struct output *o)
{
	if (o->priv != NULL)
		o->ops->close(o);
	o->priv = NULL;
}

void
output_free(struct output *o)
{
	output_close(o);
	pthread_mutex_destroy(&o->lock);
	free(o->feeds);
	free(o);
}

static int
by_id(const void *a, const void *b)
{
	const uint16_t *x = a, *y = b;

	return (int)fields[*x].id - (int)fields[*y].id;
}

static void
columns_fill(struct output *o)
{
	struct field_set shown = o->fields;

	field_set_add(&shown, F_PACKETS);
	field_set_add(&shown, F_BYTES);
	o->n_columns = 0;
	for (uint16_t i = 0; i < FIELD_COUNT; i++)
		if (field_set_has(&shown, i))
			o->columns[o->n_columns++] = i;
	qsort(o->columns, o->n_columns, sizeof(o->columns[0]), by_id);
}

int
output_plan(struct output *o, struct view_config *vc, struct err *e)
{
	const struct output_config *c = &o->common;
	int rc;

	memset(vc, 0, sizeof(*vc));
	rc = field_set_parse(c->aggregate != NULL ? c->aggregate : "src_host", &o->fields, e);
	if (rc != 0)
		return rc;
	if (c->history != NULL && (rc = bins_parse_history(c->history, &vc->bins, e)) != 0)
		return rc;
	if (c->history_roundoff != NULL &&
	    (rc = bins_parse_roundoff(c->history_roundoff, &vc->bins, e)) != 0)
		return rc;
	vc->bins.offset_s = c->history_offset;
	if (vc->bins.seconds != 0 && vc->bins.offset_s >= vc->bins.seconds)
		return err_set(e, WEIR_EINVAL,
		    "sql_history_offset: it must be shorter than sql_history, %" PRIu32 " s",
		    vc->bins.seconds);
	vc->sampling_rate = c->sampling_rate > 1 ? c->sampling_rate : 0;
	if (o->ops->wants == OUTPUT_SNAPSHOTS) {
		vc->refresh_s = c->refresh;
		vc->delay_s = c->startup_delay;
		vc->pro_rating = c->pro_rating;
		if (c->stitching) {
			field_set_add(&o->fields, F_TIMESTAMP_MIN);
			field_set_add(&o->fields, F_TIMESTAMP_MAX);
		}
	} else {
		memset(&vc->bins, 0, sizeof(vc->bins));
	}
	if (o->ops->plan != NULL && (rc = o->ops->plan(o, vc, e)) != 0)
		return rc;
	columns_fill(o);
	for (uint16_t i = 0; i < FIELD_COUNT; i++)
		if (fields[i].merge != FIELD_SUM && field_set_has(&o->fields, i))
			field_set_add(&vc->aggregate, i);
	return 0;
}

void
output_count(struct output *o, const struct output_result *r)
{
	output_account(o, r, 0);
}

void
output_account(struct output *o, const struct output_result *r, uint64_t unspooled)
{
	pthread_mutex_lock(&o->lock); /* the four belong together */
	counter_add(&o->rows, r->rows);
	counter_add(&o->written, r->written);
	counter_add(&o->spooled, r->spooled - unspooled);
	counter_add(&o->refused, r->refused);
	counter_add(&o->lost, r->lost);
	pthread_mutex_unlock(&o->lock);
}

void
output_works(struct output *o)
{
	uint64_t now = clock_real(), faults, seconds;
	bool told;

	atomic_store(&o->last_success, now);
	if (atomic_exchange(&o->state, OUTPUT_OK) != OUTPUT_FAILING)
		return;
	pthread_mutex_lock(&o->lock);
	told = o->told;
	faults = o->failing;
	seconds = now > o->failing_at ? (now - o->failing_at) / CLOCK_S : 0;
	o->told = false;
	o->failing = 0;
	pthread_mutex_unlock(&o->lock);
	if (told && faults > 1)
		log_info("%s %s: works again; it failed %" PRIu64 " times in %" PRIu64 " s",
		    o->ops->type, o->name, faults, seconds);
	else if (told)
		log_info("%s %s: works again", o->ops->type, o->name);
}

/* Note what has failed. Under the lock. */
static void
failure_note(struct output *o, const struct err *e)
{
	atomic_fetch_add(&o->errors, 1);
	snprintf(o->failure, sizeof(o->failure), "%s", e->text);
	o->failed_at = clock_real();
	if (o->failing++ == 0)
		o->failing_at = o->failed_at;
}

/* Whether to say so: not what was said already. Under the lock. */
static bool
failure_is_news(struct output *o, const struct err *e)
{
	if (o->told && strcmp(o->said, e->text) == 0)
		return false;
	if (log_limit_spent(&o->limit))
		return false;
	o->limit.used++;
	o->told = true;
	snprintf(o->said, sizeof(o->said), "%s", e->text);
	return true;
}

uint64_t
output_failure(struct output *o, char *buf, size_t room)
{
	uint64_t at;

	pthread_mutex_lock(&o->lock);
	snprintf(buf, room, "%s", o->failure);
	at = o->failed_at;
	pthread_mutex_unlock(&o->lock);
	return at;
}

void
output_fails(struct output *o, const struct err *e)
{
	bool news;

	pthread_mutex_lock(&o->lock);
	atomic_store(&o->state, OUTPUT_FAILING);
	failure_note(o, e);
	news = failure_is_news(o, e);
	pthread_mutex_unlock(&o->lock);
	if (news)
		log_err("%s %s: %s", o->ops->type, o->name, e->text);
}

void
output_failed(struct output *o, const struct err *e)
{
	pthread_mutex_lock(&o->lock);
	atomic_store(&o->state, OUTPUT_FAILING);
	failure_note(o, e);
	pthread_mutex_unlock(&o->lock);
}

void
output_stalls(struct output *o, const struct err *e)
{
	bool stalled = atomic_exchange(&o->stalled, e != NULL);

	if (e == NULL) {
		if (stalled)
			log_info("%s %s: takes rows again", o->ops->type, o->name);
		return;
	}
	pthread_mutex_lock(&o->lock);
	failure_note(o, e);
	o->told = true;
	pthread_mutex_unlock(&o->lock);
	atomic_store(&o->state, OUTPUT_FAILING);
	if (!stalled)
		log_err("%s %s: %s: rows stay in memory", o->ops->type, o->name, e->text);
}

/* Write one snapshot, and keep the books of it. */
static void
output_write(struct output *o, struct snapshot *s)
{
	struct output_result r = { 0 };
	struct err e = ERR_INIT;
	int rc = o->ops->write(o, s, &r, &e);

	if (o->ops->spools)
		return;
	output_account(o, &r, 0);
	if (rc != 0)
		output_fails(o, &e);
	else if (!r.idle || atomic_load(&o->state) != OUTPUT_FAILING)
		output_works(o);
}

static void *
output_main(void *arg)
{
	struct output *o = arg;
	struct output_queue *q = o->queue;

	for (;;) {
		struct snapshot *s;

		pthread_mutex_lock(&q->lock);
		while (q->n == 0 && !q->stop)
			pthread_cond_wait(&q->changed, &q->lock);
		if (q->n == 0) {
			pthread_mutex_unlock(&q->lock);
			return NULL;
		}
		s = q->waiting[0];
		pthread_mutex_unlock(&q->lock);

		/* It stays in the queue while it is written: the bound counts it. */
		output_write(o, s);

		pthread_mutex_lock(&q->lock);
		memmove(q->waiting, q->waiting + 1, --q->n * sizeof(q->waiting[0]));
		atomic_store(&o->queued, q->n);
		pthread_cond_broadcast(&q->changed);
		pthread_mutex_unlock(&q->lock);
		snapshot_unref(s);
	}
}

int
output_start(struct output *o, struct err *e)
{
	char name[24];
	int rc;

	if (o->ops->wants != OUTPUT_SNAPSHOTS)
		return 0;
	o->queue = calloc(1, sizeof(*o->queue));
	if (o->queue == NULL)
		return err_set(e, WEIR_ENOMEM, "%s: no memory", o->name);
	pthread_mutex_init(&o->queue->lock, NULL);
	pthread_cond_init(&o->queue->changed, NULL);
	snprintf(name, sizeof(name), "weir-%.10s", o->name);
	rc = o->ops->start != NULL ? o->ops->start(o, e) : 0;
	if (rc == 0)
		rc = thread_start(&o->queue->thread, name, output_main, o, e);
	if (rc != 0) {
		free(o->queue);
		o->queue = NULL;
	}
	return rc;
}

void
output_hurry(struct output *o)
{
	if (o->queue != NULL && o->ops->hurry != NULL)
		o->ops->hurry(o);
}

void
output_stop(struct output *o)
{
	struct output_queue *q = o->queue;

	if (q == NULL)
		return;
	output_hurry(o);
	pthread_mutex_lock(&q->lock);
	q->stop = true;
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
	pthread_join(q->thread, NULL);
	pthread_mutex_destroy(&q->lock);
	pthread_cond_destroy(&q->changed);
	free(q);
	o->queue = NULL;
}

bool
output_has_room(const struct output *o)
{
	struct output_queue *q = o->queue;
	bool room;

	if (q == NULL)
		return true;
	pthread_mutex_lock(&q->lock);
	room = q->n < QUEUE_LENGTH && !atomic_load(&o->stalled);
	pthread_mutex_unlock(&q->lock);
	return room;
}

void
output_push(struct output *o, struct snapshot *s)
{
	struct output_queue *q = o->queue;

	if (q == NULL) { /* not started: tests */
		output_write(o, s);
		return;
	}
	pthread_mutex_lock(&q->lock);
	while (q->n == QUEUE_LENGTH)
		pthread_cond_wait(&q->changed, &q->lock);
	q->waiting[q->n++] = snapshot_ref(s);
	atomic_store(&o->queued, q->n);
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
}
