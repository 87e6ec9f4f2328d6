/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "agent/agent.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/census.h"
#include "agent/control.h"
#include "agent/notify.h"
#include "agent/rows.h"
#include "agent/session.h"
#include "agent/tree.h"
#include "core/engine.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "lib/wbuf.h"

#ifndef WEIR_OID_BASE
#define WEIR_OID_BASE "1.3.6.1.4.1.8072.9999.9999.1777"
#endif

#define AT(member) offsetof(struct snmp_config, member)
static const struct directive snmp_rows[] = {
	{ .name = "snmp_agentx_socket", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_GLOBAL,
	    .offset = AT(socket),
	    .doc = "Where snmpd listens for subagents: unix:/path or tcp:host:port, the "
	           "same as agentXSocket in snmpd.conf. Default: that of the net-snmp "
	           "library." },
	{ .name = "snmp_oid_base", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_GLOBAL,
	    .offset = AT(oid_base), .def = WEIR_OID_BASE,
	    .doc = "Root of WEIR-MIB, in dotted decimal. The MIB file must say the same." },
	{ .name = "snmp_reconnect", .type = DIRECTIVE_SECONDS, .scope = DIRECTIVE_GLOBAL,
	    .offset = AT(reconnect), .min = 1, .max = 3600, .def = "2", .unit = "s",
	    .doc = "How often to look for snmpd while it is away." },
	{ .name = "snmp_write", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_GLOBAL,
	    .offset = AT(write), .def = "false",
	    .doc = "Thresholds and reports of who has most may be set through SNMP, by whom "
	           "snmpd.conf lets write. Nothing else is ever writable." },
	{ .name = "snmp_ipfix_mib", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_GLOBAL,
	    .offset = AT(ipfix), .def = "false",
	    .doc = "Serve sessions, their statistics and templates in IPFIX-MIB (RFC 6615, "
	           "mib-2 193), too; snmpd.conf must show .1.3.6.1.2.1.193." },
	{ .name = "snmp_notify_rate", .type = DIRECTIVE_U32, .scope = DIRECTIVE_GLOBAL,
	    .offset = AT(notify_rate), .min = 1, .max = 10000, .def = "100",
	    .unit = "per second",
	    .doc = "Notifications that are sent in a second at most; others are counted, and "
	           "one tells how many." },
	{ .name = "snmp_max_rows", .type = DIRECTIVE_U32, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(max_rows), .min = 1, .max = 10000000, .def = "10000", .unit = "rows",
	    .doc = "Rows of the view that are shown at most: those with most traffic. The "
	           "others are counted in weirViewRowsHidden." },
	{ .name = "snmp_row_linger", .type = DIRECTIVE_SECONDS, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(row_linger), .def = "600", .unit = "s",
	    .doc = "How long a row without traffic is shown; at least twice the interval "
	           "of the pollers. Where only SNMP shows the view, such rows go to make "
	           "room when it is nearly full. 0: for ever." },
	{ .name = "snmp_topn", .type = DIRECTIVE_U32, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(topn), .max = TOPN_SIZE, .def = "10", .unit = "rows",
	    .doc = "Size of the report of who has most bytes that the view has in "
	           "weirTopNTable. 0: none." },
	{ .name = "snmp_topn_interval", .type = DIRECTIVE_SECONDS, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(topn_interval), .min = 1, .max = TOPN_INTERVAL, .def = "60",
	    .unit = "s", .doc = "How often that report is made, of what was counted since." },
	{ .name = "snmp_index", .type = DIRECTIVE_U32, .scope = DIRECTIVE_NAMED,
	    .offset = AT(index), .min = 1, .max = 2147483647,
	    .doc = "weirViewIndex of the view. Default: made from the name of the plugin, so "
	           "that it changes with the name only." },
	{ .name = NULL },
};
#undef AT

const struct directive_set snmp_directives = {
	"snmp", snmp_rows, sizeof(struct snmp_config)
};

/* One plugin: what it shows of its view. */
struct exhibit {
	struct output *output;
	uint32_t index;
	struct rows_builder *builder;
	bool fresh;              /* `row` is of this round */
	struct view_row row;     /* ready for the next tree; row.rows is a reference */
};

/*
 * What all plugins share. The main thread changes it while the publisher does not run
 * (before it starts and after it has ended); in between it is the publisher's.
 */
static struct {
	unsigned n;              /* plugins that are open */
	struct exhibit *exhibits[ENGINE_OUTPUTS]; /* by index */
	struct census *census;
	struct session *session;
	struct control *control; /* NULL: nothing may be set */
	bool ipfix;              /* IPFIX-MIB is served, too */
	bool shows_control;      /* there are thresholds and reports to show */
	struct notify *notify;
	uint64_t serial;
	struct log_limit limit;
} agent;

