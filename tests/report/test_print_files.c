/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What goes around print's rows: which file they go to, what is left out, who is told, and
 * who waits for whom.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/preprocess.h"
#include "tests/core/program.h"
#include "report/print_file.h"
#include "tests/report/print_rig.h"

/* Each value of a variable of rows has its file, and each bin in it its rows. */
static void
test_each_value_has_its_file(void **state)
{
	struct fixture *x = *state;

	x->config.form = PRINT_CSV;
	x->o.common.aggregate = "proto";
	x->o.common.history = "1m";
	snprintf(x->file, sizeof(x->file), "%s/$peer_src_ip/$tag2-$tag", x->dir);
	start(x, 1000);
	exporter_of = "192.0.2.9";
	write_packets(x, 0, 3); /* two bins */
	assert_file(x, "192_0_2_9/0-1", "PROTOCOL,PACKETS,BYTES\ntcp,2,180\n");
	assert_file(x, "192_0_2_9/0-2", "PROTOCOL,PACKETS,BYTES\nudp,1,58\n");
	exporter_of = "2001:db8::9";
	write_packets(x, 2, 3);
	assert_file(x, "2001_db8__9/0-2", "PROTOCOL,PACKETS,BYTES\nudp,1,58\n");
	exporter_of = NULL;
}

/* Rejected rows count as refused; the counters of others are what the actions make. */
static void
test_preprocess(void **state)
{
	static const struct {
		const char *says, *text;
		int type;
		uint64_t refused;
		const char *want;
	} lists[] = {
		{ "one check is enough", "minp=2, minb=58", PREPROCESS_ANY, 0,
		    "PROTOCOL,PACKETS,BYTES\ntcp,2,180\nudp,1,58\n" },
		{ "all must pass", "minp=2, minb=58", PREPROCESS_ALL, 1,
		    "PROTOCOL,PACKETS,BYTES\ntcp,2,180\n" },
		{ "counters are multiplied", "usrf=10", PREPROCESS_ANY, 0,
		    "PROTOCOL,PACKETS,BYTES\ntcp,20,1800\nudp,10,580\n" },
		{ "nothing is left", "minp=5", PREPROCESS_ANY, 2, NULL },
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct output_result r = { 0 };
		struct err e = ERR_INIT;
		struct fixture *x;
		struct snapshot *s;

		teardown(state);
		setup(state);
		x = *state;
		print_message("# %s\n", lists[i].says);
		x->config.form = PRINT_CSV;
		x->config.preprocess = lists[i].text;
		x->config.preprocess_type = lists[i].type;
		x->o.common.aggregate = "proto";
		start(x, 1000);
		s = counted(x, 0, 3);
		assert_int_equal(print_output.write(&x->o, s, &r, &e), 0);
		snapshot_unref(s);
		assert_int_equal(r.rows, 2);
		assert_int_equal(r.refused, lists[i].refused);
		assert_int_equal(r.written, 2 - lists[i].refused);
		assert_file(x, "out", lists[i].want);
	}
}

/* What a full view could not tell apart is kept, and changed as the rest is. */
static void
test_preprocess_other_row(void **state)
{
	struct fixture *x = *state;
	struct output_result r = { 0 };
	struct err e = ERR_INIT;
	struct snapshot *s;

	x->config.form = PRINT_CSV;
	x->config.preprocess = "maxb=1, adjb=10";
	x->o.common.aggregate = "src_host";
	start(x, 2);
	s = counted(x, 0, 6);
	assert_int_equal(print_output.write(&x->o, s, &r, &e), 0);
	snapshot_unref(s);
	assert_int_equal(r.rows, 3);
	assert_int_equal(r.refused, 2);
	assert_file(x, "out", "SRC_IP,PACKETS,BYTES\n0.0.0.0,3,178\n");
}

