/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sql/compose.h"
#include "sql/schema.h"

#define TYPES(address, mac, text, stamp) \
	{ [SQL_SMALL] = "SMALLINT", [SQL_INT] = "INT", [SQL_BIGINT] = "BIGINT", \
		[SQL_WIDE] = "NUMERIC", [SQL_PROTO] = "CHAR(6)", [SQL_ADDRESS] = address, \
		[SQL_HOST] = "VARBINARY(16)", [SQL_MAC] = mac, [SQL_TEXT] = text, \
		[SQL_DEGREES] = "DECIMAL(9,6)", [SQL_STAMP] = stamp }
static const struct sql_dialect postgres_like = {
	.quote = '"', .numbered = true, .on_conflict = true, .update_from = true,
	.types = TYPES("INET", "MACADDR", "TEXT", "TIMESTAMP"),
	.stamp_none = "0001-01-01 00:00:00", .table_options = "", .keyless_options = "",
	.least = "LEAST", .greatest = "GREATEST", .stage_options = " ON COMMIT DELETE ROWS",
	.load = { "COPY ", " (", ") FROM STDIN" },
};
static const struct sql_dialect mysql_like = {
	.quote = '`', .types = TYPES("CHAR(45)", "CHAR(17)", "TEXT", "DATETIME"),
	.stamp_none = "0000-00-00 00:00:00", .table_options = " ENGINE=InnoDB",
	.keyless_options = " ENGINE=InnoDB", .least = "LEAST", .greatest = "GREATEST",
	.to_host = "INET6_ATON", .stage_options = " ENGINE=MyISAM",
	.load = { "LOAD DATA LOCAL INFILE 'x' INTO TABLE ", " (", ")" },
	.key_columns = 16, .key_texts = 2,
};

static const struct {
	const char *says;
	const char *aggregate;
	uint32_t version;
	bool optimize, history, secs;
	const char *want;   /* written columns by name; NULL: refused, and */
	const char *error[2]; /* the text has these */
} cases[] = {
	{ "version 1 has no tag, no flows", "src_host", 1, false, true, false,
	    "stamp_inserted ip_src ip_dst src_port dst_port ip_proto mac_src mac_dst packets "
	    "bytes stamp_updated", { NULL } },
	{ "version 4 counts flows unasked", "src_host", 4, false, false, false,
	    "ip_src ip_dst src_port dst_port ip_proto tos vlan mac_src mac_dst agent_id packets "
	    "bytes flows", { NULL } },
	{ "version 9 has all", "src_host, tcpflags", 9, false, true, false,
	    "stamp_inserted ip_src ip_dst port_src port_dst ip_proto tos vlan as_src as_dst "
	    "mac_src mac_dst class_id tag tcp_flags packets bytes flows stamp_updated", { NULL } },
	{ "optimised, only what is aggregated is written", "src_host, dst_port", 9, true, true,
	    false, "stamp_inserted ip_src port_dst packets bytes stamp_updated", { NULL } },
	{ "optimised, names follow the version all the same", "tag, dst_port, src_as, flows", 1,
	    true, false, false, "dst_port as_src agent_id packets bytes flows", { NULL } },
	{ "from version 9 the tag has its name", "tag, tag2", 9, true, false, false,
	    "tag packets bytes tag2", { NULL } },
	{ "what no version has comes under its own name", "label, etype", 2, true, false, false,
	    "packets bytes etype label", { NULL } },
	{ "a time has a column for its fraction", "timestamp_start", 1, true, false, false,
	    "packets bytes timestamp_start timestamp_start_residual", { NULL } },
	{ "unless fractions are not wanted", "timestamp_start", 1, true, false, true,
	    "packets bytes timestamp_start", { NULL } },
	{ "an AS goes into the address column before version 6", "src_as, dst_as", 5, false,
	    false, false, "ip_src ip_dst src_port dst_port ip_proto tos vlan mac_src mac_dst "
	    "class_id agent_id packets bytes flows", { NULL } },
	{ "but not together with an address", "src_host, src_as", 5, false, false, false, NULL,
	    { "ip_src", "sql_table_version: 6" } },
	{ "vlan needs version 2", "vlan", 1, false, false, false, NULL,
	    { "'vlan'", "sql_table_version: 2" } },
	{ "tag needs version 2", "tag", 1, false, false, false, NULL,
	    { "'tag'", "sql_table_version: 2" } },
	{ "tos needs version 3", "tos", 2, false, false, false, NULL,
	    { "'tos'", "sql_table_version: 3" } },
	{ "flows need version 4", "src_host, flows", 3, false, false, false, NULL,
	    { "'flows'", "sql_table_version: 4" } },
	{ "class needs version 5", "class", 4, false, false, false, NULL,
	    { "'class'", "sql_table_version: 5" } },
	{ "tcpflags need version 7", "tcpflags", 6, false, false, false, NULL,
	    { "'tcpflags'", "or sql_optimize_clauses: true" } },
};

