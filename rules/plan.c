/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DOC: The program is walked from its start with what is known of A, X and the scratch
 * memory: a constant, or a part of a spot. A test that this decides is walked past; one
 * that it does not becomes a step, and both ways are walked on from there. Ways that come
 * to the same test knowing the same are one. As jumps only lead on, steps are made in the
 * order of the program, and every step leads to later ones: so a plan is run by looking
 * once at each step with the mask of the flows that come to it.
 *
 * A captured frame may end before a spot. Then the program refuses it; so a step that asks
 * whether it reaches that far comes first.
 */
#include "rules/plan.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
	PASSES = PLAN_STEPS,
	REFUSED,
	RESULTS
}; /* where a step may lead, beside steps */

enum { TEST_EQUAL, TEST_GREATER };

struct step {
	uint8_t test, spot;
	uint16_t yes, no; /* the next step, or PASSES or REFUSED */
	uint32_t mask, value;
};

struct plan {
	unsigned n;
	uint16_t first;
	struct step steps[];
};

/* What is known of a register: of a spot `mask`, after shifting right; or a constant. */
struct part {
	uint32_t mask; /* of the constant: its value */
	uint8_t spot; /* SPOTS: a constant */
	uint8_t shift;
	uint16_t hole; /* nothing: states are compared as octets */
};

struct state {
	uint32_t at; /* instruction */
	uint8_t there; /* octets of the transport header that are certain */
	bool not_icmp;
	uint16_t hole;
	struct part a, x, words[BPF_WORDS];
};

/* A test that is not decided, and in which state it was come to. */
struct node {
	struct state state;
	uint32_t next; /* of the same instruction, and one; 0: none */
	uint32_t yes, no; /* numbers of nodes, or PASSES or REFUSED */
	uint16_t order; /* its step's number */
	bool turned; /* the step's yes is the test's no */
	struct step what;
};

struct walk {
	const struct bpf *program;
	unsigned ops;
	enum shape shape;
	enum shape_origin origin;
	bool failed; /* there is no plan */
	struct node *nodes; /* PLAN_STEPS */
	unsigned n;
	uint32_t *first; /* of the nodes of each instruction, and one; 0: none */
};

static struct part
constant(uint32_t value)
{
	return (struct part){ .spot = SPOTS, .mask = value };
}

static bool
is_constant(const struct part *p)
{
	return p->spot == SPOTS;
}

static uint32_t
fail(struct walk *w)
{
	w->failed = true;
	return REFUSED;
}

/* The bits of `p`'s spot that are known, as they are in `p`; in `*value` how they are. */
static uint32_t
part_known(const struct walk *w, const struct part *p, uint32_t *value)
{
	const struct spot_row *row = &spot_rows[p->spot];
	uint32_t known = row->known[w->origin];

	if (row->octets < 4) /* higher bits are 0 */
		known |= UINT32_MAX << 8 * row->octets;
	*value = (row->value & known) >> p->shift & p->mask;
	return known >> p->shift & p->mask;
}

/* What is known in full is a constant. */
static struct part
part_settle(const struct walk *w, struct part p)
{
	uint32_t value;

	if (is_constant(&p) || part_known(w, &p, &value) != p.mask)
		return p;
	return constant(value);
}

/* Whether it is not certain that the frame has these octets. */
static bool
is_in_question(
    const struct walk *w, const struct state *s, uint32_t at, unsigned octets)
{
	uint32_t transport = shape_transport(w->shape);

	return w->origin == SHAPE_SEEN && at + octets > transport + s->there;
}

/* Take `octets` of the frame from `at` on; false: beyond its end, or what was not foreseen. */
static bool
load(struct walk *w, const struct state *s, uint64_t at, unsigned octets,
    struct part *to)
{
	unsigned end = shape_transport(w->shape) + SHAPE_TRANSPORT_OCTETS, before;
	enum spot spot;

