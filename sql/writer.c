/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/writer.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "core/trigger.h"
#include "lib/clock.h"
#include "lib/infile.h"
#include "lib/log.h"
#include "sql/ddl.h"
#include "sql/drain.h"
#include "sql/encode.h"
#include "sql/facts.h"
#include "sql/idle.h"
#include "sql/schema.h"
#include "sql/spool.h"
#include "sql/spool_folder.h"
#include "sql/store.h"

#define LAST_TRIES 20 /* to find room for the final snapshot, */
#define LAST_PAUSE_MS 100

struct writer {
	struct encoder encoder;
	struct spool *spool;
	struct store *primary, *backup;
	struct trigger *trigger;
	struct facts facts;     /* for it */
	struct drain *drain;
	struct sql_config config, backup_config; /* with every default filled in */
	pthread_mutex_t lock; /* of what follows, and of encoding */
	unsigned n;
	struct snapshot *pending[WRITER_PENDING + 1]; /* references */
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

struct variables
writer_vars(const struct output_config *c)
{
	struct bins history = { 0 };

	if (c->history != NULL) /* output_plan has refused what is none */
		(void)bins_parse_history(c->history, &history, NULL);
	return (struct variables){
		.time = clock_real(),
		.refresh_s = c->refresh,
		.history_s = history.seconds,
		.utc = c->text.utc,
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

static int
ca_file_check(const char *path, struct err *e)
{
	FILE *f = infile_open(path, INFILE_MAX, NULL);

	if (f == NULL)
		return err_set(e, WEIR_EIO, "sql_conn_ca_file: %s: %s", path,
		    infile_error(errno));
	fclose(f);
	return 0;
}

/* Whether the files that are named can be what they are for. */
static int
plan_files(const struct output *o, const struct sql_config *c, struct err *e)
{
	int rc = trigger_check("sql_trigger_exec", c->trigger_exec, e);

	if (rc == 0 && c->ca_file != NULL &&
	    sql_idle(o->ops, &o->common, c, "sql_conn_ca_file") == NULL)
		rc = ca_file_check(c->ca_file, e);
	if (rc == 0 && c->table_schema != NULL)
		rc = ddl_check(c->table_schema, e);
	if (rc == 0 && c->spool_path != NULL)
		rc = spool_folder_check(c->spool_path, c->state_dir, e);
	return rc;
}

/* Whether sql_table, where it is given, is a name that the engine takes. */
static int
plan_table(const struct output *o, struct err *e)
{
	const struct sql_driver *d = sql_driver_find(o->ops->type);
	const struct sql_config *c = o->config;
	struct variables vars = writer_vars(&o->common);
	char name[TABLENAME_MAX + 1], fit[TABLENAME_MAX + 1];
	int rc;

	if (c->table == NULL)
		return 0;
	if ((rc = tablename_expand(c->table, &vars, name, e)) != 0)
		return rc;
	return tablename_fit(name, d->name, &d->dialect, fit, e);
}

int
writer_plan(struct output *o, struct view_config *vc, struct err *e)
{
	const struct sql_config *c = o->config;
	bool history = !bins_are_none(&vc->bins);
	struct sql_schema schema;
	struct preprocess preprocess;
	struct bins trigger_bins;
	struct err cause = ERR_INIT;
	struct sql_shape shape;
	int rc;

	shape_of(o, history, &shape);
	if ((rc = schema_plan(&schema, &shape, e)) != 0)
		return rc;
	if ((rc = plan_table(o, e)) != 0 || (rc = plan_files(o, c, e)) != 0)
		return rc;
	if (c->table != NULL && variables_have_time(c->table) && !history)
		return err_set(e, WEIR_EINVAL,
		    "sql_table '%s': its variables are those of a time bin: write "
		    "sql_history too",
		    c->table);
	if ((rc = preprocess_parse(&preprocess, "sql_preprocess", c->preprocess, false,
		 e)) != 0)
		return rc;
	if (c->trigger_time != NULL &&
	    bins_parse_history(c->trigger_time, &trigger_bins, &cause) != 0)
		return err_set(e, WEIR_EINVAL, "sql_trigger_time: %s", cause.text);
	vc->adds_up = !c->dont_try_update;
	if (c->aggressive && field_set_has(&o->fields, F_CLASS))
		vc->unknown = c->dont_try_update ? UNKNOWN_HOLDS_BIN : UNKNOWN_WAITS;
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
	c->vars = writer_vars(&o->common);
	shape_of(o, !bins_are_none(&o->view->config.bins), &shape);
	if (c->table == NULL)
		c->table = schema_default_table(&shape);
	if (c->db == NULL)
		c->db = sql_driver_find(o->ops->type)->default_db;
	return schema_plan(schema, &shape, e);
}

/* A number for this run of weir, larger than those before it. */
static int64_t
boot_number(void)
{
	uint32_t chance = 0;

	/* Two that start in the same moment under one name must not pass for one. */
	if (getrandom(&chance, sizeof(chance), 0) < 0)
		chance = (uint32_t)clock_mono();
	return (int64_t)((clock_real() & ~UINT64_C(0xfffff)) | (chance & 0xfffff));
}

static int
encoder_set_up(
    struct writer *w, const struct output *o, const struct sql_driver *d, struct err *e)
{
	struct batch_head *h = &w->encoder.head;
	char host[64] = "";
	int rc = writer_schema(o, &h->schema, &w->config, e);

	if (rc != 0)
		return rc;
	gethostname(host, sizeof(host) - 1);
	snprintf(h->collector, sizeof(h->collector), "%s/%s", host, o->name);
	snprintf(h->engine, sizeof(h->engine), "%s", d->name);
	snprintf(h->db, sizeof(h->db), "%s", w->config.db);
	snprintf(h->plugin, sizeof(h->plugin), "%s", o->name);
	h->boot = boot_number();
	h->only_insert = w->config.dont_try_update;
	h->utc = w->config.vars.utc;
	w->encoder.table = w->config.table;
	w->encoder.vars = w->config.vars;
	encoder_init(&w->encoder, &o->view->rs);
	return preprocess_parse(&w->encoder.preprocess, "sql_preprocess",
	    w->config.preprocess, w->config.preprocess_type == PREPROCESS_ALL, e);
}

/* The second database: another host of a server, another file of what is none. */
static void
backup_config_make(struct writer *w, const struct sql_driver *d)
{
	w->backup_config = w->config;
	if (d->server)
		w->backup_config.host = w->config.backup_host;
	else
		w->backup_config.db = w->config.backup_host;
}

static int
trigger_set_up(struct writer *w, const struct output *o, struct err *e)
{
	const struct sql_config *c = &w->config;
	struct trigger_config tc = {
		.name = o->name,
		.directive = "sql_trigger_exec",
		.command = c->trigger_exec,
		.async = c->trigger_async,
		.limit_s = c->trigger_limit,
		.tell = facts_tell,
		.arg = &w->facts,
	};

	if (c->trigger_exec == NULL)
		return 0;
	w->facts = (struct facts){
		.db = c->db,
		.table = c->table,
		.host = c->host,
		.user = c->user,
		.backup = c->backup_host,
		.refresh_s = o->common.refresh,
		.history_s = w->encoder.vars.history_s,
		.sampling_rate = o->common.sampling_rate,
		.max_writers = c->max_writers,
	};
	if (c->trigger_time != NULL)
		(void)bins_parse_history(c->trigger_time, &tc.period, NULL);
	return (w->trigger = trigger_new(&tc, e)) != NULL ? 0 : -WEIR_EINVAL;
}

static int
spool_set_up(struct writer *w, const struct output *o, struct err *e)
{
	const struct sql_config *c = &w->config;
	char dir[PATH_MAX];

	if (c->spool_path != NULL)
		w->spool = spool_open(c->spool_path, o->name, c->spool_max, e);
	else if ((size_t)snprintf(dir, sizeof(dir), "%s/spool", c->state_dir) <
		 sizeof(dir))
		w->spool = spool_open(dir, o->name, c->spool_max, e);
	else
		err_set(e, WEIR_EINVAL, "state_dir: too long a name");
	return w->spool != NULL ? 0 : -WEIR_EIO;
}

static int database_try(void *arg, struct err *e);
static void retry(void *arg);

static int
drain_set_up(
    struct writer *w, struct output *o, const struct sql_driver *d, struct err *e)
{
	char name[BATCH_WORD];
	struct drain_config dc = { .output = o,
		.spool = w->spool,
		.trigger = w->trigger,
		.max_writers = w->config.max_writers,
		.collector = w->encoder.head.collector,
		.first = database_try,
		.retry = retry,
		.arg = o };

	snprintf(name, sizeof(name), "%s %s", d->name, o->name); /* as all lines of it begin */
	backup_config_make(w, d);
	w->primary = dc.primary = store_new(d, &w->config, name);
	if (w->config.backup_host != NULL)
		w->backup = dc.backup = store_new(d, &w->backup_config, name);
	w->drain = drain_new(&dc);
	if (w->drain != NULL && w->primary != NULL &&
	    (w->backup != NULL || w->config.backup_host == NULL))
		return 0;
	return err_set(e, WEIR_ENOMEM, "%s: no memory", o->name);
}

/* A table that does not fit refuses the start; a database that is away does not. */
static int
database_try(void *arg, struct err *e)
{
	struct output *o = arg;
	struct writer *w = o->priv;
	char name[TABLENAME_MAX + 1];
	bool varies = variables_have_time(w->config.table);
	int rc;

	if (!varies &&
	    (rc = tablename_expand(w->config.table, &w->encoder.vars, name, e)) != 0)
		return rc;
	return store_ready(w->primary, &w->encoder.head, varies ? NULL : name, 0, e);
}

static void
writer_free(struct writer *w)
{
	drain_free(w->drain);
	trigger_free(w->trigger);
	store_free(w->primary);
	store_free(w->backup);
	spool_close(w->spool);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

int
writer_make(struct output *o, const struct sql_driver *d, struct err *e)
{
	struct writer *w = calloc(1, sizeof(*w));
	int rc;

	if (w == NULL)
		return err_set(
		    e, WEIR_ENOMEM, "%s %s: no memory", o->ops->type, o->name);
	pthread_mutex_init(&w->lock, NULL);
	if ((rc = encoder_set_up(w, o, d, e)) != 0 ||
	    (rc = trigger_set_up(w, o, e)) != 0 || (rc = spool_set_up(w, o, e)) != 0 ||
	    (rc = drain_set_up(w, o, d, e)) != 0) {
		writer_free(w);
		return rc;
	}
	o->priv = w;
	return 0;
}

int
writer_run(struct output *o, struct err *e)
{
	struct writer *w = o->priv;

	return drain_start(w->drain, e);
}

int
writer_open(struct output *o, struct err *e)
{
	int rc = writer_make(o, sql_driver_find(o->ops->type), e);

	if (rc == 0 && (rc = writer_run(o, e)) != 0) {
		writer_free(o->priv);
		o->priv = NULL;
	}
	return rc;
}

int
writer_start(struct output *o, struct err *e)
{
	struct writer *w = o->priv;

	return drain_first(w->drain, e);
}

void
writer_hurry(struct output *o)
{
	struct writer *w = o->priv;

	drain_hurry(w->drain);
}

/* Put a snapshot into the spool, and account for its rows. */
static int
snapshot_spool(struct output *o, const struct snapshot *s, struct err *e)
{
	struct writer *w = o->priv;
	struct output_result r = { 0 };
	struct spool_file *f;
	struct encoded got;
	int rc = encoder_run(&w->encoder, s, w->spool, &f, &got, e);

	if (rc == 0 && f != NULL)
		rc = spool_end(w->spool, f, got.spooled, e);
	if (rc != 0)
		return rc;
	r.rows = got.rows;
	r.spooled = got.spooled;
	r.refused = got.rejected;
	output_account(o, &r, 0);
	if (f != NULL) /* not before: the drain may be quick */
		spool_add(w->spool, f);
	return 0;
}

/* The first snapshot that waits is done with. */
static void
pending_drop(struct writer *w)
{
	snapshot_unref(w->pending[0]);
	memmove(w->pending, w->pending + 1, --w->n * sizeof(w->pending[0]));
}

/* Put what waits into the spool, in order, up to the first fault. */
static int
pending_spool(struct output *o, struct err *e)
{
	struct writer *w = o->priv;
	int rc = 0;

	while (w->n > 0 && (rc = snapshot_spool(o, w->pending[0], e)) == 0)
		pending_drop(w);
	output_stalls(o, rc != 0 ? e : NULL);
	return rc;
}

/* Give up snapshots, the oldest first, until `keep` are left. */
static void
pending_refuse(struct output *o, unsigned keep)
{
	struct writer *w = o->priv;
	struct output_result r = { 0 };

	while (w->n > keep) {
		r.refused += snapshot_all_rows(w->pending[0]);
		pending_drop(w);
	}
	r.rows = r.lost = r.refused;
	if (r.refused == 0)
		return;
	output_account(o, &r, 0);
	log_err("%s %s: %" PRIu64 " rows refused: they found no room in %s",
	    o->ops->type, o->name, r.refused, spool_path(w->spool));
}

/* The drain's: try again. */
static void
retry(void *arg)
{
	struct output *o = arg;
	struct writer *w = o->priv;
	struct err e = ERR_INIT;

	pthread_mutex_lock(&w->lock);
	(void)pending_spool(o, &e);
	pthread_mutex_unlock(&w->lock);
}

/* Spool what waits and have the drain look; what is returned is the first error. */
static int
pending_move(struct output *o, struct err *e)
{
	struct writer *w = o->priv;
	struct err drained = ERR_INIT;
	int rc, drain_rc;

	pthread_mutex_lock(&w->lock);
	rc = pending_spool(o, e);
	pthread_mutex_unlock(&w->lock);
	drain_rc = drain_wake(w->drain, &drained);
	if (rc == 0 && drain_rc != 0)
		return err_set(e, (enum weir_errno)drained.code, "%s", drained.text);
	return rc;
}

/*
 * There is no next time: wait for the database to make room, for a while since it took rows
 * last.
 */
static void
last_try(struct output *o)
{
	struct writer *w = o->priv;
	struct err e = ERR_INIT;
	uint64_t written = atomic_load(&o->written);

	for (unsigned i = 0; i < LAST_TRIES && atomic_load(&o->stalled); i++) {
		nanosleep(&(struct timespec){ 0, LAST_PAUSE_MS * 1000000L }, NULL);
		(void)pending_move(o, &e);
		if (atomic_load(&o->written) == written)
			continue;
		written = atomic_load(&o->written);
		i = 0;
	}
	pthread_mutex_lock(&w->lock);
	pending_refuse(o, 0);
	pthread_mutex_unlock(&w->lock);
}

int
writer_write(
    struct output *o, const struct snapshot *s, struct output_result *r, struct err *e)
{
	struct writer *w = o->priv;
	int rc;

	(void)r; /* output_account has them */
	pthread_mutex_lock(&w->lock);
	assert(w->n <= WRITER_PENDING);
	w->pending[w->n++] = snapshot_ref((struct snapshot *)s);
	pthread_mutex_unlock(&w->lock);
	rc = pending_move(o, e);
	pthread_mutex_lock(&w->lock);
	pending_refuse(o, WRITER_PENDING);
	pthread_mutex_unlock(&w->lock);
	if (s->last)
		last_try(o);
	return rc;
}

void
writer_close(struct output *o)
{
	struct writer *w = o->priv;
	struct err e = ERR_INIT;
	uint64_t left;

	assert(w != NULL);
	(void)pending_move(o, &e);
	last_try(o);
	if ((left = drain_stop(w->drain)) > 0)
		log_warn("%s %s: %" PRIu64
			 " batches are left in %s: they are written at the "
			 "next start",
		    o->ops->type, o->name, left, spool_path(w->spool));
	writer_free(w);
	o->priv = NULL;
}
