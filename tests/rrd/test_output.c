/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/rrd/fixture.h"

#include <dirent.h>

#include "core/books.h"
#include "core/engine.h"
#include "core/publisher.h"
#include "lib/hash.h"
#include "lib/intern.h"
#include "rrd/files.h"

static void
feed_label(struct fixture *f, const char *label, uint64_t bytes)
{
	struct flow flow;

	flow_clear(&flow);
	flow.label = intern(label, strlen(label));
	flow.bytes = bytes;
	flow.stamp = (uint64_t)START * CLOCK_S;
	shard_feed(&f->shard, &flow, 1);
	sums_add(&f->counted, &(struct sums){ 0, bytes, 0 });
}

static void
idle_bins_are_zero(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f);
	feed(&f, 1, 0, 1000);
	publish(&f, 1, false);
	publish(&f, 2, false);
	feed(&f, 1, 4, 3000);
	publish(&f, 5, false); /* two bins were not published on their own */
	publish(&f, 5, false); /* nothing new */
	assert_int_equal(f.rc, 0);
	assert_int_equal(peek(&f, 0), 1000);
	assert_int_equal(peek(&f, 1), 0);
	assert_int_equal(peek(&f, 2), 0);
	assert_int_equal(peek(&f, 3), 0);
	assert_int_equal(peek(&f, 4), 3000);
	assert_int_equal(peek(&f, 5), -1);
	all_is_conserved(&f, 5, 1);
	assert_int_equal(f.sum.rows, 2);
	assert_int_equal(f.sum.written, 2);
	fixture_end(&f);
}

/* Random rows of 200 hosts, random outages of the output, and a share of late rows. */
static void
random_traffic_is_conserved(void **state)
{
	struct fixture f;
	uint64_t seed = 2463534242U;
	int64_t bin = 0;

	(void)state;
	fixture_init(&f);
	fixture_open(&f, "src_host", 1000);
	for (unsigned round = 0; round < 40; round++) {
		int64_t bins = 1 + (int64_t)(dice(&seed) % 10 == 0 ? dice(&seed) % 20 : 0);
		unsigned flows = (unsigned)(dice(&seed) % 150);

		for (unsigned i = 0; i < flows; i++) {
			int64_t at = bin + (int64_t)(dice(&seed) % (uint64_t)bins);

			if (dice(&seed) % 20 == 0 && at > 3)
				at -= 3;
			feed(&f, (uint16_t)(dice(&seed) % 200), at, dice(&seed) >> 24);
		}
		bin += bins;
		publish(&f, bin, false);
		assert_int_equal(f.rc, 0);
	}
	assert_int_equal(f.sum.rows, f.sum.written);
	assert_true(rrd_output_counts(&f.o).late_rows > 0);
	for (uint16_t i = 0; i < 200; i++)
		feed(&f, i, bin, 1);
	publish(&f, bin + 1, false);
	all_is_conserved(&f, bin + 1, 200);
	fixture_end(&f);
}

static void
late_rows_go_to_the_next_bin(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f);
	reasons_count(&f);
	feed(&f, 1, 0, 1000);
	publish(&f, 1, false);
	feed(&f, 1, 0, 50); /* late, and no bin is over that could take it */
	publish(&f, 1, false);
	assert_int_equal(f.sum.spooled, 1);
	feed(&f, 1, 0, 7); /* late, together with the next bin */
	feed(&f, 1, 1, 2000);
	publish(&f, 2, false);
	assert_int_equal(f.sum.spooled, 1);
	assert_int_equal(f.sum.written, 3);
	assert_int_equal(peek(&f, 0), 1000);
	assert_int_equal(peek(&f, 1), 2057);
	assert_int_equal(rrd_output_counts(&f.o).late_rows, 2);
	assert_int_equal(reason(STAT_RRD_LATE), 2);
	assert_int_equal(reason(STAT_RRD_LATE_REFUSED), 0);
	fixture_end(&f);
}

static void
late_rows_are_dropped_where_asked(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.config.late = RRD_LATE_DROP;
	fixture_open(&f, "src_host", 100);
	reasons_count(&f);
	feed(&f, 1, 0, 1000);
	publish(&f, 1, false);
	feed(&f, 1, 0, 50);
	feed(&f, 1, 1, 2000);
	publish(&f, 2, false);
	assert_int_equal(f.sum.refused, 1);
	assert_int_equal(reason(STAT_RRD_LATE), 0);
	assert_int_equal(reason(STAT_RRD_LATE_REFUSED), 1);
	assert_int_equal(reason(STAT_RRD_NOT_OURS), 0);
	assert_int_equal(f.sum.written, 2);
	assert_int_equal(peek(&f, 0), 1000);
	assert_int_equal(peek(&f, 1), 2000);
	fixture_end(&f);
}

