/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/filter.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "rules/bpf.h"
#include "rules/columns.h"
#include "rules/plan.h"
#include "rules/synth.h"

enum { TYPE_MPLS = 0x8847, TYPE_MPLS_MULTICAST = 0x8848 };

/* The program for a link layer other than Ethernet; added in front of the others. */
struct filter_link {
	uint32_t linktype;
	struct bpf *program; /* NULL: nothing passes */
	struct filter_link *next;
};

struct filter_links {
	_Atomic(struct filter_link *) first;
};

struct filter {
	char *text;
	struct bpf *ether;
	struct plan *plans[SHAPE_ORIGINS][SHAPES]; /* NULL: the program is run */
	struct filter_links *links; /* grow while workers use them */
};

static void
plans_make(struct filter *f)
{
	for (unsigned o = 0; o < SHAPE_ORIGINS; o++)
		for (unsigned s = 0; s < SHAPES; s++)
			f->plans[o][s] =
			    plan_new(f->ether, (enum shape)s, (enum shape_origin)o);
}

static struct filter *
filter_alloc(const char *text)
{
	struct filter *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->text = strdup(text);
	f->links = calloc(1, sizeof(*f->links));
	if (f->text != NULL && f->links != NULL)
		return f;
	free(f->text);
	free(f->links);
	free(f);
	return NULL;
}

struct filter *
filter_new(const char *text, struct err *e)
{
	struct err why = ERR_INIT;
	struct filter *f = filter_alloc(text);

	if (f == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for a filter");
		return NULL;
	}
	f->ether = bpf_new(text, FRAME_ETHERNET, &why);
	if (f->ether == NULL) {
		err_set(e, WEIR_EINVAL,
		    "filter '%.200s': %s; write an expression as tcpdump "
		    "takes it, such as 'src net 192.0.2.0/24 and tcp port 80'",
		    text, why.text);
		filter_free(f);
		return NULL;
	}
	plans_make(f);
	return f;
}

void
filter_free(struct filter *f)
{
	struct filter_link *next;

	if (f == NULL)
		return;
	for (struct filter_link *l = atomic_load(&f->links->first); l != NULL;
	     l = next) {
		next = l->next;
		bpf_free(l->program);
		free(l);
	}
	for (unsigned o = 0; o < SHAPE_ORIGINS; o++)
		for (unsigned s = 0; s < SHAPES; s++)
			plan_free(f->plans[o][s]);
	bpf_free(f->ether);
	free(f->links);
	free(f->text);
	free(f);
}

static bool
mentions_labels(const struct bpf *b)
{
	for (unsigned i = 0; i < bpf_ops_count(b); i++) {
		struct bpf_op op = bpf_op(b, i);

		if (op.kind == OP_IF_EQUAL &&
		    (op.k == TYPE_MPLS || op.k == TYPE_MPLS_MULTICAST))
			return true;
	}
	return false;
}

void
filter_reads(const struct filter *f, struct field_set *reads)
{
	bool all = mentions_labels(f->ether);

	shape_reads(reads);
	for (unsigned s = 0; s < SHAPES; s++)
		if (f->plans[SHAPE_MADE][s] != NULL)
			plan_reads(f->plans[SHAPE_MADE][s], reads);
		else
			all = true;
	if (all)
		synth_reads(reads);
}

uint32_t
filter_reach(const struct filter *f)
{
	uint32_t reach = bpf_reach(f->ether),
		 plans = SHAPE_ETHER_OCTETS + SHAPE_TAG_OCTETS + SHAPE_IPV6_OCTETS +
			 SHAPE_TRANSPORT_OCTETS;

	return reach > plans ? reach : plans;
}

static const struct filter_link *
link_get(const struct filter *f, uint32_t linktype)
{
	const struct filter_link *l =
	    atomic_load_explicit(&f->links->first, memory_order_acquire);

	while (l != NULL && l->linktype != linktype)
		l = l->next;
	return l;
}

/* Two threads may add the same: the one in front counts, and both are freed. */
static const struct filter_link *
link_add(const struct filter *f, uint32_t linktype)
{
	struct filter_link *l = calloc(1, sizeof(*l));
	struct err e = ERR_INIT;

	if (l == NULL)
		return NULL;
	l->linktype = linktype;
	l->program = bpf_new(f->text, linktype, &e);
	if (l->program == NULL)
		log_warn("filter '%.200s': no frame of link type %u passes: %s",
		    f->text, linktype, e.text);
	l->next = atomic_load(&f->links->first);
	while (!atomic_compare_exchange_weak(&f->links->first, &l->next, l))
		;
	return l;
}

void
filter_link(const struct filter *f, uint32_t linktype)
{
	if (linktype != FRAME_ETHERNET && link_get(f, linktype) == NULL)
		(void)link_add(f, linktype);
}

static bool
frame_passes(const struct filter *f, const struct frame *frame)
{
	const struct filter_link *l;

	if (frame->linktype == FRAME_ETHERNET)
		return bpf_run(f->ether, frame);
	l = link_get(f, frame->linktype);
	if (l == NULL)
		l = link_add(f, frame->linktype);
	return l != NULL && l->program != NULL && bpf_run(l->program, frame);
}

uint64_t
filter_run(const struct filter *f, const struct batch *b, uint64_t mask)
{
	struct columns *c = b->columns;
	uint64_t passed = 0;

	assert(c != NULL);
	columns_sort(c, b);
	for (unsigned o = 0; o < SHAPE_ORIGINS; o++)
		for (unsigned s = 0; s < SHAPES; s++) {
			uint64_t these = mask & c->shapes[o][s];

			if (these == 0 || f->plans[o][s] == NULL)
				continue;
			passed |= plan_run(f->plans[o][s], c, b, these);
			mask &= ~these;
		}
	while (mask != 0) {
		unsigned i = batch_take(&mask);

		if (frame_passes(f, columns_frame(c, b, i)))
			passed |= UINT64_C(1) << i;
	}
	return passed;
}