static void
plan(struct sql_schema *s, const char *aggregate, uint32_t version, bool optimize,
    bool history, bool secs, int *rc, struct err *e)
{
	struct sql_config c = { .table_version = version, .optimize_clauses = optimize };
	struct sql_shape shape = { .config = &c, .dialect = &mysql_like, .history = history,
		.secs = secs };

	assert_int_equal(field_set_parse(aggregate, &shape.fields, e), 0);
	*rc = schema_plan(s, &shape, e);
}

static void
test_columns(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sql_schema s;
		struct err e = ERR_INIT;
		char names[2048] = "";
		int rc;

		plan(&s, cases[i].aggregate, cases[i].version, cases[i].optimize,
		    cases[i].history, cases[i].secs, &rc, &e);
		for (unsigned c = 0; rc == 0 && c < s.n; c++)
			if (s.columns[c].written) {
				strcat(names, names[0] != '\0' ? " " : "");
				strcat(names, s.columns[c].name);
			}
		if ((rc == 0) != (cases[i].want != NULL) ||
		    (rc == 0 && strcmp(names, cases[i].want) != 0))
			fail_msg("%s: got '%s', %s", cases[i].says, names, e.text);
		for (int k = 0; k < 2 && rc != 0; k++)
			if (strstr(e.text, cases[i].error[k]) == NULL)
				fail_msg("%s: %s", cases[i].says, e.text);
	}
}

static void
test_every_field_has_a_column(void **state)
{
	struct sql_config c = { .table_version = 9 };
	struct sql_shape shape = { .config = &c, .dialect = &mysql_like, .history = true };
	struct sql_schema s;

	(void)state;
	for (uint16_t i = 0; i < FIELD_COUNT; i++)
		field_set_add(&shape.fields, i);
	for (int optimize = 0; optimize < 2; optimize++) {
		c.optimize_clauses = optimize == 1;
		assert_int_equal(schema_plan(&s, &shape, NULL), 0);
		for (uint16_t i = 0; i < FIELD_COUNT; i++) {
			unsigned n = 0;

			for (unsigned k = 0; k < s.n; k++)
				n += s.columns[k].field == &fields[i] && s.columns[k].written &&
				    s.columns[k].source == SQL_FROM_FIELD;
			if (n != 1)
				fail_msg("%s has %u columns", fields[i].config, n);
		}
		for (unsigned k = 0; k < s.n; k++)
			assert_ptr_equal(schema_find(&s, s.columns[k].name), &s.columns[k]);
	}
}

enum kind { CREATE, UPSERT, UPSERT_FULL, INSERT, UPDATE, STAGE, LOAD, MERGE, MERGE_SUMS,
	MERGE_NEW, MERGE_OLD, MERGE_REST };
