/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rrd/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <rrd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COLLECTD_ROWS 1200U /* what collectd keeps of each time span, at least */
#define RRAS_MAX      32U
#define BATCH         64U   /* bins handed to librrd at once */
#define LINE_MAX_LEN  96U   /* "end:bytes:packets:flows": four numbers of 20 digits */

/* In the order of the values of an update. */
static const char *const sources[] = { "bytes", "packets", "flows" };
static const char template[] = "bytes:packets:flows";
#define N_SOURCES (sizeof(sources) / sizeof(sources[0]))

static const char *const functions[] = { "AVERAGE", "MAX" };

/*
 * What each profile keeps: `rows` of `steps` each; or, where `span_s` is given, that
 * much time in about COLLECTD_ROWS rows.
 */
static const struct rra {
	enum archive_profile profile;
	const char *xff;
	uint32_t steps, rows;
	uint32_t span_s;
} rras[] = {
	{ ARCHIVE_CACTI,    "0.5", 1,   600, 0 },
	{ ARCHIVE_CACTI,    "0.5", 6,   700, 0 },
	{ ARCHIVE_CACTI,    "0.5", 24,  775, 0 },
	{ ARCHIVE_CACTI,    "0.5", 288, 797, 0 },
	{ ARCHIVE_COLLECTD, "0.1", 1,   COLLECTD_ROWS, 0 },
	{ ARCHIVE_COLLECTD, "0.1", 0,   0,   3600 },
	{ ARCHIVE_COLLECTD, "0.1", 0,   0,   86400 },
	{ ARCHIVE_COLLECTD, "0.1", 0,   0,   7 * 86400 },
	{ ARCHIVE_COLLECTD, "0.1", 0,   0,   31 * 86400 },
	{ ARCHIVE_COLLECTD, "0.1", 0,   0,   366 * 86400 },
	{ ARCHIVE_SMALL,    "0.5", 1,   576, 0 },
	{ ARCHIVE_SMALL,    "0.5", 12,  336, 0 },
	{ ARCHIVE_SMALL,    "0.5", 288, 400, 0 },
};
#define N_RRAS (sizeof(rras) / sizeof(rras[0]))

/* librrd's words for what went wrong, with the path where they lack it. */
static int
archive_error(struct err *e, const char *path)
{
	const char *text = rrd_get_error();

	if (strstr(text, path) != NULL)
		return err_set(e, WEIR_EIO, "%s", text);
	return err_set(e, WEIR_EIO, "%s: %s", path, text);
}

/* `rra` with its time span divided into rows. */
static struct rra
rra_sized(const struct rra *rra, uint32_t step_s)
{
	struct rra r = *rra;

	if (r.span_s == 0)
		return r;
	r.steps = r.span_s / (COLLECTD_ROWS * step_s);
	if (r.steps == 0)
		r.steps = 1;
	r.rows = (r.span_s + r.steps * step_s - 1) / (r.steps * step_s);
	if (r.rows < COLLECTD_ROWS)
		r.rows = COLLECTD_ROWS;
	return r;
}

/* Write the RRA arguments of `shape` to `text`. Returns how many there are. */
static size_t
rras_format(const struct archive_shape *shape, char text[RRAS_MAX][64])
{
	size_t n = 0;

	for (size_t i = 0; i < N_RRAS; i++) {
		struct rra r;

		if (rras[i].profile != shape->profile)
			continue;
		r = rra_sized(&rras[i], shape->step_s);
		/* With a long step the short spans come out alike: the last holds them all. */
		if (i + 1 < N_RRAS && rras[i + 1].profile == shape->profile &&
		    rra_sized(&rras[i + 1], shape->step_s).steps == r.steps)
			continue;
		for (size_t f = 0; f < sizeof(functions) / sizeof(functions[0]); f++)
			snprintf(text[n++], 64, "RRA:%s:%s:%" PRIu32 ":%" PRIu32,
			    functions[f], r.xff, r.steps, r.rows);
	}
	return n;
}

int
archive_create(const char *path, const struct archive_shape *shape, int64_t start,
    struct err *e)
{
	char ds[N_SOURCES][64], rra[RRAS_MAX][64];
	const char *argv[N_SOURCES + RRAS_MAX];
	size_t n = rras_format(shape, rra);
	int argc = 0;

	for (size_t i = 0; i < N_SOURCES; i++) {
		snprintf(ds[i], sizeof(ds[i]), "DS:%s:ABSOLUTE:%" PRIu32 ":0:U", sources[i],
		    shape->heartbeat_s);
		argv[argc++] = ds[i];
	}
	for (size_t i = 0; i < n; i++)
		argv[argc++] = rra[i];
	rrd_clear_error();
	if (rrd_create_r2(path, shape->step_s, (time_t)start, 1, NULL, NULL, argc, argv) != 0)
		return archive_error(e, path);
	return 0;
}