/* Stop in the middle of a bin, start in the same bin, stop again, start much later. */
static void
a_restart_loses_nothing(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f);
	feed(&f, 1, 0, 1000);
	publish(&f, 1, false);
	feed(&f, 1, 1, 10);
	publish(&f, 1, true);
	assert_int_equal(peek(&f, 1), 10);
	fixture_again(&f);
	feed(&f, 1, 1, 20); /* its bin is written: carried over the next restart, too */
	publish(&f, 1, true);
	assert_int_equal(f.rc, 0);
	assert_int_equal(f.sum.spooled, 1);
	assert_int_equal(f.sum.refused, 0);
	fixture_again(&f);
	feed(&f, 1, 10, 3);
	publish(&f, 11, false);
	assert_int_equal(peek(&f, 1), 10);
	assert_int_equal(peek(&f, 5), -1); /* nobody measured: unknown, not idle */
	assert_int_equal(peek(&f, 9), -1);
	assert_int_equal(peek(&f, 10), 23);
	all_is_conserved(&f, 11, 1);
	fixture_close(&f);

	/* What was carried is not carried again after a crash. */
	fixture_open(&f, "src_host", 100);
	publish(&f, 13, false);
	publish(&f, 14, false);
	all_is_conserved(&f, 14, 1);
	assert_int_equal(peek(&f, 12), -1);
	assert_int_equal(peek(&f, 13), 0);
	fixture_end(&f);
}

/* A hundred bins of silence, then a row again; a year of silence is one unknown stretch. */
static void
long_silence_is_bounded(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f);
	feed(&f, 1, 0, 1000);
	publish(&f, 1, false);
	feed(&f, 1, 100, 5);
	publish(&f, 101, false);
	assert_int_equal(peek(&f, 50), 0);
	all_is_conserved(&f, 101, 1);
	feed(&f, 1, 105000, 5);
	publish(&f, 105001, false);
	assert_int_equal(f.rc, 0);
	assert_int_equal(f.sum.written, 3);
	fixture_end(&f);
}

/* Times that cannot be: they neither spoil the archive nor get lost. */
static void
absurd_times_do_no_harm(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f);
	feed(&f, 1, 0, 1000);
	publish(&f, 1, false);
	feed(&f, 1, 1, 10);
	feed(&f, 1, 9000000, 4);              /* the year 2103 */
	feed(&f, 1, -START / STEP, 2);        /* 1970 */
	publish(&f, 1, true);
	assert_int_equal(f.rc, 0);
	assert_int_equal(peek(&f, 1), 16);
	all_is_conserved(&f, 2, 1);
	fixture_end(&f);
}

static void
keys_beyond_the_limit_share_an_archive(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.config.max_files = 5;
	fixture_open(&f, "src_host", 20); /* and the view itself is full at 20 rows */
	for (int64_t bin = 0; bin < 3; bin++) {
		for (uint16_t i = 0; i < 30; i++)
			feed(&f, i, bin, 100U + i);
		publish(&f, bin + 1, false);
	}
	assert_int_equal(f.sum.rows, 3 * 21);
	assert_int_equal(f.sum.written, f.sum.rows);
	all_is_conserved(&f, 3, 6);
	assert_true(archive_sum(in_folder(&f, FILES_OTHER), "flows", START + 3 * STEP) == 75);
	fixture_close(&f);

	/* Known ones stay known with a lower limit. */
	f.config.max_files = 1;
	fixture_open(&f, "src_host", 20);
	for (uint16_t i = 0; i < 30; i++)
		feed(&f, i, 3, 100U + i);
	publish(&f, 4, false);
	all_is_conserved(&f, 4, 6);
	fixture_end(&f);
}

/* Whether the archive is that of the host in `arg`: then it is no more. */
static void
walk_host(const char *path, void *arg)
{
	char **host = arg;

	if (*host != NULL && strstr(path, *host) != NULL)
		*host = NULL;
}

static bool
has_archive(const struct fixture *f, unsigned no)
{
	char text[32], *host = text;

	snprintf(text, sizeof(text), "192.0.%u.%u-", no >> 8, no & 0xff);
	archives_walk(f, walk_host, &host);
	return host == NULL;
}

