/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SETs to thresholds, without an SNMP library: what RFC 2579 says of RowStatus. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "agent/control.h"
#include "agent/notify.h"
#include "agent/requests.h"
#include "agent/tables.h"
#include "core/engine.h"
#include "core/threshold_file.h"
#include "lib/clock.h"
#include "tests/core/alarms_one.h"

enum { SCOPE = 2, SUBJECT, SELECTOR, METRIC, DIRECTION, RISING, FALLING, SCALE, WINDOW, HOLD,
	STARTUP, NOTIFY, STATE, STORAGE = 19, STATUS = 20 };
enum { ACTIVE = 1, NOT_IN_SERVICE, NOT_READY, GO, WAIT, DESTROY };

/* An engine with a view `talkers` and no threads. */
struct bench {
	struct engine *engine;
	struct config config;
	struct problems problems;
	struct output_config common;
	struct rules_config rules;
	struct alarm_config alarm;
	void *snmp;
	struct control *control;
};

static void
bench_init(struct bench *b)
{
	struct engine_config ec = { .workers = 1, .max_entries = 10, .max_exporters = 10 };
	struct err e = ERR_INIT;

	memset(b, 0, sizeof(*b));
	b->engine = engine_new(&ec, &e);
	b->snmp = calloc(1, snmp_directives.config_octets);
	directive_apply(&output_directives, &b->config, "talkers", &b->common, &b->problems);
	directive_apply(&snmp_directives, &b->config, "talkers", b->snmp, &b->problems);
	b->common.aggregate = "src_host";
	assert_int_equal(engine_output(b->engine, &snmp_output, "talkers", &b->common,
	                     &b->rules, b->snmp, &e), 0);
	assert_int_equal(alarms_new(b->engine, &b->alarm, &b->engine->alarms, &b->problems, &e),
	    0);
	b->engine->topns = topns_new(b->engine, &e);
	b->control = control_new(b->engine->alarms, b->engine->topns);
	assert_non_null(b->control);
}

static void
bench_fini(struct bench *b)
{
	control_free(b->control);
	engine_free(b->engine);
	free(b->snmp);
	config_free(&b->config);
	problems_free(&b->problems);
}

/* A variable of a SET: a number, or a text. */
struct variable {
	subid_t column;
	enum value_type type;
	uint64_t n;
	const char *text;
};
#define I(column, n) { column, VALUE_INTEGER, n, NULL }
#define U(column, n) { column, VALUE_UNSIGNED, n, NULL }
#define S(column, text) { column, VALUE_OCTETS, 0, text }

static enum set_error
ask_as(struct bench *b, const char *row, const struct variable *v, bool foreign)
{
	subid_t name[NAME_MAX_LEN] = { 1, 9, 1, v->column };
	struct value value = { .n = v->n };
	size_t len = 4;

	for (; *row != '\0'; row++)
		name[len++] = (uint8_t)*row;
	if (v->text != NULL)
		value_octets(&value, v->text, strlen(v->text));
	return control_ask(b->control, name, len, v->type, foreign ? NULL : &value);
}

static enum set_error
ask(struct bench *b, const char *row, const struct variable *v)
{
	return ask_as(b, row, v, false);
}

/* What follows on `n` variables that were asked for; returns the first error. */
static enum set_error
finish(struct bench *b, unsigned n)
{
	enum set_error rc = SET_OK;
	unsigned blame;

	for (unsigned i = 0; rc == SET_OK && i < n; i++)
		rc = control_verdict(b->control, i);
	if (rc == SET_OK)
		rc = control_prepare(b->control, &blame);
	if (rc == SET_OK)
		control_commit(b->control);
	return rc;
}

/* A whole SET of row `row`; returns the first error. */
static enum set_error
set(struct bench *b, const char *row, const struct variable *list, unsigned n)
{
	enum set_error rc = SET_OK;

	control_begin(b->control);
	for (unsigned i = 0; rc == SET_OK && i < n; i++)
		rc = ask(b, row, &list[i]);
	return rc == SET_OK ? finish(b, n) : rc;
}
#define SET(b, row, ...) \
	set(b, row, (const struct variable[]){ __VA_ARGS__ }, \
	    sizeof((const struct variable[]){ __VA_ARGS__ }) / sizeof(struct variable))

/* The RowStatus of row `row`; 0: there is none. */
static uint32_t
status_of(struct bench *b, const char *row)
{
	struct threshold_config c;

	return alarms_get(b->engine->alarms, row, &c) ? c.status : 0;
}

