/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Archives that fail, go, or stay half written, and a journal that is full. */
#include "tests/rrd/fixture.h"

#include <fcntl.h>
#include <rrd.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static void
walk_unlink(const char *path, void *arg)
{
	(void)arg;
	assert_int_equal(unlink(path), 0);
}

static void
walk_truncate(const char *path, void *arg)
{
	(void)arg;
	assert_int_equal(truncate(path, 100), 0);
}

static void
walk_unlink_bad(const char *path, void *arg)
{
	struct stat st;

	(void)arg;
	assert_int_equal(stat(path, &st), 0);
	if (st.st_size == 100)
		walk_unlink(path, NULL);
}

/* A file that somebody removes is made anew for the bin that needs it. */
static void
a_removed_archive_is_made_anew(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f);
	feed(&f, 1, 0, 1000);
	publish(&f, 1, false);
	archives_walk(&f, walk_unlink, NULL);
	feed(&f, 1, 1, 20);
	publish(&f, 2, false);
	assert_int_equal(f.rc, 0);
	assert_int_equal(f.sum.spooled, 0);
	feed(&f, 1, 2, 3);
	publish(&f, 3, false);
	assert_int_equal(peek(&f, 1), 20);
	assert_int_equal(peek(&f, 2), 3);
	fixture_end(&f);
}

/* What one archive does not take waits in the journal for its own bin; others have theirs. */
static void
a_failure_is_made_good_later(void **state)
{
	struct fixture f;

	(void)state;
	for (int killed = 0; killed < 2; killed++) {
		fixture_begin(&f);
		feed(&f, 1, 0, 1000);
		publish(&f, 1, false);
		archives_walk(&f, walk_truncate, NULL);
		feed(&f, 1, 1, 20);
		feed(&f, 2, 1, 7);
		publish(&f, 2, false);
		assert_int_equal(f.rc, -WEIR_EIO);
		assert_non_null(strstr(f.e.text, in_folder(&f, "")));
		assert_int_equal(f.sum.written + f.sum.spooled, 3);
		assert_true(f.sum.spooled > 0);
		feed(&f, 1, 2, 3);
		publish(&f, 3, false);
		assert_int_equal(f.rc, -WEIR_EIO);
		if (killed) {
			fixture_again(&f);
		}
		archives_walk(&f, walk_unlink_bad, NULL);
		publish(&f, 4, false);
		assert_int_equal(f.rc, 0);
		publish(&f, 5, false); /* the first of a new weir is of unknown time */
		assert_int_equal(atomic_load(&f.o.spooled), 0);
		if (!killed) {
			/* Only a new weir tells again what was in the file that is gone. */
			f.counted.bytes -= 1000;
			f.counted.packets -= 2;
			f.counted.flows -= 1;
		}
		all_is_conserved(&f, 5, 2);
		fixture_end(&f);
	}
}

static void
file_read(const char *path, char *buf, size_t room, size_t *len)
{
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	*len = fread(buf, 1, room, f);
	fclose(f);
}

/*
 * A weir that is killed while librrd updates an archive: the values are there and the series
 * point behind them, but the time of the last update is the old one. That is what librrd changes
 * last of what is in the head.
 */
