/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/schema.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/*
 * Columns of the default tables. Keys stand in the order of flow/fields.def, which is
 * the order of rows in a snapshot: an index in this order is written nearly from front
 * to back.
 */
static const struct default_column {
	const char *name;
	enum field_no field;
	uint8_t since, until;  /* versions that have it */
	bool stands_in;        /* where the primitive had no column of its own yet */
} defaults[] = {
	{ "ip_src",    F_SRC_HOST, 1, 9, false },
	{ "ip_src",    F_SRC_AS,   1, 5, true },
	{ "ip_dst",    F_DST_HOST, 1, 9, false },
	{ "ip_dst",    F_DST_AS,   1, 5, true },
	{ "src_port",  F_SRC_PORT, 1, 7, false },
	{ "port_src",  F_SRC_PORT, 8, 9, false },
	{ "dst_port",  F_DST_PORT, 1, 7, false },
	{ "port_dst",  F_DST_PORT, 8, 9, false },
	{ "ip_proto",  F_PROTO,    1, 9, false },
	{ "tos",       F_TOS,      3, 9, false },
	{ "vlan",      F_VLAN,     2, 9, false },
	{ "as_src",    F_SRC_AS,   6, 9, false },
	{ "as_dst",    F_DST_AS,   6, 9, false },
	{ "mac_src",   F_SRC_MAC,  1, 9, false },
	{ "mac_dst",   F_DST_MAC,  1, 9, false },
	{ "class_id",  F_CLASS,    5, 9, false },
	{ "agent_id",  F_TAG,      2, 8, false },
	{ "tag",       F_TAG,      9, 9, false },
	{ "tcp_flags", F_TCPFLAGS, 7, 9, false },
	{ "packets",   F_PACKETS,  1, 9, false },
	{ "bytes",     F_BYTES,    1, 9, false },
	{ "flows",     F_FLOWS,    4, 9, false },
};
#define N_DEFAULTS (sizeof(defaults) / sizeof(defaults[0]))

/* Version 8 renamed them; engines that had the new names from the start are there already. */
#define PORTS_SINCE 8U

static bool
is_port(enum field_no field)
{
	return field == F_SRC_PORT || field == F_DST_PORT;
}

/* Whether the table that `shape` asks for has the column. */
static bool
column_in(const struct default_column *d, const struct sql_shape *shape)
{
	uint32_t version = shape->config->table_version;

	if (is_port(d->field) && shape->dialect->ports_first && version < PORTS_SINCE)
		version = PORTS_SINCE;
	return version >= d->since && version <= d->until;
}

/* Whether the address columns of the table hold AS numbers, as numbers. */
static bool
is_as_table(const struct sql_shape *shape)
{
	return shape->dialect->typed && shape->config->data == SQL_DATA_TYPED &&
	    !shape->config->optimize_clauses && shape->config->table_version < 6 &&
	    (field_set_has(&shape->fields, F_SRC_AS) ||
	        field_set_has(&shape->fields, F_DST_AS));
}

/* The type of a column for unsigned integers of a field's width. */
static enum sql_type
uint_type(const struct field *f)
{
	if (f->octets <= 2)
		return SQL_SMALL;
	if (f->octets <= 4)
		return SQL_INT;
	/* A sum stays where engines end; a key must stay apart from others. */
	return f->merge == FIELD_KEY ? SQL_WIDE : SQL_BIGINT;
}

