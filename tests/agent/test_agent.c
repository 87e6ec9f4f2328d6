/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The door's own part: directives, indexes, what plugins share. No snmpd is needed: the
 * session looks for one where there is none, and the engine is never started whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "agent/census.h"
#include "agent/tables.h"
#include "core/engine.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/rcu.h"

#define PLUGINS_MAX 4

/* libnetsnmp loses some memory each time that it is started anew; a daemon starts it once. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:libnetsnmp";
}

/* An engine with plugins, and what they borrow. */
struct bench {
	struct engine *engine;
	struct config config;
	struct problems problems;
	struct output_config common[PLUGINS_MAX];
	struct rules_config rules;
	void *configs[PLUGINS_MAX];
	unsigned n;
};

static void
bench_init(struct bench *b, unsigned workers)
{
	struct engine_config ec = { .workers = workers, .max_entries = 100,
		.max_exporters = 100 };

	memset(b, 0, sizeof(*b));
	b->engine = engine_new(&ec, NULL);
	assert_non_null(b->engine);
	config_add(&b->config, "test", "snmp_agentx_socket", NULL, "unix:/nowhere/at/all");
}

static void
bench_fini(struct bench *b)
{
	engine_free(b->engine);
	config_free(&b->config);
	problems_free(&b->problems);
	for (unsigned i = 0; i < b->n; i++)
		free(b->configs[i]);
}

static int
bench_plugin(struct bench *b, const char *name, const char *aggregate, struct err *e)
{
	unsigned i = b->n++;

	b->configs[i] = calloc(1, snmp_directives.config_octets);
	directive_apply(&output_directives, &b->config, name, &b->common[i], &b->problems);
	directive_apply(&snmp_directives, &b->config, name, b->configs[i], &b->problems);
	b->common[i].aggregate = aggregate;
	return engine_output(b->engine, &snmp_output, name, &b->common[i], &b->rules,
	    b->configs[i], e);
}

static const struct {
	const char *says;
	const char *oid;
	bool good;
} bases[] = {
	{ "a private enterprise", "1.3.6.1.4.1.99999.1", true },
	{ "a dot in front", ".1.3.6.1.4.1.99999.1", true },
	{ "the largest sub-identifier", "1.3.6.1.4.1.4294967295", true },
	{ "one larger", "1.3.6.1.4.1.4294967296", false },
	{ "far larger", "1.3.6.1.4.1.99999999999999999999999", false },
	{ "a name", "enterprises.99999", false },
	{ "nothing", "", false },
	{ "a dot", ".", false },
	{ "a dot at the end", "1.3.6.1.", false },
	{ "two dots", "1.3..6.1", false },
	{ "a sign", "1.3.-6.1", false },
	{ "a blank", "1.3. 6.1", false },
	{ "no arc of the three there are", "3.3.6.1", false },
	{ "no second arc below the first", "1.40.1", false },
	{ "one below the third, which has many", "2.999.1", true },
	{ "everything that there is", "1.3", false },
};

static void
a_root_is_an_object_identifier(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		struct bench b;
		struct err e = ERR_INIT;
		int rc;

		print_message("# %s\n", bases[i].says);
		bench_init(&b, 1);
		config_add(&b.config, "test", "snmp_oid_base", NULL, bases[i].oid);
		rc = bench_plugin(&b, "x", "src_host", &e);
		assert_int_equal(rc == 0, bases[i].good);
		if (rc != 0)
			assert_non_null(strstr(e.text, "snmp_oid_base"));
		bench_fini(&b);
	}
}

static void
a_root_may_not_be_too_long(void **state)
{
	char oid[512] = "1.3.6.1.4.1";
	struct bench b;
	struct err e = ERR_INIT;

	(void)state;
	for (int i = 0; i < 120; i++)
		strcat(oid, ".1");
	bench_init(&b, 1);
	config_add(&b.config, "test", "snmp_oid_base", NULL, oid);
	assert_int_not_equal(bench_plugin(&b, "x", "src_host", &e), 0);
	bench_fini(&b);
}

/* Frozen: graphs hang on them. */
static void
an_index_is_made_of_the_name_alone(void **state)
{
	(void)state;
	assert_int_equal(hash_index("a"), 1764188792);
	assert_int_equal(hash_index("b"), 1008899408);
	assert_int_not_equal(hash_index(""), 0);
}

