/* SPDX-License-Identifier: GPL-2.0-or-later */
#define RRD_EXPORT_DEPRECATED 1 /* the types of what a file begins with */
#include "rrd/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <rrd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/octets.h"

#define BATCH 64U /* bins handed to librrd at once */

/* In the order of the values of an update. */
static const char *const sources[] = { "bytes", "packets", "flows" };
static const char template[] = "bytes:packets:flows";
/* What librrd says when it has a later time. */
static const char overtaken[] = "illegal attempt to update";
#define N_SOURCES (sizeof(sources) / sizeof(sources[0]))

/* librrd's words for what went wrong, with the path where they lack it; it may have none. */
static int
archive_error(struct err *e, const char *path)
{
	int why = errno;
	const char *text = rrd_get_error();

	if (text[0] == '\0')
		text = why != 0 ? strerror(why) : "librrd does not say what went wrong";
	if (strstr(text, path) != NULL)
		return err_set(e, WEIR_EIO, "%s", text);
	return err_set(e, WEIR_EIO, "%s: %s", path, text);
}

/* Write the RRA arguments of `shape` to `text`. Returns how many there are. */
static size_t
rras_format(const struct archive_shape *shape, char text[PROFILE_RRAS][64])
{
	struct profile_rra rras[PROFILE_RRAS];
	size_t n = profile_rras(shape->profile, shape->custom, shape->step_s, rras);

	for (size_t i = 0; i < n; i++)
		snprintf(text[i], 64, "RRA:%s:%g:%" PRIu32 ":%" PRIu32, rras[i].function,
		    rras[i].xff, rras[i].steps, rras[i].rows);
	return n;
}

/* Whether nothing is in the file: what a power failure leaves of one that was being made. */
static bool
file_is_empty(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0;
}

/*
 * Why `path`, of `octets`, could not be made. librrd has no word for a disk that is full, and makes
 * other calls before it returns: so try the like of it.
 */
static int
create_error(struct err *e, const char *path, off_t octets)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];
	int fd;

	if (rrd_test_error())
		return archive_error(e, path);
	snprintf(folder, sizeof(folder), "%.*s", slash != NULL ? (int)(slash - path + 1) : 1,
	    slash != NULL ? path : ".");
	fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (fd >= 0) {
		errno = posix_fallocate(fd, 0, octets);
		close(fd);
	}
	return archive_error(e, path);
}

/* How many octets an archive of `shape` has, or some less. */
static off_t
shape_octets(const struct archive_shape *shape)
{
	struct profile_rra rras[PROFILE_RRAS];
	size_t n = profile_rras(shape->profile, shape->custom, shape->step_s, rras);
	size_t octets = sizeof(stat_head_t) + N_SOURCES * (sizeof(ds_def_t) + sizeof(pdp_prep_t)) +
	    n * (sizeof(rra_def_t) + N_SOURCES * sizeof(cdp_prep_t));

	for (size_t i = 0; i < n; i++)
		octets += rras[i].rows * N_SOURCES * sizeof(rrd_value_t);
	return (off_t)octets;
}

int
archive_create(const char *path, const struct archive_shape *shape, int64_t start,
    struct err *e)
{
	char ds[N_SOURCES][64], rra[PROFILE_RRAS][64];
	const char *argv[N_SOURCES + PROFILE_RRAS];
	size_t n = rras_format(shape, rra);
	int argc = 0;

