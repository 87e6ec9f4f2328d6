/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/patterns.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "lib/infile.h"
#include "lib/intern.h"
#include "lib/log.h"

#define PATTERNS_MAX 100000U
#define FILE_MAX (1U << 20) /* octets: weir reads its first two lines that count */
#define LINE_MAX_OCTETS 8192U
#define STEPS_MAX 20000U /* of one match; a sane one takes tens */
#define HEAP_KIB  256U
#define GIVE_UPS_OF_TEXT    4U  /* then no more patterns look at it, */
#define GIVE_UPS_OF_PATTERN 16U /* and this one is asked no more */

struct pattern {
	uint32_t class_id;
	pcre2_code *code;
};

struct patterns {
	uint32_t n, room;
	struct pattern *list;
};

struct patterns_scratch {
	pcre2_match_data *data;
	pcre2_match_context *context;
	uint8_t *given_up; /* by pattern */
};

enum line {
	LINE_SOME,
	LINE_NONE,
	LINE_LONG,
	LINE_LOST,               /* it could not be read: errno says why */
};

/* The next line of `f` that means something, without blanks around. */
static enum line
line_next(FILE *f, char *line, unsigned *no)
{
	while (fgets(line, LINE_MAX_OCTETS, f) != NULL) {
		size_t len = strlen(line);

		(*no)++;
		if (len == LINE_MAX_OCTETS - 1 && line[len - 1] != '\n')
			return LINE_LONG;
		while (len > 0 && strchr(" \t\r\n", line[len - 1]) != NULL)
			line[--len] = '\0';
		len = strspn(line, " \t");
		memmove(line, line + len, strlen(line + len) + 1);
		if (line[0] != '\0' && line[0] != '#')
			return LINE_SOME;
	}
	return ferror(f) ? LINE_LOST : LINE_NONE;
}

static void
fault(struct problems *ps, const char *path, unsigned line, const char *what)
{
	const struct config_line at = { .file = path, .line = line };

	problem_add(ps, PROBLEM_ERROR, &at, "%s", what);
}

static pcre2_code *
expression_compile(const char *text, char *why, size_t room)
{
	PCRE2_SIZE at;
	int code;
	pcre2_code *c = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
	    PCRE2_CASELESS | PCRE2_DOTALL | PCRE2_NEVER_UTF | PCRE2_NEVER_BACKSLASH_C, &code,
	    &at, NULL);
	PCRE2_UCHAR message[128];

	if (c == NULL) {
		pcre2_get_error_message(code, message, sizeof(message));
		snprintf(why, room, "the regular expression, at character %zu: %s", at + 1,
		    (const char *)message);
		return NULL;
	}
	(void)pcre2_jit_compile(c, PCRE2_JIT_COMPLETE); /* without it, it is slower */
	return c;
}

static bool
pattern_add(struct patterns *p, const char *name, pcre2_code *code)
{
	if (p->n == p->room) {
		uint32_t room = p->room != 0 ? 2 * p->room : 64;
		struct pattern *list = realloc(p->list, room * sizeof(*list));

		if (list == NULL)
			return false;
		p->list = list;
		p->room = room;
	}
	p->list[p->n++] =
	    (struct pattern){ .class_id = intern(name, strlen(name)), .code = code };
	return true;
}

/* Read the two lines of `f` that count; else tell what is wrong. */
static bool
lines_read(FILE *f, char *name, char *text, const char *path, unsigned *line,
    struct problems *ps)
{
	enum line got = line_next(f, name, line);

	if (got == LINE_SOME && strlen(name) > INTERN_MAX_LEN) {
		fault(ps, path, *line, "the class is longer than 255 octets");
		return false;
	}
	if (got == LINE_SOME)
		got = line_next(f, text, line);
	if (got == LINE_NONE)
		fault(ps, path, *line, "ends early: write the class in one line, and a regular "
				       "expression in the next");
	else if (got == LINE_LONG)
		fault(ps, path, *line, "longer than 8190 octets: write less in a line");
	else if (got == LINE_LOST)
		fault(ps, path, 0, infile_error(errno));
	return got == LINE_SOME;
}

