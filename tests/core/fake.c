/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/books.h"
#include "lib/clock.h"
#include "lib/intern.h"
#include "tests/core/fake.h"

struct fake_instance {
	struct traffic traffic;
	uint64_t left;
};

static int
fake_open(struct collector *c, struct err *e)
{
	const struct fake_in *in = c->config;
	struct fake_instance *i = calloc(1, sizeof(*i));

	if (i == NULL)
		return err_set(e, WEIR_ENOMEM, "no memory");
	i->traffic =
	    (struct traffic){ in->seed + c->pipeline->worker, in->keys, in->bins };
	i->left = in->flows;
	c->priv = i;
	return 0;
}

static enum collector_state
fake_read(struct collector *c)
{
	const struct fake_in *in = c->config;
	struct fake_instance *i = c->priv;

	for (unsigned k = 0; k < in->piece && i->left > 0; k++, i->left--) {
		traffic_flow(&i->traffic, pipeline_slot(c->pipeline));
		pipeline_commit(c->pipeline);
		stat_add(&c->pipeline->stats, STAT_RECORDS, 1);
		stat_add(&c->pipeline->stats, STAT_RECORDS_FED, 1);
		counter_add(&c->units, 1);
	}
	if (in->pause_ms > 0)
		nanosleep(&(struct timespec){ 0, in->pause_ms * 1000000L }, NULL);
	return i->left > 0 ? COLLECTOR_BUSY : COLLECTOR_DONE;
}

static void
fake_close(struct collector *c)
{
	free(c->priv);
	c->priv = NULL;
}

const struct collector_ops fake_collector = {
	.name = "fake",
	.kind = COLLECTOR_NETFLOW,
	.open = fake_open,
	.read = fake_read,
	.close = fake_close,
};

/* A test's own, which o->config only borrows. */
static struct fake_out *
fake_of(const struct output *o)
{
	struct fake_out *out;

	memcpy(&out, &o->config, sizeof(out));
	return out;
}

static int
fake_plan(struct output *o, struct view_config *vc, struct err *e)
{
	(void)e;
	vc->hold_open = fake_of(o)->hold_open;
	return 0;
}

static int
fake_output_open(struct output *o, struct err *e)
{
	struct fake_out *out = fake_of(o);

	if (out->open_rc != 0)
		return err_set(
		    e, (enum weir_errno) - out->open_rc, "fake %s: refused", o->name);
	out->opened++;
	o->priv = out;
	return 0;
}

static int
fake_write(
    struct output *o, const struct snapshot *s, struct output_result *r, struct err *e)
{
	struct fake_out *out = fake_of(o);

	if (out->entered != NULL)
		sem_post(out->entered);
	if (out->gate != NULL)
		sem_wait(out->gate);
	if (out->writes < FAKE_SEEN) {
		out->seen[out->writes].seq = s->seq;
		out->seen[out->writes].cut = s->cut;
		out->seen[out->writes].horizon = s->horizon;
		out->seen[out->writes].last = s->last;
		out->seen[out->writes].rows = s->n;
	}
	out->writes++;
	if (out->truth != NULL)
		truth_snapshot(out->truth, s);
	r->rows = s->n;
	if (out->fail) {
		r->refused = s->n;
		return err_set(e, WEIR_EIO, "it is broken");
	}
	r->written = s->n + out->lie;
	r->idle = out->idles && s->n == 0;
	return 0;
}

static void
fake_ledger_changed(struct output *o, const struct ledger *l)
{
	struct fake_out *out = fake_of(o);

	out->ledger_calls++;
	if (out->truth != NULL) {
		truth_reset(out->truth);
		truth_ledger(out->truth, l);
	}
}

static void
fake_output_close(struct output *o)
{
	fake_of(o)->closed++;
}

const struct output_ops fake_output = {
	.type = "fake",
	.wants = OUTPUT_SNAPSHOTS,
	.plan = fake_plan,
	.open = fake_output_open,
	.write = fake_write,
	.close = fake_output_close,
};