	if (at + octets > end) {
		if (w->origin == SHAPE_SEEN)
			(void)fail(w);
		return false; /* frames that are made end there */
	}
	spot = shape_spot(w->shape, (uint32_t)at, octets,
	    s->not_icmp && w->origin == SHAPE_MADE, &before);
	if (spot == SPOTS) {
		(void)fail(w);
		return false;
	}
	*to = (struct part){ .spot = (uint8_t)spot,
		.shift = (uint8_t)(8 * (spot_rows[spot].octets - before - octets)),
		.mask = octets == 4 ? UINT32_MAX : (UINT32_C(1) << 8 * octets) - 1 };
	*to = part_settle(w, *to);
	return true;
}

static uint32_t
compute(enum bpf_kind kind, uint32_t a, uint32_t k)
{
	switch (kind) {
	case OP_ADD:
		return a + k;
	case OP_SUBTRACT:
		return a - k;
	case OP_MULTIPLY:
		return a * k;
	case OP_AND_BITS:
		return a & k;
	case OP_OR_BITS:
		return a | k;
	case OP_XOR_BITS:
		return a ^ k;
	case OP_LEFT:
		return k < 32 ? a << k : 0;
	default:
		return k < 32 ? a >> k : 0;
	}
}

/* Of a part of a spot only such parts can be made. */
static void
arithmetic(
    struct walk *w, const struct bpf_op *op, struct part *a, const struct part *by)
{
	if (!is_constant(by)) {
		(void)fail(w);
	} else if (is_constant(a)) {
		*a = constant(compute((enum bpf_kind)op->kind, a->mask, by->mask));
	} else if (op->kind == OP_AND_BITS) {
		a->mask &= by->mask;
	} else if (op->kind == OP_RIGHT && a->shift + by->mask < 32) {
		a->shift = (uint8_t)(a->shift + by->mask);
		a->mask >>= by->mask;
	} else {
		(void)fail(w);
	}
	*a = part_settle(w, *a);
}

/* What a test of a part comes to; of the last two `*step` is what is left of it. */
enum verdict { VERDICT_NO, VERDICT_YES, VERDICT_STEP, VERDICT_STEP_TURNED };

static enum verdict
verdict_constant(enum bpf_kind kind, uint32_t a, uint32_t k)
{
	switch (kind) {
	case OP_IF_EQUAL:
		return a == k ? VERDICT_YES : VERDICT_NO;
	case OP_IF_GREATER:
		return a > k ? VERDICT_YES : VERDICT_NO;
	case OP_IF_NOT_LESS:
		return a >= k ? VERDICT_YES : VERDICT_NO;
	default:
		return (a & k) != 0 ? VERDICT_YES : VERDICT_NO;
	}
}

static enum verdict
verdict_equal(const struct walk *w, const struct part *a, uint32_t k, struct step *step)
{
	uint32_t value, known = part_known(w, a, &value);

	if ((k & ~a->mask) != 0 || ((k ^ value) & known) != 0)
		return VERDICT_NO;
	*step = (struct step){ .test = TEST_EQUAL,
		.spot = a->spot,
		.mask = a->mask << a->shift,
		.value = k << a->shift };
	return VERDICT_STEP;
}

/* Some bit is set: not all of them are clear. */
static enum verdict
verdict_bits(const struct walk *w, const struct part *a, uint32_t k, struct step *step)
{
	uint32_t value, known = part_known(w, a, &value), bits = k & a->mask;

	if ((value & bits) != 0)
		return VERDICT_YES;
	bits &= ~known;
	if (bits == 0)
		return VERDICT_NO;
	*step = (struct step){
		.test = TEST_EQUAL, .spot = a->spot, .mask = bits << a->shift
	};
	return VERDICT_STEP_TURNED;
}

static enum verdict
verdict_greater(const struct part *a, uint32_t k, struct step *step)
{
	if (k >= a->mask)
		return VERDICT_NO;
	*step = (struct step){ .test = TEST_GREATER,
		.spot = a->spot,
		.mask = a->mask << a->shift,
		.value = k << a->shift };
	return VERDICT_STEP;
}