/* The biggest of each bin, whatever others counted in another bin of the same snapshot. */
static void
the_top_ones_are_those_of_each_bin(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.config.create = "top 2";
	fixture_open(&f, "src_host", 100);
	for (unsigned bin = 0; bin < 3; bin++)
		for (uint16_t i = 1; i <= 20; i++)
			feed(&f, i, bin, i == 1 ? 50000U : i == 2 + bin ? 5000U >> bin : i);
	publish(&f, 3, false);
	/* The first one and another of each bin; and the others together. */
	all_is_conserved(&f, 3, 5);
	for (unsigned i = 1; i <= 4; i++)
		assert_true(has_archive(&f, i));

	/*
	 * What comes late, or from the future, is ranked with the next bin: ten hosts of those are
	 * smaller than two that came in time, but the two rows of host 19 together are not.
	 */
	for (uint16_t i = 5; i <= 14; i++)
		feed(&f, i, i % 2 ? 0 : 1000, 10U + i);
	feed(&f, 15, 3, 400);
	feed(&f, 16, 3, 300);
	feed(&f, 19, 1, 250);
	feed(&f, 19, 3, 250);
	publish(&f, 4, false);
	for (unsigned i = 5; i <= 20; i++)
		assert_int_equal(has_archive(&f, i), i == 15 || i == 19);
	publish(&f, 5, false);
	all_is_conserved(&f, 5, 7);
	fixture_end(&f);
}

/* What the file holds, as one number. */
static void
walk_hash(const char *path, void *arg)
{
	static char buf[1 << 20];
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	*(uint64_t *)arg = hash_frozen(buf, fread(buf, 1, sizeof(buf), f));
	fclose(f);
}

static void
an_archive_of_another_shape_is_not_touched(void **state)
{
	struct fixture f;
	uint64_t before, after;
	char one[512];

	(void)state;
	fixture_init(&f);
	f.config.step = 60; /* an earlier life with another step */
	fixture_open(&f, "src_host", 100);
	feed(&f, 1, 0, 1000);
	publish(&f, 1, true);
	fixture_close(&f);
	archives_walk(&f, walk_name, one);
	walk_hash(one, &before);

	f.config.step = STEP;
	f.counted = (struct sums){ 0 };
	f.sum = (struct output_result){ 0 };
	fixture_open(&f, "src_host", 100);
	reasons_count(&f);
	feed(&f, 1, 1, 2000);
	feed(&f, 2, 1, 3000);
	publish(&f, 2, false);
	walk_hash(one, &after);
	assert_true(before == after);
	assert_int_equal(f.rc, -WEIR_EUNSUPPORTED);
	assert_non_null(strstr(f.e.text, "src_host-192.0.0.1-"));
	assert_int_equal(f.sum.refused, 1);
	assert_int_equal(reason(STAT_RRD_NOT_OURS), 1);
	assert_int_equal(f.sum.written, 1);
	fixture_end(&f);
}

static void
hostile_labels_stay_in_the_folder(void **state)
{
	static const char *const labels[] = { "../../x", "/etc/passwd", "a\nb", "c\td", "",
		"..", "-rf", "%s%n", "a:b=c\\d" };
	char longest[301];
	struct fixture f;
	struct dirent *d;
	unsigned n = 0;
	DIR *dir;

	(void)state;
	fixture_init(&f);
	fixture_open(&f, "label", 100);
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		feed_label(&f, labels[i], 10 + i);
	memset(longest, 'x', 300);
	longest[300] = '\0';
	feed_label(&f, longest, 99);
	publish(&f, 1, false);
	assert_int_equal(f.rc, 0);
	all_is_conserved(&f, 1, sizeof(labels) / sizeof(labels[0]) + 1);
	dir = opendir(f.dir);
	while ((d = readdir(dir)) != NULL)
		n++;
	closedir(dir);
	assert_int_equal(n, 3); /* ".", "..", and the folder of the output */
	fixture_end(&f);
}