#define WHOLE \
	I(SCOPE, SCOPE_VIEW), S(SUBJECT, "talkers"), I(METRIC, METRIC_BYTES), U(RISING, 5)

/* The matrix of RFC 2579: in each state, what each request does. */
static const struct {
	const char *says;
	uint32_t before;          /* the row's status; 0: it is not there */
	uint32_t request;
	bool whole;               /* the row can be active */
	enum set_error want;
	uint32_t after;
} matrix[] = {
	{ "created, and active at once", 0, GO, true, SET_OK, ACTIVE },
	{ "not active without what it needs", 0, GO, false, SET_INCONSISTENT_VALUE, 0 },
	{ "created to be filled", 0, WAIT, false, SET_OK, NOT_READY },
	{ "created, and there is nothing to fill", 0, WAIT, true, SET_OK, NOT_IN_SERVICE },
	{ "what is not there cannot be active", 0, ACTIVE, true, SET_INCONSISTENT_VALUE, 0 },
	{ "nor out of service", 0, NOT_IN_SERVICE, true, SET_INCONSISTENT_VALUE, 0 },
	{ "nobody asks for notReady", 0, NOT_READY, true, SET_WRONG_VALUE, 0 },
	{ "what is not there can be destroyed", 0, DESTROY, false, SET_OK, 0 },

	{ "not ready, and now it is", NOT_READY, ACTIVE, true, SET_OK, ACTIVE },
	{ "not ready, and it is not", NOT_READY, ACTIVE, false, SET_INCONSISTENT_VALUE,
	    NOT_READY },
	{ "it is there already", NOT_READY, GO, true, SET_INCONSISTENT_VALUE, NOT_READY },
	{ "and cannot be created once more", NOT_READY, WAIT, true, SET_INCONSISTENT_VALUE,
	    NOT_READY },
	{ "destroyed before it was ready", NOT_READY, DESTROY, false, SET_OK, 0 },
	{ "not ready is not in service, but less", NOT_READY, NOT_IN_SERVICE, false, SET_OK,
	    NOT_READY },

	{ "into service", NOT_IN_SERVICE, ACTIVE, true, SET_OK, ACTIVE },
	{ "out of it is out of it", NOT_IN_SERVICE, NOT_IN_SERVICE, true, SET_OK,
	    NOT_IN_SERVICE },
	{ "there already, out of service", NOT_IN_SERVICE, GO, true, SET_INCONSISTENT_VALUE,
	    NOT_IN_SERVICE },
	{ "destroyed, out of service", NOT_IN_SERVICE, DESTROY, false, SET_OK, 0 },

	{ "active is active", ACTIVE, ACTIVE, true, SET_OK, ACTIVE },
	{ "out of service", ACTIVE, NOT_IN_SERVICE, true, SET_OK, NOT_IN_SERVICE },
	{ "there already, active", ACTIVE, WAIT, true, SET_INCONSISTENT_VALUE, ACTIVE },
	{ "notReady, of what is active", ACTIVE, NOT_READY, true, SET_WRONG_VALUE, ACTIVE },
	{ "destroyed while active", ACTIVE, DESTROY, false, SET_OK, 0 },
};

static void
rows_come_and_go_as_their_status_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(matrix) / sizeof(matrix[0]); i++) {
		struct bench b;

		print_message("# %s\n", matrix[i].says);
		bench_init(&b);
		if (matrix[i].before == NOT_READY)
			assert_int_equal(SET(&b, "x", I(STATUS, WAIT)), SET_OK);
		else if (matrix[i].before == NOT_IN_SERVICE)
			assert_int_equal(SET(&b, "x", I(STATUS, WAIT), WHOLE), SET_OK);
		else if (matrix[i].before == ACTIVE)
			assert_int_equal(SET(&b, "x", WHOLE, I(STATUS, GO)), SET_OK);
		assert_int_equal(status_of(&b, "x"), matrix[i].before);
		if (matrix[i].whole && matrix[i].before != ACTIVE)
			assert_int_equal(SET(&b, "x", WHOLE, I(STATUS, matrix[i].request)),
			    matrix[i].want);
		else
			assert_int_equal(SET(&b, "x", I(STATUS, matrix[i].request)),
			    matrix[i].want);
		assert_int_equal(status_of(&b, "x"), matrix[i].after);
		bench_fini(&b);
	}
}

