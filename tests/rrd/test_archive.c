/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/rrd/scratch.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "rrd/archive.h"

#define BINS 400

static const struct archive_shape shape = { STEP, 2 * STEP, PROFILE_CACTI, NULL };

static char *
path_in(const char *dir, const char *name)
{
	char *path = malloc(strlen(dir) + strlen(name) + 2);

	assert_non_null(path);
	sprintf(path, "%s/%s", dir, name);
	return path;
}

/* Random bins, written in updates of one to eight, some bins unknown: each value returns. */
static void
what_goes_in_comes_out(void **state)
{
	char *dir = scratch_new(), *path = path_in(dir, "src_host-2001:db8::1.rrd");
	uint64_t want[BINS], seed = 88172645463325252U;
	struct archive_bin bins[BINS];
	int64_t last = START;
	struct series s;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(archive_create(path, &shape, START, &e), 0);
	for (unsigned i = 0; i < BINS; i++) {
		want[i] = dice(&seed) >> (14 + dice(&seed) % 40); /* to 2^50 */
		bins[i] = (struct archive_bin){ .end = START + (i + 1) * STEP,
			.sums = { want[i] / 100, want[i], 3 }, .unknown = i % 50 == 49 };
	}
	for (unsigned i = 0, n; i < BINS; i += n) {
		n = (unsigned)(dice(&seed) % 8) + 1;
		n = i + n < BINS ? n : BINS - i;
		assert_int_equal(archive_update(path, bins + i, n, &last, &e), 0);
		assert_int_equal(last, bins[i + n - 1].end);
	}
	series_init(&s, START, START + BINS * STEP);
	assert_int_equal(series_add(&s, path, "bytes", NULL, &e), 0);
	assert_int_equal(s.start, START);
	assert_int_equal(s.step_s, STEP);
	for (unsigned i = 0; i < BINS; i++) {
		if (bins[i].unknown)
			assert_true(isnan(s.rates[i]));
		else
			assert_int_equal(llround(s.rates[i] * STEP), want[i]);
	}
	series_fini(&s);
	assert_int_equal(archive_sum(path, "flows", last), 3 * (BINS - BINS / 50));
	scratch_free(dir);
	free(path);
}

static void
an_archive_is_known_again(void **state)
{
	char *dir = scratch_new(), *path = path_in(dir, "a.rrd");
	struct archive_bin bin = { .end = START + STEP, .sums = { 1, 2, 3 } };
	struct archive_shape other = shape;
	int64_t last = START;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(archive_check(path, &shape, &last, &e), -WEIR_ENOENT);
	assert_int_equal(archive_create(path, &shape, START, &e), 0);
	assert_int_equal(archive_update(path, &bin, 1, &last, &e), 0);
	last = 0;
	assert_int_equal(archive_check(path, &shape, &last, &e), 0);
	assert_int_equal(last, START + STEP);

	/* Creating it once more does not empty it. */
	assert_int_equal(archive_create(path, &shape, START, &e), -WEIR_EIO);
	assert_int_equal(archive_sum(path, "bytes", START + STEP), 2);

	other.step_s = 60;
	assert_int_equal(archive_check(path, &other, &last, &e), -WEIR_EUNSUPPORTED);
	assert_non_null(strstr(e.text, "a.rrd"));
	scratch_free(dir);
	free(path);
}

