/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/rrd/scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <sys/resource.h>
#include <time.h>

#include "rrd/files.h"
#include "rrd/graph.h"
#include "rrd/index.h"
#include "rrd/known.h"
#include "rrd/picture.h"

#define BINS 288 /* a day */
#define KEYS 20

/* The first is the biggest; the one before the last has what legends must escape. */
static const char *const keys[KEYS] = {
	"src_host=192.0.2.10 dst_port=443", "src_host=192.0.2.200 dst_port=53",
	"src_host=2001:db8::1 dst_port=443", "src_host=198.51.100.7 dst_port=22",
	"src_host=203.0.113.255 dst_port=8080", "src_host=198.51.100.8 dst_port=25",
	"src_host=192.0.2.11 dst_port=80",
	"src_host=2001:db8:1234:5678:9abc:def0:1234:5678 dst_port=993",
	"label=B\xc3\xbcro", "label=\xff%n%s\\n:STACK", "label=CORP\\joe:x\\:=y",
	"src_host=192.0.2.13 dst_port=80", "src_host=192.0.2.14 dst_port=80",
	"src_host=192.0.2.15 dst_port=80", "src_host=192.0.2.16 dst_port=80",
	"src_host=192.0.2.17 dst_port=80", "src_host=192.0.2.18 dst_port=80",
	"src_host=192.0.2.19 dst_port=80", "src_host=192.0.2.20 dst_port=80",
	"src_host=192.0.2.21 dst_port=80",
};

/*
 * librrd's drawing and the fonts below it keep memory until the process ends. With the
 * address sanitizer, look for leaks of ours only; to tell them apart it must walk the
 * stack through code that has no frame pointers.
 */
const char *__asan_default_options(void);
const char *__lsan_default_suppressions(void);

const char *
__asan_default_options(void)
{
	return "fast_unwind_on_malloc=0";
}

const char *
__lsan_default_suppressions(void)
{
	return "leak:librrd\nleak:libfontconfig\nleak:libpango\n";
}

/* Bytes of bin `i` of key `k`: a day's curve, a burst, one that comes only at noon. */
static uint64_t
bytes_of(unsigned k, unsigned i)
{
	double day = 1.2 - cos(2 * M_PI * (i + 7.0 * k) / BINS);
	double size = 4e9 / (1 + k * 1.3);

	if (k == 1 && i > 200 && i < 215)
		size *= 3;
	if (k == 3 && i < BINS / 2)
		return 0;
	return (uint64_t)(size * day * (1 + 0.15 * sin(i * (k + 1) * 1.7)));
}

/* Archives for `bins` of a day, with an hour unknown, below dir/links. */
static void
archives_make(const char *dir, unsigned bins)
{
	static const struct archive_shape shape = { STEP, 2 * STEP, PROFILE_CACTI, NULL };
	struct archive_bin day[BINS];
	struct known_set ks;
	struct err e = ERR_INIT;
	char folder[256];

	snprintf(folder, sizeof(folder), "%s/links", dir);
	assert_int_equal(known_open(&ks, folder, &shape, 100, &e), 0);
	for (unsigned k = 0; k < KEYS; k++) {
		uint64_t id = 0x9e3779b97f4a7c15U * (k + 1);
		char file[FILES_NAME_MAX];
		struct known *a;

		files_name(id, keys[k], file);
		a = known_add(&ks, id, file, keys[k]);
		assert_int_equal(known_create(&ks, a, START, &e), 0);
		for (unsigned i = 0; i < bins; i++)
			day[i] = (struct archive_bin){ .end = START + (i + 1) * STEP,
				.sums = { 1, bytes_of(k, i), 1 }, .unknown = i >= 60 && i < 72 };
		if (known_update(&ks, a, day, bins, &e) != 0)
			fail_msg("%s", e.text);
	}
	assert_int_equal(known_save(&ks, false, &e), 0);
	known_close(&ks);
}

