/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rrd/picture.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <rrd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "rrd/archive.h"
#include "rrd/profile.h"

/*
 * Okabe and Ito's palette, which colour-blind people tell apart, without its black (the
 * total's), then darker ones of Tol's for those who want more than seven rows.
 */
static const char *const colours[] = {
	"0072B2", "E69F00", "009E73", "CC79A7", "56B4E9", "D55E00", "F0E442",
	"332288", "AA4499", "117733", "882255", "999933", "661100", "44AA99",
};
#define N_COLOURS (sizeof(colours) / sizeof(colours[0]))
#define COLOUR_REST  "BBBBBB"
#define COLOUR_TOTAL "000000"
#define COLOUR_P95   "000000"

#define LABEL_MIN 24U
#define LABEL_MAX 96U
#define PATH_OCTETS  (2 * PATH_MAX)
#define LABEL_OCTETS (4 * LABEL_MAX + 2)
#define KEY_OCTETS   512U /* of a key's values or names: more than a label shows */
#define GLYPH_PX  7U  /* the width of a character of the legend */
#define FIGURES   41U /* characters of a legend line that are not the label */

/* The legend's column of labels. */
struct labels {
	size_t columns;
	bool brief; /* values alone: with the names of primitives there is no room for some */
};

/* Arguments of rrd_graph_v. */
struct arguments {
	char **v;
	int n;
};

__attribute__((format(printf, 2, 3))) static void
argument(struct arguments *a, const char *fmt, ...)
{
	char **v = realloc(a->v, ((size_t)a->n + 2) * sizeof(char *));
	va_list ap;

	if (v == NULL)
		abort(); /* some kilobytes: the machine is out of memory */
	a->v = v;
	va_start(ap, fmt);
	if (vasprintf(&a->v[a->n], fmt, ap) < 0)
		abort();
	va_end(ap);
	a->v[++a->n] = NULL;
}

static void
arguments_fini(struct arguments *a)
{
	for (int i = 0; i < a->n; i++)
		free(a->v[i]);
	free(a->v);
}

/* Octets of the UTF-8 character at `s` (RFC 3629 s4); 0 when it is none. */
static size_t
utf8_len(const char *s)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;

	if (p[0] < ' ' || p[0] == 0x7f || (p[0] >= 0x80 && p[0] < 0xc2) || p[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

/* The octets that make up the next character of `text`: an ill one is shown as one. */
static size_t
char_len(const char *text)
{
	size_t n = utf8_len(text);

	return n > 0 ? n : 1;
}

static size_t
text_columns(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text += char_len(text))
		n++;
	return n;
}

/* How long the name of a primitive and its '=' are where `word` begins with them, else 0. */
static size_t
name_len(const char *word)
{
	size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return n > 0 && word[n] == '=' ? n + 1 : 0;
}

/* The key "src_host=192.0.2.1 proto=tcp" as "192.0.2.1 tcp" to `out` (KEY_OCTETS); may be cut. */
static void
key_values(const char *key, char *out)
{
	size_t n = 0;

	for (bool begins = true; *key != '\0' && n + 1 < KEY_OCTETS; begins = *key++ == ' ') {
		key += begins ? name_len(key) : 0;
		if (*key == '\0')
			break;
		out[n++] = *key;
	}
	out[n] = '\0';
}

/* The same key as "src_host proto". */
static void
key_names(const char *key, char *out)
{
	size_t n = 0, len;

	for (bool begins = true; *key != '\0'; begins = *key++ == ' ') {
		if (!begins || (len = name_len(key)) == 0 || n + len + 1 >= KEY_OCTETS)
			continue;
		n += (size_t)snprintf(out + n, KEY_OCTETS - n, "%s%.*s", n > 0 ? " " : "",
		    (int)len - 1, key);
	}
	out[n] = '\0';
}

/*
 * Write `text` to `out` (LABEL_OCTETS), fit for a legend: `columns` characters
 * (LABEL_MAX at most), cut or filled with blanks, and one more; what is not UTF-8 shown
 * as '?'; colons escaped.
 */
static void
label_make(const char *text, size_t columns, char *out)
{
	size_t all = text_columns(text), n = all > columns ? columns - 2 : all;

	for (size_t i = 0; i < n; i++) {
		size_t len = utf8_len(text);

		if (*text == ':')
			*out++ = '\\';
		if (len == 0)
			*out++ = '?';
		memcpy(out, text, len);
		out += len;
		text += char_len(text);
	}
	for (size_t i = n; i < columns; i++)
		*out++ = all > columns ? '.' : ' ';
	*out++ = ' '; /* a backslash second to last would be an order to librrd */
	*out = '\0';
}

/* "folder/file" as part of a DEF, to `out` (PATH_OCTETS). */
static void
path_escape(const char *folder, const char *file, char *out)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s%s%s", folder, folder[0] != '\0' ? "/" : "", file);
	for (const char *p = path; *p != '\0'; p++) {
		if (*p == ':' || *p == '\\')
			*out++ = '\\';
		*out++ = *p;
	}
	*out = '\0';
}

