/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control protocol over a socketpair, against an engine without threads: flows are
 * fed by hand and rounds of the publisher run when a test says so.
 */
#ifndef WEIR_TESTS_REPORT_QUERY_RIG_H
#define WEIR_TESTS_REPORT_QUERY_RIG_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "core/engine.h"
#include "report/print.h"

#define T0 (UINT64_C(1700000000) * CLOCK_S)

struct fixture {
	struct engine *en;
	struct output_config talkers, ports, history;
	struct rules_config rules;
	struct print_config print;
	uint64_t now;
	int fd;              /* the client's end */
	int server_fd;
	pthread_t server;
	FILE *in;
};

struct answer {
	json_t *head, *rows; /* rows: an array */
};

/* Talkers and ports keep ledgers (ports for three rows only); history keeps none. */
int setup(void **state);
int teardown(void **state);

/* A client of the engine, whom a thread of its own serves; and its end, which waits for that. */
void client_connect(struct fixture *x);
void client_leave(struct fixture *x);

/* One packet of `octets` from 192.0.2.`host`. */
void feed(struct fixture *x, uint8_t host, uint64_t octets);

/* A second goes by, and the publisher does its round. */
void pass(struct fixture *x);
void send_text(struct fixture *x, const char *text, size_t len);

/* The next line of the answer, for json_decref; NULL at its end. */
json_t *line_read(struct fixture *x);

/* What the server answers to `request`; end it with answer_free. */
struct answer ask(struct fixture *x, const char *request);
void answer_free(struct answer *a);

/* Member `path` ("total.bytes") of `v` as a number. */
long long number(const json_t *v, const char *path);
const char *text(const json_t *v, const char *name);

/* Row `i` is of 192.0.2.`host` with `octets`. */
void assert_row(const struct answer *a, size_t i, int host, long long octets);

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