static const struct {
	const char *says;
	struct variable v;
	enum set_error want;
} variables[] = {
	{ "a number of the wrong type", U(SCOPE, 1), SET_WRONG_TYPE },
	{ "a limit that is signed", I(RISING, 1), SET_WRONG_TYPE },
	{ "a text as a number", S(RISING, "1"), SET_WRONG_TYPE },
	{ "a number as a text", U(SUBJECT, 1), SET_WRONG_TYPE },
	{ "a counter", { RISING, VALUE_COUNTER64, 1, NULL }, SET_WRONG_TYPE },
	{ "no such scope", I(SCOPE, 8), SET_WRONG_VALUE },
	{ "no scope at all", I(SCOPE, 0), SET_WRONG_VALUE },
	{ "a negative number", I(SCOPE, UINT64_MAX), SET_WRONG_VALUE },
	{ "too many zeros", U(SCALE, 13), SET_WRONG_VALUE },
	{ "a window of no time", U(WINDOW, 0), SET_WRONG_VALUE },
	{ "a window of days", U(WINDOW, 86401), SET_WRONG_VALUE },
	{ "no truth", I(NOTIFY, 3), SET_WRONG_VALUE },
	{ "a storage that we cannot give", I(STORAGE, 4), SET_WRONG_VALUE },
	{ "a storage that is the map's", I(STORAGE, 5), SET_WRONG_VALUE },
	{ "a subject that is too long",
	    S(SUBJECT, "0123456789012345678901234567890123456789012345678901234567890123"),
	    SET_WRONG_LENGTH },
	{ "a control character", S(SELECTOR, "src_host=\n"), SET_WRONG_VALUE },
	{ "what is no UTF-8", S(SUBJECT, "caf\xe9"), SET_WRONG_VALUE },
	{ "letters beyond ASCII", S(SUBJECT, "caf\xc3\xa9"), SET_OK },
	{ "what weir alone writes", I(STATE, 2), SET_NOT_WRITABLE },
	{ "what is not there", I(21, 2), SET_NOT_WRITABLE },
	{ "the index", S(1, "x"), SET_NOT_WRITABLE },
	{ "the largest limit", U(RISING, UINT32_MAX), SET_OK },
	{ "an empty text", S(SUBJECT, ""), SET_OK },
};

static void
each_variable_is_looked_at_by_itself(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		print_message("# %s\n", variables[i].says);
		control_begin(b.control);
		assert_int_equal(ask(&b, "x", &variables[i].v), variables[i].want);
	}
	assert_int_equal(status_of(&b, "x"), 0);
	bench_fini(&b);
}

static const struct {
	const char *says;
	subid_t name[NAME_MAX_LEN];
	size_t len;
	enum set_error want;
} names[] = {
	{ "a scalar", { 1, 1, 1, 0 }, 4, SET_NOT_WRITABLE },
	{ "another table", { 1, 5, 1, 6, 1, 2, 3 }, 7, SET_NOT_WRITABLE },
	{ "a column", { 1, 9, 1, 7 }, 4, SET_NOT_WRITABLE },
	{ "a name of what is no octet", { 1, 9, 1, 7, 300 }, 5, SET_NO_CREATION },
	{ "a name with a blank", { 1, 9, 1, 7, 'a', ' ', 'b' }, 7, SET_NO_CREATION },
	{ "a name with a newline", { 1, 9, 1, 7, '\n' }, 5, SET_NO_CREATION },
	{ "a name that is too long", { 1, 9, 1, 7, [4] = 'a' }, 4 + 33, SET_NO_CREATION },
};

static void
only_thresholds_can_be_written(void **state)
{
	const struct value v = { .n = 1 };
	struct bench b;

	(void)state;
	bench_init(&b);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		subid_t name[NAME_MAX_LEN];

		memcpy(name, names[i].name, sizeof(name));
		for (size_t k = 5; k < names[i].len && name[k] == 0; k++)
			name[k] = 'a';
		print_message("# %s\n", names[i].says);
		control_begin(b.control);
		assert_int_equal(
		    control_ask(b.control, name, names[i].len, VALUE_UNSIGNED, &v),
		    names[i].want);
	}
	bench_fini(&b);
}

