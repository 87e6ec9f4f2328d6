/* SPDX-License-Identifier: GPL-2.0-or-later */
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

#include "collectors/netflow_exporter.h"
#include "collectors/netflow_json.h"
#include "tests/collectors/netflow_bench.h"

static char folder[64], path[96];

#define HEAD \
	"{\"agent\": \"192.0.2.1\", \"source_id\": 7, \"template_id\": 1, " \
	"\"template_type\": 0, "
#define OTPL(off, len, index) \
	"{\"type\": 0, \"otpl\": {\"off\": " off ", \"len\": " len \
	", \"tpl_len\": " len ", \"tpl_index\": " index "}}"
#define UTPL(pen, type, off, len, tpl_len) \
	"{\"type\": 1, \"utpl\": {\"pen\": " pen ", \"type\": " type ", \"off\": " off \
	", \"len\": " len ", \"tpl_len\": " tpl_len \
	", \"repeat_id\": 0, \"ie_idx\": 0}}"

/* The templates of bench's v9_template and of one with an enterprise's element. */
#define PLAIN \
	HEAD "\"num\": 5, \"len\": 20, \"vlen\": 0, \"list\": [" OTPL( \
	    "0", "4", "8") ", " OTPL("4", "4", "12") ", " OTPL("8", "4", \
	    "2") ", " OTPL("12", "4", "1") ", " OTPL("16", "4", "22") "]}"
#define ENTERPRISE \
	HEAD "\"num\": 2, \"len\": 8, \"vlen\": 0, \"list\": [" OTPL( \
	    "0", "4", "1") ", " UTPL("637", "91", "4", "4", "4") "]}"
#define VARIABLE \
	HEAD "\"num\": 2, \"len\": 0, \"vlen\": 1, \"list\": [" UTPL( \
	    "0", "460", "0", "0", "65535") ", " OTPL("0", "4", "1") "]}"

static void
put(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fputs(text, f) < 0, 0);
	assert_int_equal(fclose(f), 0);
}

/* What a line as nfacctd 1.7.7 writes it, or as others might, is taken for. */
static const struct {
	const char *says;
	const char *text;
	int kept;
	uint32_t v9_octets, ipfix_octets; /* of a record of template 256; 0: none */
} lines[] = {
	{ "a template of either version", PLAIN "\n", 2, 20, 20 },
	{ "without a newline", PLAIN, 2, 20, 20 },
	{ "an enterprise's element is IPFIX's", ENTERPRISE "\n", 1, 0, 8 },
	{ "a variable length is IPFIX's", VARIABLE "\n", 1, 0, 5 },
	{ "of v9, as we write it",
	    HEAD "\"version\": 9, \"list\": [" OTPL("0", "4", "1") "]}\n", 1, 4, 0 },
	{ "of IPFIX, as we write it",
	    HEAD "\"version\": 10, \"list\": [" OTPL("0", "4", "1") "]}\n", 1, 0, 4 },
	{ "a line that is broken, then one that is not", "{\"agent\": \n" PLAIN "\n", 2,
	    20, 20 },
	{ "empty lines", "\n\n" PLAIN "\n\n", 2, 20, 20 },
	{ "options templates are left out",
	    "{\"agent\": \"192.0.2.1\", \"source_id\": 7, \"template_id\": 1, "
	    "\"template_type\": 1, \"num\": 1, \"len\": 4, \"tpl\": [{\"type\": 1, "
	    "\"off\": 0, \"len\": 4}]}\n",
	    0, 0, 0 },
	{ "no file of ours", "interface GigabitEthernet0/0\n", 0, 0, 0 },
	{ "an array", "[1, 2, 3]\n", 0, 0, 0 },
	{ "no agent", "{\"source_id\": 7, \"template_id\": 1, \"template_type\": 0}\n",
	    0, 0, 0 },
	{ "an agent that is no address",
	    "{\"agent\": \"here\", \"source_id\": 7, \"template_id\": 1, "
	    "\"template_type\": 0, \"list\": [" OTPL("0", "4", "1") "]}\n",
	    0, 0, 0 },
	{ "an id below 256",
	    "{\"agent\": \"192.0.2.1\", \"source_id\": 7, \"template_id\": 256, "
	    "\"template_type\": 0, \"list\": [" OTPL("0", "4", "1") "]}\n",
	    0, 0, 0 },
	{ "a number that is too large",
	    HEAD "\"list\": [" OTPL("0", "99999", "1") "]}\n", 0, 0, 0 },
	{ "a number below zero", HEAD "\"list\": [" OTPL("0", "-4", "1") "]}\n", 0, 0,
	    0 },
	{ "text for a number", HEAD "\"list\": [" OTPL("0", "\"4\"", "1") "]}\n", 0, 0,
	    0 },
	{ "no elements", HEAD "\"list\": []}\n", 0, 0, 0 },
	{ "elements that are none", HEAD "\"list\": [1, null, {}]}\n", 0, 0, 0 },
	{ "nothing", "", 0, 0, 0 },
};

