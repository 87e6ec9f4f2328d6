/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/rrd/scratch.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rrd/journal.h"

#define ROUNDS 20U

static bool folders_fail; /* to be synced */

/* The C library's, with such a disk. */
int
fsync(int fd)
{
	struct stat st;

	if (folders_fail && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

static const char *
file_in(const char *dir)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/" JOURNAL_FILE, dir);
	return path;
}

/* Round number `no`, whose entries tell which they are. */
static void
round_make(struct journal_round *r, unsigned no)
{
	r->n = 0;
	for (unsigned i = 0; i <= no % 5; i++)
		journal_put(r, &(struct journal_entry){ .id = no + 1, .end = START + i,
		    .sums = { i, UINT64_MAX - no, no }, .n = no + 1,
		    .kind = (uint8_t)(i % JOURNAL_KINDS), .other = i % 2 != 0 });
}

/* How many whole rounds `j` has, from number `first` on, and that they are what they were. */
static unsigned
rounds_check(const struct journal *j, unsigned first)
{
	struct journal_round r = { 0 }, want = { 0 };
	uint64_t at = JOURNAL_START;
	struct err e = ERR_INIT;
	unsigned n = 0;

	for (; journal_read(j, at, &r, &e) > 0; at = r.end, n++) {
		round_make(&want, first + n);
		assert_int_equal(r.n, want.n);
		for (size_t i = 0; i < r.n; i++) {
			const struct journal_entry *a = &r.entries[i], *b = &want.entries[i];

			assert_true(a->id == b->id && a->end == b->end && a->n == b->n &&
			    a->kind == b->kind && a->other == b->other &&
			    sums_equal(&a->sums, &b->sums));
		}
	}
	assert_int_equal(at, j->size);
	journal_round_fini(&r);
	journal_round_fini(&want);
	return n;
}

/* Syncing meanwhile ends before anything else happens to the file. */
static void
rounds_are_synced_meanwhile(void **state)
{
	char *dir = scratch_new();
	struct journal_round r = { 0 };
	struct journal j;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(journal_open(&j, dir, UINT64_MAX, &e), 0);
	for (unsigned i = 0; i < 4; i++) {
		round_make(&r, i);
		assert_int_equal(journal_append(&j, &r, &e), 0);
		journal_sync_begin(&j);
		if (i % 2 == 0)
			assert_int_equal(journal_sync(&j, &e), 0);
	}
	assert_int_equal(rounds_check(&j, 0), 4);
	round_make(&r, 7);
	assert_int_equal(journal_restart(&j, &r, &e), 0);
	assert_false(j.syncing);
	journal_sync_begin(&j);
	round_make(&r, 8);
	assert_int_equal(journal_append(&j, &r, &e), 0);
	assert_int_equal(journal_sync(&j, &e), 0);
	journal_sync_begin(&j);
	journal_close(&j);
	assert_false(j.syncing);
	assert_int_equal(journal_open(&j, dir, UINT64_MAX, &e), 0);
	assert_int_equal(rounds_check(&j, 7), 2);
	journal_close(&j);
	journal_round_fini(&r);
	scratch_free(dir);
}

static void
rounds_come_back(void **state)
{
	char *dir = scratch_new();
	struct journal_round r = { 0 };
	struct journal j;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(journal_open(&j, dir, UINT64_MAX, &e), 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		round_make(&r, i);
		assert_int_equal(journal_append(&j, &r, &e), 0);
	}
	assert_int_equal(journal_sync(&j, &e), 0);
	assert_int_equal(rounds_check(&j, 0), ROUNDS);
	journal_close(&j);
	assert_int_equal(journal_open(&j, dir, UINT64_MAX, &e), 0);
	assert_int_equal(rounds_check(&j, 0), ROUNDS);

	round_make(&r, 7);
	assert_int_equal(journal_restart(&j, &r, &e), 0);
	assert_int_equal(rounds_check(&j, 7), 1);
	round_make(&r, 8);
	assert_int_equal(journal_append(&j, &r, &e), 0);
	assert_int_equal(rounds_check(&j, 7), 2);
	r.n = 0;
	assert_int_equal(journal_restart(&j, &r, &e), 0);
	assert_int_equal(rounds_check(&j, 0), 0);
	round_make(&r, 0);
	assert_int_equal(journal_append(&j, &r, &e), 0);
	assert_int_equal(rounds_check(&j, 0), 1);
	journal_close(&j);
	journal_round_fini(&r);
	scratch_free(dir);
}

/* Begun anew, it is the file that has the name, though that may not be on the disk. */
static void
a_name_that_is_not_synced(void **state)
{
	char *dir = scratch_new();
	struct journal_round r = { 0 };
	struct err e = ERR_INIT;
	struct journal j;

	(void)state;
	assert_int_equal(journal_open(&j, dir, UINT64_MAX, &e), 0);
	round_make(&r, 3);
	assert_int_equal(journal_append(&j, &r, &e), 0);
	folders_fail = true;
	round_make(&r, 7);
	(void)journal_restart(&j, &r, &e);
	folders_fail = false;
	round_make(&r, 8);
	assert_int_equal(journal_append(&j, &r, &e), 0);
	journal_close(&j);
	assert_int_equal(journal_open(&j, dir, UINT64_MAX, &e), 0);
	assert_int_equal(rounds_check(&j, 7), 2);
	journal_close(&j);
	journal_round_fini(&r);
	scratch_free(dir);
}

/* Cut at every octet, the rounds that are whole are there, and it goes on from them. */
static void
a_cut_journal_has_what_is_whole(void **state)
{
	char *dir = scratch_new();
	struct journal_round r = { 0 };
	struct journal j;
	struct err e = ERR_INIT;
	uint64_t ends[4], full;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		ends[i] = 0;
	assert_int_equal(journal_open(&j, dir, UINT64_MAX, &e), 0);
	for (unsigned i = 0; i < 3; i++) {
		round_make(&r, i);
		assert_int_equal(journal_append(&j, &r, &e), 0);
		ends[i] = j.size;
	}
	full = j.size;
	journal_close(&j);
	for (uint64_t cut = full; cut-- > JOURNAL_START;) {
		unsigned whole = 0;

		assert_int_equal(truncate(file_in(dir), (off_t)cut), 0);
		assert_int_equal(journal_open(&j, dir, UINT64_MAX, &e), 0);
		while (whole < 3 && ends[whole] <= cut)
			whole++;
		assert_int_equal(rounds_check(&j, 0), whole);
		if (whole < 3) {
			/* What was cut off does not stand in the way of what follows. */
			round_make(&r, whole);
			assert_int_equal(journal_append(&j, &r, &e), 0);
			assert_int_equal(rounds_check(&j, 0), whole + 1);
		}
		journal_close(&j);
	}
	journal_round_fini(&r);
	scratch_free(dir);
}

/* Which of the first rounds `j` has, one bit each; all of them are what they were. */
static unsigned
rounds_left(const struct journal *j)
{
	struct journal_round r = { 0 }, want = { 0 };
	uint64_t at = JOURNAL_START;
	struct err e = ERR_INIT;
	unsigned left = 0;

	for (; journal_read(j, at, &r, &e) > 0; at = r.end) {
		unsigned no = (unsigned)r.entries[0].id - 1;

		round_make(&want, no);
		assert_int_equal(r.n, want.n);
		assert_true(left >> no == 0); /* in their order, and none twice */
		left |= 1U << no;
	}
	journal_round_fini(&r);
	journal_round_fini(&want);
	return left;
}

/*
 * Any octet may be another: the rounds before and behind it are there, and how much was lost is
 * said; where it is the last, that is cut off, as what a killed weir has left unfinished.
 */
static void
a_damaged_journal_does_no_harm(void **state)
{
	char *dir = scratch_new();
	struct journal_round r = { 0 };
	struct journal j;
	struct err e = ERR_INIT;
	uint64_t size = 1, ends[3];

	(void)state;
	for (uint64_t at = 0; at < size; at++) {
		uint8_t octet;
		FILE *f;
		int rc;

		unlink(file_in(dir));
		assert_int_equal(journal_open(&j, dir, UINT64_MAX, &e), 0);
		for (unsigned i = 0; i < 3; i++) {
			round_make(&r, i);
			assert_int_equal(journal_append(&j, &r, &e), 0);
			ends[i] = j.size;
		}
		size = j.size;
		journal_close(&j);
		f = fopen(file_in(dir), "r+");
		assert_non_null(f);
		assert_int_equal(fseek(f, (long)at, SEEK_SET), 0);
		octet = (uint8_t)fgetc(f);
		assert_int_equal(fseek(f, (long)at, SEEK_SET), 0);
		fputc(octet ^ 0x41, f);
		fclose(f);
		rc = journal_open(&j, dir, UINT64_MAX, &e);
		if (at < JOURNAL_START) {
			assert_int_equal(rc, -WEIR_EUNSUPPORTED);
			assert_non_null(strstr(e.text, JOURNAL_FILE));
			continue;
		}
		assert_int_equal(rc, 0);
		assert_int_equal(rounds_left(&j), at < ends[0] ? 6 : at < ends[1] ? 5 : 3);
		assert_int_equal(j.damaged, at < ends[0] ? ends[0] - JOURNAL_START :
		    at < ends[1] ? ends[1] - ends[0] : 0);
		round_make(&r, 3);
		assert_int_equal(journal_append(&j, &r, &e), 0);
		assert_true(rounds_left(&j) & 8);
		journal_close(&j);
	}
	journal_round_fini(&r);
	scratch_free(dir);
}

static void
a_full_journal_takes_no_more(void **state)
{
	char *dir = scratch_new();
	struct journal_round r = { 0 };
	struct journal j;
	struct err e = ERR_INIT;
	uint64_t size;

	(void)state;
	assert_int_equal(journal_open(&j, dir, 200, &e), 0);
	round_make(&r, 0);
	assert_int_equal(journal_append(&j, &r, &e), 0);
	size = j.size;
	round_make(&r, 4);
	assert_int_equal(journal_append(&j, &r, &e), -WEIR_EFULL);
	assert_non_null(strstr(e.text, "rrd_journal_max"));
	assert_int_equal(j.size, size);
	assert_int_equal(rounds_check(&j, 0), 1);
	journal_close(&j);
	journal_round_fini(&r);
	scratch_free(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rounds_come_back),
		cmocka_unit_test(rounds_are_synced_meanwhile),
		cmocka_unit_test(a_name_that_is_not_synced),
		cmocka_unit_test(a_cut_journal_has_what_is_whole),
		cmocka_unit_test(a_damaged_journal_does_no_harm),
		cmocka_unit_test(a_full_journal_takes_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
