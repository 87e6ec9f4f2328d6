/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/mapfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/infile.h"
#include "lib/ip.h"
#include "lib/utf8.h"
#include "lib/value.h"

#define BLANKS " \t\r\n\v\f"

/* A file being read. */
struct reader {
	const struct mapfile *map;
	void *arg;
	struct problems *ps;
	struct err *e;
	struct mapfile_rule rule; /* the one at hand, */
	char text[MAPFILE_LINE_MAX]; /* as it was written */
	void *values;
};

/* A directive of `type` with the bounds of `k`, to read numbers and addresses alike. */
static int
value_of_type(enum directive_type type, const struct mapfile_key *k, const char *text,
    void *at, struct err *why)
{
	struct directive d = { .type = type, .min = k->min, .max = k->max };

	return value_parse(&d, text, at, why);
}

int
mapfile_u32(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	return value_of_type(DIRECTIVE_U32, k, text, at, why);
}

int
mapfile_u64(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	return value_of_type(DIRECTIVE_U64, k, text, at, why);
}

int
mapfile_uint(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	struct mapfile_key wide = *k;
	uint64_t v;
	int rc;

	if (wide.max == 0)
		wide.max = UINT64_MAX >> (64 - 8 * k->octets);
	rc = mapfile_u64(&wide, text, &v, why);
	if (rc != 0)
		return rc;
	switch (k->octets) {
	case 1:
		*(uint8_t *)at = (uint8_t)v;
		break;
	case 2:
		memcpy(at, &(uint16_t){ (uint16_t)v }, sizeof(uint16_t));
		break;
	case 4:
		memcpy(at, &(uint32_t){ (uint32_t)v }, sizeof(uint32_t));
		break;
	default:
		memcpy(at, &v, sizeof(v));
		break;
	}
	return 0;
}

int
mapfile_bool(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	bool v;
	int rc = value_of_type(DIRECTIVE_BOOL, k, text, &v, why);

	if (rc == 0)
		*(uint8_t *)at = v;
	return rc;
}

int
mapfile_mac(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	(void)k;
	if (mac_parse(text, at) != 0)
		return err_set(why, WEIR_EINVAL,
		    "'%s' is not a MAC address; write one like 00:1b:2c:3d:4e:5f", text);
	return 0;
}

int
mapfile_ip(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	return value_of_type(DIRECTIVE_IP, k, text, at, why);
}

int
mapfile_prefix(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	(void)k;
	if (prefix_parse(text, at, NULL) != 0)
		return err_set(why, WEIR_EINVAL,
		    "'%s' is neither an address nor a prefix; write one like 192.0.2.1 "
		    "or 2001:db8::/32",
		    text);
	return 0;
}

int
mapfile_text(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	(void)k;
	(void)why;
	memcpy(at, &text, sizeof(text));
	return 0;
}

/* The row of key `name`, an old name's new one; NULL when there is none. */
static const struct mapfile_key *
key_find(const struct mapfile *m, const char *name)
{
	for (const struct mapfile_key *k = m->keys; k->name != NULL; k++)
		if (strcmp(k->name, name) == 0)
			return k->alias_of != NULL ? key_find(m, k->alias_of) : k;
	return NULL;
}

/* The one of `names` that ends as `name` does, behind a '_': set_tag for tag. NULL: none. */
static const char *
key_longer(const char *name, const char *const *names, size_t n)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < n; i++) {
		size_t all = strlen(names[i]);

		if (all > len && names[i][all - len - 1] == '_' &&
		    strcmp(names[i] + all - len, name) == 0)
			return names[i];
	}
	return NULL;
}

/* Write `names` to `to`, as many as there is room for, whole. */
static void
keys_list(char *to, size_t room, const char *const *names, size_t n)
{
	size_t len = 0;

	*to = '\0';
	for (size_t i = 0; i < n; i++) {
		const char *gap = i > 0 ? ", " : "";

		if (len + strlen(gap) + strlen(names[i]) + sizeof(", ...") > room) {
			snprintf(to + len, room - len, ", ...");
			return;
		}
		len += (size_t)snprintf(to + len, room - len, "%s%s", gap, names[i]);
	}
}

