/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rrd/rows.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"
#include "core/view.h"
#include "core/watch.h"
#include "flow/text.h"
#include "rrd/files.h"
#include "rrd/index.h"

#define TOP_MAX 1000000U

/* A snapshot in hand. */
struct collecting {
	const struct output *o;
	const struct rows_config *config;
	const struct snapshot *s;
	struct known_set *ks;
	struct text_opts opts;
	const struct fill_times *t;
	bool chosen;              /* what follows is made: some row was not known */
	uint64_t *top;            /* ROWS_TOP: identities of those, in order; ours */
	uint32_t n_top;
	struct watch *watches;    /* ROWS_WATCH; ours */
	uint32_t n_watches;
};

int
rows_config_parse(const char *text, struct rows_config *c, struct err *e)
{
	unsigned top;
	int end = 0;

	c->create = ROWS_ALL;
	if (strcmp(text, "all") == 0)
		return 0;
	c->create = ROWS_WATCH;
	if (strcmp(text, "watch") == 0)
		return 0;
	c->create = ROWS_TOP;
	if (sscanf(text, "top %7u%n", &top, &end) == 1 && text[end] == '\0' && top > 0 &&
	    top <= TOP_MAX) {
		c->top = top;
		return 0;
	}
	return err_set(e, WEIR_EINVAL, "rrd_create: '%s': write all, top N (1 to %u) or watch",
	    text, TOP_MAX);
}

/* Whether `name` is in the set `arg`; files_expand asks. */
static bool
name_is_there(void *arg, const char *name, size_t len, char *buf, size_t room)
{
	const struct field *f = field_find(name, len);

	(void)room;
	buf[0] = '\0';
	return f != NULL && f->merge == FIELD_KEY &&
	    field_set_has(arg, (uint16_t)(f - fields));
}

int
rows_config_check(const struct rows_config *c, const struct field_set *set, struct err *e)
{
	struct field_set keys = *set;
	struct err why = ERR_INIT;
	char name[FILES_NAME_MAX];
	int rc = c->pattern != NULL ?
	    files_expand(c->pattern, 0, name_is_there, &keys, name, &why) : 0;

	return rc == 0 ? 0 : err_set(e, (enum weir_errno)why.code, "rrd_path: %s", why.text);
}

/* A row, for the names that are made of it. */
struct row_text {
	const struct collecting *x;
	const uint8_t *row;
};

static bool
row_value(void *arg, const char *name, size_t len, char *buf, size_t room)
{
	const struct row_text *t = arg;
	const struct field *f = field_find(name, len);
	char text[TEXT_MAX];

	if (f == NULL || !field_set_has(&t->x->s->rs->set, (uint16_t)(f - fields)))
		return false;
	text_value(f, rowspec_value(t->x->s->rs, t->row, f), &t->x->opts, text);
	snprintf(buf, room, "%s", text);
	return true;
}

/* What a row counted in a bin. */
struct ranked {
	int64_t end; /* of the bin */
	uint64_t id, bytes;
};

static int
by_bin_and_id(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->end != y->end)
		return x->end < y->end ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int
by_bin_and_size(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->end == y->end && x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return by_bin_and_id(a, b);
}

static int
by_id(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/*
 * What the rows of the snapshot counted in each bin. Those whose bin was ranked before count in
 * the next one, as they do in archives. Returns how many there are.
 */
static uint32_t
ranked_fill(const struct collecting *x, struct ranked *v)
{
	int64_t step = x->ks->shape.step_s;
	uint32_t n = x->s->n, merged = 0;

	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *row = snapshot_row(x->s, i);
		int64_t end = rows_bin_end(snapshot_bin(x->s, row).end, step);

		if (end <= x->t->closed || end > x->t->latest)
			end = x->t->closed + step;
		v[i] = (struct ranked){ end, rowspec_identity(x->s->rs, row),
			rowspec_sums_get(x->s->rs, row)->bytes };
	}
	qsort(v, n, sizeof(*v), by_bin_and_id);
	for (uint32_t i = 0; i < n; i++) {
		if (merged > 0 && by_bin_and_id(&v[i], &v[merged - 1]) == 0)
			v[merged - 1].bytes += v[i].bytes;
		else
			v[merged++] = v[i];
	}
	return merged;
}

/* Which rows belong to the top ones of some bin. */
static void
top_choose(struct collecting *x)
{
	struct ranked *v = malloc((x->s->n + 1) * sizeof(*v));
	uint32_t n, place = 0;

	x->top = malloc((x->s->n + 1) * sizeof(*x->top));
	if (v == NULL || x->top == NULL)
		abort();
	n = ranked_fill(x, v);
	qsort(v, n, sizeof(*v), by_bin_and_size);
	for (uint32_t i = 0; i < n; i++) {
		place = i > 0 && v[i].end == v[i - 1].end ? place + 1 : 0;
		if (place < x->config->top)
			x->top[x->n_top++] = v[i].id;
	}
	qsort(x->top, x->n_top, sizeof(*x->top), by_id);
	free(v);
}