/* An archive keeps what was asked for; whoever asks for something else does not get it. */
static void
other_series_are_refused(void **state)
{
	static const struct {
		const char *says, *custom;
		int want;
	} cases[] = {
		{ "the same", "AVERAGE:0.5:1:100 MAX:0.5:12:50", 0 },
		{ "the same, with another xff", "RRA:AVERAGE:0.1:1:100,RRA:MAX:0.5:12:50", 0 },
		{ "one less", "AVERAGE:0.5:1:100", -WEIR_EUNSUPPORTED },
		{ "one more", "AVERAGE:0.5:1:100 MAX:0.5:12:50 MIN:0.5:12:50",
		    -WEIR_EUNSUPPORTED },
		{ "other rows", "AVERAGE:0.5:1:101 MAX:0.5:12:50", -WEIR_EUNSUPPORTED },
		{ "other steps", "AVERAGE:0.5:1:100 MAX:0.5:6:50", -WEIR_EUNSUPPORTED },
		{ "another function", "AVERAGE:0.5:1:100 LAST:0.5:12:50", -WEIR_EUNSUPPORTED },
	};
	struct archive_shape sh = { STEP, 2 * STEP, PROFILE_CUSTOM, cases[0].custom };
	char *dir = scratch_new(), *path = path_in(dir, "a.rrd");
	struct err e = ERR_INIT;
	int64_t last = 0;

	(void)state;
	assert_int_equal(archive_create(path, &sh, START, &e), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sh.custom = cases[i].custom;
		if (archive_check(path, &sh, &last, &e) != cases[i].want)
			fail_msg("%s: %s", cases[i].says, e.text);
		if (cases[i].want != 0)
			assert_non_null(strstr(e.text, "a.rrd"));
	}
	scratch_free(dir);
	free(path);
}

static void
series_are_read(void **state)
{
	static const struct {
		const char *text;
		size_t n;
	} cases[] = {
		{ "AVERAGE:0.5:1:600", 1 },
		{ " RRA:AVERAGE:0:1:600 ,\tMAX:0.99:288:1000000,,", 2 },
		{ "", 0 },
		{ "AVERAGE:0.5:2:600", 0 },      /* no single bins */
		{ "MAX:0.5:1:600", 0 },
		{ "AVERAGE:1:1:600", 0 },
		{ "AVERAGE:nan:1:600", 0 },
		{ "AVERAGE:-0.5:1:600", 0 },
		{ "AVERAGE:0.5:0:600", 0 },
		{ "AVERAGE:0.5:1:0", 0 },
		{ "AVERAGE:0.5:1:1000001", 0 },
		{ "AVERAGE:0.5:1:600:", 0 },
		{ "AVERAGE:0.5:1", 0 },
		{ "average:0.5:1:600", 0 },
		{ "HWPREDICT:0.5:1:600", 0 },
		{ "AVERAGE:0.5:1:600:AVERAGE:0.5:1:600:AVERAGE:0.5:1:600:AVERAGE:0.5:1:600", 0 },
	};
	struct profile_rra out[PROFILE_RRAS];
	char many[1024] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = ERR_INIT;
		size_t n = profile_parse(cases[i].text, out, &e);

		if (n != cases[i].n || (n == 0 && strstr(e.text, "rrd_rra") == NULL))
			fail_msg("'%s': %zu, %s", cases[i].text, n, e.text);
	}
	assert_int_equal(profile_parse(cases[1].text, out, NULL), 2);
	assert_string_equal(out[1].function, "MAX");
	assert_int_equal(out[1].steps, 288);
	assert_int_equal(out[1].rows, 1000000);
	for (unsigned i = 0; i < PROFILE_RRAS; i++)
		strcat(many, "AVERAGE:0.5:1:600,");
	assert_int_equal(profile_parse(many, out, NULL), PROFILE_RRAS);
	strcat(many, "AVERAGE:0.5:1:600,");
	assert_int_equal(profile_parse(many, out, NULL), 0);
}

/* Put `to` in the place of the first `from` (of one length) in the file. */
static void
file_patch(const char *path, const char *from, const char *to, size_t len)
{
	static char buf[1 << 20];
	FILE *f = fopen(path, "r+");
	size_t n;
	char *at;

	assert_non_null(f);
	n = fread(buf, 1, sizeof(buf), f);
	at = memmem(buf, n, from, len);
	assert_non_null(at);
	assert_int_equal(fseek(f, at - buf, SEEK_SET), 0);
	assert_int_equal(fwrite(to, 1, len, f), len);
	fclose(f);
}

