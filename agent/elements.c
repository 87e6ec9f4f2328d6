/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/elements.h"

#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"
#include "lib/wbuf.h"

/* Of the address, then the domain in network order. */
uint32_t
session_index_make(const ip16_t *address, uint32_t domain)
{
	uint8_t key[sizeof(*address) + 4];
	struct wbuf w = wbuf_of(key, sizeof(key));
	uint32_t index;

	wbuf_put(&w, address, sizeof(*address));
	wbuf_u32(&w, domain);
	index = (uint32_t)(hash_frozen(key, sizeof(key)) >> 33);
	return index != 0 ? index : 1;
}

static int
element_order(const void *a, const void *b)
{
	const struct element_row *x = a, *y = b;

	if (x->session != y->session)
		return x->session < y->session ? -1 : 1;
	if (x->domain != y->domain)
		return x->domain < y->domain ? -1 : 1;
	if (x->e.template != y->e.template)
		return x->e.template < y->e.template ? -1 : 1;
	return x->e.no < y->e.no ? -1 : x->e.no > y->e.no;
}

/* Leave out what has an index that is there already: sessions that share one, which is rare. */
static void
elements_settle(struct element_set *s)
{
	uint32_t kept = 0;

	if (s->n > 0)
		qsort(s->rows, s->n, sizeof(*s->rows), element_order);
	for (uint32_t i = 0; i < s->n; i++) {
		const struct element_row *r = &s->rows[i];

		if (kept > 0 && element_order(&s->rows[kept - 1], r) == 0)
			continue;
		if (r->e.no == 1)
			s->firsts[s->n_templates++] = kept;
		s->rows[kept++] = *r;
	}
	s->n = kept;
}

struct element_set *
element_set_new(struct exporter *const *list, uint32_t n,
    uint32_t (*get)(struct exporter *x, struct exporter_element *out, uint32_t max))
{
	struct element_set *s = calloc(1, sizeof(*s));
	struct exporter_element *one = malloc(ELEMENTS_MAX * sizeof(*one));

	if (s != NULL) {
		atomic_init(&s->refs, 1);
		s->rows = malloc(ELEMENTS_MAX * sizeof(*s->rows));
		s->firsts = malloc(ELEMENTS_MAX * sizeof(*s->firsts));
	}
	if (s == NULL || one == NULL || s->rows == NULL || s->firsts == NULL) {
		free(one);
		element_set_unref(s);
		return NULL;
	}
	for (uint32_t i = 0; i < n && s->n < ELEMENTS_MAX; i++) {
		uint32_t more = get(list[i], one, ELEMENTS_MAX - s->n);
		uint32_t session = session_index_make(&list[i]->addr, list[i]->domain);

		for (uint32_t k = 0; k < more; k++)
			s->rows[s->n++] = (struct element_row){ session, list[i]->domain,
				one[k] };
	}
	free(one);
	elements_settle(s);
	return s;
}

struct element_set *
element_set_ref(struct element_set *s)
{
	if (s != NULL)
		atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void
element_set_unref(struct element_set *s)
{
	if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	free(s->rows);
	free(s->firsts);
	free(s);
}