static void
two_plugins_with_one_index_refuse_to_start(void **state)
{
	struct bench b;
	struct err e = ERR_INIT;

	(void)state;
	bench_init(&b, 1);
	config_add(&b.config, "test", "snmp_index", "north", "7");
	config_add(&b.config, "test", "snmp_index", "south", "7");
	assert_int_equal(bench_plugin(&b, "north", "src_host", &e), 0);
	assert_int_equal(bench_plugin(&b, "south", "dst_host", &e), 0);
	assert_int_equal(engine_prepare(b.engine, &b.problems, &e), 0);
	assert_int_not_equal(engine_start(b.engine, &e), 0);
	assert_non_null(strstr(e.text, "'north'"));
	assert_non_null(strstr(e.text, "'south'"));
	assert_non_null(strstr(e.text, "7"));
	assert_null(b.engine->outputs[0]->priv);
	bench_fini(&b);
}

static void
plugins_share_a_session_that_can_begin_anew(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct bench b;

		bench_init(&b, 2);
		assert_int_equal(bench_plugin(&b, "one", "src_host", &e), 0);
		assert_int_equal(bench_plugin(&b, "two", "dst_host", &e), 0);
		assert_int_equal(bench_plugin(&b, "three", "src_host", &e), 0);
		assert_int_equal(engine_prepare(b.engine, &b.problems, &e), 0);
		assert_int_equal(engine_start(b.engine, &e), 0);
		publisher_round(b.engine->publisher, b.engine->started + 1, false);
		engine_stop(b.engine);
		bench_fini(&b);
	}
}

/* Collectors that only stand there. */
static int
door_open(struct collector *c, struct err *e)
{
	(void)e;
	snprintf(c->where, sizeof(c->where), "%s", (const char *)c->config);
	return 0;
}

static const struct collector_ops netflow_door = {
	.name = "netflow", .kind = COLLECTOR_NETFLOW, .open = door_open
};
static const struct collector_ops sflow_door = {
	.name = "sflow", .kind = COLLECTOR_SFLOW, .open = door_open
};
static const struct collector_ops pcap_door = {
	.name = "pcap", .kind = COLLECTOR_PCAP, .open = door_open
};

static const struct collector_row *
row_of(const struct mib_tree *t, const char *name)
{
	for (uint32_t i = 0; i < t->n_collectors; i++)
		if (strcmp(t->collectors[i].name, name) == 0)
			return &t->collectors[i];
	return NULL;
}

static struct mib_tree *
census_tree(struct census *c)
{
	struct tree_size size = { 0 };
	struct mib_tree *t;

	census_count(c, &size);
	t = tree_new(&size);
	assert_non_null(t);
	census_take(c, t);
	tree_seal(t);
	return t;
}

static void
instances_of_a_collector_are_one_row(void **state)
{
	struct bench b;
	struct err e = ERR_INIT;
	const struct collector_row *r;
	struct census *c;
	struct mib_tree *t;

	(void)state;
	bench_init(&b, 3);
	assert_int_equal(engine_collector(b.engine, &netflow_door, "[::]:2100", 0, &e), 0);
	assert_int_equal(engine_collector(b.engine, &sflow_door, "192.0.2.1:6343", 0, &e), 0);
	assert_int_equal(engine_collector(b.engine, &pcap_door, "eth0", 2, &e), 0);
	assert_int_equal(engine_collector(b.engine, &pcap_door, "/tmp/x.pcap", 1, &e), 0);
	for (unsigned w = 0; w < 3; w++) {
		b.engine->workers[w].collectors[0]->units = 10 + w;
		b.engine->workers[w].collectors[0]->last_seen = 100 * w;
		b.engine->workers[w].collectors[0]->versions = w;
		b.engine->workers[w].collectors[0]->waiting = 2 * w;
		b.engine->workers[w].collectors[0]->crowded = 3 * w;
	}
	b.engine->workers[0].collectors[3]->follows_file_time = true;
	b.engine->workers[0].collectors[3]->done = true;
	b.engine->workers[1].collectors[2]->done = true; /* one instance of eth0 broke */

	c = census_new(b.engine, &e);
	t = census_tree(c);
	assert_int_equal(t->n_collectors, 4);
	for (uint32_t i = 1; i < 4; i++)
		assert_true(t->collectors[i - 1].index < t->collectors[i].index);

	r = row_of(t, "netflow [::]:2100");
	assert_non_null(r);
	assert_int_equal(r->index, hash_index("netflow [::]:2100"));
	assert_int_equal(r->packets, 33);
	assert_int_equal(r->last_seen, 200);
	assert_int_equal(r->versions, 3);
	assert_int_equal(r->crowded, 9);
	assert_int_equal(r->waiting, 6);
	assert_int_equal(r->type, 2);
	assert_int_equal(r->address_type, INET_IPV6);
	assert_int_equal(r->port, 2100);
	assert_int_equal(r->oper_state, 1);
	r = row_of(t, "sflow 192.0.2.1:6343");
	assert_int_equal(r->address_type, INET_IPV4);
	assert_int_equal(r->port, 6343);
	r = row_of(t, "pcap eth0");
	assert_string_equal(r->interface, "eth0");
	assert_int_equal(r->address_type, INET_UNKNOWN);
	assert_int_equal(r->oper_state, 3);
	assert_int_equal(row_of(t, "pcap /tmp/x.pcap")->oper_state, 4);
	tree_free(t);

	/* Collectors may come while weir runs. */
	assert_false(census_is_stale(c));
	assert_int_equal(engine_collector(b.engine, &pcap_door, "eth1", 0, &e), 0);
	assert_true(census_is_stale(c));
	census_free(c);
	c = census_new(b.engine, &e);
	assert_false(census_is_stale(c));
	t = census_tree(c);
	assert_int_equal(t->n_collectors, 5);
	tree_free(t);
	census_free(c);
	bench_fini(&b);
}

