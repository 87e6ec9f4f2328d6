/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/tagrule.h"

#include <stdlib.h>
#include <string.h>

#include "lib/intern.h"
#include "lib/mapfile.h"
#include "rules/tagkeys.h"

#define RULES_MAX (1U << 24)
#define ROOM 64U
#define WARNINGS 20U /* in one file */

/* A name that a rule has, or goes to. */
struct name {
	char *text;
	uint32_t rule;
};

struct names {
	struct name *list;
	uint32_t n, room;
};

/* A map that is being read. */
struct reader {
	struct tagmap *m;
	struct names labels, jumps;
	unsigned warnings;
};

/* Room in `*list` for one more than `n` of `octets` each. */
static int
list_grow(void *list, uint32_t *room, uint32_t n, size_t octets)
{
	uint32_t more = *room != 0 ? 2 * *room : ROOM;
	void *p;

	if (n < *room)
		return 0;
	memcpy(&p, list, sizeof(p));
	p = realloc(p, more * octets);
	if (p == NULL)
		return -WEIR_ENOMEM;
	memcpy(list, &p, sizeof(p));
	*room = more;
	return 0;
}

static int
names_add(struct names *names, const char *text, uint32_t rule)
{
	struct name *name;

	if (list_grow(&names->list, &names->room, names->n, sizeof(*names->list)) != 0)
		return -WEIR_ENOMEM;
	name = &names->list[names->n];
	name->rule = rule;
	name->text = strdup(text);
	if (name->text == NULL)
		return -WEIR_ENOMEM;
	names->n++;
	return 0;
}

static void
names_free(struct names *names)
{
	for (uint32_t i = 0; i < names->n; i++)
		free(names->list[i].text);
	free(names->list);
}

/* By name, then from the first rule to the last. */
static int
name_compare(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	int order = strcmp(x->text, y->text);

	return order != 0 ? order : (x->rule > y->rule) - (x->rule < y->rule);
}

/* The first rule behind `rule` that is called `text`; CLASSIFIER_END: there is none. */
static uint32_t
names_find(const struct names *sorted, const char *text, uint32_t rule)
{
	uint32_t at = 0, end = sorted->n;

	while (at < end) {
		uint32_t middle = at + (end - at) / 2;
		const struct name *name = &sorted->list[middle];
		int order = strcmp(name->text, text);

		if (order < 0 || (order == 0 && name->rule <= rule))
			at = middle + 1;
		else
			end = middle;
	}
	return at < sorted->n && strcmp(sorted->list[at].text, text) == 0
		   ? sorted->list[at].rule
		   : CLASSIFIER_END;
}

/*
 * Complain of what can be meant, but not done, at `at`; not for ever: somebody may have a
 * hundred thousand rules of that kind.
 */
static void
warn(struct reader *r, struct problems *ps, const struct config_line *at,
    const char *what, const char *name)
{
	if (++r->warnings <= WARNINGS)
		problem_add(ps, PROBLEM_WARNING, at, "pre_tag_map: %s%.64s%s", what,
		    name,
		    r->warnings == WARNINGS ? "; more of that kind is not told" : "");
}

/* Set where rules with `jeq` go on: nowhere, where there is no such name behind them. */
static void
jumps_resolve(struct reader *r, struct problems *ps)
{
	struct config_line at = { .file = r->m->path };

	if (r->labels.n > 0)
		qsort(r->labels.list, r->labels.n, sizeof(r->labels.list[0]),
		    name_compare);
	for (uint32_t i = 0; i < r->jumps.n; i++) {
		const struct name *jump = &r->jumps.list[i];
		struct tagrule *rule = &r->m->rules[jump->rule];

		rule->next = strcmp(jump->text, "next") == 0
				 ? jump->rule + 1
				 : names_find(&r->labels, jump->text, jump->rule);
		at.line = r->m->origins[jump->rule].line;
		if (rule->next == CLASSIFIER_END)
			warn(r, ps, &at,
			    "the rule ends the search, as jumps go forward only and "
			    "none "
			    "behind it has label=",
			    jump->text);
	}
}

/* The number that stands for a series from `first` on; UINT64_MAX: memory is short. */
static uint64_t
series_add(struct tagmap *m, uint64_t first)
{
	if (list_grow(&m->series, &m->series_room, m->n_series, sizeof(*m->series)) !=
	    0)
		return UINT64_MAX;
	atomic_init(&m->series[m->n_series], first);
	return m->n_series++;
}

