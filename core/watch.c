/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/watch.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"
#include "core/rowmap.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "lib/mapfile.h"
#include "lib/rbuf.h"
#include "lib/statefile.h"
#include "lib/wbuf.h"

#define STATE_NAME    "watches"
#define STATE_VERSION 1U
#define STATE_OCTETS  (1U + WATCH_NAME + 6U * 8U) /* of one, at most */

#define AT(member) offsetof(struct watch_config, member)
static const struct directive watch_rows[] = {
	{ .name = "watch_map", .type = DIRECTIVE_PATH, .offset = AT(map),
	    .reload = DIRECTIVE_RELOAD,
	    .doc = "File of what to have an eye on, a line each: name=NAME view=PLUGIN and "
	           "conditions on the view's keys, primitive=VALUE, for instance "
	           "name=web view=talkers dst_net=192.0.2.0/24 dst_port=443; index=N gives it "
	           "that number in SNMP. Read anew on SIGHUP and SIGUSR2." },
	{ .name = NULL },
};
#undef AT

const struct directive_set watch_directives = {
	"watch", watch_rows, sizeof(struct watch_config)
};

/* The watches of one view. */
struct watch_lens {
	struct watches *all;
	struct rowmap *map;
	const struct selector **selectors; /* of the map */
	uint32_t *members;             /* by selector: place in the list */
	uint32_t n;
	uint64_t now;
};

/* All that one reading of the map makes. */
struct watch_list {
	uint32_t n, room;
	struct watch *list;            /* by index */
	struct watch **names;          /* by name */
	struct watch_lens lenses[ENGINE_VIEWS];
};

struct watches {
	struct engine *engine;
	const char *path;
	pthread_mutex_t lock;
	struct watch_list *now;
	uint64_t rated;                /* ns since 1970: when the present rates began */
};

/* Reading the map */

struct watch_rule {
	uint32_t index;
	const char *name, *view;
	struct selector selector;
};

enum { ROW_NAME, ROW_VIEW, ROW_INDEX, ROW_OTHERS };

/* A condition: "primitive=value". */
static int
condition_parse(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	const char *equals = strchr(text, '=');
	char name[64];

	(void)k;
	if (equals == NULL || (size_t)(equals - text) >= sizeof(name))
		return -WEIR_ENOENT;
	memcpy(name, text, (size_t)(equals - text));
	name[equals - text] = '\0';
	return selector_add(at, name, equals + 1, why);
}

#define AT(member) .offset = offsetof(struct watch_rule, member)
static const struct mapfile_key rule_keys[] = {
	[ROW_NAME] = { "name", mapfile_text, AT(name), .doc = "What it is called." },
	[ROW_VIEW] = { "view", mapfile_text, AT(view), .doc = "The plugin whose view it is." },
	[ROW_INDEX] = { "index", mapfile_u32, AT(index), .min = 1, .max = INT32_MAX,
	    .doc = "weirWatchIndex." },
	[ROW_OTHERS] = { MAPFILE_OTHERS, condition_parse, AT(selector),
	    .doc = "A primitive, and the value that it must have." },
	{ .name = NULL },
};
#undef AT

struct reading {
	const struct engine *engine;
	struct watch_list *list;
};

static int
list_add(struct watch_list *l, const struct watch *w, struct err *e)
{
	if (l->n == WATCHES_MAX)
		return err_set(e, WEIR_EFULL, "watch_map: more than %u watches", WATCHES_MAX);
	if (l->n == l->room) {
		uint32_t room = l->room != 0 ? 2 * l->room : 64;
		struct watch *grown = realloc(l->list, room * sizeof(*grown));

		if (grown == NULL)
			return err_set(e, WEIR_ENOMEM,
			    "watch_map: no room for more than %u watches", l->n);
		l->list = grown;
		l->room = room;
	}
	l->list[l->n++] = *w;
	return 0;
}