/* Type of the column of `f`, and what stands in it where there is no value. */
static void
column_kind(struct sql_column *c, const struct field *f, const struct sql_shape *shape)
{
	static const struct {
		enum sql_type type;
		bool number;
		const char *filler;
	} kinds[] = {
		[FIELD_IP] = { SQL_ADDRESS, false, "0.0.0.0" },
		[FIELD_MAC] = { SQL_MAC, false, "0:0:0:0:0:0" },
		[FIELD_UINT] = { SQL_INT, true, "0" },
		[FIELD_HEX] = { SQL_TEXT, false, "0" },
		[FIELD_FLAGS] = { SQL_INT, true, "0" },
		[FIELD_PROTO] = { SQL_PROTO, false, "0" },
		[FIELD_STR] = { SQL_TEXT, false, "" },
		[FIELD_TIME] = { SQL_STAMP, false, "1970-01-01 00:00:00" },
		[FIELD_LIST] = { SQL_TEXT, false, "" },
		[FIELD_LABELS] = { SQL_TEXT, false, "" },
		[FIELD_RD] = { SQL_TEXT, false, "0:0:0" },
		[FIELD_DIRECTION] = { SQL_TEXT, false, "u" },
		[FIELD_STATUS] = { SQL_TEXT, false, "0" },
		[FIELD_DEGREES] = { SQL_DEGREES, false, "0" },
		[FIELD_SAMPLE] = { SQL_TEXT, false, "none" },
		[FIELD_CUSTOM] = { SQL_TEXT, false, "" },
	};

	c->type = kinds[f->value].type;
	c->number = kinds[f->value].number;
	c->filler = kinds[f->value].filler;
	if (f->value == FIELD_UINT || f->value == FIELD_FLAGS)
		c->type = uint_type(f);
	if (f->value == FIELD_IP && shape->config->num_hosts &&
	    shape->dialect->to_host != NULL)
		c->type = SQL_HOST;
	if (f->value == FIELD_PROTO && (shape->num_protos || shape->dialect->num_protos))
		c->number = true;
	if (f->value == FIELD_TIME && shape->since_epoch) {
		c->type = SQL_BIGINT;
		c->number = true;
		c->filler = "0";
	}
	if (field_no(f) == F_CLASS)
		c->filler = "unknown";
}

static enum sql_role
column_role(const struct field *f)
{
	static const enum sql_role roles[] = {
		[FIELD_KEY] = SQL_KEY,
		[FIELD_SUM] = SQL_ADD,
		[FIELD_ADD] = SQL_ADD,
		[FIELD_OR] = SQL_OR,
		[FIELD_MIN] = SQL_LEAST,
		[FIELD_MAX] = SQL_GREATEST,
	};

	return roles[f->merge];
}

/* Whether the table has addresses as text, where the engine has types of its own for them. */
static bool
is_unified(const struct sql_shape *shape)
{
	return shape->dialect->typed && shape->config->data == SQL_DATA_UNIFIED &&
	    !shape->config->optimize_clauses && shape->config->table_version < 6;
}

static struct sql_column *
column_new(struct sql_schema *s, const char *name)
{
	struct sql_column *c = &s->columns[s->n++];

	assert(s->n <= SCHEMA_COLUMNS);
	memset(c, 0, sizeof(*c));
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->written = c->made = true;
	return c;
}

static struct sql_column *
column_add(struct sql_schema *s, const char *name, const struct field *f,
    const struct sql_shape *shape)
{
	struct sql_column *c = column_new(s, name);

	c->field = f;
	c->role = column_role(f);
	column_kind(c, f, shape);
	return c;
}

const struct sql_column *
schema_find(const struct sql_schema *s, const char *name)
{
	for (unsigned i = 0; i < s->n; i++)
		if (strcmp(s->columns[i].name, name) == 0)
			return &s->columns[i];
	return NULL;
}

/* Put the primitive of `d` into the column that stands in for its own. */
static int
column_stand_in(struct sql_schema *s, const struct default_column *d, struct err *e)
{
	struct sql_column *c = (struct sql_column *)schema_find(s, d->name);

	assert(c != NULL); /* `defaults` has it above */
	if (c->source == SQL_FROM_FIELD)
		return err_set(e, WEIR_EINVAL,
		    "aggregate: '%s' and '%s' share column %s before sql_table_version "
		    "6: write sql_table_version: 6 or more, or sql_optimize_clauses: "
		    "true",
		    c->field->config, fields[d->field].config, d->name);
	c->field = &fields[d->field];
	c->source = SQL_FROM_FIELD;
	return 0;
}

