/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An SQL plugin on a bench, with a real SQLite file: snapshots made by hand go in, a
 * connection of the test's own reads back. Each test has a folder of its own and a local
 * time two hours ahead of UTC.
 */
#ifndef WEIR_TESTS_SQL_RIG_H
#define WEIR_TESTS_SQL_RIG_H

#include <stddef.h>
#include <stdint.h>

#include "core/output.h"
#include "core/snapshot.h"
#include "flow/flow.h"
#include "sql/config.h"
#include "sql/driver.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define T_BIN UINT64_C(1699999800) /* 2023-11-14 22:10:00 UTC: start of five minutes */
#define T_CUT (T_BIN + 301) /* when snapshots are cut */
#define LOCAL_BIN "2023-11-15 00:10:00"
#define LOCAL_CUT "2023-11-15 00:15:01"

/* One plugin with its view. */
struct rig {
	struct sql_config sc;
	struct output o;
	struct view *v;
	uint64_t seq;
	struct output_result r; /* the output's books after the last write */
	struct err e; /* of the last */
};

/* The folder of the test, and the database in it that a rig writes to. */
extern char rig_dir[64], rig_db[96];

/* How many files in spools are called *.`tail`; the first of them is `rig_file`. */
unsigned rig_files(const char *tail);
extern char rig_file[256];

int rig_setup(void **state);
int rig_teardown(void **state);
#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

/*
 * Ask the plugin for its view. What is set in `g` stays; the rest becomes: the name
 * "test", version 1, file `rig_db`, refresh 300. Returns output_plan's result.
 */
int rig_plan(struct rig *g, struct view_config *vc);

/* Plan and open, with `d` instead of SQLite's driver where it is not NULL. 0 or not. */
int rig_open_with(struct rig *g, const struct sql_driver *d, uint32_t max_rows);

/* The same; fails the test when that fails. */
void rig_open(struct rig *g);
void rig_close(struct rig *g);

/* A snapshot of `flows` with number `seq`, cut at T_CUT. */
struct snapshot *rig_snapshot(
    struct rig *g, const struct flow *flows, unsigned n, uint64_t seq);

/* All octets of a file, for the caller to free; put others in their place. */
uint8_t *rig_load(const char *path, size_t *len);
void rig_store(const char *path, const uint8_t *p, size_t len);

/* Put the sum right of the head that a batch's file begins with, after it was changed. */
void rig_batch_seal(uint8_t *p);

/* Take over the output's books, which must balance. */
void rig_books(struct rig *g);

/* Write `s`, which it takes, and what waits, on this thread. */
int rig_write_snapshot(struct rig *g, struct snapshot *s);

/* Write a snapshot of `flows` with the next number. */
int rig_try(struct rig *g, const struct flow *flows, unsigned n);

/* The same; fails the test when that fails. */
void rig_write(struct rig *g, const struct flow *flows, unsigned n);

/*
 * The rows that `sql` yields: values divided by |, each row but the last ended by a
 * blank. Valid until the next call.
 */
const char *rig_rows(const char *sql);

/* Statements that yield nothing. */
void rig_run(const char *sql);

/* A flow ten seconds after T_BIN; addresses may be NULL. */
struct flow rig_flow(const char *src, const char *dst, uint16_t sport, uint16_t dport,
    uint8_t proto, uint64_t packets, uint64_t bytes);

#endif
