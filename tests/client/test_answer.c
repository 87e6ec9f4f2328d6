/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order of an answer's rows, and the choice of its columns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "client/answer.h"

static const char head_text[] =
    "{\"columns\": ["
    "{\"json\": \"id\", \"title\": \"ID\", \"kind\": \"uint\"},"
    "{\"json\": \"address\", \"title\": \"ADDRESS\", \"kind\": \"ip\"},"
    "{\"json\": \"kind\", \"title\": \"KIND\", \"kind\": \"str\"},"
    "{\"json\": \"lost\", \"title\": \"SEQUENCE_LOST\", \"kind\": \"count\"},"
    "{\"json\": \"late\", \"title\": \"LATE\", \"kind\": \"count\"},"
    "{\"json\": \"up\", \"title\": \"UP\", \"kind\": \"bool\"},"
    "{\"json\": \"seen\", \"title\": \"SEEN\", \"kind\": \"stamp\"},"
    "{\"json\": \"more\", \"title\": \"MORE\", \"kind\": \"detail\"},"
    "{\"json\": \"why\", \"title\": \"WHY\", \"kind\": \"note\"},"
    "{\"json\": \"nothing\", \"title\": \"NOTHING\", \"kind\": \"note\"}]}";

static const char *const row_texts[] = {
	"{\"id\": 0, \"address\": \"10.0.0.10\", \"kind\": \"sflow\", \"lost\": 5, "
	"\"late\": 0, "
	"\"up\": true, \"seen\": \"2026-01-02T00:00:00.000Z\", \"why\": \"x\", \"nothing\": \"\"}",
	"{\"id\": 1, \"address\": \"10.0.0.9\", \"kind\": \"netflow\", \"lost\": 40, "
	"\"late\": 0, "
	"\"up\": false, \"seen\": \"\"}",
	"{\"id\": 2, \"address\": \"2001:db8::1\", \"kind\": \"netflow\", \"lost\": "
	"null, "
	"\"late\": 0, \"up\": true, \"seen\": \"2026-01-03T00:00:00.000Z\"}",
	"{\"id\": 3, \"address\": \"9.0.0.1\", \"kind\": \"netflow\", \"lost\": "
	"18446744073709551615.0, "
	"\"late\": 0, \"up\": false, \"seen\": \"2026-01-01T00:00:00.000Z\"}",
};
#define N_ROWS (sizeof(row_texts) / sizeof(row_texts[0]))

static json_t *
parse(const char *text)
{
	json_error_t e;
	json_t *v = json_loads(text, 0, &e);

	if (v == NULL)
		fail_msg("%s: %s", text, e.text);
	return v;
}

static void
answer_make(struct answer *a)
{
	*a = (struct answer){ .head = parse(head_text), .n = N_ROWS };
	a->rows = calloc(N_ROWS, sizeof(json_t *));
	assert_non_null(a->rows);
	for (size_t i = 0; i < N_ROWS; i++)
		a->rows[i] = parse(row_texts[i]);
}

static void
answer_drop(struct answer *a)
{
	json_decref(a->head);
	answer_fini(a);
}

static void
check_order(const struct answer *a, const char *want, const char *says)
{
	char got[16] = "";

	for (size_t i = 0; i < a->n; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%d",
		    (int)json_integer_value(json_object_get(a->rows[i], "id")));
	if (strcmp(got, want) != 0)
		fail_msg("%s: %s, not %s", says, got, want);
}

static const struct {
	const char *says, *by;
	bool reverse;
	const char *want;
} orders[] = {
	{ "numbers, the largest first, none last", "lost", false, "3102" },
	{ "the smallest first, none last still", "lost", true, "0132" },
	{ "by title, in any case", "Sequence_Lost", false, "3102" },
	{ "addresses upwards by value, not as text, IPv4 before IPv6", "address", false,
	    "3102" },
	{ "addresses downwards", "address", true, "2013" },
	{ "texts upwards, equals as they came", "kind", false, "1230" },
	{ "texts downwards, equals as they came", "kind", true, "0123" },
	{ "times, the latest first, never last", "seen", false, "2031" },
	{ "times, the earliest first, never last", "seen", true, "3021" },
	{ "truths first", "up", false, "0213" },
	{ "all equal", "late", false, "0123" },
};

static void
test_sort(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		struct err e = ERR_INIT;
		struct answer a;

		answer_make(&a);
		if (answer_sort(&a, orders[i].by, orders[i].reverse, &e) != 0)
			fail_msg("%s: %s", orders[i].says, e.text);
		check_order(&a, orders[i].want, orders[i].says);
		answer_drop(&a);
	}
}

static void
test_unknown_column(void **state)
{
	struct err e = ERR_INIT;
	struct answer a;

	(void)state;
	answer_make(&a);
	assert_int_equal(answer_sort(&a, "size", false, &e), -WEIR_ENOENT);
	assert_string_equal(e.text,
	    "no column 'size'; there are: id, address, kind, lost, late, up, seen, "
	    "more, why, nothing");
	check_order(&a, "0123", "left as it was");
	assert_int_equal(answer_choose(a.head, "id,size", &e), -WEIR_ENOENT);
	assert_int_equal(json_array_size(json_object_get(a.head, "columns")), 10);
	answer_drop(&a);
}

static void
check_columns(const struct answer *a, const char *want)
{
	const json_t *columns = json_object_get(a->head, "columns");
	char got[128] = "";

	for (size_t i = 0; i < json_array_size(columns); i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s ",
		    json_string_value(
			json_object_get(json_array_get(columns, i), "json")));
	assert_string_equal(got, want);
}

static void
test_columns(void **state)
{
	struct err e = ERR_INIT;
	struct answer a;

	(void)state;
	answer_make(&a);
	answer_hide_zeros(&a);
	/* an id of 0 is no count; details are long */
	check_columns(&a, "id address kind lost up seen why ");
	assert_int_equal(answer_choose(a.head, "seen, ADDRESS,lost", &e), 0);
	check_columns(&a, "seen address lost ");
	answer_drop(&a);
}

static void
test_top(void **state)
{
	struct answer a;

	(void)state;
	answer_make(&a);
	answer_top(&a, 0);
	assert_int_equal(a.n, N_ROWS);
	answer_top(&a, 99);
	assert_int_equal(a.n, N_ROWS);
	answer_top(&a, 2);
	check_order(&a, "01", "the first two");
	answer_drop(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sort),
		cmocka_unit_test(test_unknown_column),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_top),
	};

	return cmocka_run_group_tests_name("client/answer", tests, NULL, NULL);
}
