/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/query_exporters.h"

#include <stdlib.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct reply_column exporter_columns[] = {
	REPLY_COLUMN("exporter", "EXPORTER", "uint"),
	REPLY_COLUMN("address", "ADDRESS", "ip"),
	REPLY_COLUMN("domain", "DOMAIN", "uint"),
	REPLY_COLUMN("kind", "KIND", "str"),
	REPLY_COLUMN("version", "VERSION", "uint"),
	REPLY_COLUMN("sampling", "SAMPLING", "uint"),
	REPLY_COLUMN("sampling_from", "SAMPLING_FROM", "str"),
#define X(NAME, name) REPLY_COLUMN(name, #NAME, "count"),
	EXPORTER_COUNTS(X)
#undef X
	REPLY_COLUMN("missing", "MISSING", "count"),
	REPLY_COLUMN("first_seen", "FIRST_SEEN", "stamp"),
	REPLY_COLUMN("last_seen", "LAST_SEEN", "stamp"),
	REPLY_COLUMN("unknown_elements", "UNKNOWN_ELEMENTS", "detail"),
};

/* The rate in use, and who says so. */
static void
exporter_sampling(const struct engine *en, const struct exporter *x, struct reply *r)
{
	static const enum flow_source sources[EXPORTER_KINDS] = {
		[EXPORTER_NETFLOW] = SOURCE_NETFLOW,
		[EXPORTER_SFLOW] = SOURCE_SFLOW,
	};
	static const char *const by[] = {
		[SAMPLING_NONE] = "none",
		[SAMPLING_MAP] = "map",
		[SAMPLING_MAP_INTERFACE] = "map, by interface",
		[SAMPLING_EXT] = "ext_sampling_rate",
	};
	struct sampling_verdict v = sampling_judge(en->sampling, sources[x->kind],
	    &x->addr, atomic_load(&x->sampling));

	reply_uint(r, "sampling", v.rate);
	reply_text(r, "sampling_from", v.by == SAMPLING_ANNOUNCED
	    ? exporter_rate_names[atomic_load(&x->sampling_by)] : by[v.by]);
}

/* What of its templates is stepped over. */
static void
exporter_unknown(struct exporter *x, struct reply *r)
{
	char text[UNKNOWN_TEXT];

	pthread_mutex_lock(&x->lock);
	unknown_text(x->unknown, text);
	pthread_mutex_unlock(&x->lock);
	reply_text(r, "unknown_elements", text);
}

void
exporters_reply(const struct engine *en, struct reply *r)
{
	static const char *const kinds[EXPORTER_KINDS] = {
		[EXPORTER_NETFLOW] = "netflow",
		[EXPORTER_SFLOW] = "sflow",
	};

	uint32_t n;
	struct exporter **list = exporters_take(en->exporters, &n);

	reply_columns(r, exporter_columns, N(exporter_columns));
	for (uint32_t i = 0; list != NULL && i < n; i++) {
		struct exporter *x = list[i];
		char address[IP_STRLEN];

		ip_format(&x->addr, address);
		reply_row_start(r);
		reply_uint(r, "exporter", x->no);
		reply_text(r, "address", address);
		reply_uint(r, "domain", x->domain);
		reply_text(r, "kind", kinds[x->kind]);
		reply_uint(r, "version", atomic_load(&x->version));
		exporter_sampling(en, x, r);
		for (int c = 0; c < EXPORTER_N_COUNTS; c++)
			reply_uint(r, exporter_count_names[c],
			    exporter_sum(x, (enum exporter_count)c));
		reply_uint(r, "missing", exporter_missing(x));
		reply_stamp(r, "first_seen", x->first_seen);
		reply_stamp(r, "last_seen", exporter_last_seen(x));
		exporter_unknown(x, r);
		reply_row_end(r);
	}
	exporters_give(list, n);
}