/*
 * All columns of the version. With sql_optimize_clauses only those that are aggregated
 * are written; the others are there because a table that pmacct's scripts made has them
 * in its key.
 */
static int
schema_add_defaults(struct sql_schema *s, const struct sql_shape *shape,
    struct field_set *placed, struct err *e)
{
	bool optimize = shape->config->optimize_clauses, as = is_as_table(shape);
	uint32_t version = shape->config->table_version;

	if (as && (field_set_has(&shape->fields, F_SRC_HOST) ||
	              field_set_has(&shape->fields, F_DST_HOST)))
		return err_set(e, WEIR_EINVAL,
		    "aggregate: before sql_table_version 6 a table has addresses or AS "
		    "numbers, not both: write sql_table_version: 6 or more, or "
		    "sql_optimize_clauses: true");
	for (size_t i = 0; i < N_DEFAULTS; i++) {
		const struct default_column *d = &defaults[i];
		bool wanted = field_set_has(&shape->fields, d->field) ||
		    d->field == F_PACKETS || d->field == F_BYTES;
		/* A primitive that came later has the name that it came with. */
		bool early = optimize && wanted && version < d->since &&
		    !field_set_has(placed, d->field);
		struct sql_column *c;
		int rc;

		if ((!column_in(d, shape) && !early) ||
		    (d->stands_in && (optimize || !wanted)))
			continue;
		if (wanted)
			field_set_add(placed, d->field);
		if (d->stands_in) {
			if ((rc = column_stand_in(s, d, e)) != 0)
				return rc;
			continue;
		}
		c = column_add(s, d->name, &fields[d->field], shape);
		if (as && (d->field == F_SRC_HOST || d->field == F_DST_HOST)) {
			c->type = SQL_INT;
			c->number = true;
			c->filler = "0";
		}
		if (is_unified(shape) && (c->type == SQL_ADDRESS || c->type == SQL_MAC))
			c->type = SQL_TEXT;
		c->source = wanted ? SQL_FROM_FIELD : SQL_FROM_FILLER;
		c->written = c->made = wanted || !optimize;
	}
	return 0;
}

/* The first version that has a column of its own for `f`; 0: none has. */
static unsigned
column_since(uint16_t f)
{
	for (size_t i = 0; i < N_DEFAULTS; i++)
		if (defaults[i].field == f && !defaults[i].stands_in)
			return defaults[i].since;
	return 0;
}

/*
 * Primitives that no default table has: under names of their own, in the operator's
 * table.
 */
static int
schema_add_extras(struct sql_schema *s, const struct sql_shape *shape,
    struct field_set *placed, struct err *e)
{
	for (uint16_t i = 0; i < FIELD_COUNT; i++) {
		const struct field *f = &fields[i];
		struct sql_column *c;
		unsigned since;

		if (!field_set_has(&shape->fields, i) || field_set_has(placed, i))
			continue;
		if ((since = column_since(i)) != 0)
			return err_set(e, WEIR_EINVAL,
			    "aggregate: '%s' has no column in sql_table_version %u: "
			    "write sql_table_version: %u or more, or "
			    "sql_optimize_clauses: true",
			    f->config, (unsigned)shape->config->table_version, since);
		column_add(s, f->sql, f, shape);
		/* The least time and the least fraction need not be of one record. */
		if (f->value != FIELD_TIME || shape->secs || f->merge != FIELD_KEY)
			continue;
		c = column_add(s, "", f, shape);
		snprintf(c->name, sizeof(c->name), "%s_residual", f->sql);
		c->source = SQL_FROM_RESIDUAL;
		c->type = SQL_INT;
		c->number = true;
		c->filler = "0";
	}
	return 0;
}

