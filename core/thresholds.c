/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/thresholds.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"

struct place {
	struct threshold_config config; /* as it is shown, which may be not active */
	struct crossing *crossing;      /* NULL: not active */
	bool dormant;                   /* active, were it possible */
};

struct threshold_batch {
	uint32_t promised;              /* of the places that it will take */
	unsigned n;
	struct item {
		char name[THRESHOLD_NAME + 1];
		struct place *fresh;    /* NULL: to be removed */
		bool of_map;            /* threshold_map says so */
	} items[];
};

void
thresholds_init(struct thresholds *t, struct engine *en,
    void (*tell)(void *arg, const struct crossing_event *event), void *arg)
{
	memset(t, 0, sizeof(*t));
	t->engine = en;
	t->tell = tell;
	t->arg = arg;
}

static void
place_free(struct place *p)
{
	if (p == NULL)
		return;
	crossing_free(p->crossing);
	free(p);
}

void
thresholds_fini(struct thresholds *t)
{
	for (uint32_t i = 0; i < t->n; i++)
		place_free(t->places[i]);
	t->n = 0;
}

/* The place of `name`; `*found` tells whether it is there already. */
static uint32_t
place_seek(const struct thresholds *t, const char *name, bool *found)
{
	uint32_t low = 0, high = t->n;

	*found = false;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int order = strcmp(t->places[mid]->config.name, name);

		if (order == 0) {
			*found = true;
			return mid;
		}
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Batches */

/*
 * What `change` comes to, to `c`; returns whether it is to be active but cannot be at
 * present. One that could not be so far is not disarmed by whoever sets another column of
 * it: it goes on waiting, or is active when it can be.
 */
static bool
change_settle(const struct thresholds *t, const struct threshold_change *change,
    struct threshold_config *c)
{
	bool found, waits = change->dormant && change->config.status == STATUS_ACTIVE;
	uint32_t at = place_seek(t, change->config.name, &found);

	*c = change->config;
	if (change->keeps_status && found && t->places[at]->dormant) {
		waits = c->status == STATUS_NOT_READY;
		c->status = STATUS_ACTIVE;
	}
	if (waits)
		c->status = STATUS_NOT_READY;
	return waits;
}

static struct place *
place_new(const struct thresholds *t, const struct threshold_change *change, struct err *e)
{
	struct threshold_config c;
	bool waits = change_settle(t, change, &c);
	struct place *p;

	if (c.status == STATUS_ACTIVE && threshold_check(&c, t->engine, e) != 0)
		return NULL;
	p = calloc(1, sizeof(*p));
	if (p == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for threshold %s", c.name);
		return NULL;
	}
	p->config = c;
	p->dormant = waits;
	if (p->config.status != STATUS_ACTIVE)
		return p;
	p->crossing = crossing_new(&c, t->engine, t->tell, t->arg, clock_real(), e);
	if (p->crossing != NULL)
		return p;
	free(p);
	return NULL;
}

/* Whether `change` may touch the threshold of its name; counts what it adds to those here. */
static int
change_check(const struct thresholds *t, const struct threshold_change *change, int32_t *more,
    struct err *e)
{
	bool found;
	uint32_t at = place_seek(t, change->config.name, &found);

	if (found && t->places[at]->config.storage == STORAGE_READONLY &&
	    !change->of_map)
		return err_set(e, WEIR_EEXIST, "threshold %s is threshold_map's",
		    change->config.name);
	*more += (int32_t)!change->remove - (int32_t)found;
	return 0;
}

struct threshold_batch *
thresholds_prepare(struct thresholds *t, const struct threshold_change *list, unsigned n,
    struct err *e)
{
	struct threshold_batch *b = calloc(1, sizeof(*b) + n * sizeof(b->items[0]));
	int32_t more = 0;
	int rc = 0;

	if (b == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for thresholds");
		return NULL;
	}
	for (unsigned i = 0; rc == 0 && i < n; i++)
		rc = change_check(t, &list[i], &more, e);
	if (rc == 0 && more > 0 && t->n + t->promised + (uint32_t)more > THRESHOLDS_MAX)
		rc = err_set(e, WEIR_EFULL, "more than %u thresholds", THRESHOLDS_MAX);
	if (rc == 0 && more > 0)
		t->promised += b->promised = (uint32_t)more;
	for (unsigned i = 0; rc == 0 && i < n; i++) {
		struct item *x = &b->items[b->n++];

		memcpy(x->name, list[i].config.name, sizeof(x->name));
		x->of_map = list[i].of_map;
		if (!list[i].remove && (x->fresh = place_new(t, &list[i], e)) == NULL)
			rc = -1;
	}
	if (rc == 0)
		return b;
	thresholds_abandon(t, b);
	return NULL;
}

void
thresholds_abandon(struct thresholds *t, struct threshold_batch *b)
{
	if (b == NULL)
		return;
	t->promised -= b->promised;
	for (unsigned i = 0; i < b->n; i++)
		place_free(b->items[i].fresh);
	free(b);
}

/* Alarms of a threshold that goes are over. */
static void
crossing_end(const struct thresholds *t, const struct crossing *x)
{
	for (uint32_t i = 0; x != NULL && i < x->instances.n; i++) {
		const struct instance *in = crossing_instance(x, i);
		const struct crossing_event event = { &x->config, in, false,
			crossing_limit(x, false), clock_real() };

		if (in->raised != 0)
			t->tell(t->arg, &event);
	}
}

/* A threshold goes; what was kept of it must not come back. */
static void
place_end(struct thresholds *t, struct place *p)
{
	crossing_end(t, p->crossing);
	t->unsaved |= p->config.storage == STORAGE_NONVOLATILE;
	place_free(p);
}

static void
place_remove(struct thresholds *t, const struct item *x)
{
	bool found;
	uint32_t at = place_seek(t, x->name, &found);

	/* What the map has said since it was prepared is the map's to take back. */
	if (!found || (t->places[at]->config.storage == STORAGE_READONLY && !x->of_map))
		return;
	place_end(t, t->places[at]);
	memmove(&t->places[at], &t->places[at + 1], (t->n - at - 1) * sizeof(t->places[0]));
	t->n--;
}

static void
place_put(struct thresholds *t, struct place *p)
{
	bool found, fixed = p->config.storage == STORAGE_READONLY;
	uint32_t at = place_seek(t, p->config.name, &found);

	/* The map was read anew since it was prepared, and has the last word. */
	if (found ? !fixed && t->places[at]->config.storage == STORAGE_READONLY
	          : t->n == THRESHOLDS_MAX) {
		log_warn("threshold %s, which SNMP had set, is gone: threshold_map was "
		         "read anew",
		    p->config.name);
		place_free(p);
		return;
	}
	t->unsaved |= p->config.storage == STORAGE_NONVOLATILE;
	if (found) {
		place_end(t, t->places[at]);
		t->places[at] = p;
		return;
	}
	memmove(&t->places[at + 1], &t->places[at], (t->n - at) * sizeof(t->places[0]));
	t->places[at] = p;
	t->n++;
}

void
thresholds_commit(struct thresholds *t, struct threshold_batch *b)
{
	if (b == NULL)
		return;
	t->promised -= b->promised;
	for (unsigned i = 0; i < b->n; i++) /* first those that make room */
		if (b->items[i].fresh == NULL)
			place_remove(t, &b->items[i]);
	for (unsigned i = 0; i < b->n; i++)
		if (b->items[i].fresh != NULL)
			place_put(t, b->items[i].fresh);
	atomic_fetch_add(&t->changes, 1);
	free(b);
}

/* Those that stand */

bool
thresholds_get(const struct thresholds *t, const char *name, struct threshold_config *c)
{
	bool found;
	uint32_t at = place_seek(t, name, &found);

	if (found && c != NULL)
		*c = t->places[at]->config;
	return found;
}

const struct threshold_config *
thresholds_at(const struct thresholds *t, uint32_t i)
{
	return &t->places[i]->config;
}

void
thresholds_look(struct thresholds *t, uint64_t now)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (t->places[i]->crossing != NULL)
			crossing_look(t->places[i]->crossing, now);
}