static void
key_unknown(const struct reader *r, const char *name)
{
	const char *names[MAPFILE_KEYS], *near;
	char all[300];
	size_t n = 0;

	for (const struct mapfile_key *k = r->map->keys; k->name != NULL; k++)
		if (strcmp(k->name, MAPFILE_OTHERS) != 0)
			names[n++] = k->name;
	near = nearest_word(name, names, n);
	if (near == NULL)
		near = key_longer(name, names, n);
	if (near != NULL) {
		problem_add(r->ps, PROBLEM_ERROR, &r->rule.at,
		    "%s: unknown key '%.64s'; did you mean '%s'?", r->map->directive, name,
		    near);
		return;
	}
	keys_list(all, sizeof(all), names, n);
	problem_add(r->ps, PROBLEM_ERROR, &r->rule.at, "%s: unknown key '%.64s'; there are %s",
	    r->map->directive, name, all);
}

/*
 * Cut the next word off `*line`, its quotes taken out. NULL when there is none; `*open`
 * tells that the line ends within quotes.
 */
static char *
word_next(char **line, bool *open)
{
	char *from = *line + strspn(*line, BLANKS), *word = from, *to = from;

	*open = false;
	if (*from == '\0')
		return NULL;
	for (; *from != '\0' && (*open || strchr(BLANKS, *from) == NULL); from++)
		if (*from == '\'')
			*open = !*open;
		else
			*to++ = *from;
	*line = *from != '\0' ? from + 1 : from;
	*to = '\0';
	return word;
}

/* Take in a word whose key is in no row; `equals` is where its '=' stood. */
static bool
other_take(struct reader *r, char *word, char *equals)
{
	const struct mapfile_key *k = key_find(r->map, MAPFILE_OTHERS);
	struct err why = ERR_INIT;
	int rc = -WEIR_ENOENT;

	if (k != NULL) {
		*equals = '=';
		rc = k->parse(k, word, (char *)r->values + k->offset, &why);
		*equals = '\0';
	}
	if (rc == -WEIR_ENOENT)
		key_unknown(r, word);
	else if (rc != 0)
		problem_add(r->ps, PROBLEM_ERROR, &r->rule.at, "%s: %s", r->map->directive,
		    why.text);
	return rc == 0;
}

/* Take in one `key=value`. Returns false when something is wrong with it, and said. */
static bool
word_take(struct reader *r, char *word)
{
	char *value = strchr(word, '=');
	const struct mapfile_key *k;
	struct err why = ERR_INIT;
	uint64_t bit;

	if (value == NULL || value == word || value[1] == '\0') {
		problem_add(r->ps, PROBLEM_ERROR, &r->rule.at,
		    "%s: '%.64s' is no rule's word; write key=value, without blanks "
		    "around '='",
		    r->map->directive, word);
		return false;
	}
	*value = '\0';
	k = key_find(r->map, word);
	if (k == NULL || strcmp(k->name, MAPFILE_OTHERS) == 0)
		return other_take(r, word, value);
	value++;
	bit = UINT64_C(1) << (k - r->map->keys);
	if ((r->rule.given & bit) != 0) {
		problem_add(r->ps, PROBLEM_ERROR, &r->rule.at,
		    "%s: '%s' stands twice in one rule", r->map->directive, k->name);
		return false;
	}
	if (k->negates && *value == '-') {
		r->rule.negated |= bit;
		value++;
	}
	if (k->parse(k, value, (char *)r->values + k->offset, &why) != 0) {
		problem_add(r->ps, PROBLEM_ERROR, &r->rule.at, "%s: %s: %s",
		    r->map->directive, k->name, why.text);
		return false;
	}
	r->rule.given |= bit;
	return true;
}