static const struct {
	const char *says;
	enum kind kind;
	const struct sql_dialect *d;
	const char *want;
} texts[] = {
	{ "a table and its key", CREATE, &mysql_like,
	    "CREATE TABLE IF NOT EXISTS `t` (`stamp_inserted` DATETIME NOT NULL DEFAULT "
	    "'0000-00-00 00:00:00', `ip_src` CHAR(45) NOT NULL DEFAULT '0.0.0.0', `tcp_flags` "
	    "SMALLINT NOT NULL DEFAULT 0, `packets` BIGINT NOT NULL DEFAULT 0, `bytes` BIGINT NOT NULL "
	    "DEFAULT 0, `stamp_updated` DATETIME, PRIMARY KEY (`stamp_inserted`, `ip_src`)) "
	    "ENGINE=InnoDB" },
	{ "numbered parameters and ON CONFLICT", UPSERT, &postgres_like,
	    "INSERT INTO \"t\" (\"stamp_inserted\", \"ip_src\", \"tcp_flags\", \"packets\", "
	    "\"bytes\", \"stamp_updated\") VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT "
	    "(\"stamp_inserted\", \"ip_src\") DO UPDATE SET \"tcp_flags\" = \"t\".\"tcp_flags\" | "
	    "excluded.\"tcp_flags\", \"packets\" = \"t\".\"packets\" + excluded.\"packets\", "
	    "\"bytes\" = \"t\".\"bytes\" + excluded.\"bytes\", \"stamp_updated\" = "
	    "excluded.\"stamp_updated\"" },
	{ "ON DUPLICATE KEY", UPSERT, &mysql_like,
	    "INSERT INTO `t` (`stamp_inserted`, `ip_src`, `tcp_flags`, `packets`, `bytes`, "
	    "`stamp_updated`) VALUES (?, ?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE `tcp_flags` = "
	    "`t`.`tcp_flags` | VALUES(`tcp_flags`), `packets` = `t`.`packets` + VALUES(`packets`), "
	    "`bytes` = `t`.`bytes` + VALUES(`bytes`), `stamp_updated` = VALUES(`stamp_updated`)" },
	{ "an insert that leaves others alone", INSERT, &postgres_like,
	    "INSERT INTO \"t\" (\"stamp_inserted\", \"ip_src\", \"tcp_flags\", \"packets\", "
	    "\"bytes\", \"stamp_updated\") VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING" },
	{ "an update that names the key", UPDATE, &postgres_like,
	    "UPDATE \"t\" SET \"tcp_flags\" = \"t\".\"tcp_flags\" | $1, \"packets\" = "
	    "\"t\".\"packets\" + $2, \"bytes\" = \"t\".\"bytes\" + $3, \"stamp_updated\" = $4 "
	    "WHERE \"stamp_inserted\" = $5 AND \"ip_src\" = $6" },
	{ "a table to stage rows in", STAGE, &postgres_like,
	    "CREATE TEMPORARY TABLE \"weir_stage\" ON COMMIT DELETE ROWS AS SELECT "
	    "\"stamp_inserted\", \"ip_src\", \"tcp_flags\", \"packets\", \"bytes\", "
	    "\"stamp_updated\" FROM \"t\" LIMIT 0" },
	{ "COPY", LOAD, &postgres_like,
	    "COPY \"t\" (\"stamp_inserted\", \"ip_src\", \"tcp_flags\", \"packets\", "
	    "\"bytes\", \"stamp_updated\") FROM STDIN" },
	{ "LOAD DATA", LOAD, &mysql_like,
	    "LOAD DATA LOCAL INFILE 'x' INTO TABLE `t` (`stamp_inserted`, `ip_src`, "
	    "`tcp_flags`, `packets`, `bytes`, `stamp_updated`)" },
	{ "staged rows are added", MERGE, &mysql_like,
	    "INSERT INTO `t` (`stamp_inserted`, `ip_src`, `tcp_flags`, `packets`, `bytes`, "
	    "`stamp_updated`) SELECT n.`stamp_inserted`, n.`ip_src`, n.`tcp_flags`, n.`packets`, "
	    "n.`bytes`, n.`stamp_updated` FROM `weir_stage` AS n WHERE TRUE ON DUPLICATE KEY "
	    "UPDATE `tcp_flags` = `t`.`tcp_flags` | VALUES(`tcp_flags`), `packets` = "
	    "`t`.`packets` + VALUES(`packets`), `bytes` = `t`.`bytes` + VALUES(`bytes`), "
	    "`stamp_updated` = VALUES(`stamp_updated`)" },
	{ "summed by key first, each column its way", MERGE_SUMS, &postgres_like,
	    "INSERT INTO \"t\" (\"stamp_inserted\", \"ip_src\", \"tcp_flags\", \"packets\", "
	    "\"bytes\", \"stamp_updated\") SELECT n.\"stamp_inserted\", n.\"ip_src\", "
	    "n.\"tcp_flags\", n.\"packets\", n.\"bytes\", n.\"stamp_updated\" FROM (SELECT "
	    "\"stamp_inserted\", \"ip_src\", BIT_OR(\"tcp_flags\") AS \"tcp_flags\", "
	    "SUM(\"packets\") AS \"packets\", SUM(\"bytes\") AS \"bytes\", "
	    "MAX(\"stamp_updated\") AS \"stamp_updated\" FROM \"weir_stage\" GROUP BY "
	    "\"stamp_inserted\", \"ip_src\") AS n WHERE TRUE ON CONFLICT (\"stamp_inserted\", "
	    "\"ip_src\") DO UPDATE SET \"tcp_flags\" = \"t\".\"tcp_flags\" | "
	    "excluded.\"tcp_flags\", \"packets\" = \"t\".\"packets\" + excluded.\"packets\", "
	    "\"bytes\" = \"t\".\"bytes\" + excluded.\"bytes\", \"stamp_updated\" = "
	    "excluded.\"stamp_updated\"" },
	{ "staged rows that leave others alone", MERGE_NEW, &mysql_like,
	    "INSERT INTO `t` (`stamp_inserted`, `ip_src`, `tcp_flags`, `packets`, `bytes`, "
	    "`stamp_updated`) SELECT n.`stamp_inserted`, n.`ip_src`, n.`tcp_flags`, n.`packets`, "
	    "n.`bytes`, n.`stamp_updated` FROM `weir_stage` AS n WHERE TRUE ON DUPLICATE KEY "
	    "UPDATE `t`.`stamp_inserted` = `t`.`stamp_inserted`" },
	{ "without a key: rows that are there", MERGE_OLD, &mysql_like,
	    "UPDATE `t`, (SELECT `stamp_inserted`, `ip_src`, BIT_OR(`tcp_flags`) AS `tcp_flags`, "
	    "SUM(`packets`) AS `packets`, SUM(`bytes`) AS `bytes`, MAX(`stamp_updated`) AS "
	    "`stamp_updated` FROM `weir_stage` GROUP BY `stamp_inserted`, `ip_src`) AS n SET "
	    "`t`.`tcp_flags` = `t`.`tcp_flags` | n.`tcp_flags`, `t`.`packets` = `t`.`packets` + "
	    "n.`packets`, `t`.`bytes` = `t`.`bytes` + n.`bytes`, `t`.`stamp_updated` = "
	    "n.`stamp_updated` WHERE `t`.`stamp_inserted` = n.`stamp_inserted` AND `t`.`ip_src` = "
	    "n.`ip_src`" },
	{ "and those that are not", MERGE_REST, &postgres_like,
	    "INSERT INTO \"t\" (\"stamp_inserted\", \"ip_src\", \"tcp_flags\", \"packets\", "
	    "\"bytes\", \"stamp_updated\") SELECT n.\"stamp_inserted\", n.\"ip_src\", "
	    "n.\"tcp_flags\", n.\"packets\", n.\"bytes\", n.\"stamp_updated\" FROM (SELECT "
	    "\"stamp_inserted\", \"ip_src\", BIT_OR(\"tcp_flags\") AS \"tcp_flags\", "
	    "SUM(\"packets\") AS \"packets\", SUM(\"bytes\") AS \"bytes\", "
	    "MAX(\"stamp_updated\") AS \"stamp_updated\" FROM \"weir_stage\" GROUP BY "
	    "\"stamp_inserted\", \"ip_src\") AS n LEFT JOIN \"t\" AS o ON TRUE AND "
	    "\"o\".\"stamp_inserted\" = n.\"stamp_inserted\" AND \"o\".\"ip_src\" = "
	    "n.\"ip_src\" WHERE o.\"stamp_inserted\" IS NULL" },
};