/* The text of row `i`, to `out` (KEY_OCTETS) where it is not the key itself. */
static const char *
row_text(const struct picture *p, size_t i, bool brief, char *out)
{
	if (!brief)
		return p->rows[i].key;
	key_values(p->rows[i].key, out);
	return out;
}

/* How many characters the longest row has. */
static size_t
rows_columns(const struct picture *p, bool brief)
{
	size_t most = LABEL_MIN;
	char text[KEY_OCTETS];

	for (size_t i = 0; i < p->n; i++) {
		size_t n = text_columns(row_text(p, i, brief, text));

		most = n > most ? n : most;
	}
	return most;
}

/* What the longest key needs and the width has. */
static struct labels
labels_fit(const struct picture *p)
{
	size_t room = (p->width + 90) / GLYPH_PX;
	struct labels l = { 0, false };

	room = room > FIGURES + LABEL_MIN ? room - FIGURES : LABEL_MIN;
	room = room < LABEL_MAX ? room : LABEL_MAX;
	l.brief = rows_columns(p, false) > room;
	l.columns = rows_columns(p, l.brief);
	if (l.columns > room)
		l.columns = room;
	return l;
}

/*
 * The colour of row `i`. Where there are more rows than colours the second time round they
 * are lighter ones, and the third time darker: no two rows look the same.
 */
static void
row_colour(size_t i, char out[7])
{
	unsigned long rgb = strtoul(colours[i % N_COLOURS], NULL, 16), mixed = 0;

	for (unsigned shift = 0; shift < 24; shift += 8) {
		unsigned long c = rgb >> shift & 0xff;

		if (i >= N_COLOURS)
			c = i < 2 * N_COLOURS ? (c + 0xff) / 2 : c / 2;
		mixed |= c << shift;
	}
	snprintf(out, 7, "%06lX", mixed);
}

/*
 * The figures at the end of the legend line of CDEF `name`, of which `most` is as it is, but not
 * averaged over pixels; and where there are none.
 */
static void
figures_add(struct arguments *a, const char *name, const char *most, bool empty)
{
	static const char *const what[] = { "AVERAGE", "MAXIMUM", "LAST" };

	for (size_t i = 0; i < 3; i++) {
		if (empty) {
			argument(a, "COMMENT:%9s%s", "-", i == 2 ? "\\l" : " ");
			continue;
		}
		argument(a, "VDEF:%s_%zu=%s,%s", name, i, i == 1 ? most : name, what[i]);
		argument(a, "GPRINT:%s_%zu:%%8.2lf%%s%s", name, i, i == 2 ? "\\l" : " ");
	}
}

/*
 * CDEF x`i`: row `i` as high as it was. In what its archive `path` (escaped) has for all of the time
 * the highest bin may be averaged with others: so look at all series of maxima that it keeps, as far
 * back as each goes.
 */