/* Dotted decimal, with or without a dot in front, to c->base. */
static int
oid_base_parse(const char *text, struct session_config *c, struct err *e)
{
	const char *p = text[0] == '.' ? text + 1 : text;

	for (c->n_base = 0;; p++) {
		char *end;

		errno = 0;
		if (c->n_base == OID_BASE_MAX || !isdigit((unsigned char)*p))
			break;
		c->base[c->n_base++] = strtoul(p, &end, 10);
		if (errno != 0 || c->base[c->n_base - 1] > UINT32_MAX)
			break;
		p = end;
		/* Two arcs and a leaf at least: what is above belongs to others. */
		if (*p == '\0' && c->n_base >= 3 && c->base[0] <= 2 &&
		    (c->base[0] == 2 || c->base[1] < 40)) /* X.690 s8.19.4 */
			return 0;
		if (*p != '.')
			break;
	}
	return err_set(e, WEIR_EINVAL,
	    "snmp_oid_base: '%s' is not an object identifier; write one like %s", text,
	    WEIR_OID_BASE);
}

/* Before there are threads. */
static int
snmp_plan(struct output *o, struct view_config *vc, struct err *e)
{
	const struct snmp_config *c = o->config;
	struct session_config sc;

	(void)vc;
	session_prepare();
	return oid_base_parse(c->oid_base, &sc, e);
}

static void
agent_end(void)
{
	session_stop(agent.session);
	control_free(agent.control);
	notify_free(agent.notify);
	census_free(agent.census);
	agent.session = NULL;
	agent.control = NULL;
	agent.notify = NULL;
	agent.census = NULL;
}

/* The first plugin opens: start what all share. */
static int
agent_begin(const struct output *o, struct err *e)
{
	const struct snmp_config *c = o->config;
	struct session_config sc = { .socket = c->socket, .reconnect = c->reconnect,
		.boot_file = o->engine->keeps_nothing ? NULL : c->boot_file };
	const struct notify_config nc = { .alarms = o->engine->alarms,
		.rate = c->notify_rate, .started = o->engine->started };
	int rc = oid_base_parse(c->oid_base, &sc, e);

	if (rc != 0)
		return rc;
	agent.limit = (struct log_limit)LOG_LIMIT_INIT;
	agent.serial = 0;
	agent.census = census_new(o->engine, e);
	if (agent.census == NULL)
		return -e->code;
	if (o->engine->topns == NULL)
		o->engine->topns = topns_new(o->engine, e);
	agent.shows_control = o->engine->alarms != NULL && o->engine->topns != NULL;
	agent.notify = notify_new(&nc);
	if (c->write && agent.shows_control)
		agent.control = control_new(o->engine->alarms, o->engine->topns);
	sc.notify = agent.notify;
	sc.stats = &o->engine->beside;
	sc.ipfix = agent.ipfix = c->ipfix;
	sc.control = agent.control;
	if (agent.notify == NULL || (c->write && agent.shows_control && agent.control == NULL))
		err_set(e, WEIR_ENOMEM, "no memory for the SNMP session");
	else
		agent.session = session_start(&sc, e);
	if (agent.session != NULL)
		return 0;
	agent_end();
	return -e->code;
}

static void
exhibit_free(struct exhibit *x)
{
	if (x == NULL)
		return;
	rows_builder_free(x->builder);
	rows_unref(x->row.rows);
	free(x);
}

/* weirViewKeySpec: names of the key's primitives, cut after a whole one. */
static void
key_spec_write(const struct rowspec *rs, char *to, size_t room)
{
	struct wbuf w = wbuf_of(to, room - 1);

	for (uint16_t i = 0; i < rs->n_shown; i++) {
		const struct field *f = &fields[rs->shown[i]];
		size_t len = strlen(f->config), comma = wbuf_len(&w) > 0;

		if (f->merge != FIELD_KEY)
			continue;
		if (wbuf_left(&w) < comma + len)
			break;
		wbuf_put(&w, ",", comma);
		wbuf_put(&w, f->config, len);
	}
	if (wbuf_len(&w) == 0)
		wbuf_put(&w, "none", 4);
	to[wbuf_len(&w)] = '\0';
}

/*
 * How long rows of `v` must be kept though they are idle, in ns: as long as any of its
 * outputs shows them. 0, for ever, where one never lets them go.
 */
