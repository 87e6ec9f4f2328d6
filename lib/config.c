/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration as lines, and the problems found in them. The prototypes are in
 * lib/directive.h: a lib/config.h would stand in front of autoconf's config.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "lib/directive.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "lib/infile.h"
#include "lib/log.h"

#define CONFIG_MAX (4U << 20) /* octets of a file */
#define BLANKS " \t\r\n\v\f"

/* Memory that runs out while a configuration is read is the end. */
static void *
must(void *p)
{
	if (p == NULL) {
		log_err("configuration: out of memory");
		exit(EXIT_FAILURE);
	}
	return p;
}

static bool
is_blank(char c)
{
	return c != '\0' && strchr(BLANKS, c) != NULL;
}

/* Cut the blanks off both ends of `s`, in place. Returns where it starts now. */
static char *
trim(char *s)
{
	size_t n;

	s += strspn(s, BLANKS);
	n = strlen(s);
	while (n > 0 && is_blank(s[n - 1]))
		n--;
	s[n] = '\0';
	return s;
}

/* Remove all blanks from `s` and lower its letters, in place. */
static void
key_fold(char *s)
{
	char *to = s;

	for (; *s != '\0'; s++)
		if (!is_blank(*s))
			*to++ = *s >= 'A' && *s <= 'Z' ? (char)(*s - 'A' + 'a') : *s;
	*to = '\0';
}