static void
row_most_add(struct arguments *a, const struct picture *p, size_t i, const char *path)
{
	struct archive_series series[PROFILE_RRAS];
	const char *function = "MAX";
	char plain[PATH_MAX], rpn[PROFILE_RRAS * 40 + 32];
	size_t n, len = (size_t)snprintf(rpn, sizeof(rpn), "d%zu,UN,0,d%zu,IF", i, i);
	/* librrd rounds the end down to whole pixels. */
	int64_t end = p->end + (p->end - p->start) / p->width;

	snprintf(plain, sizeof(plain), "%s/%s", p->folder, p->rows[i].file);
	if ((n = archive_series(plain, function, series)) == 0)
		n = archive_series(plain, function = "AVERAGE", series);
	for (size_t s = 0; s < n; s++) {
		int64_t start = series[s].first > p->start ? series[s].first : p->start;

		if (start >= p->end)
			continue;
		argument(a, "DEF:m%zu_%zu=%s:bytes:%s:reduce=MAX:step=%" PRIu32 ":start=%" PRId64 ":end=%" PRId64,
		    i, s, path, function, series[s].step_s, start, end);
		argument(a, "VDEF:v%zu_%zu=m%zu_%zu,MAXIMUM", i, s, i, s);
		len += (size_t)snprintf(rpn + len, sizeof(rpn) - len, ",v%zu_%zu,UN,0,v%zu_%zu,IF,MAX", i,
		    s, i, s);
	}
	argument(a, "CDEF:x%zu=%s,8,*", i, rpn);
}

/*
 * The rows, stacked. A row that did not exist yet counts as idle, so that averages are
 * over the time of the picture; but where nobody measured, nothing is known of it.
 */
static void
rows_add(struct arguments *a, const struct picture *p, const struct labels *l)
{
	char label[LABEL_OCTETS], path[PATH_OCTETS], text[KEY_OCTETS], colour[7];

	for (size_t i = 0; i < p->n; i++) {
		char name[24], most[24];

		snprintf(name, sizeof(name), "k%zu", i);
		snprintf(most, sizeof(most), "x%zu", i);
		path_escape(p->folder, p->rows[i].file, path);
		argument(a, "DEF:d%zu=%s:bytes:AVERAGE", i, path);
		argument(a, "CDEF:%s=total,UN,UNKN,d%zu,UN,0,d%zu,IF,8,*,IF", name, i, i);
		label_make(row_text(p, i, l->brief, text), l->columns, label);
		row_colour(i, colour);
		argument(a, "AREA:%s#%s:legend=%s%s", name, colour, label,
		    i > 0 ? ":STACK" : "");
		row_most_add(a, p, i, path);
		figures_add(a, name, most, false);
	}
}

/* What the total holds beyond the rows that are shown. */
static void
rest_add(struct arguments *a, const struct picture *p, size_t columns)
{
	char label[LABEL_OCTETS], text[32], rpn[PICTURE_ROWS_MAX * 8 + 32];
	size_t len = (size_t)snprintf(rpn, sizeof(rpn), "total");

	if (p->rest == 0)
		return;
	for (size_t i = 0; i < p->n; i++)
		len += (size_t)snprintf(rpn + len, sizeof(rpn) - len, ",k%zu,-", i);
	/* Rounding must not make a little less than nothing of it. */
	argument(a, "CDEF:rest=%s,0,MAX", rpn);
	snprintf(text, sizeof(text), "%zu others", p->rest);
	label_make(text, columns, label);
	argument(a, "AREA:rest#" COLOUR_REST ":legend=%s%s", label, p->n > 0 ? ":STACK" : "");
	figures_add(a, "rest", "rest", p->empty);
}