/* Whether data source `key` ("ds[bytes].type") is one of ours. */
static bool
source_is_ours(const char *key, const char *type)
{
	for (size_t i = 0; i < N_SOURCES; i++) {
		char want[32];

		snprintf(want, sizeof(want), "ds[%s].type", sources[i]);
		if (strcmp(key, want) == 0)
			return strcmp(type, "ABSOLUTE") == 0;
	}
	return false;
}

/* Compare what librrd says of the archive with `shape`; NULL, or what is different. */
static const char *
info_check(const rrd_info_t *info, const struct archive_shape *shape, int64_t *last)
{
	size_t ours = 0;

	for (; info != NULL; info = info->next) {
		size_t len = strlen(info->key);

		if (strcmp(info->key, "step") == 0 && info->value.u_cnt != shape->step_s)
			return "its step is another";
		if (strcmp(info->key, "last_update") == 0)
			*last = (int64_t)info->value.u_cnt;
		if (strncmp(info->key, "ds[", 3) != 0 || len < 6 ||
		    strcmp(info->key + len - 6, "].type") != 0 || info->type != RD_I_STR)
			continue;
		if (!source_is_ours(info->key, info->value.u_str))
			return "its data sources are others";
		ours++;
	}
	return ours == N_SOURCES ? NULL : "its data sources are others";
}

/*
 * Whether `path` begins as an RRD file does. librrd does not tell a file that is none
 * from one that cannot be read just now, and only the latter is worth another try.
 */
static int
cookie_check(const char *path, struct err *e)
{
	static const char cookie[4] = "RRD";
	char buf[sizeof(cookie)];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return err_set(e, errno == ENOENT ? WEIR_ENOENT : WEIR_EIO, "%s: %s", path,
		    strerror(errno));
	n = read(fd, buf, sizeof(buf));
	close(fd);
	if (n != (ssize_t)sizeof(buf) || memcmp(buf, cookie, sizeof(cookie)) != 0)
		return err_set(e, WEIR_EUNSUPPORTED,
		    "%s is there already and no RRD file: move it away", path);
	return 0;
}

int
archive_check(const char *path, const struct archive_shape *shape, int64_t *last,
    struct err *e)
{
	rrd_info_t *info;
	const char *wrong;
	int rc;

	rc = cookie_check(path, e);
	if (rc != 0)
		return rc;
	rrd_clear_error();
	info = rrd_info_r(path);
	if (info == NULL)
		return archive_error(e, path);
	wrong = info_check(info, shape, last);
	rrd_info_free(info);
	if (wrong != NULL)
		return err_set(e, WEIR_EUNSUPPORTED,
		    "%s is there already and not ours: %s; move it away", path, wrong);
	return 0;
}

static void
bin_format(const struct archive_bin *b, char *text)
{
	if (b->unknown)
		snprintf(text, LINE_MAX_LEN, "%" PRId64 ":U:U:U", b->end);
	else
		snprintf(text, LINE_MAX_LEN,
		    "%" PRId64 ":%" PRIu64 ":%" PRIu64 ":%" PRIu64, b->end, b->sums.bytes,
		    b->sums.packets, b->sums.flows);
}

int
archive_update(const char *path, const struct archive_bin *bins, size_t n, int64_t *last,
    struct err *e)
{
	char text[BATCH][LINE_MAX_LEN];
	const char *argv[BATCH];

	for (size_t done = 0; done < n;) {
		size_t take = n - done < BATCH ? n - done : BATCH;

		for (size_t i = 0; i < take; i++) {
			bin_format(&bins[done + i], text[i]);
			argv[i] = text[i];
		}
		rrd_clear_error();
		if (rrd_update_r(path, template, (int)take, argv) != 0) {
			int rc = archive_error(e, path);
			time_t at;

			/* Bins before the one at fault may have gone in. */
			rrd_clear_error();
			at = rrd_last_r(path);
			if (at > *last)
				*last = at;
			return rc;
		}
		done += take;
		*last = bins[done - 1].end;
	}
	return 0;
}

int
archive_create_rates(const char *path, int64_t start, uint32_t step_s, const double *rates,
    size_t n, struct err *e)
{
	char ds[64], rra[64], text[64];
	const char *create[] = { ds, rra }, *update[] = { text };

	snprintf(ds, sizeof(ds), "DS:rate:GAUGE:%" PRIu32 ":U:U", 2 * step_s);
	snprintf(rra, sizeof(rra), "RRA:AVERAGE:0.5:1:%zu", n > 0 ? n : 1);
	rrd_clear_error();
	if (rrd_create_r2(path, step_s, (time_t)start, 0, NULL, NULL, 2, create) != 0)
		return archive_error(e, path);
	for (size_t i = 0; i < n; i++) {
		int64_t end = start + (int64_t)(i + 1) * step_s;

		if (isnan(rates[i]))
			snprintf(text, sizeof(text), "%" PRId64 ":U", end);
		else
			snprintf(text, sizeof(text), "%" PRId64 ":%.6f", end, rates[i]);
		if (rrd_update_r(path, NULL, 1, update) != 0)
			return archive_error(e, path);
	}
	return 0;
}