const struct output_ops fake_ledger = {
	.type = "fake-ledger",
	.wants = OUTPUT_LEDGER,
	.open = fake_output_open,
	.ledger = fake_ledger_changed,
	.close = fake_output_close,
};

struct engine *
fake_engine(unsigned workers, uint32_t max_entries)
{
	struct engine_config c = {
		.workers = workers, .max_entries = max_entries, .max_exporters = 16
	};
	struct err e = ERR_INIT;
	struct engine *en = engine_new(&c, &e);

	if (en == NULL)
		fail_msg("%s", e.text);
	return en;
}

struct output *
fake_output_add(struct engine *en, const struct output_ops *ops, const char *name,
    const struct output_config *common, struct fake_out *out)
{
	static const struct rules_config no_rules;
	struct err e = ERR_INIT;

	if (engine_output(en, ops, name, common, &no_rules, out, &e) != 0)
		fail_msg("%s: %s", name, e.text);
	return engine_output_get(en, name);
}

void
fake_prepare(struct engine *en)
{
	struct problems ps = { 0 };
	struct err e = ERR_INIT;

	if (engine_prepare(en, &ps, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(ps.n, 0);
}

void
fake_feed(
    struct engine *en, unsigned w, struct traffic *t, struct truth *truth, unsigned n)
{
	struct pipeline *p = &en->workers[w].pipeline;

	for (unsigned i = 0; i < n; i++) {
		struct flow *f = pipeline_slot(p);

		traffic_flow(t, f);
		if (truth != NULL)
			truth_feed(truth, f);
		stat_add(&p->stats, STAT_RECORDS, 1);
		stat_add(&p->stats, STAT_RECORDS_FED, 1);
		pipeline_commit(p);
	}
}

void
fake_send(struct engine *en, unsigned w, uint32_t no, uint16_t port, uint64_t octets)
{
	struct pipeline *p = &en->workers[w].pipeline;
	struct flow *f = pipeline_slot(p);
	const uint8_t v4[4] = { 10, 0, (uint8_t)(no >> 8), (uint8_t)no };

	f->src_host = ip_from_v4(v4);
	f->dst_port = port;
	f->proto = 6;
	f->packets = 1;
	f->bytes = octets;
	f->flows = 1;
	stat_add(&p->stats, STAT_RECORDS, 1);
	stat_add(&p->stats, STAT_RECORDS_FED, 1);
	pipeline_commit(p);
}

uint64_t
fake_class_packets(const struct shard *sh, const char *class, uint32_t *n_rows)
{
	const struct rowspec *rs = &sh->view->rs;
	const struct table *t = &sh->active->table;
	uint64_t packets = 0;

	slab_tidy(rs, sh->active);
	for (uint32_t i = 0; i < t->n; i++) {
		const uint8_t *row = table_row(t, i);
		uint32_t id;

		memcpy(&id, rowspec_value(rs, row, &fields[F_CLASS]), sizeof(id));
		if (strcmp(intern_text(id), class) == 0)
			packets += rowspec_sums_get(rs, row)->packets;
	}
	*n_rows = t->n;
	return packets;
}

void
fake_books_check(const struct engine *en, const char *says)
{
	struct books_line lines[200];
	size_t n = books_lines(en, lines, 200);
	bool all = true;

	assert_true(n <= 200);
	for (size_t i = 0; i < n; i++)
		if (!lines[i].balanced) {
			all = false;
			print_message("%s: %s: %s %llu =", says, lines[i].subject,
			    lines[i].left, (unsigned long long)lines[i].left_value);
			for (unsigned k = 0; k < lines[i].n_terms; k++)
				print_message(" %s %llu", lines[i].terms[k].name,
				    (unsigned long long)lines[i].terms[k].value);
			print_message("\n");
		}
	assert_true(all == books_balance(en));
	if (!all)
		fail_msg("%s: the books do not balance", says);
}