/* The watches of o's view, which all fit its rows: `*n` of them, for the caller to free. */
static struct watch *
view_watches(const struct output *o, uint32_t *n)
{
	const struct engine *en = o->engine;
	uint32_t all = 0;
	struct watch *watches = en != NULL ? watches_copy(en->watches, &all) : NULL;

	*n = 0;
	for (uint32_t i = 0; watches != NULL && i < all; i++)
		if (en->views[watches[i].view] == o->view &&
		    selector_check(&watches[i].selector, &o->view->rs, NULL) == 0)
			watches[(*n)++] = watches[i];
	return watches;
}

uint32_t
rows_watched(const struct output *o)
{
	uint32_t n;

	free(view_watches(o, &n));
	return n;
}

/* Whether `row`, whose identity is `id`, shall have an archive of its own. */
static bool
row_chosen(struct collecting *x, const uint8_t *row, uint64_t id)
{
	if (x->config->create == ROWS_ALL)
		return true;
	if (!x->chosen && x->config->create == ROWS_TOP)
		top_choose(x);
	else if (!x->chosen)
		x->watches = view_watches(x->o, &x->n_watches);
	x->chosen = true;
	if (x->config->create == ROWS_TOP)
		return bsearch(&id, x->top, x->n_top, sizeof(id), by_id) != NULL;
	for (uint32_t i = 0; i < x->n_watches; i++)
		if (selector_matches(&x->watches[i].selector, x->s->rs, row))
			return true;
	return false;
}

/* The archive of `row`, whose identity is `id`; made known, if need be and there is room. */
static struct known *
row_archive(struct collecting *x, const uint8_t *row, uint64_t id)
{
	struct known *k = known_find(x->ks, id, false);
	char key[INDEX_KEY_MAX], file[FILES_NAME_MAX];
	struct row_text t = { x, row };

	if (k != NULL)
		return k;
	if (!known_room(x->ks) || !row_chosen(x, row, id))
		return known_other(x->ks);
	text_key(x->s->rs, row, &x->opts, key, sizeof(key));
	/* The pattern has been checked. */
	if (x->config->pattern == NULL ||
	    files_expand(x->config->pattern, id, row_value, &t, file, NULL) != 0)
		files_name(id, key, file);
	k = known_add(x->ks, id, file, key);
	return k != NULL ? k : known_other(x->ks);
}

/* Items of the `n` rows from number `from` on. */
static void
rows_take(struct collecting *x, uint32_t from, unsigned n, struct fill_items *items)
{
	int64_t step = x->ks->shape.step_s;
	struct known *archives[TABLE_BATCH];
	uint64_t ids[TABLE_BATCH], bin = 0;
	int64_t end = 0;

	assert(n > 0 && n <= TABLE_BATCH);
	for (unsigned i = 0; i < n; i++)
		ids[i] = rowspec_identity(x->s->rs, snapshot_row(x->s, from + i));
	known_look(x->ks, ids, n, archives);
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *row = snapshot_row(x->s, from + i);
		uint64_t at = snapshot_bin(x->s, row).end;

		if (at != bin || i == 0)
			end = rows_bin_end(at, step);
		bin = at;
		fill_item_add(items,
		    archives[i] != NULL ? archives[i] : row_archive(x, row, ids[i]), end,
		    rowspec_sums_get(x->s->rs, row));
	}
}

uint64_t
rows_collect(const struct output *o, const struct rows_config *c, const struct snapshot *s,
    const struct fill_times *t, struct known_set *ks, struct fill_items *items)
{
	static const struct sums none;
	struct collecting x = { .o = o, .config = c, .s = s, .t = t, .ks = ks,
		.opts = { .num_protos = o->common.text.num_protos } };
	int64_t step = ks->shape.step_s;
	uint64_t rows = s->n;

	items->n = 0;
	for (uint32_t i = 0; i < s->n; i += TABLE_BATCH)
		rows_take(&x, i, s->n - i < TABLE_BATCH ? s->n - i : TABLE_BATCH, items);
	for (uint16_t i = 0; i < snapshot_n_bins(s); i++) {
		const struct sums *other = snapshot_other(s, i);

		if (sums_equal(other, &none))
			continue;
		rows++;
		fill_item_add(items, known_other(ks), rows_bin_end(snapshot_bin_no(s, i).end, step),
		    other);
	}
	free(x.watches);
	free(x.top);
	return rows;
}
