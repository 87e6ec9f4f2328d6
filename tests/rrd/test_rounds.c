/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rounds that are made while rrdcached is told of those before, in one batch. */
#include "tests/rrd/daemon.h"
#include "tests/rrd/fixture.h"

#define HOSTS 9U

/* An output of rounds with two archives each, and its rrdcached; and the end of both. */
static void
both_begin(struct fixture *f, struct daemon *d)
{
	fixture_init(f);
	*d = (struct daemon){ 0 };
	snprintf(d->dir, sizeof(d->dir), "%s", f->dir);
	daemon_start(d);
	f->config.daemon = d->address;
	f->config.daemon_flush = 3600;
	clock_set((uint64_t)START * CLOCK_S);
	fixture_open(f, "src_host", 100);
}

static void
both_end(struct fixture *f, struct daemon *d)
{
	clock_set(0);
	daemon_stop(d, SIGKILL);
	fixture_end(f);
}

/* All hosts count in bin `bin`, and that is written. */
static void
bin_write(struct fixture *f, int64_t bin)
{
	for (uint16_t host = 1; host <= HOSTS; host++)
		feed(f, host, bin, 100U * host + (uint64_t)bin);
	publish(f, bin + 1, false);
}

/* Time goes on until rrdcached is asked to write all, which is seen to be in the archives. */
static void
all_flushed(struct fixture *f, int64_t bins)
{
	clock_set((uint64_t)(START + f->config.daemon_flush) * CLOCK_S);
	publish(f, bins, false);
	assert_int_equal(f->rc, 0);
	assert_int_equal(atomic_load(&f->o.spooled), 0);
	assert_int_equal(atomic_load(&f->o.waiting), 0);
	all_is_conserved(f, bins, HOSTS);
}

static int64_t
journal_octets(const struct fixture *f)
{
	struct stat st;

	assert_int_equal(stat(in_folder(f, "journal"), &st), 0);
	return st.st_size;
}

/*
 * rrdcached stands still before it has taken anything: the journal has all of the snapshot all the
 * same, and a weir that is killed then has lost nothing.
 */
static void
the_journal_does_not_wait_for_rrdcached(void **state)
{
	const struct timespec ten_ms = { .tv_nsec = 10000000 };
	struct fixture f;
	struct daemon d;
	int64_t before, one;
	pid_t pid;

	(void)state;
	if (!daemon_installed())
		return;
	both_begin(&f, &d);
	bin_write(&f, 0);
	before = journal_octets(&f);
	bin_write(&f, 1);
	assert_int_equal(f.rc, 0);
	one = journal_octets(&f) - before;
	assert_true(one > 0);
	assert_int_equal(kill(d.pid, SIGSTOP), 0);
	for (uint16_t host = 1; host <= HOSTS; host++)
		feed(&f, host, 2, 7);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		publish(&f, 3, false);
		_exit(0);
	}
	for (unsigned tries = 0; journal_octets(&f) < before + 2 * one; tries++) {
		if (tries > 3000)
			fail_msg("the journal has %jd octets, not %jd", (intmax_t)journal_octets(&f),
			    (intmax_t)(before + 2 * one));
		nanosleep(&ten_ms, NULL);
	}
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0); /* it waits still */
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(kill(d.pid, SIGCONT), 0);
	fixture_again(&f);
	assert_int_equal(atomic_load(&f.o.spooled), 3 * HOSTS);
	publish(&f, 3, false);
	all_flushed(&f, 3);
	both_end(&f, &d);
}

/* Have the path of the archive of host 5 in `arg`, which has room for 512. */
static void
walk_fifth(const char *path, void *arg)
{
	if (strstr(path, "192.0.0.5-") != NULL)
		walk_name(path, arg);
}

static void
no_failure(void *arg, size_t no, const char *text)
{
	(void)arg;
	fail_msg("command %zu: %s", no, text);
}

