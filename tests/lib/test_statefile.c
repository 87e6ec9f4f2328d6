/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/statefile.h"

static char folder[64], path[96], fresh[104];

static int
enter(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/weir-test-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/things", folder);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	return 0;
}

static int
leave(void **state)
{
	(void)state;
	(void)unlink(path);
	(void)unlink(fresh);
	return rmdir(folder);
}

static void
put(const void *octets, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(octets, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static size_t
get(uint8_t *octets, size_t room)
{
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(octets, 1, room, f);
	(void)fclose(f);
	return n;
}

static int
read_things(uint32_t version, size_t max)
{
	struct err e = ERR_INIT;
	uint8_t *body;
	size_t len;
	int rc = statefile_read(path, "things", version, max, &body, &len, &e);

	assert_true((body != NULL) == (rc == 0));
	assert_true((e.text[0] != '\0') == (rc != 0 && rc != -WEIR_ENOENT));
	free(body);
	return rc;
}

static void
test_what_is_written_is_read(void **state)
{
	static const size_t sizes[] = { 0, 1, 100, 100000 };
	static uint8_t octets[100000];
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(read_things(3, 100), -WEIR_ENOENT);
	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)(i * 7);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint8_t *body;
		size_t len;

		assert_int_equal(
		    statefile_write(path, "things", 3, octets, sizes[i], &e), 0);
		assert_int_equal(access(fresh, F_OK), -1);
		assert_int_equal(
		    statefile_read(path, "things", 3, sizes[i], &body, &len, &e), 0);
		assert_int_equal(len, sizes[i]);
		assert_memory_equal(body, octets, len);
		free(body);
	}
}

/* Who reads gets what was written, or an error that says which. */
static void
test_what_is_not_ours(void **state)
{
	uint8_t file[64];
	struct err e = ERR_INIT;
	size_t len;

	(void)state;
	assert_int_equal(statefile_write(path, "things", 3, "0123456789", 10, &e), 0);
	len = get(file, sizeof(file));
	assert_int_equal(len, 50);
	assert_int_equal(read_things(2, 100), -WEIR_EUNSUPPORTED);
	assert_int_equal(read_things(4, 100), -WEIR_EMALFORMED);
	assert_int_equal(read_things(3, 9), -WEIR_EMALFORMED);
	assert_int_equal(statefile_write(path, "others", 3, "0123456789", 10, &e), 0);
	assert_int_equal(read_things(3, 100), -WEIR_EMALFORMED);
	for (size_t cut = 0; cut < len; cut++) {
		put(file, cut);
		assert_int_equal(read_things(3, 100), -WEIR_EMALFORMED);
	}
	for (size_t i = 0; i < len; i++) {
		int rc;

		if (i >= 20 && i < 24) /* reserved */
			continue;
		file[i] ^= 0x40;
		put(file, len);
		rc = read_things(3, 100);
		assert_true(rc == -WEIR_EMALFORMED || rc == -WEIR_EUNSUPPORTED);
		file[i] ^= 0x40;
	}
	put(file, len);
	assert_int_equal(read_things(3, 100), 0);
}

/* Nobody is waited for who might write to a pipe of that name. */
static void
test_what_is_no_file(void **state)
{
	(void)state;
	(void)unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(read_things(3, 100), -WEIR_EIO);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(read_things(3, 100), -WEIR_ENOENT);
}

/* Where the new one cannot be written the old one stays. */
static void
test_the_old_one_stays(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(statefile_write(path, "things", 3, "old", 3, &e), 0);
	assert_int_equal(symlink("/nonexistent", fresh), 0);
	assert_int_equal(statefile_write(path, "things", 3, "new", 3, &e), -WEIR_EIO);
	assert_non_null(strstr(e.text, "things.new"));
	assert_int_equal(unlink(fresh), 0);
	assert_int_equal(read_things(3, 3), 0);
	assert_int_equal(
	    statefile_write("/nonexistent/things", "things", 3, "new", 3, &e),
	    -WEIR_EIO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_what_is_not_ours),
		cmocka_unit_test(test_what_is_no_file),
		cmocka_unit_test(test_the_old_one_stays),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