/* Run `weir graph links -o out --rrd-path dir`, from START on or a --range, with `option` `value`. */
static int
graph(const char *dir, const char *out, const char *end, const char *option,
    const char *value)
{
	char start[24];
	const char *argv[] = { "graph", "links", "-o", out, "--rrd-path", dir, "--end", end,
		"--start", start, option, value, NULL };
	int argc = option == NULL ? 10 : 12;

	if (option != NULL && strcmp(option, "--range") == 0) {
		memmove(&argv[8], &argv[10], 3 * sizeof(*argv)); /* in place of --start */
		argc = 10;
	}
	argv[argc] = NULL;
	snprintf(start, sizeof(start), "%lld", (long long)START);
	return graph_main(argc, (char **)(uintptr_t)argv);
}

static size_t
picture_read(const char *path, char *buf, size_t room)
{
	FILE *f = fopen(path, "r");
	size_t n;

	if (f == NULL)
		return 0;
	n = fread(buf, 1, room, f);
	fclose(f);
	return n;
}

static const struct {
	const char *says, *out, *option, *value;
	unsigned bins;
	int want;
	const char *magic;
	size_t at_least;
} cases[] = {
	{ "a day", "a.png", NULL, NULL, BINS, 0, "\x89PNG\r\n\x1a\n", 20000 },
	{ "as SVG", "a.svg", NULL, NULL, BINS, 0, "<?xml", 20000 },
	{ "all rows one by one", "a.png", "--top", "30", BINS, 0, "\x89PNG", 20000 },
	{ "one row", "a.png", "--key", "src_host=192.0.2.10 dst_port=443", BINS, 0, "\x89PNG",
	    8000 },
	{ "rows that share a part of their key", "a.png", "--key", "dst_port=80", BINS, 0,
	    "\x89PNG", 8000 },
	{ "a title of its own, with a colon", "a.png", "--title", "a: 50% <b>", BINS, 0,
	    "\x89PNG", 8000 },
	{ "three bins are something to see", "a.png", NULL, NULL, 3, 0, "\x89PNG", 8000 },
	{ "a key that nobody has", "a.png", "--key", "zebra", 3, 1, NULL, 0 },
	{ "a folder that is not there", "none/a.png", NULL, NULL, 3, 1, NULL, 0 },
	{ "zero rows make no picture", "a.png", "--top", "0", 3, 2, NULL, 0 },
	{ "too narrow for its legend", "a.png", "--width", "399", 3, 2, NULL, 0 },
	{ "just wide enough for its legend", "a.png", "--width", "400", 3, 0, "\x89PNG", 8000 },
	{ "an option that is none", "a.png", "--bottom", "3", 3, 2, NULL, 0 },
	{ "the last week", "a.png", "--range", "week", BINS, 0, "\x89PNG", 8000 },
	{ "the last year, mostly empty", "a.png", "--range", "year", BINS, 0, "\x89PNG", 8000 },
	{ "a range that is none", "a.png", "--range", "decade", BINS, 2, NULL, 0 },
	{ "no rrdcached there", "a.png", "--daemon", "unix:/nowhere/socket", 3, 1, NULL, 0 },
	{ "no address of one", "a.png", "--daemon", ":", 3, 1, NULL, 0 },
	{ "a time that is none", "a.png", "--start", "zebra", 3, 1, NULL, 0 },
};

static void
pictures_are_drawn(void **state)
{
	static char buf[1 << 22];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *dir = scratch_new(), out[256], end[24];
		size_t n;
		int rc;

		archives_make(dir, cases[i].bins);
		snprintf(out, sizeof(out), "%s/%s", dir, cases[i].out);
		snprintf(end, sizeof(end), "%lld",
		    (long long)(START + (cases[i].bins < 12 ? 12 : cases[i].bins) * STEP));
		rc = graph(dir, out, end, cases[i].option, cases[i].value);
		if (rc != cases[i].want)
			fail_msg("%s: exit %d", cases[i].says, rc);
		n = picture_read(out, buf, sizeof(buf));
		if (rc == 0 && (n < cases[i].at_least ||
		        memcmp(buf, cases[i].magic, strlen(cases[i].magic)) != 0))
			fail_msg("%s: %zu octets", cases[i].says, n);
		if (getenv("WEIR_TEST_PICTURES") != NULL && rc == 0) {
			snprintf(end, sizeof(end), "%s/%zu.%s", getenv("WEIR_TEST_PICTURES"), i,
			    strrchr(out, '.') + 1);
			rename(out, end);
		}
		scratch_free(dir);
	}
}