uint32_t
thresholds_kept(const struct thresholds *t, struct threshold_config *list)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->n; i++) {
		const struct place *p = t->places[i];

		if (p->config.storage != STORAGE_NONVOLATILE)
			continue;
		list[n] = p->config;
		if (p->dormant)
			list[n].status = STATUS_ACTIVE;
		n++;
	}
	return n;
}

struct threshold_row *
thresholds_rows(const struct thresholds *t, uint32_t *n)
{
	struct threshold_row *list = calloc(t->n + 1, sizeof(*list));

	*n = 0;
	for (uint32_t i = 0; list != NULL && i < t->n; i++) {
		const struct crossing *x = t->places[i]->crossing;
		struct threshold_row *r = &list[(*n)++];

		r->config = t->places[i]->config;
		if (x == NULL)
			continue;
		r->value = x->value;
		r->last_transition = x->last_transition;
		r->transitions = x->transitions;
		r->raised = x->n_raised;
		r->looked = x->looked;
	}
	return list;
}

static int
raised_order(const void *x, const void *y)
{
	const struct alarm_row *p = x, *q = y;
	size_t m = strlen(p->name), n = strlen(q->name);
	int order;

	if (m != n)
		return m < n ? -1 : 1;
	order = strcmp(p->name, q->name);
	return order != 0 ? order : p->id < q->id ? -1 : p->id > q->id;
}

static void
raised_row(struct alarm_row *r, const struct crossing *x, const struct instance *in)
{
	memcpy(r->name, x->config.name, sizeof(r->name));
	memcpy(r->subject, x->config.subject, sizeof(r->subject));
	memcpy(r->label, in->label, sizeof(r->label));
	r->scope = x->config.scope;
	r->metric = x->config.metric;
	r->limit = crossing_limit(x, true);
	r->id = in->id;
	r->raised = in->raised;
	r->value = in->value;
}

struct alarm_row *
thresholds_raised(const struct thresholds *t, uint32_t *n)
{
	struct alarm_row *list;
	uint32_t room = 0;

	*n = 0;
	for (uint32_t i = 0; i < t->n; i++)
		if (t->places[i]->crossing != NULL)
			room += t->places[i]->crossing->n_raised;
	list = calloc(room + 1, sizeof(*list));
	for (uint32_t i = 0; list != NULL && i < t->n; i++) {
		const struct crossing *x = t->places[i]->crossing;

		for (uint32_t k = 0; x != NULL && k < x->instances.n; k++) {
			const struct instance *in = crossing_instance(x, k);

			if (in->raised == 0)
				continue;
			assert(*n < room);
			raised_row(&list[(*n)++], x, in);
		}
	}
	if (list != NULL)
		qsort(list, *n, sizeof(*list), raised_order);
	return list;
}