	for (size_t i = 0; i < N_SOURCES; i++) {
		snprintf(ds[i], sizeof(ds[i]), "DS:%s:ABSOLUTE:%" PRIu32 ":0:U", sources[i],
		    shape->heartbeat_s);
		argv[argc++] = ds[i];
	}
	for (size_t i = 0; i < n; i++)
		argv[argc++] = rra[i];
	if (file_is_empty(path) && unlink(path) != 0)
		return err_set(e, WEIR_EIO, "%s: %s", path, strerror(errno));
	rrd_clear_error();
	if (rrd_create_r2(path, shape->step_s, (time_t)start, 1, NULL, NULL, argc, argv) == 0)
		return 0;
	return create_error(e, path, shape_octets(shape));
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

/* Whether `info` says that one of our data sources has another place: rrdcached knows no names. */
static bool
source_misplaced(const rrd_info_t *info)
{
	for (size_t i = 0; i < N_SOURCES; i++) {
		char key[32];

		snprintf(key, sizeof(key), "ds[%s].index", sources[i]);
		if (strcmp(info->key, key) == 0)
			return info->value.u_cnt != i;
	}
	return false;
}

/*
 * Compare what librrd says of series `i`, key "rra[i].WHAT", with the `n` of `rras`.
 * What may be changed with rrdtune(1) is the operator's business.
 */
static bool
series_differs(const rrd_info_t *info, const struct profile_rra *rras, size_t n)
{
	char what[16];
	unsigned i;

	if (sscanf(info->key, "rra[%u].%15s", &i, what) != 2)
		return false;
	if (i >= n)
		return true;
	if (strcmp(what, "cf") == 0)
		return strcmp(info->value.u_str, rras[i].function) != 0;
	if (strcmp(what, "rows") == 0)
		return info->value.u_cnt != rras[i].rows;
	if (strcmp(what, "pdp_per_row") == 0)
		return info->value.u_cnt != rras[i].steps;
	return false;
}

/* Compare what librrd says of the archive with `shape`; NULL, or what is different. */
static const char *
info_check(const rrd_info_t *info, const struct archive_shape *shape, int64_t *last)
{
	struct profile_rra rras[PROFILE_RRAS];
	size_t n = profile_rras(shape->profile, shape->custom, shape->step_s, rras);
	size_t ours = 0, series = 0;

	for (; info != NULL; info = info->next) {
		size_t len = strlen(info->key);

		if (strcmp(info->key, "step") == 0 && info->value.u_cnt != shape->step_s)
			return "its step is another (rrd_step)";
		if (strcmp(info->key, "last_update") == 0)
			*last = (int64_t)info->value.u_cnt;
		if (series_differs(info, rras, n))
			return "it keeps other series (rrd_profile)";
		if (source_misplaced(info))
			return "its data sources are others";
		series += strncmp(info->key, "rra[", 4) == 0 && len > 8 &&
		    strcmp(info->key + len - 4, "].cf") == 0;
		if (strncmp(info->key, "ds[", 3) != 0 || len < 6 ||
		    strcmp(info->key + len - 6, "].type") != 0 || info->type != RD_I_STR)
			continue;
		if (!source_is_ours(info->key, info->value.u_str))
			return "its data sources are others";
		ours++;
	}
	if (series != n)
		return "it keeps other series (rrd_profile)";
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

	if (file_is_empty(path))
		return -WEIR_ENOENT;
	rc = cookie_check(path, e);
	if (rc != 0)
		return rc;
	rrd_clear_error();
	errno = 0;
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

int64_t
archive_last(const char *path)
{
	rrd_clear_error();
	return rrd_last_r(path);
}

size_t
archive_head_octets(const char *path)
{
	size_t octets = 0;
	rrd_info_t *info;

	rrd_clear_error();
	info = rrd_info_r(path);
	for (const rrd_info_t *i = info; i != NULL; i = i->next)
		if (strcmp(i->key, "header_size") == 0 && i->type == RD_I_CNT)
			octets = i->value.u_cnt;
	if (info != NULL)
		rrd_info_free(info);
	return octets;
}

size_t
archive_series(const char *path, const char *function, struct archive_series *out)
{
	unsigned long step = 0;
	bool wanted = false;
	rrd_info_t *info;
	size_t n = 0;

	rrd_clear_error();
	info = rrd_info_r(path);
	for (const rrd_info_t *i = info; i != NULL && n < PROFILE_RRAS; i = i->next) {
		char what[16];
		unsigned no;

		if (strcmp(i->key, "step") == 0)
			step = i->value.u_cnt;
		if (sscanf(i->key, "rra[%u].%15s", &no, what) != 2)
			continue;
		if (strcmp(what, "cf") == 0)
			wanted = strcmp(i->value.u_str, function) == 0;
		if (wanted && strcmp(what, "pdp_per_row") == 0)
			out[n++] = (struct archive_series){ (uint32_t)(step * i->value.u_cnt),
				rrd_first_r(path, (int)no) };
	}
	if (info != NULL)
		rrd_info_free(info);
	return n;
}

/*
 * Open `path` when nobody else updates it; to write it, with librrd's lock, which its end closes.
 * Returns the descriptor, or -WEIR_E... with `e`.
 */
static int
quiet_open(const char *path, int flags, unsigned *patience_ms, struct err *e)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		return err_set(e, errno == ENOENT ? WEIR_ENOENT : WEIR_EIO, "%s: %s", path,
		    strerror(errno));
	for (;; --*patience_ms) {
		struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
		int rc = fcntl(fd, flags == O_RDWR ? F_SETLK : F_GETLK, &lock);

		/* Where there are no locks, librrd has none either. */
		if (flags == O_RDWR ? rc == 0 || (errno != EAGAIN && errno != EACCES) :
		                      rc != 0 || lock.l_type == F_UNLCK)
			return fd;
		if (*patience_ms == 0)
			break;
		nanosleep(&ms, NULL);
	}
	close(fd);
	return err_set(e, WEIR_EAGAIN, "%s: somebody has it locked", path);
}

int
archive_wait(const char *path, unsigned *patience_ms, struct err *e)
{
	int fd = quiet_open(path, O_RDONLY | O_NONBLOCK, patience_ms, e);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static uint32_t
file_number(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? (uint32_t)st.st_ino : 0;
}

static int
head_error(const char *path, struct err *e)
{
	return err_set(e, WEIR_EIO, "%s: %s", path, errno != 0 ? strerror(errno) : "too short");
}

int
archive_head_read(const char *path, void *head, size_t len, uint32_t *file,
    unsigned *patience_ms, struct err *e)
{
	int fd = quiet_open(path, O_RDONLY, patience_ms, e), rc = 0;

	if (fd < 0)
		return fd;
	*file = file_number(fd);
	if (!octets_read(fd, head, len, 0))
		rc = head_error(path, e);
	close(fd);
	return rc;
}

/* How much of a head says what the archive is, which no update changes; 0: it is none. */
static size_t
head_fixed(const void *head, size_t len)
{
	stat_head_t st;
	size_t fixed;

	if (len < sizeof(st))
		return 0;
	memcpy(&st, head, sizeof(st));
	if (st.ds_cnt > len || st.rra_cnt > len)
		return 0;
	fixed = sizeof(st) + st.ds_cnt * sizeof(ds_def_t) + st.rra_cnt * sizeof(rra_def_t);
	return fixed < len ? fixed : 0;
}

int
archive_head_write(const char *path, const void *head, size_t len, uint32_t file,
    unsigned *patience_ms, struct err *e)
{
	size_t fixed = head_fixed(head, len);
	uint8_t *now = malloc(fixed + 1);
	int fd = quiet_open(path, O_RDWR, patience_ms, e), rc = 0;

	if (now == NULL)
		abort();
	if (fd < 0) {
		free(now);
		return fd;
	}
	if (!octets_read(fd, now, fixed, 0))
		rc = head_error(path, e);
	else if (fixed == 0 || file_number(fd) != file || memcmp(now, head, fixed) != 0)
		rc = err_set(e, WEIR_EUNSUPPORTED, "%s was changed by somebody else", path);
	else if (!octets_write(fd, (const uint8_t *)head + fixed, len - fixed, fixed))
		rc = head_error(path, e);
	close(fd);
	free(now);
	return rc;
}

/* Where data source `name` stands among `n`; `n` when it does not. */
static size_t
source_find(char *const *names, size_t n, const char *name)
{
	size_t i = 0;

	while (i < n && strcmp(names[i], name) != 0)
		i++;
	return i;
}

int
archive_sums(const char *path, uint32_t step_s, int64_t from, int64_t to,
    struct archive_sums *sums, struct err *e)
{
	time_t start = (time_t)from, end = (time_t)to - 1;
	unsigned long step = step_s, n_sources = 0;
	double total[N_SOURCES] = { 0 };
	char **names = NULL;
	rrd_value_t *data = NULL;

	rrd_clear_error();
	if (rrd_fetch_r(path, "AVERAGE", &start, &end, &step, &n_sources, &names, &data) != 0)
		return archive_error(e, path);
	/* Value i of the answer is that of the bin that ends at start + (i + 1) * step. */
	for (size_t s = 0; s < N_SOURCES && step == step_s; s++) {
		size_t at = source_find(names, n_sources, sources[s]);
		int64_t ends = (int64_t)start + step_s;

		for (size_t i = 0; at < n_sources && ends <= to; i++, ends += step_s) {
			double v = data[i * n_sources + at];

			if (ends > from && !isnan(v))
				total[s] += v * step_s;
		}
	}
	for (unsigned long i = 0; i < n_sources; i++)
		rrd_freemem(names[i]);
	rrd_freemem(names);
	rrd_freemem(data);
	*sums = (struct archive_sums){ total[0], total[1], total[2] };
	return step == step_s && (int64_t)start <= from ? 0 : -WEIR_ENOENT;
}

/* `v` in decimal. A round has hundreds of thousands: no snprintf, and two digits at once. */
static char *
number_put(char *p, uint64_t v)
{
	static const char pairs[] = "0001020304050607080910111213141516171819"
	    "2021222324252627282930313233343536373839"
	    "4041424344454647484950515253545556575859"
	    "6061626364656667686970717273747576777879"
	    "8081828384858687888990919293949596979899";
	char digits[20], *at = digits + sizeof(digits);
	size_t n;

	for (; v >= 100; v /= 100)
		memcpy(at -= 2, pairs + v % 100 * 2, 2);
	if (v >= 10)
		memcpy(at -= 2, pairs + v * 2, 2);
	else
		*--at = (char)('0' + v);
	n = (size_t)(digits + sizeof(digits) - at);
	memcpy(p, at, n);
	return p + n;
}

char *
archive_bin_format(const struct archive_bin *b, char text[ARCHIVE_BIN_TEXT])
{
	char *p = number_put(text, (uint64_t)b->end);

	if (b->unknown) {
		memcpy(p, ":U:U:U", 7);
		return p + 6;
	}
	*p++ = ':';
	p = number_put(p, b->sums.bytes);
	*p++ = ':';
	p = number_put(p, b->sums.packets);
	*p++ = ':';
	p = number_put(p, b->sums.flows);
	*p = '\0';
	return p;
}

int
archive_update(const char *path, const struct archive_bin *bins, size_t n, int64_t *last,
    struct err *e)
{
	char text[BATCH][ARCHIVE_BIN_TEXT];
	const char *argv[BATCH];

	for (size_t done = 0; done < n;) {
		size_t take = n - done < BATCH ? n - done : BATCH;

		for (size_t i = 0; i < take; i++) {
			archive_bin_format(&bins[done + i], text[i]);
			argv[i] = text[i];
		}
		rrd_clear_error();
		errno = 0;
		if (rrd_update_r(path, template, (int)take, argv) != 0) {
			bool late = strstr(rrd_get_error(), overtaken) != NULL;
			int rc = archive_error(e, path);
			time_t at;

			/* Bins before the one at fault may have gone in. */
			rrd_clear_error();
			at = rrd_last_r(path);
			if (at > *last)
				*last = at;
			return late ? -WEIR_EEXIST : rc;
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
		return create_error(e, path, (off_t)(n * sizeof(rrd_value_t)));
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