static void
total_add(struct arguments *a, const struct picture *p, size_t columns)
{
	char label[LABEL_OCTETS], path[PATH_OCTETS], rpn[PICTURE_ROWS_MAX * 8 + 32];
	size_t len = (size_t)snprintf(rpn, sizeof(rpn), "u,UN,0,u,IF,8,*");

	/* Nobody keeps its maxima; but it was not less than any row. */
	for (size_t i = 0; i < p->n; i++)
		len += (size_t)snprintf(rpn + len, sizeof(rpn) - len, ",x%zu,MAX", i);
	path_escape("", p->total_path, path);
	argument(a, "DEF:u=%s:rate:AVERAGE:reduce=MAX", path);
	argument(a, "CDEF:most=%s", rpn);
	label_make("total", columns, label);
	argument(a, "LINE1:total#" COLOUR_TOTAL ":legend=%s", label);
	figures_add(a, "total", "most", p->empty);
	label_make("95th percentile of total", columns, label);
	if (p->empty) {
		argument(a, "COMMENT:  %s", label);
		argument(a, "COMMENT:%9s\\l", "-");
		return;
	}
	argument(a, "VDEF:p95=total,95,PERCENTNAN");
	argument(a, "LINE1:p95#" COLOUR_P95 ":legend=%s:dashes=6,3", label);
	argument(a, "GPRINT:p95:%%8.2lf%%s\\l");
}

void
picture_no_data(const struct picture *p, char text[PICTURE_NO_DATA])
{
	const int64_t at[2] = { p->start, p->end };
	char times[2][32];

	for (size_t i = 0; i < 2; i++) {
		time_t t = (time_t)at[i];
		struct tm tm;

		if (localtime_r(&t, &tm) == NULL ||
		    strftime(times[i], sizeof(times[i]), "%Y-%m-%d %H:%M", &tm) == 0)
			snprintf(times[i], sizeof(times[i]), "%" PRId64, at[i]);
	}
	snprintf(text, PICTURE_NO_DATA, "no data from %s to %s in steps of %" PRIu32 " s", times[0],
	    times[1], p->step_s);
}

static void
no_data_add(struct arguments *a, const struct picture *p)
{
	char text[PICTURE_NO_DATA], label[LABEL_OCTETS];

	picture_no_data(p, text);
	label_make(text, text_columns(text), label);
	argument(a, "COMMENT:%s\\c", label);
	argument(a, "COMMENT: \\l");
}

static void
head_add(struct arguments *a, const struct picture *p, const struct labels *l)
{
	char names[KEY_OCTETS] = "", label[LABEL_OCTETS];
	size_t len = strlen(p->file);
	bool svg = len > 4 && strcasecmp(p->file + len - 4, ".svg") == 0;
	char path[PATH_OCTETS];

	argument(a, "graph");
	argument(a, "-"); /* librrd says nothing of a file that it cannot write */
	argument(a, "--imgformat=%s", svg ? "SVG" : "PNG");
	argument(a, "--start=%" PRId64, p->start);
	argument(a, "--end=%" PRId64, p->end);
	argument(a, "--width=%u", p->width);
	argument(a, "--height=%u", p->height);
	argument(a, "--title=%s", p->title);
	argument(a, "--vertical-label=bits/s");
	argument(a, "--lower-limit=0");
	argument(a, "--border=0");
	argument(a, "--color=BACK#FFFFFF");
	argument(a, "--color=ARROW#00000000");
	path_escape("", p->total_path, path);
	argument(a, "DEF:t=%s:rate:AVERAGE", path);
	argument(a, "CDEF:total=t,8,*");
	if (p->empty)
		no_data_add(a, p);
	/* Spaced like a row: its mark and label, then the figures. */
	if (l->brief)
		key_names(p->rows[0].key, names);
	label_make(names, l->columns, label);
	argument(a, "COMMENT:  %s", label);
	argument(a, "COMMENT:%9s ", "average");
	argument(a, "COMMENT:%9s ", "maximum");
	argument(a, "COMMENT:%9s\\l", "last");
}

/* Where a picture is written. */
struct image {
	FILE *f;
	char path[PATH_MAX];  /* of the file itself, */
	char fresh[PATH_MAX]; /* and of what takes its place; empty: it is written in place */
};

/*
 * Open what the picture `file` is written to: a file beside it, with its mode. In place only what
 * is no file: standard output ("-"), a pipe, a device.
 */