static unsigned
view_number(const struct engine *en, const struct view *v)
{
	unsigned i = 0;

	while (i < en->n_views && en->views[i] != v)
		i++;
	return i;
}

/* Why `rule` cannot be meant; 0 where it can. */
static int
rule_check(const struct reading *rd, const struct mapfile_rule *r,
    const struct watch_rule *rule, struct err *why)
{
	const struct view *v;

	if (!mapfile_has(r, ROW_NAME) || !mapfile_has(r, ROW_VIEW))
		return err_set(why, WEIR_EINVAL,
		    "a watch has a name and a view: write name=NAME "
		    "view=PLUGIN");
	if (strlen(rule->name) >= WATCH_NAME)
		return err_set(why, WEIR_EINVAL, "name: more than %u octets", WATCH_NAME - 1);
	v = engine_view(rd->engine, rule->view);
	if (v == NULL)
		return err_set(why, WEIR_EINVAL, "view: there is no plugin '%.64s'",
		    rule->view);
	return selector_check(&rule->selector, &v->rs, why);
}

static int
rule_take(void *arg, const struct mapfile_rule *r, const void *values, struct problems *ps,
    struct err *e)
{
	struct reading *rd = arg;
	const struct watch_rule *rule = values;
	struct watch w = { .index = rule->index, .selector = rule->selector };
	struct err why = ERR_INIT;

	if (rule_check(rd, r, rule, &why) != 0) {
		problem_add(ps, PROBLEM_ERROR, &r->at, "watch_map: %s", why.text);
		return 0;
	}
	snprintf(w.name, sizeof(w.name), "%s", rule->name);
	w.view = view_number(rd->engine, engine_view(rd->engine, rule->view));
	snprintf(w.view_name, sizeof(w.view_name), "%s", rd->engine->views[w.view]->name);
	if (w.index == 0)
		w.index = hash_index(rule->name);
	return list_add(rd->list, &w, e);
}

static const struct mapfile watch_map = { "watch_map", rule_keys,
	sizeof(struct watch_rule), rule_take };

static int
by_index(const void *a, const void *b)
{
	const struct watch *x = a, *y = b;

	return x->index < y->index ? -1 : x->index > y->index;
}

