/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What weir show makes of answers: tables, CSV and the lines of the books. */
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

#include "client/grid.h"
#include "client/show.h"

static const char head_text[] =
    "{\"ok\": true, \"columns\": ["
    "{\"json\": \"ip_src\", \"title\": \"SRC_IP\", \"kind\": \"ip\"},"
    "{\"json\": \"label\", \"title\": \"LABEL\", \"kind\": \"str\"},"
    "{\"json\": \"bytes\", \"title\": \"BYTES\", \"kind\": \"uint\"},"
    "{\"json\": \"ledger\", \"title\": \"LEDGER\", \"kind\": \"bool\"},"
    "{\"json\": \"seen\", \"title\": \"SEEN\", \"kind\": \"stamp\"},"
    "{\"json\": \"terms\", \"title\": \"TERMS\", \"kind\": \"terms\"}]}";

static const char *const row_texts[] = {
	"{\"ip_src\": \"192.0.2.1\", \"label\": \"a,b \\\"c\\\"\", \"bytes\": 5, \"ledger\": true, "
	"\"seen\": \"\", \"terms\": {\"rows\": 4, \"other\": 1}}",
	"{\"ip_src\": \"2001:db8::1\", \"label\": \"\xc3\xa4\", \"bytes\": 12345, \"ledger\": "
	"false, \"seen\": \"2023-11-14T22:13:20.000Z\", \"terms\": {}}",
	"{\"ip_src\": \"10.0.0.1\", \"label\": \"x\\ty\", \"bytes\": null, \"ledger\": null}",
	"{\"ip_src\": \"\", \"label\": \"\", \"bytes\": 0}",
};
#define N_ROWS (sizeof(row_texts) / sizeof(row_texts[0]))

static json_t *
parse(const char *text)
{
	json_error_t e;
	json_t *v = json_loads(text, 0, &e);

	assert_non_null(v);
	return v;
}

/* Numbers stand right, titles too; widths count characters, not octets. */
static void
test_table(void **state)
{
	static const char *const want[] = {
		"SRC_IP       LABEL    BYTES  LEDGER  SEEN                      TERMS",
		"192.0.2.1    a,b \"c\"      5  yes     -                         rows=4 other=1",
		"2001:db8::1  \xc3\xa4        12345  no      2023-11-14T22:13:20.000Z",
		"10.0.0.1     x?y          -  -       -                         -",
		"-            -            0  -       -                         -",
	};
	json_t *head = parse(head_text);
	struct grid g = { 0 };

	(void)state;
	show_titles(&g, head);
	for (size_t i = 0; i < N_ROWS; i++) {
		json_t *row = parse(row_texts[i]);

		show_cells(&g, head, row);
		json_decref(row);
	}
	assert_int_equal(grid_rows(&g), N_ROWS);
	for (size_t i = 0; i <= N_ROWS; i++) {
		char line[256];

		assert_int_equal(grid_line(&g, i, line, sizeof(line)), strlen(want[i]));
		assert_string_equal(line, want[i]);
	}
	grid_fini(&g);
	json_decref(head);
}

static void
test_line_is_cut_at_a_character(void **state)
{
	struct grid g = { 0 };
	char line[64];

	(void)state;
	grid_column(&g, "T", false);
	grid_cell(&g, "a\xc3\xa4\xe2\x82\xac" "b");
	for (size_t room = 1; room < 10; room++) {
		static const size_t want[] = { 0, 0, 1, 1, 3, 3, 3, 6, 7, 7 };

		assert_int_equal(grid_line(&g, 1, line, room), want[room]);
		assert_int_equal(strlen(line), want[room]);
	}
	grid_clear(&g);
	assert_int_equal(grid_rows(&g), 0);
	grid_fini(&g);
}

static void
test_csv(void **state)
{
	json_t *head = parse(head_text);
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	show_csv_titles(head, f);
	for (size_t i = 0; i < 2; i++) {
		json_t *row = parse(row_texts[i]);

		show_csv(head, row, f);
		json_decref(row);
	}
	fclose(f);
	assert_string_equal(text,
	    "SRC_IP,LABEL,BYTES,LEDGER,SEEN,TERMS\n"
	    "192.0.2.1,\"a,b \"\"c\"\"\",5,yes,,rows=4 other=1\n"
	    "2001:db8::1,\xc3\xa4,12345,no,2023-11-14T22:13:20.000Z,\n");
	free(text);
	json_decref(head);
}

static const struct {
	const char *says, *row, *want;
	bool balanced;
} books[] = {
	{ "a line that balances",
	    "{\"subject\": \"view a packets\", \"left\": \"counted\", \"value\": 5000000, "
	    "\"terms\": {\"rows\": 5000000, \"other\": 0, \"held\": 0}, \"balanced\": true}",
	    "view a packets: counted 5000000 = rows 5000000 + other 0 + held 0   ok\n", true },
	{ "something is missing",
	    "{\"subject\": \"output b\", \"left\": \"rows\", \"value\": 5, "
	    "\"terms\": {\"written\": 3}, \"balanced\": false}",
	    "output b: rows 5 = written 3   DOES NOT BALANCE: 2 missing\n", false },
	{ "something stands twice",
	    "{\"subject\": \"frames\", \"left\": \"frames\", \"value\": 5, "
	    "\"terms\": {\"fed\": 5, \"bad\": 1}, \"balanced\": false}",
	    "frames: frames 5 = fed 5 + bad 1   DOES NOT BALANCE: 1 too many\n", false },
};

static void
test_books(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(books) / sizeof(books[0]); i++) {
		json_t *row = parse(books[i].row);
		char *text = NULL;
		size_t len;
		FILE *f = open_memstream(&text, &len);

		print_message("# %s\n", books[i].says);
		assert_int_equal(show_books_line(row, f), books[i].balanced);
		fclose(f);
		assert_string_equal(text, books[i].want);
		free(text);
		json_decref(row);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_line_is_cut_at_a_character),
		cmocka_unit_test(test_csv),
		cmocka_unit_test(test_books),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
