/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/writer.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/collector.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "sql/schema.h"
#include "sql/store.h"

#define LAST_TRIES 3 /* of the final snapshot: there will be no next one */

struct writer {
	struct store *store;
	unsigned n;
	struct {
		struct snapshot *s;  /* a reference */
		uint16_t next;       /* number of the first bin that is not in */
	} pending[WRITER_PENDING + 1];
};

/* The column set and table name that `o` is configured for. */
static void
shape_of(const struct output *o, bool history, struct sql_shape *shape)
{
	const struct sql_driver *d = sql_driver_find(o->ops->type);

	assert(d != NULL);
	memset(shape, 0, sizeof(*shape));
	shape->config = o->config;
	shape->dialect = &d->dialect;
	shape->fields = o->fields;
	shape->history = history;
	shape->since_epoch = o->common.text.since_epoch;
	shape->num_protos = o->common.text.num_protos;
	shape->secs = o->common.text.secs;
}

static struct variables
vars_of(const struct output *o)
{
	struct bins history = { 0 };

	if (o->common.history != NULL) /* output_plan has refused what is none */
		(void)bins_parse_history(o->common.history, &history, NULL);
	return (struct variables){
		.time = clock_real(),
		.refresh_s = o->common.refresh,
		.history_s = history.seconds,
		.utc = o->common.text.utc,
	};
}

/* A log of flows: rows have times of their own, and bins only choose the table. */
static void
plan_log(const struct sql_config *c, struct view_config *vc)
{
	schema_stamps(&vc->aggregate);
	vc->pro_rating = false;
	vc->hold_open = false;
	if (c->table == NULL || !variables_have_time(c->table))
		vc->bins.seconds = vc->bins.months = 0;
}

int
writer_plan(struct output *o, struct view_config *vc, struct err *e)
{
	const struct sql_config *c = o->config;
	struct variables vars = vars_of(o);
	bool history = !bins_are_none(&vc->bins);
	char name[TABLENAME_MAX + 1];
	struct sql_schema schema;
	struct sql_shape shape;
	int rc;

	schema_wants(c, &o->fields);
	shape_of(o, history, &shape);
	if ((rc = schema_plan(&schema, &shape, e)) != 0)
		return rc;
	if (c->table != NULL && (rc = tablename_expand(c->table, &vars, name, e)) != 0)
		return rc;
	if (c->table != NULL && variables_have_time(c->table) && !history)
		return err_set(e, WEIR_EINVAL,
		    "sql_table '%s': its variables are those of a time bin: write "
		    "sql_history too", c->table);
	if (c->log) {
		plan_log(c, vc);
		return 0;
	}
	if (c->dont_try_update && (!history || vc->bins.seconds != vc->refresh_s))
		log_warn("%s %s: sql_dont_try_update without sql_history equal to "
		    "sql_refresh_time: rows whose key is taken are refused",
		    o->ops->type, o->name);
	/*
	 * Written more often than bins end, the open bin is written too and added to.
	 */
	vc->hold_open = vc->bins.seconds != 0 && vc->refresh_s >= vc->bins.seconds;
	return 0;
}

int
writer_schema(const struct output *o, struct sql_schema *schema, struct sql_config *c,
    struct err *e)
{
	const struct sql_config *config = o->config;
	struct sql_shape shape;

	*c = *config;
	c->vars = vars_of(o);
	shape_of(o, !bins_are_none(&o->view->config.bins), &shape);
	if (c->table == NULL)
		c->table = schema_default_table(&shape);
	if (c->db == NULL)
		c->db = sql_driver_find(o->ops->type)->default_db;
	return schema_plan(schema, &shape, e);
}

int
writer_open(struct output *o, const struct sql_driver *d, struct err *e)
{
	struct writer *w = calloc(1, sizeof(*w));
	struct store_config *sc = calloc(1, sizeof(*sc));
	char host[64] = "";
	int rc = -WEIR_ENOMEM;

	if (w == NULL || sc == NULL) {
		err_set(e, WEIR_ENOMEM, "%s %s: no memory", o->ops->type, o->name);
		goto out;
	}
	sc->driver = d;
	sc->rs = &o->view->rs;
	gethostname(host, sizeof(host) - 1);
	snprintf(sc->collector, sizeof(sc->collector), "%s/%s", host, o->name);
	if ((rc = writer_schema(o, &sc->schema, &sc->sql, e)) != 0)
		goto out;
	rc = -WEIR_EIO;
	if ((w->store = store_open(sc, e)) != NULL)
		rc = 0;
out:
	free(sc);
	if (rc != 0) {
		free(w);
		return rc;
	}
	o->priv = w;
	return 0;
}

/* The first snapshot that waits is done with. */
static void
pending_drop(struct writer *w)
{
	snapshot_unref(w->pending[0].s);
	memmove(w->pending, w->pending + 1, --w->n * sizeof(w->pending[0]));
}

/* Write what waits, in order, up to the first fault. */
static int
pending_write(struct writer *w, struct output_result *r, struct err *e)
{
	while (w->n > 0) {
		const struct snapshot *s = w->pending[0].s;

		while (w->pending[0].next < snapshot_n_bins(s)) {
			int rc = store_write(w->store, s, w->pending[0].next, r, e);

			if (rc != 0)
				return rc;
			w->pending[0].next++;
		}
		pending_drop(w);
	}
	return 0;
}

/* Give up snapshots, the oldest first, until `keep` are left. */
static void
pending_refuse(struct writer *w, unsigned keep, struct output_result *r)
{
	while (w->n > keep) {
		const struct snapshot *s = w->pending[0].s;

		for (uint16_t b = w->pending[0].next; b < snapshot_n_bins(s); b++) {
			uint32_t n = store_batch_rows(s, b);

			r->rows += n;
			r->refused += n;
		}
		pending_drop(w);
	}
}

int
writer_write(struct output *o, const struct snapshot *s, struct output_result *r,
    struct err *e)
{
	struct writer *w = o->priv;
	struct err cause = ERR_INIT;
	int rc, tries = s->last ? LAST_TRIES : 1;

	assert(w != NULL && w->n <= WRITER_PENDING);
	w->pending[w->n].s = snapshot_ref((struct snapshot *)s);
	w->pending[w->n++].next = 0;
	do
		rc = pending_write(w, r, &cause);
	while (rc != 0 && --tries > 0);
	if (rc == 0) {
		if (r->refused == 0)
			return 0;
		return err_set(e, WEIR_EEXIST,
		    "%" PRIu64 " rows refused: their key is taken", r->refused);
	}
	pending_refuse(w, s->last ? 0 : WRITER_PENDING, r);
	if (r->refused > 0)
		err_set(e, (enum weir_errno)-rc, "%s; %" PRIu64 " rows given up",
		    cause.text, r->refused);
	else
		err_set(e, (enum weir_errno)-rc, "%s; rows kept for the next time",
		    cause.text);
	return rc;
}

void
writer_close(struct output *o)
{
	struct writer *w = o->priv;
	struct output_result r = { 0 };
	struct err e = ERR_INIT;

	assert(w != NULL);
	if (pending_write(w, &r, &e) != 0) {
		pending_refuse(w, 0, &r);
		log_err("%s %s: %s; %" PRIu64 " rows given up", o->ops->type, o->name,
		    e.text, r.refused);
	}
	/*
	 * Nobody takes a result any more: these are the books that core keeps of
	 * others.
	 */
	counter_add(&o->rows, r.rows);
	counter_add(&o->written, r.written);
	counter_add(&o->refused, r.refused);
	store_close(w->store);
	free(w);
	o->priv = NULL;
}