/* Of several faults of a variable the first is told, as RFC 3416 s4.2.5 has them. */
static const struct {
	const char *says;
	const char *row;
	struct variable v;
	bool foreign;            /* of a type that no object has */
	enum set_error want;
} faults[] = {
	{ "not writable, and of the wrong type", "x", S(STATE, "1"), false, SET_NOT_WRITABLE },
	{ "not writable, and of a foreign type", "x", I(STATE, 1), true, SET_NOT_WRITABLE },
	{ "of a foreign type", "x", U(RISING, 1), true, SET_WRONG_TYPE },
	{ "no such row, and of a foreign type", "a b", U(RISING, 1), true, SET_WRONG_TYPE },
	{ "no such row, and of the wrong type", "a b", I(RISING, 1), false, SET_WRONG_TYPE },
	{ "no such row, and too long", "a b",
	    S(SUBJECT, "0123456789012345678901234567890123456789012345678901234567890123"), false,
	    SET_WRONG_LENGTH },
	{ "no such row, and a wrong value", "a b", I(SCOPE, 8), false, SET_WRONG_VALUE },
	{ "no such row, which nobody may ask to be notReady", "a b", I(STATUS, NOT_READY), false,
	    SET_WRONG_VALUE },
	{ "no such row", "a b", U(RISING, 1), false, SET_NO_CREATION },
};

static void
of_several_faults_the_first_is_told(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		print_message("# %s\n", faults[i].says);
		control_begin(b.control);
		assert_int_equal(ask_as(&b, faults[i].row, &faults[i].v, faults[i].foreign),
		    faults[i].want);
	}
	bench_fini(&b);
}

static void
rows_are_judged_as_a_whole(void **state)
{
	struct bench b;
	struct threshold_config c;

	(void)state;
	bench_init(&b);
	/* Without RowStatus there is no row. */
	assert_int_equal(SET(&b, "x", WHOLE), SET_INCONSISTENT_NAME);
	assert_int_equal(SET(&b, "x", WHOLE, I(STATUS, GO), U(FALLING, 6)),
	    SET_INCONSISTENT_VALUE);
	assert_int_equal(SET(&b, "x", I(STATUS, GO), WHOLE, U(FALLING, 4), U(SCALE, 6)), SET_OK);
	/* The limits change together, or not at all. */
	assert_int_equal(SET(&b, "x", U(FALLING, 9)), SET_INCONSISTENT_VALUE);
	assert_int_equal(SET(&b, "x", U(RISING, 10), U(FALLING, 9)), SET_OK);
	assert_true(alarms_get(b.engine->alarms, "x", &c));
	assert_int_equal(threshold_limit(&c, c.rising), 10000000);
	assert_int_equal(c.storage, STORAGE_NONVOLATILE);
	assert_int_equal(c.status, ACTIVE);
	/* One that is out of service may say what makes no sense as yet. */
	assert_int_equal(SET(&b, "x", I(STATUS, NOT_IN_SERVICE)), SET_OK);
	assert_int_equal(SET(&b, "x", S(SUBJECT, "nobody")), SET_OK);
	assert_int_equal(status_of(&b, "x"), NOT_READY);
	assert_int_equal(SET(&b, "x", S(SUBJECT, "talkers")), SET_OK);
	assert_int_equal(status_of(&b, "x"), NOT_IN_SERVICE);
	bench_fini(&b);
}

static void
a_request_is_done_whole_or_not_at_all(void **state)
{
	static const struct variable good[] = { WHOLE, I(STATUS, GO) };
	static const struct variable bad = I(STATUS, GO);
	struct bench b;

	(void)state;
	bench_init(&b);
	control_begin(b.control);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(ask(&b, "one", &good[i]), SET_OK);
	assert_int_equal(ask(&b, "two", &bad), SET_OK);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(control_verdict(b.control, i), SET_OK);
	assert_int_equal(control_verdict(b.control, 5), SET_INCONSISTENT_VALUE);
	assert_int_equal(status_of(&b, "one"), 0);

	/* As many rows as there is room for. */
	control_begin(b.control);
	for (int i = 0; i < 40; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(ask(&b, name, &bad) == SET_OK, i < 32);
	}
	bench_fini(&b);
}

/* As many thresholds, and reports, as there may be, less `room`. */
static void
bench_fill(struct bench *b, unsigned thresholds, unsigned reports)
{
	struct threshold_config t;
	struct topn_config r;
	struct err e = ERR_INIT;

	threshold_defaults(&t);
	t.status = STATUS_NOT_READY;
	for (unsigned i = 0; i < thresholds; i++) {
		snprintf(t.name, sizeof(t.name), "fill%u", i);
		assert_int_equal(alarms_put(b->engine->alarms, &t, &e), 0);
	}
	topn_defaults(&r);
	r.status = STATUS_NOT_READY;
	for (unsigned i = 0; i < reports; i++) {
		r.index = 1000 + i;
		assert_int_equal(topns_put(b->engine->topns, &r, &e), 0);
	}
}

