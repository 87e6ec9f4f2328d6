/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/rrd/scratch.h"

#include "rrd/files.h"
#include "rrd/index.h"

#define ID 0xabcdef0123456789U
#define HEX "abcdef0123456789"
#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
	const char *says, *key, *want;
} names[] = {
	{ "a plain key reads well", "src_host=192.0.2.1 dst_port=53",
	    "ab/src_host-192.0.2.1_dst_port-53-" HEX ".rrd" },
	{ "IPv6 keeps its colons", "src_host=2001:db8::1",
	    "ab/src_host-2001:db8::1-" HEX ".rrd" },
	{ "no way up", "../../x", "ab/_._.._x-" HEX ".rrd" },
	{ "no newline, no quote", "label=a\nb'c\"d", "ab/label-a_b_c_d-" HEX ".rrd" },
	{ "no bytes beyond ASCII", "label=\xc3\xa4\xff", "ab/label-___-" HEX ".rrd" },
	{ "cut at a hundred", X50 X50 X50 X50 X50 X50, "ab/" X50 X50 "-" HEX ".rrd" },
	{ "nothing at all still has its hash", "", "ab/-" HEX ".rrd" },
	{ "no option, no hidden file", "-rf", "ab/_rf-" HEX ".rrd" },
};

static void
names_stay_in_their_folder(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char name[FILES_NAME_MAX];
		uint64_t id = 0;

		files_name(ID, names[i].key, name);
		assert_null(strchr(name + 3, '/'));
		if (strcmp(name, names[i].want) != 0)
			fail_msg("%s: %s", names[i].says, name);
		if (files_id(name, &id) != 0 || id != ID)
			fail_msg("%s: '%s' is not recognised", names[i].says, name);
	}
}

static const struct {
	const char *says, *name;
} foreign[] = {
	{ "a path upwards", "ab/../../../../etc/passwd-" HEX ".rrd" },
	{ "an absolute path", "/etc/cron.d/x-" HEX ".rrd" },
	{ "a hidden folder", "ab/.x/x-" HEX ".rrd" },
	{ "an empty folder", "ab//x-" HEX ".rrd" },
	{ "too many folders", "a/b/c/d/e/x-" HEX ".rrd" },
	{ "another ending", "ab/x-" HEX ".rrx" },
	{ "capital hex", "ab/x-ABCDEF0123456789.rrd" },
	{ "too few digits", "ab/x-bcdef0123456789.rrd" },
	{ "nothing", "" },
	{ "only a hash", "ab/" HEX ".rrd" },
	{ "a readable part too long", "ab/" X50 X50 X50 "-" HEX ".rrd" },
	{ "a newline", "ab/x\ny-" HEX ".rrd" },
};

static void
names_of_others_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		uint64_t id;

		if (files_id(foreign[i].name, &id) == 0)
			fail_msg("%s: taken", foreign[i].says);
	}
}

static void
views_never_share_a_folder(void **state)
{
	char a[FILES_FOLDER_MAX], b[FILES_FOLDER_MAX];

	(void)state;
	files_folder("hosts-1", a);
	assert_string_equal(a, "hosts-1");
	files_folder("a/b", a);
	files_folder("a_b", b);
	assert_string_not_equal(a, b);
	assert_null(strchr(a, '/'));
	files_folder("..", a);
	assert_true(a[0] != '.');
	files_folder(".", b);
	assert_string_not_equal(a, b);
}

static void
folder_write(const char *dir, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/" INDEX_FILE, dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
an_index_comes_back(void **state)
{
	char *dir = scratch_new(), name[FILES_NAME_MAX];
	struct text_line l;
	struct index x;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(index_read(dir, &x, &e), 0);
	assert_int_equal(x.n, 0);
	index_free(&x);

	files_name(ID, "label=a", name);
	index_begin(&l);
	index_put(&l, name, "label=a\tb\nc", 0);
	index_put(&l, FILES_OTHER, FILES_OTHER_TEXT, 1500000300);
	assert_int_equal(index_commit(&l, dir, &e), 0);

	assert_int_equal(index_read(dir, &x, &e), 0);
	assert_int_equal(x.n, 2);
	assert_int_equal(x.skipped, 0);
	assert_false(x.damaged);
	assert_string_equal(x.entries[0].file, name);
	assert_string_equal(x.entries[0].key, "label=a?b?c");
	assert_true(x.entries[0].id == ID);
	assert_true(x.entries[1].other);
	assert_int_equal(x.entries[0].seen, 0);
	assert_int_equal(x.entries[1].seen, 1500000300);
	index_free(&x);
	scratch_free(dir);
}

static const struct {
	const char *says, *text;
	int want;
	size_t n, skipped;
} indexes[] = {
	{ "a newer version is left alone", "weir-rrd-index\t2\n", -WEIR_EUNSUPPORTED, 0, 0 },
	{ "another file is left alone", "hello\n", -WEIR_EUNSUPPORTED, 0, 0 },
	{ "an empty file is no index", "", -WEIR_EUNSUPPORTED, 0, 0 },
	{ "only a head", "weir-rrd-index\t1", 0, 0, 0 },
	{ "good lines of a damaged file are used, their times are not",
	    "weir-rrd-index\t1\nab/x-" HEX ".rrd\tx\t1500000300\n", 0, 1, 0 },
	{ "a line cut off is no line", "weir-rrd-index\t1\nab/x-" HEX ".rrd\tx", 0, 0, 0 },
	{ "a path upwards is skipped",
	    "weir-rrd-index\t1\nab/../../x-" HEX ".rrd\tx\t0\nab/x-" HEX ".rrd\tx\t0\n", 0, 1, 1 },
	{ "a double is skipped",
	    "weir-rrd-index\t1\nab/x-" HEX ".rrd\tx\t0\nab/y-" HEX ".rrd\ty\t0\n", 0, 1, 1 },
	{ "too few and too many fields", "weir-rrd-index\t1\nab/x-" HEX ".rrd\n"
	    "ab/x-" HEX ".rrd\tx\nab/x-" HEX ".rrd\tx\t1\t2\n", 0, 0, 3 },
	{ "numbers that are none",
	    "weir-rrd-index\t1\nab/x-" HEX ".rrd\tx\t-2\n", 0, 0, 1 },
	{ "control characters in a key",
	    "weir-rrd-index\t1\nab/x-" HEX ".rrd\t\x1b[2J\t0\n", 0, 0, 1 },
};

static void
a_hostile_index_does_no_harm(void **state)
{
	char *dir = scratch_new();

	(void)state;
	for (size_t i = 0; i < sizeof(indexes) / sizeof(indexes[0]); i++) {
		struct err e = ERR_INIT;
		struct index x;
		int rc;

		folder_write(dir, indexes[i].text);
		rc = index_read(dir, &x, &e);
		if (rc != indexes[i].want)
			fail_msg("%s: %d %s", indexes[i].says, rc, e.text);
		if (rc != 0)
			continue;
		if (x.n != indexes[i].n || x.skipped != indexes[i].skipped || !x.damaged)
			fail_msg("%s: %zu, %zu skipped", indexes[i].says, x.n, x.skipped);
		if (x.n > 0)
			assert_int_equal(x.entries[0].seen, 0);
		index_free(&x);
	}
	scratch_free(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_stay_in_their_folder),
		cmocka_unit_test(names_of_others_are_refused),
		cmocka_unit_test(views_never_share_a_folder),
		cmocka_unit_test(an_index_comes_back),
		cmocka_unit_test(a_hostile_index_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