/* rrdcached looks for the file `path` when it is told of it the next time. */
static void
file_forgotten(const struct daemon *d, const char *path)
{
	struct err e = ERR_INIT;
	struct cached *c = cached_new(d->address, &e);

	assert_true(cached_connect(c, &e) > 0);
	assert_int_equal(cached_begin(c, &e), 0);
	cached_command(c, "FORGET", path, "");
	assert_int_equal(cached_end(c, no_failure, NULL, &e), 0);
	cached_free(c);
}

/* What rrdcached refuses in the midst of a batch is that archive's, whichever round it is of. */
static void
a_refusal_is_of_its_round(void **state)
{
	char fifth[512] = "";
	struct fixture f;
	struct daemon d;

	(void)state;
	if (!daemon_installed())
		return;
	both_begin(&f, &d);
	bin_write(&f, 0);
	all_flushed(&f, 1);
	archives_walk(&f, walk_fifth, fifth);
	file_forgotten(&d, fifth);
	assert_int_equal(unlink(fifth), 0);
	bin_write(&f, 1);
	assert_int_equal(f.rc, 0);
	assert_int_equal(archive_last(fifth), START + STEP); /* made anew, with room for its bin */
	f.counted.bytes -= 500; /* its first bin went with the file */
	f.counted.packets -= 2;
	f.counted.flows -= 1;
	f.config.daemon_flush = 2 * 3600;
	all_flushed(&f, 2);
	both_end(&f, &d);
}

/* An output whose archives are new in each round, in the midst of a batch that goes on. */
static void
archives_are_made_while_others_are_told(void **state)
{
	struct fixture f;
	struct daemon d;

	(void)state;
	if (!daemon_installed())
		return;
	both_begin(&f, &d);
	for (int64_t bin = 0; bin < HOSTS; bin++) {
		for (uint16_t host = 1; host <= bin + 1; host++)
			feed(&f, host, bin, 10);
		publish(&f, bin + 1, false);
		assert_int_equal(f.rc, 0);
	}
	assert_int_equal(atomic_load(&f.o.spooled), 0);
	all_flushed(&f, HOSTS);
	both_end(&f, &d);
}

/*
 * rrdcached is away until the journal is full, however little that may be: when it is back, what
 * archives carry gets through, and all that comes.
 */
static void
a_full_journal_is_emptied_again(void **state)
{
	struct fixture f;
	struct daemon d;
	int64_t bin = 0;
	bool full = false;

	(void)state;
	if (!daemon_installed())
		return;
	both_begin(&f, &d);
	fixture_close(&f);
	f.config.daemon_flush = STEP;
	f.config.journal_max = 600;
	fixture_open(&f, "src_host", 100);
	for (; bin < 5; bin++) {
		clock_set((uint64_t)(START + (bin + 1) * STEP) * CLOCK_S);
		bin_write(&f, bin);
	}
	assert_int_equal(f.rc, 0);
	daemon_stop(&d, SIGKILL);
	for (; !full && bin < 25; bin++) {
		clock_set((uint64_t)(START + (bin + 1) * STEP) * CLOCK_S);
		bin_write(&f, bin);
		full = f.rc == -WEIR_EFULL;
	}
	assert_true(full);
	daemon_start(&d);
	for (int64_t end = bin + 5; bin < end; bin++) {
		clock_set((uint64_t)(START + (bin + 1) * STEP) * CLOCK_S);
		bin_write(&f, bin);
	}
	assert_int_equal(f.rc, 0);
	assert_int_equal(atomic_load(&f.o.spooled), 0);
	clock_set((uint64_t)(START + (bin + 1) * STEP) * CLOCK_S);
	publish(&f, bin, false);
	all_is_conserved(&f, bin, HOSTS);
	both_end(&f, &d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_journal_does_not_wait_for_rrdcached),
		cmocka_unit_test(a_refusal_is_of_its_round),
		cmocka_unit_test(archives_are_made_while_others_are_told),
		cmocka_unit_test(a_full_journal_is_emptied_again),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