static void
file_read(struct patterns *p, const char *path, struct problems *ps)
{
	char name[LINE_MAX_OCTETS], text[LINE_MAX_OCTETS], why[256];
	FILE *f = infile_open(path, FILE_MAX, NULL);
	unsigned line = 0;
	pcre2_code *code;

	if (f == NULL) {
		fault(ps, path, 0, infile_error(errno));
		return;
	}
	if (!lines_read(f, name, text, path, &line, ps)) {
		/* told */
	} else if ((code = expression_compile(text, why, sizeof(why))) == NULL) {
		fault(ps, path, line, why);
	} else if (p->n == PATTERNS_MAX || !pattern_add(p, name, code)) {
		pcre2_code_free(code);
		fault(ps, path, line, "too many patterns");
	}
	fclose(f);
}

static int
is_pattern(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return d->d_name[0] != '.' && len > 4 && strcmp(d->d_name + len - 4, ".pat") == 0;
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

struct patterns *
patterns_read(const char *path, struct problems *ps, struct err *e)
{
	struct patterns *p = calloc(1, sizeof(*p));
	struct dirent **files;
	int n = p != NULL ? scandir(path, &files, is_pattern, by_name) : -1;

	if (n < 0) {
		err_set(e, WEIR_EIO, "%s: %s", path, strerror(errno));
		free(p);
		return NULL;
	}
	for (int i = 0; i < n; i++) {
		char file[PATH_MAX];

		snprintf(file, sizeof(file), "%s/%s", path, files[i]->d_name);
		file_read(p, file, ps);
		free(files[i]);
	}
	free(files);
	return p;
}

void
patterns_free(struct patterns *p)
{
	if (p == NULL)
		return;
	for (uint32_t i = 0; i < p->n; i++)
		pcre2_code_free(p->list[i].code);
	free(p->list);
	free(p);
}

uint32_t
patterns_count(const struct patterns *p)
{
	return p->n;
}

struct patterns_scratch *
patterns_scratch_new(const struct patterns *p)
{
	struct patterns_scratch *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->given_up = calloc(p->n + 1, sizeof(*s->given_up));
	s->data = pcre2_match_data_create(1, NULL);
	s->context = pcre2_match_context_create(NULL);
	if (s->given_up == NULL || s->data == NULL || s->context == NULL) {
		patterns_scratch_free(s);
		return NULL;
	}
	pcre2_set_match_limit(s->context, STEPS_MAX);
	pcre2_set_depth_limit(s->context, STEPS_MAX);
	pcre2_set_heap_limit(s->context, HEAP_KIB);
	return s;
}

void
patterns_scratch_free(struct patterns_scratch *s)
{
	if (s == NULL)
		return;
	pcre2_match_data_free(s->data);
	pcre2_match_context_free(s->context);
	free(s->given_up);
	free(s);
}

/* Pattern `i` took too many steps. */
static void
match_give_up(const struct patterns *p, struct patterns_scratch *s, uint32_t i)
{
	if (++s->given_up[i] == GIVE_UPS_OF_PATTERN)
		log_warn("classifiers: the pattern of class %s takes too long again and again, "
			 "and is asked no more: write a simpler one",
		    intern_text(p->list[i].class_id));
}

uint32_t
patterns_match(const struct patterns *p, struct patterns_scratch *s, const uint8_t *text,
    size_t octets, uint64_t *given_up)
{
	unsigned given = 0;

	for (uint32_t i = 0; i < p->n && given < GIVE_UPS_OF_TEXT; i++) {
		int rc;

		if (s->given_up[i] == GIVE_UPS_OF_PATTERN)
			continue;
		rc = pcre2_match(p->list[i].code, text, octets, 0, 0, s->data, s->context);
		if (rc >= 0)
			return p->list[i].class_id;
		if (rc == PCRE2_ERROR_NOMATCH)
			continue;
		match_give_up(p, s, i);
		given++;
		++*given_up;
	}
	return 0;
}