static void
ask_report(struct bench *b, uint32_t index, uint64_t status)
{
	const subid_t name[] = { 1, 6, 1, 12, index };
	const struct value v = { .n = status };

	assert_int_equal(control_ask(b->control, name, 5, VALUE_INTEGER, &v), SET_OK);
}

/* Requests for which there is room, or not quite: all of one is done, or none. */
static const struct {
	const char *says;
	unsigned thresholds, reports; /* that there are */
	const char *rows[3];          /* thresholds to be made; "-fill0": to be destroyed */
	unsigned new_reports;
	bool done;
	unsigned blame;               /* which variable */
} rooms[] = {
	{ "two thresholds, and room for two", 998, 0, { "a", "b" }, 0, true, 0 },
	{ "two thresholds, and room for one", 999, 0, { "a", "b" }, 0, false, 0 },
	{ "what goes makes room", 999, 0, { "a", "-fill0", "b" }, 0, true, 0 },
	{ "and is still there when that is not enough", 1000, 0, { "-fill0", "a", "b" }, 0, false,
	    1 },
	{ "thresholds and reports, and room for both", 0, 98, { "a" }, 2, true, 0 },
	{ "thresholds and reports, and no room for these", 0, 99, { "a" }, 2, false, 0 },
	{ "nor for those", 1000, 0, { "a" }, 1, false, 0 },
};

static void
what_finds_no_room_leaves_nothing_behind(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		unsigned n = 0, blame = 99;
		struct bench b;

		print_message("# %s\n", rooms[i].says);
		bench_init(&b);
		bench_fill(&b, rooms[i].thresholds, rooms[i].reports);
		control_begin(b.control);
		for (; n < 3 && rooms[i].rows[n] != NULL; n++) {
			const char *row = rooms[i].rows[n];
			const struct variable v = I(STATUS, row[0] == '-' ? DESTROY : WAIT);

			assert_int_equal(ask(&b, row + (row[0] == '-'), &v), SET_OK);
		}
		for (unsigned k = 0; k < rooms[i].new_reports; k++, n++)
			ask_report(&b, 1 + k, WAIT);
		for (unsigned k = 0; k < n; k++)
			assert_int_equal(control_verdict(b.control, k), SET_OK);
		if (control_prepare(b.control, &blame) == SET_OK) {
			assert_true(rooms[i].done);
		} else {
			assert_false(rooms[i].done);
			assert_int_equal(blame, rooms[i].blame);
		}
		control_commit(b.control); /* of what was refused there is nothing */
		for (unsigned k = 0; k < 3 && rooms[i].rows[k] != NULL; k++) {
			const char *row = rooms[i].rows[k];
			bool goes = row[0] == '-';

			assert_int_equal(status_of(&b, row + goes) != 0, rooms[i].done != goes);
		}
		for (unsigned k = 0; k < rooms[i].new_reports; k++)
			assert_int_equal(topns_get(b.engine->topns, 1 + k,
			                     &(struct topn_config){ 0 }), rooms[i].done);
		bench_fini(&b);
	}
}

/* What is prepared is there when it is committed, and not before; or never. */
static void
what_is_prepared_can_be_undone(void **state)
{
	static const struct variable make = I(STATUS, WAIT), destroy = I(STATUS, DESTROY);
	struct bench b;
	unsigned blame;

	(void)state;
	bench_init(&b);
	bench_fill(&b, 999, 0);
	for (int again = 0; again < 3; again++) {
		struct threshold_config c;
		struct err e = ERR_INIT;

		control_begin(b.control);
		assert_int_equal(ask(&b, "a", again == 2 ? &destroy : &make), SET_OK);
		assert_int_equal(control_verdict(b.control, 0), SET_OK);
		assert_int_equal(control_prepare(b.control, &blame), SET_OK);
		assert_int_equal(status_of(&b, "a") != 0, again == 2);
		/* The last place is promised, and nobody else's. */
		threshold_defaults(&c);
		strcpy(c.name, "other");
		c.status = STATUS_NOT_READY;
		assert_int_equal(alarms_put(b.engine->alarms, &c, &e), -WEIR_EFULL);
		if (again == 0)
			control_begin(b.control);
		control_commit(b.control);
		assert_int_equal(status_of(&b, "a") != 0, again == 1);
	}
	bench_fini(&b);
}