/* Its rows are lost, and the log says how they need not be. */
static void
test_fifo_without_a_reader(void **state)
{
	struct fixture *x = *state;
	struct print_file f;
	struct err e = ERR_INIT;

	assert_int_equal(mkfifo(x->file, 0600), 0);
	assert_int_equal(print_file_init(&f, 100, &e), 0);
	assert_int_equal(print_file_open(&f, x->file, true, &e), -WEIR_EIO);
	assert_non_null(strstr(e.text, "/out: no program reads this FIFO"));
	assert_int_equal(print_file_close(&f, &e), -WEIR_EIO);
	print_file_fini(&f);
}

/* Add `n` lines of `octets`, by the rules. */
static void
lines_add(struct print_file *f, unsigned n, size_t octets, struct err *e)
{
	for (unsigned i = 0; i < n; i++) {
		char *to = print_file_line(f, e);

		memset(to, 'a', octets - 1);
		to[octets - 1] = '\n';
		print_file_add(f, octets, 1);
	}
}

/*
 * A disk gets full in the middle of a row: the file ends with a whole one, what others have
 * appended stays, and all rows are accounted for.
 */
static void
test_file_ends_with_a_whole_row(void **state)
{
	struct fixture *x = *state;
	struct rlimit was, limit;
	struct print_file f;
	struct err e = ERR_INIT;
	struct stat st;
	int other;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	limit = was;
	assert_int_equal(print_file_init(&f, 1000, &e), 0);
	for (unsigned others = 0; others < 2; others++) {
		const size_t theirs = others != 0 ? 9 : 0;

		(void)unlink(x->file);
		f.written = f.refused = 0;
		assert_int_equal(print_file_open(&f, x->file, true, &e), 0);
		lines_add(&f, 300, 1000, &e); /* 263 of them are written meanwhile */
		assert_int_equal(f.written, 263);
		other = open(x->file, O_WRONLY | O_APPEND);
		assert_true(other >= 0);
		assert_int_equal(write(other, "of others", theirs), theirs);
		for (unsigned torn = 0; torn < 2; torn++) {
			/* No room at all, then for half a row. */
			limit.rlim_cur = 263000 + theirs + 500 * torn;
			assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
			assert_int_equal(print_file_close(&f, &e), -WEIR_EIO);
			assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
			assert_int_equal(stat(x->file, &st), 0);
			assert_int_equal(st.st_size, 263000 + theirs);
			assert_int_equal(f.written, 263);
			assert_int_equal(f.refused, 37 + torn);
			assert_int_equal(print_file_open(&f, x->file, true, &e), 0);
			assert_false(f.fresh);
			lines_add(&f, 1, 1000, &e);
		}
		assert_int_equal(print_file_close(&f, &e), 0); /* there is room again */
		assert_int_equal(f.written, 264);
		close(other);
	}
	print_file_fini(&f);
}