void
problem_add(struct problems *ps, enum problem_level level, const struct config_line *at,
    const char *fmt, ...)
{
	struct problem p = { .level = level, .placed = at != NULL };
	size_t n = 0;
	va_list ap;

	if (ps->kept[level] == PROBLEMS_MAX) {
		ps->left[level]++;
		ps->n_errors += level == PROBLEM_ERROR;
		return;
	}
	if (at != NULL && at->line > 0)
		n = (size_t)snprintf(
		    p.text, sizeof(p.text), "%s:%u: ", at->file, at->line);
	else if (at != NULL)
		n = (size_t)snprintf(p.text, sizeof(p.text), "%s: ", at->file);
	if (n < sizeof(p.text)) {
		va_start(ap, fmt);
		vsnprintf(p.text + n, sizeof(p.text) - n, fmt, ap);
		va_end(ap);
	}
	for (char *c = p.text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';

	/* A line that concerns several plugins is looked at for each of them. */
	for (size_t i = 0; i < ps->n; i++)
		if (ps->list[i].level == level && strcmp(ps->list[i].text, p.text) == 0)
			return;
	if ((ps->n & (ps->n - 1)) == 0) /* full at every power of two */
		ps->list = must(realloc(
		    ps->list, (ps->n == 0 ? 1 : 2 * ps->n) * sizeof(*ps->list)));
	ps->list[ps->n++] = p;
	ps->kept[level]++;
	ps->n_errors += level == PROBLEM_ERROR;
}

void
problems_free(struct problems *ps)
{
	free(ps->list);
	*ps = (struct problems){ 0 };
}

/* A copy of `name` that lives as long as `c`. */
static const char *
file_keep(struct config *c, const char *name)
{
	for (size_t i = 0; i < c->n_files; i++)
		if (strcmp(c->files[i], name) == 0)
			return c->files[i];
	c->files = must(realloc(c->files, (c->n_files + 1) * sizeof(*c->files)));
	c->files[c->n_files] = must(strdup(name));
	return c->files[c->n_files++];
}

/* Append `l` with copies of its three strings. */
static void
line_append(struct config *c, const struct config_line *l)
{
	struct config_line *to;

	if (c->n == c->room) {
		c->room = c->room == 0 ? 64 : 2 * c->room;
		c->lines = must(realloc(c->lines, c->room * sizeof(*c->lines)));
	}
	to = &c->lines[c->n++];
	*to = *l;
	to->key = must(strdup(l->key));
	to->plugin = l->plugin != NULL ? must(strdup(l->plugin)) : NULL;
	to->value = must(strdup(l->value));
}

void
config_add(struct config *c, const char *source, const char *key, const char *plugin,
    const char *value)
{
	char *k = must(strdup(key)), *v = must(strdup(value));
	char *p = plugin != NULL ? must(strdup(plugin)) : NULL;

	key_fold(k);
	line_append(c, &(struct config_line){ .key = k, .plugin = p, .value = trim(v),
	    .file = file_keep(c, source) });
	free(k);
	free(v);
	free(p);
}

/*
 * Take `text`, what stands before the colon, apart into `l->key` and `l->plugin`, which
 * point into it. Returns what is wrong with it, or NULL.
 */
static const char *
key_split(char *text, struct config_line *l)
{
	char *open = strchr(text, '['), *close = strchr(text, ']');

	if (open != NULL || close != NULL) {
		if (open == NULL || close == NULL || close < open ||
		    strchr(open + 1, '[') != NULL || strchr(close + 1, ']') != NULL)
			return "brackets that do not match";
		*open = *close = '\0';
		if (*trim(close + 1) != '\0')
			return "text between ']' and ':'";
		l->plugin = trim(open + 1);
		if (*l->plugin == '\0')
			return "no plugin name between '[' and ']'";
	}
	key_fold(text);
	l->key = text;
	return *text == '\0' ? "no name before the colon" : NULL;
}

/* Complain of a line without a colon, and guess where it belongs. */
static void
line_no_colon(struct problems *ps, const struct config_line *at, const char *text)
{
	size_t word = strcspn(text, BLANKS "=");
	const char *value = text + word + strspn(text + word, BLANKS "=");

	problem_add(ps, PROBLEM_ERROR, at,
	    "no colon in '%.60s'; write '%.*s: %.60s', or start a comment with '!'",
	    text, word > 60 ? 60 : (int)word, text, *value != '\0' ? value : "value");
}

/* Take in one line of a file: `text`, of `len` octets, is scribbled on. */
static void
line_parse(struct config *c, struct config_line at, char *text, size_t len,
    struct problems *ps)
{
	const char *fault;
	char *colon;

	if (strlen(text) != len) {
		problem_add(
		    ps, PROBLEM_ERROR, &at, "a NUL octet; is this a text file?");
		return;
	}
	if (at.line == 1 && strncmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3; /* byte order mark */
	text = trim(text);
	if (*text == '\0' || *text == '!' || *text == '#')
		return;
	colon = strchr(text, ':');
	if (colon == NULL) {
		line_no_colon(ps, &at, text);
		return;
	}
	*colon = '\0';
	at.value = trim(colon + 1);
	fault = key_split(text, &at);
	if (fault != NULL)
		problem_add(ps, PROBLEM_ERROR, &at,
		    "%s; write 'key: value' or 'key[plugin]: value'", fault);
	else
		line_append(c, &at);
}

int
config_read(struct config *c, const char *path, struct problems *ps, struct err *e)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *f = is_stdin ? infile_stdin(CONFIG_MAX) : infile_open(path, CONFIG_MAX, NULL);
	const char *name = file_keep(c, is_stdin ? "standard input" : path);
	struct config_line at = { .file = name };
	char *text = NULL;
	size_t room = 0;
	ssize_t n;
	int rc = 0;

	if (f == NULL)
		return err_set(e, WEIR_EIO, "%s: %s", name, infile_error(errno));
	while ((n = getline(&text, &room, f)) >= 0) {
		at.line++;
		line_parse(c, at, text, (size_t)n, ps);
	}
	if (!feof(f))
		rc = err_set(e, WEIR_EIO, "%s: %s", name, infile_error(errno));
	free(text);
	fclose(f);
	return rc;
}

const char *
config_get(struct config *c, const char *key)
{
	const char *value = NULL;

	for (size_t i = 0; i < c->n; i++) {
		struct config_line *l = &c->lines[i];

		if (l->plugin == NULL && strcmp(l->key, key) == 0) {
			l->used = true;
			value = l->value;
		}
	}
	return value;
}

void
config_free(struct config *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->lines[i].key);
		free(c->lines[i].plugin);
		free(c->lines[i].value);
	}
	free(c->lines);
	for (size_t i = 0; i < c->n_files; i++)
		free(c->files[i]);
	free(c->files);
	*c = (struct config){ 0 };
}