static int
image_open(struct image *x, const char *file, struct err *e)
{
	struct stat st = { .st_mode = S_IFREG | 0666 };
	bool there = stat(file, &st) == 0;
	mode_t mask = there ? 0 : umask(0);
	int fd;

	if (!there)
		(void)umask(mask); /* there is no other way to know it */
	x->fresh[0] = '\0';
	if (strcmp(file, "-") == 0 || !S_ISREG(st.st_mode)) {
		x->f = file[0] == '-' && file[1] == '\0' ? stdout : fopen(file, "wb");
		return x->f != NULL ? 0 : err_set(e, WEIR_EIO, "%s: %s", file, strerror(errno));
	}
	/* Where it is a link, that stays. */
	if (realpath(file, x->path) == NULL)
		snprintf(x->path, sizeof(x->path), "%s", file);
	if ((size_t)snprintf(x->fresh, sizeof(x->fresh), "%s.XXXXXX", x->path) >=
	    sizeof(x->fresh))
		return err_set(e, WEIR_EINVAL, "%s: too long a name", file);
	if ((fd = mkostemp(x->fresh, O_CLOEXEC)) < 0)
		return err_set(e, WEIR_EIO, "%s: %s", x->fresh, strerror(errno));
	(void)fchmod(fd, st.st_mode & 0777 & ~mask);
	if ((x->f = fdopen(fd, "wb")) == NULL)
		abort(); /* some octets: the machine is out of memory */
	return 0;
}

/* All is written, unless `why` says that it could not be. Returns 0 or an errno. */
static int
image_close(struct image *x, int why)
{
	if (why == 0 && (fflush(x->f) != 0 || ferror(x->f)))
		why = errno;
	if (x->fresh[0] != '\0' && why == 0 && fsync(fileno(x->f)) != 0)
		why = errno;
	if (x->f != stdout && fclose(x->f) != 0 && why == 0)
		why = errno;
	if (x->fresh[0] == '\0')
		return why;
	if (why == 0 && rename(x->fresh, x->path) != 0)
		why = errno;
	if (why != 0)
		(void)unlink(x->fresh);
	return why;
}

/* Write the picture to its file. What was there stays when that fails. */
static int
image_write(const struct picture *p, const rrd_info_t *info, struct err *e)
{
	struct image x;
	int rc, why = 0;

	while (info != NULL && (strcmp(info->key, "image") != 0 || info->type != RD_I_BLO))
		info = info->next;
	if (info == NULL || info->value.u_blo.size == 0)
		return err_set(e, WEIR_EIO, "%s: no picture came about", p->file);
	if ((rc = image_open(&x, p->file, e)) != 0)
		return rc;
	if (fwrite(info->value.u_blo.ptr, info->value.u_blo.size, 1, x.f) != 1)
		why = errno;
	if ((why = image_close(&x, why)) != 0)
		return err_set(e, WEIR_EIO, "%s: %s", p->file, strerror(why));
	return 0;
}

/* Write the text below the plot, a line for each part of it. */
static void
legend_write(const rrd_info_t *info, FILE *to)
{
	for (; info != NULL; info = info->next)
		if (strncmp(info->key, "legend[", 7) == 0 && info->type == RD_I_STR)
			fprintf(to, "%s\n", info->value.u_str);
}

int
picture_draw(const struct picture *p, struct err *e)
{
	const struct labels labels = labels_fit(p);
	struct arguments a = { NULL, 0 };
	rrd_info_t *info;
	int rc;

	assert(!p->empty || p->n == 0);
	head_add(&a, p, &labels);
	rows_add(&a, p, &labels);
	rest_add(&a, p, labels.columns);
	total_add(&a, p, labels.columns);
	rrd_clear_error();
	/* Newer versions of librrd take const char **. */
	info = rrd_graph_v(a.n, (void *)a.v);
	if (info == NULL)
		rc = err_set(e, WEIR_EIO, "%s: %s", p->file, rrd_get_error());
	else
		rc = image_write(p, info, e);
	if (p->legend != NULL)
		legend_write(info, p->legend);
	rrd_info_free(info);
	arguments_fini(&a);
	return rc;
}