static const struct {
	const char *says, *out, *options[5];
	int want;
} calls[] = {
	{ "the day before the end that is given", "a.png", { "-e", "1500086400" }, 0 },
	{ "and before one that leans on the start", "a.png", { "-e", "start+1h" }, 0 },
	{ "the last day", "a.png", { NULL }, 0 },
	{ "a start behind the end", "a.png", { "-s", "1500086401", "-e", "1500086400" }, 1 },
	{ "a start and a range", "a.png", { "-s", "-1h", "-r", "day" }, 2 },
	{ "in the other order, too", "a.png", { "-r", "day", "-s", "-1h" }, 2 },
	{ "a range before an end", "a.png", { "-r", "week", "-e", "1500086400" }, 0 },
	{ "a picture of another kind", "a.jpg", { NULL }, 2 },
	{ "endings in capitals", "a.SVG", { NULL }, 0 },
	{ "no ending", "a", { NULL }, 0 },
	{ "a dot above it only", "./a", { NULL }, 0 },
};

static void
what_is_asked_for_can_be_meant(void **state)
{
	char *dir = scratch_new();

	(void)state;
	archives_make(dir, 3);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		const char *argv[16] = { "graph", "links", "--rrd-path", dir, "-o" };
		char out[256];
		int argc = 6, rc;

		snprintf(out, sizeof(out), "%s/%s", dir, calls[i].out);
		argv[5] = out;
		for (const char *const *o = calls[i].options; *o != NULL; o++)
			argv[argc++] = *o;
		rc = graph_main(argc, (char **)(uintptr_t)argv);
		if (rc != calls[i].want || (access(out, F_OK) == 0) != (rc == 0))
			fail_msg("%s: exit %d", calls[i].says, rc);
		(void)unlink(out);
	}
	scratch_free(dir);
}

/* The legend of `p`, whose total is `rates`, to `text`. */
static void
legend_of(struct picture *p, const char *dir, const double *rates, size_t n, char *text,
    size_t room)
{
	char out[256], total[256];
	struct err e = ERR_INIT;

	snprintf(out, sizeof(out), "%s/legend.png", dir);
	snprintf(total, sizeof(total), "%s/total.rrd", dir);
	p->file = out;
	p->total_path = total;
	p->title = "t";
	p->width = 800;
	p->height = 100;
	memset(text, 0, room);
	p->legend = fmemopen(text, room, "w");
	assert_non_null(p->legend);
	if (archive_create_rates(total, p->start, STEP, rates, n, &e) != 0 ||
	    picture_draw(p, &e) != 0)
		fail_msg("%s", e.text);
	fclose(p->legend);
}

/* A picture of a time of which nobody knows anything says so, and has no figures of it. */
static void
no_data_is_said(void **state)
{
	const double rates[3] = { NAN, NAN, NAN };
	char *dir = scratch_new(), text[4096], out[256], err_path[256];
	struct picture p = { .folder = dir, .start = START, .end = START + 3 * STEP, .rest = 4,
		.empty = true, .step_s = STEP };
	int err_fd, saved = dup(STDERR_FILENO);
	size_t n;

	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	legend_of(&p, dir, rates, 3, text, sizeof(text));
	assert_non_null(strstr(text, "no data from 2017-07-14 02:40 to 2017-07-14 02:55 in steps "
	                             "of 300 s"));
	assert_non_null(strstr(text, "4 others"));
	assert_null(strstr(text, "nan"));
	assert_null(strstr(text, "inf"));

	archives_make(dir, 3);
	snprintf(out, sizeof(out), "%s/a.png", dir);
	snprintf(err_path, sizeof(err_path), "%s/stderr", dir);
	for (int data = 0; data < 2; data++) {
		const char *argv[] = { "graph", "links", "--rrd-path", dir, "-o", out, "-s",
			data ? "1500000000" : "1500010800", "-e", "1500014400", NULL };

		err_fd = open(err_path, O_CREAT | O_RDWR | O_TRUNC, 0600);
		assert_true(saved >= 0 && err_fd >= 0 && dup2(err_fd, STDERR_FILENO) >= 0);
		assert_int_equal(graph_main(10, (char **)(uintptr_t)argv), 0);
		assert_true(dup2(saved, STDERR_FILENO) >= 0);
		close(err_fd);
		n = picture_read(err_path, text, sizeof(text) - 1);
		text[n] = '\0';
		assert_string_equal(text, data ? "" :
		    "weir graph: links: no data from 2017-07-14 05:40 to 2017-07-14 06:40 in "
		    "steps of 300 s\n");
		assert_true(picture_read(out, text, sizeof(text)) > 0);
	}
	close(saved);
	scratch_free(dir);
}

