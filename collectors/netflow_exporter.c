/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/netflow_exporter.h"

#include "collectors/netflow.h"
#include "lib/clock.h"
#include "lib/rbuf.h"
#include "proto/netflow.h"

static _Atomic uint64_t changes;

uint64_t
netflow_exporter_changes(void)
{
	return atomic_load(&changes);
}

_Static_assert(sizeof(struct netflow_exporter) <= EXPORTER_ROOM,
    "what is remembered of an exporter fits in its room");

/* netflow_exporter_of, made when there is none; NULL when memory is short. Under x->lock. */
static struct netflow_exporter *
netflow_exporter_make(struct exporter *x)
{
	struct netflow_exporter *nx = netflow_exporter_of(x);

	if (nx != NULL)
		return nx;
	nx = (struct netflow_exporter *)(void *)x->room;
	if (templates_init(&nx->templates) != 0)
		return NULL;
	atomic_store_explicit(&x->state, nx, memory_order_release);
	return nx;
}

int
netflow_exporter_template(struct exporter *x, struct template *t, uint32_t now_s)
{
	struct templates_old old = { 0 };
	struct netflow_exporter *nx;
	int rc = -WEIR_ENOMEM;

	pthread_mutex_lock(&x->lock);
	nx = netflow_exporter_make(x);
	if (nx != NULL)
		rc = templates_put(&nx->templates, t, now_s, &old);
	pthread_mutex_unlock(&x->lock);
	atomic_fetch_add(&changes, rc >= 0);
	/* Not under the lock: when memory is short it waits for the workers. */
	templates_retire(&old);
	return rc;
}

int
netflow_exporter_withdraw(struct exporter *x, enum template_kind kind, uint16_t id)
{
	struct templates_old old = { 0 };
	struct netflow_exporter *nx;
	int rc = 0;

	pthread_mutex_lock(&x->lock);
	nx = netflow_exporter_of(x);
	if (nx != NULL) {
		rc = templates_withdraw(&nx->templates, kind, id, &old);
		atomic_store(&nx->withdraws, true);
	}
	pthread_mutex_unlock(&x->lock);
	atomic_fetch_add(&changes, rc > 0);
	templates_retire(&old);
	return rc;
}

/* The options of the address of `first`, made when there are none. Locked. */
static struct optdata *
options_make(struct exporter *first)
{
	struct netflow_exporter *nx = netflow_exporter_make(first);
	struct optdata *o;

	if (nx == NULL)
		return NULL;
	o = atomic_load_explicit(&nx->options, memory_order_relaxed);
	if (o == NULL) {
		o = optdata_new();
		atomic_store_explicit(&nx->options, o, memory_order_release);
	}
	return o;
}

unsigned
netflow_exporter_told(struct exporter *x, const struct optdata_told *told, uint64_t now)
{
	struct optdata_old old = { 0 };
	unsigned refused = told->n;
	struct optdata *o;

	pthread_mutex_lock(&x->first->lock);
	o = options_make(x->first);
	if (o != NULL)
		refused = optdata_learn(o, told, now, &old);
	pthread_mutex_unlock(&x->first->lock);
	/* Not under the lock: when memory is short it waits for the workers. */
	optdata_retire(&old);
	return refused;
}

/* For the callback of templates_each. */
struct listing {
	const struct templates *templates;
	bool ipfix;
	struct exporter_element *out;
	uint32_t n, max;
};

static void
template_list(const struct template *t, void *arg)
{
	struct listing *l = arg;
	struct rbuf r = rbuf_of(t->fields, t->fields_octets);
	const struct template_life life = templates_life(l->templates, t);

	if (template_kind_is_ipfix((enum template_kind)t->kind) != l->ipfix)
		return;
	for (uint16_t i = 0; i < t->n_fields && l->n < l->max; i++) {
		struct template_spec s = template_spec_read(&r, (enum template_kind)t->kind);

		l->out[l->n++] = (struct exporter_element){ .template = t->id,
			.no = (uint16_t)(i + 1), .element = s.id, .octets = s.octets,
			.enterprise = s.enterprise, .options = t->options,
			.scope = i < t->n_scope, .heard = life.heard * CLOCK_S,
			.told = life.told * CLOCK_S, .records = life.records };
	}
}

uint32_t
netflow_exporter_elements(struct exporter *x, struct exporter_element *out, uint32_t max)
{
	struct listing l = { .ipfix = atomic_load(&x->version) == 10, .out = out,
		.max = max };

	if (x->kind != EXPORTER_NETFLOW)
		return 0;
	pthread_mutex_lock(&x->lock);
	l.templates = netflow_exporter_templates(x);
	if (l.templates != NULL)
		templates_each(l.templates, template_list, &l);
	pthread_mutex_unlock(&x->lock);
	return l.n;
}

void
netflow_exporter_state_free(void *state)
{
	struct netflow_exporter *nx = state;

	templates_fini(&nx->templates);
	optdata_free(atomic_load(&nx->options));
}