static void
a_half_written_archive_is_mended(void **state)
{
	static char before[1 << 20], after[1 << 20];
	const int64_t last[2] = { START + 2 * STEP, START + 3 * STEP };
	size_t len, same, at = 0;
	unsigned found = 0;
	struct fixture f;
	char path[512];
	FILE *file;

	(void)state;
	fixture_begin(&f);
	feed(&f, 1, 0, 1000);
	feed(&f, 1, 1, 200);
	publish(&f, 1, true);
	archives_walk(&f, walk_name, path);
	file_read(path, before, sizeof(before), &len);
	fixture_again(&f);
	feed(&f, 1, 2, 30);
	publish(&f, 3, false);
	fixture_close(&f);
	file_read(path, after, sizeof(after), &same);
	assert_int_equal(len, same);
	for (size_t i = 0; i + sizeof(last[0]) <= len; i += sizeof(last[0])) {
		if (memcmp(before + i, &last[0], sizeof(last[0])) != 0 ||
		    memcmp(after + i, &last[1], sizeof(last[1])) != 0)
			continue;
		at = i;
		found++;
	}
	assert_int_equal(found, 1);
	file = fopen(path, "r+");
	assert_non_null(file);
	assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
	assert_int_equal(fwrite(&last[0], sizeof(last[0]), 1, file), 1);
	assert_int_equal(fclose(file), 0);

	fixture_open(&f, "src_host", 100);
	reasons_count(&f);
	feed(&f, 1, 3, 4);
	publish(&f, 4, false);
	assert_int_equal(f.rc, 0);
	assert_int_equal(reason(STAT_RRD_PUT_BACK), 1);
	assert_int_equal(peek(&f, 0), 1000);
	assert_int_equal(peek(&f, 1), 200);
	assert_int_equal(peek(&f, 2), 30);
	assert_int_equal(peek(&f, 3), 4);
	all_is_conserved(&f, 4, 1);
	fixture_end(&f);
}

/* Somebody copies an archive, and puts the copy in its place. */
static void
walk_replace(const char *path, void *arg)
{
	static char buf[1 << 20];
	char copy[520];
	size_t len;
	FILE *file;

	(void)arg;
	file_read(path, buf, sizeof(buf), &len);
	snprintf(copy, sizeof(copy), "%s.new", path);
	file = fopen(copy, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(buf, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename(copy, path), 0);
}

static void
walk_tune(const char *path, void *arg)
{
	const char *argv[] = { "tune", path, "-a", "bytes:123456" };

	(void)arg;
	optind = 0;
	assert_int_equal(rrd_tune(4, (char **)(uintptr_t)argv), 0);
}

/* What an operator has made of an archive while weir was away is not undone. */
static void
archives_that_were_changed_stay_so(void **state)
{
	static void (*const changes[])(const char *, void *) = { walk_replace, walk_tune };
	static char before[1 << 20], after[1 << 20];

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct fixture f;
		char path[512];
		size_t len;

		fixture_begin(&f);
		feed(&f, 1, 0, 1000);
		publish(&f, 1, false);
		fixture_close(&f);
		archives_walk(&f, changes[i], NULL);
		archives_walk(&f, walk_name, path);
		file_read(path, before, sizeof(before), &len);
		fixture_open(&f, "src_host", 100);
		reasons_count(&f);
		publish(&f, 1, false);
		assert_int_equal(f.rc, 0);
		assert_int_equal(reason(STAT_RRD_PUT_BACK), 0);
		file_read(path, after, sizeof(after), &len);
		assert_memory_equal(before, after, len);
		feed(&f, 1, 1, 20);
		publish(&f, 2, false);
		assert_int_equal(peek(&f, 0), 1000);
		fixture_end(&f);
	}
}

/* Somebody else has the archive count seven octets at the time `arg`. */
static void
walk_overtake(const char *path, void *arg)
{
	struct archive_bin bin = { .end = *(const int64_t *)arg, .sums = { 1, 7, 1 } };
	int64_t last = START;
	struct err e = ERR_INIT;

	assert_int_equal(archive_update(path, &bin, 1, &last, &e), 0);
}

/*
 * Somebody else has written a later time into an archive: what cannot go there is not counted as
 * written, but carried to the next bin, or refused. And what he wrote stays there.
 */