static void
a_tree_shows_what_was_committed(void **state)
{
	struct bench b;
	struct mib_tree *t = tree_new(&(struct tree_size){ .views = 0 });

	(void)state;
	bench_init(&b);
	assert_true(control_show(b.engine->alarms, b.engine->topns, t));
	assert_int_equal(t->n_thresholds, 0);
	assert_int_equal(SET(&b, "zz", WHOLE, I(STATUS, GO)), SET_OK);
	assert_int_equal(SET(&b, "a", WHOLE, I(STATUS, GO)), SET_OK);
	control_update(b.control, t);
	assert_int_equal(t->n_thresholds, 2);
	assert_string_equal(t->thresholds[0].config.name, "a");
	assert_int_equal(SET(&b, "a", I(STATUS, DESTROY)), SET_OK);
	control_update(b.control, t);
	assert_int_equal(t->n_thresholds, 1);
	tree_seal(t);
	tree_free(t);
	bench_fini(&b);
}

/* What is raised; the linker has it called in the place of the true one. */
static bool no_memory;
struct alarm_row *__real_alarms_raised(struct alarms *a, uint32_t *n);
struct alarm_row *__wrap_alarms_raised(struct alarms *a, uint32_t *n);

struct alarm_row *
__wrap_alarms_raised(struct alarms *a, uint32_t *n)
{
	*n = 0;
	return no_memory ? NULL : __real_alarms_raised(a, n);
}

/* Without memory a tree goes on showing what it did: no alarm vanishes. */
static void
a_tree_stays_as_it_is_without_memory(void **state)
{
	struct bench b;
	struct mib_tree *t = tree_new(&(struct tree_size){ .views = 0 });

	(void)state;
	bench_init(&b);
	assert_int_equal(SET(&b, "a", WHOLE, I(STATUS, GO)), SET_OK);
	assert_true(control_show(b.engine->alarms, b.engine->topns, t));
	assert_int_equal(SET(&b, "b", WHOLE, I(STATUS, GO)), SET_OK);
	no_memory = true;
	assert_false(control_show(b.engine->alarms, b.engine->topns, t));
	control_update(b.control, t);
	assert_int_equal(t->n_thresholds, 1);
	assert_non_null(t->alarms);
	no_memory = false;
	control_update(b.control, t);
	assert_int_equal(t->n_thresholds, 2);
	tree_seal(t);
	tree_free(t);
	bench_fini(&b);
}

/* Reports of who has most are written in the same way. */
static enum set_error
topn_set(struct bench *b, uint32_t index, subid_t column, enum value_type type,
    const char *text, uint64_t n)
{
	const subid_t name[] = { 1, 6, 1, column, index };
	struct value v = { .n = n };
	enum set_error rc;

	control_begin(b->control);
	if (text != NULL)
		value_octets(&v, text, strlen(text));
	rc = control_ask(b->control, name, 5, type, &v);
	return rc == SET_OK ? finish(b, 1) : rc;
}

/* A request has a bound, though all that it asks for is of one row. */
static void
a_request_has_a_bound(void **state)
{
	static const subid_t name[] = { 1, 6, 1, 5, 7 };
	const struct value v = { .n = 25 };
	enum set_error rc = SET_OK;
	struct bench b;
	unsigned n;

	(void)state;
	bench_init(&b);
	control_begin(b.control);
	for (n = 0; rc == SET_OK && n < 2000; n++)
		rc = control_ask(b.control, name, 5, VALUE_UNSIGNED, &v);
	assert_int_equal(rc, SET_RESOURCE_UNAVAILABLE);
	assert_int_equal(n, 513);
	bench_fini(&b);
}