static uint32_t
octets(const struct bench *b, enum template_kind kind)
{
	const struct templates *ts;
	const struct template *t;

	if (exporters_count(b->exporters) == 0)
		return 0;
	ts = netflow_exporter_templates(exporters_at(b->exporters, 0));
	t = ts != NULL ? templates_find(ts, kind, 256) : NULL;
	return t != NULL ? t->min_octets : 0;
}

static void
test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct err e = ERR_INIT;
		struct bench b;
		int kept;

		bench_open(&b, false);
		put(lines[i].text);
		kept = netflow_json_load(&b.cache, &b.pipeline.needs, path, &e);
		if (kept != lines[i].kept ||
		    octets(&b, TEMPLATE_V9) != lines[i].v9_octets ||
		    octets(&b, TEMPLATE_IPFIX) != lines[i].ipfix_octets)
			fail_msg("%s: %d kept", lines[i].says, kept);
		bench_close(&b);
	}
}

/* Whoever reads what we write has the same templates: we, too. */
static void
test_there_and_back(void **state)
{
	struct err e = ERR_INIT;
	char text[4096] = { 0 };
	struct bench b;
	struct wbuf w;
	FILE *f;

	(void)state;
	bench_open(&b, false);
	v9_header(&w, 0, 7);
	v9_template(&w, 256);
	WORDS(&w, 256, 24);
	v9_record(&w, 0x0a000001, 100);
	bench_feed(&b, &w);
	ipfix_header(&w, 0, 7);
	WORDS(&w, 2, 32, 256, 4, 1, 4, 0x8000 | 91, 4, 0, 637, 460, 65535, 0x8000 | 99,
	    2, 0, 637);
	ipfix_end(&w);
	bench_feed(&b, &w);
	assert_int_equal(netflow_json_save(b.exporters, path, &e), 0);
	bench_close(&b);

	f = fopen(path, "r");
	assert_non_null(f);
	assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
	(void)fclose(f);
	assert_non_null(strstr(text, HEAD "\"num\": 5, \"len\": 20, \"vlen\": 0, "
					  "\"version\": 9, \"list\": [" OTPL("0", "4",
					      "8") ", " OTPL("4", "4", "12")));
	assert_non_null(strstr(text,
	    HEAD "\"num\": 4, \"len\": 0, \"vlen\": 1, "
		 "\"version\": 10, \"list\": [" OTPL("0", "4", "1") ", " UTPL("637",
		     "91", "4", "4", "4") ", " UTPL("0", "460", "8", "0", "65535")));
	/* 99 is the second of its remainder by 8 in pmacct's lists. */
	assert_non_null(
	    strstr(text, "\"type\": 99, \"off\": 0, \"len\": 2, "
			 "\"tpl_len\": 2, \"repeat_id\": 0, \"ie_idx\": 1"));

	bench_open(&b, false);
	assert_int_equal(netflow_json_load(&b.cache, &b.pipeline.needs, path, &e), 2);
	assert_int_equal(octets(&b, TEMPLATE_V9), 20);
	assert_int_equal(octets(&b, TEMPLATE_IPFIX), 11);
	v9_header(&w, 1, 7);
	WORDS(&w, 256, 24);
	v9_record(&w, 0x0a000001, 100);
	assert_int_equal(bench_feed(&b, &w), 1);
	assert_int_equal(b.pipeline.flows[0].bytes, 100);
	bench_close(&b);
}

static void
test_files(void **state)
{
	struct err e = ERR_INIT;
	struct bench b;

	(void)state;
	bench_open(&b, false);
	(void)unlink(path);
	assert_int_equal(
	    netflow_json_load(&b.cache, &b.pipeline.needs, path, &e), -WEIR_ENOENT);
	assert_int_equal(
	    netflow_json_load(&b.cache, &b.pipeline.needs, folder, &e), -WEIR_EIO);
	assert_int_equal(
	    netflow_json_save(b.exporters, "/nonexistent/file", &e), -WEIR_EIO);
	bench_close(&b);
}

static int
enter(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/weir-test-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/templates.json", folder);
	return bench_enter(state);
}

static int
leave(void **state)
{
	(void)unlink(path);
	(void)rmdir(folder);
	return bench_leave(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
