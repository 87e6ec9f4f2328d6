/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/directive.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/value.h"

#define NEAR_MAX 64  /* longer words are near to nothing */

/* Does the row put something into the config struct? */
static bool
row_has_value(const struct directive *d)
{
	return d->alias_of == NULL && d->type != DIRECTIVE_NOTICE &&
	    d->type != DIRECTIVE_REFUSED;
}

/* Does the row speak for all plugins, so that a suffix means nothing? */
static bool
row_is_global(const struct directive *d)
{
	return d->scope == DIRECTIVE_GLOBAL || !row_has_value(d);
}

static void *
row_member(const struct directive *d, void *config)
{
	return (char *)config + d->offset;
}

static const void *
row_member_const(const struct directive *d, const void *config)
{
	return (const char *)config + d->offset;
}

/* Is the row for all keys that begin as its name does? */
static bool
row_is_family(const struct directive *d)
{
	return d->name[strlen(d->name) - 1] == '*';
}

/* The row that `key` means, an old name's new one, its family's, or NULL. */
static const struct directive *
set_find(const struct directive_set *set, const char *key)
{
	for (const struct directive *d = set->rows; d->name != NULL; d++)
		if (strcmp(d->name, key) == 0) {
			if (d->alias_of == NULL)
				return d;
			d = set_find(set, d->alias_of);
			assert(d != NULL);
			return d;
		}
	for (const struct directive *d = set->rows; d->name != NULL; d++)
		if (row_is_family(d) && strncmp(d->name, key, strlen(d->name) - 1) == 0)
			return d;
	return NULL;
}

static void
set_defaults(const struct directive_set *set, void *out)
{
	memset(out, 0, set->config_octets);
	for (const struct directive *d = set->rows; d->name != NULL; d++)
		if (row_has_value(d) && d->def != NULL) {
			int rc = value_parse(d, d->def, row_member(d, out), NULL);

			assert(rc == 0);
			(void)rc;
		}
}

/* How a line stands to a plugin; the stronger is applied later. */
enum rank { RANK_OTHERS, RANK_ALL, RANK_NAMED };

static enum rank
line_rank(const struct config_line *l, const struct directive *d, const char *plugin)
{
	if (l->plugin == NULL || row_is_global(d))
		return RANK_ALL;
	if (plugin != NULL && strcmp(l->plugin, plugin) == 0)
		return RANK_NAMED;
	return RANK_OTHERS;
}

/* Put the value of `l` where row `d` says, or say why not. */
static void
line_take(struct config_line *l, const struct directive *d, void *out,
    struct problems *ps)
{
	struct err why = ERR_INIT;

	l->used = true;
	if (d->type == DIRECTIVE_NOTICE) {
		problem_add(ps, PROBLEM_NOTICE, l, "'%s' does nothing here: %s", l->key,
		    d->doc);
		return;
	}
	if (d->type == DIRECTIVE_REFUSED) {
		if (strcasecmp(l->value, "false") == 0)
			return; /* off is what it is */
		problem_add(ps, PROBLEM_ERROR, l, "'%s' is not supported: %s", l->key,
		    d->doc);
		return;
	}
	if (d->scope == DIRECTIVE_NAMED && l->plugin == NULL) {
		problem_add(ps, PROBLEM_ERROR, l,
		    "'%s' is for one plugin; write '%s[plugin]: %s'", l->key, l->key,
		    l->value);
		return;
	}
	if (d->scope == DIRECTIVE_GLOBAL && l->plugin != NULL)
		problem_add(ps, PROBLEM_NOTICE, l,
		    "'%s' is for the whole daemon; '[%s]' is dropped", l->key,
		    l->plugin);
	if (value_parse(d, l->value, row_member(d, out), &why) != 0)
		problem_add(ps, PROBLEM_ERROR, l, "%s: %s%s", l->key, why.text,
		    strstr(l->value, " #") != NULL || strstr(l->value, " !") != NULL
			? "; a comment has a line of its own"
			: "");
}