static void
what_another_writer_has_overtaken_is_late(void **state)
{
	const int64_t at = START + 2 * STEP;

	(void)state;
	for (int drop = 0; drop < 2; drop++) {
		struct fixture f;

		fixture_init(&f);
		f.config.late = drop ? RRD_LATE_DROP : RRD_LATE_NEXT;
		fixture_open(&f, "src_host", 100);
		reasons_count(&f);
		feed(&f, 1, 0, 1000);
		publish(&f, 1, false);
		archives_walk(&f, walk_overtake, (void *)(uintptr_t)&at);
		feed(&f, 1, 1, 20);
		publish(&f, 2, false);
		assert_int_equal(f.rc, 0);
		assert_int_equal(f.sum.written, 1);
		assert_int_equal(f.sum.spooled, !drop);
		assert_int_equal(f.sum.refused, drop);
		assert_int_equal(reason(drop ? STAT_RRD_LATE_REFUSED : STAT_RRD_LATE), 1);
		feed(&f, 1, 2, 3);
		publish(&f, 3, false);
		assert_int_equal(f.rc, 0);
		assert_int_equal(atomic_load(&f.o.spooled), 0);
		fixture_again(&f);
		publish(&f, 3, false);
		assert_int_equal(reason(STAT_RRD_PUT_BACK), 0);
		assert_int_equal(peek(&f, 0), 1000);
		assert_int_equal(peek(&f, 2), drop ? 3 : 23);
		sums_add(&f.counted, &(struct sums){ 1, 7, 1 });
		if (drop) {
			f.counted.bytes -= 20;
			f.counted.packets -= 2;
			f.counted.flows -= 1;
		}
		all_is_conserved(&f, 3, 1);
		fixture_end(&f);
	}
}

/* Another process has the archive locked until a pipe is closed; of the first one only. */
static void
walk_lock(const char *path, void *arg)
{
	int *leave = arg, ready[2], go[2];
	char c;

	if (leave[0] != 0)
		return;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(go), 0);
	leave[0] = fork();
	assert_true(leave[0] >= 0);
	if (leave[0] == 0) {
		struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
		int fd = open(path, O_RDWR);

		close(go[1]);
		if (fcntl(fd, F_SETLK, &lock) == 0 && write(ready[1], "", 1) == 1)
			(void)!read(go[0], &c, 1);
		_exit(0);
	}
	close(go[0]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	leave[1] = go[1];
}

/* Those that have bin 1: librrd does not read a locked one. */
static void
walk_count(const char *path, void *arg)
{
	*(unsigned *)arg += archive_last(path) == START + 2 * STEP;
}

/*
 * A weir was killed, and somebody has one archive locked when the next one would put it back: that
 * is told nothing, and said so once; others are put back and told.
 */
static void
a_locked_archive_is_set_aside(void **state)
{
	int leave[2] = { 0 };
	unsigned told = 0;
	struct fixture f;

	(void)state;
	fixture_begin(&f);
	for (uint16_t host = 1; host <= 3; host++)
		feed(&f, host, 0, 1000);
	publish(&f, 1, false);
	fixture_close(&f);
	archives_walk(&f, walk_lock, leave);
	fixture_open(&f, "src_host", 100);
	reasons_count(&f);
	for (uint16_t host = 1; host <= 3; host++)
		feed(&f, host, 1, 20);
	publish(&f, 2, false);
	assert_int_equal(f.rc, -WEIR_EAGAIN);
	assert_non_null(strstr(f.e.text, "somebody has it locked"));
	assert_int_equal(reason(STAT_RRD_PUT_BACK), 2);
	archives_walk(&f, walk_count, &told);
	assert_int_equal(told, 2);
	publish(&f, 2, true); /* all but that one have it now, and the journal lets go of theirs */
	assert_int_equal(f.rc, -WEIR_EAGAIN);
	assert_int_equal(reason(STAT_RRD_PUT_BACK), 2);
	fixture_again(&f);
	f.o.engine = &engine;
	close(leave[1]);
	assert_int_equal(waitpid(leave[0], NULL, 0), leave[0]);
	publish(&f, 3, false);
	assert_int_equal(f.rc, 0);
	assert_int_equal(reason(STAT_RRD_PUT_BACK), 3);
	publish(&f, 4, false); /* its row of bin 1 waited for a bin that it could be told */
	assert_int_equal(atomic_load(&f.o.spooled), 0);
	all_is_conserved(&f, 4, 3);
	fixture_end(&f);
}