static void
test_texts(void **state)
{
	struct sql_schema s;
	struct err e = ERR_INIT;
	int rc;

	(void)state;
	plan(&s, "src_host, tcpflags", 9, true, true, false, &rc, &e);
	assert_int_equal(rc, 0);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct sql_text t = { 0 };

		switch (texts[i].kind) {
		case CREATE:
			compose_create(&t, texts[i].d, &s, "t");
			break;
		case UPSERT:
		case UPSERT_FULL:
			compose_upsert(&t, texts[i].d, &s, "t", texts[i].kind == UPSERT_FULL,
			    false);
			break;
		case INSERT:
			compose_insert(&t, texts[i].d, &s, "t");
			break;
		case UPDATE:
			compose_update(&t, texts[i].d, &s, "t", false);
			break;
		case STAGE:
			compose_stage(&t, texts[i].d, &s, "t");
			break;
		case LOAD:
			compose_load(&t, texts[i].d, &s, "t");
			break;
		case MERGE:
		case MERGE_SUMS:
			compose_merge(&t, texts[i].d, &s, "t", false,
			    texts[i].kind == MERGE_SUMS, false);
			break;
		case MERGE_NEW:
			compose_merge_new(&t, texts[i].d, &s, "t");
			break;
		case MERGE_OLD:
			compose_merge_old(&t, texts[i].d, &s, "t", false);
			break;
		case MERGE_REST:
			compose_merge_rest(&t, texts[i].d, &s, "t", false);
			break;
		}
		if (strcmp(t.line.p, texts[i].want) != 0)
			fail_msg("%s: got\n%s", texts[i].says, t.line.p);
		sql_text_fini(&t);
	}
}