static int
by_name(const void *a, const void *b)
{
	const struct watch *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* Sort what was read; no two watches may have one name or one index. */
static int
list_sort(struct watch_list *l, const char *path, struct problems *ps, struct err *e)
{
	l->names = calloc(l->n + 1, sizeof(*l->names));
	if (l->names == NULL)
		return err_set(e, WEIR_ENOMEM, "watch_map: no memory");
	if (l->n == 0)
		return 0;
	qsort(l->list, l->n, sizeof(*l->list), by_index);
	for (uint32_t i = 0; i < l->n; i++)
		l->names[i] = &l->list[i];
	qsort(l->names, l->n, sizeof(*l->names), by_name);
	for (uint32_t i = 1; i < l->n; i++) {
		if (l->list[i - 1].index == l->list[i].index)
			problem_add(ps, PROBLEM_ERROR, NULL,
			    "watch_map %s: '%s' and '%s' have the same index %u; give one "
			    "of them another with index=N", path, l->list[i - 1].name,
			    l->list[i].name, l->list[i].index);
		if (strcmp(l->names[i - 1]->name, l->names[i]->name) == 0)
			problem_add(ps, PROBLEM_ERROR, NULL,
			    "watch_map %s: two are called '%s'",
			    path, l->names[i]->name);
	}
	return 0;
}

/* The watch called `name`, or NULL. */
static struct watch *
list_find(const struct watch_list *l, const char *name)
{
	uint32_t low = 0, high = l->n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int order = strcmp(l->names[mid]->name, name);

		if (order == 0)
			return l->names[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* Make the lens of view `no`, where there are watches of it. */
static int
lens_make(struct watches *w, struct watch_list *l, unsigned no, struct err *e)
{
	struct watch_lens *lens = &l->lenses[no];
	struct view *v = w->engine->views[no];
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->n; i++)
		n += l->list[i].view == no;
	if (n == 0)
		return 0;
	if (w->now != NULL && v->ledger == NULL) /* the publisher may be about to look */
		return err_set(e, WEIR_EINVAL,
		    "watch_map: view '%s' keeps no running totals; those that the map "
		    "names when weir starts do", v->name);
	if (view_ledger_want(v, e) != 0)
		return -WEIR_ENOMEM;
	lens->all = w;
	lens->selectors = calloc(n, sizeof(const struct selector *));
	lens->members = calloc(n, sizeof(*lens->members));
	if (lens->selectors == NULL || lens->members == NULL)
		return err_set(e, WEIR_ENOMEM, "watch_map: no memory");
	for (uint32_t i = 0; i < l->n; i++)
		if (l->list[i].view == no) {
			lens->selectors[lens->n] = &l->list[i].selector;
			lens->members[lens->n++] = i;
		}
	ledger_lock(v->ledger);
	lens->map = rowmap_new(v->ledger, lens->selectors, n, e);
	ledger_unlock(v->ledger);
	return lens->map != NULL ? 0 : -WEIR_ENOMEM;
}

static void
list_free(struct watch_list *l)
{
	if (l == NULL)
		return;
	for (unsigned i = 0; i < ENGINE_VIEWS; i++) {
		rowmap_free(l->lenses[i].map);
		free(l->lenses[i].selectors);
		free(l->lenses[i].members);
	}
	free(l->names);
	free(l->list);
	free(l);
}

/* Read the map. NULL with `e` filled, or with faults in `ps`. */
static struct watch_list *
list_read(struct watches *w, struct problems *ps, struct err *e)
{
	struct reading rd = { w->engine, calloc(1, sizeof(struct watch_list)) };
	size_t errors = ps->n_errors;
	int rc = rd.list != NULL ? mapfile_read(&watch_map, w->path, &rd, ps, e)
	                         : err_set(e, WEIR_ENOMEM, "watch_map: no memory");

	if (rc == 0)
		rc = list_sort(rd.list, w->path, ps, e);
	for (unsigned i = 0; rc == 0 && ps->n_errors == errors && i < w->engine->n_views; i++)
		rc = lens_make(w, rd.list, i, e);
	if (rc == 0 && ps->n_errors == errors)
		return rd.list;
	list_free(rd.list);
	return NULL;
}

/* Let the ledgers count into what `l` has; the caller has the lock of each. */
static void
list_point(struct watches *w, struct watch_list *l)
{
	for (unsigned i = 0; i < w->engine->n_views; i++)
		if (w->engine->views[i]->ledger != NULL)
			w->engine->views[i]->ledger->lens =
			    l->lenses[i].n > 0 ? &l->lenses[i] : NULL;
}

int
watches_new(struct engine *en, const struct watch_config *c, struct watches **out,
    struct problems *ps, struct err *e)
{
	struct watches *w;
	uint64_t now = clock_real();
	size_t errors = ps->n_errors;

	*out = NULL;
	if (c->map == NULL)
		return 0;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return err_set(e, WEIR_ENOMEM, "watch_map: no memory");
	w->engine = en;
	w->path = c->map;
	w->rated = now;
	pthread_mutex_init(&w->lock, NULL);
	w->now = list_read(w, ps, e);
	if (w->now == NULL) {
		watches_free(w);
		return ps->n_errors > errors ? err_set(e, WEIR_EINVAL, "watch_map: faults")
		                             : -e->code;
	}
	for (uint32_t i = 0; i < w->now->n; i++)
		w->now->list[i].since = now;
	list_point(w, w->now);
	*out = w;
	return 0;
}

void
watches_free(struct watches *w)
{
	if (w == NULL)
		return;
	list_free(w->now);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

/* Whether two selectors are written alike. */
static bool
selector_equal(const struct selector *a, const struct selector *b)
{
	return a->n == b->n && memcmp(a->terms, b->terms, a->n * sizeof(a->terms[0])) == 0;
}

/* Give the watches of `to` the totals of those of their names in `from`. */
static void
list_carry_over(struct watch_list *to, const struct watch_list *from, uint64_t now)
{
	for (uint32_t i = 0; i < to->n; i++) {
		struct watch *w = &to->list[i];
		const struct watch *old = list_find(from, w->name);

		w->since = now;
		if (old == NULL || old->view != w->view ||
		    !selector_equal(&old->selector, &w->selector))
			continue;
		w->total = old->total;
		w->rate = old->rate;
		w->mark = old->mark;
		w->last_seen = old->last_seen;
		w->since = old->since;
	}
}

void
watches_reload(struct watches *w, struct problems *ps)
{
	struct err e = ERR_INIT;
	struct engine *en = w->engine;
	struct watch_list *fresh = list_read(w, ps, &e), *old;

	if (fresh == NULL) {
		if (e.code != 0)
			problem_add(ps, PROBLEM_ERROR, NULL, "%s", e.text);
		return;
	}
	/* The publisher has one of these locks at a time; nobody else has two. */
	for (unsigned i = 0; i < en->n_views; i++)
		if (en->views[i]->ledger != NULL)
			ledger_lock(en->views[i]->ledger);
	pthread_mutex_lock(&w->lock);
	list_carry_over(fresh, w->now, clock_real());
	old = w->now;
	w->now = fresh;
	list_point(w, fresh);
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < en->n_views; i++)
		if (en->views[i]->ledger != NULL)
			ledger_unlock(en->views[i]->ledger);
	list_free(old);
}

/* Counting */

void
watch_lens_open(struct watch_lens *lens, uint64_t now)
{
	pthread_mutex_lock(&lens->all->lock);
	lens->now = now;
}

void
watch_lens_close(struct watch_lens *lens)
{
	pthread_mutex_unlock(&lens->all->lock);
}

void
watch_lens_count(struct watch_lens *lens, uint32_t row, const uint8_t *from)
{
	struct rowmap_set set = rowmap_get(lens->map, row, from);
	const struct view *v;

	if (set.n == 0)
		return;
	v = lens->all->engine->views[lens->all->now->list[lens->members[0]].view];
	for (uint32_t i = 0; i < set.n; i++) {
		struct watch *w = &lens->all->now->list[lens->members[set.list[i]]];

		sums_add(&w->total, rowspec_sums_get(&v->rs, from));
		w->last_seen = lens->now;
	}
}

void
watches_tick(struct watches *w, uint64_t now)
{
	uint64_t span;

	pthread_mutex_lock(&w->lock);
	span = now - w->rated;
	if (now < w->rated || span > 10 * WATCH_RATE_S * CLOCK_S) {
		w->rated = now; /* the clock was set */
		for (uint32_t i = 0; i < w->now->n; i++)
			w->now->list[i].mark = w->now->list[i].total;
	} else if (span >= WATCH_RATE_S * CLOCK_S) {
		w->rated = now;
		for (uint32_t i = 0; i < w->now->n; i++) {
			struct watch *one = &w->now->list[i];

			one->rate = sums_rate(&one->total, &one->mark, span);
			one->mark = one->total;
		}
	}
	pthread_mutex_unlock(&w->lock);
}

struct watch *
watches_copy(struct watches *w, uint32_t *n)
{
	struct watch *copy;

	*n = 0;
	if (w == NULL)
		return NULL;
	pthread_mutex_lock(&w->lock);
	copy = malloc((w->now->n + 1) * sizeof(*copy));
	if (copy != NULL && w->now->n > 0)
		memcpy(copy, w->now->list, w->now->n * sizeof(*copy));
	if (copy != NULL)
		*n = w->now->n;
	pthread_mutex_unlock(&w->lock);
	return copy;
}

bool
watches_have(struct watches *w, const char *name)
{
	bool found = false;

	if (w == NULL)
		return false;
	pthread_mutex_lock(&w->lock);
	for (uint32_t i = 0; i < w->now->n && !found; i++)
		found = strcmp(w->now->list[i].name, name) == 0;
	pthread_mutex_unlock(&w->lock);
	return found;
}

/* On disk */

/* What a watch counts, as a number that is the same after a restart. */
static uint64_t
watch_meaning(const struct watch *w)
{
	char text[4096];
	size_t len = (size_t)snprintf(text, sizeof(text), "%s\n", w->view_name);

	len += selector_text(&w->selector, text + len, sizeof(text) - len);
	return hash_frozen(text, len);
}

int
watches_save(struct watches *w, const char *path, struct err *e)
{
	uint32_t n;
	struct watch *list = watches_copy(w, &n);
	uint8_t *body = malloc((size_t)n * STATE_OCTETS + 4);
	struct wbuf b = wbuf_of(body, (size_t)n * STATE_OCTETS + 4);
	int rc = -WEIR_ENOMEM;

	if (list != NULL && body != NULL) {
		wbuf_u32(&b, n);
		for (uint32_t i = 0; i < n; i++) {
			size_t len = strlen(list[i].name);

			wbuf_u8(&b, (uint8_t)len);
			wbuf_put(&b, list[i].name, len);
			wbuf_u64(&b, watch_meaning(&list[i]));
			wbuf_u64(&b, list[i].total.packets);
			wbuf_u64(&b, list[i].total.bytes);
			wbuf_u64(&b, list[i].total.flows);
			wbuf_u64(&b, list[i].last_seen);
			wbuf_u64(&b, list[i].since);
		}
		assert(wbuf_ok(&b));
		rc = statefile_write(path, STATE_NAME, STATE_VERSION, body, wbuf_len(&b), e);
	} else {
		(void)err_set(e, WEIR_ENOMEM, "%s: no memory for %u watches", path, n);
	}
	free(body);
	free(list);
	return rc;
}

/*
 * Read one, and where `l` is not NULL give it to the watch of its name, if there is one that
 * counts the same.
 */
static void
state_take(struct rbuf *r, const struct watch_list *l, uint64_t resumed)
{
	char name[UINT8_MAX + 1] = "";
	size_t len = rbuf_u8(r);
	struct watch *w;
	struct sums total;
	uint64_t meaning, seen, since;

	rbuf_copy(r, name, len);
	meaning = rbuf_u64(r);
	total.packets = rbuf_u64(r);
	total.bytes = rbuf_u64(r);
	total.flows = rbuf_u64(r);
	seen = rbuf_u64(r);
	since = rbuf_u64(r);
	if (l == NULL || (w = list_find(l, name)) == NULL || watch_meaning(w) != meaning)
		return;
	w->total = w->mark = total;
	w->last_seen = seen;
	w->since = resumed != 0 ? resumed : since;
}

/* Read all. Returns whether the file is whole. */
static bool
state_read(struct rbuf r, const struct watch_list *l, uint64_t resumed)
{
	for (uint32_t n = rbuf_u32(&r); n > 0 && rbuf_ok(&r); n--)
		state_take(&r, l, resumed);
	return rbuf_ok(&r) && rbuf_left(&r) == 0;
}

int
watches_load(struct watches *w, const char *path, bool orderly, struct err *e)
{
	size_t len, max = (size_t)WATCHES_MAX * STATE_OCTETS + 4;
	uint8_t *body;
	struct rbuf r;
	int rc = statefile_read(path, STATE_NAME, STATE_VERSION, max, &body, &len, e);

	if (rc != 0)
		return rc == -WEIR_ENOENT ? 0 : rc;
	r = rbuf_of(body, len);
	if (state_read(r, NULL, 0))
		(void)state_read(r, w->now, orderly ? 0 : clock_real());
	else
		rc = err_set(e, WEIR_EMALFORMED, "%s: damaged", path);
	free(body);
	return rc;
}
