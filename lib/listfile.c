/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/listfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/infile.h"

/* A file being read. */
struct reader {
	const struct listfile *list;
	FILE *in;
	struct problems *ps;
	struct config_line at;    /* file and line alone */
	size_t from, end;         /* what of `buf` is to be looked at */
	size_t n_taken, n_faults;
	char buf[LISTFILE_LINE_MAX];
};

static void
fault(struct reader *r, const char *text, const char *why)
{
	if (++r->n_faults <= LISTFILE_FAULTS)
		problem_add(r->ps, PROBLEM_WARNING, &r->at, "%s: '%.60s' left out: %s",
		    r->list->directive, text, why);
}

/* Read on behind what is left in the buffer. Returns how many octets came. */
static size_t
buf_fill(struct reader *r)
{
	size_t n;

	memmove(r->buf, r->buf + r->from, r->end - r->from);
	r->end -= r->from;
	r->from = 0;
	n = fread(r->buf + r->end, 1, sizeof(r->buf) - r->end, r->in);
	r->end += n;
	return n;
}

/* Leave out the rest of a line of which the buffer is full. */
static void
line_skip(struct reader *r)
{
	char *newline;

	do {
		r->from = r->end;
		if (buf_fill(r) == 0)
			return;
		newline = memchr(r->buf, '\n', r->end);
	} while (newline == NULL);
	r->from = (size_t)(newline - r->buf) + 1;
}

/*
 * The next line, ended by a NUL in place of its newline, and its length. NULL: there is
 * none. `*cut` tells that it was longer than the buffer: the line is its beginning, and
 * good until line_skip.
 */
static char *
line_next(struct reader *r, size_t *len, bool *cut)
{
	char *newline = memchr(r->buf + r->from, '\n', r->end - r->from), *line;

	*cut = false;
	if (newline == NULL && buf_fill(r) > 0)
		newline = memchr(r->buf, '\n', r->end);
	line = r->buf + r->from;
	if (newline != NULL) {
		*len = (size_t)(newline - line);
		r->from += *len + 1;
	} else {
		*len = r->end - r->from;
		*cut = *len == sizeof(r->buf);
		*len -= *cut;
		r->from = r->end;
		if (*len == 0)
			return NULL;
	}
	line[*len] = '\0';
	return line;
}

/* Cut `line` at its comment and take its blanks out. Returns whether there was a comment. */
static bool
line_clean(char *line)
{
	char *to = line;

	for (; *line != '\0' && *line != '!' && *line != '#'; line++)
		if (*line != ' ' && *line != '\t' && *line != '\r')
			*to++ = *line;
	if (*line == '\0') {
		*to = '\0';
		return false;
	}
	*to = '\0';
	return true;
}

static int
line_take(struct reader *r, void *arg, char *line, size_t len, bool cut, struct err *e)
{
	char shown[64];
	struct err why = ERR_INIT;
	bool nul = strlen(line) < len;
	size_t shown_len;
	int rc;

	if (!line_clean(line) && (nul || cut)) {
		fault(r, line, nul ? "a NUL octet; is this a text file?" : "a line too long");
		return 0;
	}
	if (*line == '\0')
		return 0;
	shown_len = strnlen(line, sizeof(shown) - 1);
	memcpy(shown, line, shown_len);
	shown[shown_len] = '\0';
	rc = r->list->take(arg, line, &why);
	if (rc == 0) {
		r->n_taken++;
	} else if (rc == -WEIR_EINVAL) {
		fault(r, shown, why.text);
		rc = 0;
	} else {
		err_set(e, WEIR_ENOMEM, "%s %s: %s", r->list->directive, r->at.file, why.text);
	}
	return rc;
}

static int
lines_read(struct reader *r, void *arg, struct err *e)
{
	char *line;
	size_t len;
	bool cut;
	int rc = 0;

	while (rc == 0 && (line = line_next(r, &len, &cut)) != NULL) {
		r->at.line++;
		rc = line_take(r, arg, line, len, cut, e);
		if (cut)
			line_skip(r);
	}
	if (rc == 0 && ferror(r->in))
		rc = err_set(e, WEIR_EIO, "%s %s: %s", r->list->directive, r->at.file,
		    infile_error(errno));
	if (rc == 0 && r->n_faults > LISTFILE_FAULTS)
		problem_add(r->ps, PROBLEM_WARNING, NULL, "%s %s: %zu lines left out in all",
		    r->list->directive, r->at.file, r->n_faults);
	if (rc == 0 && r->n_faults > 0 && r->n_taken == 0)
		rc = err_set(e, WEIR_EINVAL, "%s %s: not one line can be read; is this the "
		    "right file?", r->list->directive, r->at.file);
	return rc;
}

int
listfile_read(const struct listfile *l, const char *path, void *arg, struct problems *ps,
    struct err *e)
{
	struct reader *r = malloc(sizeof(*r));
	int rc;

	if (r == NULL)
		return err_set(e, WEIR_ENOMEM, "%s %s: no memory", l->directive, path);
	r->list = l;
	r->ps = ps;
	r->at = (struct config_line){ .file = path };
	r->from = r->end = r->n_taken = r->n_faults = 0;
	r->in = infile_open(path, INFILE_MAX, NULL);
	if (r->in == NULL) {
		rc = err_set(e, WEIR_EIO, "%s %s: %s", l->directive, path, infile_error(errno));
	} else {
		rc = lines_read(r, arg, e);
		fclose(r->in);
	}
	free(r);
	return rc;
}
