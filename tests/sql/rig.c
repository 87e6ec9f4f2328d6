/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/sql/rig.h"

#include <ftw.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "core/view.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "sql/batch_block.h"
#include "sql/writer.h"

char rig_dir[64], rig_db[96], rig_file[256];

int
rig_plan(struct rig *g, struct view_config *vc)
{
	if (g->o.ops == NULL)
		g->o.ops = &sqlite3_output;
	if (g->o.name[0] == '\0')
		strcpy(g->o.name, "test");
	if (g->sc.db == NULL)
		g->sc.db = rig_db;
	if (g->sc.table_version == 0)
		g->sc.table_version = 1;
	if (g->sc.state_dir == NULL)
		g->sc.state_dir = rig_dir;
	if (g->sc.spool_max == 0)
		g->sc.spool_max = 1 << 30;
	if (g->sc.max_writers == 0)
		g->sc.max_writers = 10;
	if (g->sc.trigger_limit == 0)
		g->sc.trigger_limit = 60;
	if (g->o.common.refresh == 0)
		g->o.common.refresh = 300;
	g->o.config = &g->sc;
	return output_plan(&g->o, vc, &g->e);
}

int
rig_open_with(struct rig *g, const struct sql_driver *d, uint32_t max_rows)
{
	struct view_config vc;

	g->e = (struct err)ERR_INIT;
	if (rig_plan(g, &vc) != 0)
		return -1;
	bins_start(&vc.bins, T_BIN * CLOCK_S);
	g->v = g->o.view = view_new(g->o.name, &vc, max_rows, 1, &g->e);
	assert_non_null(g->v);
	if (writer_make(&g->o, d != NULL ? d : &sqlite_driver, &g->e) != 0)
		return -1;
	if (writer_start(&g->o, &g->e) == 0)
		return 0;
	g->o.ops->close(&g->o);
	g->o.priv = NULL;
	return -1;
}

void
rig_open(struct rig *g)
{
	if (rig_open_with(g, NULL, 1U << 16) != 0)
		fail_msg("open: %s", g->e.text);
}

void
rig_close(struct rig *g)
{
	if (g->o.priv != NULL)
		g->o.ops->close(&g->o);
	if (g->v != NULL)
		rig_books(g);
	view_free(g->v);
}

struct snapshot *
rig_snapshot(struct rig *g, const struct flow *flows, unsigned n, uint64_t seq)
{
	struct shard sh;
	struct snapshot *s;

	assert_int_equal(shard_init(&sh, g->v, NULL), 0);
	for (unsigned i = 0; i < n; i += FLOW_BATCH)
		shard_feed(&sh, flows + i, n - i < FLOW_BATCH ? n - i : FLOW_BATCH);
	s = snapshot_new(g->v, sh.active, true);
	assert_non_null(s);
	s->seq = seq;
	s->cut = T_CUT * CLOCK_S;
	s->horizon = UINT64_MAX;
	return s;
}

void
rig_books(struct rig *g)
{
	g->r = (struct output_result){ .rows = g->o.rows, .written = g->o.written,
		.spooled = g->o.spooled, .refused = g->o.refused, .lost = g->o.lost };
	assert_int_equal(g->r.rows, g->r.written + g->r.spooled + g->r.refused);
}

int
rig_write_snapshot(struct rig *g, struct snapshot *s)
{
	struct output_result r = { 0 };
	int rc;

	g->e = (struct err)ERR_INIT;
	rc = g->o.ops->write(&g->o, s, &r, &g->e);
	snapshot_unref(s);
	rig_books(g);
	return rc;
}

int
rig_try(struct rig *g, const struct flow *flows, unsigned n)
{
	return rig_write_snapshot(g, rig_snapshot(g, flows, n, ++g->seq));
}

void
rig_write(struct rig *g, const struct flow *flows, unsigned n)
{
	if (rig_try(g, flows, n) != 0)
		fail_msg("write: %s", g->e.text);
}