/* Places that a SET was promised are free again when its master is gone. */
static void
a_master_that_goes_leaves_nothing_behind(void **state)
{
	static struct requests q;
	struct threshold_config c;
	struct err e = ERR_INIT;
	unsigned blame;
	struct bench b;

	(void)state;
	bench_init(&b);
	threshold_defaults(&c);
	c.scope = SCOPE_VIEW;
	c.metric = METRIC_BYTES;
	c.rising = 5;
	snprintf(c.subject, sizeof(c.subject), "talkers");
	for (unsigned i = 1; i < THRESHOLDS_MAX; i++) {
		snprintf(c.name, sizeof(c.name), "t%u", i);
		assert_int_equal(alarms_put(b.engine->alarms, &c, &e), 0);
	}
	assert_int_equal(ask(&b, "x", &(struct variable)I(STATUS, WAIT)), SET_OK);
	assert_int_equal(control_verdict(b.control, 0), SET_OK);
	assert_int_equal(control_prepare(b.control, &blame), SET_OK);
	snprintf(c.name, sizeof(c.name), "last");
	assert_int_equal(alarms_put(b.engine->alarms, &c, &e), -WEIR_EFULL);
	q.control = b.control;
	q.set.open = true;
	q.changing = UINT64_MAX;
	requests_detach(&q);
	assert_false(q.set.open);
	assert_int_equal(q.changing, 0);
	assert_int_equal(alarms_put(b.engine->alarms, &c, &e), 0);
	bench_fini(&b);
}

static void
reports_are_written_in_the_same_way(void **state)
{
	enum { VIEW = 2, SIZE = 5, SERIAL = 7, TOPN_STATUS = 12 };
	struct bench b;
	struct topn_config c;

	(void)state;
	bench_init(&b);
	assert_int_equal(topn_set(&b, 5, TOPN_STATUS, VALUE_INTEGER, NULL, GO),
	    SET_INCONSISTENT_VALUE);
	assert_int_equal(topn_set(&b, 5, TOPN_STATUS, VALUE_INTEGER, NULL, WAIT), SET_OK);
	assert_int_equal(topn_set(&b, 5, TOPN_STATUS, VALUE_INTEGER, NULL, ACTIVE),
	    SET_INCONSISTENT_VALUE);
	assert_int_equal(topn_set(&b, 5, VIEW, VALUE_OCTETS, "talkers", 0), SET_OK);
	assert_int_equal(topn_set(&b, 5, SIZE, VALUE_UNSIGNED, NULL, 0), SET_WRONG_VALUE);
	assert_int_equal(topn_set(&b, 5, SIZE, VALUE_UNSIGNED, NULL, 25), SET_OK);
	assert_int_equal(topn_set(&b, 5, SERIAL, VALUE_COUNTER32, NULL, 1), SET_NOT_WRITABLE);
	assert_true(topns_get(b.engine->topns, 5, &c));
	assert_int_equal(c.status, NOT_IN_SERVICE);
	assert_int_equal(topn_set(&b, 5, TOPN_STATUS, VALUE_INTEGER, NULL, ACTIVE), SET_OK);
	assert_true(topns_get(b.engine->topns, 5, &c));
	assert_int_equal(c.size, 25);
	assert_int_equal(c.status, ACTIVE);
	assert_int_equal(topn_set(&b, 0, TOPN_STATUS, VALUE_INTEGER, NULL, GO), SET_NO_CREATION);
	c.index = 6;
	c.storage = STORAGE_READONLY;
	assert_int_equal(topns_put(b.engine->topns, &c, NULL), 0);
	assert_int_equal(topn_set(&b, 6, TOPN_STATUS, VALUE_INTEGER, NULL, DESTROY),
	    SET_NOT_WRITABLE);
	assert_int_equal(topn_set(&b, 5, TOPN_STATUS, VALUE_INTEGER, NULL, DESTROY), SET_OK);
	assert_false(topns_get(b.engine->topns, 5, &c));
	bench_fini(&b);
}

/*
 * A threshold that was kept over a restart and has no view this time: whoever sets another
 * column of it does not disarm it, but whoever asks for a status does.
 */