static void
other_data_sources_are_refused(void **state)
{
	static const struct {
		const char *says, *from, *to;
		size_t len;
	} patches[] = {
		{ "another type", "ABSOLUTE", "GAUGE\0\0", 8 },
		{ "another name", "packets", "rockets", 7 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(patches) / sizeof(patches[0]); i++) {
		char *dir = scratch_new(), *path = path_in(dir, "a.rrd");
		struct err e = ERR_INIT;
		int64_t last;

		assert_int_equal(archive_create(path, &shape, START, &e), 0);
		assert_int_equal(archive_check(path, &shape, &last, &e), 0);
		file_patch(path, patches[i].from, patches[i].to, patches[i].len);
		if (archive_check(path, &shape, &last, &e) != -WEIR_EUNSUPPORTED)
			fail_msg("%s: taken", patches[i].says);
		scratch_free(dir);
		free(path);
	}
}

static void
foreign_files_are_refused(void **state)
{
	char *dir = scratch_new();
	struct err e = ERR_INIT;
	double rates[] = { 1.5, 2.5 };
	int64_t last;
	char *path = path_in(dir, "gauge.rrd");
	FILE *f;

	(void)state;
	assert_int_equal(archive_create_rates(path, START, STEP, rates, 2, &e), 0);
	assert_int_equal(archive_check(path, &shape, &last, &e), -WEIR_EUNSUPPORTED);
	assert_non_null(strstr(e.text, "data sources"));
	free(path);

	path = path_in(dir, "letter.rrd");
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("Dear Sir or Madam", f);
	fclose(f);
	assert_int_equal(archive_check(path, &shape, &last, &e), -WEIR_EUNSUPPORTED);
	free(path);

	/* Begins like one and ends too soon: may be readable tomorrow, is not overwritten. */
	path = path_in(dir, "torn.rrd");
	f = fopen(path, "w");
	assert_non_null(f);
	fwrite("RRD\0" "0003", 1, 9, f);
	fclose(f);
	assert_int_equal(archive_check(path, &shape, &last, &e), -WEIR_EIO);
	free(path);
	scratch_free(dir);
}

/* A power failure leaves files of no octets, of which nobody can have had anything. */
static void
an_empty_file_is_made_anew(void **state)
{
	char *dir = scratch_new(), *path = path_in(dir, "a.rrd");
	struct archive_bin bin = { .end = START + STEP, .sums = { 1, 2, 3 } };
	int64_t last = 0;
	struct err e = ERR_INIT;
	FILE *f = fopen(path, "w");

	(void)state;
	assert_non_null(f);
	fclose(f);
	assert_int_equal(archive_check(path, &shape, &last, &e), -WEIR_ENOENT);
	assert_int_equal(archive_create(path, &shape, START, &e), 0);
	assert_int_equal(archive_check(path, &shape, &last, &e), 0);
	assert_int_equal(archive_update(path, &bin, 1, &last, &e), 0);
	assert_int_equal(archive_sum(path, "bytes", START + STEP), 2);
	scratch_free(dir);
	free(path);
}

static const char *locked_path;
static volatile sig_atomic_t locked; /* 1: it was, 2: it was not */

/* Another process looks whether somebody has the archive locked: we do not see our own lock. */
static void
lock_look(int sig)
{
	pid_t pid = fork();
	int status = 0;

	(void)sig;
	if (pid == 0) {
		struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
		int fd = open(locked_path, O_RDWR);

		_exit(fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ? 1 : 2);
	}
	if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status))
		locked = WEXITSTATUS(status);
}

