/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/tables.h"
#include "agent/tree.h"
#include "core/alarms.h"
#include "core/topn.h"
#include "core/watch.h"
#include "tests/agent/scene.h"

#define NAMES_MAX 60000
#define ROUNDS    12     /* random trees */
#define PROBES    4000   /* random names asked of each */

struct name {
	subid_t s[NAME_MAX_LEN + 4];
	size_t len;
};

static struct name names[NAMES_MAX]; /* of all objects of a tree, by walking tables */
static size_t n_names;

/* A view with `n` random sources, not more than `shown` of them shown. */
static void
view_fill(struct view_row *v, uint32_t index, struct scene *s, uint32_t n, uint32_t shown)
{
	struct rows_config c = { shown, 0, NULL };
	struct rows_builder *b = rows_builder_new(&c, s->ledger->table.max, NULL);

	for (uint32_t i = 0; i < n; i++)
		scene_source(s, (uint32_t)rand() & 0xffff, (uint64_t)rand());
	scene_commit(s);
	v->index = index;
	v->rows = rows_build(b, s->ledger);
	snprintf(v->name, sizeof(v->name), "view%u", index);
	rows_builder_free(b);
}

static int
exporter_order(const void *a, const void *b)
{
	const struct exporter_row *x = a, *y = b;
	int v = ip_is_v4(&y->address) - ip_is_v4(&x->address);

	if (x->collector != y->collector)
		return x->collector < y->collector ? -1 : 1;
	if (v != 0)
		return v;
	v = memcmp(&x->address, &y->address, sizeof(x->address));
	return v != 0 ? v : x->domain < y->domain ? -1 : x->domain > y->domain;
}

/* Two exporters, and templates that each has told: ids from 256 on, up to three elements. */
static struct exporter first_given = { .domain = UINT32_MAX }, second_given = { .domain = 1 };
static struct exporter *const given[] = { &first_given, &second_given };

static uint32_t
elements_random(struct exporter *x, struct exporter_element *out, uint32_t max)
{
	uint32_t n = 0;

	(void)x, (void)max;
	for (uint16_t id = 260; id > 256; id--)
		for (uint16_t no = (uint16_t)(1 + rand() % 3); no > 0; no--)
			out[n++] = (struct exporter_element){ .template = id, .no = no,
				.element = 8, .octets = 4, .options = id == 260, .scope = no == 1 };
	return n;
}

static struct mib_tree *
tree_random(struct scene *s)
{
	uint32_t collectors = 1 + (uint32_t)rand() % 3, exporters = (uint32_t)rand() % 12;
	uint32_t views = (uint32_t)rand() % 4, outputs = (uint32_t)rand() % 5;
	const struct tree_size size = { collectors, exporters, outputs, views };
	struct mib_tree *t = tree_new(&size);

	assert_non_null(t);
	t->started = t->cut_real = SCENE_START;
	for (uint32_t i = 0; i < collectors; i++)
		t->collectors[i].index = i == 0 ? 1 : t->collectors[i - 1].index +
		    1 + (uint32_t)rand() % 100;
	for (uint32_t i = 0; i < exporters; i++) {
		struct exporter_row *x = &t->exporters[i];
		uint8_t octets[16] = { 0x20, 1, 0x0d, 0xb8, [13] = (uint8_t)(rand() % 2),
			[15] = (uint8_t)(rand() % 4) };

		x->collector = t->collectors[(uint32_t)rand() % collectors].index;
		x->address = rand() % 2 ? ip_from_v6(octets) : ip_from_v4(octets + 12);
		x->domain = 3 * i + (uint32_t)rand() % 3; /* so no two are equal */
	}
	for (uint32_t i = 0; i < outputs; i++)
		t->outputs[i].index = 7 * i + 3;
	t->n_thresholds = (uint32_t)rand() % 4;
	t->thresholds = calloc(t->n_thresholds + 1, sizeof(*t->thresholds));
	for (uint32_t i = 0; i < t->n_thresholds; i++) /* one begins with the other */
		memset(t->thresholds[i].config.name, 'a', 1 + 10 * i);
	t->n_alarms = (uint32_t)rand() % 6;
	t->alarms = calloc(t->n_alarms + 1, sizeof(*t->alarms));
	for (uint32_t i = 0; i < t->n_alarms; i++) { /* by length of the name, name, id */
		strcpy(t->alarms[i].name, i < 2 ? "b" : i < 4 ? "c" : "aa");
		t->alarms[i].id = (uint64_t)i << 40 | i;
	}
	t->n_topns = (uint32_t)rand() % 3;
	t->topns = calloc(t->n_topns + 1, sizeof(*t->topns));
	t->n_topn_entries = 4 * t->n_topns;
	t->topn_entries = calloc(t->n_topn_entries + 1, sizeof(*t->topn_entries));
	for (uint32_t i = 0; i < t->n_topn_entries; i++) {
		t->topns[i / 4].config.index = t->topn_entries[i].index = 9 * (i / 4) + 1;
		t->topn_entries[i].rank = i % 4 + 1;
	}
	t->n_watches = (uint32_t)rand() % 5;
	t->watches = calloc(t->n_watches + 1, sizeof(*t->watches));
	for (uint32_t i = 0; i < t->n_watches; i++)
		t->watches[i].index = 5 * i + 1;
	qsort(t->exporters, exporters, sizeof(*t->exporters), exporter_order);
	t->n_interfaces = exporters > 0 ? 2 * exporters : 0;
	t->interfaces = calloc(1, sizeof(*t->interfaces) +
	    t->n_interfaces * sizeof(t->interfaces->rows[0]));
	atomic_init(&t->interfaces->refs, 1);
	t->interfaces->n = t->n_interfaces;
	for (uint32_t i = 0; i < t->n_interfaces; i++) {
		const struct exporter_row *x = &t->exporters[i / 2];
		struct interface_row *r = &t->interfaces->rows[i];

		r->collector = x->collector;
		r->address = x->address;
		r->domain = x->domain;
		r->counters.index = i % 2 == 0 ? 0 : UINT32_MAX;
	}
	t->elements = element_set_new(given, (uint32_t)rand() % 3, elements_random);
	for (uint32_t i = 0; i < views; i++)
		view_fill(&t->views[i], (i == 0 ? 0 : t->views[i - 1].index) + 1 +
		    (uint32_t)rand() % 3, s, (uint32_t)rand() % 30, 20);
	tree_seal(t);
	return t;
}