static void
exporters_are_sorted_as_their_indexes_are(void **state)
{
	static const struct {
		enum exporter_kind kind;
		const char *address;
		uint32_t domain;
	} come[] = {
		{ EXPORTER_NETFLOW, "2001:db8::1", 0 },
		{ EXPORTER_NETFLOW, "198.51.100.9", 5 },
		{ EXPORTER_NETFLOW, "198.51.100.9", 4294967295 },
		{ EXPORTER_SFLOW, "10.0.0.1", 0 },
		{ EXPORTER_NETFLOW, "9.0.0.1", 7 },
		{ EXPORTER_NETFLOW, "::1", 7 },
	};
	struct bench b;
	struct err e = ERR_INIT;
	struct census *c;
	struct mib_tree *t = NULL;

	(void)state;
	bench_init(&b, 1);
	assert_int_equal(engine_collector(b.engine, &netflow_door, "[::]:2100", 0, &e), 0);
	c = census_new(b.engine, &e);
	for (size_t i = 0; i < sizeof(come) / sizeof(come[0]); i++) {
		struct exporter *x;
		ip16_t a;

		assert_int_equal(ip_parse(come[i].address, &a), 0);
		x = exporter_get(&b.engine->workers[0].exporters, come[i].kind, &a,
		    come[i].domain);
		exporter_add(x, 0, EXPORTER_TEMPLATES, 3);
		tree_free(t);
		t = census_tree(c);
		for (uint32_t k = 1; k < t->n_exporters; k++) {
			subid_t p[NAME_MAX_LEN], q[NAME_MAX_LEN];
			size_t n = exporter_table.index(t, k - 1, p);
			size_t m = exporter_table.index(t, k, q), at = 0;

			while (at < n && at < m && p[at] == q[at])
				at++;
			assert_true(at < n && at < m && p[at] < q[at]);
		}
	}
	/* The one of sFlow has no collector that it could have come through. */
	assert_int_equal(t->n_exporters, 5);
	assert_int_equal(t->n_interfaces, 0);
	assert_int_equal(t->collectors[0].templates, 15);
	tree_free(t);
	census_free(c);
	bench_fini(&b);
}

