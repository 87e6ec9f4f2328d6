/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lives and deaths: weirs that write the same archives one after the other, each killed at
 * a moment of chance, through librrd and through an rrdcached that is killed and started
 * when chance will have it. What archives hold in the end is what was counted: of each
 * snapshot that was written, all; of one that a weir was killed over, each archive has all or
 * nothing, as rounds of the journal are for some archives each.
 * WEIR_TEST_SEED=N repeats a run's dice, though not the moments of killing.
 */
#include "tests/rrd/daemon.h"
#include "tests/rrd/fixture.h"

#include <errno.h>
#include <rrd.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#define LIVES   7U
#define HOSTS   12U
#define BINS_OF_LIFE 6U

/* A flow of chance: always the same for the same seed, bin and number. */
struct chance {
	uint16_t host;
	int64_t bin;
	uint64_t bytes;
};

static unsigned
chance_flows(uint64_t seed, int64_t bin, bool late, struct chance flows[8])
{
	uint64_t state = seed * 2654435761U + (uint64_t)bin + 1;
	unsigned n;

	for (unsigned i = 0; i < 8; i++)
		(void)dice(&state);
	n = (unsigned)(dice(&state) % 8);
	for (unsigned i = 0; i < n; i++) {
		flows[i] = (struct chance){ (uint16_t)(dice(&state) % HOSTS), bin,
			dice(&state) >> 30 };
		if (late && dice(&state) % 4 == 0 && bin > 2)
			flows[i].bin = bin - 2;
	}
	return n;
}

/* What is told from one life to the next. */
struct run {
	struct fixture f;
	struct daemon daemon;
	uint64_t seed, dice;
	bool cached, late;
	uint32_t flush_s;
	int64_t bin;               /* the next one */
	bool done[LIVES * BINS_OF_LIFE], begun[LIVES * BINS_OF_LIFE];
};

static void
life_open(struct run *r)
{
	r->f.config.daemon = r->cached ? r->daemon.address : NULL;
	r->f.config.daemon_flush = r->flush_s;
	fixture_open(&r->f, "src_host", 100);
}

/*
 * One life: it says before and after which bin it writes, and is killed or ends. After a bin
 * it waits for leave to go on.
 */
static void
life_child(struct run *r, int to, int from)
{
	char leave;

	life_open(r);
	for (unsigned i = 0; i < BINS_OF_LIFE; i++, r->bin++) {
		struct chance flows[8];
		unsigned n = chance_flows(r->seed, r->bin, r->late, flows);
		char says[2] = { 'b', 'd' };

		for (unsigned k = 0; k < n; k++)
			feed(&r->f, flows[k].host, flows[k].bin, flows[k].bytes);
		if (write(to, &says[0], 1) != 1)
			_exit(1);
		publish(&r->f, r->bin + 1, false);
		if (write(to, &says[1], 1) != 1 || read(from, &leave, 1) != 1)
			_exit(1);
	}
	fixture_close(&r->f);
	_exit(0);
}

/* A command about all archives. */
struct command {
	struct cached *c;
	const char *verb;
};

static void
walk_command(const char *path, void *arg)
{
	const struct command *x = arg;

	cached_command(x->c, x->verb, path, "");
}

static void
some_failure(void *arg, size_t no, const char *text)
{
	(void)arg;
	(void)no;
	(void)text; /* it has nothing of that archive */
}

/* Somebody else has rrdcached do `verb` with all archives, where it is there. */
static void
somebody_says(struct run *r, const char *verb)
{
	struct err e = ERR_INIT;
	struct command x = { cached_new(r->daemon.address, &e), verb };

	assert_true(cached_connect(x.c, &e) > 0);
	assert_int_equal(cached_begin(x.c, &e), 0);
	archives_walk(&r->f, walk_command, &x);
	assert_int_equal(cached_end(x.c, some_failure, NULL, &e), 0);
	cached_free(x.c);
}

/* Something happens to rrdcached, whatever it is doing. To be told to end takes it a second. */
static void
daemon_fate(struct run *r)
{
	if (!r->cached)
		return;
	switch (dice(&r->dice) % 20) {
	case 0:
	case 1:
	case 2:
		daemon_stop(&r->daemon, SIGKILL);
		break;
	case 3:
	case 4:
	case 5:
		daemon_stop(&r->daemon, SIGKILL);
		daemon_start(&r->daemon);
		break;
	case 6:
		daemon_stop(&r->daemon, dice(&r->dice) % 2 ? SIGTERM : SIGKILL);
		daemon_start(&r->daemon);
		break;
	case 7:
	case 8:
	case 9:
	case 10:
		daemon_start(&r->daemon);
		break;
	case 11:
	case 12:
	case 13:
		if (r->daemon.pid != 0 && r->bin > 0)
			somebody_says(r, "FLUSH");
		break;
	}
}

