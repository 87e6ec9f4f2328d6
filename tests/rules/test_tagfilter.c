/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/intern.h"
#include "rules/tagfilter.h"

#define TOP UINT64_MAX

static struct tagfilter *
make(enum field_no field, const char *list)
{
	struct err e = ERR_INIT;
	struct tagfilter *t = tagfilter_new(field, list, &e);

	if (t == NULL)
		fail_msg("%s: %s", list, e.text);
	return t;
}

static bool
passes(const struct tagfilter *t, struct flow *f)
{
	struct batch b = { .flows = f, .n = 1 };

	return tagfilter_run(t, &b, 1) == 1;
}

static bool
number_passes(const struct tagfilter *t, enum field_no field, uint64_t v)
{
	struct flow f;

	flow_clear(&f);
	if (field == F_TAG)
		f.tag = v;
	else
		f.tag2 = v;
	return passes(t, &f);
}

static const struct {
	const char *says, *list;
	uint64_t yes[6]; /* to the first 0 behind the first */
	uint64_t no[6];
} numbers[] = {
	{ "a number is itself alone", "6", { 6 }, { 0, 5, 7, TOP } },
	{ "a range has both its ends", "10-20", { 10, 15, 20 }, { 0, 9, 21, TOP } },
	{ "a range of one", "7-7", { 7 }, { 0, 6, 8 } },
	{ "0 is what has no tag", "0", { 0 }, { 1, TOP } },
	{ "several, in any order", "30,10-20,5", { 30, 5, 10, 20 }, { 0, 4, 6, 29, 31 } },
	{ "not one", "-6", { 0, 5, 7, TOP }, { 6 } },
	{ "not a range", "-10-20", { 0, 9, 21, TOP }, { 10, 15, 20 } },
	{ "several that are not: none of them", "-6,-7", { 0, 5, 8 }, { 6, 7 } },
	{ "several ranges that are not", "-6-9,-20-29", { 0, 5, 10, 19, 30, TOP },
	    { 6, 9, 20, 29 } },
	{ "the first that holds it decides: yes", "15,-10-20", { 0, 15, 9, 21 }, { 10, 14, 16 } },
	{ "the first that holds it decides: no", "-15,10-20", { 0, 10, 14, 16, 21 }, { 15 } },
	{ "a yes behind a no changes nothing", "-5,5", { 0, 4, 6 }, { 5 } },
	{ "a no behind a yes lets others through", "5,-5", { 0, 4, 5, 6 }, { 0 } },
	{ "overlapping ranges", "10-20,15-30", { 10, 15, 25, 30 }, { 0, 9, 31 } },
	{ "ranges that touch", "10-19,20-30", { 10, 19, 20, 30 }, { 0, 9, 31 } },
	{ "the greatest number", "18446744073709551615", { TOP }, { 0, TOP - 1 } },
	{ "up to the greatest", "100-18446744073709551615", { 100, TOP }, { 0, 99 } },
	{ "not up to the greatest", "-100-18446744073709551615", { 0, 99 }, { 100, TOP } },
	{ "everything", "0-18446744073709551615", { 0, 1, TOP }, { 0 } },
	{ "nothing", "-0-18446744073709551615", { 0 }, { 0, 1, TOP } },
	{ "blanks anywhere", " 5 ,\t10 - 20 , - 6", { 5, 10, 20, 0 }, { 6 } },
};

/* Sets of values end at a 0 that is not the first; "{ 0 }" is none where that says so. */
static void
numbers_check(const struct tagfilter *t, enum field_no field, size_t i, bool want)
{
	const uint64_t *v = want ? numbers[i].yes : numbers[i].no;
	bool none = v[0] == 0 && v[1] == 0 && strcmp(numbers[i].list, "0") != 0;

	for (size_t k = 0; !none && k < 6 && (k == 0 || v[k] != 0); k++)
		if (number_passes(t, field, v[k]) != want)
			fail_msg("%s: '%s' and %llu", numbers[i].says, numbers[i].list,
			    (unsigned long long)v[k]);
}

static void
test_numbers(void **state)
{
	static const enum field_no both[] = { F_TAG, F_TAG2 };

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		for (size_t k = 0; k < 2; k++) {
			struct tagfilter *t = make(both[k], numbers[i].list);

			numbers_check(t, both[k], i, true);
			numbers_check(t, both[k], i, false);
			tagfilter_free(t);
		}
}