/* Told by an sFlow agent; and what it does not know. */
static void
interfaces_are_rows_by_exporter_and_number(void **state)
{
	struct interface_counters told = { .index = 7, .updated = 5 * CLOCK_S, .type = 6,
		.speed = 10000000000, .direction = 1, .status = 1, .in_octets = 1,
		.in_unicast = UINT32_MAX, .in_errors = INTERFACE_UNKNOWN };
	struct bench b;
	struct err e = ERR_INIT;
	struct census *c;
	struct mib_tree *t;
	static const struct { const char *name; uint64_t want; } wants[] = {
		{ "weirInterfaceType", 6 }, { "weirInterfaceSpeed", 10000000000 },
		{ "weirInterfaceDirection", 1 }, { "weirInterfaceAdminStatus", 1 },
		{ "weirInterfaceOperStatus", 2 }, { "weirInterfaceInOctets", 1 },
		{ "weirInterfaceInUcastPkts", UINT32_MAX }, { "weirInterfaceInErrors", 0 },
	};

	(void)state;
	bench_init(&b, 1);
	rcu_enter();
	assert_int_equal(engine_collector(b.engine, &sflow_door, "[::]:6343", 0, &e), 0);
	for (uint32_t i = 0; i < 3; i++) {
		const uint8_t v4[4] = { 192, 0, 2, (uint8_t)(9 - i) };
		ip16_t a = ip_from_v4(v4);
		struct exporter *x =
		    exporter_get(&b.engine->workers[0].exporters, EXPORTER_SFLOW, &a, 3);

		for (told.index = 7; told.index < 9; told.index++)
			assert_true(exporter_interface(x, &told));
	}
	c = census_new(b.engine, &e);
	t = census_tree(c);
	assert_int_equal(t->n_interfaces, 6);
	for (uint32_t i = 0; i < 6; i++) {
		subid_t index[NAME_MAX_LEN];

		assert_int_equal(interface_table.index(t, i, index), 9);
		assert_int_equal(index[6], 7 + i / 2);
		assert_int_equal(index[8], 7 + i % 2);
	}
	for (size_t i = 0; i < sizeof(wants) / sizeof(wants[0]); i++)
		for (uint16_t k = 0; k < interface_table.n_columns; k++) {
			const struct cell cell = { &interface_table, &interface_table.columns[k], 0 };
			const struct moment m = { t, 0, 0 };
			struct value v;

			if (strcmp(cell.column->name, wants[i].name) != 0)
				continue;
			cell_value(&m, &cell, &v);
			assert_int_equal(v.n, wants[i].want);
		}
	tree_free(t);
	census_free(c);
	bench_fini(&b);
	rcu_leave();
}

/* An output without a view: it takes datagrams. */
static const struct output_ops relay = { .type = "relay", .wants = OUTPUT_DATAGRAMS };

static void
outputs_are_rows_by_the_index_of_their_names(void **state)
{
	const struct err full = { WEIR_EIO, "no space left" };
	static const char *const names[] = { "b", "a", "c" };
	struct bench b;
	struct err e = ERR_INIT;
	struct census *c;
	struct mib_tree *t;
	const struct output_row *r = NULL;

	(void)state;
	bench_init(&b, 1);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(bench_plugin(&b, names[i], "src_host", &e), 0);
	assert_int_equal(engine_output(b.engine, &relay, "d", &b.common[0], &b.rules, NULL, &e),
	    0);
	output_stalls(b.engine->outputs[0], &full);
	b.engine->outputs[0]->rows = 7;
	b.engine->outputs[0]->refused = 4;
	b.engine->outputs[0]->written = 3;
	c = census_new(b.engine, &e);
	t = census_tree(c);
	assert_int_equal(t->n_outputs, 4);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(t->outputs[i].index, hash_index(t->outputs[i].name));
		assert_true(i == 0 || t->outputs[i - 1].index < t->outputs[i].index);
		if (strcmp(t->outputs[i].name, "b") == 0)
			r = &t->outputs[i];
		if (strcmp(t->outputs[i].name, "d") == 0)
			assert_string_equal(t->outputs[i].view, "");
	}
	assert_non_null(r);
	assert_string_equal(r->type, "snmp");
	assert_string_equal(r->view, "b"); /* which the others share */
	assert_int_equal(r->oper_state, 2);
	assert_string_equal(r->failure, "no space left");
	assert_true(r->failed_at != 0);
	assert_int_equal(r->rows, r->written + r->spooled + r->refused);
	tree_free(t);
	census_free(c);
	bench_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_root_is_an_object_identifier),
		cmocka_unit_test(a_root_may_not_be_too_long),
		cmocka_unit_test(an_index_is_made_of_the_name_alone),
		cmocka_unit_test(two_plugins_with_one_index_refuse_to_start),
		cmocka_unit_test(plugins_share_a_session_that_can_begin_anew),
		cmocka_unit_test(instances_of_a_collector_are_one_row),
		cmocka_unit_test(exporters_are_sorted_as_their_indexes_are),
		cmocka_unit_test(interfaces_are_rows_by_exporter_and_number),
		cmocka_unit_test(outputs_are_rows_by_the_index_of_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
