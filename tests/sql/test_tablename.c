/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "sql/tablename.h"

#define T_BIN (UINT64_C(1699999800) * CLOCK_S) /* 2023-11-14 22:10:00 UTC, a Tuesday */

static const struct {
	const char *says;
	const char *pattern;
	bool utc;
	const char *want;  /* NULL: refused, and */
	const char *error; /* the text has this */
} cases[] = {
	{ "a plain name is itself", "acct_v4", false, "acct_v4", NULL },
	{ "a day in local time, which is two hours ahead", "acct_%Y%m%d", false,
	    "acct_20231115", NULL },
	{ "the same day in UTC", "acct_%Y%m%d", true, "acct_20231114", NULL },
	{ "hours and minutes", "a_%H%M%S", false, "a_001000", NULL },
	{ "a ring of week-days", "acct_v4_%w", false, "acct_v4_3", NULL },
	{ "weeks of the year", "acct_%W", false, "acct_46", NULL },
	{ "seconds since 1970 know no zone", "acct_%s", true, "acct_1699999800", NULL },
	{ "the sign of a zone becomes an underline", "acct%z", false, "acct_0200", NULL },
	{ "refresh time and length of the bin", "acct_$ref_$hst", false, "acct_60_300", NULL },
	{ "a name of 64 characters fits",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false,
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL },
	{ "one of 65 does not",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false,
	    NULL, "longer than 64 characters: write a shorter name" },
	{ "nor one that grows too long",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%Y", false, NULL,
	    "longer than 64 characters: write a shorter name" },
	{ "an empty name is refused", "", false, NULL, "empty" },
	{ "a quote is refused", "acct\"; DROP TABLE x; --", false, NULL, "'\"'" },
	{ "a blank is refused", "my table", false, NULL, "' '" },
	{ "a variable of single rows is refused by name", "acct_$tag", false, NULL, "'$t'" },
	{ "an unknown time variable is refused by name", "acct_%q", false, NULL, "'%q'" },
	{ "a lone percent sign is refused", "acct_%", false, NULL, "'%'" },
	{ "a schema may stand before it", "sc.acct_%Y", false, "sc.acct_2023", NULL },
	{ "and have variables, too", "y%Y.acct", false, "y2023.acct", NULL },
	{ "each of 64 characters fits",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
	    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", false,
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
	    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", NULL },
	{ "a schema of 65 does not",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.t", false,
	    NULL, "longer than 64 characters: write a shorter name" },
	{ "a point with no table is refused", "sc.", false, NULL, "a point and the table" },
	{ "a point with no schema is refused", ".acct", false, NULL, "a point and the table" },
	{ "two points are refused", "db.sc.acct", false, NULL, "a point and the table" },
	{ "weir's own table is refused anywhere", "sc.weir_batch", false, NULL, "weir's own" },
	{ "weir's own table is refused", "Weir_Batch", false, NULL, "weir's own" },
};

static void
test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct variables v = { .time = T_BIN,
			.utc = cases[i].utc, .refresh_s = 60, .history_s = 300 };
		char name[TABLENAME_MAX + 1] = "";
		struct err e = ERR_INIT;
		int rc = tablename_expand(cases[i].pattern, &v, name, &e);

		if ((rc == 0) != (cases[i].want != NULL) ||
		    (rc == 0 && strcmp(name, cases[i].want) != 0) ||
		    (rc != 0 && strstr(e.text, cases[i].error) == NULL))
			fail_msg("%s: got '%s', %s", cases[i].says, name, e.text);
	}
}

static void
test_schemas(void **state)
{
	static const struct sql_dialect folds = { .fold = true }, main_only = {
		.only_schema = "main" };
	char name[TABLENAME_MAX + 1], schema[TABLENAME_PART + 1], quoted[TABLENAME_QUOTED];
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(tablename_fit("Sc.Acct", "x", &folds, name, &e), 0);
	assert_string_equal(name, "sc.acct");
	assert_int_equal(tablename_fit("Main.Acct", "x", &main_only, name, &e), 0);
	assert_string_equal(name, "Acct");
	assert_int_equal(tablename_fit("Acct", "x", &main_only, name, &e), 0);
	assert_string_equal(name, "Acct");
	assert_int_equal(tablename_fit("mai.acct", "x", &main_only, name, &e), -WEIR_EINVAL);
	assert_non_null(strstr(e.text, "write 'acct'"));
	assert_string_equal(tablename_split("sc.acct", schema), "acct");
	assert_string_equal(schema, "sc");
	assert_string_equal(tablename_split("acct", schema), "acct");
	assert_string_equal(schema, "");
	tablename_quote("sc.acct", '`', quoted);
	assert_string_equal(quoted, "`sc`.`acct`");
	tablename_quote("acct", '"', quoted);
	assert_string_equal(quoted, "\"acct\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_names),
		cmocka_unit_test(test_schemas) };

	setenv("TZ", "TST-2", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