static void
life_run(struct run *r)
{
	/* Messages until it is killed: two for a bin; beyond them it ends by itself. */
	unsigned left = (unsigned)(dice(&r->dice) % (2 * BINS_OF_LIFE + 3)) + 1;
	const struct timespec moment = { .tv_nsec = (long)(dice(&r->dice) % 2000000) };
	int fds[2], leave[2], status;
	pid_t pid;
	char c;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pipe(leave), 0);
	r->flush_s = dice(&r->dice) % 2 ? 3600 : 0;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fds[0]);
		close(leave[1]);
		life_child(r, fds[1], leave[0]);
	}
	close(fds[1]);
	close(leave[0]);
	while (read(fds[0], &c, 1) == 1) {
		assert_true(r->bin < (int64_t)(LIVES * BINS_OF_LIFE));
		if (c == 'b')
			r->begun[r->bin] = true;
		else
			r->done[r->bin++] = true;
		daemon_fate(r);
		if (c == 'd')
			(void)!write(leave[1], "", 1);
		if (left > 0 && --left == 0) {
			nanosleep(&moment, NULL); /* into the middle of something */
			kill(pid, SIGKILL);
		}
	}
	close(fds[0]);
	close(leave[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	if (r->begun[r->bin])
		r->bin++; /* it died over this one */
}

static uint64_t
host_truth(const struct run *r, int64_t bin, uint16_t host)
{
	struct chance flows[8];
	unsigned n = chance_flows(r->seed, bin, r->late, flows);
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += flows[i].host == host ? flows[i].bytes : 0;
	return bytes;
}

/* The host whose archive `path` is. */
static uint16_t
host_of(const char *path)
{
	const char *address = strstr(path, "src_host-192.0.0.");

	assert_non_null(address);
	return (uint16_t)atoi(address + strlen("src_host-192.0.0."));
}

/* What the archives of hosts have in bin `bin`, or (-1) in all. */
struct hosts {
	int64_t bin;
	uint64_t bytes[HOSTS];
};

/* Who is killed between naming an archive and making it leaves a name. */
static bool
only_a_name(const char *path)
{
	return access(path, F_OK) != 0;
}

static void
walk_host(const char *path, void *arg)
{
	struct hosts *hosts = arg;
	struct holding h = { .bin = hosts->bin };

	if (only_a_name(path))
		return;
	walk_hold(path, &h);
	assert_in_range(host_of(path), 0, HOSTS - 1);
	hosts->bytes[host_of(path)] = (uint64_t)llround(h.bytes);
}

/* Bin for bin, where nothing is late. */
static void
bins_check(const struct run *r)
{
	for (int64_t bin = 0; bin < r->bin; bin++) {
		struct hosts have = { .bin = bin };

		archives_walk(&r->f, walk_host, &have);
		for (uint16_t host = 0; host < HOSTS; host++) {
			uint64_t due = host_truth(r, bin, host);

			if (have.bytes[host] != due && (r->done[bin] || have.bytes[host] != 0))
				fail_msg("seed %ju, bin %jd, host %u: %ju bytes, not %ju",
				    (uintmax_t)r->seed, (intmax_t)bin, host,
				    (uintmax_t)have.bytes[host], (uintmax_t)due);
		}
	}
}

/* Whether the host's sum is all that was done, and some of what was begun. */
static bool
host_check(const struct run *r, uint16_t host, uint64_t bytes)
{
	uint64_t done = 0, begun[LIVES];
	unsigned n = 0;

	for (int64_t bin = 0; bin < r->bin; bin++) {
		if (r->done[bin])
			done += host_truth(r, bin, host);
		else
			begun[n++] = host_truth(r, bin, host);
	}
	for (unsigned some = 0; some < 1U << n; some++) {
		uint64_t want = done;

		for (unsigned i = 0; i < n; i++)
			want += some >> i & 1 ? begun[i] : 0;
		if (bytes == want)
			return true;
	}
	return false;
}

static void
sums_check(const struct run *r)
{
	struct hosts have = { .bin = -1 };

	archives_walk(&r->f, walk_host, &have);
	for (uint16_t host = 0; host < HOSTS; host++)
		if (!host_check(r, host, have.bytes[host]))
			fail_msg("seed %ju, host %u: %ju bytes are no sum of what was counted",
			    (uintmax_t)r->seed, host, (uintmax_t)have.bytes[host]);
}

/* Octets per second that an archive has of each stretch of `steps` bins. */
struct stretches {
	time_t start, end;
	unsigned long step, n_sources;
	rrd_value_t *data;
};

static struct stretches
stretches_fetch(const char *path, const char *function, unsigned steps)
{
	int64_t day = 86400;
	struct stretches s = { .start = START / day * day, .end = archive_last(path),
		.step = steps * (unsigned long)STEP };
	unsigned long step = s.step;
	char **names;

	if (rrd_fetch_r(path, function, &s.start, &s.end, &s.step, &s.n_sources, &names,
	        &s.data) != 0)
		fail_msg("%s", rrd_get_error());
	assert_int_equal(s.step, step);
	assert_string_equal(names[0], "bytes");
	for (unsigned long i = 0; i < s.n_sources; i++)
		rrd_freemem(names[i]);
	rrd_freemem(names);
	return s;
}

/* What the stretch of `steps` bins up to `end` should have, by the bins. */
static double
stretch_due(const struct stretches *bins, time_t end, unsigned steps, bool maximum)
{
	double sum = 0, most = 0;
	unsigned known = 0;

	for (time_t at = end - (time_t)steps * STEP + STEP; at <= end; at += STEP) {
		long i = (at - bins->start) / STEP - 1;
		double v = i < 0 ? NAN : bins->data[(unsigned long)i * bins->n_sources];

		if (isnan(v))
			continue;
		known++;
		sum += v;
		most = v > most ? v : most;
	}
	if (2 * (steps - known) > steps)
		return NAN;
	return maximum ? most : sum / known;
}

/* Averages and maxima of several bins are those of the bins, whatever was put back meanwhile. */
static void
walk_consolidated(const char *path, void *arg)
{
	static const unsigned steps[] = { 6, 24 };
	struct stretches bins;
	unsigned *seen = arg;

	if (only_a_name(path))
		return;
	bins = stretches_fetch(path, "AVERAGE", 1);
	for (unsigned i = 0; i < 4; i++) {
		unsigned n = steps[i / 2];
		bool maximum = i % 2 != 0;
		struct stretches s = stretches_fetch(path, maximum ? "MAX" : "AVERAGE", n);
		time_t end = s.start + (time_t)s.step;

		for (unsigned long k = 0; end <= archive_last(path); k++, end += (time_t)s.step) {
			double have = s.data[k * s.n_sources];
			double due = stretch_due(&bins, end, n, maximum);

			if (isnan(have) != isnan(due) || fabs(have - due) > 1e-6 * due)
				fail_msg("%s: %s of %u bins to %jd is %f, not %f", path,
				    maximum ? "MAX" : "AVERAGE", n, (intmax_t)end, have, due);
			*seen += isnan(due) ? 0 : 1;
		}
		rrd_freemem(s.data);
	}
	rrd_freemem(bins.data);
}

static void
run_lives(uint64_t seed, bool cached, bool late)
{
	struct run r = { .seed = seed, .dice = seed * 0x9e3779b97f4a7c15U + 1, .cached = cached,
		.late = late, .daemon = { .writes = seed % 2 == 0 } };
	unsigned seen = 0;

	fixture_init(&r.f);
	snprintf(r.daemon.dir, sizeof(r.daemon.dir), "%s", r.f.dir);
	if (cached)
		daemon_start(&r.daemon);
	for (unsigned i = 0; i < LIVES; i++)
		life_run(&r);
	/* One more, in which nothing happens, and which has all written. */
	if (cached)
		daemon_start(&r.daemon);
	r.flush_s = 0;
	life_open(&r);
	publish(&r.f, r.bin + 1, false);
	publish(&r.f, r.bin + 2, false);
	if (r.f.rc != 0)
		fail_msg("seed %ju: %s", (uintmax_t)seed, r.f.e.text);
	assert_int_equal(atomic_load(&r.f.o.spooled), 0);
	assert_int_equal(atomic_load(&r.f.o.waiting), 0);
	fixture_close(&r.f);
	if (!late)
		bins_check(&r);
	sums_check(&r);
	archives_walk(&r.f, walk_consolidated, &seen);
	assert_true(seen > 0);
	daemon_stop(&r.daemon, SIGKILL);
	scratch_free(r.f.dir);
}

static void
run_seeds(bool cached, bool late, unsigned n)
{
	const char *given = getenv("WEIR_TEST_SEED");
	uint64_t first = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 100;

	if (given != NULL)
		n = 1;
	for (uint64_t seed = first; seed < first + n; seed++) {
		print_message("%s%s: WEIR_TEST_SEED=%ju\n", cached ? "rrdcached" : "librrd",
		    late ? ", late rows" : "", (uintmax_t)seed);
		run_lives(seed, cached, late);
	}
}

static void
killed_weirs_lose_nothing(void **state)
{
	(void)state;
	run_seeds(false, false, 10);
	run_seeds(false, true, 10);
}

static void
killed_weirs_and_rrdcacheds_lose_nothing(void **state)
{
	(void)state;
	if (!daemon_installed())
		return;
	run_seeds(true, false, 3);
	run_seeds(true, true, 3);
}

/* A weir at a time that stands still, and rrdcached where it has one; and the end of both. */
static void
run_begin(struct run *r)
{
	fixture_init(&r->f);
	snprintf(r->daemon.dir, sizeof(r->daemon.dir), "%s", r->f.dir);
	if (r->cached)
		daemon_start(&r->daemon);
	clock_set((uint64_t)START * CLOCK_S);
	life_open(r);
}

static void
run_end(struct run *r)
{
	clock_set(0);
	daemon_stop(&r->daemon, SIGKILL);
	fixture_end(&r->f);
}

/* A weir that tells rrdcached `bins` bins of five hosts, from `bin` on. */
static void
bins_tell(struct run *r, int64_t bin, int64_t bins)
{
	for (int64_t end = bin + bins; bin < end; bin++) {
		for (uint16_t host = 0; host < 5; host++)
			feed(&r->f, host, bin, 1000U * host + (uint64_t)bin);
		publish(&r->f, bin + 1, false);
		assert_int_equal(r->f.rc, 0);
	}
}

/*
 * rrdcached loses what it has taken, and nobody tells: here somebody has it forget, as the
 * connection of a killed weir may still do; an update that fails is the same. Later bins go well.
 */
static void
what_rrdcached_forgets_is_told_again(void **state)
{
	struct run r = { .cached = true, .flush_s = 3600 };

	(void)state;
	if (!daemon_installed())
		return;
	run_begin(&r);
	bins_tell(&r, 0, 3);
	somebody_says(&r, "FORGET");
	bins_tell(&r, 3, 2);
	clock_set((uint64_t)(START + r.flush_s) * CLOCK_S);
	publish(&r.f, 5, false);
	assert_int_equal(r.f.rc, 0);
	all_is_conserved(&r.f, 5, 5);
	run_end(&r);
}

static void
walk_empty(const char *path, void *arg)
{
	(void)arg;
	assert_int_equal(truncate(path, 0), 0);
}

/* Archives that a power failure has left empty are made anew, as rrdcached does not say. */
static void
empty_archives_are_made_anew(void **state)
{
	struct run r = { .cached = true, .flush_s = 3600 };

	(void)state;
	if (!daemon_installed())
		return;
	run_begin(&r);
	bins_tell(&r, 0, 3);
	fixture_close(&r.f);
	daemon_stop(&r.daemon, SIGKILL);
	archives_walk(&r.f, walk_empty, NULL);
	daemon_start(&r.daemon);
	r.flush_s = 0;
	life_open(&r);
	publish(&r.f, 3, false);
	assert_int_equal(r.f.rc, 0);
	all_is_conserved(&r.f, 3, 5);
	run_end(&r);
}

/* Cut the first archive off, and have its path in `arg` (512). */
static void
walk_cut(const char *path, void *arg)
{
	char *first = arg;

	if (*first != '\0')
		return;
	strcpy(first, path);
	assert_int_equal(truncate(path, 100), 0);
}

/* One archive that rrdcached cannot write costs itself: others are not told again. */
static void
a_bad_archive_is_set_aside(void **state)
{
	struct run r = { .cached = true, .flush_s = 3600 };
	char first[512] = "";

	(void)state;
	if (!daemon_installed())
		return;
	run_begin(&r);
	reasons_count(&r.f);
	bins_tell(&r, 0, 3);
	archives_walk(&r.f, walk_cut, first);
	clock_set((uint64_t)(START + r.flush_s) * CLOCK_S);
	for (int64_t bin = 3; bin < 5; bin++) {
		publish(&r.f, bin + 1, false);
		assert_int_equal(r.f.rc, -WEIR_EIO);
		assert_non_null(strstr(r.f.e.text, first));
		assert_int_equal(reason(STAT_RRD_PUT_BACK), 0);
	}
	assert_int_equal(unlink(first), 0);
	clock_set((uint64_t)(START + 3 * r.flush_s) * CLOCK_S);
	publish(&r.f, 5, false);
	assert_int_equal(r.f.rc, 0);
	assert_int_equal(reason(STAT_RRD_PUT_BACK), 0);
	assert_int_equal(atomic_load(&r.f.o.spooled), 0);
	all_is_conserved(&r.f, 5, 5);
	run_end(&r);
}

/* Put an archive of another step in the place of the first one. */
static void
walk_foreign(const char *path, void *arg)
{
	static const struct archive_shape shape = { 60, 120, PROFILE_CACTI, NULL };
	struct err e = ERR_INIT;
	char *first = arg;

	if (*first != '\0')
		return;
	strcpy(first, path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(archive_create(path, &shape, START, &e), 0);
}

static void
walk_others(const char *path, void *arg)
{
	struct walk *w = arg;

	w->sums.bytes += archive_last(path) == w->end ? archive_sum(path, "bytes", w->end) : 0;
}

/*
 * Somebody has put an archive of his own in the place of one that the journal has bins for: it is
 * not touched, those rows are refused, and others get theirs.
 */
static void
foreign_archives_are_told_nothing(void **state)
{
	(void)state;
	for (int cached = 0; cached <= (int)daemon_installed(); cached++) {
		struct run r = { .cached = cached != 0, .flush_s = 3600 };
		struct walk w = { .end = START + 4 * STEP };
		char first[512] = "";

		run_begin(&r);
		bins_tell(&r, 0, 3);
		fixture_close(&r.f);
		if (cached)
			daemon_stop(&r.daemon, SIGKILL);
		archives_walk(&r.f, walk_foreign, first);
		if (cached)
			daemon_start(&r.daemon);
		r.flush_s = 0;
		life_open(&r);
		reasons_count(&r.f);
		publish(&r.f, 4, false);
		assert_int_equal(r.f.rc, -WEIR_EUNSUPPORTED); /* filling it says so */
		assert_non_null(strstr(r.f.e.text, first));
		assert_int_equal(reason(STAT_RRD_NOT_OURS), 3);
		assert_int_equal(atomic_load(&r.f.o.spooled), 0);
		assert_int_equal(archive_last(first), START);
		archives_walk(&r.f, walk_others, &w);
		for (uint64_t host = 0; host < 5; host++)
			if (strstr(first, (char[]){ '0', '.', (char)('0' + host), '-', '\0' }) == NULL)
				w.sums.bytes -= 3000 * host + 3;
		assert_int_equal(w.sums.bytes, 0);
		run_end(&r);
	}
}

/*
 * rrdcached may not forget: no head is put back, as it has bins in memory that it will write
 * behind those that the head takes away.
 */
static void
who_may_not_forget_is_told_nothing(void **state)
{
	struct run r = { .cached = true, .flush_s = 3600, .daemon = { .allowed = "UPDATE,FLUSH,BATCH" } };

	(void)state;
	if (!daemon_installed())
		return;
	run_begin(&r);
	bins_tell(&r, 0, 3);
	somebody_says(&r, "FLUSH");
	bins_tell(&r, 3, 2);
	fixture_close(&r.f);
	life_open(&r);
	clock_set((uint64_t)(START + r.flush_s) * CLOCK_S);
	publish(&r.f, 5, false);
	assert_int_equal(r.f.rc, -WEIR_EIO);
	assert_non_null(strstr(r.f.e.text, "FORGET"));
	daemon_stop(&r.daemon, SIGKILL);
	r.daemon.allowed = NULL;
	daemon_start(&r.daemon);
	publish(&r.f, 5, false);
	clock_set((uint64_t)(START + 2 * r.flush_s) * CLOCK_S);
	publish(&r.f, 5, false);
	assert_int_equal(r.f.rc, 0);
	all_is_conserved(&r.f, 5, 5);
	run_end(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_weirs_lose_nothing),
		cmocka_unit_test(killed_weirs_and_rrdcacheds_lose_nothing),
		cmocka_unit_test(what_rrdcached_forgets_is_told_again),
		cmocka_unit_test(empty_archives_are_made_anew),
		cmocka_unit_test(a_bad_archive_is_set_aside),
		cmocka_unit_test(foreign_archives_are_told_nothing),
		cmocka_unit_test(who_may_not_forget_is_told_nothing),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