/* What the rule sets, to `rule`. */
static int
rule_sets(struct tagmap *m, const struct mapfile_rule *r, const struct tagkeys *k,
    struct tagrule *rule)
{
	const struct {
		unsigned row;
		uint8_t sets, counts;
		const struct tagkeys_tag *tag;
		uint64_t *to;
	} tags[] = { { TAGKEYS_TAG, SETS_TAG, COUNTS_TAG, &k->tag, &rule->tag },
		{ TAGKEYS_TAG2, SETS_TAG2, COUNTS_TAG2, &k->tag2, &rule->tag2 } };

	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		if (!mapfile_has(r, tags[i].row))
			continue;
		rule->sets |= tags[i].sets;
		*tags[i].to = tags[i].tag->value;
		if (!tags[i].tag->counts)
			continue;
		rule->sets |= tags[i].counts;
		*tags[i].to = series_add(m, tags[i].tag->value);
		if (*tags[i].to == UINT64_MAX)
			return -WEIR_ENOMEM;
	}
	if (mapfile_has(r, TAGKEYS_SET_LABEL)) {
		rule->sets |= SETS_LABEL;
		rule->label = intern(k->set_label, strlen(k->set_label));
	}
	if (mapfile_has(r, TAGKEYS_SET_TOS)) {
		rule->sets |= SETS_TOS;
		m->sets_tos = true;
		rule->tos = (uint8_t)k->set_tos;
	}
	rule->stack = k->stack;
	return 0;
}

/* Each source gets classifiers of its own. */
static int
which_split(struct tagmap *m)
{
	for (int s = 1; s < SOURCE_COUNT; s++) {
		m->which[s].plain = classifier_copy(m->which[0].plain);
		m->which[s].filtered = classifier_copy(m->which[0].filtered);
		if (m->which[s].plain == NULL || m->which[s].filtered == NULL)
			return -WEIR_ENOMEM;
	}
	return 0;
}

static bool
which_is_split(const struct tagmap *m)
{
	return m->which[1].plain != NULL;
}

/* Put what the rule asks for into the classifiers, as their next. */
static int
rule_asks(struct tagmap *m, const struct mapfile_rule *r, const struct tagkeys *k)
{
	bool never = tagkeys_elsewhere(r) != NULL;

	if (tagkeys_differ(r) && !which_is_split(m) && which_split(m) != 0)
		return -WEIR_ENOMEM;
	for (int s = 0; s < SOURCE_COUNT && m->which[s].plain != NULL; s++) {
		bool filtered = mapfile_has(r, TAGKEYS_FILTER);
		struct classifier *its =
		    filtered ? m->which[s].filtered : m->which[s].plain;
		struct classifier *other =
		    filtered ? m->which[s].plain : m->which[s].filtered;
		struct term terms[MAPFILE_KEYS];
		int n = never ? -1 : tagkeys_terms((enum flow_source)s, r, k, terms);

		if ((n < 0 ? classifier_add_never(its)
			   : classifier_add(its, terms, (unsigned)n)) != 0 ||
		    classifier_add_never(other) != 0)
			return -WEIR_ENOMEM;
	}
	return 0;
}

/* Make tables of what the rules ask for; of no filters there are none. */
static int
which_close(struct tagmap *m)
{
	for (int s = 0; s < SOURCE_COUNT && m->which[s].plain != NULL; s++) {
		struct tagwhich *w = &m->which[s];

		if (classifier_close(w->plain) != 0)
			return -WEIR_ENOMEM;
		if (m->n_filters == 0) {
			classifier_free(w->filtered);
			w->filtered = NULL;
		} else if (classifier_close(w->filtered) != 0) {
			return -WEIR_ENOMEM;
		}
	}
	return 0;
}

/* Complain of what the rule asks for, or sets, in vain. */
static void
rule_warn(struct reader *rd, const struct mapfile_rule *r, const struct tagkeys *k,
    struct problems *ps)
{
	const char *elsewhere = tagkeys_elsewhere(r);

	if (elsewhere != NULL)
		warn(rd, ps, &r->at,
		    "the rule fits nothing, as weir has nothing to compare with ",
		    elsewhere);
	if (k->end_here && mapfile_has(r, TAGKEYS_JEQ))
		warn(rd, ps, &r->at,
		    "return=true ends the search, as a flow is counted once, with the "
		    "tags "
		    "it has there; nothing goes on at jeq=",
		    k->jeq);
}