/* Keys that an index cannot hold: hashed, where there are too many texts; else none. */
static void
test_keys_too_large(void **state)
{
	static const struct {
		const char *says, *aggregate, *want, *not;
	} keys[] = {
		{ "two texts fit", "class, label", ", PRIMARY KEY (", "UNIQUE" },
		{ "three do not", "class, label, in_iface_name", ", UNIQUE (", "PRIMARY" },
		{ "nor do 17 columns", "src_host, dst_host, src_port, dst_port, proto, tos, vlan, "
		    "src_as, dst_as, src_mac, dst_mac, tag, tag2, in_iface, out_iface, src_mask, "
		    "dst_mask", ") ENGINE=InnoDB", " KEY (" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct sql_schema s;
		struct sql_text t = { 0 };
		struct err e = ERR_INIT;
		int rc;

		plan(&s, keys[i].aggregate, 9, true, true, false, &rc, &e);
		assert_int_equal(rc, 0);
		compose_create(&t, &mysql_like, &s, "t");
		if (strstr(t.line.p, keys[i].want) == NULL || strstr(t.line.p, keys[i].not) != NULL)
			fail_msg("%s: %s", keys[i].says, t.line.p);
		sql_text_fini(&t);
	}
}

/* Addresses as octets: a function makes them, of parameters and of what is loaded. */
static void
test_hosts(void **state)
{
	const struct sql_config c = { .table_version = 9, .optimize_clauses = true,
		.num_hosts = true };
	struct sql_shape shape = { .config = &c, .dialect = &mysql_like };
	struct sql_schema s;
	struct sql_text t = { 0 };
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(field_set_parse("src_host, dst_port", &shape.fields, &e), 0);
	assert_int_equal(schema_plan(&s, &shape, &e), 0);
	compose_create(&t, &mysql_like, &s, "t");
	assert_non_null(strstr(t.line.p, "`ip_src` VARBINARY(16) NOT NULL DEFAULT X'00000000'"));
	compose_insert(&t, &mysql_like, &s, "t");
	assert_non_null(strstr(t.line.p, "VALUES (INET6_ATON(?), ?, ?, ?)"));
	compose_load(&t, &mysql_like, &s, "t");
	assert_string_equal(t.line.p, "LOAD DATA LOCAL INFILE 'x' INTO TABLE `t` (@`ip_src`, "
	    "`port_dst`, `packets`, `bytes`) SET `ip_src` = INET6_ATON(@`ip_src`)");
	sql_text_fini(&t);
}

/* PostgreSQL's tables of pmacct: names of ports, protocols as numbers, AS tables. */
static void
test_typed(void **state)
{
	struct sql_dialect d = postgres_like;
	struct sql_config c = { .table_version = 2 };
	struct sql_shape shape = { .config = &c, .dialect = &d };
	struct sql_schema s;
	struct err e = ERR_INIT;

	(void)state;
	d.ports_first = d.num_protos = d.typed = true;
	assert_int_equal(field_set_parse("src_host, proto", &shape.fields, &e), 0);
	assert_int_equal(schema_plan(&s, &shape, &e), 0);
	assert_non_null(schema_find(&s, "port_src"));
	assert_null(schema_find(&s, "src_port"));
	assert_true(schema_find(&s, "ip_proto")->number);
	assert_string_equal(schema_default_table(&shape), "acct_v2");
	c.data = SQL_DATA_UNIFIED;
	assert_string_equal(schema_default_table(&shape), "acct_uni_v2");
	assert_int_equal(schema_plan(&s, &shape, &e), 0);
	assert_int_equal(schema_find(&s, "ip_src")->type, SQL_TEXT);
	assert_int_equal(schema_find(&s, "mac_src")->type, SQL_TEXT);

	c.data = SQL_DATA_TYPED;
	assert_int_equal(field_set_parse("src_as", &shape.fields, &e), 0);
	assert_int_equal(schema_plan(&s, &shape, &e), 0);
	assert_string_equal(schema_default_table(&shape), "acct_as_v2");
	assert_true(schema_find(&s, "ip_src")->number && schema_find(&s, "ip_dst")->number);
	assert_string_equal(schema_find(&s, "ip_dst")->filler, "0");

	assert_int_equal(field_set_parse("src_host, dst_as", &shape.fields, &e), 0);
	assert_int_equal(schema_plan(&s, &shape, &e), -WEIR_EINVAL);
	assert_non_null(strstr(e.text, "sql_table_version: 6"));
	c.table_version = 9;
	assert_int_equal(schema_plan(&s, &shape, &e), 0);
	assert_string_equal(schema_default_table(&shape), "acct_v9");
}

/* The span of a row is that of all its records, by functions of the engine. */
static void
test_span(void **state)
{
	struct sql_schema s;
	struct sql_text t = { 0 };
	struct err e = ERR_INIT;
	int rc;

	(void)state;
	plan(&s, "src_host, timestamp_min, timestamp_max", 9, true, false, false, &rc, &e);
	assert_int_equal(rc, 0);
	compose_upsert(&t, &postgres_like, &s, "t", false, false);
	assert_non_null(strstr(t.line.p, "\"bytes\", "
	    "\"timestamp_min\" = LEAST(\"t\".\"timestamp_min\", excluded.\"timestamp_min\"), "
	    "\"timestamp_max\" = GREATEST(\"t\".\"timestamp_max\", "
	    "excluded.\"timestamp_max\")"));
	sql_text_fini(&t);
}

/* A log of flows: the second of the start is in the key, the latest end stays. */
static void
test_log(void **state)
{
	const struct sql_config c = { .table_version = 1, .optimize_clauses = true,
		.log = true };
	struct sql_shape shape = { .config = &c, .dialect = &mysql_like, .history = false };
	struct sql_schema s;
	struct sql_text t = { 0 };
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(field_set_parse("src_host", &shape.fields, &e), 0);
	assert_int_equal(schema_plan(&s, &shape, &e), 0);
	compose_create(&t, &mysql_like, &s, "t");
	assert_string_equal(t.line.p, "CREATE TABLE IF NOT EXISTS `t` (`stamp_inserted` DATETIME "
	    "NOT NULL DEFAULT '0000-00-00 00:00:00', `ip_src` CHAR(45) NOT NULL DEFAULT "
	    "'0.0.0.0', `packets` BIGINT NOT NULL DEFAULT 0, `bytes` BIGINT NOT NULL DEFAULT 0, "
	    "`stamp_updated` DATETIME, PRIMARY KEY (`stamp_inserted`, `ip_src`)) ENGINE=InnoDB");
	compose_upsert(&t, &postgres_like, &s, "t", false, false);
	assert_string_equal(t.line.p, "INSERT INTO \"t\" (\"stamp_inserted\", \"ip_src\", "
	    "\"packets\", \"bytes\", \"stamp_updated\") VALUES ($1, $2, $3, $4, $5) ON CONFLICT "
	    "(\"stamp_inserted\", \"ip_src\") DO UPDATE SET \"packets\" = \"t\".\"packets\" + "
	    "excluded.\"packets\", \"bytes\" = \"t\".\"bytes\" + excluded.\"bytes\", "
	    "\"stamp_updated\" = GREATEST(\"t\".\"stamp_updated\", "
	    "excluded.\"stamp_updated\")");
	sql_text_fini(&t);
}

static void
test_full_key(void **state)
{
	struct sql_schema s;
	struct sql_text t = { 0 };
	struct err e = ERR_INIT;
	int rc;

	(void)state;
	plan(&s, "src_host", 2, true, false, false, &rc, &e);
	compose_upsert(&t, &postgres_like, &s, "t", true, false);
	assert_non_null(strstr(t.line.p, "ON CONFLICT (\"stamp_inserted\", \"ip_src\", "
	    "\"ip_dst\", \"src_port\", \"dst_port\", \"ip_proto\", \"vlan\", \"mac_src\", "
	    "\"mac_dst\", \"agent_id\") DO"));
	sql_text_fini(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_every_field_has_a_column),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_keys_too_large),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_typed),
		cmocka_unit_test(test_span),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_full_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
