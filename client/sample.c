/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "client/sample.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "client/rates.h"
#include "client/show.h"
#include "lib/clock.h"

#define LINE_ROOM     4096
#define ROWS_SEARCHED 20000 /* with a filter, as many of the largest are looked at */
#define EXPORTERS_MAX (1U << 20) /* numbers beyond are not remembered */

static const struct {
	const char *stat, *json;
} healths[HEALTH_COUNT] = {
	[HEALTH_DATAGRAMS] = { "datagrams", "datagrams" },
	[HEALTH_FRAMES] = { "frames", "frames" },
	[HEALTH_DROPS] = { "kernel_drops", "kernel_drops" },
	[HEALTH_LOST] = { "sequence_lost", "sequence_lost" },
};

void
sampler_fini(struct sampler *s)
{
	free(s->exporters);
	memset(s, 0, sizeof(*s));
}

void
sample_fini(struct sample *m)
{
	grid_fini(&m->grid);
	json_decref(m->json);
	memset(m, 0, sizeof(*m));
}

static uint64_t
member_uint(const json_t *v, const char *name)
{
	const json_t *n = json_object_get(v, name);

	if (json_is_integer(n))
		return json_integer_value(n) > 0 ? (uint64_t)json_integer_value(n) : 0;
	return 0;
}

static const char *
member_text(const json_t *v, const char *name)
{
	const char *s = json_string_value(json_object_get(v, name));

	return s != NULL ? s : "";
}

static void
cell_rate(struct grid *g, double v, bool known)
{
	char text[RATE_STRLEN];

	rate_text(v, text);
	grid_cell(g, known ? text : "-");
}

/* Columns of keys: those that are neither counters nor growth. */
static bool
column_is_key(const json_t *column)
{
	static const char *const counters[] = { "packets", "bytes", "flows",
		"d_packets", "d_bytes", "d_flows" };

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		if (strcmp(member_text(column, "json"), counters[i]) == 0)
			return false;
	return true;
}

/* Numbers stand first, so that they are seen however narrow the screen is. */
static void
rows_titles(struct sample *m, const json_t *columns)
{
	struct grid *g = &m->grid;

	grid_clear(g);
	grid_column(g, "BIT/S", true);
	grid_column(g, "PKT/S", true);
	if (m->flows)
		grid_column(g, "FLOW/S", true);
	grid_column(g, "BYTES", true);
	grid_column(g, "PACKETS", true);
	for (size_t i = 0; i < json_array_size(columns) && g->n_columns < GRID_COLUMNS;
	     i++)
		if (column_is_key(json_array_get(columns, i)))
			grid_column(
			    g, member_text(json_array_get(columns, i), "title"), false);
}

/* Keep the line that was added last, if it holds what is looked for. */
static bool
line_fits(struct sample *m, const struct sample_request *q)
{
	char line[LINE_ROOM];

	if (q->filter == NULL || *q->filter == '\0')
		return true;
	grid_line(&m->grid, grid_rows(&m->grid), line, sizeof(line));
	if (strcasestr(line, q->filter) != NULL)
		return true;
	grid_drop(&m->grid);
	m->hidden++;
	return false;
}

/* The counters of a row as cells. Returns how many. */
static unsigned
counters_take(struct sample *m, const json_t *row, double bits, double packets, double flows)
{
	bool known = m->interval != 0;

	cell_rate(&m->grid, bits, known);
	cell_rate(&m->grid, packets, known);
	if (m->flows)
		cell_rate(&m->grid, flows, known);
	cell_rate(&m->grid, (double)member_uint(row, "bytes"), true);
	cell_rate(&m->grid, (double)member_uint(row, "packets"), true);
	return m->flows ? 5 : 4;
}

/* A row as cells, and with its rates into the JSON of the sample. */
static void
row_take(struct sample *m, const struct sample_request *q, const json_t *columns,
    const json_t *row)
{
	double bits = rate_per_s(member_uint(row, "d_bytes"), m->interval) * 8;
	double packets = rate_per_s(member_uint(row, "d_packets"), m->interval);
	double flows = rate_per_s(member_uint(row, "d_flows"), m->interval);
	struct text_line cell = { 0 };
	json_t *out = json_object();
	unsigned cells = counters_take(m, row, bits, packets, flows);

	for (size_t i = 0; i < json_array_size(columns) && cells < m->grid.n_columns;
	     i++) {
		const json_t *column = json_array_get(columns, i);
		json_t *v = json_object_get(row, member_text(column, "json"));

		if (!column_is_key(column))
			continue;
		cell.len = 0;
		show_value(&cell, v);
		text_line_put(&cell, "", 1);
		grid_cell(&m->grid, cell.p);
		json_object_set(out, member_text(column, "json"), v);
		cells++;
	}
	json_object_set_new(
	    out, "packets", json_integer((json_int_t)member_uint(row, "packets")));
	json_object_set_new(
	    out, "bytes", json_integer((json_int_t)member_uint(row, "bytes")));
	json_object_set_new(out, "bits_per_s", json_real(bits));
	json_object_set_new(out, "packets_per_s", json_real(packets));
	json_object_set_new(out, "flows_per_s", json_real(flows));
	if (line_fits(m, q))
		json_array_append(m->json, out);
	json_decref(out);
	text_line_free(&cell);
}

