/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plain main for fuzz targets: runs the target over the files given, and those in the
 * directories given; each whole, cut at every length, and with every octet flipped. So a
 * fuzz target is a check over its seeds where there is no libFuzzer. Speaks TAP.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEED_MAX 65536U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned seeds;

/* On a copy of its own size, so that a sanitizer sees every octet read beyond it. */
static void
run_copy(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	if (copy == NULL)
		abort();
	memcpy(copy, data, len);
	(void)LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

static void
seed_run(const char *path)
{
	static uint8_t data[SEED_MAX];
	FILE *in = fopen(path, "re");
	size_t len;

	if (in == NULL) {
		printf("Bail out! cannot read %s\n", path);
		exit(EXIT_FAILURE);
	}
	len = fread(data, 1, sizeof(data), in);
	fclose(in);
	run_copy(data, len);
	for (size_t cut = 0; cut < len; cut++)
		run_copy(data, cut);
	for (size_t i = 0; i < len; i++) {
		data[i] ^= 0xff;
		run_copy(data, len);
		data[i] ^= (uint8_t)(0xffU ^ 1U << i % 8);
		run_copy(data, len);
		data[i] ^= (uint8_t)(1U << i % 8);
	}
	printf("ok %u - %s, whole, cut and flipped\n", ++seeds, path);
	fflush(stdout);
}

static void
path_run(const char *path)
{
	DIR *dir = opendir(path);
	char name[4096];

	if (dir == NULL) {
		seed_run(path);
		return;
	}
	for (const struct dirent *d; (d = readdir(dir)) != NULL;) {
		if (d->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, d->d_name);
		seed_run(name);
	}
	closedir(dir);
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		path_run(argv[i]);
	if (seeds == 0) {
		puts("Bail out! no seeds");
		return EXIT_FAILURE;
	}
	printf("1..%u\n", seeds);
	return EXIT_SUCCESS;
}
