/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DOC: A list of numbers becomes sorted, disjoint ranges that are let through, so that a
 * look-up is a binary search whatever the list's order says. A list of texts is sorted for
 * look-up, too, but each label is looked at once only: labels are interned, and a table
 * keeps the verdict by the label's id. Workers fill it as labels come; all would write
 * the same, so they need no order among them.
 */
#include "rules/tagfilter.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/intern.h"

#define NULL_LABEL "null"

/* Of an item of the list, in its order. */
struct range {
	uint64_t lo, hi;   /* both within */
	bool negated;
};

struct word {
	const char *text;  /* in tagfilter.list; "" is the empty label */
	uint32_t place;    /* among the items */
	bool negated;
};

enum verdict { VERDICT_UNKNOWN, VERDICT_NO, VERDICT_YES };

struct tagfilter {
	enum field_no field;
	char *list;                  /* the operator's, cut into items */
	bool otherwise;              /* let through what no item holds */
	uint64_t *lo, *span;         /* ranges let through: the first value, how many follow */
	struct word *words;          /* sorted by text, then by place */
	size_t n;                    /* of ranges, or of words */
	_Atomic uint8_t *verdicts;   /* by id of a label: enum verdict */
};

void
tagfilter_free(struct tagfilter *t)
{
	if (t == NULL)
		return;
	free(t->list);
	free(t->lo);
	free(t->span);
	free(t->words);
	free(t->verdicts);
	free(t);
}

/* Cut the next item off `*list`, without the blanks around it. NULL: there is none. */
static char *
item_next(char **list)
{
	char *item = *list, *end;

	if (item == NULL)
		return NULL;
	end = item + strcspn(item, ",");
	*list = *end == ',' ? end + 1 : NULL;
	*end = '\0';
	while (isspace((unsigned char)*item))
		item++;
	while (end > item && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return item;
}

static size_t
items_count(const char *list)
{
	size_t n = 1;

	for (; *list != '\0'; list++)
		n += *list == ',';
	return n;
}

/* As pmacct does: "10 - 20" is a range. */
static void
blanks_remove(char *list)
{
	char *to = list;

	for (; *list != '\0'; list++)
		if (!isspace((unsigned char)*list))
			*to++ = *list;
	*to = '\0';
}

/* Take a decimal number off `*text`. */
static bool
number_take(char **text, uint64_t *v)
{
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	errno = 0;
	*v = strtoull(*text, &end, 10);
	*text = end;
	return errno == 0;
}

static int
range_parse(char *item, struct range *r, struct err *e)
{
	char *at = item;

	r->negated = *at == '-';
	at += r->negated;
	if (!number_take(&at, &r->lo))
		return err_set(e, WEIR_EINVAL, "'%.40s' is no tag; write a number from 0 to "
		    "18446744073709551615, a range like 10-20, or one of them with '-' before "
		    "it, to leave it out", item);
	r->hi = r->lo;
	if (*at == '-' && at++ && !number_take(&at, &r->hi))
		return err_set(e, WEIR_EINVAL, "'%.40s' is no range; write it like 10-20", item);
	if (*at != '\0')
		return err_set(e, WEIR_EINVAL, "'%.40s' is neither a tag nor a range; write "
		    "items like 5, 10-20, -6, and commas between them", item);
	if (r->hi < r->lo)
		return err_set(e, WEIR_EINVAL, "'%.40s' ends before it begins; write the lower "
		    "tag first", item);
	return 0;
}

static int
number_compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Where a value of `starts` stands in it. */
static size_t
start_find(const uint64_t *starts, size_t n, uint64_t v)
{
	const uint64_t *at = bsearch(&v, starts, n, sizeof(v), number_compare);

	assert(at != NULL);
	return (size_t)(at - starts);
}

/* All values at which something may change, sorted, each once. Returns how many. */
static size_t
starts_list(const struct range *r, size_t n_ranges, uint64_t *starts)
{
	size_t n = 0, kept = 1;

	starts[n++] = 0;
	for (size_t i = 0; i < n_ranges; i++) {
		starts[n++] = r[i].lo;
		if (r[i].hi != UINT64_MAX)
			starts[n++] = r[i].hi + 1;
	}
	qsort(starts, n, sizeof(*starts), number_compare);
	for (size_t i = 1; i < n; i++)
		if (starts[i] != starts[kept - 1])
			starts[kept++] = starts[i];
	return kept;
}

/* The first piece from `i` on that no item has taken. */
static size_t
piece_free(size_t *next, size_t i)
{
	while (next[i] != i) {
		next[i] = next[next[i]];
		i = next[i];
	}
	return i;
}

/* Give each piece between two starts to the first item that holds it. */
static void
pieces_judge(const struct tagfilter *t, const struct range *r, size_t n_ranges,
    const uint64_t *starts, size_t n, size_t *next, bool *fits)
{
	for (size_t i = 0; i < n; i++)
		fits[i] = t->otherwise;
	for (size_t i = 0; i <= n; i++)
		next[i] = i;
	for (size_t k = 0; k < n_ranges; k++) {
		size_t end = r[k].hi == UINT64_MAX ? n : start_find(starts, n, r[k].hi + 1);
		size_t i = piece_free(next, start_find(starts, n, r[k].lo));

		for (; i < end; i = piece_free(next, i)) {
			fits[i] = !r[k].negated;
			next[i] = i + 1;
		}
	}
}

/* Keep what fits as ranges, neighbours joined. */
static void
ranges_join(struct tagfilter *t, const uint64_t *starts, const bool *fits, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t last = i + 1 < n ? starts[i + 1] - 1 : UINT64_MAX;

		if (!fits[i])
			continue;
		if (i == 0 || !fits[i - 1])
			t->lo[t->n++] = starts[i];
		t->span[t->n - 1] = last - t->lo[t->n - 1];
	}
}