void
directive_apply(const struct directive_set *set, struct config *c, const char *plugin,
    void *out, struct problems *ps)
{
	set_defaults(set, out);
	for (enum rank rank = RANK_ALL; rank <= RANK_NAMED; rank++)
		for (size_t i = 0; i < c->n; i++) {
			struct config_line *l = &c->lines[i];
			const struct directive *d = set_find(set, l->key);

			if (d != NULL && line_rank(l, d, plugin) == rank)
				line_take(l, d, out, ps);
		}
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * Edit distance of `a` and `b` (both at most NEAR_MAX long): octets put in, left out,
 * mistaken, or swapped with their neighbour.
 */
static size_t
word_distance(const char *a, const char *b)
{
	size_t rows[3][NEAR_MAX + 1], len = strlen(b);
	size_t *before = rows[0], *last = rows[1], *row = rows[2];

	for (size_t j = 0; j <= len; j++)
		last[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t *spare = before;

		row[0] = i;
		for (size_t j = 1; j <= len; j++) {
			row[j] = least(last[j], row[j - 1]) + 1;
			row[j] = least(row[j], last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
		before = last;
		last = row;
		row = spare;
	}
	return last[len];
}

const char *
nearest_word(const char *typo, const char *const *words, size_t n)
{
	size_t len = strlen(typo), nearest = len / 3 + 1;
	const char *found = NULL;

	if (len > NEAR_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t distance;

		if (strlen(words[i]) > NEAR_MAX)
			continue;
		distance = word_distance(typo, words[i]);
		if (distance < nearest) {
			nearest = distance;
			found = words[i];
		}
	}
	return found;
}

/* Complain `what` of `word`, with the nearest of `words`. */
static void
word_unknown(struct problems *ps, enum problem_level level,
    const struct config_line *at, const char *what, const char *word,
    const char *const *words, size_t n)
{
	const char *near =
	    ps->kept[level] < PROBLEMS_MAX ? nearest_word(word, words, n) : NULL;

	problem_add(ps, level, at, "%s '%s'%s%s%s", what, word,
	    near != NULL ? "; did you mean '" : "", near != NULL ? near : "",
	    near != NULL ? "'?" : "");
}

/* The names of all rows, in one list of `*n` that the caller frees; NULL: none. */
static const char **
names_list(const struct directive_set *const *sets, size_t n_sets, size_t *n)
{
	const char **names;
	size_t all = 0;

	*n = 0;
	for (size_t i = 0; i < n_sets; i++)
		for (const struct directive *d = sets[i]->rows; d->name != NULL; d++)
			all++;
	names = calloc(all, sizeof(*names));
	if (names == NULL)
		return NULL;
	for (size_t i = 0; i < n_sets; i++)
		for (const struct directive *d = sets[i]->rows; d->name != NULL; d++)
			if (!row_is_family(d))
				names[(*n)++] = d->name;
	return names;
}

static bool
words_hold(const char *const *words, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(words[i], word) == 0)
			return true;
	return false;
}

void
directive_check_unknown(struct config *c, const struct directive_set *const *sets,
    size_t n, const char *const *plugins, size_t n_plugins, bool lenient,
    struct problems *ps)
{
	enum problem_level level = lenient ? PROBLEM_WARNING : PROBLEM_ERROR;
	size_t n_names;
	const char **names = names_list(sets, n, &n_names);

	for (size_t i = 0; i < c->n; i++) {
		const struct config_line *l = &c->lines[i];
		const struct directive *d = NULL;

		for (size_t s = 0; s < n && d == NULL; s++)
			d = set_find(sets[s], l->key);
		if (l->used)
			continue;
		if (d == NULL)
			word_unknown(ps, level, l, "unknown directive", l->key, names,
			    n_names);
		else if (l->plugin != NULL && !row_is_global(d) &&
		    !words_hold(plugins, n_plugins, l->plugin))
			word_unknown(ps, level, l, "no plugin is named", l->plugin,
			    plugins, n_plugins);
	}
	free(names);
}

/* A line and the row that it means. */
struct meant {
	const struct directive *row;
	const struct config_line *line;
};

/* The plugin that the line is for, "" for all. */
static const char *
meant_plugin(const struct meant *m)
{
	return m->line->plugin != NULL && !row_is_global(m->row) ? m->line->plugin : "";
}

/* By row, plugin, and place in the file. */
static int
meant_compare(const void *a, const void *b)
{
	const struct meant *x = a, *y = b;
	int plugins;

	if (x->row != y->row)
		return x->row < y->row ? -1 : 1;
	plugins = strcmp(meant_plugin(x), meant_plugin(y));
	if (plugins != 0)
		return plugins;
	return x->line < y->line ? -1 : x->line > y->line;
}

/* Warn of those of the `n` lines of one row and plugin that do nothing. */
static void
repeats_warn(const struct meant *m, size_t n, const char *first, struct problems *ps)
{
	const struct config_line *counts =
	    first != NULL && strcmp(m->row->name, first) == 0 ? m[0].line : m[n - 1].line;

	for (size_t i = 0; i < n; i++)
		if (strcmp(m[i].line->value, counts->value) != 0)
			problem_add(ps, PROBLEM_WARNING, m[i].line,
			    "'%s' does nothing here: line %u says '%s%s%s%s: %.60s', and that counts",
			    m[i].line->key, counts->line, counts->key,
			    counts->plugin != NULL ? "[" : "",
			    counts->plugin != NULL ? counts->plugin : "",
			    counts->plugin != NULL ? "]" : "",
			    m->row->secret ? "(not shown)" : counts->value);
}

void
directive_check_repeated(const struct config *c, const struct directive_set *const *sets,
    size_t n, const char *first, struct problems *ps)
{
	struct meant *all = calloc(c->n + 1, sizeof(*all));
	size_t n_all = 0, run;

	for (size_t i = 0; all != NULL && i < c->n; i++) {
		const struct directive *d = NULL;

		for (size_t s = 0; s < n && d == NULL; s++)
			d = set_find(sets[s], c->lines[i].key);
		if (d != NULL && row_has_value(d) && c->lines[i].line > 0)
			all[n_all++] = (struct meant){ d, &c->lines[i] };
	}
	if (n_all > 0)
		qsort(all, n_all, sizeof(*all), meant_compare);
	for (size_t i = 0; i < n_all; i += run) {
		for (run = 1; i + run < n_all && all[i].row == all[i + run].row &&
			      strcmp(meant_plugin(&all[i]), meant_plugin(&all[i + run])) == 0;)
			run++;
		if (run > 1)
			repeats_warn(&all[i], run, first, ps);
	}
	free(all);
}

/* Is row `d` of a plugin's configuration (NULL: of the whole's), and set in `cfg`? */
static bool
row_counts(const struct directive *d, const void *cfg, const char *plugin)
{
	enum directive_scope other = plugin != NULL ? DIRECTIVE_GLOBAL : DIRECTIVE_NAMED;

	return row_has_value(d) && d->scope != other &&
	       value_is_set(d, row_member_const(d, cfg));
}

/* The name of row `d` that begins with `type` and '_', if it has such a one. */
static const char *
row_name(const struct directive_set *set, const struct directive *d, const char *type)
{
	size_t len = type != NULL ? strlen(type) : 0;

	for (const struct directive *a = set->rows; len > 0 && a->name != NULL; a++)
		if (a->alias_of != NULL && strcmp(a->alias_of, d->name) == 0 &&
		    strncmp(a->name, type, len) == 0 && a->name[len] == '_')
			return a->name;
	return d->name;
}

void
directive_print(const struct directive_set *set, const void *cfg, const char *plugin,
    const char *type, FILE *to)
{
	for (const struct directive *d = set->rows; d->name != NULL; d++) {
		const void *at = row_member_const(d, cfg);

		if (!row_counts(d, cfg, plugin))
			continue;
		fprintf(to, "%s%s", d->secret ? "! " : "", row_name(set, d, type));
		if (plugin != NULL)
			fprintf(to, "[%s]", plugin);
		fputs(": ", to);
		if (d->secret)
			fputs("(not shown)", to);
		else
			value_print(d, at, to);
		fputc('\n', to);
	}
}

/* The line that directive_apply took last for row `d`; NULL: none. */
static const struct config_line *
row_line(const struct directive_set *set, const struct directive *d,
    const struct config *c, const char *plugin)
{
	const struct config_line *found = NULL;
	enum rank best = RANK_OTHERS;

	for (size_t i = 0; i < c->n; i++) {
		enum rank rank = line_rank(&c->lines[i], d, plugin);

		if (rank == RANK_OTHERS || rank < best ||
		    set_find(set, c->lines[i].key) != d)
			continue;
		best = rank;
		found = &c->lines[i];
	}
	return found;
}

int
directive_each(const struct directive_set *set, const struct config *c, const void *cfg,
    const char *plugin, const char *type,
    void (*each)(void *arg, const struct directive_value *v), void *arg)
{
	for (const struct directive *d = set->rows; d->name != NULL; d++) {
		struct directive_value v = { .row = d, .plugin = plugin };
		char *text = NULL;
		size_t len;
		FILE *to;

		if (!row_counts(d, cfg, plugin))
			continue;
		if ((to = open_memstream(&text, &len)) == NULL)
			return -WEIR_ENOMEM;
		value_print(d, row_member_const(d, cfg), to);
		if (fclose(to) != 0) {
			free(text);
			return -WEIR_ENOMEM;
		}
		v.text = d->secret ? NULL : text;
		v.from = row_line(set, d, c, plugin);
		v.name = v.from != NULL ? v.from->key : row_name(set, d, type);
		each(arg, &v);
		free(text);
	}
	return 0;
}

/* Write `text` so that troff takes it as it stands. */
static void
man_text(const char *text, FILE *to)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", to);
	for (; *text != '\0'; text++)
		if (*text == '\\')
			fputs("\\e", to);
		else if (*text == '\n')
			fputc(' ', to);
		else
			fputc(*text, to);
}

/* The line that heads a directive: its name, suffix and value. */
static void
man_head(const struct directive *d, FILE *to)
{
	fprintf(to, ".TP\n\\fB%s\\fR", d->name);
	if (d->scope == DIRECTIVE_NAMED)
		fputs("[\\fIplugin\\fR]", to);
	else if (d->scope == DIRECTIVE_PLUGIN)
		fputs("[[\\fIplugin\\fR]]", to);
	fputs(": \\fI", to);
	man_text(value_syntax(d), to);
	fputs("\\fR\n", to);
}

/* Range, default, reload. */
static void
man_facts(const struct directive *d, FILE *to)
{
	const char *unit = d->unit != NULL ? d->unit : "";
	const char *gap = *unit != '\0' ? " " : "";

	if (d->max != 0)
		fprintf(to, "From %llu to %llu%s%s.\n", (unsigned long long)d->min,
		    (unsigned long long)d->max, gap, unit);
	else if (d->min != 0)
		fprintf(to, "At least %llu%s%s.\n", (unsigned long long)d->min, gap,
		    unit);
	if (d->def != NULL) {
		fputs("Default: ", to);
		man_text(d->def, to);
		fputs(".\n", to);
	}
	if (d->reload == DIRECTIVE_RELOAD)
		fputs("Taken up on reload.\n", to);
}

static void
man_aliases(const struct directive_set *set, const struct directive *of, FILE *to)
{
	const char *before = "Also written ";

	for (const struct directive *d = set->rows; d->name != NULL; d++)
		if (d->alias_of != NULL && strcmp(d->alias_of, of->name) == 0) {
			fprintf(to, "%s\\fB%s\\fR", before, d->name);
			before = ", ";
		}
	if (*before == ',')
		fputs(".\n", to);
}

void
directive_man(const struct directive_set *set, FILE *to)
{
	fprintf(to, ".SS Directives of %s\n", set->module);
	for (const struct directive *d = set->rows; d->name != NULL; d++) {
		if (d->alias_of != NULL)
			continue;
		man_head(d, to);
		if (d->type == DIRECTIVE_NOTICE)
			fputs("Accepted, but does nothing.\n", to);
		if (d->type == DIRECTIVE_REFUSED)
			fputs("Not supported.\n", to);
		if (d->doc != NULL) {
			man_text(d->doc, to);
			fputc('\n', to);
		}
		if (row_has_value(d))
			man_facts(d, to);
		man_aliases(set, d, to);
	}
}