static uint64_t
view_keep(const struct engine *en, const struct view *v)
{
	uint64_t keep = 0;

	for (unsigned i = 0; i < en->n_outputs; i++) {
		const struct output *o = en->outputs[i];
		const struct snmp_config *c = o->config;

		if (o->view != v || o->ops->wants != OUTPUT_LEDGER)
			continue;
		if (o->ops != &snmp_output || c->row_linger == 0)
			return 0;
		keep = c->row_linger * CLOCK_S > keep ? c->row_linger * CLOCK_S : keep;
	}
	return keep;
}

/* The plugin's exhibit, with everything in its row that does not change. */
static struct exhibit *
exhibit_new(struct output *o, struct err *e)
{
	enum { MONTH_S = 30 * 86400 };
	const struct snmp_config *c = o->config;
	const struct view *v = o->view;
	const struct bins *bins = &v->config.bins;
	struct rows_config rc = { .max_rows = c->max_rows, .linger = c->row_linger * CLOCK_S };
	struct exhibit *x = calloc(1, sizeof(*x));

	if (x == NULL) {
		err_set(e, WEIR_ENOMEM, "snmp %s: no memory", o->name);
		return NULL;
	}
	x->builder = rows_builder_new(&rc, v->ledger->table.max, e);
	if (x->builder == NULL) {
		free(x);
		return NULL;
	}
	v->ledger->keep = view_keep(o->engine, v);
	x->output = o;
	x->index = x->row.index = c->index != 0 ? c->index : hash_index(o->name);
	snprintf(x->row.name, sizeof(x->row.name), "%s", o->name);
	snprintf(x->row.view, sizeof(x->row.view), "%s", v->name);
	key_spec_write(&v->rs, x->row.key_spec, sizeof(x->row.key_spec));
	x->row.interval = bins->months != 0 ? (uint64_t)bins->months * MONTH_S : bins->seconds;
	x->row.capacity = v->max_rows;
	return x;
}

/* Put `x` in its place; its index must be its own. */
static int
agent_add(struct exhibit *x, struct err *e)
{
	unsigned i = agent.n;

	for (unsigned j = 0; j < agent.n; j++)
		if (agent.exhibits[j]->index == x->index)
			return err_set(e, WEIR_EEXIST,
			    "snmp: plugins '%s' and '%s' have the same view index %u; give "
			    "one of them another with snmp_index",
			    agent.exhibits[j]->output->name, x->output->name, x->index);
	for (; i > 0 && agent.exhibits[i - 1]->index > x->index; i--)
		agent.exhibits[i] = agent.exhibits[i - 1];
	agent.exhibits[i] = x;
	agent.n++;
	return 0;
}

/* Take `x` out of its place; the last one ends what all share. */
static void
agent_drop(const struct exhibit *x)
{
	unsigned i = 0;

	while (agent.exhibits[i] != x)
		i++;
	memmove(&agent.exhibits[i], &agent.exhibits[i + 1],
	    (agent.n - i - 1) * sizeof(agent.exhibits[0]));
	if (--agent.n == 0)
		agent_end();
}

/* The report of who has most that the plugin asks for. */
static int
exhibit_report(const struct exhibit *x, struct err *e)
{
	const struct snmp_config *c = x->output->config;
	struct topn_config report;

	if (c->topn == 0 || x->output->engine->topns == NULL)
		return 0;
	topn_defaults(&report);
	report.index = x->index;
	report.size = c->topn;
	report.interval = c->topn_interval;
	report.storage = STORAGE_READONLY;
	snprintf(report.view, sizeof(report.view), "%s", x->output->name);
	snprintf(report.owner, sizeof(report.owner), "weir.conf");
	return topns_put(x->output->engine->topns, &report, e);
}

static int
snmp_open(struct output *o, struct err *e)
{
	struct err why = ERR_INIT;
	struct exhibit *x = exhibit_new(o, &why);
	int rc = x != NULL ? 0 : -why.code;

	if (rc == 0 && agent.n == 0)
		rc = agent_begin(o, &why);
	if (rc == 0)
		rc = agent_add(x, &why);
	if (rc == 0 && (rc = exhibit_report(x, &why)) != 0)
		agent_drop(x);
	if (rc != 0) {
		exhibit_free(x);
		return err_set(e, (enum weir_errno)why.code, "%s", why.text);
	}
	o->priv = x;
	return 0;
}

static void
snmp_close(struct output *o)
{
	agent_drop(o->priv);
	exhibit_free(o->priv);
}

/* Count anew when there are more collectors. */
static void
agent_recount(const struct engine *en)
{
	struct err e = ERR_INIT;
	struct census *fresh;

	if (!census_is_stale(agent.census))
		return;
	fresh = census_new(en, &e);
	if (fresh == NULL) {
		log_limited(&agent.limit, "%s; collectors that are new are not shown", e.text);
		return;
	}
	census_free(agent.census);
	agent.census = fresh;
}