/* While a head is put back nobody updates the archive: here its octets are beyond a limit. */
static void
a_head_is_put_back_under_the_lock(void **state)
{
	char *dir = scratch_new(), *path = path_in(dir, "a.rrd");
	struct sigaction look = { .sa_handler = lock_look };
	struct rlimit limit, small;
	uint8_t head[65536];
	unsigned patience_ms = 0;
	struct err e = ERR_INIT;
	uint32_t file;
	size_t len;

	(void)state;
	assert_int_equal(archive_create(path, &shape, START, &e), 0);
	len = archive_head_octets(path);
	assert_in_range(len, 1000, sizeof(head));
	assert_int_equal(archive_head_read(path, head, len, &file, &patience_ms, &e), 0);
	locked_path = path;
	assert_int_equal(sigaction(SIGXFSZ, &look, NULL), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = limit;
	small.rlim_cur = 1;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(archive_head_write(path, head, len, file, &patience_ms, &e), -WEIR_EIO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(locked, 1);
	assert_int_equal(archive_head_write(path, head, len, file, &patience_ms, &e), 0);
	scratch_free(dir);
	free(path);
}

/* A bin that RRD refuses in the middle: `last` tells how far the update got. */
static void
a_failed_update_says_how_far_it_got(void **state)
{
	char *dir = scratch_new(), *path = path_in(dir, "a.rrd");
	struct archive_bin bins[] = {
		{ .end = START + STEP, .sums = { 1, 10, 1 } },
		{ .end = START + STEP, .sums = { 1, 100, 1 } },
		{ .end = START + 2 * STEP, .sums = { 1, 1000, 1 } },
	};
	int64_t last = START;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(archive_create(path, &shape, START, &e), 0);
	assert_int_equal(archive_update(path, bins, 3, &last, &e), -WEIR_EEXIST);
	assert_int_equal(last, START + STEP);
	assert_int_equal(archive_sum(path, "bytes", START + 2 * STEP), 10);

	unlink(path);
	assert_int_equal(archive_update(path, bins + 2, 1, &last, &e), -WEIR_EIO);
	assert_non_null(strstr(e.text, path));
	assert_int_equal(last, START + STEP);
	scratch_free(dir);
	free(path);
}

/* Every profile makes an archive, at short and long steps, that holds a first bin. */
static void
every_profile_and_step_works(void **state)
{
	static const uint32_t steps[] = { 1, 60, 300, 3600, 86400 };
	char *dir = scratch_new();

	(void)state;
	for (int profile = PROFILE_CACTI; profile <= PROFILE_CUSTOM; profile++)
		for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
			struct archive_shape sh = { steps[i], 2 * steps[i],
				(enum profile_name)profile,
				"AVERAGE:0.5:1:100" };
			int64_t start = START / 86400 * 86400, last = start;
			struct archive_bin bin = { .end = start + steps[i],
				.sums = { 7, 4242, 1 } };
			struct series_sum sum;
			struct err e = ERR_INIT;
			struct series s;
			char *path, name[32];

			snprintf(name, sizeof(name), "%d-%u.rrd", profile, steps[i]);
			path = path_in(dir, name);
			assert_int_equal(archive_create(path, &sh, start, &e), 0);
			assert_int_equal(archive_check(path, &sh, &last, &e), 0);
			assert_int_equal(last, start);
			assert_int_equal(archive_update(path, &bin, 1, &last, &e), 0);
			series_init(&s, start, start + steps[i]);
			assert_int_equal(series_add(&s, path, "bytes", &sum, &e), 0);
			assert_int_equal(llround(sum.units), 4242);
			series_fini(&s);
			free(path);
		}
	scratch_free(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_in_comes_out),
		cmocka_unit_test(an_archive_is_known_again),
		cmocka_unit_test(other_series_are_refused),
		cmocka_unit_test(series_are_read),
		cmocka_unit_test(other_data_sources_are_refused),
		cmocka_unit_test(foreign_files_are_refused),
		cmocka_unit_test(an_empty_file_is_made_anew),
		cmocka_unit_test(a_head_is_put_back_under_the_lock),
		cmocka_unit_test(a_failed_update_says_how_far_it_got),
		cmocka_unit_test(every_profile_and_step_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