/* The filter of the rule, to `rule`. Returns 0, -WEIR_EINVAL (which is said) or another. */
static int
rule_filter(struct tagmap *m, const struct mapfile_rule *r, const struct tagkeys *k,
    struct tagrule *rule, struct problems *ps)
{
	struct err why = ERR_INIT;
	struct filter *f;

	if (!mapfile_has(r, TAGKEYS_FILTER))
		return 0;
	if (list_grow(&m->filters, &m->filters_room, m->n_filters, sizeof(f)) != 0)
		return -WEIR_ENOMEM;
	f = filter_new(k->filter, &why);
	if (f == NULL) {
		problem_add(ps, PROBLEM_ERROR, &r->at, "pre_tag_map: %s", why.text);
		return -WEIR_EINVAL;
	}
	m->filters[m->n_filters++] = f;
	rule->filter = m->n_filters;
	return 0;
}

/* The names of the rule. */
static int
rule_names(struct reader *rd, const struct mapfile_rule *r, const struct tagkeys *k,
    uint32_t no)
{
	if (mapfile_has(r, TAGKEYS_LABEL) && names_add(&rd->labels, k->label, no) != 0)
		return -WEIR_ENOMEM;
	if (mapfile_has(r, TAGKEYS_JEQ) && !k->end_here)
		return names_add(&rd->jumps, k->jeq, no);
	return 0;
}

/* Add the rule. Returns 0, -WEIR_EINVAL (which is said) or another. */
static int
rule_add(struct reader *rd, const struct mapfile_rule *r, const struct tagkeys *k,
    struct problems *ps)
{
	struct tagmap *m = rd->m;
	struct tagrule rule = { .next = CLASSIFIER_END };
	int rc;

	if (m->n == RULES_MAX ||
	    list_grow(&m->rules, &m->room, m->n, sizeof(*m->rules)) != 0 ||
	    list_grow(&m->origins, &m->origins_room, m->n, sizeof(*m->origins)) != 0)
		return -WEIR_ENOMEM;
	if ((rc = rule_filter(m, r, k, &rule, ps)) != 0 ||
	    (rc = rule_sets(m, r, k, &rule)) != 0 ||
	    (rc = rule_names(rd, r, k, m->n)) != 0 || (rc = rule_asks(m, r, k)) != 0)
		return rc;
	m->origins[m->n].line = r->at.line;
	m->origins[m->n].text = strdup(r->text);
	m->rules[m->n] = rule;
	return m->origins[m->n++].text != NULL ? 0 : -WEIR_ENOMEM;
}

static int
rule_take(void *arg, const struct mapfile_rule *r, const void *values,
    struct problems *ps, struct err *e)
{
	const struct tagkeys *k = values;
	struct reader *rd = arg;
	int rc;

	if (mapfile_has(r, TAGKEYS_LABEL) && strcmp(k->label, "next") == 0) {
		problem_add(ps, PROBLEM_ERROR, &r->at,
		    "pre_tag_map: label=next: 'next' is always the next rule; choose "
		    "another name");
		return 0;
	}
	rule_warn(rd, r, k, ps);
	rc = rule_add(rd, r, k, ps);
	if (rc == 0 || rc == -WEIR_EINVAL)
		return 0;
	return err_set(e, WEIR_ENOMEM, "pre_tag_map %s: no memory for rule %u",
	    rd->m->path, rd->m->n + 1);
}

int
tagrule_read(struct tagmap *m, struct problems *ps, struct err *e)
{
	static const struct mapfile pre_tag_map = { "pre_tag_map", tagkeys_rows,
		sizeof(struct tagkeys), rule_take };
	struct reader r = { .m = m };
	int rc;

	m->which[0].plain = classifier_new();
	m->which[0].filtered = classifier_new();
	if (m->which[0].plain == NULL || m->which[0].filtered == NULL)
		return err_set(e, WEIR_ENOMEM, "pre_tag_map %s: no memory", m->path);
	rc = mapfile_read(&pre_tag_map, m->path, &r, ps, e);
	if (rc == 0)
		jumps_resolve(&r, ps);
	if (rc == 0 && which_close(m) != 0)
		rc = err_set(e, WEIR_ENOMEM, "pre_tag_map %s: no memory", m->path);
	if (!which_is_split(m))
		for (int s = 1; s < SOURCE_COUNT; s++)
			m->which[s] = m->which[0];
	names_free(&r.labels);
	names_free(&r.jumps);
	return rc;
}