static void
what_waits_for_its_view_waits_on(void **state)
{
	static const struct { const char *says; struct variable v; uint32_t now, kept; } cases[] = {
		{ "another limit", U(RISING, 9), NOT_READY, ACTIVE },
		{ "a view that is there", S(SUBJECT, "talkers"), ACTIVE, ACTIVE },
		{ "out of service", I(STATUS, NOT_IN_SERVICE), NOT_READY, NOT_READY },
		{ "active", I(STATUS, ACTIVE), NOT_READY, ACTIVE },
	};
	char dir[] = "/tmp/weir-control-XXXXXX", file[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/thresholds", dir);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct threshold_config c, *list;
		struct err e = ERR_INIT;
		struct bench b;
		uint32_t n;

		print_message("%s\n", cases[i].says);
		threshold_defaults(&c);
		snprintf(c.name, sizeof(c.name), "x");
		snprintf(c.subject, sizeof(c.subject), "away");
		c.scope = SCOPE_VIEW;
		c.metric = METRIC_BYTES;
		c.rising = 5;
		c.storage = STORAGE_NONVOLATILE;
		c.status = ACTIVE;
		assert_int_equal(threshold_file_write(file, &c, 1, &e), 0);
		bench_init(&b);
		assert_int_equal(alarms_start(b.engine->alarms, dir, &e), 0);
		assert_int_equal(status_of(&b, "x"), NOT_READY);
		(void)set(&b, "x", &cases[i].v, 1);
		assert_int_equal(status_of(&b, "x"), cases[i].now);
		alarms_stop(b.engine->alarms);
		bench_fini(&b);
		assert_int_equal(threshold_file_read(file, &list, &n, &e), 0);
		assert_int_equal(n, 1);
		assert_int_equal(list[0].status, cases[i].kept);
		free(list);
	}
	unlink(file);
	rmdir(dir);
}

/* Many things happen at once: some are told, the others are counted. */
static void
no_more_is_notified_than_is_wanted(void **state)
{
	struct bench b;
	struct notify *n;
	struct notification out;
	unsigned cleared = 0;

	(void)state;
	bench_init(&b);
	clock_set(UINT64_C(1767225600) * CLOCK_S);
	n = notify_new(&(struct notify_config){ .alarms = b.engine->alarms, .rate = 10,
	    .started = clock_real() });
	assert_true(notify_next(n, NULL, &out));
	assert_int_equal(out.number, 1);
	assert_false(notify_next(n, NULL, &out));
	/* A threshold of a second that is crossed, or well again, 50 times. */
	assert_int_equal(SET(&b, "x", I(SCOPE, SCOPE_VIEW), S(SUBJECT, "talkers"),
	                     I(METRIC, METRIC_ROWS), U(RISING, 1), U(WINDOW, 1),
	                     I(STARTUP, STARTUP_EITHER), I(STATUS, GO)), SET_OK);
	for (unsigned i = 1; i <= 50; i++) {
		struct err e = ERR_INIT;
		struct threshold_config c;

		clock_set(clock_real() + CLOCK_S);
		alarms_look(b.engine->alarms, clock_real());
		assert_true(alarms_get(b.engine->alarms, "x", &c));
		assert_int_equal(alarms_put(b.engine->alarms, &c, &e), 0); /* begins anew */
	}
	assert_int_equal(alarms_serial(b.engine->alarms), 50);
	assert_true(notify_is_due(n));
	while (notify_next(n, NULL, &out)) {
		assert_int_equal(out.number, 3);
		assert_int_equal(out.n, 3);
		assert_int_equal(out.objects[0].len, 4 + 2 + 2); /* length, name, two halves */
		cleared++;
	}
	assert_int_equal(cleared, 10);
	assert_int_equal(notify_suppressed(n), 40);
	assert_true(notify_is_due(n));
	clock_set(clock_real() + CLOCK_S);
	assert_true(notify_next(n, NULL, &out));
	assert_int_equal(out.number, 4);
	assert_int_equal(out.objects[0].value.n, 40);
	assert_false(notify_next(n, NULL, &out));
	assert_false(notify_is_due(n));
	assert_int_equal(notify_sent(n), 12);
	notify_free(n);
	clock_set(0);
	bench_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_come_and_go_as_their_status_says),
		cmocka_unit_test(each_variable_is_looked_at_by_itself),
		cmocka_unit_test(only_thresholds_can_be_written),
		cmocka_unit_test(of_several_faults_the_first_is_told),
		cmocka_unit_test(rows_are_judged_as_a_whole),
		cmocka_unit_test(a_request_is_done_whole_or_not_at_all),
		cmocka_unit_test(what_finds_no_room_leaves_nothing_behind),
		cmocka_unit_test(what_is_prepared_can_be_undone),
		cmocka_unit_test(a_tree_shows_what_was_committed),
		cmocka_unit_test(a_tree_stays_as_it_is_without_memory),
		cmocka_unit_test(a_request_has_a_bound),
		cmocka_unit_test(a_master_that_goes_leaves_nothing_behind),
		cmocka_unit_test(reports_are_written_in_the_same_way),
		cmocka_unit_test(what_waits_for_its_view_waits_on),
		cmocka_unit_test(no_more_is_notified_than_is_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