/*
 * The times of a row: of its bin and of writing, or with nfacctd_sql_log those of its
 * flows, whose fields then also say how they combine.
 */
static const struct stamp_column {
	const char *name;
	enum sql_source source;
	enum sql_role role;
	enum field_no of_flow;
} stamps[] = {
	{ "stamp_inserted", SQL_FROM_BIN, SQL_KEY, F_TIMESTAMP_SECOND },
	{ "stamp_updated", SQL_FROM_CUT, SQL_REPLACE, F_TIMESTAMP_MAX },
};

static void
schema_add_stamp(struct sql_schema *s, const struct sql_shape *shape,
    const struct stamp_column *stamp)
{
	bool log = shape->config->log;
	struct sql_column *c = column_new(s, stamp->name);

	c->field = log ? &fields[stamp->of_flow] : NULL;
	c->source = log ? SQL_FROM_SPAN : stamp->source;
	c->role = log ? column_role(c->field) : stamp->role;
	c->type = shape->since_epoch ? SQL_BIGINT : SQL_STAMP;
	c->number = shape->since_epoch;
	c->filler = c->role != SQL_KEY ? NULL : shape->since_epoch ? "0" :
	                                        shape->dialect->stamp_none;
	c->written = shape->history || log;
	c->made = c->written || !shape->config->optimize_clauses;
}

int
schema_plan(struct sql_schema *s, const struct sql_shape *shape, struct err *e)
{
	struct field_set placed = { { 0 } };
	int rc;

	memset(s, 0, sizeof(*s));
	/*
	 * The time comes first in the key: rows of a new bin then go to the end of the
	 * index.
	 */
	schema_add_stamp(s, shape, &stamps[0]);
	if ((rc = schema_add_defaults(s, shape, &placed, e)) != 0 ||
	    (rc = schema_add_extras(s, shape, &placed, e)) != 0)
		return rc;
	schema_add_stamp(s, shape, &stamps[1]);
	return 0;
}

void
schema_stamps(struct field_set *set)
{
	for (size_t i = 0; i < sizeof(stamps) / sizeof(stamps[0]); i++)
		field_set_add(set, stamps[i].of_flow);
}

const char *
schema_default_table(const struct sql_shape *shape)
{
	enum { PLAIN, AS, UNIFIED, KINDS };
	static const char *const names[KINDS][SQL_VERSION_MAX + 1] = {
		[PLAIN] = { NULL, "acct", "acct_v2", "acct_v3", "acct_v4", "acct_v5",
		    "acct_v6", "acct_v7", "acct_v8", "acct_v9" },
		[AS] = { NULL, "acct_as", "acct_as_v2", "acct_as_v3", "acct_as_v4",
		    "acct_as_v5" },
		[UNIFIED] = { NULL, "acct_uni", "acct_uni_v2", "acct_uni_v3", "acct_uni_v4",
		    "acct_uni_v5" },
	};
	uint32_t version = shape->config->table_version;
	int kind = is_as_table(shape) ? AS : PLAIN;

	assert(version >= 1 && version <= SQL_VERSION_MAX);
	if (is_unified(shape))
		kind = UNIFIED;
	return names[kind][version];
}

#define BATCH_COLUMN(column, r, t, num) \
	{ .name = column, .source = SQL_FROM_CALLER, .role = r, .type = t, \
		.number = num, .written = true, .made = true }
const struct sql_schema schema_batch = {
	.n = 5,
	.columns = {
		BATCH_COLUMN("collector", SQL_KEY, SQL_TEXT, false),
		BATCH_COLUMN("boot", SQL_KEY, SQL_BIGINT, true),
		BATCH_COLUMN("seq", SQL_KEY, SQL_BIGINT, true),
		BATCH_COLUMN("bin", SQL_KEY, SQL_BIGINT, true),
		BATCH_COLUMN("stored", SQL_REPLACE, SQL_BIGINT, true),
	},
};