/*
 * Nine hours of 1000 octets in each bin but one of 30000: 800 bits/s at most, whether the picture
 * is of these or of a month, in which values are averages of many; and where the archive has
 * maxima of many only, or none of them, where single bins are kept for that time.
 */
static const struct {
	const char *says, *rras;
	unsigned peak;
	bool shown;
} peaks[] = {
	{ "as Cacti has them", "AVERAGE:0.5:1:60,AVERAGE:0.5:24:700,MAX:0.5:1:60,MAX:0.5:24:700", 20,
	    true },
	{ "in the last hour, of which there is no month's value yet",
	    "AVERAGE:0.5:1:600,AVERAGE:0.5:24:700,MAX:0.5:1:600,MAX:0.5:24:700", 107, true },
	{ "maxima of two hours only", "AVERAGE:0.5:1:600,AVERAGE:0.5:24:700,MAX:0.5:24:700", 50, true },
	{ "no maxima, but the bin itself", "AVERAGE:0.5:1:600,AVERAGE:0.5:24:700", 50, true },
	{ "no maxima, and bins of an hour", "AVERAGE:0.5:1:12,AVERAGE:0.5:24:700", 50, false },
};

static void
maxima_are_those_of_bins(void **state)
{
	char *dir = scratch_new();

	(void)state;
	for (size_t at = 0; at < sizeof(peaks) / sizeof(peaks[0]); at++)
		for (int days = 0; days < 32; days += 31) {
			const struct archive_shape shape = { STEP, 2 * STEP, PROFILE_CUSTOM,
				peaks[at].rras };
			struct picture p = { .folder = dir, .start = START - days * 86400,
				.end = START + 108 * STEP, .n = 1, .rows = { { "row.rrd", "a row" } } };
			bool shown = peaks[at].shown;
			double rates[108];
			struct archive_bin bins[108];
			char path[256], text[4096], *row, *total;
			int64_t last = START;
			struct err e = ERR_INIT;

			for (unsigned i = 0; i < 108; i++) {
				bins[i] = (struct archive_bin){ .end = START + (i + 1) * STEP,
					.sums = { 1, i == peaks[at].peak ? 30000 : 1000, 1 } };
				rates[i] = 1000.0 / STEP;
			}
			snprintf(path, sizeof(path), "%s/row.rrd", dir);
			unlink(path);
			assert_int_equal(archive_create(path, &shape, START, &e), 0);
			assert_int_equal(archive_update(path, bins, 108, &last, &e), 0);
			legend_of(&p, dir, rates, 108, text, sizeof(text));
			row = strstr(text, "a row");
			total = strstr(text, "total");
			assert_true(row != NULL && total != NULL);
			if ((strstr(total, " 800.00 ") != NULL) != shown)
				fail_msg("%s, %d days: %s", peaks[at].says, days, text);
			*total = '\0';
			if ((strstr(row, " 800.00 ") != NULL) != shown)
				fail_msg("%s, %d days: %s", peaks[at].says, days, text);
		}
	scratch_free(dir);
}

/* How many files are in `dir`. */
static unsigned
files_in(const char *dir)
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	assert_non_null(d);
	for (const struct dirent *f; (f = readdir(d)) != NULL;)
		n += f->d_type == DT_REG;
	closedir(d);
	return n;
}