static enum verdict
verdict(const struct walk *w, enum bpf_kind kind, const struct part *a, uint32_t k,
    struct step *step)
{
	if (is_constant(a))
		return verdict_constant(kind, a->mask, k);
	switch (kind) {
	case OP_IF_EQUAL:
		return verdict_equal(w, a, k, step);
	case OP_IF_BITS:
		return verdict_bits(w, a, k, step);
	case OP_IF_NOT_LESS:
		return k == 0 ? VERDICT_YES : verdict_greater(a, k - 1, step);
	default:
		return verdict_greater(a, k, step);
	}
}

/* The node of `what` in state `s`: one that there is, or another. */
static uint32_t
node_find(struct walk *w, const struct state *s, const struct step *what, bool turned)
{
	uint32_t *link = &w->first[s->at];
	struct node *n;

	for (; *link != 0; link = &w->nodes[*link - 1].next)
		if (memcmp(&w->nodes[*link - 1].state, s, sizeof(*s)) == 0)
			return *link - 1;
	if (w->n == PLAN_STEPS)
		return fail(w);
	n = &w->nodes[w->n];
	*n = (struct node){ .what = *what, .turned = turned };
	memcpy(&n->state, s, sizeof(*s));
	*link = ++w->n;
	return w->n - 1;
}

static uint32_t
ask_length(struct walk *w, const struct state *s, uint64_t at, unsigned octets)
{
	uint32_t end = (uint32_t)(at + octets) - shape_transport(w->shape);
	struct step what = { .test = TEST_GREATER,
		.spot = SPOT_BEHIND,
		.mask = UINT32_MAX,
		.value = end - 1 };

	return node_find(w, s, &what, false);
}

/*
 * A load into `to`. Returns whether the walk goes on; if not, `*result` is where it ended.
 */
static bool
walk_load(struct walk *w, struct state *s, uint64_t at, unsigned octets,
    struct part *to, uint32_t *result)
{
	struct part loaded = constant(0);

	*result = REFUSED;
	if (at <= UINT32_MAX - 4 &&
	    at + octets <= shape_transport(w->shape) + SHAPE_TRANSPORT_OCTETS &&
	    is_in_question(w, s, (uint32_t)at, octets)) {
		*result = ask_length(w, s, at, octets);
		return false;
	}
	if (!load(w, s, at, octets, &loaded))
		return false;
	*to = loaded;
	return true;
}

/* X + k; libpcap refuses what is more than 32 bits. */
static bool
walk_load_x(struct walk *w, struct state *s, const struct bpf_op *op, uint32_t *result)
{
	if (!is_constant(&s->x)) {
		*result = fail(w);
		return false;
	}
	return walk_load(w, s, (uint64_t)s->x.mask + op->k, op->octets, &s->a, result);
}

/* Four times what the low half of an octet says. */
static bool
walk_header(struct walk *w, struct state *s, uint32_t at, uint32_t *result)
{
	struct part octet;

	if (!walk_load(w, s, at, 1, &octet, result))
		return false;
	octet.mask &= is_constant(&octet) ? UINT32_MAX : 0xf;
	octet = part_settle(w, octet);
	if (!is_constant(&octet)) {
		*result = fail(w);
		return false;
	}
	s->x = constant((octet.mask & 0xf) * 4);
	return true;
}

/* A jump that is decided is taken; else its node is the result. */
static bool
walk_jump(struct walk *w, struct state *s, const struct bpf_op *op, uint32_t *result)
{
	const struct part k = op->with_x ? s->x : constant(op->k);
	struct step what = { 0 };
	enum verdict v;

	if (!is_constant(&k)) {
		*result = fail(w);
		return false;
	}
	v = verdict(w, (enum bpf_kind)op->kind, &s->a, k.mask, &what);
	if (v == VERDICT_STEP || v == VERDICT_STEP_TURNED) {
		*result = node_find(w, s, &what, v == VERDICT_STEP_TURNED);
		return false;
	}
	s->at += v == VERDICT_YES ? op->yes : op->no;
	return true;
}