static int
ranges_compile(struct tagfilter *t, const struct range *r, size_t n_ranges)
{
	size_t room = 2 * n_ranges + 1;
	uint64_t *starts = calloc(room, sizeof(*starts));
	size_t *next = calloc(room + 1, sizeof(*next));
	bool *fits = calloc(room, sizeof(*fits));
	int rc = -WEIR_ENOMEM;

	t->lo = calloc(room, sizeof(*t->lo));
	t->span = calloc(room, sizeof(*t->span));
	if (starts != NULL && next != NULL && fits != NULL && t->lo != NULL && t->span != NULL) {
		size_t n = starts_list(r, n_ranges, starts);

		pieces_judge(t, r, n_ranges, starts, n, next, fits);
		ranges_join(t, starts, fits, n);
		rc = 0;
	}
	free(starts);
	free(next);
	free(fits);
	return rc;
}

static int
numbers_compile(struct tagfilter *t, struct err *e)
{
	struct range *r = calloc(items_count(t->list), sizeof(*r));
	char *list = t->list, *item;
	size_t n = 0;
	int rc = r != NULL ? 0 : -WEIR_ENOMEM;

	blanks_remove(t->list);
	while (rc == 0 && (item = item_next(&list)) != NULL) {
		rc = range_parse(item, &r[n], e);
		t->otherwise |= r[n].negated;
		n++;
	}
	if (rc == 0)
		rc = ranges_compile(t, r, n);
	free(r);
	return rc;
}

static int
word_compare(const void *a, const void *b)
{
	const struct word *x = a, *y = b;
	int by_text = strcmp(x->text, y->text);

	return by_text != 0 ? by_text : (x->place > y->place) - (x->place < y->place);
}