/*
 * A picture that cannot be written as a whole, here as files may not be so long, leaves the one
 * before it; and a new one takes its mode, and leaves a link to it a link.
 */
static void
a_picture_is_whole_or_the_old_one(void **state)
{
	static char buf[1 << 22];
	char *dir = scratch_new(), out[256], link[256], end[24];
	struct rlimit limit, small;
	struct stat st;

	(void)state;
	archives_make(dir, BINS);
	snprintf(out, sizeof(out), "%s/a.png", dir);
	snprintf(link, sizeof(link), "%s/link.png", dir);
	snprintf(end, sizeof(end), "%lld", (long long)(START + BINS * STEP));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = limit;
	small.rlim_cur = 12000; /* of what is drawn from, but not of a picture */
	for (int there = 0; there < 2; there++) {
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
		assert_int_equal(graph(dir, out, end, NULL, NULL), 1);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
		assert_int_equal(files_in(dir), there);
		if (!there) {
			FILE *f = fopen(out, "w");

			assert_non_null(f);
			fputs("the old one", f);
			fclose(f);
		}
	}
	assert_int_equal(picture_read(out, buf, sizeof(buf)), strlen("the old one"));
	assert_int_equal(chmod(out, 0604), 0);
	assert_int_equal(symlink("a.png", link), 0);
	assert_int_equal(graph(dir, link, end, NULL, NULL), 0);
	assert_true(picture_read(out, buf, sizeof(buf)) > 20000);
	assert_int_equal(lstat(out, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0604);
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(files_in(dir), 1);
	scratch_free(dir);
}

/* How many colours something is filled with in the SVG `text`. */
static unsigned
colours_of(char *text)
{
	const char *seen[64];
	unsigned n = 0;

	for (char *p = strstr(text, "fill:rgb("), *end; p != NULL; p = strstr(end, "fill:rgb(")) {
		unsigned i = 0;

		end = strchr(p, ')');
		assert_non_null(end);
		*end++ = '\0';
		while (i < n && strcmp(seen[i], p) != 0)
			i++;
		if (i == n) {
			assert_true(n < sizeof(seen) / sizeof(seen[0]));
			seen[n++] = p;
		}
	}
	return n;
}

static void
no_two_rows_look_the_same(void **state)
{
	static char buf[1 << 22];
	char *dir = scratch_new(), out[256], end[24];
	size_t n;

	(void)state;
	archives_make(dir, BINS);
	snprintf(out, sizeof(out), "%s/a.svg", dir);
	snprintf(end, sizeof(end), "%lld", (long long)(START + BINS * STEP));
	assert_int_equal(graph(dir, out, end, "--top", "30"), 0);
	n = picture_read(out, buf, sizeof(buf) - 1);
	buf[n] = '\0';
	assert_int_equal(colours_of(buf), KEYS + 2); /* and black and white */
	scratch_free(dir);
}

/* The index may say what it likes: only files of ours are opened. */
static void
an_index_cannot_point_elsewhere(void **state)
{
	char *dir = scratch_new(), path[256], out[256];
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s/links", dir);
	assert_int_equal(mkdir(path, 0777), 0);
	snprintf(path, sizeof(path), "%s/links/" INDEX_FILE, dir);
	snprintf(out, sizeof(out), "%s/a.png", dir);
	f = fopen(path, "w");
	fputs("weir-rrd-index\t1\n../../../etc/passwd\tx\n/etc/passwd\ty\n", f);
	fclose(f);
	assert_int_equal(graph(dir, out, "now", NULL, NULL), 1);
	scratch_free(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pictures_are_drawn),
		cmocka_unit_test(what_is_asked_for_can_be_meant),
		cmocka_unit_test(no_data_is_said),
		cmocka_unit_test(maxima_are_those_of_bins),
		cmocka_unit_test(a_picture_is_whole_or_the_old_one),
		cmocka_unit_test(no_two_rows_look_the_same),
		cmocka_unit_test(an_index_cannot_point_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