const char *
rig_rows(const char *sql)
{
	static char out[8192];
	sqlite3_stmt *st;
	sqlite3 *c;
	size_t len = 0;

	out[0] = '\0';
	assert_int_equal(sqlite3_open(rig_db, &c), SQLITE_OK);
	sqlite3_busy_timeout(c, 5000);
	if (sqlite3_prepare_v2(c, sql, -1, &st, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(c));
	while (sqlite3_step(st) == SQLITE_ROW)
		for (int i = 0, n = sqlite3_column_count(st); i < n; i++) {
			const char *v = (const char *)sqlite3_column_text(st, i);

			len += (size_t)snprintf(out + len, sizeof(out) - len, "%s%s",
			    v != NULL ? v : "NULL", i + 1 < n ? "|" : " ");
		}
	sqlite3_finalize(st);
	sqlite3_close(c);
	if (len > 0)
		out[len - 1] = '\0';
	return out;
}

void
rig_run(const char *sql)
{
	sqlite3 *c;
	char *error = NULL;

	assert_int_equal(sqlite3_open(rig_db, &c), SQLITE_OK);
	if (sqlite3_exec(c, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %s", sql, error);
	sqlite3_close(c);
}

struct flow
rig_flow(const char *src, const char *dst, uint16_t sport, uint16_t dport,
    uint8_t proto, uint64_t packets, uint64_t bytes)
{
	struct flow f;

	flow_clear(&f);
	if (src != NULL)
		assert_int_equal(ip_parse(src, &f.src_host), 0);
	if (dst != NULL)
		assert_int_equal(ip_parse(dst, &f.dst_host), 0);
	f.src_port = sport;
	f.dst_port = dport;
	f.proto = proto;
	f.packets = packets;
	f.bytes = bytes;
	f.flows = 1;
	f.stamp = (T_BIN + 10) * CLOCK_S;
	return f;
}

int
rig_setup(void **state)
{
	(void)state;
	setenv("TZ", "TST-2", 1);
	tzset();
	strcpy(rig_dir, "/tmp/weir-test-sql-XXXXXX");
	assert_non_null(mkdtemp(rig_dir));
	snprintf(rig_db, sizeof(rig_db), "%s/t.db", rig_dir);
	return 0;
}

static int
path_remove(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st, (void)kind, (void)ftw;
	return remove(path);
}

int
rig_teardown(void **state)
{
	(void)state;
	return nftw(rig_dir, path_remove, 8, FTW_DEPTH | FTW_PHYS);
}

unsigned
rig_files(const char *tail)
{
	char pattern[128];
	glob_t found;
	unsigned n;

	snprintf(pattern, sizeof(pattern), "%s/spool/*/*.%s", rig_dir, tail);
	n = glob(pattern, 0, NULL, &found) == 0 ? (unsigned)found.gl_pathc : 0;
	if (n > 0)
		snprintf(rig_file, sizeof(rig_file), "%s", found.gl_pathv[0]);
	globfree(&found);
	return n;
}

uint8_t *
rig_load(const char *path, size_t *len)
{
	FILE *f = fopen(path, "r");
	uint8_t *p;

	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	*len = (size_t)ftell(f);
	rewind(f);
	assert_non_null(p = malloc(*len));
	assert_int_equal(fread(p, 1, *len, f), *len);
	fclose(f);
	return p;
}

void
rig_store(const char *path, const uint8_t *p, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, len, f), len);
	fclose(f);
}

void
rig_batch_seal(uint8_t *p)
{
	size_t len =
	    (size_t)p[16] << 24 | (size_t)p[17] << 16 | (size_t)p[18] << 8 | p[19];
	uint64_t sum;

	memset(p + BLOCK_SUM_AT, 0, 8);
	sum = hash_frozen(p, BLOCK_HEAD + len);
	for (unsigned i = 0; i < 8; i++)
		p[BLOCK_SUM_AT + i] = (uint8_t)(sum >> (56 - 8 * i));
}