/* Heads that cannot be put back, here as files may not be so long, are not forgotten. */
static void
a_head_that_cannot_be_put_back_waits(void **state)
{
	struct rlimit limit, small;
	struct fixture f;

	(void)state;
	fixture_begin(&f);
	feed(&f, 1, 0, 1000);
	feed(&f, 2, 0, 1);
	publish(&f, 1, false);
	fixture_close(&f);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = limit;
	small.rlim_cur = 1000; /* of the journal and the index, but not of an archive's head */
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	fixture_open(&f, "src_host", 100);
	reasons_count(&f);
	publish(&f, 2, true);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(f.rc, -WEIR_EIO);
	assert_non_null(strstr(f.e.text, "2 archives are told nothing"));
	assert_int_equal(atomic_load(&f.o.spooled), 2);
	publish(&f, 2, true);
	assert_int_equal(f.rc, 0);
	assert_int_equal(reason(STAT_RRD_PUT_BACK), 2);
	assert_int_equal(atomic_load(&f.o.spooled), 0);
	all_is_conserved(&f, 1, 2);
	fixture_end(&f);
}

/* Archives are told nothing whose heads cannot be kept, and the journal keeps what it has. */
static void
heads_without_room_lose_nothing(void **state)
{
	struct rlimit limit, small;
	struct fixture f;

	(void)state;
	fixture_begin(&f);
	feed(&f, 1, 0, 1000);
	publish(&f, 1, true);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = limit;
	small.rlim_cur = 2000; /* of the journal, but not of a head */
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	feed(&f, 1, 1, 200);
	publish(&f, 2, true);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(f.rc, -WEIR_EIO);
	assert_int_equal(peek(&f, 1), -1);
	publish(&f, 3, false);
	assert_int_equal(f.rc, 0);
	all_is_conserved(&f, 3, 1);
	assert_int_equal(peek(&f, 1), 200);
	fixture_end(&f);
}

/* Rows of a key that is silent for long: its archive stands still, or goes and makes room. */
static void
archives_of_dead_keys_expire(void **state)
{
	(void)state;
	for (int remove = 0; remove < 2; remove++) {
		struct walk w = { .end = START + 20 * STEP };
		struct fixture f;

		fixture_init(&f);
		f.config.expire = 5 * STEP;
		f.config.expired = remove ? RRD_EXPIRED_REMOVE : RRD_EXPIRED_KEEP;
		f.config.max_files = 2;
		fixture_open(&f, "src_host", 100);
		feed(&f, 1, 0, 1000);
		for (int64_t bin = 0; bin < 20; bin++) {
			feed(&f, 2, bin, 10);
			publish(&f, bin + 1, false);
			assert_int_equal(f.rc, 0);
			if (bin == 3) { /* not yet, and a new weir knows since when */
				fixture_again(&f);
			}
			assert_int_equal(rrd_output_counts(&f.o).archives, remove && bin >= 5 ? 1 : 2);
		}
		assert_int_equal(rrd_output_counts(&f.o).expired, remove);
		assert_int_equal(archives_walk(&f, walk_sum, &w), remove ? 1 : 2);
		assert_int_equal(w.sums.bytes, remove ? 200 : 1200);
		assert_int_equal(w.not_at_end, remove ? 0 : 1);

		/* There is room for another; or the one that stood still goes on. */
		feed(&f, remove ? 3 : 1, 20, 7);
		publish(&f, 21, false);
		w = (struct walk){ .end = START + 21 * STEP };
		assert_int_equal(archives_walk(&f, walk_sum, &w), 2);
		assert_int_equal(w.sums.bytes, remove ? 207 : 1207);
		assert_int_equal(f.sum.rows, f.sum.written);
		fixture_end(&f);
	}
}