static const struct {
	const char *says, *list, *label;
	bool want;
} labels[] = {
	{ "a label is itself", "gold", "gold", true },
	{ "and no other", "gold", "golden", false },
	{ "nor what begins alike", "golden", "gold", false },
	{ "letter case counts", "gold", "Gold", false },
	{ "one of several", "gold,silver", "silver", true },
	{ "one part of a label", "silver", "gold,silver,bronze", true },
	{ "the first part", "gold", "gold,silver", true },
	{ "the last part", "bronze", "gold,silver,bronze", true },
	{ "no part", "iron", "gold,silver", false },
	{ "a label does not pass as an item with a comma", "gold,silver", "gold,silver", true },
	{ "no label is not a label", "gold", "", false },
	{ "null is no label", "null", "", true },
	{ "null is not any label", "null", "gold", false },
	{ "a label called null is no item's", "null", "null", false },
	{ "null among others", "gold,null", "", true },
	{ "an empty part is not no label", "null", "gold,,silver", false },
	{ "not one: that one", "-gold", "gold", false },
	{ "not one: another", "-gold", "silver", true },
	{ "not one: none at all", "-gold", "", true },
	{ "not one: as a part", "-gold", "silver,gold", false },
	{ "not null: none at all", "-null", "", false },
	{ "not null: any", "-null", "gold", true },
	{ "several that are not: the first", "-gold,-silver", "gold", false },
	{ "several that are not: the second", "-gold,-silver", "silver", false },
	{ "several that are not: another", "-gold,-silver", "iron", true },
	{ "the first item that holds it: yes", "silver,-gold", "gold,silver", true },
	{ "the first item that holds it: no", "-gold,silver", "silver,gold", false },
	{ "the same item twice: the first counts", "gold,-gold", "gold", true },
	{ "blanks around items go", " gold , silver ", "silver", true },
	{ "blanks within stay", "pure gold", "pure gold", true },
	{ "what is not ASCII", "größe,x", "größe", true },
};

static void
test_labels(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		struct tagfilter *t = make(F_LABEL, labels[i].list);
		struct flow f;

		flow_clear(&f);
		f.label = intern(labels[i].label, strlen(labels[i].label));
		for (int turn = 0; turn < 2; turn++) /* the second from memory */
			if (passes(t, &f) != labels[i].want)
				fail_msg("%s: '%s' and '%s', turn %d", labels[i].says,
				    labels[i].list, labels[i].label, turn);
		tagfilter_free(t);
	}
}

static const struct {
	enum field_no field;
	const char *list, *hint;
} bad[] = {
	{ F_TAG, "", "write a number" },
	{ F_TAG, "gold", "'gold' is no tag" },
	{ F_TAG, "1,,2", "write a number" },
	{ F_TAG, "1,", "write a number" },
	{ F_TAG, "-", "'-' is no tag" },
	{ F_TAG, "--5", "'--5' is no tag" },
	{ F_TAG, "+5", "'+5' is no tag" },
	{ F_TAG, "5-", "'5-' is no range" },
	{ F_TAG, "5-x", "'5-x' is no range" },
	{ F_TAG, "5-10-15", "commas between" },
	{ F_TAG, "5;6", "commas between" },
	{ F_TAG, "5.5", "commas between" },
	{ F_TAG, "20-10", "the lower tag first" },
	{ F_TAG, "18446744073709551616", "is no tag" },
	{ F_TAG, "1-18446744073709551616", "is no range" },
	{ F_TAG2, "0x10", "commas between" },
	{ F_LABEL, "", "an item is empty" },
	{ F_LABEL, "gold,", "an item is empty" },
	{ F_LABEL, "gold, ,silver", "an item is empty" },
	{ F_LABEL, "-", "an item is empty" },
};

static void
test_bad_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = ERR_INIT;

		if (tagfilter_new(bad[i].field, bad[i].list, &e) != NULL)
			fail_msg("'%s' is taken", bad[i].list);
		if (e.code != WEIR_EINVAL || strstr(e.text, bad[i].hint) == NULL)
			fail_msg("'%s': '%s'", bad[i].list, e.text);
	}
}