static int
name_order(const subid_t *a, size_t a_len, const subid_t *b, size_t b_len)
{
	for (size_t i = 0; i < a_len && i < b_len; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return a_len < b_len ? -1 : a_len > b_len;
}

/* Every column of every row of every table, in order: what a walk must give. */
static void
names_list(const struct mib_tree *t)
{
	n_names = 0;
	for (unsigned m = 0; m < N_MIB_TABLES; m++)
		for (uint16_t c = 0; c < mib_tables[m]->n_columns; c++)
			for (uint32_t i = 0; i < mib_tables[m]->count(t); i++) {
				struct cell cell = { mib_tables[m], &mib_tables[m]->columns[c], i };

				assert_true(n_names < NAMES_MAX);
				names[n_names].len = cell_name(t, &cell, names[n_names].s);
				assert_true(names[n_names].len <= NAME_MAX_LEN);
				n_names++;
			}
}

static void
a_walk_gives_every_object_once_in_ascending_order(void **state)
{
	(void)state;
	srand(1);
	for (int round = 0; round < ROUNDS; round++) {
		struct scene s;
		struct mib_tree *t;
		struct name at = { .len = 0 };
		struct cell c = { 0 };
		size_t n = 0;

		scene_init(&s, "src_host", 1000);
		t = tree_random(&s);
		names_list(t);
		while (tree_next(&weir_mib, t, at.s, at.len, false, &c)) {
			struct name before = at;
			struct moment m = { t, 0, 0 };
			struct value v;

			at.len = cell_name(t, &c, at.s);
			assert_true(name_order(before.s, before.len, at.s, at.len) < 0);
			assert_true(n < n_names);
			assert_int_equal(name_order(at.s, at.len, names[n].s, names[n].len), 0);
			cell_value(&m, &c, &v);
			assert_true(v.len <= VALUE_OCTETS_MAX);
			n++;
		}
		assert_int_equal(n, n_names);
		tree_free(t);
		scene_fini(&s);
	}
}

static void
every_object_can_be_asked_for_by_its_name(void **state)
{
	(void)state;
	srand(2);
	for (int round = 0; round < ROUNDS; round++) {
		struct scene s;
		struct mib_tree *t;

		scene_init(&s, "src_host", 1000);
		t = tree_random(&s);
		names_list(t);
		for (size_t i = 0; i < n_names; i++) {
			struct name back;
			struct cell c = { 0 };

			assert_int_equal(tree_get(&weir_mib, t, names[i].s, names[i].len, &c), TREE_FOUND);
			back.len = cell_name(t, &c, back.s);
			assert_int_equal(name_order(back.s, back.len, names[i].s, names[i].len), 0);
			assert_true(tree_next(&weir_mib, t, names[i].s, names[i].len, true, &c));
			back.len = cell_name(t, &c, back.s);
			assert_int_equal(name_order(back.s, back.len, names[i].s, names[i].len), 0);
		}
		tree_free(t);
		scene_fini(&s);
	}
}

/* A name near some object's: shorter, longer, or with another number somewhere. */
static void
name_mutate(struct name *n)
{
	static const subid_t far[] = { 0, 1, 0x7fffffff, 0xffffffff };

	for (int times = rand() % 3; times >= 0; times--)
		switch (rand() % 5) {
		case 0:
			n->len = (size_t)rand() % (n->len + 1);
			break;
		case 1:
			if (n->len < sizeof(n->s) / sizeof(n->s[0]))
				n->s[n->len++] = far[rand() % 4];
			break;
		case 2:
			if (n->len > 0)
				n->s[(size_t)rand() % n->len] = far[rand() % 4];
			break;
		case 3:
			if (n->len > 0)
				n->s[(size_t)rand() % n->len]++;
			break;
		case 4:
			if (n->len > 0 && n->s[n->len - 1] > 0)
				n->s[n->len - 1]--;
			break;
		}
}

static void
any_name_is_followed_by_the_first_object_behind_it(void **state)
{
	(void)state;
	struct cell c = { 0 }; /* and what was found is looked at first, in whatever tree */

	srand(3);
	for (int round = 0; round < ROUNDS; round++) {
		struct scene s;
		struct mib_tree *t;

		scene_init(&s, "src_host", 1000);
		t = tree_random(&s);
		names_list(t);
		for (int probe = 0; probe < PROBES; probe++) {
			struct name ask = names[(size_t)rand() % n_names], got;
			bool inclusive = rand() % 2;
			size_t want = 0, end = n_names;
			bool found, exact;

			name_mutate(&ask);
			while (want < end) { /* the first that is not before `ask` */
				size_t mid = (want + end) / 2;

				if (name_order(names[mid].s, names[mid].len, ask.s, ask.len) < 0)
					want = mid + 1;
				else
					end = mid;
			}
			exact = want < n_names &&
			    name_order(names[want].s, names[want].len, ask.s, ask.len) == 0;
			assert_int_equal(tree_get(&weir_mib, t, ask.s, ask.len, &c) == TREE_FOUND, exact);
			want += exact && !inclusive;
			found = tree_next(&weir_mib, t, ask.s, ask.len, inclusive, &c);
			assert_int_equal(found, want < n_names);
			if (!found)
				continue;
			got.len = cell_name(t, &c, got.s);
			assert_int_equal(name_order(got.s, got.len, names[want].s,
			                     names[want].len), 0);
		}
		tree_free(t);
		scene_fini(&s);
	}
}

/* Managers give up when a name does not ascend; whatever changes between two steps. */
static void
a_walk_over_a_hundred_trees_ascends_to_the_end(void **state)
{
	(void)state;
	srand(4);
	for (int round = 0; round < ROUNDS; round++) {
		struct name at = { .len = 0 };
		unsigned steps = 0;
		struct cell c = { 0 };
		bool on = true;

		while (on) {
			struct scene s;
			struct mib_tree *t;

			scene_init(&s, "src_host", 1000);
			t = tree_random(&s);
			/* Some steps in each tree, then the next one. */
			for (int i = rand() % 8; on && i >= 0; i--) {
				struct name before = at;

				on = tree_next(&weir_mib, t, at.s, at.len, false, &c);
				if (!on)
					break;
				at.len = cell_name(t, &c, at.s);
				assert_true(name_order(before.s, before.len, at.s, at.len) < 0);
				steps++;
			}
			tree_free(t);
			scene_fini(&s);
		}
		assert_true(steps > 50);
	}
}

/* The other module, by the same functions: every object, in order, and each by its name. */
static void
sessions_can_be_walked_in_the_other_module(void **state)
{
	(void)state;
	srand(6);
	for (int round = 0; round < ROUNDS; round++) {
		struct scene s;
		struct mib_tree *t;
		struct name at = { .len = 0 };
		uint32_t n = 0;
		struct cell c = { 0 }, again = { 0 };

		scene_init(&s, "src_host", 1000);
		t = tree_random(&s);
		assert_int_equal(t->n_sessions, t->n_exporters);
		while (tree_next(&ipfix_mib, t, at.s, at.len, false, &c)) {
			struct name before = at;
			struct moment m = { t, 0, 0 };
			struct value v;

			at.len = cell_name(t, &c, at.s);
			assert_true(name_order(before.s, before.len, at.s, at.len) < 0);
			assert_int_equal(tree_get(&ipfix_mib, t, at.s, at.len, &again), TREE_FOUND);
			assert_true(again.column == c.column && again.pos == c.pos);
			cell_value(&m, &c, &v);
			n++;
		}
		assert_int_equal(n, t->n_sessions * (15 + 9) + t->elements->n_templates * 4 +
		    t->elements->n * 4);
		tree_free(t);
		scene_fini(&s);
	}
}

static const struct {
	const char *says;
	struct name name;
	enum tree_found want;
} absences[] = {
	{ "the root is no object", { { 0 }, 0 }, TREE_NO_OBJECT },
	{ "a table is no object", { { 1, 5 }, 2 }, TREE_NO_OBJECT },
	{ "a table's entry is no object", { { 1, 5, 1 }, 3 }, TREE_NO_OBJECT },
	{ "a column without index has no instance", { { 1, 5, 1, 6 }, 4 }, TREE_NO_INSTANCE },
	{ "a scalar without .0 has no instance", { { 1, 1, 1 }, 3 }, TREE_NO_INSTANCE },
	{ "a scalar has one instance only", { { 1, 1, 1, 1 }, 4 }, TREE_NO_INSTANCE },
	{ "nothing follows .0", { { 1, 1, 1, 0, 0 }, 5 }, TREE_NO_INSTANCE },
	{ "an unknown scalar is no object", { { 1, 1, 99, 0 }, 4 }, TREE_NO_OBJECT },
	{ "indexes are not accessible", { { 1, 2, 1, 1, 1 }, 5 }, TREE_NO_OBJECT },
	{ "a column between others is no object", { { 1, 5, 1, 12, 1, 2, 3 }, 7 },
	    TREE_NO_OBJECT },
	{ "an unknown row has no instance", { { 1, 5, 1, 6, 1, 2, 3 }, 7 },
	    TREE_NO_INSTANCE },
	{ "a number that no table has is no object", { { 1, 99, 1, 1, 1 }, 5 },
	    TREE_NO_OBJECT },
	{ "notifications are no objects", { { 0, 1 }, 2 }, TREE_NO_OBJECT },
};

static void
what_is_not_there_is_told_apart(void **state)
{
	struct mib_tree *t = tree_new(&(struct tree_size){ .collectors = 1 });
	struct cell c = { 0 };

	(void)state;
	t->collectors[0].index = 1;
	tree_seal(t);
	for (size_t i = 0; i < sizeof(absences) / sizeof(absences[0]); i++) {
		print_message("# %s\n", absences[i].says);
		assert_int_equal(tree_get(&weir_mib, t, absences[i].name.s, absences[i].name.len, &c),
		    absences[i].want);
	}
	tree_free(t);
}

/* Two tables of 1024 rows, and how many rows of the second were looked at. */
static unsigned n_looks;

static uint32_t
count_1024(const struct mib_tree *t)
{
	(void)t;
	return 1024;
}

static size_t
index_plain(const struct mib_tree *t, uint32_t pos, subid_t *out)
{
	(void)t;
	out[0] = pos;
	return 1;
}

static size_t
index_counted(const struct mib_tree *t, uint32_t pos, subid_t *out)
{
	n_looks++;
	return index_plain(t, pos, out);
}

/* What was found in another table says nothing about where to look in this one. */
static void
rows_are_sought_near_others_of_their_table(void **state)
{
	static const struct column one = { .number = 1 };
	static const struct mib_table first = { "first", 1, { 1 }, 1, &one, count_1024,
		index_plain, NULL };
	static const struct mib_table second = { "second", 1, { 2 }, 1, &one, count_1024,
		index_counted, NULL };
	static const struct mib_table *const both[] = { &first, &second };
	static const struct mib mib = { both, 2 };
	static const subid_t far[] = { 1, 1, 1023 }, middle[] = { 2, 1, 512 };
	struct cell found[2] = { { 0 } };

	(void)state;
	assert_int_equal(tree_get(&mib, NULL, far, 3, &found[0]), TREE_FOUND);
	found[1] = found[0];
	assert_int_equal(tree_get(&mib, NULL, middle, 3, &found[0]), TREE_FOUND);
	assert_int_equal(n_looks, 1); /* a search begins in the middle */
	n_looks = 0;
	assert_true(tree_next(&mib, NULL, middle, 3, true, &found[1]));
	assert_int_equal(n_looks, 1);
	n_looks = 0;
	assert_true(tree_next(&mib, NULL, middle, 3, false, &found[1]));
	assert_int_equal(found[1].pos, 513);
	assert_int_equal(n_looks, 1); /* it was here */
	/* What was found there stands beside its table and column. */
	for (unsigned i = 0; i < 2; i++) {
		assert_ptr_equal(found[i].table, &second);
		assert_ptr_equal(found[i].column, &one);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_walk_gives_every_object_once_in_ascending_order),
		cmocka_unit_test(every_object_can_be_asked_for_by_its_name),
		cmocka_unit_test(any_name_is_followed_by_the_first_object_behind_it),
		cmocka_unit_test(a_walk_over_a_hundred_trees_ascends_to_the_end),
		cmocka_unit_test(sessions_can_be_walked_in_the_other_module),
		cmocka_unit_test(rows_are_sought_near_others_of_their_table),
		cmocka_unit_test(what_is_not_there_is_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