static bool
walk_word(struct walk *w, uint32_t k, uint32_t *result)
{
	if (k < BPF_WORDS)
		return true;
	*result = fail(w);
	return false;
}

/* One instruction. Returns whether the walk goes on; if not, `*result` is where it ended. */
static bool
walk_op(struct walk *w, struct state *s, const struct bpf_op *op, uint32_t *result)
{
	const struct part length = { .spot = SPOT_LENGTH, .mask = UINT32_MAX };
	const struct part k = constant(op->k);

	switch ((enum bpf_kind)op->kind) {
	case OP_A_FRAME:
		return walk_load(w, s, op->k, op->octets, &s->a, result);
	case OP_A_FRAME_X:
		return walk_load_x(w, s, op, result);
	case OP_X_HEADER:
		return walk_header(w, s, op->k, result);
	case OP_A_LEN:
		s->a = length;
		return true;
	case OP_X_LEN:
		s->x = length;
		return true;
	case OP_A_CONST:
		s->a = k;
		return true;
	case OP_X_CONST:
		s->x = k;
		return true;
	case OP_A_WORD:
	case OP_X_WORD:
	case OP_WORD_A:
	case OP_WORD_X:
		if (!walk_word(w, op->k, result))
			return false;
		if (op->kind == OP_A_WORD)
			s->a = s->words[op->k];
		else if (op->kind == OP_X_WORD)
			s->x = s->words[op->k];
		else
			s->words[op->k] = op->kind == OP_WORD_A ? s->a : s->x;
		return true;
	case OP_X_A:
		s->x = s->a;
		return true;
	case OP_A_X:
		s->a = s->x;
		return true;
	case OP_ADD:
	case OP_SUBTRACT:
	case OP_MULTIPLY:
	case OP_AND_BITS:
	case OP_OR_BITS:
	case OP_XOR_BITS:
	case OP_LEFT:
	case OP_RIGHT:
		arithmetic(w, op, &s->a, op->with_x ? &s->x : &k);
		return true;
	case OP_GO:
		s->at += op->k; /* wraps where it turns back */
		return true;
	case OP_IF_EQUAL:
	case OP_IF_GREATER:
	case OP_IF_NOT_LESS:
	case OP_IF_BITS:
		return walk_jump(w, s, op, result);
	case OP_END:
		*result = op->k != 0 ? PASSES : REFUSED;
		return false;
	case OP_END_A:
		*result =
		    is_constant(&s->a) ? (s->a.mask != 0 ? PASSES : REFUSED) : fail(w);
		return false;
	case OP_OTHER:
		break;
	}
	*result = fail(w);
	return false;
}

/*
 * Walk on from `s`. Returns the node of the next test, or PASSES or REFUSED. A program that
 * turns back (protochain) has no plan.
 */
static uint32_t
walk_on(struct walk *w, struct state s)
{
	uint32_t result = REFUSED;

	for (;; s.at++) {
		struct bpf_op op;
		uint32_t at = s.at;

		if (w->failed || at >= w->ops)
			return fail(w);
		op = bpf_op(w->program, at);
		if (!walk_op(w, &s, &op, &result))
			return w->failed ? REFUSED : result;
		if (s.at < at)
			return fail(w);
	}
}

/* Whether the test found out that the protocol is one, and another than ICMP. */
static bool
tells_not_icmp(const struct step *what)
{
	enum { ICMP = 1, ICMPV6 = 58 };

	return (what->spot == SPOT_IPV4_PROTO || what->spot == SPOT_IPV6_NEXT) &&
	       what->test == TEST_EQUAL && what->mask == 0xff && what->value != ICMP &&
	       what->value != ICMPV6;
}