/*
 * What waits in the journal for an archive that is gone by then is refused, and said so: here
 * its file cannot be written, a weir is killed, and the index loses it.
 */
static void
rows_of_archives_that_are_gone_are_refused(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f);
	feed(&f, 1, 0, 1000);
	publish(&f, 1, true);
	archives_walk(&f, walk_truncate, NULL);
	feed(&f, 1, 1, 20);
	feed(&f, 2, 1, 7);
	publish(&f, 2, false);
	assert_int_equal(f.rc, -WEIR_EIO);
	fixture_close(&f);
	archives_walk(&f, walk_unlink_bad, NULL);
	assert_int_equal(unlink(in_folder(&f, INDEX_FILE)), 0);
	f.sum = (struct output_result){ 0 };
	fixture_open(&f, "src_host", 100);
	reasons_count(&f);
	assert_int_equal(atomic_load(&f.o.spooled), 2);
	feed(&f, 3, 2, 1);
	publish(&f, 3, false);
	assert_int_equal(f.rc, 0);
	assert_int_equal(f.sum.written, 1);
	assert_int_equal(reason(STAT_RRD_GONE), 2);
	assert_int_equal(reason(STAT_RRD_NOT_OURS), 0);
	assert_int_equal(atomic_load(&f.o.refused), 2);
	assert_int_equal(atomic_load(&f.o.spooled), 0);
	fixture_end(&f);
}

/* With the journal as long as it may be, bins are added up; none is lost, nor counted twice. */
static void
a_full_journal_makes_bins_one(void **state)
{
	struct fixture f;
	unsigned full = 0;

	(void)state;
	fixture_init(&f);
	f.config.journal_max = 600;
	fixture_open(&f, "src_host", 100);
	feed(&f, 1, 0, 1000);
	feed(&f, 2, 0, 1);
	publish(&f, 1, true);
	archives_walk(&f, walk_truncate, NULL);
	for (int64_t bin = 1; bin < 20; bin++) {
		feed(&f, 1, bin, 20);
		feed(&f, 2, bin, 7);
		publish(&f, bin + 1, false);
		assert_true(f.rc != 0);
		full += f.rc == -WEIR_EFULL;
	}
	assert_true(full > 0);
	assert_int_equal(f.sum.refused, 0);
	assert_int_equal(atomic_load(&f.o.spooled), 38);
	archives_walk(&f, walk_unlink_bad, NULL);
	publish(&f, 21, false);
	publish(&f, 22, false);
	publish(&f, 23, false);
	assert_int_equal(f.rc, 0);
	assert_int_equal(atomic_load(&f.o.spooled), 0);
	f.counted.bytes -= 1001;
	f.counted.packets -= 4;
	f.counted.flows -= 2;
	all_is_conserved(&f, 23, 2);
	fixture_end(&f);
}

/*
 * When weir ends with a full journal, which rows are lost is seen at the end: here the journal
 * begins anew, and takes them.
 */
