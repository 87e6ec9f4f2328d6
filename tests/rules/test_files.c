/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/rcu.h"
#include "rules/files.h"
#include "rules/networks.h"
#include "rules/valuelist.h"
#include "tests/lib/scratch.h"

static uint32_t
as_of(const struct file *f, const char *addr)
{
	const struct network *w;
	ip16_t a;

	assert_int_equal(ip_parse(addr, &a), 0);
	w = networks_find(file_content(f), &a);
	return w != NULL ? w->as : 0;
}

/* Who asks for the same file gets the same; by kind, for the same path may be read as two. */
static void
test_shared(void **state)
{
	struct files *fs = files_new();
	struct problems ps = { 0 };
	struct err e = ERR_INIT;
	struct file *f;

	(void)state;
	scratch_write("7,10.0.0.0/8\n");
	f = files_open(fs, FILE_NETWORKS, scratch_path, &ps, &e);
	assert_non_null(f);
	assert_ptr_equal(files_open(fs, FILE_NETWORKS, scratch_path, &ps, &e), f);
	scratch_write("80\n");
	assert_ptr_not_equal(files_open(fs, FILE_PORTS, scratch_path, &ps, &e), f);
	assert_int_equal(as_of(f, "10.1.2.3"), 7);
	assert_null(files_open(fs, FILE_NETWORKS, "/nonexistent/list", &ps, &e));
	assert_int_equal(e.code, WEIR_EIO);
	assert_null(file_content(NULL));
	files_free(fs);
	files_free(NULL);
}

static const struct {
	const char *says, *text;
	uint32_t want; /* AS of 10.1.2.3 then */
	size_t errors;
} reloads[] = {
	{ "a sound file is taken", "2,10.0.0.0/8\n", 2, 0 },
	{ "one that lists less, too", "! nothing\n", 0, 0 },
	{ "what cannot be read of it is left out", "3,10.0.0.0/8\nbad\n", 3, 0 },
	{ "one that is something else changes nothing", "<html>\n<body>\n", 3, 1 },
	{ "and the next sound one is taken", "4,10.0.0.0/8\n", 4, 0 },
};

static void
test_reload(void **state)
{
	struct files *fs = files_new();
	struct problems ps = { 0 };
	struct err e = ERR_INIT;
	struct file *f;

	(void)state;
	scratch_write("1,10.0.0.0/8\n");
	f = files_open(fs, FILE_NETWORKS, scratch_path, &ps, &e);
	assert_int_equal(as_of(f, "10.1.2.3"), 1);
	for (size_t i = 0; i < sizeof(reloads) / sizeof(reloads[0]); i++) {
		scratch_write(reloads[i].text);
		files_reload(fs, &ps);
		if (ps.n_errors != reloads[i].errors || as_of(f, "10.1.2.3") != reloads[i].want)
			fail_msg("%s: %zu errors, AS %u", reloads[i].says, ps.n_errors,
			    as_of(f, "10.1.2.3"));
		problems_free(&ps);
	}
	rcu_drain();
	unlink(scratch_path);
	files_reload(fs, &ps);
	assert_int_equal(ps.n_errors, 1);
	assert_non_null(strstr(ps.list[0].text, scratch_path));
	assert_int_equal(as_of(f, "10.1.2.3"), 4);
	problems_free(&ps);
	files_free(fs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_reload),
	};

	return cmocka_run_group_tests_name("files", tests, scratch_make, scratch_remove);
}
