/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The columns of pmacct's client, for every primitive that there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/print_client.h"

static int
by_id(const void *a, const void *b)
{
	const uint16_t *x = a, *y = b;

	return (int)fields[*x].id - (int)fields[*y].id;
}

/* A table of the fields for which `has` says so. */
static struct output *
table_new(bool (*has)(uint16_t no))
{
	struct output *o = calloc(1, sizeof(*o));

	for (uint16_t no = 0; no < FIELD_COUNT; no++)
		if (has(no)) {
			field_set_add(&o->fields, no);
			o->columns[o->n_columns++] = no;
		}
	qsort(o->columns, o->n_columns, sizeof(o->columns[0]), by_id);
	return o;
}

static bool
has_all(uint16_t no)
{
	(void)no;
	return true;
}

static bool
has_none(uint16_t no)
{
	(void)no;
	return false;
}

/* The titles of `o`'s columns, blanks between them. */
static void
titles(const struct output *o, bool csv, bool all, char *to, size_t room)
{
	struct print_client_column columns[PRINT_CLIENT_MAX];
	unsigned n = print_client_columns(o, csv, all, columns);
	size_t len = 0;

	to[0] = '\0';
	for (unsigned i = 0; i < n; i++)
		len += (size_t)snprintf(to + len, room - len, "%s%s", i > 0 ? " " : "",
		    columns[i].no != FIELD_COUNT ? fields[columns[i].no].title
						 : columns[i].title);
}

/* Each field once, counters none, whatever else is asked for. */
static void
test_every_field(void **state)
{
	struct output *o = table_new(has_all);
	struct print_client_column columns[PRINT_CLIENT_MAX];

	(void)state;
	for (int k = 0; k < 4; k++) {
		unsigned n = print_client_columns(o, k & 1, k & 2, columns);
		unsigned seen[FIELD_COUNT + 1] = { 0 };

		for (unsigned i = 0; i < n; i++)
			seen[columns[i].no]++;
		for (uint16_t no = 0; no < FIELD_COUNT; no++)
			if (seen[no] != (fields[no].merge != FIELD_SUM))
				fail_msg("%s is there %u times", fields[no].config, seen[no]);
		assert_int_equal(seen[FIELD_COUNT], k & 2 ? 11 : 0);
	}
	free(o);
}

static bool
has_some(uint16_t no)
{
	return no == F_IN_IFACE || no == F_IN_IFACE_NAME || no == F_SRC_MAC ||
	    no == F_APPLICATION_ID || no == F_LABEL || no == F_CLASS || no == F_PEER_DST_IP ||
	    no == F_NEXTHOP || no == F_ICMP_CODE || no == F_BYTES;
}

/* Those that pmacct has not stand behind their neighbours. */
static void
test_order(void **state)
{
	struct output *o = table_new(has_some);
	char text[4096];

	(void)state;
	titles(o, true, false, text, sizeof(text));
	assert_string_equal(text, "CLASS APPLICATION_ID LABEL IN_IFACE IN_IFACE_NAME SRC_MAC "
				  "PEER_DST_IP NEXTHOP ICMP_CODE");
	titles(o, false, true, text, sizeof(text));
	assert_non_null(strstr(text, "TAG TAG2 CLASS APPLICATION_ID LABEL IN_IFACE "));
	assert_non_null(strstr(text, " DST_PORT ICMP_CODE TCP_FLAGS "));
	free(o);
}

/* What is not counted has a label in CSV only. */
static void
test_nothing(void **state)
{
	struct output *o = table_new(has_none);
	char text[4096];

	(void)state;
	titles(o, true, false, text, sizeof(text));
	assert_string_equal(text, "");
	titles(o, true, true, text, sizeof(text));
	assert_non_null(strstr(text, "TAG TAG2 CLASS LABEL IN_IFACE "));
	titles(o, false, true, text, sizeof(text));
	assert_non_null(strstr(text, "TAG TAG2 CLASS IN_IFACE "));
	free(o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_field),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests_name("print_client", tests, NULL, NULL);
}