static void
what_the_journal_takes_at_the_end_is_kept(void **state)
{
	struct fixture f;
	uint64_t spooled;
	int64_t bin = 1;

	(void)state;
	fixture_init(&f);
	f.config.journal_max = 600;
	fixture_open(&f, "src_host", 100);
	reasons_count(&f);
	feed(&f, 1, 0, 1000);
	publish(&f, 1, false);
	archives_walk(&f, walk_truncate, NULL);
	for (; strstr(f.e.text, "rrd_journal_max") == NULL && bin < 20; bin++) {
		feed(&f, 1, bin, 20);
		publish(&f, bin + 1, false);
	}
	assert_true(bin < 20);
	archives_walk(&f, walk_unlink_bad, NULL);
	feed(&f, 1, bin++, 20);
	publish(&f, bin, true);
	assert_non_null(strstr(f.e.text, "rrd_journal_max"));
	assert_int_equal(reason(STAT_RRD_UNKEPT), 0);
	assert_int_equal(f.sum.refused, 0);
	spooled = atomic_load(&f.o.spooled);
	assert_true(spooled > 0);
	fixture_close(&f);
	f.config.journal_max = 0;
	fixture_open(&f, "src_host", 100);
	assert_int_equal(atomic_load(&f.o.spooled), spooled);
	publish(&f, bin + 1, false);
	publish(&f, bin + 2, false);
	assert_int_equal(atomic_load(&f.o.spooled), 0);
	f.counted.bytes -= 1000; /* in the file that is gone */
	f.counted.packets -= 2;
	f.counted.flows -= 1;
	all_is_conserved(&f, bin + 2, 1);
	fixture_end(&f);
}

/* What it does not take is refused: also what was carried in memory since earlier. */
static void
what_the_journal_never_took_is_refused(void **state)
{
	struct rlimit limit, small;
	struct fixture f;

	(void)state;
	fixture_begin(&f);
	reasons_count(&f);
	feed(&f, 1, 0, 1000);
	publish(&f, 1, false);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = limit;
	small.rlim_cur = 20;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	feed(&f, 1, 1, 20);
	publish(&f, 2, false);
	assert_int_equal(f.sum.spooled, 1);
	feed(&f, 1, 2, 3);
	publish(&f, 3, true);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(f.rc, -WEIR_EIO);
	assert_int_equal(reason(STAT_RRD_UNKEPT), 2);
	assert_int_equal(reason(STAT_RRD_NOT_OURS), 0);
	assert_int_equal(atomic_load(&f.o.refused), 2);
	assert_int_equal(atomic_load(&f.o.spooled), 0);
	assert_int_equal(peek(&f, 0), 1000);
	fixture_end(&f);
}

/* When weir ends, an rrdcached that takes connections and says nothing is waited for once. */
static void
a_mute_rrdcached_is_not_waited_for_at_the_end(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char address[128];
	struct fixture f;
	unsigned came = 0;
	int fd, one;

	(void)state;
	fixture_init(&f);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/mute", f.dir);
	snprintf(address, sizeof(address), "unix:%s", at.sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)(void *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 8), 0);
	f.config.daemon = address;
	fixture_open(&f, "src_host", 100);
	feed(&f, 1, 0, 1000);
	rrd_output.hurry(&f.o);
	publish(&f, 1, true);
	assert_int_equal(f.rc, -WEIR_EIO);
	assert_non_null(strstr(f.e.text, "timed out"));
	assert_int_equal(f.sum.spooled, 1);
	for (; (one = accept(fd, NULL, NULL)) >= 0; came++)
		close(one);
	assert_int_equal(came, 1);
	close(fd);
	fixture_end(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_removed_archive_is_made_anew),
		cmocka_unit_test(a_failure_is_made_good_later),
		cmocka_unit_test(a_half_written_archive_is_mended),
		cmocka_unit_test(archives_that_were_changed_stay_so),
		cmocka_unit_test(what_another_writer_has_overtaken_is_late),
		cmocka_unit_test(a_locked_archive_is_set_aside),
		cmocka_unit_test(a_head_that_cannot_be_put_back_waits),
		cmocka_unit_test(heads_without_room_lose_nothing),
		cmocka_unit_test(archives_of_dead_keys_expire),
		cmocka_unit_test(rows_of_archives_that_are_gone_are_refused),
		cmocka_unit_test(a_full_journal_makes_bins_one),
		cmocka_unit_test(what_the_journal_takes_at_the_end_is_kept),
		cmocka_unit_test(what_the_journal_never_took_is_refused),
		cmocka_unit_test(a_mute_rrdcached_is_not_waited_for_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