/* Walk on both ways from node `i`. */
static void
walk_node(struct walk *w, uint32_t i)
{
	const struct node *n = &w->nodes[i];
	struct state yes = n->state, no = n->state;
	const struct bpf_op op = bpf_op(w->program, n->state.at);
	uint32_t to_yes, to_no = REFUSED;

	if (n->what.spot == SPOT_BEHIND) {
		yes.there = (uint8_t)(n->what.value + 1);
	} else {
		if (w->origin == SHAPE_MADE && !n->turned && tells_not_icmp(&n->what))
			yes.not_icmp = true;
		yes.at += op.yes + 1U;
		no.at += op.no + 1U;
		to_no = walk_on(w, no);
	}
	to_yes = walk_on(w, yes);
	w->nodes[i].yes = n->turned ? to_no : to_yes;
	w->nodes[i].no = n->turned ? to_yes : to_no;
}

static uint16_t
step_number(const struct walk *w, uint32_t node)
{
	return (uint16_t)(node < PLAN_STEPS ? w->nodes[node].order : node);
}

static struct plan *
plan_of(const struct walk *w, uint32_t first)
{
	struct plan *p = calloc(1, sizeof(*p) + w->n * sizeof(p->steps[0]));

	if (p == NULL)
		return NULL;
	p->n = w->n;
	p->first = step_number(w, first);
	for (unsigned i = 0; i < w->n; i++) {
		const struct node *n = &w->nodes[i];
		struct step *s = &p->steps[n->order];

		*s = n->what;
		s->yes = step_number(w, n->yes);
		s->no = step_number(w, n->no);
	}
	return p;
}

/* Walk all ways. Nodes of an instruction only lead to later ones. */
static struct plan *
walk_all(struct walk *w)
{
	struct state start = {
		.there = SHAPE_TRANSPORT_PROMISED, .a = constant(0), .x = constant(0)
	};
	uint16_t order = 0;
	uint32_t first;

	for (unsigned i = 0; i < BPF_WORDS; i++)
		start.words[i] = constant(0);
	first = walk_on(w, start);
	for (unsigned at = 0; at < w->ops && !w->failed; at++)
		for (uint32_t i = w->first[at]; i != 0; i = w->nodes[i - 1].next) {
			w->nodes[i - 1].order = order++;
			walk_node(w, i - 1);
		}
	return w->failed ? NULL : plan_of(w, first);
}

struct plan *
plan_new(const struct bpf *b, enum shape s, enum shape_origin origin)
{
	struct walk w = {
		.program = b, .ops = bpf_ops_count(b), .shape = s, .origin = origin
	};
	struct plan *p = NULL;

	w.nodes = malloc(PLAN_STEPS * sizeof(*w.nodes)); /* cleared as they are made */
	w.first = calloc(w.ops + 1, sizeof(*w.first));
	if (w.nodes != NULL && w.first != NULL)
		p = walk_all(&w);
	free(w.nodes);
	free(w.first);
	return p;
}

void
plan_free(struct plan *p)
{
	free(p);
}

unsigned
plan_steps(const struct plan *p)
{
	return p->n;
}

void
plan_reads(const struct plan *p, struct field_set *reads)
{
	for (unsigned i = 0; i < p->n; i++)
		spot_reads((enum spot)p->steps[i].spot, reads);
}

uint64_t
plan_run(const struct plan *p, struct columns *c, const struct batch *b, uint64_t mask)
{
	uint64_t come[RESULTS]; /* flows that come to each step */

	memset(come, 0, p->n * sizeof(come[0]));
	come[PASSES] = come[REFUSED] = 0;
	come[p->first] = mask;
	for (unsigned i = 0; i < p->n; i++) {
		const struct step *s = &p->steps[i];
		const uint32_t *column;
		uint64_t yes;

		if (come[i] == 0)
			continue;
		column = columns_get(c, b, (enum spot)s->spot);
		yes = s->test == TEST_EQUAL ? column_equal(column, s->mask, s->value)
					    : column_greater(column, s->mask, s->value);
		come[s->yes] |= come[i] & yes;
		come[s->no] |= come[i] & ~yes;
	}
	return come[PASSES];
}