static const struct reply_column interface_columns[] = {
	REPLY_COLUMN("address", "ADDRESS", "ip"),
	REPLY_COLUMN("domain", "DOMAIN", "uint"),
	REPLY_COLUMN("index", "INDEX", "uint"),
	REPLY_COLUMN("type", "TYPE", "uint"),
	REPLY_COLUMN("speed", "SPEED", "uint"),
	REPLY_COLUMN("duplex", "DUPLEX", "str"),
	REPLY_COLUMN("admin", "ADMIN", "str"),
	REPLY_COLUMN("oper", "OPER", "str"),
#define X(member, TITLE) REPLY_COLUMN(#member, #TITLE, "count"),
	INTERFACE_COUNTS(X)
#undef X
	REPLY_COLUMN("promiscuous", "PROMISCUOUS", "count"),
	REPLY_COLUMN("updated", "UPDATED", "stamp"),
};

static void
reply_known(struct reply *r, const char *name, uint64_t v)
{
	if (v == INTERFACE_UNKNOWN)
		reply_null(r, name);
	else
		reply_uint(r, name, v);
}

static const char *
interface_up(const struct interface_counters *c, uint64_t bit)
{
	return c->status == INTERFACE_UNKNOWN ? "unknown" : (c->status & bit) != 0 ? "up"
										 : "down";
}

static void
interface_row(const struct exporter *x, const struct interface_counters *c, struct reply *r)
{
	static const char *const duplex[] = { "unknown",
		[INTERFACE_FULL_DUPLEX] = "full",
		[INTERFACE_HALF_DUPLEX] = "half",
		[INTERFACE_IN] = "in",
		[INTERFACE_OUT] = "out" };
	char address[IP_STRLEN];

	ip_format(&x->addr, address);
	reply_row_start(r);
	reply_text(r, "address", address);
	reply_uint(r, "domain", x->domain);
	reply_uint(r, "index", c->index);
	reply_known(r, "type", c->type);
	reply_known(r, "speed", c->speed);
	reply_text(r, "duplex", duplex[c->direction < N(duplex) ? c->direction : 0]);
	reply_text(r, "admin", interface_up(c, INTERFACE_ADMIN_UP));
	reply_text(r, "oper", interface_up(c, INTERFACE_OPER_UP));
#define X(member, TITLE) reply_known(r, #member, c->member);
	INTERFACE_COUNTS(X)
#undef X
	reply_known(r, "promiscuous", c->promiscuous);
	reply_stamp(r, "updated", c->updated);
	reply_row_end(r);
}

void
interfaces_reply(const struct engine *en, struct reply *r)
{
	uint32_t n;
	struct exporter **list = exporters_take(en->exporters, &n);

	reply_columns(r, interface_columns, N(interface_columns));
	for (uint32_t i = 0; list != NULL && i < n; i++) {
		uint32_t n_interfaces;
		struct interface_counters *c =
		    exporter_interfaces(list[i], &n_interfaces);

		for (uint32_t k = 0; k < n_interfaces; k++)
			interface_row(list[i], &c[k], r);
		free(c);
	}
	exporters_give(list, n);
}

static const struct reply_column collector_columns[] = {
	REPLY_COLUMN("collector", "COLLECTOR", "str"),
	REPLY_COLUMN("where", "WHERE", "str"),
	REPLY_COLUMN("worker", "WORKER", "uint"),
	REPLY_COLUMN("units", "UNITS", "uint"),
	REPLY_COLUMN("octets", "OCTETS", "uint"),
	REPLY_COLUMN("drops", "DROPS", "uint"),
	REPLY_COLUMN("errors", "ERRORS", "uint"),
	REPLY_COLUMN("last_seen", "LAST_SEEN", "stamp"),
};

void
collectors_reply(const struct engine *en, struct reply *r)
{
	reply_columns(r, collector_columns, N(collector_columns));
	for (unsigned w = 0; w < en->n_workers; w++)
		for (unsigned i = 0; i < en->workers[w].n_collectors; i++) {
			const struct collector *c = en->workers[w].collectors[i];

			reply_row_start(r);
			reply_text(r, "collector", c->ops->name);
			reply_text(r, "where", c->where);
			reply_uint(r, "worker", w);
			reply_uint(r, "units", atomic_load(&c->units));
			reply_uint(r, "octets", atomic_load(&c->octets));
			reply_uint(r, "drops", atomic_load(&c->drops));
			reply_uint(r, "errors", atomic_load(&c->errors));
			reply_stamp(r, "last_seen", atomic_load(&c->last_seen));
			reply_row_end(r);
		}
}