/* Let the plugins say whether they are served. */
static void
agent_report(void)
{
	struct err e = ERR_INIT;
	enum session_state state = session_state(agent.session, &e);

	for (unsigned i = 0; i < agent.n; i++)
		if (state == SESSION_SERVES)
			output_works(agent.exhibits[i]->output);
		else if (state == SESSION_REFUSED)
			output_fails(agent.exhibits[i]->output, &e);
}

/* Make a tree of what the exhibits have ready, and give it to the session. */
static void
agent_publish(const struct engine *en)
{
	static const char no_memory[] =
	    "snmp: no memory for a snapshot; older figures stand";
	struct tree_size size;
	struct mib_tree *t;

	agent_report();
	agent_recount(en);
	size = (struct tree_size){ .views = agent.n };
	census_count(agent.census, &size);
	t = tree_new(&size);
	if (t == NULL) {
		log_limited(&agent.limit, "%s", no_memory);
		return;
	}
	t->serial = ++agent.serial;
	t->cut_real = clock_real();
	t->cut_mono = clock_mono();
	t->started = en->started;
	t->shows_elements = agent.ipfix;
	census_take(agent.census, t);
	/* An alarm that cannot be shown must not look like one that is over. */
	t->watches = watches_copy(en->watches, &t->n_watches);
	if ((t->watches == NULL && en->watches != NULL) ||
	    (agent.shows_control && !control_show(en->alarms, en->topns, t))) {
		tree_free(t);
		log_limited(&agent.limit, "%s", no_memory);
		return;
	}
	t->notified = notify_sent(agent.notify);
	t->not_notified = notify_suppressed(agent.notify);
	stats_sum(&en->beside, t->stats);
	t->not_acted = en->alarms != NULL ? alarms_suppressed(en->alarms) : 0;
	for (unsigned i = 0; i < agent.n; i++) {
		t->views[i] = agent.exhibits[i]->row;
		rows_ref(t->views[i].rows);
	}
	tree_seal(t);
	session_publish(agent.session, t);
	if (notify_is_due(agent.notify))
		session_wake(agent.session);
}

/* Bring the row of `x` up to what its view has now. Publisher's thread. */
static void
exhibit_refresh(struct exhibit *x, struct ledger *l)
{
	struct view *v = x->output->view;
	struct view_row *r = &x->row;
	struct rows *rows;

	ledger_lock(l);
	rows = rows_build(x->builder, l);
	if (rows != NULL) {
		rows_unref(r->rows);
		r->rows = rows;
		r->n_rows = l->table.n;
		r->hidden = l->table.n - rows->n;
		r->total = l->total;
		r->other = l->other;
		r->cleared = l->cleared != 0 ? l->cleared : x->output->engine->started;
		if (l->resumed > r->cleared)
			r->cleared = l->resumed;
		r->evictions = l->evictions;
		r->last_commit = v->last_commit;
	}
	ledger_unlock(l);
	if (rows == NULL) {
		log_limited(&agent.limit, "snmp %s: no memory for rows; older figures stand",
		    x->output->name);
		return;
	}
	pthread_mutex_lock(&v->books_lock);
	r->filtered = v->books.filtered;
	r->late = v->books.late_records;
	pthread_mutex_unlock(&v->books_lock);
}

/*
 * In each round the publisher calls every plugin once. A tree has one moment for all
 * tables, so it is the call that completes the round which makes it.
 */
static void
snmp_ledger(struct output *o, const struct ledger *l)
{
	struct exhibit *x = o->priv;
	bool complete = true;

	(void)l;
	session_collect(agent.session);
	if (x->fresh) /* somebody was left out of the last round: begin anew */
		for (unsigned i = 0; i < agent.n; i++)
			agent.exhibits[i]->fresh = false;
	exhibit_refresh(x, o->view->ledger);
	x->fresh = x->row.rows != NULL;
	for (unsigned i = 0; i < agent.n; i++)
		complete = complete && agent.exhibits[i]->fresh;
	if (!complete)
		return;
	for (unsigned i = 0; i < agent.n; i++)
		agent.exhibits[i]->fresh = false;
	agent_publish(o->engine);
}

const struct output_ops snmp_output = {
	.type = "snmp",
	.wants = OUTPUT_LEDGER,
	.outlives = true,
	.directives = &snmp_directives,
	.plan = snmp_plan,
	.open = snmp_open,
	.ledger = snmp_ledger,
	.close = snmp_close,
};