static json_t *
command(const char *cmd)
{
	json_t *q = json_object();

	json_object_set_new(q, "cmd", json_string(cmd));
	return q;
}

/* Read rows that nobody wants. */
static int
rows_skip(struct link *l, struct err *e)
{
	const char *line;
	int rc;

	while ((rc = link_line(l, &line, e)) == 1)
		;
	return rc;
}

/* What is looked for may be far down. */
static json_int_t
rows_wanted(const struct sample_request *q)
{
	if (q->exporters)
		return 1;
	if (q->filter != NULL && *q->filter != '\0' && q->rows < ROWS_SEARCHED)
		return ROWS_SEARCHED;
	return q->rows;
}

static int
view_take(struct sampler *s, const struct sample_request *q, struct sample *m,
    struct err *e)
{
	json_t *request = command("view"), *head, *columns, *row;
	uint64_t interval, packets, bytes;
	int rc;

	json_object_set_new(request, "view", json_string(q->view));
	json_object_set_new(request, "sort", json_string(q->sort));
	json_object_set_new(request, "top", json_integer(rows_wanted(q)));
	json_object_set_new(request, "delta", json_true());
	json_object_set_new(request, "least", json_integer((json_int_t)q->least));
	head = link_ask(s->link, request, e);
	if (head == NULL)
		return -WEIR_EIO;
	interval = member_uint(head, "interval");
	if (interval == 0 && s->begun && strcmp(s->view, q->view) == 0)
		return rows_skip(
		    s->link, e); /* the publisher has not been round since */
	packets = member_uint(json_object_get(head, "total"), "packets");
	bytes = member_uint(json_object_get(head, "total"), "bytes");
	m->interval = interval;
	m->rows = member_uint(head, "rows");
	m->packets =
	    (struct sample_count){ packets, rate_of(s->packets, packets, interval) };
	m->bytes = (struct sample_count){ bytes, rate_of(s->bytes, bytes, interval) };
	if (strcmp(s->view, q->view) != 0)
		s->history.n = 0;
	if (s->begun)
		history_add(&s->history, interval, m->bytes.per_s * 8);
	s->packets = packets;
	s->bytes = bytes;
	snprintf(m->time, sizeof(m->time), "%.19s", member_text(head, "time"));
	snprintf(m->view, sizeof(m->view), "%s", q->view);
	snprintf(s->view, sizeof(s->view), "%s", q->view);
	json_decref(m->json);
	m->json = json_array();
	m->hidden = 0;
	columns = json_object_get(head, "columns");
	m->flows = strcmp(q->sort, "flows") == 0;
	rows_titles(m, columns);
	while ((rc = link_row(s->link, &row, e)) == 1)
		row_take(m, q, columns, row);
	return rc < 0 ? rc : 1;
}

static int
health_take(struct sampler *s, struct sample *m, struct err *e)
{
	json_t *row;
	int rc;

	if (link_ask(s->link, command("stats"), e) == NULL)
		return -WEIR_EIO;
	while ((rc = link_row(s->link, &row, e)) == 1)
		for (size_t i = 0; i < HEALTH_COUNT; i++) {
			uint64_t n = member_uint(row, "value");

			if (strcmp(member_text(row, "name"), healths[i].stat) != 0)
				continue;
			m->health[i].n = n;
			m->health[i].per_s =
			    s->begun ? rate_of(s->health[i], n, m->interval) : 0;
			s->health[i] = n;
		}
	return rc;
}

/* What was remembered of exporter `no`, made when new; NULL beyond the bound. */
static struct sampler_exporter *
exporter_of(struct sampler *s, uint64_t no)
{
	struct sampler_exporter *p;
	uint32_t n = (uint32_t)no + 64;

	if (no >= EXPORTERS_MAX)
		return NULL;
	if (no >= s->n_exporters) {
		p = realloc(s->exporters, n * sizeof(*p));
		if (p == NULL)
			return NULL;
		memset(p + s->n_exporters, 0, (n - s->n_exporters) * sizeof(*p));
		s->exporters = p;
		s->n_exporters = n;
	}
	return &s->exporters[no];
}

static void
exporter_take(struct sampler *s, const struct sample_request *q, struct sample *m,
    const json_t *row, uint64_t interval)
{
	static const char *const texts[] = { "address", "domain", "kind", "version" };
	static const char *const counts[] = { "malformed", "no_template",
		"sequence_lost" };
	uint64_t datagrams = member_uint(row, "datagrams"),
		 records = member_uint(row, "records");
	struct sampler_exporter none = { 0 },
				*was = exporter_of(s, member_uint(row, "exporter"));
	const char *seen = member_text(row, "last_seen");
	struct text_line cell = { 0 };

	if (was == NULL)
		was = &none;
	cell_rate(
	    &m->grid, rate_of(was->datagrams, datagrams, interval), interval != 0);
	cell_rate(&m->grid, rate_of(was->records, records, interval), interval != 0);
	was->datagrams = datagrams;
	was->records = records;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		cell_rate(&m->grid, (double)member_uint(row, counts[i]), true);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		cell.len = 0;
		show_value(&cell, json_object_get(row, texts[i]));
		text_line_put(&cell, "", 1);
		grid_cell(&m->grid, cell.p);
	}
	grid_cell(
	    &m->grid, strlen(seen) > 19 ? seen + 11 : "-"); /* the time of the day */
	(void)line_fits(m, q);
	text_line_free(&cell);
}