/* Of a batch, those that were asked about and fit; others may hold anything. */
static void
test_masks(void **state)
{
	struct tagfilter *number = make(F_TAG, "10-19"), *label = make(F_LABEL, "odd");
	struct flow flows[FLOW_BATCH];
	struct batch b = { .flows = flows, .n = FLOW_BATCH };
	const uint64_t odd = UINT64_C(0xaaaaaaaaaaaaaaaa);

	(void)state;
	for (unsigned i = 0; i < FLOW_BATCH; i++) {
		flow_clear(&flows[i]);
		flows[i].tag = i;
		flows[i].label = i % 2 == 1 ? intern("odd", 3) : intern("even", 4);
	}
	assert_true(tagfilter_run(number, &b, UINT64_MAX) == UINT64_C(0x3ff) << 10);
	assert_true(tagfilter_run(number, &b, odd) == (UINT64_C(0x3ff) << 10 & odd));
	assert_true(tagfilter_run(number, &b, 0) == 0);
	assert_true(tagfilter_run(label, &b, UINT64_MAX) == odd);
	assert_true(tagfilter_run(label, &b, UINT64_C(1) << 63 | 1) == UINT64_C(1) << 63);
	tagfilter_free(number);
	tagfilter_free(label);
	tagfilter_free(NULL);
}

static uint64_t random_state = 20061123;

static uint64_t
draw(uint64_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 16) % below;
}

#define ITEMS 40

struct item {
	uint64_t lo, hi;
	bool negated;
};

/* The law, as it is written: item by item. */
static bool
model(const struct item *it, size_t n, uint64_t v)
{
	bool otherwise = false;

	for (size_t i = 0; i < n; i++) {
		if (v >= it[i].lo && v <= it[i].hi)
			return !it[i].negated;
		otherwise |= it[i].negated;
	}
	return otherwise;
}

static void
test_numbers_against_model(void **state)
{
	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct item items[ITEMS];
		size_t n = 1 + draw(ITEMS), len = 0;
		char list[ITEMS * 12];
		struct tagfilter *t;

		for (size_t i = 0; i < n; i++) {
			struct item *it = &items[i];

			it->lo = draw(200);
			it->hi = it->lo + (draw(2) == 0 ? 0 : draw(40));
			it->negated = draw(3) == 0;
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s%llu-%llu",
			    i > 0 ? "," : "", it->negated ? "-" : "",
			    (unsigned long long)it->lo, (unsigned long long)it->hi);
		}
		t = make(F_TAG, list);
		for (uint64_t v = 0; v < 260; v++)
			if (number_passes(t, F_TAG, v) != model(items, n, v))
				fail_msg("'%s' and %llu", list, (unsigned long long)v);
		tagfilter_free(t);
	}
}

/* There is no bound on how many items a list has. */
static void
test_long_lists(void **state)
{
	size_t room = 20000 * 16, len = 0;
	char *list = malloc(room);
	struct tagfilter *t;

	(void)state;
	assert_non_null(list);
	for (unsigned i = 0; i < 20000; i++)
		len += (size_t)snprintf(list + len, room - len, "%s%u", i > 0 ? "," : "", i * 3);
	t = make(F_TAG, list);
	for (uint64_t v = 0; v < 60000; v++)
		if (number_passes(t, F_TAG, v) != (v % 3 == 0))
			fail_msg("%llu", (unsigned long long)v);
	tagfilter_free(t);
	len = 0;
	for (unsigned i = 0; i < 20000; i++)
		len += (size_t)snprintf(list + len, room - len, "%sl%u", i > 0 ? "," : "", i);
	t = make(F_LABEL, list);
	for (unsigned i = 0; i < 20010; i++) {
		char text[16];
		struct flow f;

		flow_clear(&f);
		f.label = intern(text, (size_t)snprintf(text, sizeof(text), "l%u", i));
		assert_int_equal(passes(t, &f), i < 20000);
	}
	tagfilter_free(t);
	free(list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_bad_lists),
		cmocka_unit_test(test_masks),
		cmocka_unit_test(test_numbers_against_model),
		cmocka_unit_test(test_long_lists),
	};

	return cmocka_run_group_tests_name("tagfilter", tests, NULL, NULL);
}
