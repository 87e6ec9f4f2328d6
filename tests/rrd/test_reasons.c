/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/rrd/fixture.h"

#include <signal.h>
#include <sys/resource.h>

#include "rrd/reasons.h"

static const struct {
	const char *says, *texts[8]; /* NULL: the end */
	const char *want;
} cases[] = {
	{ "one is said as it is", { "/d/v/ab/a-1.rrd: Permission denied" },
	    "/d/v/ab/a-1.rrd: Permission denied" },
	{ "files do not make a kind",
	    { "/d/v/ab/a-1.rrd: Permission denied", "/d/v/_other.rrd: Permission denied",
	        "/d/v/ff: Permission denied" },
	    "/d/v/ab/a-1.rrd: Permission denied (3 archives)" },
	{ "what stands around them does, and the folder is named once",
	    { "opening '/d/v/ab/a.rrd': No such file", "/d/v/cd/b.rrd: No such file",
	        "opening '/d/v/ab/c.rrd': No such file" },
	    "opening '/d/v/ab/a.rrd': No such file (2 archives); cd/b.rrd: No such file (1 archive)" },
	{ "no more than four are told apart",
	    { "/d/v/1: one", "/d/v/2: two", "/d/v/3: three", "/d/v/4: four", "/d/v/5: five",
	        "/d/v/6: six", "/d/v/7: one" },
	    "/d/v/1: one (2 archives); 2: two (1 archive); 3: three (1 archive); 4: four "
	    "(1 archive); other reasons (2 archives)" },
};

static void
reasons_are_told_by_kind(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct reasons rs = { 0 };
		struct err e = ERR_INIT;

		for (const char *const *text = cases[i].texts; *text != NULL; text++) {
			struct err why;

			err_set(&why, WEIR_EIO, "%s", *text);
			reasons_add(&rs, "/d/v", &why);
		}
		assert_int_equal(reasons_tell(&rs, "/d/v", &e), -WEIR_EIO);
		if (strcmp(e.text, cases[i].want) != 0)
			fail_msg("%s: %s", cases[i].says, e.text);
	}
}

/* However long they are: each gets its part of the line, and its number. */
static void
long_reasons_leave_room_for_others(void **state)
{
	struct reasons rs = { 0 };
	struct err e = ERR_INIT, why;
	char text[512];

	(void)state;
	assert_int_equal(reasons_tell(&rs, "/d/v", &e), 0);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int i = 0; i < 6; i++) {
		text[0] = (char)('a' + i);
		err_set(&why, WEIR_EIO, "%s", text);
		for (int n = 0; n <= i; n++)
			reasons_add(&rs, "/d/v", &why);
	}
	assert_int_equal(reasons_tell(&rs, "/d/v", &e), -WEIR_EIO);
	assert_non_null(strstr(e.text, "x (1 archive); bx"));
	assert_non_null(strstr(e.text, "x (4 archives); other reasons (11 archives)"));
}

static void
failures_are_joined(void **state)
{
	struct err e = ERR_INIT, none = ERR_INIT, why, full;

	(void)state;
	err_set(&why, WEIR_EUNSUPPORTED, "not ours");
	err_set(&full, WEIR_EFULL, "full");
	assert_int_equal(reasons_join(0, &e, 0, &none), 0);
	assert_string_equal(e.text, "");
	assert_int_equal(reasons_join(0, &e, -WEIR_EUNSUPPORTED, &why), -WEIR_EUNSUPPORTED);
	assert_int_equal(reasons_join(-WEIR_EUNSUPPORTED, &e, 0, &none), -WEIR_EUNSUPPORTED);
	for (int i = 0; i < 2; i++) /* the same is said once */
		assert_int_equal(reasons_join(-WEIR_EUNSUPPORTED, &e, -WEIR_EFULL, &full),
		    -WEIR_EUNSUPPORTED);
	assert_string_equal(e.text, "not ours; full");
	for (unsigned i = 0; i < 100; i++) {
		err_set(&full, WEIR_EFULL, "%u times full", i);
		reasons_join(-WEIR_EIO, &e, -WEIR_EFULL, &full);
	}
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
}

/* Somebody writes over the beginning of the first archive that is looked at. */
static void
walk_damage(const char *path, void *arg)
{
	bool *done = arg;
	FILE *f = *done ? NULL : fopen(path, "r+");

	if (f == NULL)
		return;
	assert_int_equal(fwrite("oops", 1, 4, f), 4);
	assert_int_equal(fclose(f), 0);
	*done = true;
}

/* One damaged archive does not hide those of another step. */
static void
archives_of_others_are_told_apart(void **state)
{
	struct fixture f;
	bool done = false;

	(void)state;
	fixture_init(&f);
	f.config.step = 60; /* an earlier life with another step */
	fixture_open(&f, "src_host", 100);
	for (uint16_t host = 1; host <= 5; host++)
		feed(&f, host, 0, 100);
	publish(&f, 1, true);
	fixture_close(&f);
	archives_walk(&f, walk_damage, &done);
	f.config.step = STEP;
	fixture_open(&f, "src_host", 100);
	for (uint16_t host = 1; host <= 5; host++)
		feed(&f, host, 0, 100);
	publish(&f, 1, false);
	assert_int_equal(f.rc, -WEIR_EUNSUPPORTED);
	assert_non_null(strstr(f.e.text, "no RRD file: move it away (1 archive)"));
	assert_non_null(strstr(f.e.text, "(rrd_step); move it away (4 archives)"));
	fixture_end(&f);
}

/* Archives that cannot be made, here as files may not be so long: librrd has no word for it. */
static void
a_full_disk_has_a_reason(void **state)
{
	struct rlimit limit, small;
	struct fixture f;

	(void)state;
	fixture_begin(&f);
	for (uint16_t host = 1; host <= 3; host++)
		feed(&f, host, 0, 100);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = limit;
	small.rlim_cur = 2000; /* of the journal and the index, but not of an archive */
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	publish(&f, 1, false);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(f.rc, -WEIR_EIO);
	if (strstr(f.e.text, ".rrd: File too large (3 archives)") == NULL)
		fail_msg("%s", f.e.text);
	publish(&f, 2, false);
	assert_int_equal(f.rc, 0);
	all_is_conserved(&f, 2, 3);
	fixture_end(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reasons_are_told_by_kind),
		cmocka_unit_test(long_reasons_leave_room_for_others),
		cmocka_unit_test(failures_are_joined),
		cmocka_unit_test(archives_of_others_are_told_apart),
		cmocka_unit_test(a_full_disk_has_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