/* Read the rule in `line`, which is scribbled on, and hand it over when it is whole. */
static int
rule_read(struct reader *r, char *line)
{
	bool fine = true, open;
	size_t len;

	line += strspn(line, BLANKS);
	strcpy(r->text, line);
	for (len = strlen(line); len > 0 && strchr(BLANKS, line[len - 1]) != NULL;)
		r->text[--len] = '\0';
	r->rule.text = r->text;
	r->rule.given = r->rule.negated = 0;
	memset(r->values, 0, r->map->rule_octets);
	for (char *word = word_next(&line, &open); word != NULL && fine;
	     word = word_next(&line, &open)) {
		fine = !open && word_take(r, word);
		if (open)
			problem_add(r->ps, PROBLEM_ERROR, &r->rule.at,
			    "%s: a quote is not closed", r->map->directive);
	}
	return fine ? r->map->take(r->arg, &r->rule, r->values, r->ps, r->e) : 0;
}

static bool
line_is_rule(const char *line)
{
	line += strspn(line, BLANKS);
	return *line != '\0' && *line != '!' && *line != '#';
}

enum line { LINE_WHOLE, LINE_NUL, LINE_LONG, LINE_NONE };

/* Read the next line, without its newline, into `line` (MAPFILE_LINE_MAX). */
static enum line
line_get(FILE *in, char *line)
{
	enum line found = LINE_WHOLE;
	size_t len = 0;
	int c;

	while ((c = getc(in)) != EOF && c != '\n') {
		if (len + 1 == MAPFILE_LINE_MAX)
			found = LINE_LONG;
		else
			line[len++] = (char)c;
		if (c == '\0' && found == LINE_WHOLE)
			found = LINE_NUL;
	}
	line[len] = '\0';
	return c == EOF && len == 0 ? LINE_NONE : found;
}

static int
line_read(struct reader *r, enum line found, char *line)
{
	const char *what = r->map->directive;

	if (found == LINE_WHOLE && !line_is_rule(line))
		return 0;
	if (found == LINE_WHOLE && utf8_is_text(line))
		return rule_read(r, line);
	if (found == LINE_WHOLE)
		problem_add(r->ps, PROBLEM_ERROR, &r->rule.at,
		    "%s: octets that are no UTF-8; is this a text file?", what);
	else if (found == LINE_NUL)
		problem_add(r->ps, PROBLEM_ERROR, &r->rule.at,
		    "%s: a NUL octet; is this a text file?", what);
	else
		problem_add(r->ps, PROBLEM_ERROR, &r->rule.at,
		    "%s: more than %u octets in one line", what, MAPFILE_LINE_MAX - 1);
	return 0;
}

static int
lines_read(struct reader *r, FILE *in)
{
	size_t enough = r->ps->n_errors + MAPFILE_FAULTS;
	char line[MAPFILE_LINE_MAX];
	enum line found;
	int rc = 0;

	while (rc == 0 && (found = line_get(in, line)) != LINE_NONE) {
		r->rule.at.line++;
		rc = line_read(r, found, line);
		if (r->ps->n_errors < enough)
			continue;
		problem_add(r->ps, PROBLEM_ERROR, &r->rule.at,
		    "%s: %u faults: the rest is not looked at", r->map->directive,
		    MAPFILE_FAULTS);
		return rc;
	}
	if (rc == 0 && ferror(in))
		rc = err_set(r->e, WEIR_EIO, "%s %s: %s", r->map->directive,
		    r->rule.at.file, infile_error(errno));
	return rc;
}

int
mapfile_read(const struct mapfile *m, const char *path, void *arg, struct problems *ps,
    struct err *e)
{
	struct reader r = { .map = m, .arg = arg, .ps = ps, .e = e };
	FILE *in = infile_open(path, INFILE_MAX, NULL);
	int rc;

	if (in == NULL)
		return err_set(
		    e, WEIR_EIO, "%s %s: %s", m->directive, path, infile_error(errno));
	r.rule.at.file = path;
	r.values = calloc(1, m->rule_octets);
	if (r.values == NULL)
		rc = err_set(e, WEIR_ENOMEM, "%s %s: no memory", m->directive, path);
	else
		rc = lines_read(&r, in);
	free(r.values);
	fclose(in);
	return rc;
}