static void
file_make(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* What is no symbolic link is nothing that a link to the newest file may replace. */
static void
test_latest_replaces_links_only(void **state)
{
	struct fixture *x = *state;
	char latest[128], beside[160], text[64];
	ssize_t n;

	snprintf(latest, sizeof(latest), "%s/latest", x->dir);
	snprintf(beside, sizeof(beside), "%s.new", latest);
	x->config.latest = latest;
	x->config.form = PRINT_CSV;
	x->o.common.aggregate = "proto";
	file_make(latest, "precious\n");
	start(x, 1000);
	write_packets(x, 2, 3);
	write_packets(x, 2, 3);
	assert_file(x, "out", "PROTOCOL,PACKETS,BYTES\nudp,1,58\n");
	assert_file(x, "latest", "precious\n");
	assert_int_equal(unlink(latest), 0);
	file_make(beside, "also\n");
	write_packets(x, 2, 3);
	assert_file(x, "latest.new", "also\n");
	assert_file(x, "latest", NULL);
	assert_int_equal(unlink(beside), 0);
	assert_int_equal(mkdir(latest, 0700), 0);
	write_packets(x, 2, 3);
	assert_int_equal(rmdir(latest), 0);
	assert_int_equal(symlink("/nowhere", latest), 0);
	write_packets(x, 2, 3);
	n = readlink(latest, text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, x->file);
}

/* Each value of a row has its link, which no older bin takes back. */
static void
test_latest_of_each_value(void **state)
{
	struct fixture *x = *state;
	char latest[400];

	snprintf(x->file, sizeof(x->file), "%s/$tag-%%M", x->dir);
	/* The longest name that there can be. */
	snprintf(latest, sizeof(latest), "%s/$tag-%0253d", x->dir, 7);
	x->config.latest = latest;
	x->config.form = PRINT_CSV;
	x->o.common.aggregate = "proto";
	x->o.common.history = "1m";
	x->o.common.history_roundoff = "m";
	exporter_of = "192.0.2.9";
	start(x, 1000);
	write_packets(x, 0, 1);
	write_packets(x, 2, 3);
	write_packets(x, 1, 2);
	snprintf(latest, sizeof(latest), "1-%0253d", 7);
	assert_file(x, latest, "PROTOCOL,PACKETS,BYTES\ntcp,1,40\ntcp,1,140\n");
	snprintf(latest, sizeof(latest), "2-%0253d", 7);
	assert_file(x, latest, "PROTOCOL,PACKETS,BYTES\nudp,1,58\n");
	exporter_of = NULL;
}

/* The name of the link may come up as the name of a file: rows are not lost by that. */
static void
test_latest_named_as_a_bin(void **state)
{
	struct fixture *x = *state;
	char latest[128];

	snprintf(x->file, sizeof(x->file), "%s/%%H%%M", x->dir);
	snprintf(latest, sizeof(latest), "%s/./2214", x->dir);
	x->config.latest = latest;
	x->config.form = PRINT_CSV;
	x->o.common.aggregate = "proto";
	x->o.common.history = "1m";
	x->o.common.history_roundoff = "m";
	start(x, 1000);
	write_packets(x, 0, 1);
	assert_file(x, "2213", "PROTOCOL,PACKETS,BYTES\ntcp,1,40\n");
	assert_file(x, "2214", "PROTOCOL,PACKETS,BYTES\ntcp,1,40\n");
	write_packets(x, 2, 3);
	assert_file(x, "2213", "PROTOCOL,PACKETS,BYTES\ntcp,1,40\n");
	assert_file(x, "2214", "PROTOCOL,PACKETS,BYTES\nudp,1,58\n");
}

/* Once after a refresh that wrote, with what it is told. */
static void
test_trigger(void **state)
{
	struct fixture *x = *state;
	struct output_result r = { 0 };
	struct err e = ERR_INIT;
	struct snapshot *s;
	char want[256];

	program_make(x->dir, "echo $# $1 $PRINT_OUTPUT_FILE $TOTAL_ELEM_NUMBER "
	    "$EFFECTIVE_ELEM_NUMBER $ELAPSED_TIME >> $OUT", " an argument");
	x->config.trigger_exec = program_command;
	x->config.preprocess = "minp=2";
	x->o.common.aggregate = "proto";
	start(x, 1000);
	write_packets(x, 0, 0);
	assert_string_equal(program_wrote(), "");
	write_packets(x, 0, 1 + 1);
	snprintf(want, sizeof(want), "2 an %s/out 1 1 0\n", x->dir);
	assert_string_equal(program_wrote(), want);
	/* A file that cannot be written is none to tell of, nor is the one before. */
	assert_int_equal(unlink(x->file), 0);
	assert_int_equal(mkdir(x->file, 0700), 0);
	s = counted(x, 0, 1 + 1);
	assert_int_equal(print_output.write(&x->o, s, &r, &e), -WEIR_EIO);
	snapshot_unref(s);
	assert_int_equal(r.lost, 1);
	assert_int_equal(r.written, 0);
	assert_string_equal(program_wrote(), want);
}

/* Who holds the lock is waited for; when weir ends, for a second. */
static void
test_lock(void **state)
{
	struct fixture *x = *state;
	char lock[128];
	int fd;

	snprintf(lock, sizeof(lock), "%s/a/folder/lock", x->dir);
	x->config.lock_file = lock;
	x->config.form = PRINT_CSV;
	x->o.common.aggregate = "proto";
	start(x, 1000);
	write_packets(x, 2, 3);
	fd = open(lock, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0); /* it was given back */
	if (fork() == 0) {
		/* The open file is shared with us: what it locks ends here. */
		nanosleep(&(struct timespec){ 0, 200000000 }, NULL);
		assert_file(x, "out", "PROTOCOL,PACKETS,BYTES\nudp,1,58\n");
		_exit(flock(fd, LOCK_UN) != 0);
	}
	write_packets(x, 0, 1);
	{
		int status = -1;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_file(x, "out", "PROTOCOL,PACKETS,BYTES\ntcp,1,40\n");
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	print_output.hurry(&x->o);
	write_packets(x, 2, 3);
	assert_file(x, "out", "PROTOCOL,PACKETS,BYTES\nudp,1,58\n");
	close(fd);
}

/* What is wrong is said before anything runs. */
static void
test_refused_at_start(void **state)
{
	static const struct {
		const char *lock, *trigger, *preprocess, *file, *latest, *want;
	} bad[] = {
		{ .lock = "/dev/null/lock",
		    .want = "print_output_lock_file: /dev/null/lock" },
		{ .trigger = "/no/such/program",
		    .want = "print_trigger_exec: /no/such/program" },
		{ .preprocess = "minq=3", .want = "print_preprocess: there is no 'minq'" },
		{ .preprocess = "minp=3,recover=1", .want = "print_preprocess: recover=1" },
		{ .file = "/nowhere/x", .latest = "/nowhere/./x",
		    .want = "print_latest_file: '/nowhere/./x' is print_output_file itself" },
		{ .file = "/usr/bin/../x", .latest = "/usr//x", .want = "print_latest_file: " },
		{ .file = "x-%M", .latest = "./x-%M", .want = "print_latest_file: " },
		{ .file = "x-%M", .latest = "y-%H",
		    .want = "print_latest_file: 'y-%H': the newest file has the same link" },
		{ .file = "x-$tag", .latest = "y-$tag2",
		    .want = "print_latest_file: 'y-$tag2' has variables of rows that" },
		{ .file = "x-$tag", .latest = "y-$src_host",
		    .want = "print_latest_file: 'y-$src_host': '$src_host' is no variable" },
		{ .file = "-", .latest = "x", .want = "print_latest_file links to a file" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = ERR_INIT;
		struct view_config vc;
		struct fixture *x;
		int rc;

		teardown(state);
		setup(state);
		x = *state;
		x->config.lock_file = bad[i].lock;
		x->config.trigger_exec = bad[i].trigger;
		x->config.preprocess = bad[i].preprocess;
		if (bad[i].file != NULL)
			x->config.file = bad[i].file;
		x->config.latest = bad[i].latest;
		x->o.ops = &print_output;
		x->o.config = &x->config;
		rc = output_plan(&x->o, &vc, &e);
		if (rc == 0) {
			bins_start(&vc.bins, T0);
			x->o.view = x->v = view_new("a", &vc, 10, 1, &e);
			rc = print_output.open(&x->o, &e);
		}
		assert_true(rc < 0);
		if (strstr(e.text, bad[i].want) == NULL)
			fail_msg("%s", e.text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_value_has_its_file),
		TEST(test_preprocess),
		TEST(test_preprocess_other_row),
		TEST(test_fifo_without_a_reader),
		TEST(test_file_ends_with_a_whole_row),
		TEST(test_latest_replaces_links_only),
		TEST(test_latest_named_as_a_bin),
		TEST(test_latest_of_each_value),
		TEST(test_trigger),
		TEST(test_lock),
		TEST(test_refused_at_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
