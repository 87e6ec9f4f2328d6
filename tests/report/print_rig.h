/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A print plugin on a bench: snapshots of packets made by hand go in, files in a folder of
 * the test's own come out.
 */
#ifndef WEIR_TESTS_REPORT_PRINT_RIG_H
#define WEIR_TESTS_REPORT_PRINT_RIG_H

#include <stddef.h>

#include "core/output.h"
#include "core/view.h"
#include "flow/flow.h"
#include "report/print.h"
#include "report/print_format.h"

#define T0 (UINT64_C(1700000000) * CLOCK_S) /* 2023-11-14 22:13:20 UTC */
#define CUT (UINT64_C(1700003600) * CLOCK_S)
#define SIX "src_host,dst_host,src_port,dst_port,proto,tos"

#define N_PACKETS 6U /* that there are to count */

/* An output with its view, and nothing around them. */
struct fixture {
	char dir[64];
	char file[128];
	struct print_config config;
	struct output o;
	struct view *v;
};

/* Where not NULL, flows come from this exporter, those of UDP with tag 2, others with 1. */
extern const char *exporter_of;

/* Packet `i` as a flow. */
void packet_flow(struct flow *f, size_t i);

int setup(void **state);
int teardown(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* Plan and open, for a view of `max_rows`. */
void start(struct fixture *x, uint32_t max_rows);

/* A snapshot of packets `from` to `to`, as a worker would count them. */
struct snapshot *counted(struct fixture *x, size_t from, size_t to);

/* Write such a snapshot; all of it must be written. */
void write_packets(struct fixture *x, size_t from, size_t to);

/* The file `name` in the folder holds `want`; NULL: there is none. */
void assert_file(const struct fixture *x, const char *name, const char *want);

#endif