static void
walk_within(const char *path, void *arg)
{
	const char *name = path + strlen(arg) + strlen("/v/");

	assert_null(strstr(path, "/."));
	assert_int_equal(strncmp(path, arg, strlen(arg)), 0);
	for (const char *p = name; *p != '\0'; p++)
		assert_true(*p == '/' || *p == '.' || *p == '_' || *p == ':' || *p == '-' ||
		    (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z'));
	assert_int_equal(access(path, W_OK), 0);
}

/* Values that lead elsewhere, as parts of rrd_path: each row has its archive below the folder. */
static void
hostile_values_stay_below_their_path(void **state)
{
	static const struct {
		const char *label;
		size_t len;
	} labels[] = { { "../../x", 7 }, { "..", 2 }, { ".", 1 }, { "/", 1 }, { "/etc/passwd", 11 },
		{ "a/../../../b", 12 }, { "a\0b", 3 }, { "a\nb", 3 }, { "...hidden", 9 },
		{ "-rf", 3 }, { "$label", 6 }, { "${label}/..", 11 }, { "%s%n", 4 }, { "journal", 7 },
		{ "heads", 5 }, { "index.tsv", 9 }, { "_other.rrd", 10 }, { "a b\\c", 5 },
		{ "\xff\xfe", 2 }, { "", 0 } };
	size_t n = sizeof(labels) / sizeof(labels[0]) + 1;
	char longest[1001], path[512];
	struct fixture f;
	struct dirent *d;
	unsigned there = 0;
	DIR *dir;

	(void)state;
	fixture_init(&f);
	snprintf(path, sizeof(path), "%s/$label/x${label}.y/$label", f.dir);
	f.config.path = path;
	memset(longest, '/', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (int64_t bin = 0; bin < 2; bin++) {
		fixture_open(&f, "label", 100);
		for (size_t i = 0; i < n; i++) {
			struct flow flow;

			flow_clear(&flow);
			flow.label = i + 1 < n ? intern(labels[i].label, labels[i].len) :
			    intern(longest, strlen(longest));
			flow.bytes = 10 + i;
			flow.stamp = (uint64_t)(START + bin * STEP) * CLOCK_S;
			shard_feed(&f.shard, &flow, 1);
			sums_add(&f.counted, &(struct sums){ 0, 10 + i, 0 });
		}
		publish(&f, bin + 1, false);
		assert_int_equal(f.rc, 0);
		fixture_close(&f);
	}
	f.config.path = f.dir;
	all_is_conserved(&f, 2, n);
	archives_walk(&f, walk_within, f.dir);
	dir = opendir(f.dir);
	while ((d = readdir(dir)) != NULL)
		there++;
	closedir(dir);
	assert_int_equal(there, 3);
	scratch_free(f.dir);
}

static void
two_cannot_write_one_folder(void **state)
{
	struct fixture f, g;
	struct err e = ERR_INIT;

	(void)state;
	fixture_init(&f);
	fixture_open(&f, "src_host", 10);
	memset(&g, 0, sizeof(g));
	g.o = f.o;
	assert_int_equal(rrd_output.open(&g.o, &e), -WEIR_EEXIST);
	fixture_end(&f);
}

/*
 * The whole way: pipeline, publisher, output. Bins arrive when they are over, whatever the
 * time of day that weir began at, and the books balance at every round.
 */
static void
the_engine_hands_over_closed_bins(void **state)
{
	struct engine_config ec = { .workers = 1, .max_entries = 1000, .max_exporters = 8 };
	struct output_config common = { .aggregate = "src_host" };
	struct rules_config rules = { 0 };
	struct problems ps = { 0 };
	struct fixture f;
	struct engine *en;
	struct err e = ERR_INIT;

	(void)state;
	fixture_init(&f);
	clock_set((uint64_t)(START + 77) * CLOCK_S);
	en = engine_new(&ec, &e);
	assert_non_null(en);
	if (engine_output(en, &rrd_output, "v", &common, &rules, &f.config, &e) != 0)
		fail_msg("%s", e.text);
	if (engine_prepare(en, &ps, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(rrd_output.open(en->outputs[0], &e), 0);
	for (int64_t t = 77; t < 20 * STEP; t += 10) {
		uint64_t now = (uint64_t)(START + t) * CLOCK_S;
		struct pipeline *p = &en->workers[0].pipeline;

		if (t % 700 < 400) {
			struct flow *flow = pipeline_slot(p);

			flow->src_host = ip_from_v4("\300\0\2\1");
			flow->bytes = (uint64_t)t;
			flow->packets = flow->flows = 1;
			flow->stamp = now;
			sums_add(&f.counted, &(struct sums){ 1, (uint64_t)t, 1 });
			pipeline_commit(p);
			stat_add(&p->stats, STAT_RECORDS, 1);
			stat_add(&p->stats, STAT_RECORDS_FED, 1);
		}
		publisher_round(en->publisher, now, false);
		assert_true(books_balance(en));
	}
	publisher_round(en->publisher, (uint64_t)(START + 20 * STEP - 1) * CLOCK_S, true);
	assert_true(books_balance(en));
	assert_int_equal(atomic_load(&en->outputs[0]->written),
	    atomic_load(&en->outputs[0]->rows));
	assert_int_equal(rrd_output_counts(en->outputs[0]).late_rows, 0);
	all_is_conserved(&f, 20, 1);
	engine_stop(en);
	engine_free(en);
	problems_free(&ps);
	clock_set(0);
	scratch_free(f.dir);
}

static void
a_plan_that_cannot_work_is_refused(void **state)
{
	struct rrd_config config = { .step = STEP };
	struct output o = { .ops = &rrd_output, .name = "v", .config = &config };
	struct view_config vc;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(output_plan(&o, &vc, &e), -WEIR_EINVAL);
	assert_non_null(strstr(e.text, "rrd_path"));
	config.default_path = "/nowhere";
	assert_int_equal(output_plan(&o, &vc, &e), 0);
	assert_true(vc.hold_open);
	assert_int_equal(vc.refresh_s, STEP);
	bins_start(&vc.bins, (uint64_t)(START + 61) * CLOCK_S);
	assert_true(bins_find(&vc.bins, (uint64_t)(START + 61) * CLOCK_S).start ==
	    (uint64_t)START * CLOCK_S);
	o.common.aggregate = "src_host, timestamp_start";
	assert_int_equal(output_plan(&o, &vc, &e), -WEIR_EINVAL);
	assert_non_null(strstr(e.text, "timestamp_start"));
	o.common.aggregate = "src_host";
	config.heartbeat = STEP - 1;
	assert_int_equal(output_plan(&o, &vc, &e), -WEIR_EINVAL);
	assert_non_null(strstr(e.text, "rrd_heartbeat: 299 s is less"));
	assert_non_null(strstr(e.text, "write 300 or more"));
}

/* A heartbeat of one step is enough, as each bin is written. */
static void
the_shortest_heartbeat_keeps_values(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.config.heartbeat = STEP;
	fixture_open(&f, "src_host", 100);
	for (int64_t bin = 0; bin < 6; bin += 2)
		feed(&f, 1, bin, 100);
	publish(&f, 3, false);
	publish(&f, 6, false);
	all_is_conserved(&f, 6, 1);
	fixture_end(&f);
}

static void
directives_have_their_defaults(void **state)
{
	struct config c = { 0 };
	struct problems ps = { 0 };
	struct rrd_config out;

	(void)state;
	config_add(&c, "test", "rrd_path", "a", "/var/lib/weir/rrd");
	config_add(&c, "test", "rrd_profile", NULL, "small");
	directive_apply(&rrd_directives, &c, "a", &out, &ps);
	assert_int_equal(ps.n_errors, 0);
	assert_string_equal(out.path, "/var/lib/weir/rrd");
	assert_int_equal(out.step, 300);
	assert_int_equal(out.heartbeat, 0);
	assert_int_equal(out.profile, PROFILE_SMALL);
	assert_int_equal(out.max_files, 10000);
	assert_int_equal(out.late, RRD_LATE_NEXT);
	config_add(&c, "test", "rrd_step", NULL, "0");
	directive_apply(&rrd_directives, &c, "a", &out, &ps);
	assert_int_equal(ps.n_errors, 1);
	problems_free(&ps);
	config_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(idle_bins_are_zero),
		cmocka_unit_test(random_traffic_is_conserved),
		cmocka_unit_test(late_rows_go_to_the_next_bin),
		cmocka_unit_test(late_rows_are_dropped_where_asked),
		cmocka_unit_test(a_restart_loses_nothing),
		cmocka_unit_test(long_silence_is_bounded),
		cmocka_unit_test(absurd_times_do_no_harm),
		cmocka_unit_test(keys_beyond_the_limit_share_an_archive),
		cmocka_unit_test(the_top_ones_are_those_of_each_bin),
		cmocka_unit_test(an_archive_of_another_shape_is_not_touched),
		cmocka_unit_test(hostile_labels_stay_in_the_folder),
		cmocka_unit_test(hostile_values_stay_below_their_path),
		cmocka_unit_test(two_cannot_write_one_folder),
		cmocka_unit_test(the_engine_hands_over_closed_bins),
		cmocka_unit_test(a_plan_that_cannot_work_is_refused),
		cmocka_unit_test(the_shortest_heartbeat_keeps_values),
		cmocka_unit_test(directives_have_their_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