static int
labels_compile(struct tagfilter *t, struct err *e)
{
	char *list = t->list, *item;

	t->words = calloc(items_count(t->list), sizeof(*t->words));
	t->verdicts = calloc((size_t)INTERN_MAX + 1, sizeof(*t->verdicts));
	if (t->words == NULL || t->verdicts == NULL)
		return -WEIR_ENOMEM;
	while ((item = item_next(&list)) != NULL) {
		struct word *w = &t->words[t->n];

		w->negated = *item == '-';
		w->text = item + w->negated;
		if (*w->text == '\0')
			return err_set(e, WEIR_EINVAL, "an item is empty; write labels and commas "
			    "between them, -label for all others, null for no label");
		if (strcmp(w->text, NULL_LABEL) == 0)
			w->text = "";
		w->place = (uint32_t)t->n++;
		t->otherwise |= w->negated;
	}
	qsort(t->words, t->n, sizeof(*t->words), word_compare);
	return 0;
}

struct tagfilter *
tagfilter_new(enum field_no field, const char *list, struct err *e)
{
	struct tagfilter *t = calloc(1, sizeof(*t));
	int rc = -WEIR_ENOMEM;

	assert(field == F_TAG || field == F_TAG2 || field == F_LABEL);
	if (t != NULL && (t->list = strdup(list)) != NULL) {
		t->field = field;
		rc = field == F_LABEL ? labels_compile(t, e) : numbers_compile(t, e);
	}
	if (rc == 0)
		return t;
	if (rc == -WEIR_ENOMEM)
		err_set(e, WEIR_ENOMEM, "no memory for a list of tags");
	tagfilter_free(t);
	return NULL;
}

/* The first item whose text is `part`, or NULL. */
static const struct word *
word_find(const struct tagfilter *t, const char *part)
{
	size_t lo = 0, hi = t->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(t->words[mid].text, part) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < t->n && strcmp(t->words[lo].text, part) == 0 ? &t->words[lo] : NULL;
}

/* What the items say of a label, as its text is: for the first flow that has it. */
static enum verdict
label_judge(const struct tagfilter *t, uint32_t id)
{
	const struct word *first = NULL, *w;
	char text[INTERN_MAX_LEN + 1], *rest = text, *part;

	snprintf(text, sizeof(text), "%s", intern_text(id));
	while ((part = strsep(&rest, ",")) != NULL) {
		w = *part != '\0' || id == 0 ? word_find(t, part) : NULL;
		if (w != NULL && (first == NULL || w->place < first->place))
			first = w;
	}
	return (first != NULL ? !first->negated : t->otherwise) ? VERDICT_YES : VERDICT_NO;
}

static uint64_t
labels_run(const struct tagfilter *t, const struct flow *flows, uint64_t mask)
{
	uint64_t out = 0;

	while (mask != 0) {
		unsigned i = batch_take(&mask);
		uint32_t id = flows[i].label;
		uint8_t v;

		assert(id <= INTERN_MAX);
		v = atomic_load_explicit(&t->verdicts[id], memory_order_relaxed);
		if (v == VERDICT_UNKNOWN) {
			v = (uint8_t)label_judge(t, id);
			atomic_store_explicit(&t->verdicts[id], v, memory_order_relaxed);
		}
		out |= (uint64_t)(v == VERDICT_YES) << i;
	}
	return out;
}

static inline bool
number_fits(const struct tagfilter *t, uint64_t v)
{
	size_t lo = 0;

	if (t->n == 0)
		return false;
	/* The last range that begins at `v` or before it; without branches to guess. */
	for (size_t n = t->n; n > 1; n -= n / 2)
		lo = t->lo[lo + n / 2] <= v ? lo + n / 2 : lo;
	return v - t->lo[lo] <= t->span[lo];
}

static uint64_t
numbers_run(const struct tagfilter *t, const struct flow *flows, uint64_t mask)
{
	uint64_t out = 0;

	while (mask != 0) {
		unsigned i = batch_take(&mask);
		uint64_t v = t->field == F_TAG ? flows[i].tag : flows[i].tag2;

		out |= (uint64_t)number_fits(t, v) << i;
	}
	return out;
}

uint64_t
tagfilter_run(const struct tagfilter *t, const struct batch *b, uint64_t mask)
{
	if (t->field == F_LABEL)
		return labels_run(t, b->flows, mask);
	return numbers_run(t, b->flows, mask);
}