/*
 * Exporters count all the time, not by the publisher's rounds: the clock tells how
 * long.
 */
static int
exporters_take(struct sampler *s, const struct sample_request *q, struct sample *m,
    struct err *e)
{
	static const char *const titles[] = { "DGRAM/S", "REC/S", "MALFORMED",
		"NO_TMPL", "SEQ_LOST", "ADDRESS", "DOMAIN", "KIND", "VERSION",
		"LAST_SEEN" };
	uint64_t now = clock_mono();
	json_t *row;
	int rc;

	if (link_ask(s->link, command("exporters"), e) == NULL)
		return -WEIR_EIO;
	grid_clear(&m->grid);
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		grid_column(&m->grid, titles[i], i < 5);
	while ((rc = link_row(s->link, &row, e)) == 1)
		exporter_take(
		    s, q, m, row, s->exporters_at != 0 ? now - s->exporters_at : 0);
	s->exporters_at = now;
	return rc;
}

int
sampler_take(struct sampler *s, const struct sample_request *q, struct sample *m,
    struct err *e)
{
	int rc = view_take(s, q, m, e);

	if (rc <= 0)
		return rc;
	if ((rc = health_take(s, m, e)) < 0)
		return rc;
	if (q->exporters && (rc = exporters_take(s, q, m, e)) < 0)
		return rc;
	s->begun = true;
	return 1;
}

int
sampler_views(struct link *l, char names[SAMPLE_VIEWS][SAMPLE_NAME_MAX], struct err *e)
{
	unsigned n = 0;
	json_t *row;
	int rc;

	if (link_ask(l, command("views"), e) == NULL)
		return -WEIR_EIO;
	while ((rc = link_row(l, &row, e)) == 1)
		if (json_is_true(json_object_get(row, "ledger")) && n < SAMPLE_VIEWS)
			snprintf(names[n++], SAMPLE_NAME_MAX, "%s",
			    member_text(row, "view"));
	return rc < 0 ? rc : (int)n;
}

/* "12.3k" of a rate, "-" while there is none. */
static const char *
rate_or_none(const struct sample *m, double v, char *buf)
{
	if (m->interval == 0)
		return "-";
	rate_text(v, buf);
	return buf;
}

void
sample_line(const struct sample *m, unsigned i, char *buf, size_t room)
{
	char t[4][RATE_STRLEN], r[4][RATE_STRLEN];

	switch (i) {
	case 0:
		snprintf(buf, room, "weir top - %s - %s UTC", m->view, m->time);
		break;
	case 1:
		rate_text((double)m->bytes.n, t[0]);
		rate_text((double)m->packets.n, t[1]);
		snprintf(buf, room,
		    "%s bit/s, %s packets/s; total %s bytes, %s packets in %" PRIu64
		    " rows",
		    rate_or_none(m, m->bytes.per_s * 8, r[0]),
		    rate_or_none(m, m->packets.per_s, r[1]), t[0], t[1], m->rows);
		break;
	default:
		rate_text((double)m->health[HEALTH_DROPS].n, t[0]);
		rate_text((double)m->health[HEALTH_LOST].n, t[1]);
		snprintf(buf, room,
		    "%s datagrams/s, %s frames/s; dropped by the kernel %s, "
		    "lost on the way %s",
		    rate_or_none(m, m->health[HEALTH_DATAGRAMS].per_s, r[0]),
		    rate_or_none(m, m->health[HEALTH_FRAMES].per_s, r[1]), t[0], t[1]);
		break;
	}
}

static json_t *
count_json(const struct sample_count *c)
{
	json_t *v = json_object();

	json_object_set_new(v, "total", json_integer((json_int_t)c->n));
	json_object_set_new(v, "per_s", json_real(c->per_s));
	return v;
}

json_t *
sample_json(const struct sample *m)
{
	json_t *v = json_object(), *health = json_object();

	json_object_set_new(v, "view", json_string(m->view));
	json_object_set_new(v, "time", json_sprintf("%sZ", m->time));
	json_object_set_new(v, "interval_s", json_real((double)m->interval / 1e9));
	json_object_set_new(v, "packets", count_json(&m->packets));
	json_object_set_new(v, "bytes", count_json(&m->bytes));
	for (size_t i = 0; i < HEALTH_COUNT; i++)
		json_object_set_new(health, healths[i].json, count_json(&m->health[i]));
	json_object_set_new(v, "health", health);
	json_object_set(v, "rows", m->json);
	return v;
}
